import assert from 'node:assert/strict';
import { accountRecordHash, encodeAccountRecord, EMPTY_ACCOUNT_RECORD } from '../../src/protocol/accountRecord.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { StateCache, stateLayer, type StateCacheLimits } from '../../src/store/stateCache.ts';
import { padAddress } from '../../src/common/bytes.ts';
import { ABSENT, type MissingKey } from '../../src/vm/loadedState.ts';
import { anAddress, aWord } from '../support/factories.ts';
import { loadedSlot } from '../support/loadedSlot.ts';

const account = (index: number): MissingKey => ({ kind: 'account', address: anAddress(index) });
const slot = (index: number, word: number): MissingKey => ({
  kind: 'slot',
  address: anAddress(index),
  slot: aWord(word),
});
const preimage = (index: number): MissingKey => ({ kind: 'preimage', hash: aWord(index) });
const recordWith = (balance: bigint) => encodeAccountRecord({ ...EMPTY_ACCOUNT_RECORD, balance });

/** A source in which even numbers are there, and what was read of it. */
function aCache(limits?: Partial<StateCacheLimits>) {
  const reads: MissingKey[] = [];
  const cache = new StateCache(
    {
      readState: async (keys) => {
        reads.push(...keys);
        return keys.map((key) => {
          if (key.kind === 'account') return key.address[19]! % 2 === 0 ? recordWith(7n) : undefined;
          if (key.kind === 'slot') return key.slot[31]! % 2 === 0 ? aWord(7) : undefined;
          return key.hash[31]! % 2 === 0 ? new Uint8Array(40) : undefined;
        });
      },
    },
    limits,
  );
  return { cache, reads };
}

function aLayer(height: number, balance: bigint, value: number) {
  const record = recordWith(balance);
  const hash = accountRecordHash(record);
  return stateLayer(height, {
    writes: [
      {
        flatKey: aWord(1),
        address: ACCOUNT_PROPERTIES_ADDRESS,
        slot: padAddress(anAddress(1)),
        value: hash,
        accountRecord: record,
      },
      { flatKey: aWord(2), address: anAddress(2), slot: aWord(3), value: aWord(value), accountRecord: undefined },
    ],
    preimages: [
      { hash, bytes: record },
      { hash: aWord(11), bytes: Uint8Array.of(1, 2, 3) },
    ],
  });
}

describe('store/stateCache', () => {
  it('says what is missing, and after loading what is there and what is not', async () => {
    const { cache } = aCache();
    const view = cache.view([]);
    const keys = [account(1), account(2), slot(1, 1), slot(1, 2), preimage(1), preimage(2)];
    assert.deepEqual(view.missing(keys), keys);
    await view.load(keys);
    assert.deepEqual(view.missing(keys), []);
    assert.equal(view.account(anAddress(1)), ABSENT);
    const record = view.account(anAddress(2));
    assert.ok(record !== undefined && record !== ABSENT);
    assert.equal(record.record.balance, 7n);
    assert.equal(loadedSlot(view, anAddress(1), aWord(1)), ABSENT);
    assert.deepEqual(loadedSlot(view, anAddress(1), aWord(2)), aWord(7));
    assert.equal(view.preimage(aWord(1)), ABSENT);
    assert.deepEqual(view.preimage(aWord(2)), new Uint8Array(40));
  });

  it('shows the newest layer first, then the older ones, then what is accepted', async () => {
    const { cache } = aCache();
    await cache.load([account(1), slot(2, 3), slot(2, 4)]);
    const first = aLayer(1, 1n, 100);
    const second = aLayer(2, 2n, 200);
    const balanceIn = (layers: Parameters<StateCache['view']>[0]) => {
      const stored = cache.view(layers).account(anAddress(1));
      return stored === undefined || stored === ABSENT ? stored : stored.record.balance;
    };
    assert.equal(balanceIn([]), ABSENT);
    assert.equal(balanceIn([first]), 1n);
    assert.equal(balanceIn([first, second]), 2n);
    assert.deepEqual(loadedSlot(cache.view([first, second]), anAddress(2), aWord(3)), aWord(200));
    assert.deepEqual(loadedSlot(cache.view([first, second]), anAddress(2), aWord(4)), aWord(7));
    assert.deepEqual(cache.view([first]).preimage(aWord(11)), Uint8Array.of(1, 2, 3));
    cache.apply(first);
    assert.equal(balanceIn([]), 1n);
    assert.deepEqual(loadedSlot(cache.view([]), anAddress(2), aWord(3)), aWord(100));
    assert.deepEqual(cache.view([]).preimage(aWord(11)), Uint8Array.of(1, 2, 3));
    assert.deepEqual(cache.view([]).missing([preimage(12)]), [preimage(12)]);
  });

  it('keeps what was applied over a read that was under way', async () => {
    const { cache } = aCache();
    const reading = cache.load([account(1), slot(2, 3)]);
    cache.apply(aLayer(1, 5n, 50));
    await reading;
    const stored = cache.view([]).account(anAddress(1));
    assert.ok(stored !== undefined && stored !== ABSENT);
    assert.equal(stored.record.balance, 5n);
    assert.deepEqual(loadedSlot(cache.view([]), anAddress(2), aWord(3)), aWord(50));
  });

  for (const [name, limits, keyOf] of [
    ['accounts', { entries: 4 }, account],
    ['slots', { entries: 4 }, (index: number) => slot(index, index)],
    ['preimages', { entries: 4 }, preimage],
    ['bytes of preimages', { preimageBytes: 160 }, (index: number) => preimage(2 * index)],
  ] as const) {
    it(`forgets the oldest ${name} beyond the limit, and keeps what is used`, async () => {
      const { cache, reads } = aCache(limits);
      const view = cache.view([]);
      const isThere = (index: number): boolean => view.missing([keyOf(index)]).length === 0;
      for (let index = 1; index <= 20; index++) {
        await view.load([keyOf(index)]);
        assert.ok(isThere(index), `${index} was just loaded`);
        assert.ok(isThere(1), `1 was used before ${index}`);
      }
      const kept = Array.from({ length: 20 }, (_, i) => i + 1).filter(isThere);
      assert.ok(kept.length <= 9, `kept ${kept.join()}`);
      assert.equal(reads.length, 20);
    });
  }
});
