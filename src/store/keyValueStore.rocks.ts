/** KeyValueStore on RocksDB, the only importer of rocksdb-native (design.md D8). */
import RocksDB from 'rocksdb-native';
import { compareBytes, type Bytes } from '../common/bytes.ts';
import { storeClosed, storeFailure } from './errors.ts';
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

/**
 * Opens the store in this directory, creating it when the directory is new or empty. Throws STORE_FORMAT (a directory of
 * another format), STORE_LOCKED, STORE_DAMAGED, STORE_DISK_FULL or STORE_IO; nothing is deleted.
 */
export async function openRocksStore(path: string, options: RocksStoreOptions = {}): Promise<KeyValueStore> {
  claimStoreDirectory(path);
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
  return new RocksStore(path, db);
}

class RocksStore implements KeyValueStore {
  readonly #path: string;
  readonly #db: RocksDB;
  #closing: Promise<void> | undefined;

  constructor(path: string, db: RocksDB) {
    this.#path = path;
    this.#db = db;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    this.#assertOpen();
    if (keys.length === 0) return [];
    try {
      const batch = this.#db.read({ capacity: keys.length, autoDestroy: true });
      const reads = keys.map((key) => batch.get(key));
      batch.tryFlush();
      const values = await Promise.all(reads);
      return values.map((value) => (value === null ? undefined : owned(value)));
    } catch (error) {
      throw storeFailure(this.#path, 'reading', error);
    }
  }

  async write(changes: StoreBatch): Promise<void> {
    this.#assertOpen();
    const { keys, values } = changes;
    if (keys.length === 0) return;
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
      throw storeFailure(this.#path, 'writing to', error);
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
      throw storeFailure(this.#path, 'flushing', error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#db.close().catch((error: unknown) => {
      throw storeFailure(this.#path, 'closing', error);
    });
    return this.#closing;
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
          else reject(storeFailure(this.#path, 'reading', failure));
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
