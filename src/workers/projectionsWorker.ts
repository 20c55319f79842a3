/** Thread of the projections that share one: all but the state tree. */
import { enabledProjections, merkleTree } from '../projections/index.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections((config) => enabledProjections(config).filter((projection) => projection !== merkleTree));
