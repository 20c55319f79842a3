/**
 * The chain worker's inside (design.md 4): log, fold, execution, chain store, mempool and sequencer, put together. Its
 * service is what other threads may ask of it.
 */
import { type Bytes, isZero, toHex } from '../common/bytes.ts';
import { type Clock, type RandomSource, systemClock, systemRandom } from '../common/clock.ts';
import { NodeError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { ReplayPipeline } from '../consumers/replayPipeline.ts';
import type { ChainFold, FoldResult, Software } from '../log/chainFold.ts';
import type { Entry, GenesisEntry } from '../log/entry.ts';
import { NEWEST_RULES, NEWEST_SCHEMA } from '../log/entryCodec.ts';
import type { EventLog, LogEntry } from '../log/eventLog.ts';
import { LeadershipManager } from '../log/leadershipManager.ts';
import type { decodeEntry } from '../log/entryCodec.ts';
import { checkLogIdentity, decodeCheckpoint } from '../log/logIdentity.ts';
import { SealChecker, type SettlementAlarm } from '../consumers/sealChecker.ts';
import { Batcher, type BatcherSettings, type SealedOpenBatch } from '../producers/batcher.ts';
import type { L1Source } from '../producers/l1Source.ts';
import { Mempool, type MempoolCounters, type MempoolOptions } from '../producers/mempool.ts';
import { type BlockTimes, blockTimes } from '../producers/blockTimes.ts';
import type { BlockProducer, SentBlock } from '../producers/blockProducer.ts';
import { ReplayClient, type ReplayClientOptions, type ReplayClientStatus } from '../producers/replayClient.ts';
import { type BuiltBlock, Sequencer, type SequencerSettings, type TimeInState } from '../producers/sequencer.ts';
import { type AccountRecord, decodeAccountRecord } from '../protocol/accountRecord.ts';
import { genesisContext } from '../protocol/genesis.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import {
  L1_PRIORITY_TYPE,
  type L1Transaction,
  type SenderedTransaction,
  isL1Transaction,
} from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { ChainStore } from '../store/chainStore.ts';
import { type Finality, type SettlementFold, finalityOf } from '../log/settlementFold.ts';
import { BatchAssembly } from '../store/batchAssembly.ts';
import type { CanonicalBlock, SettlementEvent } from '../store/journal.ts';
import { StateCache } from '../store/stateCache.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import type { PendingTransaction } from '../rpc/backend.ts';
import { ABSENT, type MissingKey } from '../vm/loadedState.ts';

/** Newest schema and rules this software knows. */
export const SOFTWARE = { schema: NEWEST_SCHEMA, rules: NEWEST_RULES } as const;

export interface ChainSettings {
  readonly mayLead: boolean;
  readonly sequencer: SequencerSettings;
  readonly mempool: MempoolOptions;
  /** undefined: this process seals no batches, even while it leads. */
  readonly batcher: BatcherSettings | undefined;
  readonly maxAheadBlocks: number;
  readonly nodeId: Bytes;
  readonly bootId: Bytes;
  /** Blocks a projection may be behind before nothing new is built. */
  readonly intakeMaxLagBlocks: number;
  /** Blocks between flushes of the store. */
  readonly flushEveryBlocks: number;
}

export interface ChainDependencies {
  readonly log: EventLog;
  readonly store: KeyValueStore;
  readonly l1Source: L1Source;
  /** Who writes the log: what to append to an empty one. */
  readonly genesis: ((signal: AbortSignal) => GenesisEntry | Promise<GenesisEntry>) | undefined;
  /** Fed over TCP: what follows the other node, instead of a sequencer. */
  readonly replayFrom?: Pick<ReplayClientOptions, 'host' | 'port' | 'serverHead'> | undefined;
  /** External node: compares priority transactions with L1. */
  readonly checkBlock?:
    ((transactions: readonly SenderedTransaction[], signal: AbortSignal) => Promise<void>) | undefined;
  readonly recoverSenders: (raws: readonly Bytes[]) => Promise<readonly Bytes[]>;
  /** State tree after a block; waits until it has the block. undefined: this node keeps none, and checks no seals. */
  readonly treeAfter?:
    ((block: number, signal: AbortSignal) => Promise<{ readonly root: Bytes; readonly leafCount: number }>) | undefined;
  readonly logger: Logger;
  readonly events: ChainEvents;
  readonly clock?: Clock;
  readonly random?: RandomSource;
  /** Another age of this software, for simulation. Default: this one. */
  readonly software?: Software;
  /** With `software`: its schemas. Default: those of this software. */
  readonly decode?: typeof decodeEntry;
}

