/** KeyValueStore on RocksDB, the only importer of rocksdb-native (design.md D8). */
import { statfs } from 'node:fs/promises';
import RocksDB from 'rocksdb-native';
import { compareBytes, type Bytes } from '../common/bytes.ts';
import { type StoreError, storeClosed, storeFailure } from './errors.ts';
import type { KeyValueStore, RangeOptions, StoreBatch } from './keyValueStore.ts';
import { claimStoreDirectory } from './storeFormat.ts';

export interface RocksStoreOptions {
  /** Of one memtable, bytes. Two may exist. */
  readonly writeBufferBytes?: number;
}

/** Entries of the first step of a range; later steps grow while what they bring is small. */
const STEP_FIRST = 8;
const STEP_MAX = 512;
const STEP_BYTES = 1024 * 1024;
/** The engine writes some files of its own when it opens. */
const ROOM_TO_OPEN_BYTES = 16 * 1024 * 1024;

/**
 * Opens the store in this directory, creating it when the directory is new or empty. Throws STORE_FORMAT (a directory of
 * another format), STORE_LOCKED, STORE_DAMAGED, STORE_DISK_FULL or STORE_IO; nothing is deleted.
 */
export async function openRocksStore(path: string, options: RocksStoreOptions = {}): Promise<KeyValueStore> {
  claimStoreDirectory(path);
  return new RocksStore(path, options, await openEngine(path, options));
}

async function openEngine(path: string, options: RocksStoreOptions): Promise<RocksDB> {
  const db = new RocksDB(path, {
    maxBackgroundJobs: 2,
    maxOpenFiles: 512,
    skipStatsUpdateOnOpen: true,
    writeBufferSize: options.writeBufferBytes ?? 32 * 1024 * 1024,
  });
  try {
    await db.ready();
  } catch (error) {
    throw storeFailure(path, 'opening', error);
  }
  return db;
}

class RocksStore implements KeyValueStore {
  readonly #path: string;
  readonly #options: RocksStoreOptions;
  #db: RocksDB;
  /** There was no room for a write: the engine refuses every later one until it is opened anew. */
  #isStuck = false;
  #reopening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, options: RocksStoreOptions, db: RocksDB) {
    this.#path = path;
    this.#options = options;
    this.#db = db;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    this.#assertOpen();
    if (keys.length === 0) return [];
    if (this.#reopening !== undefined) await this.#reopening.catch(() => undefined);
    try {
      const batch = this.#db.read({ capacity: keys.length, autoDestroy: true });
      const reads = keys.map((key) => batch.get(key));
      batch.tryFlush();
      const values = await Promise.all(reads);
      return values.map((value) => (value === null ? undefined : owned(value)));
    } catch (error) {
      throw this.#failure('reading', error);
    }
  }

