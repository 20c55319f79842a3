/**
 * One leadership: the queue of what was sent and not read back, and its sending (log-protocol 5, 6). It belongs to one
 * accepted claim and is never resumed; `leadershipManager.ts` makes it and throws it away.
 */
import { type Bytes, equalBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { NodeError, assert } from '../common/errors.ts';
import type { BlockRecord } from '../protocol/replayRecord.ts';
import { SentContents, checkFront, checkQueue, slotOf } from './assertions.ts';
import { type ChainFold, type Software, foldChain, newestSchemaOf } from './chainFold.ts';
import { type BlockEntry, type Envelope, type SettlementEntry, entryKey } from './entry.ts';
import { type EncodedEntry, NEWEST_SCHEMA, encodeEntry, entryHash } from './entryCodec.ts';
import { type Producer, checkEntrySize } from './eventLog.ts';
import { type SettlementFold, foldSettlement } from './settlementFold.ts';

/** A block this process sent and has not read back yet. */
export interface QueuedBlock<T> {
  readonly height: number;
  readonly parent: Bytes;
  readonly entryHash: Bytes;
  readonly bytes: Bytes;
  readonly payload: T;
}

/** Most bytes of one produce request. */
const SEND_LIMIT_BYTES = 7 * 1024 * 1024;
/** Settlement entries that may be unaccepted at once. */
const SETTLEMENT_AHEAD_MAX = 32;

/** A settlement entry without its envelope. */
export type SettlementContent = SettlementEntry extends infer Each
  ? Each extends SettlementEntry
    ? Omit<Each, keyof Envelope>
    : never
  : never;

interface QueueItem<T> {
  readonly entryHash: Bytes;
  readonly encoded: EncodedEntry;
  readonly slot: string;
  /** undefined: a settlement entry. */
  readonly block: QueuedBlock<T> | undefined;
  sentAtMs: number | undefined;
}

export interface LeadershipContext {
  readonly nodeId: Bytes;
  readonly bootId: Bytes;
  readonly software: Software;
  readonly maxAheadBlocks: number;
  readonly clock: Clock;
  readonly deadlineMs: () => number;
  readonly onSendFailed: (error: unknown) => void;
  readonly onExpired: () => void;
}

/** One claim. Owns the queue and the sending. Created by LeadershipManager alone. */
export class Leadership<T> {
  readonly claim: Bytes;
  readonly epoch: bigint;
  readonly #logId: Bytes;
  readonly #context: LeadershipContext;
  readonly #producer: Producer;
  /** Accepted state plus the queue. */
  #head: ChainFold;
  /** Without the queue: seals hold accepted blocks only. */
  #accepted: ChainFold;
  /** Accepted settlement plus the queue. */
  #settlement: SettlementFold;
  #queuedBlocks = 0;
  #queue: QueueItem<T>[] = [];
  /** Since when the queue's front is that. */
  #frontSinceMs = 0;
  /** So many at the queue's front were handed to the producer. */
  #sentCount = 0;
  #isSending = false;
  #isAlive = true;
  #cancelDeadline: (() => void) | undefined;
  #waiting = new Set<() => void>();
  readonly #sent = new SentContents();

  constructor(fold: ChainFold, settlement: SettlementFold, producer: Producer, context: LeadershipContext) {
    assert(fold.claim !== undefined && fold.logId !== undefined, 'a leadership needs an accepted claim (A6)');
    this.claim = fold.claim;
    this.epoch = fold.epoch;
    this.#logId = fold.logId;
    this.#head = fold;
    this.#accepted = fold;
    this.#settlement = settlement;
    this.#producer = producer;
    this.#context = context;
  }

  /** What the next block builds on: accepted state plus everything in the queue. */
  get head(): ChainFold {
    return this.#head;
  }

  /** What the next settlement entry builds on: accepted settlement plus everything in the queue. */
  get settlement(): SettlementFold {
    return this.#settlement;
  }

  /** Settlement entries that may be appended now. */
  get settlementRoom(): number {
    return this.#isAlive ? SETTLEMENT_AHEAD_MAX - (this.#queue.length - this.#queuedBlocks) : 0;
  }

  /** Blocks that may be appended now. */
  get room(): number {
    return this.#isAlive ? this.#context.maxAheadBlocks - this.#queuedBlocks : 0;
  }

  /** False for ever once there was doubt. */
  get alive(): boolean {
    return this.#isAlive;
  }

  /** Resolves when there is room, the leadership has ended, or the signal aborts. */
  whenRoom(signal?: AbortSignal): Promise<void> {
    return this.#when(() => this.room > 0, signal);
  }

  /** Resolves when nothing is unaccepted, the leadership has ended, or the signal aborts. */
  whenDrained(signal?: AbortSignal): Promise<void> {
    return this.#when(() => this.#queue.length === 0, signal);
  }

  /**
   * Sends the next block (spec: log-protocol 6). Throws a NodeError before anything is sent: NOT_LEADING, ENTRY_TOO_LARGE,
   * QUEUE_FULL, BLOCK_DOES_NOT_FIT.
   */
  append(block: { readonly record: BlockRecord; readonly payload: T }): QueuedBlock<T> {
    const height = this.#head.height + 1;
    if (!this.#isAlive) {
      throw new NodeError(
        'retryable',
        `block ${height} was built in epoch ${this.epoch}, which this process leads no longer: nothing was sent`,
        {
          code: 'NOT_LEADING',
          height,
          epoch: this.epoch,
        },
      );
    }
    if (this.room <= 0) {
      throw new NodeError(
        'invariant',
        `block ${height} was built with ${this.#queuedBlocks} blocks unaccepted: wait for room (A4)`,
        { code: 'QUEUE_FULL', height },
      );
    }
    const { software } = this.#context;
    const entry: BlockEntry = {
      kind: 'Block',
      ...this.#envelope(),
      height: BigInt(height),
      parent: this.#head.parent,
      record: block.record,
    };
    const { verdict, state } = foldChain(this.#head, entry, software);
    if (verdict !== 'accepted') {
      throw new NodeError(
        'invariant',
        `block ${block.record.context.blockNumber} does not follow height ${this.#head.height}: nothing was sent`,
        {
          code: 'BLOCK_DOES_NOT_FIT',
          height,
          record: block.record,
        },
      );
    }
    const encoded = encodeEntry(entry);
    checkEntrySize(encoded);
    const queued: QueuedBlock<T> = {
      height,
      parent: entry.parent,
      entryHash: entryHash(encoded.schema, encoded.bytes),
      bytes: encoded.bytes,
      payload: block.payload,
    };
    this.#head = state;
    this.#queuedBlocks += 1;
    this.#enqueue({ entryHash: queued.entryHash, encoded, slot: slotOf(entry), block: queued, sentAtMs: undefined });
    return queued;
  }

  /**
   * Sends a settlement entry (spec: log-protocol 6). The overlay takes each slot once, so it never gets a second content
   * (A5). Nothing may act on the entry before it is read back. Returns the entry's hash. Throws a NodeError before anything
   * is sent: NOT_LEADING, QUEUE_FULL, SETTLEMENT_DOES_NOT_FIT, ENTRY_TOO_LARGE.
   */
  appendSettlement(content: SettlementContent): Bytes {
    const entry: SettlementEntry = { ...content, ...this.#envelope() };
    const key = entryKey(entry);
    if (!this.#isAlive)
      throw new NodeError(
        'retryable',
        `${key} was made in epoch ${this.epoch}, which this process leads no longer: nothing was sent`,
        { code: 'NOT_LEADING', epoch: this.epoch },
      );
    if (this.settlementRoom <= 0)
      throw new NodeError(
        'retryable',
        `${key}: ${SETTLEMENT_AHEAD_MAX} settlement entries are unaccepted: wait until they are read back`,
        { code: 'QUEUE_FULL' },
      );
    const { verdict, state } = foldSettlement(this.#settlement, entry, this.#accepted, this.#context.software);
    if (verdict !== 'accepted')
      throw new NodeError(
        'invariant',
        `${key} would not be accepted after ${this.#settlement.sealed} sealed and ${this.#settlement.executed} executed batches at height ${this.#accepted.height}: nothing was sent`,
        { code: 'SETTLEMENT_DOES_NOT_FIT', key },
      );
    const encoded = encodeEntry(entry);
    checkEntrySize(encoded);
    const hash = entryHash(encoded.schema, encoded.bytes);
    this.#settlement = state;
    this.#enqueue({ entryHash: hash, encoded, slot: slotOf(entry), block: undefined, sentAtMs: undefined });
    return hash;
  }

  #envelope(): Envelope {
    const { nodeId, bootId } = this.#context;
    // Newer than the rules of the epoch allow, it would be rejected by everybody.
    const schema = Math.min(NEWEST_SCHEMA, newestSchemaOf(this.#head.rules));
    return { schema, logId: this.#logId, epoch: this.epoch, claim: this.claim, nodeId, bootId };
  }

  /** For the manager: an entry with this hash is in the queue. */
  holds(hash: Bytes): boolean {
    return this.#queue.some((item) => equalBytes(item.entryHash, hash));
  }

  /** This process built the block of that entry: nothing of it has to be prepared when it is read back. */
  hasPayload(hash: Bytes): boolean {
    return this.#queue.some(({ entryHash: own, block }) => block?.payload !== undefined && equalBytes(own, hash));
  }

  /** For the manager: takes the queue's front off if this accepted entry is it, byte for byte. */
  takeFront(hash: Bytes, foldAfter: ChainFold): { block: QueuedBlock<T> | undefined; seconds: number } | undefined {
    const [front] = this.#queue;
    if (front === undefined || !equalBytes(front.entryHash, hash)) return undefined;
    const { block } = front;
    if (block !== undefined) checkFront(block, this.#accepted);
    this.#queue.shift();
    this.#sentCount = Math.max(0, this.#sentCount - 1);
    this.#frontSinceMs = this.#context.clock.elapsedMs();
    this.#accepted = foldAfter;
    if (block !== undefined) this.#queuedBlocks -= 1;
    this.#armDeadline();
    this.#wake();
    const now = this.#context.clock.elapsedMs();
    return { block, seconds: (now - (front.sentAtMs ?? now)) / 1000 };
  }

  /** For the manager: ends it for ever; what was in the queue may still be accepted. */
  end(): { unaccepted: readonly QueuedBlock<T>[]; closed: Promise<void> } {
    this.#isAlive = false;
    this.#cancelDeadline?.();
    const unaccepted = this.#queue.flatMap(({ block }) => block ?? []);
    this.#queue = [];
    this.#queuedBlocks = 0;
    this.#wake();
    return { unaccepted, closed: this.#producer.close() };
  }

  #enqueue(item: QueueItem<T>): void {
    if (this.#queue.length === 0) this.#frontSinceMs = this.#context.clock.elapsedMs();
    this.#queue.push(item);
    this.#send();
    // While the request before it is not answered: an answer that never comes must not hold up the queue for ever.
    if (this.#queue.length === 1) this.#armDeadline();
  }

  /** One request at a time; then as many of those queued meanwhile as fit, at least one. */
  #send(): void {
    if (!this.#isAlive || this.#isSending || this.#sentCount >= this.#queue.length) return;
    checkQueue(this.#queuedBlocks, this.#context.maxAheadBlocks);
    const now = this.#context.clock.elapsedMs();
    const entries: EncodedEntry[] = [];
    let sizeBytes = 0;
    for (const item of this.#queue.slice(this.#sentCount)) {
      sizeBytes += item.encoded.bytes.length;
      if (entries.length > 0 && sizeBytes > SEND_LIMIT_BYTES) break;
      this.#sent.check(item.slot, item.encoded);
      entries.push(item.encoded);
      item.sentAtMs = now;
    }
    this.#sentCount += entries.length;
    this.#isSending = true;
    this.#armDeadline();
    this.#producer.send(entries).then(
      () => {
        this.#isSending = false;
        this.#send();
      },
      (error: unknown) => {
        if (this.#isAlive) this.#context.onSendFailed(error);
      },
    );
  }

  /** Of the queue's front, acknowledged or not, sent or waiting behind a request that is not answered. */
  #armDeadline(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    const [front] = this.#queue;
    if (front === undefined || !this.#isAlive) return;
    const { clock, deadlineMs, onExpired } = this.#context;
    const sinceMs = front.sentAtMs ?? this.#frontSinceMs;
    this.#cancelDeadline = clock.setTimer(sinceMs + deadlineMs() - clock.elapsedMs(), () => {
      if (this.#isAlive) onExpired();
    });
  }

  #when(isTrue: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    if (isTrue() || !this.#isAlive || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue() && this.#isAlive && signal?.aborted !== true) return;
        this.#waiting.delete(check);
        signal?.removeEventListener('abort', check);
        resolve();
      };
      this.#waiting.add(check);
      signal?.addEventListener('abort', check);
    });
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }
}
