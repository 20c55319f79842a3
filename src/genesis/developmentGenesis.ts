/** Genesis of a development chain: `development.json`, made from `contracts/l2` by `npm run contracts`. */
import { readFileSync } from 'node:fs';
import { type Bytes, fromHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Envelope, GenesisEntry } from '../log/entry.ts';
import { NEWEST_SCHEMA } from '../log/entryCodec.ts';
import { type GenesisInput, parseGenesisInput } from '../protocol/genesis.ts';
import { type L1Transaction, UPGRADE_TYPE } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';

export interface DevelopmentGenesis {
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  /** Zero: no L1 contracts stand behind a development chain. */
  readonly bridgehub: Bytes;
  readonly input: GenesisInput;
  /** First transaction of block 1; succeeds and writes nothing. */
  readonly upgradeTransaction: L1Transaction;
}

const FILE = new URL('./development.json', import.meta.url);

/** @throws NodeError DEVELOPMENT_GENESIS_INVALID */
export function loadDevelopmentGenesis(): DevelopmentGenesis {
  try {
    return parseDevelopmentGenesis(JSON.parse(readFileSync(FILE, 'utf8')));
  } catch (error) {
    if (error instanceof NodeError && error.code === 'DEVELOPMENT_GENESIS_INVALID') throw error;
    throw invalid(errorText(error), error);
  }
}

/** @throws NodeError DEVELOPMENT_GENESIS_INVALID; ProtocolError for a genesis input or transaction that does not parse */
export function parseDevelopmentGenesis(json: unknown): DevelopmentGenesis {
  if (typeof json !== 'object' || json === null) throw invalid('it is not an object');
  const { chainId, l1ChainId, bridgehub, upgradeTransaction } = json as Readonly<Record<string, unknown>>;
  if (typeof chainId !== 'number' || typeof l1ChainId !== 'number') throw invalid('a chain id is not a number');
  if (typeof bridgehub !== 'string' || !/^0x[0-9a-f]{40}$/.test(bridgehub))
    throw invalid('bridgehub is not an address');
  if (typeof upgradeTransaction !== 'string') throw invalid('upgradeTransaction is not hex');
  const transaction = decodeTransaction(fromHex(upgradeTransaction));
  if (transaction.type !== UPGRADE_TYPE)
    throw invalid(`upgradeTransaction has type ${transaction.type}, not ${UPGRADE_TYPE}`);
  return {
    chainId: BigInt(chainId),
    l1ChainId: BigInt(l1ChainId),
    bridgehub: fromHex(bridgehub),
    input: parseGenesisInput(json),
    upgradeTransaction: transaction,
  };
}

/** The Genesis entry of a new development log (spec: log-protocol 2). */
export function developmentGenesisEntry(ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>): GenesisEntry {
  const { chainId, l1ChainId, bridgehub, input, upgradeTransaction } = loadDevelopmentGenesis();
  return {
    kind: 'Genesis',
    schema: NEWEST_SCHEMA,
    epoch: 0n,
    claim: new Uint8Array(16),
    ...ids,
    chainId,
    l1ChainId,
    bridgehub,
    genesisInput: {
      initialContracts: input.initialContracts.map(([address, code]) => ({ address, code })),
      additionalStorage: input.additionalStorage.map(([key, value]) => ({ key, value })),
      executionVersion: input.executionVersion,
      genesisRoot: input.genesisRoot,
    },
    genesisRoot: input.genesisRoot,
    upgradeTransaction: upgradeTransaction.raw,
    forceDeployPreimages: [],
  };
}

function invalid(what: string, cause?: unknown): NodeError {
  const message = `src/genesis/development.json is not valid: ${what}; make it again with npm run contracts`;
  return new NodeError('fatal', message, { code: 'DEVELOPMENT_GENESIS_INVALID' }, { cause });
}
