/**
 * JSON-RPC and subscriptions over WebSocket, on the same port as HTTP (spec: rpc 1, 9). What a client has not read yet is
 * bounded: requests wait behind answers, announcements wait for the client, and one that reads nothing is disconnected.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { systemRandom } from '../common/clock.ts';
import type { RpcBackend } from './backend.ts';
import { BlockFeed } from './blockFeed.ts';
import type { Dispatcher, RpcMetrics } from './dispatcher.ts';
import { errorReply, scanError } from './dispatcher.ts';
import { serverBusy } from './errors.ts';
import type { PendingFeed } from './pendingFeed.ts';
import { RequestScanner, type ScanLimits } from './requestScanner.ts';
import { type SubscriptionKind, type SubscriptionOutlet, Subscriptions } from './subscriptions.ts';

export interface WebSocketSettings {
  /** Two missed pongs end a connection. */
  readonly pingIntervalMs: number;
  readonly maxSubscriptions: number;
  /** Sent and not read by the client, per connection. */
  readonly maxUnreadBytes: number;
}

export interface WebSocketOptions extends WebSocketSettings {
  readonly backend: RpcBackend;
  readonly pending: PendingFeed;
  readonly dispatcher: Dispatcher;
  readonly scanLimits: ScanLimits;
  readonly maxRequestBytes: number;
  /** Requests that are being answered, all connections together. */
  readonly maxTotalRequestBytes: number;
  readonly metrics: RpcMetrics;
  readonly onInternalError: (error: unknown, method: string) => void;
}

/** Messages of one connection that are answered at the same time; more are not read meanwhile. */
const MESSAGES_AT_ONCE = 32;
/** Messages up to here are taken all the same: few large ones must not shut out everybody else. */
const SMALL_MESSAGE_BYTES = 64 * 1024;
const MISSED_PONGS_MAX = 2;
const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

