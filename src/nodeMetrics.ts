/** What the threads report, as metrics (spec: observability A.3, C.1 to C.5). */
import { type Metrics, setTotals } from './common/metrics.ts';
import type { ReplayServerOptions } from './consumers/replayServer.ts';
import type { L1QueueStatus } from './producers/l1Queue.ts';
import type { L1WatcherMetrics } from './producers/l1Watcher.ts';
import type { ReplayClientStatus } from './producers/replayClient.ts';
import type { RpcMetrics } from './rpc/dispatcher.ts';
import type { SealedOpenBatch } from './producers/batcher.ts';
import type { TimeInState } from './producers/sequencer.ts';
import type { AcceptedBlock, ChainStatus, SettlementStatus } from './workers/chain.ts';
import type { InsertedRows } from './projections/analyticsStore.ts';
import type { ProjectionPlace } from './nodeView.ts';
import type { ProjectionsEvents } from './workers/projectionHost.ts';

export function recordAccepted(metrics: Metrics, block: AcceptedBlock): void {
  const { execution, freshness, log } = metrics;
  execution.blockNumber.set({ stage: 'execute' }, block.height);
  execution.transactionsPerBlock.observe(block.transactions);
  execution.gasPerBlock.observe(Number(block.gasUsed));
  execution.computationalNativeUsedPerBlock.observe(Number(block.computationalNativeUsed));
  execution.pubdataPerBlock.observe(block.pubdataBytes);
  execution.storageWritesPerBlock.observe(block.storageWrites);
  execution.executedTransactions.inc(block.transactions);
  execution.transactionStatus.inc({ status: 'success' }, block.succeeded);
  execution.transactionStatus.inc({ status: 'failure' }, block.transactions - block.succeeded);
  execution.nextL1PriorityId.set(Number(block.nextL1PriorityId));
  for (const gas of block.gasUsedEach) execution.transactionGasUsed.observe(gas);
  for (const native of block.nativeUsedEach) execution.transactionNativeUsed.observe(native);
  for (const native of block.computationalNativeUsedEach) execution.transactionComputationNativeUsed.observe(native);
  for (const bytes of block.pubdataUsedEach) execution.transactionPubdataUsed.observe(bytes);
  execution.sealReason.inc({ seal_reason: sealReasonLabel(block.sealReason) });
  log.headHeight.set(block.height);
  if (block.times === undefined) return;
  freshness.blockToAcceptedSeconds.observe(block.times.sealedToAccepted);
  for (const seconds of block.times.submittedToSealed) freshness.submitToBlockSeconds.observe(seconds);
  for (const { total, waiting } of block.times.execution) {
    execution.transactionSeconds.observe({ measure: 'total' }, total);
    execution.transactionSeconds.observe({ measure: 'waiting' }, waiting);
  }
}

/** Seconds, of some of its transactions; none when this process did not build it. */
export function submittedToAccepted({ times }: AcceptedBlock): readonly number[] {
  return times?.submittedToSealed.map((seconds) => seconds + times.sealedToAccepted) ?? [];
}

/** `NativeCycles` -> `native_cycles`; a block of another process counts as replayed. */
function sealReasonLabel(reason: string | undefined): string {
  if (reason === undefined) return 'replay';
  if (reason === 'L2ToL1Logs') return 'l2_to_l1_logs';
  return reason.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
}

export function recordStatus(metrics: Metrics, status: ChainStatus, nowSeconds: number): void {
  const { execution, log, leader, mempool, sequencer } = metrics;
  execution.blockNumber.set({ stage: 'execute' }, Math.max(0, status.height));
  execution.nextL1PriorityId.set(Number(status.nextL1PriorityId));
  log.headHeight.set(Math.max(0, status.height));
  log.position.set(Math.max(0, status.logPosition));
  log.epoch.set(Number(status.epoch));
  log.unacceptedBlocks.set(status.unacceptedBlocks);
  leader.status.set(status.isLeading ? 1 : 0);
  mempool.transactions.set({ subpool: 'pending' }, status.mempool.pending);
  mempool.transactions.set({ subpool: 'queued' }, status.mempool.queued);
  mempool.transactions.set({ subpool: 'basefee' }, 0);
  mempool.sizeBytes.set({ subpool: 'pending' }, status.mempool.pendingSizeBytes);
  mempool.sizeBytes.set({ subpool: 'queued' }, status.mempool.queuedSizeBytes);
  const { added, removed, rejected } = status.poolCounters;
  setTotals(
    mempool.added,
    Object.entries(added).map(([result, count]) => [{ result }, count]),
  );
  setTotals(
    mempool.removed,
    Object.entries(removed).map(([reason, count]) => [{ reason }, count]),
  );
  setTotals(
    mempool.rejected,
    Object.entries(rejected).map(([code, count]) => [{ kind: code.replace('POOL_', '').toLowerCase() }, count]),
  );
  recordTimeInStates(metrics, status.timeInStates ?? []);
  sequencer.lastBlockAgeSeconds.set(
    status.lastTimestamp === 0n ? 0 : Math.max(0, nowSeconds - Number(status.lastTimestamp)),
  );
}

