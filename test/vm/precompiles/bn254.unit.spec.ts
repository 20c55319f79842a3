import assert from 'node:assert/strict';
import { bn254 } from '@noble/curves/bn254.js';
import fc from 'fast-check';
import { bigIntToBytes, concatBytes, toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { bn254Add, bn254Mul, bn254Pairing } from '../../../src/vm/precompiles/bn254.ts';
import type { Precompile } from '../../../src/vm/precompiles/index.ts';
import { completed } from './completed.ts';

const G1 = bn254.G1.Point;
const G2 = bn254.G2.Point;
const { Fp, Fp2, Fr } = bn254.fields;
type PointG1 = InstanceType<typeof G1>;
type PointG2 = InstanceType<typeof G2>;

const word = (value: bigint): Bytes => bigIntToBytes(value, 32);

function encodeG1(point: PointG1): Bytes {
  if (point.is0()) return new Uint8Array(64);
  const { x, y } = point.toAffine();
  return concatBytes(word(x), word(y));
}

function encodeG2(point: PointG2): Bytes {
  if (point.is0()) return new Uint8Array(128);
  const { x, y } = point.toAffine();
  return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0));
}

const multiple = (point: PointG1, scalar: bigint): PointG1 => (scalar === 0n ? G1.ZERO : point.multiply(scalar));
const multiple2 = (scalar: bigint): PointG2 => (scalar === 0n ? G2.ZERO : G2.BASE.multiply(scalar));

function output(precompile: Precompile, input: Bytes): string {
  const result = completed(precompile.run(input, 1e12, 1e13));
  assert.equal(result.kind, 'success', `input ${toHex(input)}`);
  return result.kind === 'success' ? toHex(result.output) : '';
}

function fails(precompile: Precompile, input: Bytes, native: number): void {
  assert.deepEqual(completed(precompile.run(input, 1e12, 1e13)), { kind: 'failure', native });
}

const scalars = fc.oneof(fc.constantFrom(0n, 1n, 2n, Fr.ORDER - 1n), fc.bigInt(0n, Fr.ORDER - 1n));

/** On the twist but outside the subgroup: the first such x = n + 0u. */
function twistPointOutsideSubgroup(): Bytes {
  const b = Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n]));
  for (let n = 1n; ; n++) {
    const x = Fp2.fromBigTuple([n, 0n]);
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), b);
    let y;
    try {
      y = Fp2.sqrt(square);
    } catch {
      continue;
    }
    const point = G2.fromAffine({ x, y });
    if (!point.isTorsionFree()) return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0));
  }
}

