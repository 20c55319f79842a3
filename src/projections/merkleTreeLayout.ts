/**
 * How the state tree lies in its store: keys and values, nothing else. Tree pages are groups of three binary levels (spec:
 * merkle-tree 4). A page is written once per version that changes it and never again; its parent knows its newest version.
 * Versions come first in the keys, so that writes go to the end of the store. The key index is kept for the newest version
 * only: a key counts at an older one if its leaf index is below that version's leaf count, as indices are given in order.
 */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import type { StateTreeVersion } from './merkleTreeReader.ts';
import { MERKLE_TREE } from '../store/buckets.ts';

export const HASH_BYTES = 32;
export const U48_BYTES = 6;
/** Children of a page, of one level of pages above another. */
export const RADIX = 8;
/** Binary levels a page covers. */
export const PAGE_HEIGHT = 3;
/** key, value, u64 little-endian next: exactly what is hashed. */
export const LEAF_BYTES = 72;
export const NEXT_OFFSET = 64;
/** Hashes of all children come first, then the versions in which they were written. */
const CHILD_BYTES = HASH_BYTES + U48_BYTES;

const U16 = 0x1_0000;
const U32 = 0x1_0000_0000;

/** What is stored of a version besides its pages. */
export interface VersionRecord extends StateTreeVersion {
  /** In which version the top page was written. */
  readonly topVersion: number;
  /** BLAKE2s(history of the version before || root): equal exactly when all versions up to this one are equal. */
  readonly history: Bytes;
}

export function versionKey(version: number): Bytes {
  const key = new Uint8Array(1 + U48_BYTES);
  key[0] = MERKLE_TREE.version;
  writeU48(key, 1, version);
  return key;
}

/** `level` 0: eight leaves. */
export function pageKey(version: number, level: number, position: number): Bytes {
  const key = new Uint8Array(2 + 2 * U48_BYTES);
  key[0] = MERKLE_TREE.page;
  writeU48(key, 1, version);
  key[1 + U48_BYTES] = level;
  writeU48(key, 2 + U48_BYTES, position);
  return key;
}

export function indexPageKey(id: number): Bytes {
  const key = new Uint8Array(1 + U48_BYTES);
  key[0] = MERKLE_TREE.indexPage;
  writeU48(key, 1, id);
  return key;
}

export const INDEX_SIZE_KEY: Bytes = Uint8Array.of(MERKLE_TREE.indexSize);

export function encodeVersion(record: VersionRecord): Bytes {
  const bytes = new Uint8Array(2 * HASH_BYTES + 2 * U48_BYTES);
  bytes.set(record.root);
  bytes.set(record.history, HASH_BYTES);
  writeU48(bytes, 2 * HASH_BYTES, record.leafCount);
  writeU48(bytes, 2 * HASH_BYTES + U48_BYTES, record.topVersion);
  return bytes;
}

/** Throws STORE_DAMAGED. */
export function decodeVersion(bytes: Bytes, version: number): VersionRecord {
  if (bytes.length !== 2 * HASH_BYTES + 2 * U48_BYTES) throw damagedTree(`the record of version ${version} is damaged`);
  return {
    root: bytes.slice(0, HASH_BYTES),
    history: bytes.slice(HASH_BYTES, 2 * HASH_BYTES),
    leafCount: readU48(bytes, 2 * HASH_BYTES),
    topVersion: readU48(bytes, 2 * HASH_BYTES + U48_BYTES),
  };
}

export function readU48(bytes: Bytes, offset: number): number {
  const high = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  const middle = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
  const low = ((bytes[offset + 4] ?? 0) << 8) | (bytes[offset + 5] ?? 0);
  return high * U32 + middle * U16 + low;
}

export function writeU48(bytes: Bytes, offset: number, value: number): void {
  const high = Math.floor(value / U32);
  bytes[offset] = high >>> 8;
  bytes[offset + 1] = high;
  bytes[offset + 2] = value >>> 24;
  bytes[offset + 3] = value >>> 16;
  bytes[offset + 4] = value >>> 8;
  bytes[offset + 5] = value;
}

export function childCount(page: Bytes, level: number): number {
  return page.length / (level === 0 ? LEAF_BYTES : CHILD_BYTES);
}

export function childHash(page: Bytes, slot: number): Bytes {
  return page.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES);
}

export function childVersion(page: Bytes, slot: number): number {
  return readU48(page, (page.length / CHILD_BYTES) * HASH_BYTES + slot * U48_BYTES);
}

export function leafKey(page: Bytes, slot: number): Bytes {
  return page.subarray(slot * LEAF_BYTES, slot * LEAF_BYTES + HASH_BYTES);
}

export function leafValue(page: Bytes, slot: number): Bytes {
  return page.subarray(slot * LEAF_BYTES + HASH_BYTES, slot * LEAF_BYTES + 2 * HASH_BYTES);
}

export function leafNext(page: Bytes, slot: number): number {
  const at = slot * LEAF_BYTES + NEXT_OFFSET;
  return u32le(page, at) + u32le(page, at + 4) * U32;
}

export function u32le(bytes: Bytes, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return (low | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

/** Levels of pages of a tree with so many leaves; what is above has only empty right sides. */
export function pageLevels(leafCount: number): number {
  let levels = 1;
  for (let capacity = RADIX; capacity < leafCount; capacity *= RADIX) levels += 1;
  return levels;
}

/** Pages on a level, and children of the last one, of a tree with so many leaves. */
export function pagesOnLevel(leafCount: number, level: number): number {
  return Math.ceil(leafCount / RADIX ** (level + 1));
}

/** Children a page has in a tree with so many leaves. */
export function childrenOf(leafCount: number, level: number, position: number): number {
  const below = Math.ceil(leafCount / RADIX ** level);
  return Math.min(RADIX, below - position * RADIX);
}

export function damagedTree(what: string, facts: Readonly<Record<string, unknown>> = {}): NodeError {
  return new NodeError(
    'fatal',
    `the merkleTree store is damaged: ${what}. Build it again from the log with \`reprise rebuild merkleTree\`.`,
    { ...facts, code: 'STORE_DAMAGED' },
  );
}

export function encodeIndexSize(pages: number): Bytes {
  const bytes = new Uint8Array(U48_BYTES);
  writeU48(bytes, 0, pages);
  return bytes;
}

/** Pages of the key index. Throws STORE_DAMAGED. */
export function decodeIndexSize(bytes: Bytes | undefined): number {
  if (bytes?.length !== U48_BYTES) throw damagedTree('the size of the key index is missing or damaged');
  return readU48(bytes, 0);
}
