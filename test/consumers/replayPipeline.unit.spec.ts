/** The pipeline of a node that follows the log of another: what it reads ahead, and what comes of it in which order. */
import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { ReplayErrorCode } from '../../src/consumers/errors.ts';
import { type ExecutedBlock, ReplayPipeline } from '../../src/consumers/replayPipeline.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import type { LeadershipManager } from '../../src/log/leadershipManager.ts';
import { genesisContext } from '../../src/protocol/genesis.ts';
import { ChainStore } from '../../src/store/chainStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { StateCache } from '../../src/store/stateCache.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';
import { scenario } from '../sim/scenario.ts';
import { SILENT, senderOf } from '../sim/simulatedNode.ts';
import { TEST_CHAIN_ID } from '../support/factories.ts';
import { until } from '../support/nodeProcess.ts';

const TRANSFERS = 6;
const silent = (): void => undefined;

/** Leads nothing. */
const FOLLOWER = { current: silent, onEntry: silent, onCaughtUp: silent } as unknown as LeadershipManager<
  ExecutedBlock | undefined
>;

let entries: readonly LogEntry[];
/** Blocks with signed transactions, and the newest block. */
let [signedBlocks, head] = [0, 0];

interface Follower {
  readonly accepted: number[];
  readonly stop: AbortController;
  readonly run: Promise<void>;
}

async function follow(recoverSenders: (raws: readonly Bytes[]) => Promise<readonly Bytes[]>): Promise<Follower> {
  const log = new MemoryEventLog();
  await log.append(entries);
  const store = await ChainStore.open(new MemoryStore(), genesisContext);
  const [accepted, stop]: [number[], AbortController] = [[], new AbortController()];
  const pipeline = new ReplayPipeline({
    log,
    software: SOFTWARE,
    chainId: TEST_CHAIN_ID,
    store,
    cache: new StateCache(store),
    leadership: FOLLOWER,
    recoverSenders,
    genesis: undefined,
    onGenesis: silent,
    onAccepted: ({ height }) => accepted.push(height),
    onSettlement: silent,
    onSettlementRestored: silent,
    onCaughtUp: () => stop.abort(),
    clock: systemClock,
    logger: SILENT,
    metrics: { entryRead: silent, executed: silent },
  });
  return { accepted, stop, run: pipeline.run(stop.signal) };
}

describe('replay pipeline of a follower', () => {
  before(
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const before = chain.audit.height;
      for (let i = 0; i < TRANSFERS; i++) {
        await chain.ask(a, i % 3);
        await chain.until('it is included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
      }
      [signedBlocks, head] = [chain.audit.height - before, chain.audit.height];
      entries = [...chain.log.entries];
    }),
  );

  it('has the senders of the blocks ahead recovered meanwhile; blocks are accepted in order all the same', async () => {
    const asked: PromiseWithResolvers<void>[] = [];
    const { accepted, run } = await follow(async (raws) => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      await answer.promise;
      return raws.map(senderOf);
    });
    await until('all are asked for', () => (asked.length === signedBlocks ? true : undefined));
    assert.equal(accepted.at(-1), head - signedBlocks);
    for (const { resolve } of asked.toReversed()) resolve();
    await run;
    assert.deepEqual(
      accepted,
      Array.from({ length: head }, (_, i) => i + 1),
    );
  });

  it('stops at a block whose signature is not valid, when the blocks before it are accepted', async () => {
    const bad = 3;
    let calls = 0;
    const { accepted, run } = await follow(async (raws) => {
      calls += 1;
      if (calls === bad) throw new NodeError('fatal', 'invalid transaction signature', { code: 'SIGNATURE_INVALID' });
      return raws.map(senderOf);
    });
    await assert.rejects(
      run,
      (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === ReplayErrorCode.undecodable,
    );
    assert.equal(accepted.at(-1), head - signedBlocks + bad - 1);
    assert.equal(calls, signedBlocks);
  });

  it('ends with its signal while the senders of blocks ahead are still being recovered', async () => {
    const asked: PromiseWithResolvers<void>[] = [];
    const { accepted, run, stop } = await follow(async (raws) => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      await answer.promise;
      return raws.map(senderOf);
    });
    await until('all are asked for', () => (asked.length === signedBlocks ? true : undefined));
    stop.abort();
    asked[0]?.resolve();
    await run;
    assert.equal(accepted.at(-1), head - signedBlocks + 1, 'only the block that was begun');
  });
});
