/** Hands jobs to a worker process, replaces it when it hangs or has run many. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, Verdict } from './worker.ts';

/** A changed constant can make a loop endless. */
const JOB_LIMIT_MS = 300_000;
/** Every job leaves its modules in the memory of the process. */
const JOBS_PER_PROCESS = 30;

export class MutationRunner {
  #process: ChildProcess | undefined;
  #jobs = 0;

  async run(job: Job): Promise<Verdict> {
    this.#jobs += 1;
    if (this.#jobs > JOBS_PER_PROCESS) this.close();
    const child = (this.#process ??= fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    }));
    return new Promise<Verdict>((resolve) => {
      const limit = setTimeout(() => {
        this.close();
        resolve({ killer: `the time limit of ${JOB_LIMIT_MS / 1000} s` });
      }, JOB_LIMIT_MS);
      const end = (verdict: Verdict): void => {
        clearTimeout(limit);
        child.removeAllListeners();
        resolve(verdict);
      };
      child.once('message', (verdict: Verdict) => end(verdict));
      child.once('exit', (exitCode) => {
        this.#process = undefined;
        end({ killer: `the end of the process (exit code ${exitCode})` });
      });
      child.send(job);
    });
  }

  close(): void {
    this.#process?.removeAllListeners();
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
    this.#jobs = 1;
  }
}
