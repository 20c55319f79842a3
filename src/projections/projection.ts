/** What a projection is, and what its runner gives everyone else (style.md: core interfaces). */
import type { Bytes } from '../common/bytes.ts';
import type { JournalEntry } from '../store/journal.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';

export type {
  BatchSealed,
  CanonicalBlock,
  GenesisEvent,
  JournalEntry,
  JournalEvent,
  L1Progress,
  SettlementEvent,
} from '../store/journal.ts';

/** Also directory and metric label. */
export type ProjectionName = 'repositories' | 'addresses' | 'merkleTree' | 'batches' | 'priorityTree' | 'analytics';

/** Reads see the writes made before through it, of this entry and of earlier ones that are not written yet. */
export interface StoreTx {
  put(key: Bytes, value: Bytes): void;
  delete(key: Bytes): void;
  get(key: Bytes): Promise<Bytes | undefined>;
  getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]>;
}

/** A pure read model: the same entries give the same store, whenever and wherever they are applied. */
export interface Projection<Reader> {
  readonly name: ProjectionName;
  /** A bump builds a new directory at the next start; the old one goes when the new one has caught up. */
  readonly version: number;
  /** Entries come in order, each once. Writes through `tx` only; no clock, no other effect. */
  apply(entry: JournalEntry, tx: StoreTx): Promise<void>;
  /** Typed queries. What it answers shares no memory with the store and may cross threads. */
  reader(store: KeyValueStore): Reader;
}

/** Where runners read from: the journal of the chain store, directly or through a thread port. */
export interface Journal {
  /** Index of the next entry. */
  readonly end: number;
  /** The 16 bytes that tell this log from any other; waits for Genesis. Rejects when the signal fires. */
  logId(signal: AbortSignal): Promise<Bytes>;
  /** Entries from an index on: at most `limit`, about `maxBytes` of them encoded but at least one if there is one. */
  read(fromIndex: number, limit: number, maxBytes: number): Promise<readonly JournalEntry[]>;
  /** Resolves once `end > index`. Rejects when the signal fires. */
  whenBeyond(index: number, signal: AbortSignal): Promise<void>;
}

/** observability C.2, projection_state. */
export type ProjectionState = 'catching_up' | 'live' | 'paused' | 'failed' | 'rebuilding';

export interface ProjectionHandle<Reader> {
  readonly name: ProjectionName;
  /** Number of the last applied block; -1: not even genesis. */
  readonly height: number;
  readonly state: ProjectionState;
  readonly reader: Reader;
  /** Throws PROJECTION_NOT_SYNCED after `timeoutMs`, PROJECTION_FAILED or PROJECTION_CLOSED if it can no longer happen. */
  whenApplied(height: number, options: { readonly timeoutMs: number }): Promise<void>;
}
