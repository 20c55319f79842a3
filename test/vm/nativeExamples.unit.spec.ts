import assert from 'node:assert/strict';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { l1AbiEncoding } from '../../src/protocol/transactionCodec.ts';
import { aBlockContext, anAddress, anL1Transaction, code, ETHER, from, push } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { drive, included } from './harness.ts';

const A = anAddress(0xaaaa);
const B = anAddress(0xbbbb);
const ABSENT_B = anAddress(0xcccc);

describe('native: worked examples (native 12)', () => {
  const free = aBlockContext({ pubdataPrice: 0n });
  const aRichPair = (): TestState => new TestState().put(A, { balance: ETHER }).put(B, { balance: 1n });

  it('first transfer of a block, the same not first, and to an absent account', () => {
    const state = aRichPair();
    const execution = new BlockExecution({ context: free, state });
    const transfer = { type: 0 as const, to: B, value: 5n, gasLimit: 21_000n };
    const first = included(drive(execution, state, from(A, transfer)));
    assert.equal(first.computationalNativeUsed, 1_145_440n);
    assert.equal(first.nativeUsed, 1_145_440n);
    assert.equal(first.gasUsed, 21_000n);

    const other = new BlockExecution({
      context: free,
      state: aRichPair().put(anAddress(1234), { balance: ETHER, nonce: 7n }),
    });
    const elsewhere = aRichPair().put(anAddress(1234), { balance: ETHER, nonce: 7n });
    included(drive(other, elsewhere, from(anAddress(1234), { ...transfer, to: anAddress(1235), nonce: 7n })));
    const second = included(drive(other, elsewhere, from(A, transfer)));
    assert.equal(second.computationalNativeUsed, 1_145_440n - 250_240n + 4_000n);

    const toAbsent = new BlockExecution({ context: free, state: aRichPair() });
    const third = included(drive(toAbsent, aRichPair(), from(A, { ...transfer, to: ABSENT_B })));
    assert.equal(third.computationalNativeUsed, 1_145_440n + 119_140n);
  });

  it('type 2 with a maximum above the price pays for the excess', () => {
    const state = aRichPair();
    const execution = new BlockExecution({ context: free, state });
    const output = included(
      drive(execution, state, from(A, { to: B, value: 5n, gasLimit: 21_000n, maxFeePerGas: 2_000n })),
    );
    assert.equal(output.computationalNativeUsed, 1_155_440n);
    assert.equal(output.effectiveGasPrice, 1_000n);
  });

  it('a deposit to an absent account', () => {
    const state = new TestState();
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const value = 0x01_0000_0000_0000_0000n;
    const deposit = anL1Transaction({ initiator: A, to: A, value, gasLimit: 300_000n, refundRecipient: B });
    assert.equal(l1AbiEncoding(deposit).length, 800);
    const output = included(drive(execution, state, { transaction: deposit, sender: A }));
    assert.equal(output.computationalNativeUsed, 510_740n);
    assert.equal(output.gasUsed, 104_800n);
    assert.equal(output.pubdataUsed, 88n + 32n + 1n + 10n);
    assert.equal(output.success, true);
    const block = execution.finish();
    state.apply(block);
    assert.equal(state.record(A).balance, value);
    assert.equal(state.record(B).balance, (300_000n - 104_800n) * 250_000_000n);
    assert.equal(state.record(aBlockContext().coinbase).balance, 104_800n * 250_000_000n);
  });
});

describe('native: what a block remembers (native 4.1)', () => {
  const context = aBlockContext({ pubdataPrice: 0n });
  const FIRST_EXISTING = 131_100n - 4_000n;
  const FIRST_ABSENT = 250_240n - 4_000n;

  it('equal records are one preimage', () => {
    // B and C have the same record: whoever comes second is spared its hash of 124 bytes.
    const C = anAddress(0xc0c0);
    const state = new TestState().put(A, { balance: ETHER }).put(B, { balance: 1n }).put(C, { balance: 1n });
    const other = new TestState().put(A, { balance: ETHER }).put(B, { balance: 1n }).put(C, { balance: 2n });
    const native = [state, other].map((s) => {
      const execution = new BlockExecution({ context, state: s });
      included(drive(execution, s, from(A, { to: B, gasLimit: 21_000n })));
      return included(drive(execution, s, from(A, { to: C, gasLimit: 21_000n, nonce: 1n }))).computationalNativeUsed;
    });
    assert.equal(native[1]! - native[0]!, 800n + 2n * 340n);
  });

  it('a destroyed contract leaves its slots loaded and unset, itself loaded and absent', () => {
    // CREATE2 of init code that writes slot 1 and destroys itself in favour of 0x99.
    const init = code(push(1), push(1), 0x55, push(0x99), 0xff);
    const word = new Uint8Array(32);
    word.set(init);
    const factory = anAddress(0xfac);
    const program = code(push(word), push(0), 0x52, push(0), push(init.length), push(0), push(0), 0xf5);
    const state = new TestState().put(A, { balance: ETHER }).put(factory, { nonce: 1n, code: program });
    const execution = new BlockExecution({ context, state });
    const run = (nonce: bigint): bigint => {
      const output = included(drive(execution, state, from(A, { to: factory, gasLimit: 200_000n, nonce })));
      assert.equal(output.success, true);
      return output.computationalNativeUsed;
    };
    const first = run(0n);
    const second = run(1n);
    const third = run(2n);
    assert.equal(second, third);
    const storedCode = BigInt(Math.ceil(program.length / 8) * 8 + 8);
    const codeHash = 800n + 340n * BigInt(Math.ceil(Number(storedCode) / 64));
    // Sender and factory (record and code) exist; 0x8001, the contract and 0x99 do not; the slot was absent, then only cold.
    // The deposit of no code: its stored form, of no bytes, is hashed each time.
    const expected = 2n * FIRST_EXISTING + codeHash + 3n * FIRST_ABSENT + (242_240n - 121_120n);
    assert.equal(first - second, expected);
  });
});
