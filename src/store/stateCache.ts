/**
 * State in memory for execution: a bounded cache of accepted state, and layers of writes of blocks that are built but
 * not yet accepted on top of it. Owned by the chain worker.
 */
import { bytesKey, type Bytes } from '../common/bytes.ts';
import { StoredAccountRecord } from '../protocol/accountRecord.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { ABSENT, type LoadedState, type MissingKey } from '../vm/loadedState.ts';
import { equalBytes } from '../common/bytes.ts';

/** Of an account its record. */
type Value = StoredAccountRecord | Bytes;
type Found = Value | typeof ABSENT;

/** Reads of accepted state, in one batch. `undefined`: absent. */
export interface StateSource {
  readState(keys: readonly MissingKey[]): Promise<readonly (Bytes | undefined)[]>;
}

/** Keys of one map: their lengths differ (20, 52 and 32 characters), so they cannot collide. */
const accountKey = (address: Bytes): string => bytesKey(address);
const slotKey = (address: Bytes, slot: Bytes): string => bytesKey(address) + bytesKey(slot);
const preimageKey = (hash: Bytes): string => bytesKey(hash);

function keyOf(missing: MissingKey): string {
  if (missing.kind === 'account') return accountKey(missing.address);
  return missing.kind === 'slot' ? slotKey(missing.address, missing.slot) : preimageKey(missing.hash);
}

function found({ kind }: MissingKey, value: Bytes | undefined): Found {
  if (value === undefined) return ABSENT;
  return kind === 'account' ? new StoredAccountRecord(value) : value;
}

/** What one block changed. */
export interface StateLayer {
  readonly height: number;
  readonly values: ReadonlyMap<string, Value>;
}

export function stateLayer(height: number, output: Pick<BlockOutput, 'writes' | 'preimages'>): StateLayer {
  const values = new Map<string, Value>();
  const records = new Set<string>();
  for (const write of output.writes) {
    if (equalBytes(write.address, ACCOUNT_PROPERTIES_ADDRESS)) {
      if (write.accountRecord !== undefined)
        values.set(accountKey(write.slot.subarray(12)), new StoredAccountRecord(write.accountRecord));
      records.add(preimageKey(write.value));
    } else {
      values.set(slotKey(write.address, write.slot), write.value);
    }
  }
  for (const { hash, bytes } of output.preimages) {
    const key = preimageKey(hash);
    if (!records.has(key)) values.set(key, bytes);
  }
  return { height, values };
}

/** Two generations: when the young one is full it becomes the old one and the old one is dropped; a hit moves up. */
export class StateCache {
  readonly #source: StateSource;
  readonly #capacity: number;
  #young = new Map<string, Found>();
  #old = new Map<string, Found>();

  /** @param capacity entries in each of the two generations */
  constructor(source: StateSource, capacity = 300_000) {
    this.#source = source;
    this.#capacity = capacity;
  }

  get(key: string): Found | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.#put(key, old);
    return old;
  }

  /** The block was accepted: its writes are accepted state from now on. Call before the store is written, so that a read under way cannot bring back an older value. */
  apply(layer: StateLayer): void {
    for (const [key, value] of layer.values) this.#put(key, value);
  }

  /** Brings these keys into memory. What is there already stays. */
  async load(keys: readonly MissingKey[]): Promise<void> {
    const values = await this.#source.readState(keys);
    keys.forEach((missing, index) => {
      const key = keyOf(missing);
      if (this.get(key) === undefined) this.#put(key, found(missing, values[index]));
    });
  }

  /** State with these layers, oldest first, on top of what is accepted. */
  view(layers: readonly StateLayer[]): StateView {
    return new StateView(this, layers);
  }

  #put(key: string, value: Found): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

export class StateView implements LoadedState {
  readonly #cache: StateCache;
  readonly #layers: readonly StateLayer[];

  constructor(cache: StateCache, layers: readonly StateLayer[]) {
    this.#cache = cache;
    this.#layers = layers;
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined {
    return this.#get(accountKey(address)) as StoredAccountRecord | typeof ABSENT | undefined;
  }

  slot(address: Bytes, slot: Bytes): Bytes | typeof ABSENT | undefined {
    return this.#get(slotKey(address, slot)) as Bytes | typeof ABSENT | undefined;
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined {
    return this.#get(preimageKey(hash)) as Bytes | typeof ABSENT | undefined;
  }

  /** Those of the keys that are not in memory. */
  missing(keys: readonly MissingKey[]): readonly MissingKey[] {
    return keys.filter((key) => this.#get(keyOf(key)) === undefined);
  }

  load(keys: readonly MissingKey[]): Promise<void> {
    return this.#cache.load(keys);
  }

  #get(key: string): Found | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const value = this.#layers[i]?.values.get(key);
      if (value !== undefined) return value;
    }
    return this.#cache.get(key);
  }
}
