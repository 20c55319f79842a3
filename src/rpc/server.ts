/** JSON-RPC over HTTP (spec: rpc 1): POST only, on any path; WebSockets on the same port. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Context, Next } from 'koa';
import Koa from 'koa';
import { systemClock, systemRandom } from '../common/clock.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Dispatcher, DispatcherOptions, RpcMetrics } from './dispatcher.ts';
import { createDispatcher, errorReply, requestTooBig, scanError } from './dispatcher.ts';
import { serverBusy } from './errors.ts';
import type { FilterSettings } from './filters.ts';
import { Filters } from './filters.ts';
import type { MethodOptions } from './method.ts';
import { createMethods } from './methodTable.ts';
import { PendingFeed } from './pendingFeed.ts';
import type { ScanLimits } from './requestScanner.ts';
import { RequestScanner } from './requestScanner.ts';
import type { WebSocketSettings } from './webSocket.ts';
import { WebSockets } from './webSocket.ts';

/** Everything from the table of options; the method settings are part of it. */
export interface RpcServerOptions extends Omit<MethodOptions, 'filters'>, FilterSettings, WebSocketSettings {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly maxConnections: number;
  readonly maxRequestBytes: number;
  readonly maxBatchEntries: number;
  readonly metrics: RpcMetrics;
  readonly onInternalError: DispatcherOptions['onInternalError'];
  /** A client that takes nothing of its answer so long is cut. */
  readonly stallLimitMs?: number;
}

export interface RpcServer {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, answers what has begun, and cuts what is left after `timeoutMs`. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** Deeper JSON is refused; no method nests further than a handful of levels. */
const MAX_DEPTH = 64;
const MAX_VALUES = 500_000;
const MAX_IN_FLIGHT = 10_000;
const BATCH_CONCURRENCY = 32;
/** Bodies that are being received, all connections together, in units of the largest request. */
const MAX_BUFFERED_REQUESTS = 16;
/** Bodies up to here are taken all the same: few large ones that never end must not shut out everybody else. */
const SMALL_REQUEST_BYTES = 64 * 1024;
/** Connections above the limit that are kept long enough to be told 429; more are dropped at once. */
const SURPLUS_CONNECTIONS = 64;
const SURPLUS_TIMEOUT_MS = 5_000;
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than the idle time of usual proxies, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const STALL_LIMIT_MS = 120_000;

type BodyResult =
  | { readonly kind: 'body'; readonly body: Buffer; readonly scanner: RequestScanner }
  | { readonly kind: 'tooBig' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'refused'; readonly scanner: RequestScanner }
  | { readonly kind: 'gone' };

/** Receives bodies within a limit for each and one for all together. */
class BodyReader {
  readonly #maxBytes: number;
  readonly #maxTotalBytes: number;
  readonly #maxDiscardedBytes: number;
  readonly #limits: ScanLimits;
  #totalBytes = 0;

  constructor(maxBytes: number, limits: ScanLimits) {
    this.#maxBytes = maxBytes;
    this.#maxTotalBytes = maxBytes * MAX_BUFFERED_REQUESTS;
    // What a client has usually sent by the time it reads the refusal.
    this.#maxDiscardedBytes = 2 * maxBytes + 65_536;
    this.#limits = limits;
  }

