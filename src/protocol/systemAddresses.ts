/** System addresses (spec: execution 10). Addresses below 0x10000 without a hook are ordinary accounts. */
import type { Bytes } from '../common/bytes.ts';

function systemAddress(value: number): Bytes {
  const address = new Uint8Array(20);
  new DataView(address.buffer).setUint32(16, value);
  return address;
}

/** Formal fee account; sender of the logs of L1 transactions. */
export const BOOTLOADER_ADDRESS: Bytes = systemAddress(0x8001);
/** Space of the account records: the slot of an account is its padded address, the value the hash of its record. */
export const ACCOUNT_PROPERTIES_ADDRESS: Bytes = systemAddress(0x8003);
/** Hook; only the complex upgrader may use it. */
export const CONTRACT_DEPLOYER_ADDRESS: Bytes = systemAddress(0x8006);
/** Sender of the genesis upgrade; no hook. */
export const FORCE_DEPLOYER_ADDRESS: Bytes = systemAddress(0x8007);
/** Hook. */
export const L1_MESSENGER_ADDRESS: Bytes = systemAddress(0x8008);
/** Hook. */
export const BASE_TOKEN_ADDRESS: Bytes = systemAddress(0x800a);
/** Contract of genesis. */
export const COMPLEX_UPGRADER_ADDRESS: Bytes = systemAddress(0x800f);
/** Contract of genesis. */
export const GENESIS_UPGRADE_ADDRESS: Bytes = systemAddress(0x10001);
/** Contract of genesis. */
export const WRAPPED_BASE_TOKEN_ADDRESS: Bytes = systemAddress(0x10007);
