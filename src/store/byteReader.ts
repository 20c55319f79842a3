/** Reads what ByteWriter wrote. Bytes come out as views of the input unless the name says copy. */
import { asBuffer, type Bytes } from '../common/bytes.ts';
import { StoreError } from './errors.ts';

export class ByteReader {
  readonly #bytes: Bytes;
  readonly #buffer: Buffer;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Bytes, start = 0, end = bytes.length) {
    // Views of a Buffer would be Buffers.
    this.#bytes = Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes;
    this.#buffer = asBuffer(bytes);
    this.#offset = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  get done(): boolean {
    return this.#offset === this.#end;
  }

  byte(): number {
    const at = this.#take(1);
    return this.#bytes[at] ?? 0;
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw malformed(this.#offset, 'a number is too long');
  }

  big(): bigint {
    const width = this.byte();
    if (width === 0) return 0n;
    const at = this.#take(width);
    if (width <= 6) return BigInt(this.#buffer.readUIntBE(at, width));
    if (width <= 8)
      return (
        BigInt(this.#buffer.readUIntBE(at, width - 4)) * 0x1_0000_0000n +
        BigInt(this.#buffer.readUInt32BE(at + width - 4))
      );
    return BigInt(`0x${this.#buffer.toString('hex', at, at + width)}`);
  }

  fixed(length: number): Bytes {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  fixedCopy(length: number): Bytes {
    return new Uint8Array(this.fixed(length));
  }

  bytes(): Bytes {
    return this.fixed(this.varint());
  }

  bytesCopy(): Bytes {
    return new Uint8Array(this.bytes());
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (!this.done) throw malformed(this.#offset, 'bytes are left over');
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.#end - at) throw malformed(at, 'the bytes end early');
    this.#offset = at + length;
    return at;
  }
}

function malformed(offset: number, what: string): StoreError {
  return new StoreError(
    'fatal',
    'STORE_DAMAGED',
    `a stored value is damaged at byte ${offset}: ${what}. The store can be built again from the log: \`reprise rebuild\`.`,
    { offset },
  );
}
