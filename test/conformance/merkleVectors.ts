/** merkle/*: the state tree (spec: merkle-tree 1-3). */
import { equalBytes, ZERO_32 } from '../../src/common/bytes.ts';
import {
  emptySubtreeHash,
  leafHash,
  StateTree,
  verifyAbsence,
  verifyExistence,
  verifyLeafProof,
} from '../../src/protocol/stateTree.ts';
import type { TreeWrite } from '../../src/protocol/stateTree.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { fail, same } from './suite.ts';
import type { Suite } from './suite.ts';
import { anyObject, count, fieldsOf, hex, listOf } from './vectorData.ts';

function sameVersion(tree: StateTree, fields: Readonly<Record<string, unknown>>): void {
  same(
    { root: tree.root, leafCount: tree.leafCount },
    { root: hex(fields['root']), leafCount: count(fields['leaf_count']) },
    'root and leaf count',
  );
}

/** Proofs of what was written and of the first free index lead to the root. */
function requireProofs(tree: StateTree, writes: readonly TreeWrite[]): void {
  for (const { key } of writes) {
    const index = tree.indexOf(key) ?? fail('a written key has no index');
    if (!verifyExistence(tree.root, key, tree.proof(index)))
      fail(`the proof of leaf ${index} does not lead to the root`);
  }
  if (!verifyLeafProof(tree.root, tree.proof(tree.leafCount)))
    fail('the proof of the first free index does not lead to the root');
}

function runBasic(path: string, folder: VectorFolder, suite: Suite): void {
  const root = fieldsOf(
    folder.json(path),
    'empty_subtree_hashes',
    'min_guard_leaf_hash_when_tree_empty',
    'max_guard_leaf_hash',
    'cases',
  );
  suite.case('empty subtrees', () => {
    const hashes = Object.entries(anyObject(root['empty_subtree_hashes']));
    if (hashes.length === 0) fail('there are none');
    for (const [level, hash] of hashes) same(emptySubtreeHash(Number(level)), hex(hash), `level ${level}`);
  });
  suite.case('guards', () => {
    const tree = new StateTree();
    same(leafHash(tree.leaf(0)), hex(root['min_guard_leaf_hash_when_tree_empty']), 'first guard');
    same(leafHash(tree.leaf(1)), hex(root['max_guard_leaf_hash']), 'last guard');
  });
  for (const value of listOf(root['cases'])) {
    const fields = fieldsOf(value, 'name', 'batches', 'expected');
    suite.case(String(fields['name']), () => {
      const tree = new StateTree();
      for (const batch of listOf(fields['batches'])) {
        const writes = listOf(batch).map((item) => {
          const write = fieldsOf(item, 'key', 'value');
          return { key: hex(write['key']), value: hex(write['value']) };
        });
        for (const { key } of writes) {
          if (tree.indexOf(key) !== undefined) continue;
          const predecessor = tree.proof(tree.predecessorOf(key));
          const successor = tree.proof(predecessor.leaf.next);
          if (!verifyAbsence(tree.root, key, { predecessor, successor })) fail('the proof that a key is absent fails');
        }
        tree.applyWrites(writes);
        requireProofs(tree, writes);
      }
      sameVersion(tree, fieldsOf(fields['expected'], 'root', 'leaf_count'));
    });
  }
}

function runIncremental(path: string, folder: VectorFolder, suite: Suite): void {
  const tree = new StateTree();
  listOf(fieldsOf(folder.json(path), 'note', 'versions')['versions']).forEach((value, version) => {
    suite.case(`version ${version}`, () => {
      const fields = fieldsOf(value, 'version', 'leaf_count', 'root', 'leaves_written');
      same(count(fields['version']), version, 'version');
      const leaves = listOf(fields['leaves_written']).map((item) => {
        const leaf = fieldsOf(item, 'index', 'key', 'value', 'next_index');
        return {
          index: count(leaf['index']),
          leaf: { key: hex(leaf['key']), value: hex(leaf['value']), next: count(leaf['next_index']) },
        };
      });
      const isSorted = leaves.every(({ index }, i) => i === 0 || (leaves[i - 1]?.index ?? 0) < index);
      if (!isSorted) fail('the leaves are not listed by index');
      tree.applyWrites(
        leaves.filter(({ index }) => index > 1).map(({ leaf }) => ({ key: leaf.key, value: leaf.value })),
      );
      for (const { index, leaf } of leaves) same(tree.leaf(index), leaf, `leaf ${index}`);
      sameVersion(tree, fields);
    });
  });
}

function readWrites(value: unknown): readonly TreeWrite[] {
  return listOf(value).map((pair) => {
    const [key, word] = listOf(pair);
    return { key: hex(key), value: hex(word) };
  });
}

const REAL_CHAIN_FIRST = 'merkle/real_chain_versions_0_9.json';
const REAL_CHAIN_SECOND = 'merkle/real_chain_versions_10_19.json';

/** Applies all versions of a file; `each` sees every one after it was applied. */
function applyRealChain(
  tree: StateTree,
  folder: VectorFolder,
  path: string,
  each: (fields: Readonly<Record<string, unknown>>, version: number) => void,
): void {
  for (const value of listOf(fieldsOf(folder.json(path), 'note', 'versions')['versions'])) {
    const fields = fieldsOf(value, 'version', 'updates', 'inserts_in_order', 'root', 'leaf_count');
    const updates = readWrites(fields['updates']);
    const inserts = readWrites(fields['inserts_in_order']);
    const isKnown = (write: TreeWrite): boolean => tree.indexOf(write.key) !== undefined;
    if (!updates.every(isKnown)) fail('an update is of a key that the tree does not hold');
    if (inserts.some(isKnown)) fail('an insert is of a key that the tree holds');
    tree.applyWrites([...updates, ...inserts]);
    each(fields, count(fields['version']));
  }
}

/** The tree after version 9 of the real chain; undefined when the folder does not have it. */
export function realChainTree(folder: VectorFolder): StateTree | undefined {
  if (!folder.has(REAL_CHAIN_FIRST)) return undefined;
  const tree = new StateTree();
  applyRealChain(tree, folder, REAL_CHAIN_FIRST, () => undefined);
  return tree;
}

function runRealChain(path: string, folder: VectorFolder, suite: Suite): void {
  const isSecond = path === REAL_CHAIN_SECOND;
  const tree = isSecond
    ? (realChainTree(folder) ?? fail(`${REAL_CHAIN_FIRST} is missing, which it continues`))
    : new StateTree();
  let next = isSecond ? 10 : 0;
  applyRealChain(tree, folder, path, (fields, version) => {
    suite.case(`version ${version}`, () => {
      same(version, next, 'version');
      sameVersion(tree, fields);
      requireProofs(tree, readWrites(fields['inserts_in_order']).slice(0, 3));
    });
    next = version + 1;
  });
  suite.case('no guard is written', () => {
    same(
      equalBytes(tree.leaf(0).value, ZERO_32) && equalBytes(tree.leaf(1).value, ZERO_32),
      true,
      'guards are untouched',
    );
  });
}

const RUNS: Readonly<Record<string, (path: string, folder: VectorFolder, suite: Suite) => void>> = {
  'merkle/basic.json': runBasic,
  'merkle/incremental.json': runIncremental,
  [REAL_CHAIN_FIRST]: runRealChain,
  [REAL_CHAIN_SECOND]: runRealChain,
};

export const merkleVectors: VectorFamily = {
  owns: (path) => path in RUNS,
  run: (path, folder, suite) => RUNS[path]?.(path, folder, suite),
};
