/** Batches: when one is sealed, and what it commits to (spec: batches 2, 5, 6). */
import { type Bytes, concatBytes, equalBytes, u64be, ZERO_32, ZERO_ADDRESS } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { type Steps, finish } from '../common/steps.ts';
import type { BlockOutput } from './blockOutput.ts';
import { ProtocolError } from './errors.ts';
import { stateCommitment } from './genesis.ts';
import { LOG_TREE_SIZE, l2LogRootSteps } from './logTree.ts';
import { priorityOperationsHash } from './priorityTree.ts';
import { daCommitment } from './pubdata.ts';
import { encodeL2ToL1Log } from './receipts.ts';
import { type StoredBatchInfo, storedBatchHash } from './storedBatch.ts';
import { L1_PRIORITY_TYPE, UPGRADE_TYPE, isL1Transaction } from './transaction.ts';
import { decodeTransaction } from './transactionCodec.ts';
import { dataView, writeU256 } from './words.ts';

/** spec: batches 5, without operator_da_input, which follows from the blocks. */
export interface CommitInfo {
  readonly batchNumber: bigint;
  readonly newStateCommitment: Bytes;
  readonly numberOfLayer1Txs: bigint;
  readonly priorityOperationsHash: Bytes;
  readonly dependencyRootsRollingHash: Bytes;
  readonly l2ToL1LogsRootHash: Bytes;
  readonly l2DaValidator: Bytes;
  readonly daCommitment: Bytes;
  /** Unix seconds. */
  readonly firstBlockTimestamp: bigint;
  readonly lastBlockTimestamp: bigint;
  readonly chainId: bigint;
  /** The diamond proxy. */
  readonly chainAddress: Bytes;
  readonly upgradeTxHash: Bytes | undefined;
}

export const PROOF_KINDS = ['real', 'fake'] as const;
export type ProofKind = (typeof PROOF_KINDS)[number];

export interface ProofReference {
  readonly key: string;
  /** Zero for a fake. */
  readonly hash: Bytes;
}

/** Most computational native units of a batch (spec: native 10). */
export const BATCH_NATIVE_MAX = 2n ** 35n;
/** More pubdata than this cannot be committed as calldata (spec: batches 6.6, 11). */
export const BATCH_PUBDATA_BYTES_MAX = 126_976;

export interface BatchLimits {
  readonly blocks: number;
  readonly native: bigint;
  readonly pubdataBytes: number;
  readonly logs: number;
}

/** Sums over the blocks of a batch that is not sealed. */
export interface OpenBatch {
  readonly blocks: number;
  readonly native: bigint;
  readonly pubdataBytes: number;
  readonly logs: number;
  /** undefined: no block yet. */
  readonly executionVersion: number | undefined;
}

/** What a block counts towards the limits. */
export interface BlockResources {
  readonly native: bigint;
  readonly pubdataBytes: number;
  readonly logs: number;
  readonly executionVersion: number;
}

export type SealReason =
  'blocks_per_batch' | 'native_cycles' | 'pubdata' | 'l2_l1_logs' | 'execution_version_change' | 'timeout';

export const EMPTY_BATCH: OpenBatch = { blocks: 0, native: 0n, pubdataBytes: 0, logs: 0, executionVersion: undefined };

export function withBlock(open: OpenBatch, block: BlockResources): OpenBatch {
  return {
    blocks: open.blocks + 1,
    native: open.native + block.native,
    pubdataBytes: open.pubdataBytes + block.pubdataBytes,
    logs: open.logs + block.logs,
    executionVersion: open.executionVersion ?? block.executionVersion,
  };
}

/**
 * Why the open batch is sealed without the next block; undefined: it takes the block (spec: batches 2). An empty batch takes
 * any block that can be settled at all. Throws BATCH_BLOCK_TOO_LARGE for one that cannot.
 */
export function sealReason(open: OpenBatch, next: BlockResources, limits: BatchLimits): SealReason | undefined {
  if (open.blocks === 0) {
    requireSettleable(next);
    return undefined;
  }
  const candidate = withBlock(open, next);
  if (candidate.blocks > limits.blocks) return 'blocks_per_batch';
  if (candidate.native > limits.native) return 'native_cycles';
  if (candidate.pubdataBytes > Math.min(limits.pubdataBytes, BATCH_PUBDATA_BYTES_MAX)) return 'pubdata';
  if (candidate.logs > limits.logs) return 'l2_l1_logs';
  return next.executionVersion === open.executionVersion ? undefined : 'execution_version_change';
}

