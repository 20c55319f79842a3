import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Bytes, bytesKey, keyBytes } from '../../src/common/bytes.ts';
import { compareStores } from '../../src/store/compareStores.ts';
import { StoreBatch } from '../../src/store/keyValueStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';

async function storeOf(entries: Iterable<readonly [key: string, value: string]>): Promise<MemoryStore> {
  const store = new MemoryStore();
  const batch = new StoreBatch();
  for (const [key, value] of entries) batch.put(keyBytes(key), keyBytes(value));
  await store.write(batch);
  return store;
}

describe('store/compareStores', () => {
  it('counts and names what differs, in the order of the keys', async () => {
    const entries = fc.dictionary(
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 2 }),
      fc.constantFrom('1', '2'),
      {
        maxKeys: 8,
      },
    );
    await fc.assert(
      fc.asyncProperty(entries, entries, async (a, b) => {
        const [left, right] = [await storeOf(Object.entries(a)), await storeOf(Object.entries(b))];
        const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
        const different = keys.filter((key) => a[key] !== b[key]);
        const result = await compareStores(left, right);
        assert.equal(result.keys, Object.keys(a).length);
        assert.equal(result.differences, different.length);
        const [first] = different;
        const textOf = (bytes: Bytes | undefined): string | undefined => bytes && bytesKey(bytes);
        assert.deepEqual(
          result.first && [textOf(result.first.key), textOf(result.first.stored), textOf(result.first.expected)],
          first === undefined ? undefined : [first, a[first], b[first]],
        );
      }),
      { numRuns: 200 },
    );
  });

  it('leaves out what may differ, tells how far it is and stops at the signal', async () => {
    const [left, right] = [
      await storeOf([
        ['a', '1'],
        ['b', '2'],
      ]),
      await storeOf([
        ['a', '3'],
        ['b', '2'],
      ]),
    ];
    const seen: number[] = [];
    const { differences } = await compareStores(left, right, {
      exclude: [keyBytes('a')],
      progress: (keys) => seen.push(keys),
    });
    assert.equal(differences, 0);
    assert.deepEqual(seen, [1, 2]);
    await assert.rejects(compareStores(left, right, { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  });
});
