/** Pubdata a transaction is charged for (spec: execution 8.1): what it touched and what differs from the start of the block. */
import { accountDiffLength, balanceDiffLength, valueDiffLength } from '../protocol/pubdata.ts';
import { L2_TO_L1_LOG_LENGTH } from '../protocol/receipts.ts';
import type { Account } from './account.ts';
import { equalWords, LIMBS, readBigInt } from './words.ts';
import type { WorldState } from './worldState.ts';

const KEY_BYTES = 32;
const MESSAGE_LENGTH_BYTES = 4;

/** Bytes that the running transaction counts now; reads count, what only reverted frames touched does not. */
export function countPubdata(world: WorldState): number {
  let bytes = 0;
  const { warmSlots, warmAccounts } = world;
  const { initial, current } = world.slots;
  for (let i = 0; i < warmSlots.size; i += 1) {
    const at = warmSlots.items[i]! * LIMBS;
    if (!equalWords(initial, at, current, at)) {
      bytes += KEY_BYTES + valueDiffLength(readBigInt(initial, at), readBigInt(current, at));
    }
  }
  for (let i = 0; i < warmAccounts.size; i += 1) {
    const account = warmAccounts.items[i]!;
    if (account.hasChanged) bytes += KEY_BYTES + accountBytes(account);
  }
  for (const message of world.messages) bytes += MESSAGE_LENGTH_BYTES + message.data.length + L2_TO_L1_LOG_LENGTH;
  return bytes;
}

function accountBytes(account: Account): number {
  const { initial } = account;
  // Nearly all of them: no record has to be put together.
  return account.code === initial
    ? balanceDiffLength(initial, account)
    : accountDiffLength(initial, account.record, !account.hidesCode);
}
