import assert from 'node:assert/strict';
import { toHex, type Bytes } from '../../src/common/bytes.ts';
import { createMerkleTree } from '../../src/projections/merkleTree.ts';
import { checkMerkleTree } from '../../src/projections/merkleTreeCheck.ts';
import { LEAF_BYTES, leafKey, leafNext, pageKey } from '../../src/projections/merkleTreeLayout.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import { MERKLE_TREE } from '../../src/store/buckets.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { type KeyValueStore, StoreBatch } from '../../src/store/keyValueStore.ts';
import { hasCode } from '../contracts/keyValueStore.contract.ts';
import { Random } from './journalFactory.ts';
import { entryOf, someWrites, StoredVersions } from './merkleTreeFactory.ts';

const VERSIONS = 8;

async function entriesOf(store: KeyValueStore): Promise<(readonly [Bytes, Bytes])[]> {
  const entries: (readonly [Bytes, Bytes])[] = [];
  for await (const entry of store.range({})) entries.push(entry);
  return entries;
}

async function put(store: KeyValueStore, key: Bytes, value: Bytes | undefined): Promise<void> {
  const batch = new StoreBatch();
  if (value === undefined) batch.delete(key);
  else batch.put(key, value);
  await store.write(batch);
}

/** Undefined: every version is consistent. */
async function damageOf(store: KeyValueStore): Promise<string | undefined> {
  for (let version = VERSIONS - 1; version >= 0; version--) {
    try {
      await checkMerkleTree(store, version);
    } catch (error) {
      assert.ok(hasCode('STORE_DAMAGED')(error) && error instanceof Error);
      return error.message;
    }
  }
  return undefined;
}

describe('projections/merkleTree consistency check', () => {
  const random = new Random(31);
  const keys: Bytes[] = [];
  const store = new MemoryStore();
  let roots: Bytes[];

  before(async () => {
    const stored = new StoredVersions({ cachedPages: 16, store });
    roots = [];
    for (let version = 0; version < VERSIONS; version++)
      roots.push((await stored.apply(version === 4 ? [] : someWrites(random, keys, 60, 0.7))).root);
  });

  it('passes every version of a sound tree and says what it has seen', async () => {
    for (let version = 0; version < VERSIONS; version++) {
      let last = 0;
      const checked = await checkMerkleTree(store, version, { progress: (done) => (last = done) });
      assert.deepEqual(checked.root, roots[version]);
      assert.equal(last, checked.leaves);
      assert.ok(checked.pages > checked.leaves / 8 && checked.indexPages > 4);
    }
    await assert.rejects(checkMerkleTree(store, VERSIONS), hasCode('STORE_DAMAGED'));
  });

  it('finds any single entry that is changed, cut, lengthened or gone', async function () {
    this.timeout(60_000);
    const entries = await entriesOf(store);
    const kinds = new Set(entries.map(([key]) => key[0]));
    assert.deepEqual([...kinds].sort(), Object.values(MERKLE_TREE).sort());
    for (const [i, [key, value]] of entries.entries()) {
      const flipped = value.slice();
      const at = random.below(flipped.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      const kindsOfDamage: readonly (readonly [string, Bytes | undefined])[] = [
        [`byte ${at} of ${value.length}`, flipped],
        ['cut', value.slice(0, -1)],
        ['longer', new Uint8Array([...value, 0])],
        ['gone', undefined],
      ];
      // Every entry in one way, in turn.
      const [what, damaged] = kindsOfDamage[i % 4 === 3 && key[0] === MERKLE_TREE.version ? 1 : i % 4] ?? [
        '',
        undefined,
      ];
      await put(store, key, damaged);
      assert.ok((await damageOf(store)) !== undefined, `${toHex(key)}: ${what}`);
      await put(store, key, value);
    }
    assert.equal(await damageOf(store), undefined);
  });

  it('finds any changed byte of any entry, at random', async function () {
    this.timeout(60_000);
    const entries = await entriesOf(store);
    for (let i = 0; i < 300; i++) {
      const [key, value] = random.pick(entries);
      const damaged = value.slice();
      const at = random.below(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      await put(store, key, damaged);
      assert.ok((await damageOf(store)) !== undefined, `byte ${at} of ${toHex(key)}`);
      await put(store, key, value);
    }
  });

  it('names the page', async () => {
    const version = VERSIONS - 1;
    const key = pageKey(version, 0, 0);
    const page = await store.get(key);
    assert.ok(page !== undefined);
    await put(store, key, undefined);
    await assert.rejects(checkMerkleTree(store, version), /page 0 of level 0, written in version 7, is missing/);
    await put(
      store,
      key,
      page.map((byte, i) => (i === 184 ? byte ^ 1 : byte)),
    );
    await assert.rejects(
      checkMerkleTree(store, version),
      /page 0 of level 0, .* has not the hash that page 0 of level 1,/,
    );
    await put(store, key, page);
    await checkMerkleTree(store, version);
  });

  it('names a wrong link that every hash agrees with', async () => {
    const own: Bytes[] = [];
    const tree = new MemoryStore();
    await new StoredVersions({ store: tree }).apply(someWrites(random, own, 30, 1));
    const page = await tree.get(pageKey(0, 0, 1));
    assert.ok(page !== undefined);
    const wrong = page.slice();
    const index = 8 + 2;
    const right = leafNext(page, 2);
    wrong[2 * LEAF_BYTES + 64] = right ^ 1;
    await put(tree, pageKey(0, 0, 1), wrong);
    // Another leaf of that page changes, so that the page is hashed as it is now.
    const tx = new PendingWrites(tree);
    await createMerkleTree().apply(entryOf(1, [{ key: leafKey(page, 3), value: new Uint8Array(32).fill(5) }]), tx);
    await tree.write(tx.batch);
    await assert.rejects(
      checkMerkleTree(tree, 1),
      new RegExp(`leaf ${index} links to leaf ${right ^ 1}, but the next key is that of leaf ${right}`),
    );
  });

  it('stops when it is told to', async () => {
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    await assert.rejects(checkMerkleTree(store, 0, { signal: abort.signal }), /enough/);
  });
});
