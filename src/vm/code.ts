/** Code ready to run, and a bounded cache of it by content. */
import { bytesKey, EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { jumpMap, observableCode, storedJumpMap } from '../protocol/accountRecord.ts';
import type { AccountCodeFields } from '../protocol/accountRecord.ts';
import { CodeBlocks } from './codeBlocks.ts';

/** Zero bytes behind the code: what runs past its end meets STOP, and PUSH32 as the last byte stays in bounds. */
const SENTINEL_BYTES = 33;

export interface Code {
  /** The code and zero bytes behind it. */
  readonly bytes: Bytes;
  /** Of `bytes`. */
  readonly view: DataView;
  /** Of the code itself. */
  readonly length: number;
  /** One bit per byte, least significant first, set at valid JUMPDESTs. */
  readonly jumps: Bytes;
  readonly blocks: CodeBlocks;
}

function withSentinel(code: Bytes): Omit<Code, 'jumps'> {
  const bytes = new Uint8Array(code.length + SENTINEL_BYTES);
  bytes.set(code);
  return { bytes, view: new DataView(bytes.buffer), length: code.length, blocks: new CodeBlocks(bytes) };
}

export const EMPTY_CODE: Code = { ...withSentinel(EMPTY_BYTES), jumps: EMPTY_BYTES };

/** Code that is not stored: init code. */
export function codeFromBytes(code: Bytes): Code {
  return code.length === 0 ? EMPTY_CODE : { ...withSentinel(code), jumps: jumpMap(code) };
}

/** Stored code, with the fields of the account record that say what lies where in it (spec: state 3). */
export function codeFromStored(stored: Bytes, fields: AccountCodeFields): Code {
  const code = observableCode(stored, fields);
  return { ...withSentinel(code), jumps: storedJumpMap(stored, fields).slice() };
}

/** The code, its jump map, the index of its blocks and the blocks, of which few have less than six bytes. */
const CACHED_BYTES_PER_CODE_BYTE = 6;

/** Keeps the most recently used half when it is full: two generations. Content-addressed, so it is never stale. */
export class CodeCache {
  #young = new Map<string, Code>();
  #old = new Map<string, Code>();
  #youngBytes = 0;
  readonly #generationBytesMax: number;

  constructor(bytesMax: number) {
    this.#generationBytesMax = bytesMax / 2;
  }

  /** Codes with the same stored form can differ in length. */
  static #key(fields: AccountCodeFields): string {
    return `${bytesKey(fields.bytecodeHash)}${fields.observableBytecodeLength}`;
  }

  get(fields: AccountCodeFields): Code | undefined {
    const key = CodeCache.#key(fields);
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.#add(key, old);
    return old;
  }

  add(fields: AccountCodeFields, code: Code): void {
    this.#add(CodeCache.#key(fields), code);
  }

  #add(key: string, code: Code): void {
    this.#young.set(key, code);
    this.#youngBytes += CACHED_BYTES_PER_CODE_BYTE * code.bytes.length;
    if (this.#youngBytes <= this.#generationBytesMax) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}

const CODE_CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** One per thread. */
export const codeCache = new CodeCache(CODE_CACHE_BYTES_MAX);
