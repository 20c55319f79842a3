/** `reprise execute <file>...`: runs blocks that are given whole, state included, and prints one line of JSON for each (docs/execute.md). */
import { readFileSync } from 'node:fs';
import { errorText, NodeError } from '../common/errors.ts';
import { executeBlock } from './executeBlock.ts';
import { type ExecuteInput, parseExecuteInput } from './executeInput.ts';
import { executedBlockToJson } from './executeOutput.ts';

/** @throws NodeError EXECUTE_FILE_UNREADABLE, JSON_INVALID */
function readInput(file: string): ExecuteInput {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new NodeError(
      'fatal',
      `${file} cannot be read: ${errorText(error)}`,
      { code: 'EXECUTE_FILE_UNREADABLE', file },
      { cause: error },
    );
  }
  return parseExecuteInput(text, file);
}

/** All files are run; 1 when one of them is malformed or holds a transaction that would stop a node, 0 otherwise. */
export async function execute(files: readonly string[]): Promise<number> {
  let exitCode = 0;
  for (const file of files) {
    try {
      const executed = await executeBlock(readInput(file));
      process.stdout.write(`${JSON.stringify(executedBlockToJson(file, executed))}\n`);
      if (executed.attempts.some(({ status }) => status === 'fatal')) exitCode = 1;
    } catch (error) {
      if (!(error instanceof NodeError) || error.kind !== 'fatal') throw error;
      process.stderr.write(`reprise: ${error.message}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}
