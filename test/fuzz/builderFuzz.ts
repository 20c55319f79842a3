/** Random blocks by the production builder, each replayed from its record. */
import { aBlockCase } from '../vm/builderReplayer/blockCase.ts';
import { compareCase } from '../vm/builderReplayer/buildAndReplay.ts';

/** Prints the first seed whose replayer finds another block; whether there was none. */
export async function fuzzBuilder(options: {
  readonly seconds: number;
  readonly seed: number;
  readonly seedEnd: number;
}): Promise<boolean> {
  const end = performance.now() + options.seconds * 1_000;
  let seed = options.seed;
  let blocks = 0;
  for (; performance.now() < end; seed = (seed + 1) % options.seedEnd) {
    const comparison = await compareCase(aBlockCase(seed));
    if (comparison.difference !== undefined) {
      console.log(`seed ${seed}: ${comparison.difference}`);
      return false;
    }
    blocks += comparison.blocks.length;
  }
  console.log(`seeds ${options.seed} to ${seed - 1}: no difference in ${blocks} blocks`);
  return true;
}
