/** Errors that JSON-RPC shows to clients (spec: rpc 2, 7). Texts start with geth's phrase where there is one, because clients classify by it. */
import { NodeError } from '../common/errors.ts';

export const RPC_CODE = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  serverError: -32000,
  notFound: -32001,
  notSupported: -32004,
  limitExceeded: -32005,
  requestTooBig: -32007,
  responseTooBig: -32008,
  busy: -32009,
  batchTooBig: -32010,
  batchResponseTooBig: -32011,
  nonceTooLow: 1,
  reverted: 3,
  intrinsicGasTooLow: 800,
  gasLimitTooHigh: 803,
  alreadyKnown: 1000,
} as const;

export interface RpcErrorFacts {
  readonly code: string;
  readonly rpcCode: number;
  readonly data?: unknown;
  readonly [fact: string]: unknown;
}

/** An answer with `error` instead of `result`. Its message, code and data reach the client unchanged. */
export class RpcError extends NodeError<RpcErrorFacts> {
  constructor(
    rpcCode: number,
    message: string,
    options: { data?: unknown; cause?: unknown; facts?: { readonly code: string } } = {},
  ) {
    const { data, cause, facts = { code: 'RPC_ERROR' } } = options;
    super(
      'retryable',
      message,
      { ...facts, rpcCode, ...(data === undefined ? {} : { data }) },
      cause === undefined ? {} : { cause },
    );
    this.name = 'RpcError';
  }

  get rpcCode(): number {
    return this.facts.rpcCode;
  }

  get data(): unknown {
    return this.facts.data;
  }
}

/** An argument that does not decode; `detail` names it. */
export function invalidParams(detail: string): RpcError {
  return new RpcError(RPC_CODE.invalidParams, 'Invalid params', { data: detail });
}

/** An argument that decodes and asks for something that is not allowed; clients read the text. */
export function invalidArgument(message: string): RpcError {
  return new RpcError(RPC_CODE.invalidParams, message);
}

export function blockNotFound(): RpcError {
  return new RpcError(RPC_CODE.notFound, 'block not found');
}

export function methodNotFound(method: string): RpcError {
  const shown = method.length > 100 ? `${method.slice(0, 100)}…` : method;
  return new RpcError(RPC_CODE.methodNotFound, `the method ${shown} does not exist/is not available`);
}

export function responseTooBig(limitBytes: number): RpcError {
  return new RpcError(RPC_CODE.responseTooBig, 'Response is too big', {
    data: `Exceeded max limit of ${limitBytes}`,
  });
}

export function serverBusy(): RpcError {
  return new RpcError(RPC_CODE.busy, 'Server is busy, try again later');
}

interface SubmissionRule {
  readonly rpcCode: number;
  readonly message: string;
}

/** Why a submitted transaction is not taken (spec: rpc 7), with the code and the leading text of the answer. */
const SUBMISSION_RULES = {
  MALFORMED: { rpcCode: RPC_CODE.invalidParams, message: 'failed to decode signed transaction' },
  INVALID_SIGNATURE: { rpcCode: RPC_CODE.invalidParams, message: 'invalid transaction signature' },
  ALREADY_KNOWN: { rpcCode: RPC_CODE.alreadyKnown, message: 'already known' },
  REPLACEMENT_UNDERPRICED: { rpcCode: RPC_CODE.serverError, message: 'replacement transaction underpriced' },
  UNDERPRICED: { rpcCode: RPC_CODE.serverError, message: 'transaction underpriced' },
  INSUFFICIENT_FUNDS: { rpcCode: RPC_CODE.serverError, message: 'insufficient funds for gas * price + value' },
  NONCE_TOO_LOW: { rpcCode: RPC_CODE.nonceTooLow, message: 'nonce too low' },
  EXCEEDS_BLOCK_GAS_LIMIT: {
    rpcCode: RPC_CODE.gasLimitTooHigh,
    message: 'exceeds block gas limit: gas limit reached',
  },
  INTRINSIC_GAS_TOO_LOW: { rpcCode: RPC_CODE.intrinsicGasTooLow, message: 'intrinsic gas too low' },
  TIP_ABOVE_FEE_CAP: {
    rpcCode: RPC_CODE.invalidParams,
    message: 'max priority fee per gas higher than max fee per gas',
  },
  UNSUPPORTED_TYPE: {
    rpcCode: RPC_CODE.invalidParams,
    message: 'transaction type not supported: transaction type not valid',
  },
  INVALID_CHAIN_ID: { rpcCode: RPC_CODE.invalidParams, message: 'invalid chain id for signer' },
  OVERSIZED_DATA: { rpcCode: RPC_CODE.invalidParams, message: 'oversized data' },
  MAX_INIT_CODE_SIZE_EXCEEDED: { rpcCode: RPC_CODE.invalidParams, message: 'max initcode size exceeded' },
  NONCE_MAX: { rpcCode: RPC_CODE.invalidParams, message: 'nonce has max value' },
  SENDER_NOT_EOA: { rpcCode: RPC_CODE.invalidParams, message: 'sender not an eoa' },
  POOL_FULL: { rpcCode: RPC_CODE.serverError, message: 'txpool is full' },
  FEE_CAP_EXCEEDED: { rpcCode: RPC_CODE.serverError, message: 'tx fee exceeds the configured cap' },
  /** The node lags too far behind the log to judge transactions. */
  INTAKE_CLOSED: { rpcCode: RPC_CODE.busy, message: 'Server is busy, try again later' },
} as const satisfies Record<string, SubmissionRule>;

