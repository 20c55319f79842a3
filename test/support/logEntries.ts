/** Entries for tests of the log. */
import type { Bytes } from '../../src/common/bytes.ts';
import type { RandomSource } from '../../src/common/clock.ts';
import type {
  BatchSealedEntry,
  BlockEntry,
  Entry,
  EpochStartedEntry,
  FriProvedEntry,
  GenesisEntry,
  L1ProgressEntry,
  SnarkProvedEntry,
} from '../../src/log/entry.ts';
import { ZERO_ID } from '../../src/log/entry.ts';
import type { BlockRecord } from '../../src/protocol/replayRecord.ts';

/** So many bytes of one value. */
export function filled(value: number, length = 32): Bytes {
  return new Uint8Array(length).fill(value);
}

export const LOG_ID = filled(0x10, 16);
export const NODE_ID = filled(0x20, 16);
export const BOOT_ID = filled(0x30, 16);

/** A generator whose every draw follows from its seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function seededBytes(seed: number): RandomSource {
  const random = seededRandom(seed);
  return (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

export function aBlockRecord(height: number | bigint, changes: Partial<BlockRecord> = {}): BlockRecord {
  return {
    context: {
      chainId: 270n,
      blockNumber: BigInt(height),
      timestamp: 1_700_000_000n + (BigInt(height) % 1_000_000n),
      eip1559BaseFee: 1000n,
      pubdataPrice: 1n,
      nativePrice: 1n,
      coinbase: filled(0xfe, 20),
      gasLimit: 100_000_000n,
      pubdataLimit: 110_000n,
      mixHash: 0n,
      executionVersion: 3,
    },
    startingL1PriorityId: 7n,
    transactions: [filled(0xaa, 3)],
    previousBlockTimestamp: 1_700_000_000n,
    nodeVersion: '0.1.0',
    blockOutputHash: filled(Number(height) % 256),
    ...changes,
  };
}

const envelope = { schema: 1, logId: LOG_ID, nodeId: NODE_ID, bootId: BOOT_ID } as const;

export function aGenesis(changes: Partial<GenesisEntry> = {}): GenesisEntry {
  return {
    kind: 'Genesis',
    ...envelope,
    epoch: 0n,
    claim: ZERO_ID,
    chainId: 270n,
    l1ChainId: 31337n,
    bridgehub: filled(0x0b, 20),
    genesisInput: {
      initialContracts: [
        { address: filled(1, 20), code: filled(0x60, 5) },
        { address: filled(2, 20), code: new Uint8Array(0) },
      ],
      additionalStorage: [{ key: filled(3), value: filled(4) }],
      executionVersion: 3,
      genesisRoot: filled(5),
    },
    genesisRoot: filled(5),
    upgradeTransaction: filled(0x7e, 40),
    forceDeployPreimages: [filled(6, 100), filled(7, 1)],
    ...changes,
  };
}

export function anEpochStarted(changes: Partial<EpochStartedEntry> = {}): EpochStartedEntry {
  return {
    kind: 'EpochStarted',
    ...envelope,
    epoch: 1n,
    claim: filled(0x41, 16),
    rules: 1,
    head: { height: 0n, parent: new Uint8Array(32) },
    ...changes,
  };
}

export function aBlock(height: number | bigint, changes: Partial<BlockEntry> = {}): BlockEntry {
  return {
    kind: 'Block',
    ...envelope,
    epoch: 1n,
    claim: filled(0x41, 16),
    height: BigInt(height),
    parent: BigInt(height) === 1n ? new Uint8Array(32) : filled((Number(height) - 1) % 256),
    record: aBlockRecord(height),
    ...changes,
  };
}

const owned = { ...envelope, epoch: 1n, claim: filled(0x41, 16) };

export function aCommitInfo(changes: Partial<BatchSealedEntry['commitInfo']> = {}): BatchSealedEntry['commitInfo'] {
  return {
    batchNumber: 1n,
    newStateCommitment: filled(0x52),
    numberOfLayer1Txs: 0n,
    priorityOperationsHash: filled(0x53),
    dependencyRootsRollingHash: filled(0),
    l2ToL1LogsRootHash: filled(0x54),
    l2DaValidator: filled(0, 20),
    daCommitment: filled(0x55),
    firstBlockTimestamp: 1_700_000_000n,
    lastBlockTimestamp: 1_700_000_000n,
    chainId: 270n,
    chainAddress: filled(0, 20),
    upgradeTxHash: undefined,
    ...changes,
  };
}

/** Of blocks `range`; the stored hash follows from the batch's number. */
export function aSeal(
  batch: number,
  range: readonly [first: number, last: number],
  changes: Partial<BatchSealedEntry> = {},
): BatchSealedEntry {
  return {
    kind: 'BatchSealed',
    ...owned,
    batch: BigInt(batch),
    firstBlock: BigInt(range[0]),
    lastBlock: BigInt(range[1]),
    storedBatchHash: filled(0x80 + batch),
    reason: 'timeout',
    commitInfo: aCommitInfo({ batchNumber: BigInt(batch) }),
    ...changes,
  };
}

