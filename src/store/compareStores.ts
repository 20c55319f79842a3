/** Two stores side by side in the order of their keys, with the first key where they differ (`reprise verify`). */
import { type Bytes, bytesKey, compareBytes, equalBytes } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import type { KeyValueStore } from './keyValueStore.ts';

export interface StoreDifference {
  readonly key: Bytes;
  /** undefined: the store lacks the key. */
  readonly stored: Bytes | undefined;
  /** undefined: the store has a key that it should not have. */
  readonly expected: Bytes | undefined;
}

export interface StoreComparison {
  /** Of the store that was checked. */
  readonly keys: number;
  /** Keys that one side lacks or that have another value. */
  readonly differences: number;
  readonly first: StoreDifference | undefined;
}

export interface CompareOptions {
  /** Keys that may differ. */
  readonly exclude?: readonly Bytes[];
  /** Called after every key. */
  readonly progress?: (keys: number) => void;
  readonly signal?: AbortSignal;
}

type Entries = AsyncIterator<readonly [key: Bytes, value: Bytes]>;
type Entry = readonly [key: Bytes, value: Bytes] | undefined;

/** Reads both once and keeps one difference, however many there are. What a store throws passes through. */
export async function compareStores(
  stored: Pick<KeyValueStore, 'range'>,
  expected: Pick<KeyValueStore, 'range'>,
  { exclude = [], progress, signal }: CompareOptions = {},
): Promise<StoreComparison> {
  const excluded = new Set(exclude.map(bytesKey));
  const turns = new Turns();
  const [left, right] = [stored, expected].map((store) => store.range({})[Symbol.asyncIterator]()) as [
    Entries,
    Entries,
  ];
  let keys = 0;
  let differences = 0;
  let first: StoreDifference | undefined;
  let [a, b] = [await next(left), await next(right)];
  while (a !== undefined || b !== undefined) {
    signal?.throwIfAborted();
    const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(a[0], b[0]);
    const ofStored = order <= 0 ? a : undefined;
    const ofExpected = order >= 0 ? b : undefined;
    const key = ofStored?.[0] ?? ofExpected?.[0];
    if (key !== undefined && !excluded.has(bytesKey(key)) && !isSame(ofStored, ofExpected)) {
      differences += 1;
      first ??= { key, stored: ofStored?.[1], expected: ofExpected?.[1] };
    }
    if (ofStored !== undefined) {
      keys += 1;
      progress?.(keys);
      a = await next(left);
    }
    if (ofExpected !== undefined) b = await next(right);
    await turns.due();
  }
  return { keys, differences, first };
}

async function next(entries: Entries): Promise<Entry> {
  const step = await entries.next();
  return step.done === true ? undefined : step.value;
}

function isSame(a: Entry, b: Entry): boolean {
  return a !== undefined && b !== undefined && equalBytes(a[1], b[1]);
}
