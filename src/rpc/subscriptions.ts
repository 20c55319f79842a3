/**
 * Subscriptions of one WebSocket (spec: rpc 9). Heads and logs are announced by height: each subscription has the next
 * block it owes, so that none is skipped or repeated, however slowly the client reads. A block is announced when
 * `latest` has it: then its receipts and the state after it can be read here.
 */
import { bytesToBigInt } from '../common/bytes.ts';
import type { RandomSource } from '../common/clock.ts';
import { Turns } from '../common/turns.ts';
import { logMatcher } from '../projections/logSearch.ts';
import type { Log } from '../protocol/blockOutput.ts';
import type { RpcBackend } from './backend.ts';
import type { BlockFeed } from './blockFeed.ts';
import { quantity } from './encoding.ts';
import { RPC_CODE, RpcError } from './errors.ts';
import type { LogQuery } from './logQuery.ts';
import type { PendingFeed, PendingNotice } from './pendingFeed.ts';

export type SubscriptionRequest =
  | { readonly kind: 'newHeads' }
  | { readonly kind: 'logs'; readonly filter: Pick<LogQuery, 'addresses' | 'topics'> }
  | { readonly kind: 'newPendingTransactions'; readonly isFull: boolean };

export type SubscriptionKind = SubscriptionRequest['kind'];

/** What a method may do with the connection it was called on. */
export interface SubscriptionCalls {
  /** Nothing is announced before the answer with the id was sent. Errors: -32006. */
  subscribe(request: SubscriptionRequest): Promise<string>;
  /** False: no such subscription on this connection. */
  unsubscribe(id: string): boolean;
}

/** Where announcements go. */
export interface SubscriptionOutlet {
  readonly isOpen: boolean;
  /** Returns a promise when the client must read first: await it before more is sent. */
  send(text: string): Promise<void> | undefined;
  /** Sends what cannot wait; a client without room for it is disconnected. */
  push(text: string): void;
  /** The client is too slow: disconnects it. */
  overflow(): void;
  failed(error: unknown): void;
}

export interface SubscriptionOptions {
  readonly backend: Pick<RpcBackend, 'latest' | 'onLatest'>;
  readonly blocks: BlockFeed;
  readonly pending: PendingFeed;
  readonly outlet: SubscriptionOutlet;
  readonly maxSubscriptions: number;
  readonly random: RandomSource;
  /** One more, or one less. */
  readonly counted: (kind: SubscriptionKind, change: 1 | -1) => void;
}

interface Subscription {
  readonly id: string;
  readonly request: SubscriptionRequest;
  readonly matches: ((log: Log) => boolean) | undefined;
  /** Height of the block that is announced next. */
  next: number;
  isActive: boolean;
  /** Texts of pending transactions that came before the id was sent. */
  readonly early: string[];
}

/** A client that takes nothing may be so far behind, then it is disconnected. */
const LAG_MAX_BLOCKS = 1_024;
const EARLY_MAX = 4_096;

