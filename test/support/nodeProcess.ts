/** A whole node as its own process, as users run it: environment in, JSON log lines and ports out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface NodePorts {
  readonly rpc: number;
  readonly status: number;
  readonly metrics: number;
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function freeNodePorts(): Promise<NodePorts> {
  const [rpc = 0, status = 0, metrics = 0] = await freePorts(3);
  return { rpc, status, metrics };
}

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `reprise-${name}-`));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

export interface NodeProcessOptions {
  readonly dataPath: string;
  readonly ports: NodePorts;
  /** Option names of docs/config.md. */
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  /** A program with its arguments that starts what follows them. */
  readonly launcher?: readonly string[];
}

/** Waits until `check` gives something, asking again every 20 ms. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class NodeProcess {
  readonly dataPath: string;
  readonly ports: NodePorts;
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | undefined;
  #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }> | undefined;
  #output = '';
  #written = 0;

  constructor(options: NodeProcessOptions) {
    this.#options = options;
    this.dataPath = options.dataPath;
    this.ports = options.ports;
    running.add(this);
  }

  get rpcUrl(): string {
    return `http://127.0.0.1:${this.ports.rpc}`;
  }

  /** The newest output, both streams. */
  get output(): string {
    return this.#output;
  }

  /** So much was written so far, for `outputSince`. */
  get written(): number {
    return this.#written;
  }

  /** What was written after `written` had that value, as far as it is kept. */
  outputSince(written: number): string {
    const length = Math.min(this.#written - written, this.#output.length);
    return this.#output.slice(this.#output.length - length);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the node does not run');
    return pid;
  }

  start(env: Readonly<Record<string, string>> = {}): void {
    const { dataPath, ports, command, launcher = [] } = this.#options;
    const [program = process.execPath, ...args] = [
      ...launcher,
      process.execPath,
      join(root, 'src/main.ts'),
      ...(command ?? ['start']),
    ];
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        development: 'true',
        general_rocks_db_path: dataPath,
        sequencer_block_dump_path: join(dataPath, 'dumps'),
        rpc_address: `127.0.0.1:${ports.rpc}`,
        status_server_address: `127.0.0.1:${ports.status}`,
        general_prometheus_port: String(ports.metrics),
        sequencer_block_replay_server_address: '127.0.0.1:0',
        log_format: 'json',
        analytics_enabled: 'false', // of a few tests only: its engine is 0.3 GB of memory
        ...this.#options.env,
        ...env,
      },
    });
    this.#child = child;
    this.#output = '';
    const file =
      process.env['REPRISE_TEST_LOGS'] === undefined
        ? undefined
        : createWriteStream(join(process.env['REPRISE_TEST_LOGS'], `${child.pid}.log`));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        file?.write(chunk);
        const text = chunk.toString('utf8');
        this.#written += text.length;
        this.#output = (this.#output + text).slice(-400_000);
      });
    }
    this.#exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  async whenReady(timeoutMs = 30_000): Promise<void> {
    let gone: string | undefined;
    void this.#exit?.then(
      ({ code, signal }) => (gone = `the node ended with ${code ?? signal}:\n${this.#output.slice(-4_000)}`),
    );
    await until(
      'the node is ready',
      async () => {
        if (gone !== undefined) return true;
        const answer = await fetch(`http://127.0.0.1:${this.ports.status}/ready`);
        return answer.status === 200 ? true : undefined;
      },
      timeoutMs,
    ).catch((error: unknown) => {
      throw new Error(`the node did not become ready:\n${this.#output.slice(-4_000)}`, { cause: error });
    });
    if (gone !== undefined) throw new Error(gone);
  }

  async status(): Promise<Record<string, unknown>> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.status}/status`);
    return (await answer.json()) as Record<string, unknown>;
  }

  async whenEnded(timeoutMs = 30_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const exit = this.#exit;
    if (exit === undefined) throw new Error('the node was never started');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the node did not end within ${timeoutMs} ms:\n${this.#output.slice(-4_000)}`)),
        timeoutMs,
      );
    });
    return Promise.race([exit, late]).finally(() => clearTimeout(timer));
  }

  /** SIGTERM, then its exit code. */
  async stop(timeoutMs = 30_000): Promise<number | null> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
      return this.#child?.exitCode ?? null;
    this.#child.kill('SIGTERM');
    const { code } = await this.whenEnded(timeoutMs);
    return code;
  }

  async kill(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.whenEnded(10_000);
  }
}

const running = new Set<NodeProcess>();

/** Ends every node that a failed test left behind. */
export async function killAllNodes(): Promise<void> {
  await Promise.all([...running].map((node) => node.kill()));
  running.clear();
}

/** A JSON-RPC call without a client library; throws the error object's message. */
export async function rpc<T>(url: string, method: string, params: readonly unknown[] = []): Promise<T> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const body = (await answer.json()) as { result?: T; error?: { code: number; message: string; data?: unknown } };
  if (body.error !== undefined) throw Object.assign(new Error(body.error.message), body.error);
  return body.result as T;
}

/** Runs a command of the program to its end. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeoutMs = 120_000,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', analytics_enabled: 'false', ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}
