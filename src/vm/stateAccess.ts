/** Charged access to accounts, slots, preimages and balances: what costs what, in which order (spec: native 4). */
import { bytesKey } from '../common/bytes.ts';
import { ACCOUNT_RECORD_LENGTH } from '../protocol/accountRecord.ts';
import type { Account } from './account.ts';
import {
  ACCESS_LIST_ADDRESS_GAS,
  COLD_ACCOUNT_EXTRA_GAS,
  COLD_SLOT_EXTRA_GAS,
  SELFDESTRUCT_COLD_GAS,
  SELFDESTRUCT_PRECOMPILE_GAS,
  SSTORE_COLD_EXTRA_GAS,
  SSTORE_RESET_EXTRA_GAS,
  SSTORE_SET_EXTRA_GAS,
  WARM_ACCESS_GAS,
} from './gasCosts.ts';
import { CHARGED } from './meter.ts';
import type { Charge, Meter } from './meter.ts';
import {
  ACCOUNT_ACCESS_NATIVE,
  ACCOUNT_WRITE_NATIVE,
  blakeNative,
  PREIMAGE_NATIVE,
  SLOT_COLD_EXISTING_NATIVE,
  SLOT_COLD_NEW_NATIVE,
  SLOT_READ_NATIVE,
  SLOT_WRITE_NATIVE,
  SLOT_WRITE_UNSET_NATIVE,
} from './nativeCosts.ts';
import type { SlotChange } from './rules.ts';
import type { SlotTable } from './slotTable.ts';
import { equalWords, isZeroWord, LIMBS } from './words.ts';
import type { Words } from './words.ts';
import type { WorldState } from './worldState.ts';

/** Who pays which gas for an account; native is always charged. */
export const BY_OPCODE = 0;
export const BY_SELFDESTRUCT = 1;
export const BY_ACCESS_LIST = 2;
/** No gas at all ("inf" and "NoEE" of the specification). */
export const WITHOUT_GAS = 3;
export type AccessMode = typeof BY_OPCODE | typeof BY_SELFDESTRUCT | typeof BY_ACCESS_LIST | typeof WITHOUT_GAS;

const BASE_GAS: readonly number[] = [WARM_ACCESS_GAS, 0, ACCESS_LIST_ADDRESS_GAS, 0];
const COLD_GAS: readonly number[] = [COLD_ACCOUNT_EXTRA_GAS, SELFDESTRUCT_COLD_GAS, 0, 0];
const COLD_PRECOMPILE_GAS: readonly number[] = [0, SELFDESTRUCT_PRECOMPILE_GAS, 0, 0];

export class StateAccess {
  readonly #world: WorldState;
  readonly #meter: Meter;

  constructor(world: WorldState, meter: Meter) {
    this.#world = world;
    this.#meter = meter;
  }

  /** acct(x) */
  account(account: Account, mode: AccessMode): Charge {
    const charge = this.#meter.charge(BASE_GAS[mode]!, ACCOUNT_ACCESS_NATIVE);
    if (charge !== CHARGED) return charge;
    if (account.warmIn !== this.#world.transaction) {
      const coldGas = (account.precompile === undefined ? COLD_GAS : COLD_PRECOMPILE_GAS)[mode]!;
      const cold = this.#meter.charge(coldGas, 0);
      if (cold !== CHARGED) return cold;
      this.#world.warmAccount(account);
    }
    return account.isLoaded ? CHARGED : this.#loadAccount(account);
  }

