/** What L1 charges for a transaction to L2, and what it refuses (spec: contracts 4.2, 4.4). Amounts in wei. */

/** What every transaction from L1 must offer per byte of pubdata. */
export const REQUIRED_GAS_PER_PUBDATA = 800n;

const L1_GAS_PER_PUBDATA_BYTE = 17n;
const MAX_FACTORY_DEPS = 64;
const INTRINSIC_GAS = 21_000n;
const GAS_PER_CALLDATA_BYTE = 16n;
const GAS_LIMIT_FLOOR = 200_000n;
const INTRINSIC_PUBDATA_BYTES = 88n;
const INTRINSIC_NATIVE = 132_500n;
const NATIVE_PER_HASH_ROUND = 17_500n;
const HASH_ROUND_BYTES = 136;
const NATIVE_PRICE = 10n;
const NATIVE_PER_FREE_GAS = 10_000n;

export interface DepositFees {
  readonly pubdataMode: 'rollup' | 'validium';
  readonly batchOverheadL1Gas: bigint;
  readonly maxPubdataPerBatch: bigint;
  readonly maxL2GasPerBatch: bigint;
  readonly priorityTxMaxPubdata: bigint;
  readonly minimalL2GasPrice: bigint;
  readonly priorityTxMaxGasLimit: bigint;
  /** Base tokens per ether, as a fraction. */
  readonly multiplierNominator: bigint;
  readonly multiplierDenominator: bigint;
}

/** Those of the usual deployments of a rollup whose base token is ether. */
export const DEFAULT_DEPOSIT_FEES: DepositFees = {
  pubdataMode: 'rollup',
  batchOverheadL1Gas: 1_000_000n,
  maxPubdataPerBatch: 120_000n,
  maxL2GasPerBatch: 80_000_000n,
  priorityTxMaxPubdata: 99_000n,
  minimalL2GasPrice: 250_000_000n,
  priorityTxMaxGasLimit: 72_000_000n,
  multiplierNominator: 1n,
  multiplierDenominator: 1n,
};

/** Price of a unit of L2 gas at an L1 gas price. Throws a RangeError when the denominator is 0, as L1 does. */
export function depositGasPrice(fees: DepositFees, l1GasPrice: bigint, gasPerPubdata: bigint): bigint {
  const converted = (l1GasPrice * fees.multiplierNominator) / fees.multiplierDenominator;
  const pubdataPrice = fees.pubdataMode === 'rollup' ? L1_GAS_PER_PUBDATA_BYTE * converted : 0n;
  const overhead = fees.batchOverheadL1Gas * converted;
  const byGas = fees.minimalL2GasPrice + overhead / fees.maxL2GasPerBatch;
  const byPubdata = divideUp(pubdataPrice + overhead / fees.maxPubdataPerBatch, gasPerPubdata);
  return byGas > byPubdata ? byGas : byPubdata;
}

export interface GasLimitInput {
  /** ABI form of the canonical transaction, the leading word included. */
  readonly encodingLength: number;
  readonly calldataLength: number;
  readonly gasPerPubdata: bigint;
  readonly maxFeePerGas: bigint;
}

/** The lowest gas limit that L1 takes. */
export function minimalDepositGasLimit(input: GasLimitInput): bigint {
  const { encodingLength, calldataLength, gasPerPubdata, maxFeePerGas } = input;
  const calldata = BigInt(calldataLength);
  const rounds = BigInt(Math.max(1, Math.ceil(encodingLength / HASH_ROUND_BYTES)));
  const native = INTRINSIC_NATIVE + NATIVE_PER_HASH_ROUND * rounds + calldata;
  const nativeGas = maxFeePerGas === 0n ? native / NATIVE_PER_FREE_GAS : (native * NATIVE_PRICE) / maxFeePerGas;
  const bounds = [
    INTRINSIC_GAS + GAS_PER_CALLDATA_BYTE * calldata,
    nativeGas + INTRINSIC_PUBDATA_BYTES * gasPerPubdata,
    GAS_LIMIT_FLOOR,
  ];
  return bounds.reduce((highest, bound) => (bound > highest ? bound : highest));
}

export interface DepositRequest {
  readonly mintValue: bigint;
  readonly l2Value: bigint;
  readonly gasLimit: bigint;
  readonly gasPerPubdata: bigint;
  readonly calldataLength: number;
  readonly factoryDeps: number;
  readonly encodingLength: number;
  /** Of the L1 transaction. */
  readonly l1GasPrice: bigint;
}

/** Name of the error with which L1 refuses the request; undefined: it takes it. The order of the checks is L1's. */
export function depositRefusal(fees: DepositFees, request: DepositRequest): string | undefined {
  const { gasLimit, gasPerPubdata } = request;
  if (gasPerPubdata !== REQUIRED_GAS_PER_PUBDATA) return 'GasPerPubdataMismatch';
  if (request.factoryDeps > MAX_FACTORY_DEPS) return 'TooManyFactoryDeps';
  if (fees.multiplierDenominator === 0n) return 'BaseTokenGasPriceDenominatorNotSet';
  const maxFeePerGas = depositGasPrice(fees, request.l1GasPrice, gasPerPubdata);
  if (request.mintValue < maxFeePerGas * gasLimit + request.l2Value) return 'MsgValueTooLow';
  if (gasLimit > fees.priorityTxMaxGasLimit) return 'TooMuchGas';
  if (gasLimit / gasPerPubdata > fees.priorityTxMaxPubdata) return 'PubdataGreaterThanLimit';
  if (maxFeePerGas === 0n) return 'ZeroGasPriceL1TxZKSyncOS';
  if (gasLimit < minimalDepositGasLimit({ ...request, maxFeePerGas })) return 'ValidateTxnNotEnoughGas';
  return undefined;
}

function divideUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}
