/** KECCAK256 of much memory takes many turns: the same result, gas and native as in one. */
import assert from 'node:assert/strict';
import { concatBytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext, anAddress, aWord, code, from, push } from '../support/factories.ts';
import { aState, CONTRACT, SENDER } from './harness.ts';

const MIB = 1024 * 1024;

/** Fills the ends of the memory, hashes it, and gives the hash and the gas left. */
const hashOf = (size: number): Uint8Array =>
  code(
    code(push(aWord(-1)), push(0), 0x52, push(aWord(-1)), push(size - 32), 0x52),
    code(push(size), push(0), 0x20, push(0), 0x52, 0x5a, push(32), 0x52, push(64), push(0), 0xf3),
  );

function run(size: number, turnBudget: number): { output: TransactionOutput; turns: number } {
  return runProgram(hashOf(size), turnBudget);
}

function runProgram(
  program: Uint8Array,
  turnBudget: number,
  { context, balance = 0n }: { context?: Partial<BlockContext>; balance?: bigint } = {},
): { output: TransactionOutput; turns: number } {
  const state = aState(program, { balance });
  const execution = new BlockExecution({ context: aBlockContext(context), state, turnBudget });
  let step = execution.start(from(SENDER, { to: CONTRACT, gasLimit: 90_000_000n }));
  let turns = 1;
  for (; step.kind === 'paused'; turns += 1) step = execution.resume();
  assert.equal(step.kind, 'included');
  return { output: step.output, turns }; // as was just asserted
}

describe('long hashes', () => {
  for (const size of [256 * 1024, 256 * 1024 + 32, MIB, 3 * MIB + 32]) {
    it(`of ${size} bytes: right, and the same in many turns as in one`, () => {
      const expected = new Uint8Array(size);
      expected.fill(0xff, 0, 32);
      expected.fill(0xff, size - 32);
      const whole = run(size, Number.MAX_SAFE_INTEGER);
      assert.equal(whole.turns, 1);
      assert.ok(whole.output.success);
      assert.deepEqual(whole.output.returnData.slice(0, 32), keccak256(expected));
      for (const turnBudget of [1_000, 60_000]) {
        const sliced = run(size, turnBudget);
        assert.deepEqual(sliced.output, whole.output);
        if (size > 256 * 1024) assert.ok(sliced.turns > size / 4 / turnBudget, `${sliced.turns} turns`);
      }
    });
  }

  for (const [name, target, head, answer] of [
    ['a message to L1', 0x8008, [0x62f84b24, 32, MIB], 32],
    ['a withdrawal with a message', 0x800a, [0x84bc3eb0, 0xbeef, 64, MIB], 0],
  ] as const) {
    it(`of ${name} of a megabyte: the same in many turns as in one`, () => {
      const [selector, ...words] = head;
      const value = target === 0x800a ? 1 : 0;
      const program = code(
        code(push(selector), push(224), 0x1b, push(0), 0x52, push(7), push(MIB), 0x53),
        ...words.map((word, i) => code(push(word), push(4 + 32 * i), 0x52)),
        code(
          push(0),
          push(0),
          push(4 + 32 * words.length + MIB),
          push(0),
          push(value),
          push(anAddress(target)),
          0x5a,
          0xf1,
        ),
        code(push(0), 0x52, 0x3d, push(32), 0x52, 0x5a, push(64), 0x52, push(96), push(0), 0xf3),
      );
      const runHook = (turnBudget: number): { output: TransactionOutput; turns: number } =>
        runProgram(program, turnBudget, { context: { pubdataLimit: 1n << 40n }, balance: 1n });
      const whole = runHook(Number.MAX_SAFE_INTEGER);
      assert.equal(whole.turns, 1);
      assert.deepEqual(whole.output.returnData.slice(0, 64), concatBytes(aWord(1), aWord(answer)));
      assert.equal(whole.output.messages.length, 1);
      assert.deepEqual(whole.output.l2ToL1Logs[0]?.value, keccak256(whole.output.messages[0]?.data ?? aWord(0)));
      const sliced = runHook(10_000);
      assert.deepEqual(sliced.output, whole.output);
      assert.ok(sliced.turns > MIB / 4 / 10_000, `${sliced.turns} turns`);
    });
  }

  it('leave nothing behind when they are given up', () => {
    const state = aState(hashOf(MIB));
    const fresh = aState(hashOf(MIB));
    const execution = new BlockExecution({ context: aBlockContext(), state, turnBudget: 1_000 });
    const transaction = from(SENDER, { to: CONTRACT, gasLimit: 90_000_000n });
    assert.equal(execution.start(transaction).kind, 'paused');
    for (let turn = 0; turn < 100; turn++) assert.equal(execution.resume().kind, 'paused');
    execution.abandon();
    let step = execution.start(transaction);
    while (step.kind === 'paused') step = execution.resume();
    const whole = new BlockExecution({ context: aBlockContext(), state: fresh, turnBudget: Number.MAX_SAFE_INTEGER });
    assert.deepEqual(step, whole.start(transaction));
  });
});
