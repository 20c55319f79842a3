import assert from 'node:assert/strict';
import { ZERO_32, ZERO_ADDRESS } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { SettlementContent } from '../../src/log/leadership.ts';
import { EMPTY_SETTLEMENT, type SettlementFold, withBatch } from '../../src/log/settlementFold.ts';
import { Batcher, type SealedOpenBatch } from '../../src/producers/batcher.ts';
import { type BatchBlock, type BatchCommitment, type BatchLimits, storedBatchInfo } from '../../src/protocol/batch.ts';
import type { BatchRange } from '../../src/store/batchAssembly.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aCommitInfo, filled } from '../support/logEntries.ts';

const LIMITS = { blocks: 3, native: 1_000n, pubdataBytes: 500, logs: 10 };

/** A leadership whose seals are in its overlay at once, as the real one has it. */
class FakeLeadership {
  alive = true;
  epoch = 1n;
  settlement: SettlementFold = EMPTY_SETTLEMENT;
  settlementRoom = 32;
  readonly seals: string[] = [];
  failure: NodeError | undefined;

  appendSettlement(content: SettlementContent): Uint8Array {
    if (this.failure !== undefined) throw this.failure;
    assert.ok(content.kind === 'BatchSealed');
    const { batch, firstBlock, lastBlock, reason, storedBatchHash } = content;
    this.seals.push(`${batch}: ${firstBlock}-${lastBlock} ${reason}`);
    const sealed = { lastBlock: Number(lastBlock), storedBatchHash, friProof: undefined };
    this.settlement = {
      ...this.settlement,
      sealed: Number(batch),
      batches: withBatch(this.settlement.batches, Number(batch), sealed),
    };
    return ZERO_32;
  }
}

class Setup {
  readonly clock = new FakeClock();
  readonly abort = new AbortController();
  readonly leadership = new FakeLeadership();
  readonly problems: (string | undefined)[] = [];
  readonly sent: SealedOpenBatch[] = [];
  readonly blocks: Partial<BatchBlock>[] = [];
  commitmentFailure: Error | undefined;
  readonly batcher: Batcher;

  constructor(limits: BatchLimits = LIMITS) {
    this.batcher = new Batcher({
      settings: { limits, timeoutMs: 1_000, chainAddress: ZERO_ADDRESS },
      assembly: {
        block: async (height) => ({
          native: 1n,
          pubdataBytes: 1,
          logs: 0,
          executionVersion: 3,
          timestamp: 0n,
          blockHash: ZERO_32,
          transactions: 2,
          priorityHashes: [],
          firstPriorityId: 0n,
          upgradeHash: undefined,
          pubdata: new Uint8Array(1),
          encodedLogs: [],
          ...this.blocks[height - 1],
        }),
        commitment: async ({ batch }: BatchRange): Promise<BatchCommitment> => {
          if (this.commitmentFailure !== undefined) throw this.commitmentFailure;
          const commitInfo = aCommitInfo({ batchNumber: BigInt(batch) });
          return { commitInfo, storedBatchHash: filled(batch), stored: storedBatchInfo(commitInfo) };
        },
      },
      height: () => this.blocks.length,
      clock: this.clock,
      logger: silentLogger,
      onSent: (sealed) => this.sent.push(sealed),
      onProblem: (problem) => this.problems.push(problem?.text),
      signal: this.abort.signal,
    });
  }

  async accept(...blocks: readonly Partial<BatchBlock>[]): Promise<void> {
    this.blocks.push(...blocks);
    this.batcher.moved();
    await settle();
  }
}

