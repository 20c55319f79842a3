/**
 * Builds blocks while this process leads (spec: execution 1 to 3): takes what to include, executes it, seals, and hands
 * the record to its Leadership. What it built exists for nobody until the pipeline has read its entry back as accepted.
 */

import { toHex } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { type ErrorFacts, NodeError, errorText } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { StateClock } from '../common/stateClock.ts';
import { Turns } from '../common/turns.ts';
import type { Leadership } from '../log/leadership.ts';
import { nextBlockHashes } from '../protocol/blockHeader.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import type { BlockContext, BlockRecord } from '../protocol/replayRecord.ts';
import {
  L1_PRIORITY_TYPE,
  type L1Transaction,
  type SenderedTransaction,
  isL1Transaction,
} from '../protocol/transaction.ts';
import type { ChainHead } from '../store/chainStore.ts';
import { type StateCache, type StateLayer, stateLayer } from '../store/stateCache.ts';
import { BlockExecution, type SealReason } from '../vm/blockExecution.ts';
import { runTransaction } from '../vm/runTransaction.ts';
import type { BlockProducer, SentBlock } from './blockProducer.ts';
import { type BlockContextSettings, nextBlockContext } from './blockContextProvider.ts';
import type { L1Source } from './l1Source.ts';
import type { Mempool, PooledTransaction } from './mempool.ts';

export interface SequencerSettings extends BlockContextSettings {
  readonly blockTimeMs: number;
  readonly maxTransactionsInBlock: number;
  /** Sum of transaction bytes in a block. */
  readonly blockSizeLimitBytes: number;
  readonly nodeVersion: string;
}

/** Transactions of L1 are in no pool, so nobody knows when they arrived. */
export type Candidate = SenderedTransaction & Partial<Pick<PooledTransaction, 'arrivedMs'>>;

/** What the sequencer does, by what it would do next (spec: observability A.2). */
const STATES = {
  waiting_for_command: 'waiting_recv',
  waiting_for_tx: 'waiting_recv',
  execution: 'processing',
  read_storage: 'processing',
  sealing: 'processing',
  /** As many blocks as may be are not accepted yet. */
  waiting_send: 'waiting_send',
  waiting_for_projections: 'waiting_send',
} as const;

export interface TimeInState {
  readonly generic: (typeof STATES)[keyof typeof STATES];
  readonly specific: keyof typeof STATES;
  readonly seconds: number;
}

/** A block this process built, with what acceptance reuses. */
export interface BuiltBlock {
  readonly context: BlockContext;
  readonly record: BlockRecord;
  readonly output: BlockOutput;
  readonly transactions: readonly Candidate[];
  readonly layer: StateLayer;
  readonly sealReason: SealReason;
  /** By `performance`. */
  readonly sealedMs: number;
  /** Of each transaction; `waitingMs` is the part that waited for the store. */
  readonly executionTimes: readonly { readonly totalMs: number; readonly waitingMs: number }[];
  /** Left the pool while this block was built, by rules that looked at state that is not accepted yet. */
  readonly purged: readonly SenderedTransaction[];
}

export interface SequencerMetrics {
  sealed(built: BuiltBlock): void;
}

export interface SequencerOptions {
  readonly settings: SequencerSettings;
  readonly mempool: Mempool;
  readonly l1Source: L1Source;
  /** First transaction of block 1. */
  readonly upgradeTransaction: () => L1Transaction;
  readonly cache: StateCache;
  /** Admits a transaction again whose sender the pool does not know any more. */
  readonly readmit: (transaction: SenderedTransaction) => void;
  /** Newest accepted block. */
  readonly head: () => ChainHead;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SequencerMetrics;
  /** While false nothing new is taken in: a projection is too far behind, or the node is stopping. */
  readonly mayBuild: () => boolean;
  /** An error that no retry cures; the node stops with a dump. */
  readonly onFatal: (error: unknown) => void;
}

type Parent = Pick<ChainHead, 'height' | 'timestamp' | 'blockHashes' | 'nextL1PriorityId'>;

