/** Stores in memory that outlive being closed, as a disk does, and that can fail as one. */
import { StoreError } from '../../src/store/errors.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import type { KeyValueStore, StoreBatch } from '../../src/store/keyValueStore.ts';

/** When to die: before the n-th write takes effect, or right after it did. */
export interface Crash {
  readonly write: number;
  readonly isWritten: boolean;
}

export class DurableStores {
  readonly #byPath = new Map<string, MemoryStore>();
  crash: Crash | undefined;
  /** Writes to come that find the disk full. */
  fullDiskWrites = 0;
  writes = 0;
  /** Open handles. */
  open = 0;

  readonly openStore = async (path: string): Promise<KeyValueStore> => {
    const memory = this.#byPath.get(path) ?? new MemoryStore();
    this.#byPath.set(path, memory);
    this.open += 1;
    let isOpen = true;
    return {
      get: (key) => memory.get(key),
      getMany: (keys) => memory.getMany(keys),
      range: (options) => memory.range(options),
      flush: () => memory.flush(),
      write: (batch) => this.#write(memory, batch),
      close: async () => {
        if (isOpen) this.open -= 1;
        isOpen = false;
      },
    };
  };

  /** Contents at a path, whoever has it open. */
  contents(path: string): KeyValueStore {
    const memory = this.#byPath.get(path);
    if (memory === undefined) throw new RangeError(`nothing was stored at ${path}`);
    return memory;
  }

  async #write(memory: MemoryStore, batch: StoreBatch): Promise<void> {
    if (this.fullDiskWrites > 0) {
      this.fullDiskWrites -= 1;
      throw new StoreError('retryable', 'STORE_DISK_FULL', 'the disk is full');
    }
    this.writes += 1;
    if (this.crash?.write !== this.writes) return memory.write(batch);
    if (this.crash.isWritten) await memory.write(batch);
    throw new CrashError();
  }
}

export class CrashError extends Error {}
