/** Thread of the projections that share one: all that the node needs but the state tree. */
import { enabledProjections, isOptional, merkleTree } from '../projections/index.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections({
  chosen: (config) =>
    enabledProjections(config).filter((projection) => projection !== merkleTree && !isOptional(projection)),
});
