import assert from 'node:assert/strict';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { reactionTo } from '../../src/vm/invalidTransaction.ts';
import { abiLength } from '../../src/vm/l2Transaction.ts';
import { NodeError } from '../../src/common/errors.ts';
import {
  aBlockContext,
  anAddress,
  anL2Transaction,
  aSignedTransaction,
  aTransfer,
  aWord,
  code,
  ETHER,
  from,
  push,
} from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, included, runOne, SENDER } from './harness.ts';

const TO = anAddress(0xb0b);
const COINBASE = aBlockContext().coinbase;

function end(
  options: L2Options,
  state: TestState = aState(),
  context: Partial<BlockContext> = {},
): ReturnType<typeof drive> {
  return drive(
    new BlockExecution({ context: aBlockContext(context), state }),
    state,
    from(SENDER, { to: TO, ...options }),
  );
}

function rejection(...args: Parameters<typeof end>): string {
  const result = end(...args);
  return result.kind === 'rejected' ? `${result.error} ${result.reaction}` : result.kind;
}

describe('L2 transactions (execution 5, native 7 and 9)', () => {
  describe('validation: the first check that fails names the error', () => {
    it('limits and prices', () => {
      assert.equal(rejection({ gasLimit: 100_000_001n }), 'CallerGasLimitMoreThanBlock purge');
      assert.equal(rejection({}, aState(), { gasLimit: 1n << 56n }), 'BlockGasLimitTooHigh purge');
      assert.equal(end({}, aState(), { gasLimit: (1n << 56n) - 1n }).kind, 'included');
      assert.equal(rejection({ maxPriorityFeePerGas: 1_001n }), 'PriorityFeeGreaterThanMaxFee purge');
      assert.equal(rejection({ maxFeePerGas: 999n }), 'BaseFeeGreaterThanMaxFee purge');
      assert.equal(rejection({ type: 0, maxFeePerGas: 999n }), 'BaseFeeGreaterThanMaxFee purge');
    });

    it('native comes before gas', () => {
      // 1,000 native per gas: 30 gas give the intrinsic native exactly, gas is short then.
      assert.equal(rejection({ gasLimit: 29n }), 'OutOfNativeResourcesDuringValidation purge');
      assert.equal(rejection({ gasLimit: 30n }), 'OutOfGasDuringValidation purge');
      // Everything up to the signature: 1,145,440 less the execution.
      assert.equal(
        rejection({ gasLimit: 21_000n, maxFeePerGas: 1_000n }, aState(), { nativePrice: 1_000n }),
        'OutOfNativeResourcesDuringValidation purge',
      );
    });

    it('gas in two parts: other errors come between', () => {
      assert.equal(rejection({ gasLimit: 17_999n }), 'OutOfGasDuringValidation purge');
      assert.equal(rejection({ gasLimit: 18_000n }), 'OutOfGasDuringValidation purge');
      assert.equal(rejection({ gasLimit: 18_000n, nonce: 1n }), 'NonceTooHigh skip');
      assert.equal(rejection({ gasLimit: 20_999n, value: 1n << 255n }), 'LackOfFundForMaxFee skip');
      assert.equal(rejection({ gasLimit: 20_999n }), 'OutOfGasDuringValidation purge');
      assert.equal(end({ gasLimit: 21_000n }).kind, 'included');
    });

    it('calldata, creation and access list are paid for', () => {
      const input = Uint8Array.of(0, 1, 2);
      assert.equal(rejection({ gasLimit: 21_035n, input }), 'OutOfGasDuringValidation purge');
      assert.equal(end({ gasLimit: 21_036n, input }).kind, 'included');
      assert.equal(
        rejection({ to: null, input: new Uint8Array(33), gasLimit: 21_000n + 132n + 32_003n }),
        'OutOfGasDuringValidation purge',
      );
      assert.equal(end({ to: null, input: new Uint8Array(33), gasLimit: 21_000n + 132n + 32_004n }).kind, 'included');
      assert.equal(
        rejection({ to: null, input: new Uint8Array(49_153), gasLimit: 1_000_000n }),
        'CreateInitCodeSizeLimit purge',
      );
      const accessList = [
        { address: TO, slots: [aWord(1), aWord(1)] },
        { address: TO, slots: [] },
      ];
      const gas = 21_000n + 2n * 2_400n + 2n * 1_900n;
      assert.equal(rejection({ type: 1, accessList, gasLimit: gas - 1n }), 'OutOfGasDuringValidation purge');
      assert.equal(included(end({ type: 1, accessList, gasLimit: gas })).gasUsed, gas);
    });

    it('nonce, code, payment', () => {
      const state = (): TestState => aState().put(SENDER, { nonce: 5n, balance: ETHER });
      assert.equal(rejection({ nonce: 4n }, state()), 'NonceTooLow purge');
      assert.equal(rejection({ nonce: 6n }, state()), 'NonceTooHigh skip');
      const max = (1n << 64n) - 1n;
      assert.equal(
        rejection({ nonce: max }, aState().put(SENDER, { nonce: max, balance: ETHER })),
        'NonceOverflowInTransaction purge',
      );
      assert.equal(
        end({ nonce: max - 1n }, aState().put(SENDER, { nonce: max - 1n, balance: ETHER })).kind,
        'included',
        'the last nonce but one',
      );
      assert.equal(
        rejection({}, aState().put(SENDER, { balance: ETHER, code: code(0x00) })),
        'RejectCallerWithCode purge',
      );
      assert.equal(
        end({}, aState().put(SENDER, { balance: ETHER, code: code() })).kind,
        'included',
        'empty code is no code',
      );
      const huge = { maxFeePerGas: 1n << 112n, gasLimit: 1n << 16n };
      assert.equal(rejection(huge), 'OverflowPaymentInTransaction purge');
      assert.equal(rejection({ ...huge, maxFeePerGas: (1n << 112n) - 1n }), 'LackOfFundForMaxFee skip');
      assert.equal(rejection({ value: (1n << 256n) - 1n }), 'OverflowPaymentInTransaction purge');
      // 65,537 divides 2^128 - 1.
      const largest = { gasLimit: 65_537n, maxFeePerGas: ((1n << 128n) - 1n) / 65_537n };
      assert.equal(rejection(largest), 'LackOfFundForMaxFee skip');
      const prepayment = 100_000n * 1_000n;
      assert.equal(rejection({ value: (1n << 256n) - 1n - prepayment }), 'LackOfFundForMaxFee skip');
      assert.equal(rejection({ value: (1n << 256n) - prepayment }), 'OverflowPaymentInTransaction purge');
      const exact = 21_000n * 1_000n + 5n;
      assert.equal(
        rejection({ gasLimit: 21_000n, value: 5n }, aState().put(SENDER, { balance: exact - 1n })),
        'LackOfFundForMaxFee skip',
      );
      assert.equal(end({ gasLimit: 21_000n, value: 5n }, aState().put(SENDER, { balance: exact })).kind, 'included');
    });

    it('native price 0 stops the node', () => {
      assert.throws(
        () => end({}, aState(), { nativePrice: 0n }),
        (error) => error instanceof NodeError && error.code === 'VM_NATIVE_PRICE_ZERO',
      );
    });

    it('a form of more than 2^23 bytes is no encoding', () => {
      assert.equal(abiLength(anL2Transaction()), 19 * 32 + 32 + 32 + 96 + 32 + 32 + 32);
      const input = new Uint8Array((1 << 23) - abiLength(anL2Transaction()));
      assert.equal(abiLength(anL2Transaction({ input })), 1 << 23);
      const gasLimit = 60_000_000n;
      assert.equal(end({ input, gasLimit }).kind, 'included');
      assert.equal(rejection({ input: new Uint8Array(input.length + 1), gasLimit }), 'InvalidEncoding purge');
    });

    it('what is skipped, what is purged', () => {
      assert.equal(reactionTo('LackOfFundForMaxFee'), 'skip');
      assert.equal(reactionTo('NonceTooHigh'), 'skip');
      assert.equal(reactionTo('NonceTooLow'), 'purge');
    });
  });

  describe('fees', () => {
    it('the full price goes to the coinbase, the base fee is not burnt, the excess comes back', () => {
      const state = aState();
      const before = state.record(SENDER).balance;
      const { output, block } = runOne(state, {
        to: TO,
        value: 9n,
        gasLimit: 50_000n,
        maxFeePerGas: 3_000n,
        maxPriorityFeePerGas: 500n,
      });
      state.apply(block);
      assert.equal(output.effectiveGasPrice, 1_500n);
      assert.equal(output.gasUsed, 21_000n);
      assert.equal(state.record(COINBASE).balance, 21_000n * 1_500n);
      assert.equal(before - state.record(SENDER).balance, 21_000n * 1_500n + 9n);
      assert.equal(state.records.has(Buffer.from(anAddress(0x8001)).toString('latin1')), false);
    });

    it('zero amounts write nothing', () => {
      const state = aState();
      const { block } = runOne(state, { to: TO, gasLimit: 21_000n, maxFeePerGas: 0n, context: { eip1559BaseFee: 0n } });
      assert.equal(block.writes.length, 1, 'the nonce of the sender alone');
    });

    it('a coinbase that is sender, recipient or 0x8001', () => {
      for (const coinbase of [SENDER, TO, anAddress(0x8001)]) {
        const state = aState();
        const total = state.record(SENDER).balance;
        const { output, block } = runOne(state, { to: TO, value: 9n, gasLimit: 50_000n, context: { coinbase } });
        state.apply(block);
        let sum = 0n;
        for (const address of state.addresses()) sum += state.record(address).balance;
        assert.equal(sum, total);
        assert.equal(output.success, true);
      }
    });

    it('a failed transaction pays all the same and keeps its nonce', () => {
      const state = aState(code(push(1), push(1), 0x55, 0xfe));
      const { output, block } = runOne(state, { gasLimit: 70_000n, value: 4n });
      state.apply(block);
      assert.equal(output.success, false);
      assert.equal(output.gasUsed, 70_000n);
      assert.equal(state.record(SENDER).nonce, 1n);
      assert.equal(state.record(COINBASE).balance, 70_000_000n);
      assert.equal(state.record(CONTRACT).balance, 0n);
      assert.equal(state.value(CONTRACT, aWord(1)), undefined);
    });
  });

  describe('pubdata', () => {
    it('what validation touched is charged there, the rest at the end', () => {
      const state = aState(code(push(1), push(1), 0x55));
      const { output } = runOne(state, { gasLimit: 100_000n });
      // Sender: nonce and balance. 0x8001: the prepayment. The slot.
      const sender = 32 + 1 + 2 + 1 + 4;
      const bootloader = 32 + 1 + 1 + 4;
      assert.equal(Number(output.pubdataUsed), sender + bootloader + 32 + 2);
    });

    it('an earlier write of the block counts again for whoever reads it', () => {
      const state = aState(
        code(push(7), 0x54, 0x50, push(0), 0x35, 0x15, push(16), 0x57, push(9), push(7), 0x55, 0x5b),
      );
      const execution = new BlockExecution({ context: aBlockContext(), state });
      const touch = { to: CONTRACT, gasLimit: 200_000n };
      const idle = included(drive(execution, state, from(SENDER, { ...touch })));
      const writes = included(drive(execution, state, from(SENDER, { ...touch, nonce: 1n, input: aWord(1) })));
      const reads = included(drive(execution, state, from(SENDER, { ...touch, nonce: 2n })));
      // From the second on the coinbase counts with 32 + 1 + 5 bytes or so, the same in both.
      assert.equal(writes.pubdataUsed, reads.pubdataUsed);
      assert.ok(reads.pubdataUsed - idle.pubdataUsed >= 34n);
    });

    it('what it cannot pay for reverts it', () => {
      // 1,000 native per gas, so each byte of pubdata costs 1,000 gas.
      const sends = code(push(1), push(1), 0x55);
      const context = { pubdataPrice: 1_000_000n };
      const rich = runOne(aState(sends), { gasLimit: 300_000n, context }).output;
      assert.equal(rich.success, true);
      const evmGas = 21_000n + 6n + 22_100n;
      assert.ok(rich.gasUsed > 2n * evmGas);
      assert.equal(rich.gasUsed, rich.nativeUsed / 1_000n);
      const poor = runOne(aState(sends), { gasLimit: rich.gasUsed - 1n, context });
      assert.equal(poor.output.success, false);
      assert.equal(poor.output.returnData.length, 0);
      assert.equal(
        poor.block.writes.some((write) => write.accountRecord === undefined),
        false,
      );
      assert.ok(poor.output.gasUsed < rich.gasUsed - 30_000n, 'the slot is not paid for');
      assert.equal(runOne(aState(sends), { gasLimit: rich.gasUsed + 1n, context }).output.success, true);
    });
  });

  describe('native', () => {
    it('out of native in execution: all gas, what the execution burnt is in no figure', () => {
      const loop = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
      const context = { pubdataPrice: 0n };
      const { output, block } = runOne(aState(loop), { gasLimit: 90_000_000n, context });
      assert.equal(output.success, false);
      assert.equal(output.gasUsed, 90_000_000n);
      assert.ok(output.computationalNativeUsed < 2_000_000n, 'only the validation counts');
      assert.equal(block.writes.length, 2);
    });

    it('an inner frame cannot hide that native is gone', () => {
      const callee = anAddress(0xca11ee);
      const hog = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
      const outer = code(
        push(0),
        push(0),
        push(0),
        push(0),
        push(0),
        push(callee),
        push(80_000_000),
        0xf1,
        push(1),
        push(1),
        0x55,
      );
      const { output } = runOne(aState(outer).put(callee, { nonce: 1n, code: hog }), {
        gasLimit: 90_000_000n,
        context: { pubdataPrice: 0n },
      });
      assert.equal(output.success, false);
      assert.equal(output.gasUsed, 90_000_000n);
    });

    it('with a low price native lifts the gas used', () => {
      const context = { pubdataPrice: 0n, eip1559BaseFee: 50n };
      const { output } = runOne(aState(), { to: TO, gasLimit: 100_000n, maxFeePerGas: 50n, context });
      assert.equal(output.gasUsed, output.nativeUsed / 50n);
      assert.ok(output.gasUsed > 21_000n);
      const free = runOne(aState(), {
        to: TO,
        gasLimit: 100_000n,
        maxFeePerGas: 0n,
        context: { ...context, eip1559BaseFee: 0n },
      }).output;
      assert.equal(free.gasUsed, 21_000n, 'price 0 is unlimited');
      assert.equal(free.nativeUsed, 0n);
    });

    it('loading by a failed transaction stays paid for', () => {
      const reader = code(push(7), 0x54, push(0), push(0), 0xfd);
      const state = aState(reader);
      const execution = new BlockExecution({ context: aBlockContext({ pubdataPrice: 0n }), state });
      const options = { to: CONTRACT, gasLimit: 100_000n };
      const first = included(drive(execution, state, from(SENDER, options)));
      const second = included(drive(execution, state, from(SENDER, { ...options, nonce: 1n })));
      // Sender, 0x8001 and contract (record and code), then the slot: absent, but loaded now.
      const contract = 127_100n + 1_140n;
      const expected = 127_100n + 246_240n + contract + (246_240n - 125_120n);
      assert.equal(first.computationalNativeUsed - second.computationalNativeUsed, expected);
    });
  });

  it('signed transactions of every type run', async () => {
    for (const type of [0, 1, 2] as const) {
      const signed = await aSignedTransaction(3, {
        type,
        value: 5n,
        accessList: type === 0 ? [] : [{ address: TO, slots: [] }],
      });
      const state = new TestState().put(signed.sender, { balance: ETHER });
      const execution = new BlockExecution({ context: aBlockContext(), state });
      assert.equal(included(drive(execution, state, signed)).success, true);
    }
    const transfer = await aTransfer(4);
    const state = new TestState().put(transfer.sender, { balance: ETHER });
    assert.equal(
      included(drive(new BlockExecution({ context: aBlockContext(), state }), state, transfer)).gasUsed,
      21_000n,
    );
  });
});
