/**
 * State for `@ethereumjs/vm` in plain maps with an undo journal: the cheapest one its interface allows. A checkpoint is a
 * number, a commit drops it, a revert undoes what came after it.
 */
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common';
import { Account, type Address } from '@ethereumjs/util';
import { type Bytes, EMPTY_BYTES, bytesKey } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';

type Slots = Map<string, Bytes>;

type Undo =
  | { readonly kind: 'account'; readonly key: string; readonly value: Account | undefined }
  | { readonly kind: 'code'; readonly key: string; readonly value: Bytes | undefined }
  | { readonly kind: 'slot'; readonly slots: Slots; readonly key: string; readonly value: Bytes | undefined }
  | { readonly kind: 'storage'; readonly key: string; readonly value: Slots | undefined };

function putOrDelete<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

export class JournalingState implements StateManagerInterface {
  readonly #accounts = new Map<string, Account>();
  readonly #codes = new Map<string, Bytes>();
  readonly #storage = new Map<string, Slots>();
  readonly #journal: Undo[] = [];
  readonly #checkpoints: number[] = [];
  readonly #original = new Map<string, Bytes>();

  readonly originalStorageCache = {
    get: async (address: Address, slot: Bytes): Promise<Bytes> => {
      const key = bytesKey(address.bytes) + bytesKey(slot);
      let value = this.#original.get(key);
      if (value === undefined) {
        value = await this.getStorage(address, slot);
        this.#original.set(key, value);
      }
      return value;
    },
    clear: (): void => this.#original.clear(),
  };

  /** A copy: the caller changes what it is given before it puts it back. */
  async getAccount(address: Address): Promise<Account | undefined> {
    const account = this.#accounts.get(bytesKey(address.bytes));
    return account && new Account(account.nonce, account.balance, account.storageRoot, account.codeHash);
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    const key = bytesKey(address.bytes);
    this.#journal.push({ kind: 'account', key, value: this.#accounts.get(key) });
    const copy = account && new Account(account.nonce, account.balance, account.storageRoot, account.codeHash);
    putOrDelete(this.#accounts, key, copy);
  }

  async deleteAccount(address: Address): Promise<void> {
    await this.putAccount(address, undefined);
    await this.clearStorage(address);
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const { nonce, balance, storageRoot, codeHash } = (await this.getAccount(address)) ?? new Account();
    await this.putAccount(
      address,
      new Account(
        fields.nonce ?? nonce,
        fields.balance ?? balance,
        fields.storageRoot ?? storageRoot,
        fields.codeHash ?? codeHash,
      ),
    );
  }

  async putCode(address: Address, code: Bytes): Promise<void> {
    const key = bytesKey(address.bytes);
    this.#journal.push({ kind: 'code', key, value: this.#codes.get(key) });
    this.#codes.set(key, code);
    await this.modifyAccountFields(address, { codeHash: keccak256(code) });
  }

  async getCode(address: Address): Promise<Bytes> {
    return this.#codes.get(bytesKey(address.bytes)) ?? EMPTY_BYTES;
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  async getStorage(address: Address, slot: Bytes): Promise<Bytes> {
    return this.#storage.get(bytesKey(address.bytes))?.get(bytesKey(slot)) ?? EMPTY_BYTES;
  }

  async putStorage(address: Address, slot: Bytes, value: Bytes): Promise<void> {
    const key = bytesKey(address.bytes);
    let slots = this.#storage.get(key);
    if (slots === undefined) {
      slots = new Map();
      this.#storage.set(key, slots);
    }
    const slotKey = bytesKey(slot);
    this.#journal.push({ kind: 'slot', slots, key: slotKey, value: slots.get(slotKey) });
    putOrDelete(slots, slotKey, value.length === 0 ? undefined : value);
  }

  async clearStorage(address: Address): Promise<void> {
    const key = bytesKey(address.bytes);
    this.#journal.push({ kind: 'storage', key, value: this.#storage.get(key) });
    this.#storage.delete(key);
  }

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#journal.length);
  }

  async commit(): Promise<void> {
    this.#checkpoints.pop();
  }

  async revert(): Promise<void> {
    const to = this.#checkpoints.pop() ?? 0;
    while (this.#journal.length > to) {
      const undo = this.#journal.pop();
      if (undo?.kind === 'account') putOrDelete(this.#accounts, undo.key, undo.value);
      else if (undo?.kind === 'code') putOrDelete(this.#codes, undo.key, undo.value);
      else if (undo?.kind === 'slot') putOrDelete(undo.slots, undo.key, undo.value);
      else if (undo !== undefined) putOrDelete(this.#storage, undo.key, undo.value);
    }
  }

  /** There is no root to have; nothing in a transaction asks for it. */
  async getStateRoot(): Promise<Bytes> {
    throw new Error('the state of this bench has no root');
  }

  async setStateRoot(): Promise<void> {
    throw new Error('the state of this bench has no root');
  }

  async hasStateRoot(): Promise<boolean> {
    return false;
  }

  clearCaches(): void {
    this.#original.clear();
  }

  shallowCopy(): StateManagerInterface {
    throw new Error('the state of this bench is not copied');
  }
}
