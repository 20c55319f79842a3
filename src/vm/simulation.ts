/**
 * One transaction on its own, without consequences: calls, estimates, traces of calls (spec: native 11, rpc 6). The same
 * machine as in a block, with base fee 0, 100 native per gas, no nonce check, and the signature charged but not looked at.
 */
import { EMPTY_BYTES, ZERO_32, ZERO_ADDRESS } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import type { L2ToL1Log, Log } from '../protocol/blockOutput.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { encodeRlp, rlpInteger } from '../protocol/rlp.ts';
import type { RlpItem } from '../protocol/rlp.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import type { AccessListItem, L1Transaction, L2Transaction } from '../protocol/transaction.ts';
import { environmentOf, PREVRANDAO, TURN_BUDGET } from './blockExecution.ts';
import { Machine } from './machine.ts';
import type { InvalidTransaction } from './invalidTransaction.ts';
import { L1Execution, wouldStopVm } from './l1Transaction.ts';
import { L2Execution } from './l2Transaction.ts';
import type { LoadedState, MissingKey } from './loadedState.ts';
import { SIMULATION_NATIVE_PER_GAS } from './nativeCosts.ts';
import type { EvmRules } from './rules.ts';
import { runMachine } from './runMachine.ts';
import type { Tracer } from './tracer.ts';
import { traceEnd } from './transactionExecution.ts';
import type { TransactionExecution, TransactionRules } from './transactionExecution.ts';
import { WorldState } from './worldState.ts';

const L1_GAS_PER_PUBDATA = 800n;

export interface SimulatedTransaction {
  readonly type: 0 | 1 | 2 | 0x7f;
  readonly from: Bytes;
  /** undefined: a creation; of type 0x7f the zero address. */
  readonly to: Bytes | undefined;
  readonly input: Bytes;
  /** wei */
  readonly value: bigint;
  readonly gasLimit: bigint;
  /** wei per gas, the effective price */
  readonly gasPrice: bigint;
  /** Only its length in the encoding matters. */
  readonly nonce: bigint;
  readonly accessList: readonly AccessListItem[];
}

/** Why a simulated transaction failed: it reverted, its gas or native did not suffice, or it ran into another error. */
export type SimulationFailure = 'revert' | 'outOfGas' | 'halt';

export type SimulationStep =
  | { readonly kind: 'missing'; readonly keys: readonly MissingKey[] }
  | { readonly kind: 'paused' }
  | {
      readonly kind: 'done';
      readonly success: boolean;
      /** undefined: success */
      readonly failure: SimulationFailure | undefined;
      /** Return or revert data; of a creation the deployed code. */
      readonly returnData: Bytes;
      readonly gasUsed: bigint;
      /** Always 0 in this build. */
      readonly gasRefunded: bigint;
      readonly contractAddress: Bytes | undefined;
      readonly logs: readonly Log[];
      readonly l2ToL1Logs: readonly L2ToL1Log[];
    }
  /** OtherUnrecoverable: in a block it would stop the node. */
  | { readonly kind: 'rejected'; readonly error: InvalidTransaction | 'OtherUnrecoverable' };

/** Encoded length with an empty signature, which native is charged by, and length of the signing payload. */
function encodedLengths(transaction: SimulatedTransaction, chainId: bigint): { raw: Bytes; signingLength: number } {
  const { type, nonce, gasPrice, gasLimit, to, value, input, accessList } = transaction;
  const price = rlpInteger(gasPrice);
  const body: RlpItem[] = [rlpInteger(gasLimit), to ?? EMPTY_BYTES, rlpInteger(value), input];
  const unsigned: RlpItem[] =
    type === 0
      ? [rlpInteger(nonce), price, ...body]
      : [
          rlpInteger(chainId),
          rlpInteger(nonce),
          ...(type === 2 ? [price, price] : [price]),
          ...body,
          accessList.map((item): RlpItem => [item.address, [...item.slots]]),
        ];
  const zero = rlpInteger(0);
  const v = type === 0 ? rlpInteger(35n + 2n * chainId) : zero;
  const signing = type === 0 ? [...unsigned, rlpInteger(chainId), zero, zero] : unsigned;
  const typeBytes = type === 0 ? 0 : 1;
  const list = encodeRlp([...unsigned, v, zero, zero]);
  const raw = new Uint8Array(typeBytes + list.length);
  raw[0] = type;
  raw.set(list, typeBytes);
  return { raw, signingLength: typeBytes + encodeRlp(signing).length };
}

function l2Transaction(transaction: SimulatedTransaction & { type: 0 | 1 | 2 }, chainId: bigint): L2Transaction {
  const { type, nonce, gasPrice, gasLimit, to, value, input, accessList } = transaction;
  return {
    type,
    hash: ZERO_32,
    signingHash: ZERO_32,
    ...encodedLengths(transaction, chainId),
    chainId,
    nonce,
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: gasPrice,
    gasLimit,
    to,
    value,
    input,
    accessList,
    yParity: 0,
    r: 0n,
    s: 0n,
  };
}

