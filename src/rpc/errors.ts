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
  tooManySubscriptions: -32006,
  requestTooBig: -32007,
  responseTooBig: -32008,
  busy: -32009,
  batchTooBig: -32010,
  batchResponseTooBig: -32011,
  nonceTooLow: 1,
  nonceTooHigh: 2,
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

/** `instanceof` alone leaves the facts without a type. */
export function isNodeError(error: unknown): error is NodeError {
  return error instanceof NodeError;
}

/** The answer that an error stands for; errors of other threads have lost their class and keep their facts. */
export function asRpcError(error: unknown): RpcError | undefined {
  if (error instanceof RpcError) return error;
  if (!isNodeError(error)) return undefined;
  const { code, rpcCode, data } = error.facts;
  if (code === 'BLOCK_NOT_FOUND')
    return new RpcError(RPC_CODE.notFound, error.message, { cause: error, facts: { code } });
  if (typeof rpcCode !== 'number') return undefined;
  return new RpcError(rpcCode, error.message, { data, cause: error, facts: { code } });
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

/**
 * Codes of the errors with which a submission is refused, whoever refuses it (decoder, recovery, pool), and the code
 * that JSON-RPC gives them (spec: rpc 7). Their messages are complete texts for clients.
 */
const SUBMISSION_CODES: ReadonlyMap<string, number> = new Map([
  ['POOL_ALREADY_KNOWN', RPC_CODE.alreadyKnown],
  ['POOL_REPLACEMENT_UNDERPRICED', RPC_CODE.serverError],
  ['POOL_UNDERPRICED', RPC_CODE.serverError],
  ['POOL_FEE_CAP_EXCEEDED', RPC_CODE.serverError],
  ['POOL_INSUFFICIENT_FUNDS', RPC_CODE.serverError],
  ['POOL_NONCE_TOO_LOW', RPC_CODE.nonceTooLow],
  ['POOL_EXCEEDS_BLOCK_GAS_LIMIT', RPC_CODE.gasLimitTooHigh],
  ['POOL_INTRINSIC_GAS_TOO_LOW', RPC_CODE.intrinsicGasTooLow],
  ['POOL_TIP_ABOVE_FEE_CAP', RPC_CODE.invalidParams],
  ['POOL_TYPE_NOT_SUPPORTED', RPC_CODE.invalidParams],
  ['POOL_INVALID_CHAIN_ID', RPC_CODE.invalidParams],
  ['POOL_OVERSIZED_DATA', RPC_CODE.invalidParams],
  ['POOL_INIT_CODE_TOO_LARGE', RPC_CODE.invalidParams],
  ['POOL_NONCE_MAX', RPC_CODE.invalidParams],
  ['POOL_SENDER_NOT_EOA', RPC_CODE.invalidParams],
  ['POOL_FULL', RPC_CODE.serverError],
  ['INTAKE_CLOSED', RPC_CODE.serverError],
  ['CHAIN_NOT_READY', RPC_CODE.serverError],
  ['RECOVERY_QUEUE_FULL', RPC_CODE.busy],
  ['RECOVERY_CLOSED', RPC_CODE.serverError],
]);

/** The same for errors whose text is not made for clients: it follows this one. Their code is -32602. */
const SUBMISSION_LEADS: ReadonlyMap<string, string> = new Map([
  ['RLP_MALFORMED', 'failed to decode signed transaction'],
  ['TRANSACTION_MALFORMED', 'failed to decode signed transaction'],
  ['TRANSACTION_FIELD_TOO_WIDE', 'failed to decode signed transaction'],
  ['TRANSACTION_TYPE_UNSUPPORTED', 'transaction type not supported: transaction type not valid'],
  ['SIGNATURE_INVALID', 'invalid transaction signature'],
  ['SIGNATURE_MALLEABLE', 'invalid transaction signature'],
]);

/** A refused submission. `facts.code` is the code of whoever refused it. */
export class SubmissionError extends RpcError {
  constructor(rpcCode: number, message: string, options: { code: string; cause?: unknown }) {
    const { code, ...rest } = options;
    super(rpcCode, message, { ...rest, facts: { code } });
    this.name = 'SubmissionError';
  }
}

/**
 * What a client is told when a submission fails: undefined for a failure that is no refusal. Takes a plain code and
 * message too, because errors lose their class on the way between threads.
 */
export function submissionError(
  refusal: { readonly code: string; readonly message: string },
  options: { cause?: unknown } = {},
): SubmissionError | undefined {
  const { code, message } = refusal;
  const rpcCode = SUBMISSION_CODES.get(code);
  if (rpcCode !== undefined) return new SubmissionError(rpcCode, message, { ...options, code });
  const lead = SUBMISSION_LEADS.get(code);
  if (lead === undefined) return undefined;
  return new SubmissionError(RPC_CODE.invalidParams, `${lead}: ${message}`, { ...options, code });
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

/** Not a variant of the VM: an estimate with a price whose sender does not even have the value. */
export const INSUFFICIENT_FUNDS_FOR_TRANSFER = 'InsufficientFundsForTransfer';

const INSUFFICIENT_FUNDS = 'insufficient funds for gas * price + value';

const LEAD_BY_VARIANT: ReadonlyMap<string, readonly [rpcCode: number, lead: string]> = new Map([
  ['LackOfFundForMaxFee', [RPC_CODE.serverError, INSUFFICIENT_FUNDS]],
  [INSUFFICIENT_FUNDS_FOR_TRANSFER, [RPC_CODE.serverError, 'insufficient funds for transfer']],
  ['OverflowPaymentInTransaction', [RPC_CODE.serverError, INSUFFICIENT_FUNDS]],
  ['NonceTooLow', [RPC_CODE.nonceTooLow, 'nonce too low']],
  ['NonceTooHigh', [RPC_CODE.nonceTooHigh, 'nonce too high']],
  ['NonceOverflowInTransaction', [RPC_CODE.internal, 'nonce has max value']],
  ['CallerGasLimitMoreThanBlock', [RPC_CODE.gasLimitTooHigh, 'exceeds block gas limit: gas limit reached']],
  ['OutOfGasDuringValidation', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['OutOfNativeResourcesDuringValidation', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['CallGasCostMoreThanGasLimit', [RPC_CODE.intrinsicGasTooLow, 'intrinsic gas too low']],
  ['GasPriceLessThanBasefee', [RPC_CODE.invalidParams, 'max fee per gas less than block base fee']],
  ['BaseFeeGreaterThanMaxFee', [RPC_CODE.invalidParams, 'max fee per gas less than block base fee']],
  ['PriorityFeeGreaterThanMaxFee', [RPC_CODE.invalidParams, 'max priority fee per gas higher than max fee per gas']],
  ['CreateInitCodeSizeLimit', [RPC_CODE.invalidParams, 'max initcode size exceeded']],
  ['RejectCallerWithCode', [RPC_CODE.invalidParams, 'sender not an eoa']],
]);
