import assert from 'node:assert/strict';
import { type Clock, systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { Leadership } from '../../src/log/leadership.ts';
import type { L1Source } from '../../src/producers/l1Source.ts';
import { Mempool } from '../../src/producers/mempool.ts';
import { type BuiltBlock, Sequencer, type SequencerSettings } from '../../src/producers/sequencer.ts';
import type { L1Transaction } from '../../src/protocol/transaction.ts';
import type { ChainHead } from '../../src/store/chainStore.ts';
import { StateCache } from '../../src/store/stateCache.ts';
import { aBlockContext, aWord, anAddress, anL1Transaction } from '../support/factories.ts';
import { FakeClock } from '../support/fakeClock.ts';

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

const running: Sequencer[] = [];

/** A sequencer on an empty chain at block 1 whose blocks are collected instead of sent. */
function aSequencer(
  requests: readonly L1Transaction[],
  settings: Partial<SequencerSettings> = {},
  { clock = systemClock, ...leading }: { clock?: Clock; room?: number; whenRoom?: () => Promise<void> } = {},
) {
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
    get nextId() {
      return BigInt(requests.length);
    },
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
      ...settings,
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
    clock,
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
    ...leading,
  };
  // What the sequencer uses of a leadership.
  sequencer.lead(leadership as unknown as Leadership<BuiltBlock>);
  running.push(sequencer);
  return { built, failed: failed.promise, sequencer, leadership };
}

/** What the sequencer can do without the clock is done. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function whenBuilt(built: readonly BuiltBlock[], count: number): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (built.length < count && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(built.length >= count, `${built.length} blocks were built, not ${count}`);
}

/**
 * Worked out by hand (execution 8): the first deposit counts the diff of its recipient, 0 to 1,000 (key 32, format, 3), the
 * second that of the recipient with 6 bytes, who got a refund, and of the coinbase, which has 24,800,000,000,000 wei.
 */
const DEPOSIT_GAS = [800n * (88n + 36n), 800n * (88n + 40n + 40n)];

