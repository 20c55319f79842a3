/**
 * The embedded ClickHouse of a data folder, as a server: its engine runs in a child process (it can crash, and it is 0.3 GB
 * of memory), which is started when it is asked for and again when it has gone. Others find it through a file.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClickHouseEndpoint, ClickHouseServer } from '../projections/clickHouse.ts';
import { StoreError, type StoreErrorCode } from '../store/errors.ts';
import type { EngineAnswer, EngineStart } from './embeddedEngineMain.ts';

const USERNAME = 'reprise';
const START_LIMIT_MS = 60_000;
const PING_LIMIT_MS = 5_000;
const STOP_LIMIT_MS = 15_000;
const OUTPUT_KEPT = 2_000;
/** In the folder of the projection, beside the engine's data. */
const ENDPOINT_FILE = 'endpoint.json';
const ENGINE_FOLDER = 'clickhouse';

interface RunningEngine {
  readonly child: ChildProcess;
  readonly endpoint: ClickHouseEndpoint;
  readonly gone: Promise<void>;
}

export class EmbeddedClickHouse implements ClickHouseServer {
  readonly name: string;
  readonly #path: string;
  #engine: Promise<RunningEngine> | undefined;
  #isClosed = false;

  /** `path`: folder of the projection. */
  constructor(path: string) {
    this.#path = path;
    this.name = `the embedded ClickHouse in ${path}`;
  }

  async endpoint(): Promise<ClickHouseEndpoint> {
    if (this.#isClosed) throw new StoreError('fatal', 'STORE_CLOSED', `${this.name} is closed`);
    this.#engine ??= this.#start();
    return (await this.#engine).endpoint;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const engine = await this.#engine?.catch(() => undefined);
    if (engine === undefined) return;
    const { child, gone } = engine;
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    if (child.connected) child.disconnect();
    await gone;
    clearTimeout(late);
  }

  #start(): Promise<RunningEngine> {
    const starting = startEngine(this.#path);
    starting.then(
      ({ gone }) => gone.then(() => this.#ended(starting)),
      () => this.#ended(starting),
    );
    return starting;
  }

  #ended(engine: Promise<RunningEngine>): void {
    if (this.#engine === engine) this.#engine = undefined;
  }
}

export interface KnownEndpoint extends ClickHouseEndpoint {
  /** Process id of the engine. */
  readonly pid: number | undefined;
}

/** Where a running node's engine answers; undefined: none has said so. It may be gone since. */
export function knownEndpoint(path: string): KnownEndpoint | undefined {
  try {
    return JSON.parse(readFileSync(join(path, ENDPOINT_FILE), 'utf8')) as KnownEndpoint; // written below
  } catch {
    return undefined;
  }
}

export async function isAnswering({ url }: ClickHouseEndpoint): Promise<boolean> {
  try {
    return (await fetch(`${url}/ping`, { signal: AbortSignal.timeout(PING_LIMIT_MS) })).ok;
  } catch {
    return false;
  }
}

async function startEngine(path: string): Promise<RunningEngine> {
  const enginePath = join(path, ENGINE_FOLDER);
  mkdirSync(enginePath, { recursive: true });
  // Its own process group: a Ctrl-C of the terminal is not for it.
  const child = fork(fileURLToPath(new URL('embeddedEngineMain.ts', import.meta.url)), [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    execArgv: [],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-OUTPUT_KEPT)));
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const password = randomBytes(24).toString('hex');
  const endpointOf = (port: number): ClickHouseEndpoint => ({
    url: `http://127.0.0.1:${port}`,
    username: USERNAME,
    password,
  });
  const answer = await firstAnswer(child, gone, { path: enginePath, username: USERNAME, password });
  if (answer === undefined || answer.kind === 'failed') {
    child.kill('SIGKILL');
    if (answer === undefined)
      throw new StoreError(
        'retryable',
        'STORE_UNAVAILABLE',
        `the embedded ClickHouse in ${path} did not start: ${output.trim() || 'it said nothing'}`,
        { path },
      );
    // Both were a StoreError's in the child.
    throw new StoreError(answer.errorKind as 'retryable' | 'fatal', answer.code as StoreErrorCode, answer.message, {
      path,
      output: output.trim(),
    });
  }
  const endpoint = endpointOf(answer.port);
  const file = join(path, ENDPOINT_FILE);
  const known: KnownEndpoint = { ...endpoint, pid: child.pid };
  writeFileSync(file, `${JSON.stringify(known)}\n`, { mode: 0o600 });
  void gone.then(() => {
    if (knownEndpoint(path)?.password === password) rmSync(file, { force: true });
  });
  return { child, endpoint, gone };
}

/** undefined: it ended, or said nothing in time. */
async function firstAnswer(
  child: ChildProcess,
  gone: Promise<void>,
  start: EngineStart,
): Promise<EngineAnswer | undefined> {
  const answered = new Promise<EngineAnswer>((resolve) =>
    child.once('message', (answer) => resolve(answer as EngineAnswer)),
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), START_LIMIT_MS)));
  child.send(start, () => undefined); // a child that is gone says so with `gone`
  const answer = await Promise.race([answered, gone.then(() => undefined), late]);
  clearTimeout(timer);
  return answer;
}
