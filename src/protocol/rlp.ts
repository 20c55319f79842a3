/**
 * Strict canonical RLP: minimal lengths, single bytes below 0x80 as themselves, nothing left over. What decodes here
 * encodes back to the same bytes.
 */
import { bigIntToMinimalBytes, EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { ProtocolError } from './errors.ts';

export type RlpItem = Bytes | readonly RlpItem[];

/** Deepest nesting of lists that is decoded. Nothing in the protocol nests deeper than four. */
export const RLP_DEPTH_MAX = 32;

function malformed(message: string, offset: number): ProtocolError {
  return new ProtocolError('RLP_MALFORMED', `malformed RLP at byte ${offset}: ${message}`, { offset });
}

/**
 * Reads items one after the other without building a tree. Byte strings come out as views of the input. Throws
 * RLP_MALFORMED.
 */
export class RlpCursor {
  readonly #bytes: Bytes;
  readonly #end: number;
  #position: number;
  #payloadStart = 0;
  #payloadEnd = 0;
  #isList = false;

  constructor(bytes: Bytes, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  get position(): number {
    return this.#position;
  }

  get done(): boolean {
    return this.#position === this.#end;
  }

  /** Whether the next item is a list. */
  nextIsList(): boolean {
    return this.#position < this.#end && this.#byteAt(this.#position) >= 0xc0;
  }

  /** The next item, which must be a byte string. */
  bytes(): Bytes {
    const start = this.#position;
    this.#readHeader();
    if (this.#isList) throw malformed('a list stands where a byte string is expected', start);
    this.#position = this.#payloadEnd;
    return this.#bytes.subarray(this.#payloadStart, this.#payloadEnd);
  }

  /** A cursor over the items of the next item, which must be a list. */
  list(): RlpCursor {
    const start = this.#position;
    this.#readHeader();
    if (!this.#isList) throw malformed('a byte string stands where a list is expected', start);
    this.#position = this.#payloadEnd;
    return new RlpCursor(this.#bytes, this.#payloadStart, this.#payloadEnd);
  }

  /** Steps over the next item without looking inside it. */
  skip(): void {
    this.#readHeader();
    this.#position = this.#payloadEnd;
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (!this.done) throw malformed(`${this.#end - this.#position} bytes are left over`, this.#position);
  }

  #byteAt(offset: number): number {
    // Callers check the bounds; the fallback only satisfies the type.
    return this.#bytes[offset] ?? 0;
  }

  #readHeader(): void {
    const start = this.#position;
    if (start >= this.#end) throw malformed('the input ends where an item is expected', start);
    const prefix = this.#byteAt(start);
    this.#isList = prefix >= 0xc0;
    if (prefix < 0x80) {
      this.#payloadStart = start;
      this.#payloadEnd = start + 1;
      return;
    }
    const short = prefix - (this.#isList ? 0xc0 : 0x80);
    let length = short;
    let payloadStart = start + 1;
    if (short > 55) {
      const width = short - 55;
      payloadStart += width;
      if (payloadStart > this.#end) throw malformed('the length is cut off', start);
      if (this.#byteAt(start + 1) === 0) throw malformed('the length has a leading zero', start);
      length = 0;
      for (let i = start + 1; i < payloadStart; i++) length = length * 256 + this.#byteAt(i);
      if (length <= 55) throw malformed('a short item has a long length', start);
    }
    if (length > this.#end - payloadStart) throw malformed('the item is longer than what contains it', start);
    if (!this.#isList && short === 1 && this.#byteAt(payloadStart) < 0x80)
      throw malformed('a single byte below 0x80 has a prefix', start);
    this.#payloadStart = payloadStart;
    this.#payloadEnd = payloadStart + length;
  }
}

function readItem(cursor: RlpCursor, depth: number): RlpItem {
  if (!cursor.nextIsList()) return cursor.bytes();
  if (depth >= RLP_DEPTH_MAX) throw malformed(`lists are nested deeper than ${RLP_DEPTH_MAX}`, cursor.position);
  const list = cursor.list();
  const items: RlpItem[] = [];
  while (!list.done) items.push(readItem(list, depth + 1));
  return items;
}

/** Decodes the whole input. Byte strings are views of it. Throws RLP_MALFORMED. */
export function decodeRlp(bytes: Bytes): RlpItem {
  const cursor = new RlpCursor(bytes);
  const item = readItem(cursor, 0);
  cursor.finish();
  return item;
}

function isBytes(item: RlpItem): item is Bytes {
  return item instanceof Uint8Array;
}

/** Length in bytes of the prefix of a list, or of a byte string that is not a single byte below 0x80. */
export function rlpPrefixLength(payloadLength: number): number {
  if (payloadLength <= 55) return 1;
  if (payloadLength < 0x100) return 2;
  if (payloadLength < 0x1_0000) return 3;
  if (payloadLength < 0x100_0000) return 4;
  return 5;
}

/** Writes the prefix of a list (base 0xc0) or byte string (base 0x80) and returns the offset behind it. */
export function writeRlpPrefix(out: Bytes, offset: number, payloadLength: number, base: 0x80 | 0xc0): number {
  const width = rlpPrefixLength(payloadLength) - 1;
  if (width === 0) {
    out[offset] = base + payloadLength;
    return offset + 1;
  }
  out[offset] = base + 55 + width;
  let rest = payloadLength;
  for (let i = width; i > 0; i--) {
    out[offset + i] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
  return offset + 1 + width;
}

function payloadLength(items: readonly RlpItem[]): number {
  let length = 0;
  for (const item of items) length += rlpLength(item);
  return length;
}

/** Length in bytes of the encoding of `item`. */
export function rlpLength(item: RlpItem): number {
  if (isBytes(item)) {
    if (item.length === 1 && (item[0] ?? 0) < 0x80) return 1;
    return rlpPrefixLength(item.length) + item.length;
  }
  const length = payloadLength(item);
  return rlpPrefixLength(length) + length;
}

/** Writes the encoding of `item` at `offset` and returns the offset behind it. */
export function writeRlp(out: Bytes, offset: number, item: RlpItem): number {
  if (isBytes(item)) {
    const first = item[0] ?? 0;
    if (item.length === 1 && first < 0x80) {
      out[offset] = first;
      return offset + 1;
    }
    const start = writeRlpPrefix(out, offset, item.length, 0x80);
    out.set(item, start);
    return start + item.length;
  }
  let position = writeRlpPrefix(out, offset, payloadLength(item), 0xc0);
  for (const child of item) position = writeRlp(out, position, child);
  return position;
}

/** The canonical encoding. */
export function encodeRlp(item: RlpItem): Bytes {
  const out = new Uint8Array(rlpLength(item));
  writeRlp(out, 0, item);
  return out;
}

const SMALL_INTEGERS: readonly Bytes[] = Array.from({ length: 128 }, (_, value) =>
  value === 0 ? EMPTY_BYTES : Uint8Array.of(value),
);

/** An integer as RLP holds it: big-endian without leading zeros. */
export function rlpInteger(value: bigint | number): Bytes {
  if (value >= 0 && value < 128) return SMALL_INTEGERS[Number(value)] ?? EMPTY_BYTES;
  return bigIntToMinimalBytes(BigInt(value));
}

/** The encoding of the empty list. */
export const RLP_EMPTY_LIST: Bytes = Uint8Array.of(0xc0);
