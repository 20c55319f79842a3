/**
 * State in memory for execution: a bounded cache of accepted state, and layers of writes of blocks that are built but
 * not yet accepted on top of it. Owned by the chain worker.
 */
import { bytesKey, equalBytes, type Bytes } from '../common/bytes.ts';
import { StoredAccountRecord } from '../protocol/accountRecord.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { ABSENT, type LoadedState, type MissingKey } from '../vm/loadedState.ts';
import { LIMBS, readBytes } from '../vm/words.ts';
import type { Words } from '../vm/words.ts';
import { SlotStore } from './slotStore.ts';

/** Reads of accepted state, in one batch. `undefined`: absent. */
export interface StateSource {
  readState(keys: readonly MissingKey[]): Promise<readonly (Bytes | undefined)[]>;
}

/** What one block changed. */
export interface StateLayer {
  readonly height: number;
  /** By `bytesKey` of the address. */
  readonly accounts: ReadonlyMap<string, StoredAccountRecord>;
  readonly slots: SlotStore;
  /** By `bytesKey` of the hash; those of account records are left out. */
  readonly preimages: ReadonlyMap<string, Bytes>;
}

export function stateLayer(height: number, output: Pick<BlockOutput, 'writes' | 'preimages'>): StateLayer {
  const accounts = new Map<string, StoredAccountRecord>();
  const slots = new SlotStore();
  const records = new Set<string>();
  for (const { address, slot, value, accountRecord } of output.writes) {
    if (equalBytes(address, ACCOUNT_PROPERTIES_ADDRESS)) {
      if (accountRecord !== undefined)
        accounts.set(bytesKey(slot.subarray(12)), new StoredAccountRecord(accountRecord));
      records.add(bytesKey(value));
    } else {
      slots.writeBytes(address, slot, value);
    }
  }
  const preimages = new Map<string, Bytes>();
  for (const { hash, bytes } of output.preimages) {
    const key = bytesKey(hash);
    if (!records.has(key)) preimages.set(key, bytes);
  }
  return { height, accounts, slots, preimages };
}

class Generation {
  readonly accounts = new Map<string, StoredAccountRecord | typeof ABSENT>();
  readonly slots = new SlotStore();
  readonly preimages = new Map<string, Bytes | typeof ABSENT>();
  #preimageBytes = 0;

  putPreimage(key: string, value: Bytes | typeof ABSENT): void {
    this.preimages.set(key, value);
    if (value !== ABSENT) this.#preimageBytes += value.length;
  }

  isFull({ entries, preimageBytes }: StateCacheLimits): boolean {
    return (
      this.accounts.size + this.slots.size + this.preimages.size >= entries || this.#preimageBytes >= preimageBytes
    );
  }

  clear(): void {
    this.accounts.clear();
    this.slots.clear();
    this.preimages.clear();
    this.#preimageBytes = 0;
  }
}

/** Of each of the two generations. */
export interface StateCacheLimits {
  readonly entries: number;
  readonly preimageBytes: number;
}

/** So many entries and a block fit a slot store without growing once more. */
const LIMITS: StateCacheLimits = { entries: 250_000, preimageBytes: 128 * 1024 * 1024 };

/** Two generations: when the young one is full it becomes the old one and the old one is dropped; a hit moves up. */
export class StateCache {
  readonly #source: StateSource;
  readonly #limits: StateCacheLimits;
  #young = new Generation();
  #old = new Generation();
  readonly #slot: Words = new Uint32Array(LIMBS);
  readonly #value: Words = new Uint32Array(LIMBS);

  constructor(source: StateSource, limits: Partial<StateCacheLimits> = {}) {
    this.#source = source;
    this.#limits = { ...LIMITS, ...limits };
  }

