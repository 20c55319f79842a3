/**
 * A hash table from (tag, 256-bit word) to a dense index 0, 1, 2, … without a string or an object per key: accounts by
 * address, slots by account and slot. The hash is universal with secret multipliers, so nobody can choose keys that
 * collide; the multipliers influence nothing but the time a look-up takes.
 */
import { randomBytes } from 'node:crypto';
import { equalWords, LIMBS } from './words.ts';
import type { Words } from './words.ts';

const secrets = new Uint32Array(new Uint8Array(randomBytes((2 * LIMBS + 2) * 4)).buffer);

/** From so many on it is faster to look for those in use than to clear them all. */
const BUCKETS_PER_ENTRY_MIN = 64;

const twice = (capacity: number): number => 2 * capacity;

export class WordIndex {
  /** Keys in the order of their index, eight limbs each. */
  keys: Words;
  /** Tags in the order of their index. */
  tags: Int32Array;
  /** Number of keys. */
  size = 0;
  // Index + 1, 0 for free; linear probing.
  #buckets: Int32Array;
  #shift: number;
  readonly #capacityAfter: (capacity: number) => number;

  /** `capacityAfter`: what it grows to when it is full; a power of two. */
  constructor(capacity = 64, capacityAfter = twice) {
    this.#capacityAfter = capacityAfter;
    let bits = 4;
    while (1 << bits < 2 * capacity) bits += 1;
    this.#shift = 32 - bits;
    this.#buckets = new Int32Array(1 << bits);
    this.keys = new Uint32Array((LIMBS << bits) >> 1);
    this.tags = new Int32Array((1 << bits) >> 1);
  }

  /** Multilinear hashing of 16-bit digits; the high bits of the sum are universal. */
  #bucket(tag: number, s: Words, at: number): number {
    let sum = Math.imul(tag & 0xffff, secrets[2 * LIMBS]!) + Math.imul(tag >>> 16, secrets[2 * LIMBS + 1]!);
    for (let i = 0; i < LIMBS; i += 1) {
      const limb = s[at + i]!;
      sum = (sum + Math.imul(limb & 0xffff, secrets[2 * i]!) + Math.imul(limb >>> 16, secrets[2 * i + 1]!)) | 0;
    }
    return sum >>> this.#shift;
  }

  /** The index of the key, or -1. */
  find(tag: number, s: Words, at: number): number {
    const mask = this.#buckets.length - 1;
    let bucket = this.#bucket(tag, s, at);
    for (;;) {
      const entry = this.#buckets[bucket]! - 1;
      if (entry < 0) return -1;
      if (this.tags[entry] === tag && equalWords(this.keys, entry * LIMBS, s, at)) return entry;
      bucket = (bucket + 1) & mask;
    }
  }

  /** Adds a key that is not there and returns its index. */
  add(tag: number, s: Words, at: number): number {
    if (this.size === this.tags.length) this.#grow();
    const entry = this.size;
    this.size += 1;
    this.tags[entry] = tag;
    for (let i = 0; i < LIMBS; i += 1) this.keys[entry * LIMBS + i] = s[at + i]!;
    this.#place(entry);
    return entry;
  }

  clear(): void {
    const buckets = this.#buckets;
    if (this.size > buckets.length / BUCKETS_PER_ENTRY_MIN) buckets.fill(0);
    // The newest first: on the way to each of them are only older ones.
    else for (let entry = this.size - 1; entry >= 0; entry -= 1) buckets[this.#bucketOf(entry)] = 0;
    this.size = 0;
  }

  /** Where an entry lies. */
  #bucketOf(entry: number): number {
    const mask = this.#buckets.length - 1;
    let bucket = this.#bucket(this.tags[entry]!, this.keys, entry * LIMBS);
    while (this.#buckets[bucket] !== entry + 1) bucket = (bucket + 1) & mask;
    return bucket;
  }

  #place(entry: number): void {
    const mask = this.#buckets.length - 1;
    let bucket = this.#bucket(this.tags[entry]!, this.keys, entry * LIMBS);
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    this.#buckets[bucket] = entry + 1;
  }

  #grow(): void {
    const capacity = this.#capacityAfter(this.tags.length);
    const keys = new Uint32Array(LIMBS * capacity);
    keys.set(this.keys);
    this.keys = keys;
    const tags = new Int32Array(capacity);
    tags.set(this.tags);
    this.tags = tags;
    this.#buckets = new Int32Array(2 * capacity);
    this.#shift = Math.clz32(2 * capacity) + 1;
    for (let entry = 0; entry < this.size; entry += 1) this.#place(entry);
  }
}
