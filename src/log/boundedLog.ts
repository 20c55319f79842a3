/** A log as it was when it ended at a position: for folding a prefix again. */
import { NodeError } from '../common/errors.ts';
import { type CaughtUp, type EventLog, type LogEntry, isCaughtUp } from './eventLog.ts';

/** Entries below `end` must be there. Nothing is appended through it; closing it closes the log behind. */
export function endLogAt(log: EventLog, end: number): EventLog {
  return {
    append: () => Promise.reject(readOnly()),
    openProducer: () => ({ send: () => Promise.reject(readOnly()), close: () => Promise.resolve() }),
    end: async () => Math.min(end, await log.end()),
    start: () => log.start(),
    entryAt: (position) => (position < end ? log.entryAt(position) : Promise.resolve(undefined)),
    close: () => log.close(),
    follow: (from, signal) => followUntil(log, from, { end, signal }),
    handleStrayError: (error) => log.handleStrayError?.(error) ?? false,
  };
}

async function* followUntil(
  log: EventLog,
  from: number,
  { end, signal }: { readonly end: number; readonly signal: AbortSignal },
): AsyncGenerator<LogEntry | CaughtUp> {
  let next = from;
  if (next < end) {
    for await (const item of log.follow(from, signal)) {
      if (isCaughtUp(item)) continue;
      next = item.position + 1;
      yield item;
      if (next >= end) break;
    }
  }
  if (signal.aborted) return;
  yield { caughtUp: true, end: next };
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function readOnly(): NodeError {
  return new NodeError('fatal', 'a part of the log that is being read again takes no entries', {
    code: 'LOG_READ_ONLY',
  });
}
