/**
 * The chain store: `state` (all history) and the journal, with the checkpoint of the log fold, in one store. Every
 * accepted entry is one atomic write (design.md 5 step 4). Written by the replay pipeline alone.
 */
import { type Bytes, ZERO_32, concatBytes, readU64be, u64be } from '../common/bytes.ts';
import { NodeError, assert } from '../common/errors.ts';
import type { BlockHeader, Preimage, StorageWrite } from '../protocol/blockOutput.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import { nextBlockHashes } from '../protocol/blockHeader.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { accountSlot, flatKey } from '../protocol/stateKey.ts';
import type { MissingKey } from '../vm/loadedState.ts';
import { CHAIN, chainKey } from './buckets.ts';
import { decodeJournalEntry, encodeJournalEntry } from './journalCodec.ts';
import type { BatchSealed, BlockRecord, CanonicalBlock, JournalEntry, SettlementEvent } from './journal.ts';
import { type KeyValueStore, type RangeOptions, StoreBatch } from './keyValueStore.ts';

/** The newest accepted block, and what the next one needs from it. */
export interface ChainHead {
  readonly height: number;
  readonly blockHash: Bytes;
  /** Unix seconds; 0 for genesis. */
  readonly timestamp: bigint;
  readonly nextL1PriorityId: bigint;
  /** 256 hashes up to and including this block: the ring of the next block's context. */
  readonly blockHashes: readonly Bytes[];
}

export interface GenesisContent {
  readonly position: number;
  readonly chainId: bigint;
  readonly header: BlockHeader;
  readonly blockHash: Bytes;
  readonly context: BlockContext;
  readonly writes: readonly StorageWrite[];
  readonly preimages: readonly Preimage[];
  /** The entry as it lies in the log, for RPC and for nodes that are not fed by it. */
  readonly entryBytes: Bytes;
}

/** undefined value: the row goes. */
export interface StoredRow {
  readonly key: Bytes;
  readonly value: Bytes | undefined;
}

const RECORD_LENGTH = 124;
const META_CHECKPOINT = new TextEncoder().encode('checkpoint');
const META_GENESIS = new TextEncoder().encode('genesis');
const META_JOURNAL_END = new TextEncoder().encode('journalEnd');
export const CHECKPOINT_KEY = chainKey(CHAIN.meta, META_CHECKPOINT);

/** Journal entries of one read, when no other number is asked for. */
const READ_ENTRIES = 256;

export class ChainStore {
  readonly #store: KeyValueStore;
  #journalEnd = 0;
  #head: ChainHead | undefined;
  #genesisContext: BlockContext | undefined;
  #checkpoint: Bytes | undefined;
  #genesisEntry: Bytes | undefined;

  private constructor(store: KeyValueStore) {
    this.#store = store;
  }

  static async open(
    store: KeyValueStore,
    genesisContext: (executionVersion: number) => BlockContext,
  ): Promise<ChainStore> {
    const chain = new ChainStore(store);
    await chain.#readHead(genesisContext);
    return chain;
  }

  /** Bytes of the checkpoint written with the newest entry; undefined: an empty store. */
  get checkpoint(): Bytes | undefined {
    return this.#checkpoint;
  }

  get genesisEntry(): Bytes | undefined {
    return this.#genesisEntry;
  }

  /** Index of the next journal entry. */
  get journalEnd(): number {
    return this.#journalEnd;
  }

  /** Undefined before Genesis. */
  get head(): ChainHead | undefined {
    return this.#head;
  }

