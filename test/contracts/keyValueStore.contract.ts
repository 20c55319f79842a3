/** What every KeyValueStore does. Run on each implementation. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { asBuffer, compareBytes, concatBytes, toHex, u32be, type Bytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { digest } from '../../src/store/digest.ts';
import { type KeyValueStore, type RangeOptions, StoreBatch } from '../../src/store/keyValueStore.ts';

/** `open` gives an empty store; the suite closes it. */
export function keyValueStoreContract(open: () => Promise<KeyValueStore>): void {
  let store: KeyValueStore;

  beforeEach(async () => {
    store = await open();
  });

  afterEach(async () => {
    await store.close();
  });

  it('reads what was written, and undefined for the rest', async () => {
    await put(store, [text('a'), text('1')], [text('b'), text('')]);
    assert.deepEqual(await store.get(text('a')), text('1'));
    assert.deepEqual(await store.get(text('b')), new Uint8Array(0));
    assert.equal(await store.get(text('c')), undefined);
  });

  it('answers many keys in their order, repeated and missing ones included', async () => {
    await put(store, [text('a'), text('1')], [text('b'), text('2')]);
    const keys = [text('b'), text('x'), text('a'), text('b')];
    assert.deepEqual(await store.getMany(keys), [text('2'), undefined, text('1'), text('2')]);
    assert.deepEqual(await store.getMany([]), []);
  });

  it('lets the later change of a batch win and deletes', async () => {
    const batch = new StoreBatch();
    batch.put(text('a'), text('1'));
    batch.put(text('a'), text('2'));
    batch.put(text('b'), text('3'));
    batch.delete(text('b'));
    batch.delete(text('never there'));
    await store.write(batch);
    assert.deepEqual(await store.getMany([text('a'), text('b')]), [text('2'), undefined]);
    await remove(store, text('a'));
    assert.equal(await store.get(text('a')), undefined);
  });

  it('writes an empty batch, and the same batch twice', async () => {
    await store.write(new StoreBatch());
    const batch = new StoreBatch();
    batch.put(text('a'), text('1'));
    await store.write(batch);
    await store.write(batch);
    assert.deepEqual(await allKeys(store), [toHex(text('a'))]);
  });

  it('writes thousands of changes in one batch', async () => {
    const batch = new StoreBatch();
    for (let i = 0; i < 5000; i++) batch.put(u32be(i), u32be(i * 3));
    assert.equal(batch.size, 5000);
    assert.equal(batch.sizeBytes, 40_000);
    await store.write(batch);
    assert.deepEqual(await store.getMany([u32be(0), u32be(4999)]), [u32be(0), u32be(14_997)]);
    assert.equal((await allKeys(store)).length, 5000);
  });

  it('refuses an empty key', () => {
    assert.throws(() => new StoreBatch().put(new Uint8Array(0), text('1')), hasCode('ASSERTION'));
  });

  it('shares no memory with what was written or read', async () => {
    const value = text('value');
    await put(store, [text('a'), value]);
    value[0] = 0;
    const read = await store.get(text('a'));
    assert.deepEqual(read, text('value'));
    for await (const [key, entry] of store.range({})) {
      for (const bytes of [read, key, entry]) {
        assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
        assert.equal(bytes?.buffer.byteLength, bytes?.byteLength);
      }
      entry.fill(0);
    }
    assert.deepEqual(await store.get(text('a')), text('value'));
  });

  it('orders a key before those it is a prefix of, and bytes as unsigned numbers', async () => {
    const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [128, 1], [255], [255, 255]].map((bytes) =>
      Uint8Array.from(bytes),
    );
    await put(store, ...[...keys].reverse().map((key) => [key, key] as const));
    assert.deepEqual(await allKeys(store), keys.map(toHex));
    assert.deepEqual(await allKeys(store, { reverse: true }), keys.map(toHex).reverse());
  });

  it('gives every range that a sorted list gives', async () => {
    const keyBytes = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });
    const bound = fc.option(fc.uint8Array({ minLength: 1, maxLength: 3, max: 4 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.array(keyBytes, { maxLength: 30 }),
        fc.record({ gte: bound, gt: bound, lt: bound, lte: bound }),
        fc.boolean(),
        fc.option(fc.nat(12), { nil: undefined }),
        async (keys, bounds, reverse, limit) => {
          await clear(store);
          await put(store, ...keys.map((key) => [key, concatBytes(text('v'), key)] as const));
          const options: RangeOptions = {
            ...Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined)),
            reverse,
            ...(limit !== undefined && { limit }),
          };
          const entries: string[] = [];
          for await (const [key, value] of store.range(options)) {
            assert.deepEqual(value, concatBytes(text('v'), key));
            entries.push(toHex(key));
          }
          assert.deepEqual(entries, naiveRange(keys, options));
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  it('walks ranges longer than one step, forwards, backwards and with limits', async () => {
    await put(store, ...Array.from({ length: 1500 }, (_, i) => [u32be(i), u32be(i)] as const));
    const expected = Array.from({ length: 1500 }, (_, i) => toHex(u32be(i)));
    assert.deepEqual(await allKeys(store), expected);
    assert.deepEqual(await allKeys(store, { reverse: true }), [...expected].reverse());
    assert.deepEqual(await allKeys(store, { gt: u32be(9), limit: 1000 }), expected.slice(10, 1010));
    assert.deepEqual(
      await allKeys(store, { lt: u32be(700), reverse: true, limit: 650 }),
      expected.slice(50, 700).reverse(),
    );
  });

  it('walks ranges of large values', async () => {
    const value = new Uint8Array(300_000).fill(1);
    await put(store, ...Array.from({ length: 20 }, (_, i) => [u32be(i), value] as const));
    let count = 0;
    for await (const [key, read] of store.range({})) {
      assert.equal(asBuffer(key).readUInt32BE(0), count++);
      assert.equal(read.length, value.length);
    }
    assert.equal(count, 20);
  });

  it('can be left in the middle of a range, and closed there', async () => {
    await put(store, ...Array.from({ length: 100 }, (_, i) => [u32be(i), u32be(i)] as const));
    for await (const [key] of store.range({})) if (compareBytes(key, u32be(3)) === 0) break;
    const range = store.range({})[Symbol.asyncIterator]();
    await range.next();
    await store.close();
    await assert.rejects(async () => {
      for (let i = 0; i < 100; i++) await range.next();
    }, hasCode('STORE_CLOSED'));
  });

  it('throws STORE_CLOSED after close, from every method, and closes again', async () => {
    await put(store, [text('a'), text('1')]);
    await store.close();
    await store.close();
    const batch = new StoreBatch();
    batch.put(text('b'), text('2'));
    await assert.rejects(store.get(text('a')), hasCode('STORE_CLOSED'));
    await assert.rejects(store.getMany([text('a')]), hasCode('STORE_CLOSED'));
    await assert.rejects(store.write(batch), hasCode('STORE_CLOSED'));
    await assert.rejects(store.flush(), hasCode('STORE_CLOSED'));
    await assert.rejects(allKeys(store), hasCode('STORE_CLOSED'));
  });

  it('finishes what is under way when it is closed', async () => {
    const batch = new StoreBatch();
    for (let i = 0; i < 3000; i++) batch.put(u32be(i), u32be(i));
    const work = [store.write(batch), store.get(text('a'))];
    await store.close();
    await Promise.all(work);
  });

  it('has a digest that tells any two contents apart', async () => {
    const empty = await digest(store);
    await put(store, [text('ab'), text('c')]);
    const one = await digest(store);
    assert.equal(one.keys, 1);
    assert.notEqual(one.hash, empty.hash);
    await remove(store, text('ab'));
    await put(store, [text('a'), text('bc')]);
    assert.notEqual((await digest(store)).hash, one.hash);
    await put(store, [text('ab'), text('c')]);
    await store.flush();
    assert.deepEqual(await digest(store, { exclude: [text('a')] }), one);
  });
}

export function text(value: string): Bytes {
  return new TextEncoder().encode(value);
}

export function hasCode(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NodeError, `a NodeError with code ${code}, not ${String(error)}`);
    assert.equal(error.code, code);
    return true;
  };
}

