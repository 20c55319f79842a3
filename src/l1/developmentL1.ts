/**
 * The L1 of a development chain: the contracts of `contracts/l1` on anvil, one chain created from a genesis, the rich
 * account of tests and tools funded by a deposit (spec: contracts 8, acceptance 1).
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type Abi,
  type Address,
  type Hex,
  createWalletClient,
  defineChain,
  encodeAbiParameters,
  http,
  keccak256,
  parseEther,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { type Bytes, fromHex, toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { loadDevelopmentGenesis } from '../genesis/developmentGenesis.ts';
import { DEVELOPMENT_PROTOCOL_VERSION, developmentUpgradeCall } from '../genesis/developmentUpgrade.ts';
import { GENESIS_UPGRADE_ADDRESS } from '../protocol/systemAddresses.ts';
import { type Anvil, L1_DEVELOPMENT_CHAIN_ID, startAnvil } from './anvil.ts';
import { DEFAULT_DEPOSIT_FEES, type DepositFees } from './depositPrice.ts';
import { deposit, type L1Wallet } from './deposit.ts';
import { L1ErrorCode } from './errors.ts';
import { type L1Client, createL1Client } from './l1Client.ts';

/** Public development key (spec: acceptance 1). */
export const RICH_L2_ACCOUNT: Address = '0x36615Cf349d7F6344891B1e7CA7C72883F5dc049';
const RICH_ACCOUNT_WEI = parseEther('1000000');

/** Everybody's development accounts; the first one deploys and deposits. */
const MNEMONIC = 'test test test test test test test test test test test junk';
const OPERATOR_INDEXES = { commit: 1, prove: 2, execute: 3 } as const;

const DEPLOYMENT_FILE = 'deployment.json';
const STATE_FILE = 'anvil.json';
const LOCK_FILE = 'lock';

type ContractName =
  'Bridgehub' | 'ChainTypeManager' | 'L1AssetRouter' | 'MessageRoot' | 'ValidatorTimelock' | 'ZKChain';

interface Artifact {
  readonly abi: Abi;
  readonly initCode: Hex;
}

export interface ChainDeployment {
  readonly chainId: bigint;
  /** State commitment of block 0. */
  readonly genesisRoot: Bytes;
  /** What block 1 begins with; none: that of the development genesis. */
  readonly upgrade?: { readonly delegate: Bytes; readonly call: Bytes; readonly forceDeployments: readonly Bytes[] };
  readonly fees?: DepositFees;
}

export interface DeployedL1 {
  readonly bridgehub: Address;
  readonly diamond: Address;
  readonly chainTypeManager: Address;
  readonly validatorTimelock: Address;
}

export interface DevelopmentL1 extends DeployedL1 {
  readonly url: string;
  readonly anvil: Anvil;
}

let artifacts: Readonly<Record<ContractName, Artifact>> | undefined;

/** What `npm run contracts` made of `contracts/l1`. */
export function developmentContract(name: ContractName): Artifact {
  artifacts ??= JSON.parse(readFileSync(new URL('./developmentContracts.json', import.meta.url), 'utf8')) as Readonly<
    Record<ContractName, Artifact>
  >; // the build of contracts/ writes this shape, and a test compares
  return artifacts[name];
}

/** A wallet of one of anvil's accounts. */
export function developmentWallet(url: string, index = 0): L1Wallet {
  return createWalletClient({
    account: mnemonicToAccount(MNEMONIC, { addressIndex: index }),
    chain: developmentL1Chain(url),
    transport: http(url),
    cacheTime: 0,
  });
}