export class Subscriptions {
  readonly #options: SubscriptionOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Being installed. */
  #opening = 0;
  #stopLatest: (() => void) | undefined;
  #stopPending: Promise<() => void> | undefined;
  #isPumping = false;
  #isWaitingForRoom = false;
  #isClosed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  /** For one message: `activate` once its answer was sent. */
  forMessage(): { readonly calls: SubscriptionCalls; readonly activate: () => void } {
    const installed: Subscription[] = [];
    return {
      calls: {
        subscribe: async (request) => {
          const subscription = await this.#subscribe(request);
          installed.push(subscription);
          return subscription.id;
        },
        unsubscribe: (id) => this.#unsubscribe(id),
      },
      activate: () => {
        for (const subscription of installed) this.#activate(subscription);
      },
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const id of [...this.#subscriptions.keys()]) this.#unsubscribe(id);
    this.#stopLatest?.();
    this.#endPending();
  }

  async #subscribe(request: SubscriptionRequest): Promise<Subscription> {
    const { backend, maxSubscriptions, random, counted } = this.#options;
    if (this.#subscriptions.size + this.#opening >= maxSubscriptions)
      throw new RpcError(RPC_CODE.tooManySubscriptions, 'Too many subscriptions on the connection', {
        data: `Exceeded max limit of ${maxSubscriptions}`,
      });
    if (request.kind === 'newPendingTransactions') {
      this.#opening += 1;
      try {
        await (this.#stopPending ??= this.#options.pending.watch((notice) => this.#announcePending(notice)));
      } catch (error) {
        this.#stopPending = undefined;
        throw error;
      } finally {
        this.#opening -= 1;
      }
    }
    const subscription: Subscription = {
      id: randomId(random),
      request,
      matches: request.kind === 'logs' ? logMatcher(request.filter) : undefined,
      next: backend.latest() + 1,
      isActive: false,
      early: [],
    };
    if (this.#isClosed) {
      this.#endPending();
      return subscription;
    }
    this.#stopLatest ??= backend.onLatest(() => this.#latestMoved());
    this.#subscriptions.set(subscription.id, subscription);
    counted(request.kind, 1);
    return subscription;
  }

  #unsubscribe(id: string): boolean {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return false;
    this.#subscriptions.delete(id);
    const { kind } = subscription.request;
    this.#options.counted(kind, -1);
    const isLastOfPending =
      kind === 'newPendingTransactions' &&
      this.#opening === 0 &&
      ![...this.#subscriptions.values()].some(({ request }) => request.kind === kind);
    if (isLastOfPending) this.#endPending();
    return true;
  }

  #endPending(): void {
    const stopping = this.#stopPending;
    this.#stopPending = undefined;
    stopping?.then(
      (stop) => stop(),
      () => undefined, // whoever subscribed was told
    );
  }

  #activate(subscription: Subscription): void {
    subscription.isActive = true;
    for (const text of subscription.early.splice(0)) this.#options.outlet.push(notification(subscription, text));
    this.#latestMoved();
  }

  #announcePending(notice: PendingNotice): void {
    const { outlet } = this.#options;
    for (const subscription of [...this.#subscriptions.values()]) {
      const { request, early } = subscription;
      if (request.kind !== 'newPendingTransactions') continue;
      const text = notice.text(request.isFull);
      if (subscription.isActive) outlet.push(notification(subscription, text));
      else if (early.length < EARLY_MAX) early.push(text);
      else outlet.overflow();
    }
  }

  #latestMoved(): void {
    const { backend, outlet } = this.#options;
    const next = this.#isWaitingForRoom ? this.#due()?.next : undefined;
    if (next !== undefined && backend.latest() - next > LAG_MAX_BLOCKS) {
      outlet.overflow();
      return;
    }
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pump().catch((error: unknown) => outlet.failed(error));
  }

  /** One that owes the lowest block; undefined: nothing is owed. */
  #due(): Subscription | undefined {
    const latest = this.#options.backend.latest();
    let due: Subscription | undefined;
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.isActive || subscription.request.kind === 'newPendingTransactions') continue;
      if (subscription.next <= latest && (due === undefined || subscription.next < due.next)) due = subscription;
    }
    return due;
  }

  async #pump(): Promise<void> {
    try {
      for (let due = this.#due(); due !== undefined && this.#options.outlet.isOpen; due = this.#due())
        await this.#announce(due.next);
    } finally {
      // In the turn of the last look: a block that becomes readable from here on starts the pump again.
      this.#isPumping = false;
    }
  }

  async #announce(height: number): Promise<void> {
    const block = await this.#options.blocks.block(height);
    for (const subscription of [...this.#subscriptions.values()]) {
      if (!subscription.isActive || subscription.next !== height) continue;
      if (subscription.request.kind === 'newHeads') {
        subscription.next = height + 1;
        await this.#send(subscription, block.headText);
      } else if (subscription.matches !== undefined) {
        const logs = await block.logs();
        const turns = new Turns();
        subscription.next = height + 1;
        for (const { log, text } of logs) {
          if (subscription.matches(log)) await this.#send(subscription, text);
          const turn = turns.due();
          if (turn !== undefined) await turn;
        }
      }
    }
  }

  async #send(subscription: Subscription, text: string): Promise<void> {
    const { outlet } = this.#options;
    if (!outlet.isOpen || !this.#subscriptions.has(subscription.id)) return;
    const room = outlet.send(notification(subscription, text));
    if (room === undefined) return;
    this.#isWaitingForRoom = true;
    await room;
    this.#isWaitingForRoom = false;
  }
}

/** A random 128-bit quantity: clients take ids of subscriptions and filters as opaque, some as numbers. */
export function randomId(random: RandomSource): string {
  return quantity(bytesToBigInt(random(16)));
}

function notification({ id }: Subscription, result: string): string {
  return `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${result}}}`;
}
