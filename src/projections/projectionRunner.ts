/**
 * Drives one projection along the journal: the only writer of its checkpoint. Data and checkpoint go into one atomic
 * write per entry, or per run of entries while catching up; what is at or below the checkpoint is skipped, so a crash
 * and a redelivery are the same harmless case (design.md D8, style.md core interfaces). While one run is written the
 * next is applied; it reads through the one on its way.
 */
import { join } from 'node:path';
import { equalBytes, toHex, type Bytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import { StoreError } from '../store/errors.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { applyFailure, ProjectionError, rebuildAdvice } from './errors.ts';
import { HeightWaiters } from './heightWaiters.ts';
import { type ProjectionDirectories, systemDirectories } from './projectionDirectories.ts';
import { type AppliedRun, blockOf, EntryRun, secondsSince } from './entryRun.ts';
import type {
  Journal,
  JournalEntry,
  Projection,
  ProjectionHandle,
  ProjectionName,
  ProjectionState,
} from './projection.ts';

export type { AppliedRun };

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly entriesPerSecond: number;
  /** undefined: not known yet. */
  readonly etaSeconds: number | undefined;
}

/** Called synchronously; they must not throw. */
export interface ProjectionEvents {
  state?(state: ProjectionState): void;
  applied?(run: AppliedRun): void;
  /** Entries at or below the checkpoint that were skipped. */
  duplicates?(count: number): void;
  /** A pause (it goes on by itself) or what ends the run. */
  error?(error: NodeError): void;
  /** While not live, a few times a second, and once when it has caught up. */
  progress?(progress: Progress): void;
}

export interface RunnerLimits {
  /** A run of entries is written when it holds so many bytes. */
  readonly runBytes: number;
  /** Or so many keys. */
  readonly runWrites: number;
  /** A read comes at least this long after the one before, unless so many entries as it takes are there already. */
  readonly gatherMs: number;
  readonly readEntries: number;
  readonly readBytes: number;
  /** Entries behind the journal from which a live projection counts as catching up. */
  readonly liveLagEntries: number;
  readonly flushEveryEntries: number;
  readonly retryMs: number;
  readonly retryMsMax: number;
  readonly progressEveryMs: number;
}

const DEFAULT_LIMITS: RunnerLimits = {
  runBytes: 1024 * 1024,
  runWrites: Number.MAX_SAFE_INTEGER,
  gatherMs: 0,
  readEntries: 256,
  readBytes: 1024 * 1024,
  liveLagEntries: 50,
  flushEveryEntries: 10_000,
  retryMs: 1_000,
  retryMsMax: 30_000,
  progressEveryMs: 250,
};

export interface RunnerOptions<Reader> {
  readonly projection: Projection<Reader>;
  readonly journal: Journal;
  readonly dataDirectory: string;
  readonly openStore: (path: string) => Promise<KeyValueStore>;
  /** Of stores that are not, or not only, folders: what removes one. */
  readonly directories?: ProjectionDirectories;
  readonly clock: Clock;
  readonly events?: ProjectionEvents;
  readonly limits?: Partial<RunnerLimits>;
  /** The state shown instead of `catching_up`. */
  readonly isRebuild?: boolean;
}

/** `<data>/<name>/v<version>` */
export function projectionDirectory(
  dataDirectory: string,
  projection: Pick<Projection<unknown>, 'name' | 'version'>,
): string {
  return join(dataDirectory, projection.name, `v${projection.version}`);
}

export class ProjectionRunner<Reader> implements ProjectionHandle<Reader> {
  readonly name: ProjectionName;
  readonly reader: Reader;
  readonly directory: string;
  readonly #options: RunnerOptions<Reader>;
  readonly #limits: RunnerLimits;
  readonly #store: KeyValueStore;
  readonly #waiters: HeightWaiters;
  #checkpoint: Checkpoint | undefined;
  #state: ProjectionState;
  #failure: ProjectionError | undefined;
  #entriesSinceFlush = 0;
  #lastReadMs = Number.NEGATIVE_INFINITY;
  /** The newest run, which may be on its way into the store. */
  #newestRun: EntryRun | undefined;
  #writing: Promise<void> | undefined;
  /** Of older versions' directories, once. */
  #cleanUp: Promise<void> | undefined;
  #progress: { readonly startMs: number; readonly startIndex: number; nextReportMs: number } | undefined;

  private constructor(options: RunnerOptions<Reader>, store: KeyValueStore, checkpoint: Checkpoint | undefined) {
    const { projection } = options;
    this.name = projection.name;
    this.directory = projectionDirectory(options.dataDirectory, projection);
    this.reader = projection.reader(store);
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#store = store;
    this.#waiters = new HeightWaiters(projection.name, options.clock);
    this.#checkpoint = checkpoint;
    this.#state = this.#behindState;
  }

