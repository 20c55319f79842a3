import assert from 'node:assert/strict';
import { type Steps, finish } from '../../src/common/steps.ts';
import { inTurns } from '../../src/common/turns.ts';

/** Adds up so many numbers, each after a spell of work. */
function* sum(count: number, spellMs: number): Steps<number> {
  let total = 0;
  for (let i = 1; i <= count; i++) {
    const end = performance.now() + spellMs;
    while (performance.now() < end);
    total += i;
    yield;
  }
  return total;
}

describe('a computation in steps', () => {
  it('gives the same at once and in turns', async () => {
    assert.equal(finish(sum(100, 0)), 5_050);
    assert.equal(await inTurns(sum(100, 0)), 5_050);
  });

  it('lets the event loop have its turn between steps', async () => {
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await inTurns(sum(40, 1));
    isDone = true;
    assert.ok(turns >= 5, `${turns} turns in 40 ms of work`);
  });

  it('ends with the signal', async () => {
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('enough')));
    await assert.rejects(inTurns(sum(1_000, 1), controller.signal), /enough/);
  });
});
