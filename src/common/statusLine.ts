/** One line every ten seconds: role, head, lag, speed and, while catching up, the time left. */
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import { durationText, rateText } from './progress.ts';

export interface StatusLineSample {
  readonly role: 'main' | 'external';
  /** Undefined: an external node. */
  readonly isLeading: boolean | undefined;
  /** Last accepted block of the log that this node knows of. */
  readonly logHead: number;
  /** What this node serves as `latest`. */
  readonly height: number;
  /** Transactions applied since the start of the process. */
  readonly transactions: number;
  readonly pendingTransactions: number;
  /** The newest accepted seal; 0: none. */
  readonly sealedBatch: number;
  readonly executedBatch: number;
  /** What needs a look, in words. */
  readonly alarms: readonly string[];
}

const EVERY_MS = 10_000;

/** `elapsedMs` lies between the two samples. */
export function statusLine(previous: StatusLineSample, current: StatusLineSample, elapsedMs: number): string {
  const { role, isLeading, logHead, height } = current;
  const perSecond = (difference: number): number => (elapsedMs > 0 ? Math.max(0, difference * 1_000) / elapsedMs : 0);
  const blocksPerSecond = perSecond(height - previous.height);
  const lag = Math.max(0, logHead - height);
  const who = role === 'main' ? (isLeading === true ? 'main, leading' : 'main, waiting') : 'external';
  const parts = [
    who,
    `block ${height}`,
    ...(lag > 0 ? [`${lag} behind`] : []),
    `${rateText(blocksPerSecond)} blocks/s`,
    `${rateText(perSecond(current.transactions - previous.transactions))} tx/s`,
    ...(current.pendingTransactions > 0 ? [`${current.pendingTransactions} tx pending`] : []),
    ...(current.sealedBatch > 0 ? [batchText(current)] : []),
  ];
  const gain = blocksPerSecond - perSecond(logHead - previous.logHead);
  if (lag > 0 && gain > 0) parts.push(`caught up in ${durationText(lag / gain)}`);
  parts.push(...current.alarms);
  return parts.join(' | ');
}

function batchText({ sealedBatch, executedBatch }: StatusLineSample): string {
  return executedBatch > 0 ? `batch ${sealedBatch} sealed, ${executedBatch} executed` : `batch ${sealedBatch} sealed`;
}

/** Logs the line until the signal is aborted. */
export function startStatusLine(options: {
  readonly sample: () => StatusLineSample;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly everyMs?: number;
}): void {
  const { sample, logger, signal, clock = systemClock, everyMs = EVERY_MS } = options;
  let previous = sample();
  let previousAt = clock.elapsedMs();
  let cancel: () => void = () => undefined;
  const schedule = (): void => {
    cancel = clock.setTimer(everyMs, () => {
      if (signal.aborted) return;
      const current = sample();
      const now = clock.elapsedMs();
      logger.info(statusLine(previous, current, now - previousAt));
      previous = current;
      previousAt = now;
      schedule();
    });
  };
  signal.addEventListener('abort', () => cancel(), { once: true });
  if (!signal.aborted) schedule();
}
