import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compareBytes, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import {
  branchHash,
  EMPTY_LEAF,
  emptySubtreeHash,
  leafHash,
  MAX_GUARD_KEY,
  MIN_GUARD_KEY,
  StateTree,
  TREE_DEPTH,
  verifyAbsence,
  verifyExistence,
  verifyLeafProof,
} from '../../src/protocol/stateTree.ts';
import type { TreeLeaf, TreeWrite } from '../../src/protocol/stateTree.ts';

function word(number: number): Bytes {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(28, number);
  return bytes;
}

const aWrite = fc.record({
  key: fc.integer({ min: 1, max: 60 }).map((n) => word(n * 7919)),
  value: fc.nat(1000).map(word),
});
const someBatches = fc.array(fc.uniqueArray(aWrite, { maxLength: 12, selector: ({ key }) => toHex(key) }), {
  minLength: 1,
  maxLength: 6,
});

/** The tree by the letter of the rule: leaves in order of insertion, links by sorting, 64 rounds of hashing. */
function naiveRoot(batches: readonly (readonly TreeWrite[])[]): string {
  const leaves: { key: Bytes; value: Bytes }[] = [
    { key: MIN_GUARD_KEY, value: ZERO_32 },
    { key: MAX_GUARD_KEY, value: ZERO_32 },
  ];
  for (const { key, value } of batches.flat()) {
    const known = leaves.find((leaf) => compareBytes(leaf.key, key) === 0);
    if (known) known.value = value;
    else leaves.push({ key, value });
  }
  const order = leaves
    .map((_, index) => index)
    .sort((a, b) => compareBytes(leaves[a]?.key ?? ZERO_32, leaves[b]?.key ?? ZERO_32));
  const hashOf = (leaf: Omit<TreeLeaf, 'next'>, index: number): Bytes =>
    leafHash({ ...leaf, next: order[order.indexOf(index) + 1] ?? 1 });
  let level = leaves.map(hashOf);
  for (let height = 0; height < TREE_DEPTH; height++) {
    if (level.length % 2 === 1) level.push(emptySubtreeHash(height));
    const above: Bytes[] = [];
    for (let i = 0; i < level.length; i += 2) above.push(branchHash(level[i] ?? ZERO_32, level[i + 1] ?? ZERO_32));
    level = above;
  }
  assert.equal(level.length, 1);
  return toHex(level[0] ?? ZERO_32);
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('protocol/stateTree', () => {
  it('equals the naive tree after every batch', () => {
    fc.assert(
      fc.property(someBatches, (batches) => {
        const tree = new StateTree();
        batches.forEach((batch, index) => {
          const { root, leafCount } = tree.applyWrites(batch);
          assert.equal(toHex(root), naiveRoot(batches.slice(0, index + 1)));
          assert.equal(leafCount, tree.leafCount);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('proves what it holds, what it lacks, and nothing else', () => {
    fc.assert(
      fc.property(someBatches, fc.integer({ min: 1, max: 500_000 }), (batches, number) => {
        const tree = new StateTree();
        for (const batch of batches) tree.applyWrites(batch);
        const key = word(number);
        const index = tree.indexOf(key);
        const predecessor = tree.proof(tree.predecessorOf(key));
        const successor = tree.proof(predecessor.leaf.next);
        assert.equal(verifyAbsence(tree.root, key, { predecessor, successor }), index === undefined);
        for (let i = 0; i < tree.leafCount; i++) {
          const proof = tree.proof(i);
          assert.equal(verifyExistence(tree.root, proof.leaf.key, proof), true);
          assert.equal(
            verifyAbsence(tree.root, proof.leaf.key, { predecessor: proof, successor: tree.proof(proof.leaf.next) }),
            false,
          );
        }
        const free = tree.proof(tree.leafCount);
        assert.deepEqual(free.leaf, EMPTY_LEAF);
        assert.equal(verifyLeafProof(tree.root, free), true);
      }),
      { numRuns: 25 },
    );
  });

  it('refuses proofs that were changed', () => {
    const tree = new StateTree();
    tree.applyWrites([
      { key: word(5), value: word(50) },
      { key: word(3), value: word(30) },
    ]);
    const proof = tree.proof(2);
    assert.equal(verifyLeafProof(tree.root, proof), true);
    assert.equal(verifyLeafProof(tree.root, { ...proof, index: 3 }), false);
    assert.equal(verifyLeafProof(tree.root, { ...proof, index: -1 }), false);
    assert.equal(verifyLeafProof(tree.root, { ...proof, leaf: { ...proof.leaf, value: word(51) } }), false);
    assert.equal(verifyLeafProof(tree.root, { ...proof, leaf: { ...proof.leaf, next: 0 } }), false);
    assert.equal(verifyLeafProof(tree.root, { ...proof, siblings: proof.siblings.slice(1) }), false);
    assert.equal(verifyExistence(tree.root, word(3), proof), false);
    assert.equal(verifyAbsence(tree.root, word(4), { predecessor: tree.proof(0), successor: tree.proof(2) }), false);
    assert.equal(verifyAbsence(tree.root, word(4), { predecessor: tree.proof(3), successor: tree.proof(2) }), true);
  });

  it('keeps an index for good, also of a zero value', () => {
    const tree = new StateTree();
    tree.applyWrites([{ key: word(9), value: word(1) }]);
    tree.applyWrites([
      { key: word(1), value: word(1) },
      { key: word(9), value: ZERO_32 },
      { key: word(9), value: word(2) },
    ]);
    assert.equal(tree.indexOf(word(9)), 2);
    assert.equal(tree.indexOf(word(1)), 3);
    assert.deepEqual(tree.leaf(2), { key: word(9), value: word(2), next: 1 });
    assert.deepEqual(tree.leaf(0).next, 3);
  });

  it('refuses a new key twice and the keys of the guards, and stays as it was', () => {
    const tree = new StateTree();
    const before = toHex(tree.root);
    const twice = [
      { key: word(1), value: word(1) },
      { key: word(1), value: word(2) },
    ];
    assert.equal(
      code(() => tree.applyWrites(twice)),
      'STATE_TREE_DUPLICATE_KEY',
    );
    for (const key of [MIN_GUARD_KEY, MAX_GUARD_KEY]) {
      assert.equal(
        code(() =>
          tree.applyWrites([
            { key: word(2), value: word(1) },
            { key, value: word(1) },
          ]),
        ),
        'STATE_TREE_RESERVED_KEY',
      );
    }
    assert.equal(toHex(tree.root), before);
    assert.equal(tree.leafCount, 2);
    assert.equal(tree.indexOf(word(2)), undefined);
  });
});
