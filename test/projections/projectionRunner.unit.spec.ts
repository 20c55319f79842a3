import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asBuffer, u32be } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import type { JournalEntry, Projection } from '../../src/projections/projection.ts';
import { ProjectionRunner, type Progress, type RunnerOptions } from '../../src/projections/projectionRunner.ts';
import { rebuildProjection, verifyProjection } from '../../src/projections/rebuild.ts';
import type { KeyValueStore } from '../../src/store/keyValueStore.ts';
import { StoreError } from '../../src/store/errors.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { hasCode, put, text } from '../contracts/keyValueStore.contract.ts';
import { DurableStores } from './durableStore.ts';
import { aJournal } from './journalFactory.ts';
import { MemoryJournal } from './memoryJournal.ts';

const COUNT = text('count');

interface Counter {
  count(): Promise<number>;
}

/** Reads what it wrote in the entry before: wrong as soon as one is missed, repeated or read too early. */
function counter(changes: { version?: number; apply?: Projection<Counter>['apply'] } = {}): Projection<Counter> {
  return {
    name: 'addresses',
    version: changes.version ?? 1,
    apply:
      changes.apply ??
      (async (entry, tx) => {
        const count = readCount(await tx.get(COUNT));
        assert.equal(count, entry.index);
        tx.put(COUNT, u32be(count + 1));
        tx.put(u32be(entry.index), u32be(count));
      }),
    reader: (store: KeyValueStore) => ({ count: async () => readCount(await store.get(COUNT)) }),
  };
}

function readCount(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : asBuffer(value).readUInt32BE(0);
}

