/** What executing a block gives (spec: execution 6, 11, 12). */
import type { Bytes } from '../common/bytes.ts';

/** The 16-field header. `logsBloom` is the real bloom; the block hash is taken with a zero bloom (spec: execution 6). */
export interface BlockHeader {
  readonly parentHash: Bytes;
  readonly ommersHash: Bytes;
  readonly beneficiary: Bytes;
  readonly stateRoot: Bytes;
  readonly transactionsRoot: Bytes;
  readonly receiptsRoot: Bytes;
  readonly logsBloom: Bytes;
  readonly difficulty: bigint;
  readonly number: bigint;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  readonly timestamp: bigint;
  readonly extraData: Bytes;
  readonly mixHash: Bytes;
  readonly nonce: Bytes;
  readonly baseFeePerGas: bigint;
}

export interface Log {
  readonly address: Bytes;
  readonly topics: readonly Bytes[];
  readonly data: Bytes;
}

export interface L2ToL1Log {
  readonly shardId: number;
  readonly isService: boolean;
  readonly txNumberInBlock: number;
  readonly sender: Bytes;
  readonly key: Bytes;
  readonly value: Bytes;
}

/** A message of the L1 messenger hook; its log is in `l2ToL1Logs`. */
export interface L1Message {
  readonly sender: Bytes;
  readonly data: Bytes;
}

/** One included transaction. */
export interface TransactionOutput {
  readonly success: boolean;
  readonly gasUsed: bigint;
  /** Always 0 in this build; kept because the RPC of the reference knows it. */
  readonly gasRefunded: bigint;
  readonly nativeUsed: bigint;
  readonly computationalNativeUsed: bigint;
  /** bytes */
  readonly pubdataUsed: bigint;
  /** Return or revert data; of a successful creation the deployed code. */
  readonly returnData: Bytes;
  readonly contractAddress: Bytes | undefined;
  readonly effectiveGasPrice: bigint;
  readonly logs: readonly Log[];
  readonly l2ToL1Logs: readonly L2ToL1Log[];
  readonly messages: readonly L1Message[];
}

/** Net change of one slot, in the order of spec: replay-record 6. */
export interface StorageWrite {
  readonly flatKey: Bytes;
  readonly value: Bytes;
  readonly address: Bytes;
  readonly slot: Bytes;
  /** The 124-byte account record behind `value` when `address` is 0x8003. */
  readonly accountRecord: Bytes | undefined;
}

export interface Preimage {
  readonly hash: Bytes;
  readonly bytes: Bytes;
}

export interface BlockOutput {
  readonly header: BlockHeader;
  readonly blockHash: Bytes;
  readonly transactions: readonly TransactionOutput[];
  readonly writes: readonly StorageWrite[];
  /** Account records and deployed code, ascending by hash. */
  readonly preimages: readonly Preimage[];
  readonly pubdata: Bytes;
  readonly computationalNativeUsed: bigint;
  readonly blockOutputHash: Bytes;
}
