/** A transaction under the rules of Ethereum at Cancun, on the machine that runs the node's own. */
import type { Bytes } from '../../src/common/bytes.ts';
import type { AccessListItem } from '../../src/protocol/transaction.ts';
import type { Account } from '../../src/vm/account.ts';
import { beginTopCall, callableCode } from '../../src/vm/calls.ts';
import { EMPTY_CODE } from '../../src/vm/code.ts';
import { beginCreation, creationAddress } from '../../src/vm/creates.ts';
import {
  ACCESS_LIST_ADDRESS_GAS,
  ACCESS_LIST_KEY_GAS,
  calldataGas,
  CREATION_GAS,
  INIT_CODE_LENGTH_MAX,
  INIT_CODE_WORD_GAS,
  L1_INTRINSIC_GAS,
  wordCount,
} from '../../src/vm/gasCosts.ts';
import { Machine } from '../../src/vm/machine.ts';
import type { MachineResult } from '../../src/vm/machine.ts';
import type { LoadedState } from '../../src/vm/loadedState.ts';
import { runMachine } from '../../src/vm/runMachine.ts';
import { FATAL, FAILED } from '../../src/vm/signals.ts';
import { LIMBS, readBytes } from '../../src/vm/words.ts';
import { WorldState } from '../../src/vm/worldState.ts';
import { ethereumRules, PRECOMPILE_ADDRESSES } from './ethereumRules.ts';

export interface EthereumEnvironment {
  readonly chainId: bigint;
  readonly number: bigint;
  readonly timestamp: bigint;
  readonly gasLimit: bigint;
  readonly baseFee: bigint;
  readonly coinbase: Bytes;
  readonly prevRandao: bigint;
  readonly excessBlobGas: bigint;
  /** Oldest first; the last is of the parent. */
  readonly blockHashes: readonly Bytes[];
}

export interface EthereumTransaction {
  readonly sender: Bytes;
  readonly nonce: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly gasLimit: bigint;
  /** undefined: a creation. */
  readonly to: Bytes | undefined;
  readonly value: bigint;
  readonly input: Bytes;
  readonly accessList: readonly AccessListItem[];
  /** undefined: no blob transaction. */
  readonly blobs: { readonly maxFeePerBlobGas: bigint; readonly hashes: readonly Bytes[] } | undefined;
}

/** Names as in the public suites. */
export const ETHEREUM_ERRORS = [
  'NONCE_MISMATCH_TOO_LOW',
  'NONCE_MISMATCH_TOO_HIGH',
  'NONCE_IS_MAX',
  'SENDER_NOT_EOA',
  'PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS',
  'INSUFFICIENT_MAX_FEE_PER_GAS',
  'TYPE_3_TX_CONTRACT_CREATION',
  'TYPE_3_TX_ZERO_BLOBS',
  'TYPE_3_TX_BLOB_COUNT_EXCEEDED',
  'TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED',
  'TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH',
  'INSUFFICIENT_MAX_FEE_PER_BLOB_GAS',
  'GAS_ALLOWANCE_EXCEEDED',
  'GASLIMIT_PRICE_PRODUCT_OVERFLOW',
  'INSUFFICIENT_ACCOUNT_FUNDS',
  'INTRINSIC_GAS_TOO_LOW',
  'INITCODE_SIZE_EXCEEDED',
] as const;
export type EthereumError = (typeof ETHEREUM_ERRORS)[number];

export type EthereumOutcome =
  | { readonly kind: 'rejected'; readonly errors: readonly EthereumError[] }
  | {
      readonly kind: 'executed';
      readonly success: boolean;
      readonly gasUsed: bigint;
      readonly returnData: Bytes;
      /** Why it failed, as tracers say it. */
      readonly error: string | undefined;
      /** The state behind the transaction. */
      readonly world: WorldState;
    };

/** Gas is counted in numbers: what a transaction has beyond this never reaches the machine. */
const MACHINE_GAS_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const NATIVE_WITHOUT_LIMIT = Number.MAX_SAFE_INTEGER;
const NONCE_MAX = 0xffff_ffff_ffff_ffffn;
const U256 = 1n << 256n;
const REFUND_QUOTIENT = 5n;
const GAS_PER_BLOB = 1n << 17n;
const BLOBS_MAX = 6;
const BLOB_HASH_VERSION = 1;
const BLOB_BASE_FEE_MIN = 1n;
const BLOB_BASE_FEE_FRACTION = 3_338_477n;
const TURN_BUDGET = 1_000_000;

