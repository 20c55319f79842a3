/**
 * The state before the block as far as it is in memory. The VM is synchronous and does no I/O: when it needs something
 * that answers `undefined` here, it stops before any effect and says what is missing; its driver loads that and steps on.
 */
import type { Bytes } from '../common/bytes.ts';
import type { StoredAccountRecord } from '../protocol/accountRecord.ts';

/** The key does not exist in the state before the block (which native accounting tells from a stored zero). */
export const ABSENT: unique symbol = Symbol('absent');

export interface LoadedState {
  /** The account record (spec: state 2). */
  account(address: Bytes): StoredAccountRecord | typeof ABSENT | undefined;
  /** 32-byte value of a contract slot. */
  slot(address: Bytes, slot: Bytes): Bytes | typeof ABSENT | undefined;
  /** Stored code by bytecode hash, or raw force-deploy code by its hash. ABSENT: no such preimage is known to the node. */
  preimage(hash: Bytes): Bytes | typeof ABSENT | undefined;
}

export type MissingKey =
  | { readonly kind: 'account'; readonly address: Bytes }
  | { readonly kind: 'slot'; readonly address: Bytes; readonly slot: Bytes }
  | { readonly kind: 'preimage'; readonly hash: Bytes };
