/**
 * Priority requests of L1 inside the chain worker: what the watcher handed on, waiting to be included, and what is known
 * of those that are. Pure state, fed from both sides; L1 may take back what it said (log-protocol 8).
 */
import { equalBytes, toHex } from '../common/bytes.ts';
import { type Clock, systemClock } from '../common/clock.ts';
import { NodeError } from '../common/errors.ts';
import { type L1Transaction, type SenderedTransaction, L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import type { L1Source } from './l1Source.ts';

export interface L1QueueOptions {
  /** Why a request must never reach a block, or undefined (spec: execution 2). */
  readonly refusal: (transaction: L1Transaction) => string | undefined;
  /** Requests that may wait; more are taken, but not asked for. */
  readonly capacity?: number;
  /** Called when an alarm begins, changes or ends. */
  readonly onAlarm: (alarm: L1Alarm | undefined) => void;
  readonly clock?: Clock;
}

/** Why no priority transaction is included any more, while other blocks go on. */
export interface L1Alarm {
  readonly code: 'L1_REQUEST_CHANGED' | 'L1_REQUEST_DROPPED' | 'L1_REQUEST_REFUSED';
  readonly id: bigint;
  readonly text: string;
}

export interface L1QueueStatus {
  /** The id that L1's next request will get, as far as it was read. */
  readonly nextId: bigint;
  /** Read from L1, not in an accepted block. */
  readonly waiting: number;
  /** Since the oldest of them was read; 0: there is none. */
  readonly oldestAgeMs: number;
  /** A block is held back until L1 is read up to this id. */
  readonly awaitedId: bigint | undefined;
  readonly alarm: L1Alarm | undefined;
}

const CAPACITY = 1_024;
/** Of included requests the hashes are kept, to notice when L1 replaces one. */
const INCLUDED_KEPT = 65_536;

interface Request {
  readonly transaction: L1Transaction;
  /** When it was read from L1. */
  readonly readMs: number;
}

interface Waiter {
  readonly id: bigint;
  readonly resolve: () => void;
}

export class L1Queue implements L1Source {
  onArrival: (() => void) | undefined;

  readonly #options: L1QueueOptions;
  /** From #firstUnaccepted on. */
  readonly #requests = new Map<bigint, Request>();
  /** Hash by id, oldest first. */
  readonly #included = new Map<bigint, Uint8Array>();
  /** Included requests in whose place L1 now has another. */
  readonly #changed = new Map<bigint, Uint8Array>();
  readonly #waiting = new Set<Waiter>();
  #firstUnaccepted = 0n;
  #nextId = 0n;
  #isTruncated = false;
  #refused: L1Alarm | undefined;
  #reported: L1Alarm | undefined;

  constructor(options: L1QueueOptions) {
    this.#options = options;
  }

  /**
   * Before anything is added: where the accepted blocks stand. Answers the first id to hand on, which is that of the
   * newest included request, so that L1 is compared with it.
   */
  begin(firstUnaccepted: bigint, newestIncluded: L1Transaction | undefined): bigint {
    this.#firstUnaccepted = firstUnaccepted;
    this.#nextId = newestIncluded?.nonce ?? firstUnaccepted;
    if (newestIncluded !== undefined) this.#included.set(newestIncluded.nonce, newestIncluded.hash);
    return this.#nextId;
  }

  get nextId(): bigint {
    return this.#nextId;
  }

  has(id: bigint): boolean {
    return this.get(id) !== undefined;
  }

  /** Nothing while there is an alarm about an earlier one. */
  get(id: bigint): L1Transaction | undefined {
    if (this.#changed.size > 0 || (this.#refused !== undefined && id >= this.#refused.id)) return undefined;
    return this.#requests.get(id)?.transaction;
  }

  whenAvailable(id: bigint, signal: AbortSignal): Promise<void> {
    return this.#when(id, signal);
  }

  /** False: full. All are taken nevertheless. */
  add(requests: readonly L1Transaction[]): boolean {
    for (const request of requests) this.#addOne(request);
    this.#reportAlarm();
    this.#wake();
    this.onArrival?.();
    return this.hasRoom();
  }

  /** A block that waits for L1 makes room, however many requests it holds. */
  hasRoom(): boolean {
    return this.#waiting.size > 0 || this.#requests.size < (this.#options.capacity ?? CAPACITY);
  }

  /** L1 took back its requests from `fromId` on; those it has instead are added anew. */
  truncate(fromId: bigint): void {
    for (let id = fromId; id < this.#nextId; id++) {
      this.#requests.delete(id);
      this.#changed.delete(id);
    }
    if (this.#refused !== undefined && this.#refused.id >= fromId) this.#refused = undefined;
    this.#nextId = fromId;
    this.#isTruncated = true;
    this.#reportAlarm();
  }

  /** A block with these was accepted. */
  included(transactions: readonly SenderedTransaction[]): void {
    for (const { transaction } of transactions) {
      if (transaction.type !== L1_PRIORITY_TYPE) continue;
      const { nonce: id, hash } = transaction;
      const onL1 = this.#requests.get(id)?.transaction;
      if (onL1 !== undefined && !equalBytes(onL1.hash, hash)) this.#changed.set(id, onL1.hash);
      this.#requests.delete(id);
      this.#included.set(id, hash);
      this.#firstUnaccepted = id + 1n;
    }
    if (this.#refused !== undefined && this.#refused.id < this.#firstUnaccepted) {
      // Another node, with other limits, has included it.
      this.#refused = undefined;
      for (const request of this.#requests.values()) this.#refuse(request.transaction);
    }
    while (this.#included.size > INCLUDED_KEPT) {
      const oldest = this.#included.keys().next();
      if (oldest.done === true) break;
      this.#included.delete(oldest.value);
    }
    this.#reportAlarm();
  }

  /**
   * Compares every priority transaction of a block with what L1 emitted, and waits for L1 where that is behind.
   * @throws NodeError L1_PRIORITY_MISMATCH, kind invariant
   */
  async check(transactions: readonly SenderedTransaction[], signal: AbortSignal): Promise<void> {
    for (const { transaction } of transactions) {
      if (transaction.type !== L1_PRIORITY_TYPE) continue;
      const id = transaction.nonce;
      await this.#when(id, signal);
      const onL1 = this.#requests.get(id)?.transaction;
      // The whole envelope: all fields, and the hash that it carries.
      if (onL1 !== undefined && equalBytes(onL1.raw, transaction.raw)) continue;
      const found = onL1 === undefined ? 'none' : toHex(onL1.hash);
      throw new NodeError(
        'invariant',
        `priority transaction ${id} of the log is ${toHex(transaction.hash)}, but L1 emitted ${found}: the log holds a forged transaction, or this node's L1 is another one than the main node's`,
        { code: 'L1_PRIORITY_MISMATCH', id, inLog: toHex(transaction.hash), onL1: found },
      );
    }
  }

  get status(): L1QueueStatus {
    let awaitedId: bigint | undefined;
    for (const { id } of this.#waiting) if (awaitedId === undefined || id < awaitedId) awaitedId = id;
    const [oldest] = this.#requests.values();
    return {
      nextId: this.#nextId,
      waiting: this.#requests.size,
      oldestAgeMs: oldest === undefined ? 0 : Math.max(0, this.#now() - oldest.readMs),
      awaitedId,
      alarm: this.#alarm(),
    };
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now();
  }

  #reportAlarm(): void {
    const alarm = this.#alarm();
    if (alarm?.text === this.#reported?.text) return;
    this.#reported = alarm;
    this.#options.onAlarm(alarm);
  }

  #alarm(): L1Alarm | undefined {
    const [changed] = this.#changed;
    if (changed !== undefined) {
      const [id, hash] = changed;
      const included = this.#included.get(id);
      const was = included === undefined ? '' : ` (${toHex(included)})`;
      return {
        code: 'L1_REQUEST_CHANGED',
        id,
        text: `L1 reorganised below the confirmation depth, or was reset: priority request ${id}, which a block includes${was}, is now ${toHex(hash)}. The batch with it can never be executed until the old request is on L1 again; no priority transactions are included meanwhile`,
      };
    }
    if (this.#isTruncated && this.#nextId < this.#firstUnaccepted) {
      return {
        code: 'L1_REQUEST_DROPPED',
        id: this.#nextId,
        text: `L1 reorganised below the confirmation depth: priority requests ${this.#nextId} to ${this.#firstUnaccepted - 1n}, which blocks include, are not on L1 any more; no priority transactions are included until they are`,
      };
    }
    return this.#refused;
  }

  #addOne(request: L1Transaction): void {
    const id = request.nonce;
    if (id !== this.#nextId)
      throw new NodeError('invariant', `priority request ${id} arrived where ${this.#nextId} comes next`, {
        code: 'L1_REQUEST_ORDER',
        id,
        expected: this.#nextId,
      });
    this.#nextId = id + 1n;
    if (id < this.#firstUnaccepted) {
      const included = this.#included.get(id);
      if (included !== undefined && !equalBytes(included, request.hash)) this.#changed.set(id, request.hash);
      return;
    }
    this.#requests.set(id, { transaction: request, readMs: this.#now() });
    this.#refuse(request);
  }

  /** Unless it is harmless, or one before it is refused. */
  #refuse(request: L1Transaction): void {
    const { nonce: id } = request;
    if (this.#refused !== undefined) return;
    const reason = this.#options.refusal(request);
    if (reason === undefined) return;
    this.#refused = {
      code: 'L1_REQUEST_REFUSED',
      id,
      text: `priority request ${id} (${toHex(request.hash)}) would stop every node that runs it: ${reason}. It and all later ones are not included`,
    };
  }

  #when(id: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(abortReason(signal));
    if (id < this.#nextId) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        end();
      };
      const waiter = { id, resolve: settle(resolve) };
      const onAbort = settle(() => reject(abortReason(signal)));
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(waiter);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiting]) if (waiter.id < this.#nextId) waiter.resolve();
  }
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason });
}
