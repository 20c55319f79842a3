/** Harm to Kafka and to the way to it, under a running main and external node with work to do. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { type KafkaAlarm, openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { createKafka } from '../../src/log/kafkaClient.ts';
import { createTopic } from '../../src/log/topic.ts';
import { type Direction } from '../support/faultProxy.ts';
import { seededRandom } from '../support/logEntries.ts';
import {
  freeNodePorts,
  NodeProcess,
  runCommand,
  temporaryFolder,
  removeFolder,
  until,
} from '../support/nodeProcess.ts';
import type { DrillOptions } from './drill.ts';
import { type KafkaArena, SETTINGS } from './kafkaArena.ts';

/** What a drill does while client and nodes go on; what it must leave is checked afterwards, `KafkaArena.check`. */
export interface KafkaDrill {
  readonly name: string;
  /** `finished`: nothing of the arena may be used any more. */
  readonly leaves: 'running' | 'finished';
  act(arena: KafkaArena, options: DrillOptions): Promise<string>;
}

const DIRECTIONS: readonly Direction[] = ['request', 'answer'];

/** It happened: without this a drill that misses would pass. */
async function whenSaid(node: NodeProcess, from: number, what: RegExp): Promise<void> {
  await until(`the node says ${what}`, () => (what.test(node.outputSince(from)) ? true : undefined), 60_000);
}

/** Nothing that the leader appends comes back to it. */
async function whenDoubts({ main }: KafkaArena): Promise<void> {
  await until('the leader doubts', async () => ((await main.status())['leading'] === false ? true : undefined), 60_000);
}

async function killBroker({ kafka, watcher }: KafkaArena, { isShort, seed }: DrillOptions): Promise<string> {
  const random = seededRandom(seed);
  const kills = isShort ? 1 : 15;
  for (let i = 0; i < kills; i++) {
    await delay(random() * 300);
    await kafka.kill();
    await kafka.restart();
    await watcher.whenHeight(watcher.height + 2, 90_000);
  }
  return `${kills} kills`;
}

async function freezeBroker(arena: KafkaArena, { isShort, seed }: DrillOptions): Promise<string> {
  const random = seededRandom(seed);
  const rounds = isShort ? 1 : 10;
  for (let i = 0; i < rounds; i++) {
    await arena.kafka.pause();
    // Longer than the deadline of an append, at times longer than the broker's own session.
    await whenDoubts(arena).finally(() => arena.kafka.resume());
    await delay(random() * 500);
    await arena.whenGoesOn();
  }
  return `${rounds} times frozen until the leader doubted`;
}

async function cutConnections(arena: KafkaArena, { isShort, seed }: DrillOptions): Promise<string> {
  const random = seededRandom(seed);
  const cuts = isShort ? 4 : 100;
  let connections = 0;
  for (let i = 0; i < cuts; i++) {
    await delay(20 + random() * 400);
    connections += arena.proxy.connections;
    arena.proxy.cut();
    if (i % 4 === 3) await arena.whenGoesOn(1);
  }
  return `${cuts} cuts of ${connections} connections`;
}

async function delayFrames(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const delays = isShort ? [400] : [50, 400, 1_500, 2_500];
  for (const ms of delays) {
    for (const direction of DIRECTIONS) {
      arena.proxy.delay(direction, ms);
      // Above the deadline of an append nothing is accepted in time: the deadline grows until it is.
      await arena.whenGoesOn(1);
      arena.proxy.heal();
    }
  }
  return `requests and answers later by ${delays.join(', ')} ms`;
}

async function halfClose(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const rounds = isShort ? 1 : 10;
  for (let i = 0; i < rounds; i++) {
    for (const direction of DIRECTIONS) {
      arena.proxy.halfClose(direction);
      await arena.whenGoesOn(1);
    }
  }
  return `${rounds} times each direction`;
}

async function dropFrames(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const rounds = isShort ? 1 : 5;
  for (let i = 0; i < rounds; i++) {
    for (const direction of DIRECTIONS) {
      arena.proxy.drop(direction);
      await whenDoubts(arena).finally(() => arena.proxy.heal());
      await arena.whenGoesOn(1);
    }
  }
  return `${rounds} times each direction, until the leader doubted`;
}

