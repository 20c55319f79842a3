/**
 * 256-bit arithmetic on the interpreter's stack. A word is eight 32-bit limbs, least significant first, at an offset
 * counted in limbs. Nothing here allocates. The `!` behind an index states that typed arrays are read inside their bounds.
 */
export type Words = Uint32Array;

/** Limbs of a word; offsets of words are multiples of it. */
export const LIMBS = 8;
const TWO_32 = 0x1_0000_0000;

// Filled anew by every call.
const product = new Uint32Array(LIMBS);

/** A non-negative integer of at most 53 bits. */
export function setNumber(s: Words, at: number, value: number): void {
  s[at] = value;
  s[at + 1] = value > 0xffff_ffff ? Math.floor(value / TWO_32) : 0;
  s[at + 2] = 0;
  s[at + 3] = 0;
  s[at + 4] = 0;
  s[at + 5] = 0;
  s[at + 6] = 0;
  s[at + 7] = 0;
}

export function setBigInt(s: Words, at: number, value: bigint): void {
  let rest = value;
  for (let i = 0; i < LIMBS; i += 1) {
    s[at + i] = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
  }
}

export function readBigInt(s: Words, at: number): bigint {
  let value = 0n;
  for (let i = LIMBS - 1; i >= 0; i -= 1) {
    const limb = s[at + i]!;
    if (value !== 0n) value = (value << 32n) | BigInt(limb);
    else if (limb !== 0) value = BigInt(limb);
  }
  return value;
}

export function copyWord(from: Words, a: number, to: Words, b: number): void {
  to[b] = from[a]!;
  to[b + 1] = from[a + 1]!;
  to[b + 2] = from[a + 2]!;
  to[b + 3] = from[a + 3]!;
  to[b + 4] = from[a + 4]!;
  to[b + 5] = from[a + 5]!;
  to[b + 6] = from[a + 6]!;
  to[b + 7] = from[a + 7]!;
}

export function isZeroWord(s: Words, at: number): boolean {
  return (s[at]! | s[at + 1]! | s[at + 2]! | s[at + 3]! | s[at + 4]! | s[at + 5]! | s[at + 6]! | s[at + 7]!) === 0;
}

export function equalWords(s: Words, a: number, t: Words, b: number): boolean {
  return (
    s[a] === t[b] &&
    s[a + 1] === t[b + 1] &&
    s[a + 2] === t[b + 2] &&
    s[a + 3] === t[b + 3] &&
    s[a + 4] === t[b + 4] &&
    s[a + 5] === t[b + 5] &&
    s[a + 6] === t[b + 6] &&
    s[a + 7] === t[b + 7]
  );
}

/** The word as an offset or a length: 2^32 or more is Infinity. */
export function toOffset(s: Words, at: number): number {
  const high = s[at + 1]! | s[at + 2]! | s[at + 3]! | s[at + 4]! | s[at + 5]! | s[at + 6]! | s[at + 7]!;
  return high === 0 ? s[at]! : Infinity;
}

/** Reads `length` (at most 32) big-endian bytes as a word. */
export function readBytes(bytes: Uint8Array, offset: number, length: number, s: Words, at: number): void {
  let position = offset + length;
  for (let i = 0; i < LIMBS; i += 1) {
    let limb = 0;
    if (position - 4 >= offset) {
      position -= 4;
      limb = ((bytes[position]! << 24) | (bytes[position + 1]! << 16) | (bytes[position + 2]! << 8) | bytes[position + 3]!) >>> 0;
    } else {
      let shift = 0;
      while (position > offset) {
        position -= 1;
        limb |= bytes[position]! << shift;
        shift += 8;
      }
    }
    s[at + i] = limb;
  }
}

/** Reads 32 bytes at `offset`; what lies behind the end of `bytes` is zero. */
export function readPadded(bytes: Uint8Array, offset: number, s: Words, at: number): void {
  const length = bytes.length;
  if (offset + 32 <= length) {
    readBytes(bytes, offset, 32, s, at);
    return;
  }
  for (let i = LIMBS - 1; i >= 0; i -= 1) {
    const p = offset + 4 * (LIMBS - 1 - i);
    s[at + i] =
      (((p < length ? bytes[p]! : 0) << 24) |
        ((p + 1 < length ? bytes[p + 1]! : 0) << 16) |
        ((p + 2 < length ? bytes[p + 2]! : 0) << 8) |
        (p + 3 < length ? bytes[p + 3]! : 0)) >>>
      0;
  }
}

