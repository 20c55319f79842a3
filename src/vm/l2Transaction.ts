/** An L2 transaction from validation to fees (spec: execution 5 and 8, native 7 and 9). */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert, NodeError } from '../common/errors.ts';
import type { L2Transaction } from '../protocol/transaction.ts';
import type { Account } from './account.ts';
import { beginTopCall, callableCode } from './calls.ts';
import { EMPTY_CODE } from './code.ts';
import type { Code } from './code.ts';
import { beginCreation, creationAddress } from './creates.ts';
import {
  ACCESS_LIST_ADDRESS_GAS,
  ACCESS_LIST_KEY_GAS,
  calldataGas,
  CREATION_GAS,
  INIT_CODE_LENGTH_MAX,
  INIT_CODE_WORD_GAS,
  L2_INTRINSIC_GAS,
  L2_SIGNATURE_GAS,
  wordCount,
} from './gasCosts.ts';
import { FATAL_RESULT } from './machine.ts';
import type { Machine } from './machine.ts';
import type { InvalidTransaction } from './invalidTransaction.ts';
import { CHARGED, OUT_OF_NATIVE } from './meter.ts';
import type { Charge } from './meter.ts';
import { divideUp, gasUsed, nativeBudget, nativeUsed, saturate } from './nativeBudget.ts';
import type { NativeBudget } from './nativeBudget.ts';
import { keccakNative, SIGNATURE_NATIVE } from './nativeCosts.ts';
import { countPubdata } from './pubdataCount.ts';
import { FAILED, FATAL } from './signals.ts';
import { BY_ACCESS_LIST, WITHOUT_GAS } from './stateAccess.ts';
import { settle } from './transactionExecution.ts';
import type { ExecutedTransaction, TransactionExecution, TransactionRules } from './transactionExecution.ts';
import { LIMBS, readBytes } from './words.ts';
import type { Checkpoint, FeeAccounts, WorldState } from './worldState.ts';

const BLOCK_GAS_LIMIT_MAX = (1n << 56n) - 1n;
/** Gas is counted in numbers. No block gas limit in use comes near. */
export const GAS_LIMIT_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const NONCE_MAX = 0xffff_ffff_ffff_ffffn;
const U128 = 1n << 128n;
const U256 = 1n << 256n;
/** Longest ABI form the VM takes. */
const ABI_LENGTH_MAX = 1 << 23;
const OUT_OF_NATIVE_ERROR = 'OutOfNativeResourcesDuringValidation';

interface ListedAccount {
  readonly account: Account;
  /** Indices of slots. */
  readonly slots: readonly number[];
}

const NOTHING_LISTED: readonly ListedAccount[] = [];

/** In whole: an address or a key that is listed again costs the same again. */
export function accessListGas(accessList: L2Transaction['accessList']): number {
  let gas = 0;
  for (const { slots } of accessList) gas += ACCESS_LIST_ADDRESS_GAS + ACCESS_LIST_KEY_GAS * slots.length;
  return gas;
}

/** Of an access list; what is not in memory is left out and missing. */
function listedAccounts(world: WorldState, accessList: L2Transaction['accessList']): readonly ListedAccount[] {
  const listed: ListedAccount[] = [];
  const word = new Uint32Array(LIMBS);
  for (const { address, slots } of accessList) {
    const account = world.accountAt(address);
    if (account === undefined) continue;
    const indices = slots.map((slot) => {
      readBytes(slot, 0, 32, word, 0);
      return world.slot(account, word, 0);
    });
    listed.push({ account, slots: indices });
  }
  return listed;
}

interface Probed {
  readonly fees: FeeAccounts;
  readonly sender: Account;
  /** Recipient, or the address of the new contract. */
  readonly target: Account;
  readonly code: Code;
  /** undefined: of a call, and more than its gas pays for. */
  readonly listed: readonly ListedAccount[] | undefined;
}

interface Running {
  readonly budget: NativeBudget;
  readonly gasPrice: bigint;
  readonly validationPubdata: number;
  /** State after validation. */
  readonly validated: Checkpoint;
  readonly nativeBefore: number;
}

