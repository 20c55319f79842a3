/** KeyValueStore in memory: for tests and simulation. */
import { type Bytes, bytesKey, keyBytes } from '../common/bytes.ts';
import { storeClosed } from './errors.ts';
import type { KeyValueStore, RangeOptions, StoreBatch } from './keyValueStore.ts';

export class MemoryStore implements KeyValueStore {
  readonly #values = new Map<string, Bytes>();
  /** Sorted; rebuilt when a range is read after keys came or went. */
  #sortedKeys: string[] | undefined;
  #closed = false;

  async get(key: Bytes): Promise<Bytes | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    this.#assertOpen();
    return keys.map((key) => this.#values.get(bytesKey(key))?.slice());
  }

  async write(batch: StoreBatch): Promise<void> {
    this.#assertOpen();
    batch.keys.forEach((key, index) => {
      const value = batch.values[index];
      const name = bytesKey(key);
      if (value === undefined ? this.#values.has(name) : !this.#values.has(name)) this.#sortedKeys = undefined;
      if (value === undefined) this.#values.delete(name);
      else this.#values.set(name, new Uint8Array(value));
    });
  }

  async *range(options: RangeOptions): AsyncGenerator<readonly [Bytes, Bytes]> {
    this.#assertOpen();
    // Latin-1 strings sort as their bytes do.
    this.#sortedKeys ??= [...this.#values.keys()].sort((a, b) => (a < b ? -1 : 1));
    const { gte, gt, lt, lte } = options;
    const from = Math.max(
      gte ? lowerBound(this.#sortedKeys, bytesKey(gte)) : 0,
      gt ? upperBound(this.#sortedKeys, bytesKey(gt)) : 0,
    );
    const to = Math.min(
      lt ? lowerBound(this.#sortedKeys, bytesKey(lt)) : Infinity,
      lte ? upperBound(this.#sortedKeys, bytesKey(lte)) : Infinity,
    );
    let keys = this.#sortedKeys.slice(from, Math.max(from, Math.min(to, this.#sortedKeys.length)));
    if (options.reverse === true) keys.reverse();
    if (options.limit !== undefined) keys = keys.slice(0, options.limit);
    for (const key of keys) {
      this.#assertOpen();
      const value = this.#values.get(key);
      if (value !== undefined) yield [keyBytes(key), value.slice()];
    }
  }

  async flush(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw storeClosed('memory');
  }
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first key above `key`. */
function upperBound(keys: readonly string[], key: string): number {
  return lowerBound(keys, `${key}\0`);
}
