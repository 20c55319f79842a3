/**
 * The log of a simulated world (log-protocol 1): one total order that never changes, and between it and its users all that
 * may happen. What is sent may be lost, written twice, written minutes later or in another order; an acknowledgement may
 * be false, hidden, or an error; every process reads as late as its network makes it.
 */
import { NodeError } from '../../src/common/errors.ts';
import type { EncodedEntry } from '../../src/log/entryCodec.ts';
import type { AppendFate } from '../../src/log/eventLog.memory.ts';
import {
  type CaughtUp,
  type EventLog,
  KeptProducer,
  type LogEntry,
  type Producer,
  checkEntrySize,
} from '../../src/log/eventLog.ts';
import type { DurableStep } from './simulatedDisk.ts';
import type { Life, VirtualTime } from './virtualTime.ts';

/** On its way into the log. */
export interface InFlight {
  readonly entry: EncodedEntry;
  readonly sender: string;
  /** Into the log now. */
  land(): void;
  /** Never. */
  lose(): void;
}

export interface LogListener {
  written(entry: LogEntry, sender: string): void;
  sent(sender: string, entries: readonly EncodedEntry[], fate: AppendFate): void;
  /** A rule of the producer's use was broken. */
  misused(sender: string, what: string): void;
}

export class SimulatedLog {
  readonly #time: VirtualTime;
  readonly #listener: LogListener;
  readonly #fateOf: (sender: string, entries: readonly EncodedEntry[]) => AppendFate;
  #entries: LogEntry[] = [];
  readonly #inFlight = new Set<InFlight>();
  readonly #views = new Set<LogView>();

