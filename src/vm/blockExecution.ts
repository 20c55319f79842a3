/** One block being executed, transaction by transaction, for builder and replayer alike (spec: execution 2, 8.2, native 10). */
import { toHex } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import type { BlockOutput, Log, TransactionOutput } from '../protocol/blockOutput.ts';
import { LogsBloom } from '../protocol/bloom.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { BOOTLOADER_ADDRESS } from '../protocol/systemAddresses.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import type { SenderedTransaction, Transaction } from '../protocol/transaction.ts';
import { exceededLimit } from './blockLimits.ts';
import type { BlockTotals } from './blockLimits.ts';
import { blockOutput } from './blockResult.ts';
import { Machine } from './machine.ts';
import type { Environment } from './machine.ts';
import { reactionTo } from './invalidTransaction.ts';
import type { InvalidTransaction, Reaction } from './invalidTransaction.ts';
import { L1Execution } from './l1Transaction.ts';
import { L2Execution } from './l2Transaction.ts';
import type { LoadedState, MissingKey } from './loadedState.ts';
import { runMachine } from './runMachine.ts';
import type { Tracer } from './tracer.ts';
import { traceEnd } from './transactionExecution.ts';
import type { ExecutedTransaction, TransactionExecution, TransactionRules } from './transactionExecution.ts';
import { WorldState } from './worldState.ts';

export type { InvalidTransaction, Reaction } from './invalidTransaction.ts';

/** Why a block ends (spec: execution 2). */
export type SealReason =
  'Replay' | 'Timeout' | 'TxCountLimit' | 'GasLimit' | 'GasVm' | 'NativeCycles' | 'Pubdata' | 'L2ToL1Logs' | 'Other';

/** What a turn of execution came to. */
export type Step =
  /** Nothing of the present opcode happened; load these into the LoadedState, then resume(). */
  | { readonly kind: 'missing'; readonly keys: readonly MissingKey[] }
  /** The turn is over; resume() later. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'included'; readonly output: TransactionOutput }
  /** Everything is rolled back, block-wide caches included. */
  | { readonly kind: 'rejected'; readonly error: InvalidTransaction; readonly reaction: Reaction }
  /** Does not fit this block; rolled back in the same way. */
  | { readonly kind: 'full'; readonly reason: SealReason };

/** Work units of a turn: 1-2 ms of simple opcodes. */
export const TURN_BUDGET = 60_000;
/** PREVRANDAO and the header's mixHash, whatever the context says (spec: execution 6, 9). */
export const PREVRANDAO = 1n;
/** BLOBBASEFEE (spec: execution 9). */
const BLOB_BASE_FEE = 1n;

export function environmentOf(context: BlockContext, prevRandao: bigint = PREVRANDAO): Environment {
  return {
    chainId: context.chainId,
    number: context.blockNumber,
    timestamp: context.timestamp,
    gasLimit: context.gasLimit,
    baseFee: context.eip1559BaseFee,
    coinbase: context.coinbase,
    prevRandao,
    blobBaseFee: BLOB_BASE_FEE,
    blockHashes: context.blockHashes,
  };
}

interface Current {
  readonly sendered: SenderedTransaction;
  readonly execution: TransactionExecution;
  isStarted: boolean;
  /** Set once it has ended and only its logs are left to go into the bloom. */
  ending: Ending | undefined;
}

interface Ending {
  readonly output: TransactionOutput;
  /** Of the block with this transaction. */
  readonly totals: BlockTotals;
  readonly bloomBefore: Bytes;
  nextLog: number;
  /** That go into the bloom now. */
  readonly logs: readonly Log[];
}

/** Work units of the hash that puts an address or a topic into the bloom. */
const BLOOM_HASH_WORK = 32;
/** So few go into the bloom when the block ends. */
const WAITING_LOGS_MAX = 1_024;

export class BlockExecution {
  readonly #context: BlockContext;
  readonly #world: WorldState;
  readonly #machine: Machine;
  readonly #rules: TransactionRules;
  readonly #turnBudget: number;
  readonly #outputs: TransactionOutput[] = [];
  readonly #transactions: Transaction[] = [];
  readonly #bloom = new LogsBloom();
  /** Of included transactions, and not in the bloom yet. */
  #waitingLogs: Log[] = [];
  #totals: BlockTotals = { gasUsed: 0n, native: 0, pubdata: 0, l2ToL1Logs: 0 };
  #current: Current | undefined;
  #isFinished = false;

