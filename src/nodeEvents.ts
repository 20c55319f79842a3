/** What the threads tell the main thread, into the node's view and its metrics. */
import type { Threads } from './nodeThreads.ts';
import type { NodeView } from './nodeView.ts';
import type { Bytes } from './common/bytes.ts';
import type { Logger } from './common/logger.ts';
import { createMetrics } from './common/metrics.ts';
import { decodeEntry } from './log/entryCodec.ts';
import type { LogAlarm } from './log/eventLog.kafka.ts';
import type { Finality } from './log/settlementFold.ts';
import type { SealedOpenBatch } from './producers/batcher.ts';
import {
  AcceptedTimes,
  recordAccepted,
  recordAnalytics,
  recordApplied,
  recordBatchSent,
  recordInserted,
  recordReadable,
  submittedToAccepted,
  recordProjectionState,
} from './nodeMetrics.ts';
import { analytics } from './projections/index.ts';
import type { SimulatorOptions } from './rpc/simulator.ts';
import type { TracesOptions } from './rpc/traces.ts';
import type { AcceptedBlock } from './workers/chain.ts';
import type { ProjectionsEvents } from './workers/projectionHost.ts';
import { ThreadPort } from './workers/threadPort.ts';

const GENESIS_SCHEMA = 1;
const ANALYTICS = analytics.name;

export function listenToThreads({
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
  const readableTimes = new AcceptedTimes();
  view.onLatest(() => recordReadable(metrics, readableTimes.take(view.latest(), performance.now())));
  chain.on<AcceptedBlock>('accepted', (block) => {
    acceptedTimes.accepted(block.height, performance.now());
    readableTimes.accepted(block.height, performance.now(), submittedToAccepted(block));
    view.accepted(block);
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
  chain.on<number>('kafkaFetched', (seconds) => metrics.kafka.fetchLatencySeconds.observe(seconds));
  chain.on<{ records: number; bytes: number }>('kafkaDelivered', ({ records, bytes }) => {
    metrics.kafka.records.inc(records);
    metrics.kafka.bytes.inc(bytes);
  });
  chain.on<undefined>('kafkaReaderRestarted', () => metrics.kafka.readerRestarts.inc());
  chain.on<LogAlarm>('logAlarm', (alarm) => {
    view.logAlarm(alarm);
    metrics.log.alarm.set({ code: alarm.code }, alarm.text === undefined ? 0 : 1);
  });
  chain.on<ReadonlyMap<string, boolean>>('kafkaBrokers', (brokers) => {
    for (const [broker, isUp] of brokers) metrics.kafka.brokerUp.set({ broker }, isUp ? 1 : 0);
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
    view.projection(run.projection, {
      height: run.height,
      ...(run.blocks > 0 && { blockTimestamp: run.blockTimestamp }),
    });
    if (run.projection === ANALYTICS)
      recordAnalytics(metrics, run.height, acceptedTimes.take(run.height, performance.now()));
    recordApplied(metrics, run);
  });
  port.on<ProjectionsEvents['state']>('state', (state) => {
    view.projection(state.projection, { height: state.height, state: state.state });
    recordProjectionState(metrics, state);
  });
  port.on<ProjectionsEvents['duplicates']>('duplicates', ({ projection, count }) =>
    metrics.projection.duplicates.inc({ projection }, count),
  );
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
