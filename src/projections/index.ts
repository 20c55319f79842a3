/** The list: adding a projection is one file and one line here. */
import { analytics } from './analytics.ts';
import { batches } from './batches.ts';
import { merkleTree } from './merkleTree.ts';
import { priorityTree } from './priorityTree.ts';
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { analytics, batches, merkleTree, priorityTree, repositories };

export const projections: readonly Projection<unknown>[] = [repositories, merkleTree, batches, priorityTree, analytics];

/** Those that a node with these switches keeps. */
export function enabledProjections(switches: {
  readonly projectionMerkleTreeEnabled: boolean;
  readonly projectionBatchesEnabled: boolean;
  readonly projectionPriorityTreeEnabled: boolean;
  readonly analyticsEnabled: boolean;
}): readonly Projection<unknown>[] {
  const disabled = new Set<Projection<unknown>>();
  if (!switches.projectionMerkleTreeEnabled) disabled.add(merkleTree);
  if (!switches.projectionBatchesEnabled) disabled.add(batches);
  if (!switches.projectionPriorityTreeEnabled) disabled.add(priorityTree);
  if (!switches.analyticsEnabled) disabled.add(analytics);
  return projections.filter((each) => !disabled.has(each));
}

/** Nothing waits for it: neither blocks nor RPC nor readiness. It may be behind, away or broken. */
export function isOptional(projection: Pick<Projection<unknown>, 'name'>): boolean {
  return projection.name === analytics.name;
}
