/** `reprise rebuild <names>`: deletes what is derived and derives it again, with progress. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { openLog } from '../log/openLog.ts';
import { enabledProjections } from '../projections/index.ts';
import { rebuildProjection } from '../projections/rebuild.ts';
import { chainStorePath } from '../workers/chainSettings.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { fillChainStore } from './fillChainStore.ts';
import {
  interruption,
  openChain,
  openStoppedStore,
  print,
  progressOf,
  projectionOf,
  requireDataFolder,
  requireEntries,
  runnerOptions,
} from './offline.ts';

/** @param chosen `state`, projections, or `all` */
export async function rebuild(
  options: GlobalOptions & { readonly json: boolean },
  chosen: readonly string[],
): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const names = namesOf(config, chosen);
  for (const each of names) {
    const height =
      each === 'state'
        ? await rebuildState(config, options.json, signal)
        : await rebuildOne(config, each, options.json, signal);
    if (signal.aborted)
      throw new NodeError(
        'retryable',
        `interrupted: ${each} is rebuilt in part, up to block ${height}; the next start goes on with it`,
        {
          code: 'INTERRUPTED',
        },
      );
    print(options.json, { rebuilt: each, height }, `${each} rebuilt up to block ${height}`);
  }
  return 0;
}

/** The state before what is built from it. @throws NodeError PROJECTION_UNKNOWN */
function namesOf(config: Config, chosen: readonly string[]): string[] {
  const wanted = new Set(chosen);
  const known = ['state', ...enabledProjections(config).map(({ name }) => name)];
  if (wanted.has('all')) return known;
  for (const name of wanted) if (name !== 'state') projectionOf(name);
  return [...known.filter((name) => wanted.has(name)), ...[...wanted].filter((name) => !known.includes(name))];
}

async function rebuildOne(config: Config, name: string, json: boolean, signal: AbortSignal): Promise<number> {
  const progress = progressOf(`rebuilding ${name}`, 'entries', json);
  const { chain } = await openChain(config);
  try {
    await rebuildProjection(runnerOptions(config, chain, projectionOf(name), progress), signal);
    return chain.head?.height ?? -1;
  } finally {
    progress.stop();
    await chain.close();
  }
}

/** State and journal: executes the whole log again, without leading. Nothing is deleted while the node runs or the log is empty. */
async function rebuildState(config: Config, json: boolean, signal: AbortSignal): Promise<number> {
  requireDataFolder(config);
  const log = await openLog(config, { readOnly: true });
  const path = chainStorePath(config);
  const progress = progressOf('rebuilding state', 'entries', json);
  try {
    await requireEntries(log);
    if (existsSync(path)) await (await openStoppedStore(path)).close();
    await rm(dirname(path), { recursive: true, force: true });
    return await fillChainStore({ config, log, path, signal, progress: (done, end) => progress.update(done, end) });
  } finally {
    progress.stop();
    await log.close();
  }
}
