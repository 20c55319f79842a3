/**
 * A ClickHouse server for tests: `CLICKHOUSE_URL` if set (with CLICKHOUSE_USERNAME, CLICKHOUSE_PASSWORD), else a container if
 * an engine answers, else a process on the loopback interface that answers ClickHouse's HTTP interface with chdb, so that
 * what the client sends over HTTP is tested everywhere. The output says which.
 */
import { createServer, request as httpRequest, type Server } from 'node:http';
import { GenericContainer, Wait, getContainerRuntimeClient } from 'testcontainers';
import type { ClickHouseEndpoint, ClickHouseServer } from '../../src/projections/clickHouse.ts';
import { EmbeddedClickHouse } from '../../src/workers/embeddedClickHouse.ts';
import { removeFolder, temporaryFolder } from './nodeProcess.ts';

export interface TestClickHouse {
  readonly endpoint: ClickHouseEndpoint;
  /** What it is, for people. */
  readonly description: string;
  /** It reaches nothing on the loopback interface of this machine. */
  readonly isContainer: boolean;
  stop(): Promise<void>;
}

const IMAGE = 'clickhouse/clickhouse-server:25.8';
const PORT = 8123;

let started: Promise<TestClickHouse> | undefined;

/** One for the whole run of mocha, started with its first use; tests use databases of their own in it. */
export function sharedClickHouse(): Promise<TestClickHouse> {
  started ??= startClickHouse().then((server) => {
    process.stdout.write(`    (the ClickHouse server of these tests: ${server.description})\n`);
    return server;
  });
  return started;
}

// Registered while spec files are loaded, so it belongs to the root suite: it runs once, after everything.
after('stop the shared ClickHouse', async function () {
  this.timeout(30_000);
  await started?.then(
    (server) => server.stop(),
    () => undefined,
  );
});

async function startClickHouse(): Promise<TestClickHouse> {
  const url = process.env['CLICKHOUSE_URL'];
  if (url !== undefined && url !== '') {
    const username = process.env['CLICKHOUSE_USERNAME'] ?? 'default';
    const password = process.env['CLICKHOUSE_PASSWORD'] ?? '';
    return {
      endpoint: { url, username, password },
      description: `CLICKHOUSE_URL ${url}`,
      isContainer: false,
      stop: async () => undefined,
    };
  }
  return (await hasContainerEngine()) ? startContainer() : startLoopback();
}

async function hasContainerEngine(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

async function startContainer(): Promise<TestClickHouse> {
  const password = 'reprise';
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ CLICKHOUSE_PASSWORD: password })
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/ping', PORT))
    .start();
  const url = `http://${container.getHost()}:${container.getMappedPort(PORT)}`;
  return {
    endpoint: { url, username: 'default', password },
    description: `a container of ${IMAGE}`,
    isContainer: true,
    stop: async () => void (await container.stop({ timeout: 0 })),
  };
}

async function startLoopback(): Promise<TestClickHouse> {
  const path = temporaryFolder('clickhouse');
  const engine = new EmbeddedClickHouse(path);
  const endpoint = await engine.endpoint();
  return {
    endpoint,
    description: `chdb behind HTTP at ${endpoint.url}; set CLICKHOUSE_URL, or start a container engine, for a real one`,
    isContainer: false,
    async stop() {
      await engine.close();
      removeFolder(path);
    },
  };
}

/** When to break the connection: at the n-th insert from now on, before it reaches the server or after it has its effect. */
export interface InsertFault {
  readonly insert: number;
  readonly isApplied: boolean;
}

/** Stands before a server and breaks connections as it is told. */
export class FaultyClickHouse implements ClickHouseServer {
  readonly name = 'a ClickHouse that fails';
  readonly #server: ClickHouseServer;
  #proxy: Promise<{ readonly server: Server; readonly url: string }> | undefined;
  fault: InsertFault | undefined;
  /** Nothing gets through. */
  isAway = false;
  inserts = 0;
  /** Requests refused because of `isAway`. */
  refused = 0;

  constructor(server: ClickHouseServer) {
    this.#server = server;
  }

  async endpoint(): Promise<ClickHouseEndpoint> {
    const endpoint = await this.#server.endpoint();
    this.#proxy ??= this.#start(endpoint.url);
    return { ...endpoint, url: (await this.#proxy).url };
  }

  async close(): Promise<void> {
    const proxy = await this.#proxy;
    proxy?.server.closeAllConnections();
    await new Promise((resolve) => (proxy === undefined ? resolve(undefined) : proxy.server.close(resolve)));
    await this.#server.close();
  }

  #isFaulty(url: string): InsertFault | undefined {
    if (!/[?&]query=INSERT/.test(url)) return undefined;
    this.inserts += 1;
    if (this.fault?.insert !== this.inserts) return undefined;
    return this.fault;
  }

  #start(target: string): Promise<{ readonly server: Server; readonly url: string }> {
    const server = createServer((request, response) => {
      const url = request.url ?? '/';
      const fault = this.#isFaulty(url);
      if (this.isAway) this.refused += 1;
      if (this.isAway || fault?.isApplied === false) {
        request.socket.destroy();
        return;
      }
      const forwarded = httpRequest(
        new URL(url, target),
        { method: request.method ?? 'GET', headers: { ...request.headers, connection: 'close' } },
        (answer) => {
          if (fault !== undefined) {
            answer.resume().once('end', () => request.socket.destroy());
            return;
          }
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      forwarded.once('error', () => request.socket.destroy());
      request.pipe(forwarded);
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address === 'object' && address !== null)
          resolve({ server, url: `http://127.0.0.1:${address.port}` });
      });
    });
  }
}
