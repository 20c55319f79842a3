/** Settlement entries through a leadership: log-protocol 5, 6 and T18, T21, T24, on the memory log with a clock that stands still. */
import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import { type Envelope, type SettlementEntry, isSettlementEntry } from '../../src/log/entry.ts';
import { decodeEntry, encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { type AppendFate, DELIVERED, MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import type { Leadership, SettlementContent } from '../../src/log/leadership.ts';
import { type DoubtReason, LeadershipManager } from '../../src/log/leadershipManager.ts';
import { EMPTY_SETTLEMENT, type SettlementFold, foldSettlement, sealedBatch } from '../../src/log/settlementFold.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  aBlockRecord,
  aFriProof,
  aGenesis,
  aSeal,
  anEpochStarted,
  anL1Progress,
  filled,
  seededBytes,
} from '../support/logEntries.ts';

const SOFTWARE = { schema: 1, rules: 1 };
const HELD: AppendFate = { copies: ['held'], ack: 0 };
const LOST: AppendFate = { copies: [], ack: 0 };
const hasCode = (code: string) => (error: unknown) => error instanceof NodeError && error.code === code;

/** Follows the log as the replay pipeline does. */
class Process {
  readonly manager: LeadershipManager<number>;
  readonly #log: MemoryEventLog;
  chain: ChainFold = EMPTY_FOLD;
  settlement: SettlementFold = EMPTY_SETTLEMENT;
  position = 0;
  readonly doubts: DoubtReason[] = [];
  readonly settled: string[] = [];

  constructor(name: string, log: MemoryEventLog, clock: FakeClock) {
    this.#log = log;
    this.manager = new LeadershipManager<number>({
      openProducer: () => log.openProducer(),
      software: SOFTWARE,
      nodeId: filled(name.charCodeAt(0), 16),
      bootId: filled(1, 16),
      maxAheadBlocks: 8,
      clock,
      random: seededBytes(name.charCodeAt(0)),
      mayLead: true,
      hasWork: () => true,
      logEnd: () => log.end(),
      checkLog: async () => undefined,
      onLead: () => undefined,
      onDoubt: (reason) => this.doubts.push(reason),
      onFatal: (error) => {
        throw error;
      },
    });
  }

  get leadership(): Leadership<number> {
    const leadership = this.manager.current();
    assert.ok(leadership !== undefined, 'it leads');
    return leadership;
  }

  block(): void {
    const height = this.leadership.head.height + 1;
    this.leadership.append({ record: aBlockRecord(height), payload: height });
  }

  append(entry: SettlementEntry): void {
    this.leadership.appendSettlement(contentOf(entry));
  }

  read(): void {
    for (const logEntry of this.#log.visible(this.position)) {
      this.position += 1;
      const entry = decodeEntry(logEntry.schema, logEntry.bytes);
      const hash = entryHash(logEntry.schema, logEntry.bytes);
      let result: FoldResult = foldChain(this.chain, entry, SOFTWARE, 270n);
      this.chain = result.state;
      if (entry !== undefined && isSettlementEntry(entry)) {
        const { verdict, state } = foldSettlement(this.settlement, entry, this.chain, SOFTWARE);
        this.settlement = state;
        result = { ...result, verdict };
        this.settled.push(`${entry.kind} ${verdict}`);
      }
      this.manager.onEntry(logEntry, hash, entry, result, this.chain, this.settlement);
    }
    this.manager.onCaughtUp(this.chain, this.position, this.settlement);
  }
}

function contentOf(entry: SettlementEntry): SettlementContent {
  const { schema: _s, logId: _l, epoch: _e, claim: _c, nodeId: _n, bootId: _b, ...content } = entry;
  return content satisfies Omit<SettlementEntry, keyof Envelope>; // Omit forgets the union
}

function aWorld() {
  const clock = new FakeClock();
  const fates: AppendFate[] = [];
  const log = new MemoryEventLog({ clock, fate: () => fates.shift() ?? DELIVERED });
  log.write(encodeEntry(aGenesis()));
  const run = async (...processes: readonly Process[]): Promise<void> => {
    for (let end = -1; end !== log.visible(0).length;) {
      end = log.visible(0).length;
      for (const process of processes) process.read();
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    }
  };
  return { clock, fates, log, run, process: (name: string) => new Process(name, log, clock) };
}

/** It leads with so many accepted blocks. */
async function aLeader(world: ReturnType<typeof aWorld>, name: string, blocks: number): Promise<Process> {
  const process = world.process(name);
  await world.run(process);
  for (let i = 0; i < blocks; i++) {
    process.block();
    await world.run(process);
  }
  assert.equal(process.chain.height, blocks);
  return process;
}

describe('leadership of settlement', () => {
  it('sends seals and blocks through one queue, and takes them off as they are read back', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 3);
    a.append(aSeal(1, [1, 2]));
    a.block();
    a.append(aSeal(2, [3, 3]));
    assert.equal(a.leadership.settlement.sealed, 2, 'the overlay');
    assert.equal(a.settlement.sealed, 0, 'nothing counts before it is read back');
    assert.equal(a.leadership.room, 7, 'seals take no room of blocks');
    await world.run(a);
    assert.equal(a.settlement.sealed, 2);
    assert.equal(a.chain.height, 4);
    assert.equal(a.leadership.room, 8);
    assert.equal(a.leadership.settlementRoom, 32);
    assert.deepEqual(a.doubts, []);
  });

  it('seals accepted blocks only, and sends one content per slot (A5)', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 1);
    a.block();
    const refused = hasCode('SETTLEMENT_DOES_NOT_FIT');
    assert.throws(() => a.append(aSeal(1, [1, 2])), refused, 'block 2 is in flight');
    a.append(aSeal(1, [1, 1]));
    assert.throws(() => a.append(aSeal(1, [1, 1], { storedBatchHash: filled(9) })), refused);
    a.append(aFriProof(1));
    assert.throws(() => a.append(aFriProof(1)), refused);
    a.append(anL1Progress([1, 0, 0], 10));
    assert.throws(() => a.append(anL1Progress([1, 1, 0], 10)), refused, 'an older L1 block is never appended (T24)');
    await world.run(a);
    assert.deepEqual(a.settled, ['BatchSealed accepted', 'FriProved accepted', 'L1Progress accepted']);
    assert.deepEqual(a.doubts, []);
  });

  it('bounds what is unaccepted, and appends nothing once it is over', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 40);
    const { leadership } = a;
    world.log.pauseReaders();
    for (let batch = 1; batch <= 32; batch++) a.append(aSeal(batch, [batch, batch]));
    assert.equal(leadership.settlementRoom, 0);
    assert.throws(() => a.append(aSeal(33, [33, 33])), hasCode('QUEUE_FULL'));
    await a.manager.close();
    assert.throws(() => leadership.appendSettlement(contentOf(aSeal(33, [33, 33]))), hasCode('NOT_LEADING'));
  });

  it('T18: of two seals of one batch by two leaders only the accepted one counts, in either order', async () => {
    for (const isFirstLate of [true, false]) {
      const world = aWorld();
      const a = await aLeader(world, 'A', 4);
      const b = world.process('B');
      await world.run(b);
      world.fates.push(isFirstLate ? HELD : DELIVERED);
      world.log.pauseReaders();
      a.append(aSeal(1, [1, 2]));
      // A shows no life: B claims away what A has in flight.
      world.log.resumeReaders();
      if (!isFirstLate) await world.run(b);
      for (let i = 0; i < 200 && b.manager.current() === undefined; i++) {
        world.clock.advance(100);
        await world.run(b);
      }
      if (isFirstLate) {
        b.append(aSeal(1, [1, 3], { storedBatchHash: filled(0xee) }));
        await world.run(b);
        world.log.held[0]?.release();
      } else {
        assert.throws(
          () => b.append(aSeal(1, [1, 3], { storedBatchHash: filled(0xee) })),
          hasCode('SETTLEMENT_DOES_NOT_FIT'),
        );
        b.append(aSeal(2, [3, 3]));
      }
      await world.run(a, b);
      for (const process of [a, b]) {
        const expected = isFirstLate ? filled(0xee) : aSeal(1, [1, 2]).storedBatchHash;
        assert.deepEqual(sealedBatch(process.settlement, 1)?.storedBatchHash, expected);
      }
      assert.deepEqual(a.settlement, b.settlement);
    }
  });

  it('T21: a copy of an entry that has left the queue is rejected without doubt', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 3);
    for (let batch = 1; batch <= 3; batch++) a.append(aSeal(batch, [batch, batch]));
    await world.run(a);
    world.fates.push({ copies: [0, 0], ack: 0 });
    for (const batch of [3, 1, 2]) a.append(aFriProof(batch));
    await world.run(a);
    assert.equal(a.settled.filter((verdict) => verdict === 'FriProved accepted').length, 3);
    assert.ok(a.settled.includes('FriProved rejected'));
    assert.deepEqual(a.doubts, []);
  });

  it('gives up when a seal is not read back, and a new leadership starts from what was accepted', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 2);
    world.fates.push(LOST);
    a.append(aSeal(1, [1, 1]));
    for (let i = 0; i < 30 && a.doubts.length === 0; i++) {
      world.clock.advance(100);
      await world.run(a);
    }
    assert.deepEqual(a.doubts, ['expired']);
    for (let i = 0; i < 100 && a.manager.current() === undefined; i++) {
      world.clock.advance(100);
      await world.run(a);
    }
    assert.equal(a.leadership.settlement.sealed, 0);
    a.append(aSeal(1, [1, 2]));
    await world.run(a);
    assert.equal(sealedBatch(a.settlement, 1)?.lastBlock, 2);
  });

  it('starts a leadership from every seal read before its claim, the end of the log not yet reached', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 2);
    const b = world.process('B');
    await world.run(b);
    world.fates.push(HELD, HELD);
    a.append(aSeal(1, [1, 1]));
    await a.manager.close();
    for (let i = 0; i < 100 && world.log.held.length < 2; i++) {
      world.clock.advance(100);
      await world.run(b);
    }
    assert.deepEqual(
      world.log.held.map(({ entry }) => entry.key),
      ['BatchSealed/1', 'EpochStarted/2'],
    );
    for (let i = 0; i < 2; i++) world.log.held[0]?.release();
    b.read();
    assert.equal(b.leadership.settlement.sealed, 1);
    b.append(aSeal(2, [2, 2]));
    await world.run(b);
    assert.equal(b.settlement.sealed, 2);
  });

  it('doubts itself when an entry with its claim is accepted that it did not send (a clone)', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 2);
    const { claim, epoch } = a.leadership;
    world.log.write(encodeEntry(aSeal(1, [1, 1], { claim, epoch })));
    await world.run(a);
    assert.deepEqual(a.doubts, ['not_front']);
    assert.equal(a.settlement.sealed, 1);
  });

  it('follows another leader and never counts its own late entries', async () => {
    const world = aWorld();
    const a = await aLeader(world, 'A', 2);
    world.fates.push(HELD);
    a.append(aSeal(1, [1, 1]));
    const head = { height: 2n, parent: a.chain.parent };
    world.log.write(encodeEntry(anEpochStarted({ epoch: 2n, claim: filled(0x77, 16), head })));
    await world.run(a);
    assert.deepEqual(a.doubts, ['other_epoch']);
    world.log.held[0]?.release();
    await world.run(a);
    assert.deepEqual(a.settled, ['BatchSealed rejected']);
  });
});
