import assert from 'node:assert/strict';
import { createMetrics } from '../src/common/metrics.ts';
import { AcceptedTimes, recordPlaces } from '../src/nodeMetrics.ts';
import { valuesOf } from './support/metricsOf.ts';

describe('nodeMetrics', () => {
  it('tells how far projections are behind, also when they stand still', async () => {
    const metrics = createMetrics();
    const projections = [
      { name: 'repositories', height: 12, blockTimestamp: 1_000n, isOptional: false },
      { name: 'merkleTree', height: 9, blockTimestamp: 990n, isOptional: false },
      { name: 'analytics', height: -1, blockTimestamp: undefined, isOptional: true },
    ];
    recordPlaces(metrics, { projections, logHead: 12, latest: () => 12 }, 1_005);
    const first = await valuesOf(metrics);
    assert.deepEqual(
      ['repositories', 'merkleTree', 'analytics'].map((name) =>
        first.get(`projection_lag_blocks{projection="${name}"}`),
      ),
      [0, 3, 13],
    );
    assert.equal(first.get('projection_lag_seconds{projection="repositories"}'), 0);
    assert.equal(first.get('projection_lag_seconds{projection="merkleTree"}'), 15);
    assert.equal(first.get('rpc_height_skew_blocks'), 3);
    assert.equal(first.get('rpc_served_height'), 12);

    recordPlaces(metrics, { projections, logHead: 20, latest: () => 12 }, 1_010);
    const later = await valuesOf(metrics);
    assert.equal(later.get('projection_lag_blocks{projection="repositories"}'), 8);
    assert.equal(later.get('projection_lag_seconds{projection="repositories"}'), 10);
    assert.equal(later.get('rpc_height_skew_blocks'), 3);
  });

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
