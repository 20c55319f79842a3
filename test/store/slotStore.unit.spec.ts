import assert from 'node:assert/strict';
import { SlotStore } from '../../src/store/slotStore.ts';
import { LIMBS, readBytes, wordToBytes } from '../../src/vm/words.ts';
import { anAddress, aWord } from '../support/factories.ts';
import { seededRandom } from '../support/testState.ts';

describe('store/slotStore', () => {
  const read = (store: SlotStore, address: Uint8Array, slot: Uint8Array) => {
    const words = new Uint32Array(LIMBS);
    const value = new Uint32Array(LIMBS);
    readBytes(slot, 0, 32, words, 0);
    const answer = store.read(address, words, 0, value);
    return answer === true ? wordToBytes(value, 0) : answer;
  };

  it('tells a stored zero, an absent slot and an unknown one apart', () => {
    const store = new SlotStore();
    store.writeBytes(anAddress(1), aWord(1), aWord(0));
    store.writeBytes(anAddress(1), aWord(2), undefined);
    assert.deepEqual(read(store, anAddress(1), aWord(1)), aWord(0));
    assert.equal(read(store, anAddress(1), aWord(2)), false);
    assert.equal(read(store, anAddress(1), aWord(3)), undefined);
    assert.equal(read(store, anAddress(2), aWord(1)), undefined);
    assert.equal(store.size, 2);
  });

  it('answers like a map after any writes, copies and clearing', () => {
    const random = seededRandom(5);
    const below = (end: number): number => Math.floor(random() * end);
    const accounts = Array.from({ length: 7 }, (_, i) => anAddress(i + 1));
    const slots = Array.from({ length: 40 }, (_, i) => aWord(i));
    let expected = new Map<string, Uint8Array | false>();
    let store = new SlotStore();
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 50; i++) {
        const [account, slot] = [below(accounts.length), below(slots.length)];
        const value = random() < 0.2 ? undefined : aWord(below(1_000));
        store.writeBytes(accounts[account]!, slots[slot]!, value);
        expected.set(`${account} ${slot}`, value ?? false);
      }
      if (round % 7 === 6) {
        store.clear();
        expected = new Map();
      } else if (round % 3 === 2) {
        const copy = new SlotStore();
        copy.writeBytes(accounts[0]!, slots[0]!, aWord(5));
        copy.writeAll(store);
        store = copy;
        if (!expected.has('0 0')) expected.set('0 0', aWord(5));
      }
      assert.equal(store.size, expected.size);
      accounts.forEach((address, account) =>
        slots.forEach((slot, index) =>
          assert.deepEqual(read(store, address, slot), expected.get(`${account} ${index}`)),
        ),
      );
    }
  });

  it('keeps everything while it grows', () => {
    const store = new SlotStore();
    const address = (i: number): Uint8Array => anAddress(1 + (i % 5_000));
    for (let i = 0; i < 10_000; i++) store.writeBytes(address(i), aWord(i), aWord(i + 1));
    assert.equal(store.size, 10_000);
    for (let i = 0; i < 10_000; i++) assert.deepEqual(read(store, address(i), aWord(i)), aWord(i + 1));
    assert.equal(read(store, address(0), aWord(10_000)), undefined);
  });
});