  /** Opens the projection's store, where it stands; what the store throws passes through. */
  static async open<Reader>(options: RunnerOptions<Reader>): Promise<ProjectionRunner<Reader>> {
    const directory = projectionDirectory(options.dataDirectory, options.projection);
    await (options.directories ?? systemDirectories).create(directory);
    const store = await options.openStore(directory);
    try {
      return new ProjectionRunner(options, store, await readCheckpoint(store));
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  get height(): number {
    return this.#checkpoint?.height ?? -1;
  }

  /** Of the next journal entry. */
  get nextIndex(): number {
    return this.#checkpoint?.nextIndex ?? 0;
  }

  get state(): ProjectionState {
    return this.#state;
  }

  get store(): KeyValueStore {
    return this.#store;
  }

  whenApplied(height: number, { timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    if (this.height >= height) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#waiters.wait(height, { timeoutMs, reached: () => this.height });
  }

  /**
   * Follows the journal until the signal fires, or up to an index. Returns then; throws PROJECTION_FAILED,
   * PROJECTION_FOREIGN_STORE, PROJECTION_MISMATCH or PROJECTION_GAP when it cannot go on. A full disk, or a store that is
   * away for a while, only pauses it.
   */
  async run(signal: AbortSignal, options: { readonly untilIndex?: number } = {}): Promise<void> {
    try {
      const logId = await this.#verifyCheckpoint(signal);
      await this.#follow(logId, signal, options.untilIndex ?? Infinity);
    } catch (error) {
      await this.#writing?.catch(() => undefined);
      if (signal.aborted && !(error instanceof ProjectionError)) return;
      this.#failure = applyFailure(this.name, { index: this.nextIndex, height: this.height + 1 }, error);
      this.#setState('failed');
      this.#options.events?.error?.(this.#failure);
      this.#waiters.fail(this.#failure);
      throw this.#failure;
    }
  }

  /** After `run` has ended. Flushes and closes the store; who still waits gets PROJECTION_CLOSED. */
  async close(): Promise<void> {
    this.#failure ??= new ProjectionError('retryable', `projection ${this.name} is closed`, {
      code: 'PROJECTION_CLOSED',
      projection: this.name,
    });
    this.#waiters.fail(this.#failure);
    try {
      await this.#cleanUp;
      await this.#store.flush();
    } catch (error) {
      // What was written is in the write-ahead log all the same.
      if (!isDiskFull(error)) throw error;
    } finally {
      await this.#store.close();
    }
  }

  get #behindState(): ProjectionState {
    return this.#options.isRebuild === true ? 'rebuilding' : 'catching_up';
  }