  /** `turnBudget`: work units of one start() or resume(), about one per simple opcode. */
  constructor(options: { context: BlockContext; state: LoadedState; tracer?: Tracer; turnBudget?: number }) {
    this.#context = options.context;
    this.#world = new WorldState(options.state);
    this.#machine = new Machine({
      world: this.#world,
      environment: environmentOf(options.context),
      tracer: options.tracer,
    });
    this.#rules = { context: options.context, simulation: undefined };
    this.#turnBudget = options.turnBudget ?? TURN_BUDGET;
  }

  get includedCount(): number {
    return this.#outputs.length;
  }

  get gasUsed(): bigint {
    return this.#totals.gasUsed;
  }

  /** Tells a tracer of the transactions that are started from now on; undefined: nobody. */
  trace(tracer: Tracer | undefined): void {
    assert(this.#current === undefined, 'the tracer was changed while a transaction runs');
    this.#machine.trace(tracer);
  }

  /** Throws a NodeError of kind `invariant` for what must stop a node: an L1 transaction that is invalid, a failing upgrade. */
  start(sendered: SenderedTransaction): Step {
    assert(this.#current === undefined, 'a transaction was started while another one runs');
    assert(!this.#isFinished, 'a transaction was started in a finished block');
    const { transaction } = sendered;
    const { gasLimit } = this.#context;
    if (transaction.gasLimit <= gasLimit && this.#totals.gasUsed + transaction.gasLimit > gasLimit)
      return { kind: 'full', reason: 'GasLimit' };
    const machine = this.#machine;
    const rules = this.#rules;
    this.#world.beginTransaction();
    this.#world.transactionNumber = this.#outputs.length;
    this.#current = {
      sendered,
      execution: isL1Transaction(transaction)
        ? new L1Execution({ machine, rules, transaction })
        : new L2Execution({ machine, rules, transaction, sender: sendered.sender }),
      isStarted: false,
      ending: undefined,
    };
    return this.resume();
  }

  resume(): Step {
    const current = this.#current;
    assert(current !== undefined, 'there is no transaction to resume');
    const machine = this.#machine;
    const world = this.#world;
    if (current.ending !== undefined) {
      machine.budget = this.#turnBudget;
      return this.#addLogs(current, current.ending);
    }
    world.missing = [];
    if (!current.isStarted) {
      if (!current.execution.probe()) return { kind: 'missing', keys: world.takeMissing() };
      const error = current.execution.start();
      if (error !== undefined) {
        this.abandon();
        return { kind: 'rejected', error, reaction: reactionTo(error) };
      }
      current.isStarted = true;
    }
    if (machine.result === undefined) {
      const outcome = runMachine(machine, this.#turnBudget);
      if (outcome === 'missing') return { kind: 'missing', keys: world.takeMissing() };
      if (outcome === 'paused') return { kind: 'paused' };
    }
    return this.#end(current);
  }

  /** Gives the running transaction up; nothing of it is left. */
  abandon(): void {
    if (this.#current === undefined) return;
    const { ending } = this.#current;
    if (ending !== undefined) this.#bloom.takeBack(ending.bloomBefore);
    this.#current = undefined;
    this.#world.rejectTransaction();
  }

  #end(current: Current): Step {
    const executed = current.execution.finish();
    if (executed === undefined) {
      const reason = this.#unpayable(current.sendered);
      this.abandon();
      return { kind: 'full', reason };
    }
    const totals = this.#totalsWith(executed);
    const reason = exceededLimit(totals, this.#context);
    if (reason !== undefined) {
      this.abandon();
      return { kind: 'full', reason };
    }
    const world = this.#world;
    traceEnd(this.#machine, executed);
    const output: TransactionOutput = {
      success: executed.success,
      gasUsed: executed.gasUsed,
      gasRefunded: 0n,
      nativeUsed: executed.nativeUsed,
      computationalNativeUsed: BigInt(executed.computationalNativeUsed),
      pubdataUsed: BigInt(executed.pubdataUsed),
      returnData: executed.returnData,
      contractAddress: executed.contractAddress,
      effectiveGasPrice: executed.effectiveGasPrice,
      logs: world.logs,
      l2ToL1Logs: world.l2ToL1Logs,
      messages: world.messages,
    };
    if (this.#waitingLogs.length + output.logs.length <= WAITING_LOGS_MAX) {
      for (const log of output.logs) this.#waitingLogs.push(log);
      return this.#include(current, output, totals);
    }
    const logs = [...this.#waitingLogs, ...output.logs];
    current.ending = { output, totals, logs, bloomBefore: this.#bloom.bytes.slice(), nextLog: 0 };
    return this.#addLogs(current, current.ending);
  }

  /** The last of a transaction: as many logs as the turn has room for. */
  #addLogs(current: Current, ending: Ending): Step {
    const { output, totals, logs } = ending;
    const machine = this.#machine;
    for (let log = logs[ending.nextLog]; log !== undefined; log = logs[ending.nextLog]) {
      if (machine.budget <= 0) return { kind: 'paused' };
      this.#bloom.add(log);
      machine.budget -= BLOOM_HASH_WORK * (1 + log.topics.length);
      ending.nextLog += 1;
    }
    this.#waitingLogs = [];
    return this.#include(current, output, totals);
  }

  #include({ sendered }: Current, output: TransactionOutput, totals: BlockTotals): Step {
    this.#totals = totals;
    this.#transactions.push(sendered.transaction);
    this.#outputs.push(output);
    this.#current = undefined;
    return { kind: 'included', output };
  }

  #totalsWith(executed: ExecutedTransaction): BlockTotals {
    const { gasUsed, native, pubdata, l2ToL1Logs } = this.#totals;
    return {
      gasUsed: gasUsed + executed.gasUsed,
      native: native + executed.computationalNativeUsed,
      pubdata: pubdata + executed.pubdataUsed,
      l2ToL1Logs: l2ToL1Logs + this.#world.l2ToL1Logs.length,
    };
  }

  /**
   * An L1 transaction that cannot even pay for the diffs which earlier transactions of the block left on the accounts it
   * touches would stop the reference VM. First in a block it has nothing of that kind to pay.
   */
  #unpayable({ transaction }: SenderedTransaction): SealReason {
    if (this.#outputs.length > 0) return 'Other';
    const { blockNumber } = this.#context;
    throw new NodeError(
      'invariant',
      `transaction ${toHex(transaction.hash)} cannot pay for its pubdata even as first of block ${blockNumber}`,
      {
        code: 'VM_PUBDATA_UNPAYABLE',
        blockNumber,
        transactionHash: toHex(transaction.hash),
      },
    );
  }

  /** Header, ordered writes, preimages, pubdata and output hash of the included transactions. */
  finish(): BlockOutput {
    assert(this.#current === undefined, 'a block was finished while a transaction runs');
    this.#isFinished = true;
    for (const log of this.#waitingLogs) this.#bloom.add(log);
    return blockOutput({
      context: this.#context,
      world: this.#world,
      transactions: this.#transactions,
      outputs: this.#outputs,
      logsBloom: this.#bloom.bytes,
      gasUsed: this.#totals.gasUsed,
      computationalNativeUsed: BigInt(this.#totals.native),
    });
  }
}

/** What any run of this transaction in this block will look at: loaded in one go before start(). */
export function keysToPrefetch(sendered: SenderedTransaction, context: Pick<BlockContext, 'coinbase'>): MissingKey[] {
  const { transaction, sender } = sendered;
  const keys: MissingKey[] = [
    { kind: 'account', address: sender },
    { kind: 'account', address: context.coinbase },
    { kind: 'account', address: BOOTLOADER_ADDRESS },
  ];
  if (transaction.to !== undefined) keys.push({ kind: 'account', address: transaction.to });
  if (isL1Transaction(transaction)) {
    keys.push({ kind: 'account', address: transaction.refundRecipient });
  } else {
    for (const { address, slots } of transaction.accessList) {
      keys.push({ kind: 'account', address });
      for (const slot of slots) keys.push({ kind: 'slot', address, slot });
    }
  }
  return keys;
}