export class Sequencer implements BlockProducer {
  readonly #options: SequencerOptions;
  #leadership: Leadership<SentBlock> | undefined;
  /** Built, not yet accepted, oldest first. */
  #unaccepted: BuiltBlock[] = [];
  #stopping = false;
  #running: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;
  readonly #state = new StateClock<keyof typeof STATES>('waiting_for_command');

  constructor(options: SequencerOptions) {
    this.#options = options;
  }

  get unacceptedBlocks(): number {
    return this.#unaccepted.length;
  }

  get timeInStates(): readonly TimeInState[] {
    return Array.from(this.#state.seconds, ([specific, seconds]) => ({ generic: STATES[specific], specific, seconds }));
  }

  /** Our claim was accepted: builds on what is accepted now, until this leadership ends. */
  lead(leadership: Leadership<SentBlock>): void {
    this.#leadership = leadership;
    this.#running = this.#running
      .then(() => this.#buildWhileLeading(leadership))
      .catch((error: unknown) => this.#options.onFatal(error));
  }

  /** The leadership is gone: what was taken by unaccepted blocks goes back. */
  doubt(unaccepted: readonly { readonly height: number }[]): void {
    this.#leadership = undefined;
    const given = this.#unaccepted;
    this.#unaccepted = [];
    this.#giveBack(given.flatMap((built) => [...built.transactions, ...built.purged]));
    if (unaccepted.length > 0) {
      this.#options.logger.warn(
        { blocks: unaccepted.map((block) => block.height) },
        'gave up blocks that were not accepted',
      );
    }
    this.workArrived();
  }

  /** The front of our queue was read back as accepted. Call after the state cache holds its writes. */
  accepted(built: BuiltBlock): void {
    this.#unaccepted = this.#unaccepted.filter((other) => other !== built);
  }

  /** A transaction, an L1 request or room may be there. */
  workArrived(): void {
    this.#wake?.();
  }

  hasWork(): boolean {
    const { mempool, l1Source, head } = this.#options;
    const accepted = head();
    return accepted.height === 0 || mempool.executableCount > 0 || l1Source.has(accepted.nextL1PriorityId);
  }

  /** Finishes the block being built and builds no more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.workArrived();
    await this.#running;
  }

  async #buildWhileLeading(leadership: Leadership<SentBlock>): Promise<void> {
    const goesOn = (): boolean => leadership.alive && this.#leadership === leadership && !this.#stopping;
    while (goesOn()) {
      if (leadership.room <= 0) {
        this.#state.enter('waiting_send');
        await Promise.race([leadership.whenRoom(), this.#sleep(1_000)]);
        continue;
      }
      const parent = this.#parent();
      const hasCandidate = this.#hasCandidate(parent);
      if (!this.#options.mayBuild() || !hasCandidate) {
        this.#state.enter(hasCandidate ? 'waiting_for_projections' : 'waiting_for_tx');
        await this.#sleep(1_000);
        continue;
      }
      const built = await this.#build(parent, () => leadership.alive && this.#leadership === leadership);
      if (built === undefined) continue;
      this.#unaccepted.push(built);
      try {
        leadership.append({ record: built.record, payload: built });
      } catch (error) {
        // Raised before a byte was sent. A leadership that ended meanwhile has given the block back through doubt().
        if (leadership.alive) throw error;
        if (this.#unaccepted.includes(built)) this.doubt([]);
      }
      this.#options.metrics.sealed(built);
    }
    this.#state.enter('waiting_for_command');
  }

  #parent(): Parent {
    const last = this.#unaccepted.at(-1);
    if (last === undefined) return this.#options.head();
    return {
      height: Number(last.context.blockNumber),
      timestamp: last.context.timestamp,
      blockHashes: nextBlockHashes(last.context.blockHashes, last.output.blockHash),
      nextL1PriorityId: last.record.startingL1PriorityId + countL1(last.transactions),
    };
  }

  #hasCandidate(parent: Parent): boolean {
    return (
      parent.height === 0 ||
      this.#options.mempool.executableCount > 0 ||
      this.#options.l1Source.has(parent.nextL1PriorityId)
    );
  }

  /** Undefined: nothing could be included, or the leadership ended; everything taken is back where it was. */
  async #build(parent: Parent, goesOn: () => boolean): Promise<BuiltBlock | undefined> {
    const { settings, cache, clock, logger, mempool } = this.#options;
    const context = nextBlockContext(settings, parent, clock.now());
    const view = cache.view(this.#unaccepted.map((built) => built.layer));
    const execution = new BlockExecution({ context, state: view });
    const turns = new Turns();
    let waitingMs = 0;
    const driver = {
      load: async (keys: Parameters<typeof view.load>[0]) => {
        this.#state.enter('read_storage');
        const start = performance.now();
        await view.load(keys);
        waitingMs += performance.now() - start;
        this.#state.enter('execution');
      },
      turn: () => turns.take(),
      goesOn,
    };
    const source = new CandidateSource(this.#options, parent);
    const included: Candidate[] = [];
    const executionTimes: BuiltBlock['executionTimes'][number][] = [];
    const purged: SenderedTransaction[] = [];
    let sizeBytes = 0;
    let deadlineMs: number | undefined;
    let sealReason: SealReason | undefined;

    while (sealReason === undefined) {
      const wait = turns.due();
      if (wait !== undefined) await wait;
      if (!goesOn()) break;
      if (deadlineMs !== undefined && (clock.elapsedMs() >= deadlineMs || this.#stopping)) {
        sealReason = 'Timeout';
        break;
      }
      const candidate = source.peek();
      if (candidate === undefined) {
        if (deadlineMs === undefined) break;
        this.#state.enter('waiting_for_tx');
        await this.#sleep(deadlineMs - clock.elapsedMs());
        continue;
      }
      const { transaction } = candidate;
      if (included.length > 0 && sizeBytes + transaction.raw.length > settings.blockSizeLimitBytes) {
        sealReason = 'Other';
        break;
      }
      let end: Awaited<ReturnType<typeof runTransaction>>;
      this.#state.enter('execution');
      waitingMs = 0;
      const start = performance.now();
      try {
        end = await runTransaction(execution, candidate, driver);
      } catch (error) {
        // What cannot be executed behind others may be alone; alone there is no way around it.
        if (!isL1Transaction(transaction) || included.length === 0)
          throw withBlock(error, context, included, candidate);
        execution.abandon();
        logger.warn(
          { blockNumber: context.blockNumber, tx: toHex(transaction.hash), err: errorText(error) },
          'L1 transaction is tried again alone',
        );
        sealReason = 'Other';
        break;
      }
      // A doubt may come between the execution and here: then the pool has taken back what it had handed out.
      if (end === undefined || !goesOn()) break;
      if (end.kind === 'included') {
        source.take();
        included.push(candidate);
        executionTimes.push({ totalMs: performance.now() - start, waitingMs });
        sizeBytes += transaction.raw.length;
        deadlineMs ??= clock.elapsedMs() + settings.blockTimeMs;
        if (included.length >= settings.maxTransactionsInBlock) sealReason = 'TxCountLimit';
      } else if (end.kind === 'rejected') {
        logger.debug(
          { blockNumber: context.blockNumber, tx: toHex(transaction.hash), error: end.error, reaction: end.reaction },
          'transaction rejected',
        );
        source.skip();
        if (end.reaction === 'purge') {
          purged.push(candidate);
          mempool.purge(transaction.hash, end.error);
        }
      } else if (included.length > 0) {
        sealReason = end.reason;
      } else if (isL1Transaction(transaction)) {
        throw new NodeError(
          'invariant',
          `L1 transaction ${toHex(transaction.hash)} does not fit block ${context.blockNumber} even alone: ${end.reason}`,
          {
            code: 'L1_TRANSACTION_TOO_LARGE',
            blockNumber: context.blockNumber,
            context,
            transactions: [transaction.raw],
          },
        );
      } else {
        logger.warn(
          { blockNumber: context.blockNumber, tx: toHex(transaction.hash), reason: end.reason },
          'transaction exceeds a block limit alone: removed from the pool',
        );
        source.skip();
        purged.push(candidate);
        mempool.purge(transaction.hash, end.reason);
      }
    }

    source.end();
    if (sealReason === undefined || included.length === 0 || !goesOn()) {
      this.#giveBack(goesOn() ? included : [...included, ...purged]);
      // Nothing could be included: wait for something new, or for a block's time, before the same candidates are tried again.
      this.#state.enter('waiting_for_tx');
      if (goesOn()) await this.#sleep(settings.blockTimeMs);
      return undefined;
    }
    this.#state.enter('sealing');
    const output = execution.finish();
    const { blockHashes: _ring, ...recordContext } = context;
    const record: BlockRecord = {
      context: recordContext,
      startingL1PriorityId: parent.nextL1PriorityId,
      transactions: included.map(({ transaction }) => transaction.raw),
      previousBlockTimestamp: parent.timestamp,
      nodeVersion: settings.nodeVersion,
      blockOutputHash: output.blockOutputHash,
    };
    return {
      context,
      record,
      output,
      transactions: included,
      layer: stateLayer(parent.height + 1, output),
      sealReason,
      sealedMs: performance.now(),
      executionTimes,
      purged,
    };
  }

  /** Back to the pool; what it no longer knows the sender of is offered anew. */
  #giveBack(transactions: readonly SenderedTransaction[]): void {
    const unknown = this.#options.mempool.restore(transactions);
    for (const sendered of unknown) this.#options.readmit(sendered);
  }

  /** Until woken or so many milliseconds. */
  #sleep(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(ms, () => done());
      const done = (): void => {
        cancel();
        // A wait that nobody waits for any more must not take the wake-up of a later one along.
        if (this.#wake === done) this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
    });
  }
}

/** Order of candidates (spec: execution 3): the upgrade transaction of block 1, waiting L1 transactions by id, the pool by tip. */
class CandidateSource {
  readonly #options: SequencerOptions;
  readonly #pool: ReturnType<Mempool['bestTransactions']>;
  #upgradeDue: boolean;
  #nextL1PriorityId: bigint;
  /** Taken off the pool's iterator, not yet included or skipped: an L1 transaction that arrives meanwhile goes first. */
  #fromPool: PooledTransaction | undefined;
  #current: Candidate | undefined;

  constructor(options: SequencerOptions, parent: Parent) {
    this.#options = options;
    this.#pool = options.mempool.bestTransactions();
    this.#upgradeDue = parent.height === 0;
    this.#nextL1PriorityId = parent.nextL1PriorityId;
  }

  /** The next candidate; `take` and `skip` then speak of this one. */
  peek(): Candidate | undefined {
    this.#current = this.#next();
    return this.#current;
  }

  /** The candidate was included. */
  take(): void {
    const transaction = this.#current?.transaction;
    if (transaction === undefined) return;
    if (!isL1Transaction(transaction)) {
      this.#options.mempool.take([transaction.hash]);
      this.#fromPool = undefined;
    } else if (transaction.type === L1_PRIORITY_TYPE) {
      this.#nextL1PriorityId += 1n;
    } else {
      this.#upgradeDue = false;
    }
  }

  /** The candidate was rejected: its sender offers nothing more to this block. Only L2 transactions can be. */
  skip(): void {
    if (this.#current !== undefined) this.#pool.skipSender(this.#current.sender);
    this.#fromPool = undefined;
  }

  /** What was handed out and not taken is free again. */
  end(): void {
    this.#pool.end();
  }

  #next(): Candidate | undefined {
    const l1 = this.#upgradeDue
      ? this.#options.upgradeTransaction()
      : this.#options.l1Source.get(this.#nextL1PriorityId);
    if (l1 !== undefined) return { transaction: l1, sender: l1.initiator };
    this.#fromPool ??= this.#pool.next();
    return this.#fromPool;
  }
}

/** With all that a dump of the block needs. */
function withBlock(
  error: unknown,
  context: BlockContext,
  included: readonly SenderedTransaction[],
  failing: SenderedTransaction,
): unknown {
  if (!(error instanceof NodeError)) return error;
  const facts = error.facts as ErrorFacts; // instanceof forgets the type parameter
  const transactions = [...included, failing].map(({ transaction }) => transaction.raw);
  return new NodeError(error.kind, error.message, { ...facts, context, transactions }, { cause: error });
}

function countL1(transactions: readonly SenderedTransaction[]): bigint {
  return BigInt(transactions.filter(({ transaction }) => transaction.type === L1_PRIORITY_TYPE).length);
}
