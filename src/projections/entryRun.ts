/** A run of journal entries on its way into one atomic write, its checkpoint included. */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { PROJECTION_CHECKPOINT } from '../store/buckets.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { type Checkpoint, encodeCheckpoint } from './checkpoint.ts';
import { PendingWrites } from './pendingWrites.ts';
import type { JournalEntry, Projection } from './projection.ts';

/** One write, for metrics (observability C.2). */
export interface AppliedRun {
  /** Of the last block applied. */
  readonly height: number;
  /** Of the next journal entry. */
  readonly nextIndex: number;
  readonly entries: number;
  readonly blocks: number;
  readonly transactions: number;
  /** Of the last block applied, Unix seconds. */
  readonly blockTimestamp: bigint;
  /** Journal entries not applied yet. */
  readonly lagEntries: number;
  readonly readSeconds: number;
  readonly applySeconds: number;
  readonly writeSeconds: number;
}

/** Entries that go into one write. */
export class EntryRun {
  readonly writes: PendingWrites;
  readonly #logId: Bytes;
  readonly #readSeconds: number;
  #nextIndex: number;
  #height: number;
  #blockHash: Bytes | undefined;
  #blockTimestamp = 0n;
  #entries = 0;
  #blocks = 0;
  #transactions = 0;
  #applySeconds = 0;

  #checkpoint: Checkpoint | undefined;

  constructor(
    base: Pick<KeyValueStore, 'getMany'>,
    checkpoint: Checkpoint | undefined,
    options: { readonly logId: Bytes; readonly readSeconds: number },
  ) {
    this.writes = new PendingWrites(base);
    this.#logId = options.logId;
    this.#readSeconds = options.readSeconds;
    this.#nextIndex = checkpoint?.nextIndex ?? 0;
    this.#height = checkpoint?.height ?? -1;
    this.#blockHash = checkpoint?.blockHash;
  }

  get nextIndex(): number {
    return this.#nextIndex;
  }

  get height(): number {
    return this.#height;
  }

  get entries(): number {
    return this.#entries;
  }

  get sizeBytes(): number {
    return this.writes.batch.sizeBytes;
  }

  /** undefined: not finished. */
  get checkpoint(): Checkpoint | undefined {
    return this.#checkpoint;
  }

  get facts(): Omit<AppliedRun, 'lagEntries' | 'writeSeconds'> {
    return {
      height: this.#height,
      nextIndex: this.#nextIndex,
      entries: this.#entries,
      blocks: this.#blocks,
      transactions: this.#transactions,
      blockTimestamp: this.#blockTimestamp,
      readSeconds: this.#readSeconds,
      applySeconds: this.#applySeconds,
    };
  }

  async apply(projection: Projection<unknown>, entry: JournalEntry): Promise<void> {
    const start = performance.now();
    await projection.apply(entry, this.writes);
    this.#applySeconds += secondsSince(start);
    this.#nextIndex = entry.index + 1;
    this.#entries += 1;
    const block = blockOf(entry);
    if (block === undefined) return;
    this.#blocks += 1;
    this.#transactions += block.transactions;
    this.#height = block.height;
    this.#blockHash = block.blockHash;
    this.#blockTimestamp = block.timestamp;
  }

  /** Adds the checkpoint, once; nothing may be applied afterwards. */
  finish(): Checkpoint {
    if (this.#checkpoint !== undefined) return this.#checkpoint;
    if (this.#blockHash === undefined)
      throw new NodeError('invariant', 'a projection began without Genesis', { code: 'ASSERTION' });
    const checkpoint = {
      logId: this.#logId,
      nextIndex: this.#nextIndex,
      height: this.#height,
      blockHash: new Uint8Array(this.#blockHash),
    };
    this.writes.put(PROJECTION_CHECKPOINT, encodeCheckpoint(checkpoint));
    this.#checkpoint = checkpoint;
    return checkpoint;
  }
}

interface AppliedBlock {
  readonly height: number;
  readonly blockHash: Bytes;
  readonly timestamp: bigint;
  readonly transactions: number;
}

/** The block of an entry, genesis included; undefined: an entry of another kind. */
export function blockOf({ event }: JournalEntry): AppliedBlock | undefined {
  switch (event.kind) {
    case 'Genesis':
      return { height: 0, blockHash: event.blockHash, timestamp: event.header.timestamp, transactions: 0 };
    case 'Block':
      return {
        height: event.height,
        blockHash: event.output.blockHash,
        timestamp: event.output.header.timestamp,
        transactions: event.record.transactions.length,
      };
    default:
      return undefined;
  }
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
