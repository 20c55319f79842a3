/**
 * Metrics of one thread, and the server that shows those of all threads. A worker observes into its own `Metrics` and
 * hands over snapshots, which are plain data; the main thread adds them up when somebody scrapes.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  Registry,
  collectDefaultMetrics,
  type LabelValues,
  type MetricObjectWithValues,
  type MetricValue,
} from 'prom-client';
import { NodeError, errorText } from './errors.ts';
import { closeServer, listen } from './httpListener.ts';
import type { Logger } from './logger.ts';
import { METRICS } from './metricTable.ts';
import type { CounterRow, GaugeRow, HistogramRow, MetricRow } from './metricTable.ts';

type MetricOf<Row> =
  Row extends CounterRow<infer L>
    ? Counter<L>
    : Row extends GaugeRow<infer L>
      ? Gauge<L>
      : Row extends HistogramRow<infer L>
        ? Histogram<L>
        : never;

type Tree<T> = { readonly [Group in keyof T]: { readonly [K in keyof T[Group]]: MetricOf<T[Group][K]> } };

/** Plain data: crosses threads by structured clone. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

export type Metrics = Tree<typeof METRICS> & {
  /** All values of this thread. */
  snapshot(): Promise<MetricsSnapshot>;
};

function createMetric(row: MetricRow<string>, registry: Registry): Counter | Gauge | Histogram {
  const options = { name: row.name, help: row.help, labelNames: row.labels, registers: [registry] };
  if (row.kind === 'counter') return new Counter(options);
  if (row.kind === 'gauge') return new Gauge(options);
  return new Histogram({ ...options, buckets: [...(row.buckets ?? [])] });
}

/** The metrics of this thread, all at zero. `withProcess`: also CPU, memory and event loop of the process (main thread). */
export function createMetrics({ withProcess = false }: { withProcess?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (withProcess) collectDefaultMetrics({ register: registry });
  const groups: Record<string, Record<string, unknown>> = {};
  const table: Readonly<Record<string, Readonly<Record<string, MetricRow<string>>>>> = METRICS;
  for (const [groupName, rows] of Object.entries(table)) {
    const group: Record<string, unknown> = {};
    for (const [key, row] of Object.entries(rows)) group[key] = createMetric(row, registry);
    groups[groupName] = group;
  }
  // Each leaf was created from the row that types it.
  const tree = groups as unknown as Tree<typeof METRICS>;
  return { ...tree, snapshot: () => registry.getMetricsAsJSON() };
}

/** For what is counted elsewhere, since the start of the process. */
export function setTotals<L extends string>(
  counter: Counter<L>,
  totals: readonly (readonly [labels: LabelValues<L>, total: number])[],
): void {
  counter.reset();
  for (const [labels, total] of totals) counter.inc(labels, total);
}

/** Prometheus text of several threads. Values of the same series are added: each series is set by one thread only. */
export async function renderMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  // prom-client declares the parameter as one array; it takes one per thread, as its cluster code does
  const registry = AggregatorRegistry.aggregate(snapshots as unknown as object[]);
  return registry.metrics();
}

export interface MetricsSource {
  readonly name: string;
  snapshot(): Promise<MetricsSnapshot>;
}

const SNAPSHOT_TIMEOUT_MS = 1_000;

/** Collects snapshots; a thread that does not answer in time is shown as it was last. */
export class MetricsCollector {
  readonly #sources: readonly MetricsSource[];
  readonly #last = new Map<string, MetricsSnapshot>();
  readonly #pending = new Map<string, Promise<void>>();
  readonly #timeoutMs: number;

  constructor(sources: readonly MetricsSource[], { timeoutMs = SNAPSHOT_TIMEOUT_MS }: { timeoutMs?: number } = {}) {
    this.#sources = sources;
    this.#timeoutMs = timeoutMs;
  }

  async render(): Promise<string> {
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#timeoutMs);
    await Promise.race([timeout, Promise.all(this.#sources.map((source) => this.#ask(source)))]);
    clearTimeout(timer);
    return renderMetrics([...this.#last.values()]);
  }

  /** At most one question to a thread is open. */
  #ask(source: MetricsSource): Promise<void> {
    const open = this.#pending.get(source.name);
    if (open !== undefined) return open;
    const question = source
      .snapshot()
      .then(
        (snapshot) => void this.#last.set(source.name, snapshot),
        // a thread that is gone keeps its last values
        () => undefined,
      )
      .finally(() => this.#pending.delete(source.name));
    this.#pending.set(source.name, question);
    return question;
  }
}

export interface RunningServer {
  /** The bound address, also when port 0 was asked for. */
  readonly address: AddressInfo;
  close(): Promise<void>;
}

/** Answers GET on any path (spec: observability A.1). Throws NodeError LISTEN_FAILED. */
export async function startMetricsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly render: () => Promise<string>;
  readonly logger: Logger;
}): Promise<RunningServer> {
  const { host, port, render, logger } = options;
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: unknown) => logger.warn({ err: error }, 'metrics request failed'));
  app.use(async (context) => {
    if (context.method !== 'GET' && context.method !== 'HEAD') {
      context.status = 405;
      context.set('Allow', 'GET, HEAD');
      return;
    }
    context.type = 'text/plain; version=0.0.4; charset=utf-8';
    try {
      context.body = await render();
    } catch (error) {
      throw new NodeError('retryable', `metrics could not be collected: ${errorText(error)}`, {
        code: 'METRICS_FAILED',
      });
    }
  });
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  const address = await listen(server, { name: 'metrics', host, port });
  return { address, close: () => closeServer(server) };
}
