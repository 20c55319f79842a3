import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { bytesKey } from '../../src/common/bytes.ts';
import {
  EMPTY_ACCOUNT_RECORD,
  decodeAccountRecord,
  deployedAccountFields,
  encodeAccountRecord,
  storedCode,
} from '../../src/protocol/accountRecord.ts';
import type { StateAtBlock, StateOverride } from '../../src/rpc/backend.ts';
import { CallState, PreimageCache } from '../../src/rpc/callState.ts';
import { ABSENT } from '../../src/vm/loadedState.ts';
import { loadedSlot } from '../support/loadedSlot.ts';

const address = (n: number): Bytes => new Uint8Array(20).fill(n);
const word = (n: number): Bytes => new Uint8Array(32).fill(n);
const RECORD = encodeAccountRecord({ ...EMPTY_ACCOUNT_RECORD, nonce: 5n, balance: 100n });

describe('callState', () => {
  let reads: string[];
  let state: StateAtBlock;

  beforeEach(() => {
    reads = [];
    state = {
      account: async (at, block) => {
        reads.push(`account ${at[0]} @${block}`);
        return at[0] === 1 ? RECORD : undefined;
      },
      slot: async (at, slot, block) => {
        reads.push(`slot ${at[0]} ${slot[0]} @${block}`);
        return at[0] === 1 && slot[0] === 1 ? word(9) : undefined;
      },
      preimage: async (hash) => {
        reads.push(`preimage ${hash[0]}`);
        return hash[0] === 1 ? Uint8Array.of(1, 2, 3) : undefined;
      },
    };
  });

  const aState = (overrides: readonly StateOverride[] = [], cache = new PreimageCache(1_000)) =>
    new CallState({ state, blockNumber: 7, overrides, cache });

  it('answers nothing before and what is stored after loading, at its block', async () => {
    const view = aState();
    assert.equal(view.account(address(1)), undefined);
    assert.equal(loadedSlot(view, address(1), word(1)), undefined);
    assert.equal(view.preimage(word(1)), undefined);
    await view.load([
      { kind: 'account', address: address(1) },
      { kind: 'account', address: address(2) },
      { kind: 'slot', address: address(1), slot: word(1) },
      { kind: 'slot', address: address(1), slot: word(2) },
      { kind: 'preimage', hash: word(1) },
      { kind: 'preimage', hash: word(2) },
    ]);
    const stored = view.account(address(1));
    assert.ok(stored !== undefined && stored !== ABSENT);
    assert.deepEqual(stored.bytes, RECORD);
    assert.equal(view.account(address(2)), ABSENT);
    assert.deepEqual(loadedSlot(view, address(1), word(1)), word(9));
    assert.equal(loadedSlot(view, address(1), word(2)), ABSENT);
    assert.deepEqual(view.preimage(word(1)), Uint8Array.of(1, 2, 3));
    assert.equal(view.preimage(word(2)), ABSENT);
    assert.deepEqual(reads, ['account 1 @7', 'account 2 @7', 'slot 1 1 @7', 'slot 1 2 @7', 'preimage 1', 'preimage 2']);
  });

  it('keeps preimages over calls, but not that one was missing', async () => {
    const cache = new PreimageCache(1_000);
    await aState([], cache).load([
      { kind: 'preimage', hash: word(1) },
      { kind: 'preimage', hash: word(2) },
    ]);
    const next = aState([], cache);
    assert.deepEqual(next.preimage(word(1)), Uint8Array.of(1, 2, 3));
    assert.equal(next.preimage(word(2)), undefined);
  });

  it('forgets the preimages that were not used for longest', () => {
    const cache = new PreimageCache(100);
    cache.set('a', new Uint8Array(40));
    cache.set('b', new Uint8Array(40));
    assert.ok(cache.get('a'));
    cache.set('c', new Uint8Array(40));
    assert.equal(cache.get('b'), undefined);
    assert.ok(cache.get('a') && cache.get('c'));
    cache.set('huge', new Uint8Array(101));
    assert.equal(cache.get('huge'), undefined);
    assert.ok(cache.get('a') && cache.get('c'));
  });

  it('puts account overrides on top of what is stored', async () => {
    const code = Uint8Array.of(0x5b, 0x00);
    const view = aState([
      { address: address(1), balance: 7n },
      { address: address(2), nonce: 3n, code },
      { address: address(3) },
    ]);
    await view.load([1, 2, 3].map((n) => ({ kind: 'account', address: address(n) })));
    const record = (n: number) => {
      const stored = view.account(address(n));
      assert.ok(stored !== undefined && stored !== ABSENT);
      return stored.record;
    };
    assert.deepEqual(record(1), { ...decodeAccountRecord(RECORD), balance: 7n });
    const fields = deployedAccountFields(code);
    assert.deepEqual(record(2), { ...fields, nonce: 3n, balance: 0n });
    assert.deepEqual(view.preimage(fields.bytecodeHash), storedCode(code));
    assert.equal(view.account(address(3)), ABSENT);
  });

  it('takes code away', async () => {
    const stored = encodeAccountRecord({ ...deployedAccountFields(Uint8Array.of(0)), nonce: 1n, balance: 2n });
    state = { ...state, account: async () => stored };
    const view = aState([{ address: address(1), code: new Uint8Array(0) }]);
    await view.load([{ kind: 'account', address: address(1) }]);
    const loaded = view.account(address(1));
    assert.ok(loaded !== undefined && loaded !== ABSENT);
    assert.deepEqual(loaded.record, { ...EMPTY_ACCOUNT_RECORD, nonce: 1n, balance: 2n });
  });

  it('replaces the whole storage with `state` and single slots with `stateDiff`', async () => {
    const view = aState([
      { address: address(1), state: [[word(2), word(5)]] },
      { address: address(4), stateDiff: [[word(2), word(6)]] },
    ]);
    assert.equal(loadedSlot(view, address(1), word(1)), ABSENT);
    assert.deepEqual(loadedSlot(view, address(1), word(2)), word(5));
    assert.deepEqual(loadedSlot(view, address(4), word(2)), word(6));
    assert.equal(loadedSlot(view, address(4), word(1)), undefined);
    await view.load([{ kind: 'slot', address: address(4), slot: word(1) }]);
    assert.equal(loadedSlot(view, address(4), word(1)), ABSENT);
    assert.equal(bytesKey(word(5)).length, 32);
  });
});
