/**
 * The Genesis of a node that is fed over TCP: what the main node's log has, under an identity of its own, because this log
 * is another one. A node that does not have that method gives its genesis input, and L1 the rest.
 */
import { fromHex } from '../common/bytes.ts';
import type { Config } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { retry } from '../common/retry.ts';
import { shownUrl } from '../common/urls.ts';
import { genesisEntry } from '../genesis/genesisEntry.ts';
import type { Envelope, GenesisEntry } from '../log/entry.ts';
import { decodeEntry } from '../log/entryCodec.ts';
import { checkGenesisRoot, parseGenesisInput } from '../protocol/genesis.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { configuredChainId } from './chainSettings.ts';
import { type MainNodeAnswer, askMainNode } from './mainNode.ts';
import type { ReadL1Genesis } from './newGenesis.ts';

/** Genesis is written in schema 1 for ever (log-protocol 2). */
const GENESIS_SCHEMA = 1;
const METHOD_NOT_FOUND = -32601;
/** About a minute: the main node may be starting too. */
const ATTEMPTS = { attemptsMax: 40, firstPauseMs: 250, pauseMaxMs: 2_000 };

export interface DownloadedGenesisOptions {
  readonly config: Config;
  readonly ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>;
  /** undefined: no L1 is configured. */
  readonly readL1: ReadL1Genesis | undefined;
  readonly signal: AbortSignal;
}

/** Throws NodeError MAIN_NODE_UNREACHABLE, GENESIS_NOT_SERVED, GENESIS_OTHER_CHAIN, L1_MISSING; as parseGenesisInput and the reader of L1. */
export async function downloadedGenesis({
  config,
  ids,
  readL1,
  signal,
}: DownloadedGenesisOptions): Promise<GenesisEntry> {
  const url = config.generalMainNodeRpcUrl;
  if (url === undefined)
    throw new NodeError('fatal', 'general_main_node_rpc_url is missing: the genesis is read from there', {
      code: 'CONFIG_INVALID',
    });
  const ask = (method: string): Promise<MainNodeAnswer> =>
    retry(
      async () => {
        const answer = await askMainNode(url, method, [], signal);
        if (answer.kind === 'error' && answer.error.code !== METHOD_NOT_FOUND)
          throw notServed(url, method, answer.error);
        return answer;
      },
      { ...ATTEMPTS, signal },
    );
  const answer = await ask('reprise_getGenesisEntry');
  if (answer.kind === 'result') return { ...readEntry(url, answer.result, configuredChainId(config)), ...ids };
  if (readL1 === undefined)
    throw new NodeError(
      'fatal',
      `the node at ${shownUrl(url)} does not give its Genesis entry: set general_l1_rpc_url, so that the genesis upgrade can be read from L1`,
      { code: 'L1_MISSING' },
    );
  const served = await ask('zks_getGenesis');
  if (served.kind === 'error') throw notServed(url, 'zks_getGenesis', served.error);
  const input = parseGenesisInput(served.result);
  checkGenesisRoot(input);
  const { l1ChainId, bridgehub, upgradeTransaction, forceDeployPreimages } = await readL1(input.genesisRoot);
  const upgrade = decodeTransaction(upgradeTransaction);
  if (!isL1Transaction(upgrade))
    throw new NodeError('fatal', 'L1 holds no upgrade transaction of type 0x7e', { code: 'GENESIS_UPGRADE_INVALID' });
  const chainId = configuredChainId(config);
  return genesisEntry(ids, { chainId, l1ChainId, bridgehub, input, upgradeTransaction: upgrade, forceDeployPreimages });
}

function readEntry(url: string, result: unknown, chainId: bigint): GenesisEntry {
  let entry: ReturnType<typeof decodeEntry>;
  try {
    entry = typeof result === 'string' ? decodeEntry(GENESIS_SCHEMA, fromHex(result)) : undefined;
  } catch (error) {
    throw notServed(url, 'reprise_getGenesisEntry', { message: errorText(error) });
  }
  if (entry?.kind !== 'Genesis')
    throw notServed(url, 'reprise_getGenesisEntry', { message: 'what it answers is no Genesis entry' });
  if (entry.chainId !== chainId)
    throw new NodeError(
      'fatal',
      `the main node at ${shownUrl(url)} runs chain ${entry.chainId}, this node is configured for chain ${chainId}: check general_main_node_rpc_url and genesis_chain_id`,
      { code: 'GENESIS_OTHER_CHAIN', found: entry.chainId, expected: chainId },
    );
  return entry;
}

function notServed(url: string, method: string, { message }: { readonly message: string }): NodeError {
  return new NodeError(
    'retryable',
    `the main node at ${shownUrl(url)} does not give its genesis (${method}): ${message}`,
    {
      code: 'GENESIS_NOT_SERVED',
    },
  );
}
