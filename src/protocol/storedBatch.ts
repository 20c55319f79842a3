/** What L1 stores of a batch, and its hash (spec: batches 5, 7, 9). */
import { bigIntToBytes, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { keccak256, KECCAK_EMPTY } from '../common/hash.ts';
import { dataView, writeU256 } from './words.ts';

export interface StoredBatchInfo {
  readonly batchNumber: bigint;
  readonly stateCommitment: Bytes;
  /** Priority transactions; the upgrade transaction does not count. */
  readonly numberOfLayer1Txs: bigint;
  readonly priorityOperationsHash: Bytes;
  readonly dependencyRootsRollingHash: Bytes;
  readonly l2ToL1LogsRootHash: Bytes;
  readonly commitment: Bytes;
  /** Unix seconds; known to the node only, not hashed. */
  readonly lastBlockTimestamp: bigint;
}

/** The nine static ABI words; index of repeated storage changes and timestamp are zero (spec: batches 7). */
export function encodeStoredBatchInfo(batch: StoredBatchInfo): Bytes {
  const out = new Uint8Array(9 * 32);
  const view = dataView(out);
  writeU256(view, 0, batch.batchNumber);
  out.set(batch.stateCommitment, 32);
  writeU256(view, 3 * 32, batch.numberOfLayer1Txs);
  out.set(batch.priorityOperationsHash, 4 * 32);
  out.set(batch.dependencyRootsRollingHash, 5 * 32);
  out.set(batch.l2ToL1LogsRootHash, 6 * 32);
  out.set(batch.commitment, 8 * 32);
  return out;
}

/** What `storedBatchHash(n)` on L1 returns (spec: batches 7). */
export function storedBatchHash(batch: StoredBatchInfo): Bytes {
  return keccak256(encodeStoredBatchInfo(batch));
}

/** Batch 0, of block 0 only (spec: batches 9, genesis 4). */
export function genesisStoredBatch(stateCommitment: Bytes): StoredBatchInfo {
  return {
    batchNumber: 0n,
    stateCommitment,
    numberOfLayer1Txs: 0n,
    priorityOperationsHash: KECCAK_EMPTY,
    dependencyRootsRollingHash: ZERO_32,
    l2ToL1LogsRootHash: ZERO_32,
    commitment: bigIntToBytes(1n, 32),
    lastBlockTimestamp: 0n,
  };
}
