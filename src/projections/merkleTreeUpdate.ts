/** One version of the state tree from the one before (spec: merkle-tree 3): which leaves change, and which pages with them. */
import { type Bytes, compareBytes, equalBytes, toHex } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { MAX_GUARD_KEY, requireDataKey, type TreeLeaf, type TreeWrite } from '../protocol/stateTree.ts';
import type { PageCache } from './merkleTreeCache.ts';
import { rootAbove } from './merkleTreeHash.ts';
import { insertKeys, locateKeys, type LocatedKeys, type NewKey } from './merkleTreeIndex.ts';
import {
  childCount,
  childrenOf,
  damagedTree,
  decodeIndexSize,
  encodeIndexSize,
  INDEX_SIZE_KEY,
  pageKey,
  pageLevels,
  pagesOnLevel,
  RADIX,
  type VersionRecord,
} from './merkleTreeLayout.ts';
import { TreePage } from './merkleTreePage.ts';
import { getPages } from './merkleTreeReads.ts';
import type { StoreTx } from './projection.ts';

/** Newest pages of one tree; good for the version with this history only. */
export interface TreeCaches {
  readonly pages: PageCache<TreePage>;
  readonly index: PageCache<Bytes>;
}

/** What one needs to know of the version before. */
export type TreeShape = Pick<VersionRecord, 'leafCount' | 'topVersion'>;

const PAGES_BETWEEN_TURNS = 64;
const WRITES_BETWEEN_TURNS = 1_024;

/** Of the tree before its first version: nothing is stored, the guards count as leaves. */
export const GUARDS_ONLY: TreeShape = { leafCount: 2, topVersion: 0 };

/** The writes of a block by ascending key, each key once. */
interface SortedWrites {
  readonly keys: readonly Bytes[];
  readonly values: readonly Bytes[];
  /** Where the key first stands among the writes: new keys get their leaves in this order. */
  readonly positions: readonly number[];
  /** Whether the key stands there more than once. */
  readonly isRepeated: readonly boolean[];
}

function sortWrites(writes: readonly TreeWrite[]): SortedWrites {
  const keys: Bytes[] = [];
  const values: Bytes[] = [];
  const positions: number[] = [];
  const isRepeated: boolean[] = [];
  let last: Bytes | undefined;
  for (const position of keyOrder(writes)) {
    const write = writes[position];
    if (write === undefined) continue;
    if (last !== undefined && equalBytes(last, write.key)) {
      values[values.length - 1] = write.value;
      isRepeated[isRepeated.length - 1] = true;
      continue;
    }
    last = write.key;
    if (last[0] === 0x00 || last[0] === 0xff) requireDataKey(last);
    keys.push(last);
    values.push(write.value);
    positions.push(position);
    isRepeated.push(false);
  }
  return { keys, values, positions, isRepeated };
}

const POSITIONS_MAX = 2 ** 21;

/** Positions of the writes by key; those of one key in their order. */
function keyOrder(writes: readonly TreeWrite[]): readonly number[] {
  const count = writes.length;
  assert(count < POSITIONS_MAX, `a block writes ${count} keys, more than a version of the state tree can take`);
  // The first four bytes and the position as one number: most of the order without comparing keys.
  const heads = new Float64Array(count);
  for (let i = 0; i < count; i++) heads[i] = headOf(writes[i]) * POSITIONS_MAX + i;
  heads.sort();
  const order = Array.from(heads, (head) => head % POSITIONS_MAX);
  const compare = (a: number, b: number): number =>
    compareBytes(writes[a]?.key ?? MAX_GUARD_KEY, writes[b]?.key ?? MAX_GUARD_KEY) || a - b;
  for (let from = 0; from < count;) {
    let to = from + 1;
    while (to < count && headOf(writes[order[from] ?? 0]) === headOf(writes[order[to] ?? 0])) to += 1;
    if (to - from > 1) order.splice(from, to - from, ...order.slice(from, to).sort(compare));
    from = to;
  }
  return order;
}

function headOf(write: TreeWrite | undefined): number {
  const key = write?.key ?? MAX_GUARD_KEY;
  return (((key[0] ?? 0) << 24) | ((key[1] ?? 0) << 16) | ((key[2] ?? 0) << 8) | (key[3] ?? 0)) >>> 0;
}

/**
 * Adds a version to the store. The same writes on the same version give the same changes, whatever is cached. Throws
 * STATE_TREE_RESERVED_KEY, STATE_TREE_DUPLICATE_KEY (a new key that comes twice) and STORE_DAMAGED.
 */