function developmentL1Chain(url: string) {
  return defineChain({
    id: L1_DEVELOPMENT_CHAIN_ID,
    name: 'development L1',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
}

/**
 * Starts anvil on what lies in the folder; a new one gets the contracts, the chain, and the deposit of the rich account.
 * @throws NodeError ANVIL_MISSING, ANVIL_FAILED, L1_WAS_RESET
 */
export async function startDevelopmentL1(options: {
  readonly path: string;
  readonly port: number;
  readonly chainId: bigint;
  readonly signal: AbortSignal;
}): Promise<DevelopmentL1> {
  const { path, port, chainId, signal } = options;
  mkdirSync(path, { recursive: true });
  const lock = lockFolder(path);
  const file = join(path, DEPLOYMENT_FILE);
  const started = await startAnvil({ port, stateFile: join(path, STATE_FILE) }).catch((error: unknown) => {
    lock.close();
    throw error;
  });
  const anvil: Anvil = {
    ...started,
    async stop() {
      await started.stop();
      if (lock.isOpen) lock.close();
    },
  };
  try {
    const client = createL1Client({ url: anvil.url, signal });
    const known = readDeployment(file, chainId);
    if (known !== undefined) {
      if ((await client.getCode({ address: known.bridgehub })) === undefined) throw wasReset(path, known.bridgehub);
      writeDeployment(file, { url: anvil.url, chainId, deployed: known });
      return { ...known, url: anvil.url, anvil };
    }
    const wallet = developmentWallet(anvil.url);
    const deployed = await beginDevelopmentChain(client, wallet, chainId);
    writeDeployment(file, { url: anvil.url, chainId, deployed });
    return { ...deployed, url: anvil.url, anvil };
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

/** The contracts, one chain of the development genesis, and the deposit of the rich account. */
export async function beginDevelopmentChain(client: L1Client, wallet: L1Wallet, chainId: bigint): Promise<DeployedL1> {
  const { input } = loadDevelopmentGenesis();
  const deployed = await deployDevelopmentL1(client, wallet, { chainId, genesisRoot: input.genesisRoot });
  await deposit(client, wallet, {
    bridgehub: deployed.bridgehub,
    chainId,
    to: RICH_L2_ACCOUNT,
    value: RICH_ACCOUNT_WEI,
    refundRecipient: RICH_L2_ACCOUNT,
  });
  return deployed;
}

/** Bridgehub, its parts, and one chain (order: contracts 8). Every step is a transaction of the wallet. */
export async function deployDevelopmentL1(
  client: L1Client,
  wallet: L1Wallet,
  chain: ChainDeployment,
): Promise<DeployedL1> {
  const admin = wallet.account.address;
  const ethAssetId = developmentAssetId();
  const bridgehub = await deployContract(client, wallet, 'Bridgehub', []);
  const assetRouter = await deployContract(client, wallet, 'L1AssetRouter', [bridgehub, ethAssetId]);
  const messageRoot = await deployContract(client, wallet, 'MessageRoot', [bridgehub]);
  const validatorTimelock = await deployContract(client, wallet, 'ValidatorTimelock', [bridgehub, 0]);
  const chainTypeManager = await deployContract(client, wallet, 'ChainTypeManager', [
    bridgehub,
    validatorTimelock,
    DEVELOPMENT_PROTOCOL_VERSION,
  ]);
  await send(client, wallet, 'Bridgehub', bridgehub, 'setAddresses', [assetRouter, messageRoot]);
  await send(client, wallet, 'Bridgehub', bridgehub, 'addChainTypeManager', [chainTypeManager]);
  await send(client, wallet, 'ChainTypeManager', chainTypeManager, 'createNewChain', [
    developmentContract('ZKChain').initCode,
    ethAssetId,
    chainParameters(chain, { admin, validatorTimelock, bridgehub }),
  ]);
  const diamond = await client.readContract({
    address: bridgehub,
    abi: developmentContract('Bridgehub').abi,
    functionName: 'getZKChain',
    args: [chain.chainId],
  });
  await grantRoles(client, wallet, validatorTimelock, diamond as Address);
  return { bridgehub, diamond: diamond as Address, chainTypeManager, validatorTimelock };
}

export function chainParameters(
  { chainId, genesisRoot, upgrade, fees = DEFAULT_DEPOSIT_FEES }: ChainDeployment,
  addresses: { readonly admin: Address; readonly validatorTimelock: Address; readonly bridgehub: Address },
) {
  const { delegate, call, forceDeployments } = upgrade ?? developmentUpgradeOf(chainId, addresses.bridgehub);
  return {
    chainId,
    admin: addresses.admin,
    validatorTimelock: addresses.validatorTimelock,
    protocolVersion: DEVELOPMENT_PROTOCOL_VERSION,
    feeParams: feeParameters(fees),
    priorityTxMaxGasLimit: fees.priorityTxMaxGasLimit,
    genesisStateCommitment: toHex(genesisRoot),
    upgradeDelegate: toHex(delegate),
    upgradeCall: toHex(call),
    factoryDeps: forceDeployments.map((code) => toHex(code)),
  };
}

export function feeParameters(fees: DepositFees) {
  return {
    pubdataPricingMode: fees.pubdataMode === 'rollup' ? 0 : 1,
    batchOverheadL1Gas: Number(fees.batchOverheadL1Gas),
    maxPubdataPerBatch: Number(fees.maxPubdataPerBatch),
    maxL2GasPerBatch: Number(fees.maxL2GasPerBatch),
    priorityTxMaxPubdata: Number(fees.priorityTxMaxPubdata),
    minimalL2GasPrice: fees.minimalL2GasPrice,
  };
}

function developmentUpgradeOf(chainId: bigint, bridgehub: Address) {
  const { forceDeployments } = loadDevelopmentGenesis();
  const facts = {
    chainId,
    l1ChainId: BigInt(L1_DEVELOPMENT_CHAIN_ID),
    bridgehub: fromHex(bridgehub),
    forceDeployments,
  };
  return {
    delegate: GENESIS_UPGRADE_ADDRESS,
    call: developmentUpgradeCall(facts),
    forceDeployments: forceDeployments.map(([, code]) => code),
  };
}

/** K(abi.encode(L1 chain id, native token vault, ether)) */
function developmentAssetId(): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: 'uint256' }, { type: 'address' }, { type: 'address' }],
      [
        BigInt(L1_DEVELOPMENT_CHAIN_ID),
        '0x0000000000000000000000000000000000010004',
        '0x0000000000000000000000000000000000000001',
      ],
    ),
  );
}

