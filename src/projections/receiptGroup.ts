/**
 * Values of the `repositories` store. Transactions and receipts of a block lie in groups of a few, so that a block takes
 * few writes and a receipt a short read.
 */
import type { Bytes } from '../common/bytes.ts';
import type { Turns } from '../common/turns.ts';
import { LogsBloom } from '../protocol/bloom.ts';
import type { L2ToL1Log, Log, TransactionOutput } from '../protocol/blockOutput.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import { readL2ToL1Log, readLog, writeL2ToL1Log, writeLog } from '../store/logCodec.ts';
import type { StoredReceipt, TransactionMeta } from './repositoriesReader.ts';
import type { TransactionOutline } from './transactionOutline.ts';

const ADDRESS = 20;
const HASH = 32;

const SUCCESS = 1;
const HAS_TO = 2;
const HAS_CONTRACT = 4;

export const GROUP_TRANSACTIONS_MAX = 16;
const GROUP_BYTES_MAX = 16 * 1024;

/** Where a group's first transaction stands in its block. */
export interface GroupStart {
  readonly blockHash: Bytes;
  readonly blockTimestamp: bigint;
  readonly gasUsedBefore: bigint;
  readonly logsBefore: number;
}

export interface GroupMember {
  readonly raw: Bytes;
  readonly outline: TransactionOutline;
  readonly sender: Bytes;
  readonly output: TransactionOutput;
}

/** Builds one group after the other; `take` ends the current one. */
export class GroupWriter {
  readonly #raw = new ByteWriter();
  readonly #receipts = new ByteWriter();
  #size = 0;

  get isFull(): boolean {
    return (
      this.#size >= GROUP_TRANSACTIONS_MAX ||
      this.#raw.length >= GROUP_BYTES_MAX ||
      this.#receipts.length >= GROUP_BYTES_MAX
    );
  }

  start(group: GroupStart): void {
    this.#raw.reset();
    this.#receipts.reset();
    this.#size = 0;
    this.#receipts.fixed(group.blockHash, HASH);
    this.#receipts.big(group.blockTimestamp);
    this.#receipts.big(group.gasUsedBefore);
    this.#receipts.varint(group.logsBefore);
  }

  add({ raw, outline, sender, output }: GroupMember): void {
    this.#size += 1;
    this.#raw.bytes(raw);
    const out = this.#receipts;
    const lengthAt = out.length;
    out.u32(0);
    out.big(output.gasUsed);
    out.varint(output.logs.length);
    out.fixed(outline.hash, HASH);
    out.byte(outline.type);
    out.byte((output.success ? SUCCESS : 0) | (outline.to ? HAS_TO : 0) | (output.contractAddress ? HAS_CONTRACT : 0));
    out.fixed(sender, ADDRESS);
    if (outline.to) out.fixed(outline.to, ADDRESS);
    if (output.contractAddress) out.fixed(output.contractAddress, ADDRESS);
    out.big(output.effectiveGasPrice);
    for (const log of output.logs) writeLog(out, log);
    out.varint(output.l2ToL1Logs.length);
    for (const log of output.l2ToL1Logs) writeL2ToL1Log(out, log);
    out.setU32(lengthAt, out.length - lengthAt - 4);
  }

  take(): { readonly transactions: Bytes; readonly receipts: Bytes } {
    return { transactions: this.#raw.take(), receipts: this.#receipts.take() };
  }
}

/** The transactions of a group, copied. */
export function readTransactions(group: Bytes): Bytes[] {
  const reader = new ByteReader(group);
  const transactions: Bytes[] = [];
  while (!reader.done) transactions.push(reader.bytesCopy());
  return transactions;
}

/** The member at `offset` of a group, copied. */
export function readTransactionAt(group: Bytes, offset: number): Bytes {
  const reader = new ByteReader(group);
  for (let i = 0; i < offset; i++) reader.skip(reader.varint());
  return reader.bytesCopy();
}

interface LogOfGroup {
  readonly log: Log;
  readonly logIndex: number;
  readonly transactionHash: Bytes;
  readonly blockHash: Bytes;
  readonly blockTimestamp: bigint;
}

/** Walks the receipts of one group; only what is asked for is decoded. */
export class ReceiptGroup {
  readonly #reader: ByteReader;
  readonly #bytes: Bytes;
  readonly #blockNumber: number;
  readonly #blockHash: Bytes;
  readonly #blockTimestamp: bigint;
  #index: number;
  #cumulativeGasUsed: bigint;
  #logsBefore: number;
  #gasUsed = 0n;
  #logCount = 0;
  #bodyStart = 0;
  #bodyEnd = 0;

  constructor(bytes: Bytes, at: { readonly blockNumber: number; readonly firstIndex: number }) {
    this.#reader = new ByteReader(bytes);
    this.#bytes = bytes;
    this.#blockNumber = at.blockNumber;
    this.#index = at.firstIndex - 1;
    this.#blockHash = this.#reader.fixed(HASH);
    this.#blockTimestamp = this.#reader.big();
    this.#cumulativeGasUsed = this.#reader.big();
    this.#logsBefore = this.#reader.varint();
  }

