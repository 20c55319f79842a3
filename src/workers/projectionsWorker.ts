/** Thread of the projections that share one: all but the state tree and analytics. */
import { analytics, enabledProjections, merkleTree, repositories } from '../projections/index.ts';
import type { RepositoriesReader } from '../projections/repositoriesReader.ts';
import { hostProjections } from './projectionHost.ts';
import { servedRepositories } from './remoteRepositories.ts';

// Not awaited: see chainWorker.ts.
void hostProjections({
  chosen: (config) =>
    enabledProjections(config).filter((projection) => projection !== merkleTree && projection !== analytics),
  served: (projection, reader) =>
    projection === repositories ? servedRepositories(reader as RepositoriesReader) : (reader as object),
});
