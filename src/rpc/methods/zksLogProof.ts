/** `zks_getL2ToL1LogProof` (spec: rpc 11.1): what a withdrawal needs on L1, once its batch is executed there. */
import { type Bytes, toHex } from '../../common/bytes.ts';
import { assert } from '../../common/errors.ts';
import type { RpcBackend } from '../backend.ts';
import { RPC_CODE, RpcError } from '../errors.ts';
import type { MethodHandler } from '../method.ts';
import { argumentName, parseHash, parseIndex, required } from '../validation.ts';

/** Version 1, so many siblings, no proof of a chain that settles on another one, final. */
function metadataWord(siblings: number): Bytes {
  const word = new Uint8Array(32);
  word.set([1, siblings, 0, 1]);
  return word;
}

export function logProofMethod(backend: RpcBackend): MethodHandler {
  return async (params) => {
    const hash = parseHash(required(params, 0), argumentName(0));
    const index = Number(parseIndex(required(params, 1), argumentName(1)));
    const receipt = await backend.repositories.receiptByHash(hash);
    if (receipt === undefined || receipt.meta.blockNumber > backend.latest()) return undefined;
    const logCount = receipt.l2ToL1Logs.length;
    if (index >= logCount)
      throw new RpcError(
        RPC_CODE.invalidParams,
        `provided L2->L1 log index (${index}) does not exist; there are only ${logCount} L2->L1 logs in the transaction`,
      );
    const { batches } = backend;
    if (batches === undefined)
      throw new RpcError(RPC_CODE.serverError, 'this node keeps no batches (projection_batches_enabled)');
    const { blockNumber, transactionIndex } = receipt.meta;
    const sealed = await batches.batchOfBlock(blockNumber);
    if (sealed === undefined)
      throw new RpcError(RPC_CODE.serverError, 'transaction has not been included in an L1 batch yet');
    if (sealed.batch > backend.executedBatch())
      throw new RpcError(RPC_CODE.serverError, 'L1 batch containing the transaction has not been executed yet');
    const proof = await batches.logProof({ block: blockNumber, transactionIndex, logIndex: index });
    assert(proof !== undefined, `batch ${sealed.batch} does not hold the logs of ${toHex(hash)}`);
    return {
      batch_number: proof.batch,
      batchNumber: proof.batch,
      proof: [metadataWord(proof.path.length), ...proof.path].map((word) => toHex(word)),
      id: proof.id,
      root: toHex(proof.root),
    };
  };
}
