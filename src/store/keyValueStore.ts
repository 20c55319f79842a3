/** The port to an ordered store of bytes. Keys sort as big-endian numbers do, a prefix before what it begins. */
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';

export interface RangeOptions {
  readonly gte?: Bytes;
  readonly gt?: Bytes;
  readonly lt?: Bytes;
  readonly lte?: Bytes;
  /** Greatest key first. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * Every method throws NodeError with a code of StoreErrorCode. What comes out is the caller's: no view of another
 * buffer, so that it may be kept and may cross threads.
 */
export interface KeyValueStore {
  get(key: Bytes): Promise<Bytes | undefined>;
  /** One batched read; answers in the order of `keys`. */
  getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]>;
  /** All of it or nothing, also over a kill of the process. The batch may be written again after an error. */
  write(batch: StoreBatch): Promise<void>;
  /**
   * Entries in order. Read in steps, so entries written meanwhile may or may not show; each step is a consistent view.
   * The store may be closed while a consumer stands still: its next step then throws STORE_CLOSED.
   */
  range(options: RangeOptions): AsyncIterable<readonly [key: Bytes, value: Bytes]>;
  /** What was written before is in files of its own. Not an fsync (design.md D8). */
  flush(): Promise<void>;
  /** Waits for what is under way. Any use afterwards throws STORE_CLOSED; closing again does nothing. */
  close(): Promise<void>;
}

/** Changes for one atomic write; a later one of the same key wins. The bytes given must not change until it is written. */
export class StoreBatch {
  readonly #keys: Bytes[] = [];
  readonly #values: (Bytes | undefined)[] = [];
  #bytes = 0;

  put(key: Bytes, value: Bytes): void {
    assert(key.length > 0, 'a store key is empty');
    this.#keys.push(key);
    this.#values.push(value);
    this.#bytes += key.length + value.length;
  }

  delete(key: Bytes): void {
    this.#keys.push(key);
    this.#values.push(undefined);
    this.#bytes += key.length;
  }

  /** Number of changes. */
  get size(): number {
    return this.#keys.length;
  }

  /** Length of all keys and values. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** In the order they were made; an undefined value is a deletion. */
  get keys(): readonly Bytes[] {
    return this.#keys;
  }

  get values(): readonly (Bytes | undefined)[] {
    return this.#values;
  }
}
