/**
 * A page of the state tree in memory, with the nodes between its children and its own node: a change costs one hash per
 * binary level (spec: merkle-tree 2). It is changed in place; what goes to the store is a copy.
 */
import type { Bytes } from '../common/bytes.ts';
import { blake2s256 } from '../common/hash.ts';
import { emptySubtreeHash } from '../protocol/stateTree.ts';
import {
  HASH_BYTES,
  LEAF_BYTES,
  NEXT_OFFSET,
  PAGE_HEIGHT,
  RADIX,
  readU48,
  u32le,
  U48_BYTES,
  writeU48,
} from './merkleTreeLayout.ts';

/** Hashes of eight children, of the four nodes above them, of the two above those. */
const NODES_BYTES = (RADIX + RADIX / 2 + RADIX / 4) * HASH_BYTES;
const LEAF_PAGE_BYTES = NODES_BYTES + RADIX * LEAF_BYTES;
const INNER_PAGE_BYTES = NODES_BYTES + RADIX * U48_BYTES;
const ALL = 0xff;
const U32 = 0x1_0000_0000;

export class TreePage {
  readonly level: number;
  readonly position: number;
  /** Nodes first, then leaves, or versions of children. */
  readonly #bytes: Bytes;
  #count = 0;
  /** Children, as bits, whose way up to the page's node must be hashed again. */
  #stalePaths = 0;
  /** Leaves that must be hashed themselves. */
  #staleLeaves = 0;
  #isChanged = false;

  private constructor(level: number, position: number) {
    this.level = level;
    this.position = position;
    this.#bytes = new Uint8Array(level === 0 ? LEAF_PAGE_BYTES : INNER_PAGE_BYTES);
  }

  static empty(level: number, position: number): TreePage {
    return new TreePage(level, position);
  }

  /** `count`: what it must hold, and `stored` has been checked to. */
  static fromStored(stored: Bytes, count: number, at: { readonly level: number; readonly position: number }): TreePage {
    const page = new TreePage(at.level, at.position);
    page.#count = count;
    page.#stalePaths = ALL;
    if (at.level === 0) {
      page.#bytes.set(stored, NODES_BYTES);
      page.#staleLeaves = ALL;
    } else {
      page.#bytes.set(stored.subarray(0, count * HASH_BYTES));
      page.#bytes.set(stored.subarray(count * HASH_BYTES), NODES_BYTES);
    }
    return page;
  }

  /** Children. */
  get count(): number {
    return this.#count;
  }

  /** Since `takeChange`. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  get storedLength(): number {
    return this.#count * (this.level === 0 ? LEAF_BYTES : HASH_BYTES + U48_BYTES);
  }

  /** As it lies in the store, `storedLength` bytes. */
  writeStored(target: Bytes): void {
    const count = this.#count;
    if (this.level === 0) {
      target.set(this.#bytes.subarray(NODES_BYTES, NODES_BYTES + count * LEAF_BYTES));
      return;
    }
    target.set(this.#bytes.subarray(0, count * HASH_BYTES));
    target.set(this.#bytes.subarray(NODES_BYTES, NODES_BYTES + count * U48_BYTES), count * HASH_BYTES);
  }

  childVersion(slot: number): number {
    return readU48(this.#bytes, NODES_BYTES + slot * U48_BYTES);
  }

  setChild(slot: number, hash: Bytes, version: number): void {
    this.#bytes.set(hash, slot * HASH_BYTES);
    writeU48(this.#bytes, NODES_BYTES + slot * U48_BYTES, version);
    this.#touch(slot);
  }

  leafNext(slot: number): number {
    const at = NODES_BYTES + slot * LEAF_BYTES + NEXT_OFFSET;
    return u32le(this.#bytes, at) + u32le(this.#bytes, at + 4) * U32;
  }

  setLeafNext(slot: number, next: number): void {
    const at = NODES_BYTES + slot * LEAF_BYTES + NEXT_OFFSET;
    writeU32le(this.#bytes, at, next % U32);
    writeU32le(this.#bytes, at + 4, Math.floor(next / U32));
    this.#touchLeaf(slot);
  }

  setLeafValue(slot: number, value: Bytes): void {
    const at = NODES_BYTES + slot * LEAF_BYTES + HASH_BYTES;
    let isSame = true;
    for (let i = 0; i < HASH_BYTES && isSame; i++) isSame = this.#bytes[at + i] === value[i];
    if (isSame) return;
    this.#bytes.set(value, at);
    this.#touchLeaf(slot);
  }

  addLeaf(slot: number, leaf: { readonly key: Bytes; readonly value: Bytes; readonly next: number }): void {
    this.#bytes.set(leaf.key, NODES_BYTES + slot * LEAF_BYTES);
    this.#bytes.set(leaf.value, NODES_BYTES + slot * LEAF_BYTES + HASH_BYTES);
    this.setLeafNext(slot, leaf.next);
  }

  /** The hash of its node; what changed is hashed, and counts as changed no more. */
  takeChange(): Bytes {
    this.#isChanged = false;
    if (this.level === 0) this.#hashLeaves();
    let stale = this.#stalePaths;
    let count = this.#count;
    let from = 0;
    let hash: Bytes | undefined;
    for (let round = 0; round < PAGE_HEIGHT; round++) {
      const to = from + (RADIX >> round) * HASH_BYTES;
      // The side without leaves; the place of an odd last node's neighbour is free.
      if (count % 2 === 1)
        this.#bytes.set(emptySubtreeHash(PAGE_HEIGHT * this.level + round), from + count * HASH_BYTES);
      count = (count + 1) >> 1;
      let staleAbove = 0;
      for (let i = 0; i < count; i++) {
        if ((stale & (3 << (2 * i))) === 0) continue;
        staleAbove |= 1 << i;
        const pair = from + 2 * i * HASH_BYTES;
        hash = blake2s256(this.#bytes.subarray(pair, pair + 2 * HASH_BYTES));
        if (round < PAGE_HEIGHT - 1) this.#bytes.set(hash, to + i * HASH_BYTES);
      }
      stale = staleAbove;
      from = to;
    }
    this.#stalePaths = 0;
    if (hash === undefined) throw new RangeError(`page ${this.position} of level ${this.level} has not changed`);
    return hash;
  }

  #hashLeaves(): void {
    for (let slot = 0; slot < this.#count; slot++) {
      if ((this.#staleLeaves & (1 << slot)) === 0) continue;
      const at = NODES_BYTES + slot * LEAF_BYTES;
      this.#bytes.set(blake2s256(this.#bytes.subarray(at, at + LEAF_BYTES)), slot * HASH_BYTES);
    }
    this.#staleLeaves = 0;
  }

  #touchLeaf(slot: number): void {
    this.#staleLeaves |= 1 << slot;
    this.#touch(slot);
  }

  #touch(slot: number): void {
    this.#stalePaths |= 1 << slot;
    if (slot >= this.#count) this.#count = slot + 1;
    this.#isChanged = true;
  }
}

function writeU32le(bytes: Bytes, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
