/** What the analytics projection promises on any ClickHouse: each row once, whatever failed on the way. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { toHex } from '../../src/common/bytes.ts';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { analytics, analyticsKey } from '../../src/projections/analytics.ts';
import { NAMED_QUERIES } from '../../src/projections/analyticsQueries.ts';
import { askClickHouse } from '../../src/projections/analyticsQuestion.ts';
import { MIGRATIONS } from '../../src/projections/analyticsSchema.ts';
import { dropAnalytics, type InsertedRows, openAnalyticsStore } from '../../src/projections/analyticsStore.ts';
import {
  ClickHouseConnection,
  type ClickHouseEndpoint,
  type ClickHouseServer,
  clickHouseServerAt,
} from '../../src/projections/clickHouse.ts';
import type { Journal, JournalEntry, ProjectionState } from '../../src/projections/projection.ts';
import { ProjectionRunner, type RunnerOptions } from '../../src/projections/projectionRunner.ts';
import { systemDirectories } from '../../src/projections/projectionDirectories.ts';
import { rebuildProjection, verifyProjection } from '../../src/projections/rebuild.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { ANALYTICS, PROJECTION_CHECKPOINT } from '../../src/store/buckets.ts';
import { digest, type StoreDigest } from '../../src/store/digest.ts';
import { type KeyValueStore, StoreBatch } from '../../src/store/keyValueStore.ts';
import type { CanonicalBlock } from '../../src/store/journal.ts';
import {
  type AnalyticsConfig,
  analyticsDatabase,
  analyticsPath,
  analyticsServer,
  analyticsStoreOpener,
  analyticsStoreRemover,
} from '../../src/workers/analyticsServer.ts';
import { anAnalyticsJournal } from '../projections/analyticsJournal.ts';
import { DurableStores } from '../projections/durableStore.ts';
import { MemoryJournal } from '../projections/memoryJournal.ts';
import { FaultyClickHouse } from '../support/clickHouse.ts';
import { removeFolder, temporaryFolder } from '../support/nodeProcess.ts';

/** Inserts of a run: six tables, blocks, checkpoint. */
const INSERTS = 8;
const NO_SIGNAL = new AbortController().signal;

