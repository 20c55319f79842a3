/** Every constant of the native resource (spec: native). */
/** Computational native of a transaction, and of a block. */
export const NATIVE_MAX = 2 ** 35;

export const L1_TX_NATIVE = 130_000;
export const L2_TX_NATIVE = 30_000;
export const CALLDATA_BYTE_NATIVE = 1;
export const L1_INTRINSIC_PUBDATA = 88;
export const UPGRADE_NATIVE_PER_GAS = 10_000n;
/** 0x7f: native per gas = ceil(price / this). */
export const L1_NATIVE_PRICE = 10n;
export const SIMULATION_NATIVE_PER_GAS = 100n;

export const STEP_NATIVE = 20;
export const SIGNATURE_NATIVE = 522_000;

const KECCAK_BASE_NATIVE = 2_500;
const KECCAK_ROUND_NATIVE = 17_500;
const KECCAK_RATE = 136;
const BLAKE_BASE_NATIVE = 800;
const BLAKE_ROUND_NATIVE = 340;
const BLAKE_BLOCK = 64;
const COPY_BASE_NATIVE = 80;
const COPY_BYTE_NATIVE = 1;
const JUMP_MAP_BYTE_NATIVE = 6;
const MEMORY_GROWTH_BASE_NATIVE = 35;
const MEMORY_GROWTH_BYTE_NATIVE = 1;

/** keccak(n) */
export function keccakNative(lengthBytes: number): number {
  return KECCAK_BASE_NATIVE + KECCAK_ROUND_NATIVE * Math.max(1, Math.ceil(lengthBytes / KECCAK_RATE));
}
/** blake(n) */
export function blakeNative(lengthBytes: number): number {
  return BLAKE_BASE_NATIVE + BLAKE_ROUND_NATIVE * Math.ceil(lengthBytes / BLAKE_BLOCK);
}
/** copy(n) */
export function copyNative(lengthBytes: number): number {
  return COPY_BASE_NATIVE + COPY_BYTE_NATIVE * lengthBytes;
}
/** map(n) */
export function jumpMapNative(codeLengthBytes: number): number {
  return JUMP_MAP_BYTE_NATIVE * codeLengthBytes;
}
/** grow */
export function memoryGrowthNative(grownBytes: number): number {
  return MEMORY_GROWTH_BASE_NATIVE + MEMORY_GROWTH_BYTE_NATIVE * grownBytes;
}

// State access (spec: native 4).
export const SLOT_READ_NATIVE = 4_000;
export const SLOT_COLD_EXISTING_NATIVE = 121_120;
export const SLOT_COLD_NEW_NATIVE = 242_240;
export const SLOT_WRITE_UNSET_NATIVE = 120_800;
export const SLOT_WRITE_NATIVE = 50_560;
export const ACCOUNT_ACCESS_NATIVE = 4_000;
export const ACCOUNT_WRITE_NATIVE = 1_000;
export const PREIMAGE_NATIVE = 500;
export const TRANSIENT_NATIVE = 4_000;

// Opcodes with several charges; the first charges of all are in opcodes.ts (spec: native 5, 6).
export const EXP_NATIVE = 700;
export const EXP_BYTE_NATIVE = 5_000;
export const COPY_OPCODE_NATIVE = 100;
export const KECCAK_OPCODE_NATIVE = 90;
export const LOG_NATIVE = 6_000;
export const LOG_TOPIC_NATIVE = 200;
export const LOG_BYTE_NATIVE = 2;

// System hooks (spec: native 6.4).
export const L1_MESSAGE_NATIVE = 86_000;
export const L1_MESSAGE_BYTE_NATIVE = 2;
export const DEPLOY_PREIMAGE_NATIVE = 500;
export const DEPLOY_WRITE_NATIVE = 1_000;
