/**
 * `npm run bench -- vm`: the machine against `@ethereumjs/vm` with a journaling state in maps, on blocks of which both give
 * the same receipts; against itself as a control and without what makes it resumable; and the recovery of senders against
 * the bare addon. Contestants take turns within each round; medians over the rounds. Machines are measured in processor time
 * of their one thread, recovery, which has two, in time of the clock.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type PatchedProject, patchedProject } from '../test/support/sourcePatch.ts';
import { WITHOUT_MISS_CHECKS } from './vm/missChecks.ts';
import { type BlockTime, type Contestant, ourMachine } from './vm/ours.ts';
import { theirMachine } from './vm/peer.ts';
import { type RecoveryResult, measureRecovery } from './vm/recovery.ts';
import { interleaved, median, medianRatio } from './vm/rounds.ts';
import { type Workload, computeLoop, nativeTransfers, tokenTransfers } from './vm/workloads.ts';

const USAGE = `usage: npm run bench -- vm [--rounds N] [--json]
  --rounds N   measured rounds, each contestant once in every one (default 15)
  --json       one line of JSON instead of the report
`;
const BLOCK_GOAL_MS = 25;
const RECOVERY_GOAL = 0.9;
const RESUMABLE_GOAL = 1.05;
const RECOVERED_TRANSACTIONS = 2_048;

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

type LoadedModule = { readonly ourMachine: typeof ourMachine };

async function machineOf(project: PatchedProject, workload: Workload): Promise<Contestant> {
  const url = pathToFileURL(join(project.folder, 'bench/vm/ours.ts')).href;
  const loaded = (await import(url)) as LoadedModule; // a copy of a file of this folder
  return loaded.ourMachine(workload);
}

async function measure(
  workload: Workload,
  goal: number,
  rounds: number,
  projects: { readonly same: PatchedProject; readonly unchecked: PatchedProject },
): Promise<WorkloadResult> {
  const ours = await ourMachine(workload);
  const control = await machineOf(projects.same, workload);
  const unchecked = await machineOf(projects.unchecked, workload);
  const theirs = await theirMachine(workload);
  const expected = await theirs.receipts();
  for (const machine of [ours, control, unchecked]) assert.deepEqual(await machine.receipts(), expected);
  const times = await interleaved(
    {
      ours: () => ours.run(),
      theirs: () => theirs.run(),
      control: () => control.run(),
      unchecked: () => unchecked.run(),
    },
    rounds,
  );
  const executed = (results: readonly BlockTime[]): number[] => results.map(({ executeMs }) => executeMs);
  const whole = (results: readonly BlockTime[]): number[] => results.map(({ blockMs }) => blockMs);
  return {
    name: workload.name,
    transactions: workload.transactions.length,
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
  try {
    const tokens = await measure(tokenTransfers(1_000), 20, rounds, projects);
    const loop = await measure(computeLoop(10, 5_000), 12, rounds, projects);
    const transfers = await measure(nativeTransfers(1_000), 8, rounds, projects);
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
