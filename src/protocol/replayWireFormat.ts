/**
 * The binary forms of the replay record, versions 1 to 3 (spec: replay-record 7). Versions 2 and 3 hold the same bytes.
 * Little-endian variable-length integers, no tags, fields in order. Reading is strict: shortest integers, nothing left
 * over, so that a record has one encoding per version.
 */
import { bytesToBigInt } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { BLOCK_HASHES_LENGTH } from './blockHeader.ts';
import { ProtocolError } from './errors.ts';
import type { BlockContext, ReplayRecord } from './replayRecord.ts';
import { dataView, U256_MAX, U64_MAX, writeU256 } from './words.ts';

export type ReplayVersion = 1 | 2 | 3;
export const REPLAY_VERSION_NEWEST = 3;

const TAG_U16 = 0xfb;
const TAG_U32 = 0xfc;
const TAG_U64 = 0xfd;
const U32_MAX = 0xffff_ffff;
/** Execution version of records that do not say it. */
const EXECUTION_VERSION_OF_V1 = 1;

const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function malformed(message: string, facts: Record<string, unknown> = {}): ProtocolError {
  return new ProtocolError('REPLAY_RECORD_MALFORMED', `malformed replay record: ${message}`, facts);
}

function integerLength(value: bigint): number {
  if (value < 251n) return 1;
  if (value <= 0xffffn) return 3;
  if (value <= 0xffff_ffffn) return 5;
  return 9;
}

