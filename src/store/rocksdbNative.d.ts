/** The part of rocksdb-native that is used; the package brings no types. */
declare module 'rocksdb-native' {
  import type { EventEmitter } from 'node:events';

  export interface ReadBatch {
    /** Answers after the flush; null: not there. Rejects when the read fails. */
    get(key: Uint8Array): Promise<Uint8Array | null>;
    tryFlush(): void;
  }

  export interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void;
    tryDelete(key: Uint8Array): void;
    flush(): Promise<void>;
    destroy(): void;
  }

  export interface Range {
    gt?: Uint8Array;
    gte?: Uint8Array;
    lt?: Uint8Array;
    lte?: Uint8Array;
    reverse?: boolean;
    limit?: number;
    /** Entries fetched at once. */
    capacity?: number;
  }

  export interface Options {
    maxBackgroundJobs?: number;
    maxOpenFiles?: number;
    writeBufferSize?: number;
    skipStatsUpdateOnOpen?: boolean;
  }

  export default class RocksDB {
    constructor(path: string, options?: Options);
    ready(): Promise<void>;
    read(options?: { capacity?: number; autoDestroy?: boolean }): ReadBatch;
    write(options?: { capacity?: number; autoDestroy?: boolean }): WriteBatch;
    /** Emits data ({key, value}), error and, in any case, close. */
    iterator(range: Range): EventEmitter;
    flush(): Promise<void>;
    close(): Promise<void>;
  }
}
