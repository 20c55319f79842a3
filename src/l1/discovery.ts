/** What L1 says of the chain at start (spec: settlement 1). */
import { type Address, BaseError, ContractFunctionZeroDataError, getAddress } from 'viem';
import { type Bytes, equalBytes, fromHex, toHex } from '../common/bytes.ts';
import { type Clock, systemClock } from '../common/clock.ts';
import { NodeError } from '../common/errors.ts';
import { sleep } from '../common/retry.ts';
import { genesisStoredBatch, storedBatchHash } from '../protocol/storedBatch.ts';
import { L1ErrorCode } from './errors.ts';
import { BRIDGEHUB_ABI, CHAIN_TYPE_MANAGER_ABI, DIAMOND_ABI } from './l1Abi.ts';
import { type L1Client, toL1Error } from './l1Client.ts';

export interface L1Chain {
  readonly l1ChainId: bigint;
  readonly bridgehub: Address;
  readonly diamond: Address;
  readonly chainTypeManager: Address;
  /** Destination of all operator transactions. */
  readonly validatorTimelock: Address;
  readonly pubdataMode: 'rollup' | 'validium';
  readonly batches: BatchCounters;
  /** K(StoredBatchInfo) of batch 0. */
  readonly genesisBatchHash: Bytes;
}

export interface BatchCounters {
  readonly committed: bigint;
  readonly proved: bigint;
  readonly executed: bigint;
}

const COUNTERS = [
  ['committed', 'getTotalBatchesCommitted'],
  ['proved', 'getTotalBatchesVerified'],
  ['executed', 'getTotalBatchesExecuted'],
] as const;

const FINAL_RETRIES = 10;
const FINAL_PAUSE_MS = 1_000;
const PUBDATA_MODES = ['rollup', 'validium'] as const;
const ZERO: Address = '0x0000000000000000000000000000000000000000';

/** @throws NodeError L1_BRIDGEHUB_WRONG, L1_CHAIN_NOT_REGISTERED, L1_STATE_INVALID; L1_UNREACHABLE may pass */
export async function discoverChain(
  client: L1Client,
  { bridgehub, chainId }: { readonly bridgehub: Bytes; readonly chainId: bigint },
): Promise<L1Chain> {
  const hub = getAddress(toHex(bridgehub));
  try {
    const l1ChainId = BigInt(await client.getChainId());
    const chainIds = await registeredChains(client, hub);
    if (!chainIds.includes(chainId)) throw notRegistered(chainId, hub, chainIds);
    const [diamond, chainTypeManager] = await Promise.all([
      client.readContract({ address: hub, abi: BRIDGEHUB_ABI, functionName: 'getZKChain', args: [chainId] }),
      client.readContract({ address: hub, abi: BRIDGEHUB_ABI, functionName: 'chainTypeManager', args: [chainId] }),
    ]);
    if (diamond === ZERO) throw notRegistered(chainId, hub, chainIds);
    const read = { address: diamond, abi: DIAMOND_ABI } as const;
    const [validatorTimelock, mode, batches, genesisBatchHash, firstLeafId] = await Promise.all([
      client.readContract({
        address: chainTypeManager,
        abi: CHAIN_TYPE_MANAGER_ABI,
        functionName: 'validatorTimelockPostV29',
      }),
      client.readContract({ ...read, functionName: 'getPubdataPricingMode' }),
      readCounters(client, diamond),
      client.readContract({ ...read, functionName: 'storedBatchHash', args: [0n] }),
      client.readContract({ ...read, functionName: 'getPriorityTreeStartIndex' }),
    ]);
    const pubdataMode = PUBDATA_MODES[mode];
    if (pubdataMode === undefined)
      throw invalidState(`its pubdata pricing mode is ${mode}, neither rollup nor validium`);
    if (firstLeafId !== 0n)
      throw invalidState(
        `its priority tree begins with id ${firstLeafId}, not 0: it was moved to the tree from an older queue`,
      );
    checkCounters(batches);
    return {
      l1ChainId,
      bridgehub: hub,
      diamond,
      chainTypeManager,
      validatorTimelock,
      pubdataMode,
      batches,
      genesisBatchHash: fromHex(genesisBatchHash),
    };
  } catch (error) {
    throw toL1Error('Failed to read L1 state', error);
  }
}

