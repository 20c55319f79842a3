/** The log that the configuration names: Kafka when `kafka_brokers` is set, else the embedded one. */
import { readFileSync } from 'node:fs';
import type { Config } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { delayReads } from './delayedReads.ts';
import { openEmbeddedLog } from './eventLog.embedded.ts';
import { type LogAlarm, type KafkaMetrics, openKafkaLog } from './eventLog.kafka.ts';
import type { EventLog } from './eventLog.ts';
import type { KafkaConnection } from './kafkaClient.ts';
import type { LogLogger } from './logLogger.ts';
import { type SchemaRegistryConnection, registerSchemas } from './schemaRegistry.ts';
import { type TopicOptions, createTopic, topicName } from './topic.ts';

export interface OpenLogOptions {
  readonly logger?: LogLogger;
  readonly onAlarm?: (alarm: LogAlarm) => void;
  readonly metrics?: KafkaMetrics;
  /** For commands: nothing is created or registered, and the embedded log may have its writer. */
  readonly readOnly?: boolean;
}

/** @throws NodeError of the implementation: LOG_LOCKED, LOG_MISSING, LOG_UNAVAILABLE, TOPIC_MISSING, TOPIC_SETTINGS, … */
export async function openLog(config: Config, options: OpenLogOptions = {}): Promise<EventLog> {
  const log = config.kafkaBrokers === undefined ? openEmbedded(config, options) : await openKafka(config, options);
  return config.eventLogReadDelayMs > 0 ? delayReads(log, config.eventLogReadDelayMs) : log;
}

/** An external node tails the log of a main node on this machine, unless it is fed over TCP: then it writes its own. */
function openEmbedded(config: Config, { readOnly }: OpenLogOptions): EventLog {
  return openEmbeddedLog({ path: config.eventLogPath, readOnly: readOnly === true || !writesLog(config) });
}

async function openKafka(config: Config, { logger, onAlarm, metrics, readOnly }: OpenLogOptions): Promise<EventLog> {
  const topic = configuredTopic(config, logger);
  const isWriter = config.nodeRole === 'main' && readOnly !== true;
  if (config.kafkaAutoCreateTopics && isWriter) await createTopic(topic);
  const registry = isWriter ? configuredRegistry(config) : undefined;
  const registryIds = registry === undefined ? undefined : await registerSchemas(registry, topic.topic);
  return openKafkaLog({
    connection: topic.connection,
    topic: topic.topic,
    settings: { replicationFactor: topic.replicationFactor, minInsyncReplicas: topic.minInsyncReplicas },
    ...(registryIds && { registryIds }),
    ...(logger && { logger }),
    ...(onAlarm && { onAlarm }),
    ...(metrics && { metrics }),
  });
}

/** Main nodes, and nodes that are fed over TCP, whose log is their own. */
export function writesLog(config: Pick<Config, 'nodeRole' | 'sequencerBlockReplayDownloadAddress'>): boolean {
  return config.nodeRole === 'main' || config.sequencerBlockReplayDownloadAddress !== undefined;
}

export function configuredTopic(config: Config, logger?: LogLogger): TopicOptions {
  if (config.genesisChainId === undefined)
    throw new NodeError('fatal', 'genesis_chain_id is missing: the topic is named by it', { code: 'CONFIG_INVALID' });
  return {
    connection: configuredConnection(config),
    topic: topicName(config.kafkaTopicPrefix, config.genesisChainId),
    replicationFactor: config.kafkaReplicationFactor,
    minInsyncReplicas: config.kafkaMinInsyncReplicas,
    ...(logger && { logger }),
  };
}

function configuredRegistry(config: Config): SchemaRegistryConnection | undefined {
  const { schemaRegistryUrl, schemaRegistryUsername, schemaRegistryPassword } = config;
  if (schemaRegistryUrl === undefined) return undefined;
  return {
    url: schemaRegistryUrl,
    ...(schemaRegistryUsername !== undefined && { username: schemaRegistryUsername }),
    ...(schemaRegistryPassword !== undefined && { password: schemaRegistryPassword.reveal() }),
  };
}

function configuredConnection(config: Config): KafkaConnection {
  const {
    kafkaBrokers,
    kafkaClientId,
    kafkaSecurityProtocol: protocol,
    kafkaSaslMechanism,
    kafkaSaslUsername,
    kafkaSaslPassword,
  } = config;
  if (kafkaBrokers === undefined) throw new NodeError('fatal', 'kafka_brokers is missing', { code: 'CONFIG_INVALID' });
  const [ca, cert, key] = [config.kafkaSslCaFile, config.kafkaSslCertFile, config.kafkaSslKeyFile].map(pem);
  return {
    brokers: kafkaBrokers,
    clientId: kafkaClientId,
    ...(protocol.endsWith('ssl') && {
      ssl: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) },
    }),
    ...(protocol.startsWith('sasl') &&
      kafkaSaslMechanism !== undefined && {
        sasl: {
          mechanism: kafkaSaslMechanism,
          username: kafkaSaslUsername ?? '',
          password: kafkaSaslPassword?.reveal() ?? '',
        },
      }),
  };
}

function pem(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new NodeError(
      'fatal',
      `${path} cannot be read: ${errorText(error)}`,
      { code: 'CONFIG_INVALID', path },
      { cause: error },
    );
  }
}