function recordTimeInStates({ process }: Metrics, states: readonly TimeInState[]): void {
  setTotals(
    process.timeInState,
    states.map(({ generic, specific, seconds }) => [
      { component: 'sequencer', generic_state: generic, specific_state: specific },
      seconds,
    ]),
  );
}

/** Of a node that is fed over TCP. */
export function recordReplayClient({ replay }: Metrics, status: ReplayClientStatus | undefined): void {
  if (status === undefined) return;
  replay.connected.set(status.isConnected ? 1 : 0);
  replay.connections.set(status.connections);
  replay.received.set(status.received);
}

export function replayServerMetrics({ replay }: Metrics): ReplayServerOptions['metrics'] {
  return {
    clients: (open) => replay.clients.set(open),
    sent: () => replay.sent.inc(),
    refused: () => replay.refused.inc(),
  };
}

const SETTLEMENT_ALARMS = ['SEAL_WRONG', 'SEAL_NOT_CHECKED', 'BATCH_NOT_SEALED'] as const;

/** Stages as accepted entries have them; what a single process does between them is not known here. */
export function recordSettlement(
  { batcher, settlement, finality }: Metrics,
  status: SettlementStatus,
  logHead: number,
): void {
  const stages = [
    ['batch_sealed', status.sealedBatch, status.sealedBlock],
    ['commit_l1_tx_mined', status.committedBatch, status.committedBlock],
    ['prove_l1_tx_mined', status.provedBatch, status.provedBlock],
    ['execute_l1_tx_mined', status.executedBatch, status.executedBlock],
  ] as const;
  for (const [stage, batch, block] of stages) {
    batcher.batchNumber.set({ stage }, batch);
    batcher.blockNumber.set({ stage }, block);
  }
  batcher.backlog.set({ stage: 'commit' }, status.sealedBatch - status.committedBatch);
  batcher.backlog.set({ stage: 'prove' }, status.committedBatch - status.provedBatch);
  batcher.backlog.set({ stage: 'execute' }, status.provedBatch - status.executedBatch);
  batcher.openBlocks.set(status.openBlocks);
  finality.safeBlock.set(status.committedBlock);
  finality.finalizedBlock.set(status.executedBlock);
  finality.safeLagBlocks.set(Math.max(0, logHead - status.committedBlock));
  for (const code of SETTLEMENT_ALARMS) settlement.alarm.set({ code }, status.alarm?.code === code ? 1 : 0);
}

export function recordBatchSent({ batcher }: Metrics, sealed: SealedOpenBatch): void {
  batcher.sealReason.inc({ seal_reason: sealed.reason });
  batcher.transactionsPerBatch.observe(sealed.transactions);
  batcher.blocksPerBatch.observe(sealed.blocks);
  batcher.computationalNativeUsedPerBatch.observe(Number(sealed.native));
  batcher.pubdataPerBatch.observe(sealed.pubdataBytes);
}

export function recordL1({ l1 }: Metrics, status: L1QueueStatus | undefined): void {
  if (status === undefined) return;
  l1.priorityQueueLag.set(status.waiting);
  l1.priorityOldestAgeSeconds.set(status.oldestAgeMs / 1000);
  l1.priorityUnchecked.set(status.awaitedId === undefined ? 0 : Number(status.awaitedId - status.nextId) + 1);
  for (const code of L1_ALARMS) l1.alarm.set({ code }, status.alarm?.code === code ? 1 : 0);
}

const L1_ALARMS = ['L1_REQUEST_CHANGED', 'L1_REQUEST_DROPPED', 'L1_REQUEST_REFUSED'] as const;

export function l1Metrics({ l1 }: Metrics): L1WatcherMetrics {
  const label = { event: 'priority_tx' };
  return {
    scanned: (l1Block) => l1.scannedBlock.set(label, l1Block),
    head: (l1Block) => l1.headBlock.set(l1Block),
    error: () => l1.watcherErrors.inc(label),
    reorganised: () => l1.reorganisations.inc(label),
  };
}

/** Sampled, not told by the projection: one that stands still falls behind without a word. */
export function recordPlaces(
  { projection, rpc }: Metrics,
  view: { readonly projections: readonly ProjectionPlace[]; readonly logHead: number; latest(): number },
  nowSeconds: number,
): void {
  const { projections } = view;
  for (const { name, height, blockTimestamp } of projections) {
    const label = { projection: name };
    const lagBlocks = Math.max(0, view.logHead - height);
    projection.height.set(label, Math.max(0, height));
    projection.lagBlocks.set(label, lagBlocks);
    if (lagBlocks === 0) projection.lagSeconds.set(label, 0);
    else if (blockTimestamp !== undefined)
      projection.lagSeconds.set(label, Math.max(0, nowSeconds - Number(blockTimestamp)));
  }
  const heights = projections.filter(({ isOptional }) => !isOptional).map(({ height }) => Math.max(0, height));
  rpc.heightSkewBlocks.set(Math.max(...heights) - Math.min(...heights));
  rpc.servedHeight.set(view.latest());
}

