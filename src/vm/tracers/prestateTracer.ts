/** prestateTracer: the state that a transaction needs, or in diff mode what it changes (spec: rpc 12). */
import { bytesKey, equalBytes, isZero, keyBytes, toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import { observableCode } from '../../protocol/accountRecord.ts';
import type { AccountCodeFields } from '../../protocol/accountRecord.ts';
import { CALL, CALLCODE, DELEGATECALL, STATICCALL } from '../opcodes.ts';
import type { AccountValues, Change, TracedEnd, TracedFrame, TracedStep, TransactionState } from '../tracer.ts';
import type { ResultSize, TracedTransaction, TransactionTracer } from './transactionTracer.ts';

export interface PrestateTracerConfig {
  readonly diffMode: boolean;
  readonly disableCode: boolean;
  readonly disableStorage: boolean;
  /** Also accounts that were not there before. */
  readonly includeEmpty: boolean;
}

interface TouchedAccount {
  readonly address: Bytes;
  readonly values: Change<AccountValues>;
  readonly slots: readonly { readonly slot: Bytes; readonly value: Change<Bytes> }[];
}

type CodeOf = (fields: AccountCodeFields) => Bytes;

/** The account at the top of the stack. */
const TOP_ADDRESS: ReadonlySet<number> = new Set([0x31, 0x3b, 0x3c, 0x3f, 0xff]);
const CALLS: ReadonlySet<number> = new Set([CALL, CALLCODE, DELEGATECALL, STATICCALL]);
const SLOAD = 0x54;
const SSTORE = 0x55;
const ADDRESS_MASK = (1n << 160n) - 1n;
const STEP_WORK = 8;
/** Text of an account without code and storage, and of one slot; bytes. */
const ACCOUNT_TEXT_BYTES = 180;
const SLOT_TEXT_BYTES = 140;

export class PrestateTracer implements TransactionTracer {
  readonly #config: PrestateTracerConfig;
  readonly #size: ResultSize;
  /** Slots by account, in the order of the first touch. */
  readonly #touched = new Map<string, Set<string>>();
  readonly #destroyed = new Set<string>();
  #accounts: readonly TouchedAccount[] = [];
  readonly #codes = new Map<string, Bytes>();
  readonly #missingCode = new Map<string, Bytes>();

  constructor(options: {
    readonly transaction: TracedTransaction;
    readonly config: PrestateTracerConfig;
    readonly size: ResultSize;
  }) {
    this.#config = options.config;
    this.#size = options.size;
    const { from, to, coinbase } = options.transaction;
    for (const address of [from, to, coinbase]) if (address !== undefined) this.#touch(bytesKey(address));
  }

  enter({ kind, from, to }: TracedFrame): void {
    this.#touch(bytesKey(to));
    if (kind === 'SELFDESTRUCT') this.#destroyed.add(bytesKey(from));
  }

  exit(): void {
    // What a frame has touched stays touched.
  }

  log(): void {
    // Not state.
  }

  step(step: TracedStep): number {
    const { opcode, stackSize } = step;
    if (TOP_ADDRESS.has(opcode) && stackSize > 0) this.#touch(addressKey(step.stackItem(0)));
    else if (CALLS.has(opcode) && stackSize > 1) this.#touch(addressKey(step.stackItem(1)));
    else if ((opcode === SLOAD || opcode === SSTORE) && stackSize > 0)
      this.#touchSlot(bytesKey(step.self), wordKey(step.stackItem(0)));
    return STEP_WORK;
  }

  end({ state }: TracedEnd): void {
    for (const address of state.changedAccounts()) this.#touch(bytesKey(address));
    for (const { address, slot } of state.changedSlots()) this.#touchSlot(bytesKey(address), bytesKey(slot));
    const accounts: TouchedAccount[] = [];
    for (const [key, slotKeys] of [...this.#touched].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const address = keyBytes(key);
      const values = state.account(address);
      if (values === undefined) continue;
      const slots: { slot: Bytes; value: Change<Bytes> }[] = [];
      for (const slotKey of slotKeys) {
        const value = state.slot(address, keyBytes(slotKey));
        if (value !== undefined) slots.push({ slot: keyBytes(slotKey), value });
      }
      accounts.push({ address, values, slots });
      this.#keepCode(values.before.code, state);
      this.#keepCode(values.after.code, state);
    }
    this.#accounts = accounts;
  }

  missingCode(): readonly Bytes[] {
    return [...this.#missingCode.values()];
  }

  *result(storedCode: (hash: Bytes) => Bytes): Iterable<string> {
    const codeOf: CodeOf = (fields) =>
      this.#codes.get(codeKey(fields)) ?? observableCode(storedCode(fields.bytecodeHash), fields);
    if (!this.#config.diffMode) {
      yield* object(this.#accounts, (account) => this.#before(account, codeOf));
      return;
    }
    yield '{"post":';
    yield* object(this.#accounts, (account) => this.#after(account, codeOf));
    yield ',"pre":';
    yield* object(this.#accounts, (account) => (hasChanged(account) ? this.#before(account, codeOf) : undefined));
    yield '}';
  }

  /** undefined: left out. */
  #before({ values: { before }, slots }: TouchedAccount, codeOf: CodeOf): object | undefined {
    const { diffMode, disableCode, disableStorage, includeEmpty } = this.#config;
    if (!includeEmpty && !exists(before)) return undefined;
    const shown = diffMode ? slots.filter(({ value }) => isChanged(value) && !isZero(value.before)) : slots;
    return {
      balance: `0x${before.balance.toString(16)}`,
      ...(before.nonce === 0n ? {} : { nonce: Number(before.nonce) }),
      ...(disableCode || before.code.observableBytecodeLength === 0 ? {} : { code: toHex(codeOf(before.code)) }),
      ...(disableStorage || shown.length === 0
        ? {}
        : { storage: Object.fromEntries(shown.map(({ slot, value }) => [toHex(slot), toHex(value.before)])) }),
    };
  }

  /** What is another than before. An account that destroyed itself is only in `pre`. */
  #after(account: TouchedAccount, codeOf: CodeOf): object | undefined {
    const { address, values, slots } = account;
    const { before, after } = values;
    const isGone = this.#destroyed.has(bytesKey(address)) && !exists(after);
    if (isGone || !hasChanged(account)) return undefined;
    const { disableCode, disableStorage } = this.#config;
    const shown = slots.filter(({ value }) => isChanged(value) && !isZero(value.after));
    return {
      ...(before.balance === after.balance ? {} : { balance: `0x${after.balance.toString(16)}` }),
      ...(before.nonce === after.nonce ? {} : { nonce: Number(after.nonce) }),
      ...(disableCode || codeKey(before.code) === codeKey(after.code) ? {} : { code: toHex(codeOf(after.code)) }),
      ...(disableStorage || shown.length === 0
        ? {}
        : { storage: Object.fromEntries(shown.map(({ slot, value }) => [toHex(slot), toHex(value.after)])) }),
    };
  }

  #keepCode(fields: AccountCodeFields, state: TransactionState): void {
    const { observableBytecodeLength: length, bytecodeHash } = fields;
    const key = codeKey(fields);
    if (this.#config.disableCode || length === 0) return;
    this.#size.add(2 * length);
    if (this.#codes.has(key)) return;
    const code = state.code(fields);
    if (code === undefined) this.#missingCode.set(bytesKey(bytecodeHash), bytecodeHash);
    else this.#codes.set(key, code);
  }

  #touch(address: string): Set<string> {
    let slots = this.#touched.get(address);
    if (slots === undefined) {
      // Twice: before and after.
      this.#size.add(2 * ACCOUNT_TEXT_BYTES);
      this.#touched.set(address, (slots = new Set()));
    }
    return slots;
  }

  #touchSlot(address: string, slot: string): void {
    const slots = this.#touch(address);
    if (slots.has(slot)) return;
    this.#size.add(2 * SLOT_TEXT_BYTES);
    slots.add(slot);
  }
}

/** A JSON object with one entry for each account that has a value. */
function* object(
  accounts: readonly TouchedAccount[],
  valueOf: (account: TouchedAccount) => object | undefined,
): Iterable<string> {
  let separator = '';
  yield '{';
  for (const account of accounts) {
    const value = valueOf(account);
    if (value === undefined) continue;
    yield `${separator}"${toHex(account.address)}":${JSON.stringify(value)}`;
    separator = ',';
  }
  yield '}';
}

function exists({ nonce, balance, code }: AccountValues): boolean {
  return nonce !== 0n || balance !== 0n || code.observableBytecodeLength !== 0;
}

function isChanged({ before, after }: Change<Bytes>): boolean {
  return !equalBytes(before, after);
}

function hasChanged({ values: { before, after }, slots }: TouchedAccount): boolean {
  return (
    before.nonce !== after.nonce ||
    before.balance !== after.balance ||
    codeKey(before.code) !== codeKey(after.code) ||
    slots.some(({ value }) => isChanged(value))
  );
}

/** Codes with the same stored form can differ in length. */
function codeKey({ bytecodeHash, observableBytecodeLength }: AccountCodeFields): string {
  return observableBytecodeLength === 0 ? '' : `${bytesKey(bytecodeHash)}${observableBytecodeLength}`;
}

function addressKey(word: bigint): string {
  return bytesKey(new Uint8Array(Buffer.from((word & ADDRESS_MASK).toString(16).padStart(40, '0'), 'hex')));
}

function wordKey(word: bigint): string {
  return bytesKey(new Uint8Array(Buffer.from(word.toString(16).padStart(64, '0'), 'hex')));
}
