/** A thread that holds projections: each follows the journal of the chain worker and tells the main thread how far it is. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../common/clock.ts';
import { type Config, importConfig } from '../common/config.ts';
import { NodeError, assert } from '../common/errors.ts';
import type { Projection, ProjectionState } from '../projections/projection.ts';
import { type AppliedRun, type Progress, ProjectionRunner } from '../projections/projectionRunner.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { type JournalService, RemoteJournal } from './remoteJournal.ts';
import { ThreadPort } from './threadPort.ts';
import type { ProjectionsWorkerData } from './workerData.ts';

/** What this thread tells the main one, by event name. */
export interface ProjectionsEvents {
  applied: AppliedRun & { readonly projection: string };
  state: { readonly projection: string; readonly state: ProjectionState; readonly height: number };
  progress: Progress & { readonly projection: string };
  problem: { readonly projection: string; readonly kind: string; readonly code: string; readonly message: string };
}

export interface ProjectionsControl {
  stop(): Promise<void>;
}

/** Opens these projections, says `ready` and lets them follow the journal until `stop`. Failures go to the main thread. */
export async function hostProjections(chosen: (config: Config) => readonly Projection<unknown>[]): Promise<void> {
  assert(parentPort !== null, 'projections run in a worker');
  const { config: portable, chain: chainEndpoint } = workerData as ProjectionsWorkerData;
  const config = importConfig(portable);
  const main = new ThreadPort(parentPort);
  const chain = new ThreadPort(chainEndpoint);
  const abort = new AbortController();
  const journal = new RemoteJournal(chain.remote<JournalService>('journal'));
  chain.on<number>('journalEnd', (end) => journal.moved(end));

  const heights = new Map<string, number>();
  const tellHeight = (): void => chain.emit('projectedHeight', Math.min(...heights.values()));
  const tell = <N extends keyof ProjectionsEvents>(name: N, value: ProjectionsEvents[N]): void =>
    main.emit(name, value);

  const openRunner = async (projection: Projection<unknown>): Promise<ProjectionRunner<unknown>> => {
    const runner: ProjectionRunner<unknown> = await ProjectionRunner.open({
      projection,
      journal,
      dataDirectory: config.generalRocksDbPath,
      openStore: openRocksStore,
      clock: systemClock,
      events: {
        applied: (run) => {
          heights.set(projection.name, run.height);
          tellHeight();
          tell('applied', { ...run, projection: projection.name });
        },
        state: (state) => tell('state', { projection: projection.name, state, height: runner.height }),
        progress: (progress) => tell('progress', { ...progress, projection: projection.name }),
        error: (error) =>
          tell('problem', { projection: projection.name, kind: error.kind, code: error.code, message: error.message }),
      },
    });
    heights.set(projection.name, runner.height);
    tell('state', { projection: projection.name, state: runner.state, height: runner.height });
    main.serve(projection.name, runner.reader as object);
    chain.serve(projection.name, runner.reader as object);
    return runner;
  };

  const runners: ProjectionRunner<unknown>[] = [];
  const running: Promise<void>[] = [];
  main.serve<ProjectionsControl>('control', {
    async stop() {
      abort.abort();
      await Promise.allSettled(running);
      for (const runner of runners) await runner.close();
    },
  });

  try {
    for (const projection of chosen(config)) runners.push(await openRunner(projection));
    tellHeight();
    for (const runner of runners) {
      running.push(
        runner.run(abort.signal).catch((error: unknown) => {
          if (!abort.signal.aborted) main.emitError('fatal', error);
        }),
      );
    }
    main.emit('ready', undefined);
  } catch (error) {
    main.emitError(
      'fatal',
      error instanceof NodeError
        ? error
        : new NodeError('fatal', 'a projection cannot be opened', { code: 'PROJECTION_OPEN_FAILED' }, { cause: error }),
    );
  }
}
