/**
 * A log in memory, for simulation and tests. Without options it is well-behaved; with `fate` it does all that a real log
 * may do to an append (log-protocol 1): lose it, write it twice, late or out of order, acknowledge falsely, hide the
 * acknowledgement, lag its readers. Deterministic: time is the clock's.
 */
import { type Clock, systemClock } from '../common/clock.ts';
import { NodeError, assert } from '../common/errors.ts';
import type { EncodedEntry } from './entryCodec.ts';
import {
  type CaughtUp,
  type EventLog,
  KeptProducer,
  type LogEntry,
  type Producer,
  Wakeup,
  checkEntrySize,
} from './eventLog.ts';

export interface AppendFate {
  /** When each copy is written, ms from now; `held`: when `release` says so. Empty: lost. */
  readonly copies: readonly (number | 'held')[];
  /** When the sender hears of it, ms from now; `never`: not before its producer is closed. */
  readonly ack: number | 'never';
  readonly ackError?: string;
}

export const DELIVERED: AppendFate = { copies: [0], ack: 0 };

export interface MemoryLogOptions {
  readonly clock?: Clock;
  /** Of each send, asked in order. */
  readonly fate?: (entries: readonly EncodedEntry[]) => AppendFate;
  /** How long an entry stays invisible to readers after it was written, ms. */
  readonly readLagMs?: (position: number) => number;
}

export interface HeldEntry {
  readonly entry: EncodedEntry;
  release(): void;
}

export class MemoryEventLog implements EventLog {
  readonly #clock: Clock;
  readonly #fate: (entries: readonly EncodedEntry[]) => AppendFate;
  readonly #readLagMs: (position: number) => number;
  readonly #entries: LogEntry[] = [];
  #held: HeldEntry[] = [];
  /** Readers see positions below. */
  #visibleEnd = 0;
  #areReadersPaused = false;
  readonly #timers = new Set<() => void>();
  readonly #wakeup = new Wakeup();
  readonly #closed = new AbortController();
  readonly #kept = new KeptProducer(() => this.openProducer());

  constructor(options: MemoryLogOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#fate = options.fate ?? (() => DELIVERED);
    this.#readLagMs = options.readLagMs ?? (() => 0);
  }

  /** Appends whose fate was `held`, in the order they were sent; released in any order. */
  get held(): readonly HeldEntry[] {
    return this.#held;
  }

  /** What readers may see now. */
  visible(from: number): readonly LogEntry[] {
    return this.#entries.slice(from, this.#visibleEnd);
  }

  /** Written now, past any fate. */
  write(entry: EncodedEntry): void {
    const position = this.#entries.length;
    this.#entries.push({ position, schema: entry.schema, key: entry.key, bytes: new Uint8Array(entry.bytes) });
    const lagMs = this.#readLagMs(position);
    if (lagMs > 0) this.#after(lagMs, () => this.#show(position + 1));
    else this.#show(position + 1);
  }

  pauseReaders(): void {
    this.#areReadersPaused = true;
  }

  resumeReaders(): void {
    this.#areReadersPaused = false;
    this.#show(this.#entries.length);
  }

  append(entries: readonly EncodedEntry[]): Promise<void> {
    return this.#kept.send(entries);
  }

  openProducer(): Producer {
    let isSending = false;
    let isDead = false;
    let giveUp: ((error: unknown) => void) | undefined;
    return {
      send: async (entries) => {
        assert(!isDead, 'a producer is used after its error or close (A7)');
        assert(!isSending, 'two sends at a time on one producer (A8)');
        if (this.#closed.signal.aborted) throw closedError();
        for (const entry of entries) checkEntrySize(entry);
        isSending = true;
        try {
          await new Promise<void>((resolve, reject) => {
            giveUp = reject;
            this.#send(entries, resolve, reject);
          });
        } catch (error) {
          isDead = true;
          throw error;
        } finally {
          isSending = false;
        }
      },
      close: async () => {
        isDead = true;
        giveUp?.(
          new NodeError('retryable', 'the producer was closed before the log answered', { code: 'APPEND_UNKNOWN' }),
        );
      },
    };
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry | CaughtUp> {
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    let next = from;
    let isCaughtUpAt: number | undefined;
    while (!stop.aborted) {
      const entry = next < this.#visibleEnd ? this.#entries[next] : undefined;
      if (entry !== undefined) {
        next += 1;
        yield entry;
      } else if (isCaughtUpAt !== next) {
        isCaughtUpAt = next;
        yield { caughtUp: true, end: next };
      } else {
        await this.#wakeup.wait(stop);
      }
    }
  }

  async end(): Promise<number> {
    return this.#visibleEnd;
  }

  async start(): Promise<number> {
    return 0;
  }

  async entryAt(position: number): Promise<LogEntry | undefined> {
    return position < this.#visibleEnd ? this.#entries[position] : undefined;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    await this.#kept.close();
  }

  #send(entries: readonly EncodedEntry[], resolve: () => void, reject: (error: unknown) => void): void {
    const fate = this.#fate(entries);
    for (const copy of fate.copies) {
      for (const entry of entries) {
        if (copy === 'held') this.#hold(entry);
        else if (copy > 0) this.#after(copy, () => this.write(entry));
        else this.write(entry);
      }
    }
    if (fate.ack === 'never') return;
    const { ackError } = fate;
    const answer = (): void => {
      if (ackError === undefined) resolve();
      else reject(new NodeError('retryable', ackError, { code: 'APPEND_UNKNOWN' }));
    };
    if (fate.ack > 0) this.#after(fate.ack, answer);
    else answer();
  }

  #hold(entry: EncodedEntry): void {
    const held: HeldEntry = {
      entry,
      release: () => {
        assert(this.#held.includes(held), `held entry ${entry.key} is released twice`);
        this.#held = this.#held.filter((other) => other !== held);
        this.write(entry);
      },
    };
    this.#held.push(held);
  }

  #show(end: number): void {
    if (this.#areReadersPaused || end <= this.#visibleEnd) return;
    this.#visibleEnd = end;
    this.#wakeup.wake();
  }

  #after(ms: number, fn: () => void): void {
    const cancel = this.#clock.setTimer(ms, () => {
      this.#timers.delete(cancel);
      fn();
    });
    this.#timers.add(cancel);
  }
}

function closedError(): NodeError {
  return new NodeError('retryable', 'the log is closed', { code: 'LOG_CLOSED' });
}
