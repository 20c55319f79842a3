/**
 * State during a block: accounts, slots and transient storage over a LoadedState, with an undo journal for frames and
 * transactions. The block-wide sets of native accounting (loaded slots, loaded accounts, known preimages) survive the
 * failure of a frame or transaction and are taken back only with a rejected transaction (spec: native 4.1).
 */
import { bytesKey, toHex } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import type { AccountCodeFields } from '../protocol/accountRecord.ts';
import type { L1Message, L2ToL1Log, Log } from '../protocol/blockOutput.ts';
import { BOOTLOADER_ADDRESS } from '../protocol/systemAddresses.ts';
import { Account, NO_CODE } from './account.ts';
import { codeCache, codeFromStored, EMPTY_CODE } from './code.ts';
import type { Code } from './code.ts';
import { ABSENT } from './loadedState.ts';
import type { LoadedState, MissingKey } from './loadedState.ts';
import { ZKSYNC_OS_RULES } from './rules.ts';
import type { EvmRules } from './rules.ts';
import { Pile } from './pile.ts';
import { SlotTable, SLOT_EXISTS, SLOT_LOADED, SLOT_UNSET } from './slotTable.ts';
import { WordIndex } from './wordIndex.ts';
import { copyWord, LIMBS, readAddress, setNumber, wordToAddress, wordToBytes } from './words.ts';
import type { Words } from './words.ts';

/** Coinbase and 0x8001, which every transaction touches. */
export interface FeeAccounts {
  readonly coinbase: Account;
  readonly bootloader: Account;
}

/** A point to roll back to. */
export interface Checkpoint {
  readonly journal: number;
  readonly logs: number;
  readonly l2ToL1Logs: number;
  readonly messages: number;
  readonly refund: number;
}

/** Values before a transaction, by account id and slot index. */
export interface TransactionOriginals {
  readonly balances: ReadonlyMap<number, bigint>;
  readonly nonces: ReadonlyMap<number, bigint>;
  readonly codes: ReadonlyMap<number, AccountCodeFields>;
  readonly slots: ReadonlyMap<number, Words>;
}

// Kinds of journal entries; each is the last number of its entry.
const UNDO_SLOT = 1;
const UNDO_SLOT_WARMTH = 2;
const UNDO_ACCOUNT_WARMTH = 3;
const UNDO_BALANCE = 4;
const UNDO_NONCE = 5;
const UNDO_CODE = 6;
const UNDO_CREATED = 7;
const UNDO_HIDDEN = 8;
const UNDO_DOOM = 9;
const UNDO_TRANSIENT = 10;
const ENTRY_MAX = LIMBS + 3;

// What grows beyond the small capacity gets the large one at once, enough for 100 million gas: to move much takes long,
// and untouched memory is free.
const SMALL_JOURNAL = 1 << 20;
const LARGE_JOURNAL = 1 << 24;
/** Slots. */
const SMALL_TRANSIENT = 1 << 15;
const LARGE_TRANSIENT = 1 << 20;

function transientCapacityAfter(capacity: number): number {
  return capacity === SMALL_TRANSIENT ? LARGE_TRANSIENT : 2 * capacity;
}

export class WorldState {
  readonly #state: LoadedState;
  readonly rules: EvmRules;
  readonly accounts: Account[] = [];
  readonly accountIndex = new WordIndex(256);
  readonly slots = new SlotTable();
  #feeAccounts: FeeAccounts | undefined;
  readonly #transientIndex = new WordIndex(16, transientCapacityAfter);
  #transient: Words = new Uint32Array(16 * LIMBS);
  /** Stored code deployed in this block, by bytecode hash. */
  readonly deployedCode = new Map<string, Bytes>();
  /**
   * Preimages that were read or written in this block: account records by themselves, which saves their hashes, all others
   * by their hash. What has the length of a record goes by itself too, so that no preimage has two names.
   */
  readonly knownPreimages = new Set<string>();
  /** What was not in memory since the last `takeMissing`. */
  missing: MissingKey[] = [];

