#!/usr/bin/env node
// The list of blocks of a chain, from its topic alone: one JSON object a line. Run it as README.md says.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import kafkajs from 'kafkajs';
import { SCHEMA, START, accept } from './acceptance.js';

const { values: options } = parseArgs({
  options: {
    brokers: { type: 'string', default: 'localhost:9092' },
    registry: { type: 'string', default: 'http://localhost:8081' },
    topic: { type: 'string', default: 'zkos.270.replay.v1' },
    follow: { type: 'boolean', default: false },
  },
});
const { topic } = options;
const PARTITION = 0;
/** Before the body: a zero byte and the id of the schema in the registry. */
const PREFIX_BYTES = 5;

const registry = new SchemaRegistry({ host: options.registry });
const schemaId = await registry.getRegistryId(`${topic}-value`, SCHEMA);

/** The entry, or undefined: not of a schema that this program knows, or not exactly what that schema writes. */
async function decode({ value, headers }) {
  // The header names the schema. The id in the prefix may be that of another registry, or 0: it does not count.
  if (headers?.schema?.toString() !== String(SCHEMA) || value === null || value.length < PREFIX_BYTES) return undefined;
  const bytes = Buffer.concat([Buffer.alloc(PREFIX_BYTES), value.subarray(PREFIX_BYTES)]);
  bytes.writeUInt32BE(schemaId, 1);
  try {
    const entry = await registry.decode(bytes);
    return (await registry.encode(schemaId, entry)).equals(bytes) ? entry : undefined;
  } catch {
    return undefined;
  }
}

const kafka = new kafkajs.Kafka({
  clientId: 'block-list',
  brokers: options.brokers.split(','),
  logLevel: kafkajs.logLevel.ERROR,
});

const admin = kafka.admin();
await admin.connect();
const [{ high, low }] = await admin.fetchTopicOffsets(topic);
await admin.disconnect();
if (low !== '0')
  throw new Error(`the topic begins at ${low}: entries were deleted, and the chain cannot be told from the rest`);

// A group of its own with each start: what was read is kept here, not in the broker.
const consumer = kafka.consumer({
  groupId: `block-list-${randomUUID()}`,
  readUncommitted: true,
  maxBytesPerPartition: 9_000_000,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });

let state = START;
let next = 0n;
const finished = Promise.withResolvers();
const isFinished = () => !options.follow && next >= BigInt(high);
if (isFinished()) finished.resolve();

// Also of offsets that hold nothing, which no message comes for.
consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
  const after = BigInt(payload.lastOffset) + 1n;
  if (after > next) next = after;
  if (isFinished()) finished.resolve();
});

await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    const offset = BigInt(message.offset);
    if (partition !== PARTITION || offset < next || isFinished()) return;
    try {
      const accepted = accept(state, await decode(message));
      state = accepted.state;
      // Offsets in between hold nothing: the end of somebody's transaction takes one. No block is accepted over a lost one.
      next = offset + 1n;
      if (accepted.block !== undefined) process.stdout.write(`${JSON.stringify(accepted.block)}\n`);
      if (isFinished()) finished.resolve();
    } catch (error) {
      finished.reject(error);
    }
  },
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => finished.resolve());
try {
  await finished.promise;
} finally {
  await consumer.disconnect();
}
