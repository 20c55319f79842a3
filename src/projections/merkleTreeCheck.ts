/**
 * The consistency check of the stored state tree: walks one version from its root to every leaf and the key index from
 * its first key to its last, and names the first thing that is wrong (spec: merkle-tree 1, 2).
 */
import { type Bytes, compareBytes, equalBytes, isZero, toHex, ZERO_32 } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import { MAX_GUARD_KEY, MIN_GUARD_KEY } from '../protocol/stateTree.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { historyAfter, pageHash, rootAbove } from './merkleTreeHash.ts';
import {
  entryCount,
  entryKey,
  entryMinIndex,
  entryTarget,
  INDEX_ROOT,
  isLeafPage,
  isWellFormed,
} from './merkleTreeIndex.ts';
import {
  childCount,
  childHash,
  childrenOf,
  childVersion,
  damagedTree,
  decodeIndexSize,
  decodeVersion,
  INDEX_SIZE_KEY,
  indexPageKey,
  leafKey,
  leafNext,
  leafValue,
  pageKey,
  pageLevels,
  RADIX,
  type VersionRecord,
  versionKey,
} from './merkleTreeLayout.ts';

const LAST_LEAF = 1;
/** More levels of index pages than any tree has. */
const INDEX_LEVELS_MAX = 16;

type ReadableStore = Pick<KeyValueStore, 'get' | 'getMany'>;

export interface CheckOptions {
  readonly signal?: AbortSignal;
  /** Called now and then. */
  readonly progress?: (leavesChecked: number, leaves: number) => void;
}

export interface CheckedTree {
  readonly root: Bytes;
  readonly leaves: number;
  readonly pages: number;
  readonly indexPages: number;
}

/**
 * Checks the version that a block left behind. Takes 12 bytes of memory a leaf. Throws STORE_DAMAGED that names the first
 * wrong record, page, leaf or link.
 */
export async function checkMerkleTree(
  store: ReadableStore,
  version: number,
  options: CheckOptions = {},
): Promise<CheckedTree> {
  const record = await readRecord(store, version);
  const before = version === 0 ? ZERO_32 : (await readRecord(store, version - 1)).history;
  if (!equalBytes(record.history, historyAfter(before, record.root)))
    throw damagedTree(`the record of version ${version} does not follow from that of version ${version - 1}`, {
      version,
    });
  if (record.leafCount < 2 || record.topVersion > version)
    throw damagedTree(`the record of version ${version} is impossible`, { version });
  const leaves = new CheckedLeaves(record.leafCount);
  const pages = await new PagesCheck(store, record, leaves, options).run();
  const isNewest = (await store.get(versionKey(version + 1))) === undefined;
  const indexPages = await new IndexCheck(store, leaves, isNewest, options).run();
  return { root: record.root, leaves: record.leafCount, pages, indexPages };
}

async function readRecord(store: ReadableStore, version: number): Promise<VersionRecord> {
  const bytes = await store.get(versionKey(version));
  if (bytes === undefined) throw damagedTree(`the record of version ${version} is missing`, { version });
  return decodeVersion(bytes, version);
}

/** What is remembered of every leaf until its neighbours are known. */
class CheckedLeaves {
  readonly count: number;
  readonly #nexts: Float64Array;
  readonly #keySums: Uint32Array;

  constructor(count: number) {
    this.count = count;
    this.#nexts = new Float64Array(count);
    this.#keySums = new Uint32Array(count);
  }

  set(index: number, key: Bytes, next: number): void {
    this.#nexts[index] = next;
    this.#keySums[index] = keySum(key);
  }

  next(index: number): number {
    return this.#nexts[index] ?? 0;
  }

  hasKey(index: number, key: Bytes): boolean {
    return this.#keySums[index] === keySum(key);
  }
}

