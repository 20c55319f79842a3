/** What commands on a stopped node share: opening its stores, its journal without a thread port, and progress. */
import { systemClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { type Progress, createProgress } from '../common/progress.ts';
import { allProjections, analytics } from '../projections/index.ts';
import type { Journal, Projection } from '../projections/projection.ts';
import type { EventLog } from '../log/eventLog.ts';
import { systemDirectories } from '../projections/projectionDirectories.ts';
import type { RunnerOptions } from '../projections/projectionRunner.ts';
import { genesisContext } from '../protocol/genesis.ts';
import { ChainStore } from '../store/chainStore.ts';
import { decodeJournalEntry } from '../store/journalCodec.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { decodeCheckpoint } from '../log/logIdentity.ts';
import { analyticsLimits, analyticsStoreOpener, analyticsStoreRemover } from '../workers/analyticsServer.ts';
import { chainStorePath } from '../workers/chainSettings.ts';
import { existsSync } from 'node:fs';

export { print } from './print.ts';

export interface OpenChain {
  readonly chain: ChainStore;
  readonly store: KeyValueStore;
}

/** @throws NodeError NO_DATA when the folder holds no chain; NODE_RUNS (try again) while the node has it open */
export async function openChain(config: Config): Promise<OpenChain> {
  const path = chainStorePath(config);
  if (!existsSync(path)) throw noData(path);
  const store = await openStoppedStore(path);
  try {
    return { store, chain: await ChainStore.open(store, genesisContext) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @param what of the node: `with analytics ` */
export function noData(path: string, what = ''): NodeError {
  return new NodeError(
    'fatal',
    `${path} does not exist: no node has run ${what}with this data folder (general_rocks_db_path). The data of \`npm start\` is found with --profile development`,
    { code: 'NO_DATA', path },
  );
}

/** The log of a topic can be read without any data. @throws NodeError NO_DATA */
export function requireDataFolder({ kafkaBrokers, generalRocksDbPath }: Config): void {
  if (kafkaBrokers === undefined && !existsSync(generalRocksDbPath)) throw noData(generalRocksDbPath);
}

/** A store of a node that must not run. @throws NodeError NODE_RUNS, which is worth another try; as openRocksStore */
export async function openStoppedStore(path: string): Promise<KeyValueStore> {
  try {
    return await openRocksStore(path);
  } catch (error) {
    if (!(error instanceof NodeError) || error.code !== 'STORE_LOCKED') throw error;
    throw new NodeError(
      'retryable',
      `the node that keeps ${path} is running: stop it first, then try again`,
      { code: 'NODE_RUNS', path },
      { cause: error },
    );
  }
}

/** @throws NodeError LOG_EMPTY when the log has no entry to begin with */
export async function requireEntries(log: Pick<EventLog, 'end'>): Promise<void> {
  if ((await log.end()) > 0) return;
  throw new NodeError('fatal', 'the log is empty: there is nothing to build from, and nothing was changed', {
    code: 'LOG_EMPTY',
  });
}

/** The journal of an open chain store that nobody appends to. */
export function storedJournal(chain: ChainStore): Journal {
  return {
    get end() {
      return chain.journalEnd;
    },
    logId() {
      if (chain.checkpoint === undefined)
        return Promise.reject(
          new NodeError('fatal', 'the chain store is empty: start the node first', { code: 'NO_DATA' }),
        );
      return Promise.resolve(decodeCheckpoint(chain.checkpoint).logId);
    },
    async read(fromIndex, limit, maxBytes) {
      return (await chain.readJournal(fromIndex, limit, maxBytes)).map((bytes) => decodeJournalEntry(bytes));
    },
    whenBeyond(index) {
      if (chain.journalEnd > index) return Promise.resolve();
      return Promise.reject(
        new NodeError('fatal', `the journal ends at ${chain.journalEnd}, entry ${index} is not in it`, {
          code: 'JOURNAL_ENDS',
        }),
      );
    },
  };
}

export function projectionOf(name: string): Projection<unknown> {
  const known = allProjections;
  const found = known.find((projection) => projection.name === name);
  if (found === undefined) {
    const names = ['state', ...known.map((projection) => projection.name), 'all'].join(', ');
    throw new NodeError('fatal', `there is no projection ${name}: choose one of ${names}`, {
      code: 'PROJECTION_UNKNOWN',
    });
  }
  return found;
}

export function progressOf(label: string, unit: string, json: boolean): Progress {
  return createProgress({ label, unit, output: process.stderr, format: json ? 'json' : 'human' });
}

export function runnerOptions(
  config: Config,
  chain: ChainStore,
  projection: Projection<unknown>,
  progress: Progress,
): RunnerOptions<unknown> {
  return {
    projection,
    journal: storedJournal(chain),
    dataDirectory: config.generalRocksDbPath,
    ...storeOf(config, projection),
    clock: systemClock,
    events: {
      progress: ({ done, total }) => progress.update(done, total),
      error: (error) => process.stderr.write(`reprise: ${error.message}\n`),
    },
  };
}

function storeOf(
  config: Config,
  projection: Projection<unknown>,
): Pick<RunnerOptions<unknown>, 'openStore' | 'directories' | 'limits'> {
  if (projection !== analytics) return { openStore: openRocksStore };
  // Everything is there already: nothing to gather.
  return {
    openStore: analyticsStoreOpener(config),
    directories: { ...systemDirectories, remove: analyticsStoreRemover(config) },
    limits: { ...analyticsLimits(config), gatherMs: 0 },
  };
}

/** A signal of Ctrl-C for commands; a second one ends the process. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}
