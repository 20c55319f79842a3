/** Byte helpers shared by every folder. All integers are big-endian unless the name says otherwise. */

export type Bytes = Uint8Array;

export const EMPTY_BYTES: Bytes = new Uint8Array(0);
export const ZERO_32: Bytes = new Uint8Array(32);
export const ZERO_ADDRESS: Bytes = new Uint8Array(20);

/** Takes any byte array, which its type does not say; `toString` would need a Buffer around each. */
const latin1Slice = (
  Buffer.prototype as unknown as { latin1Slice: (this: Uint8Array, start: number, end: number) => string }
).latin1Slice;

/** A view of the same memory as a Buffer, for its fast conversions. */
export function asBuffer(bytes: Bytes): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `0x…` lower-case hex. */
export function toHex(bytes: Bytes): `0x${string}` {
  return `0x${bytes.toHex()}`;
}

/** Parses `0x…` or bare hex of even length. Throws a RangeError on anything else. */
export function fromHex(hex: string): Bytes {
  const digits = hex.startsWith('0x') ? hex.slice(2) : hex;
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits))
    throw new RangeError(`not hex of even length: ${hex.slice(0, 80)}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** A short string that is equal exactly when the bytes are equal: a key for Maps. */
export function bytesKey(bytes: Bytes): string {
  return bytes.length === 20 ? addressKey(bytes) : latin1Slice.call(bytes, 0, bytes.length);
}

/** As one expression, which is compiled without a call. */
function addressKey(b: Bytes): string {
  // prettier-ignore
  return String.fromCharCode(
    b[0]!, b[1]!, b[2]!, b[3]!, b[4]!, b[5]!, b[6]!, b[7]!, b[8]!, b[9]!,
    b[10]!, b[11]!, b[12]!, b[13]!, b[14]!, b[15]!, b[16]!, b[17]!, b[18]!, b[19]!,
  );
}

/** The inverse of `bytesKey`. */
export function keyBytes(key: string): Bytes {
  return new Uint8Array(Buffer.from(key, 'latin1'));
}

export function concatBytes(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function equalBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && asBuffer(a).equals(b);
}

export function isZero(bytes: Bytes): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

export function bytesToBigInt(bytes: Bytes): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes));
}

/** Fixed width, throws a RangeError when the value is negative or does not fit. */
export function bigIntToBytes(value: bigint, width: number): Bytes {
  const hex = value.toString(16);
  if (value < 0n || hex.length > width * 2) throw new RangeError(`${value} does not fit ${width} bytes`);
  return new Uint8Array(Buffer.from(hex.padStart(width * 2, '0'), 'hex'));
}

/** Without leading zeros; zero is the empty byte string. */
export function bigIntToMinimalBytes(value: bigint): Bytes {
  if (value < 0n) throw new RangeError(`${value} is negative`);
  if (value === 0n) return EMPTY_BYTES;
  const hex = value.toString(16);
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

export function u64be(value: bigint | number): Bytes {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value));
  return out;
}

export function readU64be(bytes: Bytes, offset = 0): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset);
}

export function u32be(value: number): Bytes {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

/** 12 zero bytes, then the 20-byte address. */
export function padAddress(address: Bytes): Bytes {
  const out = new Uint8Array(32);
  out.set(address, 12);
  return out;
}

/** Order of byte strings as big-endian numbers of equal width. */
export function compareBytes(a: Bytes, b: Bytes): number {
  return Buffer.compare(a, b);
}
