/**
 * Child of test/mutation/main.ts: runs spec files again and again, each time on modules that are loaded anew, one of them
 * with another text. Nothing is written to the checkout: the change is made on the way from the file to the compiler.
 */
import { globSync, readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import Mocha from 'mocha';

const ROOT = new URL('../../', import.meta.url);
const FOLDER = fileURLToPath(ROOT);

/** The specs of all stages, until one fails. */
export interface Job {
  readonly stages: readonly (readonly string[])[];
  /** undefined: as the sources are. */
  readonly change: { readonly file: string; readonly source: string } | undefined;
}

export interface Verdict {
  /** Title of the first test that failed, or what ended the process; undefined: everything passed. */
  readonly killer: string | undefined;
  /** Why the specs did not even load: that proves nothing. */
  readonly problem?: string;
}

let round = 0;
let change: Job['change'];
const stripped = new Map<string, string>();

function isOwn(url: string): boolean {
  return url.startsWith(ROOT.href) && !url.includes('/node_modules/');
}

/** Folders that cannot import the changed file (see the arrows in ARCHITECTURE.md): their modules are loaded once. */
function isUntouched(url: string): boolean {
  const file = change?.file ?? 'src/common/';
  if (file.startsWith('src/common/')) return false;
  if (url.startsWith(`${ROOT.href}src/common/`)) return true;
  return !file.startsWith('src/protocol/') && url.startsWith(`${ROOT.href}src/protocol/`);
}

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (!isOwn(resolved.url) || isUntouched(resolved.url)) return resolved;
    return { ...resolved, url: `${resolved.url.split('?')[0]}?round=${round}` };
  },
  load(url, context, next) {
    const path = isOwn(url) ? fileURLToPath(url.split('?')[0]!) : '';
    if (!path.endsWith('.ts')) return next(url, context);
    if (change !== undefined && path === join(FOLDER, change.file))
      return { format: 'module', source: stripTypeScriptTypes(change.source), shortCircuit: true };
    const source = stripped.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'));
    stripped.set(path, source);
    return { format: 'module', source, shortCircuit: true };
  },
});

/** The title of the first test that fails. */
async function run(specs: readonly string[]): Promise<string | undefined> {
  round += 1;
  const mocha = new Mocha({ bail: true, reporter: 'min', timeout: 120_000 });
  const files = [...new Set(specs.flatMap((spec) => globSync(spec, { cwd: FOLDER })))];
  for (const file of files) {
    const path = join(FOLDER, file);
    mocha.suite.emit('pre-require', globalThis as unknown as Mocha.MochaGlobals, path, mocha);
    // What loading a file means to mocha's own runner.
    const loaded = (await import(`${pathToFileURL(path).href}?round=${round}`)) as unknown;
    mocha.suite.emit('require', loaded, path, mocha);
    mocha.suite.emit('post-require', globalThis as unknown as Mocha.MochaGlobals, path, mocha);
  }
  return new Promise((resolve) => {
    let killer: string | undefined;
    const runner = new Mocha.Runner(mocha.suite, { delay: false });
    runner.suite.bail(true);
    runner.on('fail', (test: { fullTitle(): string }) => (killer ??= test.fullTitle()));
    runner.run(() => resolve(killer));
  });
}

async function verdict(job: Job): Promise<Verdict> {
  change = job.change;
  try {
    for (const specs of job.stages) {
      const killer = await run(specs);
      if (killer !== undefined) return { killer };
    }
    return { killer: undefined };
  } catch (error) {
    return { killer: undefined, problem: error instanceof Error ? error.message : String(error) };
  }
}

// Every runner of mocha leaves listeners behind.
process.setMaxListeners(0);
process.on('message', (job: Job) => {
  void verdict(job).then((answer) => process.send?.(answer));
});