async function refuseConnections(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const rounds = isShort ? 1 : 5;
  for (let i = 0; i < rounds; i++) {
    arena.proxy.refuse();
    arena.proxy.cut();
    await whenDoubts(arena).finally(() => arena.proxy.heal());
    await arena.whenGoesOn(1);
  }
  return `${rounds} times cut off until the leader doubted`;
}

async function rejoin(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const rounds = isShort ? 1 : 5;
  let joined = 0;
  for (let i = 0; i < rounds; i++) {
    const from = [arena.main, arena.external].map(({ written }) => written);
    const { groups } = await arena.withAdmin((admin) => admin.listGroups());
    const readers = groups.filter(({ groupId }) => groupId.startsWith(`${arena.topic}.reader.`));
    const intruders = readers.map(({ groupId }) => createKafka(arena.connection).consumer({ groupId }));
    try {
      await Promise.all(
        intruders.map(async (intruder) => {
          await intruder.connect();
          await intruder.subscribe({ topics: [arena.topic], fromBeginning: true });
          await intruder.run({ autoCommit: false, eachBatch: async () => undefined });
        }),
      );
      joined += readers.length;
      for (const [index, node] of [arena.main, arena.external].entries())
        await whenSaid(node, from[index] ?? 0, /rebalancing|the reader of the log starts anew/);
    } finally {
      await Promise.all(intruders.map((intruder) => intruder.disconnect()));
    }
    await arena.whenGoesOn();
  }
  return `another consumer came into ${joined} groups and left`;
}

/** Kafka's call replaces the whole configuration of a topic. */
async function alterTopic(arena: KafkaArena, changes: Readonly<Record<string, string>>): Promise<void> {
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  await arena.withAdmin(async (admin) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type, name: arena.topic }],
    });
    const present = (resources[0]?.configEntries ?? [])
      .filter(({ isDefault }) => !isDefault)
      .map(({ configName, configValue }) => [configName, configValue] as const);
    const configEntries = Object.entries({ ...Object.fromEntries(present), ...changes }).map(([name, value]) => ({
      name,
      value,
    }));
    await admin.alterConfigs({ validateOnly: false, resources: [{ type, name: arena.topic, configEntries }] });
  });
}

async function changeRetention(arena: KafkaArena): Promise<string> {
  const alarms: KafkaAlarm[] = [];
  const log = await openKafkaLog({
    connection: arena.connection,
    topic: arena.topic,
    settings: SETTINGS,
    verifySettingsMs: 100,
    onAlarm: ({ code, text }) => {
      if (text !== undefined) alarms.push(code);
    },
  });
  const dataPath = temporaryFolder('chaos-late');
  try {
    await alterTopic(arena, { 'retention.ms': '3600000' });
    await until('an alarm about the topic', () => (alarms.includes('topic_settings') ? true : undefined));
    await arena.whenGoesOn();
    const verified = await runCommand(['topics', 'verify'], arena.commandEnv());
    assert.equal(verified.code, 1);
    assert.match(verified.stdout + verified.stderr, /retention\.ms is 3600000, configured -1/);
    const late = new NodeProcess({ dataPath, ports: await freeNodePorts(), env: arena.commandEnv() });
    late.start({ node_role: 'external', general_rocks_db_path: dataPath });
    assert.equal((await late.whenEnded(60_000)).code, 1);
    assert.match(late.output, /weaker than configured: retention\.ms is 3600000/);
  } finally {
    await log.close();
    await alterTopic(arena, { 'retention.ms': '-1' });
    removeFolder(dataPath);
  }
  return 'the running nodes go on, a log alarms, a node that starts refuses and names it';
}