function padded(length: number): number {
  return Math.ceil(length / 32) * 32;
}

/** Length of the ABI form of a transaction: 19 head words, then length-prefixed tails. */
export function abiLength(transaction: L2Transaction): number {
  let accessList = 0;
  if (transaction.accessList.length > 0) {
    accessList = 64;
    for (const item of transaction.accessList) accessList += 32 * (4 + item.slots.length);
  }
  return 19 * 32 + (32 + padded(transaction.input.length)) + (32 + padded(65)) + 32 + 32 + (32 + accessList);
}

export class L2Execution implements TransactionExecution {
  readonly #machine: Machine;
  readonly #rules: TransactionRules;
  readonly #transaction: L2Transaction;
  readonly #senderAddress: Bytes;
  #probed: Probed | undefined;
  #running: Running | undefined;

  constructor(options: { machine: Machine; rules: TransactionRules; transaction: L2Transaction; sender: Bytes }) {
    this.#machine = options.machine;
    this.#rules = options.rules;
    this.#transaction = options.transaction;
    this.#senderAddress = options.sender;
  }

  /** False for a call whose access list is longer than its gas; a block tells by the first entry what runs out. */
  #paysFor(accessList: L2Transaction['accessList']): boolean {
    const { context, simulation } = this.#rules;
    const { gasLimit } = this.#transaction;
    const gas = gasLimit < context.gasLimit ? gasLimit : context.gasLimit;
    return simulation === undefined || accessListGas(accessList) <= gas;
  }

  probe(): boolean {
    const { world } = this.#machine;
    const { to, accessList } = this.#transaction;
    const fees = world.feeAccounts(this.#rules.context.coinbase);
    const sender = world.accountAt(this.#senderAddress);
    const target =
      to !== undefined
        ? world.accountAt(to)
        : sender === undefined
          ? undefined
          : world.accountAt(creationAddress(sender.address, sender.nonce));
    const code = to === undefined ? EMPTY_CODE : target === undefined ? undefined : callableCode(this.#machine, target);
    let listed: readonly ListedAccount[] | undefined = NOTHING_LISTED;
    if (accessList.length > 0) listed = this.#paysFor(accessList) ? listedAccounts(world, accessList) : undefined;
    if (
      world.missing.length > 0 ||
      fees === undefined ||
      sender === undefined ||
      target === undefined ||
      code === undefined
    ) {
      return false;
    }
    this.#probed = { fees, sender, target, code, listed };
    return true;
  }

  start(): InvalidTransaction | undefined {
    const probed = this.#probed;
    assert(probed !== undefined, 'a transaction was started before its keys were in memory');
    const { meter, world, access } = this.#machine;
    const { context, simulation } = this.#rules;
    const transaction = this.#transaction;
    const { maxFeePerGas, maxPriorityFeePerGas, gasLimit, input, value } = transaction;
    const { sender } = probed;
    const { bootloader } = probed.fees;

    access.accountForFree(probed.fees.coinbase);
    if (abiLength(transaction) > ABI_LENGTH_MAX) return 'InvalidEncoding';
    if (transaction.type !== 2 && maxFeePerGas !== maxPriorityFeePerGas) return 'InvalidEncoding';
    if (context.gasLimit > BLOCK_GAS_LIMIT_MAX) return 'BlockGasLimitTooHigh';
    if (gasLimit > context.gasLimit || gasLimit > GAS_LIMIT_MAX) return 'CallerGasLimitMoreThanBlock';
    const baseFee = context.eip1559BaseFee;
    if (maxPriorityFeePerGas > maxFeePerGas) return 'PriorityFeeGreaterThanMaxFee';
    if (baseFee > maxFeePerGas) return 'BaseFeeGreaterThanMaxFee';
    const room = maxFeePerGas - baseFee;
    const gasPrice = baseFee + (maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room);

    if (context.nativePrice === 0n) {
      throw new NodeError(
        'invariant',
        `block ${context.blockNumber} has native price 0: no L2 transaction can run in it; stop whoever made its context`,
        { code: 'VM_NATIVE_PRICE_ZERO', blockNumber: context.blockNumber },
      );
    }
    const budget = nativeBudget({
      isL1: false,
      gasLimit,
      inputLength: input.length,
      perGas: simulation?.nativePerGas ?? saturate(divideUp(gasPrice, context.nativePrice)),
      perPubdata: saturate(context.pubdataPrice / context.nativePrice),
    });
    if (budget.start < 0) return OUT_OF_NATIVE_ERROR;
    meter.native = budget.start;
    meter.gas = Number(gasLimit);
    meter.fraction = 0;

    const invalid = this.#validate(probed);
    if (invalid !== undefined) return invalid;

    // Balances and nonce.
    if (access.accountWrite(sender, WITHOUT_GAS) !== CHARGED) return OUT_OF_NATIVE_ERROR;
    if (sender.nonce === NONCE_MAX) return 'NonceOverflowInTransaction';
    world.setNonce(sender, sender.nonce + 1n);
    if (access.account(bootloader, WITHOUT_GAS) !== CHARGED) return OUT_OF_NATIVE_ERROR;
    if (access.transfer(sender, bootloader, maxFeePerGas * gasLimit, WITHOUT_GAS) !== CHARGED)
      return OUT_OF_NATIVE_ERROR;
    if (access.account(bootloader, WITHOUT_GAS) !== CHARGED) return OUT_OF_NATIVE_ERROR;
    const excess = (maxFeePerGas - gasPrice) * gasLimit;
    if (excess > 0n && access.transfer(bootloader, sender, excess, WITHOUT_GAS) !== CHARGED) return OUT_OF_NATIVE_ERROR;
    const validationPubdata = countPubdata(world);
    const pubdataNative = budget.perPubdata * BigInt(validationPubdata);
    if (pubdataNative > BigInt(meter.native) || meter.charge(0, Number(pubdataNative)) !== CHARGED)
      return OUT_OF_NATIVE_ERROR;

    this.#running = { budget, gasPrice, validationPubdata, validated: world.checkpoint(), nativeBefore: meter.native };
    this.#machine.beginTransaction(sender, gasPrice);
    this.#enter(probed, value, input);
    return undefined;
  }

  /** Steps 1 to 7 of native 7: everything that only reads. */
  #validate({ sender, listed }: Probed): InvalidTransaction | undefined {
    const { meter, access } = this.#machine;
    const transaction = this.#transaction;
    const isSimulated = this.#rules.simulation !== undefined;
    const { gasLimit, input, maxFeePerGas, value } = transaction;
    const errorOf = (charge: Charge): InvalidTransaction | undefined =>
      charge === CHARGED ? undefined : charge === OUT_OF_NATIVE ? OUT_OF_NATIVE_ERROR : 'OutOfGasDuringValidation';

    let error = errorOf(meter.charge(L2_INTRINSIC_GAS + calldataGas(input), 0));
    error ??= errorOf(access.account(sender, WITHOUT_GAS));
    if (error !== undefined) return error;
    if (transaction.to === undefined) {
      if (input.length > INIT_CODE_LENGTH_MAX) return 'CreateInitCodeSizeLimit';
      error = errorOf(meter.charge(CREATION_GAS + INIT_CODE_WORD_GAS * wordCount(input.length), 0));
      if (error !== undefined) return error;
    }
    if (listed === undefined) return 'OutOfGasDuringValidation';
    for (const { account, slots } of listed) {
      error = errorOf(access.account(account, BY_ACCESS_LIST));
      if (error !== undefined) return error;
      for (const slot of slots) {
        error = errorOf(access.slotRead(slot, ACCESS_LIST_KEY_GAS, 0));
        if (error !== undefined) return error;
      }
    }
    error = errorOf(meter.charge(0, keccakNative(transaction.raw.length)));
    error ??= errorOf(meter.charge(0, keccakNative(transaction.signingLength)));
    if (error !== undefined) return error;

    if (transaction.nonce > NONCE_MAX) return 'NonceOverflowInTransaction';
    if (!isSimulated && transaction.nonce !== sender.nonce)
      return transaction.nonce > sender.nonce ? 'NonceTooHigh' : 'NonceTooLow';
    if (sender.hasCode) return 'RejectCallerWithCode';
    const prepayment = maxFeePerGas * gasLimit;
    if (prepayment >= U128 || prepayment + value >= U256) return 'OverflowPaymentInTransaction';
    error = errorOf(access.account(sender, WITHOUT_GAS));
    if (error !== undefined) return error;
    if (sender.balance < prepayment + value) return 'LackOfFundForMaxFee';
    return errorOf(meter.charge(L2_SIGNATURE_GAS, SIGNATURE_NATIVE));
  }

  #enter({ sender, target, code }: Probed, value: bigint, input: Bytes): void {
    const machine = this.#machine;
    const { access, world } = machine;
    const isCreation = this.#transaction.to === undefined;
    let charge = isCreation ? CHARGED : access.account(sender, WITHOUT_GAS);
    if (charge === CHARGED) charge = access.account(target, WITHOUT_GAS);
    if (charge === CHARGED) charge = access.code(target);
    if (charge === CHARGED && value > 0n) charge = access.account(sender, WITHOUT_GAS);
    if (charge === CHARGED && value > 0n && !isCreation) charge = access.transfer(sender, target, value, WITHOUT_GAS);
    if (charge !== CHARGED) {
      machine.result = FATAL_RESULT;
      return;
    }
    const checkpoint = this.#running!.validated;
    if (!isCreation) {
      beginTopCall(machine, { sender, target, code, value, input, checkpoint });
      return;
    }
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
    if (begun === FATAL) machine.result = FATAL_RESULT;
    if (begun === FAILED) {
      machine.meter.burnGas();
      world.rollBack(checkpoint);
      machine.result = { kind: 'returned', success: false, output: EMPTY_BYTES, error: machine.failure };
    }
  }

  finish(): ExecutedTransaction {
    const machine = this.#machine;
    const { meter, world, access } = machine;
    const probed = this.#probed!;
    const { budget, gasPrice, validationPubdata, validated, nativeBefore } = this.#running!;
    const { gasLimit, to } = this.#transaction;
    const result = machine.result!;
    let { success, output } = result;
    let isFatal = result.kind === 'fatal';
    if (success && to === undefined) {
      let charge = access.account(probed.target, WITHOUT_GAS);
      if (charge === CHARGED) charge = access.code(probed.target);
      isFatal = charge !== CHARGED;
    }
    let nativeLeft = meter.native;
    let gasLeft = meter.gas;
    if (isFatal) {
      success = false;
      output = EMPTY_BYTES;
      gasLeft = 0;
      nativeLeft = nativeBefore;
      world.rollBack(validated);
    }

    const available = BigInt(nativeLeft) + budget.withheld;
    const chargedPubdata = (): number => Math.max(0, countPubdata(world) - validationPubdata);
    let pubdata = chargedPubdata();
    if (available < budget.perPubdata * BigInt(pubdata)) {
      success = false;
      output = EMPTY_BYTES;
      world.rollBack(validated);
      pubdata = chargedPubdata();
    }
    const left = available - budget.perPubdata * BigInt(pubdata);
    assert(left >= 0n, 'an L2 transaction cannot pay for pubdata that it paid for in validation');
    const native = nativeUsed(budget, left);
    const gas = gasUsed(budget, gasLimit - BigInt(gasLeft), native);

    access.move(probed.fees.bootloader, probed.sender, (gasLimit - gas) * gasPrice);
    settle(machine, probed.fees);
    return {
      success,
      gasUsed: gas,
      nativeUsed: native,
      computationalNativeUsed: Math.abs(budget.start - nativeLeft) + budget.intrinsic,
      pubdataUsed: pubdata + validationPubdata,
      returnData: output,
      contractAddress: success && to === undefined ? probed.target.address : undefined,
      effectiveGasPrice: gasPrice,
    };
  }
}
