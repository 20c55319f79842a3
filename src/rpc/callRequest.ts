/**
 * Requests of eth_call and eth_estimateGas as simulated transactions (spec: rpc 6). The order of the checks is part of
 * the interface: overrides, block, fee conflict, cap too low, tip above cap, tip too high, L1 types, other types.
 */
import type { Bytes } from '../common/bytes.ts';
import { EMPTY_BYTES, ZERO_ADDRESS, bytesToBigInt, equalBytes } from '../common/bytes.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { L1_PRIORITY_TYPE, UPGRADE_TYPE } from '../protocol/transaction.ts';
import type { BlockOverrides, SimulatedCall, StateOverride } from './backend.ts';
import { invalidArgument, invalidParams } from './errors.ts';
import type { JsonObject } from './validation.ts';
import {
  U128_MAX,
  U64_MAX,
  isAbsent,
  optional,
  parseAddress,
  parseArray,
  parseData,
  parseHash,
  parseObject,
  parseQuantity,
  parseStorageKey,
} from './validation.ts';

const MAX_OVERRIDDEN_ACCOUNTS = 1_000;
/** Of all accounts: they are read, and handed to the rpc worker, in one turn of the event loop, and so is the other list. */
const MAX_OVERRIDDEN_SLOTS = 20_000;
/** Addresses and storage keys. */
const MAX_ACCESS_LIST = 20_000;
const MAX_BLOCK_HASHES = 256;

/** The fields of a request, decoded; which of them go together is judged later. */
export interface CallFields {
  readonly type: bigint | undefined;
  readonly from: Bytes | undefined;
  readonly to: Bytes | undefined;
  readonly gas: bigint | undefined;
  readonly gasPrice: bigint | undefined;
  readonly maxFeePerGas: bigint | undefined;
  readonly maxPriorityFeePerGas: bigint | undefined;
  readonly value: bigint;
  readonly nonce: bigint | undefined;
  readonly input: Bytes;
  readonly accessList: SimulatedCall['accessList'] | undefined;
  readonly hasBlobs: boolean;
  readonly hasAuthorizations: boolean;
}

export interface CallOverrides {
  readonly stateOverrides: readonly StateOverride[];
  readonly blockOverrides: BlockOverrides;
}

export function parseCallFields(value: unknown, name: string, chainId: bigint): CallFields {
  const fields = parseObject(value, name);
  const field = <T>(key: string, parse: (value: unknown, name: string) => T): T | undefined =>
    optional(fields[key], (present) => parse(present, `${name}.${key}`));
  const u64 = (present: unknown, at: string) => parseQuantity(present, at, U64_MAX);
  const u128 = (present: unknown, at: string) => parseQuantity(present, at, U128_MAX);
  const input = field('input', parseData);
  const data = field('data', parseData);
  if (input !== undefined && data !== undefined && !equalBytes(input, data)) {
    throw invalidArgument('both "data" and "input" are set and not equal: use "input"');
  }
  const requestChainId = field('chainId', u64);
  if (requestChainId !== undefined && requestChainId !== chainId) {
    throw invalidArgument(`invalid chain id for signer: have ${requestChainId}, want ${chainId}`);
  }
  return {
    type: field('type', u64),
    from: field('from', parseAddress),
    to: field('to', parseAddress),
    gas: field('gas', u64),
    gasPrice: field('gasPrice', u128),
    maxFeePerGas: field('maxFeePerGas', u128),
    maxPriorityFeePerGas: field('maxPriorityFeePerGas', u128),
    value: field('value', parseQuantity) ?? 0n,
    nonce: field('nonce', u64),
    input: input ?? data ?? EMPTY_BYTES,
    accessList: field('accessList', parseAccessList),
    hasBlobs: ['blobs', 'blobVersionedHashes', 'maxFeePerBlobGas', 'commitments', 'proofs', 'sidecar'].some(
      (key) => !isAbsent(fields[key]),
    ),
    hasAuthorizations: !isAbsent(fields['authorizationList']),
  };
}

function parseAccessList(value: unknown, name: string): SimulatedCall['accessList'] {
  let room = MAX_ACCESS_LIST;
  return parseArray(value, name, MAX_ACCESS_LIST, (item, itemName) => {
    const entry = parseObject(item, itemName);
    const keys = entry['storageKeys'];
    room -= 1 + (Array.isArray(keys) ? keys.length : 0);
    if (room < 0) throw invalidParams(`invalid ${name}: more than ${MAX_ACCESS_LIST} addresses and storage keys`);
    return {
      address: parseAddress(entry['address'], `${itemName}.address`),
      slots: isAbsent(keys) ? [] : parseArray(keys, `${itemName}.storageKeys`, MAX_ACCESS_LIST, parseHash),
    };
  });
}

