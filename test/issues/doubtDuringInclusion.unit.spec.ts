/**
 * Found by the simulation (seed 373): a doubt that came between the execution of a transaction and its inclusion stopped
 * the main node with POOL_TAKE_OUT_OF_ORDER, as the pool had taken back by then what it had handed out.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { equalBytes } from '../../src/common/bytes.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { Leadership } from '../../src/log/leadership.ts';
import { NO_L1_SOURCE } from '../../src/producers/l1Source.ts';
import { Mempool } from '../../src/producers/mempool.ts';
import { type BuiltBlock, Sequencer } from '../../src/producers/sequencer.ts';
import { EMPTY_ACCOUNT_RECORD, encodeAccountRecord } from '../../src/protocol/accountRecord.ts';
import { StateCache } from '../../src/store/stateCache.ts';
import { ETHER, aBlockContext, aWord, anAddress, anL2Transaction } from '../support/factories.ts';

const MICROTASKS = 40;

/** Doubt comes so many microtasks after the first block was sent, while the next one is built. */
async function doubtAfter(microtasks: number): Promise<{ executable: number; error: unknown }> {
  const { chainId, blockHashes } = aBlockContext();
  const sender = anAddress(0xabc);
  const limits = { chainId, blockGasLimit: 100_000_000n };
  const mempool = new Mempool({
    ...limits,
    maxInputBytes: 1024,
    maxPendingTransactions: 10,
    maxPendingSizeBytes: 100_000,
  });
  for (const nonce of [0n, 1n, 2n])
    mempool.add(anL2Transaction({ nonce }), sender, { nonce: 0n, balance: ETHER, hasCode: false });
  const record = encodeAccountRecord({ ...EMPTY_ACCOUNT_RECORD, balance: ETHER });
  let error: unknown;
  const sequencer: Sequencer = new Sequencer({
    settings: {
      ...limits,
      feeCollector: anAddress(0xfee),
      blockPubdataLimitBytes: 110_000n,
      baseFee: 1_000n,
      pubdataPrice: 1n,
      blockTimeMs: 5,
      maxTransactionsInBlock: 1,
      blockSizeLimitBytes: 1_000_000,
      nodeVersion: '0.0.0',
    },
    mempool,
    l1Source: NO_L1_SOURCE,
    upgradeTransaction: () => assert.fail('not in block 2'),
    cache: new StateCache({
      readState: (keys) =>
        Promise.resolve(
          keys.map((key) => (key.kind === 'account' && equalBytes(key.address, sender) ? record : undefined)),
        ),
    }),
    readmit: () => undefined,
    head: () => ({ height: 1, blockHash: aWord(1), timestamp: 1n, nextL1PriorityId: 0n, blockHashes }),
    clock: systemClock,
    logger: silentLogger,
    metrics: { sealed: () => undefined },
    mayBuild: () => true,
    onFatal: (fatal) => {
      error = fatal;
    },
  });
  const over = Promise.withResolvers<void>();
  const leadership = {
    alive: true,
    room: 8,
    whenRoom: () => Promise.resolve(),
    append: ({ payload }: { payload: BuiltBlock }) => {
      if (payload.context.blockNumber !== 2n) return;
      let left = microtasks;
      const next = (): void => {
        if (left-- > 0) return queueMicrotask(next);
        leadership.alive = false;
        sequencer.doubt([]);
        over.resolve();
      };
      next();
    },
  };
  sequencer.lead(leadership as unknown as Leadership<BuiltBlock>); // what the sequencer uses of it
  await over.promise;
  await sequencer.stop();
  return { executable: mempool.executableCount, error };
}

describe('issue: doubt during inclusion', () => {
  it('never stops the node, and gives every transaction back, whenever it comes', async () => {
    for (let microtasks = 0; microtasks < MICROTASKS; microtasks++) {
      const { executable, error } = await doubtAfter(microtasks);
      assert.equal(error, undefined, `${microtasks} microtasks`);
      assert.equal(executable, 3, `${microtasks} microtasks`);
    }
  });
});
