import assert from 'node:assert/strict';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { bigIntToBytes, concatBytes, fromHex, toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { keccak256 } from '../../../src/common/hash.ts';
import { ecrecover } from '../../../src/vm/precompiles/ecrecover.ts';

const PLENTY = 1e12;
const ORDER = secp256k1.Point.Fn.ORDER;
const word = (value: bigint): Bytes => bigIntToBytes(value, 32);

const DIGEST = fromHex('18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c');
const R = fromHex('73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75f');
const S = fromHex('eeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549');

function recovered(input: Bytes): string {
  const result = ecrecover.run(input, PLENTY, PLENTY);
  assert(result.kind === 'success');
  assert.equal(result.gas, 3_000);
  assert.equal(result.native, 522_000);
  return toHex(result.output);
}

describe('ecrecover precompile', () => {
  it('recovers the address of the well-known signature, high s included', () => {
    assert.equal(
      recovered(concatBytes(DIGEST, word(28n), R, S)),
      '0x000000000000000000000000a94f5374fce5edbc8e2a8697c15331677e6ebf0b',
    );
  });

  it('recovers what noble signs, with both forms of s, and ignores bytes behind the signature', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, ORDER - 1n), fc.uint8Array({ minLength: 32, maxLength: 32 }), (key, digest) => {
        const secret = word(key);
        const signature = secp256k1.Signature.fromBytes(
          secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' }),
          'recovered',
        );
        const address = keccak256(secp256k1.getPublicKey(secret, false).subarray(1)).subarray(12);
        const expected = toHex(concatBytes(new Uint8Array(12), address));
        const parity = BigInt(signature.recovery ?? assert.fail('no recovery bit'));
        const { r, s } = signature;
        assert.equal(recovered(concatBytes(digest, word(27n + parity), word(r), word(s))), expected);
        const other = concatBytes(digest, word(28n - parity), word(r), word(ORDER - s), Uint8Array.of(1, 2, 3));
        assert.equal(recovered(other), expected);
      }),
      { numRuns: 25 },
    );
  });

  it('answers with nothing when there is no signature', () => {
    assert.equal(recovered(new Uint8Array(0)), '0x');
    for (const v of [0n, 1n, 26n, 29n, 27n + 256n, 28n + (1n << 248n)]) {
      assert.equal(recovered(concatBytes(DIGEST, word(v), R, S)), '0x', `v = ${v}`);
    }
    for (const bad of [0n, ORDER, ORDER + 1n, 2n ** 256n - 1n]) {
      assert.equal(recovered(concatBytes(DIGEST, word(28n), word(bad), S)), '0x', `r = ${bad}`);
      assert.equal(recovered(concatBytes(DIGEST, word(28n), R, word(bad))), '0x', `s = ${bad}`);
    }
    // s cut off is s = 0
    assert.equal(recovered(concatBytes(DIGEST, word(28n), R)), '0x');
    // 5 is not the x of a point
    assert.equal(recovered(concatBytes(DIGEST, word(28n), word(5n), S)), '0x');
    // r = x of the generator and digest = s: the recovered point is infinity
    const generator = secp256k1.Point.BASE.toAffine();
    const same = word(0x6b8d2c81b11b2d699528dde488dbdf2f94293d0d33c32e347f255fa4a6c1f0a9n);
    assert.equal(recovered(concatBytes(same, word(27n), word(generator.x), same)), '0x');
  });

  it('fills a cut s with zeros', () => {
    // s has a last byte of zero in exactly this construction: cut it and the same address must come back
    const full = concatBytes(DIGEST, word(28n), R, S.subarray(0, 31), Uint8Array.of(0));
    assert.equal(recovered(full.subarray(0, 127)), recovered(full));
    assert.notEqual(recovered(full), '0x');
  });

  it('charges before it looks', () => {
    assert.deepEqual(ecrecover.run(new Uint8Array(0), PLENTY, 521_999), { kind: 'outOfNative' });
    assert.deepEqual(ecrecover.run(new Uint8Array(0), 3_000 * 256 - 1, 522_000), { kind: 'failure', native: 522_000 });
  });
});
