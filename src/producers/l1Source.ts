/** Where the sequencer takes L1 priority transactions from (spec: genesis 8, replay-record 5). */
import type { L1Transaction, SenderedTransaction } from '../protocol/transaction.ts';

/**
 * Priority requests by id, from 0, without gap. Reads are by id and change nothing: the sequencer keeps its own cursor
 * and goes back when blocks are given up. A request that was served once stays the same, unless L1 reorganises below the
 * confirmation depth.
 */
export interface L1Source {
  /** Called when a request has arrived. */
  onArrival: (() => void) | undefined;
  /** The id that the next request will get: every lower one is here. */
  readonly nextId: bigint;
  has(id: bigint): boolean;
  get(id: bigint): L1Transaction | undefined;
  /** Resolves when the request is here. Rejects with the signal's reason when that is aborted first. */
  whenAvailable(id: bigint, signal: AbortSignal): Promise<void>;
  /** A block with these transactions was accepted. */
  included?(transactions: readonly SenderedTransaction[]): void;
}

/** For nodes that never include priority transactions of their own accord. */
export const NO_L1_SOURCE: L1Source = {
  onArrival: undefined,
  nextId: 0n,
  has: () => false,
  get: () => undefined,
  whenAvailable: (_id, signal) =>
    new Promise((_resolve, reject) => {
      const end = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    }),
};
