/**
 * Composition root: the only file that constructs a node. Main and external node differ by what the configuration says
 * to the chain worker and by where transactions go.
 */
import { type Bytes, toHex } from './common/bytes.ts';
import { systemRandom } from './common/clock.ts';
import type { Config } from './common/config.ts';
import { NodeError, errorText } from './common/errors.ts';
import type { Logger } from './common/logger.ts';
import { type Metrics, createMetrics, renderMetrics, startMetricsServer } from './common/metrics.ts';
import type { Shutdown } from './common/shutdown.ts';
import { startStatusLine } from './common/statusLine.ts';
import { ReplayServer } from './consumers/replayServer.ts';
import {
  l1Metrics,
  recordL1,
  recordPlaces,
  recordReplayClient,
  recordSettlement,
  recordStatus,
  replayServerMetrics,
  rpcMetrics,
} from './nodeMetrics.ts';
import { addresses, analytics } from './projections/index.ts';
import type { AddressesReader } from './projections/addressesReader.ts';
import type { BatchesReader } from './projections/batchesReader.ts';
import type { MerkleTreeReader } from './projections/merkleTreeReader.ts';
import type { PendingTransaction, RpcBackend } from './rpc/backend.ts';
import { RPC_CODE, RpcError } from './rpc/errors.ts';
import { startRpcServer } from './rpc/server.ts';
import { type NodeStatus, startStatusServer } from './rpc/status.ts';
import { configuredBaseFee, configuredChainId } from './workers/chainSettings.ts';
import type { ChainService, ReplayService, StateService } from './workers/chainWorker.ts';
import { type L1GenesisService, type L1QueueService, L1Service, type L1WatchFrom } from './workers/l1Service.ts';
import { readNodeId } from './workers/nodeIdentity.ts';
import { PendingListeners, forwardingPool, localPool } from './workers/pools.ts';
import type { ProjectionsControl } from './workers/projectionHost.ts';
import { createRecovery } from './workers/recovery.ts';
import { remoteState } from './workers/remoteState.ts';
import { type RepositoriesService, remoteRepositories } from './workers/remoteRepositories.ts';
import type { SimulationService } from './workers/rpcWorker.ts';
import type { Remote } from './workers/threadPort.ts';
import { listenToThreads } from './nodeEvents.ts';
import { THREAD_START_LIMIT_MS, type Threads, settledWithin, startThreads } from './nodeThreads.ts';
import { NodeView } from './nodeView.ts';

const STATUS_EVERY_MS = 250;
const DRAIN_LIMIT_MS = 15_000;
const RPC_CLOSE_LIMIT_MS = 5_000;
/** Those that RPC reads: `latest` waits for them alone. */
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
  if (config.nodeRole === 'main')
    metrics.process.feeCollector.set({ fee_collector_address: toHex(config.sequencerFeeCollectorAddress) }, 1);
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
  const notClosed = (part: string, error: unknown): void => {
    // Stopped while it started: there was nothing to close yet.
    if (error instanceof NodeError && error.code === 'NO_SUCH_METHOD') return;
    shutdown.further(error, `${part} did not close cleanly`);
  };
  shutdown.onClose('threads', async () => {
    for (const port of threads.projectionPorts)
      await port
        .remote<ProjectionsControl>('control')
        .stop()
        .catch((error: unknown) => notClosed('the projections', error));
    await chain.stop(DRAIN_LIMIT_MS).catch((error: unknown) => notClosed('the chain', error));
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
        recordPlaces(metrics, view, Date.now() / 1000);
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
    const recovery = createRecovery({ onFailure: (error) => shutdown.end(error) });
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
  const reached = (stage: string): void => metrics.process.startupSeconds.set({ stage }, performance.now() / 1000);
  reached('serving');
  void view.whenCaughtUp.then(() => reached('total'));
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
  const local = localPool(chain, recover, pending, config.txValidatorMaxInputBytes);
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
    addresses: config.projectionAddressesEnabled
      ? {
          reader: threads.projections.remote<AddressesReader>(addresses.name),
          height: () => view.projectedHeight(addresses.name),
          whenReached: (height, timeoutMs) => view.whenProjected(addresses.name, height, timeoutMs),
        }
      : undefined,
    batches: config.projectionBatchesEnabled ? threads.projections.remote<BatchesReader>('batches') : undefined,
    merkleTree: threads.tree?.remote<MerkleTreeReader>('merkleTree'),
    nextBaseFee: () => configuredBaseFee(config),
    repositories: remoteRepositories(threads.projections.remote<RepositoriesService>('repositories')),
    state: remoteState(stateService),
    blockContext: (height) => stateService.blockContext(height),
    pool: nodeRole === 'main' ? local : forwardingPool(local, generalMainNodeRpcUrl, recover),
    simulate: (call) => threads.rpc.remote<SimulationService>('simulation').simulate(call),
    trace: (request) => threads.rpc.remote<SimulationService>('simulation').trace(request),
  };
}