export class WebSockets {
  readonly #options: WebSocketOptions;
  readonly #server: WebSocketServer;
  readonly #blocks: BlockFeed;
  readonly #connections = new Set<Connection>();
  readonly #subscriptions: Record<SubscriptionKind, number> = { newHeads: 0, logs: 0, newPendingTransactions: 0 };
  readonly #requests = { bytes: 0 };
  readonly #pings: NodeJS.Timeout;

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#blocks = new BlockFeed(options.backend.repositories);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxRequestBytes,
    });
    this.#pings = setInterval(() => {
      for (const connection of this.#connections) connection.ping();
    }, options.pingIntervalMs);
    this.#pings.unref();
  }

  /** Takes over a connection of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      // An HTTP server over TCP has no other.
      this.#opened(webSocket, socket as Socket);
    });
  }

  /** Tells every client to go, and cuts those that have not gone after `timeoutMs`. */
  async close({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    clearInterval(this.#pings);
    await Promise.all([...this.#connections].map((connection) => connection.end(timeoutMs)));
  }

  #opened(webSocket: WebSocket, socket: Socket): void {
    const { metrics } = this.#options;
    const connection: Connection = new Connection(webSocket, socket, {
      ...this.#options,
      blocks: this.#blocks,
      requests: this.#requests,
      counted: (kind, change) => {
        this.#subscriptions[kind] += change;
        metrics.subscriptions(kind, this.#subscriptions[kind]);
      },
      onClosed: () => {
        this.#connections.delete(connection);
        metrics.webSockets(this.#connections.size);
      },
    });
    this.#connections.add(connection);
    metrics.webSockets(this.#connections.size);
  }
}

interface ConnectionOptions extends WebSocketOptions {
  readonly blocks: BlockFeed;
  /** Of all connections. */
  readonly requests: { bytes: number };
  readonly counted: (kind: SubscriptionKind, change: 1 | -1) => void;
  readonly onClosed: () => void;
}

class Connection implements SubscriptionOutlet {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #subscriptions: Subscriptions;
  readonly #closed = Promise.withResolvers<void>();
  #room: Promise<void> | undefined;
  #answering = 0;
  #missedPongs = 0;
  /** Bytes that had left for the client at the last ping. */
  #takenBytes = 0;

  constructor(webSocket: WebSocket, socket: Socket, options: ConnectionOptions) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#options = options;
    const { backend, blocks, pending, maxSubscriptions, counted } = options;
    this.#subscriptions = new Subscriptions({
      backend,
      blocks,
      pending,
      outlet: this,
      maxSubscriptions,
      random: systemRandom,
      counted,
    });
    // Binary frames are JSON too.
    webSocket.on('message', (data: Buffer) => void this.#received(data));
    webSocket.on('pong', () => (this.#missedPongs = 0));
    webSocket.on('error', (error: Error & { code?: string }) => {
      // The client's doing; the connection closes by itself.
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') options.metrics.rejected('size');
    });
    webSocket.on('close', () => {
      this.#subscriptions.close();
      this.#closed.resolve();
      options.onClosed();
    });
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  send(text: string): Promise<void> | undefined {
    if (!this.isOpen) return undefined;
    this.#webSocket.send(text);
    return this.#webSocket.bufferedAmount > this.#options.maxUnreadBytes ? this.#whenRead() : undefined;
  }

  push(text: string): void {
    if (this.#webSocket.bufferedAmount + text.length > this.#options.maxUnreadBytes) this.overflow();
    else void this.send(text);
  }

  overflow(): void {
    if (!this.isOpen) return;
    this.#options.metrics.subscriptionLagged();
    this.#webSocket.terminate();
  }

  failed(error: unknown): void {
    this.#options.onInternalError(error, 'eth_subscription');
    this.#webSocket.close(INTERNAL_ERROR, 'internal error');
  }

  ping(): void {
    if (!this.isOpen) return;
    const takenBytes = this.#socket.bytesWritten - this.#socket.writableLength;
    const isTaking = takenBytes !== this.#takenBytes;
    this.#takenBytes = takenBytes;
    // While requests wait nothing is read, pongs included: then a client lives that takes what is sent.
    if (this.#webSocket.isPaused) {
      if (this.#room === undefined) return;
      if (isTaking) this.#missedPongs = 0;
    }
    if (this.#missedPongs >= MISSED_PONGS_MAX) return this.#webSocket.terminate();
    this.#missedPongs += 1;
    this.#webSocket.ping();
  }

  async end(timeoutMs: number): Promise<void> {
    this.#webSocket.resume();
    this.#webSocket.close(GOING_AWAY, 'the node is stopping');
    const timer = setTimeout(() => this.#webSocket.terminate(), timeoutMs);
    await this.#closed.promise;
    clearTimeout(timer);
  }

  async #received(data: Buffer): Promise<void> {
    const { requests, maxTotalRequestBytes, metrics } = this.#options;
    if (requests.bytes + data.length > maxTotalRequestBytes && data.length > SMALL_MESSAGE_BYTES) {
      metrics.rejected('busy');
      void this.send(errorReply('null', serverBusy()));
      return;
    }
    requests.bytes += data.length;
    this.#answering += 1;
    if (this.#answering >= MESSAGES_AT_ONCE) this.#webSocket.pause();
    try {
      await this.#answer(data);
    } finally {
      requests.bytes -= data.length;
      this.#answering -= 1;
      if (this.#answering < MESSAGES_AT_ONCE) this.#webSocket.resume();
    }
  }

  /** Ends when the client has room for more. */
  async #answer(data: Buffer): Promise<void> {
    const { dispatcher, scanLimits, metrics } = this.#options;
    const scanner = new RequestScanner(scanLimits);
    scanner.write(data);
    const { calls, activate } = this.#subscriptions.forMessage();
    let text: string;
    if (scanner.failure === undefined) {
      text = await dispatcher.handle(data, scanner, calls);
    } else {
      metrics.rejected('size');
      text = errorReply('null', scanError(scanner.failure, scanLimits));
    }
    while (this.#room !== undefined) await this.#room;
    const room = text === '' ? undefined : this.send(text);
    activate();
    await room;
  }

  /** Resolves once the client has read everything, or is gone. */
  #whenRead(): Promise<void> {
    this.#room ??= new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#room = undefined;
        resolve();
      };
      this.#socket.on('drain', done);
      void this.#closed.promise.then(done);
    });
    return this.#room;
  }
}
