/** Stored forms of receipts and transaction metadata, and the 88-byte L2 to L1 log (spec: execution 11). */
import { bytesToBigInt, EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import type { L2ToL1Log, Log } from './blockOutput.ts';
import { BLOOM_LENGTH } from './bloom.ts';
import { ProtocolError } from './errors.ts';
import { encodeRlp, RlpCursor, rlpInteger } from './rlp.ts';
import type { RlpItem } from './rlp.ts';
import type { ProtocolErrorCode } from './errors.ts';

export interface Receipt {
  /** 0 for legacy. */
  readonly type: number;
  readonly success: boolean;
  readonly cumulativeGasUsed: bigint;
  readonly logsBloom: Bytes;
  readonly logs: readonly Log[];
  readonly l2ToL1Logs: readonly L2ToL1Log[];
}

export interface ReceiptMeta {
  readonly blockHash: Bytes;
  readonly blockNumber: number;
  /** Unix seconds. */
  readonly blockTimestamp: bigint;
  readonly transactionIndex: number;
  /** wei */
  readonly effectiveGasPrice: bigint;
  /** Logs of the same block before this transaction. */
  readonly logsBefore: number;
  readonly gasUsed: bigint;
  readonly contractAddress: Bytes | undefined;
}

const TRUE_ITEM = rlpInteger(1);
const LOG_TOPICS_MAX = 4;

function flag(value: boolean): Bytes {
  return value ? TRUE_ITEM : EMPTY_BYTES;
}

function l2ToL1LogItems(log: L2ToL1Log): readonly RlpItem[] {
  return [
    rlpInteger(log.shardId),
    flag(log.isService),
    rlpInteger(log.txNumberInBlock),
    log.sender,
    log.key,
    log.value,
  ];
}

/** Type byte (none for legacy) || rlp([status, cumulativeGasUsed, bloom, logs, l2ToL1Logs]) (spec: execution 11). */
export function encodeReceipt(receipt: Receipt): Bytes {
  const list = encodeRlp([
    flag(receipt.success),
    rlpInteger(receipt.cumulativeGasUsed),
    receipt.logsBloom,
    receipt.logs.map((log) => [log.address, log.topics, log.data]),
    receipt.l2ToL1Logs.map(l2ToL1LogItems),
  ]);
  if (receipt.type === 0) return list;
  const out = new Uint8Array(1 + list.length);
  out[0] = receipt.type;
  out.set(list, 1);
  return out;
}

/** Reads fields of known width; every problem becomes an error with the given code. */
class FieldReader {
  readonly #cursor: RlpCursor;
  readonly #code: ProtocolErrorCode;

  constructor(cursor: RlpCursor, code: ProtocolErrorCode) {
    this.#cursor = cursor;
    this.#code = code;
  }

  get done(): boolean {
    return this.#cursor.done;
  }

  fail(message: string): never {
    throw new ProtocolError(this.#code, message);
  }

  fixed(name: string, length: number): Bytes {
    const bytes = this.#cursor.bytes();
    if (bytes.length !== length) this.fail(`${name} has ${bytes.length} bytes, not ${length}`);
    return new Uint8Array(bytes);
  }

  bytes(): Bytes {
    return new Uint8Array(this.#cursor.bytes());
  }

  integer(name: string, bytesMax: number): bigint {
    const bytes = this.#cursor.bytes();
    if (bytes.length > bytesMax || bytes[0] === 0) this.fail(`${name} is not an integer of at most ${bytesMax} bytes`);
    return bytesToBigInt(bytes);
  }

  number(name: string): number {
    return Number(this.integer(name, 6));
  }

  flag(name: string): boolean {
    const value = this.integer(name, 1);
    if (value > 1n) this.fail(`${name} is neither true nor false`);
    return value === 1n;
  }

  list(): FieldReader {
    return new FieldReader(this.#cursor.list(), this.#code);
  }

  finish(): void {
    this.#cursor.finish();
  }
}

function readOuterList(bytes: Bytes, start: number, code: ProtocolErrorCode): FieldReader {
  const outer = new FieldReader(new RlpCursor(bytes, start), code);
  const list = outer.list();
  outer.finish();
  return list;
}

function readLog(reader: FieldReader): Log {
  const fields = reader.list();
  const address = fields.fixed('log address', 20);
  const topicList = fields.list();
  const topics: Bytes[] = [];
  while (!topicList.done) topics.push(topicList.fixed('log topic', 32));
  if (topics.length > LOG_TOPICS_MAX) fields.fail(`a log has ${topics.length} topics`);
  const data = fields.bytes();
  fields.finish();
  return { address, topics, data };
}

function readL2ToL1Log(reader: FieldReader): L2ToL1Log {
  const fields = reader.list();
  const log = {
    shardId: Number(fields.integer('shard id', 1)),
    isService: fields.flag('service flag'),
    txNumberInBlock: Number(fields.integer('transaction number', 2)),
    sender: fields.fixed('sender', 20),
    key: fields.fixed('key', 32),
    value: fields.fixed('value', 32),
  };
  fields.finish();
  return log;
}

/** The inverse of `encodeReceipt`; throws RECEIPT_MALFORMED or RLP_MALFORMED. The result shares no memory with `bytes`. */
export function decodeReceipt(bytes: Bytes): Receipt {
  const first = bytes[0] ?? 0;
  const type = first >= 0xc0 ? 0 : first;
  if (type === 0 && first < 0xc0)
    throw new ProtocolError('RECEIPT_MALFORMED', 'a receipt starts with a type from 1 on or with a list');
  const list = readOuterList(bytes, type === 0 ? 0 : 1, 'RECEIPT_MALFORMED');
  const success = list.flag('status');
  const cumulativeGasUsed = list.integer('cumulative gas', 8);
  const logsBloom = list.fixed('bloom', BLOOM_LENGTH);
  const logList = list.list();
  const logs: Log[] = [];
  while (!logList.done) logs.push(readLog(logList));
  const l2ToL1List = list.list();
  const l2ToL1Logs: L2ToL1Log[] = [];
  while (!l2ToL1List.done) l2ToL1Logs.push(readL2ToL1Log(l2ToL1List));
  list.finish();
  return { type, success, cumulativeGasUsed, logsBloom, logs, l2ToL1Logs };
}

/** rlp of the eight fields, the contract address left out when there is none (spec: execution 11). */
export function encodeTransactionMeta(meta: ReceiptMeta): Bytes {
  const items = [
    meta.blockHash,
    rlpInteger(meta.blockNumber),
    rlpInteger(meta.blockTimestamp),
    rlpInteger(meta.transactionIndex),
    rlpInteger(meta.effectiveGasPrice),
    rlpInteger(meta.logsBefore),
    rlpInteger(meta.gasUsed),
  ];
  if (meta.contractAddress !== undefined) items.push(meta.contractAddress);
  return encodeRlp(items);
}

/** The inverse of `encodeTransactionMeta`; throws TRANSACTION_META_MALFORMED or RLP_MALFORMED. */
export function decodeTransactionMeta(bytes: Bytes): ReceiptMeta {
  const list = readOuterList(bytes, 0, 'TRANSACTION_META_MALFORMED');
  const meta = {
    blockHash: list.fixed('block hash', 32),
    blockNumber: list.number('block number'),
    blockTimestamp: list.integer('block timestamp', 8),
    transactionIndex: list.number('transaction index'),
    effectiveGasPrice: list.integer('effective gas price', 32),
    logsBefore: list.number('number of logs before'),
    gasUsed: list.integer('gas used', 8),
    contractAddress: list.done ? undefined : list.fixed('contract address', 20),
  };
  list.finish();
  return meta;
}

export const L2_TO_L1_LOG_LENGTH = 88;

/** Writes the 88 bytes at `offset` of zeroed memory and returns the offset behind them. */
export function writeL2ToL1Log(out: Bytes, offset: number, log: L2ToL1Log): number {
  out[offset] = log.shardId;
  out[offset + 1] = log.isService ? 1 : 0;
  out[offset + 2] = log.txNumberInBlock >> 8;
  out[offset + 3] = log.txNumberInBlock & 0xff;
  out.set(log.sender, offset + 4);
  out.set(log.key, offset + 24);
  out.set(log.value, offset + 56);
  return offset + L2_TO_L1_LOG_LENGTH;
}

/** shard(1) || service(1) || number in block(2) || sender(20) || key(32) || value(32), 88 bytes (spec: execution 11). */
export function encodeL2ToL1Log(log: L2ToL1Log): Bytes {
  const out = new Uint8Array(L2_TO_L1_LOG_LENGTH);
  writeL2ToL1Log(out, 0, log);
  return out;
}

/** The inverse of `encodeL2ToL1Log`; throws L2_TO_L1_LOG_MALFORMED. */
export function decodeL2ToL1Log(bytes: Bytes): L2ToL1Log {
  const isService = bytes[1];
  if (bytes.length !== L2_TO_L1_LOG_LENGTH || (isService !== 0 && isService !== 1)) {
    throw new ProtocolError(
      'L2_TO_L1_LOG_MALFORMED',
      `an L2 to L1 log has ${L2_TO_L1_LOG_LENGTH} bytes with a flag as its second`,
    );
  }
  return {
    shardId: bytes[0] ?? 0,
    isService: isService === 1,
    txNumberInBlock: ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0),
    sender: new Uint8Array(bytes.subarray(4, 24)),
    key: new Uint8Array(bytes.subarray(24, 56)),
    value: new Uint8Array(bytes.subarray(56, 88)),
  };
}
