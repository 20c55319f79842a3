/**
 * What the analytics database looks like, as a list of steps; `schema_migrations` says which of them it has. A step is
 * never edited once released. Steps add; what must be filled again is a new version of the projection.
 */
import { type AnalyticsTable, ANALYTICS_TABLES, keyNames, storedName } from './analyticsTables.ts';
import { viewStatements } from './analyticsViews.ts';
import type { ClickHouseConnection } from './clickHouse.ts';

/** A part that was inserted is on disk before its insert is answered: the checkpoint never runs ahead of the rows. */
const TABLE_SETTINGS = 'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1';

interface Migration {
  readonly version: number;
  readonly name: string;
  /** May run again. `database` is quoted. */
  readonly statements: (database: string) => readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'tables and their views',
    statements: (database) => [
      ...ANALYTICS_TABLES.flatMap((table) => [createTable(table, database), createView(table, database)]),
      `CREATE TABLE IF NOT EXISTS ${database}.checkpoints (
        next_index UInt64, height UInt64, block_hash String, log_id String, value String, written_at DateTime64(3, 'UTC') DEFAULT now64(3)
      ) ENGINE = ReplacingMergeTree(next_index) ORDER BY log_id ${TABLE_SETTINGS}`,
    ],
  },
  { version: 2, name: 'per minute', statements: (database) => viewStatements(database, TABLE_SETTINGS) },
];

function createTable(table: AnalyticsTable, database: string): string {
  const lines = [...table.columns.map(({ name, type }) => `${name} ${type}`), ...table.indexes];
  return `CREATE TABLE IF NOT EXISTS ${database}.${storedName(table)} (${lines.join(', ')})
    ENGINE = ReplacingMergeTree ORDER BY (${keyNames(table).join(', ')}) ${TABLE_SETTINGS}`;
}

function createView(table: AnalyticsTable, database: string): string {
  const shown = [
    ...table.columns.map(({ name }) => name),
    ...table.derived.map(({ name, expression }) => `${expression} AS ${name}`),
  ];
  return `CREATE OR REPLACE VIEW ${database}.${table.name} AS SELECT ${shown.join(', ')} FROM ${database}.${storedName(table)} FINAL`;
}

const LEDGER = 'schema_migrations';

/**
 * Brings the database to the newest schema. One that another version of the projection filled is dropped first: it is
 * filled again from the journal. Throws StoreError STORE_FORMAT when a newer program made it.
 */
export async function migrate(
  connection: ClickHouseConnection,
  database: string,
  projectionVersion: number,
): Promise<void> {
  await connection.command(`CREATE DATABASE IF NOT EXISTS ${database}`);
  await createLedger(connection, database);
  let applied = await appliedMigrations(connection, database);
  if (applied.some((each) => each.projectionVersion > projectionVersion)) {
    throw connection.failure(
      'STORE_FORMAT',
      `Failed to deserialize context: the analytics database ${database} was filled by a newer version of this program. Start that one, or choose another clickhouse_database.`,
    );
  }
  if (applied.some((each) => each.projectionVersion < projectionVersion)) {
    await connection.command(`DROP DATABASE ${database} SYNC`);
    await connection.command(`CREATE DATABASE ${database}`);
    await createLedger(connection, database);
    applied = [];
  }
  const done = new Set(applied.map(({ version }) => version));
  for (const { version, name, statements } of MIGRATIONS) {
    if (done.has(version)) continue;
    for (const statement of statements(database)) await connection.command(statement);
    await connection.command(
      `INSERT INTO ${database}.${LEDGER} (version, name, projection_version) VALUES (${version}, '${name}', ${projectionVersion})`,
    );
  }
}

function createLedger(connection: ClickHouseConnection, database: string): Promise<void> {
  return connection.command(
    `CREATE TABLE IF NOT EXISTS ${database}.${LEDGER} (
      version UInt32, name String, projection_version UInt32, applied_at DateTime('UTC') DEFAULT now()
    ) ENGINE = ReplacingMergeTree ORDER BY version ${TABLE_SETTINGS}`,
  );
}

async function appliedMigrations(
  connection: ClickHouseConnection,
  database: string,
): Promise<{ readonly version: number; readonly projectionVersion: number }[]> {
  const text = await connection.text(
    `SELECT version, projection_version FROM ${database}.${LEDGER} FINAL ORDER BY version FORMAT TabSeparated`,
  );
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [version = 0, projectionVersion = 0] = line.split('\t').map(Number);
      return { version, projectionVersion };
    });
}