  async write(changes: StoreBatch): Promise<void> {
    this.#assertOpen();
    const { keys, values } = changes;
    if (keys.length === 0) return;
    if (this.#isStuck) await this.#openAgain();
    // Not autoDestroy: after a failed flush the batch would be handed out again while it still settles.
    const batch = this.#db.write({ capacity: keys.length });
    try {
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i];
        const value = values[i];
        if (key === undefined) continue;
        if (value === undefined) batch.tryDelete(key);
        else batch.tryPut(key, value);
      }
      await batch.flush();
    } catch (error) {
      throw this.#failure('writing to', error);
    } finally {
      batch.destroy();
    }
  }

  async *range(options: RangeOptions): AsyncGenerator<readonly [Bytes, Bytes]> {
    let { gt, gte, lt, lte } = singleBounds(options);
    let left = options.limit ?? Infinity;
    let step = STEP_FIRST;
    while (left > 0) {
      this.#assertOpen();
      if (this.#reopening !== undefined) await this.#reopening.catch(() => undefined);
      const count = Math.min(step, left);
      const entries = await this.#step({
        ...defined({ gt, gte, lt, lte }),
        reverse: options.reverse === true,
        limit: count,
        capacity: count,
      });
      let bytes = 0;
      for (const entry of entries) {
        bytes += entry[0].length + entry[1].length;
        yield entry;
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < count) return;
      left -= count;
      if (options.reverse === true) [lt, lte] = [last[0], undefined];
      else [gt, gte] = [last[0], undefined];
      const average = bytes / count;
      step = Math.max(1, Math.min(step * 4, STEP_MAX, Math.floor(STEP_BYTES / average)));
    }
  }

  async flush(): Promise<void> {
    this.#assertOpen();
    try {
      await this.#db.flush();
    } catch (error) {
      throw this.#failure('flushing', error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#reopening?.catch(() => undefined);
    try {
      await this.#db.close();
    } catch (error) {
      throw storeFailure(this.#path, 'closing', error);
    }
  }

  #failure(doing: string, cause: unknown): StoreError {
    const failure = storeFailure(this.#path, doing, cause);
    if (failure.code === 'STORE_DISK_FULL') this.#isStuck = true;
    // Closed to be opened anew, for which there was no room.
    const isWithoutEngine = failure.code === 'STORE_CLOSED' && this.#isStuck && this.#closing === undefined;
    return isWithoutEngine ? storeFailure(this.#path, doing, new Error('No space left on device', { cause })) : failure;
  }

  /** What was written before is there again; whoever reads meanwhile waits. */
  #openAgain(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined));
    return this.#reopening;
  }

  async #reopen(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#path);
    if (bavail * bsize < ROOM_TO_OPEN_BYTES)
      throw storeFailure(this.#path, 'writing to', new Error('No space left on device'));
    await this.#db.close().catch(() => undefined);
    this.#db = await openEngine(this.#path, this.#options);
    this.#isStuck = false;
  }

  /** A native iterator lives for one step only: an open one would keep the store from closing. */
  #step(range: Parameters<RocksDB['iterator']>[0]): Promise<(readonly [Bytes, Bytes])[]> {
    return new Promise((resolve, reject) => {
      const entries: (readonly [Bytes, Bytes])[] = [];
      let failure: unknown;
      this.#db
        .iterator(range)
        .on('data', ({ key, value }: { key: Uint8Array; value: Uint8Array }) =>
          entries.push([owned(key), owned(value)]),
        )
        .on('error', (error: unknown) => (failure = error))
        .on('close', () => {
          if (failure === undefined) resolve(entries);
          else reject(this.#failure('reading', failure));
        });
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw storeClosed(this.#path);
  }
}

/** The binding gives Buffers over memory of their own; anything else is copied. A plain Uint8Array comes out. */
function owned(bytes: Uint8Array): Bytes {
  if (bytes.byteLength === bytes.buffer.byteLength) return new Uint8Array(bytes.buffer);
  return new Uint8Array(bytes);
}

interface Bounds {
  readonly gt: Bytes | undefined;
  readonly gte: Bytes | undefined;
  readonly lt: Bytes | undefined;
  readonly lte: Bytes | undefined;
}

/** The stricter bound of either side: the engine's iterator is wrong when it gets both. */
function singleBounds({ gt, gte, lt, lte }: RangeOptions): Bounds {
  const isGtStricter = gt !== undefined && (gte === undefined || compareBytes(gt, gte) >= 0);
  const isLtStricter = lt !== undefined && (lte === undefined || compareBytes(lt, lte) <= 0);
  return {
    gt: isGtStricter ? gt : undefined,
    gte: isGtStricter ? undefined : gte,
    lt: isLtStricter ? lt : undefined,
    lte: isLtStricter ? undefined : lte,
  };
}

function defined({ gt, gte, lt, lte }: Bounds): { [Name in keyof Bounds]?: Bytes } {
  return { ...(gt && { gt }), ...(gte && { gte }), ...(lt && { lt }), ...(lte && { lte }) };
}
