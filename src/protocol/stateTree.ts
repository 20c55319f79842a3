/**
 * Rules of the state tree (spec: merkle-tree 1-3, 6): hashes, leaf proofs, and a tree held in memory. The tree here
 * serves genesis and tests; the merkleTree projection keeps the real one on disk.
 */
import { bytesKey, compareBytes, equalBytes, toHex, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { blake2s256 } from '../common/hash.ts';
import { ProtocolError } from './errors.ts';
import { dataView } from './words.ts';

export const TREE_DEPTH = 64;
/** The two guard leaves that every tree starts with. */
export const GUARD_LEAVES = 2;
export const MIN_GUARD_KEY: Bytes = ZERO_32;
export const MAX_GUARD_KEY: Bytes = new Uint8Array(32).fill(0xff);

const MIN_GUARD_INDEX = 0;
const MAX_GUARD_INDEX = 1;

export interface TreeLeaf {
  readonly key: Bytes;
  readonly value: Bytes;
  /** Index of the leaf with the next greater key. */
  readonly next: number;
}

/** What stands at an index that is not used. */
export const EMPTY_LEAF: TreeLeaf = { key: ZERO_32, value: ZERO_32, next: 0 };

// Filled anew by every call; hashing copies them out at once.
const leafPreimage = new Uint8Array(72);
const leafView = dataView(leafPreimage);
const branchPreimage = new Uint8Array(64);

/** BLAKE2s(key || value || u64 little-endian next) (spec: merkle-tree 2). */
export function leafHash(leaf: TreeLeaf): Bytes {
  leafPreimage.set(leaf.key);
  leafPreimage.set(leaf.value, 32);
  leafView.setBigUint64(64, BigInt(leaf.next), true);
  return blake2s256(leafPreimage);
}

/** BLAKE2s(left || right) (spec: merkle-tree 2). */
export function branchHash(left: Bytes, right: Bytes): Bytes {
  branchPreimage.set(left);
  branchPreimage.set(right, 32);
  return blake2s256(branchPreimage);
}

function emptyHashes(): readonly Bytes[] {
  const hashes = [leafHash(EMPTY_LEAF)];
  for (let level = 0; level < TREE_DEPTH; level++) {
    const below = hashes[level] ?? ZERO_32;
    hashes.push(branchHash(below, below));
  }
  return hashes;
}

const EMPTY_HASHES = emptyHashes();

/** Hash of a subtree of this height without leaves, height 0 to 64 (spec: merkle-tree 2). */
export function emptySubtreeHash(level: number): Bytes {
  const hash = EMPTY_HASHES[level];
  assert(hash !== undefined, `the state tree has no level ${level}`);
  return hash;
}

/** Throws STATE_TREE_RESERVED_KEY for the key of a guard. */
export function requireDataKey(key: Bytes): void {
  if (equalBytes(key, MIN_GUARD_KEY) || equalBytes(key, MAX_GUARD_KEY)) {
    throw new ProtocolError(
      'STATE_TREE_RESERVED_KEY',
      `the key ${toHex(key)} belongs to a guard leaf of the state tree`,
    );
  }
}

export interface TreeWrite {
  readonly key: Bytes;
  readonly value: Bytes;
}

export interface TreeVersion {
  readonly root: Bytes;
  /** Guards included. */
  readonly leafCount: number;
}

/** A leaf and the 64 siblings of its path, the leaf's own sibling first (spec: merkle-tree 6). */
export interface LeafProof {
  readonly index: number;
  readonly leaf: TreeLeaf;
  readonly siblings: readonly Bytes[];
}

/** The newest version of a tree, in memory. */
export class StateTree {
  readonly #leaves: TreeLeaf[] = [
    { key: MIN_GUARD_KEY, value: ZERO_32, next: MAX_GUARD_INDEX },
    { key: MAX_GUARD_KEY, value: ZERO_32, next: MAX_GUARD_INDEX },
  ];
  readonly #indexByKey = new Map<string, number>();
  /** Leaf indices in the order of their keys. */
  #sorted: number[] = [MIN_GUARD_INDEX, MAX_GUARD_INDEX];
  /** Hashes by level; a level holds only what is not empty. */
  readonly #levels: Bytes[][] = Array.from({ length: TREE_DEPTH + 1 }, () => []);

  constructor() {
    this.#rehash(new Set([MIN_GUARD_INDEX, MAX_GUARD_INDEX]));
  }

  get root(): Bytes {
    return this.#levels[TREE_DEPTH]?.[0] ?? emptySubtreeHash(TREE_DEPTH);
  }

  /** Guards included. */
  get leafCount(): number {
    return this.#leaves.length;
  }

  leaf(index: number): TreeLeaf {
    return this.#leaves[index] ?? EMPTY_LEAF;
  }

  indexOf(key: Bytes): number | undefined {
    return this.#indexByKey.get(bytesKey(key));
  }

  /** Index of the leaf with the greatest key below `key`. */
  predecessorOf(key: Bytes): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes(this.leaf(this.#sorted[middle] ?? 0).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return this.#sorted[low - 1] ?? MIN_GUARD_INDEX;
  }

  /**
   * Applies the writes of one block in their order: known keys keep their index, new ones get the next (spec:
   * merkle-tree 3). Throws STATE_TREE_RESERVED_KEY, or STATE_TREE_DUPLICATE_KEY when a new key comes twice; the tree is
   * then unchanged.
   */
  applyWrites(writes: readonly TreeWrite[]): TreeVersion {
    const firstNew = this.#leaves.length;
    const newKeys = new Map<string, number>();
    for (const { key } of writes) {
      requireDataKey(key);
      const id = bytesKey(key);
      if (this.#indexByKey.has(id)) continue;
      if (newKeys.has(id)) {
        throw new ProtocolError(
          'STATE_TREE_DUPLICATE_KEY',
          `the new key ${toHex(key)} is written twice in one version of the state tree`,
        );
      }
      newKeys.set(id, firstNew + newKeys.size);
    }
    const changed = new Set<number>();
    for (const { key, value } of writes) {
      const id = bytesKey(key);
      const index = newKeys.get(id) ?? this.#indexByKey.get(id);
      assert(index !== undefined, 'a written key has no leaf');
      this.#leaves[index] = { key, value, next: this.leaf(index).next };
      changed.add(index);
    }
    for (const [id, index] of newKeys) this.#indexByKey.set(id, index);
    this.#link(firstNew, changed);
    this.#rehash(changed);
    return { root: this.root, leafCount: this.leafCount };
  }

  /** The proof of the leaf at `index`, which may lie past the end (spec: merkle-tree 6). */
  proof(index: number): LeafProof {
    const siblings: Bytes[] = [];
    let position = index;
    for (let level = 0; level < TREE_DEPTH; level++) {
      siblings.push(this.#hashAt(level, position % 2 === 0 ? position + 1 : position - 1));
      position = Math.floor(position / 2);
    }
    return { index, leaf: this.leaf(index), siblings };
  }

  #hashAt(level: number, position: number): Bytes {
    return this.#levels[level]?.[position] ?? emptySubtreeHash(level);
  }

  /** Merges the new leaves into the key order and sets the links around them. */
  #link(firstNew: number, changed: Set<number>): void {
    const added: number[] = [];
    for (let index = firstNew; index < this.#leaves.length; index++) added.push(index);
    if (added.length === 0) return;
    added.sort((a, b) => compareBytes(this.leaf(a).key, this.leaf(b).key));
    const merged: number[] = [];
    let from = 0;
    for (const index of this.#sorted) {
      for (
        let next = added[from];
        next !== undefined && compareBytes(this.leaf(next).key, this.leaf(index).key) < 0;
        next = added[from]
      ) {
        merged.push(next);
        from += 1;
      }
      merged.push(index);
    }
    for (let i = 0; i + 1 < merged.length; i++) {
      const index = merged[i] ?? 0;
      const next = merged[i + 1] ?? 0;
      const leaf = this.leaf(index);
      if (leaf.next === next) continue;
      this.#leaves[index] = { ...leaf, next };
      changed.add(index);
    }
    this.#sorted = merged;
  }

  #rehash(changed: ReadonlySet<number>): void {
    let level: Bytes[] | undefined = this.#levels[0];
    for (const index of [...changed].sort((a, b) => a - b)) if (level) level[index] = leafHash(this.leaf(index));
    let positions: ReadonlySet<number> = changed;
    for (let height = 1; height <= TREE_DEPTH; height++) {
      level = this.#levels[height];
      const parents = new Set<number>();
      for (const position of positions) parents.add(Math.floor(position / 2));
      for (const parent of [...parents].sort((a, b) => a - b)) {
        if (level)
          level[parent] = branchHash(this.#hashAt(height - 1, 2 * parent), this.#hashAt(height - 1, 2 * parent + 1));
      }
      positions = parents;
    }
  }
}

/** The root that a leaf proof leads to (spec: merkle-tree 6). */
export function rootOfLeafProof(proof: LeafProof): Bytes {
  assert(proof.siblings.length === TREE_DEPTH, `a leaf proof has ${TREE_DEPTH} siblings, not ${proof.siblings.length}`);
  let hash = leafHash(proof.leaf);
  let position = proof.index;
  for (const sibling of proof.siblings) {
    hash = position % 2 === 0 ? branchHash(hash, sibling) : branchHash(sibling, hash);
    position = Math.floor(position / 2);
  }
  return hash;
}

/** Whether the leaf stands at its index in the tree with this root (spec: merkle-tree 6). */
export function verifyLeafProof(root: Bytes, proof: LeafProof): boolean {
  return (
    Number.isSafeInteger(proof.index) &&
    proof.index >= 0 &&
    proof.siblings.length === TREE_DEPTH &&
    equalBytes(rootOfLeafProof(proof), root)
  );
}

/** Whether the tree holds `key` (spec: merkle-tree 6). */
export function verifyExistence(root: Bytes, key: Bytes, proof: LeafProof): boolean {
  return equalBytes(proof.leaf.key, key) && verifyLeafProof(root, proof);
}

/** Whether the tree does not hold `key`: its neighbours in key order are linked to each other (spec: merkle-tree 6). */
export function verifyAbsence(
  root: Bytes,
  key: Bytes,
  proofs: { readonly predecessor: LeafProof; readonly successor: LeafProof },
): boolean {
  const { predecessor, successor } = proofs;
  return (
    compareBytes(predecessor.leaf.key, key) < 0 &&
    compareBytes(key, successor.leaf.key) < 0 &&
    predecessor.leaf.next === successor.index &&
    verifyLeafProof(root, predecessor) &&
    verifyLeafProof(root, successor)
  );
}