async function lowerMessageSize(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const rounds = isShort ? 1 : 3;
  for (let i = 0; i < rounds; i++) {
    // A claim fits, a block does not.
    await alterTopic(arena, { 'max.message.bytes': '420' });
    try {
      await whenDoubts(arena);
      // What was on its way has come; from now on no block can.
      const { height } = arena.watcher;
      const { epoch } = arena.watcher.fold;
      await arena.watcher.when('another claim', () => (arena.watcher.fold.epoch > epoch ? true : undefined), 60_000);
      assert.ok(arena.watcher.height - height <= 1, `${arena.watcher.height - height} blocks although none fits`);
    } finally {
      await alterTopic(arena, { 'max.message.bytes': String(8 * 1024 * 1024) });
    }
    await arena.whenGoesOn();
  }
  return `${rounds} times no block fitted: claims, but no block, until it was corrected`;
}

async function truncateTopic(arena: KafkaArena): Promise<string> {
  const { topic, watcher, main, external } = arena;
  const offset = Math.floor(watcher.entries.length / 2);
  await arena.withAdmin(async (admin) => {
    await admin.fetchTopicOffsets(topic); // loads what the next call needs
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  });
  // Whoever stands behind the loss need not stop at once.
  await arena.whenGoesOn();
  const finished = await arena.finish();
  for (const node of [main, external])
    await arena.assertRefuses(node, new RegExp(`log truncated or replaced: its history below position ${offset} was`));
  const dataPath = temporaryFolder('chaos-late');
  try {
    const late = new NodeProcess({ dataPath, ports: await freeNodePorts(), env: arena.commandEnv() });
    late.start({ node_role: 'external', general_rocks_db_path: dataPath });
    assert.equal((await late.whenEnded(60_000)).code, 1);
    assert.match(late.output, new RegExp(`begins at position ${offset}, 0 was expected: history was deleted`));
  } finally {
    removeFolder(dataPath);
  }
  return `the first ${offset} entries deleted: running nodes went on (${finished}), at the next start all refuse, data untouched`;
}

async function recreateTopic(arena: KafkaArena, { isShort }: DrillOptions): Promise<string> {
  const { topic, main, external, client, connection, watcher } = arena;
  client.end();
  await arena.withAdmin(async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await until('the topic is gone', async () => ((await admin.listTopics()).includes(topic) ? undefined : true));
  });
  // Right after a deletion the broker may not know its new topic for a moment.
  await until('the topic is made anew', () => createTopic({ ...SETTINGS, connection, topic }).then(() => true));
  for (const node of [main, external]) {
    const { code } = await node.whenEnded(90_000);
    assert.equal(code, 1, node.output.slice(-2_000));
    assert.match(node.output, /log truncated or replaced/);
  }
  for (const node of isShort ? [main] : [main, external]) await arena.assertRefuses(node, /log truncated or replaced/);
  // What the leader had on its way may be in the new topic, where it counts for nobody.
  const log = await openKafkaLog({ connection, topic, settings: SETTINGS });
  try {
    const end = await log.end();
    for (let position = 0; position < end; position++) {
      const entry = await log.entryAt(position);
      assert.notEqual(entry?.key, 'Genesis', 'nobody wrote a new Genesis');
    }
    return `after ${watcher.height} blocks: both nodes stop, refuse at the next start, and leave their data untouched; the new topic has ${end} entries of the old chain and no Genesis`;
  } finally {
    await log.close();
  }
}

export const KAFKA_DRILLS: readonly KafkaDrill[] = [
  { name: 'forced rejoin of the readers', leaves: 'running', act: rejoin },
  { name: 'connections cut', leaves: 'running', act: cutConnections },
  { name: 'frames delayed in each direction', leaves: 'running', act: delayFrames },
  { name: 'connections half-closed in each direction', leaves: 'running', act: halfClose },
  { name: 'frames dropped in each direction', leaves: 'running', act: dropFrames },
  { name: 'connections refused', leaves: 'running', act: refuseConnections },
  { name: 'retention changed under running nodes', leaves: 'running', act: changeRetention },
  { name: 'message size lowered', leaves: 'running', act: lowerMessageSize },
  { name: 'broker frozen (SIGSTOP)', leaves: 'running', act: freezeBroker },
  { name: 'broker killed (-9) and restarted', leaves: 'running', act: killBroker },
  // Its end is also that of the drills before: both nodes hold the same, key by key.
  { name: 'topic truncated', leaves: 'finished', act: truncateTopic },
  { name: 'topic deleted and made anew', leaves: 'finished', act: recreateTopic },
];
