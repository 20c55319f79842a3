import assert from 'node:assert/strict';
import { type Bytes, toHex } from '../../src/common/bytes.ts';
import { type KeyProof, verifyKeyProof } from '../../src/projections/merkleTreeReader.ts';
import { MAX_GUARD_KEY, StateTree, type LeafProof } from '../../src/protocol/stateTree.ts';
import type { KeyValueStore } from '../../src/store/keyValueStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { MERKLE_TREE } from '../../src/store/buckets.ts';
import { hasCode } from '../contracts/keyValueStore.contract.ts';
import { Random } from './journalFactory.ts';
import { someWrites, StoredVersions } from './merkleTreeFactory.ts';

const VERSIONS = 12;

describe('projections/merkleTree proofs', () => {
  const random = new Random(77);
  const keys: Bytes[] = [];
  const stored = new StoredVersions({ cachedPages: 64 });
  const roots: Bytes[] = [];
  /** Number of keys after each version. */
  const counts: number[] = [];
  const naives: StateTree[] = [];

  before(async () => {
    const history: ReturnType<typeof someWrites>[] = [];
    for (let version = 0; version < VERSIONS; version++) {
      history.push(someWrites(random, keys, 90, 0.6));
      counts.push(keys.length);
      roots.push((await stored.apply(history.at(-1) ?? [])).root);
      const naive = new StateTree();
      for (const writes of history) naive.applyWrites(writes);
      naives.push(naive);
    }
  });

  async function proofOf(key: Bytes, version: number): Promise<KeyProof> {
    const answer = await stored.reader.proof([key], version);
    const proof = answer?.proofs[0];
    assert.ok(proof !== undefined && answer !== undefined);
    assert.deepEqual(answer.root, roots[version]);
    return proof;
  }

  it('shows at every version which keys it has and which it does not have yet', async () => {
    for (let version = 0; version < VERSIONS; version++) {
      const known = counts[version] ?? 0;
      const root = roots[version] ?? new Uint8Array(32);
      for (let i = 0; i < keys.length; i += 17) {
        const key = keys[i] ?? MAX_GUARD_KEY;
        const proof = await proofOf(key, version);
        assert.equal(proof.kind, i < known ? 'present' : 'absent', `key ${i} at ${version}`);
        assert.ok(verifyKeyProof(root, key, proof));
      }
      for (let i = 0; i < 10; i++) {
        const key = random.bytes(32);
        const proof = await proofOf(key, version);
        assert.equal(proof.kind, 'absent');
        assert.ok(verifyKeyProof(root, key, proof));
      }
    }
  });

  it('gives the leaf proofs of the naive tree at every version, past the end too', async () => {
    for (let version = 0; version < VERSIONS; version += 3) {
      const naive = naives[version];
      assert.ok(naive !== undefined);
      const { leafCount } = naive;
      for (const index of [
        0,
        1,
        7,
        8,
        40,
        leafCount - 1,
        leafCount,
        leafCount + 1,
        511,
        512,
        513,
        4096,
        2 ** 40 + 5,
        2 ** 53 - 1,
      ])
        assert.deepEqual(
          await stored.reader.leafProof(index, version),
          naive.proof(index),
          `leaf ${index} at ${version}`,
        );
    }
    await assert.rejects(stored.reader.leafProof(-1, 0), RangeError);
  });

  it('answers several keys in their order, nothing for a version to come, and refuses the guards', async () => {
    const asked = [keys[5], keys[3], random.bytes(32)].map((key) => key ?? MAX_GUARD_KEY);
    const answer = await stored.reader.proof(asked, VERSIONS - 1);
    assert.deepEqual(answer?.proofs, await Promise.all(asked.map((key) => proofOf(key, VERSIONS - 1))));
    assert.equal(await stored.reader.version(VERSIONS), undefined);
    assert.equal(await stored.reader.proof(asked, VERSIONS), undefined);
    assert.equal(await stored.reader.leafProof(0, VERSIONS), undefined);
    await assert.rejects(stored.reader.proof([MAX_GUARD_KEY], 0), hasCode('STATE_TREE_RESERVED_KEY'));
  });

  it('gives memory of its own', async () => {
    const { proofs } = (await stored.reader.proof([keys[1] ?? MAX_GUARD_KEY], 3)) ?? { proofs: [] };
    const [proof] = proofs;
    assert.ok(proof?.kind === 'present');
    for (const bytes of [...proof.leaf.siblings, proof.leaf.leaf.key, proof.leaf.leaf.value])
      assert.equal(bytes.buffer.byteLength, 32);
  });

  it('no changed proof passes', async () => {
    const version = VERSIONS - 1;
    const root = roots[version] ?? new Uint8Array(32);
    for (const key of [keys[0], keys.at(-1), random.bytes(32), random.bytes(32)]) {
      assert.ok(key !== undefined);
      const proof = await proofOf(key, version);
      let mutations = 0;
      for (const changed of mutationsOf(proof, random)) {
        mutations += 1;
        assert.equal(verifyKeyProof(root, key, changed.proof), false, changed.what);
      }
      assert.ok(mutations > 70);
      const otherKey = Uint8Array.from(key, (byte, i) => (i === 31 ? byte ^ 1 : byte));
      if (proof.kind === 'present') assert.equal(verifyKeyProof(root, otherKey, proof), false);
      assert.equal(verifyKeyProof(roots[0] ?? root, key, proof), false);
    }
  });

  it('a proof of presence never passes for absence, nor the other way', async () => {
    const version = VERSIONS - 1;
    const root = roots[version] ?? new Uint8Array(32);
    const key = keys[9] ?? MAX_GUARD_KEY;
    const { leaf } = (await proofOf(key, version)) as { leaf: LeafProof }; // present: inserted before
    const next = await stored.reader.leafProof(leaf.leaf.next, version);
    assert.ok(next !== undefined);
    assert.equal(verifyKeyProof(root, key, { kind: 'absent', predecessor: leaf, successor: next }), false);
    const absent = await proofOf(random.bytes(32), version);
    assert.ok(absent.kind === 'absent');
    assert.equal(verifyKeyProof(root, random.bytes(32), { kind: 'present', leaf: absent.predecessor }), false);
  });

  it('finds keys while the index is being changed: what it reads is checked and read again', async () => {
    const own: Bytes[] = [];
    const tree = new StoredVersions({ store: new ShiftingStore() });
    await tree.apply(someWrites(random, own, 400, 1));
    const { root } = (await tree.reader.version(0)) ?? { root: new Uint8Array(32) };
    const shifting = tree.store as ShiftingStore; // made so above
    for (const key of [...own.slice(0, 40), ...Array.from({ length: 40 }, () => random.bytes(32))]) {
      shifting.oldIndexReads = 2;
      const [proof] = (await tree.reader.proof([key], 0))?.proofs ?? [];
      assert.ok(proof !== undefined && verifyKeyProof(root, key, proof), toHex(key));
    }
    shifting.oldIndexReads = Infinity;
    await assert.rejects(tree.reader.proof([own[0] ?? MAX_GUARD_KEY], 0), hasCode('STORE_DAMAGED'));
  });
});

