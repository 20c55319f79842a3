import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { bytesToBigInt, fromHex, padAddress } from '../../src/common/bytes.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { Simulation } from '../../src/vm/simulation.ts';
import type { SimulatedTransaction, SimulationStep } from '../../src/vm/simulation.ts';
import { aBlockContext, anAddress, aWord, code, concat, ETHER, initCodeOf, push } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { aState, CONTRACT, SENDER } from './harness.ts';

type End = Exclude<SimulationStep, { kind: 'missing' } | { kind: 'paused' }>;
type Done = SimulationStep & { kind: 'done' };

function simulate(
  state: TestState,
  overrides: Partial<SimulatedTransaction> = {},
  options: { context?: Partial<BlockContext>; prevRandao?: bigint; turnBudget?: number } = {},
): End {
  const { context = {}, ...rest } = options;
  const transaction: SimulatedTransaction = {
    type: 2,
    from: SENDER,
    to: CONTRACT,
    input: new Uint8Array(0),
    value: 0n,
    gasLimit: 10_000_000n,
    gasPrice: 0n,
    nonce: 0n,
    accessList: [],
    ...overrides,
  };
  const simulation = new Simulation({ context: aBlockContext(context), state, transaction, ...rest });
  let step = simulation.start();
  while (step.kind === 'missing' || step.kind === 'paused') {
    if (step.kind === 'missing') state.load(step.keys);
    step = simulation.resume();
  }
  return step;
}

function done(end: End): Done {
  assert.equal(end.kind, 'done');
  return end; // asserted above
}

const RETURN_TOP = code(push(0), 0x52, push(32), push(0), 0xf3);
const returning = (program: Bytes): TestState => aState(concat(program, RETURN_TOP));

