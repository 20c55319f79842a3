/**
 * Transactions as the sequencer and the VM see them (spec: replay-record 3). L2 transactions are standard EIP-2718;
 * L1 priority (0x7f) and protocol upgrade (0x7e) transactions carry their own RLP list.
 */
import type { Bytes } from '../common/bytes.ts';

export interface AccessListItem {
  readonly address: Bytes;
  readonly slots: readonly Bytes[];
}

/** Legacy (0), EIP-2930 (1) and EIP-1559 (2). */
export interface L2Transaction {
  readonly type: 0 | 1 | 2;
  /** keccak256 of `raw`. */
  readonly hash: Bytes;
  /** The EIP-2718 encoding. */
  readonly raw: Bytes;
  readonly signingHash: Bytes;
  /** Length in bytes of the payload under `signingHash`; native is charged for hashing it. */
  readonly signingLength: number;
  /** undefined: legacy without replay protection. */
  readonly chainId: bigint | undefined;
  readonly nonce: bigint;
  /** Legacy and 2930: the gas price, as is `maxFeePerGas`. */
  readonly maxPriorityFeePerGas: bigint;
  readonly maxFeePerGas: bigint;
  readonly gasLimit: bigint;
  /** undefined: a creation. */
  readonly to: Bytes | undefined;
  readonly value: bigint;
  readonly input: Bytes;
  readonly accessList: readonly AccessListItem[];
  readonly yParity: 0 | 1;
  readonly r: bigint;
  readonly s: bigint;
}

export const UPGRADE_TYPE = 0x7e;
export const L1_PRIORITY_TYPE = 0x7f;

/** L1 priority (0x7f) and protocol upgrade (0x7e). */
export interface L1Transaction {
  readonly type: 0x7e | 0x7f;
  /** The canonical hash, carried explicitly and not derived again when decoding. */
  readonly hash: Bytes;
  /** Type byte and RLP list of 16 fields. */
  readonly raw: Bytes;
  readonly initiator: Bytes;
  readonly to: Bytes;
  readonly gasLimit: bigint;
  readonly gasPerPubdataByteLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  /** 0x7f: priority id; 0x7e: minor protocol version. Not an account nonce. */
  readonly nonce: bigint;
  readonly value: bigint;
  readonly toMint: bigint;
  readonly refundRecipient: Bytes;
  readonly input: Bytes;
  readonly factoryDeps: readonly Bytes[];
}

export type Transaction = L2Transaction | L1Transaction;

export function isL1Transaction(transaction: Transaction): transaction is L1Transaction {
  return transaction.type === UPGRADE_TYPE || transaction.type === L1_PRIORITY_TYPE;
}

/** A transaction whose sender is known: recovered from the signature, or the initiator of an L1 transaction. */
export interface SenderedTransaction {
  readonly transaction: Transaction;
  readonly sender: Bytes;
}