/** Answers some reads of the key index as if its pages were not there yet. */
class ShiftingStore extends MemoryStore implements KeyValueStore {
  oldIndexReads = 0;

  override async get(key: Bytes): Promise<Bytes | undefined> {
    if (key[0] !== MERKLE_TREE.indexPage || this.oldIndexReads === 0) return super.get(key);
    this.oldIndexReads -= 1;
    return undefined;
  }
}

interface Mutation {
  readonly what: string;
  readonly proof: KeyProof;
}

function* mutationsOf(proof: KeyProof, random: Random): Generator<Mutation> {
  if (proof.kind === 'present') {
    for (const { what, leaf } of leafMutations(proof.leaf, random)) yield { what, proof: { ...proof, leaf } };
    return;
  }
  for (const { what, leaf } of leafMutations(proof.predecessor, random))
    yield { what: `predecessor: ${what}`, proof: { ...proof, predecessor: leaf } };
  for (const { what, leaf } of leafMutations(proof.successor, random))
    yield { what: `successor: ${what}`, proof: { ...proof, successor: leaf } };
  yield { what: 'swapped', proof: { ...proof, predecessor: proof.successor, successor: proof.predecessor } };
}

function* leafMutations(
  proof: LeafProof,
  random: Random,
): Generator<{ readonly what: string; readonly leaf: LeafProof }> {
  const flip = (bytes: Bytes): Bytes => {
    const copy = bytes.slice();
    const at = random.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    return copy;
  };
  for (let level = 0; level < proof.siblings.length; level++) {
    const siblings = proof.siblings.map((sibling, i) => (i === level ? flip(sibling) : sibling));
    yield { what: `sibling ${level}`, leaf: { ...proof, siblings } };
  }
  for (let bit = 0; bit < 53; bit += 5) {
    const index = Number(BigInt(proof.index) ^ (1n << BigInt(bit)));
    yield { what: `bit ${bit} of the index`, leaf: { ...proof, index } };
  }
  yield { what: 'key', leaf: { ...proof, leaf: { ...proof.leaf, key: flip(proof.leaf.key) } } };
  yield { what: 'value', leaf: { ...proof, leaf: { ...proof.leaf, value: flip(proof.leaf.value) } } };
  yield { what: 'next', leaf: { ...proof, leaf: { ...proof.leaf, next: proof.leaf.next + 1 } } };
  yield { what: 'a sibling less', leaf: { ...proof, siblings: proof.siblings.slice(0, -1) } };
  yield { what: 'a sibling more', leaf: { ...proof, siblings: [...proof.siblings, new Uint8Array(32)] } };
}
