/** A log that is read late, to try out what a slow one does (`event_log_read_delay`, development only). */
import { BoundedQueue } from '../common/boundedQueue.ts';
import { readAhead } from '../common/readAhead.ts';
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
  const held = readAhead((stop) => log.follow(from, stop), {
    prepare: (item): Held => ({ item, dueAtMs: performance.now() + delayMs }),
    queue: new BoundedQueue<Held>(HELD_BACK_ENTRIES),
    signal,
  });
  for await (const { item, dueAtMs } of held) {
    await pause(dueAtMs - performance.now(), signal);
    if (signal.aborted) return;
    yield item;
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
