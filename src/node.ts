/**
 * Composition root: the only file that constructs a node. Main and external node differ by what the configuration says
 * to the chain worker and by where transactions go.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Bytes } from './common/bytes.ts';
import { systemRandom } from './common/clock.ts';
import { type Config, exportConfig } from './common/config.ts';
import { NodeError, errorText } from './common/errors.ts';
import type { Logger } from './common/logger.ts';
import { type Metrics, createMetrics, renderMetrics, startMetricsServer } from './common/metrics.ts';
import type { Shutdown } from './common/shutdown.ts';
import { startStatusLine } from './common/statusLine.ts';
import type { GenesisEntry } from './log/entry.ts';
import type { L1QueueStatus } from './producers/l1Queue.ts';
import { decodeEntry } from './log/entryCodec.ts';
import type { Finality } from './log/settlementFold.ts';
import type { SealedOpenBatch } from './producers/batcher.ts';
import { ReplayServer } from './consumers/replayServer.ts';
import { RisingGate } from './common/gate.ts';
import {
  AcceptedTimes,
  l1Metrics,
  recordAccepted,
  recordAnalytics,
  recordApplied,
  recordBatchSent,
  recordInserted,
  recordL1,
  recordProjectionState,
  recordReplayClient,
  recordSettlement,
  recordStatus,
  replayServerMetrics,
  rpcMetrics,
} from './nodeMetrics.ts';
import { analytics, enabledProjections, isOptional } from './projections/index.ts';
import type { BatchesReader } from './projections/batchesReader.ts';
import type { MerkleTreeReader } from './projections/merkleTreeReader.ts';
import type { RepositoriesReader } from './projections/repositoriesReader.ts';
import type { PendingTransaction, RpcBackend } from './rpc/backend.ts';
import { RPC_CODE, RpcError } from './rpc/errors.ts';
import { startRpcServer } from './rpc/server.ts';
import type { SimulatorOptions } from './rpc/simulator.ts';
import type { TracesOptions } from './rpc/traces.ts';
import { type NodeStatus, startStatusServer } from './rpc/status.ts';
import type { AcceptedBlock, ChainStatus } from './workers/chain.ts';
import { configuredBaseFee, configuredChainId } from './workers/chainSettings.ts';
import type { ChainService, ReplayService, StateService } from './workers/chainWorker.ts';
import {
  type L1GenesisService,
  type L1QueueService,
  L1Service,
  type L1ServiceStatus,
  type L1WatchFrom,
} from './workers/l1Service.ts';
import { readNodeId } from './workers/nodeIdentity.ts';
import { PendingListeners, forwardingPool, localPool } from './workers/pools.ts';
import type { ProjectionsControl, ProjectionsEvents } from './workers/projectionHost.ts';
import { createRecovery } from './workers/recovery.ts';
import { remoteState } from './workers/remoteState.ts';
import type { SimulationService } from './workers/rpcWorker.ts';
import { type Remote, ThreadPort } from './workers/threadPort.ts';
import type { ChainWorkerData, ProjectionsWorkerData, RpcWorkerData } from './workers/workerData.ts';

const STATUS_EVERY_MS = 250;
const DRAIN_LIMIT_MS = 15_000;
const RPC_CLOSE_LIMIT_MS = 5_000;
const THREAD_START_LIMIT_MS = 5_000;
const GENESIS_SCHEMA = 1;
/** Those that RPC reads: `latest` waits for them alone. */
const RPC_PROJECTIONS = ['repositories'] as const;
const ANALYTICS = analytics.name;

export interface RunningNode {
  readonly chainId: bigint;
  /** 0 when RPC is switched off. */
  readonly rpcPort: number;
  readonly rpcHost: string;
  readonly statusPort: number;
  readonly metricsPort: number;
  /** Resolves when the end of the log was reached and every projection has what it holds. */
  readonly whenCaughtUp: Promise<void>;
  readonly status: () => NodeStatus;
}

export interface NodeOptions {
  readonly config: Config;
  readonly nodeVersion: string;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
}

