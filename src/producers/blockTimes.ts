/** How long a block that this process built took, for metrics. */
import type { BuiltBlock } from './sequencer.ts';

/** Seconds. */
export interface BlockTimes {
  readonly sealedToAccepted: number;
  /** Of some transactions of the pool, from the pool taking them in. */
  readonly submittedToSealed: readonly number[];
  /** Of some transactions; the part that waits for the store, too. */
  readonly execution: readonly { readonly total: number; readonly waiting: number }[];
}

/** Transactions of a block that are looked at. */
export const SAMPLED_TRANSACTIONS = 64;

/** @param nowMs of `performance`, as all times of a built block */
export function blockTimes(
  { sealedMs, transactions, executionTimes }: Pick<BuiltBlock, 'sealedMs' | 'transactions' | 'executionTimes'>,
  nowMs: number,
): BlockTimes {
  return {
    sealedToAccepted: seconds(nowMs - sealedMs),
    submittedToSealed: sampled(transactions).flatMap(({ arrivedMs }) =>
      arrivedMs === undefined ? [] : [seconds(sealedMs - arrivedMs)],
    ),
    execution: sampled(executionTimes).map(({ totalMs, waitingMs }) => ({
      total: seconds(totalMs),
      waiting: seconds(waitingMs),
    })),
  };
}

/** Spread evenly. */
function sampled<T>(items: readonly T[]): readonly T[] {
  if (items.length <= SAMPLED_TRANSACTIONS) return items;
  const step = items.length / SAMPLED_TRANSACTIONS;
  return Array.from({ length: SAMPLED_TRANSACTIONS }, (_, i) => items[Math.floor(i * step)] as T); // below the length
}

function seconds(ms: number): number {
  return Math.max(0, ms) / 1000;
}