/** `configOf`: an analytics configuration for a data folder; databases of different folders are different. */
export function analyticsStoreContract(configOf: (dataDirectory: string) => Promise<AnalyticsConfig>): void {
  const entries = anAnalyticsJournal({ blocks: 34 });
  let directory: string;
  let config: AnalyticsConfig;
  let expected: StoreDigest;

  before(async function () {
    this.timeout(120_000);
    directory = temporaryFolder('analytics');
    config = await configOf(join(directory, 'first'));
    const stores = new DurableStores();
    const runner = await openRunner(entries, { openStore: stores.openStore });
    await runner.run(NO_SIGNAL, { untilIndex: entries.length });
    expected = await digest(runner.store, { exclude: [PROJECTION_CHECKPOINT] });
    await runner.close();
  });

  after(async function () {
    this.timeout(60_000);
    for (const name of ['first', 'second', 'third']) {
      const used = await configOf(join(directory, name));
      await analyticsStoreRemover(used)(analyticsPath(used));
    }
    removeFolder(directory);
  });

  const optionsOf = (
    journal: Journal,
    changes: Partial<RunnerOptions<unknown>>,
    used: AnalyticsConfig = config,
  ): RunnerOptions<unknown> => ({
    projection: analytics,
    journal,
    dataDirectory: used.generalRocksDbPath,
    openStore: analyticsStoreOpener(used),
    directories: { ...systemDirectories, remove: analyticsStoreRemover(used) },
    clock: systemClock,
    ...changes,
  });

  const openRunner = (
    journal: readonly JournalEntry[] | Journal,
    changes: Partial<RunnerOptions<unknown>> = {},
    used: AnalyticsConfig = config,
  ): Promise<ProjectionRunner<unknown>> =>
    ProjectionRunner.open(optionsOf('read' in journal ? journal : new MemoryJournal(journal), changes, used));

  it('holds byte for byte the rows that were given, live as in runs', async function () {
    this.timeout(60_000);
    const journal = new MemoryJournal();
    let applied = Promise.withResolvers<void>();
    const runner = await openRunner(journal, {
      events: { applied: () => applied.resolve() },
      limits: { runWrites: 500 },
    });
    const stop = new AbortController();
    const running = runner.run(stop.signal);
    for (const entry of entries.slice(0, 4)) {
      applied = Promise.withResolvers();
      journal.append(entry);
      await applied.promise;
      assert.equal(runner.nextIndex, entry.index + 1);
    }
    journal.append(...entries.slice(4));
    await runner.whenApplied(34, { timeoutMs: 50_000 });
    stop.abort();
    await running;
    assert.deepEqual(await digest(runner.store), expected);
    const block = await runner.store.get(analyticsKey(ANALYTICS.blocks, 7, 0));
    assert.match(Buffer.from(block ?? []).toString(), /^7\t0x[0-9a-f]{64}\t/);
    assert.equal(await runner.store.get(analyticsKey(ANALYTICS.logs, 7, 10_000)), undefined);
    await runner.close();
  });

  it('goes on where ClickHouse stands, and verifies', async function () {
    this.timeout(60_000);
    const reopened = await openRunner(entries);
    assert.equal(reopened.height, 34);
    await reopened.close();
    const options = optionsOf(new MemoryJournal(entries), {});
    const asideDirectory = join(config.generalRocksDbPath, 'verify');
    const { height, keys, differences } = await verifyProjection(options, { asideDirectory, signal: NO_SIGNAL });
    assert.deepEqual([height, differences], [34, 0]);
    assert.equal(keys, expected.keys);
  });

  it('answers every named question', async function () {
    this.timeout(60_000);
    await asking(config, async (ask) => {
      for (const [name, { sql }] of Object.entries(NAMED_QUERIES))
        assert.ok((await ask(sql)).length > 0, `${name} finds nothing`);
      for (const [table, rows, announced] of await ask(NAMED_QUERIES['row-counts']?.sql ?? ''))
        assert.equal(rows, announced, String(table));
    });
  });

  it('refuses what would change something, and goes on', async function () {
    this.timeout(60_000);
    const statements = [
      'DROP TABLE blocks_stored',
      'TRUNCATE TABLE blocks_stored',
      'ALTER TABLE blocks_stored DELETE WHERE 1',
      'INSERT INTO checkpoints (next_index) VALUES (99)',
      'CREATE TABLE mine (a UInt8) ENGINE = Memory',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      'SET readonly = 0',
      'SELECT',
    ];
    await asking(config, async (ask) => {
      for (const statement of statements) {
        await assert.rejects(ask(statement), (error: Error) => {
          assert.ok(error instanceof NodeError, statement);
          assert.equal(error.code, 'QUERY_REFUSED', `${statement}: ${error.message}`);
          return true;
        });
      }
      assert.deepEqual(await ask('SELECT count() FROM blocks'), [['35']]);
    });
  });

  it('answers a question after one that failed in the middle of its answer', async function () {
    this.timeout(60_000);
    await asking(config, async (ask) => {
      await assert.rejects(ask('SELECT throwIf(number = 5) FROM numbers(10)'), { code: 'QUERY_REFUSED' });
      assert.deepEqual(await ask('SELECT count() FROM blocks'), [['35']]);
    });
  });

  it('takes one question at a time', async function () {
    this.timeout(60_000);
    await asking(config, async (ask) => {
      for (const several of ['SELECT 1; SELECT 2', 'SELECT 1; SELECT'])
        await assert.rejects(ask(several), { code: 'QUERY_REFUSED' }, several);
      assert.deepEqual(await ask('SELECT count() FROM blocks;'), [['35']]);
    });
  });

  it('notices that blocks are missing, and is right again after a rebuild', async function () {
    this.timeout(60_000);
    const database = analyticsDatabase(config);
    await command(config, `ALTER TABLE ${database}.blocks_stored DELETE WHERE number = 5 SETTINGS mutations_sync = 1`);
    await assert.rejects(openRunner(entries), { code: 'STORE_DAMAGED' });
    await rebuildProjection(optionsOf(new MemoryJournal(entries), {}), NO_SIGNAL);
    const runner = await openRunner(entries);
    assert.deepEqual(await digest(runner.store), expected);
    await runner.close();
  });

  describe('whatever fails', () => {
    let used: AnalyticsConfig;
    /** Runs all the time; those who use it come and go. */
    let server: ClickHouseServer;
    let endpoint: ClickHouseEndpoint;
    const inserted: InsertedRows[] = [];

    before(async function () {
      this.timeout(60_000);
      used = await configOf(join(directory, 'second'));
      server = analyticsServer(used, analyticsPath(used));
      endpoint = await server.endpoint();
    });
    after(async function () {
      this.timeout(60_000);
      await dropAnalytics(clickHouseServerAt(endpoint), awayDatabase());
      await server.close();
    });

    const awayDatabase = (): string => `${analyticsDatabase(used)}_away`;

    const openFaulty = async (
      changes: Partial<RunnerOptions<unknown>>,
      journal: Journal,
      database = analyticsDatabase(used),
    ) => {
      const faulty = new FaultyClickHouse(clickHouseServerAt(endpoint));
      const openStore = (): Promise<KeyValueStore> =>
        openAnalyticsStore({
          server: faulty,
          database,
          projectionVersion: analytics.version,
          onInsert: (rows) => inserted.push(rows),
        });
      return { faulty, runner: await openRunner(journal, { openStore, ...changes }, used) };
    };

    it('a crash at any insert leaves neither gap nor duplicate', async function () {
      this.timeout(180_000);
      const journal = new MemoryJournal(entries);
      for (let point = 0; point < 2 * INSERTS; point++) {
        const stop = new AbortController();
        // Every run is two blocks long, then one: what comes again comes in other pieces.
        const limits = { runWrites: 1, readEntries: 1 + (point % 2) };
        const { faulty, runner } = await openFaulty({ limits, events: { error: () => stop.abort() } }, journal);
        const before = runner.nextIndex;
        faulty.inserts = 0;
        faulty.fault = { insert: INSERTS * (point % 2) + 1 + (point >> 1), isApplied: point % 4 < 2 };
        await runner.run(stop.signal, { untilIndex: journal.end });
        assert.ok(stop.signal.aborted, `nothing failed at point ${point}`);
        assert.ok(runner.nextIndex < journal.end && runner.nextIndex >= before);
        await runner.close();
      }
      const { runner } = await openFaulty({}, journal);
      await runner.run(NO_SIGNAL, { untilIndex: journal.end });
      assert.deepEqual(await digest(runner.store), expected);
      await runner.close();
      const sent = inserted.filter(({ table }) => table === 'transactions').reduce((sum, { rows }) => sum + rows, 0);
      const question = 'SELECT count() FROM transactions';
      const { rows } = await askClickHouse(clickHouseServerAt(endpoint), analyticsDatabase(used), question);
      const held = rows[0]?.[0];
      assert.ok(sent > Number(held), `${sent} rows were sent for ${String(held)}: no insert was repeated`);
    });

    it('what is shown by the minute stays exact', async function () {
      this.timeout(60_000);
      const answers: Record<string, readonly (readonly unknown[])[]> = {};
      for (const [name, sql] of Object.entries(PER_MINUTE_QUESTIONS))
        answers[name] = (await askClickHouse(clickHouseServerAt(endpoint), analyticsDatabase(used), sql)).rows;
      assert.deepEqual(answers, expectedPerMinute(entries));
    });

    it('a server that is away pauses it, and it goes on by itself', async function () {
      this.timeout(60_000);
      const journal = new MemoryJournal(entries.slice(0, 10));
      const states: ProjectionState[] = [];
      const paused = Promise.withResolvers<void>();
      const { faulty, runner } = await openFaulty(
        {
          limits: { retryMs: 20, retryMsMax: 40 },
          events: {
            state(state) {
              states.push(state);
              if (state === 'paused') paused.resolve();
            },
          },
        },
        journal,
        awayDatabase(),
      );
      const stop = new AbortController();
      const running = runner.run(stop.signal);
      await runner.whenApplied(9, { timeoutMs: 50_000 });
      faulty.isAway = true;
      journal.append(...entries.slice(10));
      await paused.promise;
      assert.ok(faulty.refused > 0);
      faulty.isAway = false;
      await runner.whenApplied(34, { timeoutMs: 50_000 });
      stop.abort();
      await running;
      assert.ok(states.includes('paused'));
      assert.deepEqual(await digest(runner.store), expected);
      await runner.close();
    });
  });

  it('keeps a block of many rows in one piece', async function () {
    this.timeout(60_000);
    const used = await configOf(join(directory, 'third'));
    const runner = await openRunner(entries.slice(0, 2), {}, used);
    await runner.run(NO_SIGNAL, { untilIndex: 2 });
    const [[row] = []] = [[await runner.store.get(analyticsKey(ANALYTICS.receipts, 1, 0))]];
    const fields = Buffer.from(row ?? [])
      .toString()
      .split('\t');
    // More than an insert's block by default, and more bytes than are parsed in parallel.
    const count = 70_000;
    const batch = new StoreBatch();
    for (let index = 0; index < count; index++) {
      fields[0] = '2';
      fields[1] = String(index);
      fields[5] = `0x${index.toString(16).padStart(40, '0')}`;
      batch.put(analyticsKey(ANALYTICS.receipts, 2, index), Buffer.from(fields.join('\t')));
    }
    for (let time = 0; time < 2; time++) await runner.store.write(batch);
    await runner.close();
    assert.deepEqual(
      await asking(used, (ask) =>
        ask(
          'SELECT sum(r.transactions), uniqExactMerge(senders) FROM receipts_by_minute AS r FINAL WHERE block_number = 2',
        ),
      ),
      [[String(count), String(count)]],
    );
  });

  it('says what schema it has, and fills again what another version of the projection filled', async function () {
    this.timeout(60_000);
    const used = await configOf(join(directory, 'third'));
    const openAs = (projectionVersion: number): Promise<KeyValueStore> =>
      openAnalyticsStore({
        server: analyticsServer(used, analyticsPath(used)),
        database: analyticsDatabase(used),
        projectionVersion,
      });
    const ledger = 'SELECT version, name, projection_version FROM schema_migrations FINAL ORDER BY version';
    const rowsAt = (version: number) => MIGRATIONS.map((migration) => [migration.version, migration.name, version]);
    assert.deepEqual(await asking(used, (ask) => ask(ledger)), rowsAt(1));
    const same = await openAs(1);
    assert.notEqual(await same.get(PROJECTION_CHECKPOINT), undefined);
    await same.close();
    const newer = await openAs(2);
    assert.equal(await newer.get(PROJECTION_CHECKPOINT), undefined);
    await newer.close();
    assert.deepEqual(await asking(used, (ask) => ask(ledger)), rowsAt(2));
    await assert.rejects(openAs(1), { code: 'STORE_FORMAT' });
  });
}

