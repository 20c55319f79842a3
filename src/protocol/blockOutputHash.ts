import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { dataView } from './words.ts';

/**
 * Digest of the result of a block (spec: replay-record 6): keccak256 of the block hash, then status byte and gas used of
 * each included transaction, then flat key and value of each write in storage order.
 */
export function blockOutputHash(
  blockHash: Bytes,
  results: readonly { readonly success: boolean; readonly gasUsed: bigint }[],
  writes: readonly { readonly flatKey: Bytes; readonly value: Bytes }[],
): Bytes {
  const preimage = new Uint8Array(32 + results.length * 9 + writes.length * 64);
  const view = dataView(preimage);
  preimage.set(blockHash);
  let offset = 32;
  for (const result of results) {
    preimage[offset] = result.success ? 1 : 0;
    view.setBigUint64(offset + 1, result.gasUsed);
    offset += 9;
  }
  for (const write of writes) {
    preimage.set(write.flatKey, offset);
    preimage.set(write.value, offset + 32);
    offset += 64;
  }
  return keccak256(preimage);
}
