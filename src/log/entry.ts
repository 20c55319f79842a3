/** The entries of the log (log-protocol 2): decoded form of `schemas/ReplayEntry.v1.avsc`. */
import type { Bytes } from '../common/bytes.ts';
import { type CommitInfo, PROOF_KINDS, type ProofKind, type ProofReference } from '../protocol/batch.ts';
import type { BlockRecord } from '../protocol/replayRecord.ts';

export interface Envelope {
  /** Version of the schema the entry is written in. */
  readonly schema: number;
  /** 16 bytes, fixed by Genesis. */
  readonly logId: Bytes;
  /** From 1; judged in EpochStarted only. 0 in Genesis. */
  readonly epoch: bigint;
  /** 16 bytes, names the owner of the epoch. Zero in Genesis. */
  readonly claim: Bytes;
  /** 16 bytes, diagnostic. */
  readonly nodeId: Bytes;
  /** 16 bytes, diagnostic. */
  readonly bootId: Bytes;
}

export interface LoggedGenesisInput {
  readonly initialContracts: readonly { readonly address: Bytes; readonly code: Bytes }[];
  /** Flat keys. */
  readonly additionalStorage: readonly { readonly key: Bytes; readonly value: Bytes }[];
  readonly executionVersion: number;
  readonly genesisRoot: Bytes;
}

/** All a new node needs. */
export interface GenesisEntry extends Envelope {
  readonly kind: 'Genesis';
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  readonly genesisInput: LoggedGenesisInput;
  readonly genesisRoot: Bytes;
  /** EIP-2718 envelope. */
  readonly upgradeTransaction: Bytes;
  /** Raw code; its hash is BLAKE2s-256. */
  readonly forceDeployPreimages: readonly Bytes[];
}

export interface EpochStartedEntry extends Envelope {
  readonly kind: 'EpochStarted';
  readonly rules: number;
  /** undefined: forced. */
  readonly head: { readonly height: bigint; readonly parent: Bytes } | undefined;
}

export interface BlockEntry extends Envelope {
  readonly kind: 'Block';
  /** u64; narrow to a number after acceptance. */
  readonly height: bigint;
  /** block_output_hash of height - 1, zero for block 1. */
  readonly parent: Bytes;
  readonly record: BlockRecord;
}

/** spec: batches 5, without operator_da_input. */
export type LoggedCommitInfo = CommitInfo;

export interface BatchSealedEntry extends Envelope {
  readonly kind: 'BatchSealed';
  readonly batch: bigint;
  readonly firstBlock: bigint;
  readonly lastBlock: bigint;
  readonly storedBatchHash: Bytes;
  readonly reason: string;
  readonly commitInfo: LoggedCommitInfo;
}

export { PROOF_KINDS };
export type { ProofKind, ProofReference };

export interface FriProvedEntry extends Envelope {
  readonly kind: 'FriProved';
  readonly batch: bigint;
  readonly storedBatchHash: Bytes;
  readonly proofKind: ProofKind;
  readonly proof: ProofReference;
  readonly replaces: Bytes | undefined;
}

export interface SnarkProvedEntry extends Envelope {
  readonly kind: 'SnarkProved';
  readonly fromBatch: bigint;
  readonly toBatch: bigint;
  readonly proofKind: ProofKind;
  readonly proof: ProofReference;
  readonly replaces: Bytes | undefined;
}

export interface L1ProgressEntry extends Envelope {
  readonly kind: 'L1Progress';
  readonly committed: bigint;
  readonly proved: bigint;
  readonly executed: bigint;
  readonly l1BlockNumber: bigint;
  readonly l1BlockHash: Bytes;
}

export type Entry =
  | GenesisEntry
  | EpochStartedEntry
  | BlockEntry
  | BatchSealedEntry
  | FriProvedEntry
  | SnarkProvedEntry
  | L1ProgressEntry;

export type EntryKind = Entry['kind'];

/** What the fold of settlement judges (log-protocol 4). */
export type SettlementEntry = BatchSealedEntry | FriProvedEntry | SnarkProvedEntry | L1ProgressEntry;

export function isSettlementEntry(entry: Entry): entry is SettlementEntry {
  return entry.kind !== 'Genesis' && entry.kind !== 'EpochStarted' && entry.kind !== 'Block';
}

/** In the order of the union in the schema. */
export const ENTRY_KINDS: readonly EntryKind[] = [
  'Genesis',
  'EpochStarted',
  'Block',
  'BatchSealed',
  'FriProved',
  'SnarkProved',
  'L1Progress',
];

export const ID_BYTES = 16;
export const ZERO_ID: Bytes = new Uint8Array(ID_BYTES);

/** For people; never part of acceptance. */
export function entryKey(entry: Entry): string {
  switch (entry.kind) {
    case 'Genesis':
      return 'Genesis';
    case 'EpochStarted':
      return `EpochStarted/${entry.epoch}`;
    case 'Block':
      return `Block/${entry.height}`;
    case 'SnarkProved':
      return `SnarkProved/${entry.fromBatch}-${entry.toBatch}`;
    case 'L1Progress':
      return `L1Progress/${entry.l1BlockNumber}`;
    default:
      return `${entry.kind}/${entry.batch}`;
  }
}