  async applyGenesis(genesis: GenesisContent, checkpoint: Bytes): Promise<void> {
    assert(this.#head === undefined, 'Genesis applied to a chain store that has one already');
    const batch = new StoreBatch();
    this.#putState(batch, 0, genesis.writes, genesis.preimages);
    batch.put(chainKey(CHAIN.blockHash, u64be(0)), genesis.blockHash);
    batch.put(
      chainKey(CHAIN.meta, META_GENESIS),
      concatBytes(u64be(genesis.context.executionVersion), genesis.entryBytes),
    );
    const { position, chainId, header, blockHash } = genesis;
    const writes = genesis.writes.map(({ flatKey, value }) => ({ flatKey, value }));
    this.#putJournal(batch, { index: 0, event: { kind: 'Genesis', position, chainId, header, blockHash, writes } });
    batch.put(CHECKPOINT_KEY, checkpoint);
    await this.#store.write(batch);
    this.#journalEnd = 1;
    this.#checkpoint = checkpoint;
    this.#genesisEntry = genesis.entryBytes;
    this.#genesisContext = genesis.context;
    const blockHashes = nextBlockHashes(emptyRing(), blockHash);
    this.#head = { height: 0, blockHash, timestamp: 0n, nextL1PriorityId: 0n, blockHashes };
  }

  /** One accepted block: state, journal, indexes and checkpoint in one atomic write. */
  async applyBlock(block: CanonicalBlock, checkpoint: Bytes): Promise<void> {
    const head = this.#head;
    assert(
      head !== undefined && block.height === head.height + 1,
      `block ${block.height} applied to a chain store at ${head?.height}`,
    );
    const batch = new StoreBatch();
    this.#putState(batch, block.height, block.output.writes, block.output.preimages);
    batch.put(chainKey(CHAIN.blockHash, u64be(block.height)), block.output.blockHash);
    batch.put(chainKey(CHAIN.journalIndex, u64be(block.height)), u64be(this.#journalEnd));
    this.#putJournal(batch, { index: this.#journalEnd, event: block });
    batch.put(CHECKPOINT_KEY, checkpoint);
    await this.#store.write(batch);
    this.#journalEnd += 1;
    this.#checkpoint = checkpoint;
    this.#head = {
      height: block.height,
      blockHash: block.output.blockHash,
      timestamp: block.record.context.timestamp,
      nextL1PriorityId: nextL1PriorityId(block.record),
      blockHashes: nextBlockHashes(head.blockHashes, block.output.blockHash),
    };
  }

  /** One accepted settlement entry: journal, rows of the fold of settlement and checkpoint in one atomic write. */
  async applySettlement(event: SettlementEvent, rows: readonly StoredRow[], checkpoint: Bytes): Promise<void> {
    assert(this.#head !== undefined, 'a settlement entry was accepted before genesis');
    const batch = new StoreBatch();
    for (const { key, value } of rows) {
      const stored = chainKey(CHAIN.settlement, key);
      if (value === undefined) batch.delete(stored);
      else batch.put(stored, value);
    }
    if (event.kind === 'BatchSealed') batch.put(chainKey(CHAIN.sealIndex, u64be(event.batch)), u64be(this.#journalEnd));
    this.#putJournal(batch, { index: this.#journalEnd, event });
    batch.put(CHECKPOINT_KEY, checkpoint);
    await this.#store.write(batch);
    this.#journalEnd += 1;
    this.#checkpoint = checkpoint;
  }

  /** Rows of the fold of settlement, in the order of their keys, without the bucket. */
  async settlementRows(): Promise<(readonly [key: Bytes, value: Bytes])[]> {
    const rows: (readonly [Bytes, Bytes])[] = [];
    const range = { gte: Uint8Array.of(CHAIN.settlement), lt: Uint8Array.of(CHAIN.settlement + 1) };
    for await (const [key, value] of this.#store.range(range)) rows.push([key.slice(1), value]);
    return rows;
  }

  /** Newest accepted state, in one batched read. Answers in the order asked; undefined: absent. */
  async readState(keys: readonly MissingKey[]): Promise<(Bytes | undefined)[]> {
    const values = await this.#store.getMany(keys.map(latestKey));
    return values.map((value, index) => (value === undefined ? undefined : stateValue(keys[index], value)));
  }

  /** State after block `height`, any accepted height. */
  async readStateAt(keys: readonly MissingKey[], height: number): Promise<(Bytes | undefined)[]> {
    const values = await this.#store.getMany(keys.map(latestKey));
    return Promise.all(
      values.map(async (value, index) => {
        const key = keys[index];
        if (value === undefined || key === undefined) return undefined;
        if (key.kind === 'preimage' || readU64be(value) <= BigInt(height)) return stateValue(key, value);
        const older = await this.#readHistory(flatKeyOf(key), height);
        return older === undefined ? undefined : stateValue(key, older);
      }),
    );
  }

  /** Encoded journal entries from an index on: at most `limit` of them, at least one, about `maxBytes`. */
  async readJournal(fromIndex: number, limit: number, maxBytes: number): Promise<Bytes[]> {
    const entries: Bytes[] = [];
    let bytes = 0;
    const end = Math.min(this.#journalEnd, fromIndex + limit);
    const range = { gte: chainKey(CHAIN.journal, u64be(fromIndex)), lt: chainKey(CHAIN.journal, u64be(end)), limit };
    if (end <= fromIndex) return entries;
    for await (const [, value] of this.#store.range(range)) {
      entries.push(value);
      bytes += value.length;
      if (bytes >= maxBytes) break;
    }
    return entries;
  }

  /** As `readJournal`, from an accepted block on. */
  async readJournalFromBlock(height: number, maxBytes: number): Promise<Bytes[]> {
    const index = await this.#store.get(chainKey(CHAIN.journalIndex, u64be(height)));
    if (index === undefined) throw journalCorrupt(height, 'its place in the journal is missing');
    return this.readJournal(Number(readU64be(index)), READ_ENTRIES, maxBytes);
  }

  /** The accepted seal of a batch. */
  async seal(batch: number): Promise<BatchSealed | undefined> {
    const index = await this.#store.get(chainKey(CHAIN.sealIndex, u64be(batch)));
    if (index === undefined) return undefined;
    const bytes = await this.#store.get(chainKey(CHAIN.journal, index));
    const event = bytes === undefined ? undefined : decodeJournalEntry(bytes).event;
    if (event?.kind !== 'BatchSealed' || event.batch !== batch)
      throw journalCorrupt(this.#head?.height ?? 0, `the seal of batch ${batch} is missing`);
    return event;
  }

  /** The encoded journal entry of a block. */
  async blockEntry(height: number): Promise<Bytes | undefined> {
    const index = await this.#store.get(chainKey(CHAIN.journalIndex, u64be(height)));
    if (index === undefined) return undefined;
    const bytes = await this.#store.get(chainKey(CHAIN.journal, index));
    if (bytes === undefined) throw journalCorrupt(height, 'its journal entry is missing');
    return bytes;
  }

  async block(height: number): Promise<CanonicalBlock | undefined> {
    const bytes = await this.blockEntry(height);
    if (bytes === undefined) return undefined;
    const { event } = decodeJournalEntry(bytes);
    if (event.kind !== 'Block' || event.height !== height)
      throw journalCorrupt(height, 'its journal entry is another one');
    return event;
  }

  /** The context that block ran in, ring included. Of block 0 the genesis context. */
  async blockContext(height: number): Promise<BlockContext | undefined> {
    if (height === 0) return this.#genesisContext;
    const block = await this.block(height);
    return block === undefined
      ? undefined
      : { ...block.record.context, blockHashes: await this.blockHashesBefore(height) };
  }

  /** The ring of the context of block `height`. */
  async blockHashesBefore(height: number): Promise<Bytes[]> {
    const first = Math.max(0, height - 256);
    const heights = Array.from({ length: height - first }, (_, i) => first + i);
    const hashes = await this.#store.getMany(heights.map((h) => chainKey(CHAIN.blockHash, u64be(h))));
    return [
      ...emptyRing().slice(heights.length),
      ...hashes.map((hash, i) => {
        if (hash === undefined) throw journalCorrupt(first + i, 'its hash is missing');
        return hash;
      }),
    ];
  }

  async flush(): Promise<void> {
    await this.#store.flush();
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #readHead(genesisContext: (executionVersion: number) => BlockContext): Promise<void> {
    this.#checkpoint = await storedCheckpoint(this.#store);
    if (this.#checkpoint === undefined) return;
    const genesis = await this.#store.get(chainKey(CHAIN.meta, META_GENESIS));
    const end = await this.#store.get(chainKey(CHAIN.meta, META_JOURNAL_END));
    if (genesis === undefined || end === undefined)
      throw journalCorrupt(0, 'the store has a checkpoint but no genesis');
    this.#genesisEntry = genesis.slice(8);
    this.#genesisContext = genesisContext(Number(readU64be(genesis)));
    this.#journalEnd = Number(readU64be(end));
    const height = await this.#lastHeight();
    const block = height === 0 ? undefined : await this.block(height);
    const blockHashes = await this.blockHashesBefore(height + 1);
    this.#head = {
      height,
      blockHash: blockHashes[255] ?? ZERO_32,
      timestamp: block?.record.context.timestamp ?? 0n,
      nextL1PriorityId: block === undefined ? 0n : nextL1PriorityId(block.record),
      blockHashes,
    };
  }

  async #lastHeight(): Promise<number> {
    const range = {
      gte: chainKey(CHAIN.blockHash, u64be(0)),
      lte: chainKey(CHAIN.blockHash, u64be(2n ** 64n - 1n)),
      reverse: true,
      limit: 1,
    };
    for await (const [key] of this.#store.range(range)) return Number(readU64be(key, 1));
    throw journalCorrupt(0, 'no block hash is stored');
  }

  #putJournal(batch: StoreBatch, entry: JournalEntry): void {
    batch.put(chainKey(CHAIN.journal, u64be(entry.index)), encodeJournalEntry(entry));
    batch.put(chainKey(CHAIN.meta, META_JOURNAL_END), u64be(entry.index + 1));
  }

  #putState(batch: StoreBatch, height: number, writes: readonly StorageWrite[], preimages: readonly Preimage[]): void {
    const at = u64be(height);
    const records = new Set<string>();
    for (const write of writes) {
      const value = concatBytes(at, write.value, write.accountRecord ?? new Uint8Array(0));
      batch.put(chainKey(CHAIN.latest, write.flatKey), value);
      batch.put(chainKey(CHAIN.history, write.flatKey, at), value);
      if (write.accountRecord !== undefined) records.add(Buffer.from(write.value).toString('latin1'));
    }
    for (const { hash, bytes } of preimages) {
      if (!records.has(Buffer.from(hash).toString('latin1'))) batch.put(chainKey(CHAIN.preimage, hash), bytes);
    }
  }

  async #readHistory(key: Bytes, height: number): Promise<Bytes | undefined> {
    const range = {
      gte: chainKey(CHAIN.history, key, u64be(0)),
      lte: chainKey(CHAIN.history, key, u64be(height)),
      reverse: true,
      limit: 1,
    };
    for await (const [, value] of this.#store.range(range)) return value;
    return undefined;
  }
}

/** The id the first L1 priority transaction after this block must have (spec: replay-record 5). */
export function nextL1PriorityId(record: BlockRecord): bigint {
  return record.startingL1PriorityId + BigInt(record.transactions.filter((raw) => raw[0] === L1_PRIORITY_TYPE).length);
}

/** Bytes of the checkpoint in a store that is not opened as a chain; undefined: an empty store. */
export function storedCheckpoint(store: Pick<KeyValueStore, 'get'>): Promise<Bytes | undefined> {
  return store.get(CHECKPOINT_KEY);
}

/** Key ranges for digests: `state` is the same on every node of a chain, `journal` holds positions of its log too. */
export function chainRanges(part: 'state' | 'journal'): readonly RangeOptions[] {
  const buckets =
    part === 'state'
      ? [CHAIN.latest, CHAIN.history, CHAIN.preimage, CHAIN.blockHash]
      : [CHAIN.journal, CHAIN.journalIndex, CHAIN.settlement, CHAIN.sealIndex];
  return buckets.map((bucket) => ({ gte: new Uint8Array([bucket]), lt: new Uint8Array([bucket + 1]) }));
}

function emptyRing(): Bytes[] {
  return Array.from({ length: 256 }, () => ZERO_32);
}

function flatKeyOf(key: Exclude<MissingKey, { kind: 'preimage' }>): Bytes {
  return key.kind === 'account'
    ? flatKey(ACCOUNT_PROPERTIES_ADDRESS, accountSlot(key.address))
    : flatKey(key.address, key.slot);
}

function latestKey(key: MissingKey): Bytes {
  return key.kind === 'preimage' ? chainKey(CHAIN.preimage, key.hash) : chainKey(CHAIN.latest, flatKeyOf(key));
}

/** Stored value of state: u64be height of the write, 32-byte value, and for an account slot the 124-byte record. */
function stateValue(key: MissingKey | undefined, stored: Bytes): Bytes {
  if (key?.kind === 'preimage') return stored;
  if (key?.kind === 'account') {
    assert(stored.length === 40 + RECORD_LENGTH, 'an account slot without its record in the chain store');
    return stored.slice(40);
  }
  return stored.slice(8, 40);
}

function journalCorrupt(height: number, what: string): NodeError {
  return new NodeError(
    'fatal',
    `the chain store is damaged at block ${height}: ${what}. Delete it with \`reprise rebuild state\`; it is filled again from the log.`,
    {
      code: 'CHAIN_STORE_DAMAGED',
      blockNumber: height,
    },
  );
}
