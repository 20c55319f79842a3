/** The one retry: bounded, with growing pauses, and stopped by a signal. */
import { randomFraction, systemClock, systemRandom } from './clock.ts';
import type { Clock, RandomSource } from './clock.ts';
import { NodeError } from './errors.ts';

export interface RetryOptions {
  /** Calls in all, the first included. */
  readonly attemptsMax: number;
  /** Pause before the second call; doubles from then on. */
  readonly firstPauseMs: number;
  readonly pauseMaxMs: number;
  readonly signal: AbortSignal;
  /** By default: a NodeError that says so. */
  readonly isRetryable?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number, pauseMs: number) => void;
  readonly clock?: Clock;
  readonly random?: RandomSource;
}

export function isRetryableError(error: unknown): boolean {
  return error instanceof NodeError && error.kind === 'retryable';
}

/** Between half of the full pause and all of it, so that many callers do not come back at once. */
export function pauseMs(attempt: number, { firstPauseMs, pauseMaxMs }: RetryOptions, fraction: number): number {
  const full = Math.min(pauseMaxMs, firstPauseMs * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + 0.5 * fraction));
}

/** Resolves after `ms`; rejects with the reason of the signal as soon as it is aborted. */
export async function sleep(ms: number, signal: AbortSignal, clock: Clock = systemClock): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = clock.setTimer(ms, resolve);
  const onAbort = (): void => {
    cancel();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What `call` answers; the last error when it kept failing, an error that is not retryable at once, or the abort reason. */
export async function retry<T>(call: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock = systemClock, random = systemRandom, isRetryable = isRetryableError, signal } = options;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await call(attempt);
    } catch (error) {
      if (attempt >= options.attemptsMax || !isRetryable(error)) throw error;
      const pause = pauseMs(attempt, options, randomFraction(random));
      options.onRetry?.(error, attempt, pause);
      await sleep(pause, signal, clock);
    }
  }
}