  /** Number of the running transaction, from 1 on; counts attempts. */
  transaction = 0;
  /** Position of the running transaction among the included ones: its number in L2-to-L1 logs (spec: execution 2). */
  transactionNumber = 0;
  /** Touched and warm in the running transaction, in order. */
  readonly warmAccounts = new Pile<Account>();
  readonly warmSlots = new Pile<number>();
  logs: Log[] = [];
  l2ToL1Logs: L2ToL1Log[] = [];
  messages: L1Message[] = [];
  /** Gas; stays 0 where the rules know no refunds. */
  refund = 0;
  /** Contracts to be removed at the end of the transaction. */
  readonly doomed: Account[] = [];

  #journal = new Int32Array(4096);
  #journalLength = 0;
  readonly #bigints = new Pile<bigint>();
  readonly #codes = new Pile<AccountCodeFields>();
  // What the running transaction added to the block-wide sets.
  readonly #loadedAccountSlots = new Pile<Account>();
  readonly #loadedAccounts = new Pile<Account>();
  readonly #loadedSlots = new Pile<number>();
  readonly #learnedPreimages = new Pile<string>();

  // Filled anew by every look-up.
  readonly #key: Words = new Uint32Array(LIMBS);
  readonly #value: Words = new Uint32Array(LIMBS);

  constructor(state: LoadedState, rules: EvmRules = ZKSYNC_OS_RULES) {
    this.#state = state;
    this.rules = rules;
  }

  // --- Look-ups: undefined or -1 means missing, and `missing` says what.

  /** The account at the low 20 bytes of a word. */
  account(words: Words, at: number): Account | undefined {
    const key = this.#key;
    key[0] = words[at]!;
    key[1] = words[at + 1]!;
    key[2] = words[at + 2]!;
    key[3] = words[at + 3]!;
    key[4] = words[at + 4]!;
    key[5] = 0;
    key[6] = 0;
    key[7] = 0;
    const id = this.accountIndex.find(0, key, 0);
    return id >= 0 ? this.accounts[id] : this.#loadAccount(wordToAddress(key, 0));
  }

