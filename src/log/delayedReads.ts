/** A log that is read late, to try out what a slow one does (`event_log_read_delay`, development only). */
import { BoundedQueue } from '../common/boundedQueue.ts';
import type { CaughtUp, EventLog, LogEntry } from './eventLog.ts';

/** Read and not yet due: what a slow log holds back. */
const HELD_BACK_ENTRIES = 256;

interface Held {
  readonly item: LogEntry | CaughtUp;
  readonly dueAtMs: number;
}

/** Every entry is delivered `delayMs` after it was there to be read; nothing else changes. */
export function delayReads(log: EventLog, delayMs: number): EventLog {
  return {
    append: (entries) => log.append(entries),
    openProducer: () => log.openProducer(),
    end: () => log.end(),
    start: () => log.start(),
    entryAt: (position) => log.entryAt(position),
    close: () => log.close(),
    follow: (from, signal) => late(log, from, delayMs, signal),
    handleStrayError: (error) => log.handleStrayError?.(error) ?? false,
  };
}

async function* late(
  log: EventLog,
  from: number,
  delayMs: number,
  signal: AbortSignal,
): AsyncGenerator<LogEntry | CaughtUp> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const held = new BoundedQueue<Held>(HELD_BACK_ENTRIES);
  const reading = holdBack(log.follow(from, stop), held, delayMs, stop);
  reading.catch(() => undefined); // awaited below, once everything read before the failure was delivered
  try {
    for (;;) {
      const next = await takeUnlessStopped(held, stop);
      if (next === undefined) break;
      await pause(next.dueAtMs - performance.now(), stop);
      if (stop.aborted) return;
      yield next.item;
    }
    if (!stop.aborted) await reading;
  } finally {
    left.abort();
  }
}

async function holdBack(
  items: AsyncIterable<LogEntry | CaughtUp>,
  held: BoundedQueue<Held>,
  delayMs: number,
  stop: AbortSignal,
): Promise<void> {
  try {
    for await (const item of items) await held.put({ item, dueAtMs: performance.now() + delayMs }, stop);
  } finally {
    held.close();
  }
}

async function takeUnlessStopped(held: BoundedQueue<Held>, stop: AbortSignal): Promise<Held | undefined> {
  try {
    return await held.take(stop);
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
