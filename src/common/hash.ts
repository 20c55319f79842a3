/**
 * Hot hashes through reused WASM hashers (design.md D7): one instance each per thread, synchronous after import.
 */
import { createBLAKE2s, createKeccak } from 'hash-wasm';
import type { Bytes } from './bytes.ts';

const keccakHasher = await createKeccak(256);
const blake2sHasher = await createBLAKE2s(256);

export function keccak256(bytes: Bytes): Bytes {
  return keccakHasher.init().update(bytes).digest('binary');
}

/** BLAKE2s-256 without key. */
export function blake2s256(bytes: Bytes): Bytes {
  return blake2sHasher.init().update(bytes).digest('binary');
}

/** keccak256 of the empty byte string. */
export const KECCAK_EMPTY: Bytes = keccak256(new Uint8Array(0));
