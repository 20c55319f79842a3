/** The list: adding a projection is one file and one line here. */
import { batches } from './batches.ts';
import { merkleTree } from './merkleTree.ts';
import { priorityTree } from './priorityTree.ts';
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { batches, merkleTree, priorityTree, repositories };

export const projections: readonly Projection<unknown>[] = [repositories, merkleTree, batches, priorityTree];

/** Those that a node with these switches keeps. */
export function enabledProjections(switches: {
  readonly projectionMerkleTreeEnabled: boolean;
  readonly projectionBatchesEnabled: boolean;
  readonly projectionPriorityTreeEnabled: boolean;
}): readonly Projection<unknown>[] {
  const disabled = new Set<Projection<unknown>>();
  if (!switches.projectionMerkleTreeEnabled) disabled.add(merkleTree);
  if (!switches.projectionBatchesEnabled) disabled.add(batches);
  if (!switches.projectionPriorityTreeEnabled) disabled.add(priorityTree);
  return projections.filter((each) => !disabled.has(each));
}
