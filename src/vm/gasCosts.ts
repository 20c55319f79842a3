/** EVM gas of this flavour: Cancun opcodes at Shanghai prices, EIP-2929 access costs, no refunds (spec: execution 5, 7, 9). */
export const ERGS_PER_GAS = 256;

export const L2_INTRINSIC_GAS = 18_000;
export const L2_SIGNATURE_GAS = 3_000;
export const L1_INTRINSIC_GAS = 21_000;
export const CALLDATA_ZERO_BYTE_GAS = 4;
export const CALLDATA_BYTE_GAS = 16;
export const CREATION_GAS = 32_000;
export const INIT_CODE_WORD_GAS = 2;
export const CREATE2_WORD_GAS = 6;
export const ACCESS_LIST_ADDRESS_GAS = 2_400;
export const ACCESS_LIST_KEY_GAS = 1_900;

export const CODE_LENGTH_MAX = 24_576;
export const INIT_CODE_LENGTH_MAX = 49_152;
export const CALL_DEPTH_MAX = 1_024;

export const WARM_ACCESS_GAS = 100;
/** On top of the warm access. */
export const COLD_ACCOUNT_EXTRA_GAS = 2_500;
export const COLD_SLOT_EXTRA_GAS = 2_000;
/** In whole, when the beneficiary of SELFDESTRUCT is cold. */
export const SELFDESTRUCT_COLD_GAS = 2_600;
export const SELFDESTRUCT_PRECOMPILE_GAS = 100;
export const NEW_ACCOUNT_GAS = 25_000;

export const SSTORE_SENTRY_GAS = 2_300;
export const SSTORE_SET_EXTRA_GAS = 19_900;
export const SSTORE_RESET_EXTRA_GAS = 2_800;
export const SSTORE_COLD_EXTRA_GAS = 100;

export const CALL_VALUE_GAS = 9_000;
export const CALL_STIPEND_GAS = 2_300;
export const CODE_DEPOSIT_BYTE_GAS = 200;

export const EXP_GAS = 10;
export const EXP_BYTE_GAS = 50;
export const KECCAK_GAS = 30;
export const KECCAK_WORD_GAS = 6;
export const COPY_GAS = 3;
export const COPY_WORD_GAS = 3;
export const LOG_GAS = 375;
export const LOG_TOPIC_GAS = 375;
export const LOG_BYTE_GAS = 8;

export const HOOK_ERGS = 10;

/** Ends above this are out of gas without growth. */
export const MEMORY_END_MAX = 0xffff_ffe0;
/** All active frames together stay below this. */
export const MEMORY_TOTAL_LIMIT = 1 << 27;
/** Output of all finished frames of a transaction. */
export const OUTPUT_TOTAL_MAX = 1 << 28;

export function wordCount(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 32);
}

/** Gas of a memory of so many words. Exact up to 2^26 words, far above what MEMORY_TOTAL_LIMIT lets anyone keep. */
export function memoryGas(words: number): number {
  return 3 * words + Math.floor((words * words) / 512);
}

/** 4 per zero byte, 16 per other byte. */
export function calldataGas(input: Uint8Array): number {
  let nonZero = 0;
  for (let i = 0; i < input.length; i += 1) if (input[i] !== 0) nonZero += 1;
  return CALLDATA_ZERO_BYTE_GAS * (input.length - nonZero) + CALLDATA_BYTE_GAS * nonZero;
}
