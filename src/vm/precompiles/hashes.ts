/** sha256, ripemd160 and identity (spec: execution 9, native 6.3). */
import { createHash, hash } from 'node:crypto';
import type { Bytes } from '../../common/bytes.ts';
import { chargedPrecompile, words } from './precompile.ts';
import type { PrecompileTask } from './precompile.ts';

/** Bytes; what is longer is hashed over several turns. */
const HASHED_AT_ONCE_MAX = 256 * 1024;
const HASHED_BYTES_PER_UNIT = 4;
/** Of every output. */
const WORD_BYTES = 32;

/** Native of both hashes: 64-byte compression rounds, padding included. */
function hashNative(input: Bytes): number {
  const { length } = input;
  const rounds = Math.floor(length / 64) + (length % 64 <= 55 ? 1 : 2);
  return 1_600 + 4_200 * rounds;
}

function digest(algorithm: 'sha256' | 'ripemd160', input: Bytes): Bytes | PrecompileTask {
  if (input.length <= HASHED_AT_ONCE_MAX) return padded(hash(algorithm, input, 'buffer'));
  const state = createHash(algorithm);
  let rest = input;
  return {
    advance(units) {
      const length = Math.max(1, units) * HASHED_BYTES_PER_UNIT;
      state.update(rest.subarray(0, length));
      rest = rest.subarray(length);
      return rest.length > 0 ? undefined : padded(state.digest());
    },
  };
}

/** As the low bytes of a word. */
function padded(bytes: Bytes): Bytes {
  const output = new Uint8Array(WORD_BYTES);
  output.set(bytes, WORD_BYTES - bytes.length);
  return output;
}

export const sha256 = chargedPrecompile({
  gas: (input) => 60 + 12 * words(input.length),
  native: hashNative,
  compute: (input) => digest('sha256', input),
});

export const ripemd160 = chargedPrecompile({
  gas: (input) => 600 + 120 * words(input.length),
  native: hashNative,
  compute: (input) => digest('ripemd160', input),
});

export const identity = chargedPrecompile({
  gas: (input) => 15 + 3 * words(input.length),
  native: (input) => 20 + 10 * input.length,
  compute: (input) => new Uint8Array(input),
});
