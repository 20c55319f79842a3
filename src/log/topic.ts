/** The topic behind the Kafka log (log-protocol 10, spec: config B.3): name, creation, and the check of its settings. */
import kafkajs, { type Admin } from 'kafkajs';
import { NodeError, errorText } from '../common/errors.ts';
import { ENTRY_SIZE_LIMIT_BYTES } from './eventLog.ts';
import { type KafkaConnection, createKafka } from './kafkaClient.ts';
import type { LogLogger } from './logLogger.ts';

export interface TopicSettings {
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
}

export interface TopicOptions extends TopicSettings {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly logger?: LogLogger;
}

export function topicName(prefix: string, chainId: bigint): string {
  return `${prefix}.${chainId}.replay.v1`;
}

/** Creates it unless it is there. Returns whether it was created; its settings are checked by `verifyTopic`. Throws LOG_UNAVAILABLE, TOPIC_NOT_CREATED. */
export async function createTopic(options: TopicOptions): Promise<boolean> {
  const { topic, replicationFactor } = options;
  return withAdmin(options, async (admin) => {
    if (await exists(admin, topic)) return false;
    const configEntries = Object.entries(wantedConfig(options)).map(([name, value]) => ({ name, value }));
    try {
      return await admin.createTopics({
        topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }],
        waitForLeaders: true,
      });
    } catch (error) {
      if (await exists(admin, topic)) return false;
      throw new NodeError(
        'fatal',
        `topic ${topic} cannot be created (${errorText(error)}): create it by hand, or check kafka_replication_factor and the rights of this user`,
        { code: 'TOPIC_NOT_CREATED', topic },
        { cause: error },
      );
    }
  });
}

/** What of the topic is weaker than configured, one line each; empty: as configured or stronger. Throws LOG_UNAVAILABLE, TOPIC_MISSING. */
export async function verifyTopic(options: TopicOptions): Promise<string[]> {
  const { topic } = options;
  return withAdmin(options, async (admin) => {
    if (!(await exists(admin, topic))) {
      throw new NodeError(
        'fatal',
        `topic ${topic} does not exist: create it with the command for it, or set kafka_auto_create_topics`,
        { code: 'TOPIC_MISSING', topic },
      );
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    });
    const config = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    const partitions = topics[0]?.partitions ?? [];
    return topicDifferences(
      {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        config,
      },
      options,
    );
  });
}

/** Throws TOPIC_SETTINGS with the list of differences when anything is weaker than configured. */
export async function requireTopic(options: TopicOptions): Promise<void> {
  const differences = await verifyTopic(options);
  if (differences.length === 0) return;
  throw new NodeError(
    'fatal',
    `topic ${options.topic} is weaker than configured: ${differences.join('; ')}. Correct the topic, or the configuration if that is meant`,
    {
      code: 'TOPIC_SETTINGS',
      topic: options.topic,
      differences,
    },
  );
}

export interface TopicState {
  readonly partitions: number;
  /** Of the partition with the fewest. */
  readonly replicas: number;
  readonly config: ReadonlyMap<string, string>;
}

export function topicDifferences(actual: TopicState, settings: TopicSettings): string[] {
  const differences: string[] = [];
  const demand = (isMet: boolean, what: string, is: unknown, wanted: unknown): void => {
    if (!isMet) differences.push(`${what} is ${is}, configured ${wanted}`);
  };
  demand(actual.partitions === 1, 'number of partitions', actual.partitions, 1);
  demand(
    actual.replicas >= settings.replicationFactor,
    'replication factor',
    actual.replicas,
    settings.replicationFactor,
  );
  for (const [name, wanted] of Object.entries(wantedConfig({ ...settings, replicationFactor: actual.replicas }))) {
    const is = actual.config.get(name);
    const isAtLeast = name === 'min.insync.replicas' || name === 'max.message.bytes';
    demand(isAtLeast ? Number(is) >= Number(wanted) : is === wanted, name, is, wanted);
  }
  return differences;
}

function wantedConfig({ replicationFactor, minInsyncReplicas }: TopicSettings): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'min.insync.replicas': String(minInsyncReplicas),
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(ENTRY_SIZE_LIMIT_BYTES),
    // With one copy only the disk keeps what was acknowledged.
    ...(replicationFactor === 1 ? { 'flush.messages': '1' } : {}),
  };
}

async function exists(admin: Admin, topic: string): Promise<boolean> {
  return (await admin.listTopics()).includes(topic);
}

async function withAdmin<Result>(
  { connection, logger }: TopicOptions,
  use: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = createKafka(connection, logger).admin();
  try {
    await admin.connect();
    return await use(admin);
  } catch (error) {
    if (error instanceof NodeError) throw error;
    throw new NodeError(
      'retryable',
      `no answer from Kafka at ${connection.brokers.join(', ')}: ${errorText(error)}`,
      { code: 'LOG_UNAVAILABLE' },
      { cause: error },
    );
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