/** Lets everything that waits for promises alone run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

describe('batcher', () => {
  let setup: Setup;

  beforeEach(() => {
    setup = new Setup();
  });

  afterEach(async () => {
    setup.abort.abort();
    await setup.batcher.closed();
  });

  it('seals without the block that would break a limit', async () => {
    setup.batcher.lead(setup.leadership);
    await setup.accept({}, {}, {});
    assert.deepEqual(setup.leadership.seals, [], 'a full batch waits for the next block');
    assert.equal(setup.batcher.openBlocks, 3);
    await setup.accept({});
    assert.deepEqual(setup.leadership.seals, ['1: 1-3 blocks_per_batch']);
    await setup.accept({ pubdataBytes: 500 }, { native: 1_001n }, { executionVersion: 2 });
    assert.deepEqual(setup.leadership.seals.slice(1), [
      '2: 4-4 pubdata',
      '3: 5-5 native_cycles',
      '4: 6-6 native_cycles',
    ]);
    assert.deepEqual(
      setup.sent.map(({ blocks, transactions }) => [blocks, transactions]),
      [
        [3, 6],
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    );
  });

  it('seals no batch that L1 does not take as calldata, however much pubdata the settings allow', async () => {
    const generous = new Setup({ ...LIMITS, pubdataBytes: 1_000_000 });
    generous.batcher.lead(generous.leadership);
    await generous.accept({ pubdataBytes: 100_000 }, { pubdataBytes: 26_976 }, { pubdataBytes: 1 });
    assert.deepEqual(generous.leadership.seals, ['1: 1-2 pubdata']);
    generous.abort.abort();
    await generous.batcher.closed();
  });

  it('seals by its timer, from the first block of the batch', async () => {
    setup.batcher.lead(setup.leadership);
    await setup.accept({});
    setup.clock.advance(900);
    await setup.accept({});
    setup.clock.advance(99);
    await settle();
    assert.deepEqual(setup.leadership.seals, []);
    setup.clock.advance(1);
    await settle();
    assert.deepEqual(setup.leadership.seals, ['1: 1-2 timeout']);
    setup.clock.advance(5_000);
    await settle();
    assert.deepEqual(setup.leadership.seals, ['1: 1-2 timeout'], 'no block, no batch');
    await setup.accept({});
    setup.clock.advance(1_000);
    await settle();
    assert.deepEqual(setup.leadership.seals.slice(1), ['2: 3-3 timeout']);
  });

  it('closes batches of blocks from before its start by limits alone', async () => {
    setup.blocks.push({}, {}, {}, {}, {});
    setup.batcher.startedAt(5);
    setup.batcher.lead(setup.leadership);
    await settle();
    assert.deepEqual(setup.leadership.seals, ['1: 1-3 blocks_per_batch']);
    setup.clock.advance(1_000);
    await settle();
    assert.deepEqual(setup.leadership.seals.slice(1), ['2: 4-5 timeout'], 'block 5 was the newest');
    const later = new Setup();
    later.blocks.push({}, {});
    later.batcher.startedAt(3);
    later.batcher.lead(later.leadership);
    await settle();
    later.clock.advance(60_000);
    await settle();
    assert.deepEqual(later.leadership.seals, []);
    later.abort.abort();
    await later.batcher.closed();
  });

  it('starts after the newest seal of whoever led before, and appends nothing for a leadership that ended', async () => {
    const [first, second] = [setup.leadership, new FakeLeadership()];
    setup.batcher.lead(first);
    await setup.accept({}, {});
    first.alive = false;
    setup.batcher.moved();
    await settle();
    second.settlement = {
      ...EMPTY_SETTLEMENT,
      sealed: 1,
      batches: withBatch(EMPTY_SETTLEMENT.batches, 1, {
        lastBlock: 1,
        storedBatchHash: filled(9),
        friProof: undefined,
      }),
    };
    setup.batcher.lead(second);
    await settle();
    setup.clock.advance(1_000);
    await settle();
    assert.deepEqual(first.seals, []);
    assert.deepEqual(second.seals, ['2: 2-2 timeout']);
  });

  it('waits while too many entries are unaccepted', async () => {
    setup.leadership.settlementRoom = 0;
    setup.batcher.lead(setup.leadership);
    await setup.accept({}, {}, {}, {});
    assert.deepEqual(setup.leadership.seals, []);
    setup.leadership.settlementRoom = 1;
    setup.batcher.moved();
    await settle();
    assert.deepEqual(setup.leadership.seals, ['1: 1-3 blocks_per_batch']);
    assert.deepEqual(setup.problems, []);
  });

  it('reports a block that fits no batch, once, and takes up no later one', async () => {
    setup.batcher.lead(setup.leadership);
    await setup.accept({ pubdataBytes: 200_000 });
    await setup.accept({}, {}, {}, {});
    assert.deepEqual(setup.leadership.seals, []);
    assert.equal(setup.problems.length, 1);
    assert.match(setup.problems[0] ?? '', /batch 1 cannot be sealed: a block with 200000 bytes of pubdata/);
  });

  it('tries again what may pass, and says when it is over', async () => {
    setup.commitmentFailure = new NodeError('retryable', 'the disk is slow', { code: 'STORE_IO' });
    setup.batcher.lead(setup.leadership);
    await setup.accept({}, {}, {}, {});
    assert.deepEqual(setup.problems, ['batch 1 cannot be sealed: the disk is slow']);
    setup.commitmentFailure = undefined;
    setup.clock.advance(1_000);
    await settle();
    assert.equal(setup.problems.length, 2);
    assert.equal(setup.problems[1], undefined);
    assert.deepEqual(setup.leadership.seals[0], '1: 1-3 blocks_per_batch');
  });

  it('has no problem any more when it leads no longer: another node may have sealed the batch', async () => {
    setup.batcher.lead(setup.leadership);
    await setup.accept({ pubdataBytes: 200_000 });
    assert.equal(setup.problems.length, 1);
    setup.leadership.alive = false;
    setup.batcher.moved();
    await settle();
    assert.deepEqual(setup.problems.slice(1), [undefined]);
  });

  it('says what keeps it from sealing now, not what did before', async () => {
    setup.commitmentFailure = new NodeError('retryable', 'the disk is slow', { code: 'STORE_IO' });
    setup.batcher.lead(setup.leadership);
    await setup.accept({}, {}, {}, {});
    setup.commitmentFailure = new NodeError('fatal', 'the store is damaged', { code: 'STORE_DAMAGED' });
    setup.clock.advance(1_000);
    await settle();
    assert.equal(setup.problems.at(-1), 'batch 1 cannot be sealed: the store is damaged');
  });
});