  constructor(
    time: VirtualTime,
    listener: LogListener,
    fateOf: (sender: string, entries: readonly EncodedEntry[]) => AppendFate,
  ) {
    this.#time = time;
    this.#listener = listener;
    this.#fateOf = fateOf;
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  get inFlight(): readonly InFlight[] {
    return [...this.#inFlight];
  }

  /** Written now, past any fate. */
  write(entry: EncodedEntry, sender = 'nobody'): LogEntry {
    const position = this.#entries.length;
    const written = { position, schema: entry.schema, key: entry.key, bytes: new Uint8Array(entry.bytes) };
    this.#entries.push(written);
    this.#listener.written(written, sender);
    for (const view of this.#views) view.written(position);
    return written;
  }

  /** Somebody tampers with the log behind its users' backs. */
  replace(entries: readonly EncodedEntry[]): void {
    this.#entries = [];
    for (const entry of entries) this.write(entry);
  }

  view(name: string, life: Life, step: DurableStep): LogView {
    const view = new LogView(this, name, { life, step, time: this.#time, listener: this.#listener });
    this.#views.add(view);
    return view;
  }

  forget(view: LogView): void {
    this.#views.delete(view);
  }

  /** Of a view: does what fate says, and answers through `answer` unless never. */
  send(sender: string, entries: readonly EncodedEntry[], answer: (error: NodeError | undefined) => void): void {
    const fate = this.#fateOf(sender, entries);
    this.#listener.sent(sender, entries, fate);
    for (const copy of fate.copies) for (const entry of entries) this.#launch(entry, sender, copy);
    if (fate.ack === 'never') return;
    const error =
      fate.ackError === undefined ? undefined : new NodeError('retryable', fate.ackError, { code: 'APPEND_UNKNOWN' });
    this.#time.after(fate.ack, () => answer(error));
  }

  #launch(entry: EncodedEntry, sender: string, copy: number | 'held'): void {
    let cancel: (() => void) | undefined;
    const flight: InFlight = {
      entry,
      sender,
      land: () => {
        if (!this.#inFlight.delete(flight)) return;
        cancel?.();
        this.write(entry, sender);
      },
      lose: () => {
        this.#inFlight.delete(flight);
        cancel?.();
      },
    };
    this.#inFlight.add(flight);
    if (copy === 0) flight.land();
    else if (copy !== 'held') cancel = this.#time.after(copy, () => flight.land());
  }
}

interface ViewContext {
  readonly life: Life;
  readonly step: DurableStep;
  readonly time: VirtualTime;
  readonly listener: LogListener;
}

/** The log as one process sees it through its network. */
export class LogView implements EventLog {
  /** From written to readable here, ms. */
  readLagMs = 0;
  readonly #log: SimulatedLog;
  readonly #name: string;
  readonly #context: ViewContext;
  readonly #kept = new KeptProducer(() => this.openProducer());
  readonly #closed = new AbortController();
  #readableEnd: number;
  #isReadCut = false;
  /** What is sent never arrives, and fails. */
  isWriteCut = false;
  #waiting = new Set<() => void>();

  constructor(log: SimulatedLog, name: string, context: ViewContext) {
    this.#log = log;
    this.#name = name;
    this.#context = context;
    this.#readableEnd = log.entries.length;
  }

  get readableEnd(): number {
    return this.#readableEnd;
  }

  get isReadCut(): boolean {
    return this.#isReadCut;
  }

  cutReads(): void {
    this.#isReadCut = true;
  }

  healReads(): void {
    this.#isReadCut = false;
    this.#context.life.run(() => this.#show(this.#log.entries.length));
  }

  /** For the log: an entry is there. */
  written(position: number): void {
    const { time, life } = this.#context;
    if (this.readLagMs === 0) life.run(() => this.#show(position + 1));
    else time.after(this.readLagMs, () => life.run(() => this.#show(position + 1)));
  }

  append(entries: readonly EncodedEntry[]): Promise<void> {
    return this.#kept.send(entries);
  }

  openProducer(): Producer {
    const { life, step, listener } = this.#context;
    let isSending = false;
    let isDead = false;
    let giveUp: ((error: NodeError) => void) | undefined;
    return {
      send: async (entries) => {
        if (isDead) listener.misused(this.#name, 'a producer is used after its error or close (A7)');
        if (isSending) listener.misused(this.#name, 'two sends at a time on one producer (A8)');
        for (const entry of entries) checkEntrySize(entry);
        isSending = true;
        try {
          step('before send');
          await life.survives(undefined);
          await new Promise<void>((resolve, reject) => {
            giveUp = reject;
            this.#send(entries, (error) => life.run(() => (error === undefined ? resolve() : reject(error))));
            step('after send');
          });
          step('after acknowledgement');
          await life.survives(undefined);
        } catch (error) {
          isDead = true;
          throw error;
        } finally {
          isSending = false;
        }
      },
      close: async () => {
        isDead = true;
        giveUp?.(closedBeforeAnswer());
      },
    };
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry | CaughtUp> {
    const { life } = this.#context;
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    let next = from;
    let isCaughtUpAt: number | undefined;
    while (!stop.aborted) {
      const entry = next < this.#readableEnd ? this.#log.entries[next] : undefined;
      if (entry !== undefined) {
        next += 1;
        yield await life.survives(entry);
      } else if (isCaughtUpAt !== next) {
        isCaughtUpAt = next;
        yield await life.survives({ caughtUp: true, end: next } as const);
      } else {
        await this.#news(stop);
      }
    }
  }

  async end(): Promise<number> {
    await this.#reachable();
    return this.#log.entries.length;
  }

  async start(): Promise<number> {
    await this.#reachable();
    return 0;
  }

  async entryAt(position: number): Promise<LogEntry | undefined> {
    await this.#reachable();
    return this.#log.entries[position];
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#log.forget(this);
    await this.#kept.close();
  }

  /** Lets go of a reader whose process is dead; without it the runtime keeps its signals, and all they hold, for ever. */
  dispose(): void {
    this.#closed.abort();
    this.#log.forget(this);
  }

  async #reachable(): Promise<void> {
    await this.#context.life.survives(undefined);
    if (this.#isReadCut) throw new NodeError('retryable', 'the log cannot be reached', { code: 'LOG_UNAVAILABLE' });
  }

  #send(entries: readonly EncodedEntry[], answer: (error: NodeError | undefined) => void): void {
    const { life, time } = this.#context;
    if (life.isDead) return;
    if (this.isWriteCut) time.after(1_000, () => answer(closedBeforeAnswer()));
    else this.#log.send(this.#name, entries, answer);
  }

  #show(end: number): void {
    if (this.#isReadCut || end <= this.#readableEnd) return;
    this.#readableEnd = end;
    for (const wake of [...this.#waiting]) wake();
  }

  #news(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

function closedBeforeAnswer(): NodeError {
  return new NodeError('retryable', 'the log did not answer', { code: 'APPEND_UNKNOWN' });
}
