/** From the configuration to where the analytics projection lies: a server's database, or a folder of its own. */
import { rm } from 'node:fs/promises';
import type { Config } from '../common/config.ts';
import { analytics } from '../projections/analytics.ts';
import { type AnalyticsStoreOptions, dropAnalytics, openAnalyticsStore } from '../projections/analyticsStore.ts';
import { type ClickHouseServer, clickHouseServerAt } from '../projections/clickHouse.ts';
import { projectionDirectory, type RunnerLimits } from '../projections/projectionRunner.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { configuredChainId } from './chainSettings.ts';
import { EmbeddedClickHouse } from './embeddedClickHouse.ts';

export type AnalyticsConfig = Pick<
  Config,
  | 'clickhouseBatchRows'
  | 'clickhouseDatabase'
  | 'clickhouseFlushIntervalMs'
  | 'clickhousePassword'
  | 'clickhouseUrl'
  | 'clickhouseUsername'
  | 'generalRocksDbPath'
  | 'genesisChainId'
>;

const RUN_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 2 * 1024 * 1024;

export function analyticsPath(config: Pick<Config, 'generalRocksDbPath'>): string {
  return projectionDirectory(config.generalRocksDbPath, analytics);
}

export function analyticsDatabase(config: AnalyticsConfig): string {
  return config.clickhouseDatabase ?? `zkos_${configuredChainId(config)}`;
}

/** `path`: folder of the projection. */
export function analyticsServer(config: AnalyticsConfig, path: string): ClickHouseServer {
  const { clickhouseUrl, clickhouseUsername, clickhousePassword } = config;
  if (clickhouseUrl === undefined) return new EmbeddedClickHouse(path);
  return clickHouseServerAt({
    url: clickhouseUrl,
    username: clickhouseUsername,
    password: clickhousePassword?.reveal() ?? '',
  });
}

/** A folder beside the live one, as `verify` uses, is a database beside it on a server. */
function databaseOf(config: AnalyticsConfig, path: string): string {
  const name = analyticsDatabase(config);
  return path === analyticsPath(config) ? name : `${name}_verify`;
}

/** How the runner opens the store of this projection. */
export function analyticsStoreOpener(
  config: AnalyticsConfig,
  events: Pick<AnalyticsStoreOptions, 'onInsert'> = {},
): (path: string) => Promise<KeyValueStore> {
  return (path) =>
    openAnalyticsStore({
      server: analyticsServer(config, path),
      database: databaseOf(config, path),
      projectionVersion: analytics.version,
      ...events,
    });
}

/** How a rebuild deletes it. */
export function analyticsStoreRemover(config: AnalyticsConfig): (path: string) => Promise<void> {
  return async (path) => {
    if (config.clickhouseUrl !== undefined)
      await dropAnalytics(analyticsServer(config, path), databaseOf(config, path));
    await rm(path, { recursive: true, force: true });
  };
}

/** Rows of one insert, and how long the first of them waits for others. */
export function analyticsLimits(config: AnalyticsConfig): Partial<RunnerLimits> {
  return {
    runBytes: RUN_BYTES,
    readBytes: READ_BYTES,
    runWrites: config.clickhouseBatchRows,
    gatherMs: config.clickhouseFlushIntervalMs,
  };
}
