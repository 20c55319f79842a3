/** `reprise status`: what the running node says of itself; without one, what its stores say. */
import { existsSync } from 'node:fs';
import type { Config } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { decodeCheckpoint } from '../log/logIdentity.ts';
import { openLog } from '../log/openLog.ts';
import { readCheckpoint } from '../projections/checkpoint.ts';
import { enabledProjections, isInClickHouse } from '../projections/index.ts';
import { projectionDirectory } from '../projections/projectionRunner.ts';
import { storedCheckpoint } from '../store/chainStore.ts';
import { chainStorePath } from '../workers/chainSettings.ts';
import { askStatus, statusUrl } from './askStatus.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { openStoppedStore, print } from './offline.ts';
import { statusTable } from './statusTable.ts';

/** Exit code 75 when no node runs, also when its stores can be read. */
export async function status(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const { config } = configure(options);
  const url = statusUrl(config);
  let running: Record<string, unknown>;
  try {
    running = await askStatus(url);
  } catch (error) {
    const unreachable = new NodeError(
      'retryable',
      `no node answers at ${url}: ${errorText(error)}. Is it running, with this status_server_address?`,
      { code: 'NODE_UNREACHABLE', url },
      { cause: error },
    );
    if (!existsSync(chainStorePath(config))) throw unreachable;
    const stored = await storedStatus(config, unreachable);
    print(options.json, stored, `${unreachable.message} Its data says:\n${statusTable(stored)}`);
    return 75;
  }
  print(options.json, running, statusTable(running));
  return 0;
}

/** Heights and positions of a stopped node. @throws the given error when another process has the data open */
async function storedStatus(config: Config, unreachable: NodeError): Promise<Record<string, unknown>> {
  const chain = await openStoppedStore(chainStorePath(config)).catch((error: unknown) => {
    if (error instanceof NodeError && error.code === 'NODE_RUNS') throw unreachable;
    throw error;
  });
  try {
    const bytes = await storedCheckpoint(chain);
    const checkpoint = bytes === undefined ? undefined : decodeCheckpoint(bytes);
    return {
      running: false,
      role: config.nodeRole,
      data: config.generalRocksDbPath,
      height: checkpoint?.fold.height,
      epoch: checkpoint?.fold.epoch,
      logPosition: checkpoint?.position,
      ...(config.kafkaBrokers === undefined && { logEnd: await endOfLog(config) }),
      projections: await storedHeights(config),
      ...(checkpoint && { batches: checkpoint.settlement }),
    };
  } finally {
    await chain.close();
  }
}

async function endOfLog(config: Config): Promise<number | string> {
  try {
    const log = await openLog(config, { readOnly: true });
    const end = await log.end();
    await log.close();
    return end;
  } catch (error) {
    return errorText(error);
  }
}

async function storedHeights(config: Config): Promise<Record<string, { height: number }>> {
  const heights: Record<string, { height: number }> = {};
  for (const projection of enabledProjections(config)) {
    if (isInClickHouse(projection)) continue; // in ClickHouse
    const path = projectionDirectory(config.generalRocksDbPath, projection);
    if (!existsSync(path)) {
      heights[projection.name] = { height: -1 };
      continue;
    }
    const store = await openStoppedStore(path);
    heights[projection.name] = { height: (await readCheckpoint(store))?.height ?? -1 };
    await store.close();
  }
  return heights;
}
