/** What a LoadedState says of a slot, in bytes. */
import type { Bytes } from '../../src/common/bytes.ts';
import { ABSENT, type LoadedState } from '../../src/vm/loadedState.ts';
import { LIMBS, readBytes, wordToBytes } from '../../src/vm/words.ts';

export function loadedSlot(state: LoadedState, address: Bytes, slot: Bytes): Bytes | typeof ABSENT | undefined {
  const words = new Uint32Array(LIMBS);
  const value = new Uint32Array(LIMBS);
  readBytes(slot, 0, 32, words, 0);
  const exists = state.slot(address, words, 0, value);
  if (exists === undefined) return undefined;
  return exists ? wordToBytes(value, 0) : ABSENT;
}
