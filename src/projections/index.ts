/** The list: adding a projection is one file and one line here. */
import type { Projection } from './projection.ts';
import { repositories } from './repositories.ts';

export { repositories };

export const projections: readonly Projection<unknown>[] = [repositories];
