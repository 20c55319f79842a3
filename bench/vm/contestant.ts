/**
 * One machine on one workload in a process of its own: what another one allocates or has compiled does not reach it. Runs
 * from a changed copy of the project as it does from this one.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BlockTime, type Contestant, ourMachine } from './ours.ts';
import { theirMachine } from './peer.ts';
import { type WorkloadName, workloadOf } from './workloads.ts';

export type MachineName = 'ours' | 'theirs';

type Request = 'run' | 'receipts';
type Answer = { readonly time: BlockTime } | { readonly receipts: readonly string[] } | { readonly failure: string };

export interface ContestantProcess extends Contestant {
  stop(): Promise<void>;
}

/** Blocks one after the other until the steps of the clock are small beside them; their average. */
const TURN_MS = 150;

async function averaged(machine: Contestant): Promise<BlockTime> {
  let executeMs = 0;
  let blockMs = 0;
  let blocks = 0;
  for (; blockMs < TURN_MS; blocks += 1) {
    const time = await machine.run();
    executeMs += time.executeMs;
    blockMs += time.blockMs;
  }
  return { executeMs: executeMs / blocks, blockMs: blockMs / blocks };
}

/** `folder`: the project, or a copy of it. */
export function startContestant(folder: string, machine: MachineName, workload: WorkloadName): ContestantProcess {
  const child = fork(join(folder, 'bench/vm/contestant.ts'), [machine, workload]);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ask = (request: Request): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`${machine} on ${workload} ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', (answer: Answer) => {
        child.off('exit', onExit);
        if ('failure' in answer) reject(new Error(`${machine} on ${workload}: ${answer.failure}`));
        else resolve(answer);
      });
      child.send(request);
    });
  return {
    async run() {
      const answer = await ask('run');
      if (!('time' in answer)) throw new Error('a contestant gave no time');
      return answer.time;
    },
    async receipts() {
      const answer = await ask('receipts');
      if (!('receipts' in answer)) throw new Error('a contestant gave no receipts');
      return answer.receipts;
    },
    async stop() {
      child.disconnect();
      await exited;
    },
  };
}

async function serve(machineName: MachineName, workloadName: WorkloadName): Promise<void> {
  const workload = workloadOf(workloadName);
  const machine = machineName === 'ours' ? ourMachine(workload) : theirMachine(workload);
  process.on('message', (request: Request) => {
    const answer = async (): Promise<Answer> =>
      request === 'run' ? { time: await averaged(await machine) } : { receipts: await (await machine).receipts() };
    answer()
      .catch((error: unknown) => ({ failure: String(error) }))
      .then((value) => process.send?.(value))
      .catch(() => process.exit(1));
  });
  await machine;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await serve(process.argv[2] as MachineName, process.argv[3] as WorkloadName); // as startContestant passes them
