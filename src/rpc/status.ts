/** Health, readiness and status over HTTP (spec: observability C.8). Answers before the node has caught up. */
import { createServer } from 'node:http';
import Koa from 'koa';
import { closeServer, listen } from '../common/httpListener.ts';
import type { Logger } from '../common/logger.ts';
import type { RunningServer } from '../common/metrics.ts';

export type ProjectionState = 'catching_up' | 'live' | 'paused' | 'failed' | 'rebuilding';

export interface ProjectionStatus {
  readonly name: string;
  readonly height: number;
  readonly lagBlocks: number;
  readonly state: ProjectionState;
  /** Readiness does not wait for it. */
  readonly optional?: boolean;
  /** Why it is paused or failed. */
  readonly problem?: string;
}

/** Newest batch of each stage; 0: none. */
export interface BatchesStatus {
  readonly sealed: number;
  /** Of them recomputed by this node. */
  readonly checked: number;
  readonly committed: number;
  readonly proved: number;
  readonly executed: number;
  /** Blocks of the batch that this process collects. */
  readonly openBlocks: number;
  /** Why settlement needs a look; blocks go on. */
  readonly alarm: string | undefined;
}

export interface NodeStatus {
  readonly role: 'main' | 'external';
  readonly nodeVersion: string;
  readonly chainId: bigint;
  /** Undefined: an external node. */
  readonly isLeading: boolean | undefined;
  readonly epoch: bigint;
  /** Last accepted block that this node knows of. */
  readonly logHead: number;
  /** False: why, in `logProblem`. */
  readonly isLogReadable: boolean;
  readonly logProblem: string | undefined;
  /** What somebody has to look at while the log is read on. */
  readonly logAlarms: readonly string[];
  /** False until the end of the log was reached once. */
  readonly hasCaughtUp: boolean;
  readonly projections: readonly ProjectionStatus[];
  readonly safe: number;
  readonly finalized: number;
  readonly batches: BatchesStatus;
  /** Undefined: L1 is not watched. */
  readonly l1Head: number | undefined;
  readonly arePriorityTransactionsChecked: boolean;
  /** L1 block up to which it was read. */
  readonly l1ScannedBlock?: number | undefined;
  readonly l1Confirmations?: number | undefined;
  /** Why L1 is not followed, or why nothing of it is included. */
  readonly l1Problem?: string | undefined;
  /** A block of the log waits until L1 is read up to this request. */
  readonly awaitedPriorityId?: bigint | undefined;
  /** Undefined: this node does not serve blocks over TCP. */
  readonly replayServer?: { readonly address: string; readonly clients: number } | undefined;
  /** Undefined: this node is not fed over TCP. */
  readonly replayClient?: ReplayFeedStatus | undefined;
}

export interface ReplayFeedStatus {
  readonly server: string;
  readonly connected: boolean;
  /** Why nothing comes. */
  readonly problem: string | undefined;
  readonly received: number;
}

export interface StatusOptions {
  readonly status: () => NodeStatus;
  readonly isTerminating: () => boolean;
  /** projection_max_lag_blocks */
  readonly maxLagBlocks: number;
}

/** Why the node is not ready; none: it is. */
export function readinessProblems(status: NodeStatus, options: Omit<StatusOptions, 'status'>): string[] {
  const problems: string[] = [];
  if (options.isTerminating()) problems.push('the node is stopping');
  if (!status.isLogReadable) problems.push(`the log is not readable: ${status.logProblem ?? 'unknown reason'}`);
  else if (!status.hasCaughtUp) problems.push('the end of the log was not reached yet');
  for (const { name, state, lagBlocks, optional } of status.projections) {
    if (optional === true) continue;
    if (state === 'failed' || state === 'rebuilding') problems.push(`projection ${name} is ${state}`);
    if (state === 'paused') problems.push(`projection ${name} is paused: its disk is full`);
    if (lagBlocks > options.maxLagBlocks) {
      problems.push(`projection ${name} is ${lagBlocks} blocks behind, more than ${options.maxLagBlocks}`);
    }
  }
  return problems;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, entry: unknown) => {
    if (typeof entry !== 'bigint') return entry;
    return entry <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(entry) : entry.toString();
  });
}

function projectionTable(status: NodeStatus): Record<string, Omit<ProjectionStatus, 'name'>> {
  return Object.fromEntries(status.projections.map(({ name, ...rest }) => [name, rest]));
}

function statusBody(status: NodeStatus): object {
  return {
    role: status.role,
    version: status.nodeVersion,
    chainId: status.chainId,
    leading: status.isLeading,
    epoch: status.epoch,
    logHead: status.logHead,
    logReadable: status.isLogReadable,
    logProblem: status.logProblem,
    logAlarms: status.logAlarms.length === 0 ? undefined : status.logAlarms,
    caughtUp: status.hasCaughtUp,
    projections: projectionTable(status),
    safe: status.safe,
    finalized: status.finalized,
    batches: status.batches,
    l1Head: status.l1Head,
    l1ScannedBlock: status.l1ScannedBlock,
    l1Confirmations: status.l1Confirmations,
    l1Problem: status.l1Problem,
    priorityTransactions: priorityTransactionsText(status),
    settlement:
      status.replayClient === undefined
        ? undefined
        : 'not carried over TCP: no batches here, safe and finalized stay 0',
    replayServer: status.replayServer,
    replayClient: status.replayClient,
  };
}

function priorityTransactionsText({ arePriorityTransactionsChecked, awaitedPriorityId }: NodeStatus): string {
  if (!arePriorityTransactionsChecked) return 'not checked';
  return awaitedPriorityId === undefined ? 'checked' : `waiting for request ${awaitedPriorityId} on L1`;
}

/** The koa application alone. */
export function createStatusApp(options: StatusOptions): Koa {
  const { status, isTerminating } = options;
  const answers: Readonly<Record<string, () => readonly [code: number, body: object]>> = {
    '/health': () => [isTerminating() ? 503 : 200, { healthy: !isTerminating() }],
    '/ready': () => {
      const current = status();
      const problems = readinessProblems(current, options);
      if (problems.length > 0) return [503, { ready: false, problems }];
      return [200, { ready: true, projections: projectionTable(current) }];
    },
    '/status': () => [200, statusBody(status())],
  };
  const app = new Koa();
  app.silent = true;
  app.use((context) => {
    const path = context.path === '/status/health' ? '/health' : context.path;
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
    context.type = 'application/json';
    context.set('Cache-Control', 'no-store');
    if (answer === undefined) {
      context.status = 404;
      context.body = toJson({ error: 'no such route', routes: Object.keys(answers) });
    } else if (context.method !== 'GET' && context.method !== 'HEAD') {
      context.status = 405;
      context.set('Allow', 'GET, HEAD');
      context.body = toJson({ error: 'only GET' });
    } else {
      const [code, body] = answer();
      context.status = code;
      context.body = toJson(body);
    }
  });
  return app;
}

/** Throws NodeError LISTEN_FAILED. */
export async function startStatusServer(
  options: StatusOptions & { readonly host: string; readonly port: number; readonly logger: Logger },
): Promise<RunningServer> {
  const app = createStatusApp(options);
  app.on('error', (error: unknown) => options.logger.warn({ err: error }, 'status request failed'));
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  const address = await listen(server, { name: 'status', host: options.host, port: options.port });
  return { address, close: () => closeServer(server) };
}