type Ask = (sql: string) => Promise<readonly (readonly unknown[])[]>;

/** Several questions to one engine. */
async function asking<T>(config: AnalyticsConfig, action: (ask: Ask) => Promise<T>): Promise<T> {
  const server = analyticsServer(config, analyticsPath(config));
  try {
    const kept = clickHouseServerAt(await server.endpoint());
    return await action(async (sql) => (await askClickHouse(kept, analyticsDatabase(config), sql)).rows);
  } finally {
    await server.close();
  }
}

async function command(config: AnalyticsConfig, statement: string): Promise<void> {
  const connection = new ClickHouseConnection(analyticsServer(config, analyticsPath(config)));
  try {
    await connection.command(statement);
  } finally {
    await connection.close();
  }
}

type PerMinute = Readonly<Record<string, readonly (readonly unknown[])[]>>;

const PER_MINUTE_QUESTIONS = {
  throughput: 'SELECT toUnixTimestamp(minute), blocks, transactions FROM throughput_per_minute ORDER BY minute',
  gas: 'SELECT toUnixTimestamp(minute), gas_used FROM gas_per_minute ORDER BY minute',
  interval: 'SELECT toUnixTimestamp(minute), longest_seconds FROM block_interval_per_minute ORDER BY minute',
  fees: 'SELECT toUnixTimestamp(minute), fees FROM fees_per_minute ORDER BY minute',
  senders: 'SELECT toUnixTimestamp(minute), active_senders, failed FROM active_senders_per_minute ORDER BY minute',
  contracts:
    'SELECT toUnixTimestamp(minute), contract, calls, failed, gas_used, fees FROM top_contracts_per_minute ORDER BY minute, contract',
} as const;

