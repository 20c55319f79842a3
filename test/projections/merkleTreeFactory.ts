/** Versions of the state tree made in memory: through the projection, and as the naive tree says. */
import type { Bytes } from '../../src/common/bytes.ts';
import { createMerkleTree } from '../../src/projections/merkleTree.ts';
import type { MerkleTreeReader } from '../../src/projections/merkleTreeReader.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import type { JournalEntry, Projection } from '../../src/projections/projection.ts';
import type { StorageWrite } from '../../src/protocol/blockOutput.ts';
import type { TreeWrite } from '../../src/protocol/stateTree.ts';
import type { CanonicalBlock } from '../../src/store/journal.ts';
import type { KeyValueStore } from '../../src/store/keyValueStore.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { aGenesis, aJournal, type Random } from './journalFactory.ts';

/** A journal of blocks that write this and nothing else; the first list is of Genesis. */
export function journalOf(versions: readonly (readonly TreeWrite[])[]): JournalEntry[] {
  return versions.map((writes, height) => entryOf(height, writes));
}

export function entryOf(height: number, writes: readonly TreeWrite[]): JournalEntry {
  const own = writes.map(toStorageWrite);
  if (height === 0) return { index: 0, event: { ...aGenesis(), writes: own } };
  const block = emptyBlock();
  return {
    index: height,
    event: {
      ...block,
      height,
      output: {
        ...block.output,
        header: { ...block.output.header, number: BigInt(height) },
        blockHash: new Uint8Array(32).fill(height),
        writes: own,
      },
    },
  };
}

let empty: CanonicalBlock | undefined;

function emptyBlock(): CanonicalBlock {
  const event = aJournal({ blocks: 1, transactionsPerBlock: 0 })[1]?.event;
  if (event?.kind === 'Block') empty ??= event;
  if (empty === undefined) throw new RangeError('the journal factory made no block');
  return empty;
}

function toStorageWrite({ key, value }: TreeWrite): StorageWrite {
  return { flatKey: key, value, address: new Uint8Array(20), slot: new Uint8Array(32), accountRecord: undefined };
}

/** The tree as its projection stores it, one write per version. */
export class StoredVersions {
  readonly store: KeyValueStore;
  readonly reader: MerkleTreeReader;
  readonly #projection: Projection<MerkleTreeReader>;
  #height = -1;

  constructor(options: { readonly cachedPages?: number; readonly store?: KeyValueStore } = {}) {
    this.#projection = createMerkleTree({ cachedPages: options.cachedPages ?? 1000 });
    this.store = options.store ?? new MemoryStore();
    this.reader = this.#projection.reader(this.store);
  }

  get height(): number {
    return this.#height;
  }

  async apply(writes: readonly TreeWrite[]): Promise<{ readonly root: Bytes; readonly leafCount: number }> {
    const tx = new PendingWrites(this.store);
    const height = this.#height + 1;
    await this.#projection.apply(entryOf(height, writes), tx);
    await this.store.write(tx.batch);
    this.#height = height;
    const version = await this.reader.version(height);
    if (version === undefined) throw new RangeError(`version ${height} was not stored`);
    return version;
  }
}

/** Blocks of inserts and updates; `keys` collects what was inserted. */
export function someWrites(random: Random, keys: Bytes[], count: number, insertShare: number): TreeWrite[] {
  const written = new Set<Bytes>();
  const known = keys.length;
  const writes: TreeWrite[] = [];
  while (writes.length < count) {
    let key: Bytes;
    if (known === 0 || written.size >= known || random.chance(insertShare)) {
      key = random.bytes(32);
      keys.push(key);
    } else {
      key = keys[random.below(known)] ?? random.bytes(32);
      if (written.has(key)) continue;
    }
    written.add(key);
    writes.push({ key, value: random.bytes(32) });
  }
  return writes;
}
