/** Gives the event loop its turn at least every few milliseconds in long loops (design.md 4). */
import { setImmediate } from 'node:timers/promises';
import type { Steps } from './steps.ts';

export class Turns {
  readonly #everyMs: number;
  #since: number;

  constructor(everyMs = 4) {
    this.#everyMs = everyMs;
    this.#since = performance.now();
  }

  /** Undefined when no turn is due, so that a hot loop awaits nothing. */
  due(): Promise<void> | undefined {
    return performance.now() - this.#since < this.#everyMs ? undefined : this.take();
  }

  async take(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}

/** Runs a long computation to its end, the event loop taking its turns. Rejects when the signal fires. */
export async function inTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  const turns = new Turns();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const wait = turns.due();
    if (wait === undefined) continue;
    await wait;
    signal?.throwIfAborted();
  }
}