function l1Transaction(transaction: SimulatedTransaction): L1Transaction {
  const { from, to, gasLimit, gasPrice, value, input } = transaction;
  return {
    type: L1_PRIORITY_TYPE,
    hash: ZERO_32,
    raw: EMPTY_BYTES,
    initiator: from,
    to: to ?? ZERO_ADDRESS,
    gasLimit,
    gasPerPubdataByteLimit: L1_GAS_PER_PUBDATA,
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: 0n,
    nonce: 0n,
    value,
    toMint: value + gasPrice * gasLimit,
    refundRecipient: ZERO_ADDRESS,
    input,
    factoryDeps: [],
  };
}

export class Simulation {
  readonly #world: WorldState;
  readonly #machine: Machine;
  readonly #execution: TransactionExecution;
  readonly #turnBudget: number;
  readonly #invalid: SimulationStep | undefined;
  #isStarted = false;

  /**
   * `context` is that of the block whose state `state` holds, with the caller's overrides applied; its base fee is not
   * looked at. `prevRandao`: an override of the constant 1.
   */
  constructor(options: {
    context: BlockContext;
    state: LoadedState;
    transaction: SimulatedTransaction;
    prevRandao?: bigint;
    /** In place of ZKSYNC_OS_RULES: for moved precompiles. */
    evmRules?: EvmRules;
    tracer?: Tracer;
    turnBudget?: number;
  }) {
    const { transaction, state } = options;
    const context = { ...options.context, eip1559BaseFee: 0n };
    const rules: TransactionRules = { context, simulation: { nativePerGas: SIMULATION_NATIVE_PER_GAS } };
    this.#world = new WorldState(state, options.evmRules);
    const machine = new Machine({
      world: this.#world,
      environment: environmentOf(context, options.prevRandao ?? PREVRANDAO),
      tracer: options.tracer,
    });
    this.#machine = machine;
    this.#turnBudget = options.turnBudget ?? TURN_BUDGET;
    const { type } = transaction;
    if (type === L1_PRIORITY_TYPE) {
      const l1 = l1Transaction(transaction);
      this.#execution = new L1Execution({ machine, rules, transaction: l1 });
      if (wouldStopVm(l1, context, SIMULATION_NATIVE_PER_GAS) !== undefined) {
        const error = l1.gasLimit > context.gasLimit ? 'CallerGasLimitMoreThanBlock' : 'OverflowPaymentInTransaction';
        this.#invalid = { kind: 'rejected', error };
      }
    } else {
      this.#execution = new L2Execution({
        machine,
        rules,
        transaction: l2Transaction({ ...transaction, type }, context.chainId),
        sender: transaction.from,
      });
    }
    this.#world.beginTransaction();
  }

  start(): SimulationStep {
    return this.resume();
  }

  resume(): SimulationStep {
    if (this.#invalid !== undefined) return this.#invalid;
    try {
      return this.#advance();
    } catch (error) {
      // What stops a node in a block is the caller's own doing here.
      if (error instanceof NodeError && error.code.startsWith('VM_'))
        return { kind: 'rejected', error: 'OtherUnrecoverable' };
      throw error;
    }
  }

  #advance(): SimulationStep {
    const world = this.#world;
    const machine = this.#machine;
    world.missing = [];
    if (!this.#isStarted) {
      if (!this.#execution.probe()) return { kind: 'missing', keys: world.takeMissing() };
      const error = this.#execution.start();
      if (error !== undefined) return { kind: 'rejected', error };
      this.#isStarted = true;
    }
    if (machine.result === undefined) {
      const outcome = runMachine(machine, this.#turnBudget);
      if (outcome === 'missing') return { kind: 'missing', keys: world.takeMissing() };
      if (outcome === 'paused') return { kind: 'paused' };
    }
    const result = machine.result;
    assert(result !== undefined, 'a simulated transaction ended without a result');
    const executed = this.#execution.finish();
    const none = { gasRefunded: 0n, contractAddress: undefined, logs: [], l2ToL1Logs: [] };
    if (executed === undefined) {
      return { kind: 'done', success: false, failure: 'outOfGas', returnData: EMPTY_BYTES, gasUsed: 0n, ...none };
    }
    traceEnd(machine, executed);
    return {
      kind: 'done',
      success: executed.success,
      failure: executed.success ? undefined : this.#failure(result),
      returnData: executed.returnData,
      gasUsed: executed.gasUsed,
      gasRefunded: 0n,
      contractAddress: executed.contractAddress,
      logs: world.logs,
      l2ToL1Logs: world.l2ToL1Logs,
    };
  }

  /** A frame that ended well and failed all the same could not pay for its pubdata. */
  #failure(result: NonNullable<Machine['result']>): SimulationFailure {
    if (result.kind === 'fatal' || result.success) return 'outOfGas';
    if (result.error === 'execution reverted') return 'revert';
    return result.error?.includes('out of gas') === true ? 'outOfGas' : 'halt';
  }
}