describe('sequencer', () => {
  afterEach(async () => {
    for (const sequencer of running.splice(0)) await sequencer.stop();
  });

  it('TxCountLimit: seals when as many transactions are included as may be', async () => {
    // No block time could seal before.
    const settings = { maxTransactionsInBlock: 2, blockTimeMs: 600_000 };
    const { built, sequencer } = aSequencer([aDeposit(0n), aDeposit(1n), aDeposit(2n)], settings);
    await whenBuilt(built, 1);
    await sequencer.stop();
    assert.equal(built[0]?.sealReason, 'TxCountLimit');
    assert.deepEqual(
      built[0]?.output.transactions.map(({ gasUsed }) => gasUsed),
      DEPOSIT_GAS,
    );
    const [first] = built;
    assert.deepEqual(
      first?.executionTimes.map(({ totalMs, waitingMs }) => totalMs > waitingMs),
      [true, true],
    );
    assert.ok((first?.executionTimes[0]?.waitingMs ?? 0) > 0);
    const spent = new Map(
      sequencer.timeInStates.map(({ specific, generic, seconds }) => [specific, { generic, seconds }]),
    );
    assert.equal(spent.get('execution')?.generic, 'processing');
    for (const state of ['execution', 'read_storage', 'sealing'] as const)
      assert.ok((spent.get(state)?.seconds ?? 0) > 0, state);
    assert.ok(!spent.has('waiting_send'));
  });

  it('Timeout: a block is sealed in time when somebody sets the clock back while it is open', async () => {
    let reads = 0;
    const hourMs = 3_600_000;
    const clock: Clock = { ...systemClock, now: () => Date.now() - hourMs * reads++ };
    const { built } = aSequencer([aDeposit(0n)], {}, { clock });
    await whenBuilt(built, 1);
    assert.equal(built[0]?.sealReason, 'Timeout');
  });

  it('GasLimit: an L1 transaction that does not fit is the first of the next block', async () => {
    // The first uses 99,200 of it: 50,000 less than the block has are too much then.
    const gasLimit = 99_950_000n;
    const requests = [0n, 1n].map((nonce) => aDeposit(nonce, { gasLimit, toMint: 1_000n + GAS_PRICE * gasLimit }));
    const { built, sequencer } = aSequencer(requests, { maxTransactionsInBlock: 1_000 });
    await whenBuilt(built, 2);
    await sequencer.stop();
    assert.deepEqual(
      built.map(({ sealReason, transactions }) => [sealReason, transactions[0]?.transaction.nonce]),
      [
        ['GasLimit', 0n],
        ['Timeout', 1n],
      ],
    );
    assert.equal(built[1]?.record.startingL1PriorityId, 1n);
  });

  it('builds nothing while the leadership has no room', async () => {
    const { built, sequencer, leadership } = aSequencer([aDeposit(0n)]);
    const hasRoom = Promise.withResolvers<void>();
    leadership.room = 0;
    leadership.whenRoom = () => hasRoom.promise;
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.equal(built.length, 0);
    assert.ok(sequencer.timeInStates.some(({ specific }) => specific === 'waiting_send'));
    leadership.room = 8;
    hasRoom.resolve();
    await whenBuilt(built, 1);
  });

  it('a block in which nothing can be included is not built', async () => {
    // Alone in the block, and yet too large for its pubdata.
    const { built, failed } = aSequencer([aDeposit(0n)], { blockPubdataLimitBytes: 100n });
    const error = await failed;
    assert.ok(error instanceof NodeError && error.code === 'L1_TRANSACTION_TOO_LARGE');
    assert.equal(built.length, 0);
  });

  it('Other: seals before a transaction that would lift the bytes of the block above its limit', async () => {
    const requests = [aDeposit(0n), aDeposit(1n), aDeposit(2n)];
    const size = (count: number): number =>
      requests.slice(0, count).reduce((sum, request) => sum + request.raw.length, 0);
    for (const [blockSizeLimitBytes, count] of [
      [size(3) - 1, 2],
      [size(3), 3],
    ] as const) {
      const settings = { blockSizeLimitBytes, maxTransactionsInBlock: 3, blockTimeMs: 600_000 };
      const { built, sequencer } = aSequencer(requests, settings);
      await whenBuilt(built, 1);
      await sequencer.stop();
      assert.equal(built[0]?.sealReason, count === 2 ? 'Other' : 'TxCountLimit');
      assert.equal(built[0]?.transactions.length, count);
      assert.deepEqual(
        built[0]?.output.transactions.slice(0, 2).map(({ gasUsed }) => gasUsed),
        DEPOSIT_GAS,
      );
    }
  });

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
    await whenBuilt(built, 1);
    await sequencer.stop();
    assert.equal(built[0]?.sealReason, 'Timeout');
    assert.deepEqual(
      built.flatMap(({ transactions }) => transactions.map(({ transaction }) => transaction.nonce)),
      [0n, 1n, 2n],
    );
    assert.equal(built[0]?.record.startingL1PriorityId, 0n);
    const { nativePrice, mixHash, executionVersion } = built[0].context;
    assert.deepEqual([nativePrice, mixHash, executionVersion], [1n, 0n, 3]);
  });

  it('is woken by what arrives, whichever of its earlier waits ends meanwhile', async () => {
    const clock = new FakeClock();
    const requests: L1Transaction[] = [];
    const room = Promise.withResolvers<void>();
    const { built, sequencer, leadership } = aSequencer(
      requests,
      { maxTransactionsInBlock: 1 },
      { clock, room: 0, whenRoom: () => room.promise },
    );
    await settled();
    clock.advance(500);
    leadership.room = 8;
    room.resolve();
    await settled();
    // The wait for room would have ended here.
    clock.advance(500);
    requests.push(aDeposit(0n));
    sequencer.workArrived();
    await settled();
    assert.equal(built.length, 1);
  });
});
