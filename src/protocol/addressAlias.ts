import { bigIntToBytes, bytesToBigInt } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';

const ALIAS_OFFSET = 0x1111000000000000000000000000000000001111n;
const ADDRESS_SPACE = 1n << 160n;

/** The address on L2 that an L1 contract acts under (spec: contracts 4.3). */
export function l1AddressToAlias(address: Bytes): Bytes {
  return bigIntToBytes((bytesToBigInt(address) + ALIAS_OFFSET) % ADDRESS_SPACE, 20);
}

/** The inverse of `l1AddressToAlias`. */
export function aliasToL1Address(alias: Bytes): Bytes {
  return bigIntToBytes((bytesToBigInt(alias) - ALIAS_OFFSET + ADDRESS_SPACE) % ADDRESS_SPACE, 20);
}
