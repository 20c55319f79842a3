/** Why the pool refuses a transaction (spec: rpc 7, execution 4). The message leads with geth's phrase, which clients match. */
import { NodeError } from '../common/errors.ts';

export type PoolRejection =
  | { readonly code: 'POOL_ALREADY_KNOWN' }
  | { readonly code: 'POOL_REPLACEMENT_UNDERPRICED' }
  | { readonly code: 'POOL_UNDERPRICED'; readonly maxFeePerGas: bigint; readonly minimum: bigint }
  | { readonly code: 'POOL_FEE_CAP_EXCEEDED'; readonly fee: bigint; readonly cap: bigint }
  | { readonly code: 'POOL_INSUFFICIENT_FUNDS'; readonly balance: bigint; readonly cost: bigint }
  | { readonly code: 'POOL_NONCE_TOO_LOW'; readonly nextNonce: bigint; readonly nonce: bigint }
  | { readonly code: 'POOL_EXCEEDS_BLOCK_GAS_LIMIT'; readonly gasLimit: bigint; readonly blockGasLimit: bigint }
  | { readonly code: 'POOL_INTRINSIC_GAS_TOO_LOW'; readonly gasLimit: bigint; readonly intrinsicGas: bigint }
  | { readonly code: 'POOL_TIP_ABOVE_FEE_CAP'; readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }
  | { readonly code: 'POOL_TYPE_NOT_SUPPORTED'; readonly type: number }
  | { readonly code: 'POOL_INVALID_CHAIN_ID'; readonly chainId: bigint; readonly expected: bigint }
  | { readonly code: 'POOL_OVERSIZED_DATA'; readonly sizeBytes: number; readonly limitBytes: number }
  | { readonly code: 'POOL_INIT_CODE_TOO_LARGE'; readonly sizeBytes: number; readonly limitBytes: number }
  | { readonly code: 'POOL_NONCE_MAX' }
  | { readonly code: 'POOL_SENDER_NOT_EOA' }
  | { readonly code: 'POOL_FULL' };

export type PoolRejectionCode = PoolRejection['code'];

type PoolErrorFacts = PoolRejection & { readonly [fact: string]: unknown };

/** The sender's mistake or a full pool, never a fault of the node. */
export class PoolError extends NodeError<PoolErrorFacts> {
  constructor(rejection: PoolRejection) {
    super('fatal', rejectionText(rejection), { ...rejection });
    this.name = 'PoolError';
  }
}

/** The complete text for a client: geth's phrase, then the details. */
export function rejectionText(rejection: PoolRejection): string {
  switch (rejection.code) {
    case 'POOL_ALREADY_KNOWN':
      return 'already known: already imported';
    case 'POOL_REPLACEMENT_UNDERPRICED':
      return 'replacement transaction underpriced: insufficient gas price to replace existing transaction';
    case 'POOL_UNDERPRICED':
      return `transaction underpriced: transaction feeCap ${rejection.maxFeePerGas} below chain minimum ${rejection.minimum}`;
    case 'POOL_FEE_CAP_EXCEEDED':
      return `tx fee (${rejection.fee} wei) exceeds the configured cap (${rejection.cap} wei)`;
    case 'POOL_INSUFFICIENT_FUNDS':
      return `insufficient funds for gas * price + value: sender does not have enough funds (${rejection.balance}) to cover transaction fees: ${rejection.cost}`;
    case 'POOL_NONCE_TOO_LOW':
      return `nonce too low: transaction nonce is not consistent: next nonce ${rejection.nextNonce}, tx nonce ${rejection.nonce}`;
    case 'POOL_EXCEEDS_BLOCK_GAS_LIMIT':
      return `exceeds block gas limit: transaction's gas limit ${rejection.gasLimit} exceeds block's gas limit ${rejection.blockGasLimit}: gas limit reached`;
    case 'POOL_INTRINSIC_GAS_TOO_LOW':
      return `intrinsic gas too low: have ${rejection.gasLimit}, want ${rejection.intrinsicGas}`;
    case 'POOL_TIP_ABOVE_FEE_CAP':
      return `max priority fee per gas higher than max fee per gas: ${rejection.maxPriorityFeePerGas} above ${rejection.maxFeePerGas}`;
    case 'POOL_TYPE_NOT_SUPPORTED':
      return `transaction type not supported: type ${rejection.type}: transaction type not valid`;
    case 'POOL_INVALID_CHAIN_ID':
      return `invalid chain id for signer: transaction's chain ID does not match: have ${rejection.chainId}, want ${rejection.expected}`;
    case 'POOL_OVERSIZED_DATA':
      return `oversized data: input data too large: ${rejection.sizeBytes} bytes, limit ${rejection.limitBytes}`;
    case 'POOL_INIT_CODE_TOO_LARGE':
      return `max initcode size exceeded: initcode over EIP-3860 limit: ${rejection.sizeBytes} bytes, limit ${rejection.limitBytes}`;
    case 'POOL_NONCE_MAX':
      return 'nonce has max value: nonce exceeds u64 limit';
    case 'POOL_SENDER_NOT_EOA':
      return 'sender not an eoa: transaction signer has bytecode set';
    case 'POOL_FULL':
      return 'txpool is full: transaction discarded outright due to pool size constraints';
  }
}
