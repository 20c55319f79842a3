/**
 * Gives accepted blocks to other nodes over TCP (spec: replay-record 7.3; wire format 3). Each client is served from the
 * journal at its own pace: what is in memory for it is what it has not taken of one small read.
 */
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import type { Bytes } from '../common/bytes.ts';
import { assert, errorText } from '../common/errors.ts';
import { listen } from '../common/httpListener.ts';
import type { Logger } from '../common/logger.ts';
import { nextBlockHashes } from '../protocol/blockHeader.ts';
import type { BlockContext, ReplayRecord } from '../protocol/replayRecord.ts';
import { BLOCK_1_BLOCK_HASHES, genesisRecord } from '../protocol/genesis.ts';
import { readReplayRequest, u32Frame } from '../protocol/replayTransport.ts';
import { REPLAY_VERSION_NEWEST, encodeReplayRecord } from '../protocol/replayWireFormat.ts';
import { decodeJournalEntry } from '../store/journalCodec.ts';

/** The accepted blocks, and when there are more. */
export interface ReplaySource {
  /** Resolves once that block is accepted; rejects when the signal fires. */
  whenAccepted(height: number, signal: AbortSignal): Promise<void>;
  /** Of an accepted block, ring included; of block 0 the genesis context. */
  blockContext(height: number): Promise<BlockContext | undefined>;
  /** Encoded journal entries from that block on, what lies between the blocks included: at least one, about `maxBytes`. */
  readFromBlock(height: number, maxBytes: number): Promise<readonly Bytes[]>;
}

export interface ReplayServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly maxClients: number;
  readonly source: ReplaySource;
  readonly nodeVersion: string;
  readonly logger: Logger;
  readonly metrics: {
    clients(open: number): void;
    sent(): void;
    refused(): void;
  };
  /** A client that has not taken what was sent is cut after so long. */
  readonly stallLimitMs?: number;
}

const REQUEST_LIMIT_MS = 10_000;
const STALL_LIMIT_MS = 120_000;
const KEEP_ALIVE_MS = 30_000;
const READ_BYTES = 512 * 1024;

export class ReplayServer {
  readonly #options: ReplayServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #abort = new AbortController();
  readonly address: AddressInfo;

  private constructor(options: ReplayServerOptions, server: Server, address: AddressInfo) {
    this.#options = options;
    this.#server = server;
    this.address = address;
    server.maxConnections = options.maxClients;
    server.on('connection', (socket) => this.#connected(socket));
    server.on('drop', () => options.metrics.refused());
  }

  /** Throws NodeError LISTEN_FAILED. */
  static async start(options: ReplayServerOptions): Promise<ReplayServer> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    const { host, port } = options;
    return new ReplayServer(options, server, await listen(server, { name: 'replay', host, port }));
  }

  get clients(): number {
    return this.#clients.size;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    for (const socket of this.#clients) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    const { logger, metrics } = this.#options;
    const client = new AbortController();
    const signal = AbortSignal.any([client.signal, this.#abort.signal]);
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#clients.add(socket);
    metrics.clients(this.#clients.size);
    socket.on('error', () => undefined); // `close` follows
    socket.once('close', () => {
      client.abort();
      this.#clients.delete(socket);
      metrics.clients(this.#clients.size);
    });
    this.#serve(socket, signal, remote).catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ client: remote, err: errorText(error) }, 'a replay client is disconnected');
      socket.destroy();
    });
  }

  async #serve(socket: Socket, signal: AbortSignal, remote: string): Promise<void> {
    const { source, logger, nodeVersion } = this.#options;
    const first = await readRequest(socket, signal);
    if (first > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`block ${first} is asked for`);
    logger.info({ client: remote, block: first }, 'a replay client follows');
    const outgoing = new Outgoing(socket, signal, this.#options.stallLimitMs ?? STALL_LIMIT_MS);
    await outgoing.write(u32Frame(REPLAY_VERSION_NEWEST));
    let next = Number(first);
    let ring: readonly Bytes[] | undefined;
    while (!signal.aborted) {
      await source.whenAccepted(next, signal);
      if (ring === undefined) {
        const context = await source.blockContext(next);
        assert(context !== undefined, `block ${next} is accepted and has no context`);
        ring = context.blockHashes;
        if (next === 0) {
          await this.#send(outgoing, genesisRecord(context.executionVersion, nodeVersion));
          ring = BLOCK_1_BLOCK_HASHES;
          next = 1;
          continue;
        }
      }
      for (const bytes of await source.readFromBlock(next, READ_BYTES)) {
        const { event } = decodeJournalEntry(bytes);
        if (event.kind !== 'Block') continue;
        assert(event.height === next, `the journal has block ${event.height} where ${next} is expected`);
        const { record, output } = event;
        await this.#send(outgoing, { ...record, context: { ...record.context, blockHashes: ring } });
        // A copy: the hash alone is kept, not the entry.
        ring = nextBlockHashes(ring, new Uint8Array(output.blockHash));
        next += 1;
      }
    }
  }

  async #send(outgoing: Outgoing, record: ReplayRecord): Promise<void> {
    const payload = encodeReplayRecord(record);
    await outgoing.write(u32Frame(payload.length), payload);
    this.#options.metrics.sent();
  }
}

/** The first block that the client wants. What it sends beyond its request is thrown away. */
async function readRequest(socket: Socket, signal: AbortSignal): Promise<bigint> {
  const { promise, resolve, reject } = Promise.withResolvers<bigint>();
  let received: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    try {
      received = Buffer.concat([received, chunk]);
      const first = readReplayRequest(received);
      if (first !== undefined) resolve(first);
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const onAbort = (): void => reject(new Error('the client is gone'));
  const timer = setTimeout(
    () => reject(new Error(`no complete request within ${REQUEST_LIMIT_MS} ms`)),
    REQUEST_LIMIT_MS,
  );
  socket.on('data', onData);
  signal.addEventListener('abort', onAbort);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.off('data', onData).resume();
  }
}

/** Writes that wait for the client. */
class Outgoing {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  readonly #stallLimitMs: number;

  constructor(socket: Socket, signal: AbortSignal, stallLimitMs: number) {
    this.#socket = socket;
    this.#signal = signal;
    this.#stallLimitMs = stallLimitMs;
  }

  /** Resolves when more may be written. Rejects when the client is gone, or takes nothing for too long. */
  async write(...parts: readonly Bytes[]): Promise<void> {
    this.#signal.throwIfAborted();
    this.#socket.cork();
    let hasRoom = true;
    for (const part of parts) hasRoom = this.#socket.write(part);
    this.#socket.uncork();
    if (!hasRoom) await this.#drained();
  }

  async #drained(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(new Error('the client is gone'));
    const timer = setTimeout(
      () => reject(new Error(`it did not take what was sent within ${this.#stallLimitMs} ms`)),
      this.#stallLimitMs,
    );
    this.#socket.once('drain', resolve);
    this.#signal.addEventListener('abort', onAbort);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#socket.off('drain', resolve);
      this.#signal.removeEventListener('abort', onAbort);
    }
  }
}