  read(request: IncomingMessage): Promise<BodyResult> {
    if (Number(request.headers['content-length'] ?? 0) > this.#maxBytes) {
      discard(request, this.#maxDiscardedBytes);
      return Promise.resolve({ kind: 'tooBig' });
    }
    const scanner = new RequestScanner(this.#limits);
    const chunks: Buffer[] = [];
    let length = 0;
    return new Promise((resolve) => {
      const finish = (result: BodyResult): void => {
        request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
        // The connection may still fail while the answer is prepared; that concerns nobody.
        request.on('error', () => {});
        this.#totalBytes -= length;
        if (result.kind !== 'body' && result.kind !== 'gone') discard(request, this.#maxDiscardedBytes);
        resolve(result);
      };
      const onData = (chunk: Buffer): void => {
        length += chunk.length;
        this.#totalBytes += chunk.length;
        if (length > this.#maxBytes) return finish({ kind: 'tooBig' });
        if (this.#totalBytes > this.#maxTotalBytes && length > SMALL_REQUEST_BYTES) return finish({ kind: 'busy' });
        scanner.write(chunk);
        if (scanner.failure !== undefined) return finish({ kind: 'refused', scanner });
        chunks.push(chunk);
      };
      const onEnd = (): void => {
        const [only] = chunks;
        finish({
          kind: 'body',
          body: only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks),
          scanner,
        });
      };
      const onGone = (): void => finish({ kind: 'gone' });
      request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
    });
  }
}

/**
 * Lets the rest of a refused body pass by, so that the client gets to read the answer instead of a reset; a client that
 * goes on and on is cut.
 */
function discard(request: IncomingMessage, maxBytes: number): void {
  let discarded = 0;
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > maxBytes) request.destroy();
  });
  request.resume();
}

function isJson(contentType: string | undefined): boolean {
  const mediaType = (contentType ?? '').split(';', 1)[0] ?? '';
  return mediaType.trim().toLowerCase() === 'application/json';
}

async function allowOrigins(ctx: Context, next: Next): Promise<void> {
  ctx.set('Access-Control-Allow-Origin', '*');
  if (ctx.method !== 'OPTIONS') {
    await next();
    return;
  }
  ctx.set('Access-Control-Allow-Methods', 'POST');
  ctx.set('Access-Control-Allow-Headers', 'content-type');
  ctx.set('Access-Control-Max-Age', '86400');
  ctx.status = 204;
}

function refuse(ctx: Context, status: number, text: string): void {
  ctx.status = status;
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = `${text}\n`;
}

function answer(ctx: Context, status: number, json: string): void {
  ctx.status = status;
  // Nothing to say to notifications, and it is said with 200.
  if (json !== '') ctx.type = 'application/json; charset=utf-8';
  ctx.body = Buffer.from(json);
}

function jsonRpc(dispatcher: Dispatcher, bodies: BodyReader, options: RpcServerOptions, limits: ScanLimits) {
  const { metrics, maxRequestBytes } = options;
  return async (ctx: Context): Promise<void> => {
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'POST');
      return refuse(ctx, 405, 'Method not allowed: JSON-RPC requests are sent with POST.');
    }
    if (!isJson(ctx.get('content-type'))) {
      return refuse(ctx, 415, 'Unsupported content type: use application/json.');
    }
    const received = await bodies.read(ctx.req);
    switch (received.kind) {
      case 'gone':
        ctx.respond = false;
        return;
      case 'tooBig':
        metrics.rejected('size');
        return answer(ctx, 413, errorReply('null', requestTooBig(maxRequestBytes)));
      case 'busy':
        metrics.rejected('busy');
        return answer(ctx, 503, errorReply('null', serverBusy()));
      case 'refused':
        metrics.rejected('size');
        return answer(ctx, 200, errorReply('null', scanError(received.scanner.failure ?? 'depth', limits)));
      case 'body':
        return answer(ctx, 200, await dispatcher.handle(received.body, received.scanner));
    }
  };
}

/** Counts connections; those above the limit are told so and closed. */
class ConnectionLimit {
  readonly #max: number;
  readonly #surplus = new WeakSet<Socket>();
  #open = 0;

  constructor(max: number) {
    this.#max = max;
  }

