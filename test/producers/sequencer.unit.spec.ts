import assert from 'node:assert/strict';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { Leadership } from '../../src/log/leadership.ts';
import type { L1Source } from '../../src/producers/l1Source.ts';
import { Mempool } from '../../src/producers/mempool.ts';
import { type BuiltBlock, Sequencer } from '../../src/producers/sequencer.ts';
import type { L1Transaction } from '../../src/protocol/transaction.ts';
import type { ChainHead } from '../../src/store/chainStore.ts';
import { StateCache } from '../../src/store/stateCache.ts';
import { aBlockContext, aWord, anAddress, anL1Transaction } from '../support/factories.ts';

const GAS_PRICE = 250_000_000n;
const GAS_LIMIT = 1_000_000n;

function aDeposit(nonce: bigint, overrides: Parameters<typeof anL1Transaction>[0] = {}): L1Transaction {
  const value = 1_000n;
  return anL1Transaction({
    nonce,
    initiator: anAddress(0x51),
    to: anAddress(0x51),
    refundRecipient: anAddress(0x51),
    gasLimit: GAS_LIMIT,
    maxFeePerGas: GAS_PRICE,
    value,
    toMint: value + GAS_PRICE * GAS_LIMIT,
    ...overrides,
  });
}

/** Mints less than it costs: the VM refuses to go on with it. */
const unexecutable = (nonce: bigint): L1Transaction => aDeposit(nonce, { toMint: 1n });

/** A sequencer on an empty chain at block 1 whose blocks are collected instead of sent. */
function aSequencer(requests: readonly L1Transaction[]) {
  const context = aBlockContext();
  const built: BuiltBlock[] = [];
  const failed = Promise.withResolvers<unknown>();
  const head: ChainHead = {
    height: 1,
    blockHash: aWord(1),
    timestamp: 1n,
    nextL1PriorityId: 0n,
    blockHashes: context.blockHashes,
  };
  const l1Source: L1Source = {
    onArrival: undefined,
    nextId: BigInt(requests.length),
    has: (id) => id < BigInt(requests.length),
    get: (id) => requests[Number(id)],
    whenAvailable: () => Promise.resolve(),
  };
  const sequencer = new Sequencer({
    settings: {
      chainId: context.chainId,
      feeCollector: anAddress(0xfee),
      blockGasLimit: 100_000_000n,
      blockPubdataLimitBytes: 110_000n,
      baseFee: 1_000n,
      pubdataPrice: 1n,
      blockTimeMs: 5,
      maxTransactionsInBlock: 1_000,
      blockSizeLimitBytes: 6 * 1024 * 1024,
      nodeVersion: '0.0.0',
    },
    mempool: new Mempool({
      chainId: context.chainId,
      blockGasLimit: 100_000_000n,
      maxInputBytes: 1024,
      maxPendingTransactions: 10,
      maxPendingSizeBytes: 100_000,
    }),
    l1Source,
    upgradeTransaction: () => {
      throw new Error('not in block 2');
    },
    cache: new StateCache({ readState: (keys) => Promise.resolve(keys.map(() => undefined)) }),
    readmit: () => undefined,
    head: () => head,
    clock: systemClock,
    logger: silentLogger,
    metrics: { sealed: () => undefined },
    mayBuild: () => true,
    onFatal: (error) => failed.resolve(error),
  });
  const leadership = {
    alive: true,
    room: 8,
    whenRoom: () => Promise.resolve(),
    append: ({ payload }: { payload: BuiltBlock }) => built.push(payload),
  };
  // What the sequencer uses of a leadership.
  sequencer.lead(leadership as unknown as Leadership<BuiltBlock>);
  return { built, failed: failed.promise, sequencer };
}

describe('sequencer', () => {
  it('seals before an L1 transaction that fails, tries it alone, and stops with all that a dump needs', async () => {
    const requests = [aDeposit(0n), unexecutable(1n)];
    const { built, failed } = aSequencer(requests);
    const error = await failed;
    assert.equal(built.length, 1);
    assert.deepEqual(
      built[0]?.transactions.map(({ transaction }) => transaction.hash),
      [requests[0]?.hash],
    );
    assert.equal(built[0]?.sealReason, 'Other');
    assert.ok(error instanceof NodeError && error.kind === 'invariant');
    assert.equal(error.code, 'VM_L1_TRANSACTION_INVALID');
    const { context, transactions } = error.facts as unknown as {
      context: { blockNumber: bigint };
      transactions: Uint8Array[];
    };
    assert.equal(context.blockNumber, 3n);
    assert.deepEqual(transactions, [requests[1]?.raw]);
  });

  it('includes waiting L1 transactions by id and seals by time', async () => {
    const requests = [aDeposit(0n), aDeposit(1n), aDeposit(2n)];
    const { built, sequencer } = aSequencer(requests);
    const deadline = Date.now() + 5_000;
    while (built.length === 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
    await sequencer.stop();
    assert.deepEqual(
      built.flatMap(({ transactions }) => transactions.map(({ transaction }) => transaction.nonce)),
      [0n, 1n, 2n],
    );
    assert.equal(built[0]?.record.startingL1PriorityId, 0n);
  });
});
