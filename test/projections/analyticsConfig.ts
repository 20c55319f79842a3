import type { AnalyticsConfig } from '../../src/workers/analyticsServer.ts';

/** The embedded engine in this data folder. */
export function anAnalyticsConfig(dataDirectory: string, changes: Partial<AnalyticsConfig> = {}): AnalyticsConfig {
  return {
    generalRocksDbPath: dataDirectory,
    genesisChainId: 270n,
    clickhouseUrl: undefined,
    clickhouseDatabase: undefined,
    clickhouseUsername: 'default',
    clickhousePassword: undefined,
    clickhouseBatchRows: 10_000,
    clickhouseFlushIntervalMs: 1_000,
    ...changes,
  };
}