/** Writes the word as 32 big-endian bytes. */
export function writeBytes(s: Words, at: number, bytes: Uint8Array, offset: number): void {
  let position = offset;
  for (let i = LIMBS - 1; i >= 0; i -= 1) {
    const limb = s[at + i]!;
    bytes[position] = limb >>> 24;
    bytes[position + 1] = limb >>> 16;
    bytes[position + 2] = limb >>> 8;
    bytes[position + 3] = limb;
    position += 4;
  }
}

export function wordToBytes(s: Words, at: number): Uint8Array {
  const out = new Uint8Array(32);
  writeBytes(s, at, out, 0);
  return out;
}

/** The low 20 bytes of a word. */
export function wordToAddress(s: Words, at: number): Uint8Array {
  const out = new Uint8Array(20);
  let position = 0;
  for (let i = 4; i >= 0; i -= 1) {
    const limb = s[at + i]!;
    out[position] = limb >>> 24;
    out[position + 1] = limb >>> 16;
    out[position + 2] = limb >>> 8;
    out[position + 3] = limb;
    position += 4;
  }
  return out;
}

export function addWords(s: Words, a: number, b: number, out: number): void {
  let carry = 0;
  for (let i = 0; i < LIMBS; i += 1) {
    const sum = s[a + i]! + s[b + i]! + carry;
    s[out + i] = sum;
    carry = sum >= TWO_32 ? 1 : 0;
  }
}

/** a - b */
export function subWords(s: Words, a: number, b: number, out: number): void {
  let borrow = 0;
  for (let i = 0; i < LIMBS; i += 1) {
    const difference = s[a + i]! - s[b + i]! - borrow;
    s[out + i] = difference;
    borrow = difference < 0 ? 1 : 0;
  }
}

export function negateWord(s: Words, at: number): void {
  let borrow = 0;
  for (let i = 0; i < LIMBS; i += 1) {
    const difference = 0 - s[at + i]! - borrow;
    s[at + i] = difference;
    borrow = difference < 0 ? 1 : 0;
  }
}

function significantLimbs(s: Words, at: number): number {
  let n = LIMBS;
  while (n > 0 && s[at + n - 1] === 0) n -= 1;
  return n;
}

export function mulWords(s: Words, a: number, b: number, out: number): void {
  const aLimbs = significantLimbs(s, a);
  const bLimbs = significantLimbs(s, b);
  product.fill(0);
  for (let i = 0; i < aLimbs; i += 1) {
    const x = s[a + i]!;
    if (x === 0) continue;
    const xLow = x & 0xffff;
    const xHigh = x >>> 16;
    let carry = 0;
    const end = Math.min(bLimbs, LIMBS - i);
    for (let j = 0; j < end; j += 1) {
      const y = s[b + j]!;
      const yLow = y & 0xffff;
      const yHigh = y >>> 16;
      const middle = xLow * yHigh + xHigh * yLow;
      const middleHigh = Math.floor(middle / 0x1_0000);
      const low = xLow * yLow + (middle - middleHigh * 0x1_0000) * 0x1_0000 + product[i + j]! + carry;
      product[i + j] = low;
      carry = xHigh * yHigh + middleHigh + Math.floor(low / TWO_32);
    }
    if (i + end < LIMBS) product[i + end] = carry;
  }
  s.set(product, out);
}

/** a < b, unsigned */
export function isLess(s: Words, a: number, b: number): boolean {
  for (let i = LIMBS - 1; i >= 0; i -= 1) {
    const x = s[a + i]!;
    const y = s[b + i]!;
    if (x !== y) return x < y;
  }
  return false;
}

/** a < b in two's complement */
export function isLessSigned(s: Words, a: number, b: number): boolean {
  const aNegative = s[a + 7]! >>> 31;
  const bNegative = s[b + 7]! >>> 31;
  return aNegative === bNegative ? isLess(s, a, b) : aNegative === 1;
}