describe('Simulation (native 11, rpc 6)', () => {
  it('base fee is 0, whatever the context says; the price is what is asked for', () => {
    assert.equal(bytesToBigInt(done(simulate(returning(code(0x48)))).returnData), 0n);
    assert.equal(bytesToBigInt(done(simulate(returning(code(0x3a)))).returnData), 0n);
    assert.equal(bytesToBigInt(done(simulate(returning(code(0x3a)), { gasPrice: 7n })).returnData), 7n);
    assert.equal(bytesToBigInt(done(simulate(returning(code(0x44)))).returnData), 1n);
    assert.equal(bytesToBigInt(done(simulate(returning(code(0x44)), {}, { prevRandao: 42n })).returnData), 42n);
  });

  it('100 native per gas: what needs more lifts the gas used', () => {
    const context = { pubdataPrice: 0n };
    const state = new TestState().put(SENDER, { balance: ETHER }).put(CONTRACT, { balance: 1n });
    assert.equal(done(simulate(state, { value: 5n, type: 0 }, { context })).gasUsed, 21_000n);
    // 600 hashes of 32 bytes: 20,090 native and 36 gas each, and some more for the stack.
    const hashing = aState(concat(...Array.from({ length: 600 }, () => code(push(32), push(0), 0x20, 0x50))));
    const gasUsed = done(simulate(hashing, {}, { context })).gasUsed;
    const perHash = 2n * 80n + 20n + 90n + 20_000n + 60n;
    // Besides: the validation, the account of the contract with its code of 3,600 bytes, one growth of memory, the end.
    assert.ok(gasUsed > (600n * perHash) / 100n && gasUsed < (600n * perHash) / 100n + 14_000n, `${gasUsed}`);
  });

  it('no nonce check, but balance and code of the sender', () => {
    assert.equal(simulate(aState(code(0x00)), { nonce: 77n }).kind, 'done');
    const poor = aState(code(0x00)).put(SENDER, { balance: 10n });
    assert.equal(simulate(poor, { value: 10n }).kind, 'done');
    assert.deepEqual(simulate(poor, { value: 11n }), { kind: 'rejected', error: 'LackOfFundForMaxFee' });
    assert.deepEqual(simulate(poor, { gasPrice: 1n }), { kind: 'rejected', error: 'LackOfFundForMaxFee' });
    const contract = aState(code(0x00)).put(SENDER, { balance: 10n, code: code(0x00) });
    assert.deepEqual(simulate(contract), { kind: 'rejected', error: 'RejectCallerWithCode' });
    assert.deepEqual(simulate(aState(), { gasLimit: 100_000_001n }), {
      kind: 'rejected',
      error: 'CallerGasLimitMoreThanBlock',
    });
    assert.deepEqual(simulate(aState(), { gasLimit: 100n }), {
      kind: 'rejected',
      error: 'OutOfNativeResourcesDuringValidation',
    });
    assert.deepEqual(simulate(aState(), { gasLimit: 17_999n }, {}), {
      kind: 'rejected',
      error: 'OutOfGasDuringValidation',
    });
  });

  it('tells reverts, exhaustion and other failures apart', () => {
    const reverted = done(simulate(aState(code(push(7), push(0), 0x52, push(32), push(0), 0xfd))));
    assert.deepEqual([reverted.success, reverted.failure, reverted.returnData], [false, 'revert', aWord(7)]);
    const exhausted = done(simulate(aState(code(0x5b, push(0), 0x56)), { gasLimit: 200_000n }));
    assert.deepEqual([exhausted.failure, exhausted.gasUsed], ['outOfGas', 200_000n]);
    assert.equal(done(simulate(aState(code(0xfe)))).failure, 'halt');
    assert.equal(done(simulate(aState(code(push(3), 0x56)))).failure, 'halt');
    const native = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
    assert.equal(done(simulate(aState(native))).failure, 'outOfGas');
    const pubdata = done(
      simulate(aState(code(push(1), push(1), 0x55)), { gasLimit: 60_000n }, { context: { pubdataPrice: 100_000n } }),
    );
    assert.deepEqual([pubdata.success, pubdata.failure], [false, 'outOfGas']);
    const refused = done(simulate(aState(), { to: anAddress(0x8008), value: 1n }));
    assert.deepEqual([refused.success, refused.failure], [false, 'revert']);
  });

  it('creations answer the runtime code', () => {
    const runtime = code(push(1), 0x50);
    const result = done(simulate(aState(), { to: undefined, input: initCodeOf(runtime) }));
    assert.deepEqual(result.returnData, runtime);
    assert.equal(result.contractAddress?.length, 20);
  });

  it('leaves no trace and answers logs', () => {
    const state = aState(code(push(1), push(1), 0x55, push(0), push(0), 0xa0));
    const result = done(simulate(state));
    assert.equal(result.logs.length, 1);
    assert.equal(state.value(CONTRACT, aWord(1)), undefined);
    assert.deepEqual(done(simulate(state)), result);
  });

  it('type 0x7f: mints what it needs, 800 gas per byte of pubdata', () => {
    const state = new TestState();
    const result = done(simulate(state, { type: 0x7f, from: anAddress(1_234), value: ETHER, gasPrice: 0n }));
    assert.equal(result.success, true);
    assert.ok(result.gasUsed >= 800n * 88n);
    assert.equal(done(simulate(state, { type: 0x7f, to: undefined, gasPrice: 5n })).success, true);
    const huge = simulate(state, { type: 0x7f, gasPrice: 1n << 120n });
    assert.deepEqual(huge, { kind: 'rejected', error: 'OverflowPaymentInTransaction' });
    assert.deepEqual(simulate(state, { type: 0x7f, gasLimit: 100_000_001n }), {
      kind: 'rejected',
      error: 'CallerGasLimitMoreThanBlock',
    });
  });

  it('what would stop a node in a block is an error of the call', () => {
    const input = concat(fromHex('f6eca0b0'), padAddress(anAddress(1)), aWord(99), aWord(4), aWord(1));
    const end = simulate(new TestState(), { from: anAddress(0x800f), to: anAddress(0x8006), input });
    assert.deepEqual(end, { kind: 'rejected', error: 'OtherUnrecoverable' });
  });

  it('with keys missing and short turns the result is the same', () => {
    const loop = code(push(500), 0x5b, push(1), 0x90, 0x03, 0x80, push(3), 0x57, push(7), 0x54, RETURN_TOP);
    const state = aState(loop, { slots: [[aWord(7), aWord(9)]] });
    const expected = done(simulate(state));
    assert.equal(bytesToBigInt(expected.returnData), 9n);
    for (let seed = 1; seed < 20; seed += 1) {
      assert.deepEqual(done(simulate(state.copy({ missProbability: 0.5, seed }), {}, { turnBudget: 37 })), expected);
    }
  });
});
