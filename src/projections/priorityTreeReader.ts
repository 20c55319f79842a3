/** What the execute sender asks of the priority tree. */
import type { RangeProof } from '../protocol/priorityTree.ts';

/** Against the tree of exactly the operations of batches 1 to the proved one (spec: priority-tree 3). */
export interface BatchPriorityProof {
  /** Of the first operation of the batch; of the next one if the batch has none. */
  readonly firstId: number;
  readonly count: number;
  /** All lists are empty when the batch has no operation. */
  readonly proof: RangeProof;
}

export interface PriorityTreeStatus {
  /** Operations in accepted blocks. */
  readonly operations: number;
  /** Of them in sealed batches. */
  readonly sealed: number;
  /** Of them executed on L1: their leaves are gone. */
  readonly executed: number;
}

export interface PriorityTreeReader {
  /** undefined: the batch is not sealed, or executed on L1 already. */
  batchProof(batch: number): Promise<BatchPriorityProof | undefined>;
  status(): Promise<PriorityTreeStatus>;
}