export async function deployContract(
  client: L1Client,
  wallet: L1Wallet,
  name: ContractName,
  args: readonly unknown[],
): Promise<Address> {
  const { abi, initCode } = developmentContract(name);
  const hash = await wallet.deployContract({ abi, bytecode: initCode, args });
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
  const { status, contractAddress } = receipt;
  if (status !== 'success' || contractAddress === null || contractAddress === undefined) throw deployFailed(name);
  return contractAddress;
}

async function send(
  client: L1Client,
  wallet: L1Wallet,
  name: ContractName,
  address: Address,
  functionName: string,
  args: readonly unknown[],
): Promise<void> {
  const hash = await wallet.writeContract({ address, abi: developmentContract(name).abi, functionName, args });
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
  if (receipt.status !== 'success') throw deployFailed(`${name}.${functionName}`);
}

async function grantRoles(client: L1Client, wallet: L1Wallet, timelock: Address, diamond: Address): Promise<void> {
  const roles = [
    ['COMMITTER_ROLE', OPERATOR_INDEXES.commit],
    ['PROVER_ROLE', OPERATOR_INDEXES.prove],
    ['EXECUTOR_ROLE', OPERATOR_INDEXES.execute],
  ] as const;
  for (const [role, addressIndex] of roles) {
    const { address } = mnemonicToAccount(MNEMONIC, { addressIndex });
    const roleId = keccak256(new TextEncoder().encode(role));
    await send(client, wallet, 'ValidatorTimelock', timelock, 'grantRole', [diamond, roleId, address]);
  }
}

function deployFailed(what: string): NodeError {
  return new NodeError('fatal', `the development L1 could not be set up: ${what} reverted`, {
    code: L1ErrorCode.anvilFailed,
  });
}

function wasReset(path: string, bridgehub: Address): NodeError {
  return new NodeError(
    'fatal',
    `the development L1 in ${path} has no Bridgehub at ${bridgehub}: its state was lost or reset, while the chain was not. Delete both with npm run reset`,
    { code: L1ErrorCode.wasReset, bridgehub },
  );
}

interface DeploymentFile {
  /** Where it answers, while it runs. */
  readonly url: string;
  readonly chains: Readonly<Record<string, DeployedL1>>;
}

/** Where the development L1 of that folder answers, while it runs; undefined: there is none. */
export function developmentL1Url(path: string): string | undefined {
  return readDeploymentFile(join(path, DEPLOYMENT_FILE))?.url;
}

function readDeploymentFile(file: string): DeploymentFile | undefined {
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as DeploymentFile; // written below, whole or not at all
}

function readDeployment(file: string, chainId: bigint): DeployedL1 | undefined {
  const chains = readDeploymentFile(file)?.chains;
  const found = chains?.[chainId.toString()];
  if (chains === undefined || found !== undefined) return found;
  throw new NodeError(
    'fatal',
    `the development L1 has chain ${Object.keys(chains).join(', ')}, not ${chainId}: set genesis_chain_id back, or begin anew with npm run reset`,
    { code: L1ErrorCode.chainNotRegistered, chainId },
  );
}

/** Whole or not at all. */
function writeDeployment(
  file: string,
  { url, chainId, deployed }: { readonly url: string; readonly chainId: bigint; readonly deployed: DeployedL1 },
): void {
  const content: DeploymentFile = { url, chains: { [chainId.toString()]: deployed } };
  writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Two anvils would write the same state. The lock goes with the process. */
function lockFolder(path: string): DatabaseSync {
  const database = new DatabaseSync(join(path, LOCK_FILE));
  try {
    database.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    throw new NodeError(
      'fatal',
      `the development L1 in ${path} is in use: another npm start runs on this data folder, stop it first`,
      { code: L1ErrorCode.anvilFailed },
      { cause: error },
    );
  }
}
