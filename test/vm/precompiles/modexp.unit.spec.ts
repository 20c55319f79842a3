import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bigIntToBytes, bytesToBigInt, concatBytes, toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { completed } from './completed.ts';
import { modexp } from '../../../src/vm/precompiles/modexp.ts';

const PLENTY_ERGS = 2 ** 50;
const PLENTY_NATIVE = 2 ** 50;
const word = (value: bigint | number): Bytes => bigIntToBytes(BigInt(value), 32);

function encode(base: Bytes, exponent: Bytes, modulus: Bytes): Bytes {
  return concatBytes(word(base.length), word(exponent.length), word(modulus.length), base, exponent, modulus);
}

/** Independent of the implementation: right to left, bit by bit. */
function slowPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  if (modulus === 0n) return 0n;
  let result = 1n % modulus;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function success(input: Bytes): { output: Bytes; gas: number; native: number } {
  const result = completed(modexp.run(input, PLENTY_ERGS, PLENTY_NATIVE));
  assert(result.kind === 'success', `${result.kind} for ${toHex(input).slice(0, 300)}`);
  return result;
}

const filled = (length: number, value = 0xff): Bytes => new Uint8Array(length).fill(value);

describe('modexp precompile', () => {
  it('answers the examples of EIP-198 with the gas of EIP-2565', () => {
    const prime = 2n ** 256n - 2n ** 32n - 977n;
    const fermat = success(encode(word(3n).subarray(31), word(prime - 1n), word(prime)));
    assert.equal(bytesToBigInt(fermat.output), 1n);
    assert.equal(fermat.gas, 1_360);
    assert.equal(fermat.native, 300 * 1_360);
    // base of length 0: zero to a power
    const zero = success(encode(new Uint8Array(0), word(prime - 1n), word(prime)));
    assert.equal(bytesToBigInt(zero.output), 0n);
    assert.equal(zero.gas, 1_360);
    // input cut behind the first byte of the modulus: zeros follow
    const cut = concatBytes(word(1), word(2), word(32), Uint8Array.of(3, 0xff, 0xff, 0x80));
    assert.equal(toHex(success(cut).output), '0x3b01b01ac41f2d6e917c6d6a221ce793802469026d9ab7578fa2e79e4da6aaab');
    const gone = success(concatBytes(word(0), word(32), word(2n ** 20n)));
    assert.equal(gone.output.length, 2 ** 20);
  });

  it('charges the published gas of the EIP-2565 cases', () => {
    const cases: readonly (readonly [baseAndModulus: number, exponent: Bytes, gas: number])[] = [
      [64, Uint8Array.of(2), 200],
      [64, Uint8Array.of(3), 200],
      [64, Uint8Array.of(1, 0, 1), 341],
      [128, Uint8Array.of(1, 0, 1), 1_365],
      [256, Uint8Array.of(3), 341],
      [256, Uint8Array.of(1, 0, 1), 5_461],
      [512, Uint8Array.of(3), 1_365],
      [512, Uint8Array.of(1, 0, 1), 21_845],
      [1024, Uint8Array.of(3), 5_461],
      [1024, Uint8Array.of(1, 0, 1), 87_381],
    ];
    for (const [length, exponent, gas] of cases) {
      const result = success(encode(filled(length), exponent, filled(length, 0xfd)));
      assert.equal(result.gas, gas, `${length} bytes, exponent ${toHex(exponent)}`);
      assert.equal(result.native, gas * 300);
    }
  });

  it('agrees with a plain loop, whatever the lengths', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70 }),
        fc.uint8Array({ maxLength: 48 }),
        fc.uint8Array({ maxLength: 70 }),
        (base, exponent, modulus) => {
          const { output } = success(encode(base, exponent, modulus));
          const length = base.length === 0 && modulus.length === 0 ? 0 : modulus.length;
          assert.equal(output.length, length);
          if (length > 0) {
            assert.equal(
              bytesToBigInt(output),
              slowPower(bytesToBigInt(base), bytesToBigInt(exponent), bytesToBigInt(modulus)),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('agrees with a plain loop on truncated input and small or even moduli', () => {
    const small = fc.uint8Array({ minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(small, fc.uint8Array({ maxLength: 60 }), small, fc.nat(90), (base, exponent, modulus, cut) => {
        const whole = encode(base, exponent, modulus);
        const input = whole.subarray(0, whole.length - Math.min(cut, whole.length - 96));
        const full = new Uint8Array(whole.length);
        full.set(input);
        const [b, e] = [96 + base.length, 96 + base.length + exponent.length];
        assert.equal(
          bytesToBigInt(success(input).output),
          slowPower(
            bytesToBigInt(full.subarray(96, b)),
            bytesToBigInt(full.subarray(b, e)),
            bytesToBigInt(full.subarray(e)),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with a plain loop for exponents of every window size', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(15, 16, 17, 511, 512, 513, 700),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        fc.bigInt(2n, 2n ** 130n),
        (length, pattern, modulus) => {
          const exponent = Uint8Array.from({ length }, (_, i) => pattern[i % pattern.length] ?? 0);
          assert.equal(
            bytesToBigInt(success(encode(Uint8Array.of(7, 1), exponent, bigIntToBytes(modulus, 17))).output),
            slowPower(0x701n, bytesToBigInt(exponent), modulus),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it('squares through the zeros at the end of a long exponent', () => {
    for (const modulus of [
      97n,
      2n ** 64n - 59n,
      2n ** 64n,
      2n ** 127n - 1n,
      2n ** 256n - 189n,
      2n ** 256n - 2n,
      6n ** 50n,
    ]) {
      const bytes = bigIntToBytes(modulus, 33);
      const exponentLength = 40;
      const exponent = new Uint8Array(exponentLength);
      exponent[0] = 0x05;
      const input = encode(Uint8Array.of(3), exponent, bytes);
      assert.equal(bytesToBigInt(success(input).output), slowPower(3n, 5n << 312n, modulus), `modulus ${modulus}`);
    }
  });

  it('rounds the modulus length up to whole words for native only', () => {
    // base 1, modulus 33 bytes: gas of 5 words of 8 bytes, native of 8
    const exponent = concatBytes(Uint8Array.of(0x80), new Uint8Array(31));
    const result = success(encode(Uint8Array.of(3), exponent, filled(33)));
    assert.equal(result.gas, Math.floor((25 * 255) / 3));
    assert.equal(result.native, 300 * Math.floor((64 * 255) / 3));
    // a base longer than the rounded modulus is not rounded
    const long = success(encode(filled(33), exponent, filled(8)));
    assert.equal(long.gas, Math.floor((25 * 255) / 3));
    assert.equal(long.native, 300 * Math.floor((25 * 255) / 3));
  });

  it('counts bits of the first 32 bytes of the exponent, and eight for each byte behind them', () => {
    const gas = (length: number, exponent: Bytes): number =>
      success(encode(filled(length), exponent, filled(length))).gas;
    // 64 bytes: 8 words, complexity 64. The head has 256 bits.
    assert.equal(gas(64, filled(32)), Math.floor((64 * 255) / 3));
    assert.equal(gas(64, filled(33)), Math.floor((64 * (255 + 8)) / 3));
    assert.equal(gas(64, filled(40)), Math.floor((64 * (255 + 64)) / 3));
    // 256 bytes: complexity 1,024. An exponent of 0 or 1 counts once.
    assert.equal(gas(256, Uint8Array.of(1)), 341);
    assert.equal(gas(256, Uint8Array.of(0)), 341);
    // A modulus of 256 bytes is eight words of 32 already.
    const { native } = success(encode(filled(1), Uint8Array.of(1), filled(256)));
    assert.equal(native, 300 * 341);
    // 40 bytes: complexity 25. 30 bits behind the first make 750 / 3 = 250, 18 make 150, which is below the minimum.
    assert.equal(gas(40, Uint8Array.of(0x40, 0, 0, 0)), 250);
    assert.equal(gas(40, Uint8Array.of(0x04, 0, 0)), 200);
  });

  it('fails for nothing when its ergs reach 2^64, one gas below it is native that is short', () => {
    // Base of a word, no modulus, an exponent of zeros: 8 x (length - 32) / 3 gas, which is 2^56 at 32 + 3 x 2^53 bytes.
    const run = (exponentLength: bigint): string =>
      modexp.run(concatBytes(word(8), word(exponentLength), word(0)), PLENTY_ERGS, PLENTY_NATIVE).kind;
    assert.equal(run(32n + 3n * 2n ** 53n), 'failure');
    assert.equal(run(32n + 3n * 2n ** 53n - 1n), 'outOfNative');
  });

  it('charges the minimum for two empty operands', () => {
    for (const exponentLength of [0n, 1n, 2n ** 64n, 2n ** 255n]) {
      assert.deepEqual(
        modexp.run(concatBytes(word(0), word(exponentLength), word(0), Uint8Array.of(1)), 200 * 256, 60_000),
        { kind: 'success', output: new Uint8Array(0), gas: 200, native: 60_000 },
      );
    }
    assert.deepEqual(success(new Uint8Array(0)), {
      kind: 'success',
      output: new Uint8Array(0),
      gas: 200,
      native: 60_000,
    });
  });

  it('fails without charging native when less than the minimum is left or a figure leaves 64 bits', () => {
    const free = { kind: 'failure', native: 0 };
    assert.deepEqual(modexp.run(new Uint8Array(0), 200 * 256 - 1, PLENTY_NATIVE), free);
    assert.deepEqual(modexp.run(new Uint8Array(0), PLENTY_ERGS, 59_999), free);
    const lengths: readonly (readonly [bigint, bigint, bigint])[] = [
      [2n ** 64n, 1n, 1n],
      [1n, 2n ** 64n, 1n],
      [1n, 1n, 2n ** 64n],
      [2n ** 256n - 1n, 2n ** 256n - 1n, 2n ** 256n - 1n],
      [2n ** 64n - 1n, 1n, 1n],
      [1n, 2n ** 64n - 1n, 1n],
      [2n ** 40n, 2n ** 40n, 1n],
    ];
    for (const [base, exponent, modulus] of lengths) {
      const input = concatBytes(word(base), word(exponent), word(modulus), filled(64));
      assert.deepEqual(modexp.run(input, PLENTY_ERGS, PLENTY_NATIVE), free, `${base} ${exponent} ${modulus}`);
    }
  });

  it('ends the transaction when native is short, and charges native when only gas is', () => {
    const input = encode(filled(1024), Uint8Array.of(1, 0, 1), filled(1024, 0xfd));
    const native = 300 * 87_381;
    assert.deepEqual(modexp.run(input, 200 * 256, native - 1), { kind: 'outOfNative' });
    assert.deepEqual(modexp.run(input, 87_381 * 256 - 1, native), { kind: 'failure', native });
    assert.equal(completed(modexp.run(input, 87_381 * 256, native)).kind, 'success');
  });

  it('does not allocate what was not paid for', () => {
    const input = concatBytes(word(2n ** 31n), word(1), word(2n ** 31n), filled(3));
    assert.deepEqual(modexp.run(input, 100_000_000 * 256, 2 ** 35), { kind: 'outOfNative' });
  });

  it('treats a modulus of zero or one as zero', () => {
    for (const modulus of [0n, 1n]) {
      assert.equal(toHex(success(encode(Uint8Array.of(0), Uint8Array.of(0), word(modulus))).output), toHex(word(0)));
    }
    // 0^0 = 1
    assert.equal(bytesToBigInt(success(encode(Uint8Array.of(0), Uint8Array.of(0), word(7))).output), 1n);
  });
});