/** Starts everything; every part registers how it is closed with `shutdown`. Resolves once RPC and status answer. */
export async function startNode({ config, nodeVersion, logger, shutdown }: NodeOptions): Promise<RunningNode> {
  const chainId = configuredChainId(config);
  const nodeId = readNodeId(config.generalRocksDbPath, config.nodeId, systemRandom);
  const metrics = createMetrics({ withProcess: true });
  metrics.process.startedAt.set(
    { version: nodeVersion, role: config.nodeRole === 'main' ? 'main_node' : 'external_node' },
    Math.floor(Date.now() / 1000),
  );
  metrics.process.chainId.set(Number(chainId));
  const view = new NodeView(config, chainId, nodeVersion);

  const metricsServer = await startMetricsServer({
    host: '0.0.0.0',
    port: config.generalPrometheusPort,
    logger,
    render: async () => renderMetrics([await metrics.snapshot()]),
  });
  shutdown.onClose('metrics', () => metricsServer.close());
  const statusServer = await startStatusServer({
    host: config.statusServerAddress.host,
    port: config.statusServerAddress.port,
    logger,
    status: () => view.status(),
    isTerminating: () => shutdown.isEnding,
    maxLagBlocks: config.projectionMaxLagBlocks,
  });
  shutdown.onClose('status', () => statusServer.close());

  const l1 = await openL1({ config, logger, shutdown, metrics });
  const starting: Promise<unknown>[] = [];
  const threads = startThreads(
    { config, nodeVersion, nodeId, bootId: systemRandom(16), chainAddress: l1?.chainAddress },
    (error) => {
      view.stoppedReading(error);
      // An exit while a thread evaluates its modules crashes V8: the exit code would be lost.
      void settledWithin(starting, THREAD_START_LIMIT_MS).then(() => shutdown.end(error));
    },
    (error) => {
      view.projection(ANALYTICS, { state: 'failed', problem: errorText(error) });
      logger.error({ err: error }, 'analytics has ended; the node goes on without it until its next start');
    },
  );
  starting.push(threads.started);
  const chain = threads.chain.remote<ChainService>('chain');
  shutdown.onClose('threads', async () => {
    for (const port of threads.projectionPorts)
      await port
        .remote<ProjectionsControl>('control')
        .stop()
        .catch((error: unknown) => logger.warn({ err: error }, 'the projections did not close cleanly'));
    await chain
      .stop(DRAIN_LIMIT_MS)
      .catch((error: unknown) => logger.warn({ err: error }, 'the chain did not close cleanly'));
    await threads.end();
  });

  listenToThreads({ threads, view, metrics, logger });
  if (l1 !== undefined) {
    view.l1 = () => l1.status;
    threads.chain.serve<L1GenesisService>('l1Genesis', { read: (genesisRoot) => l1.readGenesis(genesisRoot) });
    threads.chain.on<L1WatchFrom>('l1Watch', (from) => {
      l1.watch(from, threads.chain.remote<L1QueueService>('l1Queue')).catch((error: unknown) => {
        if (!shutdown.isEnding) shutdown.end(error);
      });
    });
  }
  await Promise.all([threads.chainReady, threads.projectionsReady, threads.rpcReady]);
  const sample = setInterval(() => {
    Promise.all([chain.status(), chain.l1Status()]).then(
      ([status, l1Queue]) => {
        view.sampled(status);
        view.l1Queue = l1Queue;
        recordReplayClient(metrics, status.replay);
        recordStatus(metrics, status, Date.now() / 1000);
        recordSettlement(metrics, status.settlement, view.logHead);
        recordL1(metrics, l1Queue);
        metrics.rpc.servedHeight.set(view.latest());
      },
      () => undefined, // the thread is gone: its end is reported elsewhere
    );
  }, STATUS_EVERY_MS);
  shutdown.onClose('sampling', () => clearInterval(sample));

  if (config.sequencerBlockReplayServerAddress !== undefined) {
    const served = threads.chain.remote<ReplayService>('replay');
    const replay = await ReplayServer.start({
      ...config.sequencerBlockReplayServerAddress,
      maxClients: config.sequencerBlockReplayMaxClients,
      source: {
        whenAccepted: (height, signal) => view.accepts.whenReached(height, signal),
        blockContext: (height) => served.blockContext(height),
        readFromBlock: (height, maxBytes) => served.readFromBlock(height, maxBytes),
      },
      nodeVersion,
      logger: logger.component('replay'),
      metrics: replayServerMetrics(metrics),
    });
    shutdown.onClose('replay server', () => replay.close());
    view.replayServer = replay;
  }

  let rpcPort = 0;
  if (config.rpcEnabled) {
    const recovery = createRecovery();
    starting.push(recovery.whenStarted());
    shutdown.onClose('recovery', () => recovery.close());
    const backend = createBackend({
      config,
      view,
      threads,
      chain,
      nodeVersion,
      recover: async (raw) => (await recovery.recover(raw)).sender,
    });
    const server = await startRpcServer({
      host: config.rpcAddress.host,
      port: config.rpcAddress.port,
      maxConnections: config.rpcMaxConnections,
      maxRequestBytes: config.rpcMaxRequestSizeBytes,
      maxBatchEntries: config.rpcMaxBatchEntries,
      backend,
      namespaces: config.rpcNamespaces,
      ethCallGas: config.rpcEthCallGas,
      maxBlocksPerFilter: config.rpcMaxBlocksPerFilter,
      maxLogsPerResponse: config.rpcMaxLogsPerResponse,
      gasPriceScale: config.rpcGasPriceScale,
      maxResponseBytes: config.rpcMaxResponseSizeBytes,
      syncingLagBlocks: config.projectionMaxLagBlocks,
      callTimeoutMs: config.rpcCallTimeoutMs,
      filterTtlMs: config.rpcStaleFilterTtlMs,
      maxFilters: config.rpcMaxFilters,
      pingIntervalMs: config.rpcWsPingIntervalMs,
      maxSubscriptions: config.rpcWsMaxSubscriptions,
      maxUnreadBytes: config.rpcWsMaxUnreadBytes,
      metrics: rpcMetrics(metrics),
      onInternalError: (error, method) => logger.error({ err: error, method }, 'an RPC call failed'),
    });
    shutdown.onClose('rpc', () => server.close({ timeoutMs: RPC_CLOSE_LIMIT_MS }));
    rpcPort = server.port;
  }
  startStatusLine({ sample: () => view.statusLineSample(), logger, signal: shutdown.signal });
  return {
    chainId,
    rpcPort,
    rpcHost: config.rpcAddress.host,
    statusPort: statusServer.address.port,
    metricsPort: metricsServer.address.port,
    whenCaughtUp: view.whenCaughtUp,
    status: () => view.status(),
  };
}

