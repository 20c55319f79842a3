/** Blocks by the production builder, then each of them again from its record: what a replayer finds must be what was built. */
import { isDeepStrictEqual } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import { bytesKey, toHex, type Bytes } from '../../../src/common/bytes.ts';
import type { Clock } from '../../../src/common/clock.ts';
import { errorText } from '../../../src/common/errors.ts';
import { silentLogger } from '../../../src/common/logger.ts';
import { replayBlock } from '../../../src/consumers/replayBlock.ts';
import type { Leadership } from '../../../src/log/leadership.ts';
import type { L1Source } from '../../../src/producers/l1Source.ts';
import { Mempool } from '../../../src/producers/mempool.ts';
import { type BuiltBlock, Sequencer } from '../../../src/producers/sequencer.ts';
import type { BlockOutput } from '../../../src/protocol/blockOutput.ts';
import { L1_PRIORITY_TYPE } from '../../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../../src/protocol/transactionCodec.ts';
import type { ChainHead } from '../../../src/store/chainStore.ts';
import { StateCache, type StateSource } from '../../../src/store/stateCache.ts';
import { ABSENT, type MissingKey } from '../../../src/vm/loadedState.ts';
import { aBlockContext, aWord } from '../../support/factories.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import type { TestState } from '../../support/testState.ts';
import { type BlockCase, missNames } from './blockCase.ts';

export interface Comparison {
  /** undefined: the replayer found what the builder built. */
  readonly difference: string | undefined;
  readonly blocks: readonly BuiltBlock[];
  /** Who had to be resumed while blocks were built, by the names of the case. */
  readonly resumed: ReadonlySet<string>;
  /** Transactions that the virtual machine refused, by error. */
  readonly rejected: ReadonlyMap<string, number>;
}

const BLOCKS_MAX = 4;
/** Times the clock goes on without a block before the builder counts as idle. */
const IDLE_STEPS_MAX = 30;

/** A fake clock that also goes on whenever somebody reads it. */
class TickingClock extends FakeClock {
  readonly #tickMs: number;

  constructor(tickMs: number) {
    super();
    this.#tickMs = tickMs;
  }

