/** Clients of kafkajs. */
import { Kafka, type KafkaConfig, type LogEntry as KafkaLogLine, type SASLOptions, logLevel } from 'kafkajs';
import { type LogLogger, SILENT_LOGGER } from './logLogger.ts';

export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** PEM texts; set: TLS. */
  readonly ssl?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer';
    readonly username: string;
    /** oauthbearer: the token. */
    readonly password: string;
  };
}

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Finite, short: whoever calls decides what a failure means. */
export const KAFKA_RETRY = { retries: 4, initialRetryTime: 100, maxRetryTime: 1_000 } as const;

/** A client object of its own: kafkajs keeps the first credentials inside the `sasl` object it was given. */
export function createKafka(connection: KafkaConnection, logger: LogLogger = SILENT_LOGGER): Kafka {
  const { brokers, clientId, ssl, sasl } = connection;
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    retry: { ...KAFKA_RETRY },
    logLevel: logLevel.WARN,
    logCreator: () => (line) => writeLine(logger, line),
    ...(ssl === undefined ? {} : { ssl: { ...ssl } }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
  });
}

function saslOf({
  mechanism,
  username,
  password,
}: NonNullable<KafkaConnection['sasl']>): NonNullable<KafkaConfig['sasl']> {
  if (mechanism === 'oauthbearer') return { mechanism, oauthBearerProvider: async () => ({ value: password }) };
  // The three others take the same fields; the type wants each of them spelled out.
  return { mechanism, username, password } as SASLOptions;
}

/** Its errors are retried by it or reported by us: for the reader of logs they are warnings. */
function writeLine(logger: LogLogger, { namespace, log: { message, error } }: KafkaLogLine): void {
  logger.warn({ client: 'kafkajs', namespace, ...(typeof error === 'string' ? { err: error } : {}) }, message);
}