describe('bn254 precompiles', () => {
  it('add what noble adds, for all scalars', () => {
    fc.assert(
      fc.property(scalars, scalars, (a, b) => {
        const [p, q] = [multiple(G1.BASE, a), multiple(G1.BASE, b)];
        assert.equal(output(bn254Add, concatBytes(encodeG1(p), encodeG1(q))), toHex(encodeG1(p.add(q))));
      }),
      { numRuns: 30 },
    );
  });

  it('multiply what noble multiplies, by any 256-bit scalar', () => {
    const any = fc.oneof(
      fc.constantFrom(0n, 1n, Fr.ORDER - 1n, Fr.ORDER, Fr.ORDER + 1n, 2n ** 256n - 1n),
      fc.bigInt(0n, 2n ** 256n - 1n),
    );
    fc.assert(
      fc.property(scalars, any, (a, k) => {
        const p = multiple(G1.BASE, a);
        assert.equal(
          output(bn254Mul, concatBytes(encodeG1(p), word(k))),
          toHex(encodeG1(p.is0() ? p : multiple(p, k % Fr.ORDER))),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('know 2G of EIP-196', () => {
    assert.equal(
      output(bn254Mul, concatBytes(word(1n), word(2n), word(2n))),
      '0x030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd315ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4',
    );
  });

  it('fill short input with zeros and ignore what is too long', () => {
    const g = encodeG1(G1.BASE);
    assert.equal(output(bn254Add, g), toHex(g));
    assert.equal(output(bn254Add, new Uint8Array(0)), toHex(new Uint8Array(64)));
    assert.equal(output(bn254Add, concatBytes(g, new Uint8Array(64), new Uint8Array(9).fill(7))), toHex(g));
    assert.equal(output(bn254Mul, g), toHex(new Uint8Array(64)));
    // the scalar is cut to its first byte: 0x01 << 248
    assert.equal(
      output(bn254Mul, concatBytes(g, Uint8Array.of(1))),
      toHex(encodeG1(G1.BASE.multiply(2n ** 248n % Fr.ORDER))),
    );
  });

  it('refuse what is not a point of the first group', () => {
    fails(bn254Add, concatBytes(word(1n), word(3n)), 52_600);
    fails(bn254Add, concatBytes(encodeG1(G1.BASE), word(1n), word(3n)), 52_600);
    fails(bn254Add, concatBytes(word(0n), word(1n)), 52_600);
    fails(bn254Mul, concatBytes(word(1n), word(3n), word(0n)), 764_000);
    // coordinates are not reduced: the prime itself, and the generator with p added
    fails(bn254Add, concatBytes(word(Fp.ORDER), word(Fp.ORDER)), 52_600);
    fails(bn254Mul, concatBytes(word(1n + Fp.ORDER), word(2n), word(1n)), 764_000);
    fails(bn254Mul, concatBytes(word(1n), word(2n + Fp.ORDER), word(1n)), 764_000);
    fails(bn254Mul, concatBytes(word(2n ** 256n - 1n), word(2n), word(1n)), 764_000);
  });

  it('check pairings as noble does', () => {
    fc.assert(
      fc.property(scalars, scalars, fc.boolean(), (a, b, balanced) => {
        // e(aG, bH) e(cG, H) is one exactly when c = -ab
        const c = balanced ? Fr.neg(Fr.mul(a, b)) : Fr.add(Fr.neg(Fr.mul(a, b)), 1n);
        const input = concatBytes(
          encodeG1(multiple(G1.BASE, a)),
          encodeG2(multiple2(b)),
          encodeG1(multiple(G1.BASE, c)),
          encodeG2(G2.BASE),
        );
        const result = output(bn254Pairing, input);
        assert.equal(result, toHex(word(balanced ? 1n : 0n)));
        const pairs = [
          { g1: multiple(G1.BASE, a), g2: multiple2(b) },
          { g1: multiple(G1.BASE, c), g2: G2.BASE },
        ].filter(({ g1, g2 }) => !g1.is0() && !g2.is0());
        const product = bn254.pairingBatch(pairs);
        assert.equal(result, toHex(word(bn254.fields.Fp12.eql(product, bn254.fields.Fp12.ONE) ? 1n : 0n)));
      }),
      { numRuns: 10 },
    );
  });

  it('answer one for no pairs and for pairs with infinity', () => {
    assert.equal(output(bn254Pairing, new Uint8Array(0)), toHex(word(1n)));
    assert.equal(output(bn254Pairing, new Uint8Array(192)), toHex(word(1n)));
    assert.equal(output(bn254Pairing, concatBytes(encodeG1(G1.BASE), new Uint8Array(128))), toHex(word(1n)));
    assert.equal(output(bn254Pairing, concatBytes(new Uint8Array(64), encodeG2(G2.BASE))), toHex(word(1n)));
    assert.equal(output(bn254Pairing, concatBytes(encodeG1(G1.BASE), encodeG2(G2.BASE))), toHex(word(0n)));
  });

  it('refuse a pairing input that is no pair of group elements, even beside infinity', () => {
    const outside = twistPointOutsideSubgroup();
    const g2 = encodeG2(G2.BASE);
    const flipped = new Uint8Array(g2);
    flipped[127]! ^= 1;
    fails(bn254Pairing, concatBytes(encodeG1(G1.BASE), outside), 30_000_000);
    fails(bn254Pairing, concatBytes(new Uint8Array(64), outside), 30_000_000);
    fails(bn254Pairing, concatBytes(encodeG1(G1.BASE), flipped), 30_000_000);
    fails(bn254Pairing, concatBytes(word(1n), word(3n), new Uint8Array(128)), 30_000_000);
    for (let coordinate = 0; coordinate < 4; coordinate++) {
      const tooBig = new Uint8Array(g2);
      tooBig.set(word(Fp.ORDER), coordinate * 32);
      fails(bn254Pairing, concatBytes(encodeG1(G1.BASE), tooBig), 30_000_000);
    }
    // imaginary and real part exchanged is another, invalid point
    const exchanged = concatBytes(g2.subarray(32, 64), g2.subarray(0, 32), g2.subarray(96), g2.subarray(64, 96));
    fails(bn254Pairing, concatBytes(encodeG1(G1.BASE), exchanged), 30_000_000);
  });

  it('charge a pairing before looking at its length', () => {
    fails(bn254Pairing, new Uint8Array(191), 15_000_000);
    fails(bn254Pairing, new Uint8Array(193), 30_000_000);
    assert.deepEqual(bn254Pairing.run(new Uint8Array(193), 1e12, 29_999_999), { kind: 'outOfNative' });
    assert.deepEqual(bn254Pairing.run(new Uint8Array(384), 112_999 * 256, 1e12), {
      kind: 'failure',
      native: 45_000_000,
    });
    const paid = bn254Pairing.run(new Uint8Array(384), 113_000 * 256, 45_000_000);
    assert.deepEqual(paid, { kind: 'success', output: word(1n), gas: 113_000, native: 45_000_000 });
  });
});
