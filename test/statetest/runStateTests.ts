/**
 * npm run statetest -- <file or folder>...
 *
 * Runs the Cancun cases of GeneralStateTests on two threads: a line per failing case with its first difference, a last
 * line with the counts. Exit code 1 when anything failed.
 */
import { Worker } from 'node:worker_threads';
import { SuiteReport } from './exceptions.ts';
import type { Verdict } from './stateTestWorker.ts';
import { suiteFiles } from './suiteFiles.ts';
import type { SuiteFile } from './suiteFiles.ts';

const USAGE = 'usage: npm run statetest -- <file or folder>...';
const THREADS = 2;

/** Sends the files to the thread one by one until there are none. */
function drain(files: SuiteFile[], add: (verdict: Verdict) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('stateTestWorker.ts', import.meta.url));
    const next = (): void => {
      const file = files.shift();
      if (file === undefined) void worker.terminate().then(() => resolve());
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

const paths = process.argv.slice(2);
if (paths.length === 0) {
  console.error(USAGE);
  process.exitCode = 1;
} else {
  const report = new SuiteReport((line) => console.log(line));
  const files = suiteFiles(paths);
  await Promise.all(
    Array.from({ length: THREADS }, () => drain(files, (verdict) => report.add(verdict.name, verdict.difference))),
  );
  console.log(report.summary());
  process.exitCode = report.failed === 0 && report.passed > 0 ? 0 : 1;
}
