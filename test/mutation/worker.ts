/**
 * Child of test/mutation/main.ts: runs spec files again and again, each time on modules that are loaded anew, one of them
 * with another text. Nothing is written to the checkout: the change is made on the way from the file to the compiler.
 */
import { globSync } from 'node:fs';
import { registerHooks } from 'node:module';
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

function isOwn(url: string): boolean {
  return url.startsWith(ROOT.href) && !url.includes('/node_modules/');
}

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return round > 0 && isOwn(resolved.url)
      ? { ...resolved, url: `${resolved.url.split('?')[0]}?round=${round}` }
      : resolved;
  },
  load(url, context, next) {
    if (change === undefined || !isOwn(url) || fileURLToPath(url.split('?')[0]!) !== join(FOLDER, change.file))
      return next(url, context);
    return { format: 'module-typescript', source: change.source, shortCircuit: true };
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

process.on('message', (job: Job) => {
  void verdict(job).then((answer) => process.send?.(answer));
});
