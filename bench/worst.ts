/**
 * `npm run bench -- worst`: what the hardest programs cost per gas at two sizes. Time that is in proportion to gas has a
 * growth of 1. The longest turn is what an event loop has to wait for, with the budget a node gives.
 */
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { BlockExecution } from '../src/vm/blockExecution.ts';
import { aBlockContext, ETHER, anAddress, from } from '../test/support/factories.ts';
import { TestState } from '../test/support/testState.ts';
import { CONTRACT, WORST_CASES, type WorstCase } from './worst/cases.ts';

const USAGE = `usage: npm run bench -- worst [--rounds N] [--only TEXT] [--json]
  --rounds N   runs of each case and size (default 5)
  --only TEXT  cases with this text in their name
  --json       one line of JSON instead of the table
`;
const GAS_LIMITS = [4_000_000n, 16_000_000n] as const;
/** Above this time grows faster than gas. */
const GROWTH_GOAL = 1.5;
const TURN_GOAL_MS = 10;
const SHORT_MS = 50;
const SHORT_FACTOR = 6;
const SENDER = anAddress(0x5e4de4);

interface WorstResult {
  readonly name: string;
  readonly gas: number;
  readonly smallMs: number;
  readonly largeMs: number;
  readonly nanosecondsPerGas: number;
  /** Time per gas of the large size / of the small one. */
  readonly growth: number;
  readonly longestTurnMs: number;
}

function stateOf({ program, others = [] }: WorstCase): TestState {
  const state = new TestState()
    .put(SENDER, { balance: 1_000_000n * ETHER })
    .put(CONTRACT, { nonce: 1n, code: program });
  for (const other of others) state.put(other.address, { nonce: 1n, code: other.program });
  return state;
}

/** Milliseconds of each turn. */
function execute(state: TestState, gasLimit: bigint): number[] {
  const execution = new BlockExecution({ context: aBlockContext({ pubdataLimit: 1n << 40n }), state });
  // A price at which native does not run out before gas, up to what a block has.
  const transaction = from(SENDER, { to: CONTRACT, gasLimit, maxFeePerGas: 10_000n, maxPriorityFeePerGas: 9_000n });
  const turns: number[] = [];
  const turn = <Result>(work: () => Result): Result => {
    const start = performance.now();
    const result = work();
    turns.push(performance.now() - start);
    return result;
  };
  let step = turn(() => execution.start(transaction));
  while (step.kind === 'paused') step = turn(() => execution.resume());
  assert(step.kind === 'included', `a transaction was ${step.kind}`);
  return turns;
}

/** The least that each turn took: the same turn does the same work in every run, and the rest other processes took. */
function bestTurns(runs: readonly (readonly number[])[]): number[] {
  const [first = []] = runs;
  return first.map((_, i) => Math.min(...runs.map((turns) => turns[i] ?? 0)));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);

function measure(worst: WorstCase, rounds: number): WorstResult {
  const state = stateOf(worst);
  const [small, large] = worst.gasLimits ?? GAS_LIMITS;
  execute(state, small);
  // What is short is disturbed most.
  const isShort = sum(execute(state, large)) < SHORT_MS;
  const runs = Array.from(
    { length: isShort ? SHORT_FACTOR * rounds : rounds },
    () => [execute(state, small), execute(state, large)] as const,
  );
  const smallMs = sum(bestTurns(runs.map(([turns]) => turns)));
  const turns = bestTurns(runs.map(([, large]) => large));
  const largeMs = sum(turns);
  return {
    name: worst.name,
    gas: Number(large),
    smallMs,
    largeMs,
    nanosecondsPerGas: (largeMs * 1e6) / Number(large),
    growth: largeMs / Number(large) / (smallMs / Number(small)),
    longestTurnMs: turns.reduce((longest, ms) => Math.max(longest, ms), 0),
  };
}

function row(result: WorstResult): string {
  const { name, gas, largeMs, nanosecondsPerGas, growth, longestTurnMs } = result;
  const marks = [growth > GROWTH_GOAL ? 'GROWS' : '', longestTurnMs > TURN_GOAL_MS ? 'LONG TURN' : ''];
  return [
    name.padEnd(52),
    (gas / 1e6).toFixed(1).padStart(5),
    largeMs.toFixed(1).padStart(8),
    nanosecondsPerGas.toFixed(1).padStart(8),
    growth.toFixed(2).padStart(7),
    longestTurnMs.toFixed(1).padStart(7),
    ` ${marks.join(' ')}`.trimEnd(),
  ].join(' ');
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const cases = WORST_CASES.filter(({ name }) => name.includes(values.only));
  if (values.help || !Number.isSafeInteger(rounds) || rounds < 1 || cases.length === 0) {
    process.stdout.write(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  if (!values.json) console.log(`${'case'.padEnd(52)}  Mgas       ms   ns/gas  growth  turn ms`);
  const results: WorstResult[] = [];
  for (const worst of cases) {
    const result = measure(worst, rounds);
    results.push(result);
    if (!values.json) console.log(row(result));
  }
  if (values.json) {
    console.log(JSON.stringify({ rounds, growthGoal: GROWTH_GOAL, turnGoalMs: TURN_GOAL_MS, results }));
    return;
  }
  const grown = results.filter(({ growth }) => growth > GROWTH_GOAL).length;
  const long = results.filter(({ longestTurnMs }) => longestTurnMs > TURN_GOAL_MS).length;
  console.log(
    `${results.length} cases: ${grown} with a growth above ${GROWTH_GOAL} (goal: none, ${grown === 0 ? 'met' : 'MISSED'}), ` +
      `${long} with a turn above ${TURN_GOAL_MS} ms (goal: none, ${long === 0 ? 'met' : 'MISSED'})`,
  );
}
