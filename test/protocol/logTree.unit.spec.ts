import assert from 'node:assert/strict';
import fc from 'fast-check';
import { equalBytes, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { keccak256, KECCAK_EMPTY } from '../../src/common/hash.ts';
import type { Steps } from '../../src/common/steps.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import {
  EMPTY_LOG_LEAF,
  keccakNode,
  l2LogLeafPathSteps,
  l2LogPath,
  l2LogRoot,
  l2LogRootSteps,
  LOG_TREE_SIZE,
  logLeaves,
  miniTreeDepth,
  miniTreePath,
  miniTreeRoot,
  rootOfMiniTreePath,
} from '../../src/protocol/logTree.ts';
import { priorityOperationsHash, rootOfRangeProof, TrimmedTree } from '../../src/protocol/priorityTree.ts';

const leafOf = (number: number): Bytes => keccak256(Uint8Array.of(number >> 8, number & 0xff));
const leavesOf = (length: number): readonly Bytes[] => Array.from({ length }, (_, index) => leafOf(index));

/** All leaves written out to the full size. */
function naiveRoot(leaves: readonly Bytes[], emptyLeaf: Bytes, size: number): Bytes {
  let level = Array.from({ length: size }, (_, index) => leaves[index] ?? emptyLeaf);
  while (level.length > 1)
    level = Array.from({ length: level.length / 2 }, (_, i) =>
      keccakNode(level[2 * i] ?? ZERO_32, level[2 * i + 1] ?? ZERO_32),
    );
  return level[0] ?? emptyLeaf;
}

