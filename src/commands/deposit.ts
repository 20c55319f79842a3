/** `reprise deposit --to A --amount E`: base token from L1 to an account on L2, through the Bridgehub. */
import {
  type Account,
  type Address,
  type Chain,
  type Hex,
  createWalletClient,
  defineChain,
  getAddress,
  http,
  isAddress,
  isHex,
  parseEther,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { NodeError, errorText } from '../common/errors.ts';
import { urlOfListener } from '../common/urls.ts';
import { deposit } from '../l1/deposit.ts';
import { L1_DEVELOPMENT_CHAIN_ID } from '../l1/anvil.ts';
import { developmentWallet } from '../l1/developmentL1.ts';
import { type L1Client, createL1Client } from '../l1/l1Client.ts';
import { configuredChainId } from '../workers/chainSettings.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, print } from './offline.ts';

export interface DepositArguments {
  readonly to: string;
  /** ether */
  readonly amount: string;
  readonly gasLimit: string | undefined;
}

/** Key of the L1 account that pays; on a development L1 anvil's first account does without. */
const KEY_VARIABLE = 'deposit_private_key';
const RECEIPT_LIMIT_MS = 30_000;
const RECEIPT_POLL_MS = 100;

export async function depositCommand(
  options: GlobalOptions & { readonly json: boolean },
  { to, amount, gasLimit }: DepositArguments,
): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  if (!isAddress(to, { strict: false })) throw invalid(`--to ${to} is not an address`);
  const value = etherAmount(amount);
  if (gasLimit !== undefined && !/^\d{1,15}$/.test(gasLimit)) throw invalid(`--gas-limit ${gasLimit} is not a number`);
  const chainId = configuredChainId(config);
  const rpcUrl = urlOfListener(config.rpcAddress);
  const bridgehub = await nodeBridgehub(rpcUrl);
  const url = config.generalL1RpcUrl ?? `http://127.0.0.1:${config.developmentL1Port}`;
  const client = createL1Client({ url, signal });
  const wallet = await payingWallet(client, url);
  const receipt = await deposit(client, wallet, {
    bridgehub,
    chainId,
    to: getAddress(to),
    value,
    ...(gasLimit !== undefined && { gasLimit: BigInt(gasLimit) }),
  });
  const l2 = await l2Receipt(rpcUrl, receipt.l2Hash, signal);
  const status = l2 === undefined ? 'not seen in a block yet' : l2.status === '0x1' ? 'succeeded' : 'failed';
  print(
    options.json,
    { ...receipt, to, value, l2Block: l2 === undefined ? undefined : Number(l2.blockNumber), status },
    [
      `deposit ${receipt.priorityId} of ${amount} ether to ${to}`,
      `  L1  ${receipt.l1Hash} in block ${receipt.l1BlockNumber}, ${receipt.mintValue} wei in all`,
      `  L2  ${receipt.l2Hash} ${l2 === undefined ? status : `${status} in block ${Number(l2.blockNumber)}`}`,
    ].join('\n'),
  );
  return l2?.status === '0x0' ? 1 : 0;
}

async function payingWallet(client: L1Client, url: string) {
  const l1ChainId = await client.getChainId();
  const key = process.env[KEY_VARIABLE];
  if (key === undefined) {
    if (l1ChainId === L1_DEVELOPMENT_CHAIN_ID) return developmentWallet(url);
    throw invalid(`no account to pay with: set the environment variable ${KEY_VARIABLE} to a key with ether on L1`);
  }
  if (!isHex(key) || key.length !== 66) throw invalid(`${KEY_VARIABLE} is not a private key of 32 bytes in hex`);
  const chain: Chain = defineChain({
    id: l1ChainId,
    name: 'L1',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
  const account: Account = privateKeyToAccount(key);
  return createWalletClient({ account, chain, transport: http(url) });
}

/** The running node knows which Bridgehub its log was begun with. */
async function nodeBridgehub(rpcUrl: string): Promise<Address> {
  const answer = await call(rpcUrl, 'zks_getBridgehubContract', []);
  if (typeof answer !== 'string' || !isAddress(answer, { strict: false }) || BigInt(answer) === 0n)
    throw invalid(`the node at ${rpcUrl} has no L1: nothing can be deposited`);
  return getAddress(answer);
}

/** A node that does not answer is asked again: the deposit is made, and must not look as if it were to be made again. */
async function l2Receipt(rpcUrl: string, hash: Hex, signal: AbortSignal) {
  const deadline = Date.now() + RECEIPT_LIMIT_MS;
  while (!signal.aborted && Date.now() < deadline) {
    const receipt = await call(rpcUrl, 'eth_getTransactionReceipt', [hash]).catch(() => null);
    if (receipt !== null) return receipt as { readonly status: Hex; readonly blockNumber: Hex }; // of our own node
    await new Promise((resolve) => setTimeout(resolve, RECEIPT_POLL_MS));
  }
  return undefined;
}

async function call(rpcUrl: string, method: string, params: readonly unknown[]): Promise<unknown> {
  try {
    const answer = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    const { result, error } = (await answer.json()) as {
      readonly result?: unknown;
      readonly error?: { readonly message: string };
    };
    if (error !== undefined) throw new Error(error.message);
    return result;
  } catch (error) {
    throw new NodeError(
      'retryable',
      `the node at ${rpcUrl} did not answer ${method}: ${errorText(error)}; start it, or name it with --rpc-address`,
      { code: 'NODE_UNREACHABLE' },
      { cause: error },
    );
  }
}

function etherAmount(text: string): bigint {
  if (!/^\d+(\.\d{1,18})?$/.test(text)) throw invalid(`--amount ${text} is not an amount of ether`);
  return parseEther(text);
}

function invalid(what: string): NodeError {
  return new NodeError('fatal', what, { code: 'ARGUMENT_INVALID' });
}
