/** Those who wait for a height, each with a timeout. */
import type { Clock } from '../common/clock.ts';
import { ProjectionError } from './errors.ts';

const WAITERS_MAX = 10_000;

interface Waiter {
  readonly height: number;
  settle(error?: Error): void;
}

export class HeightWaiters {
  readonly #projection: string;
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();

  constructor(projection: string, clock: Clock) {
    this.#projection = projection;
    this.#clock = clock;
  }

  /** `reached` tells where the projection is when the time is over. */
  wait(height: number, options: { readonly timeoutMs: number; readonly reached: () => number }): Promise<void> {
    const projection = this.#projection;
    if (this.#waiters.size >= WAITERS_MAX) {
      const message = `${WAITERS_MAX} requests wait for projection ${projection} already; try again`;
      return Promise.reject(new ProjectionError('retryable', message, { code: 'PROJECTION_OVERLOADED', projection }));
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        height,
        settle: (error) => {
          this.#waiters.delete(waiter);
          cancel();
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      const cancel = this.#clock.setTimer(options.timeoutMs, () => {
        const message = `projection ${projection} is at block ${options.reached()} and did not reach block ${height} within ${options.timeoutMs} ms; try again`;
        waiter.settle(
          new ProjectionError('retryable', message, {
            code: 'PROJECTION_NOT_SYNCED',
            projection,
            height,
            timeoutMs: options.timeoutMs,
          }),
        );
      });
      this.#waiters.add(waiter);
    });
  }

  reached(height: number): void {
    for (const waiter of this.#waiters) if (waiter.height <= height) waiter.settle();
  }

  fail(error: Error): void {
    for (const waiter of this.#waiters) waiter.settle(error);
  }
}
