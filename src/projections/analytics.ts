/**
 * Everything a block holds as rows of tables, for people who ask questions in SQL (design.md 6, spec: observability C.6).
 * Like every projection it only puts keys and values: a key is table, height and index, a value one row. The store that
 * they go to is ClickHouse (analyticsStore.ts).
 */
import { asBuffer, type Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { toHex } from '../common/bytes.ts';
import { ANALYTICS } from '../store/buckets.ts';
import {
  type BlockCounts,
  blockRow,
  genesisRow,
  l2ToL1LogRows,
  logRow,
  type Place,
  receiptRow,
  storageWriteRow,
  tokenTransferRow,
  transactionRow,
} from './analyticsRows.ts';
import type { CanonicalBlock, GenesisEvent, JournalEntry, Projection, StoreTx } from './projection.ts';
import { tokenTransferOf } from './tokenTransfers.ts';
import { Turns } from '../common/turns.ts';

/** Nobody inside the node reads it: questions are asked of ClickHouse itself. */
export type AnalyticsReader = Readonly<Record<never, never>>;

export const analytics: Projection<AnalyticsReader> = {
  name: 'analytics',
  version: 1,
  apply,
  reader: () => ({}),
};

async function apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
  if (event.kind === 'Genesis') applyGenesis(event, tx);
  else if (event.kind === 'Block') await applyBlock(event, tx);
}

function applyGenesis(genesis: GenesisEvent, tx: StoreTx): void {
  const blockTimestamp = genesis.header.timestamp;
  genesis.writes.forEach((write, index) =>
    tx.put(
      analyticsKey(ANALYTICS.storageWrites, 0, index),
      storageWriteRow(write, { blockNumber: 0, index, blockTimestamp }),
    ),
  );
  const counts = { transactions: 0, logs: 0, l2ToL1Logs: 0, storageWrites: genesis.writes.length, tokenTransfers: 0 };
  tx.put(analyticsKey(ANALYTICS.blocks, 0, 0), genesisRow(genesis, counts));
}

async function applyBlock(block: CanonicalBlock, tx: StoreTx): Promise<void> {
  const { height, record, output, senders } = block;
  const count = record.transactions.length;
  assert(
    output.transactions.length === count && senders.length === count,
    `block ${height} has ${count} transactions but other outputs or senders`,
  );
  const blockTimestamp = output.header.timestamp;
  const turns = new Turns();
  const counts = { transactions: 0, logs: 0, l2ToL1Logs: 0, storageWrites: 0, tokenTransfers: 0 };
  let gasUsed = 0n;
  for (let index = 0; index < count; index++) {
    const raw = record.transactions[index];
    const result = output.transactions[index];
    const sender = senders[index];
    assert(
      raw !== undefined && result !== undefined && sender !== undefined,
      `transaction ${index} of block ${height} is incomplete`,
    );
    const transaction = decodeTransaction(raw);
    const place: Place = {
      blockNumber: height,
      blockTimestamp,
      transactionIndex: index,
      transactionHash: toHex(transaction.hash),
    };
    tx.put(analyticsKey(ANALYTICS.transactions, height, index), transactionRow(transaction, sender, place));
    const before = { gasUsed, logs: counts.logs };
    tx.put(
      analyticsKey(ANALYTICS.receipts, height, index),
      receiptRow({ transaction, sender, output: result }, before, place),
    );
    putLogs(result.logs, counts, place, tx);
    for (const row of l2ToL1LogRows(result, counts.l2ToL1Logs, place))
      tx.put(analyticsKey(ANALYTICS.l2ToL1Logs, height, counts.l2ToL1Logs++), row);
    gasUsed += result.gasUsed;
    counts.transactions += 1;
    await turns.due();
  }
  for (const write of output.writes) {
    const index = counts.storageWrites++;
    const row = storageWriteRow(write, { blockNumber: height, index, blockTimestamp });
    tx.put(analyticsKey(ANALYTICS.storageWrites, height, index), row);
    await turns.due();
  }
  tx.put(analyticsKey(ANALYTICS.blocks, height, 0), blockRow(block, counts));
}

function putLogs(
  logs: CanonicalBlock['output']['transactions'][number]['logs'],
  counts: { -readonly [K in keyof BlockCounts]: BlockCounts[K] },
  place: Place,
  tx: StoreTx,
): void {
  for (const log of logs) {
    const logIndex = counts.logs++;
    tx.put(analyticsKey(ANALYTICS.logs, place.blockNumber, logIndex), logRow(log, logIndex, place));
    const transfer = tokenTransferOf(log);
    if (transfer === undefined) continue;
    counts.tokenTransfers += 1;
    const row = tokenTransferRow(transfer, logIndex, place);
    tx.put(analyticsKey(ANALYTICS.tokenTransfers, place.blockNumber, logIndex), row);
  }
}

const KEY_BYTES = 11;

/** Table, u48 height, u32 index in the block. */
export function analyticsKey(bucket: number, height: number, index: number): Bytes {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key[0] = bucket;
  key.writeUIntBE(height, 1, 6);
  key.writeUInt32BE(index, 7);
  return key;
}

export function analyticsKeyParts(key: Bytes): {
  readonly bucket: number;
  readonly height: number;
  readonly index: number;
} {
  assert(key.length === KEY_BYTES, `an analytics key has ${key.length} bytes`);
  const buffer = asBuffer(key);
  return { bucket: buffer.readUInt8(0), height: buffer.readUIntBE(1, 6), index: buffer.readUInt32BE(7) };
}
