/** State in memory for tests of the VM and of everything that drives it: follows blocks, and forgets on demand. */
import { bytesKey, keyBytes } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import {
  accountRecordHash,
  decodeAccountRecord,
  deployedAccountFields,
  EMPTY_ACCOUNT_RECORD,
  encodeAccountRecord,
  StoredAccountRecord,
  storedCode,
} from '../../src/protocol/accountRecord.ts';
import type { AccountRecord } from '../../src/protocol/accountRecord.ts';
import type { BlockOutput } from '../../src/protocol/blockOutput.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { blake2s256 } from '../../src/common/hash.ts';
import { ABSENT, slotAnswer } from '../../src/vm/loadedState.ts';
import type { LoadedState, MissingKey } from '../../src/vm/loadedState.ts';
import { wordToBytes } from '../../src/vm/words.ts';
import type { Words } from '../../src/vm/words.ts';

/** Numbers in [0, 1) that depend on the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function keyOf(key: MissingKey): string {
  switch (key.kind) {
    case 'account':
      return `a${bytesKey(key.address)}`;
    case 'slot':
      return `s${bytesKey(key.address)}${bytesKey(key.slot)}`;
    case 'preimage':
      return `p${bytesKey(key.hash)}`;
  }
}

export interface AccountOptions {
  readonly balance?: bigint;
  readonly nonce?: bigint;
  readonly code?: Bytes;
  readonly slots?: readonly (readonly [slot: Bytes, value: Bytes])[];
}

export class TestState implements LoadedState {
  /** Records by address key, values by address and slot key, bytes by hash key. */
  readonly records = new Map<string, Bytes>();
  readonly values = new Map<string, Bytes>();
  readonly preimages = new Map<string, Bytes>();
  /** How many questions were answered with "not in memory". */
  misses = 0;
  readonly #missProbability: number;
  readonly #random: () => number;
  readonly #granted = new Set<string>();

  /** With a probability above 0 a key is missing at times, until `load` has brought it for one answer. */
  constructor(options: { missProbability?: number; seed?: number } = {}) {
    this.#missProbability = options.missProbability ?? 0;
    this.#random = seededRandom(options.seed ?? 1);
  }

  #isMissing(key: MissingKey): boolean {
    if (this.#missProbability === 0 || this.#random() >= this.#missProbability) return false;
    if (this.#granted.delete(keyOf(key))) return false;
    this.misses += 1;
    return true;
  }

  load(keys: readonly MissingKey[]): void {
    for (const key of keys) this.#granted.add(keyOf(key));
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined {
    if (this.#isMissing({ kind: 'account', address })) return undefined;
    const record = this.records.get(bytesKey(address));
    return record === undefined ? ABSENT : new StoredAccountRecord(record);
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    const slot = wordToBytes(words, at);
    if (this.#isMissing({ kind: 'slot', address, slot })) return undefined;
    return slotAnswer(this.value(address, slot) ?? ABSENT, value);
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined {
    if (this.#isMissing({ kind: 'preimage', hash })) return undefined;
    return this.preimages.get(bytesKey(hash)) ?? ABSENT;
  }

  /** Puts an account there, in place of any record it had; slots are added. */
  put(address: Bytes, options: AccountOptions): this {
    const { balance = 0n, nonce = 0n, code, slots = [] } = options;
    let record: AccountRecord = { ...EMPTY_ACCOUNT_RECORD, balance, nonce };
    if (code !== undefined) {
      const stored = storedCode(code);
      record = { ...record, ...deployedAccountFields(code, stored) };
      this.preimages.set(bytesKey(record.bytecodeHash), stored);
    }
    this.putRecord(address, encodeAccountRecord(record));
    for (const [slot, value] of slots) this.values.set(bytesKey(address) + bytesKey(slot), value);
    return this;
  }

  putRecord(address: Bytes, record: Bytes): void {
    this.records.set(bytesKey(address), record);
    this.preimages.set(bytesKey(accountRecordHash(record)), record);
  }

  /** Raw code as the force deployer reads it; answers its hash. */
  putRawCode(code: Bytes): Bytes {
    const hash = blake2s256(code);
    this.preimages.set(bytesKey(hash), code);
    return hash;
  }

  /** The record, absent ones as empty. */
  record(address: Bytes): AccountRecord {
    const bytes = this.records.get(bytesKey(address));
    return bytes === undefined ? EMPTY_ACCOUNT_RECORD : decodeAccountRecord(bytes);
  }

  value(address: Bytes, slot: Bytes): Bytes | undefined {
    return this.values.get(bytesKey(address) + bytesKey(slot));
  }

  /** The state after a block. */
  apply(output: BlockOutput): void {
    for (const write of output.writes) {
      if (bytesKey(write.address) === bytesKey(ACCOUNT_PROPERTIES_ADDRESS) && write.accountRecord !== undefined) {
        this.records.set(bytesKey(write.slot.subarray(12)), write.accountRecord);
      } else {
        this.values.set(bytesKey(write.address) + bytesKey(write.slot), write.value);
      }
    }
    for (const { hash, bytes } of output.preimages) this.preimages.set(bytesKey(hash), bytes);
  }

  /** An independent copy, with another habit of forgetting. */
  copy(options: { missProbability?: number; seed?: number } = {}): TestState {
    const copy = new TestState(options);
    for (const [key, value] of this.records) copy.records.set(key, value);
    for (const [key, value] of this.values) copy.values.set(key, value);
    for (const [key, value] of this.preimages) copy.preimages.set(key, value);
    return copy;
  }

  /** Addresses with a record. */
  addresses(): Bytes[] {
    return [...this.records.keys()].map(keyBytes);
  }
}
