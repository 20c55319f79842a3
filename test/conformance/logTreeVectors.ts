/** mini-merkle/*: the keccak tree over logs (spec: merkle-tree 8). */
import { keccak256 } from '../../src/common/hash.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import {
  EMPTY_LOG_LEAF,
  emptyMiniTreeHashes,
  l2LogRoot,
  miniTreePath,
  miniTreeRoot,
  rootOfMiniTreePath,
} from '../../src/protocol/logTree.ts';
import type { VectorFamily } from './family.ts';
import { fail, same } from './suite.ts';
import { count, fieldsOf, hex, hexList, listOf, optional } from './vectorData.ts';

/** The hashed leaf of a log of 88 equal bytes. */
export function filledLeaf(byte: number): Bytes {
  return keccak256(new Uint8Array(88).fill(byte));
}

/** Path of a leaf, checked against the root of the tree. */
export function provenPath(leaves: readonly Bytes[], index: number, minimumSize: number): readonly Bytes[] {
  const options = { emptyLeaf: EMPTY_LOG_LEAF, minimumSize };
  const { root, path } = miniTreePath(leaves, index, options);
  same(root, miniTreeRoot(leaves, options), 'root beside the path');
  same(rootOfMiniTreePath(leaves[index] ?? EMPTY_LOG_LEAF, index, path), root, 'root of the path');
  return path;
}

export const logTreeVectors: VectorFamily = {
  owns: (path) => path === 'mini-merkle/roots.json',

  run(path, folder, suite) {
    const root = fieldsOf(
      folder.json(path),
      'empty_subtree_hashes',
      'empty_16384_tree_then_keccak_with_zero',
      'cases',
      'proof_single',
      'proof_partial50_index49',
    );
    suite.case('empty subtrees', () => {
      const hashes = hexList(root['empty_subtree_hashes']);
      if (hashes.length === 0) fail('there are none');
      same(emptyMiniTreeHashes(EMPTY_LOG_LEAF, hashes.length - 1), hashes, 'hashes');
    });
    suite.case('log root without logs', () => {
      same(l2LogRoot([]), hex(root['empty_16384_tree_then_keccak_with_zero']), 'root');
    });
    const leavesByName = new Map<string, readonly Bytes[]>();
    for (const value of listOf(root['cases'])) {
      const fields = fieldsOf(value, 'name', 'leaf_fill_bytes', 'min_tree_size', 'root');
      suite.case(String(fields['name']), () => {
        const leaves = listOf(fields['leaf_fill_bytes']).map((byte) => filledLeaf(count(byte)));
        leavesByName.set(String(fields['name']), leaves);
        const minimumSize = optional(fields['min_tree_size'], count) ?? 1;
        same(miniTreeRoot(leaves, { emptyLeaf: EMPTY_LOG_LEAF, minimumSize }), hex(fields['root']), 'root');
      });
    }
    suite.case('path in a tree of one leaf', () => {
      const fields = fieldsOf(root['proof_single'], 'index', 'size', 'path');
      same(
        provenPath(
          leavesByName.get('single') ?? fail('there is no case "single"'),
          count(fields['index']),
          count(fields['size']),
        ),
        hexList(fields['path']),
        'path',
      );
    });
    suite.case('path of leaf 49 of 50', () => {
      same(
        provenPath(leavesByName.get('partial50') ?? fail('there is no case "partial50"'), 49, 1),
        hexList(root['proof_partial50_index49']),
        'path',
      );
    });
  },
};
