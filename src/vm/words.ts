/**
 * 256-bit arithmetic on the interpreter's stack. A word is eight 32-bit limbs, least significant first, at an offset
 * counted in limbs. Nothing here allocates. The `!` behind an index states that typed arrays are read inside their bounds.
 */
export type Words = Uint32Array;

/** Limbs of a word; offsets of words are multiples of it. */
export const LIMBS = 8;
const TWO_32 = 0x1_0000_0000;

const SAFE_END = 1n << 53n;

// Filled anew by every call. The limbs of a pair lie in the order of the machine, which is the order of words.
const pair = new BigUint64Array(1);
const pairLimbs = new Uint32Array(pair.buffer);

/** The same memory in halves as many parts, for what only moves words: it never makes a bigint of them once compiled. */
export type WideWords = BigUint64Array;

/** Copies a word inside the memory of `wide`; offsets in limbs. */
export function copyWide(wide: WideWords, from: number, to: number): void {
  const a = from >> 1;
  const b = to >> 1;
  wide[b] = wide[a]!;
  wide[b + 1] = wide[a + 1]!;
  wide[b + 2] = wide[a + 2]!;
  wide[b + 3] = wide[a + 3]!;
}

/** Exchanges two words inside the memory of `wide`; offsets in limbs. */
export function swapWide(wide: WideWords, first: number, second: number): void {
  const a = first >> 1;
  const b = second >> 1;
  const x0 = wide[a]!;
  const x1 = wide[a + 1]!;
  const x2 = wide[a + 2]!;
  const x3 = wide[a + 3]!;
  wide[a] = wide[b]!;
  wide[a + 1] = wide[b + 1]!;
  wide[a + 2] = wide[b + 2]!;
  wide[a + 3] = wide[b + 3]!;
  wide[b] = x0;
  wide[b + 1] = x1;
  wide[b + 2] = x2;
  wide[b + 3] = x3;
}

/** A number of at most 32 bits. */
export function setSmall(s: Words, wide: WideWords, at: number, value: number): void {
  s[at] = value;
  s[at + 1] = 0;
  wide[(at >> 1) + 1] = 0n;
  wide[(at >> 1) + 2] = 0n;
  wide[(at >> 1) + 3] = 0n;
}

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

/** A value of at most 256 bits. */
export function setBigInt(s: Words, at: number, value: bigint): void {
  if (value < SAFE_END) {
    setNumber(s, at, Number(value));
    return;
  }
  let rest = value;
  for (let i = 0; i < LIMBS; i += 2) {
    // Keeps the low 64 bits.
    pair[0] = rest;
    s[at + i] = pairLimbs[0]!;
    s[at + i + 1] = pairLimbs[1]!;
    rest >>= 64n;
  }
}

function readPair(s: Words, at: number): bigint {
  pairLimbs[0] = s[at]!;
  pairLimbs[1] = s[at + 1]!;
  return pair[0]!;
}

