/** The native resource of a whole transaction: its budget at the start and what it used in the end (spec: execution 8, native 2 and 9). */
import { CALLDATA_BYTE_NATIVE, L1_INTRINSIC_PUBDATA, L1_TX_NATIVE, L2_TX_NATIVE, NATIVE_MAX } from './nativeCosts.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;

export interface NativeBudget {
  /** Native per gas; 0: unlimited. */
  readonly perGas: bigint;
  /** Native per byte of pubdata. */
  readonly perPubdata: bigint;
  /** gas limit x native per gas, without the special case of 0 (T'). */
  readonly total: bigint;
  /** Usable for pubdata at the end only (W). */
  readonly withheld: bigint;
  /** Charged before anything else (I). */
  readonly intrinsic: number;
  /** What the transaction starts with (R); negative: not even the intrinsic part is there. */
  readonly start: number;
}

/** ceil(a / b) */
export function divideUp(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

/** Saturates to 64 bits. */
export function saturate(value: bigint): bigint {
  return value < U64_MAX ? value : U64_MAX;
}

export function nativeBudget(options: {
  readonly isL1: boolean;
  readonly gasLimit: bigint;
  readonly inputLength: number;
  readonly perGas: bigint;
  readonly perPubdata: bigint;
}): NativeBudget {
  const { isL1, gasLimit, inputLength, perGas, perPubdata } = options;
  const total = saturate(gasLimit * perGas);
  let available = perGas === 0n ? U64_MAX : total;
  if (isL1) {
    available -= perPubdata * BigInt(L1_INTRINSIC_PUBDATA);
    if (available < 0n) available = 0n;
  }
  const max = BigInt(NATIVE_MAX);
  const usable = available < max ? Number(available) : NATIVE_MAX;
  const intrinsic = inputLength * CALLDATA_BYTE_NATIVE + (isL1 ? L1_TX_NATIVE : L2_TX_NATIVE);
  return {
    perGas,
    perPubdata,
    total,
    withheld: available < max ? 0n : available - max,
    intrinsic,
    start: isL1 ? Math.max(0, usable - intrinsic) : usable - intrinsic,
  };
}

/** native_used */
export function nativeUsed(budget: NativeBudget, left: bigint): bigint {
  return budget.total > left ? budget.total - left : 0n;
}

/** The EVM figure, lifted by native where that is more. */
export function gasUsed(budget: NativeBudget, evmGasUsed: bigint, native: bigint): bigint {
  if (budget.perGas === 0n) return evmGasUsed;
  const lifted = native / budget.perGas;
  return lifted > evmGasUsed ? lifted : evmGasUsed;
}
