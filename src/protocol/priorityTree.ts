/** The append-only keccak tree of priority operations, its range proofs, and the rolling hash of a batch (spec: priority-tree, batches 6.3). */
import { ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { KECCAK_EMPTY } from '../common/hash.ts';
import { ProtocolError } from './errors.ts';
import { keccakNode, miniTreeDepth } from './logTree.ts';

/** h = keccak256(h || hash) from keccak256 of nothing, over the canonical hashes of the 0x7f transactions (spec: batches 6.3). */
export function priorityOperationsHash(canonicalHashes: readonly Bytes[]): Bytes {
  return canonicalHashes.reduce(keccakNode, KECCAK_EMPTY);
}

/** Proof that a range of leaves belongs to a tree (spec: priority-tree 4). Siblings that nobody uses are zero. */
export interface RangeProof {
  readonly leftPath: readonly Bytes[];
  readonly rightPath: readonly Bytes[];
  readonly itemHashes: readonly Bytes[];
}

/** What a trimmed tree needs to go on without its first leaves. */
export interface TrimmedState {
  /** Index of the first leaf that is kept. */
  readonly start: number;
  /** By level, the left sibling on the path of leaf `start`; one more entry, the root, when the tree is full and trimmed whole. */
  readonly cache: readonly (Bytes | undefined)[];
}

/**
 * A tree that grows by doubling and forgets leaves from the left without changing its root (spec: priority-tree 1, 5).
 * The root and proofs walk over the kept leaves.
 */
export class TrimmedTree {
  readonly #emptyHashes: Bytes[];
  #start = 0;
  #size = 1;
  #cache: (Bytes | undefined)[] = [];
  #leaves: Bytes[] = [];

  /** `emptyLeaf` stands for a missing leaf; of the priority tree it is keccak256 of nothing. */
  constructor(emptyLeaf: Bytes = KECCAK_EMPTY) {
    this.#emptyHashes = [emptyLeaf];
  }

  /** Goes on where `state` stood, without the leaves after it (spec: priority-tree 5). Throws PRIORITY_TREE_CORRUPT. */
  static restore({ start, cache }: TrimmedState, emptyLeaf: Bytes = KECCAK_EMPTY): TrimmedTree {
    const tree = new TrimmedTree(emptyLeaf);
    while (tree.#size < start) tree.#size *= 2;
    const depth = tree.#depth;
    const needed = start === tree.#size ? depth + 1 : depth;
    const isGood =
      cache.length >= needed &&
      cache.slice(needed).every((hash) => hash === undefined) &&
      cache
        .slice(0, depth)
        .every((hash, level) => (hash !== undefined) === (Math.floor(start / 2 ** level) % 2 === 1)) &&
      (needed === depth || cache[depth] !== undefined);
    if (!isGood)
      throw new ProtocolError(
        'PRIORITY_TREE_CORRUPT',
        `the left siblings of leaf ${start} of the priority tree are not those it needs: build the tree again from the log`,
        { start },
      );
    tree.#start = start;
    tree.#cache = cache.slice(0, needed);
    return tree;
  }

  get state(): TrimmedState {
    return { start: this.#start, cache: [...this.#cache] };
  }

  get size(): number {
    return this.#size;
  }

  /** Leaves pushed so far, trimmed ones included. */
  get leafCount(): number {
    return this.#start + this.#leaves.length;
  }

  get root(): Bytes {
    return this.#node(this.#depth, 0);
  }

  push(leaf: Bytes): void {
    this.#leaves.push(leaf);
    if (this.leafCount <= this.#size) return;
    this.#size *= 2;
    if (this.#cache.length < this.#depth) this.#cache.push(undefined);
  }

  /** Forgets `count` kept leaves from the left. */
  trim(count: number): void {
    assert(count >= 0 && count <= this.#leaves.length, `${count} leaves cannot be trimmed from ${this.#leaves.length}`);
    const start = this.#start + count;
    const cache: (Bytes | undefined)[] = [];
    for (let level = 0; level < this.#depth; level++) {
      const position = Math.floor(start / 2 ** level);
      cache.push(position % 2 === 1 ? this.#node(level, position - 1) : undefined);
    }
    if (start === this.#size) cache.push(this.root);
    this.#cache = cache;
    this.#start = start;
    this.#leaves = this.#leaves.slice(count);
  }

  /** The proof of leaves `start` to `start + count - 1`, which must be kept ones; all lists are empty for none (spec: priority-tree 4). */
  rangeProof(start: number, count: number): RangeProof {
    if (count === 0) return { leftPath: [], rightPath: [], itemHashes: [] };
    const end = start + count;
    assert(
      start >= this.#start && end <= this.leafCount,
      `leaves ${start} to ${end - 1} are not in the tree from ${this.#start} to ${this.leafCount - 1}`,
    );
    const leftPath: Bytes[] = [];
    const rightPath: Bytes[] = [];
    for (let level = 0; level < this.#depth; level++) {
      const first = Math.floor(start / 2 ** level);
      const last = Math.floor((end - 1) / 2 ** level);
      leftPath.push(first % 2 === 1 ? this.#node(level, first - 1) : ZERO_32);
      rightPath.push(last % 2 === 0 ? this.#node(level, last + 1) : ZERO_32);
    }
    return { leftPath, rightPath, itemHashes: this.#leaves.slice(start - this.#start, end - this.#start) };
  }

  get #depth(): number {
    return miniTreeDepth(this.#size, 1);
  }

  #emptyHash(level: number): Bytes {
    let hash = this.#emptyHashes[level];
    if (hash === undefined) {
      const below = this.#emptyHash(level - 1);
      hash = keccakNode(below, below);
      this.#emptyHashes[level] = hash;
    }
    return hash;
  }

  #node(level: number, position: number): Bytes {
    const width = 2 ** level;
    const first = position * width;
    if (first >= this.leafCount) return this.#emptyHash(level);
    if (first + width <= this.#start) {
      const cached = position === Math.floor(this.#start / width) - 1 ? this.#cache[level] : undefined;
      assert(cached !== undefined, `node ${position} of level ${level} was trimmed`);
      return cached;
    }
    if (level === 0) return this.#leaves[first - this.#start] ?? this.#emptyHash(0);
    return keccakNode(this.#node(level - 1, 2 * position), this.#node(level - 1, 2 * position + 1));
  }
}

/** The root that a range proof leads to, as L1 computes it; undefined when L1 refuses it (spec: priority-tree 4). */
export function rootOfRangeProof(start: number, proof: RangeProof): Bytes | undefined {
  const { leftPath, rightPath, itemHashes } = proof;
  const depth = leftPath.length;
  if (rightPath.length !== depth || depth >= 256 || itemHashes.length === 0) return undefined;
  if (start + itemHashes.length > 2 ** depth) return undefined;
  let position = start;
  let hashes = itemHashes;
  for (let level = 0; level < depth; level++) {
    const leftSibling = position % 2 === 1 ? leftPath[level] : undefined;
    const row = leftSibling === undefined ? [...hashes] : [leftSibling, ...hashes];
    if (row.length % 2 === 1) row.push(rightPath[level] ?? ZERO_32);
    const above: Bytes[] = [];
    for (let i = 0; i < row.length; i += 2) above.push(keccakNode(row[i] ?? ZERO_32, row[i + 1] ?? ZERO_32));
    hashes = above;
    position = Math.floor(position / 2);
  }
  return hashes[0];
}