/** undefined: the configuration names no L1. */
async function openL1({
  config,
  logger,
  shutdown,
  metrics,
}: Pick<NodeOptions, 'config' | 'logger' | 'shutdown'> & { readonly metrics: Metrics }): Promise<
  L1Service | undefined
> {
  const url = config.generalL1RpcUrl;
  if (url === undefined) return undefined;
  return L1Service.open({
    config,
    url,
    logger: logger.component('l1'),
    signal: shutdown.signal,
    metrics: l1Metrics(metrics),
  });
}

interface KnownProjection {
  readonly height: number;
  readonly state: NodeStatus['projections'][number]['state'];
  /** The newest. */
  readonly problem: string | undefined;
}

/** What the main thread knows of the others, pushed by them: nothing here is asked for by a request. */
class NodeView {
  chain: ChainStatus | undefined;
  genesis: GenesisEntry | undefined;
  genesisBytes: Bytes | undefined;
  /** As of the newest accepted settlement entry. */
  finality: Finality | undefined;
  l1: (() => L1ServiceStatus) | undefined;
  l1Queue: L1QueueStatus | undefined;
  replayServer: ReplayServer | undefined;
  /** Newest accepted block. */
  readonly accepts = new RisingGate();
  readonly #config: Config;
  readonly #chainId: bigint;
  readonly #nodeVersion: string;
  readonly #projections = new Map<string, KnownProjection>();
  /** Nothing waits for these. */
  readonly #optional = new Set<string>();
  readonly #caughtUp = Promise.withResolvers<void>();
  readonly #latestListeners = new Set<() => void>();
  #latest = 0;
  #logHead = -1;
  #transactions = 0;
  #isLeading = false;
  #hasCaughtUp = false;
  #problem: string | undefined;

  constructor(config: Config, chainId: bigint, nodeVersion: string) {
    this.#config = config;
    this.#chainId = chainId;
    this.#nodeVersion = nodeVersion;
    for (const each of enabledProjections(config)) {
      if (isOptional(each)) this.#optional.add(each.name);
      this.projection(each.name, {});
    }
  }

