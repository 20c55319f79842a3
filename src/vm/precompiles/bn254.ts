/**
 * The curve of EIP-196 and EIP-197 (spec: execution 9, native 6.3). The arithmetic is mcl's; every rule about what a valid
 * point is lies here: coordinates below the field prime, on the curve, and in the subgroup for the second group.
 */
import mcl from 'mcl-wasm';
import type { Fp, Fp2, G1, G2, GT } from 'mcl-wasm';
import { compareBytes, fromHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import { chargedPrecompile, INVALID_INPUT } from './precompile.ts';
import type { PrecompileTask } from './precompile.ts';

await mcl.init(mcl.BN_SNARK1);
// makes isValid of the second group include the subgroup check
mcl.verifyOrderG2(true);

const FIELD_PRIME = fromHex('30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47');
const WORD_BYTES = 32;
const POINT_BYTES = 64;
const PAIR_BYTES = 192;

const ONE = new mcl.Fp();
ONE.setInt(1);
const ONE_2 = new mcl.Fp2();
ONE_2.setInt(1, 0);

const INVALID: unique symbol = Symbol('invalid');

/** The coordinate at `offset`, or INVALID when it is not below the prime. */
function readField(bytes: Bytes, offset: number): Fp | typeof INVALID {
  const word = bytes.subarray(offset, offset + WORD_BYTES);
  if (compareBytes(word, FIELD_PRIME) >= 0) return INVALID;
  const field = new mcl.Fp();
  field.setBigEndianMod(word);
  return field;
}

/** An element of the quadratic extension: the imaginary part comes first. */
function readField2(bytes: Bytes, offset: number): Fp2 | typeof INVALID {
  const imaginary = readField(bytes, offset);
  const real = readField(bytes, offset + WORD_BYTES);
  if (imaginary === INVALID || real === INVALID) return INVALID;
  const field = new mcl.Fp2();
  field.set_a(real);
  field.set_b(imaginary);
  return field;
}

/** Both coordinates zero is the point at infinity, which a fresh G1 is. */
function readG1(bytes: Bytes, offset: number): G1 | typeof INVALID {
  const x = readField(bytes, offset);
  const y = readField(bytes, offset + WORD_BYTES);
  if (x === INVALID || y === INVALID) return INVALID;
  const point = new mcl.G1();
  if (x.isZero() && y.isZero()) return point;
  point.setX(x);
  point.setY(y);
  point.setZ(ONE);
  return point.isValid() ? point : INVALID;
}

function readG2(bytes: Bytes, offset: number): G2 | typeof INVALID {
  const x = readField2(bytes, offset);
  const y = readField2(bytes, offset + POINT_BYTES);
  if (x === INVALID || y === INVALID) return INVALID;
  const point = new mcl.G2();
  if (x.isZero() && y.isZero()) return point;
  point.setX(x);
  point.setY(y);
  point.setZ(ONE_2);
  return point.isValid() ? point : INVALID;
}

function g1Bytes(point: G1): Bytes {
  const output = new Uint8Array(POINT_BYTES);
  if (point.isZero()) return output;
  point.normalize();
  // mcl writes field elements in little-endian order
  output.set(point.getX().serialize().reverse(), 0);
  output.set(point.getY().serialize().reverse(), WORD_BYTES);
  return output;
}

/** Exactly `length` bytes: cut, or filled with zeros at the end. */
function padded(input: Bytes, length: number): Bytes {
  if (input.length === length) return input;
  const out = new Uint8Array(length);
  out.set(input.length > length ? input.subarray(0, length) : input);
  return out;
}

function add(input: Bytes): Bytes | undefined {
  const bytes = padded(input, 2 * POINT_BYTES);
  const a = readG1(bytes, 0);
  const b = readG1(bytes, POINT_BYTES);
  if (a === INVALID || b === INVALID) return undefined;
  return g1Bytes(mcl.add(a, b));
}

function multiply(input: Bytes): Bytes | undefined {
  const bytes = padded(input, POINT_BYTES + WORD_BYTES);
  const point = readG1(bytes, 0);
  if (point === INVALID) return undefined;
  const scalar = new mcl.Fr();
  scalar.setBigEndianMod(bytes.subarray(POINT_BYTES));
  return g1Bytes(mcl.mul(point, scalar));
}

/** Work units of one pair; the end takes about as many. */
const PAIR_UNITS = 60_000;
/** What contracts that verify a proof ask for. */
const PAIRS_AT_ONCE_MAX = 4;

/** A product of pairings, pair by pair. */
class PairingProduct implements PrecompileTask {
  readonly #input: Bytes;
  #offset = 0;
  #product: GT | undefined;

  constructor(input: Bytes) {
    this.#input = input;
  }

  advance(units: number): Bytes | typeof INVALID_INPUT | undefined {
    const input = this.#input;
    let left = units;
    for (; this.#offset < input.length; left -= PAIR_UNITS) {
      if (left <= 0) return undefined;
      const a = readG1(input, this.#offset);
      const b = readG2(input, this.#offset + POINT_BYTES);
      if (a === INVALID || b === INVALID) return INVALID_INPUT;
      this.#offset += PAIR_BYTES;
      if (a.isZero() || b.isZero()) continue;
      const factor = mcl.millerLoop(a, b);
      this.#product = this.#product === undefined ? factor : mcl.mul(this.#product, factor);
    }
    if (left <= 0) return undefined;
    const output = new Uint8Array(WORD_BYTES);
    if (this.#product === undefined || mcl.finalExp(this.#product).isOne()) output[WORD_BYTES - 1] = 1;
    return output;
  }
}

function pairingCheck(input: Bytes): Bytes | PrecompileTask | undefined {
  if (input.length % PAIR_BYTES !== 0) return undefined;
  const product = new PairingProduct(input);
  if (input.length > PAIRS_AT_ONCE_MAX * PAIR_BYTES) return product;
  const output = product.advance(Infinity);
  return output === INVALID_INPUT ? undefined : output;
}

function pairs(input: Bytes): number {
  return Math.floor(input.length / PAIR_BYTES);
}

export const bn254Add = chargedPrecompile({ gas: () => 150, native: () => 52_600, compute: add });

export const bn254Mul = chargedPrecompile({ gas: () => 6_000, native: () => 764_000, compute: multiply });

/** The length is checked after the charge. */
export const bn254Pairing = chargedPrecompile({
  gas: (input) => 45_000 + 34_000 * pairs(input),
  native: (input) => 15_000_000 * (1 + pairs(input)),
  compute: pairingCheck,
});
