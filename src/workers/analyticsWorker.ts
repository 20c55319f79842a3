/** Thread of the analytics projection: it makes many rows of a block, and what it writes to may be slow or away. */
import { analytics } from '../projections/index.ts';
import { analyticsLimits, analyticsStoreOpener } from './analyticsServer.ts';
import { hostProjections } from './projectionHost.ts';

// Not awaited: see chainWorker.ts.
void hostProjections({
  chosen: () => [analytics],
  openStore: (config, tell) => analyticsStoreOpener(config, { onInsert: (inserted) => tell('inserted', inserted) }),
  limits: analyticsLimits,
});