async function registeredChains(client: L1Client, bridgehub: Address): Promise<readonly bigint[]> {
  try {
    return await client.readContract({ address: bridgehub, abi: BRIDGEHUB_ABI, functionName: 'getAllZKChainChainIDs' });
  } catch (error) {
    if (!(error instanceof BaseError) || error.walk((cause) => cause instanceof ContractFunctionZeroDataError) === null)
      throw error;
    throw new NodeError(
      'fatal',
      `getAllZKChainChainIDs of ${bridgehub} on L1 returned no data: this is not a Bridgehub; check genesis_bridgehub_address and general_l1_rpc_url. An L1 that was reset needs its contracts deployed again and a new chain: with npm start, npm run reset`,
      { code: L1ErrorCode.bridgehubWrong, bridgehub },
      { cause: error },
    );
  }
}

export async function readCounters(
  client: L1Client,
  diamond: Address,
  blockTag: 'latest' | 'pending' = 'latest',
): Promise<BatchCounters> {
  const [committed, proved, executed] = await Promise.all(
    COUNTERS.map(([, functionName]) =>
      client.readContract({ address: diamond, abi: DIAMOND_ABI, functionName, blockTag }),
    ),
  );
  return { committed: committed ?? 0n, proved: proved ?? 0n, executed: executed ?? 0n };
}

function checkCounters({ committed, proved, executed }: BatchCounters): void {
  if (committed < proved)
    throw invalidState(`Last committed batch (${committed}) is less than last proved batch (${proved})`);
  if (proved < executed)
    throw invalidState(`Last proved batch (${proved}) is less than last executed batch (${executed})`);
}

/**
 * Waits until no transaction of an earlier run is on its way: every counter the same in `pending` and `latest`.
 * @throws NodeError L1_NOT_FINAL
 */
export async function waitToFinalize(
  client: L1Client,
  diamond: Address,
  { signal, clock = systemClock }: { readonly signal: AbortSignal; readonly clock?: Clock },
): Promise<void> {
  await Promise.all(
    COUNTERS.map(async ([name, functionName]) => {
      const read = (blockTag: 'latest' | 'pending') =>
        client.readContract({ address: diamond, abi: DIAMOND_ABI, functionName, blockTag }).catch((error: unknown) => {
          throw toL1Error(`L1 did not answer for the number of ${name} batches`, error);
        });
      const pending = await read('pending');
      for (let retries = 0, latest = await read('latest'); latest !== pending; latest = await read('latest')) {
        if (retries === FINAL_RETRIES)
          throw notFinal(name, `pending state did not finalize in time; last value: ${latest}`);
        retries += 1;
        await sleep(FINAL_PAUSE_MS, signal, clock);
      }
      if ((await read('pending')) !== pending)
        throw notFinal(
          name,
          'pending state changed while waiting for it to finalize; another main node could already be running',
        );
    }),
  );
}

/** L1 must have been given the genesis that this node builds. @throws NodeError L1_GENESIS_MISMATCH */
export function checkGenesisBatch(chain: L1Chain, genesisRoot: Bytes): void {
  const expected = storedBatchHash(genesisStoredBatch(genesisRoot));
  if (equalBytes(expected, chain.genesisBatchHash)) return;
  throw new NodeError(
    'fatal',
    `Genesis state commitment mismatch: batch 0 on L1 has hash ${toHex(chain.genesisBatchHash)}, but the genesis root ${toHex(genesisRoot)} gives ${toHex(expected)}; use the genesis input that the chain was created with (genesis_genesis_input_path)`,
    { code: L1ErrorCode.genesisMismatch, expected: toHex(expected), found: toHex(chain.genesisBatchHash) },
  );
}

function notRegistered(chainId: bigint, bridgehub: Address, chainIds: readonly bigint[]): NodeError {
  return new NodeError(
    'fatal',
    `chain ID ${chainId} is not registered on L1: the Bridgehub ${bridgehub} knows ${chainIds.join(', ') || 'none'}; check genesis_chain_id and genesis_bridgehub_address`,
    { code: L1ErrorCode.chainNotRegistered, chainId, bridgehub },
  );
}

function invalidState(what: string): NodeError {
  return new NodeError('fatal', `the chain contract on L1 cannot be used: ${what}`, { code: L1ErrorCode.stateInvalid });
}

function notFinal(counter: string, what: string): NodeError {
  return new NodeError('retryable', `${counter} batches on L1: ${what}`, { code: L1ErrorCode.notFinal, counter });
}
