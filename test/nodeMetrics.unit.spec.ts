import assert from 'node:assert/strict';
import { createMetrics } from '../src/common/metrics.ts';
import {
  AcceptedTimes,
  recordAccepted,
  recordPlaces,
  recordReadable,
  recordStatus,
  submittedToAccepted,
} from '../src/nodeMetrics.ts';
import type { AcceptedBlock, ChainStatus } from '../src/workers/chain.ts';
import { valuesOf } from './support/metricsOf.ts';

function anAcceptedBlock(content: Partial<AcceptedBlock>): AcceptedBlock {
  return {
    height: 1,
    blockHash: new Uint8Array(32),
    journalEnd: 2,
    timestamp: 1n,
    transactions: 2,
    succeeded: 2,
    gasUsed: 42_000n,
    computationalNativeUsed: 1n,
    pubdataBytes: 1,
    storageWrites: 1,
    nextL1PriorityId: 0n,
    gasUsedEach: [21_000, 21_000],
    nativeUsedEach: [1, 1],
    computationalNativeUsedEach: [1, 1],
    pubdataUsedEach: [1, 1],
    sealReason: undefined,
    times: undefined,
    ...content,
  };
}

function aStatus(count: number, seconds: number): ChainStatus {
  return {
    height: 1,
    journalEnd: 2,
    logPosition: 2,
    epoch: 1n,
    isLeading: true,
    isCaughtUp: true,
    unacceptedBlocks: 0,
    mempool: { pending: 0, queued: 0, pendingSizeBytes: 0, queuedSizeBytes: 0 },
    poolCounters: {
      added: { new: count, replacement: 0 },
      removed: { mined: count, outdated: 0, replaced: 0, purged: 0, dropped: 0 },
      rejected: { POOL_NONCE_TOO_LOW: count },
      purged: {},
    },
    timeInStates: [{ generic: 'processing', specific: 'execution', seconds }],
    lastTimestamp: 0n,
    nextL1PriorityId: 0n,
    settlement: {
      sealedBatch: 0,
      sealedBlock: 0,
      committedBatch: 0,
      committedBlock: 0,
      provedBatch: 0,
      provedBlock: 0,
      executedBatch: 0,
      executedBlock: 0,
      l1Block: 0n,
      checkedBatch: 0,
      openBlocks: 0,
      alarm: undefined,
    },
    replay: undefined,
  };
}

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
    const seconds = (height: number, nowMs: number): number[] => times.take(height, nowMs).map((each) => each.seconds);
    assert.deepEqual(seconds(2, 5000), [4, 3]);
    assert.deepEqual(seconds(2, 6000), []);
    assert.deepEqual(seconds(9, 5000), [2, 1]);
  });

  it('does not count a block of which the other stage knew first', () => {
    const times = new AcceptedTimes();
    assert.deepEqual(times.take(7, 1000), []);
    for (const height of [7, 8]) times.accepted(height, 2000);
    assert.deepEqual(times.take(8, 2500), [{ seconds: 0.5, before: [] }]);
  });

  it('follows a transaction from the pool to the readable receipt', async () => {
    const metrics = createMetrics();
    const block = anAcceptedBlock({
      height: 5,
      times: { sealedToAccepted: 0.25, submittedToSealed: [0.5, 1.5], execution: [{ total: 0.004, waiting: 0.001 }] },
    });
    const readable = new AcceptedTimes();
    recordAccepted(metrics, block);
    readable.accepted(block.height, 1_000, submittedToAccepted(block));
    recordReadable(metrics, readable.take(4, 2_000));
    assert.equal((await valuesOf(metrics)).get('accepted_to_rpc_seconds_count'), 0);
    recordReadable(metrics, readable.take(5, 3_000));
    recordReadable(metrics, readable.take(5, 9_000));
    const values = await valuesOf(metrics);
    const told = (name: string): readonly (number | undefined)[] => [
      values.get(`${name}_count`),
      values.get(`${name}_sum`),
    ];
    assert.deepEqual(told('block_to_accepted_seconds'), [1, 0.25]);
    assert.deepEqual(told('tx_submit_to_block_seconds'), [2, 2]);
    assert.deepEqual(told('accepted_to_rpc_seconds'), [1, 2]);
    assert.deepEqual(told('tx_to_receipt_seconds'), [2, 2 + 2 * 0.25 + 2 * 2]);
    assert.equal(values.get('execution_tx_execution_seconds_sum{measure="total"}'), 0.004);
    assert.equal(values.get('execution_tx_execution_seconds_sum{measure="waiting"}'), 0.001);
  });

  it('says nothing of how long a block took that another process built', async () => {
    const metrics = createMetrics();
    const block = anAcceptedBlock({ times: undefined });
    recordAccepted(metrics, block);
    assert.deepEqual(submittedToAccepted(block), []);
    const values = await valuesOf(metrics);
    assert.equal(values.get('block_to_accepted_seconds_count'), 0);
    assert.equal(values.get('execution_executed_transactions'), 2);
  });

  it('sets the counters of the pool and the time in states to what the chain worker has counted', async () => {
    const metrics = createMetrics();
    recordStatus(metrics, aStatus(3, 1.5), 0);
    recordStatus(metrics, aStatus(5, 2), 0);
    const values = await valuesOf(metrics);
    assert.equal(values.get('mempool_added_total{result="new"}'), 5);
    assert.equal(values.get('mempool_removed_total{reason="mined"}'), 5);
    assert.equal(values.get('mempool_rejected_total{kind="nonce_too_low"}'), 5);
    assert.equal(
      values.get(
        'component_time_spent_in_state{component="sequencer",generic_state="processing",specific_state="execution"}',
      ),
      2,
    );
  });

  it('keeps the newest blocks only', () => {
    const times = new AcceptedTimes();
    for (let height = 1; height <= 25_000; height++) times.accepted(height, 0);
    assert.equal(times.take(25_000, 0).length, 10_000);
  });
});
