/** A thousand transactions of every kind that a block can hold, signed and with the outcome that each must have. */
import {
  type Address,
  type Hex,
  type PrivateKeyAccount,
  encodeDeployData,
  encodeFunctionData,
  pad,
  parseAbi,
} from 'viem';
import type { L1Request } from '../../src/producers/developmentL1Source.ts';
import { CHAIN_ID, anAccount, anL1Request } from './clients.ts';
import { testContract } from './contracts.ts';

const TOKEN = parseAbi([
  'function transfer(address to, uint256 value)',
  'function approve(address spender, uint256 value)',
  'function mint(address to, uint256 value)',
]);
const EMITTER = parseAbi(['function emitEvent(uint256 number)']);
const REVERTING = parseAbi(['function simpleRevert()', 'function stringRevert()']);
const BASE_TOKEN = parseAbi(['function withdraw(address l1Receiver) payable']);
const MESSENGER = parseAbi(['function sendToL1(bytes message) returns (bytes32)']);
const BASE_TOKEN_ADDRESS: Address = '0x000000000000000000000000000000000000800a';
const MESSENGER_ADDRESS: Address = '0x0000000000000000000000000000000000008008';
/** Constructors that revert with nothing, and that run out of gas. */
const FAILING_INIT_CODES: readonly Hex[] = ['0x60006000fd', '0x5b600056'];

export interface Deployed {
  readonly token: Address;
  readonly emitter: Address;
  readonly reverting: Address;
}

export type Kind = 'create' | 'failingCreate' | 'revert' | 'transfer' | 'token' | 'event' | 'withdrawal' | 'message';

interface Call {
  readonly to?: Address;
  readonly value?: bigint;
  readonly data?: Hex;
}

export interface MixedTransaction {
  readonly kind: Kind;
  readonly type: 0 | 1 | 2;
  readonly raw: Hex;
  readonly succeeds: boolean;
}

/** Of every ten: one deployment, one and a half calls that revert, the rest spread; types 0, 1 and 2 in turn. */
const PATTERN: readonly Kind[] = [
  ...(['create', 'token', 'revert', 'transfer', 'event', 'token', 'transfer', 'create', 'transfer', 'token'] as const),
  ...([
    'token',
    'revert',
    'withdrawal',
    'transfer',
    'create',
    'event',
    'transfer',
    'revert',
    'token',
    'message',
  ] as const),
  ...(['transfer', 'failingCreate', 'event', 'token'] as const),
];

/** So many of each account, nonces from 0. */
export async function mixedTransactions(
  accounts: readonly PrivateKeyAccount[],
  perAccount: number,
  deployed: Deployed,
): Promise<MixedTransaction[]> {
  const all: MixedTransaction[] = [];
  for (let nonce = 0; nonce < perAccount; nonce++) {
    for (const [index, account] of accounts.entries()) {
      const at = nonce * accounts.length + index;
      const kind = PATTERN[at % PATTERN.length] ?? 'transfer';
      const type = (at % 3) as 0 | 1 | 2; // a remainder of 3
      const succeeds = kind !== 'revert' && kind !== 'failingCreate';
      const raw = await signed(account, { type, nonce, call: callOf(kind, at, deployed) });
      all.push({ kind, type, raw, succeeds });
    }
  }
  return all;
}

function callOf(kind: Kind, at: number, { token, emitter, reverting }: Deployed): Call {
  const somebody = anAccount().address;
  switch (kind) {
    case 'create': {
      const { bytecode, abi } = testContract(at % 2 === 0 ? 'EventEmitter' : 'TracingSecondary');
      return { data: at % 2 === 0 ? bytecode : encodeDeployData({ abi, bytecode, args: [BigInt(at)] }) };
    }
    case 'failingCreate':
      return { data: FAILING_INIT_CODES[at % FAILING_INIT_CODES.length] ?? '0x' };
    case 'revert': {
      const functionName = at % 2 === 0 ? 'simpleRevert' : 'stringRevert';
      return { to: reverting, data: encodeFunctionData({ abi: REVERTING, functionName }) };
    }
    case 'transfer':
      return { to: somebody, value: BigInt(at + 1) };
    case 'token': {
      const functionName = at % 4 === 0 ? 'approve' : 'transfer';
      return { to: token, data: encodeFunctionData({ abi: TOKEN, functionName, args: [somebody, BigInt(at + 1)] }) };
    }
    case 'event':
      return { to: emitter, data: encodeFunctionData({ abi: EMITTER, functionName: 'emitEvent', args: [BigInt(at)] }) };
    case 'withdrawal': {
      const data = encodeFunctionData({ abi: BASE_TOKEN, functionName: 'withdraw', args: [somebody] });
      return { to: BASE_TOKEN_ADDRESS, value: BigInt(at + 1), data };
    }
    case 'message': {
      const data = encodeFunctionData({ abi: MESSENGER, functionName: 'sendToL1', args: [pad(somebody)] });
      return { to: MESSENGER_ADDRESS, data };
    }
  }
}

function signed(
  account: PrivateKeyAccount,
  { type, nonce, call }: { type: 0 | 1 | 2; nonce: number; call: Call },
): Promise<Hex> {
  const fields = { chainId: CHAIN_ID, nonce, gas: 500_000n, ...call };
  if (type === 0) return account.signTransaction({ ...fields, type: 'legacy', gasPrice: 2_000n });
  const accessList = call.to === undefined ? [] : [{ address: call.to, storageKeys: [pad('0x0'), pad('0x1')] }];
  if (type === 1) return account.signTransaction({ ...fields, type: 'eip2930', gasPrice: 2_000n, accessList });
  return account.signTransaction({ ...fields, type: 'eip1559', maxFeePerGas: 3_000n, maxPriorityFeePerGas: 7n });
}

/** From L1: deposits, calls, and in every third a failure. */
export function mixedL1Requests(
  count: number,
  { token, reverting }: Deployed,
): { request: L1Request; succeeds: boolean }[] {
  return Array.from({ length: count }, (_value, at) => {
    const [initiator, somebody] = [anAccount().address, anAccount().address];
    if (at % 3 === 0) return { request: anL1Request(initiator, somebody, { value: BigInt(at + 1) }), succeeds: true };
    if (at % 3 === 1) {
      const input = encodeFunctionData({ abi: TOKEN, functionName: 'mint', args: [somebody, BigInt(at)] });
      return { request: anL1Request(initiator, token, { input, refundRecipient: somebody }), succeeds: true };
    }
    const input = encodeFunctionData({ abi: REVERTING, functionName: 'simpleRevert' });
    return { request: anL1Request(initiator, reverting, { input, refundRecipient: somebody }), succeeds: false };
  });
}
