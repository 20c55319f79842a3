/** Where the examples of `reprise execute` lie, and one of them executed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { executeBlock, type ExecutedBlock } from '../../src/commands/executeBlock.ts';
import { parseExecuteInput } from '../../src/commands/executeInput.ts';

export const EXAMPLE_FOLDER: string = fileURLToPath(new URL('../fixtures/execute/', import.meta.url));

export const inputPath = (name: string): string => `${EXAMPLE_FOLDER}${name}.json`;
export const outputPath = (name: string): string => `${EXAMPLE_FOLDER}${name}.expected.json`;

export function executeExample(name: string): Promise<ExecutedBlock> {
  return executeBlock(parseExecuteInput(readFileSync(inputPath(name), 'utf8'), name));
}