export function aFriProof(batch: number, changes: Partial<FriProvedEntry> = {}): FriProvedEntry {
  return {
    kind: 'FriProved',
    ...owned,
    batch: BigInt(batch),
    storedBatchHash: filled(0x80 + batch),
    proofKind: 'real',
    proof: { key: `fri/${batch}`, hash: filled(batch) },
    replaces: undefined,
    ...changes,
  };
}

export function aSnarkProof(
  fromBatch: number,
  toBatch: number,
  changes: Partial<SnarkProvedEntry> = {},
): SnarkProvedEntry {
  return {
    kind: 'SnarkProved',
    ...owned,
    fromBatch: BigInt(fromBatch),
    toBatch: BigInt(toBatch),
    proofKind: 'real',
    proof: { key: `snark/${fromBatch}-${toBatch}`, hash: filled(fromBatch * 16 + toBatch) },
    replaces: undefined,
    ...changes,
  };
}

export function anL1Progress(
  counters: readonly [committed: number, proved: number, executed: number],
  l1Block: number | bigint,
  changes: Partial<L1ProgressEntry> = {},
): L1ProgressEntry {
  return {
    kind: 'L1Progress',
    ...owned,
    committed: BigInt(counters[0]),
    proved: BigInt(counters[1]),
    executed: BigInt(counters[2]),
    l1BlockNumber: BigInt(l1Block),
    l1BlockHash: filled(0x71),
    ...changes,
  };
}

/** One of each kind, with edge values. */
export function oneOfEachKind(): Entry[] {
  const u64Max = 2n ** 64n - 1n;
  const owner = { ...envelope, epoch: 3n, claim: filled(0x42, 16) };
  return [
    aGenesis(),
    anEpochStarted(),
    anEpochStarted({ epoch: u64Max, rules: 2 ** 32 - 1, head: undefined }),
    aBlock(1),
    aBlock(u64Max, {
      record: aBlockRecord(u64Max, {
        context: {
          ...aBlockRecord(u64Max).context,
          eip1559BaseFee: 2n ** 256n - 1n,
          pubdataPrice: 0n,
          nativePrice: 256n,
          mixHash: 1n,
        },
        transactions: [new Uint8Array(0), filled(0xbb, 64), filled(0xcc, 9000)],
        nodeVersion: '0.4.0-non-semver-compat é',
      }),
    }),
    aBlock(2, { record: aBlockRecord(2, { transactions: [] }) }),
    {
      kind: 'BatchSealed',
      ...owner,
      batch: 4n,
      firstBlock: 9n,
      lastBlock: 12n,
      storedBatchHash: filled(0x51),
      reason: 'timeout',
      commitInfo: {
        batchNumber: 4n,
        newStateCommitment: filled(0x52),
        numberOfLayer1Txs: 2n,
        priorityOperationsHash: filled(0x53),
        dependencyRootsRollingHash: filled(0),
        l2ToL1LogsRootHash: filled(0x54),
        l2DaValidator: filled(0, 20),
        daCommitment: filled(0x55),
        firstBlockTimestamp: 1_700_000_009n,
        lastBlockTimestamp: 1_700_000_012n,
        chainId: 270n,
        chainAddress: filled(0x56, 20),
        upgradeTxHash: filled(0x57),
      },
    },
    {
      kind: 'FriProved',
      ...owner,
      batch: 4n,
      storedBatchHash: filled(0x51),
      proofKind: 'real',
      proof: { key: 'fri/4', hash: filled(0x61) },
      replaces: filled(0x62),
    },
    {
      kind: 'SnarkProved',
      ...owner,
      fromBatch: 2n,
      toBatch: 4n,
      proofKind: 'fake',
      proof: { key: '', hash: filled(0) },
      replaces: undefined,
    },
    {
      kind: 'L1Progress',
      ...owner,
      committed: 4n,
      proved: 3n,
      executed: 2n,
      l1BlockNumber: 19_000_000n,
      l1BlockHash: filled(0x71),
    },
  ];
}
