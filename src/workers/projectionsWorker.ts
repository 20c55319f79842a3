/** Thread of the projections that share one: all but the state tree and analytics. */
import { analytics, enabledProjections, merkleTree } from '../projections/index.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections({
  chosen: (config) =>
    enabledProjections(config).filter((projection) => projection !== merkleTree && projection !== analytics),
});
