/** An anvil for tests, with the means it has to look into and turn back its chain. */
import { type Address, type Hex, createTestClient, http } from 'viem';
import { toHex } from '../../src/common/bytes.ts';
import { loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { type Anvil, startAnvil } from '../../src/l1/anvil.ts';
import type { L1Wallet } from '../../src/l1/deposit.ts';
import {
  type ChainDeployment,
  type DeployedL1,
  deployDevelopmentL1,
  developmentWallet,
} from '../../src/l1/developmentL1.ts';
import { type L1Client, createL1Client } from '../../src/l1/l1Client.ts';

export interface TestL1 {
  readonly anvil: Anvil;
  readonly url: string;
  readonly client: L1Client;
  readonly wallet: L1Wallet;
  readonly test: ReturnType<typeof testClientOf>;
}

function testClientOf(url: string) {
  return createTestClient({ mode: 'anvil', transport: http(url) });
}

export async function startTestL1(args: readonly string[] = []): Promise<TestL1> {
  const anvil = await startAnvil({ port: 0, args });
  const { url } = anvil;
  return {
    anvil,
    url,
    client: createL1Client({ url, signal: new AbortController().signal }),
    wallet: developmentWallet(url),
    test: testClientOf(url),
  };
}

export function deployTestL1(l1: TestL1, chain: Partial<ChainDeployment> = {}): Promise<DeployedL1> {
  const { input } = loadDevelopmentGenesis();
  return deployDevelopmentL1(l1.client, l1.wallet, { chainId: 270n, genesisRoot: input.genesisRoot, ...chain });
}

/** Replaces the last `depth` blocks by empty ones, and by blocks with these signed transactions. */
export async function reorganise(
  l1: TestL1,
  depth: number,
  transactions: readonly (readonly [raw: Hex, blockOffset: number])[] = [],
): Promise<void> {
  await rpcOf(l1.url, 'anvil_reorg', [depth, transactions]);
}

export async function rpcOf(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const body = (await answer.json()) as { readonly result?: unknown; readonly error?: { readonly message: string } };
  if (body.error !== undefined) throw new Error(`${method}: ${body.error.message}`);
  return body.result;
}

/** Code at an address, as if it had been deployed there. */
export function setCode(l1: TestL1, address: Address, code: Uint8Array): Promise<void> {
  return l1.test.setCode({ address, bytecode: toHex(code) });
}
