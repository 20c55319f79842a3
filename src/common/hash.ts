/** Hot hashes (design.md D7): synchronous, one instance per thread. */
import type { Bytes } from './bytes.ts';
import { keccak256 } from './wasmHash.ts';

export { blake2s256, keccak256, keccakOfRange } from './wasmHash.ts';

/** keccak256 of the empty byte string. */
export const KECCAK_EMPTY: Bytes = keccak256(new Uint8Array(0));
