/**
 * Who may write (log-protocol 5, 6, 9): leadership is claimed in the log and learned only by reading the claim back as
 * accepted. Any doubt throws a leadership away; an epoch is never resumed.
 */
import { type Bytes, bytesKey, equalBytes, toHex } from '../common/bytes.ts';
import { type Clock, type RandomSource, randomFraction } from '../common/clock.ts';
import { NodeError, assert, errorText } from '../common/errors.ts';
import { checkStep } from './assertions.ts';
import type { ChainFold, FoldResult, Software } from './chainFold.ts';
import { type Entry, type EpochStartedEntry, ID_BYTES, entryKey, isSettlementEntry } from './entry.ts';
import { encodeEntry, entryHash } from './entryCodec.ts';
import type { LogEntry, Producer } from './eventLog.ts';
import { type LogLogger, SILENT_LOGGER } from './logLogger.ts';
import { EMPTY_SETTLEMENT, type SettlementFold } from './settlementFold.ts';
import { Leadership, type QueuedBlock } from './leadership.ts';

/** Why a leadership ended. */
export type DoubtReason = 'append_failed' | 'rejected' | 'expired' | 'not_front' | 'other_epoch' | 'closed';

export interface LeadershipMetrics {
  claim(result: 'accepted' | 'rejected' | 'expired'): void;
  /** @param seconds from send to read-back, with `accepted` */
  append(result: 'accepted' | 'rejected' | 'failed' | 'expired', seconds?: number): void;
  leading(isLeading: boolean, reason: string): void;
  unaccepted(blocks: number): void;
}

const DEADLINE_MIN_MS = 2_000;
const DEADLINE_MAX_MS = 32_000;
const ACCEPTED_PER_HALVING = 10;
const LIFE_MS = 3_000;
const BACKOFF_MAX = 16;
/** Economy: how long a claim waits per step of backoff when epochs come and go without a block. */
const REPEATED_CLAIM_DELAY_MS = 100;
/** After a check of the log that was not answered. */
const CHECK_AGAIN_MS = 1_000;
/** Claims sent and not read back. Forgetting one is safe: it then counts as somebody else's. */
const CLAIMS_MAX = 1024;

export interface LeadershipOptions<T> {
  /** A fresh one each time. */
  readonly openProducer: () => Producer;
  readonly software: Software;
  /** 16 bytes, kept in the data folder. */
  readonly nodeId: Bytes;
  /** 16 bytes, of this life of the process. */
  readonly bootId: Bytes;
  readonly maxAheadBlocks: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** The role is main, or this is an own log filled over TCP. */
  readonly mayLead: boolean;
  /** There is a transaction or an L1 request to include. */
  readonly hasWork: () => boolean;
  /** End of the log now (log-protocol 9). Its error counts as an end that is not known yet. */
  readonly logEnd: () => Promise<number>;
  /** Identity of the log (log-protocol 12), before every claim. A retryable error: later again; any other: `onFatal`. */
  readonly checkLog: () => Promise<void>;
  onLead(leadership: Leadership<T>): void;
  /** The leadership is over: build, send and publish nothing of it; its transactions go back to the pool. */
  onDoubt(reason: DoubtReason, unaccepted: readonly QueuedBlock<T>[]): void;
  onFatal(error: unknown): void;
  readonly logger?: LogLogger;
  readonly metrics?: LeadershipMetrics;
}

interface PendingClaim {
  readonly claim: Bytes;
  readonly hash: Bytes;
  readonly epoch: bigint;
  readonly producer: Producer;
  readonly cancelDeadline: () => void;
}

