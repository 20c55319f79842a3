/** 256-bit big-endian words without a detour over hex: these run per slot and per changed account. */
import type { Bytes } from '../common/bytes.ts';

export const U64_MAX = 0xffff_ffff_ffff_ffffn;
export const U128_MAX = (1n << 128n) - 1n;
export const U256_MAX = (1n << 256n) - 1n;

/** Reads 32 bytes at `offset` as an unsigned integer. Throws a RangeError when they are not there. */
export function readU256(view: DataView, offset: number): bigint {
  const w3 = view.getBigUint64(offset);
  const w2 = view.getBigUint64(offset + 8);
  const w1 = view.getBigUint64(offset + 16);
  const w0 = view.getBigUint64(offset + 24);
  if (w3 === 0n && w2 === 0n) return w1 === 0n ? w0 : (w1 << 64n) | w0;
  return (((w3 << 64n) | w2) << 128n) | (w1 << 64n) | w0;
}

/** Writes `value` (taken modulo 2^256) as 32 bytes at `offset`. */
export function writeU256(view: DataView, offset: number, value: bigint): void {
  view.setBigUint64(offset + 24, value & U64_MAX);
  if (value <= U64_MAX && value >= 0n) {
    view.setBigUint64(offset, 0n);
    view.setBigUint64(offset + 8, 0n);
    view.setBigUint64(offset + 16, 0n);
    return;
  }
  view.setBigUint64(offset + 16, (value >> 64n) & U64_MAX);
  view.setBigUint64(offset + 8, (value >> 128n) & U64_MAX);
  view.setBigUint64(offset, (value >> 192n) & U64_MAX);
}

/** A view for the integer accessors of `bytes`. */
export function dataView(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const POWERS: readonly bigint[] = Array.from({ length: 33 }, (_, i) => 1n << BigInt(8 * i));

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);
const EXPONENT_BIAS = 1023;

/** Number of bytes of a value from 0 to 2^256-1 without leading zeros; 0 for zero. Allocates nothing. */
export function byteLengthOf(value: bigint): number {
  double[0] = Number(value);
  const high = doubleWords[1]!;
  const bits = (high >>> 20) - EXPONENT_BIAS + 1;
  if (bits <= 0) return 0;
  const length = (bits + 7) >> 3;
  // Rounding may have carried into the next byte.
  return (bits & 7) === 1 && value < POWERS[length - 1]! ? length - 1 : length;
}

/** Writes the `length` low bytes of `value`, big-endian, and returns the offset behind them. */
export function writeIntegerBytes(out: Bytes, offset: number, value: bigint, length: number): number {
  let rest = value;
  let position = offset + length;
  while (position - offset >= 6) {
    let part = Number(rest & 0xffff_ffff_ffffn);
    rest >>= 48n;
    for (let i = 0; i < 6; i++) {
      out[--position] = part % 256;
      part = Math.floor(part / 256);
    }
  }
  let part = Number(rest & 0xffff_ffff_ffffn);
  while (position > offset) {
    out[--position] = part % 256;
    part = Math.floor(part / 256);
  }
  return offset + length;
}
