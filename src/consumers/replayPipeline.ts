/**
 * Everything that makes a block canonical, in one thread and in order: follow the log, fold, execute (or reuse what this
 * process built), write the chain store once, publish (design.md 5 step 4). Nothing is published that was not read back.
 */
import { BoundedQueue } from '../common/boundedQueue.ts';
import { type Bytes, toHex } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { NodeError, assert } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { readAhead } from '../common/readAhead.ts';
import { checkPublished, checkSealed } from '../log/assertions.ts';
import { AcceptedHashes, type ChainFold, EMPTY_FOLD, type FoldResult, type Software } from '../log/chainFold.ts';
import {
  type BlockEntry,
  type Entry,
  type GenesisEntry,
  type SettlementEntry,
  isSettlementEntry,
} from '../log/entry.ts';
import { decodeEntry, entryHash } from '../log/entryCodec.ts';
import { type CaughtUp, type EventLog, type LogEntry, isCaughtUp } from '../log/eventLog.ts';
import { foldEntry } from '../log/foldEntry.ts';
import type { LeadershipManager } from '../log/leadershipManager.ts';
import { checkLogIdentity, decodeCheckpoint, encodeCheckpoint } from '../log/logIdentity.ts';
import { EMPTY_SETTLEMENT, type SettlementFold, checkSettlement, lastBlockOf } from '../log/settlementFold.ts';
import { changedRows, restoreSettlement } from '../log/settlementRows.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { type SenderedTransaction, isL1Transaction } from '../protocol/transaction.ts';
import type { ChainHead, ChainStore } from '../store/chainStore.ts';
import type { CanonicalBlock, SettlementEvent } from '../store/journal.ts';
import { type StateCache, type StateLayer, stateLayer } from '../store/stateCache.ts';
import { ReplayErrorCode } from './errors.ts';
import { genesisContent } from './genesisBlock.ts';
import { offerGenesis } from './genesisOffer.ts';
import { GuessingReplay } from './guessingReplay.ts';
import { unreadableTransaction } from './replayBlock.ts';

export interface PipelineMetrics {
  entryRead(logEntry: LogEntry, result: FoldResult, entry: Entry | undefined): void;
  executed(source: 'reused' | 'executed', seconds: number): void;
}

/** What this process already knows of a block that it built itself. */
export interface ExecutedBlock {
  readonly transactions: readonly SenderedTransaction[];
  readonly output: BlockOutput;
  readonly layer: StateLayer;
}

export interface ReplayPipelineOptions<Built extends ExecutedBlock> {
  readonly log: EventLog;
  readonly software: Software;
  /** Of this software, unless a simulation has another age of it. */
  readonly decode?: typeof decodeEntry | undefined;
  readonly chainId: bigint;
  readonly store: ChainStore;
  readonly cache: StateCache;
  /** A block without a payload is executed when it is read back. */
  readonly leadership: LeadershipManager<Built | undefined>;
  /** Senders of signed transactions, in order. Throws when a signature is not valid. */
  readonly recoverSenders: (raws: readonly Bytes[]) => Promise<readonly Bytes[]>;
  /** Who writes this log: the Genesis to append when it holds none. Who only follows: undefined. */
  readonly genesis: ((signal: AbortSignal) => GenesisEntry | Promise<GenesisEntry>) | undefined;
  /** Before a block that this process did not build is executed. Throws what stops the node. */
  readonly checkBlock?:
    ((transactions: readonly SenderedTransaction[], signal: AbortSignal) => Promise<void>) | undefined;
  /** The bytes of the accepted Genesis entry. */
  readonly onGenesis: (entryBytes: Bytes) => void;
  /** After the chain store holds it. `built`: the block was ours, and these are its bytes. */
  readonly onAccepted: (
    block: CanonicalBlock,
    transactions: readonly SenderedTransaction[],
    built: Built | undefined,
  ) => void;
  /** After the chain store holds it. `before`: the fold of settlement that judged the entry. */
  readonly onSettlement: (event: SettlementEvent, after: SettlementFold, before: SettlementFold) => void;
  /** At start, from the checkpoint. */
  readonly onSettlementRestored: (state: SettlementFold) => void;
  readonly onCaughtUp: (fold: ChainFold) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PipelineMetrics;
}

