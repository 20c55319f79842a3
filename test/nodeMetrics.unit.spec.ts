import assert from 'node:assert/strict';
import { AcceptedTimes } from '../src/nodeMetrics.ts';

describe('nodeMetrics', () => {
  it('tells once how long each block has been accepted', () => {
    const times = new AcceptedTimes();
    for (let height = 1; height <= 4; height++) times.accepted(height, height * 1000);
    assert.deepEqual(times.take(2, 5000), [4, 3]);
    assert.deepEqual(times.take(2, 6000), []);
    assert.deepEqual(times.take(9, 5000), [2, 1]);
  });

  it('keeps the newest blocks only', () => {
    const times = new AcceptedTimes();
    for (let height = 1; height <= 25_000; height++) times.accepted(height, 0);
    assert.equal(times.take(25_000, 0).length, 10_000);
  });
});
