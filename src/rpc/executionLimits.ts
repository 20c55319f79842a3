/** Limits of what runs in the rpc worker: how many at once, how long, and how much of a turn of the event loop. */
import { setImmediate } from 'node:timers/promises';
import { NodeError } from '../common/errors.ts';

/** At most so many at once; the rest wait in order. */
export class ExecutionSlots {
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number, maxWaiting: number) {
    this.#free = count;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws NodeError CALL_QUEUE_FULL */
  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new NodeError('retryable', `${this.#maxWaiting} calls are waiting already: try again later`, {
        code: 'CALL_QUEUE_FULL',
      });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** One slice per turn of the event loop, however many calls run. */
export class SliceQueue {
  #tail: Promise<unknown> = Promise.resolve();

  next(): Promise<unknown> {
    this.#tail = this.#tail.then(() => setImmediate());
    return this.#tail;
  }
}

export class Deadline {
  readonly #what: string;
  readonly #now: () => number;
  readonly #end: number;
  readonly timeoutMs: number;

  /** `what` begins the message; `now`: milliseconds of a clock that never goes back. */
  constructor(options: { readonly what: string; readonly timeoutMs: number; readonly now: () => number }) {
    this.#what = options.what;
    this.#now = options.now;
    this.timeoutMs = options.timeoutMs;
    this.#end = options.now() + options.timeoutMs;
  }

  /** @throws NodeError CALL_TIMEOUT */
  check(): void {
    if (this.#now() <= this.#end) return;
    const { timeoutMs } = this;
    throw new NodeError(
      'retryable',
      `${this.#what} did not end within ${timeoutMs} ms: lower its gas or raise rpc_call_timeout`,
      { code: 'CALL_TIMEOUT', timeoutMs },
    );
  }
}
