/** Rows of native 4, 6, 7 and 9 that cost tables and worked blocks do not show alone. Figures as in test/vm/worked.ts. */
import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { NATIVE_BURNER } from '../execute/examples.ts';
import { aBlockContext, anAddress, aWord, code, from, fromL1, push } from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';
import type { TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, included, runOne, SENDER } from './harness.ts';
import { FIRST, FIRST_ABSENT, KECCAK_1, LOADED, MOVE, SHORT_CODE, SIGNATURE, validation, WRITE } from './worked.ts';

const free = { pubdataPrice: 0n };
const OTHER = anAddress(0x07e4);
const CALLEE = anAddress(0xca11ee);

/** SLOAD of calldata word 0 when word 1 is zero, else SSTORE of word 1 there; reverts when word 2 is set. */
const SLOTS = code(
  ...[push(32), 0x35, push(13), 0x57, push(0), 0x35, 0x54, push(21), 0x56],
  ...[0x5b, push(32), 0x35, push(0), 0x35, 0x55, 0x5b, push(64), 0x35, push(29), 0x57, 0x00, 0x5b, 0x5f, 0x5f, 0xfd],
);

const callOf = (to: Bytes, options: { opcode?: number; value?: number; gas?: Bytes } = {}): Bytes => {
  const { opcode = 0xf1, value = 0, gas = code(0x5a) } = options;
  return code(0x5f, 0x5f, 0x5f, 0x5f, opcode === 0xf1 || opcode === 0xf2 ? push(value) : '', push(to), gas, opcode);
};

/** Transactions from SENDER to CONTRACT in one block. */
function block(
  state: TestState,
  transactions: readonly L2Options[],
  context: Partial<BlockContext> = free,
): TransactionOutput[] {
  const execution = new BlockExecution({ context: aBlockContext(context), state });
  return transactions.map((options, nonce) =>
    included(
      drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 200_000n, nonce: BigInt(nonce), ...options })),
    ),
  );
}

const native = (output: TransactionOutput | undefined): number => Number(output?.computationalNativeUsed);

