/**
 * The one list of key prefixes. The first byte of every key says what it is; numbers are big-endian, so that ranges come
 * in their order. Each store is a directory of its own, but no prefix is used twice, so that a dump explains itself.
 * Numbers of buckets that went away stay listed as retired.
 */
import type { Bytes } from '../common/bytes.ts';

/** In the store of every projection; written by its runner alone. */
export const PROJECTION_CHECKPOINT: Bytes = new Uint8Array([0x00]); // -> version, logId, next journal index, height, block hash

/** `chainStore`: state and journal (chainStore.ts). */
export const CHAIN = {
  /** name -> checkpoint of the log fold | genesis | end of the journal */
  meta: 0x10,
  /** flat key -> u64 height of the newest write, value, account record if it is an account slot */
  latest: 0x11,
  /** flat key, u64 height -> as `latest` */
  history: 0x12,
  /** hash -> bytes; account records excepted, which lie in `latest` and `history` */
  preimage: 0x13,
  /** u64 index -> encoded journal entry */
  journal: 0x14,
  /** u64 height -> block hash */
  blockHash: 0x15,
  /** u64 height -> u64 journal index */
  journalIndex: 0x16,
  /** kind, u64 batch -> what the fold of settlement keeps of it (log/settlementRows.ts) */
  settlement: 0x17,
  /** u64 batch -> u64 journal index of its seal */
  sealIndex: 0x18,
} as const;

/** `repositories` (projections/repositories.ts). */
export const REPOSITORIES = {
  /** u48 height -> size of the RLP block, hash, transaction hashes, header RLP with the real bloom */
  block: 0x20,
  /** block hash -> u48 height */
  blockHash: 0x21,
  /** transaction hash -> u48 height, u32 index, u32 index of the first transaction of its group */
  transactionHash: 0x22,
  /** address, u64 nonce -> transaction hash; L2 transactions only */
  senderNonce: 0x23,
  /** u48 height, u32 index of the first -> group of raw transactions */
  transactions: 0x24,
  /** u48 height, u32 index of the first -> group of receipts, with what every answer needs of the block */
  receipts: 0x25,
  /** u48 height -> bloom of the block; none if it is zero */
  bloom: 0x26,
  /** u32 section of 256 blocks, u16 row -> which of them have that bit of the bloom set (256 bits, bloomSections.ts); none if no block has */
  bloomRow: 0x27,
} as const;

/** `addresses` (projections/addresses.ts). */
export const ADDRESSES = {
  /** address, u48 height, u32 index -> a bit for each role: 1 sender, 2 recipient, 4 created, 8 emitter of a log */
  appearance: 0x30,
  /** address -> u48 height, and if a transaction created it by itself: u32 index, creator */
  creation: 0x31,
} as const;

/** `merkleTree` (projections/merkleTreeLayout.ts). */
export const MERKLE_TREE = {
  /** u48 height -> root, history, u48 leaf count, u48 version of the top page */
  version: 0x40,
  /** u48 version, level, u48 position -> eight leaves or the hashes and u48 versions of eight pages below */
  page: 0x41,
  /** u48 id -> page of the index from keys to leaves, newest version only */
  indexPage: 0x42,
  /** -> u48 number of those pages */
  indexSize: 0x43,
} as const;

/** `batches` (projections/batches.ts). */
export const BATCHES = {
  /** u48 height -> log leaves and transactions of a block that no batch holds yet */
  openBlock: 0x50,
  /** u48 batch -> the seal, and how many transactions it holds */
  batch: 0x51,
  /** u48 last block -> u48 batch */
  lastBlock: 0x52,
  /** u48 batch -> which transactions have how many logs, then the leaves of all of them; none without logs */
  leaves: 0x53,
  /** u48 batch -> kind, key, hash of the accepted FRI proof */
  friProof: 0x54,
  /** u48 first batch -> u48 last batch, kind, key, hash of the accepted SNARK proof */
  snarkProof: 0x55,
  /** -> newest accepted counters of L1 */
  progress: 0x56,
} as const;

/** `priorityTree` (projections/priorityTree.ts). */
export const PRIORITY_TREE = {
  /** -> leaves executed and their left siblings, leaves in all, leaves in batches, executed batch */
  state: 0x60,
  /** u48 id -> canonical hash; of those not executed */
  leaf: 0x61,
  /** u48 height -> u48 id after the block, while no batch holds it */
  blockEnd: 0x62,
  /** u48 batch -> u48 first id, u48 count; of those not executed */
  batch: 0x63,
} as const;

/** `analytics` (projections/analyticsTables.ts): every row of its tables, under u48 height, u32 index; a row is a line of TabSeparated. */
export const ANALYTICS = {
  transactions: 0x70,
  receipts: 0x71,
  logs: 0x72,
  l2ToL1Logs: 0x73,
  storageWrites: 0x74,
  tokenTransfers: 0x75,
  /** After the others: a block with its row has every row. */
  blocks: 0x76,
} as const;

/** A key of the chain store. */
export function chainKey(bucket: (typeof CHAIN)[keyof typeof CHAIN], ...parts: readonly Bytes[]): Bytes {
  let length = 1;
  for (const part of parts) length += part.length;
  const key = new Uint8Array(length);
  key[0] = bucket;
  let offset = 1;
  for (const part of parts) {
    key.set(part, offset);
    offset += part.length;
  }
  return key;
}