/** Differs between any two keys that differ in one word. */
function keySum(key: Bytes): number {
  let sum = 0;
  for (let at = 0; at < key.length; at += 4) {
    const word = ((key[at] ?? 0) << 24) | ((key[at + 1] ?? 0) << 16) | ((key[at + 2] ?? 0) << 8) | (key[at + 3] ?? 0);
    sum = Math.imul(sum ^ word, 0x9e37_79b1);
  }
  return sum >>> 0;
}

class PagesCheck {
  readonly #store: ReadableStore;
  readonly #record: VersionRecord;
  readonly #leaves: CheckedLeaves;
  readonly #options: CheckOptions;
  readonly #turns = new Turns();
  #pages = 0;

  constructor(store: ReadableStore, record: VersionRecord, leaves: CheckedLeaves, options: CheckOptions) {
    this.#store = store;
    this.#record = record;
    this.#leaves = leaves;
    this.#options = options;
  }

  /** Number of pages. */
  async run(): Promise<number> {
    const { leafCount, root, topVersion } = this.#record;
    const levels = pageLevels(leafCount);
    const page = await this.#store.get(pageKey(topVersion, levels - 1, 0));
    const hash = await this.#check(page, levels - 1, 0, topVersion);
    if (!equalBytes(rootAbove(hash, levels), root))
      throw damagedTree(`the root does not follow from ${pageName(levels - 1, 0, topVersion)}`);
    return this.#pages;
  }

  /** Hash of the page, after checking everything below. */
  async #check(page: Bytes | undefined, level: number, position: number, version: number): Promise<Bytes> {
    this.#options.signal?.throwIfAborted();
    const name = pageName(level, position, version);
    if (page === undefined) throw damagedTree(`${name} is missing`);
    const count = childrenOf(this.#record.leafCount, level, position);
    if (childCount(page, level) !== count) throw damagedTree(`${name} has not the ${count} children it should have`);
    this.#pages += 1;
    if (level === 0) this.#checkLeaves(page, position);
    else await this.#checkChildren(page, level, position, version);
    await this.#turns.due();
    return pageHash(page, level);
  }

  async #checkChildren(page: Bytes, level: number, position: number, version: number): Promise<void> {
    const count = childCount(page, level);
    const versions = Array.from({ length: count }, (_, slot) => childVersion(page, slot));
    if (Math.max(...versions) !== version)
      throw damagedTree(`${pageName(level, position, version)} is not as new as the newest page below it`);
    const first = position * RADIX;
    const children = await this.#store.getMany(versions.map((child, slot) => pageKey(child, level - 1, first + slot)));
    for (let slot = 0; slot < count; slot++) {
      const hash = await this.#check(children[slot], level - 1, first + slot, versions[slot] ?? 0);
      if (!equalBytes(hash, childHash(page, slot)))
        throw damagedTree(
          `${pageName(level - 1, first + slot, versions[slot] ?? 0)} has not the hash that ${pageName(level, position, version)} says`,
        );
    }
  }

  #checkLeaves(page: Bytes, position: number): void {
    for (let slot = 0; slot < childCount(page, 0); slot++) {
      const index = position * RADIX + slot;
      const key = leafKey(page, slot);
      const next = leafNext(page, slot);
      if (index <= LAST_LEAF) checkGuard(index, page, slot);
      if (next >= this.#leaves.count) throw damagedTree(`leaf ${index} links to leaf ${next}, which does not exist`);
      this.#leaves.set(index, key, next);
    }
    this.#options.progress?.(Math.min(this.#leaves.count, (position + 1) * RADIX), this.#leaves.count);
  }
}

function checkGuard(index: number, page: Bytes, slot: number): void {
  const key = index === LAST_LEAF ? MAX_GUARD_KEY : MIN_GUARD_KEY;
  if (!equalBytes(leafKey(page, slot), key) || !isZero(leafValue(page, slot)))
    throw damagedTree(`leaf ${index} is not the guard it should be`);
}

function pageName(level: number, position: number, version: number): string {
  return `page ${position} of level ${level}, written in version ${version},`;
}

