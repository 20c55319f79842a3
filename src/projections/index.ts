/** The list: adding a projection is one file and one line here. */
import { analytics } from './analytics.ts';
import { batches } from './batches.ts';
import { merkleTree } from './merkleTree.ts';
import { priorityTree } from './priorityTree.ts';
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { analytics, batches, merkleTree, priorityTree, repositories };

export const projections: readonly Projection<unknown>[] = [repositories, merkleTree, batches, priorityTree];

/** Nothing waits for these: neither blocks nor RPC nor readiness. They may be behind, away or broken; not in RocksDB. */
export const optionalProjections: readonly Projection<unknown>[] = [analytics];

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
  return [...projections, ...optionalProjections].filter((each) => !disabled.has(each));
}

export function isOptional(projection: Projection<unknown>): boolean {
  return optionalProjections.includes(projection);
}
