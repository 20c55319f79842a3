/**
 * npm run fuzz -- vm [--seconds N] [--seed S] [--keep FOLDER]
 * npm run fuzz -- builder [--seconds N] [--seed S]
 *
 * builder: blocks of random transactions by the production builder, replayed from their records; a difference is printed
 * with its seed. vm: compares the machine under Ethereum's rules with another EVM on random cases, each also with gas that runs out at a few
 * of its opcodes. At a difference: prints the seed, cuts the case down, keeps it as a file that `npm test` runs from then
 * on, and exits with code 1.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../support/testState.ts';
import { fuzzBuilder } from './builderFuzz.ts';
import { dryCases, verdictWithSteps } from './gasSteps.ts';
import { shrinkCase } from './shrinkCase.ts';
import { caseToJson } from './vmCase.ts';
import type { VmCase } from './vmCase.ts';
import { aVmCase } from './vmCaseGenerator.ts';
import { vmVerdict } from './vmDifference.ts';
import type { Spent } from './vmReference.ts';

const USAGE =
  'usage: npm run fuzz -- vm [--seconds N] [--seed S] [--keep FOLDER]\n       npm run fuzz -- builder [--seconds N] [--seed S]';
const SEED_END = 2 ** 31;
const DRY_CASES = 3;
const SECONDS = 60;

interface Options {
  readonly target: 'vm' | 'builder';
  readonly seconds: number;
  readonly seed: number;
  readonly folder: string;
}

function readOptions(): Options | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'string' } },
    });
    const seconds = Number(values.seconds ?? SECONDS);
    const seed = Number(values.seed ?? Math.floor(Math.random() * SEED_END));
    const [target] = positionals;
    if (target !== 'vm' && (target !== 'builder' || values.keep !== undefined)) return undefined;
    if (positionals.length !== 1 || !(seconds > 0) || !Number.isSafeInteger(seed)) return undefined;
    return { target, seconds, seed, folder: values.keep ?? fileURLToPath(new URL('regressions/', import.meta.url)) };
  } catch {
    return undefined;
  }
}

/** Where the two disagree, or how one of them broke. */
async function differenceOf(vmCase: VmCase): Promise<string | undefined> {
  try {
    return (await vmVerdict(vmCase)).difference;
  } catch (error) {
    return `threw ${error instanceof Error ? error.stack : String(error)}`;
  }
}

/** The first failing one of a seed's cases. */
async function failingCase(seed: number): Promise<VmCase | undefined> {
  const vmCase = aVmCase(seed);
  let spent: readonly Spent[] = [];
  try {
    const verdict = await verdictWithSteps(vmCase);
    if (verdict.difference !== undefined) return vmCase;
    spent = verdict.spent;
  } catch {
    return vmCase;
  }
  const random = seededRandom(seed);
  const { edges, others } = dryCases(vmCase, spent);
  const dry = [...edges, ...others];
  for (let i = 0; i < DRY_CASES && dry.length > 0; i += 1) {
    const candidate = dry[Math.floor(random() * dry.length)]!;
    if ((await differenceOf(candidate)) !== undefined) return candidate;
  }
  return undefined;
}

async function fuzz({ seconds, seed, folder }: Options): Promise<boolean> {
  const end = performance.now() + seconds * 1_000;
  let next = seed;
  for (; performance.now() < end; next = (next + 1) % SEED_END) {
    const failing = await failingCase(next);
    if (failing === undefined) continue;
    console.log(`seed ${next}, gas limit ${failing.gasLimit}: ${await differenceOf(failing)}`);
    const smallest = await shrinkCase(failing, async (candidate) => (await differenceOf(candidate)) !== undefined);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `vm-${next}.json`);
    writeFileSync(path, caseToJson(smallest));
    console.log(`cut down: ${await differenceOf(smallest)}\nkept as ${path}`);
    return false;
  }
  console.log(`seeds ${seed} to ${next - 1}: no difference`);
  return true;
}

const options = readOptions();
if (options === undefined) console.error(USAGE);
const isFine =
  options !== undefined &&
  (options.target === 'vm' ? await fuzz(options) : await fuzzBuilder({ ...options, seedEnd: SEED_END }));
process.exitCode = isFine ? 0 : 1;