  opened(socket: Socket): void {
    this.#open += 1;
    socket.once('close', () => {
      this.#open -= 1;
    });
    if (this.#open <= this.#max) return;
    this.#surplus.add(socket);
    socket.setTimeout(SURPLUS_TIMEOUT_MS, () => socket.destroy());
  }

  isSurplus(socket: Socket): boolean {
    return this.#surplus.has(socket);
  }
}

const TOO_MANY_CONNECTIONS = 'Too many connections. Please try again later.';

function refuseUpgrade(socket: Duplex, status: string, text: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}\n`);
}

function tooManyConnections(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(429, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Access-Control-Allow-Origin': '*',
    Connection: 'close',
  });
  response.end(`${TOO_MANY_CONNECTIONS}\n`);
  request.resume();
}

/** Resolves once it listens. Errors: RPC_LISTEN_FAILED. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { metrics, maxConnections, host, stallLimitMs = STALL_LIMIT_MS } = options;
  const limits: ScanLimits = {
    maxDepth: MAX_DEPTH,
    maxBatchEntries: options.maxBatchEntries,
    maxValues: MAX_VALUES,
  };
  const { backend, maxRequestBytes, maxResponseBytes, filterTtlMs, maxFilters } = options;
  const pending = new PendingFeed(backend.pool);
  const filters = new Filters({
    backend,
    pending,
    limits: { maxBlocks: options.maxBlocksPerFilter, maxLogs: options.maxLogsPerResponse },
    maxResponseBytes,
    filterTtlMs,
    maxFilters,
    clock: systemClock,
    random: systemRandom,
    metrics,
  });
  const dispatcher = createDispatcher({
    methods: createMethods({ ...options, filters }),
    scanLimits: limits,
    maxResponseBytes,
    maxInFlight: MAX_IN_FLIGHT,
    batchConcurrency: BATCH_CONCURRENCY,
    metrics,
    onInternalError: options.onInternalError,
  });
  let isClosing = false;
  const app = new Koa();
  // Failures of connections end here; those of methods never leave the dispatcher.
  app.on('error', (error: Error & { code?: string }) => {
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') options.onInternalError(error, 'http');
  });
  app.use(async (ctx: Context, next: Next) => {
    await next();
    // Also for what had begun before: its connection must not stay open for more.
    if (isClosing) ctx.set('Connection', 'close');
    // From here on the client's turn; the server sets another time when the answer is taken.
    ctx.req.socket.setTimeout(stallLimitMs);
  });
  app.use(allowOrigins);
  app.use(jsonRpc(dispatcher, new BodyReader(options.maxRequestBytes, limits), options, limits));
  const handle = app.callback();
  const connections = new ConnectionLimit(maxConnections);
  const webSockets = new WebSockets({
    ...options,
    pending,
    dispatcher,
    scanLimits: limits,
    maxTotalRequestBytes: maxRequestBytes * MAX_BUFFERED_REQUESTS,
  });

  const http = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      // What is offered beside it (HTTP/2) may be ignored: the request is answered as it is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    (request, response) => {
      if (connections.isSurplus(request.socket)) {
        metrics.rejected('connections');
        return tooManyConnections(request, response);
      }
      void handle(request, response);
    },
  );
  http.maxConnections = maxConnections + SURPLUS_CONNECTIONS;
  http.on('connection', (socket) => connections.opened(socket));
  http.on('drop', () => metrics.rejected('connections'));
  http.on('upgrade', (request, socket, head) => {
    // The connection may fail at any time before it is a WebSocket.
    socket.on('error', () => {});
    if (isClosing) return refuseUpgrade(socket, '503 Service Unavailable', 'The node is stopping.');
    if (connections.isSurplus(request.socket)) {
      metrics.rejected('connections');
      return refuseUpgrade(socket, '429 Too Many Requests', TOO_MANY_CONNECTIONS);
    }
    webSockets.upgrade(request, socket, head);
  });
  const port = await listen(http, host, options.port);

  return {
    host,
    port,
    close: async ({ timeoutMs }) => {
      isClosing = true;
      const closed = closeServer(http, timeoutMs);
      await webSockets.close({ timeoutMs });
      await closed;
      filters.close();
    },
  };
}

function listen(http: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', (error) => {
      reject(
        new NodeError(
          'fatal',
          `JSON-RPC cannot listen on ${host}:${port} (${errorText(error)}): free the port or set rpc_address`,
          { code: 'RPC_LISTEN_FAILED', host, port },
          { cause: error },
        ),
      );
    });
    // A server that listens on TCP has an address with a port.
    http.listen(port, host, () => resolve((http.address() as AddressInfo).port));
  });
}

function closeServer(http: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => http.closeAllConnections(), timeoutMs);
    http.close(() => {
      clearTimeout(timer);
      resolve();
    });
    http.closeIdleConnections();
  });
}
