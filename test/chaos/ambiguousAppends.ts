/** Appends whose answer never arrives, on a real broker: none is lost, doubled or reordered. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { createTopic, topicName } from '../../src/log/topic.ts';
import { FaultProxy, type ProduceFate } from '../support/faultProxy.ts';
import type { TestKafka } from '../support/kafka.ts';
import { seededRandom } from '../support/logEntries.ts';
import { until } from '../support/nodeProcess.ts';
import type { Drill, DrillOptions } from './drill.ts';
import { LogMember } from './logMember.ts';

const SETTINGS = { replicationFactor: 1, minInsyncReplicas: 1 };
const APPENDS = { short: 20, long: 1_000 };
/** What is not in the list passes. `silent` and `late` cost whole deadlines. */
const FATES: readonly (readonly [ProduceFate, number])[] = [
  ['cut_after', 0.45],
  ['half_closed', 0.15],
  ['cut_before', 0.13],
  ['cut_inside', 0.1],
  ['late', 0.02],
  ['silent', 0.01],
];

export function ambiguousAppends(kafka: () => TestKafka): Drill {
  return { name: 'ambiguous appends', run: (options) => run(kafka(), options) };
}

async function run(kafka: TestKafka, { isShort, seed }: DrillOptions): Promise<string> {
  const { proxied } = kafka;
  assert.ok(proxied !== undefined, 'a broker given from outside has no listener for a proxy');
  const ambiguous = isShort ? APPENDS.short : APPENDS.long;
  const random = seededRandom(seed);
  const topic = topicName(`ambiguous-${randomBytes(6).toString('hex')}`, 270n);
  const direct = { brokers: kafka.brokers, clientId: 'chaos' };
  await createTopic({ ...SETTINGS, connection: direct, topic });
  const proxy = await FaultProxy.listen(proxied);
  const connection = { brokers: [`127.0.0.1:${proxied.advertisedPort}`], clientId: 'chaos' };
  const log = await openKafkaLog({ connection, topic, settings: SETTINGS });
  const member = new LogMember({ log, maxAheadBlocks: 4, blockBytes: () => 1 + Math.floor(random() * 100_000) });
  const harmed = (): number =>
    Object.entries(proxy.counted).reduce((sum, [fate, count]) => (fate === 'pass' ? sum : sum + count), 0);
  try {
    member.want(1);
    await until('a first block', () => member.accepted[0], 30_000);
    proxy.fateOf = () => {
      let roll = random();
      for (const [fate, share] of FATES) {
        if (roll < share) return fate;
        roll -= share;
      }
      return 'pass';
    };
    let wanted = 1;
    while (harmed() < ambiguous) {
      wanted += 4;
      member.want(wanted);
      await until(
        `block ${wanted}`,
        () => {
          member.throwFailure();
          return member.accepted.length >= wanted || harmed() >= ambiguous ? true : undefined;
        },
        180_000,
      );
    }
    proxy.heal();
    wanted += 10;
    member.want(wanted);
    await until('blocks after the faults', () => (member.accepted.length >= wanted ? true : undefined), 120_000);
    await member.close();
    member.throwFailure();
    const expected = Array.from({ length: wanted }, (_, i) => i);
    assert.deepEqual(member.accepted, expected, 'none lost, doubled or reordered');
    assert.deepEqual(
      member.heights,
      expected.map((i) => i + 1),
    );
    const fates = Object.entries(proxy.counted)
      .map(([fate, count]) => `${fate} ${count}`)
      .join(', ');
    return `${harmed()} ambiguous appends (${fates}): ${wanted} blocks accepted, none lost, doubled or reordered; ${member.epoch} epochs, rejected copies ${JSON.stringify(member.rejects)}, doubts ${JSON.stringify(member.doubts)}`;
  } finally {
    proxy.heal();
    await member.close();
    await log.close();
    await proxy.close();
  }
}
