/**
 * The part of Avro's binary encoding that the log's schemas use, in its one canonical form. The reader refuses everything
 * else (long varints, negative block counts, ill-formed text), so what it accepts encodes to the same bytes again; and it
 * bounds every count by the bytes that are there, so no input can make it loop or allocate without end.
 */
import { type Bytes, asBuffer, bigIntToMinimalBytes, bytesToBigInt } from '../common/bytes.ts';
import { NodeError, assert } from '../common/errors.ts';

const MAX_COUNT = 2 ** 31 - 1;
const U64_MAX = (1n << 64n) - 1n;
const U256_MAX = (1n << 256n) - 1n;

/** Reusable: `reset`, write, `finish`. */
export class AvroWriter {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #view = viewOf(this.#bytes);
  #length = 0;

  reset(): void {
    this.#length = 0;
  }

  /** A copy with memory of its own. */
  finish(): Bytes {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  /** Lengths, counts, branches of unions and symbols of enums. */
  count(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > MAX_COUNT) throw unfit(value, 'a count');
    this.#reserve(5);
    // Zigzag of a number that is not negative is its double.
    let rest = value * 2;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  u64(value: bigint): void {
    if (value < 0n || value > U64_MAX) throw unfit(value, 'an unsigned 64-bit field');
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value);
    this.#length += 8;
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32) throw unfit(value, 'an unsigned 32-bit field');
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  u256(value: bigint): void {
    if (value < 0n || value > U256_MAX) throw unfit(value, 'an unsigned 256-bit field');
    this.bytes(bigIntToMinimalBytes(value));
  }

  fixed(value: Bytes, width: number): void {
    if (value.length !== width) throw unfit(`a value of ${value.length} bytes`, `a field of ${width}`);
    this.#append(value);
  }

  bytes(value: Bytes): void {
    this.count(value.length);
    this.#append(value);
  }

  text(value: string): void {
    assert(value.isWellFormed(), 'text with a lone surrogate');
    const size = Buffer.byteLength(value);
    this.count(size);
    this.#reserve(size);
    this.#length += this.#bytes.write(value, this.#length, 'utf8');
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): void {
    if (items.length > 0) {
      this.count(items.length);
      for (const item of items) write(item);
    }
    this.count(0);
  }

  /** A union of null and something. */
  optional<Value>(value: Value | undefined, write: (value: Value) => void): void {
    this.count(value === undefined ? 0 : 1);
    if (value !== undefined) write(value);
  }

  #append(value: Bytes): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

/** The input is not canonical Avro of the expected shape. Caught by the decoder of entries, never seen outside. */
export class AvroError extends Error {}

export class AvroReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Bytes, offset: number) {
    this.#bytes = asBuffer(bytes);
    this.#view = viewOf(bytes);
    this.#offset = offset;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  count(): number {
    let value = 0;
    let scale = 1;
    for (let read = 0; read < 5; read++) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && read > 0) throw new AvroError('integer longer than needed');
        if (value % 2 !== 0 || value / 2 > MAX_COUNT) throw new AvroError('count out of range');
        return value / 2;
      }
      scale *= 0x80;
    }
    throw new AvroError('count out of range');
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u256(): bigint {
    const size = this.count();
    if (size > 32) throw new AvroError('wider than 256 bits');
    const start = this.#take(size);
    if (size > 0 && this.#bytes[start] === 0) throw new AvroError('leading zero');
    return bytesToBigInt(this.#bytes.subarray(start, start + size));
  }

  fixed(width: number): Bytes {
    const start = this.#take(width);
    return copyOf(this.#bytes, start, start + width);
  }

  bytes(): Bytes {
    return this.fixed(this.count());
  }

  text(): string {
    const size = this.count();
    const start = this.#take(size);
    const value = this.#bytes.toString('utf8', start, start + size);
    // Ill-formed text decodes to replacement characters, which do not encode to the same bytes again.
    if (Buffer.byteLength(value) !== size || !Buffer.from(value).equals(this.#bytes.subarray(start, start + size))) {
      throw new AvroError('text is not UTF-8');
    }
    return value;
  }

  array<Item>(read: () => Item): Item[] {
    const count = this.count();
    const items: Item[] = [];
    if (count === 0) return items;
    if (count > this.#bytes.length - this.#offset) throw new AvroError('more items than bytes');
    for (let i = 0; i < count; i++) items.push(read());
    if (this.count() !== 0) throw new AvroError('array in more than one block');
    return items;
  }

  optional<Value>(read: () => Value): Value | undefined {
    const branch = this.count();
    if (branch > 1) throw new AvroError('no such branch');
    return branch === 0 ? undefined : read();
  }

  #take(size: number): number {
    const start = this.#offset;
    if (size > this.#bytes.length - start) throw new AvroError('truncated');
    this.#offset = start + size;
    return start;
  }
}

function unfit(value: unknown, field: string): NodeError {
  return new NodeError('invariant', `${value} does not fit ${field}`, { code: 'ENTRY_FIELD' });
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** With memory of its own: views of a large buffer would take all of it along to another thread. */
function copyOf(bytes: Buffer, start: number, end: number): Bytes {
  const copy = new Uint8Array(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}
