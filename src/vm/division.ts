/**
 * Division of stack words: schoolbook long division (Knuth's algorithm D) on 24-bit digits, whose products and sums are
 * exact numbers. Nothing here allocates.
 */
import { copyWord, isZeroWord, LIMBS, negateWord, setNumber } from './words.ts';
import type { Words } from './words.ts';

const BASE = 0x100_0000;
const INVERSE_BASE = 1 / BASE;
const MASK = BASE - 1;
const DIGIT_BITS = 24;
/** Of a word. */
const DIGITS = 11;

// Filled anew by every call: dividend (two words and a spare digit), divisor, quotient, signed operands.
const dividend = new Float64Array(2 * DIGITS + 2);
const divisor = new Float64Array(DIGITS + 1);
const quotient = new Float64Array(2 * DIGITS + 2);
const operands = new Uint32Array(2 * LIMBS);

/** Digits of a word without leading zeros; how many there are. */
function load(s: Words, at: number, digits: Float64Array): number {
  loadThree(s, at, digits, 0);
  loadThree(s, at + 3, digits, 4);
  const x = s[at + 6]!;
  const y = s[at + 7]!;
  digits[8] = x & MASK;
  digits[9] = (x >>> 24) | ((y & 0xffff) << 8);
  digits[10] = y >>> 16;
  let n = DIGITS;
  while (n > 0 && digits[n - 1] === 0) n -= 1;
  return n;
}

/** Three limbs are four digits. */
function loadThree(s: Words, at: number, digits: Float64Array, to: number): void {
  const x = s[at]!;
  const y = s[at + 1]!;
  const z = s[at + 2]!;
  digits[to] = x & MASK;
  digits[to + 1] = (x >>> 24) | ((y & 0xffff) << 8);
  digits[to + 2] = (y >>> 16) | ((z & 0xff) << 16);
  digits[to + 3] = z >>> 8;
}

/** The first `length` digits as a word; those behind count as zero. */
function store(digits: Float64Array, length: number, s: Words, at: number): void {
  for (let i = length; i < DIGITS; i += 1) digits[i] = 0;
  storeThree(digits, 0, s, at);
  storeThree(digits, 4, s, at + 3);
  const c = digits[9]!;
  s[at + 6] = digits[8]! | (c << 24);
  s[at + 7] = (c >>> 8) | (digits[10]! << 16);
}

function storeThree(digits: Float64Array, from: number, s: Words, at: number): void {
  const b = digits[from + 1]!;
  const c = digits[from + 2]!;
  s[at] = digits[from]! | (b << 24);
  s[at + 1] = (b >>> 8) | (c << 16);
  s[at + 2] = (c >>> 16) | (digits[from + 3]! << 8);
}

/** Shifts the first `n` digits up; those that leave are in the result. */
function shiftUp(digits: Float64Array, n: number, bits: number): number {
  let carry = 0;
  for (let i = 0; i < n; i += 1) {
    const digit = digits[i]!;
    digits[i] = ((digit << bits) & MASK) | carry;
    carry = digit >>> (DIGIT_BITS - bits);
  }
  return carry;
}

/** Divides `dividend` (u digits) by `divisor` (v digits, v >= 1, top digit not 0): `quotient`, and the remainder in `dividend`. */
function divide(u: number, v: number): void {
  quotient.fill(0, 0, u + 1);
  if (u < v) return;
  if (v === 1) {
    const d = divisor[0]!;
    let remainder = 0;
    for (let i = u - 1; i >= 0; i -= 1) {
      const x = remainder * BASE + dividend[i]!;
      const q = Math.floor(x / d);
      quotient[i] = q;
      remainder = x - q * d;
      dividend[i] = 0;
    }
    dividend[0] = remainder;
    return;
  }
  // Normalise: the divisor's top digit gets its high bit.
  const shift = Math.clz32(divisor[v - 1]!) - (32 - DIGIT_BITS);
  dividend[u] = 0;
  if (shift > 0) {
    shiftUp(divisor, v, shift);
    dividend[u] = shiftUp(dividend, u, shift);
  }
  const top = divisor[v - 1]!;
  const second = divisor[v - 2]!;
  for (let j = u - v; j >= 0; j -= 1) {
    const high = dividend[j + v]! * BASE + dividend[j + v - 1]!;
    let q = Math.floor(high / top);
    let r = high - q * top;
    const third = dividend[j + v - 2]!;
    while (q >= BASE || q * second > r * BASE + third) {
      q -= 1;
      r += top;
      if (r >= BASE) break;
    }
    if (q === 0) continue;
    let borrow = 0;
    for (let i = 0; i < v; i += 1) {
      const x = dividend[i + j]! - q * divisor[i]! - borrow;
      const carry = Math.floor(x * INVERSE_BASE);
      dividend[i + j] = x - carry * BASE;
      borrow = -carry;
    }
    const last = dividend[j + v]! - borrow;
    dividend[j + v] = last;
    if (last < 0) {
      q -= 1;
      let carry = 0;
      for (let i = 0; i < v; i += 1) {
        const x = dividend[i + j]! + divisor[i]! + carry;
        carry = x >= BASE ? 1 : 0;
        dividend[i + j] = x - carry * BASE;
      }
      dividend[j + v] = last + carry;
    }
    quotient[j] = q;
  }
  if (shift > 0) {
    for (let i = 0; i < v; i += 1)
      dividend[i] = (dividend[i]! >>> shift) | ((dividend[i + 1]! << (DIGIT_BITS - shift)) & MASK);
  }
}

