/** settlement-priority-tree.json: roots, range proofs and trimming of the tree of priority operations (spec: priority-tree 1, 4, 5). */
import { equalBytes, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { keccak256, KECCAK_EMPTY } from '../../src/common/hash.ts';
import { emptyMiniTreeHashes } from '../../src/protocol/logTree.ts';
import { rootOfRangeProof, TrimmedTree } from '../../src/protocol/priorityTree.ts';
import type { VectorFamily } from './family.ts';
import { fail, same } from './suite.ts';
import { anyObject, count, fieldsOf, hex, hexList, listOf, optional, text } from './vectorData.ts';
import type { VectorObject } from './vectorData.ts';

const INDEX_RULE = 'keccak256 of the 32-byte big-endian index';
const ZERO_PADDED_RULE =
  '65 leaves, leaf i = keccak256(32-byte big-endian i); missing leaves are 32 zero bytes (not keccak of empty)';
const BATCH_RULE = 'before the proof of batch k the tree holds exactly the operations of batches 1..k';

function indexLeaf(index: number): Bytes {
  return keccak256(hex(`0x${index.toString(16).padStart(64, '0')}`));
}

/** Root after each push of the leaves. */
function historicalRoots(leaves: readonly Bytes[]): readonly Bytes[] {
  const tree = new TrimmedTree();
  return leaves.map((leaf) => {
    tree.push(leaf);
    return tree.root;
  });
}

function sameProof(
  tree: TrimmedTree,
  range: { readonly start: number; readonly count: number },
  expected: VectorObject,
): void {
  const proof = tree.rangeProof(range.start, range.count);
  same(
    { leftPath: proof.leftPath, rightPath: proof.rightPath },
    { leftPath: hexList(expected['leftPath']), rightPath: hexList(expected['rightPath']) },
    'paths',
  );
  if (expected['itemHashes'] !== undefined) same(proof.itemHashes, hexList(expected['itemHashes']), 'items');
  const root = rootOfRangeProof(range.start, proof);
  if (range.count > 0) same(root, tree.root, 'root of the proof');
  if (expected['root'] !== undefined) same(root, optional(expected['root'], hex), 'root');
}

function twoBatches(input: VectorObject, expected: VectorObject): void {
  const fields = fieldsOf(input, 'leaf_hashes', 'leaf_rule');
  const result = fieldsOf(expected, 'root_after', 'zero_leaf', 'batch1', 'batch2');
  const leaves = hexList(fields['leaf_hashes']);
  same(text(fields['leaf_rule']), INDEX_RULE, 'rule');
  same(
    leaves,
    leaves.map((_, index) => indexLeaf(index)),
    'leaves',
  );
  same(historicalRoots(leaves), hexList(result['root_after']), 'roots');
  same(KECCAK_EMPTY, hex(result['zero_leaf']), 'missing leaf');
  const tree = new TrimmedTree();
  for (const leaf of leaves) tree.push(leaf);
  sameProof(tree, { start: 0, count: 1 }, fieldsOf(result['batch1'], 'leftPath', 'rightPath', 'itemHashes'));
  sameProof(tree, { start: 1, count: 2 }, fieldsOf(result['batch2'], 'leftPath', 'rightPath', 'itemHashes'));
}

function givenPaths(input: VectorObject, expected: VectorObject): void {
  const fields = fieldsOf(input, 'leaf_hashes', 'leftPath', 'rightPath', 'start_index');
  const result = fieldsOf(expected, 'computed_root', 'accepted');
  const itemHashes = hexList(fields['leaf_hashes']);
  const root = rootOfRangeProof(count(fields['start_index']), {
    leftPath: hexList(fields['leftPath']),
    rightPath: hexList(fields['rightPath']),
    itemHashes,
  });
  if (root === undefined) fail('the proof has no root');
  same(root, hex(result['computed_root']), 'root');
  same(
    historicalRoots(itemHashes).some((known) => equalBytes(known, root)),
    result['accepted'],
    'acceptance',
  );
}

function emptyHashes(expected: VectorObject): void {
  const hashes = hexList(fieldsOf(expected, 'hashes')['hashes']);
  if (hashes.length === 0) fail('there are no hashes');
  same(emptyMiniTreeHashes(KECCAK_EMPTY, hashes.length - 1), hashes, 'hashes');
}

function zeroPadded(input: VectorObject, expected: VectorObject): void {
  const fields = fieldsOf(input, 'leaf_rule', 'start_index', 'count');
  same(text(fields['leaf_rule']), ZERO_PADDED_RULE, 'rule');
  const tree = new TrimmedTree(ZERO_32);
  for (let index = 0; index < 65; index++) tree.push(indexLeaf(index));
  sameProof(
    tree,
    { start: count(fields['start_index']), count: count(fields['count']) },
    fieldsOf(expected, 'leftPath', 'rightPath', 'root'),
  );
}

/** Proofs of one batch after the other; `trims` executes each batch, which must not change the proofs of later ones. */
function batches(input: VectorObject, expected: VectorObject, trims: boolean): void {
  const fields = fieldsOf(input, 'leaf_hashes', 'batches', 'rule');
  const result = fieldsOf(expected, 'proofs', 'final_unprocessed_index');
  same(text(fields['rule']), BATCH_RULE, 'rule');
  const leaves = hexList(fields['leaf_hashes']);
  const proofs = listOf(result['proofs']);
  const counts = listOf(fields['batches']).map(count);
  same(proofs.length, counts.length, 'number of proofs');
  const tree = new TrimmedTree();
  counts.forEach((length, batch) => {
    const start = tree.leafCount;
    for (const leaf of leaves.slice(start, start + length)) tree.push(leaf);
    const proof = fieldsOf(proofs[batch], 'start_index', 'count', 'leftPath', 'rightPath', 'itemHashes', 'root');
    same(
      { start, count: length },
      { start: count(proof['start_index']), count: count(proof['count']) },
      `range of batch ${batch + 1}`,
    );
    sameProof(tree, { start, count: length }, proof);
    if (trims) tree.trim(length);
  });
  same(tree.leafCount, count(result['final_unprocessed_index']), 'operations that were executed');
}

function trimmingSteps(input: VectorObject, expected: VectorObject): void {
  const fields = fieldsOf(input, 'leaf_hashes', 'steps');
  const leaves = hexList(fields['leaf_hashes']);
  const steps = listOf(fieldsOf(expected, 'steps')['steps']);
  same(steps.length, listOf(fields['steps']).length, 'number of steps');
  const tree = new TrimmedTree();
  listOf(fields['steps']).forEach((value, index) => {
    const step = fieldsOf(value, 'push', 'trim');
    const result = fieldsOf(steps[index], 'push', 'trim', 'start_index', 'tree_size', 'cache', 'root');
    same({ push: result['push'], trim: result['trim'] }, { push: step['push'], trim: step['trim'] }, `step ${index}`);
    for (const leaf of leaves.slice(tree.leafCount, tree.leafCount + count(step['push']))) tree.push(leaf);
    tree.trim(count(step['trim']));
    same(
      {
        start: tree.state.start,
        size: tree.size,
        cache: tree.state.cache.map((hash) => (hash === undefined ? null : toHex(hash))),
        root: tree.root,
      },
      {
        start: count(result['start_index']),
        size: count(result['tree_size']),
        cache: listOf(result['cache']),
        root: hex(result['root']),
      },
      `state after step ${index}`,
    );
  });
}

/** What a case is about shows in the fields of its input. */
function runCase(input: VectorObject, expected: VectorObject): void {
  if (Object.keys(input).length === 0) emptyHashes(expected);
  else if ('batches' in input) {
    batches(input, expected, false);
    batches(input, expected, true);
  } else if ('steps' in input) trimmingSteps(input, expected);
  else if ('leftPath' in input) givenPaths(input, expected);
  else if ('count' in input) zeroPadded(input, expected);
  else twoBatches(input, expected);
}

export const priorityTreeVectors: VectorFamily = {
  owns: (path) => path === 'settlement-priority-tree.json',

  run(path, folder, suite) {
    for (const value of listOf(fieldsOf(folder.json(path), 'description', 'source', 'cases')['cases'])) {
      const fields = fieldsOf(value, 'name', 'origin', 'input', 'expected');
      suite.case(text(fields['name']), () => {
        runCase(anyObject(fields['input']), anyObject(fields['expected']));
      });
    }
  },
};