/** Where settlement stands, whoever asks. */
export interface SettlementStatus extends Finality {
  /** L1 block of the newest accepted L1Progress; 0: none. */
  readonly l1Block: bigint;
  /** Newest seal that this node has recomputed. */
  readonly checkedBatch: number;
  /** Blocks of the batch being collected; 0 unless this process leads. */
  readonly openBlocks: number;
  readonly alarm: SettlementAlarm | undefined;
}

/** One accepted block in numbers, for metrics and the status line. */
export interface AcceptedBlock {
  readonly height: number;
  readonly blockHash: Bytes;
  readonly journalEnd: number;
  /** Unix seconds. */
  readonly timestamp: bigint;
  readonly transactions: number;
  readonly succeeded: number;
  readonly gasUsed: bigint;
  readonly computationalNativeUsed: bigint;
  readonly pubdataBytes: number;
  readonly storageWrites: number;
  readonly nextL1PriorityId: bigint;
  /** Of each transaction, for histograms. */
  readonly gasUsedEach: readonly number[];
  readonly nativeUsedEach: readonly number[];
  readonly computationalNativeUsedEach: readonly number[];
  readonly pubdataUsedEach: readonly number[];
  /** undefined: not built by this process. */
  readonly sealReason: string | undefined;
  readonly times: BlockTimes | undefined;
}

export interface ChainEvents {
  accepted(block: AcceptedBlock): void;
  entryRead(entry: {
    position: number;
    verdict: string;
    class: string | undefined;
    kind: string | undefined;
    sizeBytes: number;
  }): void;
  /** For whoever compares folds: what an entry came to, and the state after it. */
  folded?(logEntry: LogEntry, result: FoldResult): void;
  executed(source: 'reused' | 'executed', seconds: number): void;
  claim(result: 'accepted' | 'rejected' | 'expired'): void;
  append(result: 'accepted' | 'rejected' | 'failed' | 'expired', seconds: number | undefined): void;
  leading(isLeading: boolean, reason: string): void;
  genesis(entry: Bytes): void;
  /** A settlement entry was accepted, and the journal ends there now; or the fold was restored at start. */
  settlement(kind: SettlementEvent['kind'] | 'restored', journalEnd: number, finality: Finality): void;
  /** A transaction became executable; only while asked for with `announcePending`. */
  pending(transaction: PendingTransaction): void;
  /** This process sent a seal. */
  batchSent(sealed: SealedOpenBatch): void;
  /** Height of the store that was found at start. */
  opened(height: number): void;
  caughtUp(): void;
  fatal(error: unknown): void;
}

export interface ChainStatus {
  readonly height: number;
  readonly journalEnd: number;
  readonly logPosition: number;
  readonly epoch: bigint;
  readonly isLeading: boolean;
  readonly isCaughtUp: boolean;
  readonly unacceptedBlocks: number;
  readonly mempool: {
    readonly pending: number;
    readonly queued: number;
    readonly pendingSizeBytes: number;
    readonly queuedSizeBytes: number;
  };
  readonly poolCounters: MempoolCounters;
  /** Of the sequencer; undefined: this node is fed over TCP. */
  readonly timeInStates: readonly TimeInState[] | undefined;
  readonly lastTimestamp: bigint;
  readonly nextL1PriorityId: bigint;
  readonly settlement: SettlementStatus;
  /** undefined: not fed over TCP. */
  readonly replay: ReplayClientStatus | undefined;
}

