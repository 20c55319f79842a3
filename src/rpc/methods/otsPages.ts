/** Pages of transactions with their receipts, as Otterscan takes them (spec: rpc 13). */
import { assert } from '../../common/errors.ts';
import type { MinedTransaction, StoredReceipt, StoredTransaction } from '../../projections/repositoriesReader.ts';
import { invalidArgument } from '../errors.ts';
import type { JsonRecord } from '../objects.ts';
import { receiptObject, transactionObject } from '../objects.ts';
import type { RawJson } from '../rawJson.ts';
import { jsonArray } from '../rawJson.ts';
import { parseIndex } from '../validation.ts';

/** Otterscan asks for 25. */
export const PAGE_SIZE_MAX = 500;
/** `0x` and the selector of the function that is called. */
const SELECTOR_CHARACTERS = 10;

export function parsePageSize(value: unknown, name: string): number {
  const size = parseIndex(value, name);
  if (size === 0n || size > BigInt(PAGE_SIZE_MAX))
    throw invalidArgument(`invalid page size ${size}: it is between 1 and ${PAGE_SIZE_MAX}`);
  return Number(size);
}

/** Their transactions and receipts, in the same order. */
export async function minedObjects(
  mined: readonly (MinedTransaction | undefined)[],
  shape: {
    readonly transaction: (transaction: StoredTransaction) => JsonRecord;
    readonly receipt: (receipt: StoredReceipt) => JsonRecord;
    readonly maxBytes: number;
  },
): Promise<{ readonly transactions: RawJson; readonly receipts: RawJson }> {
  const found = mined.map((each): MinedTransaction => {
    assert(each !== undefined, 'a transaction that a block or an index names is not in the store of blocks');
    return each;
  });
  const { maxBytes } = shape;
  const transactions = await jsonArray(found, ({ transaction }) => shape.transaction(transaction), maxBytes);
  const left = Math.max(0, maxBytes - transactions.text.length);
  return { transactions, receipts: await jsonArray(found, ({ receipt }) => shape.receipt(receipt), left) };
}

/** With the input cut to the selector. */
export function shortTransaction(stored: StoredTransaction): JsonRecord {
  const transaction = transactionObject(stored);
  return { ...transaction, input: String(transaction['input']).slice(0, SELECTOR_CHARACTERS) };
}

export function timedReceipt(stored: StoredReceipt): JsonRecord {
  return { ...receiptObject(stored), timestamp: Number(stored.meta.blockTimestamp) };
}

export function shortReceipt(stored: StoredReceipt): JsonRecord {
  return { ...timedReceipt({ ...stored, logs: [] }), logs: null, logsBloom: null };
}
