/** Bounds of the rules, one unit on each side: what the tests of the rules themselves do not tell from its neighbours. */
import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { nativeBudget, saturate } from '../../src/vm/nativeBudget.ts';
import { abiLength } from '../../src/vm/l2Transaction.ts';
import { wouldStopVm } from '../../src/vm/l1Transaction.ts';
import { Simulation } from '../../src/vm/simulation.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';
import { aBlockContext, anAddress, anL1Transaction, anL2Transaction, aWord, code, push } from '../support/factories.ts';
import { aState, CONTRACT, runOne, SENDER } from './harness.ts';

const context = { pubdataPrice: 0n };

/** Native of a call of CONTRACT that fails or not. */
function nativeOf(program: Bytes, options: Parameters<typeof runOne>[1] = {}): bigint {
  return runOne(aState(program), { context, ...options }).output.computationalNativeUsed;
}

describe('bounds of the constants', () => {
  it('a budget saturates at 64 bits', () => {
    const max = (1n << 64n) - 1n;
    assert.equal(saturate(max), max);
    assert.equal(saturate(max - 1n), max - 1n);
    assert.equal(saturate(max + 1n), max);
    const options = { isL1: false, inputLength: 0, perPubdata: 1n } as const;
    assert.equal(nativeBudget({ ...options, gasLimit: 1n << 40n, perGas: 1n << 24n }).total, max);
    // Price 0: unlimited, and what is above 2^35 is withheld.
    const free = nativeBudget({ ...options, gasLimit: 100n, perGas: 0n });
    assert.deepEqual([free.total, free.withheld, free.start], [0n, max - (1n << 35n), 2 ** 35 - 30_000]);
  });

  it('memory ends at 2^32 - 32: beyond it growth is not even charged', () => {
    const gasLimit = (1n << 53n) - 1n;
    const huge = { gasLimit, context: { ...context, gasLimit, eip1559BaseFee: 1_000n } };
    const at = (offset: number): bigint => nativeOf(code(push(1), push(offset), 0x53), huge);
    assert.equal(at(0xffff_ffdf) - at(0xffff_ffe0), 35n + (1n << 32n) - 32n);
  });

  it('memory costs three gas a word and the square by 512', () => {
    // 724 words: 524,176 / 512 = 1,023.8, which is neither by 511 nor by 513.
    const { output } = runOne(aState(code(push(1), push(724 * 32 - 1), 0x53)), { context });
    assert.equal(output.gasUsed, 21_000n + 3n + 3n + 3n + 3n * 724n + 1_023n);
  });

  it('SSTORE fails with 2,300 gas left and runs with one more', () => {
    const callee = anAddress(0xca11ee);
    // PUSH0, SLOAD, PUSH0: the slot is warm, its own value is written for 100 gas.
    const rewrites = code(0x5f, 0x54, 0x5f, 0x55);
    const spends = (gas: number): bigint => {
      const outer = code(0x5f, 0x5f, 0x5f, 0x5f, 0x5f, push(callee), push(gas), 0xf1);
      const state = aState(outer).put(callee, { nonce: 1n, code: rewrites, slots: [[aWord(0), aWord(1)]] });
      return runOne(state, { context }).output.gasUsed - (21_000n + 5n * 2n + 3n + 3n + 2_600n);
    };
    assert.equal(spends(2_104 + 2_300), 2_104n + 2_300n);
    assert.equal(spends(2_104 + 2_301), 2_104n + 100n);
  });

  it('a simulation counts 100 native as a gas', () => {
    // 100 hashes of a word: 20,000 native each for 36 gas.
    const state = aState(code(...Array.from({ length: 100 }, () => code(push(32), 0x5f, 0x20, 0x50))));
    const { output } = runOne(state, { context });
    const simulation = new Simulation({
      context: aBlockContext(context),
      state,
      transaction: {
        type: 2,
        from: SENDER,
        to: CONTRACT,
        input: new Uint8Array(0),
        value: 0n,
        gasLimit: 10_000_000n,
        gasPrice: 0n,
        nonce: 0n,
        accessList: [],
      },
    });
    const step = simulation.start();
    assert.ok(step.kind === 'done');
    assert.equal(step.gasUsed, output.nativeUsed / 100n);
    assert.ok(step.gasUsed > output.gasUsed);
  });

  it('a simulated request of L1 pays 800 gas for a byte of pubdata', () => {
    const simulation = new Simulation({
      context: aBlockContext(),
      state: aState(),
      transaction: {
        type: 0x7f,
        from: anAddress(0xa11ce),
        to: anAddress(0xb0b),
        input: new Uint8Array(0),
        value: 5n,
        gasLimit: 1_000_000n,
        gasPrice: 0n,
        nonce: 0n,
        accessList: [],
      },
    });
    const step = simulation.start();
    assert.ok(step.kind === 'done');
    // 88 bytes and the recipient's 35. At 100 native per gas the computation counts too: I, hash, mint to an absent
    // account, its record, the absent recipient, acct and transfer of the value.
    const computation = 130_000 + (2_500 + 6 * 17_500) + (250_240 + 1_000) + 4_000 + 250_240 + (4_000 + 10_000);
    assert.equal(step.gasUsed, 800n * (88n + 35n) + BigInt(Math.floor(computation / 100)));
  });

  it('memory of all frames stays below 2^27 bytes, to the byte', () => {
    const gasLimit = 100_000_000_000n;
    const huge = { gasLimit, context: { ...context, gasLimit, eip1559BaseFee: 1_000n } };
    const succeeds = (end: number): boolean => runOne(aState(code(push(1), push(end - 1), 0x53)), huge).output.success;
    assert.equal(succeeds(2 ** 27 - 32), true);
    assert.equal(succeeds(2 ** 27 - 31), false);
  });

  it('a creation at depth 1,025 is refused, one at 1,024 is not', () => {
    const call = code(0x5f, 0x5f, 0x5f, 0x5f, 0x5f, push(CONTRACT), 0x5a, 0xf1);
    const create = code(0x5f, 0x5f, 0x5f, 0xf0, 0x15);
    const answer = code(push(1), 0x5c, push(8), 0x1b, push(2), 0x5c, 0x01, 0x5f, 0x52, push(32), 0x5f, 0xf3);
    // The deepest frame, whose call fails, keeps in transient slot 1 whether its creation did; the frame above it keeps the
    // same, and one more, in slot 2; the others find slot 2 taken.
    const build = (parent: number, end: number): Bytes =>
      code(
        code(call, push(parent), 0x57, create, push(1), 0x5d, push(end), 0x56),
        code(0x5b, push(2), 0x5c, push(end), 0x57, create, push(1), 0x01, push(2), 0x5d),
        code(0x5b, answer),
      );
    const parent = code(call, push(0), 0x57, create, push(1), 0x5d, push(0), 0x56).length;
    const program = build(parent, build(0, 0).length - answer.length - 1);
    const gasLimit = 100_000_000_000_000n;
    const { output } = runOne(aState(program), { gasLimit, context: { ...context, gasLimit } });
    assert.deepEqual(output.returnData, aWord(0x101));
  });

  it('init code gets all gas but a 64th', () => {
    // GAS, PUSH0, MSTORE, PUSH1 32, PUSH0, LOG0: the log says how much it has behind GAS.
    const init = code(0x5a, 0x5f, 0x52, push(32), 0x5f, 0xa0);
    const program = code(push(init), 0x5f, 0x52, push(init.length), push(32 - init.length), 0x5f, 0xf0);
    const { output } = runOne(aState(program), { gasLimit: 10_000_000n, context });
    const left = 10_000_000n - 21_000n - (3n + 2n + 6n + 3n + 3n + 2n) - (32_000n + 2n);
    assert.deepEqual(output.logs[0]?.data, aWord(left - left / 64n - 2n));
  });

  it('the deposit hashes code, padding and map: a byte more is another round where they end', () => {
    // Init code that puts out so many zero bytes. Stored are 8 x ceil(n / 8) + 8 x ceil(n / 64) bytes.
    const native = (size: number): bigint => {
      const word = new Uint8Array(32);
      word.set(code(push(aWord(size).slice(30)), 0x5f, 0xf3));
      return nativeOf(code(push(word), 0x5f, 0x52, push(5), 0x5f, 0x5f, 0xf0));
    };
    const known = (size: number, keccakRounds: number, blakeRounds: number): number =>
      32 * Math.ceil(size / 32) + 17_500 * keccakRounds + 6 * size + 340 * blakeRounds;
    const one = native(1);
    for (const [size, keccakRounds, blakeRounds] of [
      [56, 1, 1], // 56 + 8 = 64
      [57, 1, 2], // 64 + 8 = 72
      [448, 4, 8], // 448 + 56 = 504
      [449, 4, 9], // 456 + 64 = 520
      [512, 4, 9], // 512 + 64 = 576
      [513, 4, 10], // 520 + 72 = 592
    ] as const)
      assert.equal(Number(native(size) - one), known(size, keccakRounds, blakeRounds) - known(1, 1, 1), `${size}`);
  });

  it('a copy is out of gas where its ergs leave 64 bits, fatal below', () => {
    // Gas is 3 + 3 per word: 2^56 gas from (2^56 - 1) / 3 words on.
    const words = ((1n << 56n) - 1n) / 3n;
    const isFatal = (size: bigint): boolean => {
      const callee = anAddress(0xca11ee);
      const outer = code(push(0), push(0), push(0), push(0), push(0), push(callee), push(100_000), 0xf1);
      const state = aState(outer).put(callee, { nonce: 1n, code: code(push(size), push(0), push(0), 0x37) });
      return !runOne(state, { context }).output.success;
    };
    assert.equal(isFatal(32n * (words - 1n)), true);
    assert.equal(isFatal(32n * (words - 1n) + 1n), false);
  });

  it('keccak takes a round more from 137 bytes on, blake from 65', () => {
    const hashed = (size: number): bigint => nativeOf(code(push(size), push(0), 0x20));
    assert.equal(hashed(137) - hashed(136), 17_500n);
    assert.equal(hashed(136) - hashed(135), 0n);
    assert.equal(hashed(273) - hashed(272), 17_500n);
    // The contract's own code: 49 to 56 bytes with a map of 8 are one round, 57 bytes are 72 in all.
    const loaded = (size: number): bigint => nativeOf(new Uint8Array(size));
    assert.equal(loaded(57) - loaded(56), 340n);
    assert.equal(loaded(56) - loaded(48), 0n);
    // 64 bytes are 64 + 8, 65 bytes 72 + 16: 88, two rounds both.
    assert.equal(loaded(65) - loaded(64), 0n);
    // 112 + 16 = 128 bytes are two, 120 + 16 three.
    assert.equal(loaded(113) - loaded(112), 340n);
    // 448 + 56 = 504 bytes are eight, 456 + 64 = 520 nine.
    assert.equal(loaded(456) - loaded(448), 340n);
  });

  it('the ABI form counts every word', () => {
    // 19 words of head; input, signature of 65 bytes, and three more tails with nothing but their length.
    const empty = abiLength(anL2Transaction());
    assert.equal(empty, 32 * (19 + 1 + (1 + 3) + 1 + 1 + 1));
    const withInput = (size: number): number => abiLength(anL2Transaction({ input: new Uint8Array(size) })) - empty;
    assert.deepEqual([1, 32, 33].map(withInput), [32, 32, 64]);
    const slots = [aWord(1), aWord(2)];
    const one = [{ address: anAddress(1), slots: [] }];
    // The list's offset and length; per entry its offset, address, offset and length of the keys.
    assert.equal(abiLength(anL2Transaction({ accessList: one })) - empty, 64 + 32 * 4);
    assert.equal(abiLength(anL2Transaction({ accessList: [{ address: anAddress(1), slots }] })) - empty, 64 + 32 * 6);
  });

  it('wouldStopVm: every bound, one below and one above', () => {
    const stops = (overrides: Partial<L1TransactionFields>, gasLimit = 1n << 55n): boolean =>
      wouldStopVm({ ...anL1Transaction(), ...overrides }, { gasLimit }) !== undefined;
    const max256 = (1n << 256n) - 1n;
    assert.equal(stops({}, (1n << 56n) - 1n), false);
    assert.equal(stops({}, 1n << 56n), true);
    const free = { maxFeePerGas: 0n, toMint: max256 };
    assert.equal(stops({ ...free, gasPerPubdataByteLimit: (1n << 32n) - 1n }), false);
    assert.equal(stops({ ...free, gasPerPubdataByteLimit: 1n << 32n }), true);
    const fee = (maxFeePerGas: bigint, gasLimit: bigint): boolean =>
      stops({ maxFeePerGas, gasLimit, toMint: max256, gasPerPubdataByteLimit: 0n });
    assert.equal(fee((1n << 128n) - 1n, 1n), false);
    assert.equal(fee(1n << 128n, 1n), true);
    const worth = (value: bigint): boolean => stops({ value, maxFeePerGas: 1n, gasLimit: 1n, toMint: max256 });
    assert.equal(worth(max256 - 1n), false);
    assert.equal(worth(max256), true);
    const pubdata = (maxFeePerGas: bigint, gasPerPubdataByteLimit: bigint): boolean =>
      stops({ maxFeePerGas, gasPerPubdataByteLimit, gasLimit: 1n, toMint: max256 });
    // ceil(p / 10) x 3 x 88 must fit 64 bits.
    const most = ((1n << 64n) - 1n) / (3n * 88n);
    assert.equal(pubdata(10n * most, 3n), false);
    assert.equal(pubdata(10n * most + 1n, 3n), true);
  });

  it('more than 2^28 bytes of output, by one byte', () => {
    const identity = (size: number): Bytes =>
      code(push(0), push(0), push(size), push(0), push(0), push(anAddress(4)), 0x5a, 0xf1, 0x50);
    const head = code(push(256), 0x5b);
    const fills = code(head, identity(1 << 20), push(1), 0x90, 0x03, 0x80, push(head.length - 1), 0x57);
    const gasLimit = 60_000_000n;
    assert.equal(runOne(aState(fills), { gasLimit, context }).output.success, true);
    assert.equal(runOne(aState(code(fills, identity(1))), { gasLimit, context }).output.success, false);
  });
});
