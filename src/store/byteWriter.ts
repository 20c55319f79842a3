/** Appends values to one growing buffer, which is used again for the next value. */
import type { Bytes } from '../common/bytes.ts';

const START_BYTES = 64 * 1024;
/** A larger buffer than this is given back after use. */
const KEEP_BYTES_MAX = 4 * 1024 * 1024;
const WORD_32 = 0x1_0000_0000;

export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(START_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, as memory of its own; the writer is empty then. */
  take(): Bytes {
    const out = new Uint8Array(this.#length);
    out.set(this.#buffer.subarray(0, this.#length));
    this.reset();
    return out;
  }

  reset(): void {
    this.#length = 0;
    if (this.#buffer.length > KEEP_BYTES_MAX) this.#buffer = Buffer.allocUnsafeSlow(START_BYTES);
  }

  byte(value: number): void {
    this.#need(1);
    this.#buffer[this.#length++] = value;
  }

  u32(value: number): void {
    this.#need(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
  }

  /** Overwrites four bytes written before. */
  setU32(offset: number, value: number): void {
    this.#buffer.writeUInt32BE(value, offset);
  }

  /** A whole number from 0 to 2^53 - 1: seven bits a byte, lowest first. */
  varint(value: number): void {
    this.#need(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest = rest < WORD_32 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** A whole number that is not negative, of at most 255 bytes: length byte, then big-endian without leading zeros. */
  big(value: bigint): void {
    if (value >= 0n && value <= 0xffff_ffffn) this.#smallBig(Number(value));
    else this.#largeBig(value);
  }

  /** Without their length, which the reader knows: it is checked here. */
  fixed(bytes: Bytes, length: number): void {
    if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where ${length} are stored`);
    this.#append(bytes);
  }

  #append(bytes: Bytes): void {
    this.#need(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** With its length. */
  bytes(bytes: Bytes): void {
    this.varint(bytes.length);
    this.#append(bytes);
  }

  #smallBig(value: number): void {
    this.#need(5);
    const width = value === 0 ? 0 : (39 - Math.clz32(value)) >>> 3;
    this.#buffer[this.#length++] = width;
    for (let shift = width * 8 - 8; shift >= 0; shift -= 8) this.#buffer[this.#length++] = value >>> shift;
  }

  #largeBig(value: bigint): void {
    if (value < 0n) throw new RangeError(`${value} is negative`);
    const digits = value.toString(16);
    const width = (digits.length + 1) >>> 1;
    this.#need(width + 1);
    this.#buffer[this.#length++] = width;
    this.#length += this.#buffer.write(digits.length % 2 === 0 ? digits : `0${digits}`, this.#length, width, 'hex');
  }

  #need(count: number): void {
    const length = this.#length + count;
    if (length <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
