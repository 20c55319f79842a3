/** Thread of the projections that share one: all but the state tree. */
import { merkleTree, projections } from '../projections/index.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections(projections.filter((projection) => projection !== merkleTree));
