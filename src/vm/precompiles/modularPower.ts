/** base^exponent mod modulus on BigInt. */
import type { Bytes } from '../../common/bytes.ts';

export interface PowerInput {
  readonly base: bigint;
  /** Big-endian. */
  readonly exponent: Bytes;
  /** At least 2. */
  readonly modulus: bigint;
}

const WINDOW_BITS = 4;
/** From this many bytes on the table of a window pays for itself. */
const WINDOW_MIN_BYTES = 16;
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

function powerWindowed(base: bigint, exponent: Bytes, modulus: bigint): bigint {
  const table: bigint[] = [1n];
  for (let i = 1; i < 1 << WINDOW_BITS; i++) table.push((table[i - 1]! * base) % modulus);
  let result = 1n;
  const digit = (value: number): void => {
    if (result !== 1n) for (let i = 0; i < WINDOW_BITS; i++) result = (result * result) % modulus;
    if (value !== 0) result = (result * table[value]!) % modulus;
  };
  for (const byte of exponent) {
    digit(byte >> WINDOW_BITS);
    digit(byte & 0x0f);
  }
  return result;
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
  const head =
    digits.length < WINDOW_MIN_BYTES ? powerBitwise(reduced, digits, modulus) : powerWindowed(reduced, digits, modulus);
  return squareRepeatedly(head, (exponent.length - end) * 8, modulus);
}
