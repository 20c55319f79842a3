/** Anvil as a child process that cannot outlive this one: it ends with the pipe to it, even after a kill -9. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { NodeError } from '../common/errors.ts';
import { L1ErrorCode } from './errors.ts';

export interface AnvilOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Kept there between runs; none: forgotten at the end. */
  readonly stateFile?: string | undefined;
  /** Further options, for tests. */
  readonly args?: readonly string[];
}

export interface Anvil {
  readonly url: string;
  readonly port: number;
  /** Resolves when the process is gone, with its newest output. */
  readonly gone: Promise<string>;
  stop(): Promise<void>;
}

export const L1_DEVELOPMENT_CHAIN_ID = 31_337;

const HOST = '127.0.0.1';
/** ether of each of anvil's accounts */
const BALANCE_ETHER = 100_000_000;
const READY_LIMIT_MS = 20_000;
const READY_POLL_MS = 20;
const STOP_LIMIT_MS = 10_000;
const OUTPUT_KEPT = 2_000;

/**
 * The shell waits for anvil and, beside it, for the end of its own input, which comes when this process ends in any way.
 * Then anvil gets a SIGTERM and writes its state. The marker file is there until that is done.
 */
const KEEPER = [
  'marker=$1; shift; exec 3<&0',
  '"$@" </dev/null 3<&- & pid=$!',
  '{ cat <&3 >/dev/null; kill -TERM $pid; } 2>/dev/null &',
  'wait $pid',
  'rm -f "$marker"',
].join('\n');

/** @throws NodeError ANVIL_MISSING, ANVIL_FAILED */
export async function startAnvil({ port, stateFile, args = [] }: AnvilOptions): Promise<Anvil> {
  const marker = stateFile === undefined ? '' : `${stateFile}.running`;
  if (marker !== '') await earlierOneEnded(marker);
  const chosen = await usablePort(port);
  const options = [
    ['--host', HOST],
    ['--port', String(chosen)],
    ['--chain-id', String(L1_DEVELOPMENT_CHAIN_ID)],
    ['--balance', String(BALANCE_ETHER)],
    stateFile === undefined ? [] : ['--state', stateFile],
    ['--quiet'],
    args,
  ].flat();
  // Its own process group: Ctrl-C is for the node, which ends anvil when it needs it no more.
  const binary = anvilBinary();
  if (marker !== '') writeFileSync(marker, '');
  const child = spawn('sh', ['-c', KEEPER, 'anvil', marker, binary, ...options], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-OUTPUT_KEPT)));
  child.stdin.on('error', () => undefined); // it is gone: `exit` says so
  let isGone = false;
  const gone = new Promise<string>((resolve) => {
    const end = (text: string): void => {
      isGone = true;
      child.stdin.destroy();
      resolve(text);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', () => end(output.trim()));
  });
  const url = `http://${HOST}:${chosen}`;
  const deadline = Date.now() + READY_LIMIT_MS;
  while (!(await answers(url))) {
    if (isGone || Date.now() > deadline) {
      child.stdin.end();
      throw anvilFailed(isGone ? `it ended: ${(await gone) || 'without a word'}` : `no answer at ${url}`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return { url, port: chosen, gone, stop: () => stop(child, gone) };
}

async function stop(child: ChildProcess, gone: Promise<string>): Promise<void> {
  child.stdin?.end();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(anvilFailed(`it did not end within ${STOP_LIMIT_MS} ms`)), STOP_LIMIT_MS);
  });
  await Promise.race([gone, late]).finally(() => clearTimeout(timer));
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
    });
    return answer.ok;
  } catch {
    return false;
  }
}

function anvilBinary(): string {
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = `@foundry-rs/anvil-${process.platform}-${cpu}`;
  const path = fileURLToPath(new URL(`../../node_modules/${name}/bin/anvil`, import.meta.url));
  if (existsSync(path)) return path;
  throw new NodeError(
    'fatal',
    `anvil for ${process.platform}-${process.arch} is not installed (${name}): run npm ci with development and optional packages, or set general_l1_rpc_url to an L1 of your own`,
    { code: L1ErrorCode.anvilMissing },
  );
}

/** After a kill -9 of the node, its anvil may still be writing the state. A marker that stays is that of a power cut. */
async function earlierOneEnded(marker: string): Promise<void> {
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (existsSync(marker) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
}

/** The port itself, once nobody listens there; a free one for 0. */
function usablePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) =>
      reject(
        anvilFailed(
          `port ${port} cannot be used (${error.message}): stop what runs there, or choose another development_l1_port`,
        ),
      ),
    );
    probe.listen(port, HOST, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

function anvilFailed(what: string): NodeError {
  return new NodeError('fatal', `the development L1 (anvil) does not run: ${what}`, { code: L1ErrorCode.anvilFailed });
}
