/** The search of eth_estimateGas (spec: rpc 6, estimation algorithm). How a transaction is run with a limit is given. */
import type { Bytes } from '../common/bytes.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import type { SimulatedCall, SimulationResult } from './backend.ts';
import { INSUFFICIENT_FUNDS_FOR_TRANSFER } from './errors.ts';

/** One run with one gas limit. */
export type RunOutcome =
  | {
      readonly kind: 'success';
      readonly returnData: Bytes;
      readonly gasUsed: bigint;
      readonly gasRefunded: bigint;
    }
  | { readonly kind: 'revert'; readonly returnData: Bytes; readonly gasUsed: bigint; readonly isOutOfGas: boolean }
  /** Not valid as a transaction: the VM's name for why. */
  | { readonly kind: 'rejected'; readonly error: string };

export interface EstimateFacts {
  readonly blockGasLimit: bigint;
  /** The block's real one, wei. */
  readonly baseFee: bigint;
  /** Of the sender after the block, wei. */
  readonly balance: bigint;
  readonly run: (gasLimit: bigint) => Promise<RunOutcome>;
}

const CALL_STIPEND = 2_300n;
/** L1 refuses requests with less. */
const L1_MIN_GAS = 200_000n;
/** Of the upper bound, per mille: closer is not worth another run. */
const TOLERANCE_PER_MILLE = 15n;

/** The transaction is invalid because this limit is too low. */
const TOO_LOW: ReadonlySet<string> = new Set([
  'CallGasCostMoreThanGasLimit',
  'OutOfGasDuringValidation',
  'OutOfNativeResourcesDuringValidation',
]);
const TOO_HIGH = 'CallerGasLimitMoreThanBlock';

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function invalid(error: string): SimulationResult {
  return { kind: 'invalid', error, message: '' };
}

/** Upper bound of the search, or why there is none. */
function upperBound(call: SimulatedCall, facts: EstimateFacts): bigint | SimulationResult {
  const wanted = min(call.gas ?? facts.blockGasLimit, facts.blockGasLimit);
  // An L1 transaction brings its own money.
  if (call.gasPrice === 0n || call.type === L1_PRIORITY_TYPE) return wanted;
  const { balance } = facts;
  if (balance < call.value) {
    return {
      kind: 'invalid',
      error: INSUFFICIENT_FUNDS_FOR_TRANSFER,
      message: 'invalid transaction: LackOfFundForMaxFee',
    };
  }
  return facts.baseFee === 0n ? wanted : min(wanted, (balance - call.value) / facts.baseFee);
}

/** Answers `success` with the estimate in `gas`; `runs` counts the executions. */
export async function estimateGas(
  call: SimulatedCall,
  facts: EstimateFacts,
): Promise<{ readonly result: SimulationResult; readonly runs: number }> {
  let runs = 0;
  const run = (gasLimit: bigint): Promise<RunOutcome> => {
    runs += 1;
    return facts.run(gasLimit);
  };
  const result = await search(call, { ...facts, run });
  return { result, runs };
}

async function search(call: SimulatedCall, facts: EstimateFacts): Promise<SimulationResult> {
  const upper = upperBound(call, facts);
  if (typeof upper !== 'bigint') return upper;
  const first = await facts.run(upper);
  if (first.kind === 'rejected') {
    return TOO_LOW.has(first.error) ? { kind: 'exceedsAllowance', gas: upper } : invalid(first.error);
  }
  if (first.kind === 'revert') {
    if (first.isOutOfGas) return { kind: 'exceedsAllowance', gas: upper };
    return { kind: 'revert', returnData: first.returnData, gasUsed: first.gasUsed };
  }

  let gasUsed = first.gasUsed;
  let highest = upper;
  let lowest = gasUsed - 1n;
  const optimistic = ((gasUsed + first.gasRefunded + CALL_STIPEND) * 64n) / 63n;
  if (optimistic < highest) {
    const outcome = await facts.run(optimistic);
    if (outcome.kind === 'rejected') return invalid(outcome.error);
    if (outcome.kind === 'success') highest = optimistic;
    else lowest = optimistic;
  }
  if (call.type === L1_PRIORITY_TYPE) {
    gasUsed = max(gasUsed, L1_MIN_GAS);
    lowest = max(lowest, L1_MIN_GAS);
    highest = max(highest, L1_MIN_GAS);
  }
  let middle = min(gasUsed * 3n, (highest + lowest) / 2n);
  while (lowest + 1n < highest && (highest - lowest) * 1_000n >= highest * TOLERANCE_PER_MILLE) {
    const outcome = await facts.run(middle);
    if (outcome.kind === 'success' || (outcome.kind === 'rejected' && outcome.error === TOO_HIGH)) highest = middle;
    else if (outcome.kind === 'revert' || TOO_LOW.has(outcome.error)) lowest = middle;
    else return invalid(outcome.error);
    middle = (highest + lowest) / 2n;
  }
  return { kind: 'success', returnData: first.returnData, gasUsed: first.gasUsed, gas: highest };
}
