/** The list: adding a projection is one file and one line here. */
import { merkleTree } from './merkleTree.ts';
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { merkleTree, repositories };

export const projections: readonly Projection<unknown>[] = [repositories, merkleTree];

/** Those that a node with these switches keeps. */
export function enabledProjections(switches: {
  readonly projectionMerkleTreeEnabled: boolean;
}): readonly Projection<unknown>[] {
  return switches.projectionMerkleTreeEnabled ? projections : projections.filter((each) => each !== merkleTree);
}
