/**
 * ClickHouse as the store of the analytics projection. A batch is one run of blocks with its checkpoint: rows go in one
 * insert a table, blocks after what they hold, the checkpoint last. ClickHouse has no transaction over them, so a crash may leave
 * rows above the checkpoint; the run comes again from there, and tables keyed by height and index show each row once. So
 * "all or nothing" holds for the checkpoint, and everything at or below it is there and is there once.
 */
import { asBuffer, equalBytes, fromHex, toHex, type Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { PROJECTION_CHECKPOINT } from '../store/buckets.ts';
import { storeClosed } from '../store/errors.ts';
import type { KeyValueStore, RangeOptions, StoreBatch } from '../store/keyValueStore.ts';
import { analyticsKey, analyticsKeyParts } from './analytics.ts';
import { rowNumbers } from './analyticsRows.ts';
import { migrate } from './analyticsSchema.ts';
import {
  ANALYTICS_TABLES,
  type AnalyticsTable,
  BLOCKS_TABLE,
  columnNames,
  keyNames,
  storedName,
} from './analyticsTables.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { ClickHouseConnection, type ClickHouseServer } from './clickHouse.ts';

export interface InsertedRows {
  readonly table: string;
  readonly rows: number;
  readonly seconds: number;
}

export interface AnalyticsStoreOptions {
  readonly server: ClickHouseServer;
  /** Belongs to the projection alone. */
  readonly database: string;
  readonly projectionVersion: number;
  readonly onInsert?: (inserted: InsertedRows) => void;
}

const PAGE_ROWS = 20_000;
const CHECKPOINT_COLUMNS = ['next_index', 'height', 'block_hash', 'log_id', 'value'] as const;

/** Connects, and brings the database to the present schema. Throws StoreError; closes the server then. */
export async function openAnalyticsStore(options: AnalyticsStoreOptions): Promise<KeyValueStore> {
  const connection = new ClickHouseConnection(options.server);
  const database = quoted(options.database);
  try {
    await migrate(connection, database, options.projectionVersion);
    const store = new AnalyticsStore(connection, database, options.onInsert);
    await store.verifyBlocks();
    return store;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Drops everything the projection keeps there. Throws StoreError; closes the server. */
export async function dropAnalytics(server: ClickHouseServer, database: string): Promise<void> {
  const connection = new ClickHouseConnection(server);
  try {
    await connection.command(`DROP DATABASE IF EXISTS ${quoted(database)} SYNC`);
  } finally {
    await connection.close();
  }
}

function quoted(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}

class AnalyticsStore implements KeyValueStore {
  readonly #connection: ClickHouseConnection;
  readonly #database: string;
  readonly #onInsert: AnalyticsStoreOptions['onInsert'];
  #isClosed = false;

  constructor(connection: ClickHouseConnection, database: string, onInsert: AnalyticsStoreOptions['onInsert']) {
    this.#connection = connection;
    this.#database = database;
    this.#onInsert = onInsert;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    this.#assertOpen();
    if (equalBytes(key, PROJECTION_CHECKPOINT)) return this.#checkpoint();
    const { bucket, height, index } = analyticsKeyParts(key);
    const table = tableOf(bucket);
    const [heightName, indexName] = keyNames(table);
    const where = `${heightName} = ${height}${indexName === undefined ? '' : ` AND ${indexName} = ${index}`}`;
    const row = await this.#connection.bytes(`${this.#select(table)} WHERE ${where} LIMIT 1 FORMAT TabSeparated`);
    return row.length === 0 ? undefined : new Uint8Array(row);
  }

  getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async write(batch: StoreBatch): Promise<void> {
    this.#assertOpen();
    const { rows, checkpoint } = sorted(batch);
    const inserted = async (table: AnalyticsTable): Promise<void> => {
      const ofTable = rows.get(table.bucket);
      if (ofTable !== undefined) await this.#insert(storedName(table), columnNames(table), ofTable, table.name);
    };
    await allDone(ANALYTICS_TABLES.filter((table) => table !== BLOCKS_TABLE).map(inserted));
    await inserted(BLOCKS_TABLE);
    if (checkpoint !== undefined)
      await this.#insert('checkpoints', CHECKPOINT_COLUMNS, [checkpointRow(checkpoint)], 'checkpoints');
  }

  /** Rows only: the checkpoint is read with `get`. */
  async *range(options: RangeOptions): AsyncGenerator<readonly [key: Bytes, value: Bytes]> {
    assert(options.reverse !== true && options.limit === undefined, 'analytics rows are read forward and all');
    for (const table of ANALYTICS_TABLES) {
      for await (const entry of this.#rowsOf(table)) if (isWithin(entry[0], options)) yield entry;
    }
  }

  /** Every insert is written through already (analyticsSchema.ts). */
  async flush(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#connection.close();
  }

  /** The checkpoint says how many blocks there must be. Throws STORE_DAMAGED. */
  async verifyBlocks(): Promise<void> {
    const checkpoint = await this.#checkpoint();
    if (checkpoint === undefined) return;
    const { height } = decodeCheckpoint(checkpoint);
    const blocks = `SELECT count() FROM ${this.#database}.blocks WHERE number <= ${height} FORMAT TabSeparated`;
    const found = Number(await this.#connection.text(blocks));
    if (found === height + 1) return;
    throw this.#connection.failure(
      'STORE_DAMAGED',
      `${this.#connection.name} says it holds the blocks up to ${height} and has ${found} of ${height + 1}. Build it again from the log with \`reprise rebuild analytics\`.`,
    );
  }

  async #checkpoint(): Promise<Bytes | undefined> {
    const newest = `SELECT value FROM ${this.#database}.checkpoints ORDER BY next_index DESC LIMIT 1 FORMAT TabSeparated`;
    const hex = (await this.#connection.text(newest)).trimEnd();
    return hex === '' ? undefined : fromHex(hex);
  }

  async #insert(table: string, columns: readonly string[], rows: readonly Bytes[], label: string): Promise<void> {
    const [first, ...others] = columns;
    assert(first !== undefined, `table ${table} has no columns`);
    const start = performance.now();
    await this.#connection.insert(`${this.#database}.${table}`, { columns: [first, ...others], rows });
    this.#onInsert?.({ table: label, rows: rows.length, seconds: (performance.now() - start) / 1000 });
  }

  async *#rowsOf(table: AnalyticsTable): AsyncGenerator<readonly [key: Bytes, value: Bytes]> {
    const key = keyNames(table).join(', ');
    let after: { readonly height: number; readonly index: number } | undefined;
    for (;;) {
      this.#assertOpen();
      const where = after === undefined ? '' : `WHERE ${positionAfter(table, after)}`;
      const page = await this.#connection.bytes(
        `${this.#select(table)} ${where} ORDER BY ${key} LIMIT ${PAGE_ROWS} FORMAT TabSeparated`,
      );
      let rows = 0;
      for (const row of linesOf(page)) {
        after = rowNumbers(row, table.keyColumns);
        rows += 1;
        yield [analyticsKey(table.bucket, after.height, after.index), row];
      }
      if (rows < PAGE_ROWS) return;
    }
  }

  #select(table: AnalyticsTable): string {
    return `SELECT ${columnNames(table).join(', ')} FROM ${this.#database}.${storedName(table)} FINAL`;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw storeClosed(this.#connection.name);
  }
}

/** Waits for all of them, also when one fails. */
async function allDone(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}

function tableOf(bucket: number): AnalyticsTable {
  const table = ANALYTICS_TABLES.find((each) => each.bucket === bucket);
  assert(table !== undefined, `no analytics table has bucket ${bucket}`);
  return table;
}

/** Rows by the bucket of their table. */
function sorted(batch: StoreBatch): { readonly rows: Map<number, Bytes[]>; readonly checkpoint: Bytes | undefined } {
  const rows = new Map<number, Bytes[]>();
  let checkpoint: Bytes | undefined;
  batch.keys.forEach((key, i) => {
    const value = batch.values[i];
    assert(value !== undefined, 'an analytics row is never deleted');
    if (equalBytes(key, PROJECTION_CHECKPOINT)) {
      checkpoint = value;
      return;
    }
    const bucket = key[0] ?? 0;
    const ofTable = rows.get(bucket);
    if (ofTable === undefined) rows.set(bucket, [value]);
    else ofTable.push(value);
  });
  return { rows, checkpoint };
}

function checkpointRow(value: Bytes): Bytes {
  const { nextIndex, height, blockHash, logId } = decodeCheckpoint(value);
  return Buffer.from(`${[nextIndex, height, toHex(blockHash), toHex(logId), toHex(value)].join('\t')}\n`);
}

function positionAfter(table: AnalyticsTable, { height, index }: { height: number; index: number }): string {
  const [heightName, indexName] = keyNames(table);
  return indexName === undefined
    ? `${heightName} > ${height}`
    : `(${heightName}, ${indexName}) > (${height}, ${index})`;
}

const NEWLINE = 10;

/** Lines with their ends. TabSeparated has no newline inside a row. */
function* linesOf(page: Buffer): Generator<Bytes> {
  for (let start = 0; start < page.length;) {
    const end = page.indexOf(NEWLINE, start) + 1;
    assert(end > 0, 'an answer of ClickHouse ends inside a row');
    yield new Uint8Array(page.subarray(start, end));
    start = end;
  }
}

function isWithin(key: Bytes, { gt, gte, lt, lte }: RangeOptions): boolean {
  const order = (bound: Bytes): number => Buffer.compare(asBuffer(key), asBuffer(bound));
  return (
    (gt === undefined || order(gt) > 0) &&
    (gte === undefined || order(gte) >= 0) &&
    (lt === undefined || order(lt) < 0) &&
    (lte === undefined || order(lte) <= 0)
  );
}