describe('native: rules of accounting', () => {
  const slot = (key: number, value: number, reverts = 0): L2Options => ({
    input: Buffer.concat([aWord(key), aWord(value), aWord(reverts)]),
  });

  it('an absent slot that the block has loaded costs what an existing one does (native 4.2)', () => {
    const [first, second, third] = block(aState(SLOTS), [slot(8, 0), slot(8, 0), slot(9, 0)]);
    assert.equal(native(third) - native(second), 242_240 - 121_120);
    assert.ok(native(first) > native(third), 'the first has accounts to load');
    assert.equal(first!.gasUsed, second!.gasUsed, 'cold all the same');
  });

  it('a write sets a slot for the rest of the block, one that is rolled back does not (native 4.1)', () => {
    const [, reverted, once, twice] = block(aState(SLOTS), [slot(9, 0), slot(8, 5, 1), slot(8, 5), slot(8, 6)]);
    assert.equal(reverted?.success, false);
    // Loaded by the first in vain; still unset. The two that succeed end with STOP, the other with three opcodes more.
    assert.equal(native(once) - native(twice), 120_800 - 50_560);
    const toRevert = 20 + 40 + 2 * (20 + 50) + (20 + 50) - 20;
    assert.equal(native(reverted) - native(once), 242_240 - 121_120 + toRevert);
    assert.equal(once!.gasUsed - twice!.gasUsed, 19_900n - 2_800n);
  });

  it('a reverted frame loses its warmth and keeps what it loaded (native 4.1)', () => {
    const program = code(callOf(CALLEE), 0x50, push(OTHER), 0x31);
    const withCallee = (body: Bytes): TransactionOutput =>
      runOne(aState(program).put(OTHER, { balance: 1n }).put(CALLEE, { nonce: 1n, code: body }), { context: free })
        .output;
    const touched = withCallee(code(push(OTHER), 0x31, 0x50, 0x5f, 0x5f, 0xfd));
    const untouched = withCallee(code(push(1), 0x31, 0x50, 0x5f, 0x5f, 0xfd));
    // Cold in both: 2,600 gas in the caller. In the callee 2,600 against 100 of a precompile, which is absent here.
    assert.equal(touched.gasUsed - untouched.gasUsed, 2_500n);
    const pushes = 240 - 60;
    assert.equal(native(touched) - native(untouched), FIRST + LOADED + pushes - (FIRST_ABSENT + FIRST));
  });

  it('what a failed frame charged stays charged, its gas is gone (native 1)', () => {
    const output = (body: Bytes): TransactionOutput =>
      runOne(aState(callOf(CALLEE, { gas: push(50_000) })).put(CALLEE, { nonce: 1n, code: body }), { context: free })
        .output;
    const failed = output(code(push(8), 0x54, 0xfe));
    const stopped = output(code(push(8), 0x54, 0x00));
    assert.equal(native(failed), native(stopped));
    assert.equal(failed.gasUsed - stopped.gasUsed, 50_000n - 2_103n);
  });

  it('an account whose record could not be paid for is not loaded (native 4.3)', () => {
    const state = aState(code(0x5f, 0x35, 0x31)).put(OTHER, { balance: 1n });
    const balanceOf = (address: Bytes): L2Options => ({ input: Buffer.concat([new Uint8Array(12), address]) });
    const run = (short: boolean): number => {
      // npg 1: a gas is a unit of native. Up to BALANCE: validation, sender, target and code, PUSH0, CALLDATALOAD.
      const upTo = validation({ calldata: 32, hashes: 2 * KECCAK_1 }) + LOADED + FIRST + SHORT_CODE + 70 + 300 + 80;
      const first = { ...balanceOf(OTHER), maxFeePerGas: 1n, gasLimit: BigInt(upTo + FIRST - (short ? 1 : 0)) };
      const outputs = block(state, [first, { ...balanceOf(OTHER), maxFeePerGas: 1n, gasLimit: 5_000_000n }], {
        ...free,
        eip1559BaseFee: 1n,
      });
      assert.equal(outputs[0]?.gasUsed, first.gasLimit);
      return native(outputs[1]);
    };
    // Loaded: 4,000. Not loaded: all of it again.
    assert.equal(run(true) - run(false), FIRST - LOADED);
  });

  it('a precompile in an access list costs 2,400 gas and nothing for being cold (native 4.3)', () => {
    const accessList = [{ address: anAddress(4), slots: [] }];
    const [output] = block(aState(code(0x00)), [{ type: 1, accessList }]);
    assert.equal(output?.gasUsed, 21_000n + 2_400n);
  });

  it('SELFDESTRUCT pays for a new account only when it moves something (native 4.3, 5)', () => {
    const gas = (balance: bigint, heir: Bytes): bigint =>
      runOne(aState(code(push(heir), 0xff), { balance }).put(OTHER, { balance: 1n }), { context: free }).output.gasUsed;
    const plain = 21_000n + 3n + 5_000n + 2_600n;
    assert.equal(gas(1n, anAddress(0x99)), plain + 25_000n);
    assert.equal(gas(0n, anAddress(0x99)), plain);
    assert.equal(gas(1n, OTHER), plain);
  });

  it('CALLCODE with value transfers from the caller to itself (native 6.1)', () => {
    const program = (value: number): Bytes => callOf(OTHER, { opcode: 0xf2, value, gas: push(0) });
    const run = (value: number): TransactionOutput =>
      runOne(aState(program(value), { balance: 5n }).put(OTHER, { balance: 1n }), { context: free }).output;
    assert.equal(native(run(1)) - native(run(0)), LOADED + MOVE);
    assert.equal(run(1).gasUsed - run(0).gasUsed, 9_000n - 2_300n);
  });

  it('the steps of validation need their native to the unit (native 7)', () => {
    // npg = 1 and npp = 0: the gas limit is the budget. 30,000 are charged before everything else.
    const steps = [30_000, FIRST, KECCAK_1, KECCAK_1, LOADED, SIGNATURE, WRITE, FIRST_ABSENT, WRITE, WRITE, LOADED];
    let sum = 0;
    for (const step of steps) {
      sum += step;
      const end = (gasLimit: number): string => {
        const state = aState();
        const execution = new BlockExecution({ context: aBlockContext({ ...free, eip1559BaseFee: 1n }), state });
        const transaction = from(SENDER, { to: OTHER, maxFeePerGas: 1n, gasLimit: BigInt(gasLimit) });
        const step_ = drive(execution, state, transaction);
        return step_.kind === 'rejected' ? step_.error : step_.kind;
      };
      assert.equal(end(sum - 1), 'OutOfNativeResourcesDuringValidation', `${sum}`);
    }
    assert.equal(sum, validation({ calldata: 0, hashes: 2 * KECCAK_1 }));
  });

  it('native that is short behind validation is fatal in execution (native 9)', () => {
    const validated = validation({ calldata: 0, hashes: 2 * KECCAK_1 });
    const options = { to: OTHER, maxFeePerGas: 1n, gasLimit: BigInt(validated) };
    const { output } = runOne(aState(), { ...options, context: { ...free, eip1559BaseFee: 1n } });
    assert.deepEqual([output.success, Number(output.gasUsed), native(output)], [false, validated, validated]);
  });

  it('an L2 transaction that runs out of native keeps what was withheld (native 9)', () => {
    // T = 90,000,000,000 > 2^35: 55,640,261,632 are withheld, and count as left.
    const { output } = runOne(aState(NATIVE_BURNER), { gasLimit: 90_000_000n, context: free });
    const validated = validation({ calldata: 0, hashes: 2 * KECCAK_1 });
    assert.deepEqual([Number(output.nativeUsed), native(output)], [validated, validated]);
    assert.equal(output.gasUsed, 90_000_000n);
  });

  it('messages and logs are numbered among the included transactions (execution 2)', () => {
    const state = aState();
    const execution = new BlockExecution({ context: aBlockContext(), state });
    assert.equal(drive(execution, state, from(SENDER, { nonce: 7n })).kind, 'rejected');
    included(drive(execution, state, from(SENDER, { to: OTHER, gasLimit: 21_000n })));
    assert.equal(drive(execution, state, from(SENDER, { nonce: 7n })).kind, 'rejected');
    assert.equal(included(drive(execution, state, fromL1())).l2ToL1Logs[0]?.txNumberInBlock, 1);
  });

  it('in an L1 transaction 0x8001 is cold, in an L2 one warm (execution 5)', () => {
    const state = aState(code(push(anAddress(0x8001)), 0x31));
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const deposit = fromL1({ to: CONTRACT, gasPerPubdataByteLimit: 1n });
    assert.equal(included(drive(execution, state, deposit)).gasUsed, 21_000n + 3n + 2_600n);
    const transaction = from(SENDER, { to: CONTRACT });
    assert.equal(included(drive(execution, state, transaction)).gasUsed, 21_000n + 3n + 100n);
  });

  it('transient storage is empty in the next transaction (execution 5)', () => {
    // Answers TLOAD(0), then TSTORE(0, 1).
    const program = code(0x5f, 0x5c, 0x5f, 0x52, push(1), 0x5f, 0x5d, push(32), 0x5f, 0xf3);
    const outputs = block(aState(program), [{}, {}]);
    assert.deepEqual(
      outputs.map(({ returnData }) => returnData),
      [aWord(0), aWord(0)],
    );
  });

  it('an L1 transaction pays 4 and 16 gas for its calldata (execution 7.2)', () => {
    const state = aState();
    const execution = new BlockExecution({ context: aBlockContext(), state });
    const input = Uint8Array.of(0, 1, 2, 0, 0);
    const deposit = fromL1({ input, gasPerPubdataByteLimit: 1n });
    assert.equal(included(drive(execution, state, deposit)).gasUsed, 21_000n + 3n * 4n + 2n * 16n);
  });

  it('single ergs are rounded down by GAS (execution 9)', () => {
    // GAS, a call of the messenger that reverts for 10 ergs, GAS: 246 ergs of a gas are left, and not shown.
    const difference = (to: Bytes): bigint => {
      const program = code(
        0x5a,
        callOf(to, { gas: push(1_000) }),
        0x50,
        0x5a,
        0x90,
        0x03,
        0x5f,
        0x52,
        push(32),
        0x5f,
        0xf3,
      );
      return BigInt(`0x${Buffer.from(runOne(aState(program), { context: free }).output.returnData).toString('hex')}`);
    };
    assert.equal(difference(anAddress(0x8008)) - difference(anAddress(0x99)), 1n);
  });

  it('a creation looks at nonce and code of its address, not at its storage (execution 9)', () => {
    const create = code(0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x52, push(32), 0x5f, 0xf3);
    const state = aState(create);
    const empty = runOne(state, { context: free }).output.returnData;
    const address = empty.slice(12);
    const answer = (options: Parameters<TestState['put']>[1]): Bytes =>
      runOne(aState(create).put(address, options), { context: free }).output.returnData;
    assert.notDeepEqual(empty, aWord(0));
    assert.deepEqual(answer({ slots: [[aWord(1), aWord(2)]] }), empty);
    assert.deepEqual(answer({ balance: 9n }), empty);
    assert.deepEqual(answer({ nonce: 1n }), aWord(0));
    assert.deepEqual(answer({ code: code(0x00) }), aWord(0));
  });

  it('a creator at the last nonce creates nothing and keeps it (native 6.2)', () => {
    const create = code(0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x52, push(32), 0x5f, 0xf3);
    const max = (1n << 64n) - 1n;
    for (const [nonce, isCreated] of [
      [max - 1n, true],
      [max, false],
    ] as const) {
      const state = aState(create, { nonce });
      const { output, block: result } = runOne(state, { context: free });
      state.apply(result);
      assert.equal(
        output.returnData.some((byte) => byte !== 0),
        isCreated,
      );
      assert.equal(state.record(CONTRACT).nonce, max);
    }
  });

  it('a deposit that finds no gas costs no hash (native 6.2)', () => {
    // Init code that puts out 1,000 bytes: 200,000 gas to deposit, of 150,000 there are. RETURN costs 40, REVERT 50.
    const create = (end: number): Bytes => {
      const word = new Uint8Array(32);
      word.set(code(push(1_000), push(0), end));
      return code(push(word), 0x5f, 0x52, push(6), 0x5f, 0x5f, 0xf0, 0x5f, 0x52, push(32), 0x5f, 0xf3);
    };
    const [failed, reverted] = [0xf3, 0xfd].map(
      (end) => runOne(aState(create(end)), { gasLimit: 150_000n, context: free }).output,
    );
    assert.deepEqual(failed?.returnData, aWord(0));
    assert.equal(native(failed) - native(reverted), 40 - 50);
    assert.ok(failed!.gasUsed - reverted!.gasUsed > 80_000n, 'all gas of the frame is gone');
  });
});
