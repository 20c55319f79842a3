/** Keys of the flat state and the order of storage writes (spec: state 1, replay-record 6). */
import { padAddress } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { blake2s256 } from '../common/hash.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from './systemAddresses.ts';

export { ACCOUNT_PROPERTIES_ADDRESS };

// Filled anew by every call; hashing copies it out at once.
const keyPreimage = new Uint8Array(64);

/** BLAKE2s(12 zero bytes || address || slot), the key in the flat state (spec: state 1). */
export function flatKey(address: Bytes, slot: Bytes): Bytes {
  keyPreimage.set(address, 12);
  keyPreimage.set(slot, 32);
  return blake2s256(keyPreimage);
}

/** The slot of the account at 0x8003 (spec: state 1). */
export function accountSlot(address: Bytes): Bytes {
  return padAddress(address);
}

/** `flatKey(0x8003, accountSlot(address))`. */
export function accountFlatKey(address: Bytes): Bytes {
  keyPreimage.set(ACCOUNT_PROPERTIES_ADDRESS, 12);
  keyPreimage.fill(0, 32, 44);
  keyPreimage.set(address, 44);
  return blake2s256(keyPreimage);
}

function compareRange(a: Bytes, b: Bytes, start: number, end: number): number {
  let i = start;
  while (i < end && a[i] === b[i]) i++;
  return i === end ? 0 : (a[i] ?? 0) - (b[i] ?? 0);
}

/**
 * Order of storage writes: the address as three 64-bit words, least significant word first (bytes 12..19, 4..11, 0..3),
 * then the slot as a number (spec: replay-record 6).
 */
export function compareStorageOrder(
  a: { readonly address: Bytes; readonly slot: Bytes },
  b: { readonly address: Bytes; readonly slot: Bytes },
): number {
  if (a.address !== b.address) {
    const byAddress =
      compareRange(a.address, b.address, 12, 20) ||
      compareRange(a.address, b.address, 4, 12) ||
      compareRange(a.address, b.address, 0, 4);
    if (byAddress !== 0) return byAddress;
  }
  return compareRange(a.slot, b.slot, 0, 32);
}