class Writer {
  readonly bytes: Bytes;
  readonly #view: DataView;
  #position = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = dataView(this.bytes);
  }

  integer(name: string, value: bigint): void {
    if (value < 0n || value > U64_MAX)
      throw malformed(`${name} is ${value}, not an unsigned 64-bit integer`, { field: name });
    const at = this.#position;
    const length = integerLength(value);
    if (length === 1) this.bytes[at] = Number(value);
    else if (length === 3) {
      this.bytes[at] = TAG_U16;
      this.#view.setUint16(at + 1, Number(value), true);
    } else if (length === 5) {
      this.bytes[at] = TAG_U32;
      this.#view.setUint32(at + 1, Number(value), true);
    } else {
      this.bytes[at] = TAG_U64;
      this.#view.setBigUint64(at + 1, value, true);
    }
    this.#position += length;
  }

  byteString(name: string, bytes: Bytes): void {
    this.integer(name, BigInt(bytes.length));
    this.bytes.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  fixed(name: string, bytes: Bytes, length: number): void {
    if (bytes.length !== length) throw malformed(`${name} has ${bytes.length} bytes, not ${length}`, { field: name });
    this.byteString(name, bytes);
  }

  u256(name: string, value: bigint): void {
    if (value < 0n || value > U256_MAX)
      throw malformed(`${name} is ${value}, not an unsigned 256-bit integer`, { field: name });
    this.bytes[this.#position] = 32;
    writeU256(this.#view, this.#position + 1, value);
    this.#position += 33;
  }
}

class Reader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#view = dataView(bytes);
  }

  #take(name: string, length: number): number {
    const start = this.#position;
    const left = this.#bytes.length - start;
    if (length > left) {
      throw malformed(`it ends inside ${name}: ${length} bytes are expected at byte ${start}, ${left} are left`, {
        field: name,
        offset: start,
      });
    }
    this.#position += length;
    return start;
  }

  integer(name: string, max: bigint = U64_MAX): bigint {
    const start = this.#take(name, 1);
    const tag = this.#bytes[start] ?? 0;
    let value: bigint;
    if (tag < TAG_U16) value = BigInt(tag);
    else if (tag === TAG_U16) value = BigInt(this.#view.getUint16(this.#take(name, 2), true));
    else if (tag === TAG_U32) value = BigInt(this.#view.getUint32(this.#take(name, 4), true));
    else if (tag === TAG_U64) value = this.#view.getBigUint64(this.#take(name, 8), true);
    else
      throw malformed(`${name} has the integer tag 0x${tag.toString(16)} at byte ${start}`, {
        field: name,
        offset: start,
      });
    if (integerLength(value) !== this.#position - start)
      throw malformed(`${name} is not in its shortest form`, { field: name, offset: start });
    if (value > max) throw malformed(`${name} is ${value}, at most ${max} is allowed`, { field: name, offset: start });
    return value;
  }

  length(name: string): number {
    return Number(this.integer(name, BigInt(Number.MAX_SAFE_INTEGER)));
  }

  byteString(name: string): Bytes {
    const length = this.length(name);
    const start = this.#take(name, length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  fixed(name: string, length: number): Bytes {
    const bytes = this.byteString(name);
    if (bytes.length !== length) throw malformed(`${name} has ${bytes.length} bytes, not ${length}`, { field: name });
    return bytes;
  }

  u256(name: string): bigint {
    return bytesToBigInt(this.fixed(name, 32));
  }

  finish(): void {
    const left = this.#bytes.length - this.#position;
    if (left !== 0) throw malformed(`${left} bytes are left over`, { offset: this.#position });
  }
}

function recordLength(record: ReplayRecord, versionBytes: Bytes): number {
  const { context } = record;
  const integers = [
    context.chainId,
    context.blockNumber,
    BigInt(context.blockHashes.length),
    context.timestamp,
    context.gasLimit,
    context.pubdataLimit,
    BigInt(context.executionVersion),
    record.startingL1PriorityId,
    BigInt(record.transactions.length),
    record.previousBlockTimestamp,
    BigInt(versionBytes.length),
  ];
  let length = versionBytes.length;
  for (const integer of integers) length += integerLength(integer);
  // Ring, base fee, two prices, mix hash, output hash; coinbase.
  length += (context.blockHashes.length + 5) * 33 + 21;
  for (const transaction of record.transactions)
    length += integerLength(BigInt(transaction.length)) + transaction.length;
  return length;
}

/** The record in version 3, as new ones are written (spec: replay-record 7.2). Throws REPLAY_RECORD_MALFORMED when a field does not fit. */
export function encodeReplayRecord(record: ReplayRecord): Bytes {
  const { context } = record;
  if (context.blockHashes.length !== BLOCK_HASHES_LENGTH)
    throw malformed(`it has ${context.blockHashes.length} block hashes, not ${BLOCK_HASHES_LENGTH}`);
  if (
    !Number.isInteger(context.executionVersion) ||
    context.executionVersion < 0 ||
    context.executionVersion > U32_MAX
  ) {
    throw malformed(`execution version ${context.executionVersion} is not an unsigned 32-bit integer`);
  }
  requireSemanticVersion(record.nodeVersion);
  const versionBytes = textEncoder.encode(record.nodeVersion);
  const writer = new Writer(recordLength(record, versionBytes));
  writer.integer('chain id', context.chainId);
  writer.integer('block number', context.blockNumber);
  writer.integer('number of block hashes', BigInt(context.blockHashes.length));
  for (const hash of context.blockHashes) writer.fixed('block hash', hash, 32);
  writer.integer('timestamp', context.timestamp);
  writer.u256('base fee', context.eip1559BaseFee);
  writer.u256('pubdata price', context.pubdataPrice);
  writer.u256('native price', context.nativePrice);
  writer.fixed('coinbase', context.coinbase, 20);
  writer.integer('gas limit', context.gasLimit);
  writer.integer('pubdata limit', context.pubdataLimit);
  writer.u256('mix hash', context.mixHash);
  writer.integer('execution version', BigInt(context.executionVersion));
  writer.integer('starting L1 priority id', record.startingL1PriorityId);
  writer.integer('number of transactions', BigInt(record.transactions.length));
  for (const transaction of record.transactions) writer.byteString('transaction', transaction);
  writer.integer('previous block timestamp', record.previousBlockTimestamp);
  writer.byteString('node version', versionBytes);
  writer.fixed('block output hash', record.blockOutputHash, 32);
  return writer.bytes;
}

function requireSemanticVersion(text: string): void {
  if (!SEMANTIC_VERSION.test(text))
    throw malformed(`node version ${JSON.stringify(text.slice(0, 80))} is no semantic version`);
}

function readText(reader: Reader): string {
  let text: string;
  try {
    text = textDecoder.decode(reader.byteString('node version'));
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw malformed('the node version is not UTF-8');
  }
  requireSemanticVersion(text);
  return text;
}

function readContext(reader: Reader, version: ReplayVersion): BlockContext {
  const chainId = reader.integer('chain id');
  const blockNumber = reader.integer('block number');
  const ringLength = reader.length('number of block hashes');
  if (ringLength !== BLOCK_HASHES_LENGTH)
    throw malformed(`it has ${ringLength} block hashes, not ${BLOCK_HASHES_LENGTH}`);
  const blockHashes: Bytes[] = [];
  for (let i = 0; i < ringLength; i++) blockHashes.push(reader.fixed('block hash', 32));
  return {
    chainId,
    blockNumber,
    blockHashes,
    timestamp: reader.integer('timestamp'),
    eip1559BaseFee: reader.u256('base fee'),
    pubdataPrice: reader.u256('pubdata price'),
    nativePrice: reader.u256('native price'),
    coinbase: reader.fixed('coinbase', 20),
    gasLimit: reader.integer('gas limit'),
    pubdataLimit: reader.integer('pubdata limit'),
    mixHash: reader.u256('mix hash'),
    executionVersion:
      version === 1 ? EXECUTION_VERSION_OF_V1 : Number(reader.integer('execution version', BigInt(U32_MAX))),
  };
}

function isReplayVersion(version: number): version is ReplayVersion {
  return version === 1 || version === 2 || version === 3;
}

/**
 * Decodes a record of a known version (spec: replay-record 7.2). Transactions are not looked into. Throws
 * REPLAY_VERSION_UNKNOWN or REPLAY_RECORD_MALFORMED. The result shares no memory with `bytes`.
 */
export function decodeReplayRecord(bytes: Bytes, version: number): ReplayRecord {
  if (!isReplayVersion(version)) {
    throw new ProtocolError(
      'REPLAY_VERSION_UNKNOWN',
      `replay record version ${version} is not known: 1 to ${REPLAY_VERSION_NEWEST} are`,
      { version },
    );
  }
  const reader = new Reader(bytes);
  const context = readContext(reader, version);
  const startingL1PriorityId = reader.integer('starting L1 priority id');
  const transactions: Bytes[] = [];
  for (let left = reader.length('number of transactions'); left > 0; left--)
    transactions.push(reader.byteString('transaction'));
  const record = {
    context,
    startingL1PriorityId,
    transactions,
    previousBlockTimestamp: reader.integer('previous block timestamp'),
    nodeVersion: readText(reader),
    blockOutputHash: reader.fixed('block output hash', 32),
  };
  reader.finish();
  return record;
}
