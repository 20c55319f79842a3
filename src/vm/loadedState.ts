/**
 * The state before the block as far as it is in memory. The VM is synchronous and does no I/O: when it needs something
 * that answers `undefined` here, it stops before any effect and says what is missing; its driver loads that and steps on.
 */
import type { Bytes } from '../common/bytes.ts';
import type { StoredAccountRecord } from '../protocol/accountRecord.ts';
import { readBytes } from './words.ts';
import type { Words } from './words.ts';

/** The key does not exist in the state before the block (which native accounting tells from a stored zero). */
export const ABSENT: unique symbol = Symbol('absent');

export interface LoadedState {
  /** The account record (spec: state 2). */
  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined;
  /**
   * Of the contract slot at the word `words[at]`: true and its value in `value`, false when it does not exist, undefined
   * when it is not in memory. `words` and `value` are the caller's and differ.
   */
  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined;
  /** Stored code by bytecode hash, or raw force-deploy code by its hash. ABSENT: no such preimage is known to the node. */
  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined;
}

/** The answer of `LoadedState.slot` from a value of 32 bytes. */
export function slotAnswer(stored: Bytes | typeof ABSENT | undefined, value: Words): boolean | undefined {
  if (stored === undefined) return undefined;
  if (stored === ABSENT) return false;
  readBytes(stored, 0, 32, value, 0);
  return true;
}

export type MissingKey =
  | { readonly kind: 'account'; readonly address: Bytes }
  | { readonly kind: 'slot'; readonly address: Bytes; readonly slot: Bytes }
  | { readonly kind: 'preimage'; readonly hash: Bytes };
