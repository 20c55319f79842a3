/** The one way to ClickHouse, whoever runs it: HTTP through its own client. Errors come out as StoreError. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ClickHouseError, type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { Bytes } from '../common/bytes.ts';
import { errorText } from '../common/errors.ts';
import { shownUrl } from '../common/urls.ts';
import { StoreError, type StoreErrorCode } from '../store/errors.ts';

export interface ClickHouseEndpoint {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/** A server somewhere, or the embedded engine, which is started when it is first asked for and again when it is gone. */
export interface ClickHouseServer {
  /** For messages. */
  readonly name: string;
  /** Throws StoreError: STORE_UNAVAILABLE, STORE_MISSING. */
  endpoint(): Promise<ClickHouseEndpoint>;
  close(): Promise<void>;
}

/** `clickhouse_url`: somebody else's server. */
export function clickHouseServerAt(endpoint: ClickHouseEndpoint): ClickHouseServer {
  return {
    name: `ClickHouse at ${shownUrl(endpoint.url)}`,
    endpoint: async () => endpoint,
    close: async () => undefined,
  };
}

const REQUEST_LIMIT_MS = 300_000;
const CONNECTIONS_MAX = 4;

/**
 * An insert is taken as one piece: not buffered by the server, not parsed in parallel, not cut. Views that fold what is
 * inserted by block rely on it.
 */
const INSERT_SETTINGS = {
  async_insert: 0,
  input_format_parallel_parsing: 0,
  max_insert_block_size: '100000000',
  min_insert_block_size_rows: '100000000',
  min_insert_block_size_bytes: '4000000000',
} as const;

/** Codes of ClickHouse after which the same request may succeed later. */
const PASSING: ReadonlySet<string> = new Set([
  '159', // TIMEOUT_EXCEEDED
  '194', // REQUIRED_PASSWORD
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '203', // NO_FREE_CONNECTION
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '252', // TOO_MANY_PARTS
  '516', // AUTHENTICATION_FAILED
  '735', // QUERY_WAS_CANCELLED_BY_CLIENT
]);
const DISK_FULL = '243';

/** A client that writes nothing on the console: what it has to say it throws. */
export function clickHouseClient(
  { url, username, password }: ClickHouseEndpoint,
  options: Omit<NonNullable<Parameters<typeof createClient>[0]>, 'url' | 'username' | 'password' | 'log'>,
): ClickHouseClient {
  return createClient({ ...options, url, username, password, log: { level: ClickHouseLogLevel.OFF } });
}

export class ClickHouseConnection {
  readonly #server: ClickHouseServer;
  #client: Promise<ClickHouseClient> | undefined;

  constructor(server: ClickHouseServer) {
    this.#server = server;
  }

  /** Of the server, for messages. */
  get name(): string {
    return this.#server.name;
  }

  /** A statement without an answer. */
  async command(query: string): Promise<void> {
    await this.#use('running a statement', (client) => client.command({ query }));
  }

  /** What a query answers, in the format that it names. */
  async text(query: string): Promise<string> {
    return (await this.bytes(query)).toString('utf8');
  }

  async bytes(query: string): Promise<Buffer> {
    return this.#use('reading', async (client) => buffer((await client.exec({ query })).stream));
  }

  /** Rows in TabSeparated, as one piece. */
  async insert(
    table: string,
    options: { readonly columns: readonly [string, ...string[]]; readonly rows: readonly Bytes[] },
  ): Promise<void> {
    const body = Buffer.concat(options.rows);
    await this.#use(`inserting into ${table}`, (client) =>
      client.insert({
        table,
        columns: [...options.columns] as [string, ...string[]], // spread forgets that it is not empty
        values: Readable.from([body], { objectMode: false }),
        format: 'TabSeparated',
        clickhouse_settings: INSERT_SETTINGS,
      }),
    );
  }

  failure(code: StoreErrorCode, message: string): StoreError {
    return new StoreError('fatal', code, message, { server: this.name });
  }

  async close(): Promise<void> {
    await this.#forget();
    await this.#server.close();
  }

  async #use<T>(doing: string, action: (client: ClickHouseClient) => Promise<T>): Promise<T> {
    try {
      this.#client ??= this.#connect();
      return await action(await this.#client);
    } catch (error) {
      // The embedded engine comes back on another port.
      await this.#forget();
      throw clickHouseFailure(this.name, doing, error);
    }
  }

  async #connect(): Promise<ClickHouseClient> {
    return clickHouseClient(await this.#server.endpoint(), {
      application: 'reprise',
      request_timeout: REQUEST_LIMIT_MS,
      max_open_connections: CONNECTIONS_MAX,
    });
  }

  async #forget(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await (await client?.catch(() => undefined))?.close();
  }
}

/** Turns what the client throws into a StoreError. `doing` completes "while …", `remedy` says what cures what may pass. */
export function clickHouseFailure(
  name: string,
  doing: string,
  cause: unknown,
  remedy = 'it is tried again',
): StoreError {
  if (cause instanceof StoreError) return cause;
  const text = errorText(cause).split('\n')[0]?.slice(0, 500);
  const fail = (kind: 'retryable' | 'fatal', code: StoreErrorCode, message: string): StoreError =>
    new StoreError(kind, code, message, { server: name }, { cause });
  if (!(cause instanceof ClickHouseError) || PASSING.has(cause.code))
    return fail('retryable', 'STORE_UNAVAILABLE', `${name} does not do its work (${doing}: ${text}); ${remedy}`);
  if (cause.code === DISK_FULL)
    return fail('retryable', 'STORE_DISK_FULL', `${name} has no disk space left (${doing}: ${text}); ${remedy}`);
  return fail('fatal', 'STORE_IO', `${name} refuses what it is asked (${doing}: ${text})`);
}
