/**
 * Follows the priority requests of the chain on L1 (spec: settlement 8, log-protocol 8): reads confirmed blocks in order,
 * hands every request on once and by id, and goes back when L1 reorganises below the confirmation depth. The blocks it
 * stands on are known by hash, so that nothing is handed on from a branch that L1 has left.
 */
import { type Bytes, equalBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { sleep } from '../common/retry.ts';
import { searchOrScan } from '../l1/blockSearch.ts';
import { L1ErrorCode } from '../l1/errors.ts';
import type { L1Block, L1Reader, PriorityRequest } from '../l1/l1Client.ts';

/** Who takes the requests: all ids from the first one on, without gap or repeat. */
export interface L1RequestSink {
  /** The next requests. False: no more for now. */
  add(requests: readonly PriorityRequest[]): Promise<boolean>;
  /** Whether there is room again. */
  hasRoom(): Promise<boolean>;
  /** L1 no longer holds the requests from this id on, or holds others: they follow. */
  truncate(fromId: bigint): Promise<void>;
}

export interface L1WatcherStatus {
  /** Newest block of L1. */
  readonly head: number | undefined;
  /** Up to here everything was read. */
  readonly scanned: number | undefined;
  /** Why nothing moves, while it does not. */
  readonly problem: string | undefined;
}

export interface L1WatcherOptions {
  readonly reader: L1Reader;
  readonly sink: L1RequestSink;
  /** First id that is wanted. */
  readonly firstId: bigint;
  /** Requests in blocks of the log: L1 is read once it holds them all. */
  readonly includedCount: bigint;
  /** Blocks that must follow a block before it counts. */
  readonly confirmations: number;
  /** L1 blocks of one query. */
  readonly maxBlocksPerQuery: number;
  readonly pollIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly metrics: L1WatcherMetrics;
}

export interface L1WatcherMetrics {
  scanned(l1Block: number): void;
  head(l1Block: number): void;
  error(): void;
  /** Below the confirmation depth. */
  reorganised(): void;
}

/** A block of L1 up to which everything was read, and the id that comes after it. */
interface Checkpoint extends L1Block {
  readonly nextId: bigint;
}

const CHECKPOINTS_KEPT = 512;
/** Pause after an error, on top of those within a request. */
const ERROR_PAUSE_MS = 1_000;

export class L1Watcher {
  readonly #options: L1WatcherOptions;
  /** Oldest first. */
  #checkpoints: Checkpoint[] = [];
  #nextId: bigint;
  #head: L1Block | undefined;
  #scannedHead: Bytes | undefined;
  #isFull = false;
  #problem: string | undefined;

  constructor(options: L1WatcherOptions) {
    this.#options = options;
    this.#nextId = options.firstId;
  }

  get status(): L1WatcherStatus {
    return { head: this.#head?.number, scanned: this.#checkpoints.at(-1)?.number, problem: this.#problem };
  }

  /** Until the signal. Rejects with what no later attempt can cure: requests in a form this node does not know. */
  async run(): Promise<void> {
    const { signal, clock, pollIntervalMs, logger, metrics } = this.#options;
    while (!signal.aborted) {
      let pauseMs = pollIntervalMs;
      try {
        if (await this.#step()) pauseMs = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof NodeError) || error.kind !== 'retryable') throw error;
        metrics.error();
        if (this.#problem === undefined) logger.warn({ err: error }, 'L1 cannot be read: trying again');
        this.#problem = errorText(error);
        pauseMs = Math.max(pollIntervalMs, ERROR_PAUSE_MS);
      }
      if (pauseMs > 0) await sleep(pauseMs, signal, clock).catch(() => undefined);
    }
  }

  /** One look at L1. True: there may be more to read at once. */
  async #step(): Promise<boolean> {
    const { reader, confirmations, maxBlocksPerQuery, metrics } = this.#options;
    if (this.#isFull) {
      // Only the way ahead is blocked: reorganisations are still followed.
      this.#isFull = !(await this.#options.sink.hasRoom());
    }
    const head = await reader.head();
    this.#head = head;
    metrics.head(head.number);
    if (!this.#isFull && this.#scannedHead !== undefined && equalBytes(head.hash, this.#scannedHead)) return false;

    const last = this.#checkpoints.at(-1);
    if (last !== undefined && !(await this.#isCanonical(last, head))) return false;
    const confirmed = head.number - confirmations;
    const next = last === undefined ? await this.#findStart(confirmed) : last.number + 1;
    if (next === undefined) return false;
    this.#recovered();
    if (next > confirmed) {
      this.#scannedHead = head.hash;
      return false;
    }
    if (this.#isFull) return false;
    const to = Math.min(confirmed, next + maxBlocksPerQuery - 1);
    return this.#scan(next, to, last);
  }

  /** Reads a range, unless L1 reorganised meanwhile. */
  async #scan(from: number, to: number, last: Checkpoint | undefined): Promise<boolean> {
    const { reader, sink, metrics } = this.#options;
    const before = await reader.block(to);
    if (before === undefined) return false;
    const requests = await reader.priorityRequests({ from, to });
    const [after, still] = await Promise.all([reader.block(to), last && reader.block(last.number)]);
    // The same last block before and after: the range in between was that of one branch.
    if (!isSame(before, after) || (last !== undefined && !isSame(last, still))) return true;

    const wanted = requests.filter(({ transaction }) => transaction.nonce >= this.#nextId);
    let nextId = this.#nextId;
    const passed: Checkpoint[] = [];
    for (const { transaction, l1Block } of wanted) {
      if (transaction.nonce !== nextId) this.#gap(nextId, transaction.nonce, l1Block.number);
      nextId += 1n;
      if (passed.at(-1)?.number === l1Block.number) passed.pop();
      if (l1Block.number !== to) passed.push({ ...l1Block, nextId });
    }
    if (wanted.length > 0) this.#isFull = !(await sink.add(wanted));
    this.#nextId = nextId;
    this.#checkpoints.push(...passed, { ...before, nextId });
    this.#checkpoints.splice(0, this.#checkpoints.length - CHECKPOINTS_KEPT);
    metrics.scanned(to);
    return true;
  }

  /** Whether L1 still holds the block up to which it was read; if not, goes back to one that it holds. */
  async #isCanonical(last: Checkpoint, head: L1Block): Promise<boolean> {
    const { reader } = this.#options;
    if (last.number > head.number) {
      // Behind what was read: an endpoint that lags, or a shorter branch. The newest block both know decides.
      const known = this.#checkpoints.findLast(({ number }) => number <= head.number);
      const now = known && (await reader.block(known.number));
      if (known === undefined || now === undefined || isSame(known, now)) {
        this.#problem = `L1 is at block ${head.number} and was read up to block ${last.number}: its endpoint lags, or L1 was rolled back or reset`;
        return false;
      }
    } else {
      const now = await reader.block(last.number);
      if (isSame(last, now)) return true;
      if (now === undefined) {
        // Some branch has a block there: servers behind one endpoint are not equally far.
        this.#problem = `L1 is at block ${head.number} but does not answer for block ${last.number}: its endpoint lags`;
        return false;
      }
    }
    await this.#goBack();
    return false;
  }

  async #goBack(): Promise<void> {
    const { reader, sink, logger, metrics, firstId, confirmations } = this.#options;
    const from = this.#checkpoints.at(-1);
    for (let last = this.#checkpoints.at(-1); last !== undefined; last = this.#checkpoints.at(-1)) {
      if (isSame(last, await reader.block(last.number))) break;
      this.#checkpoints.pop();
    }
    const kept = this.#checkpoints.at(-1);
    const nextId = kept?.nextId ?? firstId;
    metrics.reorganised();
    logger.warn(
      { l1Block: kept?.number, readUpTo: from?.number, confirmations, nextId, handedOn: this.#nextId },
      'L1 reorganised below the confirmation depth: reading it again from there',
    );
    this.#scannedHead = undefined;
    if (nextId < this.#nextId) await sink.truncate(nextId);
    this.#nextId = nextId;
  }

  /** Where the next wanted request is, at the earliest; undefined: L1 does not hold the ones before it. */
  async #findStart(confirmed: number): Promise<number | undefined> {
    const { reader, includedCount } = this.#options;
    const needed = this.#nextId > includedCount ? this.#nextId : includedCount;
    if (confirmed < 0) {
      this.#problem = `L1 is ${-confirmed} blocks short of the confirmation depth`;
      return undefined;
    }
    const start = await searchOrScan('the first priority request that is wanted', confirmed, async (block) => {
      const count = await reader.priorityRequestCount(block);
      return count !== undefined && count >= needed;
    });
    if (start === undefined) {
      this.#problem =
        needed === 0n
          ? `the chain contract is not in L1 block ${confirmed} yet`
          : `L1 block ${confirmed} does not hold priority request ${needed - 1n}, which the log does: its endpoint lags, or L1 was reset`;
    }
    return start;
  }

  /** An answer of L1 left something out: read again from where the missing request must be. */
  #gap(expected: bigint, found: bigint, l1Block: number): never {
    this.#checkpoints = [];
    this.#scannedHead = undefined;
    throw new NodeError(
      'retryable',
      `L1 answered with priority request ${found} in block ${l1Block} where ${expected} comes next: its endpoint left one out`,
      { code: L1ErrorCode.requestGap, expected, found, l1Block },
    );
  }

  #recovered(): void {
    if (this.#problem === undefined) return;
    this.#options.logger.info({ l1Block: this.#head?.number }, 'L1 is read again');
    this.#problem = undefined;
  }
}

function isSame(a: L1Block, b: L1Block | undefined): boolean {
  return b !== undefined && a.number === b.number && equalBytes(a.hash, b.hash);
}