/** Absent and `{}` override nothing. */
export function parseStateOverrides(value: unknown, name: string): readonly StateOverride[] {
  if (isAbsent(value)) return [];
  const accounts = Object.entries(parseObject(value, name));
  if (accounts.length > MAX_OVERRIDDEN_ACCOUNTS) {
    throw invalidParams(`invalid ${name}: more than ${MAX_OVERRIDDEN_ACCOUNTS} accounts`);
  }
  let room = MAX_OVERRIDDEN_SLOTS;
  return accounts.map(([address, account]) => {
    const override = parseAccountOverride(
      parseAddress(address, `${name} key`),
      parseObject(account, `${name}.${address}`),
      { name: `${name}.${address}`, maxSlots: room },
    );
    room -= (override.state ?? override.stateDiff ?? []).length;
    return override;
  });
}

function parseAccountOverride(
  address: Bytes,
  account: JsonObject,
  { name, maxSlots }: { readonly name: string; readonly maxSlots: number },
): StateOverride {
  const slotsOf = (value: unknown, at: string) => parseSlots(value, at, maxSlots);
  const field = <T>(key: string, parse: (value: unknown, name: string) => T): T | undefined =>
    optional(account[key], (present) => parse(present, `${name}.${key}`));
  const balance = field('balance', parseQuantity);
  const nonce = field('nonce', (present, at) => parseQuantity(present, at, U64_MAX));
  const code = field('code', parseData);
  const state = field('state', slotsOf);
  const stateDiff = field('stateDiff', slotsOf);
  const movePrecompileTo = field('movePrecompileToAddress', parseAddress);
  if (state !== undefined && stateDiff !== undefined) {
    throw invalidArgument(`account ${shortName(name)} has both 'state' and 'stateDiff'`);
  }
  return {
    address,
    ...(balance === undefined ? {} : { balance }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(code === undefined ? {} : { code }),
    ...(state === undefined ? {} : { state }),
    ...(stateDiff === undefined ? {} : { stateDiff }),
    ...(movePrecompileTo === undefined ? {} : { movePrecompileTo }),
  };
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function parseSlots(value: unknown, name: string, max: number): readonly (readonly [slot: Bytes, value: Bytes])[] {
  const slots = Object.entries(parseObject(value, name));
  if (slots.length > max) throw invalidParams(`invalid ${name}: more than ${MAX_OVERRIDDEN_SLOTS} slots in all`);
  return slots.map(([slot, word]) => [parseStorageKey(slot, `${name} key`), parseHash(word, `${name}.${slot}`)]);
}

/** Absent and `{}` override nothing. Both the execution-apis names and geth's older ones are read. */
export function parseBlockOverrides(value: unknown, name: string): BlockOverrides {
  if (isAbsent(value)) return {};
  const fields = parseObject(value, name);
  const field = <T>(keys: readonly string[], parse: (value: unknown, name: string) => T): T | undefined => {
    const key = keys.find((candidate) => !isAbsent(fields[candidate]));
    return key === undefined ? undefined : parse(fields[key], `${name}.${key}`);
  };
  const u64 = (present: unknown, at: string) => parseQuantity(present, at, U64_MAX);
  const number = field(['number'], u64);
  const timestamp = field(['time', 'timestamp'], u64);
  const gasLimit = field(['gasLimit'], u64);
  const feeRecipient = field(['feeRecipient', 'coinbase'], parseAddress);
  const prevRandao = field(['prevRandao', 'random'], (present, at) => bytesToBigInt(parseStorageKey(present, at)));
  const baseFeePerGas = field(['baseFeePerGas', 'baseFee'], (present, at) => parseQuantity(present, at, U128_MAX));
  const blockHashes = field(['blockHash'], parseBlockHashes);
  return {
    ...(number === undefined ? {} : { number }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(gasLimit === undefined ? {} : { gasLimit }),
    ...(feeRecipient === undefined ? {} : { feeRecipient }),
    ...(prevRandao === undefined ? {} : { prevRandao }),
    ...(baseFeePerGas === undefined ? {} : { baseFeePerGas }),
    ...(blockHashes === undefined ? {} : { blockHashes }),
  };
}

function parseBlockHashes(value: unknown, name: string): readonly (readonly [number: bigint, hash: Bytes])[] {
  const entries = Object.entries(parseObject(value, name));
  if (entries.length > MAX_BLOCK_HASHES) throw invalidParams(`invalid ${name}: more than ${MAX_BLOCK_HASHES} entries`);
  return entries.map(([number, hash]) => {
    // Keys of a JSON object are strings: decimal in geth, hex elsewhere.
    const isDecimal = /^(0|[1-9][0-9]{0,19})$/.test(number);
    return [
      isDecimal ? BigInt(number) : parseQuantity(number, `${name} key`, U64_MAX),
      parseHash(hash, `${name}.${number}`),
    ];
  });
}

/**
 * The price per gas that a request stands for, wei (spec: rpc 6, fee table). `baseFee` is the block's real one.
 * A cap without a tip means a tip of zero.
 */
export function callGasPrice(fields: CallFields, baseFee: bigint): bigint {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas } = fields;
  const isDynamic = maxFeePerGas !== undefined || maxPriorityFeePerGas !== undefined;
  if (gasPrice !== undefined) {
    if (isDynamic) {
      throw invalidArgument('both `gasPrice` and (`maxFeePerGas` or `maxPriorityFeePerGas`) specified');
    }
    return gasPrice;
  }
  if (!isDynamic) return 0n;
  const tip = maxPriorityFeePerGas ?? 0n;
  if (maxFeePerGas !== undefined) {
    const isFree = maxFeePerGas === 0n && tip === 0n;
    if (maxFeePerGas < baseFee && !isFree) {
      throw invalidArgument(
        `max fee per gas less than block base fee: \`maxFeePerGas\` less than \`block.baseFee\` (${maxFeePerGas} < ${baseFee})`,
      );
    }
    if (tip > maxFeePerGas) {
      throw invalidArgument(
        'max priority fee per gas higher than max fee per gas: `maxPriorityFeePerGas` higher than `maxFeePerGas`',
      );
    }
  }
  const wanted = baseFee + tip;
  if (wanted > U128_MAX) throw invalidArgument('`maxPriorityFeePerGas` is too high');
  return maxFeePerGas !== undefined && maxFeePerGas < wanted ? maxFeePerGas : wanted;
}

function callType(fields: CallFields): SimulatedCall['type'] {
  if (fields.type === BigInt(L1_PRIORITY_TYPE)) return L1_PRIORITY_TYPE;
  if (fields.type === BigInt(UPGRADE_TYPE)) throw invalidArgument('upgrade transactions cannot be estimated');
  if (fields.hasAuthorizations) {
    throw invalidArgument(
      'transaction type not supported: EIP-7702 transactions are not supported: transaction type not valid',
    );
  }
  if (fields.hasBlobs) {
    throw invalidArgument(
      'transaction type not supported: EIP-4844 transactions are not supported: transaction type not valid',
    );
  }
  if (fields.maxFeePerGas !== undefined || fields.maxPriorityFeePerGas !== undefined) return 2;
  return fields.accessList === undefined ? 0 : 1;
}

export interface CallTarget {
  readonly kind: SimulatedCall['kind'];
  readonly blockNumber: number;
  readonly context: BlockContext;
  /** Gas of a call that names none. */
  readonly defaultGas: bigint;
}

/** The checks after the block is known; all defaults are filled in. */
export function simulatedCall(fields: CallFields, overrides: CallOverrides, target: CallTarget): SimulatedCall {
  const { kind, blockNumber, context } = target;
  const { blockOverrides } = overrides;
  const gasPrice = callGasPrice(fields, blockOverrides.baseFeePerGas ?? context.eip1559BaseFee);
  const type = callType(fields);
  const blockGasLimit = blockOverrides.gasLimit ?? context.gasLimit;
  const defaultGas =
    kind === 'estimate' ? undefined : target.defaultGas < blockGasLimit ? target.defaultGas : blockGasLimit;
  return {
    kind,
    blockNumber,
    type,
    from: fields.from ?? ZERO_ADDRESS,
    to: fields.to ?? (type === L1_PRIORITY_TYPE ? ZERO_ADDRESS : undefined),
    input: fields.input,
    value: fields.value,
    gas: fields.gas ?? defaultGas,
    gasPrice,
    nonce: fields.nonce,
    accessList: fields.accessList ?? [],
    ...overrides,
  };
}
