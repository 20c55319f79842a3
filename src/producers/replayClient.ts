/**
 * The one producer of a node that is fed over TCP (design.md 3): follows the accepted blocks of another node and appends
 * them to this node's own log. What is appended exists here as everywhere, when it was read back, and is executed then.
 */
import { type Socket, connect } from 'node:net';
import { type Clock, type RandomSource, randomFraction } from '../common/clock.ts';
import { NodeError, assert, errorText } from '../common/errors.ts';
import { RisingGate } from '../common/gate.ts';
import type { Logger } from '../common/logger.ts';
import { sleep } from '../common/retry.ts';
import type { Leadership } from '../log/leadership.ts';
import type { BlockRecord, ReplayRecord } from '../protocol/replayRecord.ts';
import { replayRequest } from '../protocol/replayTransport.ts';
import type { ChainHead } from '../store/chainStore.ts';
import type { BlockProducer, SentBlock } from './blockProducer.ts';
import { type ExpectedRecord, checkContinuity, expectedAfter } from './replayContinuity.ts';
import { readRecords } from './replayStream.ts';

/** What it needs of a leadership. */
export type ReplayTarget = Pick<Leadership<SentBlock>, 'alive' | 'head' | 'whenDrained' | 'whenRoom' | 'append'>;

export interface ReplayClientStatus {
  /** Of the server. */
  readonly address: string;
  readonly isConnected: boolean;
  /** Why nothing comes. */
  readonly problem: string | undefined;
  /** This node has reached the block that the other one had when it was connected last. */
  readonly hasReachedServer: boolean;
  readonly connections: number;
  readonly received: number;
}

export interface ReplayClientOptions {
  readonly host: string;
  readonly port: number;
  readonly chainId: bigint;
  /** Newest accepted and executed block; undefined before genesis. */
  readonly head: () => ChainHead | undefined;
  /** What the other node says is its newest block; undefined: it does not say. */
  readonly serverHead: (signal: AbortSignal) => Promise<number | undefined>;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** What no further attempt cures. */
  readonly onFatal: (error: unknown) => void;
}

const CONNECT_LIMIT_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const PAUSE_MAX_MS = 5_000;
const CONNECTION_PROBLEMS: ReadonlySet<string> = new Set([
  'REPLAY_UNREACHABLE',
  'REPLAY_CONNECTION_LOST',
  'REPLAY_VERSION_UNKNOWN',
]);

export class ReplayClient implements BlockProducer {
  readonly #options: ReplayClientOptions;
  readonly #accepted = new RisingGate();
  #leading: { readonly leadership: ReplayTarget; readonly abort: AbortController } | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopping = false;
  #isConnected = false;
  #problem: NodeError | undefined;
  /** What was logged last, until a record comes. */
  #warned: string | undefined;
  #serverHead: number | undefined;
  #connections = 0;
  #received = 0;

  constructor(options: ReplayClientOptions) {
    this.#options = options;
  }

  get unacceptedBlocks(): number {
    return 0;
  }

  get status(): ReplayClientStatus {
    return {
      address: this.#address,
      isConnected: this.#isConnected,
      problem: this.#problem?.message,
      hasReachedServer: this.#serverHead !== undefined && this.#accepted.value >= this.#serverHead,
      connections: this.#connections,
      received: this.#received,
    };
  }