/** One entry with everything about it that does not depend on the fold, made while entries before it are processed. */
interface Prepared {
  readonly logEntry: LogEntry;
  readonly hash: Bytes;
  readonly entry: Entry | undefined;
  /** Started early for blocks that are probably not our own. */
  transactions: Promise<readonly SenderedTransaction[]> | undefined;
}

/** Read and prepared while entries before them are processed. */
const READ_AHEAD_ENTRIES = 64;
const READ_AHEAD_BYTES = 2 * 1024 * 1024;

/** Genesis is written in schema 1 for ever (log-protocol 2). */
const GENESIS_SCHEMA = 1;

export class ReplayPipeline<Built extends ExecutedBlock> {
  readonly #options: ReplayPipelineOptions<Built>;
  #fold: ChainFold = EMPTY_FOLD;
  #settlement: SettlementFold = EMPTY_SETTLEMENT;
  #position = -1;
  readonly #acceptedHashes = new AcceptedHashes();
  readonly #replay = new GuessingReplay();
  /** Aborted when the log has a Genesis. */
  #offer: AbortController | undefined;
  #signal: AbortSignal | undefined;

  constructor(options: ReplayPipelineOptions<Built>) {
    this.#options = options;
  }

  get fold(): ChainFold {
    return this.#fold;
  }

  get settlement(): SettlementFold {
    return this.#settlement;
  }

  /** Of the last entry read, accepted or not; -1 before the first. */
  get position(): number {
    return this.#position;
  }

  /** The accepted Genesis. Throws before there is one. */
  genesisEntry(): GenesisEntry {
    const bytes = this.#options.store.genesisEntry;
    const entry = bytes === undefined ? undefined : decodeEntry(GENESIS_SCHEMA, bytes);
    assert(entry?.kind === 'Genesis', 'the chain store holds no Genesis entry');
    return entry;
  }

