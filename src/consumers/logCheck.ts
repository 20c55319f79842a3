/**
 * Reads a whole log again without executing anything: every entry is decoded and folded, and what the fold gives is
 * compared with the checkpoint and the journal of a chain store (log-protocol 3, 4, 12). Changes nothing.
 */
import { equalBytes, toHex } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import {
  AcceptedHashes,
  type ChainFold,
  EMPTY_FOLD,
  type FoldResult,
  type RejectedClass,
  type Software,
} from '../log/chainFold.ts';
import { type Entry, entryKey } from '../log/entry.ts';
import { decodeEntry, entryHash } from '../log/entryCodec.ts';
import { type EventLog, type LogEntry, isCaughtUp } from '../log/eventLog.ts';
import type { Checkpoint } from '../log/logIdentity.ts';
import { foldEntry } from '../log/foldEntry.ts';
import { EMPTY_SETTLEMENT, type SettlementFold } from '../log/settlementFold.ts';

/** What a chain store says it has read. */
export interface StoredProgress {
  readonly checkpoint: Checkpoint;
  /** Position of the log entry behind each journal entry, in order; undefined: the journal cannot be read. */
  readonly positions: AsyncIterator<number> | undefined;
}

export interface LogCheckOptions {
  readonly log: Pick<EventLog, 'follow' | 'start' | 'end' | 'entryAt'>;
  readonly software: Software;
  /** Configured chain id. */
  readonly chainId: bigint;
  readonly stored: StoredProgress | undefined;
  /** Positions may hold nothing: on Kafka the marker of a foreign transaction takes one. */
  readonly mayHaveGaps: boolean;
  readonly signal: AbortSignal;
  readonly progress: (entries: number, end: number) => void;
}

export interface LogCheckResult {
  readonly entries: number;
  /** Positions between the entries that hold none. */
  readonly gaps: number;
  readonly accepted: number;
  readonly rejected: Readonly<Partial<Record<RejectedClass, number>>>;
  readonly fold: ChainFold;
  /** The first thing wrong; undefined: nothing. */
  readonly problem: LogProblem | undefined;
}

export interface LogProblem {
  /** Of the entry; undefined: not one entry's. */
  readonly position: number | undefined;
  readonly text: string;
}

/** What reading the log throws passes through. With the signal it throws its reason. */
export async function checkLog(options: LogCheckOptions): Promise<LogCheckResult> {
  const { log, stored, mayHaveGaps, signal, progress } = options;
  const start = await log.start();
  const end = await log.end();
  const check = new Check(options);
  if (start > 0) check.fail(undefined, `the history below position ${start} was deleted`);
  else if (end === 0) check.fail(undefined, 'the log is empty');
  else if (stored !== undefined && stored.checkpoint.position >= end)
    check.fail(
      undefined,
      `the log ends at position ${end - 1}, but the chain store has read position ${stored.checkpoint.position}: its end is lost, or it is another log`,
    );
  const turns = new Turns();
  const reading = new AbortController();
  if (check.problem === undefined) {
    for await (const item of log.follow(0, AbortSignal.any([signal, reading.signal]))) {
      if (isCaughtUp(item)) {
        if (item.end >= end) break;
        // It had more entries a moment ago: either they come now, or this one is not there.
        if (await hasEntry(log, item.end, mayHaveGaps ? end : item.end + 1)) continue;
        if (!mayHaveGaps)
          check.fail(item.end, `the entry at position ${item.end} is missing, though the log goes on up to ${end - 1}`);
        break;
      }
      await check.read(item);
      progress(item.position + 1, end);
      if (check.problem !== undefined || item.position + 1 >= end) break;
      await turns.due();
    }
  }
  reading.abort();
  signal.throwIfAborted();
  return check.result();
}

async function hasEntry(log: LogCheckOptions['log'], from: number, end: number): Promise<boolean> {
  for (let position = from; position < end; position++) if ((await log.entryAt(position)) !== undefined) return true;
  return false;
}

class Check {
  readonly #options: LogCheckOptions;
  readonly #accepted = new AcceptedHashes();
  readonly #rejected: Partial<Record<RejectedClass, number>> = {};
  #fold: ChainFold = EMPTY_FOLD;
  #settlement: SettlementFold = EMPTY_SETTLEMENT;
  #entries = 0;
  #gaps = 0;
  #acceptedCount = 0;
  /** Next entry that the journal says was accepted; undefined: no journal, or its end. */
  #journaled: number | undefined;
  #hasBegun = false;
  problem: LogProblem | undefined;

  constructor(options: LogCheckOptions) {
    this.#options = options;
  }

  fail(position: number | undefined, text: string): void {
    this.problem ??= { position, text };
  }