export async function put(store: KeyValueStore, ...entries: readonly (readonly [Bytes, Bytes])[]): Promise<void> {
  const batch = new StoreBatch();
  for (const [key, value] of entries) batch.put(key, value);
  await store.write(batch);
}

async function remove(store: KeyValueStore, ...keys: readonly Bytes[]): Promise<void> {
  const batch = new StoreBatch();
  for (const key of keys) batch.delete(key);
  await store.write(batch);
}

async function clear(store: KeyValueStore): Promise<void> {
  const keys: Bytes[] = [];
  for await (const [key] of store.range({})) keys.push(key);
  await remove(store, ...keys);
}

async function allKeys(store: KeyValueStore, options: RangeOptions = {}): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of store.range(options)) keys.push(toHex(key));
  return keys;
}

function naiveRange(keys: readonly Bytes[], { gte, gt, lt, lte, reverse, limit }: RangeOptions): string[] {
  const inside = [...new Set(keys.map(toHex))]
    .map((hex) => new Uint8Array(Buffer.from(hex.slice(2), 'hex')))
    .filter((key) => (!gte || compareBytes(key, gte) >= 0) && (!gt || compareBytes(key, gt) > 0))
    .filter((key) => (!lte || compareBytes(key, lte) <= 0) && (!lt || compareBytes(key, lt) < 0))
    .sort(compareBytes);
  if (reverse === true) inside.reverse();
  return inside.slice(0, limit).map(toHex);
}
