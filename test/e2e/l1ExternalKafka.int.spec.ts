import { randomUUID } from 'node:crypto';
import { externalSuite } from '../l1/externalSuite.ts';
import { requireKafka } from '../support/sharedKafka.ts';

externalSuite('external nodes and L1 (Kafka)', async (context) => {
  const { brokers } = await requireKafka(context);
  const env = { kafka_brokers: brokers.join(','), kafka_topic_prefix: `l1-${randomUUID()}` };
  return { main: env, external: () => env };
});
