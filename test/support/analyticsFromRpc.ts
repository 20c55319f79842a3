/**
 * The rows that the analytics tables must hold, computed out of what JSON-RPC and the log say, without the code that fills
 * them: per table some columns, and per block a checksum over them.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Hex, keccak256, pad, toEventSelector, toHex as viemHex } from 'viem';
import { toHex } from '../../src/common/bytes.ts';
import type { BlockEntry } from '../../src/log/entry.ts';
import { type RpcAnswer, rpcBatch } from './clients.ts';

type Json = Readonly<Record<string, unknown>>;
type Field = string | bigint | number;

interface TableRows {
  readonly columns: readonly string[];
  /** Index of the row in its block, for the order; undefined: one row a block. */
  readonly index: string | undefined;
  readonly number: string;
  readonly rows: Map<number, string[]>;
}

export type ExpectedTables = Readonly<Record<string, TableRows>>;

const TRANSFER = toEventSelector('Transfer(address,address,uint256)');
const NULL = '\\N';
const CALLS_PER_BATCH = 100;

const COLUMNS: Readonly<Record<string, string>> = {
  blocks: `number hash parent_hash ommers_hash miner state_root transactions_root receipts_root logs_bloom difficulty gas_limit gas_used
    timestamp extra_data mix_hash nonce base_fee_per_gas previous_block_timestamp pubdata_price native_price pubdata_limit
    execution_version node_version starting_l1_priority_id block_output_hash transaction_count log_count l2_to_l1_log_count
    token_transfer_count`,
  transactions: `block_number transaction_index block_timestamp hash type from_address to_address nonce gas_limit max_fee_per_gas
    max_priority_fee_per_gas value input chain_id access_list y_parity r s gas_per_pubdata_byte_limit to_mint refund_recipient factory_deps`,
  receipts: `block_number transaction_index block_timestamp transaction_hash type from_address to_address contract_address input_bytes
    status gas_used cumulative_gas_used effective_gas_price logs_bloom first_log_index log_count l2_to_l1_log_count`,
  logs: `block_number log_index transaction_index block_timestamp transaction_hash address topic0 topic1 topic2 topic3 data`,
  l2_to_l1_logs: `block_number log_index transaction_index block_timestamp transaction_hash index_in_transaction shard_id is_service
    tx_number_in_block sender key value`,
  token_transfers: `block_number log_index transaction_index block_timestamp transaction_hash token standard from_address to_address
    amount token_id`,
};

/** Everything up to `head`. `records`: the accepted blocks of the log, for what RPC does not show. */
export async function analyticsFromRpc(
  url: string,
  head: number,
  records: readonly BlockEntry[],
): Promise<ExpectedTables> {
  const tables = Object.fromEntries(
    Object.entries(COLUMNS).map(([name, text]): [string, TableRows] => {
      const columns = text.trim().split(/\s+/);
      const [number = '', index] = columns;
      return [name, { columns, number, index: name === 'blocks' ? undefined : index, rows: new Map() }];
    }),
  );
  const heights = Array.from({ length: head + 1 }, (_, height) => height);
  const blocks = await ask(
    url,
    heights.map((height) => ['eth_getBlockByNumber', [viemHex(height), true]]),
  );
  const receipts = await ask(
    url,
    heights.map((height) => ['eth_getBlockReceipts', [viemHex(height)]]),
  );
  const recordOf = new Map(records.map((entry) => [Number(entry.height), entry]));
  let parentTimestamp = 0n;
  for (const height of heights) {
    const block = blocks[height] as Json;
    addBlock(tables, {
      height,
      block,
      receipts: receipts[height] as Json[],
      record: recordOf.get(height),
      parentTimestamp,
    });
    parentTimestamp = BigInt(String(block['timestamp']));
  }
  return tables;
}

/** Block -> SHA-256 over its rows, in order. */
export function expectedChecksums({ rows }: TableRows): Map<number, string> {
  return new Map(
    [...rows].map(([height, lines]) => [height, createHash('sha256').update(lines.join('')).digest('hex')]),
  );
}

/** The same, asked of ClickHouse: table, block, checksum. */
export function checksumQuery(tables: ExpectedTables): string {
  return Object.entries(tables)
    .map(([table, { columns, number, index }]) => {
      const row = `(${index ?? number}, formatRow('TabSeparated', ${columns.join(', ')}))`;
      const rows = `arrayMap(pair -> pair.2, arraySort(groupArray(${row})))`;
      return `SELECT '${table}', ${number} AS n, lower(hex(SHA256(arrayStringConcat(${rows})))) FROM ${table} GROUP BY n`;
    })
    .join(' UNION ALL ');
}

