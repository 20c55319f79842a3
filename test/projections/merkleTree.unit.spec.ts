import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { type Bytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { createMerkleTree } from '../../src/projections/merkleTree.ts';
import { indexPageKey, pageKey } from '../../src/projections/merkleTreeLayout.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import type { StateTreeVersion } from '../../src/projections/merkleTreeReader.ts';
import { BLOCK_1_BLOCK_HASHES, genesisState, parseGenesisInput, stateCommitment } from '../../src/protocol/genesis.ts';
import { MAX_GUARD_KEY, MIN_GUARD_KEY, StateTree, type TreeWrite } from '../../src/protocol/stateTree.ts';
import { type KeyValueStore, StoreBatch } from '../../src/store/keyValueStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { hasCode } from '../contracts/keyValueStore.contract.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { Random } from './journalFactory.ts';
import { entryOf, journalOf, someWrites, StoredVersions } from './merkleTreeFactory.ts';

interface VectorWrite {
  readonly key: string;
  readonly value: string;
}

function vector<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/vectors/merkle/${name}.json`, import.meta.url), 'utf8')) as T;
}

const word = (hex: string): Bytes => fromHex(hex);
const write = ({ key, value }: VectorWrite): TreeWrite => ({ key: word(key), value: word(value) });
const pair = ([key, value]: readonly [string, string]): TreeWrite => ({ key: word(key), value: word(value) });

function sameVersion(got: StateTreeVersion, expected: { readonly root: string; readonly leaf_count: number }): void {
  assert.equal(toHex(got.root).slice(2), expected.root.replace('0x', ''));
  assert.equal(got.leafCount, Number(expected.leaf_count));
}

describe('projections/merkleTree', () => {
  describe('as a projection', () => {
    const random = new Random(11);
    const keys: Bytes[] = [];
    const versions = Array.from({ length: 30 }, (_, i) => (i % 7 === 3 ? [] : someWrites(random, keys, 1 + i, 0.5)));
    projectionContract(createMerkleTree({ cachedPages: 40 }), journalOf(versions));
  });

  describe('vectors', () => {
    interface Basic {
      readonly cases: readonly {
        readonly name: string;
        readonly batches: readonly (readonly VectorWrite[])[];
        readonly expected: { readonly root: string; readonly leaf_count: number };
      }[];
    }

    for (const { name, batches, expected } of vector<Basic>('basic').cases) {
      it(`basic: ${name}`, async () => {
        const stored = new StoredVersions();
        let got = await stored.apply([]);
        for (const batch of batches) got = await stored.apply(batch.map(write));
        sameVersion(got, expected);
      });
    }

    it('incremental: every version, every leaf', async () => {
      const { versions } = vector<{
        versions: readonly {
          readonly root: string;
          readonly leaf_count: number;
          readonly leaves_written: readonly (VectorWrite & { readonly index: number; readonly next_index: number })[];
        }[];
      }>('incremental');
      const stored = new StoredVersions();
      for (const [height, version] of versions.entries()) {
        const leaves = version.leaves_written;
        sameVersion(await stored.apply(leaves.filter(({ index }) => index > 1).map(write)), version);
        for (const leaf of leaves) {
          const proof = await stored.reader.leafProof(leaf.index, height);
          assert.deepEqual(proof?.leaf, { ...write(leaf), next: leaf.next_index });
        }
      }
    });

    it('the versions of a real chain, from one file to the next', async () => {
      const stored = new StoredVersions({ cachedPages: 8 });
      for (const name of ['real_chain_versions_0_9', 'real_chain_versions_10_19']) {
        const { versions } = vector<{
          versions: readonly {
            readonly root: string;
            readonly leaf_count: number;
            readonly updates: readonly (readonly [string, string])[];
            readonly inserts_in_order: readonly (readonly [string, string])[];
          }[];
        }>(name);
        for (const version of versions)
          sameVersion(await stored.apply([...version.updates, ...version.inserts_in_order].map(pair)), version);
      }
      assert.equal(stored.height, 19);
    });

    for (const name of ['genesis', 'genesis_v30.2']) {
      it(`${name}.json leads to the root that the file names`, async () => {
        const file = new URL(`../fixtures/vectors/genesis/${name}.json`, import.meta.url);
        const input = parseGenesisInput(JSON.parse(readFileSync(file, 'utf8')));
        const writes = genesisState(input).writes.map(({ flatKey: key, value }) => ({ key, value }));
        const { root, leafCount } = await new StoredVersions().apply(writes);
        const header = { blockNumber: 0n, blockHashes: BLOCK_1_BLOCK_HASHES, timestamp: 0n };
        assert.deepEqual(stateCommitment({ treeRoot: root, leafCount, ...header }), input.genesisRoot);
        assert.equal(leafCount, 2 + writes.length);
      });
    }
  });

  describe('against the naive tree', () => {
    it('is equal on each of 2,000 versions of 1 to 200 writes', async function () {
      this.timeout(60_000);
      const random = new Random(2000);
      const keys: Bytes[] = [];
      const naive = new StateTree();
      const stored = new StoredVersions({ cachedPages: 2_000 });
      let most = 0;
      for (let version = 0; version < 2_000; version++) {
        // Most blocks are small, some are full: a naive tree of more leaves would take long.
        const writes = someWrites(random, keys, 1 + Math.floor(200 * (random.below(1000) / 1000) ** 5), 0.3);
        most = Math.max(most, writes.length);
        assert.deepEqual(await stored.apply(writes), naive.applyWrites(writes), `version ${version}`);
      }
      assert.ok(most > 150 && keys.length > 8 ** 4, `${most} writes, ${keys.length} keys`);
    });

    it('gives the same tree however entries are cut into versions, whatever is cached', async function () {
      this.timeout(60_000);
      const key = fc.oneof(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(300).map((n) => new Uint8Array(32).fill(1, n % 32).fill(n >> 1, 30)),
      );
      const entries = fc.uniqueArray(fc.record({ key, value: fc.uint8Array({ minLength: 32, maxLength: 32 }) }), {
        selector: (entry) => toHex(entry.key),
        minLength: 1,
        maxLength: 150,
      });
      const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 });
      await fc.assert(
        fc.asyncProperty(entries, cuts, fc.integer({ min: 2, max: 40 }), async (all, sizes, cachedPages) => {
          const writes = all.filter(
            ({ key: data }) => ![MIN_GUARD_KEY, MAX_GUARD_KEY].some((guard) => toHex(guard) === toHex(data)),
          );
          const expected = new StateTree().applyWrites(writes);
          const stored = new StoredVersions({ cachedPages });
          let got = await stored.apply([]);
          for (let from = 0, cut = 0; from < writes.length; cut++) {
            const to = from + (sizes[cut % sizes.length] ?? 1);
            got = await stored.apply(writes.slice(from, to));
            from = to;
          }
          assert.deepEqual(got, expected);
        }),
        { numRuns: 60 },
      );
    });

    it('grows over several levels of pages in one version', async () => {
      const random = new Random(5);
      for (const sizes of [[3, 600], [5], [6, 1], [62, 1], [510, 1, 1], [1200, 3000]]) {
        const naive = new StateTree();
        const stored = new StoredVersions({ cachedPages: 10 });
        for (const size of sizes) {
          const writes = someWrites(random, [], size, 1);
          assert.deepEqual(await stored.apply(writes), naive.applyWrites(writes), sizes.join(' '));
        }
      }
    });
  });

  describe('rules', () => {
    const key = new Uint8Array(32).fill(7);
    const value = new Uint8Array(32).fill(1);

    it('refuses the keys of the guards and a new key that comes twice, and stores nothing of it', async () => {
      for (const [writes, code] of [
        [[{ key: MIN_GUARD_KEY, value }], 'STATE_TREE_RESERVED_KEY'],
        [[{ key: MAX_GUARD_KEY, value }], 'STATE_TREE_RESERVED_KEY'],
        [
          [
            { key, value },
            { key, value },
          ],
          'STATE_TREE_DUPLICATE_KEY',
        ],
      ] as const) {
        const stored = new StoredVersions();
        await stored.apply([]);
        await assert.rejects(stored.apply(writes), hasCode(code));
        assert.equal(stored.height, 0);
        assert.equal((await stored.apply([{ key, value }])).leafCount, 3);
      }
    });

    it('takes the last of several updates of one key', async () => {
      const stored = new StoredVersions();
      await stored.apply([{ key, value }]);
      const last = new Uint8Array(32).fill(9);
      const got = await stored.apply([
        { key, value: new Uint8Array(32).fill(8) },
        { key, value: last },
      ]);
      const naive = new StateTree();
      naive.applyWrites([{ key, value: last }]);
      assert.deepEqual(toHex(got.root), toHex(naive.root));
    });

    it('writes no page when nothing changes', async () => {
      const projection = createMerkleTree();
      const store = new MemoryStore();
      for (const [height, size] of [
        [0, 4],
        [1, 1],
        [2, 1],
      ] as const) {
        const tx = new PendingWrites(store);
        await projection.apply(entryOf(height, height === 2 ? [] : [{ key, value }]), tx);
        await store.write(tx.batch);
        // Guards and the first key; then the version's record alone.
        assert.ok(height === 0 ? tx.batch.size >= size : tx.batch.size === size, `${tx.batch.size} at ${height}`);
      }
    });

    it('goes on from the store when an apply failed half-way', async () => {
      const random = new Random(3);
      const keys: Bytes[] = [];
      const projection = createMerkleTree();
      const store = new MemoryStore();
      const naive = new StateTree();
      for (let height = 0; height < 20; height++) {
        const writes = someWrites(random, keys, 60, 0.5);
        let puts = 0;
        const failing = new PendingWrites(store);
        const put = failing.put.bind(failing);
        failing.put = (...args) => {
          puts += 1;
          if (puts > height * 3) throw new RangeError('the thread dies here');
          put(...args);
        };
        await assert.rejects(projection.apply(entryOf(height, writes), failing), RangeError);
        const tx = new PendingWrites(store);
        await projection.apply(entryOf(height, writes), tx);
        await store.write(tx.batch);
        const version = await projection.reader(store).version(height);
        assert.deepEqual(version, naive.applyWrites(writes));
      }
    });

    it('stops at a version, a page or an index page that is missing, and says which', async () => {
      const keys: Bytes[] = [];
      const store = await threeVersions(keys);
      const projection = (): ReturnType<typeof createMerkleTree> => createMerkleTree();
      await assert.rejects(projection().apply(entryOf(5, []), new PendingWrites(store)), /version 4 is missing/);
      const writes = [{ key: keys[0] ?? MAX_GUARD_KEY, value: new Uint8Array(32).fill(3) }];
      for (const [key, message] of [
        [pageKey(2, 2, 0), /page 0 of level 2 is missing/],
        [indexPageKey(0), /page 0 of the key index is missing/],
      ] as const) {
        const value = await store.get(key);
        assert.ok(value !== undefined);
        for (const damaged of [undefined, value.slice(0, -1)]) {
          const batch = new StoreBatch();
          if (damaged === undefined) batch.delete(key);
          else batch.put(key, damaged);
          await store.write(batch);
          await assert.rejects(projection().apply(entryOf(3, writes), new PendingWrites(store)), (error: Error) => {
            assert.match(error.message, message);
            return hasCode('STORE_DAMAGED')(error);
          });
        }
        const repaired = new StoreBatch();
        repaired.put(key, value);
        await store.write(repaired);
      }
      await projection().apply(entryOf(3, writes), new PendingWrites(store));
    });
  });
});

async function threeVersions(keys: Bytes[]): Promise<KeyValueStore> {
  const random = new Random(8);
  const stored = new StoredVersions();
  for (let i = 0; i < 3; i++) await stored.apply(someWrites(random, keys, 100, 1));
  return stored.store;
}
