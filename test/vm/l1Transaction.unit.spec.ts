import assert from 'node:assert/strict';
import { padAddress } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { wouldStopVm } from '../../src/vm/l1Transaction.ts';
import {
  aBlockContext,
  anAddress,
  anL1Transaction,
  aWord,
  code,
  ETHER,
  from,
  fromL1,
  push,
} from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { CONTRACT, drive, included, SENDER } from './harness.ts';

const INITIATOR = anAddress(0xa11ce);
const TARGET = anAddress(0xb0b);
const REFUND = anAddress(0x4ef);
const PRICE = 250_000_000n;

function run(state: TestState, overrides: Partial<L1TransactionFields> = {}): TransactionOutput {
  const execution = new BlockExecution({ context: aBlockContext(), state });
  const output = included(drive(execution, state, fromL1({ refundRecipient: REFUND, ...overrides })));
  state.apply(execution.finish());
  return output;
}

describe('L1 transactions (execution 7, native 8 and 9)', () => {
  it('need no balance, no nonce and no base fee; nothing but the deposit is minted', () => {
    const state = new TestState();
    const value = 3n * ETHER;
    const output = run(state, { value, nonce: 99n, maxFeePerGas: 20n });
    assert.equal(output.success, true);
    assert.equal(output.effectiveGasPrice, 20n);
    assert.equal(output.gasRefunded, 0n);
    assert.equal(state.record(INITIATOR).nonce, 0n);
    assert.equal(state.record(TARGET).balance, value);
    const coinbase = state.record(aBlockContext().coinbase).balance;
    assert.equal(coinbase, output.gasUsed * 20n);
    assert.equal(value + coinbase + state.record(REFUND).balance, value + 1_000_000n * 20n);
  });

  it('gas is lifted by pubdata: gas per pubdata x (88 + pubdata)', () => {
    const output = run(new TestState(), { value: 1n });
    // The recipient: key, format byte and a difference of one byte.
    assert.equal(output.pubdataUsed, 88n + 32n + 1n + 2n);
    assert.equal(output.gasUsed, 800n * output.pubdataUsed);
    const free = run(new TestState(), { value: 1n, gasPerPubdataByteLimit: 1n });
    assert.equal(free.gasUsed, 21_000n);
  });

  it('ORIGIN and CALLER are the initiator, GASPRICE is the maximum fee', () => {
    const state = new TestState().put(CONTRACT, {
      nonce: 1n,
      code: code(0x32, push(0), 0x55, 0x33, push(1), 0x55, 0x3a, push(2), 0x55, 0x34, push(3), 0x55),
    });
    assert.equal(run(state, { to: CONTRACT, value: 5n }).success, true);
    assert.deepEqual(state.value(CONTRACT, aWord(0)), padAddress(INITIATOR));
    assert.deepEqual(state.value(CONTRACT, aWord(1)), padAddress(INITIATOR));
    assert.deepEqual(state.value(CONTRACT, aWord(2)), aWord(PRICE));
    assert.deepEqual(state.value(CONTRACT, aWord(3)), aWord(5));
  });

  it('a reverted one stays in the block with status 0: no mint of the value, the refund is what the fee leaves', () => {
    const state = new TestState().put(CONTRACT, {
      nonce: 1n,
      code: code(push(7), push(0), 0x52, push(32), push(0), 0xfd),
    });
    const output = run(state, { to: CONTRACT, value: ETHER });
    assert.equal(output.success, false);
    assert.deepEqual(output.returnData, aWord(7));
    assert.equal(state.record(CONTRACT).balance, 0n);
    assert.equal(state.record(INITIATOR).balance, 0n);
    const fee = output.gasUsed * PRICE;
    assert.equal(state.record(REFUND).balance, ETHER + 1_000_000n * PRICE - fee);
    assert.deepEqual(
      output.l2ToL1Logs.map((log) => [log.value, log.txNumberInBlock]),
      [[aWord(0), 0]],
    );
    assert.equal(output.pubdataUsed, 88n, 'only what was reverted was touched');
  });

  it('the result log: sender 0x8001, key the hash, value the status', () => {
    const state = new TestState();
    const transaction = anL1Transaction();
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const first = included(drive(execution, state, { transaction, sender: transaction.initiator }));
    const second = included(drive(execution, state, fromL1({ nonce: 1n })));
    assert.deepEqual(first.l2ToL1Logs, [
      {
        shardId: 0,
        isService: true,
        txNumberInBlock: 0,
        sender: anAddress(0x8001),
        key: transaction.hash,
        value: aWord(1),
      },
    ]);
    assert.equal(second.l2ToL1Logs[0]?.txNumberInBlock, 1);
  });

  it('less gas than the intrinsic part runs with none', () => {
    const state = new TestState().put(CONTRACT, { nonce: 1n, code: code(0x5b) });
    const output = run(state, { to: CONTRACT, gasLimit: 20_000n, gasPerPubdataByteLimit: 1n });
    assert.equal(output.success, false);
    assert.equal(output.gasUsed, 20_000n);
    assert.equal(
      run(new TestState(), { gasLimit: 20_000n, gasPerPubdataByteLimit: 1n }).success,
      true,
      'a transfer needs none',
    );
  });

  it('who cannot pay for the pubdata is rolled back and pays for what is left', () => {
    // 20 slots: 20 x (32 + 2) bytes and more, at 800 gas each.
    const writes = code(...Array.from({ length: 20 }, (_, i) => code(push(1), push(i), 0x55)));
    const state = new TestState().put(CONTRACT, { nonce: 1n, code: writes });
    const output = run(state, { to: CONTRACT, gasLimit: 600_000n });
    assert.equal(output.success, false);
    assert.equal(output.returnData.length, 0);
    assert.equal(state.value(CONTRACT, aWord(0)), undefined);
    assert.equal(output.pubdataUsed, 88n);
    const evmGas = 21_000n + 20n * (6n + 22_100n);
    assert.equal(output.gasUsed, evmGas, 'the gas of the execution is kept');
    const rich = new TestState().put(CONTRACT, { nonce: 1n, code: writes });
    const enough = run(rich, { to: CONTRACT, gasLimit: 1_000_000n });
    assert.equal(enough.success, true);
    assert.equal(enough.pubdataUsed, 88n + 20n * (32n + 2n));
    assert.equal(enough.gasUsed, 800n * (88n + 680n));
  });

  it('out of native: all gas, status 0, and what was withheld is lost', () => {
    // An endless loop of warm SSTOREs: 547 native per gas, 2^35 native before 100 M gas.
    const loop = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
    const state = new TestState().put(CONTRACT, { nonce: 1n, code: loop });
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const output = included(drive(execution, state, fromL1({ to: CONTRACT, gasLimit: 90_000_000n })));
    assert.equal(output.success, false);
    assert.equal(output.gasUsed, 90_000_000n);
    assert.equal(output.computationalNativeUsed, BigInt(2 ** 35));
    assert.equal(output.l2ToL1Logs.length, 1);
    // The block is full of native: the next one does not fit.
    state.put(SENDER, { balance: ETHER });
    const next = drive(execution, state, from(SENDER, { gasLimit: 21_000n, to: TARGET }));
    assert.deepEqual(next, { kind: 'full', reason: 'NativeCycles' });
  });

  it('not even native for the hash: nothing runs, all gas is used', () => {
    const state = new TestState();
    // npg 1: 100,000 native, less than the intrinsic part.
    const output = run(state, { value: 5n, maxFeePerGas: 10n, gasLimit: 100_000n, gasPerPubdataByteLimit: 0n });
    assert.equal(output.success, false);
    assert.equal(output.gasUsed, 100_000n);
    assert.equal(output.computationalNativeUsed, 130_000n);
    assert.equal(state.record(TARGET).balance, 0n);
    assert.equal(state.record(REFUND).balance, 5n);
  });

  it('price 0: native is unlimited and free', () => {
    const state = new TestState();
    const output = run(state, { maxFeePerGas: 0n, value: 1n });
    assert.equal(output.success, true);
    assert.equal(output.gasUsed, 21_000n);
    assert.equal(output.nativeUsed, 0n);
    assert.equal(state.record(REFUND).balance, 0n);
  });

  it('coinbase diffs count in every transaction behind the first that pays', () => {
    const state = new TestState();
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const first = included(drive(execution, state, fromL1({ refundRecipient: REFUND })));
    const second = included(drive(execution, state, fromL1({ refundRecipient: REFUND, nonce: 1n })));
    assert.equal(first.pubdataUsed, 88n);
    const paid = first.gasUsed * PRICE;
    assert.equal(second.pubdataUsed, 88n + 32n + 2n + BigInt(Math.ceil(paid.toString(16).length / 2)));
  });

  it('an upgrade: first of its block, native per gas 10,000, a log, and it must succeed', () => {
    const upgrade = {
      type: 0x7e as const,
      maxFeePerGas: 0n,
      toMint: 0n,
      initiator: anAddress(0x8007),
      to: CONTRACT,
      gasLimit: 72_000_000n,
    };
    const state = new TestState().put(CONTRACT, { nonce: 1n, code: code(0x00) });
    const output = run(state, upgrade);
    assert.equal(output.success, true);
    assert.equal(output.l2ToL1Logs.length, 1);
    assert.equal(output.gasUsed, 800n * 88n + output.computationalNativeUsed / 10_000n);

    const late = new BlockExecution({ context: aBlockContext(), state });
    included(drive(late, state, fromL1()));
    assert.throws(
      () => drive(late, state, fromL1(upgrade)),
      (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === 'VM_UPGRADE_NOT_FIRST',
    );
    const failing = new TestState().put(CONTRACT, { nonce: 1n, code: code(push(0), push(0), 0xfd) });
    assert.throws(
      () => run(failing, upgrade),
      (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === 'VM_UPGRADE_FAILED',
    );
  });

  it('a minted balance above 256 bits stops the node', () => {
    const state = new TestState().put(INITIATOR, { balance: (1n << 256n) - 1n });
    assert.throws(
      () => run(state, { value: 1n }),
      (error) => error instanceof NodeError && error.code === 'VM_BALANCE_OVERFLOW',
    );
  });

  it('wouldStopVm names what must never reach the VM', () => {
    const context = aBlockContext();
    const reason = (overrides: Partial<L1TransactionFields>): string | undefined =>
      wouldStopVm({ ...anL1Transaction(), ...overrides }, context);
    assert.equal(reason({}), undefined);
    assert.match(reason({ toMint: 1n }) ?? '', /mints less/);
    assert.match(reason({ gasLimit: 100_000_001n }) ?? '', /whole block/);
    assert.match(reason({ gasPerPubdataByteLimit: 1n << 32n }) ?? '', /32 bits/);
    assert.match(reason({ maxFeePerGas: 1n << 110n, toMint: (1n << 256n) - 1n }) ?? '', /128 bits/);
    assert.match(reason({ value: (1n << 256n) - 1n, toMint: (1n << 256n) - 1n }) ?? '', /256 bits/);
    assert.match(
      reason({ maxFeePerGas: 26n * 10n ** 14n, toMint: 1n << 200n, gasPerPubdataByteLimit: 810n }) ?? '',
      /64 bits of native/,
    );
    assert.equal(reason({ maxFeePerGas: 26n * 10n ** 14n, toMint: 1n << 200n }), undefined);
    const state = new TestState();
    const execution = new BlockExecution({ context, state });
    assert.throws(
      () => drive(execution, state, fromL1({ toMint: 1n })),
      (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === 'VM_L1_TRANSACTION_INVALID',
    );
  });
});
