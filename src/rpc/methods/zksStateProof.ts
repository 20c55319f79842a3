/** `zks_getProof` (spec: rpc 11.2): slots against the state commitment of an executed batch, which L1 holds. */
import { type Bytes, toHex } from '../../common/bytes.ts';
import { assert } from '../../common/errors.ts';
import type { KeyProof } from '../../projections/merkleTreeReader.ts';
import { storedBatchInfo } from '../../protocol/batch.ts';
import { nextBlockHashes } from '../../protocol/blockHeader.ts';
import { blockHashesDigest } from '../../protocol/genesis.ts';
import { flatKey } from '../../protocol/stateKey.ts';
import type { LeafProof } from '../../protocol/stateTree.ts';
import type { RpcBackend } from '../backend.ts';
import { quantity } from '../encoding.ts';
import { RPC_CODE, RpcError, invalidParams } from '../errors.ts';
import type { MethodHandler } from '../method.ts';
import { argumentName, parseAddress, parseArray, parseIndex, parseStorageKey, required } from '../validation.ts';

const KEYS_MAX = 1_024;
/** Numbers beyond cannot be stored. */
const BATCH_MAX = 2 ** 48 - 1;

export function stateProofMethod(backend: RpcBackend): MethodHandler {
  return async (params) => {
    const address = parseAddress(required(params, 0), argumentName(0));
    const slots = parseArray(required(params, 1), argumentName(1), KEYS_MAX, parseStorageKey);
    const batch = Number(parseIndex(required(params, 2), argumentName(2)));
    const { batches, merkleTree } = backend;
    if (batches === undefined || merkleTree === undefined)
      throw new RpcError(
        RPC_CODE.serverError,
        'this node keeps no batches or no state tree (projection_batches_enabled, projection_merkle_tree_enabled)',
      );
    if (batch === 0) throw invalidParams(`invalid ${argumentName(2)}: batch 0 is genesis, which has no proof`);
    const sealed = batch > BATCH_MAX ? undefined : await batches.batch(batch);
    if (sealed === undefined) throw new RpcError(RPC_CODE.notFound, `L1 batch ${batch} not found`);
    if (batch > backend.executedBatch())
      throw new RpcError(RPC_CODE.serverError, `L1 batch ${batch} has not been executed yet`);
    const { lastBlock, commitInfo } = sealed;
    const [proofs, block, context] = await Promise.all([
      merkleTree.proof(
        slots.map((slot) => flatKey(address, slot)),
        lastBlock,
      ),
      backend.repositories.blockByNumber(lastBlock),
      backend.blockContext(lastBlock),
    ]);
    if (proofs === undefined || block === undefined || context === undefined)
      throw new RpcError(RPC_CODE.notFound, `block ${lastBlock} of L1 batch ${batch} is not readable yet`);
    const blockHashes = nextBlockHashes(context.blockHashes, block.hash);
    const { commitment } = storedBatchInfo(commitInfo);
    return {
      address: toHex(address),
      stateCommitmentPreimage: {
        nextFreeSlot: quantity(proofs.leafCount),
        blockNumber: quantity(lastBlock),
        last256BlockHashesBlake: toHex(blockHashesDigest(blockHashes)),
        lastBlockTimestamp: quantity(context.timestamp),
      },
      storageProofs: slots.map((slot, i) => {
        const proof = proofs.proofs[i];
        assert(proof !== undefined, 'a proof is missing');
        return { key: toHex(slot), proof: keyProofObject(proof) };
      }),
      l1VerificationData: {
        batchNumber: quantity(batch),
        numberOfLayer1Txs: quantity(commitInfo.numberOfLayer1Txs),
        priorityOperationsHash: toHex(commitInfo.priorityOperationsHash),
        dependencyRootsRollingHash: toHex(commitInfo.dependencyRootsRollingHash),
        l2ToL1LogsRootHash: toHex(commitInfo.l2ToL1LogsRootHash),
        commitment: toHex(commitment),
      },
    };
  };
}

function keyProofObject(proof: KeyProof): object {
  if (proof.kind === 'present') {
    const { index, value, nextIndex, siblings } = leafObject(proof.leaf);
    return { type: 'existing', index, value, nextIndex, siblings };
  }
  return {
    type: 'nonExisting',
    leftNeighbor: leafObject(proof.predecessor),
    rightNeighbor: leafObject(proof.successor),
  };
}

function leafObject({ index, leaf, siblings }: LeafProof) {
  return {
    index: quantity(index),
    leafKey: toHex(leaf.key),
    value: toHex(leaf.value),
    nextIndex: quantity(leaf.next),
    siblings: siblings.map((hash: Bytes) => toHex(hash)),
  };
}