export async function applyVersion(
  tx: StoreTx,
  caches: TreeCaches,
  before: TreeShape,
  options: { readonly version: number; readonly writes: readonly TreeWrite[] },
): Promise<Omit<VersionRecord, 'history'> | undefined> {
  const turns = new Turns();
  const sorted = sortWrites(options.writes);
  await turns.due();
  const located = await locateKeys(tx, caches.index, sorted.keys, turns);
  const { indices, predecessors } = located;
  const newLeaves = allocate(sorted, indices, before.leafCount);
  const leafCount = before.leafCount + newLeaves.length;
  const update = new PagesUpdate(tx, caches.pages, { before, leafCount, version: options.version, turns });
  await update.load(touchedPages({ indices, predecessors, firstNew: before.leafCount, leafCount }));
  const newIndices = new Float64Array(sorted.keys.length);
  newLeaves.forEach((at, i) => (newIndices[at] = before.leafCount + i));
  const added = await changeLeaves(update, { sorted, located, newIndices, turns });
  if (added.length > 0) {
    const size = decodeIndexSize(await tx.get(INDEX_SIZE_KEY));
    const grown = insertKeys(tx, caches.index, added, size);
    if (grown !== size) tx.put(INDEX_SIZE_KEY, encodeIndexSize(grown));
    await turns.due();
  }
  return update.finish();
}

/** Sets values, adds the new leaves and links them in, by ascending key. Gives the new keys in that order. */
async function changeLeaves(
  update: PagesUpdate,
  work: {
    readonly sorted: SortedWrites;
    readonly located: LocatedKeys;
    /** Leaf indices of new keys, by their place in the sorted writes. */
    readonly newIndices: Float64Array;
    readonly turns: Turns;
  },
): Promise<readonly NewKey[]> {
  const { sorted, located, newIndices, turns } = work;
  const { indices, predecessors, pages } = located;
  const added: NewKey[] = [];
  let successor = 0;
  for (const [at, value] of sorted.values.entries()) {
    if (at % WRITES_BETWEEN_TURNS === 0) await turns.due();
    const index = indices[at] ?? 0;
    if (index >= 0) {
      update.setValue(index, value);
      continue;
    }
    const predecessor = predecessors[at] ?? 0;
    const own = newIndices[at] ?? 0;
    // New keys between the same two old ones are a run: the old one before it links to the first.
    if (!isSameRun(located, at - 1, predecessor)) {
      successor = update.next(predecessor);
      update.setNext(predecessor, own);
    }
    const next = isSameRun(located, at + 1, predecessor) ? (newIndices[at + 1] ?? 0) : successor;
    const key = new Uint8Array(sorted.keys[at] ?? MAX_GUARD_KEY);
    const page = pages[at];
    assert(page !== undefined, 'a new key has no page in the index');
    update.addLeaf(own, { key, value, next });
    added.push({ key, index: own, page });
  }
  return added;
}

function isSameRun({ indices, predecessors }: LocatedKeys, at: number, predecessor: number): boolean {
  return (indices[at] ?? 0) < 0 && predecessors[at] === predecessor;
}

/** Positions in the sorted writes of the new keys, in the order of their leaves. */
function allocate(sorted: SortedWrites, indices: Float64Array, leafCount: number): readonly number[] {
  const fresh: number[] = [];
  for (let at = 0; at < sorted.keys.length; at++) {
    if ((indices[at] ?? -1) >= 0) continue;
    if (sorted.isRepeated[at] === true) {
      throw new ProtocolError(
        'STATE_TREE_DUPLICATE_KEY',
        `the new key ${toHex(sorted.keys[at] ?? MAX_GUARD_KEY)} is written twice in one version of the state tree (of ${leafCount} leaves)`,
      );
    }
    fresh.push(at);
  }
  return fresh.sort((a, b) => (sorted.positions[a] ?? 0) - (sorted.positions[b] ?? 0));
}

/** Of level 0, ascending, each once. */
function touchedPages(leaves: {
  readonly indices: Float64Array;
  readonly predecessors: Float64Array;
  readonly firstNew: number;
  readonly leafCount: number;
}): Float64Array {
  const { indices, predecessors, firstNew, leafCount } = leaves;
  const touched = new Float64Array(indices.length + Math.ceil((leafCount - firstNew) / RADIX) + 1);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] ?? -1;
    touched[i] = Math.floor((index >= 0 ? index : (predecessors[i] ?? 0)) / RADIX);
  }
  let count = indices.length;
  if (leafCount > firstNew) {
    for (let page = Math.floor(firstNew / RADIX); page * RADIX < leafCount; page++) touched[count++] = page;
  }
  return distinct(touched.subarray(0, count).sort());
}

function distinct(sorted: Float64Array): Float64Array {
  let count = 0;
  for (let i = 0; i < sorted.length; i++) {
    const value = sorted[i] ?? 0;
    if (count === 0 || sorted[count - 1] !== value) sorted[count++] = value;
  }
  return sorted.subarray(0, count);
}

class PagesUpdate {
  readonly #tx: StoreTx;
  readonly #cache: PageCache<TreePage>;
  readonly #before: TreeShape;
  readonly #leafCount: number;
  readonly #version: number;
  readonly #turns: Turns;
  readonly #levels: number;
  /** Of this block, by level; each by position. */
  readonly #pages: Map<number, TreePage>[] = [];
  readonly #values = new ValueMemory();