class IndexCheck {
  readonly #store: ReadableStore;
  readonly #leaves: CheckedLeaves;
  readonly #isNewest: boolean;
  readonly #options: CheckOptions;
  readonly #turns = new Turns();
  #pages = 0;
  #keys = 0;
  #lastKey: Bytes | undefined;
  /** Leaf before, in key order, of those the version has. */
  #lastIndex: number | undefined;

  constructor(store: ReadableStore, leaves: CheckedLeaves, isNewest: boolean, options: CheckOptions) {
    this.#store = store;
    this.#leaves = leaves;
    this.#isNewest = isNewest;
    this.#options = options;
  }

  /** Number of pages. */
  async run(): Promise<number> {
    await this.#check(await this.#store.get(indexPageKey(INDEX_ROOT)), INDEX_ROOT, 0);
    if (this.#lastIndex !== LAST_LEAF || this.#leaves.next(LAST_LEAF) !== LAST_LEAF)
      throw damagedTree('the last key of the index is not the last guard, or that does not link to itself');
    if (this.#keys !== this.#leaves.count)
      throw damagedTree(`the key index has ${this.#keys} keys of ${this.#leaves.count} leaves`);
    const size = decodeIndexSize(await this.#store.get(INDEX_SIZE_KEY));
    if (size !== this.#pages) throw damagedTree(`the key index has ${this.#pages} pages and says ${size}`);
    return this.#pages;
  }

  /** Lowest leaf index under the page. */
  async #check(page: Bytes | undefined, id: number, depth: number): Promise<number> {
    this.#options.signal?.throwIfAborted();
    if (page === undefined || !isWellFormed(page) || depth > INDEX_LEVELS_MAX)
      throw damagedTree(`page ${id} of the key index is missing or damaged`);
    this.#pages += 1;
    let lowest = Infinity;
    const count = entryCount(page);
    if (isLeafPage(page)) {
      for (let at = 0; at < count; at++) {
        this.#checkKey(entryKey(page, at), entryTarget(page, at));
        lowest = Math.min(lowest, entryTarget(page, at));
      }
      await this.#turns.due();
      return lowest;
    }
    const ids = Array.from({ length: count }, (_, at) => entryTarget(page, at));
    const children = await this.#store.getMany(ids.map(indexPageKey));
    for (let at = 0; at < count; at++) {
      const child = children[at];
      const childId = ids[at] ?? 0;
      const lowestBelow = await this.#check(child, childId, depth + 1);
      if (child === undefined || !equalBytes(entryKey(child, 0), entryKey(page, at)))
        throw damagedTree(`page ${childId} of the key index does not begin with the key that page ${id} says`);
      if (lowestBelow !== entryMinIndex(page, at))
        throw damagedTree(`page ${id} of the key index says a wrong lowest leaf of page ${childId}`);
      lowest = Math.min(lowest, lowestBelow);
    }
    return lowest;
  }

  #checkKey(key: Bytes, index: number): void {
    if (this.#lastKey !== undefined && compareBytes(this.#lastKey, key) >= 0)
      throw damagedTree(`the key index has ${toHex(key)} after ${toHex(this.#lastKey)}`);
    this.#lastKey = key;
    if (index >= this.#leaves.count) {
      if (!this.#isNewest) return;
      throw damagedTree(`the key index has leaf ${index}, which does not exist, for ${toHex(key)}`);
    }
    if (!this.#leaves.hasKey(index, key))
      throw damagedTree(`leaf ${index} has another key than ${toHex(key)}, which the key index says`);
    if (this.#lastIndex !== undefined && this.#leaves.next(this.#lastIndex) !== index)
      throw damagedTree(
        `leaf ${this.#lastIndex} links to leaf ${this.#leaves.next(this.#lastIndex)}, but the next key is that of leaf ${index}`,
      );
    this.#lastIndex = index;
    this.#keys += 1;
  }
}
