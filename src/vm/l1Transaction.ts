/** L1 priority (0x7f) and upgrade (0x7e) transactions (spec: execution 7 and 8, native 8 and 9). */
import { EMPTY_BYTES, toHex } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import { keccak256 } from '../common/hash.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { BOOTLOADER_ADDRESS } from '../protocol/systemAddresses.ts';
import { UPGRADE_TYPE } from '../protocol/transaction.ts';
import type { L1Transaction } from '../protocol/transaction.ts';
import { l1AbiEncoding } from '../protocol/transactionCodec.ts';
import type { Account } from './account.ts';
import { beginTopCall, callableCode } from './calls.ts';
import type { Code } from './code.ts';
import { calldataGas, ERGS_PER_GAS, L1_INTRINSIC_GAS } from './gasCosts.ts';
import { FATAL_RESULT } from './machine.ts';
import type { Machine } from './machine.ts';
import { GAS_LIMIT_MAX } from './l2Transaction.ts';
import { CHARGED } from './meter.ts';
import { divideUp, gasUsed, nativeBudget, nativeUsed, saturate } from './nativeBudget.ts';
import type { NativeBudget } from './nativeBudget.ts';
import { keccakNative, L1_INTRINSIC_PUBDATA, L1_NATIVE_PRICE, UPGRADE_NATIVE_PER_GAS } from './nativeCosts.ts';
import { countPubdata } from './pubdataCount.ts';
import { WITHOUT_GAS } from './stateAccess.ts';
import { settle } from './transactionExecution.ts';
import type { ExecutedTransaction, TransactionExecution, TransactionRules } from './transactionExecution.ts';
import type { Checkpoint, FeeAccounts } from './worldState.ts';

const U32_MAX = 0xffff_ffffn;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U128_MAX = (1n << 128n) - 1n;
const U256_MAX = (1n << 256n) - 1n;
const BLOCK_GAS_LIMIT_MAX = (1n << 56n) - 1n;

function nativePerGas(transaction: L1Transaction, simulated: bigint | undefined): bigint {
  if (simulated !== undefined) return simulated;
  return transaction.type === UPGRADE_TYPE
    ? UPGRADE_NATIVE_PER_GAS
    : saturate(divideUp(transaction.maxFeePerGas, L1_NATIVE_PRICE));
}

/**
 * Why this transaction must never reach the VM: it would stop every node that runs it (spec: execution 2). Undefined:
 * it is harmless as far as its own fields tell.
 */
export function wouldStopVm(
  transaction: L1Transaction,
  context: Pick<BlockContext, 'gasLimit'>,
  simulatedNativePerGas?: bigint,
): string | undefined {
  const { gasLimit, maxFeePerGas, value, toMint, gasPerPubdataByteLimit, input } = transaction;
  if (gasPerPubdataByteLimit > U32_MAX) return 'its gas per pubdata byte exceeds 32 bits';
  if (context.gasLimit > BLOCK_GAS_LIMIT_MAX) return 'the gas limit of the block exceeds 56 bits';
  if (gasLimit > context.gasLimit || gasLimit > GAS_LIMIT_MAX) return 'its gas limit exceeds that of a whole block';
  const fee = maxFeePerGas * gasLimit;
  if (fee > U128_MAX) return 'its fee exceeds 128 bits';
  if (value + fee > U256_MAX) return 'its value and fee exceed 256 bits';
  if (toMint < value + fee) return 'it mints less than its value and fee';
  const perPubdata = gasPerPubdataByteLimit * nativePerGas(transaction, simulatedNativePerGas);
  if (perPubdata * BigInt(L1_INTRINSIC_PUBDATA) > U64_MAX) return 'its price of pubdata exceeds 64 bits of native';
  const intrinsic = BigInt(L1_INTRINSIC_GAS + calldataGas(input));
  if (gasLimit > intrinsic && (gasLimit - intrinsic) * BigInt(ERGS_PER_GAS) > U64_MAX)
    return 'its gas exceeds 64 bits of ergs';
  return undefined;
}

interface Probed {
  readonly fees: FeeAccounts;
  readonly initiator: Account;
  readonly target: Account;
  readonly refundRecipient: Account;
  readonly code: Code;
}

interface Running {
  readonly budget: NativeBudget;
  readonly hash: Uint8Array;
  /** State before the mint. */
  readonly before: Checkpoint;
  /** Native after the hash; 0 when not even that was there. */
  readonly nativeBefore: number;
}

export class L1Execution implements TransactionExecution {
  readonly #machine: Machine;
  readonly #rules: TransactionRules;
  readonly #transaction: L1Transaction;
  #probed: Probed | undefined;
  #running: Running | undefined;

  constructor(options: { machine: Machine; rules: TransactionRules; transaction: L1Transaction }) {
    this.#machine = options.machine;
    this.#rules = options.rules;
    this.#transaction = options.transaction;
  }

