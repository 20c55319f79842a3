/** The list: adding a projection is one file and one line here. */
import { addresses } from './addresses.ts';
import { analytics } from './analytics.ts';
import { batches } from './batches.ts';
import { merkleTree } from './merkleTree.ts';
import { priorityTree } from './priorityTree.ts';
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { addresses, analytics, batches, merkleTree, priorityTree, repositories };

/** Those in RocksDB. */
export const projections: readonly Projection<unknown>[] = [repositories, merkleTree, batches, priorityTree, addresses];

export const allProjections: readonly Projection<unknown>[] = [...projections, analytics];

/** Nothing waits for these: neither blocks nor `latest` nor readiness. They may be behind, away or broken. */
const optionalProjections: readonly Projection<unknown>[] = [addresses, analytics];

/** Those that a node with these switches keeps. */
export function enabledProjections(switches: {
  readonly projectionMerkleTreeEnabled: boolean;
  readonly projectionBatchesEnabled: boolean;
  readonly projectionPriorityTreeEnabled: boolean;
  readonly projectionAddressesEnabled: boolean;
  readonly analyticsEnabled: boolean;
}): readonly Projection<unknown>[] {
  const disabled = new Set<Projection<unknown>>();
  if (!switches.projectionMerkleTreeEnabled) disabled.add(merkleTree);
  if (!switches.projectionBatchesEnabled) disabled.add(batches);
  if (!switches.projectionPriorityTreeEnabled) disabled.add(priorityTree);
  if (!switches.projectionAddressesEnabled) disabled.add(addresses);
  if (!switches.analyticsEnabled) disabled.add(analytics);
  return allProjections.filter((each) => !disabled.has(each));
}

/** Not in RocksDB. */
export function isInClickHouse(projection: Projection<unknown>): boolean {
  return projection === analytics;
}

export function isOptional(projection: Projection<unknown>): boolean {
  return optionalProjections.includes(projection);
}