describe('projections/projectionRunner', () => {
  const entries = aJournal({ blocks: 30, transactionsPerBlock: 1, largeInputShare: 0 });
  let dataDirectory: string;
  let stores: DurableStores;
  let clock: FakeClock;
  let runners: ProjectionRunner<Counter>[];
  let stop: AbortController;

  beforeEach(() => {
    dataDirectory = mkdtempSync(join(tmpdir(), 'reprise-runner-'));
    stores = new DurableStores();
    clock = new FakeClock();
    runners = [];
    stop = new AbortController();
  });

  afterEach(async () => {
    stop.abort();
    for (const runner of runners) await runner.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });

  const optionsOf = (changes: Partial<RunnerOptions<Counter>>): RunnerOptions<Counter> => ({
    projection: counter(),
    journal: new MemoryJournal(entries),
    dataDirectory,
    openStore: stores.openStore,
    clock,
    ...changes,
  });

  const open = async (changes: Partial<RunnerOptions<Counter>> = {}): Promise<ProjectionRunner<Counter>> => {
    const runner = await ProjectionRunner.open(optionsOf(changes));
    runners.push(runner);
    return runner;
  };

  const runAll = async (changes: Partial<RunnerOptions<Counter>> = {}): Promise<void> => {
    const runner = await ProjectionRunner.open(optionsOf(changes));
    try {
      await runner.run(stop.signal, { untilIndex: optionsOf(changes).journal.end });
    } finally {
      await runner.close();
    }
  };

  it('goes from nothing to live, reads what is on its way, and stops at the signal', async () => {
    const journal = new MemoryJournal(entries);
    const states: string[] = [];
    const applied: number[] = [];
    const runner = await open({
      journal,
      limits: { runBytes: 30, readEntries: 4 },
      events: { state: (state) => states.push(state), applied: (run) => applied.push(run.height) },
    });
    assert.deepEqual([runner.height, runner.state, runner.nextIndex], [-1, 'catching_up', 0]);
    const running = runner.run(stop.signal);
    await runner.whenApplied(30, { timeoutMs: 1000 });
    assert.equal(await runner.reader.count(), 31);
    assert.ok(applied.length > 10, 'several runs');
    assert.equal(applied.at(-1), 30);
    const more = aJournal({ blocks: 31, transactionsPerBlock: 1, largeInputShare: 0 }).slice(31);
    journal.append(...more);
    await runner.whenApplied(31, { timeoutMs: 1000 });
    stop.abort();
    await running;
    assert.equal(runner.state, 'live');
    assert.deepEqual(states, ['live']);
  });

  it('waits for a journal without Genesis', async () => {
    const journal = new MemoryJournal();
    const runner = await open({ journal });
    const running = runner.run(stop.signal);
    const waiting = runner.whenApplied(0, { timeoutMs: 1000 });
    journal.append(...entries.slice(0, 1));
    await waiting;
    assert.equal(runner.height, 0);
    stop.abort();
    await running;
  });

  it('tells metrics what each write held', async () => {
    let transactions = 0;
    let blocks = 0;
    const lags: number[] = [];
    await runAll({
      limits: { readEntries: 10 },
      events: {
        applied: (run) => {
          transactions += run.transactions;
          blocks += run.blocks;
          lags.push(run.lagEntries);
          assert.ok(run.readSeconds >= 0 && run.applySeconds > 0 && run.writeSeconds >= 0);
          assert.ok(run.height === 0 || run.blockTimestamp === 1_700_000_000n + BigInt(run.height));
        },
      },
    });
    assert.deepEqual([blocks, transactions], [31, 30]);
    assert.deepEqual(lags, [21, 11, 1, 0]);
  });

  it('continues at its checkpoint', async () => {
    await runAll({ journal: new MemoryJournal(entries.slice(0, 11)) });
    const runner = await open();
    assert.deepEqual([runner.height, runner.nextIndex], [10, 11]);
    await runner.run(stop.signal, { untilIndex: 31 });
    assert.equal(await runner.reader.count(), 31);
  });

  it('refuses the store of another log', async () => {
    await runAll();
    const journal = new MemoryJournal(entries, new Uint8Array(16).fill(8));
    const runner = await open({ journal });
    await assert.rejects(runner.run(stop.signal), (error: Error) => {
      hasCode('PROJECTION_FOREIGN_STORE')(error);
      assert.ok(error.message.includes(runner.directory));
      assert.match(error.message, /reprise rebuild addresses/);
      return true;
    });
    assert.equal(runner.state, 'failed');
  });

  it('refuses a journal that holds another block at its checkpoint', async () => {
    await runAll();
    const others = aJournal({ blocks: 30, transactionsPerBlock: 1, seed: 2 });
    const runner = await open({ journal: new MemoryJournal(others) });
    await assert.rejects(runner.run(stop.signal), hasCode('PROJECTION_MISMATCH'));
  });

  it('waits for a journal that is behind its checkpoint', async () => {
    await runAll();
    const journal = new MemoryJournal(entries.slice(0, 5));
    const runner = await open({ journal });
    const running = runner.run(stop.signal);
    journal.append(...entries.slice(5));
    const [next] = aJournal({ blocks: 31, transactionsPerBlock: 1, largeInputShare: 0 }).slice(31);
    assert.ok(next !== undefined);
    journal.append(next);
    await runner.whenApplied(31, { timeoutMs: 1000 });
    stop.abort();
    await running;
  });

  it('refuses a journal with a gap, and blocks out of order', async () => {
    const gap = await open({ journal: new MemoryJournal([...entries.slice(0, 4), ...entries.slice(5)]) });
    await assert.rejects(gap.run(stop.signal), hasCode('PROJECTION_GAP'));
    stores = new DurableStores();
    const jump = entries.flatMap((entry, index): JournalEntry[] =>
      index === 4 ? [] : [{ ...entry, index: index > 4 ? index - 1 : index }],
    );
    const wrong = await open({ journal: new MemoryJournal(jump) });
    await assert.rejects(wrong.run(stop.signal), hasCode('PROJECTION_GAP'));
    assert.equal(wrong.height <= 3, true);
  });

  it('names projection, block and remedy when apply throws, keeps what is written, and fails those who wait', async () => {
    const apply: Projection<Counter>['apply'] = async (entry, tx) => {
      if (entry.index === 7) throw new TypeError('no such thing');
      tx.put(u32be(entry.index), u32be(1));
    };
    const errors: NodeError[] = [];
    const runner = await open({
      projection: counter({ apply }),
      limits: { runBytes: 1 },
      events: { error: (error) => errors.push(error) },
    });
    const waiting = assert.rejects(runner.whenApplied(20, { timeoutMs: 1000 }), hasCode('PROJECTION_FAILED'));
    await assert.rejects(runner.run(stop.signal), (error: Error) => {
      hasCode('PROJECTION_FAILED')(error);
      assert.match(error.message, /projection addresses stopped at block 7 \(journal entry 7\): no such thing/);
      assert.match(error.message, /reprise rebuild addresses/);
      assert.ok(error.cause instanceof TypeError);
      return true;
    });
    await waiting;
    assert.equal(errors.length, 1);
    assert.equal(runner.height, 6);
    await assert.rejects(runner.whenApplied(20, { timeoutMs: 1000 }), hasCode('PROJECTION_FAILED'));
    await runner.whenApplied(6, { timeoutMs: 1000 });
  });

  it('fails when the journal cannot be read, with the kind of the cause', async () => {
    const journal = new MemoryJournal(entries);
    journal.read = () => Promise.reject(new NodeError('retryable', 'the other thread is gone', { code: 'GONE' }));
    const runner = await open({ journal });
    await assert.rejects(runner.run(stop.signal), (error: NodeError) => {
      assert.equal(error.kind, 'retryable');
      return hasCode('PROJECTION_FAILED')(error);
    });
  });

  it('pauses while the disk is full and goes on by itself', async () => {
    stores.fullDiskWrites = 3;
    const states: string[] = [];
    const errors: string[] = [];
    let paused: () => void = () => undefined;
    const runner = await open({
      limits: { retryMs: 1000, retryMsMax: 2000 },
      events: {
        state: (state) => states.push(state),
        error: (error) => {
          errors.push(error.code);
          setImmediate(paused);
        },
      },
    });
    const running = runner.run(stop.signal, { untilIndex: 31 });
    const whenPaused = (): Promise<void> => new Promise((resolve) => (paused = resolve));
    for (const waitMs of [1000, 2000, 2000]) {
      await whenPaused();
      assert.equal(runner.state, 'paused');
      assert.equal(clock.untilNext, waitMs);
      clock.advance(waitMs - 1);
      assert.equal(clock.untilNext, 1);
      clock.advance(1);
    }
    await running;
    assert.deepEqual(errors, ['STORE_DISK_FULL', 'STORE_DISK_FULL', 'STORE_DISK_FULL']);
    assert.deepEqual(states, ['paused', 'catching_up', 'live']);
    assert.equal(await runner.reader.count(), 31);
  });

  it('gathers entries between reads, at most so long and so many', async () => {
    const journal = new MemoryJournal(entries.slice(0, 1));
    let written: () => void = () => undefined;
    const runs: number[] = [];
    const runner = await open({
      journal,
      limits: { gatherMs: 1000, readEntries: 4 },
      events: {
        applied: ({ entries: count }) => {
          runs.push(count);
          written();
        },
      },
    });
    const nextRun = (): Promise<void> => new Promise((resolve) => (written = resolve));
    let next = nextRun();
    const running = runner.run(stop.signal);
    await next; // the first one waits for nothing
    next = nextRun();
    journal.append(...entries.slice(1, 3));
    while (clock.untilNext === undefined) await new Promise(setImmediate);
    assert.equal(clock.untilNext, 1000);
    clock.advance(999);
    journal.append(...entries.slice(3, 4));
    await new Promise(setImmediate);
    assert.deepEqual(runs, [1]);
    clock.advance(1);
    await next;
    assert.deepEqual(runs, [1, 3]);
    next = nextRun();
    journal.append(...entries.slice(4, 8)); // as many as one read takes
    await next;
    assert.deepEqual(runs, [1, 3, 4]);
    stop.abort();
    await running;
  });

  it('gathers no longer when the wall clock is set back', async () => {
    const journal = new MemoryJournal(entries.slice(0, 1));
    let written: () => void = () => undefined;
    const runner = await open({
      journal,
      limits: { gatherMs: 1000, readEntries: 4 },
      events: { applied: () => written() },
    });
    const firstRun = new Promise<void>((resolve) => (written = resolve));
    const running = runner.run(stop.signal);
    await firstRun;
    clock.setBy(-3_600_000);
    journal.append(...entries.slice(1, 2));
    while (clock.untilNext === undefined) await new Promise(setImmediate);
    assert.equal(clock.untilNext, 1000);
    stop.abort();
    await running;
  });

  it('writes a run when it holds so many keys', async () => {
    const runs: number[] = [];
    // Each entry writes two keys.
    const runner = await open({ limits: { runWrites: 5 }, events: { applied: (run) => runs.push(run.entries) } });
    await runner.run(stop.signal, { untilIndex: 31 });
    assert.deepEqual(runs, [...Array.from({ length: 10 }, () => 3), 1]);
  });

  it('pauses while its store is away', async () => {
    const away = new StoreError('retryable', 'STORE_UNAVAILABLE', 'the server is away');
    let refusals = 2;
    const errors: string[] = [];
    const runner = await open({
      openStore: async (path) => {
        const store = await stores.openStore(path);
        return { ...store, write: (batch) => (refusals-- > 0 ? Promise.reject(away) : store.write(batch)) };
      },
      limits: { retryMs: 10 },
      events: { error: (error) => (errors.push(error.code), setImmediate(() => clock.advance(20))) },
    });
    await runner.run(stop.signal, { untilIndex: 31 });
    assert.deepEqual(errors, ['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);
    assert.equal(await runner.reader.count(), 31);
  });

  it('stops at the signal while it is paused', async () => {
    stores.fullDiskWrites = 1e9;
    let paused: () => void = () => undefined;
    const whenPaused = new Promise<void>((resolve) => (paused = resolve));
    const runner = await open({ events: { error: () => setImmediate(paused) } });
    const running = runner.run(stop.signal);
    await whenPaused;
    stop.abort();
    await running;
    assert.equal(clock.untilNext, undefined);
    assert.equal(runner.height, -1);
  });

  it('whenApplied answers at once, in time, after its time, or when it is closed', async () => {
    const journal = new MemoryJournal(entries.slice(0, 3));
    const runner = await ProjectionRunner.open(optionsOf({ journal }));
    const running = runner.run(stop.signal);
    await runner.whenApplied(2, { timeoutMs: 10 });
    await runner.whenApplied(1, { timeoutMs: 10 });
    assert.equal(clock.untilNext, undefined);
    const late = runner.whenApplied(3, { timeoutMs: 500 });
    clock.advance(499);
    assert.equal(clock.untilNext, 1);
    clock.advance(1);
    await assert.rejects(late, (error: Error) => {
      assert.match(error.message, /projection addresses is at block 2 and did not reach block 3 within 500 ms/);
      return hasCode('PROJECTION_NOT_SYNCED')(error);
    });
    const closed = assert.rejects(runner.whenApplied(9, { timeoutMs: 500 }), hasCode('PROJECTION_CLOSED'));
    stop.abort();
    await running;
    await runner.close();
    await closed;
    assert.equal(clock.untilNext, undefined);
  });

  it('bounds the number of those who wait', async () => {
    const runner = await ProjectionRunner.open(optionsOf({ journal: new MemoryJournal() }));
    const waits = Array.from({ length: 10_000 }, () =>
      assert.rejects(runner.whenApplied(1, { timeoutMs: 10 }), hasCode('PROJECTION_CLOSED')),
    );
    await assert.rejects(runner.whenApplied(1, { timeoutMs: 10 }), hasCode('PROJECTION_OVERLOADED'));
    await runner.close();
    await Promise.all(waits);
  });

  it('reports progress while it catches up', async () => {
    const reports: Progress[] = [];
    const journal = new MemoryJournal(entries);
    await runAll({
      journal,
      limits: { readEntries: 10, progressEveryMs: 100, runBytes: 1 },
      events: { progress: (progress) => reports.push(progress), applied: () => clock.advance(100) },
    });
    assert.deepEqual(reports[0], { done: 0, total: 31, entriesPerSecond: 0, etaSeconds: undefined });
    const last = reports.at(-1);
    assert.ok(last !== undefined && reports.length >= 3);
    assert.deepEqual([last.done, last.total, last.etaSeconds], [31, 31, 0]);
    assert.ok(Math.abs(last.entriesPerSecond - 10) < 0.01);
    const middle = reports[1];
    assert.ok(middle?.etaSeconds !== undefined && Math.abs(middle.etaSeconds - (31 - middle.done) / 10) < 0.2);
  });

  it('builds a new version beside the old one, which goes when the new one has caught up', async () => {
    const directoryOf = (name: string): string => join(dataDirectory, 'addresses', name);
    for (const name of ['v1', 'v3', 'notes']) mkdirSync(directoryOf(name), { recursive: true });
    const journal = new MemoryJournal(entries.slice(0, 5));
    const runner = await ProjectionRunner.open(optionsOf({ journal, projection: counter({ version: 2 }) }));
    assert.equal(existsSync(directoryOf('v1')), true);
    const running = runner.run(stop.signal);
    await runner.whenApplied(4, { timeoutMs: 1000 });
    stop.abort();
    await running;
    await runner.close();
    assert.deepEqual(
      ['v1', 'v2', 'v3', 'notes'].map((name) => existsSync(directoryOf(name))),
      [false, true, true, true],
    );
  });

  describe('rebuild and verify, on RocksDB', () => {
    const openStore = openRocksStore;

    it('rebuild wipes and refills, with progress', async () => {
      await runAll({ openStore });
      const runner = await ProjectionRunner.open(optionsOf({ openStore }));
      await put(runner.store, [text('damage'), text('x')]);
      await runner.close();
      const states: string[] = [];
      const reports: Progress[] = [];
      const events = {
        state: (state: string) => void states.push(state),
        progress: (progress: Progress) => void reports.push(progress),
      };
      await rebuildProjection(optionsOf({ openStore, events }), stop.signal);
      assert.equal(reports.at(-1)?.done, 31);
      assert.deepEqual(states, ['live']);
      const rebuilt = await ProjectionRunner.open(optionsOf({ openStore }));
      assert.equal(await rebuilt.store.get(text('damage')), undefined);
      assert.equal(await rebuilt.reader.count(), 31);
      await rebuilt.close();
    });

    it('rebuild of an empty journal leaves an empty store', async () => {
      await rebuildProjection(optionsOf({ openStore, journal: new MemoryJournal() }), stop.signal);
      const runner = await ProjectionRunner.open(optionsOf({ openStore }));
      assert.equal(runner.height, -1);
      await runner.close();
    });

    it('verify compares with what the journal gives, at the same height, and names the first key that differs', async () => {
      const aside = { asideDirectory: join(dataDirectory, 'verify'), signal: stop.signal };
      await runAll({ openStore, journal: new MemoryJournal(entries.slice(0, 20)) });
      const right = await verifyProjection(optionsOf({ openStore }), aside);
      assert.deepEqual([right.differences, right.first, right.height], [0, undefined, 19]);
      assert.ok(right.keys > 20);
      rmSync(aside.asideDirectory, { recursive: true });
      const runner = await ProjectionRunner.open(optionsOf({ openStore }));
      await put(runner.store, [u32be(3), text('damage')]);
      await put(runner.store, [text('more'), text('x')]);
      await runner.close();
      const wrong = await verifyProjection(optionsOf({ openStore }), aside);
      assert.equal(wrong.differences, 2);
      assert.deepEqual([wrong.first?.key, wrong.first?.stored], [u32be(3), text('damage')]);
      assert.equal(wrong.keys, right.keys + 1);
    });

    it('verify refuses a journal that is shorter than what was applied', async () => {
      await runAll({ openStore });
      const aside = { asideDirectory: join(dataDirectory, 'verify'), signal: stop.signal };
      await assert.rejects(
        verifyProjection(optionsOf({ openStore, journal: new MemoryJournal(entries.slice(0, 20)) }), aside),
        { code: 'PROJECTION_AHEAD', kind: 'retryable' },
      );
    });
  });
});
