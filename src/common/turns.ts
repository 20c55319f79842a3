/** Gives the event loop its turn at least every few milliseconds in long loops (design.md 4). */
import { setImmediate } from 'node:timers/promises';

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
