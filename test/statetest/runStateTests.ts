/**
 * npm run statetest -- <file or folder>...
 *
 * Runs the Cancun cases of GeneralStateTests on two threads: a line per failing case with its first difference, a last
 * line with the counts. Exit code 1 when anything failed.
 */
import { Worker } from 'node:worker_threads';
import { SuiteReport } from './exceptions.ts';
import type { Verdict } from './stateTestWorker.ts';
import { askedFiles } from './suiteFiles.ts';
import type { SuiteFile } from './suiteFiles.ts';

const USAGE = 'usage: npm run statetest -- <file or folder>...';
const THREADS = 2;

/** Sends the files to a thread one by one until there are none; gives the thread. */
function drain(files: SuiteFile[], add: (verdict: Verdict) => void): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('stateTestWorker.ts', import.meta.url));
    const next = (): void => {
      const file = files.shift();
      if (file === undefined) resolve(worker);
      else worker.postMessage(file);
    };
    worker.on('message', (verdicts: readonly Verdict[]) => {
      for (const verdict of verdicts) add(verdict);
      next();
    });
    worker.on('error', reject);
    next();
  });
}

const files = askedFiles(process.argv.slice(2), USAGE);
if (files !== undefined) {
  const report = new SuiteReport((line) => console.log(line));
  const threads = Array.from({ length: Math.min(THREADS, files.length) }, () =>
    drain(files, (verdict) => report.add(verdict.name, verdict.difference)),
  );
  // Together: one that ends while the other loads a native addon takes the addon with it.
  await Promise.all((await Promise.all(threads)).map((thread) => thread.terminate()));
  console.log(report.summary());
  process.exitCode = report.failed === 0 && report.passed > 0 ? 0 : 1;
}
