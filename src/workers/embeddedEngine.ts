/**
 * The embedded ClickHouse engine (chdb) behind the part of ClickHouse's HTTP interface that its client uses, so that
 * everything else talks to it as to any server. A few sessions write, one may only read.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Session } from 'chdb';
import { errorText } from '../common/errors.ts';
import { StoreError } from '../store/errors.ts';

type EngineModule = { readonly Session: typeof Session };

/** What a question may cost: people ask while a chain runs on the same machine. */
const READER_SETTINGS: Readonly<Record<string, number>> = {
  max_execution_time: 60,
  max_memory_usage: 2_000_000_000,
  max_result_bytes: 268_435_456,
  output_format_json_quote_64bit_integers: 1,
};
/** An insert waits for the disk: those into different tables wait together. */
const WRITERS = 4;
const KEEP_ALIVE_MS = 30_000;
const SETTING_NAME = /^[a-z][a-z0-9_]*$/;
/** Parameters of the HTTP interface that are no settings of the engine. */
const NO_SETTINGS: ReadonlySet<string> = new Set([
  'database',
  'default_format',
  'enable_http_compression',
  'query',
  'query_id',
  'readonly',
  'role',
  'session_id',
  'wait_end_of_query',
]);

/** A session of the engine, with what was set in it. */
class EngineSession {
  readonly #session: Session;
  readonly #settings = new Map<string, string>();
  readonly #isReadOnly: boolean;
  #database: string | undefined;
  #running = 0;
  /** One question after the other, with what is set for it; the engine does no two of a session at once anyway. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(session: Session, { isReadOnly }: { readonly isReadOnly: boolean }) {
    this.#session = session;
    this.#isReadOnly = isReadOnly;
  }

  async limitToReading(): Promise<void> {
    for (const [name, value] of Object.entries(READER_SETTINGS))
      await this.#session.queryAsync(`SET ${name} = ${value}`);
    await this.#session.queryAsync('SET readonly = 1');
  }

  get running(): number {
    return this.#running;
  }

  async run(sql: string, request: URLSearchParams): Promise<Uint8Array> {
    this.#running += 1;
    const answer = this.#last.then(() => this.#run(sql, request));
    this.#last = answer.catch(() => this.#discard());
    try {
      return await answer;
    } finally {
      this.#running -= 1;
    }
  }

  /** What a question had answered before it failed would stand before the answer to the next one. */
  async #discard(): Promise<void> {
    await this.#session.queryAsync('SELECT 1 FORMAT Null').catch(() => undefined);
  }

  async #run(sql: string, request: URLSearchParams): Promise<Uint8Array> {
    const database = request.get('database');
    if (database !== null && database !== this.#database) {
      await this.#session.queryAsync(`USE \`${database.replace(/[\\`]/g, '\\$&')}\``);
      this.#database = database;
    }
    if (!this.#isReadOnly) await this.#applySettings(request);
    const parameters = [...request].filter(([name]) => name.startsWith('param_'));
    if (parameters.length === 0) return (await this.#session.queryAsync(sql, { format: 'TabSeparated' })).bytes();
    const values = Object.fromEntries(parameters.map(([name, value]) => [name.slice('param_'.length), value]));
    return (await this.#session.queryBindAsync(sql, values, { format: 'TabSeparated' })).bytes();
  }

  close(): void {
    this.#session.close();
  }

  /** They stay set: who sends them sends them every time. */
  async #applySettings(request: URLSearchParams): Promise<void> {
    for (const [name, value] of request) {
      if (NO_SETTINGS.has(name) || name.startsWith('param_') || this.#settings.get(name) === value) continue;
      if (!SETTING_NAME.test(name))
        throw new Error(`Code: 115. DB::Exception: ${name} is no setting. (UNKNOWN_SETTING)`);
      await this.#session.queryAsync(`SET ${name} = '${value.replace(/[\\']/g, '\\$&')}'`);
      this.#settings.set(name, value);
    }
  }
}

export interface EmbeddedEngine {
  readonly port: number;
  /** Answers what is under way, then closes the engine. */
  close(): Promise<void>;
}

export interface EmbeddedEngineOptions {
  /** Folder of its data; locked by the process. */
  readonly path: string;
  /** Whoever asks must send them. */
  readonly username: string;
  readonly password: string;
  /** 0: any free one, on the loopback interface. */
  readonly port?: number;
  readonly load?: () => Promise<EngineModule>;
}

/** Throws StoreError: STORE_MISSING without the package, STORE_LOCKED while another process has the folder. */
export async function openEmbeddedEngine(options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
  const { Session: SessionOf } = await loaded(options.load ?? (() => import('chdb')));
  const sessionOf = (isReadOnly: boolean): EngineSession =>
    new EngineSession(
      opened(() => new SessionOf(options.path), options.path),
      { isReadOnly },
    );
  const writers = Array.from({ length: WRITERS }, () => sessionOf(false));
  const reader = sessionOf(true);
  await reader.limitToReading();
  const isAllowed = credentialCheck(options);
  const server = createServer((request, response) => void answer(request, response, { writers, reader, isAllowed }));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const port = await listening(server, options.port ?? 0);
  return {
    port,
    async close() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      for (const session of [reader, ...writers]) session.close();
    },
  };
}

