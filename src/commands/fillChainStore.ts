/** Fills a chain store from the log without leading: every accepted block is executed (`reprise rebuild state`, `reprise verify`). */
import { randomBytes } from 'node:crypto';
import type { Config } from '../common/config.ts';
import { silentLogger } from '../common/logger.ts';
import type { EventLog } from '../log/eventLog.ts';
import { NO_L1_SOURCE } from '../producers/l1Source.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { Chain } from '../workers/chain.ts';
import { chainSettings } from '../workers/chainSettings.ts';
import { createRecovery } from '../workers/recovery.ts';
import { nodeVersion } from './version.ts';

const RECOVERY_WORKERS = 2;

export interface FillOptions {
  readonly config: Config;
  /** Read to its end, then closed. */
  readonly log: EventLog;
  /** Folder of the store; what it holds already is not read again. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
}

/** Height of the store then. What stops a node that follows the log is thrown here too; with the signal it ends early. */
export async function fillChainStore({ config, log, path, signal, progress }: FillOptions): Promise<number> {
  const end = await log.end();
  const recovery = createRecovery({ workerCount: RECOVERY_WORKERS });
  const done = Promise.withResolvers<void>();
  try {
    const chain = await Chain.open(
      {
        ...chainSettings(config, { nodeId: new Uint8Array(16), bootId: new Uint8Array(randomBytes(16)), nodeVersion }),
        mayLead: false,
      },
      {
        log,
        store: await openRocksStore(path),
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
          entryRead: ({ position }) => progress(position + 1, end),
          executed: () => undefined,
          claim: () => undefined,
          append: () => undefined,
          leading: () => undefined,
          caughtUp: () => done.resolve(),
          fatal: (error) => done.reject(error),
        },
      },
    );
    const stop = (): void => done.resolve();
    signal.addEventListener('abort', stop, { once: true });
    try {
      chain.start();
      if (!signal.aborted) await done.promise;
      return chain.status().height;
    } finally {
      signal.removeEventListener('abort', stop);
      await chain.stop(0);
    }
  } finally {
    await recovery.close();
  }
}
