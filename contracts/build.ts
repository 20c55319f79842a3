/**
 * Writes `src/genesis/development.json`, the genesis of a development chain, from the Solidity in `contracts/l2`
 * (`npm run contracts`). The file is checked in; a test compares it with what this makes.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Bytes, ZERO_32, ZERO_ADDRESS, concatBytes, fromHex, padAddress, toHex } from '../src/common/bytes.ts';
import { assert } from '../src/common/errors.ts';
import { genesisStateCommitment } from '../src/protocol/genesis.ts';
import {
  COMPLEX_UPGRADER_ADDRESS,
  FORCE_DEPLOYER_ADDRESS,
  WRAPPED_BASE_TOKEN_ADDRESS,
} from '../src/protocol/systemAddresses.ts';
import { UPGRADE_TYPE } from '../src/protocol/transaction.ts';
import { encodeL1Transaction } from '../src/protocol/transactionCodec.ts';
import { compileFolder } from './compile.ts';

const OUTPUT = fileURLToPath(new URL('../src/genesis/development.json', import.meta.url));

const CHAIN_ID = 270;
const L1_CHAIN_ID = 31_337;
const EXECUTION_VERSION = 3;
/** Minor protocol version: 0.29. */
const UPGRADE_NONCE = 29n;
const UPGRADE_GAS_LIMIT = 72_000_000n;
const UPGRADE_GAS_PER_PUBDATA = 800n;
/** upgrade(address,bytes) */
const UPGRADE_SELECTOR = fromHex('c987336c');
/** decimals(): a call that succeeds and writes nothing. */
const DECIMALS_SELECTOR = fromHex('313ce567');

export interface DevelopmentGenesisFile {
  readonly chainId: number;
  readonly l1ChainId: number;
  readonly bridgehub: string;
  readonly initial_contracts: readonly (readonly [address: string, code: string])[];
  readonly additional_storage: readonly (readonly [key: string, value: string])[];
  readonly execution_version: number;
  readonly genesis_root: string;
  readonly upgradeTransaction: string;
}

export function buildDevelopmentGenesis(): DevelopmentGenesisFile {
  const compiled = compileFolder('l2');
  const codeOf = (name: string): Bytes => {
    const contract = compiled.get(name);
    assert(contract !== undefined, `contracts/l2 has no contract ${name}`);
    return contract.runtimeCode;
  };
  const initialContracts: readonly (readonly [Bytes, Bytes])[] = [
    [COMPLEX_UPGRADER_ADDRESS, codeOf('ComplexUpgrader')],
    [WRAPPED_BASE_TOKEN_ADDRESS, codeOf('WrappedBaseToken')],
  ];
  const genesisRoot = genesisStateCommitment({
    initialContracts,
    additionalStorage: [],
    executionVersion: EXECUTION_VERSION,
    genesisRoot: ZERO_32, // not part of what is computed
  });
  return {
    chainId: CHAIN_ID,
    l1ChainId: L1_CHAIN_ID,
    bridgehub: toHex(ZERO_ADDRESS),
    initial_contracts: initialContracts.map(([address, code]) => [toHex(address), toHex(code)]),
    additional_storage: [],
    execution_version: EXECUTION_VERSION,
    genesis_root: toHex(genesisRoot),
    upgradeTransaction: toHex(noopUpgrade()),
  };
}

export function renderGenesisFile(genesis: DevelopmentGenesisFile): string {
  return `${JSON.stringify(genesis, undefined, 2)}\n`;
}

/** The upgrade without deployments: delegates to a view function of a genesis contract (spec: contracts 5). */
function noopUpgrade(): Bytes {
  const call = new Uint8Array(32);
  call.set(DECIMALS_SELECTOR);
  const input = concatBytes(
    UPGRADE_SELECTOR,
    padAddress(WRAPPED_BASE_TOKEN_ADDRESS),
    word(64),
    word(DECIMALS_SELECTOR.length),
    call,
  );
  return encodeL1Transaction({
    type: UPGRADE_TYPE,
    initiator: FORCE_DEPLOYER_ADDRESS,
    to: COMPLEX_UPGRADER_ADDRESS,
    gasLimit: UPGRADE_GAS_LIMIT,
    gasPerPubdataByteLimit: UPGRADE_GAS_PER_PUBDATA,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    nonce: UPGRADE_NONCE,
    value: 0n,
    toMint: 0n,
    refundRecipient: ZERO_ADDRESS,
    input,
    factoryDeps: [],
  }).raw;
}

function word(value: number): Bytes {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(28, value);
  return bytes;
}

if (import.meta.main) writeFileSync(OUTPUT, renderGenesisFile(buildDevelopmentGenesis()));
