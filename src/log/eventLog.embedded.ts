/**
 * The log in one file on this machine (log-protocol 11): SQLite in WAL mode, one fsync per append. `append` returns, and
 * readers see its entries, only after the commit is on disk. One process writes; others may tail it read-only. SQLite has no
 * checksums of its own once pages have left the WAL, so each entry has one.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { NodeError, assert, errorText } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import type { EncodedEntry } from './entryCodec.ts';
import {
  type CaughtUp,
  type EventLog,
  KeptProducer,
  type LogEntry,
  type Producer,
  Wakeup,
  checkEntrySize,
} from './eventLog.ts';

export interface EmbeddedLogOptions {
  /** A folder; holds nothing else. */
  readonly path: string;
  /** Tails a log that another process writes. */
  readonly readOnly?: boolean;
  /** Most pages of 64 KiB the file may have; the disk counts as full beyond. */
  readonly maxPages?: number;
}

const FILE = 'log.sqlite';
const LOCK_FILE = 'writer.lock';
/** 1 had no checksums. */
const FORMAT = 2;
const PAGE_SIZE_BYTES = 64 * 1024;
/** Small, so that moving pages from the WAL to the file never stalls an append for long. */
const CHECKPOINT_PAGES = 64;
/** How late a reader in another process may see an entry. */
const POLL_MS = 10;
/** How long a call may wait for another process: after a `kill -9`, whoever opens the file first reads back its WAL alone. */
const BUSY_TIMEOUT_MS = 2_000;

interface Statements {
  readonly insert: StatementSync | undefined;
  readonly at: StatementSync;
  readonly end: StatementSync;
}

/** Throws a NodeError: LOG_LOCKED, LOG_MISSING (read-only), LOG_FORMAT, LOG_DAMAGED, LOG_DISK_FULL, LOG_IO. */
export function openEmbeddedLog(options: EmbeddedLogOptions): EmbeddedEventLog {
  return new EmbeddedEventLog(options);
}

export class EmbeddedEventLog implements EventLog {
  readonly #path: string;
  readonly #isReadOnly: boolean;
  readonly #lock: DatabaseSync | undefined;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #wakeup = new Wakeup();
  readonly #closed = new AbortController();
  readonly #kept = new KeptProducer(() => this.openProducer());
  /** After a failed commit nobody knows what the file holds until it is opened again. */
  #failure: NodeError | undefined;
  /** Of the writer: it alone moves the end. */
  #end: number;
  /** Which file was opened, whatever lies under its name later. */
  readonly #openedFile: string;

