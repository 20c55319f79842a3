/** sha256, ripemd160 and identity (spec: execution 9, native 6.3). */
import { hash } from 'node:crypto';
import type { Bytes } from '../../common/bytes.ts';
import { chargedPrecompile, words } from './precompile.ts';

/** Native of both hashes: 64-byte compression rounds, padding included. */
function hashNative(input: Bytes): number {
  const { length } = input;
  const rounds = Math.floor(length / 64) + (length % 64 <= 55 ? 1 : 2);
  return 1_600 + 4_200 * rounds;
}

export const sha256 = chargedPrecompile({
  gas: (input) => 60 + 12 * words(input.length),
  native: hashNative,
  compute: (input) => new Uint8Array(hash('sha256', input, 'buffer')),
});

export const ripemd160 = chargedPrecompile({
  gas: (input) => 600 + 120 * words(input.length),
  native: hashNative,
  compute: (input) => {
    const output = new Uint8Array(32);
    output.set(hash('ripemd160', input, 'buffer'), 12);
    return output;
  },
});

export const identity = chargedPrecompile({
  gas: (input) => 15 + 3 * words(input.length),
  native: (input) => 20 + 10 * input.length,
  compute: (input) => new Uint8Array(input),
});
