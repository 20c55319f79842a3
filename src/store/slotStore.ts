/** Values of contract slots in typed arrays: no object and no string per slot. */
import type { Bytes } from '../common/bytes.ts';
import { WordIndex } from '../vm/wordIndex.ts';
import { copyWord, LIMBS, readAddress, readBytes } from '../vm/words.ts';
import type { Words } from '../vm/words.ts';

const INITIAL_CAPACITY = 64;
/** What grows beyond the first gets the second at once: to move many thousands takes long, and untouched memory is free. */
const SMALL_CAPACITY = 4_096;
const LARGE_CAPACITY = 262_144;

function capacityAfter(capacity: number): number {
  return capacity === SMALL_CAPACITY ? LARGE_CAPACITY : 2 * capacity;
}

export class SlotStore {
  readonly #accounts = new WordIndex(INITIAL_CAPACITY, capacityAfter);
  /** Tag: index of the account. */
  readonly #slots = new WordIndex(INITIAL_CAPACITY, capacityAfter);
  #values: Words = new Uint32Array(INITIAL_CAPACITY * LIMBS);
  #isPresent = new Uint8Array(INITIAL_CAPACITY);
  // Filled anew by every call.
  readonly #address: Words = new Uint32Array(LIMBS);
  readonly #slot: Words = new Uint32Array(LIMBS);
  readonly #value: Words = new Uint32Array(LIMBS);

  get size(): number {
    return this.#slots.size;
  }

  /** As `LoadedState.slot`. */
  read(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    readAddress(address, this.#address, 0);
    const account = this.#accounts.find(0, this.#address, 0);
    const slot = account < 0 ? -1 : this.#slots.find(account, words, at);
    if (slot < 0) return undefined;
    if (this.#isPresent[slot] === 0) return false;
    copyWord(this.#values, slot * LIMBS, value, 0);
    return true;
  }

  /** `value` undefined: absent. */
  write(address: Bytes, words: Words, at: number, value: Words | undefined): void {
    readAddress(address, this.#address, 0);
    this.#put(this.#address, 0, words, at, value, 0);
  }

  /** `slot` and `value`: 32 bytes. */
  writeBytes(address: Bytes, slot: Bytes, value: Bytes | undefined): void {
    readBytes(slot, 0, 32, this.#slot, 0);
    if (value !== undefined) readBytes(value, 0, 32, this.#value, 0);
    this.write(address, this.#slot, 0, value === undefined ? undefined : this.#value);
  }

  /** Everything from `other`, over what is here. */
  writeAll(other: SlotStore): void {
    const { keys, tags } = other.#slots;
    for (let slot = 0; slot < other.size; slot += 1) {
      const value = other.#isPresent[slot] === 0 ? undefined : other.#values;
      this.#put(other.#accounts.keys, tags[slot]! * LIMBS, keys, slot * LIMBS, value, slot * LIMBS); // a tag per slot
    }
  }

  clear(): void {
    this.#accounts.clear();
    this.#slots.clear();
  }

  #put(address: Words, addressAt: number, words: Words, at: number, value: Words | undefined, valueAt: number): void {
    let account = this.#accounts.find(0, address, addressAt);
    if (account < 0) account = this.#accounts.add(0, address, addressAt);
    let slot = this.#slots.find(account, words, at);
    if (slot < 0) slot = this.#slots.add(account, words, at);
    if (slot === this.#isPresent.length) this.#grow();
    this.#isPresent[slot] = value === undefined ? 0 : 1;
    if (value !== undefined) copyWord(value, valueAt, this.#values, slot * LIMBS);
  }

  #grow(): void {
    const capacity = capacityAfter(this.#isPresent.length);
    const values = new Uint32Array(LIMBS * capacity);
    values.set(this.#values);
    this.#values = values;
    const isPresent = new Uint8Array(capacity);
    isPresent.set(this.#isPresent);
    this.#isPresent = isPresent;
  }
}
