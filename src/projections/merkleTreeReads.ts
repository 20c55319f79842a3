/** Batched reads of pages, in parts that the engine's threads share. */
import type { Bytes } from '../common/bytes.ts';
import type { StoreTx } from './projection.ts';

const PART_KEYS = 1_024;
const PARTS_AT_ONCE = 4;

export async function getPages(
  tx: Pick<StoreTx, 'getMany'>,
  keys: readonly Bytes[],
): Promise<readonly (Bytes | undefined)[]> {
  if (keys.length <= PART_KEYS) return keys.length === 0 ? [] : tx.getMany(keys);
  const pages: (Bytes | undefined)[] = [];
  for (let from = 0; from < keys.length; from += PART_KEYS * PARTS_AT_ONCE) {
    const parts: Promise<(Bytes | undefined)[]>[] = [];
    for (let part = 0; part < PARTS_AT_ONCE; part++) {
      const start = from + part * PART_KEYS;
      if (start < keys.length) parts.push(tx.getMany(keys.slice(start, start + PART_KEYS)));
    }
    for (const part of await Promise.all(parts)) for (const page of part) pages.push(page);
  }
  return pages;
}
