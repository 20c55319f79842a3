/** Writes of one or more entries on their way into one atomic batch; reads see them. */
import { bytesKey, type Bytes } from '../common/bytes.ts';
import { type KeyValueStore, StoreBatch } from '../store/keyValueStore.ts';
import type { StoreTx } from './projection.ts';

type ReadableStore = Pick<KeyValueStore, 'getMany'>;

export class PendingWrites implements StoreTx {
  readonly batch = new StoreBatch();
  #base: ReadableStore;
  /** Newest change per key, of the first `#indexed` changes: filled on reads only, as most projections only write. */
  readonly #changes = new Map<string, Bytes | undefined>();
  #indexed = 0;

  /** `base`: the store, or earlier writes that are still on their way into it. */
  constructor(base: ReadableStore) {
    this.#base = base;
  }

  /** What the base was waiting for has been written. */
  rebase(store: ReadableStore): void {
    this.#base = store;
  }

  put(key: Bytes, value: Bytes): void {
    this.batch.put(key, value);
  }

  delete(key: Bytes): void {
    this.batch.delete(key);
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    this.#index();
    const stored = keys.filter((key) => !this.#changes.has(bytesKey(key)));
    const values = await this.#base.getMany(stored);
    let next = 0;
    return keys.map((key) => {
      const name = bytesKey(key);
      return this.#changes.has(name) ? this.#changes.get(name) : values[next++];
    });
  }

  #index(): void {
    const { keys, values } = this.batch;
    for (; this.#indexed < keys.length; this.#indexed++) {
      const key = keys[this.#indexed];
      if (key !== undefined) this.#changes.set(bytesKey(key), values[this.#indexed]);
    }
  }
}
