/** What the journal holds: accepted entries with what executing them gave, in order. Every projection follows it. */
import type { Bytes } from '../common/bytes.ts';
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

export type JournalEvent = GenesisEvent | CanonicalBlock;

export interface JournalEntry {
  /** Dense from 0, which is Genesis. */
  readonly index: number;
  readonly event: JournalEvent;
}

export type { BlockRecord };
