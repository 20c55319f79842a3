/** Bugs in what takes a transaction back, or resumes it: each of them makes a block that its replayer does not find. */
import type { SourcePatch } from '../../support/sourcePatch.ts';

export interface Plant extends SourcePatch {
  readonly name: string;
}

const WORLD = 'src/vm/worldState.ts';
const INTERPRETER = 'src/vm/interpreter.ts';
const BLOCK = 'src/vm/blockExecution.ts';

/** The line is gone. */
function without(name: string, file: string, search: string): Plant {
  return { name, file, search, replace: '' };
}

export const ROLLBACK_PLANTS: readonly Plant[] = [
  without(
    'a rejected transaction leaves accounts loaded',
    WORLD,
    'for (const account of this.#loadedAccounts) account.isLoaded = false;',
  ),
  without(
    'a rejected transaction leaves slots of accounts loaded',
    WORLD,
    'for (const account of this.#loadedAccountSlots) account.isSlotLoaded = false;',
  ),
  without(
    'a rejected transaction leaves slots loaded',
    WORLD,
    'for (const slot of this.#loadedSlots) this.slots.flags[slot]! &= ~SLOT_LOADED;',
  ),
  without(
    'a rejected transaction leaves preimages known',
    WORLD,
    'for (const key of this.#learnedPreimages) this.knownPreimages.delete(key);',
  ),
  without('a rejected transaction leaves its changes', WORLD, 'this.rollBack(START);'),
  without('the account cache of a block is not put down for taking back', WORLD, 'this.#loadedAccounts.push(account);'),
  without('the slot cache of a block is not put down for taking back', WORLD, 'this.#loadedSlots.push(slot);'),
  without('a rejection forgets accounts that included transactions loaded', WORLD, 'this.#loadedAccounts.clear();'),
  without('a rejection forgets slots that included transactions loaded', WORLD, 'this.#loadedSlots.clear();'),
  without('a rejection forgets preimages that included transactions read', WORLD, 'this.#learnedPreimages.clear();'),
  without('balances are not taken back', WORLD, 'this.accounts[id]!.balance = this.#bigints.pop();'),
  without('nonces are not taken back', WORLD, 'this.accounts[id]!.nonce = this.#bigints.pop();'),
  {
    name: 'a slot that was unset stays set',
    file: WORLD,
    search: 'this.slots.flags[id] = (this.slots.flags[id]! & ~SLOT_UNSET) | flags;',
    replace: 'void flags;',
  },
  without('what does not fit a block stays in it', BLOCK, 'this.#world.rejectTransaction();'),
  {
    name: 'messages to L1 are numbered by attempts',
    file: BLOCK,
    search: 'this.#world.transactionNumber = this.#outputs.length;',
    replace: 'this.#world.transactionNumber = this.#world.transaction - 1;',
  },
  without('a resumed opcode pays its native twice', INTERPRETER, 'native += OPCODE_NATIVE[opcode]!;'),
  without('a resumed opcode pays its gas twice', INTERPRETER, 'gas += OPCODE_GAS[opcode]!;'),
  without('a resumed opcode gets its memory for nothing', INTERPRETER, 'frame.memorySize = memorySize;'),
];
