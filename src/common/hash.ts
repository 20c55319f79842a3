/**
 * Hot hashes through reused WASM hashers (design.md D7): one instance each per thread, synchronous after import.
 */
import { createBLAKE2s, createKeccak } from 'hash-wasm';
import type { Bytes } from './bytes.ts';

const keccakHasher = await createKeccak(256);
const blake2sHasher = await createBLAKE2s(256);

/**
 * Where short inputs are copied to, by length. The hasher takes a view of its input, and of an array of up to 64 bytes
 * that makes V8 move it out of its heap, which costs more than to hash it.
 */
const short = new Uint8Array(new ArrayBuffer(128));
const shortInputs: readonly Bytes[] = Array.from({ length: short.length + 1 }, (_, length) =>
  short.subarray(0, length),
);

function inputOf(bytes: Bytes): Bytes {
  const input = shortInputs[bytes.length];
  if (input === undefined) return bytes;
  input.set(bytes);
  return input;
}

export function keccak256(bytes: Bytes): Bytes {
  return keccakHasher.init().update(inputOf(bytes)).digest('binary');
}

/** keccak256 of an input that is worked off in parts; others may hash in between. */
export class KeccakInParts {
  #state = keccakHasher.init().save();

  update(bytes: Bytes): void {
    this.#state = keccakHasher.load(this.#state).update(bytes).save();
  }

  digest(): Bytes {
    return keccakHasher.load(this.#state).digest('binary');
  }
}

/** BLAKE2s-256 without key. */
export function blake2s256(bytes: Bytes): Bytes {
  return blake2sHasher.init().update(inputOf(bytes)).digest('binary');
}

/** keccak256 of the empty byte string. */
export const KECCAK_EMPTY: Bytes = keccak256(new Uint8Array(0));
