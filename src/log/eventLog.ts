/** The event log: one total order of entries. Implementations: Kafka, embedded, and memory for simulation and tests. */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import type { EncodedEntry } from './entryCodec.ts';

export interface LogEntry {
  /** Dense from the log's start; never a height. */
  readonly position: number;
  /** Version of the schema; 0 when the log does not name one. */
  readonly schema: number;
  /** For people. */
  readonly key: string;
  /** Confluent wire format. */
  readonly bytes: Bytes;
}

/** Everything up to `end` has been delivered, as far as the log knows now: a hint, not a proof. */
export interface CaughtUp {
  readonly caughtUp: true;
  /** Position of the entry that comes next. */
  readonly end: number;
}

export function isCaughtUp(item: LogEntry | CaughtUp): item is CaughtUp {
  return 'caughtUp' in item;
}

/** One way into the log. After an error of `send` it is of no more use: close it and open another. */
export interface Producer {
  /**
   * One call at a time. Its return proves nothing: only reading back does. Its error is ambiguous, the entries may be in
   * the log now, later or never, unless `isBeforeSend(error)`.
   */
  send(entries: readonly EncodedEntry[]): Promise<void>;
  /** Never rejects. What was sent may still be written. */
  close(): Promise<void>;
}

export interface EventLog {
  /** Through a producer that the log keeps and replaces after an error; calls are sent one after the other. See `Producer.send`. */
  append(entries: readonly EncodedEntry[]): Promise<void>;
  /** A fresh producer; connects with its first send. */
  openProducer(): Producer;
  /**
   * Entries from a position on, in order and without gap, then new ones as they come, with a `CaughtUp` whenever the end
   * is reached. Ends when the signal aborts or the log is closed; throws a NodeError when the log cannot be read on.
   */
  follow(from: number, signal: AbortSignal): AsyncIterable<LogEntry | CaughtUp>;
  /** Position after the last entry: a hint. */
  end(): Promise<number>;
  /** Position of the first entry; above 0 when history was deleted. */
  start(): Promise<number>;
  /** Undefined: beyond the end, or deleted. */
  entryAt(position: number): Promise<LogEntry | undefined>;
  close(): Promise<void>;
  /** For the thread's last resort: the uncaught error was this log's client's, and is dealt with. */
  handleStrayError?(error: unknown): boolean;
}

/** Limit of one entry through broker, topic, producer and consumer, framing included. */
export const ENTRY_SIZE_LIMIT_BYTES = 8 * 1024 * 1024;
/** Kafka's record and batch framing, key and header. */
const FRAMING_BYTES = 1024;

/** Throws ENTRY_TOO_LARGE, before a byte is sent. */
export function checkEntrySize(entry: EncodedEntry): void {
  const sizeBytes = entry.bytes.length + FRAMING_BYTES;
  if (sizeBytes <= ENTRY_SIZE_LIMIT_BYTES) return;
  throw new NodeError(
    'invariant',
    `entry ${entry.key} of ${entry.bytes.length} bytes is larger than the log takes (${ENTRY_SIZE_LIMIT_BYTES}): nothing was sent; seal smaller blocks (sequencer_block_size_limit)`,
    { code: 'ENTRY_TOO_LARGE', key: entry.key, sizeBytes },
  );
}

/** The error was raised before a byte was sent: the entries are certainly not in the log. */
export function isBeforeSend(error: unknown): boolean {
  return error instanceof NodeError && error.code === 'ENTRY_TOO_LARGE';
}

/** Producer behind `EventLog.append`: one send at a time, a fresh producer after any error that is not `isBeforeSend`. */
export class KeptProducer implements Producer {
  readonly #open: () => Producer;
  #producer: Producer | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(open: () => Producer) {
    this.#open = open;
  }

  send(entries: readonly EncodedEntry[]): Promise<void> {
    const sent = this.#last.then(() => this.#send(entries));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#producer?.close();
    this.#producer = undefined;
  }

  async #send(entries: readonly EncodedEntry[]): Promise<void> {
    const producer = (this.#producer ??= this.#open());
    try {
      await producer.send(entries);
    } catch (error) {
      if (!isBeforeSend(error)) {
        this.#producer = undefined;
        await producer.close();
      }
      throw error;
    }
  }
}

/** Wakes whoever waits for something that may have happened: an append, an abort, a close. */
export class Wakeup {
  #waiting = new Set<() => void>();

  /** Resolves at the next `wake`, at the abort, or after `pollMs`; checks nothing itself. */
  wait(signal: AbortSignal, pollMs?: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (pollMs !== undefined) timer = setTimeout(done, pollMs);
    });
  }

  wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
