/** Genesis: its input file, the state it makes, block 0, and the commitment that must match (spec: genesis 1-4). */
import {
  bytesKey,
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  equalBytes,
  fromHex,
  toHex,
  u64be,
  ZERO_32,
  ZERO_ADDRESS,
} from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { blake2s256 } from '../common/hash.ts';
import { accountRecordHash, deployedAccountFields, encodeAccountRecord, storedCode } from './accountRecord.ts';
import { BLOCK_HASHES_LENGTH, EMPTY_OMMERS_HASH, headerHash, nextBlockHashes } from './blockHeader.ts';
import type { BlockHeader, Preimage, StorageWrite } from './blockOutput.ts';
import { BLOOM_LENGTH } from './bloom.ts';
import { ProtocolError } from './errors.ts';
import { EXECUTION_VERSIONS } from './replayRecord.ts';
import type { BlockContext, ReplayRecord } from './replayRecord.ts';
import { accountFlatKey, accountSlot, flatKey } from './stateKey.ts';
import { StateTree } from './stateTree.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from './systemAddresses.ts';

export interface GenesisInput {
  readonly initialContracts: readonly (readonly [address: Bytes, code: Bytes])[];
  readonly additionalStorage: readonly (readonly [flatKey: Bytes, value: Bytes])[];
  readonly executionVersion: number;
  /** Expected state commitment of block 0. */
  readonly genesisRoot: Bytes;
}

/** Files of later generations do not say it. */
const EXECUTION_VERSION_DEFAULT = 3;
const CODE_LENGTH_MAX = 0xffff_ffff;

function malformed(message: string, facts: Record<string, unknown> = {}): ProtocolError {
  return new ProtocolError('GENESIS_MALFORMED', `malformed genesis input: ${message}`, facts);
}