  account(key: string): StoredAccountRecord | typeof ABSENT | undefined {
    const young = this.#young.accounts.get(key);
    if (young !== undefined) return young;
    const old = this.#old.accounts.get(key);
    if (old !== undefined) this.#roomy().accounts.set(key, old);
    return old;
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    const young = this.#young.slots.read(address, words, at, value);
    if (young !== undefined) return young;
    const old = this.#old.slots.read(address, words, at, value);
    if (old !== undefined) this.#roomy().slots.write(address, words, at, old ? value : undefined);
    return old;
  }

  preimage(key: string): Bytes | typeof ABSENT | undefined {
    const young = this.#young.preimages.get(key);
    if (young !== undefined) return young;
    const old = this.#old.preimages.get(key);
    if (old !== undefined) this.#roomy().putPreimage(key, old);
    return old;
  }

  /** The block was accepted: its writes are accepted state from now on. Call before the store is written, so that a read under way cannot bring back an older value. */
  apply({ accounts, slots, preimages }: StateLayer): void {
    for (const [key, record] of accounts) this.#roomy().accounts.set(key, record);
    this.#roomy().slots.writeAll(slots);
    for (const [key, bytes] of preimages) this.#roomy().putPreimage(key, bytes);
  }

  /** Brings these keys into memory. What is there already stays. */
  async load(keys: readonly MissingKey[]): Promise<void> {
    const values = await this.#source.readState(keys);
    keys.forEach((missing, index) => this.#add(missing, values[index]));
  }

  /** State with these layers, oldest first, on top of what is accepted. */
  view(layers: readonly StateLayer[]): StateView {
    return new StateView(this, layers);
  }

  #add(missing: MissingKey, value: Bytes | undefined): void {
    switch (missing.kind) {
      case 'account': {
        const key = bytesKey(missing.address);
        if (this.account(key) === undefined)
          this.#roomy().accounts.set(key, value === undefined ? ABSENT : new StoredAccountRecord(value));
        return;
      }
      case 'slot':
        readBytes(missing.slot, 0, 32, this.#slot, 0);
        if (this.slot(missing.address, this.#slot, 0, this.#value) === undefined)
          this.#roomy().slots.writeBytes(missing.address, missing.slot, value);
        return;
      case 'preimage': {
        const key = bytesKey(missing.hash);
        if (this.preimage(key) === undefined) this.#roomy().putPreimage(key, value ?? ABSENT);
      }
    }
  }

  /** The young generation, with room in it. */
  #roomy(): Generation {
    if (this.#young.isFull(this.#limits)) {
      const dropped = this.#old;
      dropped.clear();
      this.#old = this.#young;
      this.#young = dropped;
    }
    return this.#young;
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
    const key = bytesKey(address);
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const record = this.#layers[i]?.accounts.get(key);
      if (record !== undefined) return record;
    }
    return this.#cache.account(key);
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const answer = this.#layers[i]?.slots.read(address, words, at, value);
      if (answer !== undefined) return answer;
    }
    return this.#cache.slot(address, words, at, value);
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined {
    const key = bytesKey(hash);
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const bytes = this.#layers[i]?.preimages.get(key);
      if (bytes !== undefined) return bytes;
    }
    return this.#cache.preimage(key);
  }

  /** Those of the keys that are not in memory. */
  missing(keys: readonly MissingKey[]): readonly MissingKey[] {
    return keys.filter((key) => !this.#has(key));
  }

  load(keys: readonly MissingKey[]): Promise<void> {
    return this.#cache.load(keys);
  }

  #has(key: MissingKey): boolean {
    switch (key.kind) {
      case 'account':
        return this.account(key.address) !== undefined;
      case 'slot':
        readBytes(key.slot, 0, 32, slotWord, 0);
        return this.slot(key.address, slotWord, 0, slotValue) !== undefined;
      case 'preimage':
        return this.preimage(key.hash) !== undefined;
    }
  }
}

// Filled anew by every look-up.
const slotWord: Words = new Uint32Array(LIMBS);
const slotValue: Words = new Uint32Array(LIMBS);
