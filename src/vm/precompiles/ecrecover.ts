/** secp256k1 public key recovery (spec: execution 9, native 6.3). */
import { createRequire } from 'node:module';
import type secp256k1 from 'secp256k1';
import { EMPTY_BYTES } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import { NodeError, errorText } from '../../common/errors.ts';
import { keccak256 } from '../../common/hash.ts';
import { chargedPrecompile } from './precompile.ts';

/** The addon itself: the package's main file would fall back to slow JavaScript without a word. */
function loadAddon(): typeof secp256k1 {
  try {
    // The package has no types for this file; it exports the same functions as the main one.
    return createRequire(import.meta.url)('secp256k1/bindings') as typeof secp256k1;
  } catch (error) {
    throw new NodeError(
      'fatal',
      `the native secp256k1 addon does not load on ${process.platform}-${process.arch}: ${errorText(error)}; run "npm rebuild secp256k1" with a C++ compiler installed`,
      { code: 'SECP256K1_ADDON_MISSING' },
      { cause: error },
    );
  }
}

const addon = loadAddon();

function recoverAddress(input: Bytes): Bytes {
  const padded = new Uint8Array(128);
  padded.set(input.length > 128 ? input.subarray(0, 128) : input);
  for (let i = 32; i < 63; i++) if (padded[i] !== 0) return EMPTY_BYTES;
  const v = padded[63];
  if (v !== 27 && v !== 28) return EMPTY_BYTES;
  let publicKey: Uint8Array;
  try {
    publicKey = addon.ecdsaRecover(padded.subarray(64, 128), v - 27, padded.subarray(0, 32), false);
  } catch {
    // r or s out of range, or no such point: not an error of the call
    return EMPTY_BYTES;
  }
  const output = new Uint8Array(32);
  output.set(keccak256(publicKey.subarray(1)).subarray(12), 12);
  return output;
}

export const ecrecover = chargedPrecompile({
  gas: () => 3_000,
  native: () => 522_000,
  compute: recoverAddress,
});
