/**
 * Decides which accepted blocks form a batch (spec: batches 2, 3) and appends the seal while this process leads. It keeps no
 * state of its own: the open batch begins after the newest seal of the leadership's overlay, and nothing acts on a seal
 * before it was read back.
 */
import type { Bytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { NodeError, errorText } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Leadership } from '../log/leadership.ts';
import { lastBlockOf } from '../log/settlementFold.ts';
import {
  type BatchLimits,
  EMPTY_BATCH,
  type OpenBatch,
  type SealReason,
  sealReason,
  withBlock,
} from '../protocol/batch.ts';
import type { BatchAssembly } from '../store/batchAssembly.ts';

export interface BatcherSettings {
  readonly limits: BatchLimits;
  /** From the first block of the open batch. */
  readonly timeoutMs: number;
  /** The diamond proxy; zero without L1. */
  readonly chainAddress: Bytes;
}

type AnyLeadership = Pick<
  Leadership<unknown>,
  'alive' | 'settlement' | 'settlementRoom' | 'appendSettlement' | 'epoch'
>;

export interface SealedOpenBatch extends OpenBatch {
  readonly batch: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly reason: SealReason;
  readonly transactions: number;
}

export interface BatcherOptions {
  readonly settings: BatcherSettings;
  readonly assembly: Pick<BatchAssembly, 'block' | 'commitment'>;
  /** Newest accepted block. */
  readonly height: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A seal was sent; it counts when it is read back. */
  readonly onSent?: (sealed: SealedOpenBatch) => void;
  /** No further batch can be sealed, or undefined: one can. */
  readonly onProblem: (problem: { readonly batch: number; readonly text: string } | undefined) => void;
  readonly signal: AbortSignal;
}

interface Open {
  readonly firstBlock: number;
  sums: OpenBatch;
  transactions: number;
  cancelTimer: (() => void) | undefined;
  isTimedOut: boolean;
}

const RETRY_MS = 1_000;

export class Batcher {
  readonly #options: BatcherOptions;
  #leadership: AnyLeadership | undefined;
  #open: Open | undefined;
  /** Blocks below do not arm the timer: batches of old ones close by limits alone. */
  #timedFrom = 0;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** As it was reported; undefined: none. */
  #problem: string | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#news(), { once: true });
  }

  /** Blocks in the batch that is open while this process leads. */
  get openBlocks(): number {
    return this.#open?.sums.blocks ?? 0;
  }

  /** Height of the store that was found at start. */
  startedAt(height: number): void {
    this.#timedFrom = height;
  }

  /** This process leads; ends by itself with the leadership. */
  lead(leadership: AnyLeadership): void {
    this.#leadership = leadership;
    this.#news();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // A leadership that came while the loop was ending.
      if (this.#leadership?.alive === true && this.#leadership !== leadership && !this.#options.signal.aborted)
        this.lead(this.#leadership);
    });
  }

  /** A block or a seal was accepted, or the leadership ended. */
  moved(): void {
    this.#news();
  }

  /** After the signal fired. */
  async closed(): Promise<void> {
    await this.#running;
  }

  #news(): void {
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    try {
      while (!signal.aborted) {
        const leadership = this.#leadership;
        if (leadership?.alive !== true) return;
        // Whatever comes from here on is news.
        const news = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        const retryMs = await this.#step(leadership);
        if (retryMs === 0) continue;
        const cancel = retryMs === undefined ? undefined : this.#options.clock.setTimer(retryMs, () => this.#news());
        await news;
        cancel?.();
      }
    } finally {
      this.#drop();
      this.#wake = undefined;
      // Whoever leads next may be able to seal.
      this.#solved();
    }
  }

  /** Takes accepted blocks; seals one batch if it is due. 0: there may be more to do now; undefined: wait for news. */
  async #step(leadership: AnyLeadership): Promise<number | undefined> {
    const batch = leadership.settlement.sealed + 1;
    try {
      const open = this.#openAfter(lastBlockOf(leadership.settlement, batch - 1));
      const reason = await this.#take(open);
      if (reason !== undefined) {
        if (leadership.settlementRoom <= 0) return undefined;
        await this.#seal(leadership, batch, open, reason);
      }
      this.#solved();
      return reason === undefined ? undefined : 0;
    } catch (error) {
      if (this.#options.signal.aborted || !leadership.alive) return undefined;
      if (error instanceof NodeError && error.code === 'QUEUE_FULL') return undefined;
      this.#fail(batch, error);
      return error instanceof NodeError && error.kind === 'retryable' ? RETRY_MS : undefined;
    }
  }

  #openAfter(lastSealedBlock: number): Open {
    if (this.#open?.firstBlock === lastSealedBlock + 1) return this.#open;
    this.#drop();
    this.#open = {
      firstBlock: lastSealedBlock + 1,
      sums: EMPTY_BATCH,
      transactions: 0,
      cancelTimer: undefined,
      isTimedOut: false,
    };
    return this.#open;
  }

  /** Why the batch is sealed now; undefined: it stays open. */
  async #take(open: Open): Promise<SealReason | undefined> {
    const { assembly, height, settings, signal } = this.#options;
    for (;;) {
      const next = open.firstBlock + open.sums.blocks;
      if (next > height() || signal.aborted) break;
      const block = await assembly.block(next);
      const reason = sealReason(open.sums, block, settings.limits);
      if (reason !== undefined) return reason;
      open.sums = withBlock(open.sums, block);
      open.transactions += block.transactions;
      if (next >= this.#timedFrom) this.#armTimer(open);
    }
    return open.isTimedOut && open.sums.blocks > 0 ? 'timeout' : undefined;
  }

  #armTimer(open: Open): void {
    open.cancelTimer ??= this.#options.clock.setTimer(this.#options.settings.timeoutMs, () => {
      open.isTimedOut = true;
      this.#news();
    });
  }

  async #seal(leadership: AnyLeadership, batch: number, open: Open, reason: SealReason): Promise<void> {
    const { assembly, settings, signal, logger, onSent } = this.#options;
    const range = { batch, firstBlock: open.firstBlock, lastBlock: open.firstBlock + open.sums.blocks - 1 };
    const { commitInfo, storedBatchHash } = await assembly.commitment(range, settings.chainAddress, signal);
    if (!leadership.alive) return;
    leadership.appendSettlement({
      kind: 'BatchSealed',
      batch: BigInt(batch),
      firstBlock: BigInt(range.firstBlock),
      lastBlock: BigInt(range.lastBlock),
      storedBatchHash,
      reason,
      commitInfo,
    });
    const { sums, transactions } = open;
    this.#drop();
    logger.info({ ...range, reason, transactions, pubdataBytes: sums.pubdataBytes }, 'batch sealed');
    onSent?.({ ...sums, ...range, reason, transactions });
  }

  #drop(): void {
    this.#open?.cancelTimer?.();
    this.#open = undefined;
  }

  #fail(batch: number, error: unknown): void {
    const text = `batch ${batch} cannot be sealed: ${errorText(error)}`;
    if (this.#problem === text) return;
    this.#problem = text;
    this.#options.logger.error({ err: error, batch }, 'settlement alarm: a batch cannot be sealed; blocks go on');
    this.#options.onProblem({ batch, text });
  }

  #solved(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#options.onProblem(undefined);
  }
}
