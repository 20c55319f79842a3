/**
 * `npm run bench -- vm`: the machine against `@ethereumjs/vm` with a journaling state in maps, on blocks of which both give
 * the same receipts; against itself as a control and without what makes it resumable; and the recovery of senders against
 * the bare addon. Contestants take turns within each round, each in a process of its own; medians over the rounds. Machines are measured in processor time
 * of their one thread, recovery, which has two, in time of the clock.
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { patchedProject } from '../test/support/sourcePatch.ts';
import { startContestant } from './vm/contestant.ts';
import { WITHOUT_MISS_CHECKS } from './vm/missChecks.ts';
import type { BlockTime } from './vm/ours.ts';
import { type RecoveryResult, measureRecovery } from './vm/recovery.ts';
import { interleaved, median, medianRatio } from './vm/rounds.ts';
import type { WorkloadName } from './vm/workloads.ts';

const USAGE = `usage: npm run bench -- vm [--rounds N] [--json]
  --rounds N   measured rounds, each contestant once in every one (default 15)
  --json       one line of JSON instead of the report
`;
const BLOCK_GOAL_MS = 25;
const RECOVERY_GOAL = 0.9;
const RESUMABLE_GOAL = 1.05;
const RECOVERED_TRANSACTIONS = 2_048;
const root = fileURLToPath(new URL('../', import.meta.url));

interface WorkloadResult {
  readonly name: string;
  readonly transactions: number;
  readonly ourMs: number;
  /** Header, keys, preimages, pubdata and output hash included, which the other machine has no equal of. */
  readonly ourBlockMs: number;
  readonly theirMs: number;
  /** Their time / ours. */
  readonly ratio: number;
  readonly blockRatio: number;
  /** Ours / the same sources loaded a second time. */
  readonly control: number;
  /** Ours / without the miss checks. */
  readonly resumable: number;
  readonly goal: number;
}

async function measure(
  name: WorkloadName,
  goal: number,
  rounds: number,
  folders: { readonly same: string; readonly unchecked: string },
): Promise<WorkloadResult> {
  const contestants = {
    ours: startContestant(root, 'ours', name),
    theirs: startContestant(root, 'theirs', name),
    control: startContestant(folders.same, 'ours', name),
    unchecked: startContestant(folders.unchecked, 'ours', name),
  };
  const all = Object.values(contestants);
  try {
    const expected = await contestants.theirs.receipts();
    for (const machine of all) assert.deepEqual(await machine.receipts(), expected);
    const { ours, theirs, control, unchecked } = contestants;
    const times = await interleaved(
      {
        ours: () => ours.run(),
        theirs: () => theirs.run(),
        control: () => control.run(),
        unchecked: () => unchecked.run(),
      },
      rounds,
    );
    return resultOf(name, expected.length, goal, times);
  } finally {
    await Promise.all(all.map((machine) => machine.stop()));
  }
}

function resultOf(
  name: WorkloadName,
  transactions: number,
  goal: number,
  times: Readonly<Record<'ours' | 'theirs' | 'control' | 'unchecked', readonly BlockTime[]>>,
): WorkloadResult {
  const executed = (results: readonly BlockTime[]): number[] => results.map(({ executeMs }) => executeMs);
  const whole = (results: readonly BlockTime[]): number[] => results.map(({ blockMs }) => blockMs);
  return {
    name,
    transactions,
    ourMs: median(executed(times.ours)),
    ourBlockMs: median(whole(times.ours)),
    theirMs: median(executed(times.theirs)),
    ratio: medianRatio(executed(times.theirs), executed(times.ours)),
    blockRatio: medianRatio(executed(times.theirs), whole(times.ours)),
    control: medianRatio(executed(times.ours), executed(times.control)),
    resumable: medianRatio(executed(times.ours), executed(times.unchecked)),
    goal,
  };
}

const verdict = (isMet: boolean): string => (isMet ? 'met' : 'MISSED');

function workloadText(result: WorkloadResult): string {
  const { name, transactions, ourMs, ourBlockMs, theirMs, ratio, blockRatio, control, resumable, goal } = result;
  const rate = (ms: number): string => ((transactions / ms) * 1000).toFixed(0);
  return [
    `${name}, ${transactions} in a block, receipts equal`,
    `  ours       ${ourMs.toFixed(2)} ms, ${rate(ourMs)} a second; with the output of the block ${ourBlockMs.toFixed(2)} ms`,
    `  theirs     ${theirMs.toFixed(2)} ms, ${rate(theirMs)} a second`,
    `  ratio      ${ratio.toFixed(1)} (goal: at least ${goal}, ${verdict(ratio >= goal)}); with the output of the block ${blockRatio.toFixed(1)}`,
    `  control    ${control.toFixed(3)} (the same machine twice)`,
    `  resumable  ${resumable.toFixed(3)} (goal: at most ${RESUMABLE_GOAL}, ${verdict(resumable <= RESUMABLE_GOAL)})`,
  ].join('\n');
}

function text(workloads: readonly WorkloadResult[], blockMs: number, recovery: RecoveryResult): string {
  return [
    ...workloads.map(workloadText),
    'a block of 1,000 ERC-20 transfers, its output included',
    `  ${blockMs.toFixed(2)} ms (goal: at most ${BLOCK_GOAL_MS}, ${verdict(blockMs <= BLOCK_GOAL_MS)})`,
    `recovery of ${recovery.transactions} senders, one worker`,
    `  path       ${recovery.perSecond.toFixed(0)} a second`,
    `  bare loop  ${recovery.barePerSecond.toFixed(0)} a second`,
    `  ratio      ${recovery.ratio.toFixed(2)} (goal: at least ${RECOVERY_GOAL}, ${verdict(recovery.ratio >= RECOVERY_GOAL)})`,
    '',
  ].join('\n');
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '15' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help || !Number.isSafeInteger(rounds) || rounds < 1) {
    process.stdout.write(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const projects = { same: patchedProject([]), unchecked: patchedProject(WITHOUT_MISS_CHECKS) };
  const folders = { same: projects.same.folder, unchecked: projects.unchecked.folder };
  try {
    const tokens = await measure('ERC-20 transfers', 20, rounds, folders);
    const loop = await measure('compute loop', 12, rounds, folders);
    const transfers = await measure('native transfers', 8, rounds, folders);
    const recovery = await measureRecovery(RECOVERED_TRANSACTIONS, rounds);
    const workloads = [tokens, loop, transfers];
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ rounds, workloads, tokenBlock: { ms: tokens.ourBlockMs, goalMs: BLOCK_GOAL_MS }, recovery: { ...recovery, goal: RECOVERY_GOAL } })}\n`
        : text(workloads, tokens.ourBlockMs, recovery),
    );
  } finally {
    projects.same.remove();
    projects.unchecked.remove();
  }
}