describe('protocol/logTree', () => {
  it('equals the tree with all leaves written out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.constantFrom(1, 2, 8, 64), (length, minimumSize) => {
        const leaves = leavesOf(length);
        const size = 2 ** miniTreeDepth(length, minimumSize);
        assert.ok(size >= Math.max(length, minimumSize) && (size === 1 || size / 2 < Math.max(length, minimumSize)));
        assert.equal(
          toHex(miniTreeRoot(leaves, { emptyLeaf: EMPTY_LOG_LEAF, minimumSize })),
          toHex(naiveRoot(leaves, EMPTY_LOG_LEAF, size)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('gives paths that lead to the root from their own leaf only', () => {
    for (const length of [1, 2, 3, 7, 8, 20]) {
      const leaves = leavesOf(length);
      for (let index = 0; index < length; index++) {
        const { root, path } = miniTreePath(leaves, index, { emptyLeaf: EMPTY_LOG_LEAF, minimumSize: 4 });
        assert.equal(path.length, miniTreeDepth(length, 4));
        assert.equal(toHex(rootOfMiniTreePath(leafOf(index), index, path)), toHex(root));
        assert.equal(equalBytes(rootOfMiniTreePath(leafOf(index + 1000), index, path), root), false);
      }
    }
    assert.throws(
      () => miniTreePath(leavesOf(3), 4, { emptyLeaf: EMPTY_LOG_LEAF, minimumSize: 1 }),
      (error) => error instanceof NodeError && error.kind === 'invariant',
    );
  });

  it('proves logs against the root of the batch', () => {
    const logs = [1, 2, 3].map((byte) => new Uint8Array(88).fill(byte));
    const root = l2LogRoot(logs);
    logs.forEach((log, index) => {
      const path = l2LogPath(logs, index);
      assert.equal(path.length, 15);
      assert.deepEqual(path.at(-1), ZERO_32);
      assert.equal(toHex(rootOfMiniTreePath(keccak256(log), index, path)), toHex(root));
    });
  });

  it('pauses often over a full tree, and gives the same root', () => {
    const logs = Array.from({ length: LOG_TREE_SIZE }, (_, i) => new Uint8Array(88).fill(i));
    const [root, leaves] = [l2LogRoot(logs), logLeaves(logs)];
    const counted = <T>(steps: Steps<T>): { value: T; pauses: number } => {
      for (let pauses = 0; ; pauses++) {
        const step = steps.next();
        if (step.done === true) return { value: step.value, pauses };
      }
    };
    const ofRoot = counted(l2LogRootSteps(logs));
    const ofPath = counted(l2LogLeafPathSteps(leaves, 5));
    assert.deepEqual([ofRoot.value, ofPath.value.root], [root, root]);
    assert.ok(ofRoot.pauses > 50 && ofPath.pauses > 25, `${ofRoot.pauses} and ${ofPath.pauses} pauses`);
  });

  it('refuses more logs than the tree holds', () => {
    const log = new Uint8Array(88);
    assert.equal(logLeaves(Array.from({ length: LOG_TREE_SIZE }, () => log)).length, LOG_TREE_SIZE);
    assert.throws(
      () => l2LogRoot(Array.from({ length: LOG_TREE_SIZE + 1 }, () => log)),
      (error) => error instanceof ProtocolError && error.code === 'LOG_TREE_TOO_MANY_LEAVES',
    );
  });
});

describe('protocol/priorityTree', () => {
  it('keeps its root when trimmed, and gives the proofs of the untrimmed tree', () => {
    const aStep = fc.record({ push: fc.integer({ min: 0, max: 9 }), trim: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 1, maxLength: 12 }), (steps) => {
        const tree = new TrimmedTree();
        const leaves: Bytes[] = [];
        let start = 0;
        for (const { push, trim } of steps) {
          for (let i = 0; i < push; i++) {
            const leaf = leafOf(leaves.length);
            leaves.push(leaf);
            tree.push(leaf);
          }
          const trimmed = Math.min(trim, leaves.length - start);
          tree.trim(trimmed);
          start += trimmed;
          assert.equal(toHex(tree.root), toHex(miniTreeRoot(leaves, { emptyLeaf: KECCAK_EMPTY, minimumSize: 1 })));
          assert.equal(tree.leafCount, leaves.length);
          assert.equal(tree.size, 2 ** miniTreeDepth(leaves.length, 1));
          assert.equal(tree.state.start, start);
          const count = leaves.length - start;
          if (count === 0) continue;
          const proof = tree.rangeProof(start, count);
          assert.deepEqual(proof.itemHashes, leaves.slice(start));
          assert.equal(toHex(rootOfRangeProof(start, proof) ?? ZERO_32), toHex(tree.root));
          const first = tree.rangeProof(start, 1);
          assert.equal(toHex(rootOfRangeProof(start, first) ?? ZERO_32), toHex(tree.root));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('has empty proofs for empty ranges, and refuses ranges that it does not hold', () => {
    const tree = new TrimmedTree();
    for (const leaf of leavesOf(3)) tree.push(leaf);
    tree.trim(1);
    assert.deepEqual(tree.rangeProof(1, 0), { leftPath: [], rightPath: [], itemHashes: [] });
    const isInvariant = (error: unknown): boolean => error instanceof NodeError && error.kind === 'invariant';
    assert.throws(() => tree.rangeProof(0, 1), isInvariant);
    assert.throws(() => tree.rangeProof(2, 2), isInvariant);
    assert.throws(() => tree.trim(3), isInvariant);
  });

  it('refuses proofs as L1 does', () => {
    const [leaf] = leavesOf(1);
    assert.ok(leaf);
    assert.equal(rootOfRangeProof(0, { leftPath: [], rightPath: [], itemHashes: [] }), undefined);
    assert.equal(rootOfRangeProof(0, { leftPath: [ZERO_32], rightPath: [], itemHashes: [leaf] }), undefined);
    assert.equal(rootOfRangeProof(1, { leftPath: [], rightPath: [], itemHashes: [leaf] }), undefined);
    assert.equal(rootOfRangeProof(0, { leftPath: [], rightPath: [], itemHashes: [leaf] }), leaf);
  });

  it('rolls the hashes of operations in order', () => {
    const [a, b] = leavesOf(2);
    assert.ok(a && b);
    assert.equal(toHex(priorityOperationsHash([a, b])), toHex(keccakNode(keccakNode(KECCAK_EMPTY, a), b)));
    assert.notEqual(toHex(priorityOperationsHash([b, a])), toHex(priorityOperationsHash([a, b])));
  });
});
