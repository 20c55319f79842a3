/** Reads the versions of the stored tree. Pages never change once written; only the key index does, and it is checked. */
import type { Bytes } from '../common/bytes.ts';
import { compareBytes, equalBytes } from '../common/bytes.ts';
import { branchHash, EMPTY_LEAF, emptySubtreeHash, requireDataKey, TREE_DEPTH } from '../protocol/stateTree.ts';
import type { LeafProof, TreeLeaf } from '../protocol/stateTree.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { pageHash, siblingsInPage } from './merkleTreeHash.ts';
import { findKey } from './merkleTreeIndex.ts';
import {
  childCount,
  childrenOf,
  childVersion,
  damagedTree,
  decodeVersion,
  indexPageKey,
  leafKey,
  leafNext,
  leafValue,
  PAGE_HEIGHT,
  pageKey,
  pageLevels,
  pagesOnLevel,
  RADIX,
  type VersionRecord,
  versionKey,
} from './merkleTreeLayout.ts';
import type { KeyProof, MerkleTreeReader, StateTreeProofs, StateTreeVersion } from './merkleTreeReader.ts';

/** Times the key index is read again when it was changed meanwhile. */
const INDEX_READS_MAX = 5;

export class StoredTree implements MerkleTreeReader {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async version(block: number): Promise<StateTreeVersion | undefined> {
    const record = await this.#record(block);
    return record === undefined ? undefined : { root: record.root, leafCount: record.leafCount };
  }

  async proof(keys: readonly Bytes[], block: number): Promise<StateTreeProofs | undefined> {
    for (const key of keys) requireDataKey(key);
    const record = await this.#record(block);
    if (record === undefined) return undefined;
    const paths = new PathReader(this.#store, record);
    const proofs: KeyProof[] = [];
    for (const key of keys) proofs.push(await this.#keyProof(paths, key));
    return { root: record.root, leafCount: record.leafCount, proofs };
  }

  async leafProof(index: number, block: number): Promise<LeafProof | undefined> {
    if (!Number.isSafeInteger(index) || index < 0) throw new RangeError(`${index} is no leaf index`);
    const record = await this.#record(block);
    return record === undefined ? undefined : new PathReader(this.#store, record).proof(index);
  }

  async #record(block: number): Promise<VersionRecord | undefined> {
    const bytes = await this.#store.get(versionKey(block));
    return bytes === undefined ? undefined : decodeVersion(bytes, block);
  }

  async #keyProof(paths: PathReader, key: Bytes): Promise<KeyProof> {
    const { leafCount } = paths.record;
    for (let attempt = 0; attempt < INDEX_READS_MAX; attempt++) {
      const found = await findKey((id) => this.#store.get(indexPageKey(id)), key, leafCount);
      if (found === undefined) continue;
      const leaf = await paths.proof(found.index);
      if (found.isEqual && equalBytes(leaf.leaf.key, key)) return { kind: 'present', leaf };
      if (found.isEqual || compareBytes(leaf.leaf.key, key) >= 0) continue;
      const successor = await paths.proof(leaf.leaf.next);
      if (compareBytes(successor.leaf.key, key) > 0) return { kind: 'absent', predecessor: leaf, successor };
    }
    throw damagedTree('the key index does not fit the leaves', { leafCount });
  }
}

/** Pages of one version on the way to leaves, each read once. */
class PathReader {
  readonly record: VersionRecord;
  readonly #store: KeyValueStore;
  readonly #levels: number;
  readonly #pages = new Map<string, Bytes>();

  constructor(store: KeyValueStore, record: VersionRecord) {
    this.#store = store;
    this.record = record;
    this.#levels = pageLevels(record.leafCount);
  }

  /** The way to an index, which may lie past the end (spec: merkle-tree 6). */
  async proof(index: number): Promise<LeafProof> {
    const { leafCount } = this.record;
    const parts: Bytes[][] = [];
    let version = this.record.topVersion;
    let topHash: Bytes | undefined;
    let leaf: TreeLeaf = EMPTY_LEAF;
    for (let level = this.#levels - 1; level >= 0; level--) {
      const position = Math.floor(index / RADIX ** (level + 1));
      if (position >= pagesOnLevel(leafCount, level)) {
        parts.push(emptySiblings(level));
        continue;
      }
      const slot = Math.floor(index / RADIX ** level) % RADIX;
      const page = await this.#page(version, level, position);
      topHash ??= pageHash(page, level);
      parts.push(siblingsInPage(page, level, slot));
      if (slot >= childCount(page, level)) continue;
      if (level > 0) version = childVersion(page, slot);
      else leaf = leafAt(page, slot);
    }
    topHash ??= pageHash(await this.#page(version, this.#levels - 1, 0), this.#levels - 1);
    return { index, leaf, siblings: [...parts.reverse().flat(), ...siblingsAbove(index, topHash, this.#levels)] };
  }

  async #page(version: number, level: number, position: number): Promise<Bytes> {
    const key = `${level}/${position}`;
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const page = await this.#store.get(pageKey(version, level, position));
    if (page === undefined || childCount(page, level) !== childrenOf(this.record.leafCount, level, position))
      throw damagedTree(`page ${position} of level ${level} as of version ${version} is missing or damaged`);
    this.#pages.set(key, page);
    return page;
  }
}

function emptySiblings(level: number): Bytes[] {
  return Array.from({ length: PAGE_HEIGHT }, (_, round) => emptySubtreeHash(PAGE_HEIGHT * level + round).slice());
}

/** Above the top page there is nothing but that page's node, at position 0. */
function siblingsAbove(index: number, topHash: Bytes, levels: number): Bytes[] {
  const siblings: Bytes[] = [];
  let node = topHash;
  for (let level = PAGE_HEIGHT * levels; level < TREE_DEPTH; level++) {
    const empty = emptySubtreeHash(level);
    siblings.push(Math.floor(index / 2 ** level) === 1 ? node : empty.slice());
    node = branchHash(node, empty);
  }
  return siblings;
}

function leafAt(page: Bytes, slot: number): TreeLeaf {
  return { key: leafKey(page, slot).slice(), value: leafValue(page, slot).slice(), next: leafNext(page, slot) };
}
