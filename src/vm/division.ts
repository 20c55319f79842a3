/** Division of stack words: schoolbook long division (Knuth's algorithm D) on 16-bit digits. Nothing here allocates. */
import { copyWord, isZeroWord, LIMBS, negateWord, setNumber } from './words.ts';
import type { Words } from './words.ts';

const BASE = 0x1_0000;
const DIGITS = 2 * LIMBS;

// Filled anew by every call: dividend (two words and a spare digit), divisor, quotient, signed operands.
const dividend = new Int32Array(2 * DIGITS + 2);
const divisor = new Int32Array(DIGITS + 1);
const quotient = new Int32Array(2 * DIGITS + 2);
const operands = new Uint32Array(2 * LIMBS);

function load(s: Words, at: number, digits: Int32Array): number {
  let n = LIMBS;
  while (n > 0 && s[at + n - 1] === 0) n -= 1;
  for (let i = 0; i < n; i += 1) {
    const limb = s[at + i]!;
    digits[2 * i] = limb & 0xffff;
    digits[2 * i + 1] = limb >>> 16;
  }
  return n === 0 ? 0 : digits[2 * n - 1] === 0 ? 2 * n - 1 : 2 * n;
}

function store(digits: Int32Array, length: number, s: Words, at: number): void {
  for (let i = 0; i < LIMBS; i += 1) {
    const low = 2 * i < length ? digits[2 * i]! : 0;
    const high = 2 * i + 1 < length ? digits[2 * i + 1]! : 0;
    s[at + i] = low | (high << 16);
  }
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
  const shift = Math.clz32(divisor[v - 1]!) - 16;
  dividend[u] = 0;
  if (shift > 0) {
    for (let i = v - 1; i > 0; i -= 1)
      divisor[i] = ((divisor[i]! << shift) & 0xffff) | (divisor[i - 1]! >> (16 - shift));
    divisor[0] = (divisor[0]! << shift) & 0xffff;
    for (let i = u; i > 0; i -= 1)
      dividend[i] = ((dividend[i]! << shift) & 0xffff) | (dividend[i - 1]! >> (16 - shift));
    dividend[0] = (dividend[0]! << shift) & 0xffff;
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
    let borrow = 0;
    for (let i = 0; i < v; i += 1) {
      const x = dividend[i + j]! - borrow - q * divisor[i]!;
      const digit = x & 0xffff;
      dividend[i + j] = digit;
      borrow = (digit - x) / BASE;
    }
    const last = dividend[j + v]! - borrow;
    dividend[j + v] = last;
    if (last < 0) {
      q -= 1;
      let carry = 0;
      for (let i = 0; i < v; i += 1) {
        const x = dividend[i + j]! + divisor[i]! + carry;
        dividend[i + j] = x & 0xffff;
        carry = x >>> 16;
      }
      dividend[j + v] = (last + carry) & 0xffff;
    }
    quotient[j] = q;
  }
  if (shift > 0) {
    for (let i = 0; i < v; i += 1)
      dividend[i] = (dividend[i]! >> shift) | ((dividend[i + 1]! << (16 - shift)) & 0xffff);
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
  let carry = 0;
  for (let i = 0; i < LIMBS; i += 1) {
    const sum = s[a + i]! + s[b + i]! + carry;
    dividend[2 * i] = sum & 0xffff;
    dividend[2 * i + 1] = (sum >>> 16) & 0xffff;
    carry = sum >= 0x1_0000_0000 ? 1 : 0;
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
      dividend[i + j] = t & 0xffff;
      carry = (t - (t & 0xffff)) / BASE;
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
