/** `node findDifference.ts FROM COUNT`: the first seed whose replayer finds another block, by exit code 3. */
import { aBlockCase } from './blockCase.ts';
import { compareCase } from './buildAndReplay.ts';

/** Also known to findPlant.ts, which never loads this file. */
const FOUND_EXIT_CODE = 3;

const [from = 0, count = 0] = process.argv.slice(2).map(Number);
for (let seed = from; seed < from + count; seed += 1) {
  const { difference } = await compareCase(aBlockCase(seed));
  if (difference === undefined) continue;
  console.log(`seed ${seed}: ${difference}`);
  process.exit(FOUND_EXIT_CODE);
}