/** EIP-4844: the minimum times e^(excess / fraction), in integers. */
export function blobBaseFee(excessBlobGas: bigint): bigint {
  let sum = 0n;
  let term = BLOB_BASE_FEE_MIN * BLOB_BASE_FEE_FRACTION;
  for (let i = 1n; term > 0n; i += 1n) {
    sum += term;
    term = (term * excessBlobGas) / (BLOB_BASE_FEE_FRACTION * i);
  }
  return sum / BLOB_BASE_FEE_FRACTION;
}

export function intrinsicGas(transaction: Pick<EthereumTransaction, 'input' | 'to' | 'accessList'>): bigint {
  const { input, to, accessList } = transaction;
  let gas = L1_INTRINSIC_GAS + calldataGas(input);
  if (to === undefined) gas += CREATION_GAS + INIT_CODE_WORD_GAS * wordCount(input.length);
  for (const { slots } of accessList) gas += ACCESS_LIST_ADDRESS_GAS + ACCESS_LIST_KEY_GAS * slots.length;
  return BigInt(gas);
}

/** Everything that keeps the transaction out of a block: suites name one reason where several apply. */
function findErrors(
  transaction: EthereumTransaction,
  environment: EthereumEnvironment,
  sender: Account,
): readonly EthereumError[] {
  const { nonce, maxFeePerGas, maxPriorityFeePerGas, gasLimit, value, blobs, to, input } = transaction;
  const errors: EthereumError[] = [];
  const refuse = (isWrong: boolean, error: EthereumError): void => {
    if (isWrong) errors.push(error);
  };
  refuse(nonce < sender.nonce, 'NONCE_MISMATCH_TOO_LOW');
  refuse(nonce > sender.nonce, 'NONCE_MISMATCH_TOO_HIGH');
  refuse(nonce === NONCE_MAX, 'NONCE_IS_MAX');
  refuse(sender.hasCode, 'SENDER_NOT_EOA');
  refuse(maxPriorityFeePerGas > maxFeePerGas, 'PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS');
  refuse(maxFeePerGas < environment.baseFee, 'INSUFFICIENT_MAX_FEE_PER_GAS');
  if (blobs !== undefined) {
    const { hashes, maxFeePerBlobGas } = blobs;
    refuse(to === undefined, 'TYPE_3_TX_CONTRACT_CREATION');
    refuse(hashes.length === 0, 'TYPE_3_TX_ZERO_BLOBS');
    refuse(hashes.length > BLOBS_MAX, 'TYPE_3_TX_BLOB_COUNT_EXCEEDED');
    refuse(hashes.length > BLOBS_MAX, 'TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED');
    refuse(
      hashes.some((hash) => hash[0] !== BLOB_HASH_VERSION),
      'TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH',
    );
    refuse(maxFeePerBlobGas < blobBaseFee(environment.excessBlobGas), 'INSUFFICIENT_MAX_FEE_PER_BLOB_GAS');
  }
  const blobGas = GAS_PER_BLOB * BigInt(blobs?.hashes.length ?? 0);
  const cost = gasLimit * maxFeePerGas + blobGas * (blobs?.maxFeePerBlobGas ?? 0n) + value;
  refuse(cost >= U256, 'GASLIMIT_PRICE_PRODUCT_OVERFLOW');
  refuse(sender.balance < cost, 'INSUFFICIENT_ACCOUNT_FUNDS');
  refuse(gasLimit > environment.gasLimit, 'GAS_ALLOWANCE_EXCEEDED');
  refuse(gasLimit < intrinsicGas(transaction), 'INTRINSIC_GAS_TOO_LOW');
  refuse(to === undefined && input.length > INIT_CODE_LENGTH_MAX, 'INITCODE_SIZE_EXCEEDED');
  return errors;
}

function known<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('the state of an Ethereum transaction must be in memory as a whole');
  return found;
}

/**
 * One transaction on a state that is in memory as a whole. `hasStorage`: whether an address has any slot in it. Accounts
 * that are empty afterwards and were touched are absent (EIP-161); whoever reads `world` leaves them out.
 */