  async read(logEntry: LogEntry): Promise<void> {
    const { position, schema, bytes } = logEntry;
    const { stored } = this.#options;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      await this.#nextJournaled();
    }
    if (position !== this.#next) {
      const missing = this.#options.mayHaveGaps ? this.#missedBefore(position) : this.#next;
      if (missing !== undefined) {
        this.fail(missing, `the entry at position ${missing} is missing: the next one is at ${position}`);
        return;
      }
      this.#gaps += position - this.#next;
    }
    this.#entries += 1;
    const entry = decodeEntry(schema, bytes);
    const hash = entryHash(schema, bytes);
    if (
      stored !== undefined &&
      position === stored.checkpoint.position &&
      !equalBytes(hash, stored.checkpoint.entryHash)
    ) {
      const { entryHash: expected } = stored.checkpoint;
      this.fail(
        position,
        `${entryText(position, entry)} has hash ${toHex(hash)}, the chain store read it with hash ${toHex(expected)}`,
      );
      return;
    }
    const result = this.#foldEntry(entry, this.#accepted.has(hash));
    if (result.verdict === 'stop') {
      this.fail(position, `${entryText(position, entry)} stops every reader: ${result.stopReason ?? 'unknown reason'}`);
      return;
    }
    if (result.verdict === 'accepted') {
      this.#acceptedCount += 1;
      this.#accepted.add(hash);
    } else {
      const rejectedClass = result.rejectedClass ?? 'garbage';
      this.#rejected[rejectedClass] = (this.#rejected[rejectedClass] ?? 0) + 1;
    }
    await this.#compareWithJournal(position, entry, result);
    if (position === stored?.checkpoint.position) this.#compareWithCheckpoint(stored.checkpoint);
  }

  get #next(): number {
    return this.#entries + this.#gaps;
  }

  /** One that the chain store has read, among the positions from the next one on. */
  #missedBefore(position: number): number | undefined {
    const read = [this.#journaled, this.#options.stored?.checkpoint.position];
    return read.find((at) => at !== undefined && at >= this.#next && at < position);
  }

  #foldEntry(entry: Entry | undefined, isDuplicate: boolean): FoldResult {
    const { software, chainId } = this.#options;
    const folds = { chain: this.#fold, settlement: this.#settlement };
    const { result, settled } = foldEntry(folds, entry, software, { configuredChain: chainId, isDuplicate });
    this.#fold = result.state;
    this.#settlement = settled?.state ?? this.#settlement;
    return result;
  }

  async #compareWithJournal(position: number, entry: Entry | undefined, result: FoldResult): Promise<void> {
    const isJournaled = result.verdict === 'accepted' && entry?.kind !== 'EpochStarted';
    const { stored } = this.#options;
    if (this.#journaled === undefined || stored === undefined || position > stored.checkpoint.position) return;
    if (isJournaled && this.#journaled === position) return this.#nextJournaled();
    if (isJournaled)
      this.fail(position, `${entryText(position, entry)} is accepted, but the chain store has not applied it`);
    else if (this.#journaled === position)
      this.fail(
        position,
        `${entryText(position, entry)} was accepted when the chain store read it, and is rejected now (${result.rejectedClass ?? 'garbage'}): its bytes were changed`,
      );
  }

  async #nextJournaled(): Promise<void> {
    const next = await this.#options.stored?.positions?.next();
    this.#journaled = next === undefined || next.done === true ? undefined : next.value;
  }

  #compareWithCheckpoint({ fold, settlement, position }: Checkpoint): void {
    const ofBlocks: readonly (readonly [name: string, read: unknown, stored: unknown])[] = [
      ['log id', hexOf(this.#fold.logId), hexOf(fold.logId)],
      ['chain id', this.#fold.chain, fold.chain],
      ['height', this.#fold.height, fold.height],
      ['parent', hexOf(this.#fold.parent), hexOf(fold.parent)],
      ['epoch', this.#fold.epoch, fold.epoch],
      ['claim', hexOf(this.#fold.claim), hexOf(fold.claim)],
      ['rules', this.#fold.rules, fold.rules],
      ['sealed batch', this.#settlement.sealed, settlement.sealed],
      ['committed batch', this.#settlement.committed, settlement.committed],
      ['proved batch', this.#settlement.proved, settlement.proved],
      ['executed batch', this.#settlement.executed, settlement.executed],
      ['L1 block', this.#settlement.l1Block, settlement.l1Block],
    ];
    const different = ofBlocks.find(([, read, inStore]) => read !== inStore);
    if (different === undefined) return;
    const [name, read, inStore] = different;
    this.fail(
      position,
      `up to position ${position} the log gives ${name} ${String(read)}, the checkpoint of the chain store says ${String(inStore)}`,
    );
  }

  result(): LogCheckResult {
    if (this.#fold.logId === undefined) this.fail(undefined, 'the log has no Genesis');
    const missing = this.#missedBefore(Infinity);
    if (missing !== undefined) this.fail(missing, `the entry at position ${missing} is missing: none comes after it`);
    return {
      entries: this.#entries,
      gaps: this.#gaps,
      accepted: this.#acceptedCount,
      rejected: this.#rejected,
      fold: this.#fold,
      problem: this.problem,
    };
  }
}

function hexOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : toHex(bytes);
}

function entryText(position: number, entry: Entry | undefined): string {
  return entry === undefined
    ? `the entry at position ${position}, which does not decode,`
    : `the entry at position ${position} (${entryKey(entry)})`;
}