export class Chain {
  readonly #settings: ChainSettings;
  readonly #dependencies: ChainDependencies;
  readonly #store: ChainStore;
  readonly #cache: StateCache;
  readonly #mempool: Mempool;
  readonly #leadership: LeadershipManager<SentBlock>;
  readonly #producer: BlockProducer;
  readonly #replayClient: ReplayClient | undefined;
  readonly #pipeline: ReplayPipeline<BuiltBlock>;
  readonly #abort = new AbortController();
  readonly #batcher: Batcher | undefined;
  readonly #sealChecker: SealChecker | undefined;
  #batcherProblem: SettlementAlarm | undefined;
  #running: Promise<void> | undefined;
  #isStopping = false;
  #isCaughtUp = false;
  /** Lowest height over the projections, as they report it; undefined: they are still opening their stores. */
  #projectedHeight: number | undefined;
  #sinceFlush = 0;
  #upgrade: L1Transaction | undefined;

  private constructor(settings: ChainSettings, dependencies: ChainDependencies, store: ChainStore) {
    this.#settings = settings;
    this.#dependencies = dependencies;
    this.#store = store;
    this.#cache = new StateCache(store);
    this.#mempool = new Mempool(settings.mempool);
    const { log, l1Source, logger, events } = dependencies;
    const { clock = systemClock, random = systemRandom, software = SOFTWARE } = dependencies;
    const { replayFrom } = dependencies;
    this.#replayClient =
      replayFrom &&
      new ReplayClient({
        ...replayFrom,
        chainId: settings.sequencer.chainId,
        head: () => store.head,
        clock,
        random,
        logger,
        onFatal: (error) => events.fatal(error),
      });
    this.#producer =
      this.#replayClient ??
      new Sequencer({
        settings: settings.sequencer,
        mempool: this.#mempool,
        l1Source,
        upgradeTransaction: () => this.#upgradeTransaction(),
        cache: this.#cache,
        readmit: (sendered) => this.#readmit(sendered),
        head: () => this.#head(),
        clock,
        logger,
        metrics: { sealed: (built) => this.#logSealed(built) },
        mayBuild: () => !this.#isStopping && this.#projectionLag() <= settings.intakeMaxLagBlocks,
        onFatal: (error) => events.fatal(error),
      });
    const { treeAfter } = dependencies;
    if (treeAfter !== undefined) {
      const assembly = new BatchAssembly({ chain: store, chainId: settings.sequencer.chainId, treeAfter });
      const { signal } = this.#abort;
      this.#sealChecker = new SealChecker({
        assembly,
        seal: (batch) => store.seal(batch),
        logger,
        onAlarm: () => undefined,
        signal,
      });
      if (settings.batcher !== undefined)
        this.#batcher = new Batcher({
          settings: settings.batcher,
          assembly,
          height: () => store.head?.height ?? 0,
          clock,
          logger,
          onSent: (sealed) => events.batchSent(sealed),
          onProblem: (problem) => {
            this.#batcherProblem = problem && { code: 'BATCH_NOT_SEALED', ...problem };
          },
          signal,
        });
    }
    this.#batcher?.startedAt(store.head?.height ?? 0);
    this.#leadership = new LeadershipManager<SentBlock>({
      openProducer: () => log.openProducer(),
      software,
      nodeId: settings.nodeId,
      bootId: settings.bootId,
      maxAheadBlocks: settings.maxAheadBlocks,
      clock,
      random,
      mayLead: settings.mayLead,
      hasWork: () => this.#producer.hasWork(),
      logEnd: () => log.end(),
      checkLog: () => this.#checkLog(),
      onLead: (leadership) => {
        this.#producer.lead(leadership);
        this.#batcher?.lead(leadership);
      },
      onDoubt: (_reason, unaccepted) => {
        this.#producer.doubt(unaccepted);
        this.#batcher?.moved();
      },
      onFatal: (error) => events.fatal(error),
      logger,
      metrics: {
        claim: (result) => events.claim(result),
        append: (result, seconds) => events.append(result, seconds),
        leading: (isLeading, reason) => events.leading(isLeading, reason),
        unaccepted: () => undefined,
      },
    });
    this.#pipeline = new ReplayPipeline<BuiltBlock>({
      log,
      software,
      decode: dependencies.decode,
      chainId: settings.sequencer.chainId,
      store,
      cache: this.#cache,
      leadership: this.#leadership,
      recoverSenders: dependencies.recoverSenders,
      genesis: dependencies.genesis,
      checkBlock: dependencies.checkBlock,
      onGenesis: (entry) => events.genesis(entry),
      onAccepted: (block, transactions, built) => this.#onAccepted(block, transactions, built),
      onSettlement: (event, after, before) => this.#onSettlement(event, after, before),
      onSettlementRestored: (state) => {
        this.#sealChecker?.restore(state);
        events.settlement('restored', store.journalEnd, finalityOf(state));
      },
      onCaughtUp: (fold) => this.#onCaughtUp(fold),
      clock,
      logger,
      metrics: {
        entryRead: (logEntry, result, entry) => this.#onEntryRead(logEntry, result, entry),
        executed: (source, seconds) => events.executed(source, seconds),
      },
    });
    const workArrived = (): void => {
      this.#producer.workArrived();
      this.#leadership.workArrived();
    };
    this.#mempool.onExecutable = workArrived;
    l1Source.onArrival = workArrived;
  }

  static async open(settings: ChainSettings, dependencies: ChainDependencies): Promise<Chain> {
    const store = await ChainStore.open(dependencies.store, genesisContext);
    return new Chain(settings, dependencies, store);
  }

  /** Follows the log until `stop`; a failure is reported once through `events.fatal`. */
  start(): void {
    if (this.#store.genesisEntry !== undefined) this.#dependencies.events.genesis(this.#store.genesisEntry);
    if (this.#store.head !== undefined) this.#dependencies.events.opened(this.#store.head.height);
    this.#running = this.#pipeline.run(this.#abort.signal).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#dependencies.events.fatal(error);
    });
  }

  /** Takes nothing new in, finishes the block being built, reads back what was sent, then closes. */
  async stop(limitMs: number): Promise<void> {
    this.#isStopping = true;
    await this.#producer.stop();
    await this.#drain(limitMs);
    await this.#leadership.close();
    this.#abort.abort();
    await this.#batcher?.closed();
    await this.#sealChecker?.closed();
    await this.#running;
    await this.#dependencies.log.close();
    await this.#store.flush();
    await this.#store.close();
  }

  async #drain(limitMs: number): Promise<void> {
    const { clock = systemClock } = this.#dependencies;
    const limit = new AbortController();
    const cancel = clock.setTimer(limitMs, () => limit.abort());
    await this.#leadership.current()?.whenDrained(limit.signal);
    cancel();
  }

  // --- what other threads ask ---

  /** Takes a transaction into the pool. Throws PoolError; CHAIN_NOT_READY before genesis; INTAKE_CLOSED. */
  async submit(raw: Bytes, sender: Bytes): Promise<Bytes> {
    const transaction = decodeTransaction(raw);
    if (isL1Transaction(transaction))
      throw new NodeError('fatal', 'transaction type not supported: transaction type not valid', {
        code: 'POOL_TYPE_NOT_SUPPORTED',
        type: transaction.type,
      });
    this.#checkIntake();
    this.#mempool.checkStateless(transaction);
    const view = this.#cache.view([]);
    const keys: MissingKey[] = [{ kind: 'account', address: sender }];
    if (transaction.to !== undefined) keys.push({ kind: 'account', address: transaction.to });
    const missing = view.missing(keys);
    if (missing.length > 0) await view.load(missing);
    this.#mempool.add(transaction, sender, this.#accountView(sender));
    return transaction.hash;
  }

  /** Whether `events.pending` is wanted. */
  announcePending(isWanted: boolean): void {
    const { events } = this.#dependencies;
    this.#mempool.onPending = isWanted
      ? ({ transaction, sender }) =>
          events.pending({ hash: transaction.hash.slice(), raw: transaction.raw.slice(), sender: sender.slice() })
      : undefined;
  }

  async pendingNonce(address: Bytes): Promise<bigint> {
    await this.#load([{ kind: 'account', address }]);
    return this.#mempool.pendingNonce(address, this.#accountView(address).nonce);
  }

  poolTransaction(hash: Bytes): { raw: Bytes; sender: Bytes } | undefined {
    const found = this.#mempool.get(hash);
    return found === undefined ? undefined : { raw: found.transaction.raw.slice(), sender: found.sender.slice() };
  }

  /** State after a block; undefined where absent. */
  async readStateAt(keys: readonly MissingKey[], height: number): Promise<(Bytes | undefined)[]> {
    const head = this.#head();
    if (height > head.height)
      throw new NodeError('fatal', `block ${height} not found`, { code: 'BLOCK_NOT_FOUND', blockNumber: height });
    return this.#store.readStateAt(keys, height);
  }

  async blockContext(height: number): Promise<BlockContext | undefined> {
    const context = await this.#store.blockContext(height);
    return context === undefined ? undefined : { ...context, coinbase: context.coinbase.slice() };
  }

  /** A stored block for another thread: its encoded journal entry, and the ring of hashes before it. */
  async blockEntry(height: number): Promise<{ entry: Bytes; blockHashes: Bytes[] } | undefined> {
    const entry = height === 0 ? undefined : await this.#store.blockEntry(height);
    if (entry === undefined) return undefined;
    const hashes = await this.#store.blockHashesBefore(height);
    // Copies: a view takes the whole buffer behind it along.
    return { entry: entry.slice(), blockHashes: hashes.map((hash) => hash.slice()) };
  }

  /** Id of the next priority transaction after the stored blocks. */
  nextL1PriorityId(): bigint {
    return this.#store.head?.nextL1PriorityId ?? 0n;
  }

  /** The newest priority transaction in a stored block. */
  async newestPriorityTransaction(): Promise<L1Transaction | undefined> {
    const id = this.nextL1PriorityId() - 1n;
    if (id < 0n) return undefined;
    // The ids at which blocks start never fall: the last block that starts at or below it holds it.
    let [low, high] = [1, this.#head().height];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const block = await this.#store.block(middle);
      if (block !== undefined && block.record.startingL1PriorityId <= id) low = middle;
      else high = middle - 1;
    }
    const block = await this.#store.block(low);
    return block?.record.transactions
      .map((raw) => decodeTransaction(raw))
      .filter(isL1Transaction)
      .find(({ type, nonce }) => type === L1_PRIORITY_TYPE && nonce === id);
  }

  /** Journal entries as bytes, for projections in other threads. */
  readJournal(fromIndex: number, limit: number, maxBytes: number): Promise<Bytes[]> {
    return this.#store.readJournal(fromIndex, limit, maxBytes);
  }

  /** Journal entries as bytes from an accepted block on, for the replay server. */
  readFromBlock(height: number, maxBytes: number): Promise<Bytes[]> {
    return this.#store.readJournalFromBlock(height, maxBytes);
  }

  journalEnd(): number {
    return this.#store.journalEnd;
  }

  /** Of the journal, also while the log is still being compared with the checkpoint. */
  logId(): Bytes | undefined {
    const { checkpoint } = this.#store;
    return checkpoint === undefined ? this.#pipeline.fold.logId : decodeCheckpoint(checkpoint).logId;
  }

  /** A projection moved: intake depends on how far the slowest one is behind. */
  setProjectedHeight(height: number): void {
    this.#projectedHeight = height;
    this.#producer.workArrived();
  }

  status(): ChainStatus {
    const head = this.#store.head;
    return {
      height: head?.height ?? -1,
      journalEnd: this.#store.journalEnd,
      logPosition: this.#pipeline.position,
      epoch: this.#pipeline.fold.epoch,
      isLeading: this.#leadership.current() !== undefined,
      isCaughtUp: this.#isCaughtUp,
      unacceptedBlocks: this.#producer.unacceptedBlocks,
      mempool: this.#mempool.status(),
      poolCounters: this.#mempool.counters,
      timeInStates: this.#producer.timeInStates,
      lastTimestamp: head?.timestamp ?? 0n,
      nextL1PriorityId: head?.nextL1PriorityId ?? 0n,
      replay: this.#replayClient?.status,
      settlement: {
        ...finalityOf(this.#pipeline.settlement),
        l1Block: this.#pipeline.settlement.l1Block,
        checkedBatch: this.#sealChecker?.checked ?? 0,
        openBlocks: this.#batcher?.openBlocks ?? 0,
        alarm: this.#sealChecker?.alarm ?? this.#batcherProblem,
      },
    };
  }

  // --- inside ---

  #head() {
    const head = this.#store.head;
    if (head === undefined)
      throw new NodeError('retryable', 'the log holds no genesis yet: this node is still starting', {
        code: 'CHAIN_NOT_READY',
      });
    return head;
  }

  /** Blocks. */
  #projectionLag(): number {
    const { height } = this.#head();
    return height - (this.#projectedHeight ?? height);
  }

  #checkIntake(): void {
    const lag = this.#projectionLag();
    if (this.#isStopping || lag > this.#settings.intakeMaxLagBlocks) {
      const why = this.#isStopping ? 'the node is stopping' : `projections are ${lag} blocks behind`;
      throw new NodeError('retryable', `transaction intake is closed: ${why}; try again later`, {
        code: 'INTAKE_CLOSED',
      });
    }
  }

  async #checkLog(): Promise<void> {
    const { checkpoint } = this.#store;
    if (checkpoint !== undefined) await checkLogIdentity(this.#dependencies.log, decodeCheckpoint(checkpoint));
  }

  #upgradeTransaction(): L1Transaction {
    if (this.#upgrade === undefined) {
      const transaction = decodeTransaction(this.#pipeline.genesisEntry().upgradeTransaction);
      if (!isL1Transaction(transaction))
        throw new NodeError('fatal', 'the Genesis entry holds no upgrade transaction of type 0x7e', {
          code: 'GENESIS_UPGRADE_INVALID',
        });
      this.#upgrade = transaction;
    }
    return this.#upgrade;
  }

  async #load(keys: readonly MissingKey[]): Promise<void> {
    const view = this.#cache.view([]);
    const missing = view.missing(keys);
    if (missing.length > 0) await view.load(missing);
  }

  #accountView(address: Bytes): { nonce: bigint; balance: bigint; hasCode: boolean } {
    const stored = this.#cache.view([]).account(address);
    if (stored === undefined || stored === ABSENT) return { nonce: 0n, balance: 0n, hasCode: false };
    return accountView(stored.record);
  }

  /** Back from a block that was given up, when the pool no longer knew its sender. */
  #readmit({ transaction, sender }: SenderedTransaction): void {
    if (isL1Transaction(transaction)) return;
    this.#load([{ kind: 'account', address: sender }])
      .then(() => this.#mempool.add(transaction, sender, this.#accountView(sender)))
      .catch((error: unknown) => {
        this.#dependencies.logger.debug(
          { tx: toHex(transaction.hash), err: String(error) },
          'a transaction of a block that was given up is not admitted again',
        );
      });
  }

  #onAccepted(
    block: CanonicalBlock,
    transactions: readonly SenderedTransaction[],
    built: BuiltBlock | undefined,
  ): void {
    const { events, logger, l1Source } = this.#dependencies;
    if (built !== undefined) this.#producer.accepted(built);
    l1Source.included?.(transactions);
    const { output, record } = block;
    this.#mempool.applyBlock(
      changedAccounts(block),
      transactions.map(({ transaction }) => transaction.hash),
    );
    this.#producer.workArrived();
    this.#batcher?.moved();
    const accepted: AcceptedBlock = {
      height: block.height,
      blockHash: output.blockHash.slice(),
      journalEnd: this.#store.journalEnd,
      timestamp: record.context.timestamp,
      transactions: output.transactions.length,
      succeeded: output.transactions.filter(({ success }) => success).length,
      gasUsed: output.header.gasUsed,
      computationalNativeUsed: output.computationalNativeUsed,
      pubdataBytes: output.pubdata.length,
      storageWrites: output.writes.length,
      nextL1PriorityId: this.#head().nextL1PriorityId,
      gasUsedEach: output.transactions.map(({ gasUsed }) => Number(gasUsed)),
      nativeUsedEach: output.transactions.map(({ nativeUsed }) => Number(nativeUsed)),
      computationalNativeUsedEach: output.transactions.map(({ computationalNativeUsed }) =>
        Number(computationalNativeUsed),
      ),
      pubdataUsedEach: output.transactions.map(({ pubdataUsed }) => Number(pubdataUsed)),
      sealReason: built?.sealReason,
      times: built && blockTimes(built, performance.now()),
    };
    events.accepted(accepted);
    if (this.#isCaughtUp) {
      logger.info(
        {
          block: block.height,
          position: block.position,
          transactions: accepted.transactions,
          gas: accepted.gasUsed,
          source: built === undefined ? 'executed' : 'reused',
        },
        'block accepted',
      );
    }
    this.#sinceFlush += 1;
    if (this.#sinceFlush >= this.#settings.flushEveryBlocks) {
      this.#sinceFlush = 0;
      this.#store.flush().catch((error: unknown) => events.fatal(error));
    }
  }

  #onEntryRead(logEntry: LogEntry, result: FoldResult, entry: Entry | undefined): void {
    const { events } = this.#dependencies;
    events.folded?.(logEntry, result);
    events.entryRead({
      position: logEntry.position,
      verdict: result.verdict,
      class: result.rejectedClass,
      kind: entry?.kind,
      sizeBytes: logEntry.bytes.length,
    });
  }

  #onSettlement(event: SettlementEvent, after: SettlementFold, before: SettlementFold): void {
    const { events, logger } = this.#dependencies;
    events.settlement(event.kind, this.#store.journalEnd, finalityOf(after));
    this.#sealChecker?.moved(after);
    this.#batcher?.moved();
    if (after.committed < before.committed || after.proved < before.proved)
      logger.warn(
        { committed: after.committed, proved: after.proved, committedBefore: before.committed },
        'L1 took batches back: they are committed and proved again',
      );
    if (this.#isCaughtUp) logger.info({ position: event.position, kind: event.kind }, 'settlement entry accepted');
  }

  #onCaughtUp(_fold: ChainFold): void {
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#dependencies.events.caughtUp();
  }

  #logSealed(built: BuiltBlock): void {
    const { output, context, sealReason } = built;
    this.#dependencies.logger.info(
      {
        block: context.blockNumber,
        command: 'produce',
        sealReason,
        transactions: output.transactions.length,
        storageWrites: output.writes.length,
        preimages: output.preimages.length,
        pubdataBytes: output.pubdata.length,
        gas: output.header.gasUsed,
        purged: built.purged.length,
      },
      'block sealed',
    );
  }
}

function accountView({ nonce, balance, bytecodeHash }: AccountRecord): {
  nonce: bigint;
  balance: bigint;
  hasCode: boolean;
} {
  return { nonce, balance, hasCode: !isZero(bytecodeHash) };
}

/** Every account whose record the block changed. */
function changedAccounts(block: CanonicalBlock) {
  return block.output.writes.flatMap(({ accountRecord, slot }) =>
    accountRecord === undefined
      ? []
      : [{ address: slot.slice(12), ...accountView(decodeAccountRecord(accountRecord)) }],
  );
}