  /** Follows the log until the signal; throws what stops the node. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, store } = this.#options;
    this.#signal = signal;
    if (store.checkpoint !== undefined) {
      const checkpoint = decodeCheckpoint(store.checkpoint);
      await checkLogIdentity(log, checkpoint);
      assert(
        checkpoint.fold.height === store.head?.height,
        `checkpoint at height ${checkpoint.fold.height}, chain store at ${store.head?.height}`,
      );
      this.#checkConfiguredChain(checkpoint.fold);
      this.#settlement = restoreSettlement(checkpoint.settlement, await store.settlementRows());
      assert(
        lastBlockOf(this.#settlement, this.#settlement.sealed) <= checkpoint.fold.height,
        'the chain store has sealed blocks that it does not hold',
      );
      this.#fold = checkpoint.fold;
      this.#position = checkpoint.position;
      this.#options.onSettlementRestored(this.#settlement);
    }
    const reading = new AbortController();
    let failure: { readonly error: unknown } | undefined;
    const fail = (error: unknown): void => {
      failure ??= { error };
      reading.abort();
    };
    const items = readAhead((stop) => log.follow(this.#position + 1, stop), {
      prepare: (item) => (isCaughtUp(item) ? item : this.#prepare(item)),
      queue: new BoundedQueue(READ_AHEAD_ENTRIES, { maxBytes: READ_AHEAD_BYTES, bytesOf: sizeInLog }),
      signal: AbortSignal.any([signal, reading.signal]),
    });
    for await (const item of items) {
      if ('caughtUp' in item) this.#caughtUp(item.end, reading.signal, fail);
      else await this.#process(item);
    }
    if (failure !== undefined) throw failure.error;
  }

  #prepare(logEntry: LogEntry): Prepared {
    const { decode = decodeEntry } = this.#options;
    const entry = decode(logEntry.schema, logEntry.bytes);
    const prepared: Prepared = {
      logEntry,
      entry,
      hash: entryHash(logEntry.schema, logEntry.bytes),
      transactions: undefined,
    };
    if (entry?.kind === 'Block' && this.#options.leadership.current()?.hasPayload(prepared.hash) !== true) {
      prepared.transactions = this.#senderedTransactions(entry);
      prepared.transactions.catch(() => undefined);
    }
    return prepared;
  }

  async #process(prepared: Prepared): Promise<void> {
    const { logEntry, entry, hash } = prepared;
    const { software, chainId, leadership, metrics, logger } = this.#options;
    assert(logEntry.position > this.#position, `entry ${logEntry.position} delivered after ${this.#position}`);
    const isCopy = this.#acceptedHashes.has(hash);
    const folds = { chain: this.#fold, settlement: this.#settlement };
    const { result, settled } = foldEntry(folds, entry, software, { configuredChain: chainId, isDuplicate: isCopy });
    metrics.entryRead(logEntry, result, entry);
    if (result.verdict === 'stop') throw this.#stopError(result, logEntry);
    this.#position = logEntry.position;
    if (result.verdict === 'rejected') {
      logger.warn(
        { position: logEntry.position, kind: entry?.kind, class: result.rejectedClass },
        'log entry rejected',
      );
      leadership.onEntry(logEntry, hash, entry, result, this.#fold);
      return;
    }
    assert(entry !== undefined, 'an entry was accepted that does not decode');
    this.#fold = result.state;
    this.#acceptedHashes.add(hash);
    if (entry.kind === 'Genesis') await this.#applyGenesis(entry, logEntry, hash);
    if (settled !== undefined && isSettlementEntry(entry)) {
      await this.#applySettlement(entry, prepared, result, settled.state);
    } else if (entry.kind === 'Block') {
      const own = leadership.onEntry(logEntry, hash, entry, result, this.#fold);
      await this.#applyBlock(entry, prepared, own?.payload);
    } else {
      leadership.onEntry(logEntry, hash, entry, result, this.#fold);
    }
  }

  async #applyGenesis(entry: GenesisEntry, logEntry: LogEntry, hash: Bytes): Promise<void> {
    const content = genesisContent(entry, logEntry);
    await this.#options.store.applyGenesis(content, this.#checkpoint(hash));
    this.#offer?.abort();
    this.#options.onGenesis(logEntry.bytes);
    this.#options.logger.info(
      { position: logEntry.position, logId: toHex(entry.logId), chainId: entry.chainId },
      'genesis accepted',
    );
  }

  async #applyBlock(entry: BlockEntry, prepared: Prepared, built: Built | undefined): Promise<void> {
    const { store, cache, metrics, onAccepted } = this.#options;
    const head = store.head;
    assert(head !== undefined, 'a block was accepted before genesis');
    const startedAt = performance.now();
    const height = Number(entry.height);
    const { transactions, output } = built ?? (await this.#execute(entry, head, prepared));
    metrics.executed(built === undefined ? 'executed' : 'reused', (performance.now() - startedAt) / 1000);
    const block: CanonicalBlock = {
      kind: 'Block',
      position: prepared.logEntry.position,
      height,
      record: entry.record,
      output,
      senders: transactions.map(({ sender }) => sender),
    };
    cache.apply(built?.layer ?? stateLayer(height, output));
    checkPublished(height, this.#fold);
    await store.applyBlock(block, this.#checkpoint(prepared.hash));
    onAccepted(block, transactions, built);
  }

  async #applySettlement(
    entry: SettlementEntry,
    { logEntry, hash }: Prepared,
    result: FoldResult,
    after: SettlementFold,
  ): Promise<void> {
    const { store, leadership, onSettlement } = this.#options;
    const before = this.#settlement;
    checkSettlement(after);
    checkSealed(before, entry.kind, after);
    this.#settlement = after;
    leadership.onEntry(logEntry, hash, entry, result, this.#fold, after);
    const event = settlementEvent(entry, logEntry.position);
    await store.applySettlement(event, changedRows(before, after), this.#checkpoint(hash));
    onSettlement(event, after, before);
  }

  async #execute(entry: BlockEntry, head: ChainHead, prepared: Prepared) {
    try {
      const transactions = await (prepared.transactions ?? this.#senderedTransactions(entry));
      if (this.#signal !== undefined) await this.#options.checkBlock?.(transactions, this.#signal);
      const output = await this.#replay.replay({
        record: entry.record,
        blockHashes: head.blockHashes,
        transactions,
        state: this.#options.cache.view([]),
        previousBlockTimestamp: head.timestamp,
        nextL1PriorityId: head.nextL1PriorityId,
      });
      return { transactions, output };
    } catch (error) {
      if (!(error instanceof NodeError) || error.kind !== 'invariant') throw error;
      const context = { ...entry.record.context, blockHashes: head.blockHashes };
      throw new NodeError(
        'invariant',
        error.message,
        {
          ...error.facts,
          context,
          record: entry.record,
          transactions: entry.record.transactions,
          position: this.#position,
        },
        { cause: error },
      );
    }
  }

  async #senderedTransactions(entry: BlockEntry): Promise<readonly SenderedTransaction[]> {
    try {
      const transactions = entry.record.transactions.map((raw) => decodeTransaction(raw));
      const signed = transactions.filter((transaction) => !isL1Transaction(transaction));
      const senders = signed.length === 0 ? [] : await this.#options.recoverSenders(signed.map(({ raw }) => raw));
      let next = 0;
      return transactions.map((transaction) => {
        if (isL1Transaction(transaction)) return { transaction, sender: transaction.initiator };
        const sender = senders[next++];
        assert(sender !== undefined, 'a sender is missing');
        return { transaction, sender };
      });
    } catch (error) {
      if (error instanceof NodeError && error.kind === 'fatal') throw unreadableTransaction(entry.height, error);
      throw error;
    }
  }

  #caughtUp(end: number, signal: AbortSignal, fail: (error: unknown) => void): void {
    const { genesis, log, clock, logger, leadership, onCaughtUp } = this.#options;
    if (this.#fold.logId === undefined) {
      if (genesis === undefined || this.#offer !== undefined) return;
      this.#offer = new AbortController();
      const stop = AbortSignal.any([signal, this.#offer.signal]);
      offerGenesis({ log, genesis, clock, logger, signal: stop }).catch(fail);
      return;
    }
    leadership.onCaughtUp(this.#fold, end, this.#settlement);
    onCaughtUp(this.#fold);
  }

  #checkpoint(hash: Bytes): Bytes {
    const { logId } = this.#fold;
    assert(logId !== undefined, 'a checkpoint before genesis');
    return encodeCheckpoint({
      logId,
      position: this.#position,
      entryHash: hash,
      fold: this.#fold,
      settlement: this.#settlement,
    });
  }

  #checkConfiguredChain(fold: ChainFold): void {
    const { chainId } = this.#options;
    if (fold.chain !== undefined && fold.chain !== chainId) throw foreignGenesis(fold.chain, chainId);
  }

  #stopError(result: FoldResult, logEntry: LogEntry): NodeError {
    if (result.stopReason === 'foreign_genesis') return foreignGenesis(result.state.chain ?? 0n, this.#options.chainId);
    return new NodeError(
      'fatal',
      `entry ${logEntry.position} of the log opens an epoch with rules newer than this software knows: upgrade this node`,
      {
        code: ReplayErrorCode.upgradeNeeded,
        position: logEntry.position,
      },
    );
  }
}

function sizeInLog(item: Prepared | CaughtUp): number {
  return 'caughtUp' in item ? 0 : item.logEntry.bytes.length;
}

/** Its numbers are small once it is accepted. */
function settlementEvent(entry: SettlementEntry, position: number): SettlementEvent {
  switch (entry.kind) {
    case 'BatchSealed':
      return {
        kind: entry.kind,
        position,
        batch: Number(entry.batch),
        firstBlock: Number(entry.firstBlock),
        lastBlock: Number(entry.lastBlock),
        storedBatchHash: entry.storedBatchHash,
        reason: entry.reason,
        commitInfo: entry.commitInfo,
      };
    case 'FriProved':
      return {
        kind: entry.kind,
        position,
        batch: Number(entry.batch),
        proofKind: entry.proofKind,
        proof: entry.proof,
      };
    case 'SnarkProved':
      return {
        kind: entry.kind,
        position,
        fromBatch: Number(entry.fromBatch),
        toBatch: Number(entry.toBatch),
        proofKind: entry.proofKind,
        proof: entry.proof,
      };
    case 'L1Progress':
      return {
        kind: entry.kind,
        position,
        committed: Number(entry.committed),
        proved: Number(entry.proved),
        executed: Number(entry.executed),
        l1BlockNumber: entry.l1BlockNumber,
        l1BlockHash: entry.l1BlockHash,
      };
  }
}

function foreignGenesis(found: bigint, configured: bigint): NodeError {
  return new NodeError(
    'fatal',
    `the log belongs to chain ${found}, this node is configured for chain ${configured}: check genesis_chain_id, kafka_topic_prefix and the data folder`,
    {
      code: ReplayErrorCode.foreignGenesis,
      found,
      configured,
    },
  );
}
