/**
 * Disks of simulated machines: key-value stores that outlive their process. A crash of the process loses nothing that was
 * written; a power cut loses the newest batches since the last flush, of each store on its own, and tears none.
 */
import { createHash } from 'node:crypto';
import { type Bytes, bytesKey, keyBytes, toHex, u32be } from '../../src/common/bytes.ts';
import type { ProjectionDirectories } from '../../src/projections/projectionDirectories.ts';
import { storeClosed } from '../../src/store/errors.ts';
import type { KeyValueStore, RangeOptions, StoreBatch } from '../../src/store/keyValueStore.ts';
import type { Life } from './virtualTime.ts';

interface Undo {
  readonly key: string;
  readonly value: Bytes | undefined;
}

/** What one store holds. */
export class StoredData {
  readonly #values = new Map<string, Bytes>();
  /** Latin-1 strings sort as their bytes do. */
  #sorted: string[] = [];
  /** Batches since the last flush, to be undone, oldest first. */
  #unflushed: Undo[][] = [];

  get(key: Bytes): Bytes | undefined {
    return this.#values.get(bytesKey(key))?.slice();
  }

  write(batch: StoreBatch): void {
    const undo: Undo[] = [];
    batch.keys.forEach((bytes, index) => {
      const key = bytesKey(bytes);
      undo.push({ key, value: this.#values.get(key) });
      this.#set(key, batch.values[index]?.slice());
    });
    this.#sort();
    this.#unflushed.push(undo);
  }

  flush(): void {
    this.#unflushed = [];
  }

  get unflushedBatches(): number {
    return this.#unflushed.length;
  }

  /** Keeps so many of the batches since the last flush. */
  loseAfter(kept: number): void {
    for (const undo of this.#unflushed.splice(kept).reverse())
      for (const { key, value } of undo.reverse()) this.#set(key, value);
    this.#sort();
    this.#unflushed = [];
  }

  keys({ gte, gt, lt, lte, reverse, limit }: RangeOptions): string[] {
    const from = Math.max(
      gte === undefined ? 0 : this.#lowerBound(bytesKey(gte)),
      gt === undefined ? 0 : this.#lowerBound(`${bytesKey(gt)}\0`),
    );
    const to = Math.min(
      lt === undefined ? Infinity : this.#lowerBound(bytesKey(lt)),
      lte === undefined ? Infinity : this.#lowerBound(`${bytesKey(lte)}\0`),
    );
    const end = Math.max(from, Math.min(to, this.#sorted.length));
    if (reverse === true) return this.#sorted.slice(Math.max(from, end - (limit ?? Infinity)), end).reverse();
    return this.#sorted.slice(from, Math.min(end, from + (limit ?? Infinity)));
  }

  copy(): StoredData {
    const copy = new StoredData();
    for (const [key, value] of this.#values) copy.#values.set(key, value);
    copy.#sorted = [...this.#sorted];
    return copy;
  }

  /** Of every key and value but the excluded ones, in order. */
  digest({
    ranges = [{}],
    exclude = [],
  }: { ranges?: readonly RangeOptions[]; exclude?: readonly Bytes[] } = {}): string {
    const excluded = new Set(exclude.map(bytesKey));
    const hash = createHash('sha256');
    for (const range of ranges) {
      for (const key of this.keys(range)) {
        const value = this.#values.get(key);
        if (value === undefined || excluded.has(key)) continue;
        const keyOf = keyBytes(key);
        hash.update(u32be(keyOf.length)).update(keyOf).update(u32be(value.length)).update(value);
      }
    }
    return toHex(hash.digest());
  }

  #isUnsorted = false;

  #set(key: string, value: Bytes | undefined): void {
    if (value === undefined) {
      if (this.#values.delete(key)) this.#isUnsorted = true;
      return;
    }
    if (!this.#values.has(key)) this.#added.push(key);
    this.#values.set(key, value);
  }

  #added: string[] = [];

  #sort(): void {
    if (this.#isUnsorted) {
      this.#sorted = [...this.#values.keys()].sort(compare);
    } else if (this.#added.length > 0) {
      const added = this.#added.sort(compare);
      const merged: string[] = [];
      let next = 0;
      for (const key of added) {
        const end = this.#lowerBound(key, next);
        for (; next < end; next++) merged.push(this.#sorted[next] ?? '');
        merged.push(key);
      }
      for (; next < this.#sorted.length; next++) merged.push(this.#sorted[next] ?? '');
      this.#sorted = merged;
    }
    this.#added = [];
    this.#isUnsorted = false;
  }

  #lowerBound(key: string, from = 0): number {
    let low = from;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A durable step of a process; the hook may end its life. */
export type DurableStep = (what: string) => void;

export class SimulatedDisk {
  readonly #stores = new Map<string, StoredData>();

  data(path: string): StoredData {
    let data = this.#stores.get(path);
    if (data === undefined) this.#stores.set(path, (data = new StoredData()));
    return data;
  }

  get paths(): string[] {
    return [...this.#stores.keys()];
  }

  delete(path: string): void {
    this.#stores.delete(path);
  }

  copy(): SimulatedDisk {
    const copy = new SimulatedDisk();
    for (const [path, data] of this.#stores) copy.#stores.set(path, data.copy());
    return copy;
  }

  /** @param draw uniform in [0, 1) */
  cutPower(draw: () => number): void {
    for (const data of this.#stores.values()) data.loseAfter(Math.floor(draw() * (data.unflushedBatches + 1)));
  }

  readonly directories: ProjectionDirectories = {
    create: async () => undefined,
    list: async (path) => {
      const prefix = `${path}/`;
      return this.paths.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
    },
    remove: async (path) => {
      for (const each of this.paths) if (each === path || each.startsWith(`${path}/`)) this.delete(each);
    },
  };

  open(path: string, life: Life, step: DurableStep): KeyValueStore {
    const data = this.data(path);
    let isOpen = true;
    const checkOpen = (): void => {
      if (!isOpen) throw storeClosed('simulated');
    };
    return {
      get: async (key) => {
        checkOpen();
        return life.survives(data.get(key));
      },
      getMany: async (keys) => {
        checkOpen();
        return life.survives(keys.map((key) => data.get(key)));
      },
      write: async (batch) => {
        checkOpen();
        step(`before write ${path}`);
        if (life.isDead) return life.survives(undefined);
        data.write(batch);
        step(`after write ${path}`);
        return life.survives(undefined);
      },
      async *range(options) {
        checkOpen();
        for (const key of data.keys(options)) {
          checkOpen();
          const bytes = keyBytes(key);
          const value = await life.survives(data.get(bytes));
          if (value !== undefined) yield [bytes, value] as const;
        }
      },
      flush: async () => {
        checkOpen();
        if (!life.isDead) data.flush();
        step(`after flush ${path}`);
        return life.survives(undefined);
      },
      close: async () => {
        isOpen = false;
      },
    };
  }
}
