/** Registers released schemas, so that any Kafka tool can read the topic. Readers of this software never ask a registry. */
import { readFileSync } from 'node:fs';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { NodeError, errorText } from '../common/errors.ts';
import { shownUrl } from '../common/urls.ts';
import { NEWEST_SCHEMA } from './entryCodec.ts';

export interface SchemaRegistryConnection {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
}

/** Text of `schemas/ReplayEntry.v<version>.avsc`. */
export function schemaText(version: number): string {
  return readFileSync(new URL(`../../schemas/ReplayEntry.v${version}.avsc`, import.meta.url), 'utf8');
}

/** Registers every released schema for the topic's values. Returns the registry's id of each by version. Throws SCHEMA_REGISTRY. */
export async function registerSchemas(
  connection: SchemaRegistryConnection,
  topic: string,
): Promise<ReadonlyMap<number, number>> {
  const { url, username, password } = connection;
  const registry = new SchemaRegistry({
    host: url,
    retry: { maxRetryTimeInSecs: 5, initialRetryTimeInSecs: 0.2, retries: 3 },
    ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
  });
  const ids = new Map<number, number>();
  for (let version = 1; version <= NEWEST_SCHEMA; version++) {
    try {
      const { id } = await registry.register(
        { type: SchemaType.AVRO, schema: schemaText(version) },
        { subject: `${topic}-value` },
      );
      ids.set(version, id);
    } catch (error) {
      throw new NodeError(
        'retryable',
        `the schema registry at ${shownUrl(url)} did not take schema ${version} of ${topic}: ${errorText(error)}. Check schema_registry_url, or unset it: nodes do not need it`,
        { code: 'SCHEMA_REGISTRY', version, topic },
        { cause: error },
      );
    }
  }
  return ids;
}
