/** A log that is read late, to try out what a slow one does (`event_log_read_delay`, development only). */
import type { CaughtUp, EventLog, LogEntry } from './eventLog.ts';

/** Every entry is delivered `delayMs` after it was there to be read; nothing else changes. */
export function delayReads(log: EventLog, delayMs: number): EventLog {
  return {
    append: (entries) => log.append(entries),
    openProducer: () => log.openProducer(),
    end: () => log.end(),
    start: () => log.start(),
    entryAt: (position) => log.entryAt(position),
    close: () => log.close(),
    follow: (from, signal) => late(log.follow(from, signal), delayMs, signal),
  };
}

async function* late(
  items: AsyncIterable<LogEntry | CaughtUp>,
  delayMs: number,
  signal: AbortSignal,
): AsyncIterable<LogEntry | CaughtUp> {
  for await (const item of items) {
    await pause(delayMs, signal);
    if (signal.aborted) return;
    yield item;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
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
