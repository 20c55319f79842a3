/** Many runs in several threads: each run is played twice, and both times must give the same audit hash. */
import { Worker } from 'node:worker_threads';
import type { RunFacts, RunOptions } from './simulate.ts';

/** One run, or one crash point of one. */
export type Task = Pick<RunOptions, 'seed' | 'crashAt' | 'isQuiet'> & {
  /** Played twice and compared. */
  readonly isRepeated: boolean;
};

export interface TaskReport {
  readonly task: Task;
  /** The broken invariant, and how; undefined: the run is right. */
  readonly invariant: string | undefined;
  readonly detail: string;
  readonly auditHash: string;
  readonly last: readonly string[];
  readonly facts: RunFacts;
}

export interface JobOptions {
  readonly tasks: readonly Task[];
  readonly threads: number;
  /** In the order in which they end. False: the rest is not wanted any more. */
  readonly onReport: (report: TaskReport) => boolean;
}

const YOUNG_GENERATION_MB = 64;

/** Resolves when every task is done or no more are wanted. Rejects when a thread fails, which no broken invariant makes it do. */
export async function runTasks({ tasks, threads, onReport }: JobOptions): Promise<void> {
  const waiting = [...tasks];
  let isWanted = true;
  const work = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const worker = new Worker(new URL('./seedWorker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    try {
      for (let task = waiting.shift(); task !== undefined && isWanted; task = waiting.shift()) {
        const report = await answerOf(worker, task);
        isWanted = onReport(report) && isWanted;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, () => work()));
}

function answerOf(worker: Worker, task: Task): Promise<TaskReport> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      end();
    };
    const onMessage = (report: TaskReport): void => settle(() => resolve(report));
    const onError = (error: unknown): void =>
      settle(() => reject(new Error(`seed ${task.seed} could not be played`, { cause: error })));
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.postMessage(task);
  });
}
