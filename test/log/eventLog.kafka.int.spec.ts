import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import kafkajs, { type Consumer, Kafka, logLevel } from 'kafkajs';
import { asBuffer } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { EMPTY_FOLD } from '../../src/log/chainFold.ts';
import { type EncodedEntry, decodeEntry, encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { type KafkaEventLog, type KafkaLogOptions, type LogAlarm, openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { type CaughtUp, type EventLog, type LogEntry, isCaughtUp } from '../../src/log/eventLog.ts';
import { EMPTY_SETTLEMENT } from '../../src/log/settlementFold.ts';
import type { KafkaConnection } from '../../src/log/kafkaClient.ts';
import { type Checkpoint, checkLogIdentity } from '../../src/log/logIdentity.ts';
import { registerSchemas } from '../../src/log/schemaRegistry.ts';
import { createTopic, requireTopic, topicDifferences, topicName, verifyTopic } from '../../src/log/topic.ts';
import { anEncodedEntry, assertEntries, eventLogContract, someEntries, take } from '../contracts/eventLog.contract.ts';
import type { TestKafka } from '../support/kafka.ts';
import { LOG_ID, aBlock, aGenesis } from '../support/logEntries.ts';
import { requireKafka, sharedKafka } from '../support/sharedKafka.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof NodeError && error.code === code;
const SETTINGS = { replicationFactor: 1, minInsyncReplicas: 1 };

let kafka: TestKafka;
let connection: KafkaConnection;

/** A topic of its own, with the settings of the log. */
async function aTopic(): Promise<string> {
  const topic = topicName(`test-${randomBytes(6).toString('hex')}`, 270n);
  assert.equal(await createTopic({ ...SETTINGS, connection, topic }), true);
  return topic;
}

const opened: EventLog[] = [];

async function open(topic: string, more: Partial<KafkaLogOptions> = {}): Promise<KafkaEventLog> {
  const log = await openKafkaLog({ connection, topic, settings: SETTINGS, ...more });
  opened.push(log);
  return log;
}

/** A reader that goes on beside the test. */
class Reader {
  readonly entries: LogEntry[] = [];
  readonly ends: number[] = [];
  readonly stop = new AbortController();
  readonly finished: Promise<unknown>;
  consumer: Consumer | undefined;
  readonly alarms: string[] = [];

  static async open(topic: string, from = 0): Promise<Reader> {
    const reader: Reader = new Reader(
      await open(topic, {
        onConsumer: (consumer) => (reader.consumer = consumer),
        onAlarm: ({ code, text }) => reader.alarms.push(text === undefined ? `${code} is over` : code),
      }),
      from,
    );
    return reader;
  }

  private constructor(log: EventLog, from: number) {
    this.finished = this.#read(log, from).catch((error: unknown) => error);
  }

  async #read(log: EventLog, from: number): Promise<void> {
    for await (const item of log.follow(from, this.stop.signal)) {
      if (isCaughtUp(item)) this.ends.push(item.end);
      else this.entries.push(item);
    }
  }

  async until(what: string, isTrue: (reader: Reader) => boolean): Promise<void> {
    for (const started = performance.now(); !isTrue(this); await delay(10)) {
      assert.ok(
        performance.now() - started < 60_000,
        `${what}: ${this.entries.length} entries, ends ${this.ends.join()}, alarms ${this.alarms.join()}`,
      );
    }
  }

  async end(): Promise<void> {
    this.stop.abort();
    assert.equal(await this.finished, undefined);
  }
}

function aClient(): Kafka {
  return new Kafka({
    brokers: [...connection.brokers],
    clientId: 'test',
    logLevel: logLevel.NOTHING,
    retry: { retries: 3 },
  });
}

async function withAdmin<Result>(use: (admin: ReturnType<Kafka['admin']>) => Promise<Result>): Promise<Result> {
  const admin = aClient().admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

describe('eventLog.kafka', function () {
  this.timeout(180_000);

  before(async function () {
    kafka = await requireKafka(this);
    connection = { brokers: kafka.brokers, clientId: 'test' };
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((log) => log.close()));
  });

  eventLogContract(
    'the Kafka log',
    async () => {
      const topic = await aTopic();
      return { open: () => open(topic), reopen: () => open(topic), dispose: async () => undefined };
    },
    true,
  );

  describe('guards', () => {
    it('comes back to the expected entry when its consumer loses the group to another and joins again', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(30));
      const reader = await Reader.open(topic);
      await reader.until('read', ({ ends }) => ends.includes(30));
      const groups = await withAdmin((admin) => admin.listGroups());
      const group = groups.groups.find(({ groupId }) => groupId.startsWith(`${topic}.reader.`))?.groupId;
      assert.ok(group !== undefined);
      const intruder = aClient().consumer({ groupId: group, heartbeatInterval: 200 });
      await intruder.connect();
      await intruder.subscribe({ topics: [topic], fromBeginning: true });
      const joined = rebalancing(reader);
      await intruder.run({ eachBatch: async () => undefined });
      await joined;
      await log.append(someEntries(30, 30));
      await reader.until('read on beside an intruder', ({ entries }) => entries.length >= 60);
      await intruder.disconnect();
      await log.append(someEntries(10, 60));
      await reader.until('read on', ({ entries }) => entries.length >= 70);
      assertEntries(reader.entries, someEntries(70));
      await reader.end();
    });

    it('comes back when the client jumps to the end, ahead, or back to the start', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(10));
      const reader = await Reader.open(topic);
      await reader.until('read', ({ ends }) => ends.includes(10));
      const jump = (offset: number) => reader.consumer?.seek({ topic, partition: 0, offset: String(offset) });

      // Ahead: the next delivered offset is above the expected one.
      jump(12);
      await log.append(someEntries(5, 10));
      await reader.until('after a jump ahead', ({ ends }) => ends.includes(15));
      assert.deepEqual(reader.alarms, [], 'one seek back is enough');

      // Back: entries are delivered again; the log is checked, they are ignored.
      jump(0);
      await log.append(someEntries(5, 15));
      await reader.until('after a jump back', ({ ends }) => ends.includes(20));

      // To the end: nothing follows that would show it.
      jump(25);
      await log.append(someEntries(5, 20));
      await reader.until('after a jump to the end', ({ ends }) => ends.includes(25));
      assertEntries(reader.entries, someEntries(25));
      await reader.end();
    });

    it('survives crashes of the client', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(3));
      const reader = await Reader.open(topic);
      await reader.until('read', ({ ends }) => ends.includes(3));
      const first = reader.consumer;
      await first?.disconnect();
      await log.append(someEntries(3, 3));
      await reader.until('read on with another consumer', ({ entries }) => entries.length === 6);
      assert.notEqual(reader.consumer, first);

      const stray = new Error('Broker not connected');
      stray.name = 'KafkaJSError';
      const other = await open(topic);
      const stop = new AbortController();
      const items = other.follow(6, stop.signal)[Symbol.asyncIterator]();
      const next = (async (): Promise<LogEntry | CaughtUp | undefined> => {
        for (;;) {
          const item = await items.next();
          if (item.done === true) return undefined;
          if (!isCaughtUp(item.value)) return item.value;
        }
      })();
      assert.equal(other.handleStrayError(new Error('something else')), false);
      assert.equal(other.handleStrayError(stray), true);
      await log.append(someEntries(1, 6));
      const entry = await next;
      assert.ok(entry !== undefined && !isCaughtUp(entry));
      assert.equal(entry.position, 6);
      stop.abort();
      await reader.end();
    });

    it('names no schema for records of other programs, and stops at none', async () => {
      const topic = await aTopic();
      const producer = aClient().producer();
      await producer.connect();
      const value = Buffer.from('hello');
      await producer.send({
        topic,
        messages: [
          { value: null },
          { value, headers: { schema: '01' } },
          { value, headers: { schema: 'x' } },
          { value, headers: { schema: ['1', '1'] } },
          { key: 'k', value, headers: { schema: '12' } },
        ],
      });
      await producer.disconnect();
      const entries = await take(await open(topic), 0, 5);
      assert.deepEqual(
        entries.map(({ schema, key, bytes }) => [schema, key, Buffer.from(bytes).toString()]),
        [
          [0, '', ''],
          [0, '', 'hello'],
          [0, '', 'hello'],
          [0, '', 'hello'],
          [12, 'k', 'hello'],
        ],
      );
    });

    it('is not frozen by a foreign open transaction, and passes over its marker', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(1));
      const foreign = aClient().producer({
        transactionalId: `foreign-${topic}`,
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await foreign.connect();
      const transaction = await foreign.transaction();
      await transaction.send({ topic, messages: [{ value: 'foreign' }] });
      await log.append(someEntries(1, 2));
      const reader = await Reader.open(topic);
      await reader.until('read past the open transaction', ({ entries }) => entries.length === 3);
      assert.deepEqual((await log.entryAt(2))?.key, 'Block/2', 'beyond the committed end');
      await transaction.commit();
      await foreign.disconnect();
      // The marker takes position 3, some time after the commit.
      while ((await log.end()) < 4) await delay(20);
      await log.append(someEntries(1, 4));
      await reader.until('read past the marker', ({ entries }) => entries.length === 4);
      assert.deepEqual(
        reader.entries.map(({ position }) => position),
        [0, 1, 2, 4],
      );
      await reader.until('caught up', ({ ends }) => ends.includes(5));
      await reader.end();
    });

    it('calls a foreign marker at the end read, so that who wants to lead waits for nothing', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(1));
      const foreign = aClient().producer({
        transactionalId: `foreign-${topic}`,
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await foreign.connect();
      const transaction = await foreign.transaction();
      await transaction.send({ topic, messages: [{ value: 'foreign' }] });
      await transaction.commit();
      await foreign.disconnect();
      while ((await log.end()) < 3) await delay(20);
      const reader = await Reader.open(topic);
      await reader.until('the end of the log', ({ ends }) => ends.includes(3));
      assert.deepEqual(reader.alarms, ['stalled']);
      await log.append(someEntries(1, 3));
      await reader.until('read on', ({ entries, ends }) => entries.length === 3 && ends.includes(4));
      assert.deepEqual(reader.alarms, ['stalled', 'gap', 'stalled is over']);
      await reader.end();
    });

    it('stops when history was deleted (T14)', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(10));
      await withAdmin(async (admin) => {
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
      });
      const reader = await Reader.open(topic);
      const error = await reader.finished;
      assert.ok(hasCode('LOG_REPLACED')(error), String(error));
      assert.deepEqual(reader.entries, []);
      assert.equal(await log.start(), 4);
      assert.equal(await log.entryAt(3), undefined);
      assert.equal((await log.entryAt(4))?.position, 4);
      assertEntries(await take(log, 4, 6), someEntries(6, 4), 4);
    });

    it('stops when all of the history was deleted, and takes the topic for no empty one (T14)', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(10));
      await withAdmin(async (admin) => {
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] });
      });
      assert.equal(await log.start(), 10);
      const reader = await Reader.open(topic);
      const error = await reader.finished;
      assert.ok(hasCode('LOG_REPLACED')(error), String(error));
      assert.deepEqual(reader.ends, [], 'a main node would append a Genesis');
    }).timeout(40_000);

    it('stops when the topic was emptied or made anew under it, and at the next start (T14)', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      const entries: EncodedEntry[] = [encodeEntry(aGenesis()), encodeEntry(aBlock(1)), encodeEntry(aBlock(2))];
      await log.append(entries);
      const reader = await Reader.open(topic);
      await reader.until('read', ({ ends }) => ends.includes(3));
      const checkpoint: Checkpoint = {
        logId: LOG_ID,
        position: 2,
        entryHash: entryHash(1, entries[2]?.bytes ?? new Uint8Array(0)),
        fold: EMPTY_FOLD,
        settlement: EMPTY_SETTLEMENT,
      };
      await checkLogIdentity(log, checkpoint);
      await log.close();
      await withAdmin(async (admin) => {
        await admin.deleteTopics({ topics: [topic] });
        for (let isGone = false; !isGone; await delay(50)) isGone = !(await admin.listTopics()).includes(topic);
      });
      await createTopic({ ...SETTINGS, connection, topic });
      const anew = await open(topic);
      assert.ok(hasCode('LOG_REPLACED')(await reader.finished), String(await reader.finished));
      await assert.rejects(checkLogIdentity(anew, checkpoint), hasCode('LOG_REPLACED'));
      // Regrown: the position is there again, with something else.
      await anew.append(someEntries(5));
      await assert.rejects(checkLogIdentity(anew, checkpoint), hasCode('LOG_REPLACED'));
    });
  });

  describe('broker faults', () => {
    it('loses and repeats nothing acknowledged when the broker is killed under load', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      const reader = await Reader.open(topic);
      await reader.until('joined', ({ ends }) => ends.includes(0));
      const acknowledged: string[] = [];
      let failed = 0;
      const stop = new AbortController();
      const writing = (async () => {
        for (let i = 0; !stop.signal.aborted; i++) {
          const entry = anEncodedEntry(i, 20_000);
          try {
            await log.append([entry]);
            acknowledged.push(entry.key);
          } catch (error) {
            assert.ok(hasCode('APPEND_UNKNOWN')(error), String(error));
            failed++;
          }
        }
      })();
      for (let round = 1; round <= 2; round++) {
        const before = acknowledged.length;
        await reader.until(`written before kill ${round}`, () => acknowledged.length >= before + 50);
        await kafka.kill();
        await kafka.restart();
      }
      const before = acknowledged.length;
      await reader.until('written after the last kill', () => acknowledged.length >= before + 50);
      stop.abort();
      await writing;
      const end = await log.end();
      await reader.until('everything is read', ({ entries }) => entries.length === end);
      assert.deepEqual(
        reader.entries.map(({ position }) => position),
        Array.from({ length: end }, (_, i) => i),
      );
      // What was acknowledged is there once and in order; what failed may be there.
      const keys = reader.entries.map(({ key }) => key);
      assert.equal(new Set(keys).size, keys.length, `${failed} failed`);
      const isAcknowledged = new Set(acknowledged);
      assert.deepEqual(
        keys.filter((key) => isAcknowledged.has(key)),
        acknowledged,
      );
      assertEntries(
        await take(log, 0, end),
        keys.map((key) => anEncodedEntry(Number(key.slice(6)), 20_000)),
      );
      await reader.end();
    });

    it('gives an ambiguous error when a producer is given up, and goes on with a fresh one', async () => {
      const topic = await aTopic();
      const log = await open(topic);
      await log.append(someEntries(1));
      const reader = await Reader.open(topic);
      await reader.until('read', ({ ends }) => ends.includes(1));
      const producer = log.openProducer();
      await producer.send(someEntries(1, 1));
      await kafka.pause();
      const sending = producer.send(someEntries(1, 2));
      await assert.rejects(
        producer.send(someEntries(1, 3)),
        (error: unknown) => error instanceof NodeError && error.kind === 'invariant',
        'A8',
      );
      const refused = assert.rejects(sending, hasCode('APPEND_UNKNOWN'));
      await delay(300);
      await producer.close();
      await refused;
      await assert.rejects(
        producer.send(someEntries(1, 3)),
        (error: unknown) => error instanceof NodeError && error.kind === 'invariant',
        'A7',
      );
      await kafka.resume();
      const fresh = log.openProducer();
      await fresh.send(someEntries(1, 4));
      await fresh.close();
      await reader.until('read', ({ entries }) => entries.at(-1)?.key === 'Block/4');
      const keys = reader.entries.map(({ key }) => key);
      // The one given up may have been written before or after.
      assert.deepEqual(
        keys.filter((key) => key !== 'Block/2'),
        ['Block/0', 'Block/1', 'Block/4'],
      );
      await reader.end();
    });

    it('counts what it fetches, and says which brokers are there', async () => {
      const topic = await aTopic();
      await (await open(topic)).append(someEntries(30));
      const fetches: number[] = [];
      const delivered = { records: 0, bytes: 0 };
      let brokers: [string, boolean][] = [];
      const log = await open(topic, {
        lookAtBrokersMs: 200,
        metrics: {
          fetched: (seconds) => fetches.push(seconds),
          delivered(records, bytes) {
            delivered.records += records;
            delivered.bytes += bytes;
          },
          restarted: () => undefined,
          brokers: (up) => (brokers = [...up]),
        },
      });
      await take(log, 0, 30);
      assert.equal(delivered.records, 30);
      assert.equal(
        delivered.bytes,
        someEntries(30).reduce((sum, { key, bytes }) => sum + key.length + bytes.length, 0),
      );
      assert.ok(fetches.length > 0 && fetches.every((seconds) => seconds < 5), fetches.join());
      const shown = async (isUp: boolean): Promise<void> => {
        const started = performance.now();
        while (brokers.length !== 1 || brokers[0]?.[1] !== isUp) {
          assert.ok(performance.now() - started < 60_000, JSON.stringify(brokers));
          await delay(50);
        }
      };
      await shown(true);
      await kafka.kill();
      await shown(false);
      await kafka.restart();
      await shown(true);
    });

    it('says so when there is no broker', async () => {
      const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      assert.ok(address !== null && typeof address === 'object');
      const nowhere: KafkaConnection = { brokers: [`127.0.0.1:${address.port}`], clientId: 'test' };
      await assert.rejects(openKafkaLog({ connection: nowhere, topic: 'x', settings: SETTINGS }), (error: unknown) => {
        assert.ok(error instanceof NodeError && error.code === 'LOG_UNAVAILABLE');
        assert.equal(error.kind, 'retryable');
        return true;
      });
      server.close();
    });
  });

  describe('topic', () => {
    it('is created once, with the settings of the log', async () => {
      const topic = await aTopic();
      assert.equal(await createTopic({ ...SETTINGS, connection, topic }), false);
      assert.deepEqual(await verifyTopic({ ...SETTINGS, connection, topic }), []);
      await requireTopic({ ...SETTINGS, connection, topic });
    });

    it('raises an alarm while it is weaker than configured', async () => {
      const topic = await aTopic();
      const alarms: LogAlarm[] = [];
      await open(topic, { verifySettingsMs: 50, onAlarm: (alarm) => alarms.push(alarm) });
      const setRetention = (value: string): Promise<unknown> =>
        withAdmin((admin) =>
          admin.alterConfigs({
            validateOnly: false,
            resources: [
              {
                type: kafkajs.ConfigResourceTypes.TOPIC,
                name: topic,
                configEntries: [{ name: 'retention.ms', value }],
              },
            ],
          }),
        );
      await setRetention('3600000');
      while (alarms.at(-1)?.text === undefined) await delay(10);
      const { code, text } = alarms.at(-1) ?? {};
      assert.equal(code, 'topic_settings');
      assert.match(text ?? '', /is weaker than configured: .*retention\.ms is 3600000/);
      await setRetention('-1');
      while (alarms.at(-1)?.text !== undefined) await delay(10);
    });

    it('is refused when it is weaker than configured, with every difference', async () => {
      const topic = `weak-${randomBytes(4).toString('hex')}`;
      await withAdmin((admin) =>
        admin.createTopics({
          topics: [
            {
              topic,
              numPartitions: 2,
              replicationFactor: 1,
              configEntries: [
                { name: 'max.message.bytes', value: '1000000' },
                { name: 'cleanup.policy', value: 'compact' },
              ],
            },
          ],
          waitForLeaders: true,
        }),
      );
      await assert.rejects(open(topic), (error: unknown) => {
        assert.ok(error instanceof NodeError && error.code === 'TOPIC_SETTINGS');
        for (const what of [
          'number of partitions is 2',
          'retention.ms is 604800000',
          'max.message.bytes is 1000000',
          'cleanup.policy is compact',
        ]) {
          assert.ok(error.message.includes(what), `${what} in ${error.message}`);
        }
        return true;
      });
      const differences = await verifyTopic({ replicationFactor: 3, minInsyncReplicas: 2, connection, topic });
      assert.ok(differences.includes('replication factor is 1, configured 3'));
      assert.ok(differences.includes('min.insync.replicas is 1, configured 2'));
      await assert.rejects(open('nowhere'), hasCode('TOPIC_MISSING'));
    });

    it('may be stronger than configured', () => {
      const config = new Map(
        Object.entries({
          'cleanup.policy': 'delete',
          'retention.ms': '-1',
          'retention.bytes': '-1',
          'min.insync.replicas': '3',
          'unclean.leader.election.enable': 'false',
          'max.message.bytes': '16777216',
        }),
      );
      assert.deepEqual(
        topicDifferences({ partitions: 1, replicas: 5, config }, { replicationFactor: 3, minInsyncReplicas: 2 }),
        [],
      );
      assert.deepEqual(
        topicDifferences(
          { partitions: 1, replicas: 5, config: new Map([...config, ['cleanup.policy', 'compact']]) },
          { replicationFactor: 3, minInsyncReplicas: 2 },
        ),
        ['cleanup.policy is compact, configured delete'],
      );
    });
  });

  describe('schema registry', () => {
    let url: string;

    before(async function () {
      const registryUrl = await (await sharedKafka()).registryUrl();
      if (registryUrl === undefined) {
        process.stderr.write('\n  !! LEFT OUT: no SCHEMA_REGISTRY_URL beside KAFKA_BROKERS\n\n');
        return this.skip();
      }
      url = registryUrl;
    });

    it('gets released schemas, the entries their ids, and other tools read them', async () => {
      const topic = await aTopic();
      const registryIds = await registerSchemas({ url }, topic);
      assert.deepEqual(await registerSchemas({ url }, topic), registryIds, 'again: the same');
      const id = registryIds.get(1);
      assert.ok(id !== undefined && id > 0);
      const log = await open(topic, { registryIds });
      const entry = aBlock(1);
      const encoded = encodeEntry(entry);
      await log.append([encoded]);
      const [read] = await take(log, 0, 1);
      assert.ok(read !== undefined);
      assert.equal(asBuffer(read.bytes).readUInt32BE(1), id);
      assert.deepEqual(decodeEntry(read.schema, read.bytes), entry);
      assert.deepEqual(entryHash(read.schema, read.bytes), entryHash(1, encoded.bytes));
      const tool = new SchemaRegistry({ host: url });
      const value = (await tool.decode(asBuffer(read.bytes))) as { payload: { record?: { nodeVersion: string } } };
      assert.ok(JSON.stringify(value).includes('"nodeVersion":"0.1.0"'));
    });

    it('is named in the error when it does not answer', async () => {
      await assert.rejects(registerSchemas({ url: 'http://127.0.0.1:9/nothing' }, 'x'), hasCode('SCHEMA_REGISTRY'));
    });
  });
});

/** The reader's consumer joins its group once more, or another takes its place. */
function rebalancing(reader: Reader): Promise<void> {
  const { consumer } = reader;
  assert.ok(consumer !== undefined);
  return new Promise((resolve) => {
    const remove = consumer.on(consumer.events.REBALANCING, () => {
      remove();
      resolve();
    });
  });
}