function requireSettleable(block: BlockResources): void {
  const { native, pubdataBytes, logs } = block;
  if (native <= BATCH_NATIVE_MAX && pubdataBytes <= BATCH_PUBDATA_BYTES_MAX && logs <= LOG_TREE_SIZE) return;
  throw new ProtocolError(
    'BATCH_BLOCK_TOO_LARGE',
    `a block with ${pubdataBytes} bytes of pubdata, ${logs} L2 to L1 logs and ${native} native units fits no batch that L1 takes: ` +
      `${BATCH_PUBDATA_BYTES_MAX}, ${LOG_TREE_SIZE} and ${BATCH_NATIVE_MAX} do. No further batch can be sealed.`,
    { pubdataBytes, logs, native },
  );
}

/** What a batch needs of each of its blocks. */
export interface BatchBlock extends BlockResources {
  /** Unix seconds. */
  readonly timestamp: bigint;
  readonly blockHash: Bytes;
  readonly transactions: number;
  /** Canonical hashes of the 0x7f transactions, in order. */
  readonly priorityHashes: readonly Bytes[];
  /** Id of the first of them; of the next one if there is none. */
  readonly firstPriorityId: bigint;
  /** Of the 0x7e transaction. */
  readonly upgradeHash: Bytes | undefined;
  readonly pubdata: Bytes;
  /** 88 bytes each, with the index of their transaction. */
  readonly encodedLogs: readonly { readonly transactionIndex: number; readonly bytes: Bytes }[];
}

/** From an accepted block. Throws BATCH_UPGRADE_TWICE when a block holds more than one upgrade transaction. */
export function batchBlock(
  record: {
    readonly context: { readonly executionVersion: number; readonly timestamp: bigint };
    readonly startingL1PriorityId: bigint;
    readonly transactions: readonly Bytes[];
  },
  output: BlockOutput,
): BatchBlock {
  const priorityHashes: Bytes[] = [];
  let upgradeHash: Bytes | undefined;
  for (const raw of record.transactions) {
    if (raw[0] !== L1_PRIORITY_TYPE && raw[0] !== UPGRADE_TYPE) continue;
    const transaction = decodeTransaction(raw);
    if (!isL1Transaction(transaction)) continue;
    if (transaction.type === L1_PRIORITY_TYPE) priorityHashes.push(transaction.hash);
    else upgradeHash = onlyUpgrade(upgradeHash, transaction.hash);
  }
  const encodedLogs = output.transactions.flatMap(({ l2ToL1Logs }, transactionIndex) =>
    l2ToL1Logs.map((log) => ({ transactionIndex, bytes: encodeL2ToL1Log(log) })),
  );
  return {
    native: output.computationalNativeUsed,
    pubdataBytes: output.pubdata.length,
    logs: encodedLogs.length,
    executionVersion: record.context.executionVersion,
    timestamp: record.context.timestamp,
    blockHash: output.blockHash,
    transactions: output.transactions.length,
    priorityHashes,
    firstPriorityId: record.startingL1PriorityId,
    upgradeHash,
    pubdata: output.pubdata,
    encodedLogs,
  };
}

function onlyUpgrade(first: Bytes | undefined, second: Bytes): Bytes {
  if (first === undefined || equalBytes(first, second)) return second;
  throw new ProtocolError(
    'BATCH_UPGRADE_TWICE',
    'a batch holds two upgrade transactions: L1 takes one. Seal the blocks in batches of their own.',
  );
}

export interface BatchContent {
  readonly batchNumber: bigint;
  /** In order, at least one. */
  readonly blocks: readonly BatchBlock[];
  readonly lastBlockNumber: bigint;
  /** State tree after the last block. */
  readonly tree: { readonly root: Bytes; readonly leafCount: number };
  /** The 256 newest up to and including the last block's, oldest first. */
  readonly blockHashes: readonly Bytes[];
  readonly chainId: bigint;
  readonly chainAddress: Bytes;
}

export interface BatchCommitment {
  readonly commitInfo: CommitInfo;
  readonly stored: StoredBatchInfo;
  readonly storedBatchHash: Bytes;
}