function readHex(value: unknown, name: string, length?: number): Bytes {
  if (typeof value !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(value))
    throw malformed(`${name} is not 0x-hex`, { field: name });
  const bytes = fromHex(value);
  if (length !== undefined && bytes.length !== length)
    throw malformed(`${name} has ${bytes.length} bytes, not ${length}`, { field: name });
  return bytes;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readList(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${name} is not a list`, { field: name });
  return value;
}

function readPair(value: unknown, name: string): readonly [unknown, unknown] {
  const items = readList(value, name);
  if (items.length !== 2) throw malformed(`${name} has ${items.length} items, not 2`, { field: name });
  return [items[0], items[1]];
}

type StorageEntry = readonly [flatKey: Bytes, value: Bytes];

function readStorageList(value: unknown, name: string): readonly StorageEntry[] {
  return readList(value, name).map((item, index) => {
    const [key, word] = readPair(item, `${name}[${index}]`);
    return [readHex(key, `key of ${name}[${index}]`, 32), readHex(word, `value of ${name}[${index}]`, 32)];
  });
}

function readStorage(value: unknown, name: string): readonly StorageEntry[] {
  if (!isObject(value)) return readStorageList(value, name);
  const entries: StorageEntry[] = [];
  for (const [addressHex, slots] of Object.entries(value)) {
    const address = readHex(addressHex, `address in ${name}`, 20);
    if (!isObject(slots)) throw malformed(`${name} of ${addressHex} is not a map`, { field: name });
    for (const [slotHex, word] of Object.entries(slots)) {
      const slot = readHex(slotHex, `slot in ${name} of ${addressHex}`, 32);
      entries.push([flatKey(address, slot), readHex(word, `value of ${slotHex} in ${name} of ${addressHex}`, 32)]);
    }
  }
  return entries;
}

/** Throws GENESIS_DUPLICATE_KEY when two contracts or entries share a key. */
function requireDistinctKeys(input: GenesisInput): void {
  const seen = new Set<string>();
  const keys = [
    ...input.initialContracts.map(([address]) => accountFlatKey(address)),
    ...input.additionalStorage.map(([key]) => key),
  ];
  for (const key of keys) {
    const id = bytesKey(key);
    if (seen.has(id)) {
      throw new ProtocolError(
        'GENESIS_DUPLICATE_KEY',
        `the genesis input sets the state key ${toHex(key)} twice: remove one of the entries`,
        {
          flatKey: toHex(key),
        },
      );
    }
    seen.add(id);
  }
}

/**
 * Reads a parsed genesis.json (spec: genesis 1). `additional_storage` is a list of flat keys or a map by address and
 * slot; `additional_storage_raw` is again such a list. Throws GENESIS_MALFORMED, GENESIS_DUPLICATE_KEY.
 */
export function parseGenesisInput(json: unknown): GenesisInput {
  if (!isObject(json)) throw malformed('it is not an object');
  const initialContracts = readList(json['initial_contracts'], 'initial_contracts').map(
    (item, index): readonly [Bytes, Bytes] => {
      const [address, code] = readPair(item, `initial_contracts[${index}]`);
      const bytes = readHex(code, `code of initial_contracts[${index}]`);
      if (bytes.length > CODE_LENGTH_MAX) throw malformed(`code of initial_contracts[${index}] is too long`);
      return [readHex(address, `address of initial_contracts[${index}]`, 20), bytes];
    },
  );
  const executionVersion = json['execution_version'] ?? EXECUTION_VERSION_DEFAULT;
  if (typeof executionVersion !== 'number' || !EXECUTION_VERSIONS.includes(executionVersion)) {
    throw malformed(`execution_version is none of ${EXECUTION_VERSIONS.join(', ')}`, { field: 'execution_version' });
  }
  const input = {
    initialContracts,
    additionalStorage: [
      ...readStorage(json['additional_storage'] ?? [], 'additional_storage'),
      ...readStorageList(json['additional_storage_raw'] ?? [], 'additional_storage_raw'),
    ],
    executionVersion,
    genesisRoot: readHex(json['genesis_root'], 'genesis_root', 32),
  };
  requireDistinctKeys(input);
  return input;
}

export interface GenesisState {
  /**
   * Ascending by flat key, the order of insertion into the tree. Of additional storage only the flat key is known: its
   * `address` and `slot` are empty.
   */
  readonly writes: readonly StorageWrite[];
  /** Account records and stored code, ascending by hash. */
  readonly preimages: readonly Preimage[];
}

/** The state of block 0 (spec: genesis 2). Throws GENESIS_DUPLICATE_KEY. */
export function genesisState(input: GenesisInput): GenesisState {
  requireDistinctKeys(input);
  const writes: StorageWrite[] = [];
  const preimages = new Map<string, Preimage>();
  const keep = (hash: Bytes, bytes: Bytes): void => {
    preimages.set(bytesKey(hash), { hash, bytes });
  };
  for (const [address, code] of input.initialContracts) {
    const stored = storedCode(code);
    const fields = deployedAccountFields(code, stored);
    const accountRecord = encodeAccountRecord({ ...fields, nonce: 1n, balance: 0n });
    const value = accountRecordHash(accountRecord);
    writes.push({
      flatKey: accountFlatKey(address),
      value,
      address: ACCOUNT_PROPERTIES_ADDRESS,
      slot: accountSlot(address),
      accountRecord,
    });
    keep(fields.bytecodeHash, stored);
    keep(value, accountRecord);
  }
  for (const [key, value] of input.additionalStorage) {
    writes.push({ flatKey: key, value, address: EMPTY_BYTES, slot: EMPTY_BYTES, accountRecord: undefined });
  }
  writes.sort((a, b) => compareBytes(a.flatKey, b.flatKey));
  return { writes, preimages: [...preimages.values()].sort((a, b) => compareBytes(a.hash, b.hash)) };
}

/** Raw code of the genesis upgrade event, known to the deployer hook under its BLAKE2s hash (spec: genesis 5, state 4). */
export function forceDeployPreimages(codes: readonly Bytes[]): readonly Preimage[] {
  return codes.map((bytes) => ({ hash: blake2s256(bytes), bytes }));
}

/** Header of block 0; the same on every chain (spec: genesis 3). */
export const GENESIS_HEADER: BlockHeader = {
  parentHash: ZERO_32,
  ommersHash: EMPTY_OMMERS_HASH,
  beneficiary: ZERO_ADDRESS,
  stateRoot: ZERO_32,
  transactionsRoot: ZERO_32,
  receiptsRoot: ZERO_32,
  logsBloom: new Uint8Array(BLOOM_LENGTH),
  difficulty: 0n,
  number: 0n,
  gasLimit: 5_000n,
  gasUsed: 0n,
  timestamp: 0n,
  extraData: new Uint8Array(0),
  mixHash: ZERO_32,
  nonce: new Uint8Array(8),
  baseFeePerGas: 1_000_000_000n,
};

export const GENESIS_BLOCK_HASH: Bytes = headerHash(GENESIS_HEADER);

const ZERO_RING: readonly Bytes[] = Array.from({ length: BLOCK_HASHES_LENGTH }, () => ZERO_32);

/** The ring in the context of block 1: only entry 255 is set (spec: replay-record 4). */
export const BLOCK_1_BLOCK_HASHES: readonly Bytes[] = nextBlockHashes(ZERO_RING, GENESIS_BLOCK_HASH);

/** Context of block 0 (spec: replay-record 2). Its gas limit is not that of the header, on purpose. */
export function genesisContext(executionVersion: number): BlockContext {
  return {
    chainId: 0n,
    blockNumber: 0n,
    blockHashes: ZERO_RING,
    timestamp: 0n,
    eip1559BaseFee: 1_000_000_000n,
    pubdataPrice: 0n,
    nativePrice: 1n,
    coinbase: ZERO_ADDRESS,
    gasLimit: 100_000_000n,
    pubdataLimit: 100_000_000n,
    mixHash: 0n,
    executionVersion,
  };
}

/** Record of block 0 (spec: replay-record 1). */
export function genesisRecord(executionVersion: number, nodeVersion: string): ReplayRecord {
  return {
    context: genesisContext(executionVersion),
    startingL1PriorityId: 0n,
    transactions: [],
    previousBlockTimestamp: 0n,
    nodeVersion,
    blockOutputHash: ZERO_32,
  };
}

export interface StateCommitmentInput {
  /** State tree after the block. */
  readonly treeRoot: Bytes;
  /** Guards included. */
  readonly leafCount: number | bigint;
  readonly blockNumber: bigint;
  /** The 256 newest up to and including the block itself, oldest first. */
  readonly blockHashes: readonly Bytes[];
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** BLAKE2s over the 256 block hashes, oldest first (spec: state 7.3). */
export function blockHashesDigest(blockHashes: readonly Bytes[]): Bytes {
  assert(
    blockHashes.length === BLOCK_HASHES_LENGTH,
    `${blockHashes.length} block hashes were given, not ${BLOCK_HASHES_LENGTH}`,
  );
  return blake2s256(concatBytes(...blockHashes));
}

/** Commitment to the chain's state after a block (spec: state 7.3, batches 6.1). */
export function stateCommitment(input: StateCommitmentInput): Bytes {
  return blake2s256(
    concatBytes(
      input.treeRoot,
      u64be(input.leafCount),
      u64be(input.blockNumber),
      blockHashesDigest(input.blockHashes),
      u64be(input.timestamp),
    ),
  );
}

export interface GenesisCommitment {
  readonly treeRoot: Bytes;
  /** Guards included. */
  readonly leafCount: number;
  readonly stateCommitment: Bytes;
}

/** Tree and commitment of block 0 (spec: genesis 4). Throws GENESIS_DUPLICATE_KEY. */
export function genesisCommitment(input: GenesisInput): GenesisCommitment {
  const { writes } = genesisState(input);
  const { root, leafCount } = new StateTree().applyWrites(writes.map(({ flatKey: key, value }) => ({ key, value })));
  const commitment = stateCommitment({
    treeRoot: root,
    leafCount,
    blockNumber: 0n,
    blockHashes: BLOCK_1_BLOCK_HASHES,
    timestamp: 0n,
  });
  return { treeRoot: root, leafCount, stateCommitment: commitment };
}

/** The state commitment of block 0 (spec: genesis 4). Throws GENESIS_DUPLICATE_KEY. */
export function genesisStateCommitment(input: GenesisInput): Bytes {
  return genesisCommitment(input).stateCommitment;
}

/** Computes the commitment of block 0 and throws GENESIS_ROOT_MISMATCH unless it is the expected one (spec: genesis 4). */
export function checkGenesisRoot(input: GenesisInput): GenesisCommitment {
  const commitment = genesisCommitment(input);
  if (!equalBytes(commitment.stateCommitment, input.genesisRoot)) {
    throw new ProtocolError(
      'GENESIS_ROOT_MISMATCH',
      `the genesis input gives the state commitment ${toHex(commitment.stateCommitment)} for block 0 but expects ${toHex(input.genesisRoot)}: contracts or storage of the file were changed, or its genesis_root was`,
      { computed: toHex(commitment.stateCommitment), expected: toHex(input.genesisRoot) },
    );
  }
  return commitment;
}
