/** A thread that holds projections: each follows the journal of the chain worker and tells the main thread how far it is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../common/clock.ts';
import { type Config, importConfig } from '../common/config.ts';
import { NodeError, assert } from '../common/errors.ts';
import { isRetryableError, retry } from '../common/retry.ts';
import type { InsertedRows } from '../projections/analyticsStore.ts';
import { isOptional } from '../projections/index.ts';
import type { Projection, ProjectionState } from '../projections/projection.ts';
import {
  type AppliedRun,
  type Progress,
  ProjectionRunner,
  type RunnerLimits,
} from '../projections/projectionRunner.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { type JournalService, RemoteJournal } from './remoteJournal.ts';
import { ThreadPort } from './threadPort.ts';
import type { ProjectionsWorkerData } from './workerData.ts';

/** What this thread tells the main one, by event name. */
export interface ProjectionsEvents {
  applied: AppliedRun & { readonly projection: string };
  state: { readonly projection: string; readonly state: ProjectionState; readonly height: number };
  progress: Progress & { readonly projection: string };
  duplicates: { readonly projection: string; readonly count: number };
  problem: { readonly projection: string; readonly kind: string; readonly code: string; readonly message: string };
  /** Into ClickHouse. */
  inserted: InsertedRows;
}

export type Tell = <N extends keyof ProjectionsEvents>(name: N, value: ProjectionsEvents[N]) => void;

export interface HostOptions {
  readonly chosen: (config: Config) => readonly Projection<unknown>[];
  /** RocksDB without it. */
  readonly openStore?: (config: Config, tell: Tell) => (path: string) => Promise<KeyValueStore>;
  readonly limits?: (config: Config) => Partial<RunnerLimits>;
  /** What other threads see of a reader; the reader itself without it. */
  readonly served?: (projection: Projection<unknown>, reader: unknown) => object;
}

const OPTIONAL_STOP_LIMIT_MS = 5_000;
const REOPEN_FIRST_MS = 500;
const REOPEN_MAX_MS = 30_000;

export interface ProjectionsControl {
  stop(): Promise<void>;
}

/**
 * Opens these projections, says `ready` and lets them follow the journal until `stop`. Failures go to the main thread. The
 * node goes on without optional ones: it does not wait until they are open, their height holds nothing back, and what ends
 * them is a problem to report.
 */
export async function hostProjections({
  chosen,
  openStore,
  limits,
  served = (_, reader) => reader as object,
}: HostOptions): Promise<void> {
  assert(parentPort !== null, 'projections run in a worker');
  const { config: portable, chain: chainEndpoint } = workerData as ProjectionsWorkerData;
  const config = importConfig(portable);
  const main = new ThreadPort(parentPort);
  const chain = new ThreadPort(chainEndpoint);
  const abort = new AbortController();
  const journal = new RemoteJournal(chain.remote<JournalService>('journal'));
  chain.on<number>('journalEnd', (end) => journal.moved(end));

  /** Of those that the node waits for. */
  const heights = new Map<string, number>();
  const tellHeight = (): void => {
    if (heights.size > 0) chain.emit('projectedHeight', Math.min(...heights.values()));
  };
  const tell: Tell = (name, value) => main.emit(name, value);
  const tellProblem = (projection: string, error: NodeError): void =>
    tell('problem', { projection, kind: error.kind, code: error.code, message: error.message });

  const openRunner = async (projection: Projection<unknown>): Promise<ProjectionRunner<unknown>> => {
    const runner: ProjectionRunner<unknown> = await ProjectionRunner.open({
      projection,
      journal,
      dataDirectory: config.generalRocksDbPath,
      openStore: openStore?.(config, tell) ?? openRocksStore,
      limits: limits?.(config) ?? {},
      clock: systemClock,
      events: {
        applied: (run) => {
          if (!isOptional(projection)) {
            heights.set(projection.name, run.height);
            tellHeight();
          }
          tell('applied', { ...run, projection: projection.name });
        },
        state: (state) => tell('state', { projection: projection.name, state, height: runner.height }),
        duplicates: (count) => tell('duplicates', { projection: projection.name, count }),
        progress: (progress) => tell('progress', { ...progress, projection: projection.name }),
        error: (error) => tellProblem(projection.name, error),
      },
    });
    if (!isOptional(projection)) heights.set(projection.name, runner.height);
    tell('state', { projection: projection.name, state: runner.state, height: runner.height });
    const service = served(projection, runner.reader);
    main.serve(projection.name, service);
    chain.serve(projection.name, service);
    return runner;
  };

  const runners: ProjectionRunner<unknown>[] = [];
  const running: Promise<void>[] = [];
  const runningOptional: Promise<void>[] = [];
  main.serve<ProjectionsControl>('control', {
    async stop() {
      abort.abort();
      await Promise.allSettled(running);
      // What an optional one waits for may not come; it goes on from its checkpoint.
      const ended = Promise.allSettled(runningOptional);
      await Promise.race([ended, sleep(OPTIONAL_STOP_LIMIT_MS, undefined, { ref: false })]);
      for (const runner of runners) await runner.close();
    },
  });

  const all = chosen(config);
  try {
    for (const projection of all) if (!isOptional(projection)) runners.push(await openRunner(projection));
    tellHeight();
    for (const runner of runners) {
      running.push(
        runner.run(abort.signal).catch((error: unknown) => {
          if (!abort.signal.aborted) main.emitError('fatal', error);
        }),
      );
    }
    main.emit('ready', undefined);
    for (const projection of all) if (isOptional(projection)) runningOptional.push(runOptional(projection));
  } catch (error) {
    main.emitError('fatal', openFailure(error));
  }

  async function runOptional(projection: Projection<unknown>): Promise<void> {
    let runner: ProjectionRunner<unknown> | undefined;
    try {
      runner = await retry(() => openRunner(projection), {
        attemptsMax: Number.MAX_SAFE_INTEGER,
        firstPauseMs: REOPEN_FIRST_MS,
        pauseMaxMs: REOPEN_MAX_MS,
        signal: abort.signal,
        isRetryable: isRetryableError,
        onRetry: (error) => {
          tell('state', { projection: projection.name, state: 'paused', height: -1 });
          tellProblem(projection.name, openFailure(error));
        },
      });
      runners.push(runner);
      await runner.run(abort.signal);
    } catch (error) {
      if (abort.signal.aborted) return;
      tell('state', { projection: projection.name, state: 'failed', height: runner?.height ?? -1 });
      tellProblem(projection.name, openFailure(error));
    }
  }
}

function openFailure(error: unknown): NodeError {
  if (error instanceof NodeError) return error as NodeError; // instanceof forgets the type parameter
  return new NodeError('fatal', 'a projection cannot be opened', { code: 'PROJECTION_OPEN_FAILED' }, { cause: error });
}