async function loaded(load: () => Promise<EngineModule>): Promise<EngineModule> {
  try {
    return await load();
  } catch (error) {
    throw new StoreError(
      'fatal',
      'STORE_MISSING',
      `the embedded ClickHouse (npm package chdb) is not installed, or not for this platform (${errorText(error).split('\n')[0]}). ` +
        'Install it with `npm install`, or set clickhouse_url to a server, or analytics_enabled to false. Everything else works without it.',
      {},
      { cause: error },
    );
  }
}

function opened(open: () => Session, path: string): Session {
  try {
    return open();
  } catch (error) {
    throw new StoreError(
      'retryable',
      'STORE_LOCKED',
      `the embedded ClickHouse cannot open ${path}: another process has it open, or the folder cannot be written (${errorText(error)})`,
      { path },
      { cause: error },
    );
  }
}

async function listening(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function credentialCheck({ username, password }: EmbeddedEngineOptions): (header: string | undefined) => boolean {
  const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digestOf(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
  return (header) => timingSafeEqual(digestOf(header ?? ''), expected);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  {
    writers,
    reader,
    isAllowed,
  }: {
    readonly writers: readonly EngineSession[];
    readonly reader: EngineSession;
    readonly isAllowed: (header: string | undefined) => boolean;
  },
): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/ping') {
      response.end('Ok.\n');
      return;
    }
    if (!isAllowed(request.headers.authorization)) {
      refuse(response, 401, 'Code: 516. DB::Exception: wrong user or password. (AUTHENTICATION_FAILED)');
      return;
    }
    const body = (await buffer(request)).toString('utf8');
    const query = url.searchParams.get('query');
    const sql = query === null ? body : body === '' ? query : `${query}\n${body}`;
    const isReading = request.method !== 'POST' || (url.searchParams.get('readonly') ?? '0') !== '0';
    const session = isReading ? reader : idlest(writers);
    const bytes = await session.run(sql, url.searchParams);
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
    response.end(bytes);
  } catch (error) {
    refuse(response, 500, errorText(error));
  }
}

function idlest(sessions: readonly EngineSession[]): EngineSession {
  return sessions.reduce((best, session) => (session.running < best.running ? session : best));
}

/** As ClickHouse does: the text names code and type, and a header repeats the code. */
function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  const code = /^Code: (\d+)\./.exec(text)?.[1];
  if (code !== undefined) response.setHeader('X-ClickHouse-Exception-Code', code);
  response.end(`${text}\n`);
}