  get whenCaughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  get logHead(): number {
    return Math.max(0, this.#logHead);
  }

  accepted(block: AcceptedBlock): void {
    this.#logHead = block.height;
    this.accepts.rise(block.height);
    this.#transactions += block.transactions;
  }

  leading(isLeading: boolean): void {
    this.#isLeading = isLeading;
  }

  caughtUp(): void {
    this.#hasCaughtUp = true;
    this.#checkCaughtUp();
  }

  headKnown(height: number): void {
    this.#logHead = Math.max(this.#logHead, height);
    this.accepts.rise(height);
  }

  sampled(status: ChainStatus): void {
    this.chain = status;
    this.#checkCaughtUp();
  }

  /** The end of the log was reached, and fed over TCP also the head of the node that feeds this one. */
  get #isCaughtUp(): boolean {
    if (!this.#hasCaughtUp) return false;
    return (
      this.#config.sequencerBlockReplayDownloadAddress === undefined || this.chain?.replay?.hasReachedServer === true
    );
  }

  projection(name: string, change: Partial<KnownProjection>): void {
    const known = this.#projections.get(name) ?? { height: -1, state: 'catching_up' as const, problem: undefined };
    this.#projections.set(name, { ...known, ...change });
    this.#checkCaughtUp();
    const latest = this.#lowest();
    if (latest === this.#latest) return;
    this.#latest = latest;
    for (const listener of [...this.#latestListeners]) listener();
  }

  stoppedReading(error: unknown): void {
    this.#problem = error instanceof Error ? error.message : String(error);
  }

  /** One number: the lowest height over the projections that RPC reads. */
  latest(): number {
    return this.#latest;
  }

  /** Calls back each time that `latest` has moved. Returns how to stop. */
  onLatest(listener: () => void): () => void {
    const own = (): void => listener();
    this.#latestListeners.add(own);
    return () => this.#latestListeners.delete(own);
  }

  #lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const name of RPC_PROJECTIONS) lowest = Math.min(lowest, this.#projections.get(name)?.height ?? Infinity);
    return Number.isFinite(lowest) ? Math.max(0, lowest) : 0;
  }

  status(): NodeStatus {
    const l1 = this.l1Queue === undefined ? undefined : this.l1?.();
    return {
      role: this.#config.nodeRole,
      nodeVersion: this.#nodeVersion,
      chainId: this.#chainId,
      isLeading: this.#config.nodeRole === 'main' ? this.#isLeading : undefined,
      epoch: this.chain?.epoch ?? 0n,
      logHead: this.logHead,
      isLogReadable: this.#problem === undefined,
      logProblem: this.#problem,
      hasCaughtUp: this.#isCaughtUp && this.genesis !== undefined,
      projections: [
        { name: 'state', height: this.logHead, lagBlocks: 0, state: this.#hasCaughtUp ? 'live' : 'catching_up' },
        ...[...this.#projections].map(([name, { height, state, problem }]) => ({
          name,
          height,
          state,
          lagBlocks: Math.max(0, this.#logHead - height),
          ...(this.#optional.has(name) && { optional: true }),
          // What stopped it; over as soon as it goes on.
          ...((state === 'paused' || state === 'failed') && problem !== undefined && { problem }),
        })),
      ],
      safe: this.safe(),
      finalized: this.finalized(),
      batches: this.#batches(),
      l1Head: l1?.head,
      arePriorityTransactionsChecked: l1 !== undefined,
      l1ScannedBlock: l1?.scanned,
      l1Confirmations: l1?.confirmations,
      l1Problem: this.l1Queue?.alarm?.text ?? this.l1?.().problem,
      awaitedPriorityId: this.l1Queue?.awaitedId,
      replayServer: this.#replayServerStatus(),
      replayClient: this.#replayClientStatus(),
    };
  }

  statusLineSample() {
    return {
      role: this.#config.nodeRole,
      isLeading: this.#config.nodeRole === 'main' ? this.#isLeading : undefined,
      logHead: this.logHead,
      height: this.latest(),
      transactions: this.#transactions,
      pendingTransactions: this.chain?.mempool.pending ?? 0,
      sealedBatch: this.finality?.sealedBatch ?? 0,
      executedBatch: this.finality?.executedBatch ?? 0,
      settlementAlarm: this.chain?.settlement.alarm?.text,
    };
  }

  /** Last block of the newest batch that L1 holds. */
  safe(): number {
    return this.finality?.committedBlock ?? 0;
  }

  /** Last block of the newest batch that L1 has executed. */
  finalized(): number {
    return this.finality?.executedBlock ?? 0;
  }

  #replayServerStatus(): NodeStatus['replayServer'] {
    if (this.replayServer === undefined) return undefined;
    const { address, clients } = this.replayServer;
    return { address: `${address.address}:${address.port}`, clients };
  }

  #replayClientStatus(): NodeStatus['replayClient'] {
    const server = this.#config.sequencerBlockReplayDownloadAddress;
    if (server === undefined) return undefined;
    const { isConnected = false, problem, received = 0 } = this.chain?.replay ?? {};
    return { server: `${server.host}:${server.port}`, connected: isConnected, problem, received };
  }

  #batches(): NodeStatus['batches'] {
    const settlement = this.chain?.settlement;
    return {
      sealed: this.finality?.sealedBatch ?? 0,
      checked: settlement?.checkedBatch ?? 0,
      committed: this.finality?.committedBatch ?? 0,
      proved: this.finality?.provedBatch ?? 0,
      executed: this.finality?.executedBatch ?? 0,
      openBlocks: settlement?.openBlocks ?? 0,
      alarm: settlement?.alarm?.text,
    };
  }

  #checkCaughtUp(): void {
    // A new chain gets its first block, with the genesis upgrade, from its main node at once.
    const wanted = this.#config.nodeRole === 'main' ? Math.max(1, this.#logHead) : this.#logHead;
    const isCurrent = [...this.#projections].every(
      ([name, { height }]) => height >= wanted || this.#optional.has(name),
    );
    if (this.#isCaughtUp && this.#projections.size > 0 && isCurrent) this.#caughtUp.resolve();
  }
}

interface Threads {
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

function startThreads(
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
      ANALYTICS,
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
async function settledWithin(promises: readonly Promise<unknown>[], limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
  await Promise.race([Promise.allSettled(promises), late]);
  clearTimeout(timer);
}

function listenToThreads({
  threads,
  view,
  metrics,
  logger,
}: {
  threads: Threads;
  view: NodeView;
  metrics: ReturnType<typeof createMetrics>;
  logger: Logger;
}): void {
  const { chain, projectionPorts, rpc } = threads;
  const acceptedTimes = new AcceptedTimes();
  chain.on<AcceptedBlock>('accepted', (block) => {
    view.accepted(block);
    acceptedTimes.accepted(block.height, performance.now());
    recordAccepted(metrics, block);
  });
  chain.on<Bytes>('genesis', (bytes) => {
    const entry = decodeEntry(GENESIS_SCHEMA, bytes);
    if (entry?.kind === 'Genesis') view.genesis = entry;
    view.genesisBytes = bytes;
    view.headKnown(0);
  });
  chain.on<{ kind: string; finality: Finality }>('settlement', ({ finality }) => {
    view.finality = finality;
  });
  chain.on<SealedOpenBatch>('batchSent', (sealed) => recordBatchSent(metrics, sealed));
  chain.on<number>('opened', (height) => view.headKnown(height));
  chain.on<undefined>('caughtUp', () => view.caughtUp());
  chain.on<{ isLeading: boolean; reason: string }>('leading', ({ isLeading, reason }) => {
    view.leading(isLeading);
    metrics.leader.transitions.inc({ reason });
    metrics.leader.status.set(isLeading ? 1 : 0);
  });
  chain.on<{ verdict: string; class: string | undefined; kind: string | undefined; sizeBytes: number }>(
    'entryRead',
    (entry) => {
      if (entry.verdict === 'accepted' && entry.kind !== undefined) {
        metrics.log.entries.inc({ kind: entry.kind });
        metrics.log.entrySizeBytes.observe({ kind: entry.kind }, entry.sizeBytes);
      } else if (entry.class !== undefined) {
        metrics.log.rejected.inc({ class: entry.class });
      }
    },
  );
  chain.on<{ source: 'reused' | 'executed'; seconds: number }>('executed', ({ source, seconds }) =>
    metrics.execution.seconds.observe({ source }, seconds),
  );
  chain.on<'accepted' | 'rejected' | 'expired'>('claim', (result) => metrics.log.claims.inc({ result }));
  chain.on<{ result: string; seconds: number | undefined }>('append', ({ result, seconds }) => {
    metrics.log.appends.inc({ result });
    if (seconds !== undefined) metrics.log.appendSeconds.observe(seconds);
  });
  rpc.on<Parameters<NonNullable<SimulatorOptions['onSimulated']>>[0]>('simulated', ({ kind, seconds, runs }) => {
    metrics.rpc.evmSeconds.observe({ kind }, seconds);
    if (kind === 'estimate') metrics.rpc.estimateIterations.observe(runs);
  });
  rpc.on<number>('tracesRunning', (count) => metrics.rpc.tracesRunning.set(count));
  rpc.on<Parameters<NonNullable<TracesOptions['onTraced']>>[0]>('traced', ({ tracer, outcome, seconds }) => {
    metrics.rpc.traces.inc({ tracer, outcome });
    metrics.rpc.evmSeconds.observe({ kind: 'trace' }, seconds);
  });
  for (const port of projectionPorts) listenToProjections(port, { view, metrics, logger, acceptedTimes });
}

function listenToProjections(
  port: ThreadPort,
  {
    view,
    metrics,
    logger,
    acceptedTimes,
  }: Omit<Parameters<typeof listenToThreads>[0], 'threads'> & { acceptedTimes: AcceptedTimes },
): void {
  port.on<ProjectionsEvents['applied']>('applied', (run) => {
    view.projection(run.projection, { height: run.height });
    if (run.projection === ANALYTICS)
      recordAnalytics(metrics, run.height, acceptedTimes.take(run.height, performance.now()));
    recordApplied(metrics, run, view.logHead, Date.now() / 1000);
  });
  port.on<ProjectionsEvents['state']>('state', (state) => {
    view.projection(state.projection, { height: state.height, state: state.state });
    recordProjectionState(metrics, state);
  });
  port.on<ProjectionsEvents['progress']>('progress', ({ projection, done, total }) => {
    metrics.projection.rebuildProgress.set({ projection }, total === 0 ? 1 : done / total);
  });
  port.on<ProjectionsEvents['inserted']>('inserted', (inserted) => recordInserted(metrics, inserted));
  port.on<ProjectionsEvents['problem']>('problem', (problem) => {
    metrics.projection.errors.inc({ projection: problem.projection, kind: problem.kind });
    if (problem.projection === ANALYTICS) metrics.clickhouse.insertErrors.inc({ kind: problem.code });
    view.projection(problem.projection, { problem: problem.message });
    logger.warn(problem, 'a projection has a problem');
  });
}

interface BackendParts {
  readonly config: Config;
  readonly view: NodeView;
  readonly threads: Threads;
  readonly chain: Remote<ChainService>;
  readonly nodeVersion: string;
  readonly recover: (raw: Bytes) => Promise<Bytes>;
}

function createBackend({ config, view, threads, chain, nodeVersion, recover }: BackendParts): RpcBackend {
  const stateService = threads.chain.remote<StateService>('state');
  const { nodeRole, generalMainNodeRpcUrl } = config;
  const pending = new PendingListeners();
  threads.chain.on<PendingTransaction>('pending', (transaction) => pending.publish(transaction));
  const local = localPool(chain, recover, pending);
  return {
    get chain() {
      const { genesis, genesisBytes } = view;
      if (genesis === undefined || genesisBytes === undefined)
        throw new RpcError(RPC_CODE.serverError, 'the log holds no genesis yet: this node is still starting');
      const { chainId, l1ChainId, bridgehub, genesisInput } = genesis;
      return {
        chainId,
        l1ChainId,
        bridgehub,
        genesisEntry: genesisBytes,
        genesis: {
          initialContracts: genesisInput.initialContracts.map(({ address, code }) => [address, code] as const),
          additionalStorage: genesisInput.additionalStorage.map(({ key, value }) => [key, value] as const),
          executionVersion: genesisInput.executionVersion,
          genesisRoot: genesisInput.genesisRoot,
        },
      };
    },
    nodeVersion,
    latest: () => view.latest(),
    onLatest: (listener) => view.onLatest(listener),
    logHead: () => view.logHead,
    safe: () => view.safe(),
    finalized: () => view.finalized(),
    executedBatch: () => view.finality?.executedBatch ?? 0,
    batches: config.projectionBatchesEnabled ? threads.projections.remote<BatchesReader>('batches') : undefined,
    merkleTree: threads.tree?.remote<MerkleTreeReader>('merkleTree'),
    nextBaseFee: () => configuredBaseFee(config),
    repositories: threads.projections.remote<RepositoriesReader>('repositories'),
    state: remoteState(stateService),
    blockContext: (height) => stateService.blockContext(height),
    pool: nodeRole === 'main' ? local : forwardingPool(local, generalMainNodeRpcUrl, recover),
    simulate: (call) => threads.rpc.remote<SimulationService>('simulation').simulate(call),
    trace: (request) => threads.rpc.remote<SimulationService>('simulation').trace(request),
  };
}
