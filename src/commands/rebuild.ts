/** `reprise rebuild <name>`: deletes what is derived and derives it again, with progress. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Config } from '../common/config.ts';
import { silentLogger } from '../common/logger.ts';
import { openLog } from '../log/openLog.ts';
import { NO_L1_SOURCE } from '../producers/l1Source.ts';
import { enabledProjections } from '../projections/index.ts';
import { rebuildProjection } from '../projections/rebuild.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { Chain } from '../workers/chain.ts';
import { chainSettings, chainStorePath } from '../workers/chainSettings.ts';
import { createRecovery } from '../workers/recovery.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, openChain, print, progressOf, projectionOf, runnerOptions } from './offline.ts';
import { nodeVersion } from './version.ts';

export async function rebuild(options: GlobalOptions & { readonly json: boolean }, name: string): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const names = name === 'all' ? ['state', ...enabledProjections(config).map((projection) => projection.name)] : [name];
  for (const each of names) if (each !== 'state') projectionOf(each);
  for (const each of names) {
    if (signal.aborted) return 1;
    const height =
      each === 'state'
        ? await rebuildState(config, options.json, signal)
        : await rebuildOne(config, each, options.json, signal);
    print(options.json, { rebuilt: each, height }, `${each} rebuilt up to block ${height}`);
  }
  return signal.aborted ? 1 : 0;
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

/** State and journal: executes the whole log again, without leading. */
async function rebuildState(config: Config, json: boolean, signal: AbortSignal): Promise<number> {
  const log = await openLog(config);
  const end = await log.end();
  await rm(dirname(chainStorePath(config)), { recursive: true, force: true });
  const progress = progressOf('rebuilding state', 'entries', json);
  const recovery = createRecovery({ workerCount: 2 });
  const done = Promise.withResolvers<void>();
  const chain = await Chain.open(
    {
      ...chainSettings(config, { nodeId: new Uint8Array(16), bootId: new Uint8Array(randomBytes(16)), nodeVersion }),
      mayLead: false,
    },
    {
      log,
      store: await openRocksStore(chainStorePath(config)),
      l1Source: NO_L1_SOURCE,
      genesis: undefined,
      recoverSenders: async (raws) =>
        (await Promise.all(raws.map((raw) => recovery.recover(raw)))).map(({ sender }) => sender),
      logger: silentLogger,
      events: {
        accepted: () => undefined,
        genesis: () => undefined,
        settlement: () => undefined,
        pending: () => undefined,
        batchSent: () => undefined,
        opened: () => undefined,
        entryRead: ({ position }) => progress.update(position + 1, end),
        executed: () => undefined,
        claim: () => undefined,
        append: () => undefined,
        leading: () => undefined,
        caughtUp: () => done.resolve(),
        fatal: (error) => done.reject(error),
      },
    },
  );
  signal.addEventListener('abort', () => done.resolve(), { once: true });
  try {
    chain.start();
    await done.promise;
    return chain.status().height;
  } finally {
    progress.stop();
    await chain.stop(0);
    await recovery.close();
  }
}
