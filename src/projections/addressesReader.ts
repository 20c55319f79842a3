/** What others ask of the index of addresses; every method may be called through a thread port. */
import type { Bytes } from '../common/bytes.ts';
import type { TransactionPlace } from './transactionPlace.ts';

export interface AppearanceQuery {
  readonly address: Bytes;
  readonly fromBlock: number;
  /** Included. */
  readonly toBlock: number;
  readonly newestFirst: boolean;
  /** From this many on, the page ends with the block that it is in. */
  readonly size: number;
}

export interface AppearancePage {
  /** In the order asked for, also within a block. */
  readonly places: readonly TransactionPlace[];
  /** The range holds no more. */
  readonly isComplete: boolean;
}

export type Creation =
  /** By a transaction without recipient. */
  | { readonly kind: 'transaction'; readonly place: TransactionPlace; readonly creator: Bytes }
  /** By a contract, or by force, in some transaction of the block. */
  | { readonly kind: 'block'; readonly blockNumber: number };

export interface AddressesReader {
  /** Transactions that the address sent or received, that created it, or in which it emitted a log. */
  appearances(query: AppearanceQuery): Promise<AppearancePage>;
  /** Where the account got its code; undefined: it has none, or had it in genesis. */
  creation(address: Bytes): Promise<Creation | undefined>;
}
