/**
 * The tree's keys in order, in pages of a B+ tree: from a key to its leaf index, or to the leaf before it in key order.
 * Pages split and are never joined, as no key goes away. Page 0 is the root. An inner entry knows the lowest leaf index
 * under it, so that keys which an older version does not have are passed over without reading them.
 */
import type { Bytes } from '../common/bytes.ts';
import type { Turns } from '../common/turns.ts';
import { MAX_GUARD_KEY, MIN_GUARD_KEY } from '../protocol/stateTree.ts';
import type { PageCache } from './merkleTreeCache.ts';
import {
  damagedTree,
  encodeIndexSize,
  HASH_BYTES,
  INDEX_SIZE_KEY,
  indexPageKey,
  readU48,
  U48_BYTES,
  writeU48,
} from './merkleTreeLayout.ts';
import { getPages } from './merkleTreeReads.ts';
import type { StoreTx } from './projection.ts';

export const INDEX_ROOT = 0;
const KIND_LEAF = 0;
const KIND_INNER = 1;
const LEAF_ENTRY = HASH_BYTES + U48_BYTES;
const INNER_ENTRY = HASH_BYTES + 2 * U48_BYTES;
const LEAF_ENTRIES_MAX = 32;
const INNER_ENTRIES_MAX = 64;
const VISITS_BETWEEN_TURNS = 512;

export function isLeafPage(page: Bytes): boolean {
  return page[0] === KIND_LEAF;
}

export function entryCount(page: Bytes): number {
  return (page.length - 1) / entryBytes(page);
}

function entryBytes(page: Bytes): number {
  return page[0] === KIND_LEAF ? LEAF_ENTRY : INNER_ENTRY;
}

/** A whole number of entries, at least one, of a kind there is. */
export function isWellFormed(page: Bytes): boolean {
  const kind = page[0];
  return (kind === KIND_LEAF || kind === KIND_INNER) && page.length > 1 && Number.isInteger(entryCount(page));
}

function entryOffset(page: Bytes, at: number): number {
  return 1 + at * entryBytes(page);
}

/** Of an inner entry: the lowest key under it. */
export function entryKey(page: Bytes, at: number): Bytes {
  const offset = entryOffset(page, at);
  return page.subarray(offset, offset + HASH_BYTES);
}

/** Of a leaf entry its leaf index, of an inner one the id of its child. */
export function entryTarget(page: Bytes, at: number): number {
  return readU48(page, entryOffset(page, at) + HASH_BYTES);
}

/** The lowest leaf index of an entry. */
export function entryMinIndex(page: Bytes, at: number): number {
  return readU48(page, entryOffset(page, at) + (page[0] === KIND_LEAF ? HASH_BYTES : HASH_BYTES + U48_BYTES));
}

