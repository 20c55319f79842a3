/** The small keccak tree over L2 to L1 logs of a batch, and its paths (spec: merkle-tree 8, batches 6.2). */
import { ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { type Steps, finish } from '../common/steps.ts';
import { keccak256 } from '../common/hash.ts';
import { ProtocolError } from './errors.ts';
import { L2_TO_L1_LOG_LENGTH } from './receipts.ts';

/** Leaves of the log tree of a batch, and the most logs that a batch or block may hold. */
export const LOG_TREE_SIZE = 16_384;

/** Hash in place of a missing log: of 88 zero bytes. */
export const EMPTY_LOG_LEAF: Bytes = keccak256(new Uint8Array(L2_TO_L1_LOG_LENGTH));

export interface MiniTreeOptions {
  /** Hash that stands for a missing leaf. */
  readonly emptyLeaf: Bytes;
  /** At least this many leaves, a power of two; 1 for none. */
  readonly minimumSize: number;
}

// Filled anew by every call; hashing copies it out at once.
const nodePreimage = new Uint8Array(64);

/** keccak256(left || right). */
export function keccakNode(left: Bytes, right: Bytes): Bytes {
  nodePreimage.set(left);
  nodePreimage.set(right, 32);
  return keccak256(nodePreimage);
}

/** Hashes of subtrees without leaves, of height 0 to `depth`. */
export function emptyMiniTreeHashes(emptyLeaf: Bytes, depth: number): readonly Bytes[] {
  const hashes = [emptyLeaf];
  for (let level = 0; level < depth; level++) {
    const below = hashes[level] ?? emptyLeaf;
    hashes.push(keccakNode(below, below));
  }
  return hashes;
}

/** Levels of a tree that holds `leafCount` leaves: its size is the next power of two, at least the minimum. */
export function miniTreeDepth(leafCount: number, minimumSize: number): number {
  let depth = 0;
  for (let size = 1; size < leafCount || size < minimumSize; size *= 2) depth += 1;
  return depth;
}

/** Hashes between two pauses. */
const STEP_HASHES = 512;

/** Folds the leaves level by level; `visit` sees each level below the root, completed to an even end. */
function* foldLevels(
  leaves: readonly Bytes[],
  options: MiniTreeOptions,
  visit: (level: readonly Bytes[], empty: Bytes) => void,
): Steps<Bytes> {
  const depth = miniTreeDepth(leaves.length, options.minimumSize);
  let level = leaves;
  let empty = options.emptyLeaf;
  for (let height = 0; height < depth; height++) {
    visit(level, empty);
    const above: Bytes[] = [];
    for (let i = 0; i < level.length; i += 2) {
      above.push(keccakNode(level[i] ?? empty, level[i + 1] ?? empty));
      if (above.length % STEP_HASHES === 0) yield;
    }
    level = above;
    empty = keccakNode(empty, empty);
  }
  return level[0] ?? empty;
}

/** Root over hashed leaves (spec: merkle-tree 8). */
export function miniTreeRoot(leaves: readonly Bytes[], options: MiniTreeOptions): Bytes {
  return finish(foldLevels(leaves, options, () => undefined));
}

/** Root and the siblings of a leaf, bottom-up (spec: merkle-tree 8). */
export function miniTreePath(leaves: readonly Bytes[], index: number, options: MiniTreeOptions): MiniTreePath {
  return finish(miniTreePathSteps(leaves, index, options));
}

export interface MiniTreePath {
  readonly root: Bytes;
  readonly path: readonly Bytes[];
}

function* miniTreePathSteps(leaves: readonly Bytes[], index: number, options: MiniTreeOptions): Steps<MiniTreePath> {
  assert(index >= 0 && index < 2 ** miniTreeDepth(leaves.length, options.minimumSize), `the tree has no leaf ${index}`);
  const path: Bytes[] = [];
  let position = index;
  const root = yield* foldLevels(leaves, options, (level, empty) => {
    path.push(level[position % 2 === 0 ? position + 1 : position - 1] ?? empty);
    position = Math.floor(position / 2);
  });
  return { root, path };
}

/** The root that a path leads to: at an even position the sibling is on the right (spec: merkle-tree 8). */
export function rootOfMiniTreePath(leaf: Bytes, index: number, path: readonly Bytes[]): Bytes {
  let hash = leaf;
  let position = index;
  for (const sibling of path) {
    hash = position % 2 === 0 ? keccakNode(hash, sibling) : keccakNode(sibling, hash);
    position = Math.floor(position / 2);
  }
  return hash;
}

const LOG_TREE: MiniTreeOptions = { emptyLeaf: EMPTY_LOG_LEAF, minimumSize: LOG_TREE_SIZE };

/** keccak256 of each 88-byte log. Throws LOG_TREE_TOO_MANY_LEAVES above 16384. */
export function logLeaves(encodedLogs: readonly Bytes[]): readonly Bytes[] {
  return finish(logLeavesSteps(encodedLogs));
}

function* logLeavesSteps(encodedLogs: readonly Bytes[]): Steps<readonly Bytes[]> {
  if (encodedLogs.length > LOG_TREE_SIZE) {
    throw new ProtocolError(
      'LOG_TREE_TOO_MANY_LEAVES',
      `${encodedLogs.length} L2 to L1 logs do not fit one batch: ${LOG_TREE_SIZE} do`,
    );
  }
  const leaves: Bytes[] = [];
  for (const log of encodedLogs) {
    leaves.push(keccak256(log));
    if (leaves.length % STEP_HASHES === 0) yield;
  }
  return leaves;
}

/** Root of the tree of exactly the batch's logs, 88 bytes each, in order. Throws LOG_TREE_TOO_MANY_LEAVES. */
export function localLogRoot(encodedLogs: readonly Bytes[]): Bytes {
  return miniTreeRoot(logLeaves(encodedLogs), LOG_TREE);
}

/** keccak256(local root || 32 zero bytes), what a batch commits to (spec: merkle-tree 8). Throws LOG_TREE_TOO_MANY_LEAVES. */
export function l2LogRoot(encodedLogs: readonly Bytes[]): Bytes {
  return finish(l2LogRootSteps(encodedLogs));
}

/** `l2LogRoot` with pauses. */
export function* l2LogRootSteps(encodedLogs: readonly Bytes[]): Steps<Bytes> {
  const leaves = yield* logLeavesSteps(encodedLogs);
  return keccakNode(yield* foldLevels(leaves, LOG_TREE, () => undefined), ZERO_32);
}

/** Root and siblings of a leaf against `l2LogRoot`, of the batch's leaves in order, with pauses (spec: merkle-tree 8). */
export function* l2LogLeafPathSteps(leaves: readonly Bytes[], index: number): Steps<MiniTreePath> {
  const { root, path } = yield* miniTreePathSteps(leaves, index, LOG_TREE);
  return { root: keccakNode(root, ZERO_32), path: [...path, ZERO_32] };
}

/** Siblings of a log against `l2LogRoot`: the path in the tree, then 32 zero bytes (spec: merkle-tree 8). Throws LOG_TREE_TOO_MANY_LEAVES. */
export function l2LogPath(encodedLogs: readonly Bytes[], index: number): readonly Bytes[] {
  return [...miniTreePath(logLeaves(encodedLogs), index, LOG_TREE).path, ZERO_32];
}
