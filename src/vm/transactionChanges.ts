/** State around a transaction that has ended, read from the block's state and its undo journal. */
import { bytesKey } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { observableCode } from '../protocol/accountRecord.ts';
import type { AccountCodeFields } from '../protocol/accountRecord.ts';
import type { Account } from './account.ts';
import { codeCache } from './code.ts';
import type { AccountValues, Change, TransactionState } from './tracer.ts';
import { LIMBS, readBytes, wordToBytes } from './words.ts';
import type { TransactionOriginals, WorldState } from './worldState.ts';

export class TransactionChanges implements TransactionState {
  readonly #world: WorldState;
  readonly #originals: TransactionOriginals;
  readonly #word = new Uint32Array(LIMBS);

  /** Before the next transaction begins. */
  constructor(world: WorldState) {
    this.#world = world;
    this.#originals = world.originals();
  }

  changedAccounts(): readonly Bytes[] {
    const { balances, nonces, codes, slots } = this.#originals;
    const ids = new Set([...balances.keys(), ...nonces.keys(), ...codes.keys()]);
    for (const slot of slots.keys()) ids.add(this.#accountOf(slot).id);
    return [...ids].map((id) => this.#world.accounts[id]!.address); // ids of the journal are those of accounts
  }

  changedSlots(): readonly { readonly address: Bytes; readonly slot: Bytes }[] {
    const { keys } = this.#world.slots.index;
    return [...this.#originals.slots.keys()].map((slot) => ({
      address: this.#accountOf(slot).address,
      slot: wordToBytes(keys, slot * LIMBS),
    }));
  }

  account(address: Bytes): Change<AccountValues> | undefined {
    const account = this.#account(address);
    if (account === undefined) return undefined;
    const { id, nonce, balance, code } = account;
    const { balances, nonces, codes } = this.#originals;
    return {
      before: {
        nonce: nonces.get(id) ?? nonce,
        balance: balances.get(id) ?? balance,
        code: codes.get(id) ?? code,
      },
      after: { nonce, balance, code },
    };
  }

  slot(address: Bytes, slot: Bytes): Change<Bytes> | undefined {
    const account = this.#account(address);
    if (account === undefined) return undefined;
    readBytes(slot, 0, 32, this.#word, 0);
    const { slots } = this.#world;
    const index = slots.index.find(account.id, this.#word, 0);
    if (index < 0) return undefined;
    const after = wordToBytes(slots.current, index * LIMBS);
    const original = this.#originals.slots.get(index);
    return { before: original === undefined ? after : wordToBytes(original, 0), after };
  }

  code(fields: AccountCodeFields): Bytes | undefined {
    if (fields.observableBytecodeLength === 0) return new Uint8Array(0);
    const deployed = this.#world.deployedCode.get(bytesKey(fields.bytecodeHash));
    if (deployed !== undefined) return observableCode(deployed, fields).slice();
    const cached = codeCache.get(fields);
    return cached?.bytes.slice(0, cached.length);
  }

  #account(address: Bytes): Account | undefined {
    const { accountIndex, accounts } = this.#world;
    readBytes(address, 0, 20, this.#word, 0);
    const id = accountIndex.find(0, this.#word, 0);
    return id < 0 ? undefined : accounts[id];
  }

  #accountOf(slot: number): Account {
    const { slots, accounts } = this.#world;
    return accounts[slots.index.tags[slot]!]!; // the tag of a slot is the id of its account
  }
}
