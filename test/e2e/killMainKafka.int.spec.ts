import { randomUUID } from 'node:crypto';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { topicName } from '../../src/log/topic.ts';
import { CHAIN_ID } from '../support/clients.ts';
import { killMainSuite } from '../support/killMainSuite.ts';
import { requireKafka } from '../support/sharedKafka.ts';

killMainSuite('Kafka', async (context) => {
  const { brokers } = await requireKafka(context);
  const prefix = `kill-${randomUUID()}`;
  return {
    env: { kafka_brokers: brokers.join(','), kafka_topic_prefix: prefix },
    openReader: () =>
      openKafkaLog({
        connection: { brokers, clientId: 'kill-test' },
        topic: topicName(prefix, BigInt(CHAIN_ID)),
        settings: { replicationFactor: 1, minInsyncReplicas: 1 },
      }),
  };
});
