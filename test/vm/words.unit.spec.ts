import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addModWords, divSigned, divWords, modSigned, modWords, mulModWords } from '../../src/vm/division.ts';
import {
  addWords,
  byteOfWord,
  isLess,
  isLessSigned,
  mulWords,
  powWords,
  readBigInt,
  readBytes,
  readPadded,
  setBigInt,
  setNumber,
  shiftLeft,
  shiftRight,
  shiftRightSigned,
  signExtend,
  significantBytes,
  subWords,
  toOffset,
  wordToAddress,
  wordToBytes,
} from '../../src/vm/words.ts';
import type { Words } from '../../src/vm/words.ts';

const M = 1n << 256n;
const MASK = M - 1n;
const signed = (x: bigint): bigint => BigInt.asIntN(256, x);
const unsigned = (x: bigint): bigint => BigInt.asUintN(256, x);

/** Words of every size, with runs of ones and zeros: carries and normalisation steps depend on them. */
const word = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: MASK }) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(256), fc.bigInt({ min: 0n, max: MASK })).map(([bits, x]) => x >> BigInt(bits)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(256), fc.nat(256)).map(([a, b]) => unsigned((1n << BigInt(a)) - (1n << BigInt(b)))),
  },
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n, MASK, 1n << 255n, (1n << 255n) - 1n, 0xffffffffn, 0x100000000n) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 300n }) },
);
const RUNS = { numRuns: 10_000 };

type Binary = (s: Words, a: number, b: number, out: number) => void;

function binary(operation: Binary, a: bigint, b: bigint, out: number): bigint {
  const s = new Uint32Array(4 * 8);
  setBigInt(s, 8, a);
  setBigInt(s, 16, b);
  operation(s, 8, 16, out);
  return readBigInt(s, out);
}

const BINARY: readonly (readonly [string, Binary, (a: bigint, b: bigint) => bigint])[] = [
  ['ADD', addWords, (a, b) => unsigned(a + b)],
  ['SUB', subWords, (a, b) => unsigned(a - b)],
  ['MUL', mulWords, (a, b) => unsigned(a * b)],
  ['DIV', divWords, (a, b) => (b === 0n ? 0n : a / b)],
  ['MOD', modWords, (a, b) => (b === 0n ? 0n : a % b)],
  ['SDIV', divSigned, (a, b) => (b === 0n ? 0n : unsigned(signed(a) / signed(b)))],
  ['SMOD', modSigned, (a, b) => (b === 0n ? 0n : unsigned(signed(a) % signed(b)))],
  ['SHL', shiftLeft, (a, b) => (a > 255n ? 0n : unsigned(b << a))],
  ['SHR', shiftRight, (a, b) => (a > 255n ? 0n : b >> a)],
  ['SAR', shiftRightSigned, (a, b) => unsigned(signed(b) >> (a > 255n ? 255n : a))],
  ['BYTE', byteOfWord, (a, b) => (a > 31n ? 0n : (b >> (8n * (31n - a))) & 0xffn)],
  ['SIGNEXTEND', signExtend, (a, b) => (a > 30n ? b : unsigned(BigInt.asIntN(Number(a) * 8 + 8, b)))],
];

describe('words', () => {
  for (const [name, operation, model] of BINARY) {
    it(`${name} equals BigInt on 10,000 pairs, whichever operand the result replaces`, () => {
      fc.assert(
        fc.property(word, word, fc.constantFrom(8, 16, 24), (a, b, out) => {
          // The interpreter writes the result over the second operand; signed division copies its operands.
          assert.equal(
            binary(
              operation,
              a,
              b,
              name === 'SHL' || name === 'SHR' || name === 'SAR' || name === 'SIGNEXTEND' ? 24 : out,
            ),
            model(a, b),
          );
        }),
        RUNS,
      );
    });
  }

  it('shifts and sign extension work in place', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 260n }), word, (a, b) => {
        for (const [name, operation, model] of BINARY.slice(7))
          assert.equal(binary(operation, a, b, 16), model(a, b), name);
      }),
      RUNS,
    );
  });

  const TERNARY: readonly (readonly [
    string,
    (s: Words, a: number, b: number, n: number, out: number) => void,
    (a: bigint, b: bigint) => bigint,
  ])[] = [
    ['ADDMOD', addModWords, (a, b) => a + b],
    ['MULMOD', mulModWords, (a, b) => a * b],
  ];
  for (const [name, operation, combine] of TERNARY) {
    it(`${name} equals BigInt on 10,000 triples`, () => {
      fc.assert(
        fc.property(word, word, word, (a, b, n) => {
          const s = new Uint32Array(3 * 8);
          setBigInt(s, 0, n);
          setBigInt(s, 8, b);
          setBigInt(s, 16, a);
          operation(s, 16, 8, 0, 0);
          assert.equal(readBigInt(s, 0), n === 0n ? 0n : combine(a, b) % n);
        }),
        RUNS,
      );
    });
  }

  it('EXP equals repeated squaring of BigInt', () => {
    fc.assert(
      fc.property(word, word, (base, exponent) => {
        const s = new Uint32Array(4 * 8);
        setBigInt(s, 8, base);
        setBigInt(s, 0, exponent);
        powWords(s, 8, 0, 0, 16);
        let expected = 1n;
        for (let bit = 255n; bit >= 0n; bit -= 1n) {
          expected = unsigned(expected * expected);
          if ((exponent >> bit) & 1n) expected = unsigned(expected * base);
        }
        assert.equal(readBigInt(s, 0), expected);
      }),
      { numRuns: 500 },
    );
  });

  it('comparisons equal BigInt', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const s = new Uint32Array(16);
        setBigInt(s, 0, a);
        setBigInt(s, 8, b);
        assert.equal(isLess(s, 0, 8), a < b);
        assert.equal(isLessSigned(s, 0, 8), signed(a) < signed(b));
        assert.equal(isLess(s, 0, 0), false);
      }),
      RUNS,
    );
  });

  it('converts to and from bytes, addresses, numbers and offsets', () => {
    fc.assert(
      fc.property(word, fc.nat(40), fc.nat(Number.MAX_SAFE_INTEGER), (x, skip, number) => {
        const s = new Uint32Array(16);
        setBigInt(s, 0, x);
        const bytes = wordToBytes(s, 0);
        const hex = x.toString(16).padStart(64, '0');
        assert.equal(Buffer.from(bytes).toString('hex'), hex);
        assert.equal(Buffer.from(wordToAddress(s, 0)).toString('hex'), hex.slice(24));
        assert.equal(significantBytes(s, 0), x === 0n ? 0 : Math.ceil(x.toString(16).length / 2));
        readPadded(bytes, skip, s, 8);
        assert.equal(readBigInt(s, 8), skip > 32 ? 0n : unsigned(x << BigInt(8 * skip)));
        const length = Math.min(skip, 32);
        readBytes(bytes, 0, length, s, 8);
        assert.equal(readBigInt(s, 8), length === 0 ? 0n : x >> BigInt(8 * (32 - length)));
        assert.equal(toOffset(s, 0), x < 0x1_0000_0000n ? Number(x) : Infinity);
        setNumber(s, 0, number);
        assert.equal(readBigInt(s, 0), BigInt(number));
      }),
      RUNS,
    );
  });
});