  /** `address` is kept. */
  accountAt(address: Bytes): Account | undefined {
    readAddress(address, this.#key, 0);
    const id = this.accountIndex.find(0, this.#key, 0);
    return id >= 0 ? this.accounts[id] : this.#loadAccount(address);
  }

  /** Of the block with this coinbase. */
  feeAccounts(coinbase: Bytes): FeeAccounts | undefined {
    if (this.#feeAccounts !== undefined) return this.#feeAccounts;
    const coinbaseAccount = this.accountAt(coinbase);
    const bootloader = this.accountAt(BOOTLOADER_ADDRESS);
    if (coinbaseAccount !== undefined && bootloader !== undefined)
      this.#feeAccounts = { coinbase: coinbaseAccount, bootloader };
    return this.#feeAccounts;
  }

  #loadAccount(address: Bytes): Account | undefined {
    const record = this.#state.account(address);
    if (record === undefined) {
      this.missing.push({ kind: 'account', address });
      return undefined;
    }
    const id = this.accountIndex.add(0, this.#key, 0);
    const account = new Account(id, address, record === ABSENT ? undefined : record, this.rules);
    this.accounts.push(account);
    return account;
  }

  /** The index of a slot in `slots`. */
  slot(account: Account, words: Words, at: number): number {
    const index = this.slots.index.find(account.id, words, at);
    if (index >= 0) {
      this.slots.enter(index, this.transaction);
      return index;
    }
    const exists = this.#state.slot(account.address, words, at, this.#value);
    if (exists === undefined) {
      this.missing.push({ kind: 'slot', address: account.address, slot: wordToBytes(words, at) });
      return -1;
    }
    const added = this.slots.add(account.id, words, at, exists ? this.#value : undefined);
    this.slots.enter(added, this.transaction);
    return added;
  }

  /** Code of an account, ready to run. */
  codeOf(account: Account): Code | undefined {
    if (account.runnable !== undefined) return account.runnable;
    const fields = account.code;
    let code: Code | undefined;
    if (fields.observableBytecodeLength === 0) {
      code = EMPTY_CODE;
    } else {
      code = codeCache.get(fields);
      if (code === undefined) {
        const stored = this.storedCode(fields.bytecodeHash);
        if (stored === undefined) return undefined;
        code = codeFromStored(stored, fields);
        codeCache.add(fields, code);
      }
    }
    account.runnable = code;
    return code;
  }

  /** A preimage of code. An unknown one stops the node: every bytecode hash in the state has one. */
  storedCode(hash: Bytes): Bytes | undefined {
    const deployed = this.deployedCode.get(bytesKey(hash));
    if (deployed !== undefined) return deployed;
    const preimage = this.#state.preimage(hash);
    if (preimage === undefined) {
      this.missing.push({ kind: 'preimage', hash });
      return undefined;
    }
    if (preimage === ABSENT) {
      throw new NodeError(
        'invariant',
        `no preimage is known for ${toHex(hash)}: the state is damaged, rebuild it from the log`,
        {
          code: 'VM_PREIMAGE_UNKNOWN',
          hash: toHex(hash),
        },
      );
    }
    return preimage;
  }

  /** What is missing, each key once. */
  takeMissing(): MissingKey[] {
    const keys = this.missing;
    this.missing = [];
    if (keys.length < 2) return keys;
    const names = new Map<string, MissingKey>();
    for (const key of keys) {
      if (key.kind === 'account') names.set(bytesKey(key.address), key);
      else if (key.kind === 'slot') names.set(bytesKey(key.address) + bytesKey(key.slot), key);
      else names.set(bytesKey(key.hash), key);
    }
    return [...names.values()];
  }

  // --- Transactions

  /** Forgets everything that lives for one transaction. */
  beginTransaction(): void {
    this.transaction += 1;
    this.#journalLength = 0;
    this.#bigints.clear();
    this.#codes.clear();
    this.warmAccounts.clear();
    this.warmSlots.clear();
    this.doomed.length = 0;
    this.logs = [];
    this.l2ToL1Logs = [];
    this.messages = [];
    this.refund = 0;
    this.#transientIndex.clear();
    this.#loadedAccountSlots.clear();
    this.#loadedAccounts.clear();
    this.#loadedSlots.clear();
    this.#learnedPreimages.clear();
  }

  /** Takes the whole running transaction back, the block-wide sets included (spec: native 4.1). */
  rejectTransaction(): void {
    this.rollBack(START);
    for (const account of this.#loadedAccountSlots) account.isSlotLoaded = false;
    for (const account of this.#loadedAccounts) account.isLoaded = false;
    for (const slot of this.#loadedSlots) this.slots.flags[slot]! &= ~SLOT_LOADED;
    for (const key of this.#learnedPreimages) this.knownPreimages.delete(key);
    this.beginTransaction();
  }

  checkpoint(): Checkpoint {
    return {
      journal: this.#journalLength,
      logs: this.logs.length,
      l2ToL1Logs: this.l2ToL1Logs.length,
      messages: this.messages.length,
      refund: this.refund,
    };
  }

  rollBack(to: Checkpoint): void {
    const journal = this.#journal;
    let position = this.#journalLength;
    while (position > to.journal) {
      const kind = journal[position - 1]!;
      const id = journal[position - 2]!;
      position -= 2;
      switch (kind) {
        case UNDO_SLOT: {
          const flags = journal[position - 1]!;
          position -= LIMBS + 1;
          const { current } = this.slots;
          for (let i = 0; i < LIMBS; i += 1) current[id * LIMBS + i] = journal[position + i]!;
          this.slots.flags[id] = (this.slots.flags[id]! & ~SLOT_UNSET) | flags;
          break;
        }
        case UNDO_SLOT_WARMTH:
          this.slots.warmIn[id] = 0;
          this.warmSlots.pop();
          break;
        case UNDO_ACCOUNT_WARMTH:
          this.accounts[id]!.warmIn = 0;
          this.warmAccounts.pop();
          break;
        case UNDO_BALANCE:
          this.accounts[id]!.balance = this.#bigints.pop();
          break;
        case UNDO_NONCE:
          this.accounts[id]!.nonce = this.#bigints.pop();
          break;
        case UNDO_CODE:
          this.accounts[id]!.code = this.#codes.pop();
          this.accounts[id]!.codeKey = undefined;
          this.accounts[id]!.runnable = undefined;
          break;
        case UNDO_CREATED:
          this.accounts[id]!.createdIn = 0;
          break;
        case UNDO_HIDDEN:
          this.accounts[id]!.hidesCode = false;
          break;
        case UNDO_DOOM:
          this.doomed.pop();
          break;
        default: {
          position -= LIMBS;
          for (let i = 0; i < LIMBS; i += 1) this.#transient[id * LIMBS + i] = journal[position + i]!;
        }
      }
    }
    this.#journalLength = position;
    this.logs.length = to.logs;
    this.l2ToL1Logs.length = to.l2ToL1Logs;
    this.messages.length = to.messages;
    this.refund = to.refund;
  }

  /** What the running transaction has changed, as it was before; nothing is rolled back. For tracers. */
  originals(): TransactionOriginals {
    const journal = this.#journal;
    const originals = {
      balances: new Map<number, bigint>(),
      nonces: new Map<number, bigint>(),
      codes: new Map<number, AccountCodeFields>(),
      slots: new Map<number, Words>(),
    };
    let [bigint, code] = [this.#bigints.size, this.#codes.size];
    // From the newest entry on: what is met last was there first.
    for (let position = this.#journalLength; position > 0;) {
      const kind = journal[position - 1]!;
      const id = journal[position - 2]!;
      position -= 2;
      if (kind === UNDO_BALANCE) originals.balances.set(id, this.#bigints.items[--bigint]!);
      else if (kind === UNDO_NONCE) originals.nonces.set(id, this.#bigints.items[--bigint]!);
      else if (kind === UNDO_CODE) originals.codes.set(id, this.#codes.items[--code]!);
      else if (kind === UNDO_TRANSIENT) position -= LIMBS;
      else if (kind === UNDO_SLOT) {
        position -= LIMBS + 1;
        originals.slots.set(id, Uint32Array.from(journal.subarray(position, position + LIMBS)));
      }
    }
    return originals;
  }

  // --- Changes, all undone by `rollBack`

  setBalance(account: Account, balance: bigint): void {
    if (account.balance === balance) return;
    this.#bigints.push(account.balance);
    this.#note(account.id, UNDO_BALANCE);
    account.balance = balance;
  }

  setNonce(account: Account, nonce: bigint): void {
    this.#bigints.push(account.nonce);
    this.#note(account.id, UNDO_NONCE);
    account.nonce = nonce;
  }

  setCode(account: Account, code: AccountCodeFields): void {
    this.#codes.push(account.code);
    this.#note(account.id, UNDO_CODE);
    account.code = code;
    account.codeKey = undefined;
    account.runnable = undefined;
  }

  markCreated(account: Account): void {
    if (account.createdIn === this.transaction) return;
    this.#note(account.id, UNDO_CREATED);
    account.createdIn = this.transaction;
  }

  hideCode(account: Account): void {
    if (account.hidesCode) return;
    this.#note(account.id, UNDO_HIDDEN);
    account.hidesCode = true;
  }

  doom(account: Account): void {
    this.#note(account.id, UNDO_DOOM);
    this.doomed.push(account);
  }

  warmAccount(account: Account): void {
    if (account.warmIn === this.transaction) return;
    this.#note(account.id, UNDO_ACCOUNT_WARMTH);
    account.warmIn = this.transaction;
    this.warmAccounts.push(account);
  }

  warmSlot(slot: number): void {
    if (this.slots.warmIn[slot] === this.transaction) return;
    this.#note(slot, UNDO_SLOT_WARMTH);
    this.slots.warmIn[slot] = this.transaction;
    this.warmSlots.push(slot);
  }

  /** Writes a slot; afterwards it is set, whatever the value. */
  setSlot(slot: number, words: Words, at: number): void {
    this.#noteSlot(slot);
    copyWord(words, at, this.slots.current, slot * LIMBS);
    this.slots.flags[slot]! &= ~SLOT_UNSET;
  }

  #noteSlot(slot: number): void {
    this.#reserve();
    const { current, flags } = this.slots;
    let position = this.#journalLength;
    for (let i = 0; i < LIMBS; i += 1) this.#journal[position++] = current[slot * LIMBS + i]!;
    this.#journal[position++] = flags[slot]! & SLOT_UNSET;
    this.#journalLength = position;
    this.#note(slot, UNDO_SLOT);
  }

  /** Removes the contracts that destroyed themselves: the record becomes that of an absent account, slots zero and unset. */
  removeDoomed(): void {
    if (this.doomed.length === 0) return;
    const ids = new Set<number>();
    for (const account of this.doomed) {
      ids.add(account.id);
      this.setBalance(account, 0n);
      this.setNonce(account, 0n);
      this.setCode(account, NO_CODE);
    }
    const { tags, size } = this.slots.index;
    for (let slot = 0; slot < size; slot += 1) {
      if (!ids.has(tags[slot]!)) continue;
      this.#noteSlot(slot);
      setNumber(this.slots.current, slot * LIMBS, 0);
      this.slots.flags[slot]! |= SLOT_UNSET;
    }
  }

  // --- Transient storage

  readTransient(account: Account, words: Words, key: number, out: number): void {
    const index = this.#transientIndex.find(account.id, words, key);
    if (index < 0) setNumber(words, out, 0);
    else copyWord(this.#transient, index * LIMBS, words, out);
  }

  writeTransient(account: Account, words: Words, key: number, value: number): void {
    let index = this.#transientIndex.find(account.id, words, key);
    if (index < 0) {
      index = this.#transientIndex.add(account.id, words, key);
      if (index * LIMBS === this.#transient.length) {
        const grown = new Uint32Array(transientCapacityAfter(index) * LIMBS);
        grown.set(this.#transient);
        this.#transient = grown;
      }
      setNumber(this.#transient, index * LIMBS, 0);
    }
    this.#reserve();
    let position = this.#journalLength;
    for (let i = 0; i < LIMBS; i += 1) this.#journal[position++] = this.#transient[index * LIMBS + i]!;
    this.#journalLength = position;
    this.#note(index, UNDO_TRANSIENT);
    copyWord(words, value, this.#transient, index * LIMBS);
  }

  // --- Block-wide sets

  slotIsNew(slot: number): boolean {
    return (this.slots.flags[slot]! & SLOT_EXISTS) === 0;
  }

  slotIsLoaded(slot: number): boolean {
    return (this.slots.flags[slot]! & SLOT_LOADED) !== 0;
  }

  slotIsUnset(slot: number): boolean {
    return (this.slots.flags[slot]! & SLOT_UNSET) !== 0;
  }

  markSlotLoaded(slot: number): void {
    this.slots.flags[slot]! |= SLOT_LOADED;
    this.#loadedSlots.push(slot);
  }

  markAccountSlotLoaded(account: Account): void {
    if (account.isSlotLoaded) return;
    account.isSlotLoaded = true;
    this.#loadedAccountSlots.push(account);
  }

  markAccountLoaded(account: Account): void {
    if (account.isLoaded) return;
    account.isLoaded = true;
    this.#loadedAccounts.push(account);
  }

  /** Whether the preimage was not known in this block before. */
  learnPreimage(key: string): boolean {
    if (this.knownPreimages.has(key)) return false;
    this.knownPreimages.add(key);
    this.#learnedPreimages.push(key);
    return true;
  }

  #note(id: number, kind: number): void {
    this.#reserve();
    this.#journal[this.#journalLength++] = id;
    this.#journal[this.#journalLength++] = kind;
  }

  #reserve(): void {
    if (this.#journalLength + ENTRY_MAX <= this.#journal.length) return;
    const { length } = this.#journal;
    const grown = new Int32Array(length === SMALL_JOURNAL ? LARGE_JOURNAL : 2 * length);
    grown.set(this.#journal);
    this.#journal = grown;
  }
}

const START: Checkpoint = { journal: 0, logs: 0, l2ToL1Logs: 0, messages: 0, refund: 0 };
