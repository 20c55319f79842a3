/** What a batch of accepted blocks commits to, from the journal and the state tree (spec: batches 5, 6). */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { inTurns } from '../common/turns.ts';
import { type BatchBlock, type BatchCommitment, batchBlock, batchCommitmentSteps } from '../protocol/batch.ts';
import type { ChainStore } from './chainStore.ts';

export interface BatchRange {
  readonly batch: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
}

export interface BatchAssemblyOptions {
  readonly chain: Pick<ChainStore, 'block' | 'blockHashesBefore'>;
  readonly chainId: bigint;
  /** Root and leaf count after a block; waits until the tree has it. */
  readonly treeAfter: (
    block: number,
    signal: AbortSignal,
  ) => Promise<{ readonly root: Bytes; readonly leafCount: number }>;
}

export class BatchAssembly {
  readonly #options: BatchAssemblyOptions;

  constructor(options: BatchAssemblyOptions) {
    this.#options = options;
  }

  /** Throws BATCH_BLOCK_MISSING. */
  async block(height: number): Promise<BatchBlock> {
    const block = await this.#options.chain.block(height);
    if (block === undefined)
      throw new NodeError('invariant', `block ${height} is accepted but not in the chain store`, {
        code: 'BATCH_BLOCK_MISSING',
        blockNumber: height,
      });
    return batchBlock(block.record, block.output);
  }

  /** Of accepted blocks. Throws what `batchCommitment` throws; rejects when the signal fires. */
  async commitment(range: BatchRange, chainAddress: Bytes, signal: AbortSignal): Promise<BatchCommitment> {
    const { chain, chainId, treeAfter } = this.#options;
    const blocks: BatchBlock[] = [];
    for (let height = range.firstBlock; height <= range.lastBlock; height++) {
      signal.throwIfAborted();
      blocks.push(await this.block(height));
    }
    const tree = await treeAfter(range.lastBlock, signal);
    const blockHashes = await chain.blockHashesBefore(range.lastBlock + 1);
    const steps = batchCommitmentSteps({
      batchNumber: BigInt(range.batch),
      blocks,
      lastBlockNumber: BigInt(range.lastBlock),
      tree,
      blockHashes,
      chainId,
      chainAddress,
    });
    return inTurns(steps, signal);
  }
}
