/** The threads of a node, how they are connected and how they end (design.md 4). */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Bytes } from './common/bytes.ts';
import { type Config, exportConfig } from './common/config.ts';
import { NodeError } from './common/errors.ts';
import { analytics } from './projections/index.ts';
import { ThreadPort } from './workers/threadPort.ts';
import type { ChainWorkerData, ProjectionsWorkerData, RpcWorkerData } from './workers/workerData.ts';

export const THREAD_START_LIMIT_MS = 5_000;

export interface Threads {
  readonly chain: ThreadPort;
  readonly projections: ThreadPort;
  /** undefined: this node keeps no state tree. */
  readonly tree: ThreadPort | undefined;
  /** Of every thread of projections. */
  readonly projectionPorts: readonly ThreadPort[];
  readonly rpc: ThreadPort;
  readonly chainReady: Promise<void>;
  readonly projectionsReady: Promise<void>;
  readonly rpcReady: Promise<void>;
  /** Resolves when each has said that it is ready, or has failed. */
  readonly started: Promise<unknown>;
  end(): Promise<void>;
}

interface ThreadIdentity {
  readonly config: Config;
  readonly nodeVersion: string;
  readonly nodeId: Bytes;
  readonly bootId: Bytes;
  readonly chainAddress: Bytes | undefined;
}

export function startThreads(
  { config, nodeVersion, nodeId, bootId, chainAddress }: ThreadIdentity,
  onFailure: (error: unknown) => void,
  onAnalyticsFailure: (error: unknown) => void,
): Threads {
  const portable = exportConfig(config);
  const projectionsChannel = new MessageChannel();
  const treeChannel = config.projectionMerkleTreeEnabled ? new MessageChannel() : undefined;
  const rpcChannel = new MessageChannel();
  const analyticsChannel = config.analyticsEnabled ? new MessageChannel() : undefined;
  const workers: Worker[] = [];
  const readies: Promise<void>[] = [];
  let isEnding = false;

  const start = (
    name: string,
    file: string,
    workerData: ChainWorkerData | ProjectionsWorkerData | RpcWorkerData,
    ports: readonly MessageChannel['port1'][],
    onEnd: (error: unknown) => void = onFailure,
  ) => {
    const worker = new Worker(new URL(file, import.meta.url), { workerData, transferList: [...ports], name });
    workers.push(worker);
    const port = new ThreadPort(worker);
    const ready = Promise.withResolvers<void>();
    const failed = (error: unknown): void => {
      const failure = error instanceof Error ? error : new Error(String(error));
      port.fail(failure);
      ready.reject(failure);
      if (!isEnding) onEnd(error);
    };
    // Whoever waits for it hears of it; nobody has to.
    ready.promise.catch(() => undefined);
    readies.push(ready.promise);
    port.on('ready', () => ready.resolve());
    port.onError('fatal', failed);
    worker.on('error', (error) =>
      failed(
        new NodeError(
          'invariant',
          `the ${name} thread crashed`,
          { code: 'THREAD_CRASHED', thread: name },
          { cause: error },
        ),
      ),
    );
    worker.on('exit', (code) => {
      if (!isEnding)
        failed(
          new NodeError('invariant', `the ${name} thread ended with ${code}`, { code: 'THREAD_ENDED', thread: name }),
        );
    });
    return { port, ready: ready.promise };
  };

  const chainPorts = [projectionsChannel.port1, ...(treeChannel === undefined ? [] : [treeChannel.port1])];
  const followers = analyticsChannel === undefined ? [] : [analyticsChannel.port1];
  const chain = start(
    'chain',
    './workers/chainWorker.ts',
    {
      config: portable,
      nodeVersion,
      nodeId,
      bootId,
      chainAddress,
      projections: chainPorts,
      followers,
      rpc: rpcChannel.port1,
    },
    [...chainPorts, ...followers, rpcChannel.port1],
  );
  const projections = start(
    'projections',
    './workers/projectionsWorker.ts',
    { config: portable, chain: projectionsChannel.port2 },
    [projectionsChannel.port2],
  );
  const tree =
    treeChannel &&
    start('tree', './workers/treeWorker.ts', { config: portable, chain: treeChannel.port2 }, [treeChannel.port2]);
  const analyticsThread =
    analyticsChannel &&
    start(
      analytics.name,
      './workers/analyticsWorker.ts',
      { config: portable, chain: analyticsChannel.port2 },
      [analyticsChannel.port2],
      onAnalyticsFailure,
    );
  const rpc = start('rpc', './workers/rpcWorker.ts', { config: portable, chain: rpcChannel.port2 }, [rpcChannel.port2]);
  return {
    chain: chain.port,
    projections: projections.port,
    tree: tree?.port,
    projectionPorts: [projections, tree, analyticsThread].flatMap((thread) =>
      thread === undefined ? [] : [thread.port],
    ),
    rpc: rpc.port,
    chainReady: chain.ready,
    projectionsReady: Promise.all([projections.ready, tree?.ready]).then(() => undefined),
    rpcReady: rpc.ready,
    started: Promise.allSettled(readies),
    async end() {
      isEnding = true;
      await settledWithin(readies, THREAD_START_LIMIT_MS);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** Resolves when all are settled, or the time is over. */
export async function settledWithin(promises: readonly Promise<unknown>[], limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
  await Promise.race([Promise.allSettled(promises), late]);
  clearTimeout(timer);
}
