/** A main node on an L1 of its own, and what tests do to both. */
import { type Address, type Hex, createWalletClient, encodeFunctionData, http, parseEther } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { type Deposit, type DepositReceipt, deposit, depositTransaction } from '../../src/l1/deposit.ts';
import type { ChainDeployment, DeployedL1 } from '../../src/l1/developmentL1.ts';
import { RICH } from '../support/clients.ts';
import { NodeProcess, freeNodePorts, rpc, temporaryFolder, until } from '../support/nodeProcess.ts';
import { type TestL1, deployTestL1, startTestL1 } from './anvilSetup.ts';

export const CHAIN_ID = 270n;

export interface L1Node {
  readonly l1: TestL1;
  readonly deployed: DeployedL1;
  readonly node: NodeProcess;
}

/** Environment of a main node on that L1. */
export function l1Environment(l1: TestL1, { bridgehub }: DeployedL1): Record<string, string> {
  return { general_l1_rpc_url: l1.url, genesis_bridgehub_address: bridgehub, l1_watcher_poll_interval: '20ms' };
}

export async function startL1Node(
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly anvilArgs?: readonly string[];
    readonly chain?: Partial<ChainDeployment>;
  } = {},
): Promise<L1Node> {
  const l1 = await startTestL1(options.anvilArgs);
  const deployed = await deployTestL1(l1, options.chain);
  const node = new NodeProcess({
    dataPath: temporaryFolder('l1'),
    ports: await freeNodePorts(),
    env: { ...l1Environment(l1, deployed), ...options.env },
  });
  node.start();
  await node.whenReady();
  return { l1, deployed, node };
}

export function depositTo(
  { l1, deployed }: Pick<L1Node, 'l1' | 'deployed'>,
  to: Address,
  value: bigint,
  more: Partial<Deposit> = {},
): Promise<DepositReceipt> {
  return deposit(l1.client, l1.wallet, { bridgehub: deployed.bridgehub, chainId: CHAIN_ID, to, value, ...more });
}

/** A signed deposit of an account of its own, so that it can be sent to any branch of L1, or to another L1. */
export async function signedDeposit(
  { l1, deployed }: Pick<L1Node, 'l1' | 'deployed'>,
  to: Address,
  value: bigint,
  more: Partial<Deposit> = {},
): Promise<{ readonly raw: Hex; readonly from: Address }> {
  const account = privateKeyToAccount(generatePrivateKey());
  await l1.test.setBalance({ address: account.address, value: parseEther('1000') });
  const { transaction } = await depositTransaction(l1.client, {
    bridgehub: deployed.bridgehub,
    chainId: CHAIN_ID,
    to,
    value,
    ...more,
  });
  const wallet = createWalletClient({ account, chain: l1.wallet.chain, transport: http(l1.url) });
  const raw = await wallet.signTransaction({
    to: transaction.address,
    data: encodeFunctionData(transaction),
    value: transaction.value,
    gas: 1_000_000n,
    gasPrice: transaction.maxFeePerGas,
    nonce: 0,
    type: 'legacy',
  });
  return { raw, from: account.address };
}

export interface L2Receipt {
  readonly status: Hex;
  readonly type: Hex;
  readonly gasUsed: Hex;
  readonly effectiveGasPrice: Hex;
  readonly blockNumber: Hex;
  readonly transactionIndex: Hex;
  readonly contractAddress: Hex | null;
  readonly logs: readonly unknown[];
  readonly l2ToL1Logs: readonly {
    readonly sender: Address;
    readonly key: Hex;
    readonly value: Hex;
    readonly is_service: boolean;
  }[];
}

export function receiptOf(url: string, hash: Hex): Promise<L2Receipt> {
  return until(
    `the receipt of ${hash}`,
    async () => (await rpc<L2Receipt | null>(url, 'eth_getTransactionReceipt', [hash])) ?? undefined,
  );
}

export async function balanceOf(url: string, address: Address): Promise<bigint> {
  return BigInt(await rpc<Hex>(url, 'eth_getBalance', [address, 'latest']));
}

export interface L1TransactionJson {
  readonly hash: Hex;
  readonly type: Hex;
  readonly nonce: Hex;
  readonly [name: string]: unknown;
}

/** Every priority transaction of the chain, in order. */
export async function priorityTransactions(url: string): Promise<L1TransactionJson[]> {
  const height = Number(await rpc<Hex>(url, 'eth_blockNumber'));
  const found: L1TransactionJson[] = [];
  for (let number = 1; number <= height; number++) {
    const { transactions } = await rpc<{ transactions: L1TransactionJson[] }>(url, 'eth_getBlockByNumber', [
      `0x${number.toString(16)}`,
      true,
    ]);
    found.push(...transactions.filter(({ type }) => type === '0x7f'));
  }
  return found;
}

/** The account that pays for L2 transactions of tests gets what it needs from L1. */
export async function fundRich(l1Node: L1Node): Promise<void> {
  const { l2Hash } = await depositTo(l1Node, RICH.address, parseEther('1000'));
  await receiptOf(l1Node.node.rpcUrl, l2Hash);
}
