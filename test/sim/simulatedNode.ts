/**
 * A node of a simulated world: the objects of production, put together as its threads do (workers/chainWorker.ts,
 * projectionHost.ts, l1Service.ts), on a simulated log, disk, clock and L1. It can be killed at any moment.
 */
import { type Bytes, bytesKey } from '../../src/common/bytes.ts';
import type { RandomSource } from '../../src/common/clock.ts';
import { NodeError, assert } from '../../src/common/errors.ts';
import { RisingGate } from '../../src/common/gate.ts';
import type { Logger } from '../../src/common/logger.ts';
import type { FoldResult, Software } from '../../src/log/chainFold.ts';
import type { Entry, GenesisEntry } from '../../src/log/entry.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import type { L1Reader } from '../../src/l1/l1Client.ts';
import { L1Queue } from '../../src/producers/l1Queue.ts';
import { L1Watcher } from '../../src/producers/l1Watcher.ts';
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { isOptional, projections } from '../../src/projections/index.ts';
import type { MerkleTreeReader } from '../../src/projections/merkleTreeReader.ts';
import { ProjectionRunner } from '../../src/projections/projectionRunner.ts';
import { BATCH_NATIVE_MAX } from '../../src/protocol/batch.ts';
import { LOG_TREE_SIZE } from '../../src/protocol/logTree.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { wouldStopVm } from '../../src/vm/l1Transaction.ts';
import { type AcceptedBlock, Chain, type ChainEvents, type ChainSettings } from '../../src/workers/chain.ts';
import { RemoteJournal } from '../../src/workers/remoteJournal.ts';
import type { SimulatedDisk } from './simulatedDisk.ts';
import type { LogView, SimulatedLog } from './simulatedLog.ts';
import { Life, ProcessClock, type VirtualTime } from './virtualTime.ts';

export const CHAIN_STORE_PATH = 'chainStore/v0';
const GAS_LIMIT = 100_000_000n;
const GENESIS_SCHEMA = 1;
const CONFIRMATIONS = 2;

/** Software of the newest rules writes and reads what the rules of today do, under another version. */
export function decodeUpTo(newestSchema: number): typeof decodeEntry {
  return (schema, bytes) => {
    if (schema < 1 || schema > newestSchema) return undefined;
    const entry = decodeEntry(1, bytes);
    return entry === undefined ? undefined : ({ ...entry, schema } satisfies Entry);
  };
}

/** Calls of the audit; the node tells it everything that leaves the process. */
export interface NodeListener {
  folded(node: SimulatedNode, logEntry: LogEntry, result: FoldResult): void;
  published(node: SimulatedNode, block: AcceptedBlock): void;
  /** What its stores hold is readable again. */
  opened(node: SimulatedNode, height: number): void;
  stopped(node: SimulatedNode, error: unknown): void;
  /** Anything else worth a line of the trace. */
  note(node: SimulatedNode, text: string): void;
  /** A durable step is about to happen or has happened; may kill the node. */
  step(node: SimulatedNode, what: string): void;
}

export interface SimulatedNodeOptions {
  readonly name: string;
  readonly role: 'main' | 'external';
  readonly software: Software;
  readonly chainId: bigint;
  readonly nodeId: Bytes;
  readonly bootId: Bytes;
  readonly genesis: (() => GenesisEntry) | undefined;
  readonly sealsBatches: boolean;
  readonly maxAheadBlocks: number;
  readonly flushEveryBlocks: number;
  readonly random: RandomSource;
  readonly time: VirtualTime;
  readonly log: SimulatedLog;
  readonly disk: SimulatedDisk;
  readonly l1: L1Reader;
  readonly skewMs: number;
  readonly readLagMs: number;
  readonly listener: NodeListener;
}

const silent = (): void => undefined;
export const SILENT: Logger = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
  child: () => SILENT,
  component: () => SILENT,
  isLevelEnabled: () => false,
};

/** Signatures are checked once in a process, whoever asks. */
const senders = new Map<string, Bytes>();
export function senderOf(raw: Bytes): Bytes {
  const key = bytesKey(raw);
  const known = senders.get(key);
  if (known !== undefined) return known;
  const transaction = decodeTransaction(raw);
  const sender = isL1Transaction(transaction) ? transaction.initiator : recoverSender(transaction);
  senders.set(key, sender);
  return sender;
}

export class SimulatedNode {
  readonly options: SimulatedNodeOptions;
  readonly life = new Life();
  readonly clock: ProcessClock;
  readonly view: LogView;
  readonly runners: ProjectionRunner<unknown>[] = [];
  readonly #abort = new AbortController();
  readonly #l1Queue: L1Queue;
  readonly #treeHeight = new RisingGate();
  #journal: RemoteJournal | undefined;
  #chain: Chain | undefined;
  /** Height of its fold; -1: nothing was folded. */
  foldHeight = -1;
  isStopped = false;