function shiftAmount(s: Words, at: number): number {
  const n = toOffset(s, at);
  return n < 256 ? n : 256;
}

/** value << shift, modulo 2^256 */
export function shiftLeft(s: Words, shift: number, value: number, out: number): void {
  const n = shiftAmount(s, shift);
  const limbs = n >> 5;
  const bits = n & 31;
  for (let i = LIMBS - 1; i >= 0; i -= 1) {
    const from = i - limbs;
    const high = from >= 0 ? s[value + from]! : 0;
    if (bits === 0) {
      s[out + i] = high;
    } else {
      const low = from >= 1 ? s[value + from - 1]! : 0;
      s[out + i] = (high << bits) | (low >>> (32 - bits));
    }
  }
}

function shiftRightFilled(s: Words, n: number, value: number, out: number, fill: number): void {
  const limbs = n >> 5;
  const bits = n & 31;
  for (let i = 0; i < LIMBS; i += 1) {
    const from = i + limbs;
    const low = from < LIMBS ? s[value + from]! : fill;
    if (bits === 0) {
      s[out + i] = low;
    } else {
      const high = from + 1 < LIMBS ? s[value + from + 1]! : fill;
      s[out + i] = (low >>> bits) | (high << (32 - bits));
    }
  }
}

/** value >> shift, unsigned */
export function shiftRight(s: Words, shift: number, value: number, out: number): void {
  shiftRightFilled(s, shiftAmount(s, shift), value, out, 0);
}

/** value >> shift in two's complement */
export function shiftRightSigned(s: Words, shift: number, value: number, out: number): void {
  shiftRightFilled(s, shiftAmount(s, shift), value, out, s[value + 7]! >>> 31 === 1 ? 0xffff_ffff : 0);
}

/** Byte number `index`, counted from the most significant one; 0 from 32 on. */
export function byteOfWord(s: Words, index: number, value: number, out: number): void {
  const n = toOffset(s, index);
  let byte = 0;
  if (n < 32) {
    const fromLow = 31 - n;
    byte = (s[value + (fromLow >> 2)]! >>> ((fromLow & 3) * 8)) & 0xff;
  }
  setNumber(s, out, byte);
}

/** Extends the sign of the value that has `size` + 1 bytes. */
export function signExtend(s: Words, size: number, value: number, out: number): void {
  const n = toOffset(s, size);
  if (n >= 31) {
    if (out !== value) copyWord(s, value, s, out);
    return;
  }
  const limb = n >> 2;
  const bits = (n & 3) * 8 + 8;
  const top = s[value + limb]!;
  const negative = (top >>> (bits - 1)) & 1;
  const fill = negative === 1 ? 0xffff_ffff : 0;
  for (let i = 0; i < LIMBS; i += 1) {
    if (i < limb) s[out + i] = s[value + i]!;
    else if (i > limb) s[out + i] = fill;
    else if (bits === 32) s[out + i] = top;
    else s[out + i] = negative === 1 ? top | (fill << bits) : top & ((1 << bits) - 1);
  }
}

/** Bytes of the word without leading zeros; 0 for zero. */
export function significantBytes(s: Words, at: number): number {
  const limbs = significantLimbs(s, at);
  return limbs === 0 ? 0 : limbs * 4 - (Math.clz32(s[at + limbs - 1]!) >> 3);
}

/** base ^ exponent modulo 2^256. Uses the two words at `scratch`, which must not overlap the operands; `out` may be one of them. */
export function powWords(s: Words, base: number, exponent: number, out: number, scratch: number): void {
  const result = scratch;
  const square = scratch + LIMBS;
  setNumber(s, result, 1);
  copyWord(s, base, s, square);
  const limbs = significantLimbs(s, exponent);
  for (let i = 0; i < limbs; i += 1) {
    let limb = s[exponent + i]!;
    const last = i === limbs - 1;
    for (let bit = 0; bit < 32; bit += 1) {
      if (last && limb === 0) break;
      if ((limb & 1) === 1) mulWords(s, result, square, result);
      limb >>>= 1;
      if (!(last && limb === 0)) mulWords(s, square, square, square);
    }
  }
  copyWord(s, result, s, out);
}