export function recordApplied(metrics: Metrics, run: ProjectionsEvents['applied']): void {
  const { projection } = metrics;
  const label = { projection: run.projection };
  projection.blocksApplied.inc(label, run.blocks);
  projection.transactionsApplied.inc(label, run.transactions);
  projection.applySeconds.observe({ ...label, stage: 'read' }, run.readSeconds);
  projection.applySeconds.observe({ ...label, stage: 'apply' }, run.applySeconds);
  projection.applySeconds.observe({ ...label, stage: 'write' }, run.writeSeconds);
}

export function recordInserted({ clickhouse }: Metrics, { table, rows, seconds }: InsertedRows): void {
  clickhouse.insertedRows.inc({ table }, rows);
  clickhouse.insertSeconds.observe({ table }, seconds);
}

const TIMES_KEPT = 10_000;

export interface Waited {
  /** Since the block was accepted. */
  readonly seconds: number;
  /** What had been waited by then, for each of some of its transactions. */
  readonly before: readonly number[];
}

/** When the newest blocks were accepted, to tell how long another stage takes to have them. */
export class AcceptedTimes {
  /** By height, ascending. */
  readonly #times = new Map<number, { readonly ms: number; readonly before: readonly number[] }>();
  /** The other stage is here already: what it has of this block came before the word that the block was accepted. */
  #taken = -1;

  accepted(height: number, nowMs: number, before: readonly number[] = []): void {
    if (height <= this.#taken) return;
    this.#times.set(height, { ms: nowMs, before });
    const [oldest] = this.#times.keys();
    if (this.#times.size > TIMES_KEPT && oldest !== undefined) this.#times.delete(oldest);
  }

  /** Of each block up to `height`; each is told once. */
  take(height: number, nowMs: number): Waited[] {
    this.#taken = Math.max(this.#taken, height);
    const waited: Waited[] = [];
    for (const [block, { ms, before }] of this.#times) {
      if (block > height) break;
      waited.push({ seconds: Math.max(0, nowMs - ms) / 1000, before });
      this.#times.delete(block);
    }
    return waited;
  }
}

export function recordAnalytics({ clickhouse, freshness }: Metrics, height: number, blocks: readonly Waited[]): void {
  clickhouse.lastBlock.set(height);
  for (const { seconds } of blocks) freshness.acceptedToAnalyticsSeconds.observe(seconds);
}

/** Blocks that became readable as `latest`, and their receipts with them. */
export function recordReadable({ freshness }: Metrics, blocks: readonly Waited[]): void {
  for (const { seconds, before } of blocks) {
    freshness.acceptedToRpcSeconds.observe(seconds);
    for (const each of before) freshness.submitToReceiptSeconds.observe(each + seconds);
  }
}

const PROJECTION_STATES = ['catching_up', 'live', 'paused', 'failed', 'rebuilding'] as const;

export function recordProjectionState(metrics: Metrics, { projection, state }: ProjectionsEvents['state']): void {
  for (const each of PROJECTION_STATES)
    metrics.projection.state.set({ projection, state: each }, each === state ? 1 : 0);
}

export function rpcMetrics(metrics: Metrics): RpcMetrics {
  const { rpc } = metrics;
  return {
    call({ method, code, seconds, requestBytes, responseBytes }) {
      rpc.responseSeconds.observe({ method }, seconds);
      rpc.requestSizeBytes.observe({ method }, requestBytes);
      rpc.responseSizeBytes.observe({ method }, responseBytes);
      rpc.requests.inc({ method, code: String(code) });
    },
    batch({ entries, methods, seconds }) {
      for (const [method, calls] of methods) rpc.requestsInBatch.observe({ method }, calls);
      rpc.batchSize.observe(entries);
      rpc.responseSeconds.observe({ method: 'batch' }, seconds);
    },
    logsScanned({ blocks, candidates, matching }) {
      rpc.logsScannedBlocks.observe({ method: 'total' }, blocks);
      rpc.logsScannedBlocks.observe({ method: 'true_positive' }, matching);
      rpc.logsScannedBlocks.observe({ method: 'false_positive' }, candidates - matching);
      rpc.logsScannedBlocks.observe({ method: 'negative' }, blocks - candidates);
    },
    inFlight: (calls) => rpc.inFlight.set(calls),
    rejected: (reason) => rpc.rejected.inc({ reason }),
    webSockets: (open) => rpc.webSocketConnections.set(open),
    subscriptions: (kind, open) => rpc.subscriptions.set({ kind }, open),
    subscriptionLagged: () => rpc.subscriptionsLagged.inc(),
    filters: (installed) => rpc.filters.set(installed),
    filterExpired: () => rpc.filtersExpired.inc(),
  };
}