  constructor(options: SimulatedNodeOptions) {
    this.options = options;
    const { name, time, log, listener } = options;
    this.clock = new ProcessClock(time, this.life);
    this.clock.skewMs = options.skewMs;
    const step = (what: string): void => {
      if (!this.life.isDead) listener.step(this, what);
    };
    this.view = log.view(name, this.life, step);
    this.view.readLagMs = options.readLagMs;
    this.#step = step;
    this.#l1Queue = new L1Queue({
      refusal: (transaction) =>
        options.role === 'main' ? wouldStopVm(transaction, { gasLimit: GAS_LIMIT }) : undefined,
      onAlarm: (alarm) => this.#note(`alarm ${alarm?.code ?? 'over'}`),
      clock: this.clock,
    });
  }

  readonly #step: (what: string) => void;

  get name(): string {
    return this.options.name;
  }

  get isRunning(): boolean {
    return !this.life.isDead && !this.isStopped && this.#chain !== undefined;
  }

  get chain(): Chain | undefined {
    return this.#chain;
  }

  get isLeading(): boolean {
    return this.isRunning && this.#chain?.status().isLeading === true;
  }

  get height(): number {
    return this.#chain?.status().height ?? -1;
  }

  /** Opens the stores and begins to follow the log. A failure is told as `stopped`. */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      this.#stopped(error);
    }
  }

  /** As kill -9 does; the disk keeps what was written. */
  kill(): void {
    this.life.end();
    this.options.log.forget(this.view);
    this.options.listener.note(this, 'killed');
  }

  /** When the world is over. */
  dispose(): void {
    this.life.end();
    this.view.dispose();
    this.#abort.abort();
  }

  pause(): void {
    this.life.pause();
  }

  resume(): void {
    this.life.resume();
  }

  /** Takes a transaction from a client. Throws what the pool says. */
  async submit(raw: Bytes): Promise<void> {
    await this.#chain?.submit(raw, senderOf(raw));
  }

  async stop(limitMs: number): Promise<void> {
    this.isStopped = true;
    await this.#chain?.stop(limitMs);
    this.#abort.abort();
    for (const runner of this.runners) await runner.close();
    this.life.end();
  }

  async #open(): Promise<void> {
    const { options, life } = this;
    const { disk, time: _time, l1: _l1, listener, role, random, software } = options;
    const store = disk.open(CHAIN_STORE_PATH, life, this.#step);
    const chain = await Chain.open(this.#settings(), {
      log: this.view,
      store,
      l1Source: this.#l1Queue,
      genesis: options.genesis,
      checkBlock: role === 'main' ? undefined : (transactions, signal) => this.#l1Queue.check(transactions, signal),
      recoverSenders: async (raws) => raws.map(senderOf),
      treeAfter: (block, signal) => this.#treeAfter(block, signal),
      logger: SILENT,
      events: this.#events(),
      clock: this.clock,
      random,
      software,
      decode: decodeUpTo(software.schema),
    });
    this.#chain = chain;
    const journal = new RemoteJournal({
      readJournal: (from, limit, maxBytes) => chain.readJournal(from, limit, maxBytes),
      journalEnd: async () => chain.journalEnd(),
      logId: async () => chain.logId(),
    });
    this.#journal = journal;
    await this.#openProjections(journal, chain);
    if (life.isDead) return;
    listener.note(this, `starts at height ${chain.status().height}`);
    journal.moved(chain.journalEnd());
    chain.start();
  }

  async #openProjections(journal: RemoteJournal, chain: Chain): Promise<void> {
    const { disk, listener } = this.options;
    const heights = new Map<string, number>();
    const tell = (name: string, height: number): void => {
      heights.set(name, height);
      if (name === 'merkleTree') this.#treeHeight.rise(height);
      chain.setProjectedHeight(Math.min(...heights.values()));
    };
    // Nothing waits for the others: they would only dilute the crashes of those that matter.
    for (const projection of projections) {
      if (isOptional(projection)) continue;
      const runner: ProjectionRunner<unknown> = await ProjectionRunner.open({
        projection,
        journal,
        dataDirectory: '',
        openStore: async (path) => disk.open(path, this.life, this.#step),
        directories: disk.directories,
        clock: this.clock,
        events: {
          applied: (run) => this.life.run(() => tell(projection.name, run.height)),
          error: (error) => listener.note(this, `projection ${projection.name}: ${error.code}`),
        },
      });
      this.runners.push(runner);
      tell(projection.name, runner.height);
    }
    for (const runner of this.runners)
      runner.run(this.#abort.signal).catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#stopped(error);
      });
  }

  async #treeAfter(block: number, signal: AbortSignal): Promise<{ root: Bytes; leafCount: number }> {
    await this.#treeHeight.whenReached(block, signal);
    const tree = this.runners.find(({ name }) => name === 'merkleTree')?.reader as MerkleTreeReader;
    const version = await tree.version(block);
    assert(version !== undefined, `the state tree says it has block ${block} and does not`);
    return version;
  }

  #settings(): ChainSettings {
    const { role, chainId, nodeId, bootId, maxAheadBlocks, flushEveryBlocks, sealsBatches } = this.options;
    return {
      mayLead: role === 'main',
      sequencer: {
        chainId,
        feeCollector: new Uint8Array(20).fill(0xfe),
        blockGasLimit: GAS_LIMIT,
        blockPubdataLimitBytes: 110_000n,
        baseFee: 1_000n,
        pubdataPrice: 1n,
        blockTimeMs: 200,
        maxTransactionsInBlock: 3,
        blockSizeLimitBytes: 1_000_000,
        nodeVersion: `simulated ${this.name}`,
      },
      mempool: {
        chainId,
        blockGasLimit: GAS_LIMIT,
        maxInputBytes: 10_000,
        maxPendingTransactions: 1_000,
        maxPendingSizeBytes: 1_000_000,
      },
      batcher: sealsBatches
        ? {
            limits: { blocks: 4, native: BATCH_NATIVE_MAX, pubdataBytes: 110_000, logs: LOG_TREE_SIZE },
            timeoutMs: 5_000,
            chainAddress: new Uint8Array(20).fill(0xcc),
          }
        : undefined,
      maxAheadBlocks,
      nodeId,
      bootId,
      intakeMaxLagBlocks: 20,
      flushEveryBlocks,
    };
  }

  #events(): ChainEvents {
    const { listener } = this.options;
    const alive =
      <A extends unknown[]>(fn: (...values: A) => void) =>
      (...values: A): void => {
        if (!this.life.isDead) fn(...values);
      };
    return {
      folded: alive((logEntry, result) => {
        if (result.verdict === 'accepted') this.foldHeight = result.state.height;
        listener.folded(this, logEntry, result);
      }),
      accepted: alive((block) => {
        this.#journal?.moved(block.journalEnd);
        listener.published(this, block);
      }),
      genesis: alive((bytes) => {
        this.#journal?.moved(1);
        this.#watchL1(bytes);
      }),
      settlement: alive((kind, journalEnd) => {
        this.#journal?.moved(journalEnd);
        this.#note(`settlement ${kind}`);
      }),
      pending: silent,
      batchSent: alive(({ batch, firstBlock, lastBlock }) => this.#note(`seals ${batch}: ${firstBlock}-${lastBlock}`)),
      opened: alive((height) => {
        this.foldHeight = height;
        listener.opened(this, height);
      }),
      entryRead: silent,
      executed: silent,
      claim: alive((result) => this.#note(`claim ${result}`)),
      append: alive((result) => {
        if (result !== 'accepted') this.#note(`append ${result}`);
      }),
      leading: alive((isLeading, reason) => this.#note(isLeading ? 'leads' : `leads no more: ${reason}`)),
      caughtUp: silent,
      fatal: alive((error) => this.#stopped(error)),
    };
  }

  #watchL1(genesisBytes: Bytes): void {
    const entry = decodeEntry(GENESIS_SCHEMA, genesisBytes);
    assert(entry?.kind === 'Genesis', 'the accepted Genesis does not decode');
    this.#watch().catch((error: unknown) => this.#stopped(error));
  }

  async #watch(): Promise<void> {
    const { l1 } = this.options;
    const queue = this.#l1Queue;
    const chain = this.#chain;
    assert(chain !== undefined, 'L1 is watched before the chain is open');
    const newest = await chain.newestPriorityTransaction();
    await new L1Watcher({
      reader: l1,
      sink: {
        add: async (requests) => queue.add(requests.map(({ transaction }) => transaction)),
        hasRoom: async () => queue.hasRoom(),
        truncate: async (fromId) => queue.truncate(fromId),
      },
      firstId: queue.begin(chain.nextL1PriorityId(), newest),
      includedCount: newest === undefined ? 0n : newest.nonce + 1n,
      confirmations: CONFIRMATIONS,
      maxBlocksPerQuery: 100,
      pollIntervalMs: 1_000,
      clock: this.clock,
      logger: SILENT,
      signal: this.#abort.signal,
      metrics: { scanned: silent, head: silent, error: silent, reorganised: silent },
    }).run();
  }

  #note(text: string): void {
    if (!this.life.isDead) this.options.listener.note(this, text);
  }

  #stopped(error: unknown): void {
    if (this.life.isDead || this.isStopped) return;
    this.isStopped = true;
    this.options.listener.stopped(this, error);
    this.life.end();
    this.options.log.forget(this.view);
  }
}

export function isError(error: unknown, code: string): boolean {
  return error instanceof NodeError && error.code === code;
}
