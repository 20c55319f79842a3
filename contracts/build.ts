/**
 * Writes what the Solidity in `contracts/` compiles to (`npm run contracts`): the genesis of a development chain from
 * `contracts/l2`, and the contracts of the development L1 from `contracts/l1`. Both files are checked in; tests compare
 * them with what this makes.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Bytes, ZERO_32, ZERO_ADDRESS, toHex } from '../src/common/bytes.ts';
import { assert } from '../src/common/errors.ts';
import { CHAIN_INFO_ADDRESS } from '../src/genesis/developmentUpgrade.ts';
import { genesisStateCommitment } from '../src/protocol/genesis.ts';
import {
  COMPLEX_UPGRADER_ADDRESS,
  GENESIS_UPGRADE_ADDRESS,
  WRAPPED_BASE_TOKEN_ADDRESS,
} from '../src/protocol/systemAddresses.ts';
import { type CompiledContract, compileFolder } from './compile.ts';

const GENESIS_OUTPUT = fileURLToPath(new URL('../src/genesis/development.json', import.meta.url));
const L1_OUTPUT = fileURLToPath(new URL('../src/l1/developmentContracts.json', import.meta.url));

const CHAIN_ID = 270;
const L1_CHAIN_ID = 31_337;
const EXECUTION_VERSION = 3;

/** Contracts that are deployed to the development L1; the other sources are parts of them. */
const L1_CONTRACTS = [
  'Bridgehub',
  'ChainTypeManager',
  'L1AssetRouter',
  'MessageRoot',
  'ValidatorTimelock',
  'ZKChain',
] as const;

export interface DevelopmentGenesisFile {
  readonly chainId: number;
  readonly l1ChainId: number;
  readonly bridgehub: string;
  readonly initial_contracts: readonly (readonly [address: string, code: string])[];
  readonly additional_storage: readonly (readonly [key: string, value: string])[];
  readonly execution_version: number;
  readonly genesis_root: string;
  /** What the genesis upgrade deploys through 0x8006. */
  readonly forceDeployments: readonly (readonly [address: string, code: string])[];
}

export type DevelopmentContractsFile = Readonly<
  Record<string, { readonly abi: readonly unknown[]; readonly initCode: string }>
>;

function contractOf(compiled: ReadonlyMap<string, CompiledContract>, name: string): CompiledContract {
  const contract = compiled.get(name);
  assert(contract !== undefined, `contracts has no contract ${name}`);
  return contract;
}

export function buildDevelopmentGenesis(): DevelopmentGenesisFile {
  const compiled = compileFolder('l2');
  const codeOf = (name: string): Bytes => contractOf(compiled, name).runtimeCode;
  const initialContracts: readonly (readonly [Bytes, Bytes])[] = [
    [COMPLEX_UPGRADER_ADDRESS, codeOf('ComplexUpgrader')],
    [GENESIS_UPGRADE_ADDRESS, codeOf('GenesisUpgrade')],
    [WRAPPED_BASE_TOKEN_ADDRESS, codeOf('WrappedBaseToken')],
  ];
  const genesisRoot = genesisStateCommitment({
    initialContracts,
    additionalStorage: [],
    executionVersion: EXECUTION_VERSION,
    genesisRoot: ZERO_32, // not part of what is computed
  });
  const toPair = ([address, code]: readonly [Bytes, Bytes]): readonly [string, string] => [toHex(address), toHex(code)];
  return {
    chainId: CHAIN_ID,
    l1ChainId: L1_CHAIN_ID,
    bridgehub: toHex(ZERO_ADDRESS),
    initial_contracts: initialContracts.map(toPair),
    additional_storage: [],
    execution_version: EXECUTION_VERSION,
    genesis_root: toHex(genesisRoot),
    forceDeployments: [toPair([CHAIN_INFO_ADDRESS, codeOf('ChainInfo')])],
  };
}

export function buildDevelopmentContracts(): DevelopmentContractsFile {
  const compiled = compileFolder('l1');
  return Object.fromEntries(
    L1_CONTRACTS.map((name) => {
      const { abi, initCode } = contractOf(compiled, name);
      return [name, { abi, initCode: toHex(initCode) }];
    }),
  );
}

export function renderFile(content: object): string {
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

if (import.meta.main) {
  writeFileSync(GENESIS_OUTPUT, renderFile(buildDevelopmentGenesis()));
  writeFileSync(L1_OUTPUT, renderFile(buildDevelopmentContracts()));
}