  /** The store belongs to this log, and the journal holds at the checkpoint what was applied there. */
  async #verifyCheckpoint(signal: AbortSignal): Promise<Bytes> {
    const { journal } = this.#options;
    const logId = await journal.logId(signal);
    const checkpoint = this.#checkpoint;
    if (checkpoint === undefined) return logId;
    if (!equalBytes(checkpoint.logId, logId)) {
      throw new ProjectionError(
        'fatal',
        `the directory ${this.directory} was filled from another log (${toHex(checkpoint.logId)}, this one is ${toHex(logId)}). ` +
          `If this is the right log: ${rebuildAdvice(this.name)}`,
        { code: 'PROJECTION_FOREIGN_STORE', projection: this.name, directory: this.directory },
      );
    }
    const index = checkpoint.nextIndex - 1;
    await journal.whenBeyond(index, signal);
    const [entry] = await journal.read(index, 1, 1);
    if (entry === undefined || entry.index !== index) throw this.#gap(index, entry);
    const last = blockOf(entry);
    if (
      last !== undefined &&
      (last.height !== checkpoint.height || !equalBytes(last.blockHash, checkpoint.blockHash))
    ) {
      throw new ProjectionError(
        'fatal',
        `projection ${this.name} has applied block ${checkpoint.height} with hash ${toHex(checkpoint.blockHash)}, but the journal holds block ` +
          `${last.height} with hash ${toHex(last.blockHash)} there. ${rebuildAdvice(this.name)}`,
        { code: 'PROJECTION_MISMATCH', projection: this.name, height: checkpoint.height },
      );
    }
    return logId;
  }

  async #follow(logId: Bytes, signal: AbortSignal, untilIndex: number): Promise<void> {
    const { journal } = this.#options;
    const { readEntries, readBytes } = this.#limits;
    let ahead: { readonly from: number; readonly entries: Promise<readonly JournalEntry[]> } | undefined;
    while (!signal.aborted && this.#appliedIndex < untilIndex) {
      const from = this.#appliedIndex;
      if (journal.end <= from) {
        await this.#writing;
        this.#updateState();
        await journal.whenBeyond(from, signal);
      }
      this.#updateState();
      await this.#gather(from, signal);
      const start = performance.now();
      const entries = await (ahead?.from === from ? ahead.entries : journal.read(from, readEntries, readBytes));
      const readSeconds = secondsSince(start);
      const next = (entries.at(-1)?.index ?? -1) + 1;
      if (next <= from) throw this.#gap(from, entries[0]);
      ahead = undefined;
      // With what is gathered later, a read ahead would be a small one.
      const isWorthReading = journal.end > next + (this.#limits.gatherMs === 0 ? 0 : readEntries);
      if (isWorthReading && next < untilIndex) {
        ahead = { from: next, entries: journal.read(next, readEntries, readBytes) };
        // It is awaited one turn of the loop later; until then a failure is nobody's.
        ahead.entries.catch(() => undefined);
      }
      await this.#applyAll(entries, { logId, readSeconds, untilIndex, signal });
    }
    await this.#writing;
    this.#updateState();
  }

  /** Waits for more entries, for a store that would rather be written to seldom. */
  async #gather(from: number, signal: AbortSignal): Promise<void> {
    const { clock, journal } = this.#options;
    const { gatherMs, readEntries } = this.#limits;
    if (gatherMs === 0) return;
    const waitMs = this.#lastReadMs + gatherMs - clock.elapsedMs();
    if (waitMs > 0 && journal.end < from + readEntries) {
      const time = new AbortController();
      const cancel = clock.setTimer(waitMs, () => time.abort());
      // Either way it is over: the entries there are get read, and the loop looks at the signal.
      await journal.whenBeyond(from + readEntries - 1, AbortSignal.any([signal, time.signal])).catch(() => undefined);
      cancel();
    }
    this.#lastReadMs = clock.elapsedMs();
  }

  /** Of the next journal entry to apply; ahead of the checkpoint by what is on its way. */
  get #appliedIndex(): number {
    return this.#newestRun?.nextIndex ?? this.nextIndex;
  }

  async #applyAll(
    entries: readonly JournalEntry[],
    options: {
      readonly logId: Bytes;
      readonly readSeconds: number;
      readonly untilIndex: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { logId, signal } = options;
    const turns = new Turns();
    let run = this.#nextRun({ logId, readSeconds: options.readSeconds });
    let duplicates = 0;
    for (const entry of entries) {
      if (signal.aborted || entry.index >= options.untilIndex) break;
      if (entry.index < run.nextIndex) {
        duplicates += 1;
        continue;
      }
      this.#assertNext(entry, run);
      try {
        await run.apply(this.#options.projection, entry);
      } catch (error) {
        throw applyFailure(this.name, { index: entry.index, height: run.height + 1 }, error);
      }
      if (run.sizeBytes >= this.#limits.runBytes || run.writes.batch.size >= this.#limits.runWrites) {
        await this.#startWrite(run, signal);
        run = this.#nextRun({ logId, readSeconds: 0 });
      }
      await turns.due();
    }
    if (duplicates > 0) this.#options.events?.duplicates?.(duplicates);
    if (run.entries > 0) await this.#startWrite(run, signal);
  }

  #nextRun(options: { readonly logId: Bytes; readonly readSeconds: number }): EntryRun {
    return new EntryRun(
      this.#newestRun?.writes ?? this.#store,
      this.#newestRun?.checkpoint ?? this.#checkpoint,
      options,
    );
  }

  /** Waits until the run before is written, then lets this one be written. */
  async #startWrite(run: EntryRun, signal: AbortSignal): Promise<void> {
    run.finish();
    await this.#writing;
    run.writes.rebase(this.#store);
    this.#newestRun = run;
    this.#writing = this.#write(run, signal);
    // It is awaited before anything else is written or waited for; until then a failure is nobody's.
    this.#writing.catch(() => undefined);
  }

  #assertNext(entry: JournalEntry, run: EntryRun): void {
    if (entry.index !== run.nextIndex) throw this.#gap(run.nextIndex, entry);
    const block = blockOf(entry);
    if (block !== undefined && block.height !== run.height + 1) {
      throw new ProjectionError(
        'invariant',
        `the journal gives projection ${this.name} block ${block.height} (entry ${entry.index}) after block ${run.height}. ` +
          'Build the chain store again from the log with `reprise rebuild state`.',
        { code: 'PROJECTION_GAP', projection: this.name, height: block.height, index: entry.index },
      );
    }
  }

  #gap(expected: number, entry: JournalEntry | undefined): ProjectionError {
    const found = entry === undefined ? 'nothing' : `entry ${entry.index}`;
    return new ProjectionError(
      'invariant',
      `the journal gives projection ${this.name} ${found} where entry ${expected} is expected. Build the chain store again from the log with \`reprise rebuild state\`.`,
      { code: 'PROJECTION_GAP', projection: this.name, index: expected },
    );
  }

  /** Until it is written. What may pass pauses; the batch is the same at every attempt. */
  async #write(run: EntryRun, signal: AbortSignal): Promise<void> {
    const { events } = this.#options;
    const checkpoint = run.finish();
    const start = performance.now();
    for (let retryMs = this.#limits.retryMs; ; retryMs = Math.min(retryMs * 2, this.#limits.retryMsMax)) {
      try {
        await this.#store.write(run.writes.batch);
        break;
      } catch (error) {
        if (!mayPass(error)) throw error;
        events?.error?.(error);
        this.#setState('paused');
        await this.#delay(retryMs, signal);
      }
    }
    this.#checkpoint = checkpoint;
    if (this.#newestRun === run) this.#newestRun = undefined;
    if (this.#state === 'paused') this.#setState(this.#behindState);
    events?.applied?.({
      ...run.facts,
      lagEntries: Math.max(0, this.#options.journal.end - checkpoint.nextIndex),
      writeSeconds: secondsSince(start),
    });
    this.#waiters.reached(checkpoint.height);
    await this.#flushSometimes(run.entries);
  }

  async #flushSometimes(entries: number): Promise<void> {
    this.#entriesSinceFlush += entries;
    if (this.#entriesSinceFlush < this.#limits.flushEveryEntries) return;
    this.#entriesSinceFlush = 0;
    try {
      await this.#store.flush();
    } catch (error) {
      // The next write meets the full disk again, and waits there.
      if (!isDiskFull(error)) throw error;
    }
  }

  #delay(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        cancel();
        reject(new Error('stopped while waiting for the store', { cause: signal.reason }));
      };
      const cancel = this.#options.clock.setTimer(ms, () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }

  #updateState(): void {
    const lag = this.#options.journal.end - this.nextIndex;
    if (this.#state === 'paused') return;
    if (lag <= 0) {
      if (this.#state !== 'live') this.#caughtUp();
    } else if (this.#state !== 'live' || lag > this.#limits.liveLagEntries) {
      this.#setState(this.#behindState);
      this.#reportProgress();
    }
  }

  #caughtUp(): void {
    this.#reportProgress({ isFinal: true });
    this.#progress = undefined;
    this.#setState('live');
    this.#cleanUp ??= this.#removeOldVersions().catch((error: unknown) => {
      this.#options.events?.error?.(applyFailure(this.name, { index: this.nextIndex, height: this.height }, error));
    });
  }

  async #removeOldVersions(): Promise<void> {
    const { directories = systemDirectories, dataDirectory } = this.#options;
    const parent = join(dataDirectory, this.name);
    for (const name of await directories.list(parent)) {
      const version = /^v(\d+)$/.exec(name)?.[1];
      if (version !== undefined && Number(version) < this.#options.projection.version)
        await directories.remove(join(parent, name));
    }
  }

  #reportProgress({ isFinal = false } = {}): void {
    const { clock, events, journal } = this.#options;
    if (events?.progress === undefined) return;
    const now = clock.elapsedMs();
    this.#progress ??= { startMs: now, startIndex: this.nextIndex, nextReportMs: now };
    const progress = this.#progress;
    if (!isFinal && now < progress.nextReportMs) return;
    progress.nextReportMs = now + this.#limits.progressEveryMs;
    const elapsedSeconds = (now - progress.startMs) / 1000;
    const entriesPerSecond = elapsedSeconds > 0 ? (this.nextIndex - progress.startIndex) / elapsedSeconds : 0;
    const left = Math.max(0, journal.end - this.nextIndex);
    const etaSeconds = left === 0 ? 0 : entriesPerSecond > 0 ? left / entriesPerSecond : undefined;
    events.progress({
      done: this.nextIndex,
      total: Math.max(journal.end, this.nextIndex),
      entriesPerSecond,
      etaSeconds,
    });
  }

  #setState(state: ProjectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.events?.state?.(state);
  }
}

/** What goes away by itself: also the lock of somebody who looks at the store for a moment. */
const PASSING: readonly string[] = ['STORE_DISK_FULL', 'STORE_LOCKED', 'STORE_UNAVAILABLE'];

function mayPass(error: unknown): error is StoreError {
  return error instanceof StoreError && error.kind === 'retryable' && PASSING.includes(error.code);
}

function isDiskFull(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === 'STORE_DISK_FULL';
}
