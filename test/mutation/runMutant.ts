/** Runs spec files over a tree with one changed file. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Title of the first test that failed, or what else ended the run; undefined: everything passed. */
export type Killer = string | undefined;

interface MochaReport {
  readonly stats: { readonly passes: number; readonly failures: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}

/** A changed constant can make a loop endless. */
const RUN_LIMIT_MS = 240_000;

export interface Tree {
  /** A copy of the sources that nobody else uses. */
  readonly folder: string;
  /** node's cache of compiled sources, shared by the trees. */
  readonly cacheFolder: string;
}

/** The specs over the tree as it is. */
export function runSpecs({ folder, cacheFolder }: Tree, specs: readonly string[]): Promise<Killer> {
  const mocha = join(folder, 'node_modules/mocha/bin/mocha.js');
  const parameters = [mocha, '--bail', '--reporter', 'json', ...specs.flatMap((spec) => ['--spec', spec])];
  const child = spawn(process.execPath, parameters, {
    cwd: folder,
    env: { ...process.env, NODE_COMPILE_CACHE: cacheFolder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-2_000)));
  const limit = setTimeout(() => child.kill('SIGKILL'), RUN_LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      clearTimeout(limit);
      if (signal !== null) resolve(`the time limit of ${RUN_LIMIT_MS / 1000} s`);
      else if (exitCode === 0) resolve(undefined);
      else resolve(firstFailure(output) ?? `a failure to load: ${errors.trim().split('\n').at(-1) ?? ''}`);
    });
  });
}

function firstFailure(output: string): string | undefined {
  const start = output.indexOf('{\n  "stats"');
  if (start < 0) return undefined;
  try {
    // The reporter writes this shape.
    return (JSON.parse(output.slice(start)) as MochaReport).failures[0]?.fullTitle;
  } catch {
    return undefined;
  }
}

/** The specs over the tree with `file` holding `source`, and `original` again afterwards. */
export async function runMutant(
  tree: Tree,
  mutant: { readonly file: string; readonly source: string; readonly original: string },
  stages: readonly (readonly string[])[],
): Promise<Killer> {
  const path = join(tree.folder, mutant.file);
  writeFileSync(path, mutant.source);
  try {
    for (const specs of stages) {
      const killer = await runSpecs(tree, specs);
      if (killer !== undefined) return killer;
    }
    return undefined;
  } finally {
    writeFileSync(path, mutant.original);
  }
}