  /** Steps to the next receipt; false: there is none. */
  next(): boolean {
    const reader = this.#reader;
    if (reader.done) return false;
    this.#logsBefore += this.#logCount;
    const length = reader.u32();
    this.#bodyEnd = reader.offset + length;
    this.#gasUsed = reader.big();
    this.#logCount = reader.varint();
    this.#bodyStart = reader.offset;
    this.#cumulativeGasUsed += this.#gasUsed;
    this.#index += 1;
    reader.skip(this.#bodyEnd - this.#bodyStart);
    return true;
  }

  get transactionIndex(): number {
    return this.#index;
  }

  get logCount(): number {
    return this.#logCount;
  }

  /** The current receipt; shares no memory with the group. The group may not step on meanwhile. */
  async receipt(turns: Turns): Promise<StoredReceipt> {
    const body = this.#body();
    const transactionHash = body.fixedCopy(HASH);
    const transactionType = body.byte();
    const flags = body.byte();
    const sender = body.fixedCopy(ADDRESS);
    const to = (flags & HAS_TO) !== 0 ? body.fixedCopy(ADDRESS) : undefined;
    const contractAddress = (flags & HAS_CONTRACT) !== 0 ? body.fixedCopy(ADDRESS) : undefined;
    const meta = this.#meta(body.big(), contractAddress);
    const logs: Log[] = [];
    const bloom = new LogsBloom();
    for (let i = 0; i < this.#logCount; i++) {
      const log = copiedLog(readLog(body));
      logs.push(log);
      bloom.add(log);
      const turn = turns.due();
      if (turn !== undefined) await turn;
    }
    const l2ToL1Logs: L2ToL1Log[] = [];
    for (let left = body.varint(); left > 0; left--) {
      l2ToL1Logs.push(copiedL2ToL1Log(readL2ToL1Log(body)));
      const turn = turns.due();
      if (turn !== undefined) await turn;
    }
    return {
      transactionHash,
      transactionType,
      sender,
      to,
      success: (flags & SUCCESS) !== 0,
      cumulativeGasUsed: this.#cumulativeGasUsed,
      logsBloom: bloom.bytes,
      logs,
      l2ToL1Logs,
      meta,
    };
  }

  /** Sender and place of the current transaction; shares no memory with the group. */
  origin(): { readonly sender: Bytes; readonly meta: TransactionMeta } {
    const body = this.#body();
    body.skip(HASH + 1);
    const flags = body.byte();
    const sender = body.fixedCopy(ADDRESS);
    if ((flags & HAS_TO) !== 0) body.skip(ADDRESS);
    const contractAddress = (flags & HAS_CONTRACT) !== 0 ? body.fixedCopy(ADDRESS) : undefined;
    return { sender, meta: this.#meta(body.big(), contractAddress) };
  }

  /** What the sender of the current transaction paid, wei. */
  fee(): bigint {
    const body = this.#body();
    body.skip(HASH + 1);
    const flags = body.byte();
    body.skip(ADDRESS + ((flags & HAS_TO) !== 0 ? ADDRESS : 0) + ((flags & HAS_CONTRACT) !== 0 ? ADDRESS : 0));
    return this.#gasUsed * body.big();
  }

  /** The logs of the current receipt, in order. A log is a view; its index is block-wide. */
  *logs(): Generator<LogOfGroup> {
    const body = this.#body();
    const transactionHash = body.fixed(HASH);
    body.skip(1);
    const flags = body.byte();
    body.skip(ADDRESS + ((flags & HAS_TO) !== 0 ? ADDRESS : 0) + ((flags & HAS_CONTRACT) !== 0 ? ADDRESS : 0));
    body.skip(body.byte());
    const place = { transactionHash, blockHash: this.#blockHash, blockTimestamp: this.#blockTimestamp };
    for (let i = 0; i < this.#logCount; i++) yield { log: readLog(body), logIndex: this.#logsBefore + i, ...place };
  }

  #body(): ByteReader {
    return new ByteReader(this.#bytes, this.#bodyStart, this.#bodyEnd);
  }

  #meta(effectiveGasPrice: bigint, contractAddress: Bytes | undefined): TransactionMeta {
    return {
      blockHash: new Uint8Array(this.#blockHash),
      blockNumber: this.#blockNumber,
      blockTimestamp: this.#blockTimestamp,
      transactionIndex: this.#index,
      effectiveGasPrice,
      logsBefore: this.#logsBefore,
      gasUsed: this.#gasUsed,
      contractAddress,
    };
  }
}

export function copiedLog(log: Log): Log {
  return {
    address: new Uint8Array(log.address),
    topics: log.topics.map((topic) => new Uint8Array(topic)),
    data: new Uint8Array(log.data),
  };
}

function copiedL2ToL1Log(log: L2ToL1Log): L2ToL1Log {
  return { ...log, sender: new Uint8Array(log.sender), key: new Uint8Array(log.key), value: new Uint8Array(log.value) };
}