/** Both words below 2^53: plain number arithmetic is exact then. */
function isSmall(s: Words, at: number): boolean {
  return s[at + 1]! < 0x20_0000 && (s[at + 2]! | s[at + 3]! | s[at + 4]! | s[at + 5]! | s[at + 6]! | s[at + 7]!) === 0;
}

function small(s: Words, at: number): number {
  return s[at + 1]! * 0x1_0000_0000 + s[at]!;
}

/** a / b, 0 when b is 0 */
export function divWords(s: Words, a: number, b: number, out: number): void {
  if (isSmall(s, a) && isSmall(s, b)) {
    const d = small(s, b);
    setNumber(s, out, d === 0 ? 0 : Math.floor(small(s, a) / d));
    return;
  }
  const v = load(s, b, divisor);
  if (v === 0) {
    setNumber(s, out, 0);
    return;
  }
  const u = load(s, a, dividend);
  divide(u, v);
  store(quotient, u, s, out);
}

/** a mod b, 0 when b is 0 */
export function modWords(s: Words, a: number, b: number, out: number): void {
  if (isSmall(s, a) && isSmall(s, b)) {
    const d = small(s, b);
    setNumber(s, out, d === 0 ? 0 : small(s, a) % d);
    return;
  }
  const v = load(s, b, divisor);
  if (v === 0) {
    setNumber(s, out, 0);
    return;
  }
  const u = load(s, a, dividend);
  divide(u, v);
  store(dividend, Math.min(u, v), s, out);
}

function loadAbsolute(s: Words, a: number, b: number): void {
  copyWord(s, a, operands, 0);
  copyWord(s, b, operands, LIMBS);
  if (operands[LIMBS - 1]! >>> 31 === 1) negateWord(operands, 0);
  if (operands[2 * LIMBS - 1]! >>> 31 === 1) negateWord(operands, LIMBS);
}

/** a / b in two's complement, towards zero; 0 when b is 0 */
export function divSigned(s: Words, a: number, b: number, out: number): void {
  const negative = s[a + 7]! >>> 31 !== s[b + 7]! >>> 31;
  loadAbsolute(s, a, b);
  divWords(operands, 0, LIMBS, 0);
  copyWord(operands, 0, s, out);
  if (negative) negateWord(s, out);
}

/** a mod b with the sign of a; 0 when b is 0 */
export function modSigned(s: Words, a: number, b: number, out: number): void {
  const negative = s[a + 7]! >>> 31 === 1;
  loadAbsolute(s, a, b);
  modWords(operands, 0, LIMBS, 0);
  copyWord(operands, 0, s, out);
  if (negative) negateWord(s, out);
}

/** (a + b) mod n without overflow; 0 when n is 0 */
export function addModWords(s: Words, a: number, b: number, n: number, out: number): void {
  if (isZeroWord(s, n)) {
    setNumber(s, out, 0);
    return;
  }
  load(s, a, dividend);
  load(s, b, quotient);
  let carry = 0;
  for (let i = 0; i < DIGITS; i += 1) {
    const sum = dividend[i]! + quotient[i]! + carry;
    carry = sum >= BASE ? 1 : 0;
    dividend[i] = sum - carry * BASE;
  }
  dividend[DIGITS] = carry;
  reduce(DIGITS + 1, s, n, out);
}

/** (a * b) mod n without overflow; 0 when n is 0 */
export function mulModWords(s: Words, a: number, b: number, n: number, out: number): void {
  if (isZeroWord(s, n)) {
    setNumber(s, out, 0);
    return;
  }
  dividend.fill(0, 0, 2 * DIGITS);
  const aDigits = load(s, a, quotient);
  const bDigits = load(s, b, divisor);
  for (let i = 0; i < aDigits; i += 1) {
    const x = quotient[i]!;
    if (x === 0) continue;
    let carry = 0;
    for (let j = 0; j < bDigits; j += 1) {
      const t = x * divisor[j]! + dividend[i + j]! + carry;
      carry = Math.floor(t * INVERSE_BASE);
      dividend[i + j] = t - carry * BASE;
    }
    dividend[i + bDigits] = carry;
  }
  reduce(2 * DIGITS, s, n, out);
}

function reduce(length: number, s: Words, n: number, out: number): void {
  let u = length;
  while (u > 0 && dividend[u - 1] === 0) u -= 1;
  const v = load(s, n, divisor);
  divide(u, v);
  store(dividend, Math.min(u, v), s, out);
}
