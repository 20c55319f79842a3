/** Genesis of a development chain: `development.json`, made from `contracts/l2` by `npm run contracts`. */
import { readFileSync } from 'node:fs';
import { type Bytes, fromHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Envelope, GenesisEntry } from '../log/entry.ts';
import { type GenesisInput, parseGenesisInput } from '../protocol/genesis.ts';
import { developmentUpgrade } from './developmentUpgrade.ts';
import { genesisEntry } from './genesisEntry.ts';

export interface DevelopmentGenesis {
  /** Of a chain that is not told otherwise. */
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  /** Zero: without L1 no contracts stand behind a development chain. */
  readonly bridgehub: Bytes;
  readonly input: GenesisInput;
  /** What the genesis upgrade deploys through 0x8006. */
  readonly forceDeployments: readonly (readonly [address: Bytes, code: Bytes])[];
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

/** @throws NodeError DEVELOPMENT_GENESIS_INVALID; ProtocolError for a genesis input that does not parse */
export function parseDevelopmentGenesis(json: unknown): DevelopmentGenesis {
  if (typeof json !== 'object' || json === null) throw invalid('it is not an object');
  const { chainId, l1ChainId, bridgehub, forceDeployments } = json as Readonly<Record<string, unknown>>;
  if (typeof chainId !== 'number' || typeof l1ChainId !== 'number') throw invalid('a chain id is not a number');
  if (!isAddress(bridgehub)) throw invalid('bridgehub is not an address');
  if (!Array.isArray(forceDeployments)) throw invalid('forceDeployments is not a list');
  return {
    chainId: BigInt(chainId),
    l1ChainId: BigInt(l1ChainId),
    bridgehub: fromHex(bridgehub),
    input: parseGenesisInput(json),
    forceDeployments: forceDeployments.map((pair: unknown) => {
      const [address, code] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
      if (!isAddress(address) || typeof code !== 'string') throw invalid('a force deployment is not address and code');
      return [fromHex(address), fromHex(code)] as const;
    }),
  };
}

/** The Genesis entry of a new development log that has no L1 (spec: log-protocol 2). */
export function developmentGenesisEntry(
  ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>,
  chainId?: bigint,
): GenesisEntry {
  const genesis = loadDevelopmentGenesis();
  const { l1ChainId, bridgehub, input, forceDeployments } = genesis;
  const chain = chainId ?? genesis.chainId;
  return genesisEntry(ids, {
    chainId: chain,
    l1ChainId,
    bridgehub,
    input,
    upgradeTransaction: developmentUpgrade({ chainId: chain, l1ChainId, bridgehub, forceDeployments }),
    forceDeployPreimages: forceDeployments.map(([, code]) => code),
  });
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^0x[0-9a-f]{40}$/.test(value);
}

function invalid(what: string, cause?: unknown): NodeError {
  const message = `src/genesis/development.json is not valid: ${what}; make it again with npm run contracts`;
  return new NodeError('fatal', message, { code: 'DEVELOPMENT_GENESIS_INVALID' }, { cause });
}