/** Position of the last entry whose key is not above `key`; -1: all are. */
export function lastNotAbove(page: Bytes, key: Bytes): number {
  let low = 0;
  let high = entryCount(page);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeyAt(page, entryOffset(page, middle), key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The key in the page compared with another one. */
function compareKeyAt(page: Bytes, offset: number, key: Bytes): number {
  for (let i = 0; i < HASH_BYTES; i++) {
    const difference = (page[offset + i] ?? 0) - (key[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A page on the way to the keys of a block. */
interface VisitedPage {
  readonly id: number;
  readonly parent: VisitedPage | undefined;
  /** Of its entry in the parent. */
  readonly slot: number;
  bytes: Bytes;
  /** What splitting children did to the entries, by ascending slot. */
  splits: Split[];
}

interface Split {
  readonly slot: number;
  /** Of what the child kept. */
  readonly minIndex: number;
  readonly added: readonly InnerEntry[];
}

interface InnerEntry {
  readonly key: Bytes;
  readonly id: number;
  readonly minIndex: number;
}

/** Where keys are, in the order in which they were asked for. */
export interface LocatedKeys {
  /** Leaf index; -1: the tree does not hold the key. */
  readonly indices: Float64Array;
  /** Leaf index of the greatest key below it, where the tree does not hold the key. */
  readonly predecessors: Float64Array;
  /** Of the page that holds the key, or would. */
  readonly pages: readonly VisitedPage[];
}

/** Keys of a block that the tree did not hold, ascending, with what `locateKeys` said of them. */
export interface NewKey {
  readonly key: Bytes;
  readonly index: number;
  readonly page: VisitedPage;
}

/** The index of a tree that holds the guards alone. */
export function putFirstIndex(tx: StoreTx, cache: PageCache<Bytes>): void {
  const page = new Uint8Array(1 + 2 * LEAF_ENTRY);
  page[0] = KIND_LEAF;
  writeLeafEntry(page, 0, MIN_GUARD_KEY, 0);
  writeLeafEntry(page, 1, MAX_GUARD_KEY, 1);
  cache.set(INDEX_ROOT, page);
  tx.put(indexPageKey(INDEX_ROOT), page);
  tx.put(INDEX_SIZE_KEY, encodeIndexSize(1));
}

/** `keys` ascend strictly. Reads each page once, one batch per level. */
export async function locateKeys(
  tx: Pick<StoreTx, 'getMany'>,
  cache: PageCache<Bytes>,
  keys: readonly Bytes[],
  turns: Turns,
): Promise<LocatedKeys> {
  let visits: PageVisit[] = [
    {
      page: { id: INDEX_ROOT, parent: undefined, slot: 0, bytes: MISSING, splits: [] },
      from: 0,
      to: keys.length,
    },
  ];
  await loadPages(tx, cache, visits);
  while (visits[0] !== undefined && !isLeafPage(visits[0].page.bytes)) {
    const below: PageVisit[] = [];
    for (const [i, visit] of visits.entries()) {
      visitChildren(visit, keys, below);
      if (i % VISITS_BETWEEN_TURNS === 0) await turns.due();
    }
    await loadPages(tx, cache, below);
    visits = below;
  }
  const indices = new Float64Array(keys.length);
  const predecessors = new Float64Array(keys.length);
  const pages: VisitedPage[] = [];
  for (const [visit, { page, from, to }] of visits.entries()) {
    if (visit % VISITS_BETWEEN_TURNS === 0) await turns.due();
    for (let i = from; i < to; i++) {
      const key = keys[i] ?? MISSING;
      const at = lastNotAbove(page.bytes, key);
      const isFound = at >= 0 && compareKeyAt(page.bytes, entryOffset(page.bytes, at), key) === 0;
      const index = at < 0 ? 0 : entryTarget(page.bytes, at);
      indices[i] = isFound ? index : -1;
      predecessors[i] = index;
      pages.push(page);
    }
  }
  return { indices, predecessors, pages };
}

const MISSING: Bytes = new Uint8Array(0);

/** Keys from an index up to another are below this page. */
interface PageVisit {
  readonly page: VisitedPage;
  readonly from: number;
  readonly to: number;
}

function visitChildren({ page, from, to }: PageVisit, keys: readonly Bytes[], below: PageVisit[]): void {
  const { bytes } = page;
  const last = entryCount(bytes) - 1;
  for (let i = from; i < to;) {
    const slot = Math.max(0, lastNotAbove(bytes, keys[i] ?? MISSING));
    const end = slot === last ? to : firstFrom(keys, i + 1, to, entryKey(bytes, slot + 1));
    const child = { id: entryTarget(bytes, slot), parent: page, slot, bytes: MISSING, splits: [] };
    below.push({ page: child, from: i, to: end });
    i = end;
  }
}

/** Index of the first key, from an index on, that is not below the bound. */
function firstFrom(keys: readonly Bytes[], from: number, to: number, bound: Bytes): number {
  let i = from;
  while (i < to && compareKeyAt(keys[i] ?? MISSING, 0, bound) < 0) i += 1;
  return i;
}

async function loadPages(
  tx: Pick<StoreTx, 'getMany'>,
  cache: PageCache<Bytes>,
  visits: readonly PageVisit[],
): Promise<void> {
  const missing: VisitedPage[] = [];
  for (const { page } of visits) {
    const cached = cache.get(page.id);
    if (cached === undefined) missing.push(page);
    else page.bytes = cached;
  }
  const stored = await getPages(
    tx,
    missing.map(({ id }) => indexPageKey(id)),
  );
  missing.forEach((page, i) => {
    const bytes = stored[i];
    if (bytes === undefined || !isWellFormed(bytes))
      throw damagedTree(`page ${page.id} of the key index is missing or damaged`);
    page.bytes = bytes;
    cache.set(page.id, bytes);
  });
}

/** Adds keys that ascend strictly; splits pages that become too full. `size`: pages so far. Gives the new number of pages. */
export function insertKeys(tx: StoreTx, cache: PageCache<Bytes>, added: readonly NewKey[], size: number): number {
  const writer = new IndexWriter(tx, cache, size);
  let changed: VisitedPage[] = [];
  const touch = (parent: VisitedPage): void => {
    if (changed.at(-1) !== parent) changed.push(parent);
  };
  for (let from = 0; from < added.length;) {
    const page = added[from]?.page;
    if (page === undefined) break;
    let to = from + 1;
    while (added[to]?.page === page) to += 1;
    if (writer.put(page, withKeys(page.bytes, added, from, to)) && page.parent !== undefined) touch(page.parent);
    from = to;
  }
  while (changed.length > 0) {
    const level = changed;
    changed = [];
    for (const page of level) if (writer.put(page, withSplits(page)) && page.parent !== undefined) touch(page.parent);
  }
  return writer.size;
}

class IndexWriter {
  readonly #tx: StoreTx;
  readonly #cache: PageCache<Bytes>;
  size: number;

  constructor(tx: StoreTx, cache: PageCache<Bytes>, size: number) {
    this.#tx = tx;
    this.#cache = cache;
    this.size = size;
  }

  /** Whether it was split, so that the parent must change. */
  put(page: VisitedPage, bytes: Bytes): boolean {
    const parts = split(bytes);
    if (parts.length === 1) {
      this.#store(page.id, bytes);
      return false;
    }
    if (page.parent === undefined) {
      const root = parts.map((part) => ({ key: entryKey(part, 0), id: this.#add(part), minIndex: minIndexOf(part) }));
      return this.put(page, innerPage(root));
    }
    const [first, ...rest] = parts;
    if (first === undefined) return false;
    this.#store(page.id, first);
    const added = rest.map((part) => ({ key: entryKey(part, 0), id: this.#add(part), minIndex: minIndexOf(part) }));
    page.parent.splits.push({ slot: page.slot, minIndex: minIndexOf(first), added });
    return true;
  }

  #add(bytes: Bytes): number {
    const id = this.size;
    this.size += 1;
    this.#store(id, bytes);
    return id;
  }

  #store(id: number, bytes: Bytes): void {
    this.#cache.set(id, bytes);
    this.#tx.put(indexPageKey(id), bytes);
  }
}

/** The page with some of the new keys, which ascend. */
function withKeys(page: Bytes, added: readonly NewKey[], from: number, to: number): Bytes {
  const merged = new Uint8Array(page.length + (to - from) * LEAF_ENTRY);
  merged[0] = KIND_LEAF;
  let copied = 1;
  let length = 1;
  for (let i = from; i < to; i++) {
    const entry = added[i];
    if (entry === undefined) break;
    const before = entryOffset(page, lastNotAbove(page, entry.key) + 1);
    merged.set(page.subarray(copied, before), length);
    length += before - copied;
    copied = before;
    merged.set(entry.key, length);
    writeU48(merged, length + HASH_BYTES, entry.index);
    length += LEAF_ENTRY;
  }
  merged.set(page.subarray(copied), length);
  return merged;
}

function withSplits(page: VisitedPage): Bytes {
  const entries: InnerEntry[] = [];
  let next = 0;
  for (let slot = 0; slot < entryCount(page.bytes); slot++) {
    const entry = {
      key: entryKey(page.bytes, slot),
      id: entryTarget(page.bytes, slot),
      minIndex: entryMinIndex(page.bytes, slot),
    };
    const change = page.splits[next];
    if (change?.slot === slot) {
      entries.push({ ...entry, minIndex: change.minIndex }, ...change.added);
      next += 1;
    } else {
      entries.push(entry);
    }
  }
  return innerPage(entries);
}

function innerPage(entries: readonly InnerEntry[]): Bytes {
  const page = new Uint8Array(1 + entries.length * INNER_ENTRY);
  page[0] = KIND_INNER;
  entries.forEach(({ key, id, minIndex }, at) => {
    const offset = 1 + at * INNER_ENTRY;
    page.set(key, offset);
    writeU48(page, offset + HASH_BYTES, id);
    writeU48(page, offset + HASH_BYTES + U48_BYTES, minIndex);
  });
  return page;
}

function writeLeafEntry(page: Bytes, at: number, key: Bytes, index: number): void {
  const offset = 1 + at * LEAF_ENTRY;
  page.set(key, offset);
  writeU48(page, offset + HASH_BYTES, index);
}

/** Parts of about the same size, three quarters full; the page itself if it is not too full. */
function split(page: Bytes): readonly Bytes[] {
  const count = entryCount(page);
  const max = isLeafPage(page) ? LEAF_ENTRIES_MAX : INNER_ENTRIES_MAX;
  if (count <= max) return [page];
  const parts = Math.ceil(count / (max * 0.75));
  const bytes = entryBytes(page);
  return Array.from({ length: parts }, (_, i) => {
    const from = Math.floor((i * count) / parts);
    const to = Math.floor(((i + 1) * count) / parts);
    const part = new Uint8Array(1 + (to - from) * bytes);
    part[0] = page[0] ?? 0;
    part.set(page.subarray(1 + from * bytes, 1 + to * bytes), 1);
    return part;
  });
}

function minIndexOf(page: Bytes): number {
  let lowest = Infinity;
  for (let at = 0; at < entryCount(page); at++) lowest = Math.min(lowest, entryMinIndex(page, at));
  return lowest;
}

export interface FoundKey {
  readonly index: number;
  readonly isEqual: boolean;
}

/**
 * The greatest key not above `key` among the first `leafCount` leaves. undefined: the index does not show one, which only
 * happens while a page of it is being split, or when it is damaged.
 */
export async function findKey(
  read: (id: number) => Promise<Bytes | undefined>,
  key: Bytes,
  leafCount: number,
): Promise<FoundKey | undefined> {
  const search = async (id: number, bound: Bytes): Promise<FoundKey | undefined> => {
    const page = await read(id);
    if (page === undefined || !isWellFormed(page)) return undefined;
    for (let at = lastNotAbove(page, bound); at >= 0; at--) {
      if (entryMinIndex(page, at) >= leafCount) continue;
      if (isLeafPage(page)) {
        const isEqual = compareKeyAt(page, entryOffset(page, at), key) === 0;
        return { index: entryTarget(page, at), isEqual };
      }
      const found = await search(entryTarget(page, at), bound);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(INDEX_ROOT, key);
}
