/** base^exponent mod modulus on BigInt, a part at a time. The `!` behind an index states that arrays are read inside their bounds. */
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
/** More of them in a byte than any window needs: squarings and products. */
const MULTIPLICATIONS_PER_BYTE_MAX = 16;

function windowBitsFor(exponentLength: number): 1 | 4 | 8 {
  if (exponentLength < WINDOW_4_MIN_BYTES) return 1;
  return exponentLength < WINDOW_8_MIN_BYTES ? 4 : 8;
}

/** One power being computed: the bytes of the exponent from the front, then a squaring for each zero bit at its end. */
export class ModularPower {
  readonly #modulus: bigint;
  /** Without zero bytes at either end. */
  readonly #digits: Bytes;
  readonly #windowBits: number;
  /** Powers of the base by the value of a window, which never straddles a byte. */
  readonly #table: bigint[];
  #position = 0;
  #squaringsLeft: number;
  #result = 1n;

  constructor({ base, exponent, modulus }: PowerInput) {
    let end = exponent.length;
    while (end > 0 && exponent[end - 1] === 0) end -= 1;
    let start = 0;
    while (start < end && exponent[start] === 0) start += 1;
    this.#modulus = modulus;
    const reduced = base % modulus;
    // 0^0 is 1; 0 and 1 are their own powers.
    const isTrivial = start === end || reduced <= 1n;
    if (isTrivial && start < end) this.#result = reduced;
    this.#digits = isTrivial ? exponent.subarray(0, 0) : exponent.subarray(start, end);
    this.#squaringsLeft = isTrivial ? 0 : (exponent.length - end) * 8;
    this.#windowBits = windowBitsFor(this.#digits.length);
    this.#table = [1n];
    for (let i = 1; !isTrivial && i < 1 << this.#windowBits; i += 1)
      this.#table.push((this.#table[i - 1]! * reduced) % modulus);
  }

  /** Multiplications that are left, at the most. */
  get multiplicationsLeft(): number {
    return (this.#digits.length - this.#position) * MULTIPLICATIONS_PER_BYTE_MAX + this.#squaringsLeft;
  }

  /** Goes on for about so many multiplications; the power when it is there. */
  advance(multiplications: number): bigint | undefined {
    const end = Math.min(
      this.#digits.length,
      this.#position + Math.max(1, Math.floor(multiplications / MULTIPLICATIONS_PER_BYTE_MAX)),
    );
    const isFirstPart = this.#position < end;
    while (this.#position < end) {
      this.#byte(this.#digits[this.#position]!);
      this.#position += 1;
    }
    if (this.#position < this.#digits.length) return undefined;
    if (isFirstPart && this.#squaringsLeft > multiplications) return undefined;
    this.#square(Math.max(FIXED_POINT_INTERVAL, Math.floor(multiplications)));
    return this.#squaringsLeft === 0 ? this.#result : undefined;
  }

  #byte(byte: number): void {
    const modulus = this.#modulus;
    const windowBits = this.#windowBits;
    const mask = (1 << windowBits) - 1;
    let result = this.#result;
    for (let shift = 8 - windowBits; shift >= 0; shift -= windowBits) {
      if (result !== 1n) for (let i = 0; i < windowBits; i += 1) result = (result * result) % modulus;
      const digit = (byte >> shift) & mask;
      if (digit !== 0) result = (result * this.#table[digit]!) % modulus;
    }
    this.#result = result;
  }

  #square(times: number): void {
    const modulus = this.#modulus;
    let x = this.#result;
    const count = Math.min(times, this.#squaringsLeft);
    this.#squaringsLeft -= count;
    for (let i = 0; i < count; i += 1) {
      const next = (x * x) % modulus;
      if (i % FIXED_POINT_INTERVAL === 0 && next === x) {
        this.#squaringsLeft = 0;
        break;
      }
      x = next;
    }
    this.#result = x;
  }
}