export function runEthereumTransaction(options: {
  state: LoadedState;
  hasStorage: (address: Bytes) => boolean;
  environment: EthereumEnvironment;
  transaction: EthereumTransaction;
}): EthereumOutcome {
  const { environment, transaction } = options;
  const { maxFeePerGas, maxPriorityFeePerGas, gasLimit, to, value, input, accessList, blobs } = transaction;
  const { baseFee } = environment;
  const world = new WorldState(options.state, ethereumRules(options.hasStorage));
  const blobFee = blobBaseFee(environment.excessBlobGas);
  const machine = new Machine({
    world,
    environment: { ...environment, blobBaseFee: blobFee },
    tracer: undefined,
  });
  const { access, meter } = machine;
  world.beginTransaction();
  const at = (address: Bytes): Account => known(world.accountAt(address));
  const sender = at(transaction.sender);
  const errors = findErrors(transaction, environment, sender);
  if (errors.length > 0) return { kind: 'rejected', errors };

  const coinbase = at(environment.coinbase);
  const target = at(to ?? creationAddress(sender.address, sender.nonce));
  const room = maxFeePerGas - baseFee;
  const tip = maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room;
  const gasPrice = baseFee + tip;
  const blobGas = GAS_PER_BLOB * BigInt(blobs?.hashes.length ?? 0);
  world.setBalance(sender, sender.balance - gasLimit * gasPrice - blobGas * blobFee);
  world.setNonce(sender, sender.nonce + 1n);

  for (const address of PRECOMPILE_ADDRESSES) world.warmAccount(at(address));
  for (const account of [coinbase, sender, target]) world.warmAccount(account);
  const word = new Uint32Array(LIMBS);
  for (const item of accessList) {
    const account = at(item.address);
    world.warmAccount(account);
    for (const slot of item.slots) {
      readBytes(slot, 0, 32, word, 0);
      world.warmSlot(world.slot(account, word, 0));
    }
  }

  const available = gasLimit - intrinsicGas(transaction);
  const beyond = available > MACHINE_GAS_MAX ? available - MACHINE_GAS_MAX : 0n;
  meter.gas = Number(available - beyond);
  meter.fraction = 0;
  meter.native = NATIVE_WITHOUT_LIMIT;
  machine.beginTransaction(sender, gasPrice);
  machine.blobHashes = blobs?.hashes ?? [];
  const checkpoint = world.checkpoint();
  if (to === undefined) {
    const begun = beginCreation(machine, {
      kind: 'CREATE',
      creator: sender,
      created: target,
      value,
      initCode: input,
      checkpoint,
      stackBase: 0,
      memoryBase: 0,
      isFirst: true,
    });
    if (begun === FATAL) throw new Error('native ran out in a machine that has it without limit');
    if (begun === FAILED) {
      meter.burnGas();
      world.rollBack(checkpoint);
      machine.result = { kind: 'returned', success: false, output: new Uint8Array(0), error: machine.failure };
    }
  } else {
    const code = target.hasCode ? known(callableCode(machine, target)) : EMPTY_CODE;
    access.move(sender, target, value);
    beginTopCall(machine, { sender, target, code, value, input, checkpoint });
  }
  const { success, output, error: failure } = runToEnd(machine);

  const spent = gasLimit - beyond - BigInt(meter.gas);
  const most = spent / REFUND_QUOTIENT;
  const refund = BigInt(world.refund) < most ? BigInt(world.refund) : most;
  const gasUsed = spent - refund;
  world.setBalance(sender, sender.balance + (gasLimit - gasUsed) * gasPrice);
  world.setBalance(coinbase, coinbase.balance + gasUsed * tip);
  world.removeDoomed();
  return { kind: 'executed', success, gasUsed, returnData: output, error: failure, world };
}

function runToEnd(machine: Machine): MachineResult {
  while (machine.result === undefined) {
    if (runMachine(machine, TURN_BUDGET) === 'missing')
      throw new Error('the state of an Ethereum transaction must be in memory as a whole');
  }
  const result: MachineResult = machine.result;
  if (result.kind === 'fatal') throw new Error('native ran out in a machine that has it without limit');
  return result;
}