export function readBigInt(s: Words, at: number): bigint {
  const upper = s[at + 4]! | s[at + 5]! | s[at + 6]! | s[at + 7]!;
  if ((upper | s[at + 2]! | s[at + 3]!) === 0) return readPair(s, at);
  const lower = (readPair(s, at + 2) << 64n) | readPair(s, at);
  return upper === 0 ? lower : (((readPair(s, at + 6) << 64n) | readPair(s, at + 4)) << 128n) | lower;
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
      limb =
        ((bytes[position]! << 24) |
          (bytes[position + 1]! << 16) |
          (bytes[position + 2]! << 8) |
          bytes[position + 3]!) >>>
        0;
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

/** Reads 20 bytes as the low ones of a word. */
export function readAddress(bytes: Uint8Array, s: Words, at: number): void {
  s[at] = (bytes[16]! << 24) | (bytes[17]! << 16) | (bytes[18]! << 8) | bytes[19]!;
  s[at + 1] = (bytes[12]! << 24) | (bytes[13]! << 16) | (bytes[14]! << 8) | bytes[15]!;
  s[at + 2] = (bytes[8]! << 24) | (bytes[9]! << 16) | (bytes[10]! << 8) | bytes[11]!;
  s[at + 3] = (bytes[4]! << 24) | (bytes[5]! << 16) | (bytes[6]! << 8) | bytes[7]!;
  s[at + 4] = (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!;
  s[at + 5] = 0;
  s[at + 6] = 0;
  s[at + 7] = 0;
}

/** Reads 32 bytes at `offset`; what lies behind the end of `bytes` is zero. */
export function readPadded(bytes: Uint8Array, offset: number, s: Words, at: number): void {
  const length = bytes.length;
  if (offset + 32 <= length) {
    for (let i = 0, p = offset + 28; i < LIMBS; i += 1, p -= 4) {
      s[at + i] = (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
    }
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

/** 32 big-endian bytes of a view. */
export function readView(view: DataView, offset: number, s: Words, at: number): void {
  s[at] = view.getUint32(offset + 28);
  s[at + 1] = view.getUint32(offset + 24);
  s[at + 2] = view.getUint32(offset + 20);
  s[at + 3] = view.getUint32(offset + 16);
  s[at + 4] = view.getUint32(offset + 12);
  s[at + 5] = view.getUint32(offset + 8);
  s[at + 6] = view.getUint32(offset + 4);
  s[at + 7] = view.getUint32(offset);
}

/** Writes 32 big-endian bytes to a view. */
export function writeView(s: Words, at: number, view: DataView, offset: number): void {
  view.setUint32(offset + 28, s[at]!);
  view.setUint32(offset + 24, s[at + 1]!);
  view.setUint32(offset + 20, s[at + 2]!);
  view.setUint32(offset + 16, s[at + 3]!);
  view.setUint32(offset + 12, s[at + 4]!);
  view.setUint32(offset + 8, s[at + 5]!);
  view.setUint32(offset + 4, s[at + 6]!);
  view.setUint32(offset, s[at + 7]!);
}

/** The 1 to 32 bytes at `offset` of a view that has at least four bytes there. */
export function readPush(view: DataView, offset: number, length: number, s: Words, at: number): void {
  const whole = length >> 2;
  let position = offset + length;
  let limb = at;
  const end = at + whole;
  while (limb < end) {
    position -= 4;
    s[limb] = view.getUint32(position);
    limb += 1;
  }
  const rest = length & 3;
  if (rest !== 0) {
    s[limb] = view.getUint32(offset) >>> (32 - 8 * rest);
    limb += 1;
  }
  while (limb < at + LIMBS) {
    s[limb] = 0;
    limb += 1;
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

/** a + b, modulo 2^256 */
export function addWords(s: Words, a: number, b: number, out: number): void {
  // Unsigned 32-bit sums; a sum smaller than an operand has carried.
  let x = s[a]!;
  let sum = (x + s[b]!) >>> 0;
  let carry = sum < x ? 1 : 0;
  let total = sum;
  s[out] = sum;
  x = s[a + 1]!;
  sum = (x + s[b + 1]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 1] = total;
  x = s[a + 2]!;
  sum = (x + s[b + 2]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 2] = total;
  x = s[a + 3]!;
  sum = (x + s[b + 3]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 3] = total;
  x = s[a + 4]!;
  sum = (x + s[b + 4]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 4] = total;
  x = s[a + 5]!;
  sum = (x + s[b + 5]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 5] = total;
  x = s[a + 6]!;
  sum = (x + s[b + 6]!) >>> 0;
  total = (sum + carry) >>> 0;
  carry = sum < x || total < sum ? 1 : 0;
  s[out + 6] = total;
  x = s[a + 7]!;
  sum = (x + s[b + 7]!) >>> 0;
  total = (sum + carry) >>> 0;
  s[out + 7] = total;
}

/** a - b, modulo 2^256 */
export function subWords(s: Words, a: number, b: number, out: number): void {
  let x = s[a]!;
  let y = s[b]!;
  let borrow = x < y ? 1 : 0;
  s[out] = x - y;
  x = s[a + 1]!;
  y = s[b + 1]!;
  s[out + 1] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 2]!;
  y = s[b + 2]!;
  s[out + 2] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 3]!;
  y = s[b + 3]!;
  s[out + 3] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 4]!;
  y = s[b + 4]!;
  s[out + 4] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 5]!;
  y = s[b + 5]!;
  s[out + 5] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 6]!;
  y = s[b + 6]!;
  s[out + 6] = x - y - borrow;
  borrow = x < y || (x === y && borrow === 1) ? 1 : 0;
  x = s[a + 7]!;
  y = s[b + 7]!;
  s[out + 7] = x - y - borrow;
}

/** a & b, in place of b */
export function andWords(s: Words, a: number, b: number): void {
  s[b]! &= s[a]!;
  s[b + 1]! &= s[a + 1]!;
  s[b + 2]! &= s[a + 2]!;
  s[b + 3]! &= s[a + 3]!;
  s[b + 4]! &= s[a + 4]!;
  s[b + 5]! &= s[a + 5]!;
  s[b + 6]! &= s[a + 6]!;
  s[b + 7]! &= s[a + 7]!;
}

/** a | b, in place of b */
export function orWords(s: Words, a: number, b: number): void {
  s[b]! |= s[a]!;
  s[b + 1]! |= s[a + 1]!;
  s[b + 2]! |= s[a + 2]!;
  s[b + 3]! |= s[a + 3]!;
  s[b + 4]! |= s[a + 4]!;
  s[b + 5]! |= s[a + 5]!;
  s[b + 6]! |= s[a + 6]!;
  s[b + 7]! |= s[a + 7]!;
}

/** a ^ b, in place of b */
export function xorWords(s: Words, a: number, b: number): void {
  s[b]! ^= s[a]!;
  s[b + 1]! ^= s[a + 1]!;
  s[b + 2]! ^= s[a + 2]!;
  s[b + 3]! ^= s[a + 3]!;
  s[b + 4]! ^= s[a + 4]!;
  s[b + 5]! ^= s[a + 5]!;
  s[b + 6]! ^= s[a + 6]!;
  s[b + 7]! ^= s[a + 7]!;
}

/** ~a, in place */
export function notWord(s: Words, a: number): void {
  s[a] = ~s[a]!;
  s[a + 1] = ~s[a + 1]!;
  s[a + 2] = ~s[a + 2]!;
  s[a + 3] = ~s[a + 3]!;
  s[a + 4] = ~s[a + 4]!;
  s[a + 5] = ~s[a + 5]!;
  s[a + 6] = ~s[a + 6]!;
  s[a + 7] = ~s[a + 7]!;
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

/** The product of two 32-bit numbers. */
function mulLimbs(s: Words, x: number, y: number, out: number): void {
  const middle = (x & 0xffff) * (y >>> 16) + (x >>> 16) * (y & 0xffff);
  const low = (x & 0xffff) * (y & 0xffff) + (middle & 0xffff) * 0x1_0000;
  s[out] = low;
  s[out + 1] = (x >>> 16) * (y >>> 16) + Math.floor(middle / 0x1_0000) + (low >= TWO_32 ? 1 : 0);
  for (let i = 2; i < LIMBS; i += 1) s[out + i] = 0;
}

/** 2^-24 */
const DIGIT_INVERSE = 1 / 0x100_0000;

/** a * b, modulo 2^256 */
export function mulWords(s: Words, a: number, b: number, out: number): void {
  if (isLimb(s, a) && isLimb(s, b)) {
    mulLimbs(s, s[a]!, s[b]!, out);
    return;
  }
  // Digits of 24 bits: a column of at most eleven products and a carry is an exact number.
  let x = s[a]!;
  let y = s[a + 1]!;
  let z = s[a + 2]!;
  const a0 = x & 0xff_ffff;
  const a1 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const a2 = ((y >>> 16) | (z << 16)) & 0xff_ffff;
  const a3 = z >>> 8;
  x = s[a + 3]!;
  y = s[a + 4]!;
  z = s[a + 5]!;
  const a4 = x & 0xff_ffff;
  const a5 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const a6 = ((y >>> 16) | (z << 16)) & 0xff_ffff;
  const a7 = z >>> 8;
  x = s[a + 6]!;
  y = s[a + 7]!;
  const a8 = x & 0xff_ffff;
  const a9 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const a10 = y >>> 16;
  x = s[b]!;
  y = s[b + 1]!;
  z = s[b + 2]!;
  const b0 = x & 0xff_ffff;
  const b1 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const b2 = ((y >>> 16) | (z << 16)) & 0xff_ffff;
  const b3 = z >>> 8;
  x = s[b + 3]!;
  y = s[b + 4]!;
  z = s[b + 5]!;
  const b4 = x & 0xff_ffff;
  const b5 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const b6 = ((y >>> 16) | (z << 16)) & 0xff_ffff;
  const b7 = z >>> 8;
  x = s[b + 6]!;
  y = s[b + 7]!;
  const b8 = x & 0xff_ffff;
  const b9 = ((x >>> 24) | (y << 8)) & 0xff_ffff;
  const b10 = y >>> 16;

  let sum = a0 * b0;
  let carry = Math.floor(sum * DIGIT_INVERSE);
  const d0 = sum - carry * 0x100_0000;
  sum = a0 * b1 + a1 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d1 = sum - carry * 0x100_0000;
  sum = a0 * b2 + a1 * b1 + a2 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d2 = sum - carry * 0x100_0000;
  sum = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d3 = sum - carry * 0x100_0000;
  sum = a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d4 = sum - carry * 0x100_0000;
  sum = a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d5 = sum - carry * 0x100_0000;
  sum = a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d6 = sum - carry * 0x100_0000;
  sum = a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d7 = sum - carry * 0x100_0000;
  sum = a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d8 = sum - carry * 0x100_0000;
  sum = a0 * b9 + a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1 + a9 * b0 + carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d9 = sum - carry * 0x100_0000;
  sum =
    a0 * b10 +
    a1 * b9 +
    a2 * b8 +
    a3 * b7 +
    a4 * b6 +
    a5 * b5 +
    a6 * b4 +
    a7 * b3 +
    a8 * b2 +
    a9 * b1 +
    a10 * b0 +
    carry;
  carry = Math.floor(sum * DIGIT_INVERSE);
  const d10 = sum - carry * 0x100_0000;
  s[out] = d0 | (d1 << 24);
  s[out + 1] = (d1 >>> 8) | (d2 << 16);
  s[out + 2] = (d2 >>> 16) | (d3 << 8);
  s[out + 3] = d4 | (d5 << 24);
  s[out + 4] = (d5 >>> 8) | (d6 << 16);
  s[out + 5] = (d6 >>> 16) | (d7 << 8);
  s[out + 6] = d8 | (d9 << 24);
  s[out + 7] = (d9 >>> 8) | (d10 << 16);
}

function isLimb(s: Words, at: number): boolean {
  return (s[at + 1]! | s[at + 2]! | s[at + 3]! | s[at + 4]! | s[at + 5]! | s[at + 6]! | s[at + 7]!) === 0;
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
  let i = LIMBS - 1;
  if (bits === 0) {
    for (; i >= limbs; i -= 1) s[out + i] = s[value + i - limbs]!;
  } else {
    for (; i > limbs; i -= 1)
      s[out + i] = (s[value + i - limbs]! << bits) | (s[value + i - limbs - 1]! >>> (32 - bits));
    if (i === limbs) {
      s[out + i] = s[value]! << bits;
      i -= 1;
    }
  }
  for (; i >= 0; i -= 1) s[out + i] = 0;
}

function shiftRightFilled(s: Words, n: number, value: number, out: number, fill: number): void {
  const limbs = n >> 5;
  const bits = n & 31;
  let i = 0;
  if (bits === 0) {
    for (; i < LIMBS - limbs; i += 1) s[out + i] = s[value + i + limbs]!;
  } else {
    for (; i < LIMBS - 1 - limbs; i += 1) {
      s[out + i] = (s[value + i + limbs]! >>> bits) | (s[value + i + limbs + 1]! << (32 - bits));
    }
    if (i === LIMBS - 1 - limbs) {
      s[out + i] = (s[value + LIMBS - 1]! >>> bits) | (fill << (32 - bits));
      i += 1;
    }
  }
  for (; i < LIMBS; i += 1) s[out + i] = fill;
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
