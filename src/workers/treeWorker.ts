/** Thread of the state tree alone: it hashes all the time (design.md 4). */
import { merkleTree } from '../projections/index.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections({ chosen: () => [merkleTree] });
