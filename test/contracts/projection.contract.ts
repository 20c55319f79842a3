/** What every projection does: live equals rebuilt, apply twice changes nothing, a crash after any write recovers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import type { Journal, JournalEntry, Projection } from '../../src/projections/projection.ts';
import {
  projectionDirectory,
  ProjectionRunner,
  type ProjectionEvents,
  type RunnerLimits,
} from '../../src/projections/projectionRunner.ts';
import { digest, type StoreDigest } from '../../src/store/digest.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { CrashError, DurableStores } from '../projections/durableStore.ts';
import { MemoryJournal } from '../projections/memoryJournal.ts';

/**
 * `entries`: a journal that uses everything the projection knows, of a few dozen entries.
 * `keysMin`: stored at its end; fewer than entries for a projection that forgets.
 */
export function projectionContract(
  projection: Projection<unknown>,
  entries: readonly JournalEntry[],
  { keysMin = entries.length + 1 }: { readonly keysMin?: number } = {},
): void {
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'reprise-projection-'));
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  const contents = (stores: DurableStores): Promise<StoreDigest> =>
    digest(stores.contents(projectionDirectory(directory, projection)));

  interface Setup {
    readonly stores: DurableStores;
    readonly journal: Journal;
    readonly limits?: Partial<RunnerLimits>;
    readonly events?: ProjectionEvents;
  }

  const open = ({ stores, ...rest }: Setup): Promise<ProjectionRunner<unknown>> =>
    ProjectionRunner.open({
      projection,
      dataDirectory: directory,
      openStore: stores.openStore,
      clock: systemClock,
      ...rest,
    });

  const fill = async (setup: Setup): Promise<void> => {
    const runner = await open(setup);
    try {
      await runner.run(new AbortController().signal, { untilIndex: setup.journal.end });
    } finally {
      await runner.close();
    }
  };

  let expected: StoreDigest;

  before(async () => {
    const stores = new DurableStores();
    await fill({ stores, journal: new MemoryJournal(entries) });
    expected = await contents(stores);
    assert.ok(expected.keys >= keysMin, `the projection stores ${expected.keys} keys, expected were ${keysMin}`);
  });

  it('gives the same live, one write per entry, as rebuilt in runs', async () => {
    const stores = new DurableStores();
    const journal = new MemoryJournal();
    let applied = Promise.withResolvers<void>();
    const runner = await open({ stores, journal, events: { applied: () => applied.resolve() } });
    const stop = new AbortController();
    const running = runner.run(stop.signal);
    for (const [index, entry] of entries.entries()) {
      applied = Promise.withResolvers();
      journal.append(entry);
      await applied.promise;
      assert.equal(runner.nextIndex, index + 1);
      if (entry.event.kind === 'Block') assert.equal(runner.height, entry.event.height);
    }
    stop.abort();
    await running;
    await runner.close();
    assert.equal(stores.writes, entries.length);
    assert.deepEqual(await contents(stores), expected);
  });

  it('gives the same whatever the size of runs', async () => {
    for (const runBytes of [1, 3000, 20_000]) {
      const stores = new DurableStores();
      await fill({ stores, journal: new MemoryJournal(entries), limits: { runBytes, readEntries: 7 } });
      assert.deepEqual(await contents(stores), expected, `runs of ${runBytes} bytes`);
    }
  });

  it('changes nothing when entries come twice', async () => {
    const stores = new DurableStores();
    const journal = new MemoryJournal(entries);
    const redelivering: Journal = {
      get end() {
        return journal.end;
      },
      logId: (signal) => journal.logId(signal),
      whenBeyond: (index, signal) => journal.whenBeyond(index, signal),
      read: (from, limit) => (limit === 1 ? journal.read(from, 1) : journal.read(Math.max(0, from - 3), limit + 3)),
    };
    let duplicates = 0;
    await fill({
      stores,
      journal: redelivering,
      limits: { readEntries: 5 },
      events: { duplicates: (count) => (duplicates += count) },
    });
    assert.ok(duplicates > 0);
    assert.deepEqual(await contents(stores), expected);
    const writes = stores.writes;
    await fill({ stores, journal: redelivering });
    assert.equal(stores.writes, writes);
    assert.deepEqual(await contents(stores), expected);
  });

  it('recovers from a crash before or after any write', async () => {
    // About ten writes, whatever the journal's length.
    const limits = { runBytes: Number.MAX_SAFE_INTEGER, readEntries: Math.ceil(entries.length / 10) };
    const counting = new DurableStores();
    await fill({ stores: counting, journal: new MemoryJournal(entries), limits });
    assert.ok(counting.writes > 3);
    for (let write = 1; write <= counting.writes; write++) {
      for (const isWritten of [false, true]) {
        const stores = new DurableStores();
        stores.crash = { write, isWritten };
        await assert.rejects(fill({ stores, journal: new MemoryJournal(entries), limits }), (error: Error) => {
          assert.ok(error instanceof NodeError && error.cause instanceof CrashError);
          return true;
        });
        stores.crash = undefined;
        await fill({ stores, journal: new MemoryJournal(entries), limits });
        assert.deepEqual(
          await contents(stores),
          expected,
          `write ${write}, ${isWritten ? 'after' : 'before'} its effect`,
        );
        assert.equal(stores.open, 0);
      }
    }
  });

  it('gives the same on RocksDB', async () => {
    const dataDirectory = join(directory, 'rocks');
    const journal = new MemoryJournal(entries);
    const options = { projection, journal, dataDirectory, openStore: openRocksStore, clock: systemClock };
    const runner = await ProjectionRunner.open(options);
    await runner.run(new AbortController().signal, { untilIndex: journal.end });
    assert.deepEqual(await digest(runner.store), expected);
    await runner.close();
  });

  it('does not change entries', async () => {
    const copy = structuredClone(entries);
    await fill({ stores: new DurableStores(), journal: new MemoryJournal(entries) });
    assert.deepEqual(entries, copy);
  });
}