  lead(leadership: ReplayTarget): void {
    const abort = new AbortController();
    this.#leading = { leadership, abort };
    this.#running = this.#running
      .then(() => this.#followWhileLeading(leadership, abort.signal))
      .catch((error: unknown) => this.#options.onFatal(error));
  }

  doubt(): void {
    this.#leading?.abort.abort();
    this.#leading = undefined;
  }

  accepted(): void {
    // Nothing is built here.
  }

  workArrived(): void {
    const head = this.#options.head();
    if (head !== undefined) this.#accepted.rise(head.height);
  }

  hasWork(): boolean {
    return !this.#isStopping;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.doubt();
    await this.#running;
  }

  get #address(): string {
    return `${this.#options.host}:${this.#options.port}`;
  }

  /** Connects again and again, as long as it takes. */
  async #followWhileLeading(leadership: ReplayTarget, signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    let failures = 0;
    while (!signal.aborted && !this.#isStopping) {
      const received = this.#received;
      try {
        await this.#follow(leadership, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof NodeError) || error.kind !== 'retryable') throw error;
        failures = this.#received > received ? 1 : failures + 1;
        if (this.#warned !== error.message)
          logger.warn(
            { server: this.#address, err: errorText(error) },
            'the replay server does not serve: trying again',
          );
        this.#warned = error.message;
        this.#problem = error;
        const pauseMs = Math.min(PAUSE_MAX_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
        await sleep(pauseMs * (0.5 + 0.5 * randomFraction(random)), signal, clock).catch(() => undefined);
      } finally {
        this.#isConnected = false;
      }
    }
  }

  /** One connection, from the block after everything that is accepted here. */
  async #follow(leadership: ReplayTarget, signal: AbortSignal): Promise<void> {
    const { head, chainId, logger } = this.#options;
    await leadership.whenDrained(signal);
    this.workArrived();
    await this.#accepted.whenReached(leadership.head.height, signal);
    const base = head();
    assert(base !== undefined, 'a leadership before genesis');
    let expected: ExpectedRecord = {
      chainId,
      height: base.height + 1,
      isAfterOwn: true,
      blockHashes: base.blockHashes,
      previousTimestamp: base.timestamp,
      nextL1PriorityId: base.nextL1PriorityId,
    };
    const socket = await this.#connect(signal);
    const end = (): void => void socket.destroy();
    signal.addEventListener('abort', end);
    try {
      socket.write(replayRequest(BigInt(expected.height)));
      this.#connections += 1;
      this.#isConnected = true;
      void this.#askServerHead(signal);
      logger.info({ server: this.#address, block: expected.height }, 'following the replay server');
      for await (const record of readRecords(socket, () => this.#served())) {
        checkContinuity(record, expected, this.#address);
        this.#problem = undefined;
        this.#warned = undefined;
        this.#received += 1;
        await leadership.whenRoom(signal);
        if (signal.aborted || !leadership.alive) return;
        leadership.append({ record: withoutRing(record), payload: undefined });
        expected = expectedAfter(record, expected);
      }
    } finally {
      signal.removeEventListener('abort', end);
      socket.destroy();
    }
  }

  /** A quiet chain sends no record that would show it. What was wrong with a record is wrong until a right one comes. */
  #served(): void {
    if (this.#problem !== undefined && CONNECTION_PROBLEMS.has(this.#problem.code)) this.#problem = undefined;
  }

  async #connect(signal: AbortSignal): Promise<Socket> {
    const { host, port } = this.#options;
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`no connection within ${CONNECT_LIMIT_MS} ms`)), CONNECT_LIMIT_MS);
    const onAbort = (): void => reject(new Error('stopping'));
    signal.addEventListener('abort', onAbort);
    socket.once('connect', resolve);
    // Later errors reach whoever reads.
    socket.on('error', reject);
    try {
      await promise;
      return socket;
    } catch (error) {
      socket.destroy();
      throw new NodeError(
        'retryable',
        `the replay server ${this.#address} cannot be reached: ${errorText(error)}`,
        { code: 'REPLAY_UNREACHABLE', host, port },
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #askServerHead(signal: AbortSignal): Promise<void> {
    const known = await this.#options.serverHead(signal).catch(() => undefined);
    // One that does not say counts as reached: there is nothing to wait for.
    if (!signal.aborted) this.#serverHead = known ?? this.#serverHead ?? 0;
  }
}

function withoutRing(record: ReplayRecord): BlockRecord {
  const { blockHashes: _ring, ...context } = record.context;
  return { ...record, context };
}