export type SubmissionReason = keyof typeof SUBMISSION_RULES;

export function isSubmissionReason(code: string): code is SubmissionReason {
  return Object.hasOwn(SUBMISSION_RULES, code);
}

/** A refused submission. `detail` follows the leading text after `: `; without it that text stands alone. */
export class SubmissionError extends RpcError {
  readonly reason: SubmissionReason;

  constructor(reason: SubmissionReason, detail?: string, options: { cause?: unknown } = {}) {
    const { rpcCode, message } = SUBMISSION_RULES[reason];
    super(rpcCode, detail === undefined ? message : `${message}: ${detail}`, { ...options, facts: { code: reason } });
    this.name = 'SubmissionError';
    this.reason = reason;
  }
}

/**
 * The error of a simulated transaction that could not be included at all (spec: rpc 6, 7). `variant` is the name that
 * the VM gives it (spec: execution 2).
 */
export function invalidTransactionError(variant: string, detail?: string): RpcError {
  const [rpcCode, lead] = LEAD_BY_VARIANT.get(variant) ?? [RPC_CODE.serverError, undefined];
  const text = detail === undefined || detail === '' ? `invalid transaction: ${variant}` : detail;
  return new RpcError(rpcCode, lead === undefined ? text : `${lead}: ${text}`);
}

const LEAD_BY_VARIANT: ReadonlyMap<string, readonly [rpcCode: number, lead: string]> = new Map([
  ['LackOfFundForMaxFee', [RPC_CODE.serverError, SUBMISSION_RULES.INSUFFICIENT_FUNDS.message]],
  ['OverflowPaymentInTransaction', [RPC_CODE.serverError, SUBMISSION_RULES.INSUFFICIENT_FUNDS.message]],
  ['NonceTooLow', [RPC_CODE.nonceTooLow, 'nonce too low']],
  ['NonceTooHigh', [2, 'nonce too high']],
  ['NonceOverflowInTransaction', [RPC_CODE.internal, 'nonce has max value']],
  ['CallerGasLimitMoreThanBlock', [RPC_CODE.gasLimitTooHigh, SUBMISSION_RULES.EXCEEDS_BLOCK_GAS_LIMIT.message]],
  ['OutOfGasDuringValidation', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['OutOfNativeResourcesDuringValidation', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['CallGasCostMoreThanGasLimit', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['GasPriceLessThanBasefee', [RPC_CODE.invalidParams, 'max fee per gas less than block base fee']],
  ['BaseFeeGreaterThanMaxFee', [RPC_CODE.invalidParams, 'max fee per gas less than block base fee']],
  ['PriorityFeeGreaterThanMaxFee', [RPC_CODE.invalidParams, 'max priority fee per gas higher than max fee per gas']],
  ['CreateInitCodeSizeLimit', [RPC_CODE.invalidParams, 'max initcode size exceeded']],
  ['RejectCallerWithCode', [RPC_CODE.invalidParams, 'sender not an eoa']],
]);