/** The same out of the journal. */
function expectedPerMinute(entries: readonly JournalEntry[]): PerMinute {
  const minutes = new Map<number, CanonicalBlock[]>();
  const blocks = entries.flatMap(({ event }) => (event.kind === 'Block' ? [event] : []));
  for (const block of blocks) {
    const minute = Math.floor(Number(block.output.header.timestamp) / 60) * 60;
    minutes.set(minute, [...(minutes.get(minute) ?? []), block]);
  }
  assert.ok(minutes.size > 3);
  const all = [...minutes].sort(([a], [b]) => a - b);
  const receiptsOf = (ofMinute: readonly CanonicalBlock[]) =>
    ofMinute.flatMap(({ record, output, senders }) =>
      output.transactions.map((result, index) => ({
        ...result,
        sender: toHex(senders[index] ?? new Uint8Array()),
        transaction: decodeTransaction(record.transactions[index] ?? new Uint8Array()),
        fee: result.gasUsed * result.effectiveGasPrice,
      })),
    );
  const sum = (values: readonly bigint[]): string => String(values.reduce((a, b) => a + b, 0n));
  const genesis = [0, '1', '0'] as const;
  return {
    throughput: [
      genesis,
      ...all.map(([minute, of]) => [minute, String(of.length), String(receiptsOf(of).length)] as const),
    ],
    gas: [
      [0, '0'],
      ...all.map(([minute, of]) => [minute, sum(of.map(({ output }) => output.header.gasUsed))] as const),
    ],
    interval: [
      [0, null],
      ...all.map(([minute, of]) => {
        const seconds = of
          .filter(({ height }) => height > 1)
          .map(({ record, output }) => Number(output.header.timestamp - record.previousBlockTimestamp));
        return [minute, String(Math.max(...seconds))] as const;
      }),
    ],
    fees: all.map(([minute, of]) => [minute, sum(receiptsOf(of).map(({ fee }) => fee))] as const),
    senders: all.map(([minute, of]) => {
      const receipts = receiptsOf(of);
      const failed = receipts.filter(({ success }) => !success).length;
      return [minute, String(new Set(receipts.map(({ sender }) => sender)).size), String(failed)] as const;
    }),
    contracts: all.flatMap(([minute, of]) => {
      const calls = receiptsOf(of).filter(
        ({ transaction }) => transaction.to !== undefined && transaction.input.length > 0,
      );
      const contracts = [...new Set(calls.map(({ transaction }) => toHex(transaction.to ?? new Uint8Array())))].sort();
      return contracts.map((contract) => {
        const own = calls.filter(({ transaction }) => toHex(transaction.to ?? new Uint8Array()) === contract);
        const failed = own.filter(({ success }) => !success).length;
        const gas = sum(own.map(({ gasUsed }) => gasUsed));
        return [minute, contract, String(own.length), String(failed), gas, sum(own.map(({ fee }) => fee))] as const;
      });
    }),
  };
}
