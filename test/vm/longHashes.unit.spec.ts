/** KECCAK256 of much memory takes many turns: the same result, gas and native as in one. */
import assert from 'node:assert/strict';
import { keccak256 } from '../../src/common/hash.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext, aWord, code, from, push } from '../support/factories.ts';
import { aState, CONTRACT, SENDER } from './harness.ts';

const MIB = 1024 * 1024;

/** Fills the ends of the memory, hashes it, and gives the hash and the gas left. */
const hashOf = (size: number): Uint8Array =>
  code(
    code(push(aWord(-1)), push(0), 0x52, push(aWord(-1)), push(size - 32), 0x52),
    code(push(size), push(0), 0x20, push(0), 0x52, 0x5a, push(32), 0x52, push(64), push(0), 0xf3),
  );

function run(size: number, turnBudget: number): { output: TransactionOutput; turns: number } {
  const state = aState(hashOf(size));
  const execution = new BlockExecution({ context: aBlockContext(), state, turnBudget });
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
