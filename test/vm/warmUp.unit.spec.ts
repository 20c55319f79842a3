import assert from 'node:assert/strict';
import { warmUp } from '../../src/vm/warmUp.ts';

describe('warm-up', () => {
  it('runs to its end and gives the event loop its turns', async () => {
    let turns = 0;
    await warmUp(async () => {
      turns += 1;
    });
    assert.equal(turns, 20 * 120);
  });
});
