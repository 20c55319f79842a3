import assert from 'node:assert/strict';
import { readPromQuery } from './promQuery.ts';

describe('ops/promQuery', () => {
  it('finds metrics with the labels of their selectors, and the labels of groupings', () => {
    const query = readPromQuery(
      'histogram_quantile(0.99, sum by (le, kind) (rate(a_seconds_bucket{code!="x{y}",instance=~"b(c)"}[5m]))) > 6.7e6 ' +
        'and on (instance) max by (instance) (b_total offset 5m) or c == bool 1',
    );
    assert.deepEqual(query.metrics, [
      { metric: 'a_seconds_bucket', labels: ['code', 'instance'] },
      { metric: 'b_total', labels: [] },
      { metric: 'c', labels: [] },
    ]);
    assert.deepEqual(query.groupings, ['le', 'kind', 'instance', 'instance']);
  });
});