  override now(): number {
    if (this.#tickMs > 0) this.advance(this.#tickMs);
    return super.now();
  }

  override elapsedMs(): number {
    if (this.#tickMs > 0) this.advance(this.#tickMs);
    return super.elapsedMs();
  }
}

function sourceOf(state: TestState, onRead: (key: MissingKey) => void): StateSource {
  return {
    readState: async (keys) =>
      keys.map((key) => {
        onRead(key);
        const value =
          key.kind === 'account'
            ? state.records.get(bytesKey(key.address))
            : key.kind === 'slot'
              ? state.value(key.address, key.slot)
              : state.preimage(key.hash);
        return value === ABSENT ? undefined : value;
      }),
  };
}

function nameOf(key: MissingKey): string {
  if (key.kind === 'account') return missNames.account(key.address);
  return key.kind === 'slot' ? missNames.slot(key.slot) : missNames.preimage(key.hash);
}

/** Builds until nothing is left to build, at most a few blocks, each on the ones before it. */
async function build(blockCase: BlockCase, resumed: Set<string>, rejected: Map<string, number>): Promise<BuiltBlock[]> {
  const { settings, l1, upgrade, readers, state } = blockCase;
  const clock: Clock & FakeClock = new TickingClock(blockCase.tickMs);
  const mempool = new Mempool({
    chainId: settings.chainId,
    blockGasLimit: settings.blockGasLimit,
    maxInputBytes: 1 << 20,
    maxPendingTransactions: 1_000,
    maxPendingSizeBytes: 1 << 24,
  });
  for (const { transaction, sender, view } of blockCase.pooled) mempool.add(transaction, sender, view);
  const l1Source: L1Source = {
    onArrival: undefined,
    nextId: BigInt(l1.length),
    has: (id) => id < BigInt(l1.length),
    get: (id) => l1[Number(id)],
    whenAvailable: () => Promise.resolve(),
  };
  const head = headOf(blockCase);
  const built: BuiltBlock[] = [];
  let failure: { readonly error: unknown } | undefined;
  const source = sourceOf(state, (key) => {
    resumed.add(readers.get(nameOf(key)) ?? (key.kind === 'account' ? 'CREATE' : 'other'));
  });
  const debug = silentLogger;
  const sequencer = new Sequencer({
    settings,
    mempool,
    l1Source,
    upgradeTransaction: () => {
      if (upgrade === undefined) throw new Error('this case has no block 1');
      return upgrade;
    },
    cache: new StateCache(source, { entries: blockCase.cacheCapacities[0] }),
    readmit: () => undefined,
    head: () => head,
    clock,
    logger: {
      ...debug,
      debug: (facts: { readonly error?: unknown }) => {
        if (typeof facts.error === 'string') rejected.set(facts.error, (rejected.get(facts.error) ?? 0) + 1);
      },
    } as typeof debug, // what the sequencer calls of it
    metrics: { sealed: () => undefined },
    mayBuild: () => built.length < BLOCKS_MAX,
    onFatal: (error) => {
      failure ??= { error };
    },
  });
  const leadership = {
    alive: true,
    room: BLOCKS_MAX + 1,
    whenRoom: () => Promise.resolve(),
    append: ({ payload }: { payload: BuiltBlock }) => built.push(payload),
  };
  // What the sequencer uses of a leadership.
  sequencer.lead(leadership as unknown as Leadership<BuiltBlock>);
  let count = 0;
  for (let idle = 0; idle < IDLE_STEPS_MAX && built.length < BLOCKS_MAX && failure === undefined; idle += 1) {
    // The builder sleeps only on the clock: until then it works.
    while (clock.untilNext === undefined && failure === undefined) await setImmediate();
    clock.advance(clock.untilNext ?? 0);
    await setImmediate();
    if (built.length > count) idle = 0;
    count = built.length;
  }
  const stopped = sequencer.stop();
  while (await Promise.race([stopped.then(() => false), setImmediate(true)])) clock.advance(clock.untilNext ?? 0);
  if (failure !== undefined) throw failure.error;
  return built;
}

function headOf({ upgrade }: BlockCase): ChainHead {
  return {
    height: upgrade === undefined ? 41 : 0,
    blockHash: aWord(1),
    timestamp: 1n,
    nextL1PriorityId: 0n,
    blockHashes: aBlockContext().blockHashes,
  };
}

/** The first part of the output in which the two differ. */
function differenceOf(built: BlockOutput, replayed: BlockOutput): string | undefined {
  for (const [index, expected] of built.transactions.entries()) {
    const found = replayed.transactions[index];
    if (isDeepStrictEqual(expected, found)) continue;
    const fields = Object.keys(expected) as (keyof typeof expected)[]; // what Object.keys forgets
    const field = fields.find((name) => !isDeepStrictEqual(expected[name], found?.[name]));
    return `transaction ${index}, ${field}: built ${shown(expected, field)}, replayed ${shown(found, field)}`;
  }
  const parts = ['header', 'writes', 'preimages', 'pubdata', 'computationalNativeUsed', 'blockOutputHash'] as const;
  const part = parts.find((name) => !isDeepStrictEqual(built[name], replayed[name]));
  return part ?? (isDeepStrictEqual(built, replayed) ? undefined : 'another part of the output');
}

function shown<Value extends object>(value: Value | undefined, field: keyof Value | undefined): string {
  const found = field === undefined ? undefined : value?.[field];
  return typeof found === 'bigint' || typeof found === 'boolean' ? String(found) : 'something else';
}

/** Builds and replays a case. Throws nothing: what breaks either of them is a difference, too. */
export async function compareCase(blockCase: BlockCase): Promise<Comparison> {
  const resumed = new Set<string>();
  const rejected = new Map<string, number>();
  const before = blockCase.state.copy();
  let blocks: BuiltBlock[] = [];
  let difference: string | undefined;
  try {
    blocks = await build(blockCase, resumed, rejected);
    difference = await replay(blockCase, before, blocks);
  } catch (error) {
    difference = errorText(error);
  }
  return { difference, blocks, resumed, rejected };
}

async function replay(
  blockCase: BlockCase,
  state: TestState,
  blocks: readonly BuiltBlock[],
): Promise<string | undefined> {
  let { timestamp, nextL1PriorityId } = headOf(blockCase);
  const senders = new Map(blockCase.pooled.map(({ transaction, sender }) => [bytesKey(transaction.hash), sender]));
  const senderOf = (raw: Bytes) => {
    const transaction = decodeTransaction(raw);
    const sender = 'initiator' in transaction ? transaction.initiator : senders.get(bytesKey(transaction.hash));
    if (sender === undefined) throw new Error(`nobody sent ${toHex(transaction.hash)}`);
    return { transaction, sender };
  };
  for (const { record, output, context } of blocks) {
    const cache = new StateCache(
      sourceOf(state, () => undefined),
      { entries: blockCase.cacheCapacities[1] },
    );
    const transactions = record.transactions.map(senderOf);
    const replayed = await replayBlock({
      record: { ...record, blockOutputHash: output.blockOutputHash },
      blockHashes: context.blockHashes,
      transactions,
      state: cache.view([]),
      previousBlockTimestamp: timestamp,
      nextL1PriorityId,
    }).catch((error: unknown) => {
      // The output behind a wrong hash says more than the hash.
      const found = outputOf(error);
      if (found === undefined) throw error;
      return found;
    });
    const difference = differenceOf(output, replayed);
    if (difference !== undefined)
      return `block ${context.blockNumber} (${transactions.length} transactions): ${difference}`;
    state.apply(output);
    timestamp = context.timestamp;
    nextL1PriorityId += BigInt(transactions.filter(({ transaction }) => transaction.type === L1_PRIORITY_TYPE).length);
  }
  return undefined;
}

function outputOf(error: unknown): BlockOutput | undefined {
  if (!(error instanceof Error) || !('facts' in error)) return undefined;
  const { output } = error.facts as { readonly output?: BlockOutput }; // of a wrong output hash
  return output;
}