/** All that L1 is told of a batch (spec: batches 5, 6). Throws BATCH_UPGRADE_TWICE, LOG_TREE_TOO_MANY_LEAVES. */
export function batchCommitment(content: BatchContent): BatchCommitment {
  return finish(batchCommitmentSteps(content));
}

/** `batchCommitment` with pauses. */
export function* batchCommitmentSteps(content: BatchContent): Steps<BatchCommitment> {
  const { blocks, tree } = content;
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) throw new ProtocolError('BATCH_EMPTY', 'a batch has no block');
  const priorityHashes = blocks.flatMap((block) => block.priorityHashes);
  let upgradeTxHash: Bytes | undefined;
  for (const { upgradeHash } of blocks)
    if (upgradeHash !== undefined) upgradeTxHash = onlyUpgrade(upgradeTxHash, upgradeHash);
  const commitInfo: CommitInfo = {
    batchNumber: content.batchNumber,
    newStateCommitment: stateCommitment({
      treeRoot: tree.root,
      leafCount: tree.leafCount,
      blockNumber: content.lastBlockNumber,
      blockHashes: content.blockHashes,
      timestamp: last.timestamp,
    }),
    numberOfLayer1Txs: BigInt(priorityHashes.length),
    priorityOperationsHash: priorityOperationsHash(priorityHashes),
    dependencyRootsRollingHash: ZERO_32,
    l2ToL1LogsRootHash: yield* l2LogRootSteps(
      blocks.flatMap(({ encodedLogs }) => encodedLogs.map(({ bytes }) => bytes)),
    ),
    l2DaValidator: ZERO_ADDRESS,
    daCommitment: daCommitment(concatBytes(...blocks.map(({ pubdata }) => pubdata))),
    firstBlockTimestamp: first.timestamp,
    lastBlockTimestamp: last.timestamp,
    chainId: content.chainId,
    chainAddress: content.chainAddress,
    upgradeTxHash,
  };
  const stored = storedBatchInfo(commitInfo);
  return { commitInfo, stored, storedBatchHash: storedBatchHash(stored) };
}

/** The 260 bytes behind the batch output hash (spec: batches 6.6). */
export function batchOutputPreimage(info: CommitInfo): Bytes {
  const word = (value: bigint): Bytes => {
    const out = new Uint8Array(32);
    writeU256(dataView(out), 0, value);
    return out;
  };
  return concatBytes(
    word(info.chainId),
    u64be(info.firstBlockTimestamp),
    u64be(info.lastBlockTimestamp),
    info.l2DaValidator,
    info.daCommitment,
    word(info.numberOfLayer1Txs),
    info.priorityOperationsHash,
    info.l2ToL1LogsRootHash,
    info.upgradeTxHash ?? ZERO_32,
    info.dependencyRootsRollingHash,
  );
}

/** What L1 stores once the batch is committed (spec: batches 5, 7). */
export function storedBatchInfo(info: CommitInfo): StoredBatchInfo {
  return {
    batchNumber: info.batchNumber,
    stateCommitment: info.newStateCommitment,
    numberOfLayer1Txs: info.numberOfLayer1Txs,
    priorityOperationsHash: info.priorityOperationsHash,
    dependencyRootsRollingHash: info.dependencyRootsRollingHash,
    l2ToL1LogsRootHash: info.l2ToL1LogsRootHash,
    commitment: keccak256(batchOutputPreimage(info)),
    lastBlockTimestamp: info.lastBlockTimestamp,
  };
}

/** Public input of a batch's FRI proof (spec: batches 6.7). */
export function batchPublicInput(before: Bytes, after: Pick<StoredBatchInfo, 'stateCommitment' | 'commitment'>): Bytes {
  return keccak256(concatBytes(before, after.stateCommitment, after.commitment));
}

/** Fields of two commit infos that differ. The chain address counts only where both know it: it is outside every hash. */
export function commitInfoDifferences(a: CommitInfo, b: CommitInfo): (keyof CommitInfo)[] {
  const fields = Object.keys(a) as (keyof CommitInfo)[];
  return fields.filter((field) => field !== 'chainAddress' && !isSame(a[field], b[field]));
}

function isSame(a: CommitInfo[keyof CommitInfo], b: CommitInfo[keyof CommitInfo]): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? equalBytes(a, b) : a === b;
}
