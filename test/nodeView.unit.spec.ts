import assert from 'node:assert/strict';
import { loadConfig } from '../src/common/config.ts';
import { NodeView } from '../src/nodeView.ts';

describe('nodeView', () => {
  let view: NodeView;
  let told: number[];

  beforeEach(() => {
    const { config } = loadConfig({ env: { development: 'true', analytics_enabled: 'false' } });
    view = new NodeView(config, 270n, '0.0.0');
    told = [];
    view.onLatest(() => told.push(view.latest()));
  });

  it('reads up to what the slowest of state and projections has', () => {
    view.headKnown(5);
    view.projection('repositories', { height: 3 });
    view.projection('repositories', { height: 5 });
    assert.deepEqual([told, view.logHead], [[3, 5], 5]);
  });

  it('reads no block whose state is not there yet, while the chain store is read again from the log', () => {
    view.headKnown(100);
    view.projection('repositories', { height: 120 });
    assert.deepEqual([view.latest(), view.logHead], [100, 120]);
    const [state, repositories] = view.status().projections;
    assert.deepEqual([state?.name, state?.height, state?.lagBlocks], ['state', 100, 20]);
    assert.deepEqual([repositories?.height, repositories?.lagBlocks], [120, 0]);
    view.headKnown(120);
    assert.deepEqual([told, view.logHead], [[100, 120], 120]);
  });
});
