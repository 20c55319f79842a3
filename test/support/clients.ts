/** Real clients of a running development node: viem, ethers and Foundry's cast, the rich account, and L1 requests. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { JsonRpcProvider } from 'ethers';
import type { Hex, PrivateKeyAccount } from 'viem';
import { createPublicClient, createWalletClient, defineChain, hexToBytes, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { type L1Request, openDevelopmentL1Source } from '../../src/producers/developmentL1Source.ts';
import { toHex } from '../../src/common/bytes.ts';
import { rpc, until } from './nodeProcess.ts';

export const CHAIN_ID = 270;
/** Public development key (spec: acceptance 1). */
export const RICH_KEY = '0x7726827caac94a7f9e1b160f7ea819f172f7b6f9d2a97f992c38edeab82d4110';
export const RICH = privateKeyToAccount(RICH_KEY);

export function anAccount(): PrivateKeyAccount {
  return privateKeyToAccount(generatePrivateKey());
}

export type ViemClients = ReturnType<typeof viemClients>;

/** Answers are never repeated or kept: what the node says is what a test sees. */
export function viemClients(url: string, account: PrivateKeyAccount = RICH) {
  const chain = defineChain({
    id: CHAIN_ID,
    name: 'Reprise',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
  const transport = http(url, { retryCount: 0 });
  const reader = createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 });
  const wallet = createWalletClient({ chain, transport, account });
  return { chain, account, reader, wallet };
}

export function ethersProvider(url: string): JsonRpcProvider {
  return new JsonRpcProvider(url, CHAIN_ID, { staticNetwork: true, pollingInterval: 50, cacheTimeout: -1 });
}

const FOUNDRY_PLATFORM: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'darwin', win32: 'win32' };
const FOUNDRY_CPU: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The binary itself: `.bin/cast` is a Node process around it. */
function castPath(): string {
  const name = `cast-${FOUNDRY_PLATFORM[process.platform]}-${FOUNDRY_CPU[process.arch]}`;
  const file = process.platform === 'win32' ? 'cast.exe' : 'cast';
  const path = fileURLToPath(new URL(`../../node_modules/@foundry-rs/${name}/bin/${file}`, import.meta.url));
  if (!existsSync(path))
    throw new Error(`${path} is missing: npm install brings it on the platforms that Foundry serves`);
  return path;
}

export interface CastResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = promisify(execFile);

/** Runs `cast <args> --rpc-url <url>`. */
export async function cast(url: string, args: readonly string[]): Promise<CastResult> {
  const [command = '', ...rest] = args;
  try {
    const { stdout, stderr } = await run(castPath(), [command, '--rpc-url', url, '--no-proxy', ...rest], {
      timeout: 30_000,
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', NO_COLOR: '1' },
    });
    return { code: 0, stdout: stdout.trim(), stderr: stderr.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string }; // execFile adds them
    if (typeof code !== 'number') throw error;
    return { code, stdout: (stdout ?? '').trim(), stderr: (stderr ?? '').trim() };
  }
}

/** Waits for block 1, in which the rich account's deposit is. */
export async function whenFunded(url: string): Promise<void> {
  await until('the rich account is funded', async () => {
    const balance = await rpc<Hex>(url, 'eth_getBalance', [RICH.address, 'latest']);
    return balance === '0x0' ? undefined : balance;
  });
}

/** Asks for priority transactions as a user of the Bridgehub would, from outside of the node. */
export function requestOnL1(dataPath: string, requests: readonly L1Request[]): { id: bigint; hash: Hex }[] {
  const source = openDevelopmentL1Source({ path: join(dataPath, 'developmentL1') });
  try {
    return requests.map((request) => {
      const { id, hash } = source.request(request);
      return { id, hash: toHex(hash) };
    });
  } finally {
    source.close();
  }
}

/** A deposit or call from L1 with what it needs minted. */
export function anL1Request(
  initiator: Hex,
  to: Hex,
  more: { value?: bigint; input?: Hex; gasLimit?: bigint; refundRecipient?: Hex } = {},
): L1Request {
  const { value = 0n, input = '0x', gasLimit = 1_000_000n, refundRecipient = initiator } = more;
  const maxFeePerGas = 250_000_000n;
  return {
    initiator: hexToBytes(initiator),
    to: hexToBytes(to),
    gasLimit,
    maxFeePerGas,
    value,
    toMint: value + maxFeePerGas * gasLimit,
    refundRecipient: hexToBytes(refundRecipient),
    input: hexToBytes(input),
  };
}

export interface RpcFailure {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** The error object that a call is answered with; fails when there is a result. */
export async function rpcFailure(url: string, method: string, params: readonly unknown[]): Promise<RpcFailure> {
  const [answer] = await rpcBatch(url, [{ method, params }]);
  if (answer?.error === undefined) throw new Error(`${method} succeeded with ${JSON.stringify(answer?.result)}`);
  return answer.error;
}

export interface RpcAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: RpcFailure;
}

/** One HTTP request with many calls, ids from 0. */
export async function rpcBatch(
  url: string,
  calls: readonly { readonly method: string; readonly params: readonly unknown[] }[],
): Promise<RpcAnswer[]> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call }))),
  });
  return (await answer.json()) as RpcAnswer[];
}

/** Submits signed transactions in batches; throws what the node refused. */
export async function submitAll(url: string, raws: readonly Hex[]): Promise<Hex[]> {
  const hashes: Hex[] = [];
  for (let at = 0; at < raws.length; at += 100) {
    const calls = raws.slice(at, at + 100).map((raw) => ({ method: 'eth_sendRawTransaction', params: [raw] }));
    for (const { error, result } of await rpcBatch(url, calls)) {
      if (error !== undefined) throw new Error(`a transaction was refused: ${error.message}`);
      hashes.push(result as Hex); // the method's result type
    }
  }
  return hashes;
}