  constructor(
    tx: StoreTx,
    cache: PageCache<TreePage>,
    options: {
      readonly before: TreeShape;
      readonly leafCount: number;
      readonly version: number;
      readonly turns: Turns;
    },
  ) {
    this.#tx = tx;
    this.#cache = cache;
    this.#before = options.before;
    this.#leafCount = options.leafCount;
    this.#version = options.version;
    this.#turns = options.turns;
    this.#levels = pageLevels(options.leafCount);
  }

  /** Reads these pages of leaves and what is above them, from the top down: a page tells the versions of those below. */
  async load(leafPages: Float64Array): Promise<void> {
    let positions = leafPages;
    const byLevel = [positions];
    while (byLevel.length < this.#levels) {
      positions = distinct(positions.map((position) => Math.floor(position / RADIX)));
      byLevel.push(positions);
    }
    for (let level = 0; level < this.#levels; level++) this.#pages.push(new Map());
    for (let level = this.#levels - 1; level >= 0; level--) await this.#loadLevel(level, byLevel[level] ?? leafPages);
  }

  async #loadLevel(level: number, positions: Float64Array): Promise<void> {
    const isAboveOldTop = level >= pageLevels(this.#before.leafCount);
    const stored = isAboveOldTop ? 0 : pagesOnLevel(this.#before.leafCount, level);
    const pages = this.#level(level);
    const missing: number[] = [];
    const keys: Bytes[] = [];
    for (const position of positions) {
      const id = cacheId(level, position);
      const isNew = position >= stored;
      const page = isNew ? TreePage.empty(level, position) : this.#cache.get(id);
      if (page === undefined) {
        missing.push(position);
        keys.push(pageKey(this.#storedVersion(level, position), level, position));
      } else {
        pages.set(position, page);
        if (isNew) this.#cache.set(id, page);
      }
    }
    await this.#turns.due();
    const read = await getPages(this.#tx, keys);
    missing.forEach((position, i) => {
      const bytes = read[i];
      const count = childrenOf(this.#before.leafCount, level, position);
      if (bytes === undefined || childCount(bytes, level) !== count)
        throw damagedTree(`page ${position} of level ${level} is missing or damaged before version ${this.#version}`);
      const page = TreePage.fromStored(bytes, count, { level, position });
      pages.set(position, page);
      this.#cache.set(cacheId(level, position), page);
    });
  }

  #storedVersion(level: number, position: number): number {
    if (level === pageLevels(this.#before.leafCount) - 1) return this.#before.topVersion;
    return this.#page(level + 1, Math.floor(position / RADIX)).childVersion(position % RADIX);
  }

  next(index: number): number {
    return this.#leafPage(index).leafNext(index % RADIX);
  }

  setValue(index: number, value: Bytes): void {
    this.#leafPage(index).setLeafValue(index % RADIX, value);
  }

  setNext(index: number, next: number): void {
    this.#leafPage(index).setLeafNext(index % RADIX, next);
  }

  addLeaf(index: number, leaf: TreeLeaf): void {
    this.#leafPage(index).addLeaf(index % RADIX, leaf);
  }

  /** Hashes and writes what changed, from the leaves up. undefined: nothing did. */
  async finish(): Promise<Omit<VersionRecord, 'history'> | undefined> {
    const version = this.#version;
    const topLevel = this.#levels - 1;
    let topHash: Bytes | undefined;
    for (let level = 0; level <= topLevel; level++) {
      let sinceTurn = 0;
      for (const page of this.#level(level).values()) {
        if (!page.isChanged) continue;
        const hash = page.takeChange();
        const value = this.#values.take(page.storedLength);
        page.writeStored(value);
        this.#tx.put(pageKey(version, level, page.position), value);
        const { position } = page;
        if (level === topLevel) topHash = hash;
        else this.#page(level + 1, Math.floor(position / RADIX)).setChild(position % RADIX, hash, version);
        if (++sinceTurn % PAGES_BETWEEN_TURNS === 0) await this.#turns.due();
      }
    }
    if (topHash === undefined) return undefined;
    return { root: rootAbove(topHash, this.#levels), leafCount: this.#leafCount, topVersion: version };
  }

  #leafPage(index: number): TreePage {
    return this.#page(0, Math.floor(index / RADIX));
  }

  #page(level: number, position: number): TreePage {
    const page = this.#level(level).get(position);
    assert(page !== undefined, 'a page of the state tree that changes was not read');
    return page;
  }

  #level(level: number): Map<number, TreePage> {
    const pages = this.#pages[level];
    assert(pages !== undefined, 'a level of the state tree that changes was not read');
    return pages;
  }
}

const VALUES_BYTES = 128 * 1024;

/** Memory for what one block writes: it is free again when the batch is written, so the parts may share it. */
class ValueMemory {
  #memory: Bytes = new Uint8Array(0);
  #used = 0;

  take(length: number): Bytes {
    if (this.#used + length > this.#memory.length) {
      this.#memory = new Uint8Array(Buffer.allocUnsafeSlow(VALUES_BYTES).buffer);
      this.#used = 0;
    }
    const value = this.#memory.subarray(this.#used, this.#used + length);
    this.#used += length;
    return value;
  }
}

/** Levels are fewer than 32. */
export function cacheId(level: number, position: number): number {
  return position * 32 + level;
}
