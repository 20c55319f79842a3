/** Where a transaction is in the chain. */
export interface TransactionPlace {
  readonly blockNumber: number;
  readonly transactionIndex: number;
}
