/**
 * `merkleTree`: the state tree with all its versions (spec: merkle-tree, design.md 6), folded from the journal. The layout is
 * in merkleTreeLayout.ts, the rules are in merkleTreeUpdate.ts and, as a tree in memory, in protocol/stateTree.ts.
 */
import { type Bytes, equalBytes, ZERO_32 } from '../common/bytes.ts';
import { MAX_GUARD_KEY, MIN_GUARD_KEY, type TreeWrite } from '../protocol/stateTree.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { PageCache } from './merkleTreeCache.ts';
import { historyAfter, rootAbove } from './merkleTreeHash.ts';
import { putFirstIndex } from './merkleTreeIndex.ts';
import {
  damagedTree,
  decodeVersion,
  encodeVersion,
  pageKey,
  type VersionRecord,
  versionKey,
} from './merkleTreeLayout.ts';
import { TreePage } from './merkleTreePage.ts';
import type { MerkleTreeReader } from './merkleTreeReader.ts';
import { StoredTree } from './merkleTreeStored.ts';
import { applyVersion, cacheId, GUARDS_ONLY, type TreeCaches } from './merkleTreeUpdate.ts';
import type { JournalEntry, Projection, StoreTx } from './projection.ts';

/** About 700 bytes each. */
const CACHED_PAGES_DEFAULT = 128 * 1024;

export interface MerkleTreeOptions {
  /** Pages of the tree, and again of its key index, kept in memory. */
  readonly cachedPages?: number;
}

export function createMerkleTree(options: MerkleTreeOptions = {}): Projection<MerkleTreeReader> {
  return new MerkleTree(options.cachedPages ?? CACHED_PAGES_DEFAULT);
}

class MerkleTree implements Projection<MerkleTreeReader> {
  readonly name = 'merkleTree';
  readonly version = 1;
  readonly #cachedPages: number;
  /** Newest pages, for whoever applies the next version of the tree with this history. */
  #cached: { readonly history: Bytes; readonly caches: TreeCaches } | undefined;

  constructor(cachedPages: number) {
    this.#cachedPages = cachedPages;
  }

  async apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
    if (event.kind === 'Genesis') {
      await this.#applyWrites(tx, 0, event.writes.map(toTreeWrite));
    } else if (event.kind === 'Block') {
      await this.#applyWrites(tx, event.height, event.output.writes.map(toTreeWrite));
    }
  }

  reader(store: KeyValueStore): MerkleTreeReader {
    return new StoredTree(store);
  }

  async #applyWrites(tx: StoreTx, version: number, writes: readonly TreeWrite[]): Promise<void> {
    const before = version === 0 ? undefined : await readVersion(tx, version - 1);
    // Taken away while in use: what an apply that fails leaves behind belongs to no stored version.
    const caches = this.#takeCaches(before?.history);
    const first = before === undefined ? putGuards(tx, caches) : before;
    const changed = await applyVersion(tx, caches, before ?? GUARDS_ONLY, { version, writes });
    const { root, leafCount, topVersion } = changed ?? first;
    const history = historyAfter(before?.history ?? ZERO_32, root);
    tx.put(versionKey(version), encodeVersion({ root, leafCount, topVersion, history }));
    this.#cached = { history, caches };
  }

  #takeCaches(history: Bytes | undefined): TreeCaches {
    const cached = this.#cached;
    this.#cached = undefined;
    if (cached !== undefined && history !== undefined && equalBytes(cached.history, history)) return cached.caches;
    return { pages: new PageCache(this.#cachedPages), index: new PageCache(this.#cachedPages) };
  }
}

/** The one that nodes use. */
export const merkleTree: Projection<MerkleTreeReader> = createMerkleTree();

/** The tree of the guards alone (spec: merkle-tree 1): what version 0 is made from. */
function putGuards(tx: StoreTx, caches: TreeCaches): Omit<VersionRecord, 'history'> {
  const page = TreePage.empty(0, 0);
  page.addLeaf(0, { key: MIN_GUARD_KEY, value: ZERO_32, next: 1 });
  page.addLeaf(1, { key: MAX_GUARD_KEY, value: ZERO_32, next: 1 });
  const root = rootAbove(page.takeChange(), 1);
  const stored = new Uint8Array(page.storedLength);
  page.writeStored(stored);
  tx.put(pageKey(0, 0, 0), stored);
  caches.pages.set(cacheId(0, 0), page);
  putFirstIndex(tx, caches.index);
  return { ...GUARDS_ONLY, root };
}

function toTreeWrite({ flatKey, value }: { readonly flatKey: Bytes; readonly value: Bytes }): TreeWrite {
  return { key: flatKey, value };
}

async function readVersion(tx: StoreTx, version: number): Promise<VersionRecord> {
  const bytes = await tx.get(versionKey(version));
  if (bytes === undefined) throw damagedTree(`version ${version} is missing`);
  return decodeVersion(bytes, version);
}
