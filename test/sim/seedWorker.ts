/** Thread that plays runs, one after the other. */
import { parentPort } from 'node:worker_threads';
import type { Task, TaskReport } from './seedJobs.ts';
import { simulate } from './simulate.ts';

const port = parentPort;
if (port === null) throw new Error('seedWorker runs only as a worker thread');

async function play(task: Task): Promise<TaskReport> {
  const { isRepeated, ...options } = task;
  const first = await simulate(options);
  const { auditHash, last, facts, violation } = first;
  const second = isRepeated ? await simulate(options) : first;
  const isSame = second.auditHash === auditHash;
  const invariant = violation?.invariant ?? (isSame ? undefined : 'the same seed gives the same run');
  const detail = violation?.message ?? (isSame ? '' : `audit hashes ${auditHash} and ${second.auditHash}`);
  return { task, invariant, detail, auditHash, last, facts };
}

port.on('message', (task: Task) => {
  play(task).then(
    (report) => port.postMessage(report),
    (error: unknown) => {
      throw error;
    },
  );
});