  constructor(options: EmbeddedLogOptions) {
    this.#path = options.path;
    this.#isReadOnly = options.readOnly ?? false;
    const file = join(this.#path, FILE);
    if (!this.#isReadOnly) {
      mkdirSync(this.#path, { recursive: true });
      this.#lock = takeWriterLock(this.#path);
    }
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { readOnly: this.#isReadOnly, timeout: BUSY_TIMEOUT_MS });
      this.#database = database;
      if (!this.#isReadOnly) prepareFile(database);
      if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count=${options.maxPages}`);
      this.#statements = prepareStatements(database, this.#path, this.#isReadOnly);
      this.#end = this.#readEnd();
      this.#openedFile = fileIdentity(file);
    } catch (error) {
      database?.close();
      this.#lock?.close();
      if (error instanceof NodeError) throw error;
      throw this.#isReadOnly && !existsSync(file)
        ? missingError(this.#path, error)
        : this.#ioError('open the log', error);
    }
  }

  append(entries: readonly EncodedEntry[]): Promise<void> {
    return this.#kept.send(entries);
  }

  openProducer(): Producer {
    let isDead = false;
    return {
      send: async (entries) => {
        assert(!isDead, 'a producer is used after its error or close (A7)');
        for (const entry of entries) checkEntrySize(entry);
        try {
          this.#commit(entries);
        } catch (error) {
          isDead = true;
          throw error;
        }
      },
      close: async () => {
        isDead = true;
      },
    };
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry | CaughtUp> {
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    const turns = new Turns();
    let next = from;
    let caughtUpAt: number | undefined;
    while (!stop.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      const entry = this.#readIfFree(next);
      if (entry !== undefined) {
        next += 1;
        yield entry;
        const turn = turns.due();
        if (turn !== undefined) await turn;
      } else if (caughtUpAt !== next) {
        caughtUpAt = next;
        yield { caughtUp: true, end: next };
      } else {
        this.#checkFile();
        await this.#wakeup.wait(stop, this.#isReadOnly ? POLL_MS : undefined);
      }
    }
  }

  async end(): Promise<number> {
    return this.#isReadOnly ? this.#readEnd() : this.#end;
  }

  async start(): Promise<number> {
    return 0;
  }

  async entryAt(position: number): Promise<LogEntry | undefined> {
    return this.#read(position);
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    await this.#kept.close();
    this.#database.close();
    this.#lock?.close();
  }

  #commit(entries: readonly EncodedEntry[]): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed.signal.aborted) throw closedError();
    const { insert } = this.#statements;
    if (insert === undefined) {
      throw new NodeError(
        'fatal',
        `the log at ${this.#path} is open read-only: append through the process that writes it`,
        { code: 'LOG_READ_ONLY' },
      );
    }
    let position = this.#end;
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const { schema, key, bytes } of entries)
        insert.run(position, schema, key, bytes, checksum({ position: position++, schema, key, bytes }));
      this.#database.exec('COMMIT');
      // Written to a file that nobody will ever find again is not written.
      this.#checkFile();
    } catch (error) {
      this.#failure = error instanceof NodeError ? error : this.#ioError(`append at position ${this.#end}`, error);
      this.#wakeup.wake();
      throw this.#failure;
    }
    this.#end = position;
    this.#wakeup.wake();
  }

  /** For whoever comes again: while another process holds the file longer than a moment, there is nothing new. */
  #readIfFree(position: number): LogEntry | undefined {
    try {
      return this.#read(position);
    } catch (error) {
      if (error instanceof NodeError && sqliteCode(error.cause) === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  #read(position: number): LogEntry | undefined {
    if (this.#closed.signal.aborted) throw closedError();
    if (!this.#isReadOnly && position >= this.#end) return undefined;
    const rowAt = (): Record<string, unknown> | undefined =>
      this.#ask(`read the entry at position ${position}`, () => this.#statements.at.get(position));
    let row = rowAt();
    if (row === undefined) {
      if (position < 0 || position >= this.#knownEnd()) return undefined;
      // It may have come between the two looks.
      row = rowAt();
      if (row === undefined) throw damagedError(this.#path, position, 'is missing');
    }
    const { schema, key, bytes, crc } = row;
    if (typeof schema !== 'number' || typeof key !== 'string' || !(bytes instanceof Uint8Array))
      throw damagedError(this.#path, position, 'has fields of another type');
    const entry: LogEntry = { position, schema, key, bytes };
    if (checksum(entry) !== crc) throw damagedError(this.#path, position, 'does not match its checksum');
    return entry;
  }

  #knownEnd(): number {
    return this.#isReadOnly ? this.#readEnd() : this.#end;
  }

  /** Throws LOG_REPLACED when the file's name leads to another file than was opened, or to none. */
  #checkFile(): void {
    const file = join(this.#path, FILE);
    if (fileIdentity(file) === this.#openedFile) return;
    throw new NodeError(
      'fatal',
      `log truncated or replaced: ${file} is another file than was opened. Nothing was acknowledged since; put the file back, or start again to follow the new one`,
      { code: 'LOG_REPLACED', path: this.#path },
    );
  }

  #readEnd(): number {
    if (this.#closed.signal.aborted) throw closedError();
    const last = this.#ask('read the end', () => this.#statements.end.get()?.['last']);
    return typeof last === 'number' ? last + 1 : 0;
  }

  #ask<Answer>(what: string, ask: () => Answer): Answer {
    try {
      return ask();
    } catch (error) {
      throw this.#ioError(what, error);
    }
  }

  #ioError(what: string, cause: unknown): NodeError {
    if (isDamage(cause))
      return new NodeError(
        'fatal',
        `cannot ${what}: the file of the log at ${this.#path} is damaged (${errorText(cause)}). Nothing was changed; restore it from a copy`,
        { code: 'LOG_DAMAGED', path: this.#path },
        { cause },
      );
    const isFull = sqliteCode(cause) === SQLITE_FULL;
    const message = isFull
      ? `cannot ${what}: the disk under ${this.#path} is full. Free space, then start again; nothing that was acknowledged is lost`
      : `cannot ${what} (${this.#path}): ${errorText(cause)}. Look at the disk (space, limits, rights), then start again: what the log holds is read back`;
    return new NodeError(
      'retryable',
      message,
      { code: isFull ? 'LOG_DISK_FULL' : 'LOG_IO', path: this.#path },
      { cause },
    );
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function checksum({ position, schema, key, bytes }: LogEntry): number {
  return crc32(bytes, crc32(`${position} ${schema} ${key}`));
}

/** Empty: there is none. */
function fileIdentity(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}

function damagedError(path: string, position: number, what: string): NodeError {
  return new NodeError(
    'fatal',
    `the entry at position ${position} of the log at ${path} ${what}: the file is damaged. Nothing was changed; restore it from a copy`,
    { code: 'LOG_DAMAGED', path, position },
  );
}

/** Primary result code of SQLite behind an error. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** Held by an open transaction on a file of its own: the operating system lets it go when this process ends, however it ends. */
function takeWriterLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, LOCK_FILE));
  try {
    lock.exec('PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw error;
    throw new NodeError(
      'fatal',
      `another process writes the log at ${path}: stop it, or set event_log_path to a folder of its own (node_role=external tails this one read-only)`,
      { code: 'LOG_LOCKED', path },
      { cause: error },
    );
  }
}

function prepareFile(database: DatabaseSync): void {
  database.exec(`PRAGMA page_size=${PAGE_SIZE_BYTES}`);
  database.exec('PRAGMA journal_mode=WAL');
  database.exec(`PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}; PRAGMA fullfsync=ON`);
  if (userVersion(database) !== 0) return;
  database.exec(
    `BEGIN IMMEDIATE;
     CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY, schema INTEGER NOT NULL, key TEXT NOT NULL, bytes BLOB NOT NULL, crc INTEGER NOT NULL);
     PRAGMA user_version=${FORMAT};
     COMMIT`,
  );
}

function prepareStatements(database: DatabaseSync, path: string, isReadOnly: boolean): Statements {
  const format = userVersion(database);
  if (isReadOnly && format === 0) throw missingError(path, 'it is being made');
  if (format !== FORMAT) {
    throw new NodeError(
      'fatal',
      `the log at ${path} has format ${format}, this software knows ${FORMAT}: use the version that wrote it`,
      { code: 'LOG_FORMAT', path, format },
    );
  }
  return {
    insert: isReadOnly
      ? undefined
      : database.prepare('INSERT INTO entries (position, schema, key, bytes, crc) VALUES (?, ?, ?, ?, ?)'),
    at: database.prepare('SELECT schema, key, bytes, crc FROM entries WHERE position = ?'),
    end: database.prepare('SELECT max(position) AS last FROM entries'),
  };
}

function userVersion(database: DatabaseSync): unknown {
  return database.prepare('PRAGMA user_version').get()?.['user_version'];
}

function missingError(path: string, cause: unknown): NodeError {
  return new NodeError(
    'retryable',
    `no log to tail at ${path}: start the process that writes it first (${errorText(cause)})`,
    { code: 'LOG_MISSING', path },
    { cause },
  );
}

function closedError(): NodeError {
  return new NodeError('retryable', 'the log is closed', { code: 'LOG_CLOSED' });
}
