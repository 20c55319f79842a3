/** A thread that runs the files it is sent and answers with one verdict per case. */
import { parentPort } from 'node:worker_threads';
import { stateTestDifference } from './stateTest.ts';
import { stateTestCases } from './stateTestFile.ts';
import type { SuiteFile } from './suiteFiles.ts';

export interface Verdict {
  readonly name: string;
  /** undefined: passed */
  readonly difference: string | undefined;
}

/** Every case of a file; a file that cannot be read is one failed case. */
export async function stateTestVerdicts({ path, name }: SuiteFile): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  try {
    for (const testCase of stateTestCases(path, name)) {
      const difference = await stateTestDifference(testCase).catch((error: unknown) => `threw ${String(error)}`);
      verdicts.push({ name: testCase.name, difference });
    }
  } catch (error) {
    verdicts.push({ name, difference: `cannot be read: ${String(error)}` });
  }
  return verdicts;
}

const port = parentPort;
port?.on('message', (file: SuiteFile) => {
  void stateTestVerdicts(file).then((verdicts) => port.postMessage(verdicts));
});
