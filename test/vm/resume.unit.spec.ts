import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { concatBytes, fromHex, padAddress } from '../../src/common/bytes.ts';
import type { StoredAccountRecord } from '../../src/protocol/accountRecord.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import type { MissingKey } from '../../src/vm/loadedState.ts';
import { ABSENT } from '../../src/vm/loadedState.ts';
import type { LoadedState } from '../../src/vm/loadedState.ts';
import { wordToBytes } from '../../src/vm/words.ts';
import type { Words } from '../../src/vm/words.ts';
import { aBlockContext, anAddress, aWord, code, concat, from, initCodeOf, push } from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, included, SENDER } from './harness.ts';

const EXISTING = anAddress(0xe1);
const WITH_CODE = anAddress(0xe2);
const BIG = new Uint8Array(600).fill(0x5b);
const REST = code(push(1), push(2), 0x01, push(0), 0x52, 0x5a, push(32), 0x52, push(64), push(0), 0xf3);

/** Answers nothing that was not loaded before, and counts how often each key was asked for in vain. */
class ColdState implements LoadedState {
  readonly #state: TestState;
  readonly #loaded = new Set<string>();
  readonly misses: string[] = [];

  constructor(state: TestState) {
    this.#state = state;
  }

  static #name(key: MissingKey): string {
    const hex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex');
    return key.kind === 'slot'
      ? `slot ${hex(key.address)} ${hex(key.slot)}`
      : `${key.kind} ${hex(key.kind === 'account' ? key.address : key.hash)}`;
  }

  load(keys: readonly MissingKey[]): void {
    for (const key of keys) {
      assert.equal(this.#loaded.has(ColdState.#name(key)), false, 'a loaded key is not missing again');
      this.#loaded.add(ColdState.#name(key));
    }
  }

  #has(key: MissingKey): boolean {
    const isLoaded = this.#loaded.has(ColdState.#name(key));
    if (!isLoaded) this.misses.push(ColdState.#name(key));
    return isLoaded;
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined {
    return this.#has({ kind: 'account', address }) ? this.#state.account(address) : undefined;
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    const isLoaded = this.#has({ kind: 'slot', address, slot: wordToBytes(words, at) });
    return isLoaded ? this.#state.slot(address, words, at, value) : undefined;
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined {
    return this.#has({ kind: 'preimage', hash }) ? this.#state.preimage(hash) : undefined;
  }
}

const call = (to: Bytes, opcode: number, value = 0): Bytes =>
  code(
    push(32),
    push(0),
    push(32),
    push(0),
    opcode === 0xf1 || opcode === 0xf2 ? push(value) : '',
    push(to),
    push(500_000),
    opcode,
  );
const init = (runtime: Bytes): Bytes => {
  const word = new Uint8Array(32);
  word.set(initCodeOf(runtime));
  return code(push(word), push(0), 0x52);
};

/** Every opcode that can miss a key, each as the body of a contract of its own (codes are cached by content). */
const BODIES: Readonly<Record<string, Bytes>> = {
  SLOAD: code(push(7), 0x54, 0x50),
  'SLOAD of nothing': code(push(8), 0x54, 0x50),
  SSTORE: code(push(1), push(7), 0x55),
  'SSTORE of nothing': code(push(1), push(8), 0x55),
  BALANCE: code(push(EXISTING), 0x31, 0x50),
  EXTCODESIZE: code(push(WITH_CODE), 0x3b, 0x50),
  EXTCODEHASH: code(push(WITH_CODE), 0x3f, 0x50),
  'EXTCODECOPY behind memory growth': code(push(600), push(0), push(40), push(WITH_CODE), 0x3c),
  CALL: code(call(WITH_CODE, 0xf1), 0x50),
  'CALL with value': code(call(EXISTING, 0xf1, 3), 0x50),
  'CALL to nobody': code(call(anAddress(0xe9), 0xf1, 3), 0x50),
  CALLCODE: code(call(WITH_CODE, 0xf2), 0x50),
  DELEGATECALL: code(call(WITH_CODE, 0xf4), 0x50),
  STATICCALL: code(call(WITH_CODE, 0xfa), 0x50),
  CREATE: code(init(code(0x5b)), push(32), push(0), push(0), 0xf0, 0x50),
  CREATE2: code(init(code(0x5b)), push(9), push(32), push(0), push(0), 0xf5, 0x50),
  'a hook': code(
    push(0x62f84b24),
    push(224),
    0x1b,
    push(0),
    0x52,
    push(32),
    push(4),
    0x52,
    push(0),
    push(0),
    push(68),
    push(0),
    push(0),
    push(0x8008),
    0x5a,
    0xf1,
    0x50,
  ),
  'failing in the frame below': code(call(anAddress(0xe3), 0xf1), 0x50),
};
const SELFDESTRUCT = code(push(EXISTING), 0xff);

/** Salted with its index, so that no code was seen before. */
function aWorld(body: Bytes, salt: number): TestState {
  return aState(concat(body, REST, code(push(aWord(salt)))), { balance: 10n, slots: [[aWord(7), aWord(5)]] })
    .put(EXISTING, { balance: 1n, nonce: 3n })
    .put(WITH_CODE, {
      nonce: 1n,
      code: concat(code(push(4), 0x54, push(1), 0x01, push(4), 0x5d), BIG, push(aWord(salt))),
      slots: [[aWord(4), aWord(6)]],
    })
    .put(anAddress(0xe3), { nonce: 1n, code: concat(code(push(4), 0x54, 0xfe), push(aWord(salt))) });
}

describe('resuming', () => {
  const options: L2Options = { to: CONTRACT, gasLimit: 2_000_000n };
  const context = aBlockContext();

  function check(body: Bytes, salt: number, transaction: L2Options = options): number {
    const state = aWorld(body, salt);
    const warm = new BlockExecution({ context, state });
    const expected = included(drive(warm, state, from(SENDER, transaction)));
    const cold = new ColdState(aWorld(body, salt + 1_000_000));
    // The codes of the second world differ in their salt alone, so the results differ only in code hashes.
    const execution = new BlockExecution({ context, state: cold, turnBudget: 1 });
    let step = execution.start(from(SENDER, transaction));
    let turns = 0;
    while (step.kind === 'missing' || step.kind === 'paused') {
      turns += 1;
      assert.ok(turns < 10_000, 'every turn makes progress');
      if (step.kind === 'missing') cold.load(step.keys);
      step = execution.resume();
    }
    assert.deepEqual(included(step), expected);
    return cold.misses.length;
  }

  Object.entries(BODIES).forEach(([name, body], index) => {
    it(`${name}: after a miss as without`, () => {
      // Before the first opcode: sender, coinbase, 0x8001, contract, its code.
      assert.ok(check(body, index) > 5);
    });
  });

  it('SELFDESTRUCT: after a miss as without', () => {
    assert.ok(check(SELFDESTRUCT, 500) > 5);
  });

  it('a creation, an access list, a transfer to a contract', () => {
    check(code(0x5b), 501, { to: null, input: concat(initCodeOf(BIG)), gasLimit: 2_000_000n });
    check(code(0x5b), 502, {
      ...options,
      accessList: [
        { address: EXISTING, slots: [aWord(1)] },
        { address: CONTRACT, slots: [aWord(7)] },
      ],
    });
    check(code(0x5b), 503, { ...options, value: 5n });
  });

  it('a force deployment misses the account and the raw code at once', () => {
    const target = anAddress(0x10002);
    const state = new TestState();
    const hash = state.putRawCode(code(0x5b, 0x00));
    const cold = new ColdState(state);
    const execution = new BlockExecution({ context, state: cold });
    const input = concat(fromHex('f6eca0b0'), padAddress(target), hash, aWord(2), aWord(1));
    const transaction = {
      type: 0x7f as const,
      hash: aWord(1),
      raw: new Uint8Array(0),
      initiator: anAddress(0x800f),
      to: anAddress(0x8006),
      gasLimit: 1_000_000n,
      gasPerPubdataByteLimit: 800n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      nonce: 0n,
      value: 0n,
      toMint: 0n,
      refundRecipient: anAddress(0),
      input,
      factoryDeps: [],
    };
    let step = execution.start({ transaction, sender: transaction.initiator });
    const missed: number[] = [];
    while (step.kind === 'missing') {
      missed.push(step.keys.length);
      cold.load(step.keys);
      step = execution.resume();
    }
    assert.equal(missed.at(-1), 2);
    assert.equal(included(step as ReturnType<typeof drive>).success, true); // no turn is short enough to pause
  });

  it('a long loop pauses at jumps and comes to the same end', () => {
    const loop = code(push(2_000), 0x5b, push(1), 0x90, 0x03, 0x80, push(3), 0x57, REST);
    const state = aState(loop);
    const whole = included(drive(new BlockExecution({ context, state }), state, from(SENDER, options)));
    const sliced = new BlockExecution({ context, state, turnBudget: 100 });
    let step = sliced.start(from(SENDER, options));
    let pauses = 0;
    while (step.kind === 'paused') {
      pauses += 1;
      step = sliced.resume();
    }
    assert.deepEqual(included(step as ReturnType<typeof drive>), whole); // the loop leaves no other kind
    assert.ok(pauses > 100 && pauses < 300, `${pauses}`);
  });

  it('creations of nothing fill turns, too', () => {
    const state = aState(
      code(push(1_000), 0x5b, 0x5f, 0x5f, 0x5f, 0xf0, 0x50, push(1), 0x90, 0x03, 0x80, push(3), 0x57),
    );
    const execution = new BlockExecution({ context, state, turnBudget: 60_000 });
    let step = execution.start(from(SENDER, { ...options, gasLimit: 40_000_000n }));
    let turns = 1;
    for (; step.kind === 'paused'; turns += 1) step = execution.resume();
    assert.ok(included(step as ReturnType<typeof drive>).success); // nothing is missing
    // About 10 microseconds each.
    assert.ok(turns >= 8, `${turns} turns`);
  });

  it('keeps as much transient storage as 90 million gas pay for, and forgets it with the transaction', () => {
    const COUNT = 680_000;
    // With two words of input puts the counter at the counter of transient storage; answers what lies at the first word.
    const loop = code(push(COUNT), 0x5b, 0x80, 0x80, 0x5d, push(1), 0x90, 0x03, 0x80, push(12), 0x57);
    const end = 8 + loop.length;
    const answer = code(0x5b, push(0), 0x35, 0x5c, push(0), 0x52, push(32), push(0), 0xf3);
    const state = aState(code(push(32), 0x36, 0x14, push(end), 0x57, 0x5b, loop, answer));
    const execution = new BlockExecution({ context: aBlockContext({ gasLimit: 1_000_000_000n }), state });
    let nonce = 0n;
    const answered = (input: Uint8Array): Uint8Array =>
      included(drive(execution, state, from(SENDER, { ...options, gasLimit: 95_000_000n, input, nonce: nonce++ })))
        .returnData;
    for (const slot of [COUNT, 1, COUNT + 1]) {
      const expected = aWord(slot > COUNT ? 0 : slot);
      assert.deepEqual(answered(concatBytes(aWord(slot), aWord(0))), expected);
      assert.deepEqual(answered(aWord(slot)), aWord(0));
    }
  });
});