/** Follows what the pipeline has read and folded; claims, doubts, waits. All in memory: a restart starts from nothing. */
export class LeadershipManager<T> {
  readonly #options: LeadershipOptions<T>;
  readonly #logger: LogLogger;
  /** After everything read so far. */
  #fold: ChainFold | undefined;
  #settlement: SettlementFold = EMPTY_SETTLEMENT;
  #nextPosition = 0;
  #isCaughtUp = false;
  #isClosed = false;
  #leadership: Leadership<T> | undefined;
  /** The claim this process led with last. */
  #lastLedClaim: Bytes | undefined;
  /** Claims sent and neither accepted nor rejected, given up or not, by `bytesKey`. */
  readonly #myClaims = new Set<string>();
  #pending: PendingClaim | undefined;
  #isPreparingClaim = false;
  #cancelDelay: (() => void) | undefined;
  #cancelLife: (() => void) | undefined;
  /** The owner showed no life for its time. */
  #isLifeExpired = false;
  /** Read to here before claiming an owner's epoch away. */
  #readToPosition: number | undefined;
  #isFetchingEnd = false;
  #backoff = 1;
  #deadlineMs = DEADLINE_MIN_MS;
  #acceptedSinceHalving = 0;
  /** Of the blocks accepted since then, from sent to read back. */
  #slowestMs = 0;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: LeadershipOptions<T>) {
    assert(
      options.nodeId.length === ID_BYTES && options.bootId.length === ID_BYTES,
      'node id and boot id have 16 bytes',
    );
    assert(options.maxAheadBlocks >= 1, 'at least one block must be allowed ahead');
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
  }

  current(): Leadership<T> | undefined {
    return this.#leadership;
  }

  /**
   * Every entry read, in order, after the fold. Returns the queued block when this accepted entry is the front of our queue,
   * byte for byte.
   * @param settlementAfter with an accepted settlement entry
   */
  onEntry(
    entry: LogEntry,
    hash: Bytes,
    decoded: Entry | undefined,
    result: FoldResult,
    foldAfter: ChainFold,
    settlementAfter?: SettlementFold,
  ): QueuedBlock<T> | undefined {
    if (settlementAfter !== undefined) this.#settlement = settlementAfter;
    const before = this.#fold;
    this.#fold = foldAfter;
    this.#nextPosition = entry.position + 1;
    if (result.verdict === 'stop' || this.#isClosed) return undefined;
    let own: QueuedBlock<T> | undefined;
    if (result.verdict === 'rejected' || decoded === undefined) {
      this.#onRejected(hash, decoded);
    } else {
      checkStep(before, decoded, foldAfter);
      this.#keepAlive(decoded.kind);
      if (decoded.kind === 'EpochStarted') this.#onEpoch(decoded, foldAfter);
      else if (decoded.kind === 'Block') own = this.#onBlock(hash, foldAfter);
      else if (isSettlementEntry(decoded)) this.#onSettlement(hash, foldAfter, entryKey(decoded));
    }
    if (this.#readToPosition !== undefined && this.#nextPosition >= this.#readToPosition) this.#onReadToEnd();
    this.#pursue();
    return own;
  }

  /**
   * Everything that the log has, as far as it knows, was read.
   * @param fold the state after it
   * @param end of `CaughtUp`
   */
  onCaughtUp(fold: ChainFold, end: number, settlement: SettlementFold = this.#settlement): void {
    this.#fold = fold;
    this.#settlement = settlement;
    this.#nextPosition = end;
    this.#isCaughtUp = true;
    if (this.#readToPosition !== undefined && end >= this.#readToPosition) this.#onReadToEnd();
    this.#pursue();
  }

  /** A transaction or an L1 request is there to include. */
  workArrived(): void {
    if (this.#isLifeExpired) this.#pursue();
  }

  /** Ends leadership and claims; waits until the producers are closed. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#dropLeadership('closed');
      this.#dropPending();
      this.#cancelLife?.();
      this.#cancelDelay?.();
    }
    await Promise.all(this.#closing);
  }

  #onBlock(hash: Bytes, foldAfter: ChainFold): QueuedBlock<T> | undefined {
    if (this.#leadership === undefined) return undefined;
    const taken = this.#leadership.takeFront(hash, foldAfter);
    if (taken === undefined) {
      this.#doubt('not_front', { height: foldAfter.height });
      return undefined;
    }
    this.#shortenDeadline(taken.seconds * 1000);
    this.#options.metrics?.append('accepted', taken.seconds);
    this.#reportUnaccepted();
    return taken.block;
  }

  /** Half the deadline after every ten accepted blocks, unless one of them would have missed it. */
  #shortenDeadline(tookMs: number): void {
    this.#acceptedSinceHalving += 1;
    this.#slowestMs = Math.max(this.#slowestMs, tookMs);
    if (this.#acceptedSinceHalving < ACCEPTED_PER_HALVING) return;
    if (this.#slowestMs < this.#deadlineMs / 2) this.#deadlineMs = Math.max(DEADLINE_MIN_MS, this.#deadlineMs / 2);
    this.#acceptedSinceHalving = 0;
    this.#slowestMs = 0;
  }

  #onSettlement(hash: Bytes, foldAfter: ChainFold, key: string): void {
    if (this.#leadership === undefined) return;
    const taken = this.#leadership.takeFront(hash, foldAfter);
    if (taken === undefined) this.#doubt('not_front', { key });
    else this.#options.metrics?.append('accepted', taken.seconds);
  }

  #onEpoch(entry: EpochStartedEntry, foldAfter: ChainFold): void {
    this.#dropLeadership('other_epoch');
    const isOurs = this.#myClaims.has(bytesKey(entry.claim));
    if (this.#lastLedClaim !== undefined && equalBytes(entry.claim, this.#lastLedClaim)) {
      // Ours are never drawn twice (A1); somebody else may write what he likes, and stops nobody with it.
      this.#logger.error(
        { epoch: entry.epoch, claim: toHex(entry.claim) },
        'a claim of this process opened a second epoch: is it cloned?',
      );
    }
    // All of them were for this epoch or an earlier one: none can be accepted any more.
    this.#myClaims.clear();
    this.#dropPending();
    if (!isOurs) return;
    this.#options.metrics?.claim('accepted');
    if (this.#options.mayLead) this.#lead(foldAfter);
  }

  #onRejected(hash: Bytes, decoded: Entry | undefined): void {
    if (this.#leadership?.holds(hash) === true) {
      this.#options.metrics?.append('rejected');
      this.#doubt('rejected', { key: decoded?.kind });
    }
    if (decoded?.kind !== 'EpochStarted' || !this.#myClaims.delete(bytesKey(decoded.claim))) return;
    this.#options.metrics?.claim('rejected');
    // A copy of one given up earlier is no news about the one that is waited for.
    if (this.#pending !== undefined && equalBytes(this.#pending.hash, hash)) this.#dropPending();
  }

  #lead(fold: ChainFold): void {
    const { nodeId, bootId, software, maxAheadBlocks, clock, openProducer } = this.#options;
    const leadership: Leadership<T> = new Leadership<T>(fold, this.#settlement, openProducer(), {
      nodeId,
      bootId,
      software,
      maxAheadBlocks,
      clock,
      deadlineMs: () => this.#deadlineMs,
      onSendFailed: (error) => {
        this.#options.metrics?.append('failed');
        this.#doubt('append_failed', { err: errorText(error) });
        this.#pursue();
      },
      onExpired: () => {
        this.#options.metrics?.append('expired');
        this.#doubleDeadline();
        this.#doubt('expired', { deadlineMs: this.#deadlineMs });
        this.#pursue();
      },
    });
    this.#cancelLife?.();
    this.#cancelLife = undefined;
    this.#isLifeExpired = false;
    this.#leadership = leadership;
    this.#lastLedClaim = leadership.claim;
    this.#logger.info({ epoch: fold.epoch, height: fold.height }, 'this process leads');
    this.#options.metrics?.leading(true, 'claim_accepted');
    this.#options.onLead(leadership);
  }

  #doubt(reason: DoubtReason, facts: object): void {
    this.#logger.warn({ reason, epoch: this.#leadership?.epoch, ...facts }, 'leadership given up');
    this.#dropLeadership(reason);
  }

  #dropLeadership(reason: DoubtReason): void {
    const leadership = this.#leadership;
    if (leadership === undefined) return;
    this.#leadership = undefined;
    const { unaccepted, closed } = leadership.end();
    this.#awaitAtClose(closed);
    this.#options.metrics?.leading(false, reason);
    this.#reportUnaccepted();
    this.#options.onDoubt(reason, unaccepted);
  }

  /** Claims if nobody leads; otherwise sees to it that the owner's life is watched. Called after everything that happens. */
  #pursue(): void {
    if (!this.#mayClaim()) return;
    if (this.#isNobodyLeading()) {
      // Epochs without a block so far, this one included: more than one is a sign of trouble that haste does not cure.
      if (this.#backoff <= 2) this.#claim();
      else
        this.#cancelDelay ??= this.#options.clock.setTimer(REPEATED_CLAIM_DELAY_MS * this.#backoff, () =>
          this.#afterDelay(),
        );
      return;
    }
    if (!this.#isLifeExpired) {
      if (this.#cancelLife === undefined) this.#armLife();
    } else if (this.#options.hasWork()) {
      this.#fetchEnd();
    }
  }

  #afterDelay(): void {
    this.#cancelDelay = undefined;
    if (this.#mayClaim() && this.#isNobodyLeading()) this.#claim();
  }

  #mayClaim(): boolean {
    const isFree = this.#leadership === undefined && this.#pending === undefined && !this.#isPreparingClaim;
    return isFree && this.#options.mayLead && this.#isCaughtUp && !this.#isClosed && this.#fold?.logId !== undefined;
  }

  /** No owner, an owner that was this process and gave up, or this node's previous life. */
  #isNobodyLeading(): boolean {
    const { claim, leaderNodeId } = this.#fold ?? {};
    if (claim === undefined) return true;
    if (this.#lastLedClaim !== undefined) return equalBytes(claim, this.#lastLedClaim);
    return leaderNodeId !== undefined && equalBytes(leaderNodeId, this.#options.nodeId);
  }

  /** An entry was accepted: its owner lives. */
  #keepAlive(kind: Entry['kind']): void {
    // First, so that the timer is as long as it is after this entry.
    if (kind === 'EpochStarted') this.#backoff = Math.min(BACKOFF_MAX, this.#backoff * 2);
    else if (kind === 'Block') this.#backoff = 1;
    this.#isLifeExpired = false;
    this.#readToPosition = undefined;
    this.#cancelLife?.();
    this.#cancelLife = undefined;
    if (this.#isCaughtUp && this.#options.mayLead && this.#leadership === undefined) this.#armLife();
  }

  #armLife(): void {
    const ms = LIFE_MS * this.#backoff + randomFraction(this.#options.random) * LIFE_MS;
    this.#cancelLife = this.#options.clock.setTimer(ms, () => {
      this.#cancelLife = undefined;
      this.#isLifeExpired = true;
      this.#pursue();
    });
  }

  /** Reads to an end fetched now, so that an owner whose entries are merely unread is not taken for dead. */
  #fetchEnd(): void {
    if (this.#isFetchingEnd || this.#readToPosition !== undefined) return;
    this.#isFetchingEnd = true;
    this.#options.logEnd().then(
      (end) => {
        this.#isFetchingEnd = false;
        if (!this.#isLifeExpired) return this.#pursue();
        this.#readToPosition = end;
        if (this.#nextPosition >= end) this.#onReadToEnd();
      },
      (error: unknown) => {
        this.#isFetchingEnd = false;
        this.#logger.warn({ err: errorText(error) }, 'the end of the log is not known: waiting');
        this.#isLifeExpired = false;
        this.#pursue();
      },
    );
  }

  #onReadToEnd(): void {
    this.#readToPosition = undefined;
    if (this.#isLifeExpired && this.#mayClaim() && this.#options.hasWork()) this.#claim();
  }

  #claim(): void {
    this.#isPreparingClaim = true;
    const fold = this.#fold;
    this.#options
      .checkLog()
      .then(() => {
        this.#isPreparingClaim = false;
        if (!this.#mayClaim()) return;
        // Something was accepted meanwhile: whoever owns the epoch now is judged again.
        if (this.#fold?.epoch === fold?.epoch && (this.#isNobodyLeading() || this.#isLifeExpired)) this.#sendClaim();
        else this.#pursue();
      })
      .catch((error: unknown) => this.#onCheckFailed(error));
  }

  #onCheckFailed(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof NodeError) || error.kind !== 'retryable') return this.#options.onFatal(error);
    this.#logger.warn({ err: errorText(error) }, 'the log cannot be checked before a claim: waiting');
    // Nothing was sent and nothing is late: the deadline stays, and the log is used again soon after it is back.
    this.#cancelDelay = this.#options.clock.setTimer(CHECK_AGAIN_MS, () => {
      this.#cancelDelay = undefined;
      this.#isPreparingClaim = false;
      this.#pursue();
    });
  }

  #sendClaim(): void {
    const { nodeId, bootId, clock, random, openProducer } = this.#options;
    const fold = this.#fold;
    assert(fold?.logId !== undefined, 'a claim needs a log with a Genesis');
    const claim = random(ID_BYTES);
    const entry: EpochStartedEntry = {
      kind: 'EpochStarted',
      schema: 1,
      logId: fold.logId,
      epoch: fold.epoch + 1n,
      claim,
      nodeId,
      bootId,
      rules: fold.rules,
      head: { height: BigInt(fold.height), parent: fold.parent },
    };
    const encoded = encodeEntry(entry);
    const key = bytesKey(claim);
    assert(
      !this.#myClaims.has(key) && (this.#lastLedClaim === undefined || !equalBytes(claim, this.#lastLedClaim)),
      'a claim is drawn twice (A1)',
    );
    this.#myClaims.add(key);
    if (this.#myClaims.size > CLAIMS_MAX) {
      const [oldest] = this.#myClaims;
      if (oldest !== undefined) this.#myClaims.delete(oldest);
    }
    const producer = openProducer();
    const pending: PendingClaim = {
      claim,
      hash: entryHash(encoded.schema, encoded.bytes),
      epoch: entry.epoch,
      producer,
      cancelDeadline: clock.setTimer(this.#deadlineMs, () => this.#onClaimExpired(pending)),
    };
    this.#pending = pending;
    this.#logger.info({ epoch: entry.epoch, height: fold.height, claim: toHex(claim) }, 'claiming the next epoch');
    producer.send([encoded]).catch((error: unknown) => {
      // It may be in the log all the same: waiting for the deadline costs nothing but time.
      this.#awaitAtClose(producer.close());
      this.#logger.warn({ epoch: entry.epoch, err: errorText(error) }, 'the claim may not be in the log');
    });
  }

  #onClaimExpired(pending: PendingClaim): void {
    if (this.#pending !== pending) return;
    this.#options.metrics?.claim('expired');
    this.#doubleDeadline();
    this.#logger.warn(
      { epoch: pending.epoch, nextDeadlineMs: this.#deadlineMs },
      'the claim was not read back in time',
    );
    this.#dropPending();
    // The owner has shown no life since that claim, or its timer would be armed.
    if (!this.#isNobodyLeading() && this.#cancelLife === undefined) this.#isLifeExpired = true;
    this.#pursue();
  }

  #dropPending(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    pending.cancelDeadline();
    this.#awaitAtClose(pending.producer.close());
  }

  #doubleDeadline(): void {
    this.#deadlineMs = Math.min(DEADLINE_MAX_MS, this.#deadlineMs * 2);
    this.#acceptedSinceHalving = 0;
    this.#slowestMs = 0;
  }

  #reportUnaccepted(): void {
    const leadership = this.#leadership;
    this.#options.metrics?.unaccepted(leadership === undefined ? 0 : this.#options.maxAheadBlocks - leadership.room);
  }

  #awaitAtClose(closed: Promise<void>): void {
    this.#closing.add(closed);
    void closed.finally(() => this.#closing.delete(closed));
  }
}
