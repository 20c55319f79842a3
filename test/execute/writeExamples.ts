/** node test/execute/writeExamples.ts: writes test/fixtures/execute anew from examples.ts and the present VM. Read the diff. */
import { writeFileSync } from 'node:fs';
import { executeBlock } from '../../src/commands/executeBlock.ts';
import { parseExecuteInput } from '../../src/commands/executeInput.ts';
import { executedBlockToJson } from '../../src/commands/executeOutput.ts';
import { EXAMPLES, exampleInput } from './examples.ts';
import { inputPath, outputPath } from './fixture.ts';

function write(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

for (const [name, example] of Object.entries(EXAMPLES)) {
  const input = await exampleInput(example);
  write(inputPath(name), input);
  const executed = await executeBlock(parseExecuteInput(JSON.stringify(input), name));
  write(outputPath(name), executedBlockToJson(`${name}.json`, executed));
}
