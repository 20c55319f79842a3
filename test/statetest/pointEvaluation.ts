/** The KZG point evaluation precompile (EIP-4844). */
import { createHash } from 'node:crypto';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { bytesToBigInt, concatBytes, equalBytes, fromHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { Precompile } from '../../src/vm/precompiles/index.ts';

const GAS = 50_000;
const INPUT_BYTES = 192;
const VERSION = 1;
/** The order of the group. */
const MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
/** The secret of the ceremony times the generator of the second group. */
const SECRET_G2 = bls12_381.G2.Point.fromBytes(
  fromHex(
    'b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72' +
      '185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2',
  ),
);
/** Elements of a blob, then the modulus, each as a word. */
const OUTPUT = fromHex(`${'1000'.padStart(64, '0')}${MODULUS.toString(16)}`);

const { Point: G1 } = bls12_381.G1;
const { Point: G2 } = bls12_381.G2;

function point(bytes: Bytes): InstanceType<typeof G1> {
  const decoded = G1.fromBytes(bytes);
  if (!decoded.is0()) decoded.assertValidity();
  return decoded;
}

/** Whether the polynomial behind the commitment takes `value` at `at`: e(C - [y], -G2) * e(proof, [s - z]) = 1. */
function isProven(at: bigint, value: bigint, commitment: Bytes, proof: Bytes): boolean {
  try {
    const left = point(commitment).subtract(value === 0n ? G1.ZERO : G1.BASE.multiply(value));
    const right = SECRET_G2.subtract(at === 0n ? G2.ZERO : G2.BASE.multiply(at));
    const witness = point(proof);
    const pairs = [
      { g1: left, g2: G2.BASE.negate() },
      { g1: witness, g2: right },
    ].filter(({ g1, g2 }) => !g1.is0() && !g2.is0());
    const product = bls12_381.pairingBatch(pairs);
    return bls12_381.fields.Fp12.eql(product, bls12_381.fields.Fp12.ONE);
  } catch {
    // A point that is malformed, or not in its group.
    return false;
  }
}

function evaluate(input: Bytes): Bytes | undefined {
  if (input.length !== INPUT_BYTES) return undefined;
  const commitment = input.slice(96, 144);
  const hash = new Uint8Array(createHash('sha256').update(commitment).digest());
  if (!equalBytes(input.slice(0, 32), concatBytes(Uint8Array.of(VERSION), hash.subarray(1)))) return undefined;
  const at = bytesToBigInt(input.slice(32, 64));
  const value = bytesToBigInt(input.slice(64, 96));
  if (at >= MODULUS || value >= MODULUS) return undefined;
  return isProven(at, value, commitment, input.slice(144, 192)) ? OUTPUT : undefined;
}

export const pointEvaluation: Precompile = {
  run(input, ergsAvailable) {
    if (ergsAvailable < GAS * 256) return { kind: 'failure', native: 0 };
    const output = evaluate(input);
    return output === undefined ? { kind: 'failure', native: 0 } : { kind: 'success', output, gas: GAS, native: 0 };
  },
};
