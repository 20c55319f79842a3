/** Ethereum at Cancun as rules of the interpreter: for tests, which compare it with the public suites and with other EVMs. */
import type { Bytes } from '../../src/common/bytes.ts';
import { precompileAt } from '../../src/vm/precompiles/index.ts';
import type { Precompile } from '../../src/vm/precompiles/index.ts';
import type { EvmRules, SlotChange } from '../../src/vm/rules.ts';
import { anAddress } from '../support/factories.ts';
import { blake2f } from './blake2f.ts';
import { pointEvaluation } from './pointEvaluation.ts';

/** Memory of all frames: what a test machine can give; gas ends earlier in every sensible program. */
const MEMORY_TOTAL_LIMIT = 1 << 30;
const BLAKE2F = 9;
const POINT_EVALUATION = 10;
/** From address 1 on. */
const PRECOMPILE_COUNT = 10;
const ADDRESS_BYTES = 20;

/** EIP-3529 */
const CLEARING_REFUND = 4_800;
const RESET_TO_ZERO_REFUND = 19_900;
const RESET_REFUND = 2_800;

export const PRECOMPILE_ADDRESSES: readonly Bytes[] = Array.from({ length: PRECOMPILE_COUNT }, (_, i) =>
  anAddress(i + 1),
);

function ethereumPrecompileAt(address: Bytes): Precompile | undefined {
  const shared = precompileAt(address);
  if (shared === undefined) return undefined;
  switch (address[ADDRESS_BYTES - 1]) {
    case BLAKE2F:
      return blake2f;
    case POINT_EVALUATION:
      return pointEvaluation;
    default:
      return shared;
  }
}

function slotRefund({ isNoop, isClean, isRestored, wasZeroAtStart, isZero, becomesZero }: SlotChange): number {
  if (isNoop) return 0;
  if (isClean) return !wasZeroAtStart && becomesZero ? CLEARING_REFUND : 0;
  let refund = 0;
  if (!wasZeroAtStart) {
    if (isZero) refund -= CLEARING_REFUND;
    if (becomesZero) refund += CLEARING_REFUND;
  }
  if (isRestored) refund += wasZeroAtStart ? RESET_TO_ZERO_REFUND : RESET_REFUND;
  return refund;
}

/** `hasStorage`: of the state before the transaction (EIP-7610). */
export function ethereumRules(hasStorage: (address: Bytes) => boolean): EvmRules {
  return {
    precompileAt: ethereumPrecompileAt,
    hookAt: () => undefined,
    memoryTotalLimit: MEMORY_TOTAL_LIMIT,
    outputTotalMax: Infinity,
    warmsRefusedCreation: false,
    isCreatedFromStart: true,
    hasStorage,
    slotRefund,
  };
}
