/**
 * Typed queries on the `repositories` projection (blocks, transactions, receipts, logs), for RPC. Every method may be
 * called through a thread port, so arguments and answers are plain objects and bytes. `undefined`: not there.
 */
import type { Bytes } from '../common/bytes.ts';
import type { BlockHeader, L2ToL1Log, Log } from '../protocol/blockOutput.ts';
import type { TransactionPlace } from './transactionPlace.ts';

export interface StoredBlock {
  /** With the real bloom. */
  readonly header: BlockHeader;
  /** The canonical hash (of the header with a zero bloom); always this one, never one computed from `header`. */
  readonly hash: Bytes;
  readonly transactionHashes: readonly Bytes[];
  /** Length in bytes of the RLP block with its full transactions. */
  readonly sizeBytes: number;
}

/** Where a mined transaction is, and what it cost. */
export interface TransactionMeta {
  readonly blockHash: Bytes;
  readonly blockNumber: number;
  readonly blockTimestamp: bigint;
  readonly transactionIndex: number;
  readonly effectiveGasPrice: bigint;
  /** Logs of the same block before this transaction. */
  readonly logsBefore: number;
  readonly gasUsed: bigint;
  readonly contractAddress: Bytes | undefined;
}

export interface StoredTransaction {
  readonly raw: Bytes;
  readonly sender: Bytes;
  readonly meta: TransactionMeta;
}

export interface StoredReceipt {
  readonly transactionHash: Bytes;
  readonly transactionType: number;
  readonly sender: Bytes;
  /** undefined: a creation. */
  readonly to: Bytes | undefined;
  readonly success: boolean;
  readonly cumulativeGasUsed: bigint;
  readonly logsBloom: Bytes;
  readonly logs: readonly Log[];
  readonly l2ToL1Logs: readonly L2ToL1Log[];
  readonly meta: TransactionMeta;
}

/** A transaction with its receipt. */
export interface MinedTransaction {
  readonly transaction: StoredTransaction;
  readonly receipt: StoredReceipt;
}

export interface FoundLog extends Log {
  readonly blockNumber: number;
  readonly blockHash: Bytes;
  readonly blockTimestamp: bigint;
  readonly transactionHash: Bytes;
  readonly transactionIndex: number;
  /** Block-wide. */
  readonly logIndex: number;
}

export interface LogFilter {
  readonly fromBlock: number;
  readonly toBlock: number;
  /** Empty: any. */
  readonly addresses: readonly Bytes[];
  /** Up to four positions; an empty list matches anything at that position (which must exist in the log). */
  readonly topics: readonly (readonly Bytes[])[];
  /** Over it, in a range of several blocks: `tooMany`. */
  readonly maxResults: number;
  /** Of addresses, topics and data: over it, `tooLarge`. Without it there is no limit. */
  readonly maxBytes?: number;
}

/** What a search looked at, in blocks. */
export interface LogScan {
  readonly blocks: number;
  /** Of them those that may hold a match, as their blooms say: their receipts were read. */
  readonly candidates: number;
  /** Of these, those that do. */
  readonly matching: number;
}

export type LogSearch = { readonly scan: LogScan } & (
  | { readonly kind: 'found'; readonly logs: readonly FoundLog[] }
  /** The range up to and including this block held at most `maxResults`; undefined: the first block alone holds more. */
  | { readonly kind: 'tooMany'; readonly lastCompleteBlock: number | undefined }
  /** Also of a single block. */
  | { readonly kind: 'tooLarge' }
);

export interface RepositoriesReader {
  blockByNumber(number: number): Promise<StoredBlock | undefined>;
  blockNumberByHash(hash: Bytes): Promise<number | undefined>;
  transactionByHash(hash: Bytes): Promise<StoredTransaction | undefined>;
  transactionsOfBlock(number: number): Promise<readonly StoredTransaction[] | undefined>;
  receiptByHash(transactionHash: Bytes): Promise<StoredReceipt | undefined>;
  receiptsOfBlock(number: number): Promise<readonly StoredReceipt[] | undefined>;
  /** In the order asked for, undefined where there is none. Places of one block that follow each other are read together. */
  transactionsAt(places: readonly TransactionPlace[]): Promise<readonly (MinedTransaction | undefined)[]>;
  /** What all senders of a block paid, wei. */
  feesOfBlock(number: number): Promise<bigint | undefined>;
  /** L2 transactions only. */
  transactionHashBySenderAndNonce(sender: Bytes, nonce: bigint): Promise<Bytes | undefined>;
  logs(filter: LogFilter): Promise<LogSearch>;
}
