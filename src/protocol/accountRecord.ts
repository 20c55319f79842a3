/** The 124-byte account record and the stored form of code (spec: state 2 and 3). */
import { bytesKey, equalBytes, isZero, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { blake2s256, keccak256 } from '../common/hash.ts';
import { ProtocolError } from './errors.ts';
import { dataView, readU256, writeU256 } from './words.ts';

export const ACCOUNT_RECORD_LENGTH = 124;

export interface AccountRecord {
  /** 8 bytes, most significant first: deployment status, environment, code version, then zeros. */
  readonly versioning: Bytes;
  readonly nonce: bigint;
  /** wei */
  readonly balance: bigint;
  /** BLAKE2s of the stored code; zero without code. */
  readonly bytecodeHash: Bytes;
  /** bytes */
  readonly unpaddedCodeLength: number;
  /** Length in bytes of the jump map behind the padded code. */
  readonly artifactsLength: number;
  /** keccak256 of the code; zero without code. */
  readonly observableBytecodeHash: Bytes;
  /** bytes */
  readonly observableBytecodeLength: number;
}

export const VERSIONING_NO_CODE: Bytes = new Uint8Array(8);
/** Deployed, EVM, jump map appended: every contract. */
export const VERSIONING_DEPLOYED: Bytes = Uint8Array.of(1, 1, 1, 0, 0, 0, 0, 0);

/** What an absent account reads as. */
export const EMPTY_ACCOUNT_RECORD: AccountRecord = {
  versioning: VERSIONING_NO_CODE,
  nonce: 0n,
  balance: 0n,
  bytecodeHash: ZERO_32,
  unpaddedCodeLength: 0,
  artifactsLength: 0,
  observableBytecodeHash: ZERO_32,
  observableBytecodeLength: 0,
};

// Filled anew by every record that is decoded: views of its own would cost more than the record.
const scratch = new Uint8Array(ACCOUNT_RECORD_LENGTH);
const scratchView = dataView(scratch);
const scratchWords = new Uint32Array(scratch.buffer);
/** Of the code fields behind nonce and balance, in words. */
const CODE_START = 12;

/** Whether the record in `scratch` has no code, nor ever had. */
function hasNoCode(): boolean {
  let any = (scratchWords[0] ?? 0) | (scratchWords[1] ?? 0);
  for (let i = CODE_START; i < ACCOUNT_RECORD_LENGTH / 4; i++) any |= scratchWords[i] ?? 0;
  return any === 0;
}

/** A record as the state holds it: decoded and named at most once, however many blocks read it. */
export class StoredAccountRecord {
  /** 124 */
  readonly bytes: Bytes;
  #record: AccountRecord | undefined;
  #key: string | undefined;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  /** Throws ACCOUNT_RECORD_MALFORMED. */
  get record(): AccountRecord {
    return (this.#record ??= decodeAccountRecord(this.bytes));
  }

  /** `bytesKey` of the bytes. */
  get key(): string {
    return (this.#key ??= bytesKey(this.bytes));
  }
}

/** Decodes 124 bytes; throws ACCOUNT_RECORD_MALFORMED on another length (spec: state 2). The result shares no memory with `bytes`. */
export function decodeAccountRecord(bytes: Bytes): AccountRecord {
  if (bytes.length !== ACCOUNT_RECORD_LENGTH) {
    throw new ProtocolError(
      'ACCOUNT_RECORD_MALFORMED',
      `an account record has ${ACCOUNT_RECORD_LENGTH} bytes, not ${bytes.length}`,
    );
  }
  scratch.set(bytes);
  const view = scratchView;
  const nonce = view.getBigUint64(8);
  const balance = readU256(view, 16);
  if (hasNoCode()) return { ...EMPTY_ACCOUNT_RECORD, nonce, balance };
  return {
    versioning: bytes.slice(0, 8),
    nonce,
    balance,
    bytecodeHash: bytes.slice(48, 80),
    unpaddedCodeLength: view.getUint32(80),
    artifactsLength: view.getUint32(84),
    observableBytecodeHash: bytes.slice(88, 120),
    observableBytecodeLength: view.getUint32(120),
  };
}

/** The 124 bytes (spec: state 2). */
export function encodeAccountRecord(record: AccountRecord): Bytes {
  const view = scratchView;
  scratch.fill(0);
  view.setBigUint64(8, record.nonce);
  writeU256(view, 16, record.balance);
  // Accounts without code share these, and they are zero.
  if (record.versioning !== VERSIONING_NO_CODE) scratch.set(record.versioning, 0);
  if (record.bytecodeHash !== ZERO_32) scratch.set(record.bytecodeHash, 48);
  if (record.observableBytecodeHash !== ZERO_32) scratch.set(record.observableBytecodeHash, 88);
  view.setUint32(80, record.unpaddedCodeLength);
  view.setUint32(84, record.artifactsLength);
  view.setUint32(120, record.observableBytecodeLength);
  return scratch.slice();
}

/** BLAKE2s of the stored code, a view of the encoded record; undefined: the account has no code. */
export function codeHashOfRecord(encodedRecord: Bytes): Bytes | undefined {
  const hash = encodedRecord.subarray(48, 80);
  return isZero(hash) ? undefined : hash;
}

/** BLAKE2s of the 124 bytes: the value of the account's slot and the key of the preimage. */
export function accountRecordHash(encodedRecord: Bytes): Bytes {
  return blake2s256(encodedRecord);
}

export function equalAccountRecords(a: AccountRecord, b: AccountRecord): boolean {
  return a.nonce === b.nonce && a.balance === b.balance && equalAccountCode(a, b);
}

/** Whether all fields but nonce and balance are equal. */
export function equalAccountCode(a: AccountRecord, b: AccountRecord): boolean {
  return (
    a.unpaddedCodeLength === b.unpaddedCodeLength &&
    a.artifactsLength === b.artifactsLength &&
    a.observableBytecodeLength === b.observableBytecodeLength &&
    (a.versioning === b.versioning || equalBytes(a.versioning, b.versioning)) &&
    (a.bytecodeHash === b.bytecodeHash || equalBytes(a.bytecodeHash, b.bytecodeHash)) &&
    (a.observableBytecodeHash === b.observableBytecodeHash ||
      equalBytes(a.observableBytecodeHash, b.observableBytecodeHash))
  );
}

/** Length in bytes of code with its zero padding to a multiple of 8. */
export function paddedCodeLength(codeLength: number): number {
  return Math.ceil(codeLength / 8) * 8;
}

/** Length in bytes of the jump map of code: whole 64-bit words. */
export function jumpMapLength(codeLength: number): number {
  return Math.ceil(codeLength / 64) * 8;
}

function writeJumpMap(code: Bytes, out: Bytes, offset: number): void {
  const length = code.length;
  for (let i = 0; i < length; i++) {
    const opcode = code[i] ?? 0;
    if (opcode === 0x5b) {
      const at = offset + (i >> 3);
      out[at] = (out[at] ?? 0) | (1 << (i & 7));
    } else if (opcode >= 0x60 && opcode <= 0x7f) {
      i += opcode - 0x5f;
    }
  }
}

/** One bit per code byte, least significant first, set at every valid JUMPDEST (spec: state 3). */
export function jumpMap(code: Bytes): Bytes {
  const out = new Uint8Array(jumpMapLength(code.length));
  writeJumpMap(code, out, 0);
  return out;
}

/** code || zero padding to 8 || jump map: the preimage of the bytecode hash (spec: state 3). */
export function storedCode(code: Bytes): Bytes {
  const padded = paddedCodeLength(code.length);
  const out = new Uint8Array(padded + jumpMapLength(code.length));
  out.set(code);
  writeJumpMap(code, out, padded);
  return out;
}

export type AccountCodeFields = Omit<AccountRecord, 'nonce' | 'balance'>;

/** The fields of the record of an account with this code (spec: state 2 and 3). `stored` is `storedCode(code)`. */
export function deployedAccountFields(code: Bytes, stored: Bytes = storedCode(code)): AccountCodeFields {
  return {
    versioning: VERSIONING_DEPLOYED,
    bytecodeHash: blake2s256(stored),
    unpaddedCodeLength: code.length,
    artifactsLength: jumpMapLength(code.length),
    observableBytecodeHash: keccak256(code),
    observableBytecodeLength: code.length,
  };
}

/** The fields that say where in the stored code what lies. */
export type CodeLayout = Pick<
  AccountRecord,
  'versioning' | 'unpaddedCodeLength' | 'artifactsLength' | 'observableBytecodeLength'
>;

function codeVersion(layout: CodeLayout): number {
  return layout.versioning[2] ?? 0;
}

/** The code as the EVM and RPC see it: a view of `stored`. Throws CODE_PREIMAGE_MALFORMED when the preimage is too short. */
export function observableCode(stored: Bytes, layout: CodeLayout): Bytes {
  if (stored.length < layout.observableBytecodeLength) {
    throw new ProtocolError(
      'CODE_PREIMAGE_MALFORMED',
      `a code preimage has ${stored.length} bytes, its account record says ${layout.observableBytecodeLength} of code`,
    );
  }
  return stored.subarray(0, layout.observableBytecodeLength);
}

/** The jump map of stored code: a view of `stored`, or computed when the record says that there is none (spec: state 3). */
export function storedJumpMap(stored: Bytes, layout: CodeLayout): Bytes {
  const start = paddedCodeLength(layout.unpaddedCodeLength);
  const length = jumpMapLength(layout.unpaddedCodeLength);
  if (codeVersion(layout) === 1 && layout.artifactsLength === length && stored.length >= start + length) {
    return stored.subarray(start, start + length);
  }
  return jumpMap(observableCode(stored, layout));
}
