import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { analytics, analyticsKeyParts } from '../../src/projections/analytics.ts';
import { NAMED_QUERIES } from '../../src/projections/analyticsQueries.ts';
import { MIGRATIONS } from '../../src/projections/analyticsSchema.ts';
import { rowNumbers } from '../../src/projections/analyticsRows.ts';
import { ANALYTICS_TABLES } from '../../src/projections/analyticsTables.ts';
import { PER_MINUTE_VIEWS } from '../../src/projections/analyticsViews.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { openEmbeddedEngine } from '../../src/workers/embeddedEngine.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { anAnalyticsJournal } from './analyticsJournal.ts';

const entries = anAnalyticsJournal();

/** Rows that these entries give, as fields, by table. */
async function rowsOf(): Promise<Map<string, { key: Uint8Array; fields: string[] }[]>> {
  const writes = new PendingWrites(new MemoryStore());
  for (const entry of entries) await analytics.apply(entry, writes);
  const rows = new Map<string, { key: Uint8Array; fields: string[] }[]>(ANALYTICS_TABLES.map(({ name }) => [name, []]));
  writes.batch.keys.forEach((key, i) => {
    const table = ANALYTICS_TABLES.find(({ bucket }) => bucket === key[0]);
    const text = Buffer.from(writes.batch.values[i] ?? []).toString('utf8');
    assert.match(text, /^[^\n]+\n$/);
    rows.get(table?.name ?? '')?.push({ key, fields: text.slice(0, -1).split('\t') });
  });
  return rows;
}

describe('projections/analytics', () => {
  describe('as a projection', () => projectionContract(analytics, entries));

  it('gives every row a field for every column, and the numbers of its key', async () => {
    const rows = await rowsOf();
    for (const table of ANALYTICS_TABLES) {
      const ofTable = rows.get(table.name) ?? [];
      assert.ok(ofTable.length > 0, table.name);
      for (const { key, fields } of ofTable) {
        assert.equal(fields.length, table.columns.length, table.name);
        const { height, index } = analyticsKeyParts(key);
        assert.deepEqual(rowNumbers(Buffer.from(`${fields.join('\t')}\n`), table.keyColumns), { height, index });
      }
    }
  });

  it('announces in each block the rows of that block', async () => {
    const rows = await rowsOf();
    const countOf = (table: string, height: string): number =>
      rows.get(table)?.filter(({ fields }) => fields[0] === height).length ?? 0;
    for (const { fields } of rows.get('blocks') ?? []) {
      const height = fields[0] ?? '';
      const announced = fields.slice(-5).map(Number);
      const tables = ['transactions', 'logs', 'l2_to_l1_logs', 'storage_writes', 'token_transfers'];
      assert.deepEqual(
        announced,
        tables.map((table) => countOf(table, height)),
        `block ${height}`,
      );
      assert.equal(countOf('receipts', height), countOf('transactions', height));
    }
    assert.ok((rows.get('token_transfers') ?? []).length > 20);
  });

  it('keeps the message behind a log of the messenger', async () => {
    const logs = (await rowsOf()).get('l2_to_l1_logs') ?? [];
    // The first transaction of each block sends one; the messages of the others have no log.
    const expected = entries.flatMap(({ event }) =>
      event.kind !== 'Block'
        ? []
        : event.output.transactions.flatMap(({ l2ToL1Logs, messages: [message] }, index) =>
            l2ToL1Logs.map(() => (index === 0 && message !== undefined ? toHex(message.data) : '\\N')),
          ),
    );
    assert.deepEqual(
      logs.map(({ fields }) => fields.at(-1)),
      expected,
    );
    assert.ok(expected.filter((message) => message !== '\\N').length === 30 && expected.length > 30);
  });

  it('has at least twelve named questions, each about a table or view that exists', () => {
    assert.ok(Object.keys(NAMED_QUERIES).length >= 12);
    const known = new Set([...ANALYTICS_TABLES.map(({ name }) => name), ...PER_MINUTE_VIEWS, 'checkpoints']);
    for (const [name, { sql, description }] of Object.entries(NAMED_QUERIES)) {
      assert.match(name, /^[a-z0-9-]+$/);
      assert.ok(description.length > 10, name);
      const tables = [...sql.matchAll(/\b(?:FROM|JOIN)\s+(\w+)/g)].map((match) => match[1] ?? '');
      assert.ok(tables.length > 0, name);
      assert.deepEqual(
        tables.filter((table) => !known.has(table)),
        [],
        name,
      );
    }
  });

  it('numbers its migrations from 1', () => {
    assert.deepEqual(
      MIGRATIONS.map(({ version }) => version),
      MIGRATIONS.map((_, index) => index + 1),
    );
  });

  it('is described column by column and question by question', () => {
    const text = readFileSync(new URL('../../docs/analytics.md', import.meta.url), 'utf8');
    for (const { name, columns, derived } of ANALYTICS_TABLES) {
      const described = new RegExp(`^\\*\\*${name}\\*\\*: (.*)\\.\\nComputed: (.*)\\.$`, 'm').exec(text);
      assert.equal(described?.[1], columns.map((column) => `\`${column.name}\` ${column.type}`).join(', '));
      assert.equal(described?.[2], derived.map((column) => `\`${column.name}\``).join(', '));
    }
    for (const view of PER_MINUTE_VIEWS) assert.ok(text.includes(`\`${view}\``), view);
    for (const [name, { description }] of Object.entries(NAMED_QUERIES))
      assert.match(text, new RegExp(`\\| \`${name}\` +\\| ${description} +\\|`));
  });

  it('says what to do when the embedded engine is not installed', async () => {
    const options = { path: '/nowhere', username: 'a', password: 'b' };
    const missing = Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
    await assert.rejects(openEmbeddedEngine({ ...options, load: () => Promise.reject(missing) }), (error: Error) => {
      assert.ok(error instanceof NodeError);
      assert.equal(error.code, 'STORE_MISSING');
      assert.equal(error.kind, 'fatal');
      for (const remedy of ['chdb', 'npm install', 'clickhouse_url', 'analytics_enabled'])
        assert.ok(error.message.includes(remedy), error.message);
      return true;
    });
  });
});
