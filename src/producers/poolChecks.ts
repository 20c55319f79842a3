/** Admission rules that need no state (spec: execution 4). Pure. */
import type { Bytes } from '../common/bytes.ts';
import type { AccessListItem, L2Transaction } from '../protocol/transaction.ts';
import { PoolError } from './poolErrors.ts';

/** wei; below it nothing is inserted, whatever the base fee. */
export const MIN_FEE_PER_GAS = 7n;
/** wei; upper bound of maxFee x gas. */
export const DEFAULT_FEE_CAP = 10n ** 18n;
export const MAX_INIT_CODE_BYTES = 49_152;
const NONCE_MAX = (1n << 64n) - 1n;

const TRANSFER_GAS = 21_000;
const CREATION_GAS = 32_000;
const INIT_CODE_WORD_GAS = 2;
const ZERO_BYTE_GAS = 4;
const NON_ZERO_BYTE_GAS = 16;
const ACCESS_LIST_ADDRESS_GAS = 2_400;
const ACCESS_LIST_KEY_GAS = 1_900;

export interface AdmissionLimits {
  readonly chainId: bigint;
  readonly blockGasLimit: bigint;
  /** Largest encoded transaction. */
  readonly maxInputBytes: number;
  /** wei per gas */
  readonly minFeePerGas: bigint;
  /** wei; largest maxFee x gas */
  readonly feeCap: bigint;
}

/** @throws PoolError naming the first rule that fails. */
export function checkAdmission(transaction: L2Transaction, limits: AdmissionLimits): void {
  const { type, raw, input, to, gasLimit, maxFeePerGas, maxPriorityFeePerGas, chainId, nonce } = transaction;
  if (type !== 0 && type !== 1 && type !== 2) throw new PoolError({ code: 'POOL_TYPE_NOT_SUPPORTED', type });
  if (raw.length > limits.maxInputBytes) {
    throw new PoolError({ code: 'POOL_OVERSIZED_DATA', sizeBytes: raw.length, limitBytes: limits.maxInputBytes });
  }
  if (to === undefined && input.length > MAX_INIT_CODE_BYTES) {
    throw new PoolError({ code: 'POOL_INIT_CODE_TOO_LARGE', sizeBytes: input.length, limitBytes: MAX_INIT_CODE_BYTES });
  }
  if (gasLimit > limits.blockGasLimit) {
    throw new PoolError({ code: 'POOL_EXCEEDS_BLOCK_GAS_LIMIT', gasLimit, blockGasLimit: limits.blockGasLimit });
  }
  if (maxPriorityFeePerGas > maxFeePerGas) {
    throw new PoolError({ code: 'POOL_TIP_ABOVE_FEE_CAP', maxFeePerGas, maxPriorityFeePerGas });
  }
  if (chainId !== undefined && chainId !== limits.chainId) {
    throw new PoolError({ code: 'POOL_INVALID_CHAIN_ID', chainId, expected: limits.chainId });
  }
  if (nonce >= NONCE_MAX) throw new PoolError({ code: 'POOL_NONCE_MAX' });
  const intrinsic = intrinsicGas(transaction);
  if (gasLimit < intrinsic)
    throw new PoolError({ code: 'POOL_INTRINSIC_GAS_TOO_LOW', gasLimit, intrinsicGas: intrinsic });
  const fee = maxFeePerGas * gasLimit;
  if (fee > limits.feeCap) throw new PoolError({ code: 'POOL_FEE_CAP_EXCEEDED', fee, cap: limits.feeCap });
  if (maxFeePerGas < limits.minFeePerGas) {
    throw new PoolError({ code: 'POOL_UNDERPRICED', maxFeePerGas, minimum: limits.minFeePerGas });
  }
}

/** Gas a transaction needs before anything runs, signature check included (spec: execution 5, steps 3, 4, 5, 7). */
export function intrinsicGas(transaction: {
  readonly to: Bytes | undefined;
  readonly input: Bytes;
  readonly accessList: readonly AccessListItem[];
}): bigint {
  const { input, accessList } = transaction;
  let zeroBytes = 0;
  for (let i = 0; i < input.length; i++) if (input[i] === 0) zeroBytes++;
  let gas = TRANSFER_GAS + zeroBytes * ZERO_BYTE_GAS + (input.length - zeroBytes) * NON_ZERO_BYTE_GAS;
  if (transaction.to === undefined) gas += CREATION_GAS + INIT_CODE_WORD_GAS * Math.ceil(input.length / 32);
  for (const { slots } of accessList) gas += ACCESS_LIST_ADDRESS_GAS + slots.length * ACCESS_LIST_KEY_GAS;
  return BigInt(gas);
}

/** Order among transactions of different senders: min(maxFee, maxPriorityFee) with base fee taken as 0 (spec: execution 3). */
export function effectiveTip(transaction: {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}): bigint {
  const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
  return maxPriorityFeePerGas < maxFeePerGas ? maxPriorityFeePerGas : maxFeePerGas;
}

/** What the sender's balance must hold: maxFee x gas + value, wei. */
export function maxCost(transaction: {
  readonly maxFeePerGas: bigint;
  readonly gasLimit: bigint;
  readonly value: bigint;
}): bigint {
  return transaction.maxFeePerGas * transaction.gasLimit + transaction.value;
}

/** A replacement pays at least 10 % more in both fees. */
export function outbids(
  replacement: { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint },
  existing: { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint },
): boolean {
  return (
    replacement.maxFeePerGas * 10n >= existing.maxFeePerGas * 11n &&
    replacement.maxPriorityFeePerGas * 10n >= existing.maxPriorityFeePerGas * 11n
  );
}
