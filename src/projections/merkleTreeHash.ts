/** Hashes of tree pages (spec: merkle-tree 2): from the children of a page to the node it stands for. */
import { type Bytes, concatBytes } from '../common/bytes.ts';
import { blake2s256 } from '../common/hash.ts';
import { TREE_DEPTH, branchHash, emptySubtreeHash } from '../protocol/stateTree.ts';
import { childCount, HASH_BYTES, LEAF_BYTES, PAGE_HEIGHT, RADIX } from './merkleTreeLayout.ts';

// Filled anew by every call: the hashes of one binary level of the page.
const hashes = new Uint8Array(RADIX * HASH_BYTES);
const pairs = Array.from({ length: RADIX / 2 }, (_, i) =>
  hashes.subarray(2 * i * HASH_BYTES, (2 * i + 2) * HASH_BYTES),
);

/** The hash of the node at binary level 3 x (level + 1) that the page's children lead to. */
export function pageHash(page: Bytes, level: number): Bytes {
  let count = loadChildHashes(page, level);
  let hash: Bytes = hashes;
  for (let round = 0; round < PAGE_HEIGHT; round++) {
    if (count % 2 === 1) hashes.set(emptySubtreeHash(PAGE_HEIGHT * level + round), count * HASH_BYTES);
    count = (count + 1) >> 1;
    for (let i = 0; i < count; i++) {
      hash = blake2s256(pairs[i] ?? hashes);
      hashes.set(hash, i * HASH_BYTES);
    }
  }
  return hash;
}

/** The three siblings on the way from a child to the page's node, the child's own sibling first. */
export function siblingsInPage(page: Bytes, level: number, slot: number): Bytes[] {
  let count = loadChildHashes(page, level);
  const siblings: Bytes[] = [];
  for (let round = 0, at = slot; round < PAGE_HEIGHT; round++, at >>= 1) {
    const empty = emptySubtreeHash(PAGE_HEIGHT * level + round);
    const sibling = at ^ 1;
    siblings.push(
      sibling < count ? hashes.slice(sibling * HASH_BYTES, (sibling + 1) * HASH_BYTES) : new Uint8Array(empty),
    );
    if (count % 2 === 1) hashes.set(empty, count * HASH_BYTES);
    count = (count + 1) >> 1;
    for (let i = 0; i < count; i++) hashes.set(blake2s256(pairs[i] ?? hashes), i * HASH_BYTES);
  }
  return siblings;
}

/** From the node of the top page to the root: everything to the right is empty. */
export function rootAbove(topHash: Bytes, levels: number): Bytes {
  let hash = topHash;
  for (let level = PAGE_HEIGHT * levels; level < TREE_DEPTH; level++) hash = branchHash(hash, emptySubtreeHash(level));
  return hash;
}

/** What a version's record says of all versions up to it. */
export function historyAfter(history: Bytes, root: Bytes): Bytes {
  return blake2s256(concatBytes(history, root));
}

function loadChildHashes(page: Bytes, level: number): number {
  const count = childCount(page, level);
  if (level > 0) {
    hashes.set(page.subarray(0, count * HASH_BYTES));
  } else {
    for (let i = 0; i < count; i++)
      hashes.set(blake2s256(page.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES)), i * HASH_BYTES);
  }
  return count;
}