  probe(): boolean {
    const { world } = this.#machine;
    const { initiator, to, refundRecipient } = this.#transaction;
    const fees = world.feeAccounts(this.#rules.context.coinbase);
    const accounts = {
      initiator: world.accountAt(initiator),
      target: world.accountAt(to),
      refund: world.accountAt(refundRecipient),
    };
    const code = accounts.target === undefined ? undefined : callableCode(this.#machine, accounts.target);
    if (
      fees === undefined ||
      accounts.initiator === undefined ||
      accounts.target === undefined ||
      accounts.refund === undefined ||
      code === undefined
    ) {
      return false;
    }
    this.#probed = {
      fees,
      initiator: accounts.initiator,
      target: accounts.target,
      refundRecipient: accounts.refund,
      code,
    };
    return true;
  }

  /** Never invalid: what would make it so stops the node. */
  start(): undefined {
    const probed = this.#probed;
    assert(probed !== undefined, 'a transaction was started before its keys were in memory');
    const machine = this.#machine;
    const { meter, world, access } = machine;
    const transaction = this.#transaction;
    const { gasLimit, input, value, maxFeePerGas, gasPerPubdataByteLimit } = transaction;
    const simulated = this.#rules.simulation?.nativePerGas;
    const reason = wouldStopVm(transaction, this.#rules.context, simulated);
    if (reason !== undefined) this.#stop('VM_L1_TRANSACTION_INVALID', reason);
    if (transaction.type === UPGRADE_TYPE && world.transactionNumber !== 0) {
      this.#stop('VM_UPGRADE_NOT_FIRST', 'an upgrade transaction is the first of its block');
    }

    access.accountForFree(probed.fees.coinbase);
    const perGas = nativePerGas(transaction, simulated);
    const budget = nativeBudget({
      isL1: true,
      gasLimit,
      inputLength: input.length,
      perGas,
      perPubdata: gasPerPubdataByteLimit * perGas,
    });
    meter.native = budget.start;
    meter.gas = Math.max(0, Number(gasLimit) - L1_INTRINSIC_GAS - calldataGas(input));
    meter.fraction = 0;
    machine.beginTransaction(probed.initiator, maxFeePerGas);
    const encoding = l1AbiEncoding(transaction);
    const isHashed = meter.charge(0, keccakNative(encoding.length)) === CHARGED;
    const before = world.checkpoint();
    this.#running = { budget, hash: keccak256(encoding), before, nativeBefore: meter.native };
    if (!isHashed || !this.#mintAndTransfer(probed)) {
      machine.result = FATAL_RESULT;
      return;
    }
    beginTopCall(machine, {
      sender: probed.initiator,
      target: probed.target,
      code: probed.code,
      value,
      input,
      checkpoint: before,
    });
  }

  /** Steps 2 to 5 of native 8; false: out of native. */
  #mintAndTransfer({ initiator, target }: Probed): boolean {
    const { access } = this.#machine;
    const { value } = this.#transaction;
    if (value > 0n) {
      if (access.accountWrite(initiator, WITHOUT_GAS) !== CHARGED) return false;
      this.#mint(initiator, value);
    }
    if (access.account(initiator, WITHOUT_GAS) !== CHARGED) return false;
    if (access.account(target, WITHOUT_GAS) !== CHARGED) return false;
    if (access.code(target) !== CHARGED) return false;
    if (value > 0n) {
      if (access.account(initiator, WITHOUT_GAS) !== CHARGED) return false;
      if (access.transfer(initiator, target, value, WITHOUT_GAS) !== CHARGED) return false;
    }
    return true;
  }

  #mint(account: Account, amount: bigint): void {
    const balance = account.balance + amount;
    if (balance > U256_MAX)
      this.#stop('VM_BALANCE_OVERFLOW', `it lifts the balance of ${toHex(account.address)} above 256 bits`);
    this.#machine.world.setBalance(account, balance);
  }

  finish(): ExecutedTransaction | undefined {
    const machine = this.#machine;
    const { meter, world, access } = machine;
    const transaction = this.#transaction;
    const { gasLimit, maxFeePerGas, value, toMint } = transaction;
    const { fees, refundRecipient } = this.#probed!;
    const { budget, hash, before, nativeBefore } = this.#running!;
    const result = machine.result!;
    const isFatal = result.kind === 'fatal';
    let { success, output } = result;
    const gasLeft = isFatal ? 0 : meter.gas;
    if (isFatal) world.rollBack(before);

    // Running out of native loses what was withheld, too.
    const available = isFatal ? BigInt(nativeBefore) : BigInt(meter.native) + budget.withheld;
    let pubdata = countPubdata(world);
    if (available < budget.perPubdata * BigInt(pubdata)) {
      success = false;
      output = EMPTY_BYTES;
      world.rollBack(before);
      pubdata = countPubdata(world);
    }
    const left = available - budget.perPubdata * BigInt(pubdata);
    if (left < 0n) return undefined;
    if (!success && transaction.type === UPGRADE_TYPE)
      this.#stop('VM_UPGRADE_FAILED', `it failed with ${toHex(output)}`);
    const native = nativeUsed(budget, left);
    const gas = gasUsed(budget, gasLimit - BigInt(gasLeft), native);

    const fee = gas * maxFeePerGas;
    access.accountForFree(fees.bootloader);
    this.#mint(fees.bootloader, fee);
    const refund = success ? toMint - value - fee : toMint - fee;
    if (refund > 0n) {
      access.accountForFree(refundRecipient);
      this.#mint(refundRecipient, refund);
    }
    const resultValue = new Uint8Array(32);
    resultValue[31] = success ? 1 : 0;
    world.l2ToL1Logs.push({
      shardId: 0,
      isService: true,
      txNumberInBlock: world.transactionNumber,
      sender: BOOTLOADER_ADDRESS,
      key: hash,
      value: resultValue,
    });
    settle(machine, fees);
    return {
      success,
      gasUsed: gas,
      nativeUsed: native,
      computationalNativeUsed: Math.abs(budget.start - (isFatal ? 0 : meter.native)) + budget.intrinsic,
      pubdataUsed: pubdata + L1_INTRINSIC_PUBDATA,
      returnData: output,
      contractAddress: undefined,
      effectiveGasPrice: maxFeePerGas,
    };
  }

  #stop(code: string, why: string): never {
    const { blockNumber } = this.#rules.context;
    const hash = toHex(this.#transaction.hash);
    throw new NodeError('invariant', `L1 transaction ${hash} cannot be executed in block ${blockNumber}: ${why}`, {
      code,
      blockNumber,
      transactionHash: hash,
    });
  }
}
