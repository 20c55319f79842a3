/** What the journal holds: accepted entries with what executing them gave, in order. Every projection follows it. */
import type { Bytes } from '../common/bytes.ts';
import type { CommitInfo, ProofKind, ProofReference } from '../protocol/batch.ts';
import type { BlockHeader, BlockOutput, StorageWrite } from '../protocol/blockOutput.ts';
import type { BlockRecord } from '../protocol/replayRecord.ts';

export interface GenesisEvent {
  readonly kind: 'Genesis';
  /** Of the entry in the log. */
  readonly position: number;
  readonly chainId: bigint;
  readonly header: BlockHeader;
  readonly blockHash: Bytes;
  /** The state of block 0, ascending by flat key. */
  readonly writes: readonly Pick<StorageWrite, 'flatKey' | 'value'>[];
}

/** A block this process read from the log, whose entry its fold accepted, with its output. */
export interface CanonicalBlock {
  readonly kind: 'Block';
  readonly position: number;
  readonly height: number;
  readonly record: BlockRecord;
  readonly output: BlockOutput;
  /** One per transaction. */
  readonly senders: readonly Bytes[];
}

/** An accepted seal: these blocks are that batch for ever. */
export interface BatchSealed {
  readonly kind: 'BatchSealed';
  readonly position: number;
  readonly batch: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly storedBatchHash: Bytes;
  readonly reason: string;
  readonly commitInfo: CommitInfo;
}

export interface FriProved {
  readonly kind: 'FriProved';
  readonly position: number;
  readonly batch: number;
  readonly proofKind: ProofKind;
  readonly proof: ProofReference;
}

export interface SnarkProved {
  readonly kind: 'SnarkProved';
  readonly position: number;
  readonly fromBatch: number;
  readonly toBatch: number;
  readonly proofKind: ProofKind;
  readonly proof: ProofReference;
}

/** What L1 held at that block of its own. */
export interface L1Progress {
  readonly kind: 'L1Progress';
  readonly position: number;
  readonly committed: number;
  readonly proved: number;
  readonly executed: number;
  readonly l1BlockNumber: bigint;
  readonly l1BlockHash: Bytes;
}

export type SettlementEvent = BatchSealed | FriProved | SnarkProved | L1Progress;

export type JournalEvent = GenesisEvent | CanonicalBlock | SettlementEvent;

export interface JournalEntry {
  /** Dense from 0, which is Genesis. */
  readonly index: number;
  readonly event: JournalEvent;
}

export type { BlockRecord };
