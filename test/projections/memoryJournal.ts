/** A journal in memory that grows while runners follow it. */
import type { Bytes } from '../../src/common/bytes.ts';
import type { Journal, JournalEntry } from '../../src/projections/projection.ts';

export class MemoryJournal implements Journal {
  readonly #entries: JournalEntry[];
  readonly #logId: Bytes;
  readonly #wake = new Set<() => void>();
  /** Reads so far. */
  reads = 0;

  constructor(entries: readonly JournalEntry[] = [], logId: Bytes = new Uint8Array(16).fill(7)) {
    this.#entries = [...entries];
    this.#logId = logId;
  }

  get end(): number {
    return this.#entries.length;
  }

  append(...entries: readonly JournalEntry[]): void {
    this.#entries.push(...entries);
    for (const wake of [...this.#wake]) wake();
  }

  async logId(signal: AbortSignal): Promise<Bytes> {
    await this.whenBeyond(0, signal);
    return this.#logId;
  }

  async read(fromIndex: number, limit: number): Promise<readonly JournalEntry[]> {
    this.reads += 1;
    return this.#entries.slice(fromIndex, fromIndex + limit);
  }

  async whenBeyond(index: number, signal: AbortSignal): Promise<void> {
    while (this.end <= index) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wake.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }
}
