/** What only Ethereum's rules have: its last two precompiles, refunds, blob fees. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { concatBytes, fromHex, toHex, u32be } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { PrecompileResult } from '../../src/vm/precompiles/index.ts';
import { blake2f } from './blake2f.ts';
import { ethereumRules } from './ethereumRules.ts';
import { blobBaseFee } from './ethereumTransaction.ts';
import { pointEvaluation } from './pointEvaluation.ts';

const PLENTY = 1e12;

function output(result: PrecompileResult): string {
  return result.kind === 'success' ? toHex(result.output) : result.kind;
}

describe('blake2f', () => {
  const ROUNDS = 12;
  const INITIAL = [
    0x6a09e667f3bcc908n ^ 0x01010040n,
    0xbb67ae8584caa73bn,
    0x3c6ef372fe94f82bn,
    0xa54ff53a5f1d36f1n,
    0x510e527fade682d1n,
    0x9b05688c2b3e6c1fn,
    0x1f83d9abfb41bd6bn,
    0x5be0cd19137e2179n,
  ];

  /** The input that hashes a message of one block. */
  function inputOf(message: Bytes, rounds = ROUNDS, final = 1): Bytes {
    const input = new Uint8Array(213);
    input.set(u32be(rounds));
    const view = new DataView(input.buffer);
    INITIAL.forEach((word, i) => view.setBigUint64(4 + 8 * i, word, true));
    input.set(message, 68);
    view.setBigUint64(196, BigInt(message.length), true);
    input[212] = final;
    return input;
  }

  it('is the compression of BLAKE2b', () => {
    for (const length of [0, 3, 64, 127, 128]) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 7 + length) % 256);
      const expected = createHash('blake2b512').update(message).digest();
      assert.equal(
        output(blake2f.run(inputOf(message), PLENTY, 0)),
        toHex(new Uint8Array(expected)),
        `${length} bytes`,
      );
    }
  });

  it('costs a gas per round and refuses what it must', () => {
    const input = inputOf(new Uint8Array(0));
    const result = blake2f.run(input, ROUNDS * 256, 0);
    assert.equal(result.kind === 'success' ? result.gas : 0, ROUNDS);
    assert.equal(blake2f.run(input, ROUNDS * 256 - 1, 0).kind, 'failure');
    assert.equal(blake2f.run(inputOf(new Uint8Array(0), ROUNDS, 2), PLENTY, 0).kind, 'failure');
    assert.equal(blake2f.run(input.subarray(1), PLENTY, 0).kind, 'failure');
    assert.notEqual(output(blake2f.run(inputOf(new Uint8Array(0), ROUNDS, 0), PLENTY, 0)), output(result));
  });
});

describe('point evaluation', () => {
  const proven = fromHex(
    '01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b' +
      '564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306' +
      '24d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a1' +
      '8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7' +
      '873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a',
  );

  it('accepts a proof and answers field size and modulus', () => {
    assert.equal(
      output(pointEvaluation.run(proven, 50_000 * 256, 0)),
      `0x${'1000'.padStart(64, '0')}73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001`,
    );
  });

  it('refuses another value, point, hash or proof, and too little gas', () => {
    for (const at of [0, 31, 63, 95, 143, 191]) {
      const wrong = new Uint8Array(proven);
      wrong[at]! ^= 1;
      assert.equal(pointEvaluation.run(wrong, PLENTY, 0).kind, 'failure', `byte ${at}`);
    }
    assert.equal(pointEvaluation.run(proven, 50_000 * 256 - 1, 0).kind, 'failure');
    assert.equal(pointEvaluation.run(concatBytes(proven, Uint8Array.of(0)), PLENTY, 0).kind, 'failure');
  });
});

describe('refunds of storage (EIP-3529)', () => {
  const { slotRefund } = ethereumRules(() => false);
  assert.ok(slotRefund !== undefined);

  /** Refund of setting a slot to one value after the other, from `start` on. */
  function refundOf(start: number, ...values: readonly number[]): number {
    let current = start;
    let refund = 0;
    for (const value of values) {
      refund += slotRefund!({
        isNoop: value === current,
        isClean: current === start,
        isRestored: value === start,
        wasZeroAtStart: start === 0,
        isZero: current === 0,
        becomesZero: value === 0,
      });
      current = value;
    }
    return refund;
  }

  for (const [start, values, expected] of [
    [0, [0, 0], 0],
    [0, [1, 0], 19_900],
    [0, [1, 2], 0],
    [0, [1, 2, 0], 19_900],
    [0, [1, 0, 1, 0], 39_800],
    [1, [0, 0], 4_800],
    [1, [0, 1], 2_800],
    [1, [0, 2], 0],
    [1, [2, 0], 4_800],
    [1, [2, 3], 0],
    [1, [2, 1], 2_800],
    [1, [0, 1, 0], 7_600],
    [1, [1, 1], 0],
    [1, [0, 2, 1], 2_800],
  ] as const) {
    it(`${start} to ${values.join(', ')}: ${expected}`, () => assert.equal(refundOf(start, ...values), expected));
  }
});

describe('blob base fee (EIP-4844)', () => {
  it('grows by an eighth per full block', () => {
    assert.equal(blobBaseFee(0n), 1n);
    assert.equal(blobBaseFee(2_314_057n), 1n);
    assert.equal(blobBaseFee(2_314_058n), 2n);
    assert.equal(blobBaseFee(10n * 1024n * 1024n), 23n);
  });
});
