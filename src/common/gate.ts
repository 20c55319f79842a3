/** Something that others wait for: a height that rises, or simply news. */

/** A number that only rises, and who waits for it. */
export class RisingGate {
  #value: number;
  readonly #waiting = new Set<() => void>();

  constructor(value = -1) {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  rise(value: number): void {
    if (value <= this.#value) return;
    this.#value = value;
    for (const check of [...this.#waiting]) check();
  }

  /** Resolves once the value is reached; rejects when the signal fires. */
  whenReached(value: number, signal: AbortSignal): Promise<void> {
    if (this.#value >= value) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (this.#value < value && !signal.aborted) return;
        this.#waiting.delete(check);
        signal.removeEventListener('abort', check);
        if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        else resolve();
      };
      this.#waiting.add(check);
      signal.addEventListener('abort', check);
      check();
    });
  }
}
