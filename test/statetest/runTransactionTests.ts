/**
 * npm run txtest -- <file or folder>...
 *
 * Runs TransactionTests and RLPTests against the node's decoders: a line per failing test, a last line with the counts.
 * Exit code 1 when anything failed.
 */
import { SuiteReport } from './exceptions.ts';
import { askedFiles } from './suiteFiles.ts';
import { transactionTests } from './transactionTest.ts';

const USAGE = 'usage: npm run txtest -- <file or folder>...';

const files = askedFiles(process.argv.slice(2), USAGE);
if (files !== undefined) {
  const report = new SuiteReport((line) => console.log(line));
  for (const { path, name } of files) {
    for (const test of transactionTests(path, name)) report.add(test.name, test.run());
  }
  console.log(report.summary());
  process.exitCode = report.failed === 0 && report.passed > 0 ? 0 : 1;
}
