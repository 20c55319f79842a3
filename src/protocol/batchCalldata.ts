/** The data argument of the calls that settle batches (spec: settlement 6, batches 7). */
import { encodeAbiParameters, parseAbi } from 'viem';
import { type Bytes, concatBytes, fromHex, toHex } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { type CommitInfo, batchPublicInput } from './batch.ts';
import { operatorDaInput } from './pubdata.ts';
import type { StoredBatchInfo } from './storedBatch.ts';

const STORED_BATCH =
  'struct StoredBatchInfo { uint64 batchNumber; bytes32 batchHash; uint64 indexRepeatedStorageChanges; uint256 numberOfLayer1Txs; bytes32 priorityOperationsHash; bytes32 dependencyRootsRollingHash; bytes32 l2LogsTreeRoot; uint256 timestamp; bytes32 commitment; }';
const COMMIT_BATCH =
  'struct CommitBatchInfoZKsyncOS { uint64 batchNumber; bytes32 newStateCommitment; uint256 numberOfLayer1Txs; bytes32 priorityOperationsHash; bytes32 dependencyRootsRollingHash; bytes32 l2LogsTreeRoot; address l2DaValidator; bytes32 daCommitment; uint64 firstBlockTimestamp; uint64 lastBlockTimestamp; uint256 chainId; bytes operatorDAInput; }';

/** The three calls through the validator timelock. */
export const SETTLEMENT_ABI = parseAbi([
  'function commitBatchesSharedBridge(address chain, uint256 from, uint256 to, bytes data)',
  'function proveBatchesSharedBridge(address chain, uint256 from, uint256 to, bytes data)',
  'function executeBatchesSharedBridge(address chain, uint256 from, uint256 to, bytes data)',
]);

/** Never called: their parameters are the encodings behind the version byte. */
const DATA_ABI = parseAbi([
  STORED_BATCH,
  COMMIT_BATCH,
  'function commitData(StoredBatchInfo previous, CommitBatchInfoZKsyncOS[] batches)',
  'function proveData(StoredBatchInfo previous, StoredBatchInfo[] batches, uint256[] proof)',
]);
const [COMMIT_DATA, PROVE_DATA] = [DATA_ABI[0].inputs, DATA_ABI[1].inputs];

const COMMIT_ENCODING = Uint8Array.of(2);
const PROVE_ENCODING = Uint8Array.of(1);

/** First word of a fake proof, and the magic value that its verifier asks for (spec: settlement 6). */
const FAKE_PROOF_TYPE = 3n;
const FAKE_PROOF_MAGIC = 13n;

export interface BatchToCommit {
  readonly previous: StoredBatchInfo;
  readonly info: CommitInfo;
  /** Of the batch's blocks, in order. */
  readonly pubdata: Bytes;
  readonly mode: 'rollup' | 'validium';
}

/** Of `commitBatchesSharedBridge`, one batch. */
export function commitData({ previous, info, pubdata, mode }: BatchToCommit): Bytes {
  const batch = {
    batchNumber: info.batchNumber,
    newStateCommitment: toHex(info.newStateCommitment),
    numberOfLayer1Txs: info.numberOfLayer1Txs,
    priorityOperationsHash: toHex(info.priorityOperationsHash),
    dependencyRootsRollingHash: toHex(info.dependencyRootsRollingHash),
    l2LogsTreeRoot: toHex(info.l2ToL1LogsRootHash),
    l2DaValidator: toHex(info.l2DaValidator),
    daCommitment: toHex(info.daCommitment),
    firstBlockTimestamp: info.firstBlockTimestamp,
    lastBlockTimestamp: info.lastBlockTimestamp,
    chainId: info.chainId,
    operatorDAInput: toHex(operatorDaInput(pubdata, mode)),
  };
  return concatBytes(COMMIT_ENCODING, fromHex(encodeAbiParameters(COMMIT_DATA, [storedAbi(previous), [batch]])));
}

/** Of `proveBatchesSharedBridge`. */
export function proveData(
  previous: StoredBatchInfo,
  batches: readonly StoredBatchInfo[],
  proof: readonly bigint[],
): Bytes {
  return concatBytes(
    PROVE_ENCODING,
    fromHex(encodeAbiParameters(PROVE_DATA, [storedAbi(previous), batches.map(storedAbi), [...proof]])),
  );
}

/** Of a range of batches that follows `previous`, which has at least one (spec: settlement 6). */
export function snarkPublicInput(previous: StoredBatchInfo, batches: readonly StoredBatchInfo[]): Bytes {
  let before = previous.stateCommitment;
  let folded: Bytes | undefined;
  for (const batch of batches) {
    const input = shifted(batchPublicInput(before, batch));
    folded = folded === undefined ? input : shifted(keccak256(concatBytes(folded, input)));
    before = batch.stateCommitment;
  }
  if (folded === undefined) throw new RangeError('a proof covers at least one batch');
  return folded;
}

/** Words of a fake proof; taken only where L1 allows fakes. */
export function fakeProof(publicInput: Bytes): readonly bigint[] {
  return [FAKE_PROOF_TYPE, 0n, FAKE_PROOF_MAGIC, BigInt(toHex(publicInput))];
}

/** By four bytes to the right. */
function shifted(input: Bytes): Bytes {
  return concatBytes(new Uint8Array(4), input.subarray(0, 28));
}

function storedAbi(batch: StoredBatchInfo) {
  return {
    batchNumber: batch.batchNumber,
    batchHash: toHex(batch.stateCommitment),
    indexRepeatedStorageChanges: 0n,
    numberOfLayer1Txs: batch.numberOfLayer1Txs,
    priorityOperationsHash: toHex(batch.priorityOperationsHash),
    dependencyRootsRollingHash: toHex(batch.dependencyRootsRollingHash),
    l2LogsTreeRoot: toHex(batch.l2ToL1LogsRootHash),
    timestamp: 0n,
    commitment: toHex(batch.commitment),
  };
}
