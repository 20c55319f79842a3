/** A log that is read late, to try out what a slow one does (`event_log_read_delay`, development only). */
import { BoundedQueue } from '../common/boundedQueue.ts';
import { type Clock, systemClock } from '../common/clock.ts';
import { readAhead } from '../common/readAhead.ts';
import type { CaughtUp, EventLog, LogEntry } from './eventLog.ts';

/** Read and not yet due: what a slow log holds back. */
const HELD_BACK_ENTRIES = 256;

interface Held {
  readonly item: LogEntry | CaughtUp;
  readonly dueAtMs: number;
}

/** Every entry is delivered `delayMs` after it was there to be read; nothing else changes. */
export function delayReads(log: EventLog, delayMs: number, clock = systemClock): EventLog {
  return {
    append: (entries) => log.append(entries),
    openProducer: () => log.openProducer(),
    end: () => log.end(),
    start: () => log.start(),
    entryAt: (position) => log.entryAt(position),
    close: () => log.close(),
    follow: (from, signal) => late(log, from, { delayMs, clock, signal }),
    handleStrayError: (error) => log.handleStrayError?.(error) ?? false,
  };
}

async function* late(
  log: EventLog,
  from: number,
  { delayMs, clock, signal }: { delayMs: number; clock: Clock; signal: AbortSignal },
): AsyncGenerator<LogEntry | CaughtUp> {
  const held = readAhead((stop) => log.follow(from, stop), {
    prepare: (item): Held => ({ item, dueAtMs: clock.elapsedMs() + delayMs }),
    queue: new BoundedQueue<Held>(HELD_BACK_ENTRIES),
    signal,
  });
  for await (const { item, dueAtMs } of held) {
    await pause(dueAtMs - clock.elapsedMs(), clock, signal);
    if (signal.aborted) return;
    yield item;
  }
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