  #loadAccount(account: Account): Charge {
    const read = this.#meter.charge(0, SLOT_READ_NATIVE);
    if (read !== CHARGED) return read;
    // A slot paid for by an earlier transaction that could not pay for the record: cold here, whether it exists or not.
    const isNew = account.stored === undefined && !account.isSlotLoaded;
    const load = this.#meter.charge(0, isNew ? SLOT_COLD_NEW_NATIVE : SLOT_COLD_EXISTING_NATIVE);
    if (load !== CHARGED) return load;
    this.#world.markAccountSlotLoaded(account);
    if (account.stored !== undefined) {
      const preimage = this.preimage(account.stored.key, ACCOUNT_RECORD_LENGTH);
      if (preimage !== CHARGED) return preimage;
    }
    this.#world.markAccountLoaded(account);
    return CHARGED;
  }

  /** Loads and warms without any charge. */
  accountForFree(account: Account): void {
    this.#world.warmAccount(account);
    if (account.isLoaded) return;
    this.#world.markAccountSlotLoaded(account);
    if (account.stored !== undefined) this.#world.learnPreimage(account.stored.key);
    this.#world.markAccountLoaded(account);
  }

  /** preimage(hash, n) of a hash that is not zero; `key` as in `WorldState.knownPreimages` */
  preimage(key: string, lengthBytes: number): Charge {
    const charge = this.#meter.charge(0, PREIMAGE_NATIVE);
    if (charge !== CHARGED || this.#world.knownPreimages.has(key)) return charge;
    const read = this.#meter.charge(0, blakeNative(lengthBytes));
    if (read === CHARGED) this.#world.learnPreimage(key);
    return read;
  }

  /** code(x) */
  code(account: Account): Charge {
    if (!account.hasBytecodeHash) return CHARGED;
    account.codeKey ??= bytesKey(account.code.bytecodeHash);
    return this.preimage(account.codeKey, account.storedCodeLength);
  }

  /** acct_write(x) */
  accountWrite(account: Account, mode: AccessMode): Charge {
    const charge = this.account(account, mode);
    return charge === CHARGED ? this.#meter.charge(0, ACCOUNT_WRITE_NATIVE) : charge;
  }

  /** transfer(a, b). The caller has checked the balance. */
  transfer(from: Account, to: Account, amount: bigint, mode: AccessMode): Charge {
    let charge = this.accountWrite(from, mode);
    if (charge !== CHARGED) return charge;
    charge = this.accountWrite(to, mode);
    if (charge !== CHARGED) return charge;
    this.move(from, to, amount);
    return CHARGED;
  }

  /** Moves an amount without any charge. */
  move(from: Account, to: Account, amount: bigint): void {
    if (amount === 0n || from === to) return;
    this.#world.setBalance(from, from.balance - amount);
    this.#world.setBalance(to, to.balance + amount);
  }

  /** slot_read; `gas` is the part that is always charged, `coldGas` what a cold slot adds. */
  slotRead(slot: number, gas: number = WARM_ACCESS_GAS, coldGas: number = COLD_SLOT_EXTRA_GAS): Charge {
    const world = this.#world;
    const charge = this.#meter.charge(gas, SLOT_READ_NATIVE);
    if (charge !== CHARGED) return charge;
    if (world.slots.warmIn[slot] === world.transaction) return CHARGED;
    const isFirst = !world.slotIsLoaded(slot);
    const cold = this.#meter.charge(
      coldGas,
      isFirst && world.slotIsNew(slot) ? SLOT_COLD_NEW_NATIVE : SLOT_COLD_EXISTING_NATIVE,
    );
    if (cold !== CHARGED) return cold;
    if (isFirst) world.markSlotLoaded(slot);
    world.warmSlot(slot);
    return CHARGED;
  }

  /** slot_write: reads, charges and writes the word. */
  slotWrite(slot: number, words: Words, at: number): Charge {
    const { slots } = this.#world;
    const wasCold = slots.warmIn[slot] !== this.#world.transaction;
    const read = this.slotRead(slot);
    if (read !== CHARGED) return read;
    let gas = wasCold ? SSTORE_COLD_EXTRA_GAS : 0;
    const position = slot * LIMBS;
    const { slotRefund } = this.#world.rules;
    const refund = slotRefund === undefined ? 0 : slotRefund(slotChange(slots, slot, words, at));
    if (
      !equalWords(slots.current, position, words, at) &&
      equalWords(slots.current, position, slots.atStart, position)
    ) {
      gas += isZeroWord(slots.atStart, position) ? SSTORE_SET_EXTRA_GAS : SSTORE_RESET_EXTRA_GAS;
    }
    const write = this.#meter.charge(gas, this.#world.slotIsUnset(slot) ? SLOT_WRITE_UNSET_NATIVE : SLOT_WRITE_NATIVE);
    if (write !== CHARGED) return write;
    this.#world.refund += refund;
    this.#world.setSlot(slot, words, at);
    return CHARGED;
  }
}

function slotChange(slots: SlotTable, slot: number, words: Words, at: number): SlotChange {
  const { atStart, current } = slots;
  const position = slot * LIMBS;
  return {
    isNoop: equalWords(current, position, words, at),
    isClean: equalWords(current, position, atStart, position),
    isRestored: equalWords(atStart, position, words, at),
    wasZeroAtStart: isZeroWord(atStart, position),
    isZero: isZeroWord(current, position),
    becomesZero: isZeroWord(words, at),
  };
}
