/** Slots of a block as columns of typed arrays, indexed by WordIndex (tag: account, key: slot). */
import { WordIndex } from './wordIndex.ts';
import { copyWord, LIMBS, setNumber } from './words.ts';
import type { Words } from './words.ts';

/** Exists in the state before the block. */
export const SLOT_EXISTS = 1;
/** Paid for in this block. */
export const SLOT_LOADED = 2;
/** Absent before the block and not written since, or cleared by a destruction. */
export const SLOT_UNSET = 4;

const INITIAL_CAPACITY = 128;

export class SlotTable {
  readonly index = new WordIndex(INITIAL_CAPACITY);
  /** Before the block. */
  initial: Words = new Uint32Array(INITIAL_CAPACITY * LIMBS);
  /** Before the running transaction, valid where `startIn` is its number. */
  atStart: Words = new Uint32Array(INITIAL_CAPACITY * LIMBS);
  current: Words = new Uint32Array(INITIAL_CAPACITY * LIMBS);
  flags = new Uint8Array(INITIAL_CAPACITY);
  startIn = new Int32Array(INITIAL_CAPACITY);
  warmIn = new Int32Array(INITIAL_CAPACITY);

  /** Adds a slot that is not there. `value` undefined: absent before the block. */
  add(accountId: number, words: Words, at: number, value: Words | undefined): number {
    const slot = this.index.add(accountId, words, at);
    if (slot === this.flags.length) this.#grow();
    if (value === undefined) setNumber(this.initial, slot * LIMBS, 0);
    else copyWord(value, 0, this.initial, slot * LIMBS);
    copyWord(this.initial, slot * LIMBS, this.current, slot * LIMBS);
    this.flags[slot] = value === undefined ? SLOT_UNSET : SLOT_EXISTS;
    return slot;
  }

  /** Keeps the value at the start of the transaction, before its first access can change it. */
  enter(slot: number, transaction: number): void {
    if (this.startIn[slot] === transaction) return;
    this.startIn[slot] = transaction;
    copyWord(this.current, slot * LIMBS, this.atStart, slot * LIMBS);
  }

  #grow(): void {
    const capacity = this.flags.length * 2;
    const words = (old: Words): Words => {
      const grown = new Uint32Array(capacity * LIMBS);
      grown.set(old);
      return grown;
    };
    this.initial = words(this.initial);
    this.atStart = words(this.atStart);
    this.current = words(this.current);
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
    const numbers = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(capacity);
      grown.set(old);
      return grown;
    };
    this.startIn = numbers(this.startIn);
    this.warmIn = numbers(this.warmIn);
  }
}
