/** One hash over a whole store: two nodes, or a live and a rebuilt projection, hold the same exactly when it is equal. */
import { createBLAKE2s } from 'hash-wasm';
import { bytesKey, toHex, u32be, type Bytes } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import type { KeyValueStore, RangeOptions } from './keyValueStore.ts';

export interface StoreDigest {
  readonly keys: number;
  /** BLAKE2s-256 over every length, key, length, value in order, as hex. */
  readonly hash: `0x${string}`;
}

/**
 * Reads everything once, in order, with turns for the event loop. `exclude`: keys that may differ between nodes, such as
 * a checkpoint with positions of a log.
 */
export async function digest(
  store: KeyValueStore,
  options: {
    readonly exclude?: readonly Bytes[];
    /** In this order; default: everything. */ readonly ranges?: readonly RangeOptions[];
  } = {},
): Promise<StoreDigest> {
  const excluded = new Set((options.exclude ?? []).map(bytesKey));
  const hasher = await createBLAKE2s(256);
  const turns = new Turns();
  hasher.init();
  let keys = 0;
  for (const range of options.ranges ?? [{}]) {
    for await (const [key, value] of store.range(range)) {
      if (excluded.has(bytesKey(key))) continue;
      hasher.update(u32be(key.length)).update(key).update(u32be(value.length)).update(value);
      keys += 1;
      await turns.due();
    }
  }
  return { keys, hash: toHex(hasher.digest('binary')) };
}
