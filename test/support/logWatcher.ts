/** Follows a log beside the nodes that use it, and folds it on its own. */
import { type Bytes, toHex } from '../../src/common/bytes.ts';
import { type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import type { BlockEntry, Entry } from '../../src/log/entry.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import { type EventLog, type LogEntry, isCaughtUp } from '../../src/log/eventLog.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';

export interface WatchedEntry {
  readonly logEntry: LogEntry;
  readonly entry: Entry | undefined;
  readonly result: FoldResult;
}

export class LogWatcher {
  readonly entries: WatchedEntry[] = [];
  /** Accepted, in the log's order. */
  readonly blocks: BlockEntry[] = [];
  readonly #log: EventLog;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #fold: ChainFold = EMPTY_FOLD;
  #failure: Error | undefined;

  constructor(log: EventLog) {
    this.#log = log;
    this.#running = this.#follow().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#wake();
    });
  }

  get fold(): ChainFold {
    return this.#fold;
  }

  /** Of the newest accepted block. */
  get height(): number {
    return this.#fold.height;
  }

  /** The accepted claim, in hex. */
  get claim(): string | undefined {
    return this.#fold.claim === undefined ? undefined : toHex(this.#fold.claim);
  }

  /** Waits until `check` gives something, asked again with every entry. */
  async when<T>(what: string, check: () => T | undefined, timeoutMs = 30_000): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const value = check();
      if (value !== undefined) return value;
      const leftMs = deadline - Date.now();
      if (leftMs <= 0)
        throw new Error(
          `not within ${timeoutMs} ms: ${what}; ${this.entries.length} entries read, height ${this.height}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  whenHeight(height: number, timeoutMs?: number): Promise<number> {
    return this.when(`block ${height} in the log`, () => (this.height >= height ? this.height : undefined), timeoutMs);
  }

  /** Raw transactions of all accepted blocks. */
  get transactions(): Bytes[] {
    return this.blocks.flatMap(({ record }) => record.transactions);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#log.close();
    await this.#running;
  }

  async #follow(): Promise<void> {
    for await (const item of this.#log.follow(0, this.#stop.signal)) {
      if (!isCaughtUp(item)) {
        const entry = decodeEntry(item.schema, item.bytes);
        const result = foldChain(this.#fold, entry, SOFTWARE);
        this.entries.push({ logEntry: item, entry, result });
        this.#fold = result.state;
        if (result.verdict === 'accepted' && entry?.kind === 'Block') this.blocks.push(entry);
      }
      this.#wake();
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
