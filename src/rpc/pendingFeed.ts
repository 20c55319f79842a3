/** Transactions as the pool takes them in, for subscriptions and filters: the pool is watched only while somebody looks. */
import { toHex } from '../common/bytes.ts';
import type { PendingTransaction, Pool } from './backend.ts';
import { pendingTransactionObject } from './objects.ts';

/** One transaction; its texts are written once, for whoever wants them. */
export class PendingNotice {
  readonly #transaction: PendingTransaction;
  #hashText: string | undefined;
  #fullText: string | undefined;

  constructor(transaction: PendingTransaction) {
    this.#transaction = transaction;
  }

  /** JSON of the hash, or of the whole transaction. */
  text(isFull: boolean): string {
    if (isFull) return (this.#fullText ??= JSON.stringify(pendingTransactionObject(this.#transaction)));
    return (this.#hashText ??= JSON.stringify(toHex(this.#transaction.hash)));
  }
}

export class PendingFeed {
  readonly #pool: Pick<Pool, 'watchPending'>;
  readonly #listeners = new Set<(notice: PendingNotice) => void>();
  #opening: Promise<() => void> | undefined;

  constructor(pool: Pick<Pool, 'watchPending'>) {
    this.#pool = pool;
  }

  /** Once it resolves, no transaction is missed. Returns how to stop. */
  async watch(listener: (notice: PendingNotice) => void): Promise<() => void> {
    const own = (notice: PendingNotice): void => listener(notice);
    this.#listeners.add(own);
    const opening = (this.#opening ??= this.#pool.watchPending((transaction) => this.#publish(transaction)));
    try {
      await opening;
    } catch (error) {
      this.#listeners.delete(own);
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0 || this.#opening === undefined) return;
      const last = this.#opening;
      this.#opening = undefined;
      last.then(
        (stop) => stop(),
        () => undefined, // whoever opened it was told
      );
    };
  }

  #publish(transaction: PendingTransaction): void {
    const notice = new PendingNotice(transaction);
    for (const listener of [...this.#listeners]) listener(notice);
  }
}
