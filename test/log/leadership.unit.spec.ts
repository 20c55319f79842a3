/** Scenarios of log-protocol 14 as far as they concern blocks, on the memory log with a clock that stands still. */
import assert from 'node:assert/strict';
import { type Bytes, bytesKey } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { AcceptedHashes, type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { decodeEntry, encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { type AppendFate, DELIVERED, MemoryEventLog, type MemoryLogOptions } from '../../src/log/eventLog.memory.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { Leadership, type QueuedBlock } from '../../src/log/leadership.ts';
import { type DoubtReason, LeadershipManager } from '../../src/log/leadershipManager.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aBlock, aBlockRecord, aGenesis, anEpochStarted, filled, seededBytes } from '../support/logEntries.ts';

const SOFTWARE = { schema: 1, rules: 1 };
const hasCode = (code: string) => (error: unknown) => error instanceof NodeError && error.code === code;

/** Lets everything that waits for promises alone run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

/** A process: reads the log at its own pace, folds, publishes what was accepted, builds while it leads. */
class Process {
  readonly name: string;
  readonly #log: MemoryEventLog;
  readonly manager: LeadershipManager<string>;
  fold: ChainFold = EMPTY_FOLD;
  position = 0;
  hasWork = true;
  readonly claims: Bytes[] = [];
  /** `height content` of every accepted block, in order. */
  readonly published: string[] = [];
  readonly ownAccepted: string[] = [];
  readonly returned: string[] = [];
  readonly doubts: DoubtReason[] = [];
  readonly rejects: (string | undefined)[] = [];
  readonly #hashes = new AcceptedHashes();
  #built = 0;
  error: unknown;

  constructor(
    name: string,
    log: MemoryEventLog,
    clock: FakeClock,
    options: {
      nodeId?: Bytes;
      mayLead?: boolean;
      checkLog?: () => Promise<void>;
      seed?: number;
      firstClaim?: Bytes;
      maxAheadBlocks?: number;
    } = {},
  ) {
    this.name = name;
    this.#log = log;
    const random = seededBytes(options.seed ?? name.charCodeAt(0));
    this.manager = new LeadershipManager<string>({
      openProducer: () => log.openProducer(),
      software: SOFTWARE,
      nodeId: options.nodeId ?? filled(name.charCodeAt(0), 16),
      bootId: filled(1, 16),
      maxAheadBlocks: options.maxAheadBlocks ?? 8,
      clock,
      random: (length) => {
        const isFirst = length === 16 && this.claims.length === 0;
        const bytes = (isFirst ? options.firstClaim : undefined) ?? random(length);
        if (length === 16) this.claims.push(bytes);
        return bytes;
      },
      mayLead: options.mayLead ?? true,
      hasWork: () => this.hasWork,
      logEnd: () => log.end(),
      checkLog: options.checkLog ?? (async () => undefined),
      onLead: () => undefined,
      onDoubt: (reason, unaccepted) => {
        this.doubts.push(reason);
        this.returned.push(...unaccepted.map(({ payload }) => payload));
      },
      onFatal: (error) => {
        this.error = error;
      },
    });
  }

  get leads(): boolean {
    return this.manager.current() !== undefined;
  }

  /** Reads what it may see, at most so many entries. */
  read(most = Infinity): void {
    for (const entry of this.#log.visible(this.position)) {
      if (most-- <= 0) return;
      this.#process(entry);
    }
    this.manager.onCaughtUp(this.fold, this.position);
  }

  /** Builds the next block on its overlay. */
  build(content = `${this.name}${++this.#built}`): QueuedBlock<string> {
    const leadership = this.manager.current();
    assert.ok(leadership !== undefined, `${this.name} leads`);
    const height = leadership.head.height + 1;
    return leadership.append({
      record: aBlockRecord(height, { nodeVersion: content, blockOutputHash: contentHash(content) }),
      payload: content,
    });
  }

  #process(logEntry: LogEntry): void {
    assert.equal(logEntry.position, this.position++);
    const decoded = decodeEntry(logEntry.schema, logEntry.bytes);
    const hash = entryHash(logEntry.schema, logEntry.bytes);
    const result: FoldResult = foldChain(this.fold, decoded, SOFTWARE, 270n, this.#hashes.has(hash));
    assert.notEqual(result.verdict, 'stop');
    this.fold = result.state;
    if (result.verdict === 'accepted') this.#hashes.add(hash);
    else this.rejects.push(result.rejectedClass);
    const own = this.manager.onEntry(logEntry, hash, decoded, result, this.fold);
    if (result.verdict !== 'accepted' || decoded?.kind !== 'Block') return;
    const content = decoded.record.nodeVersion;
    if (own !== undefined) {
      assert.equal(own.payload, content, 'only the very bytes are recognised');
      this.ownAccepted.push(content);
    }
    this.published.push(`${decoded.height} ${content}`);
  }
}

const contentHash = (content: string): Bytes => {
  const hash = new Uint8Array(32);
  hash.set(Buffer.from(content));
  return hash;
};

interface World {
  readonly clock: FakeClock;
  readonly log: MemoryEventLog;
  /** Fates of the next sends; `DELIVERED` when there are no more. */
  readonly fates: AppendFate[];
  readonly process: (name: string, options?: ConstructorParameters<typeof Process>[3]) => Process;
  /** Everybody reads until nothing more happens. */
  readonly run: (...processes: Process[]) => Promise<void>;
  /** Time passes in small steps while everybody reads. */
  readonly pass: (ms: number, ...processes: Process[]) => Promise<void>;
}

function aWorld(options: Omit<MemoryLogOptions, 'clock' | 'fate'> = {}): World {
  const clock = new FakeClock();
  const fates: AppendFate[] = [];
  const log = new MemoryEventLog({ ...options, clock, fate: () => fates.shift() ?? DELIVERED });
  log.write(encodeEntry(aGenesis()));
  const run = async (...processes: Process[]): Promise<void> => {
    for (let end = -1; end !== log.visible(0).length;) {
      end = log.visible(0).length;
      for (const process of processes) process.read();
      await settle();
    }
  };
  return {
    clock,
    log,
    fates,
    process: (name, processOptions) => new Process(name, log, clock, processOptions),
    run,
    pass: async (ms, ...processes) => {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        await run(...processes);
      }
    },
  };
}

const HELD: AppendFate = { copies: ['held'], ack: 0 };
const LOST: AppendFate = { copies: [], ack: 0 };

/** What the log holds, as read by somebody who has only the log. */
function accepted(log: MemoryEventLog): { blocks: string[]; epochs: number } {
  const reader = new Process('Z', log, new FakeClock(), { mayLead: false });
  reader.read();
  return { blocks: reader.published, epochs: Number(reader.fold.epoch) };
}

describe('leadership', () => {
  it('claims when nobody leads, and leads once the claim is read back', async () => {
    const { log, process, run } = aWorld();
    const a = process('A');
    assert.equal(a.leads, false);
    a.read();
    await settle();
    assert.equal(a.leads, false, 'an acknowledgement is no evidence');
    await run(a);
    assert.ok(a.leads);
    assert.deepEqual(a.manager.current()?.claim, a.claims[0]);
    assert.equal(a.manager.current()?.epoch, 1n);
    a.build();
    a.build();
    assert.deepEqual(a.published, [], 'not before it is read');
    await run(a);
    assert.deepEqual(a.published, ['1 A1', '2 A2']);
    assert.deepEqual(a.ownAccepted, ['A1', 'A2']);
    assert.deepEqual(accepted(log), { blocks: ['1 A1', '2 A2'], epochs: 1 });
    await a.manager.close();
    assert.deepEqual(a.doubts, ['closed']);
  });

  it('never claims before Genesis, in another role, or on a log that is not its own', async () => {
    const clock = new FakeClock();
    const log = new MemoryEventLog({ clock });
    const a = new Process('A', log, clock);
    a.read();
    await settle();
    assert.equal(log.visible(0).length, 0);
    const external = new Process('E', log, clock, { mayLead: false });
    log.write(encodeEntry(aGenesis()));
    external.read();
    clock.advance(100_000);
    await settle();
    assert.equal(log.visible(0).length, 1);
    const stopped = new NodeError('fatal', 'log truncated or replaced', { code: 'LOG_REPLACED' });
    const wrong = new Process('W', log, clock, { checkLog: () => Promise.reject(stopped) });
    wrong.read();
    clock.advance(100_000);
    await settle();
    assert.equal(log.visible(0).length, 1);
    assert.equal(wrong.error, stopped);
    a.read();
    await settle();
    assert.equal(log.visible(0).length, 2);
  });

  it('waits and tries again when the log cannot be checked', async () => {
    const { clock, process, run } = aWorld();
    let attempts = 0;
    const checkLog = async (): Promise<void> => {
      if (++attempts <= 2) throw new NodeError('retryable', 'no broker', { code: 'LOG_UNAVAILABLE' });
    };
    const a = process('A', { checkLog });
    await run(a);
    assert.equal(attempts, 1);
    clock.advance(2_000);
    await run(a);
    assert.equal(attempts, 2);
    clock.advance(4_000);
    await run(a);
    assert.equal(attempts, 3);
    assert.ok(a.leads);
    assert.equal(a.error, undefined);
  });

  it('keeps one request in flight, then sends what was queued meanwhile, up to 7 MiB', async () => {
    const sends: string[][] = [];
    const clock = new FakeClock();
    const answers: (() => void)[] = [];
    const log = new MemoryEventLog({ clock });
    log.write(encodeEntry(aGenesis()));
    const sent: string[][] = sends;
    const manager = new LeadershipManager<string>({
      openProducer: () => ({
        send: (entries) => {
          sent.push(entries.map(({ key }) => key));
          for (const entry of entries) log.write(entry);
          return new Promise((resolve) => answers.push(resolve));
        },
        close: async () => undefined,
      }),
      software: SOFTWARE,
      nodeId: filled(1, 16),
      bootId: filled(2, 16),
      maxAheadBlocks: 8,
      clock,
      random: seededBytes(1),
      mayLead: true,
      hasWork: () => true,
      logEnd: () => log.end(),
      checkLog: async () => undefined,
      onLead: () => undefined,
      onDoubt: () => undefined,
      onFatal: (error) => assert.fail(String(error)),
    });
    let fold = EMPTY_FOLD;
    let position = 0;
    const read = (): void => {
      for (const entry of log.visible(position)) {
        const decoded = decodeEntry(entry.schema, entry.bytes);
        const result = foldChain(fold, decoded, SOFTWARE);
        fold = result.state;
        position++;
        manager.onEntry(entry, entryHash(entry.schema, entry.bytes), decoded, result, fold);
      }
      manager.onCaughtUp(fold, position);
    };
    read();
    await settle();
    read();
    const leadership = manager.current();
    assert.ok(leadership instanceof Leadership);
    const large = filled(1, 2 * 1024 * 1024);
    const append = (transactions: Bytes[]) => {
      const height = leadership.head.height + 1;
      leadership.append({ record: aBlockRecord(height, { transactions }), payload: '' });
    };
    append([]);
    append([]);
    append([large, large]);
    append([large]);
    append([large, large, large]);
    append([]);
    append([large]);
    append([]);
    assert.equal(leadership.room, 0);
    assert.throws(() => append([]), hasCode('QUEUE_FULL'));
    assert.deepEqual(sends.slice(1), [['Block/1']]);
    for (let i = 1; i < 5; i++) {
      answers[i]?.();
      await settle();
    }
    assert.deepEqual(sends.slice(1), [
      ['Block/1'],
      ['Block/2', 'Block/3', 'Block/4'],
      ['Block/5', 'Block/6'],
      ['Block/7', 'Block/8'],
    ]);
    let hasRoom = false;
    void leadership.whenRoom().then(() => {
      hasRoom = true;
    });
    await settle();
    assert.equal(hasRoom, false);
    read();
    await settle();
    assert.ok(hasRoom);
    assert.equal(leadership.room, 8);
    assert.equal(fold.height, 8);
    assert.throws(() => append([filled(1, 8 * 1024 * 1024)]), hasCode('ENTRY_TOO_LARGE'));
    assert.ok(leadership.alive, 'raised before a byte was sent: no doubt');
    assert.throws(() => leadership.append({ record: aBlockRecord(77), payload: '' }), hasCode('BLOCK_DOES_NOT_FIT'));
    append([]);
    await manager.close();
    assert.throws(() => append([]), hasCode('NOT_LEADING'));
  });

  it('T1: two claim the same epoch; the first owns it, the other follows', async () => {
    const { log, process, run } = aWorld();
    const [a, b] = [process('A'), process('B')];
    a.read();
    b.read();
    await settle();
    a.read();
    b.read();
    assert.ok(a.leads);
    assert.equal(b.leads, false);
    assert.deepEqual(b.rejects, ['foreign']);
    // The loser builds anyway, and its block is first.
    const claim = b.claims[0];
    assert.ok(claim !== undefined);
    log.write(encodeEntry(aBlock(1, { claim, epoch: 1n })));
    a.build();
    await run(a, b);
    assert.deepEqual(accepted(log), { blocks: ['1 A1'], epochs: 1 });
    assert.deepEqual(a.doubts, []);
    assert.ok(a.rejects.includes('foreign'));
    assert.equal(b.leads, false);
  });

  it('T2: a delayed block lands after two more claims, or before the claim of the next life', async () => {
    const world = aWorld();
    const { log, clock, fates, process, run, pass } = world;
    const [a, b] = [process('A'), process('B')];
    await run(a);
    await run(a, b);
    fates.push(HELD);
    a.build();
    // A doubts it at the deadline and claims again: its first life's block is still in flight.
    clock.advance(2_000);
    await run(a, b);
    assert.deepEqual(a.doubts, ['expired']);
    assert.deepEqual(a.returned, ['A1']);
    assert.ok(a.leads, 'in the next epoch');
    log.held[0]?.release();
    await run(a, b);
    assert.deepEqual(a.rejects, ['stale']);
    assert.deepEqual(a.doubts, ['expired'], 'a rejected entry of another leadership is no failure');
    a.build();
    await run(a, b);
    assert.deepEqual(accepted(log), { blocks: ['1 A2'], epochs: 2 });

    // Variant: A restarts, its block lands before the new life's claim.
    fates.push(HELD);
    a.build();
    await settle();
    const again = process('A', { seed: 99 });
    fates.push(HELD);
    await run(again);
    assert.equal(again.leads, false);
    log.held.find(({ entry }) => entry.key === 'Block/2')?.release();
    log.held.find(({ entry }) => entry.key.startsWith('EpochStarted'))?.release();
    await run(again);
    assert.ok(again.rejects.includes('stale'), 'the head moved before the claim landed');
    await pass(500, again);
    assert.ok(again.leads, 'claimed again');
    again.build('again');
    await run(again);
    assert.deepEqual(accepted(log), { blocks: ['1 A2', '2 A3', '3 again'], epochs: 3 });
  });

  it('T3: a delayed claim lands: given up it still leads, restarted it does not, under another leader it is rejected', async () => {
    const { log, clock, fates, process, run } = aWorld();
    const a = process('A');
    fates.push(HELD, HELD);
    await run(a);
    clock.advance(2_000);
    await run(a);
    assert.equal(log.held.length, 2, 'the first claim was given up, the second is on its way');
    log.held[0]?.release();
    await run(a);
    assert.ok(a.leads);
    assert.deepEqual(a.manager.current()?.claim, a.claims[0]);
    a.build();
    await run(a);
    log.held[0]?.release();
    await run(a);
    assert.ok(a.leads, 'its other claim is rejected and disturbs nobody');
    assert.deepEqual(a.doubts, []);

    // Restarted: the claim of the previous life opens an epoch without an owner; the next one comes in time.
    fates.push(HELD);
    await a.manager.close();
    const second = process('A', { seed: 7 });
    fates.length = 0;
    fates.push(HELD);
    await run(second);
    await second.manager.close();
    const third = process('A', { seed: 8 });
    fates.push(HELD);
    await run(third);
    log.held.find(({ entry }) => entry.key === 'EpochStarted/2')?.release();
    await run(third);
    assert.ok(third.leads, 'no life of its own in this one yet: it claimed at once');
    assert.equal(third.manager.current()?.epoch, 3n);

    // Another leader: rejected.
    const stale = encodeEntry(
      anEpochStarted({ epoch: 2n, claim: filled(0x77, 16), head: { height: 1n, parent: contentHash('A1') } }),
    );
    log.write(stale);
    await run(third);
    assert.ok(third.leads);
    assert.equal(third.rejects.at(-1), 'stale');
  });

  it('T4: a lost block makes the later ones gaps: doubt, and their transactions come back', async () => {
    const { log, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push(LOST);
    a.build();
    a.build();
    a.build();
    await run(a);
    assert.deepEqual(a.doubts, ['rejected']);
    assert.deepEqual(a.returned, ['A1', 'A2', 'A3']);
    assert.ok(a.leads);
    a.build();
    await run(a);
    assert.deepEqual(accepted(log), { blocks: ['1 A4'], epochs: 2 });
    assert.equal(a.rejects[0], 'gap');
  });

  it('T4 variant: the order is turned and the early one comes again: all accepted, nobody stops', async () => {
    const { log, fates, process, run, pass } = aWorld();
    const a = process('A');
    await run(a);
    fates.push(HELD, { copies: [0, 'held'], ack: 0 });
    a.build();
    a.build();
    await settle();
    fates.push(HELD);
    await run(a);
    assert.deepEqual(a.doubts, ['rejected']);
    log.held.find(({ entry }) => entry.key === 'Block/1')?.release();
    log.held.find(({ entry }) => entry.key === 'Block/2')?.release();
    log.held.find(({ entry }) => entry.key === 'EpochStarted/2')?.release();
    await run(a);
    assert.deepEqual(a.published, ['1 A1', '2 A2']);
    assert.deepEqual(a.ownAccepted, [], 'executed from the record: the leadership is gone');
    await pass(500, a);
    assert.ok(a.leads, 'its claim was for an older head, and it claimed again');
    a.build();
    await run(a);
    assert.deepEqual(accepted(log).blocks, ['1 A1', '2 A2', '3 A3']);
  });

  it('T5: the same bytes twice: one accepted, one duplicate, no new epoch', async () => {
    const { log, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push({ copies: [0, 0], ack: 0 });
    a.build();
    a.build();
    await run(a);
    assert.deepEqual(a.rejects, ['duplicate']);
    assert.deepEqual(a.doubts, []);
    assert.deepEqual(accepted(log), { blocks: ['1 A1', '2 A2'], epochs: 1 });
  });

  it('T6: acknowledgements arrive, reads do not: nothing published, stop at D, doubt', async () => {
    const { clock, log, process, run } = aWorld();
    const a = process('A', { maxAheadBlocks: 3 });
    await run(a);
    log.pauseReaders();
    for (let i = 0; i < 3; i++) a.build();
    await settle();
    assert.throws(() => a.build(), hasCode('QUEUE_FULL'));
    assert.deepEqual(a.published, []);
    clock.advance(1_999);
    assert.deepEqual(a.doubts, []);
    clock.advance(1);
    assert.deepEqual(a.doubts, ['expired']);
    assert.deepEqual(a.returned, ['A1', 'A2', 'A3']);
    log.resumeReaders();
    await run(a);
    await run(a);
    assert.deepEqual(a.published, ['1 A1', '2 A2', '3 A4'].slice(0, 2).concat('3 A3'));
  });

  it('T6 variant: acknowledged, never in the log: its transactions are included exactly once', async () => {
    const { clock, log, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push(LOST);
    a.build('transaction');
    clock.advance(2_000);
    await run(a);
    assert.deepEqual(a.returned, ['transaction']);
    a.build('transaction');
    await run(a);
    assert.deepEqual(accepted(log), { blocks: ['1 transaction'], epochs: 2 });
  });

  it('T7: cut off from reading it goes on appending; another leads; nothing of that is published', async () => {
    const { log, process, run, pass } = aWorld();
    const [a, b] = [process('A'), process('B')];
    await run(a);
    await run(a, b);
    a.build();
    await run(a, b);
    // B sees no life of A for longer than any timer.
    await pass(12_000, b);
    assert.ok(b.leads);
    assert.ok(a.leads, 'it does not know');
    a.build();
    b.build();
    await settle();
    await run(a, b);
    assert.deepEqual(a.doubts, ['other_epoch']);
    assert.deepEqual(a.published, ['1 A1', '2 B1']);
    assert.deepEqual(b.published, a.published);
    assert.deepEqual(accepted(log).blocks, a.published);
  });

  it('T9: a cloned process with the same claim: one content per height, both get new claims, nobody stops', async () => {
    const { log, process, run, pass } = aWorld();
    const a = process('A', { seed: 1 });
    // The clone holds the same claim in its memory, and draws others from then on.
    const clone = process('A', { seed: 2, firstClaim: seededBytes(1)(16) });
    a.read();
    clone.read();
    await settle();
    a.read();
    clone.read();
    assert.ok(a.leads && clone.leads);
    assert.deepEqual(a.manager.current()?.claim, clone.manager.current()?.claim);
    a.build('one');
    clone.build('two');
    await settle();
    await run(a, clone);
    await pass(200, a, clone);
    assert.ok(a.doubts.length > 0 && clone.doubts.length > 0);
    assert.deepEqual(a.published, clone.published);
    assert.deepEqual(a.published, ['1 one']);
    assert.deepEqual(clone.ownAccepted, []);
    assert.deepEqual(accepted(log), { blocks: ['1 one'], epochs: 2 });
    assert.equal([a, clone].filter(({ leads }) => leads).length, 1);
    assert.equal(
      new Set([...a.claims.slice(1), ...clone.claims].map(bytesKey)).size,
      a.claims.length - 1 + clone.claims.length,
    );
  });

  it('T10: garbage, foreign and stale entries stop nobody', async () => {
    const { log, process, run } = aWorld();
    const a = process('A');
    await run(a);
    a.build();
    await run(a);
    log.write({ schema: 1, key: 'x', bytes: new Uint8Array(0) });
    log.write({ schema: 1, key: 'x', bytes: filled(0xff, 3000) });
    log.write({ ...encodeEntry(aBlock(2)), schema: 9 });
    log.write(encodeEntry(aBlock(2, { logId: filled(9, 16) })));
    log.write(encodeEntry(aBlock(2, { claim: filled(9, 16), epoch: 0n })));
    const trailing = encodeEntry(aBlock(2));
    log.write({ ...trailing, bytes: Uint8Array.from([...trailing.bytes, 0]) });
    a.build();
    await run(a);
    assert.deepEqual(a.rejects, ['garbage', 'garbage', 'garbage', 'foreign', 'stale', 'garbage']);
    assert.deepEqual(a.published, ['1 A1', '2 A2']);
    assert.deepEqual(a.doubts, []);
  });

  it('T13: the only main claims at once after a restart', async () => {
    const { clock, process, run } = aWorld();
    const a = process('A');
    await run(a);
    a.build();
    await run(a);
    const started = clock.now();
    const again = process('A', { seed: 3 });
    await run(again);
    assert.ok(again.leads);
    assert.equal(clock.now(), started);
  });

  it('T13 variant: two machines with one node id, or two mains: no duel, timers decide', async () => {
    for (const names of [
      ['A', 'A'],
      ['A', 'B'],
    ] as const) {
      const { log, process, run, pass } = aWorld();
      const first = process(names[0], { seed: 11 });
      await run(first);
      const second = process(names[1], { seed: 12 });
      for (let i = 0; i < 60; i++) {
        await pass(1_000, first, second);
        const leader = [first, second].find(({ leads }) => leads);
        leader?.build(`${i}`);
        await run(first, second);
      }
      const { blocks, epochs } = accepted(log);
      assert.ok(epochs <= 2, `${epochs} epochs of ${names.join()}`);
      assert.ok(blocks.length >= 50, `${blocks.length} blocks`);
      assert.deepEqual(first.published, second.published);
    }
  });

  it('takes over from a dead leader only with work to do, after reading to the end', async () => {
    const { log, process, run, pass } = aWorld();
    const [a, b] = [process('A'), process('B')];
    await run(a);
    await run(a, b);
    a.build();
    await run(a, b);
    await a.manager.close();
    b.hasWork = false;
    await pass(60_000, b);
    assert.equal(accepted(log).epochs, 1, 'nothing to do, nothing to claim');
    b.hasWork = true;
    b.manager.workArrived();
    await run(b);
    assert.ok(b.leads, 'at once: the owner has shown no life for long');

    // Unread entries: the owner lives, although this reader has not seen it for long.
    const c = process('C');
    await run(c);
    b.build();
    await pass(20_000, b);
    assert.equal(accepted(log).epochs, 2, 'its timer is over, but it has not read to the end');
    await run(c);
    assert.equal(accepted(log).epochs, 2, 'found a block there, waits again');
    await pass(7_000, c);
    assert.ok(c.leads);
  });

  it('doubles the deadline with each expiry and halves it after ten accepted blocks', async () => {
    const { clock, log, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    const expireAfter = async (ms: number): Promise<void> => {
      fates.push(LOST);
      a.build();
      const doubts = a.doubts.length;
      clock.advance(ms - 1);
      assert.equal(a.doubts.length, doubts, `not before ${ms} ms`);
      clock.advance(1);
      assert.equal(a.doubts.length, doubts + 1, `at ${ms} ms`);
      await settle();
      for (let i = 0; i < 20 && !a.leads; i++) {
        clock.advance(100);
        await run(a);
      }
    };
    for (const ms of [2_000, 4_000, 8_000, 16_000, 32_000, 32_000]) await expireAfter(ms);
    const accept = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        a.build();
        await run(a);
      }
    };
    await accept(20);
    await expireAfter(8_000);
    await accept(100);
    await expireAfter(2_000);
    assert.ok(accepted(log).blocks.length >= 120);
  });

  it('doubts an entry that is not read back in time also when somebody sets the clock back meanwhile', async () => {
    const { clock, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push(DELIVERED, LOST);
    a.build();
    a.build();
    await settle();
    clock.setBy(-3_600_000);
    await run(a);
    assert.deepEqual(a.doubts, []);
    clock.advance(2_000);
    assert.deepEqual(a.doubts, ['expired']);
  });

  it('sets a deadline for a block that waits behind a request without an answer', async () => {
    const { clock, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push({ copies: [0], ack: 'never' });
    a.build();
    await run(a);
    assert.deepEqual(a.published, ['1 A1'], 'read back, though its request was never answered');
    clock.advance(10_000);
    assert.deepEqual(a.doubts, [], 'nothing waits');
    a.build();
    clock.advance(1_999);
    assert.deepEqual(a.doubts, []);
    clock.advance(1);
    assert.deepEqual(a.doubts, ['expired']);
    assert.deepEqual(a.returned, ['A2']);
  });

  it('ends a wait for room at once when the leadership or its caller does', async () => {
    const { log, process, run } = aWorld();
    const a = process('A', { maxAheadBlocks: 1 });
    await run(a);
    log.pauseReaders();
    a.build();
    const leadership = a.manager.current();
    assert.ok(leadership !== undefined);
    const ended: string[] = [];
    const abort = new AbortController();
    void leadership.whenRoom(abort.signal).then(() => ended.push('aborted'));
    void leadership.whenRoom(AbortSignal.abort()).then(() => ended.push('aborted before'));
    void leadership.whenDrained().then(() => ended.push('drained'));
    await settle();
    assert.deepEqual(ended, ['aborted before']);
    abort.abort();
    await settle();
    assert.deepEqual(ended, ['aborted before', 'aborted']);
    await a.manager.close();
    await settle();
    assert.deepEqual(ended, ['aborted before', 'aborted', 'drained']);
    await leadership.whenRoom();
  });

  it('halves no deadline that one of the ten blocks would have missed', async () => {
    const { clock, fates, process, run, pass } = aWorld();
    const a = process('A');
    await run(a);
    fates.push(LOST);
    a.build();
    clock.advance(2_000);
    await run(a);
    assert.ok(a.leads);
    const accept = async (...readAfterMs: readonly number[]): Promise<void> => {
      for (const ms of readAfterMs) {
        fates.push({ copies: [ms], ack: 0 });
        a.build();
        await pass(ms, a);
        await run(a);
      }
    };
    const fast = Array.from({ length: 9 }, () => 0);
    await accept(2_000, ...fast);
    await accept(3_900, ...fast);
    assert.deepEqual(a.doubts, ['expired'], 'it is 4 s still');
    await accept(1_900, ...fast);
    fates.push(LOST);
    a.build();
    clock.advance(1_999);
    assert.deepEqual(a.doubts, ['expired']);
    clock.advance(1);
    assert.deepEqual(a.doubts, ['expired', 'expired']);
  });

  it('waits longer with every epoch without a block before it claims again, no longer after one', async () => {
    const { clock, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    const msToLead = async (deadlineMs: number): Promise<number> => {
      fates.push(LOST);
      a.build();
      clock.advance(deadlineMs);
      for (let ms = 0; ; ms += 100) {
        await run(a);
        if (a.leads || ms > 5_000) return ms;
        clock.advance(100);
      }
    };
    const waits: number[] = [];
    for (const deadlineMs of [2_000, 4_000, 8_000, 16_000, 32_000]) waits.push(await msToLead(deadlineMs));
    assert.deepEqual(waits, [0, 400, 800, 1_600, 1_600]);
    a.build();
    await run(a);
    assert.deepEqual(a.published.length, 1);
    assert.deepEqual([await msToLead(32_000), await msToLead(32_000), await msToLead(32_000)], [0, 0, 400]);
  });

  it('takes an owner for dead after 3 to 6 s, twice that in an epoch without a block', async () => {
    for (const blocks of [0, 1]) {
      const { process, run, pass } = aWorld();
      const [a, b] = [process('A'), process('B')];
      await run(a);
      await run(a, b);
      for (let i = 0; i < blocks; i++) a.build();
      await run(a, b);
      await a.manager.close();
      let ms = 0;
      for (; !b.leads && ms < 20_000; ms += 100) await pass(100, b);
      const [from, to] = blocks === 0 ? [6_000, 9_000] : [3_000, 6_000];
      assert.ok(ms >= from && ms <= to + 100, `${ms} ms after ${blocks} blocks`);
    }
  });

  it('gives up after an append error, closes the producer and claims with a fresh one', async () => {
    const { log, fates, process, run } = aWorld();
    const a = process('A');
    await run(a);
    fates.push({ copies: ['held'], ack: 0, ackError: 'not enough replicas after append' });
    a.build();
    await settle();
    assert.deepEqual(a.doubts, ['append_failed']);
    await run(a);
    assert.ok(a.leads);
    log.held[0]?.release();
    await run(a);
    assert.ok(a.leads);
    a.build();
    await run(a);
    assert.deepEqual(accepted(log), { blocks: ['1 A2'], epochs: 2 });
  });

  it('T16: faults stop in any state of a random run: a block after at most (in flight) + 1 claims', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seededBytes(1000 + seed);
      const chance = (): number => (random(1)[0] ?? 0) / 256;
      const clock = new FakeClock();
      let hasFaults = true;
      const log = new MemoryEventLog({
        clock,
        fate: () => {
          const dice = hasFaults ? chance() : 1;
          if (dice < 0.15) return LOST;
          if (dice < 0.3) return HELD;
          if (dice < 0.4) return { copies: [0, 'held'], ack: 0 };
          if (dice < 0.5) return { copies: [0], ack: 0, ackError: 'hidden' };
          if (dice < 0.6) return { copies: [500], ack: 'never' };
          return DELIVERED;
        },
      });
      log.write(encodeEntry(aGenesis()));
      let processes = [new Process('A', log, clock, { seed }), new Process('B', log, clock, { seed: seed + 100 })];
      const retired: Process[] = [];
      for (let step = 0; step < 60; step++) {
        for (const process of processes) {
          if (chance() < 0.7) process.read(Math.floor(chance() * 5));
          if (process.leads && (process.manager.current()?.room ?? 0) > 0 && chance() < 0.6)
            process.build(`${process.name}${seed}.${step}`);
        }
        if (log.held.length > 0 && chance() < 0.3) log.held[Math.floor(chance() * log.held.length)]?.release();
        if (chance() < 0.05) {
          const index = chance() < 0.5 ? 0 : 1;
          const gone = processes[index];
          assert.ok(gone !== undefined);
          retired.push(gone);
          await gone.manager.close();
          processes = processes.with(index, new Process(gone.name, log, clock, { seed: seed * 1000 + step }));
        }
        clock.advance(Math.floor(chance() * 1_500));
        await settle();
      }
      hasFaults = false;
      const inFlight = log.held.length;
      const areLost = seed % 2 === 0;
      if (!areLost) while (log.held.length > 0) log.held[0]?.release();
      const before = accepted(log);
      for (let step = 0; step < 1_500 && accepted(log).blocks.length === before.blocks.length; step++) {
        for (const process of processes) {
          process.read();
          const leadership = process.manager.current();
          if (leadership !== undefined && leadership.room === 8) process.build(`${process.name}${seed}.end${step}`);
        }
        clock.advance(100);
        await settle();
      }
      const after = accepted(log);
      assert.ok(after.blocks.length > before.blocks.length, `seed ${seed}: a block is accepted`);
      assert.ok(
        after.epochs - before.epochs <= inFlight + processes.length + 1,
        `seed ${seed}: ${after.epochs - before.epochs} epochs, ${inFlight} in flight`,
      );
      // Nobody ever published anything but what the log accepted.
      for (const process of [...processes, ...retired]) {
        assert.deepEqual(process.published, after.blocks.slice(0, process.published.length), `seed ${seed}`);
      }
      assert.equal(new Set(after.blocks).size, after.blocks.length);
    }
  }).timeout(20_000);

  it('T17: slow appends and lagging reads, two nodes, 180 s: few epochs, no long gap', async () => {
    for (let seed = 0; seed < 5; seed++) {
      const random = seededBytes(seed);
      const between = (from: number, to: number): number => from + ((to - from) * (random(1)[0] ?? 0)) / 255;
      const clock = new FakeClock();
      const log = new MemoryEventLog({
        clock,
        fate: () => {
          const ms = between(2_000, 5_000);
          return { copies: [ms], ack: ms };
        },
        readLagMs: () => between(1_000, 3_000),
      });
      log.write(encodeEntry(aGenesis()));
      const processes = [new Process('A', log, clock, { seed }), new Process('B', log, clock, { seed: seed + 50 })];
      const startedAt = clock.now();
      let lastBlockAt = startedAt;
      let longestGapMs = 0;
      let blocks = 0;
      while (clock.now() - startedAt < 180_000) {
        for (const process of processes) {
          process.read();
          const leadership = process.manager.current();
          if (leadership !== undefined && leadership.room === 8) process.build(`${process.name} at ${clock.now()}`);
        }
        const { height } = processes[0]?.fold ?? EMPTY_FOLD;
        if (height > blocks) {
          blocks = height;
          longestGapMs = Math.max(longestGapMs, clock.now() - lastBlockAt);
          lastBlockAt = clock.now();
        }
        clock.advance(100);
        await settle();
      }
      const { epochs } = accepted(log);
      assert.ok(epochs <= 5, `seed ${seed}: ${epochs} epochs`);
      assert.ok(longestGapMs <= 30_000, `seed ${seed}: ${longestGapMs} ms`);
      assert.ok(blocks >= 10, `seed ${seed}: ${blocks} blocks`);
    }
  }).timeout(20_000);

  it('asserts that what was accepted makes sense (A1, A2)', () => {
    const { process } = aWorld();
    const entry: Entry = aBlock(1);
    const logEntry: LogEntry = { position: 1, ...encodeEntry(entry) };
    const wrong: Partial<ChainFold>[] = [
      { claim: filled(5, 16), height: 1 },
      { claim: entry.claim, height: 2 },
    ];
    for (const change of wrong) {
      const a = process('A', { mayLead: false });
      a.read();
      const state: ChainFold = { ...a.fold, ...change };
      assert.throws(
        () => a.manager.onEntry(logEntry, filled(1), entry, { verdict: 'accepted', state }, state),
        hasCode('ASSERTION'),
      );
    }
  });
});
