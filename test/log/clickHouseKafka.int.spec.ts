/** ClickHouse's own Kafka engine reads the topic: the statements of docs/analytics.md, run as they stand there. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { toHex } from '../../src/common/bytes.ts';
import type { Entry } from '../../src/log/entry.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { registerSchemas } from '../../src/log/schemaRegistry.ts';
import { createTopic, topicName } from '../../src/log/topic.ts';
import { dropAnalytics } from '../../src/projections/analyticsStore.ts';
import { clickHouseServerAt } from '../../src/projections/clickHouse.ts';
import { sharedClickHouse } from '../support/clickHouse.ts';
import { aBlock, oneOfEachKind } from '../support/logEntries.ts';
import { until } from '../support/nodeProcess.ts';
import { requireKafka } from '../support/sharedKafka.ts';

const SETTINGS = { replicationFactor: 1, minInsyncReplicas: 1 };
const documentation = readFileSync(new URL('../../docs/analytics.md', import.meta.url), 'utf8');

describe("ClickHouse's Kafka engine on the topic", () => {
  const database = `kafka_engine_${process.pid}`;
  let clickHouse: ClickHouseClient | undefined;

  after(async function () {
    this.timeout(60_000);
    await clickHouse?.close();
    if (clickHouse !== undefined)
      await dropAnalytics(clickHouseServerAt((await sharedClickHouse()).endpoint), database);
  });

  it('reads every kind of entry with AvroConfluent', async function () {
    const kafka = await requireKafka(this);
    this.timeout(180_000);
    const registry = await kafka.registryUrl();
    const server = await sharedClickHouse();
    if (registry === undefined || server.isContainer) {
      process.stderr.write('\n  !! LEFT OUT: this ClickHouse cannot reach the brokers, or there is no registry\n\n');
      return this.skip(); // .ci/run counts it as failed
    }
    const connection = { brokers: kafka.brokers, clientId: 'test' };
    const topic = topicName(`test-${randomBytes(6).toString('hex')}`, 270n);
    await createTopic({ ...SETTINGS, connection, topic });
    const registryIds = await registerSchemas({ url: registry }, topic);
    const log = await openKafkaLog({ connection, topic, settings: SETTINGS, registryIds });
    const entries: Entry[] = [...oneOfEachKind(), aBlock(2), aBlock(3)];
    for (const entry of entries) await log.append([encodeEntry(entry)]);
    await log.close();

    const statements =
      /```sql\n([^`]+)```/
        .exec(documentation)?.[1]
        ?.split(/;\n/)
        .filter((text) => text.trim() !== '') ?? [];
    assert.equal(statements.length, 3);
    const client = createClient({
      ...server.endpoint,
      clickhouse_settings: { allow_suspicious_variant_types: 1, allow_experimental_nullable_tuple_type: 1 },
    });
    clickHouse = client;
    await client.command({ query: `CREATE DATABASE ${database}` });
    for (const statement of statements)
      await client.command({
        query: statement
          .replace('BROKERS', kafka.brokers.join(','))
          .replace("'TOPIC'", `'${topic}'`)
          .replace('REGISTRY', registry)
          .replace(/\b(replay_(?:queue|entries_fill|entries))\b/g, `${database}.$1`),
      });
    const question = `SELECT position, kind, epoch, claim, height, timestamp, transactions, node_version, block_output_hash
      FROM ${database}.replay_entries FINAL ORDER BY position`;
    const rows = await until(
      'every entry is there',
      async () => {
        const lines = (await (await client.query({ query: question, format: 'TabSeparated' })).text())
          .trimEnd()
          .split('\n');
        return lines.length === entries.length ? lines : undefined;
      },
      120_000,
    );
    assert.deepEqual(
      rows,
      entries.map((entry, position) => {
        const block = entry.kind === 'Block' ? entry : undefined;
        return [
          position,
          entry.kind,
          entry.epoch,
          toHex(entry.claim),
          block?.height ?? 0,
          block?.record.context.timestamp ?? 0,
          block?.record.transactions.length ?? 0,
          block?.record.nodeVersion ?? '',
          block === undefined ? '' : toHex(block.record.blockOutputHash),
        ].join('\t');
      }),
    );
  });
});
