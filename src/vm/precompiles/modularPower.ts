/** base^exponent mod modulus on BigInt. */
import type { Bytes } from '../../common/bytes.ts';

export interface PowerInput {
  readonly base: bigint;
  /** Big-endian. */
  readonly exponent: Bytes;
  /** At least 2. */
  readonly modulus: bigint;
}

/** From so many bytes of exponent on, the table of a window of 4 or 8 bits pays for itself. */
const WINDOW_4_MIN_BYTES = 16;
const WINDOW_8_MIN_BYTES = 512;
/** A run of squarings looks this often whether it has arrived at a value that squares to itself. */
const FIXED_POINT_INTERVAL = 64;

/** value^(2^times) mod modulus. */
function squareRepeatedly(value: bigint, times: number, modulus: bigint): bigint {
  let x = value;
  for (let i = 0; i < times; i++) {
    const next = (x * x) % modulus;
    if (i % FIXED_POINT_INTERVAL === 0 && next === x) return x;
    x = next;
  }
  return x;
}

function powerBitwise(base: bigint, exponent: Bytes, modulus: bigint): bigint {
  let result = 1n;
  for (const byte of exponent) {
    for (let bit = 7; bit >= 0; bit--) {
      if (result !== 1n) result = (result * result) % modulus;
      if ((byte >> bit) & 1) result = (result * base) % modulus;
    }
  }
  return result;
}

/** Windows of 4 or 8 bits: they never straddle a byte. */
function powerWindowed(base: bigint, exponent: Bytes, modulus: bigint, windowBits: 4 | 8): bigint {
  const table: bigint[] = [1n];
  for (let i = 1; i < 1 << windowBits; i++) table.push((table[i - 1]! * base) % modulus);
  const mask = (1 << windowBits) - 1;
  let result = 1n;
  for (const byte of exponent) {
    for (let shift = 8 - windowBits; shift >= 0; shift -= windowBits) {
      if (result !== 1n) for (let i = 0; i < windowBits; i++) result = (result * result) % modulus;
      const digit = (byte >> shift) & mask;
      if (digit !== 0) result = (result * table[digit]!) % modulus;
    }
  }
  return result;
}

function powerOfDigits(base: bigint, exponent: Bytes, modulus: bigint): bigint {
  if (exponent.length < WINDOW_4_MIN_BYTES) return powerBitwise(base, exponent, modulus);
  return powerWindowed(base, exponent, modulus, exponent.length < WINDOW_8_MIN_BYTES ? 4 : 8);
}

/** base^exponent mod modulus; 0^0 is 1. */
export function power({ base, exponent, modulus }: PowerInput): bigint {
  let end = exponent.length;
  while (end > 0 && exponent[end - 1] === 0) end--;
  if (end === 0) return 1n;
  let start = 0;
  while (exponent[start] === 0) start++;
  const digits = exponent.subarray(start, end);
  const reduced = base % modulus;
  if (reduced <= 1n) return reduced;
  const head = powerOfDigits(reduced, digits, modulus);
  return squareRepeatedly(head, (exponent.length - end) * 8, modulus);
}
