/** The event the sequencer appends per block (spec: replay-record 1 and 2). Exact wire forms: replayWireFormat.ts and the log's Avro. */
import type { Bytes } from '../common/bytes.ts';

/** Those that this software executes; all of them in the same way (spec: replay-record 2). */
export const EXECUTION_VERSIONS: readonly number[] = [1, 2, 3];

export interface BlockContext {
  readonly chainId: bigint;
  readonly blockNumber: bigint;
  /** 256 hashes of 32 bytes, oldest first: entry 255 is the hash of the parent block (spec: replay-record 4). */
  readonly blockHashes: readonly Bytes[];
  /** Unix seconds. */
  readonly timestamp: bigint;
  /** wei */
  readonly eip1559BaseFee: bigint;
  /** wei per byte */
  readonly pubdataPrice: bigint;
  /** wei per native unit */
  readonly nativePrice: bigint;
  readonly coinbase: Bytes;
  readonly gasLimit: bigint;
  /** bytes */
  readonly pubdataLimit: bigint;
  readonly mixHash: bigint;
  readonly executionVersion: number;
}

export interface ReplayRecord {
  readonly context: BlockContext;
  /** Priority id that the next L1 transaction must have when the block starts. */
  readonly startingL1PriorityId: bigint;
  /** EIP-2718 envelopes in execution order; only what was included. */
  readonly transactions: readonly Bytes[];
  /** Unix seconds; 0 for block 1. */
  readonly previousBlockTimestamp: bigint;
  /** Version of the node that produced the block. */
  readonly nodeVersion: string;
  readonly blockOutputHash: Bytes;
}

/** The record as it lies in the log and the journal: without the ring of 256 hashes, which every reader rebuilds. */
export type BlockRecord = Omit<ReplayRecord, 'context'> & { readonly context: Omit<BlockContext, 'blockHashes'> };
