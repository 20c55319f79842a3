/** The state that one simulated call sees: a block's state with the request's overrides on top, loaded as it is asked for. */
import type { Bytes } from '../common/bytes.ts';
import { bytesKey } from '../common/bytes.ts';
import type { AccountRecord } from '../protocol/accountRecord.ts';
import {
  EMPTY_ACCOUNT_RECORD,
  StoredAccountRecord,
  decodeAccountRecord,
  deployedAccountFields,
  encodeAccountRecord,
  storedCode,
} from '../protocol/accountRecord.ts';
import type { LoadedState, MissingKey } from '../vm/loadedState.ts';
import { ABSENT, slotAnswer } from '../vm/loadedState.ts';
import { wordToBytes } from '../vm/words.ts';
import type { Words } from '../vm/words.ts';
import type { StateAtBlock, StateOverride } from './backend.ts';

const PREIMAGE_CACHE_BYTES = 64 * 1024 * 1024;

type Loaded = Bytes | typeof ABSENT;

/** Preimages never change: kept over calls, the least recently used go first. */
export class PreimageCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Bytes>();
  #bytes = 0;

  constructor(maxBytes: number = PREIMAGE_CACHE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): Bytes | undefined {
    const bytes = this.#entries.get(key);
    if (bytes === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, bytes);
    return bytes;
  }

  set(key: string, bytes: Bytes): void {
    if (this.#entries.has(key) || bytes.length > this.#maxBytes) return;
    this.#entries.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#entries.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}

interface OverriddenAccount {
  readonly fields: Partial<AccountRecord>;
  /** Values by slot; undefined: none. */
  readonly slots: ReadonlyMap<string, Bytes> | undefined;
  readonly replacesStorage: boolean;
}

const NO_CODE = {
  versioning: EMPTY_ACCOUNT_RECORD.versioning,
  bytecodeHash: EMPTY_ACCOUNT_RECORD.bytecodeHash,
  unpaddedCodeLength: 0,
  artifactsLength: 0,
  observableBytecodeHash: EMPTY_ACCOUNT_RECORD.observableBytecodeHash,
  observableBytecodeLength: 0,
};

export class CallState implements LoadedState {
  readonly #state: StateAtBlock;
  readonly #blockNumber: number;
  readonly #cache: PreimageCache;
  readonly #overrides = new Map<string, OverriddenAccount>();
  readonly #accounts = new Map<string, StoredAccountRecord | typeof ABSENT>();
  readonly #slots = new Map<string, Loaded>();
  readonly #preimages = new Map<string, Loaded>();

  constructor(options: {
    readonly state: StateAtBlock;
    readonly blockNumber: number;
    readonly overrides: readonly StateOverride[];
    readonly cache: PreimageCache;
  }) {
    this.#state = options.state;
    this.#blockNumber = options.blockNumber;
    this.#cache = options.cache;
    for (const override of options.overrides) this.#override(override);
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined {
    return this.#accounts.get(bytesKey(address));
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    return slotAnswer(this.#slot(bytesKey(address), bytesKey(wordToBytes(words, at))), value);
  }

  #slot(account: string, slotKey: string): Loaded | undefined {
    const override = this.#overrides.get(account);
    if (override !== undefined) {
      const value = override.slots?.get(slotKey);
      if (value !== undefined) return value;
      if (override.replacesStorage) return ABSENT;
    }
    return this.#slots.get(account + slotKey);
  }

  preimage(hash: Bytes): Loaded | undefined {
    const key = bytesKey(hash);
    return this.#preimages.get(key) ?? this.#cache.get(key);
  }

  /** Reads the keys; afterwards this state answers them. */
  async load(keys: readonly MissingKey[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#load(key)));
  }

  async #load(key: MissingKey): Promise<void> {
    switch (key.kind) {
      case 'account': {
        const address = bytesKey(key.address);
        const stored = await this.#state.account(key.address, this.#blockNumber);
        this.#accounts.set(address, this.#overridden(address, stored) ?? ABSENT);
        return;
      }
      case 'slot': {
        const value = await this.#state.slot(key.address, key.slot, this.#blockNumber);
        this.#slots.set(bytesKey(key.address) + bytesKey(key.slot), value ?? ABSENT);
        return;
      }
      case 'preimage': {
        const hash = bytesKey(key.hash);
        const bytes = await this.#state.preimage(key.hash);
        this.#preimages.set(hash, bytes ?? ABSENT);
        if (bytes !== undefined) this.#cache.set(hash, bytes);
      }
    }
  }

  #overridden(address: string, stored: Bytes | undefined): StoredAccountRecord | undefined {
    const override = this.#overrides.get(address);
    if (override === undefined || Object.keys(override.fields).length === 0)
      return stored && new StoredAccountRecord(stored);
    const record = stored === undefined ? EMPTY_ACCOUNT_RECORD : decodeAccountRecord(stored);
    return new StoredAccountRecord(encodeAccountRecord({ ...record, ...override.fields }));
  }

  #override({ address, balance, nonce, code, state, stateDiff }: StateOverride): void {
    const slots = state ?? stateDiff;
    this.#overrides.set(bytesKey(address), {
      fields: {
        ...(balance === undefined ? {} : { balance }),
        ...(nonce === undefined ? {} : { nonce }),
        ...(code === undefined ? {} : this.#codeFields(code)),
      },
      slots: slots && new Map(slots.map(([slot, value]) => [bytesKey(slot), value])),
      replacesStorage: state !== undefined,
    });
  }

  #codeFields(code: Bytes): Partial<AccountRecord> {
    if (code.length === 0) return NO_CODE;
    const stored = storedCode(code);
    const fields = deployedAccountFields(code, stored);
    this.#preimages.set(bytesKey(fields.bytecodeHash), stored);
    return fields;
  }
}
