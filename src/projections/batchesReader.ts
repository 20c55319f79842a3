/** What others ask of the batches; answers are about accepted seals and do not change. */
import type { Bytes } from '../common/bytes.ts';
import type { CommitInfo, ProofKind, ProofReference } from '../protocol/batch.ts';

/** An accepted seal. */
export interface SealedBatchDetails {
  readonly batch: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly storedBatchHash: Bytes;
  readonly reason: string;
  readonly commitInfo: CommitInfo;
  readonly transactions: number;
  readonly friProof: AcceptedProof | undefined;
}

export interface AcceptedProof {
  readonly kind: ProofKind;
  readonly proof: ProofReference;
}

export interface AcceptedRange extends AcceptedProof {
  readonly fromBatch: number;
  readonly toBatch: number;
}

/** L1's counters in the newest accepted L1Progress. */
export interface BatchProgress {
  readonly committed: number;
  readonly proved: number;
  readonly executed: number;
  readonly l1BlockNumber: bigint;
}

/** An L2 to L1 log against the root that its batch commits to (spec: rpc 11.1, merkle-tree 8). */
export interface LogProof {
  readonly batch: number;
  /** Position of the leaf in its batch. */
  readonly id: number;
  readonly leaf: Bytes;
  readonly root: Bytes;
  /** Siblings bottom-up; the last one is the aggregated root, which is zero. */
  readonly path: readonly Bytes[];
}

export interface BatchesReader {
  /** undefined: not sealed. */
  batch(batch: number): Promise<SealedBatchDetails | undefined>;
  /** The batch that holds the block; undefined: none yet, or block 0. */
  batchOfBlock(block: number): Promise<SealedBatchDetails | undefined>;
  /** 0: no batch is sealed. */
  newestBatch(): Promise<number>;
  progress(): Promise<BatchProgress>;
  snarkProof(fromBatch: number): Promise<AcceptedRange | undefined>;
  /**
   * Of log `logIndex` of a transaction of a block; undefined: the block is in no batch, or the transaction has no such log.
   */
  logProof(at: {
    readonly block: number;
    readonly transactionIndex: number;
    readonly logIndex: number;
  }): Promise<LogProof | undefined>;
}
