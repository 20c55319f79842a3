/** Compressed diffs, the pubdata of a block and the data-availability header over it (spec: state 7). */
import { concatBytes, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { keccak256 } from '../common/hash.ts';
import { equalAccountCode, paddedCodeLength } from './accountRecord.ts';
import type { AccountRecord } from './accountRecord.ts';
import type { L2ToL1Log } from './blockOutput.ts';
import { ProtocolError } from './errors.ts';
import { decodeL2ToL1Log, L2_TO_L1_LOG_LENGTH, writeL2ToL1Log } from './receipts.ts';
import { byteLengthOf, dataView, writeIntegerBytes } from './words.ts';

const FULL = 0;
const ADD = 1;
const SUBTRACT = 2;
const TRANSFORM = 3;

const FULL_LENGTH = 33;
const ACCOUNT_DIFF = 4;
const FORMAT_FULL = 0;
const FORMAT_NONCE = 1;
const FORMAT_BALANCE = 2;
const FORMAT_NONCE_AND_BALANCE = 3;
const FORMAT_NO_BYTECODE = 4;

/**
 * Length in bytes of `valueDiff(initial, final)`. Of the difference, only one of final - initial and initial - final
 * can be in range, so the shorter of it and the plain value decides.
 */
export function valueDiffLength(initial: bigint, final: bigint): number {
  const delta = byteLengthOf(final >= initial ? final - initial : initial - final);
  const plain = byteLengthOf(final);
  const shortest = delta <= plain ? delta : plain;
  return shortest < 32 ? 1 + shortest : FULL_LENGTH;
}

/** Writes the value diff at `offset` and returns the offset behind it. */
function writeValueDiff(out: Bytes, offset: number, initial: bigint, final: bigint): number {
  const grows = final >= initial;
  const delta = grows ? final - initial : initial - final;
  const deltaLength = byteLengthOf(delta);
  const plainLength = byteLengthOf(final);
  let kind = FULL;
  let payload = final;
  let length = 32;
  if (deltaLength < length) {
    kind = grows ? ADD : SUBTRACT;
    payload = delta;
    length = deltaLength;
  }
  if (plainLength < length) {
    kind = TRANSFORM;
    payload = final;
    length = plainLength;
  }
  out[offset] = kind === FULL ? 0 : (length << 3) | kind;
  return writeIntegerBytes(out, offset + 1, payload, length);
}

/**
 * The shortest of full value, addition, subtraction and plain value without zeros; among equals the first in this order
 * (spec: state 7.1). Both values are from 0 to 2^256-1.
 */
export function valueDiff(initial: bigint, final: bigint): Bytes {
  const out = new Uint8Array(valueDiffLength(initial, final));
  writeValueDiff(out, 0, initial, final);
  return out;
}

/** Length in bytes of the stored code of an account: padded code and jump map. */
function storedCodeLength(record: AccountRecord): number {
  return paddedCodeLength(record.unpaddedCodeLength) + record.artifactsLength;
}

/** Bytes before the two diffs of formats 0 and 4 (metadata, versioning) and behind them besides code or hash. */
const FULL_FIXED_LENGTH = 1 + 8 + 4 + 4 + 4;
const NO_BYTECODE_FIXED_LENGTH = 1 + 8 + 32 + 4 + 4;

/** Length in bytes of the diff of an account whose nonce or balance changed, and nothing else. */
export function balanceDiffLength(
  initial: Pick<AccountRecord, 'nonce' | 'balance'>,
  final: Pick<AccountRecord, 'nonce' | 'balance'>,
): number {
  let length = 1;
  if (initial.nonce !== final.nonce) length += valueDiffLength(initial.nonce, final.nonce);
  if (initial.balance !== final.balance) length += valueDiffLength(initial.balance, final.balance);
  assert(length > 1, 'an account diff was asked for although the account record did not change');
  return length;
}

/**
 * Length in bytes of the account diff; `publishCode` false selects format 4 over 0 (spec: state 7.2). The records must
 * differ.
 */
export function accountDiffLength(initial: AccountRecord, final: AccountRecord, publishCode: boolean): number {
  if (equalAccountCode(initial, final)) return balanceDiffLength(initial, final);
  const diffs = valueDiffLength(initial.nonce, final.nonce) + valueDiffLength(initial.balance, final.balance);
  return diffs + (publishCode ? FULL_FIXED_LENGTH + storedCodeLength(final) : NO_BYTECODE_FIXED_LENGTH);
}

function writeAccountDiff(
  out: Bytes,
  offset: number,
  diff: { initial: AccountRecord; final: AccountRecord; storedCode: Bytes | undefined },
): number {
  const { initial, final, storedCode } = diff;
  let position = offset + 1;
  if (equalAccountCode(initial, final)) {
    const nonceChanged = initial.nonce !== final.nonce;
    const balanceChanged = initial.balance !== final.balance;
    const format = nonceChanged ? (balanceChanged ? FORMAT_NONCE_AND_BALANCE : FORMAT_NONCE) : FORMAT_BALANCE;
    out[offset] = (format << 3) | ACCOUNT_DIFF;
    if (nonceChanged) position = writeValueDiff(out, position, initial.nonce, final.nonce);
    if (balanceChanged) position = writeValueDiff(out, position, initial.balance, final.balance);
    return position;
  }
  const view = dataView(out);
  out[offset] = ((storedCode === undefined ? FORMAT_NO_BYTECODE : FORMAT_FULL) << 3) | ACCOUNT_DIFF;
  out.set(final.versioning, position);
  position = writeValueDiff(out, position + 8, initial.nonce, final.nonce);
  position = writeValueDiff(out, position, initial.balance, final.balance);
  if (storedCode === undefined) {
    out.set(final.bytecodeHash, position);
    position += 32;
    view.setUint32(position, final.artifactsLength);
    position += 4;
  } else {
    assert(
      storedCode.length === storedCodeLength(final),
      `stored code of ${storedCode.length} bytes does not fit its account record`,
    );
    view.setUint32(position, final.unpaddedCodeLength);
    view.setUint32(position + 4, final.artifactsLength);
    out.set(storedCode, position + 8);
    position += 8 + storedCode.length;
  }
  view.setUint32(position, final.observableBytecodeLength);
  return position + 4;
}

/**
 * The change of an account record (spec: state 7.2). `storedCode` undefined: the code is not published (force deploy);
 * it matters only when more than nonce and balance changed. The records must differ.
 */
export function accountDiff(initial: AccountRecord, final: AccountRecord, storedCode: Bytes | undefined): Bytes {
  const out = new Uint8Array(accountDiffLength(initial, final, storedCode !== undefined));
  writeAccountDiff(out, 0, { initial, final, storedCode });
  return out;
}

/** One write of a block, in storage order. `initial` is the value at block start. */
export type PubdataDiff =
  | { readonly kind: 'slot'; readonly flatKey: Bytes; readonly initial: bigint; readonly final: bigint }
  | {
      readonly kind: 'account';
      readonly flatKey: Bytes;
      readonly initial: AccountRecord;
      readonly final: AccountRecord;
      /** undefined: not to be published, or unchanged. */
      readonly storedCode: Bytes | undefined;
    };

export interface PubdataInput {
  readonly blockHash: Bytes;
  readonly diffs: readonly PubdataDiff[];
  readonly l2ToL1Logs: readonly L2ToL1Log[];
  /** Data of the messages, in order. */
  readonly messages: readonly Bytes[];
}

/** Bytes that the diff does not exceed: most are of values, whose length is only known once they are written. */
function diffLengthMax(diff: PubdataDiff): number {
  if (diff.kind === 'slot') return FULL_LENGTH;
  const { initial, final, storedCode } = diff;
  if (equalAccountCode(initial, final)) return 1 + 2 * FULL_LENGTH;
  return (
    2 * FULL_LENGTH +
    (storedCode === undefined ? NO_BYTECODE_FIXED_LENGTH : FULL_FIXED_LENGTH + storedCodeLength(final))
  );
}

/** The pubdata of a block (spec: state 7). */
export function encodePubdata(input: PubdataInput): Bytes {
  let lengthMax = 32 + 4 + 4 + 4 + input.l2ToL1Logs.length * L2_TO_L1_LOG_LENGTH;
  for (const diff of input.diffs) lengthMax += 32 + diffLengthMax(diff);
  for (const message of input.messages) lengthMax += 4 + message.length;
  const out = new Uint8Array(lengthMax);
  const view = dataView(out);
  out.set(input.blockHash);
  view.setUint32(32, input.diffs.length);
  let position = 36;
  for (const diff of input.diffs) {
    out.set(diff.flatKey, position);
    position += 32;
    position =
      diff.kind === 'slot'
        ? writeValueDiff(out, position, diff.initial, diff.final)
        : writeAccountDiff(out, position, diff);
  }
  view.setUint32(position, input.l2ToL1Logs.length);
  position += 4;
  for (const log of input.l2ToL1Logs) position = writeL2ToL1Log(out, position, log);
  view.setUint32(position, input.messages.length);
  position += 4;
  for (const message of input.messages) {
    view.setUint32(position, message.length);
    out.set(message, position + 4);
    position += 4 + message.length;
  }
  assert(position <= lengthMax, `pubdata was sized ${lengthMax} bytes and filled to ${position}`);
  return out.slice(0, position);
}

export interface DecodedValueDiff {
  readonly kind: 'set' | 'add' | 'subtract';
  readonly amount: bigint;
}

export type DecodedDiff =
  | { readonly kind: 'slot'; readonly flatKey: Bytes; readonly encoded: Bytes; readonly value: DecodedValueDiff }
  | {
      readonly kind: 'account';
      readonly flatKey: Bytes;
      readonly encoded: Bytes;
      readonly nonce: DecodedValueDiff | undefined;
      readonly balance: DecodedValueDiff | undefined;
      readonly code: DecodedCodeChange | undefined;
    };

export type DecodedCodeChange =
  | {
      readonly kind: 'published';
      readonly versioning: Bytes;
      readonly unpaddedCodeLength: number;
      readonly artifactsLength: number;
      readonly storedCode: Bytes;
      readonly observableBytecodeLength: number;
    }
  | {
      readonly kind: 'hash';
      readonly versioning: Bytes;
      readonly bytecodeHash: Bytes;
      readonly artifactsLength: number;
      readonly observableBytecodeLength: number;
    };

export interface DecodedPubdata {
  readonly blockHash: Bytes;
  readonly diffs: readonly DecodedDiff[];
  readonly l2ToL1Logs: readonly L2ToL1Log[];
  readonly messages: readonly Bytes[];
}

class PubdataReader {
  readonly #bytes: Bytes;
  position = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  fail(message: string): never {
    throw new ProtocolError('PUBDATA_MALFORMED', `malformed pubdata at byte ${this.position}: ${message}`, {
      offset: this.position,
    });
  }

  take(length: number): Bytes {
    const start = this.position;
    if (length > this.#bytes.length - start)
      this.fail(`${length} bytes are expected, ${this.#bytes.length - start} are left`);
    this.position += length;
    return this.#bytes.slice(start, this.position);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  u32(): number {
    return dataView(this.take(4)).getUint32(0);
  }

  since(start: number): Bytes {
    return this.#bytes.slice(start, this.position);
  }

  finish(): void {
    if (this.position !== this.#bytes.length) this.fail(`${this.#bytes.length - this.position} bytes are left over`);
  }

  valueDiff(metadata: number): DecodedValueDiff {
    const kind = metadata & 7;
    const length = kind === FULL ? 32 : metadata >> 3;
    if (kind > TRANSFORM || (kind === FULL && metadata !== 0))
      this.fail(`0x${metadata.toString(16)} starts no value diff`);
    const payload = this.take(length);
    if (kind !== FULL && payload[0] === 0) this.fail('the payload of a value diff has a leading zero');
    let amount = 0n;
    for (const byte of payload) amount = (amount << 8n) | BigInt(byte);
    return { kind: kind === ADD ? 'add' : kind === SUBTRACT ? 'subtract' : 'set', amount };
  }

  diff(): DecodedDiff {
    const flatKey = this.take(32);
    const start = this.position;
    const metadata = this.byte();
    if ((metadata & 7) !== ACCOUNT_DIFF) {
      const value = this.valueDiff(metadata);
      return { kind: 'slot', flatKey, encoded: this.since(start), value };
    }
    const format = metadata >> 3;
    if (format > FORMAT_NO_BYTECODE) this.fail(`account diff format ${format} is not known`);
    const hasCode = format === FORMAT_FULL || format === FORMAT_NO_BYTECODE;
    const versioning = hasCode ? this.take(8) : undefined;
    const nonce = format === FORMAT_BALANCE ? undefined : this.valueDiff(this.byte());
    const balance = format === FORMAT_NONCE ? undefined : this.valueDiff(this.byte());
    const code = versioning === undefined ? undefined : this.code(format, versioning);
    return { kind: 'account', flatKey, encoded: this.since(start), nonce, balance, code };
  }

  code(format: number, versioning: Bytes): DecodedCodeChange {
    if (format === FORMAT_NO_BYTECODE) {
      return {
        kind: 'hash',
        versioning,
        bytecodeHash: this.take(32),
        artifactsLength: this.u32(),
        observableBytecodeLength: this.u32(),
      };
    }
    const unpaddedCodeLength = this.u32();
    const artifactsLength = this.u32();
    const storedCode = this.take(paddedCodeLength(unpaddedCodeLength) + artifactsLength);
    return {
      kind: 'published',
      versioning,
      unpaddedCodeLength,
      artifactsLength,
      storedCode,
      observableBytecodeLength: this.u32(),
    };
  }
}

/** Decodes the pubdata of one block (spec: state 7); throws PUBDATA_MALFORMED. The result shares no memory with `bytes`. */
export function decodePubdata(bytes: Bytes): DecodedPubdata {
  const reader = new PubdataReader(bytes);
  const blockHash = reader.take(32);
  const diffs: DecodedDiff[] = [];
  for (let left = reader.u32(); left > 0; left--) diffs.push(reader.diff());
  const l2ToL1Logs: L2ToL1Log[] = [];
  for (let left = reader.u32(); left > 0; left--) l2ToL1Logs.push(decodeL2ToL1Log(reader.take(L2_TO_L1_LOG_LENGTH)));
  const messages: Bytes[] = [];
  for (let left = reader.u32(); left > 0; left--) messages.push(reader.take(reader.u32()));
  reader.finish();
  return { blockHash, diffs, l2ToL1Logs, messages };
}

const DA_BLOB_COUNT = Uint8Array.of(1);
const DA_SOURCE_CALLDATA = Uint8Array.of(0);

/** 32 zero bytes || keccak256(pubdata of the batch) || 01 || 32 zero bytes: 97 bytes (spec: state 7.3). */
export function daHeader(pubdata: Bytes): Bytes {
  return concatBytes(ZERO_32, keccak256(pubdata), DA_BLOB_COUNT, ZERO_32);
}

/** keccak256 of `daHeader`, the same in rollup and validium mode (spec: state 7.3, batches 6.5). */
export function daCommitment(pubdata: Bytes): Bytes {
  return keccak256(daHeader(pubdata));
}

/** What is sent to L1 with a commit (spec: state 7.3). */
export function operatorDaInput(pubdata: Bytes, mode: 'rollup' | 'validium'): Bytes {
  return mode === 'validium'
    ? new Uint8Array(32)
    : concatBytes(daHeader(pubdata), DA_SOURCE_CALLDATA, pubdata, ZERO_32);
}