async function ask(url: string, calls: readonly (readonly [string, readonly unknown[]])[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (let at = 0; at < calls.length; at += CALLS_PER_BATCH) {
    const part = calls.slice(at, at + CALLS_PER_BATCH).map(([method, params]) => ({ method, params }));
    const answers: RpcAnswer[] = await rpcBatch(url, part);
    for (const { error, result } of answers) {
      assert.equal(error, undefined);
      results.push(result);
    }
  }
  return results;
}

interface BlockFacts {
  readonly height: number;
  readonly block: Json;
  readonly receipts: readonly Json[];
  readonly record: BlockEntry | undefined;
  readonly parentTimestamp: bigint;
}

const text = (value: unknown): string => String(value);
const number = (value: unknown): bigint => BigInt(text(value));
const orNull = (value: unknown): string => (value === null || value === undefined ? NULL : text(value));

function push(table: TableRows | undefined, height: number, fields: readonly Field[]): void {
  assert.equal(fields.length, table?.columns.length, `fields of ${table?.number} ${height}`);
  const line = `${fields.join('\t')}\n`;
  const rows = table?.rows.get(height);
  if (rows === undefined) table?.rows.set(height, [line]);
  else rows.push(line);
}

function addBlock(tables: ExpectedTables, { height, block, receipts, record, parentTimestamp }: BlockFacts): void {
  const transactions = block['transactions'] as readonly Json[];
  const time = number(block['timestamp']);
  assert.equal(receipts.length, transactions.length);
  const counts = { logs: 0, l2ToL1Logs: 0, transfers: 0 };
  transactions.forEach((transaction, index) => {
    push(tables['transactions'], height, [height, index, time, ...transactionFields(transaction)]);
    const receipt = receipts[index] ?? {};
    addReceipt(tables, {
      height,
      time,
      index,
      receipt,
      inputBytes: (text(transaction['input']).length - 2) / 2,
      counts,
    });
  });
  assert.equal(record === undefined, height === 0, `block ${height} in the log`);
  const context = record?.record.context;
  push(tables['blocks'], height, [
    height,
    ...['hash', 'parentHash', 'sha3Uncles', 'miner', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom'].map(
      (name) => text(block[name]),
    ),
    ...['difficulty', 'gasLimit', 'gasUsed', 'timestamp'].map((name) => number(block[name])),
    ...['extraData', 'mixHash', 'nonce'].map((name) => text(block[name])),
    number(block['baseFeePerGas']),
    parentTimestamp,
    context?.pubdataPrice ?? 0,
    context?.nativePrice ?? 0,
    context?.pubdataLimit ?? 0,
    context?.executionVersion ?? 0,
    record?.record.nodeVersion ?? '',
    record?.record.startingL1PriorityId ?? 0,
    record === undefined ? '' : toHex(record.record.blockOutputHash),
    transactions.length,
    counts.logs,
    counts.l2ToL1Logs,
    counts.transfers,
  ]);
}

function transactionFields(transaction: Json): Field[] {
  const type = number(transaction['type']);
  const isL1 = type >= 0x7en;
  const price = number(transaction['gasPrice']);
  const v = number(transaction['v']);
  const list = (transaction['accessList'] ?? []) as readonly { address: string; storageKeys: readonly string[] }[];
  const quoted = (items: readonly string[]): string => `[${items.map((item) => `'${item}'`).join(',')}]`;
  return [
    text(transaction['hash']),
    type,
    text(transaction['from']),
    orNull(transaction['to']),
    number(transaction['nonce']),
    number(transaction['gas']),
    transaction['maxFeePerGas'] === undefined ? price : number(transaction['maxFeePerGas']),
    transaction['maxPriorityFeePerGas'] === undefined ? price : number(transaction['maxPriorityFeePerGas']),
    number(transaction['value']),
    text(transaction['input']),
    transaction['chainId'] === undefined ? NULL : number(transaction['chainId']),
    `[${list.map(({ address, storageKeys }) => `('${address}',${quoted(storageKeys)})`).join(',')}]`,
    isL1 ? 0 : type === 0n ? (v + 1n) % 2n : v,
    number(transaction['r']),
    number(transaction['s']),
    isL1 ? number(transaction['gasPerPubdataByteLimit']) : 0,
    isL1 ? number(transaction['toMint']) : 0,
    isL1 ? text(transaction['refundRecipient']) : NULL,
    quoted((transaction['factoryDeps'] ?? []) as readonly string[]),
  ];
}

function addReceipt(
  tables: ExpectedTables,
  {
    height,
    time,
    index,
    receipt,
    inputBytes,
    counts,
  }: {
    readonly height: number;
    readonly time: bigint;
    readonly index: number;
    readonly receipt: Json;
    readonly inputBytes: number;
    readonly counts: { logs: number; l2ToL1Logs: number; transfers: number };
  },
): void {
  const hash = text(receipt['transactionHash']);
  const logs = receipt['logs'] as readonly Json[];
  const l2ToL1Logs = receipt['l2ToL1Logs'] as readonly Json[];
  push(tables['receipts'], height, [
    height,
    index,
    time,
    hash,
    number(receipt['type']),
    text(receipt['from']),
    orNull(receipt['to']),
    orNull(receipt['contractAddress']),
    inputBytes,
    number(receipt['status']),
    number(receipt['gasUsed']),
    number(receipt['cumulativeGasUsed']),
    number(receipt['effectiveGasPrice']),
    text(receipt['logsBloom']),
    counts.logs,
    logs.length,
    l2ToL1Logs.length,
  ]);
  for (const log of logs) {
    const topics = log['topics'] as readonly Hex[];
    const place = [height, counts.logs, index, time, hash];
    const [topic0 = '', topic1 = '', topic2 = '', topic3 = ''] = topics;
    assert.equal(number(log['logIndex']), BigInt(counts.logs));
    push(tables['logs'], height, [...place, text(log['address']), topic0, topic1, topic2, topic3, text(log['data'])]);
    const transfer = transferFields(topics, text(log['data']));
    if (transfer !== undefined) {
      push(tables['token_transfers'], height, [...place, text(log['address']), ...transfer]);
      counts.transfers += 1;
    }
    counts.logs += 1;
  }
  l2ToL1Logs.forEach((log, at) => {
    push(tables['l2_to_l1_logs'], height, [
      height,
      counts.l2ToL1Logs,
      index,
      time,
      hash,
      at,
      number(log['shardId']),
      text(log['isService']),
      text(log['tx_number_in_block']),
      text(log['sender']),
      text(log['key']),
      text(log['value']),
    ]);
    counts.l2ToL1Logs += 1;
  });
}

function transferFields([topic0, from, to, id]: readonly Hex[], data: string): Field[] | undefined {
  if (topic0 !== TRANSFER || from === undefined || to === undefined) return undefined;
  const addresses = [from, to].map((topic) => `0x${topic.slice(26)}` as const); // the last 20 bytes
  if (addresses.some((address, i) => pad(address) !== [from, to][i])) return undefined;
  if (id === undefined) return data.length === 66 ? ['erc20', ...addresses, BigInt(data), 0] : undefined;
  return data === '0x' ? ['erc721', ...addresses, 1, BigInt(id)] : undefined;
}

/** A row of storage_writes as ClickHouse answers it. */
export interface StorageWriteRow {
  readonly block: number;
  readonly address: Hex;
  readonly slot: Hex;
  readonly value: Hex;
  readonly account: Hex | null;
  readonly nonce: string | null;
  readonly balance: string | null;
}

/** Every write is what the state says after its block; of accounts also what they hold. */
export async function assertStorageWrites(url: string, writes: readonly StorageWriteRow[]): Promise<void> {
  const slots = await ask(
    url,
    writes.map(({ address, slot, block }) => ['eth_getStorageAt', [address, slot, viemHex(block)]]),
  );
  writes.forEach(({ value, block, address, slot }, i) =>
    assert.equal(slots[i], value, `slot ${slot} of ${address} after block ${block}`),
  );
  const accounts = writes.filter(({ account }) => account !== null);
  const states = await ask(
    url,
    accounts.map(({ account, block }) => ['eth_getAccountInfo', [account, viemHex(block)]]),
  );
  accounts.forEach(({ nonce, balance, account, block }, i) => {
    const state = states[i] as Json;
    const held = { nonce: text(number(state['nonce'])), balance: text(number(state['balance'])) };
    assert.deepEqual({ nonce, balance }, held, `account ${account} after block ${block}`);
  });
}

/** A message to L1 has its hash in its log. */
export function assertMessages(rows: readonly (readonly unknown[])[]): void {
  for (const [message, value] of rows) assert.equal(keccak256(message as Hex), value); // hex columns
}
