/**
 * Tables of the analytics projection. What is stored lies in `<table>_stored` (ReplacingMergeTree by height and index);
 * people query the view `<table>`, which shows each row once whatever was inserted twice. Hashes and addresses are
 * lower-case `0x` hex, as RPC shows them; amounts are UInt256; a block's time is both exact (`timestamp`) and a DateTime.
 */
import { ANALYTICS } from '../store/buckets.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface AnalyticsTable {
  /** First byte of its keys. */
  readonly bucket: number;
  readonly name: string;
  /** The first one or two are the key: the height, and the index in the block if there are several rows of a block. */
  readonly columns: readonly Column[];
  readonly keyColumns: 1 | 2;
  /** Columns of the view alone: computed when they are read. */
  readonly derived: readonly { readonly name: string; readonly expression: string }[];
  /** Skip indexes of the stored table. */
  readonly indexes: readonly string[];
}

/** `name Type` each. */
function columns(text: string): Column[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...type] = line.trim().split(' ');
      return { name, type: type.join(' ') };
    });
}

const BLOCK_TIME = { name: 'time', expression: "toDateTime(block_timestamp, 'UTC')" };
const TIME_INDEX = 'INDEX by_time block_timestamp TYPE minmax GRANULARITY 1';

const transactions: AnalyticsTable = {
  bucket: ANALYTICS.transactions,
  name: 'transactions',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    transaction_index UInt32
    block_timestamp UInt64
    hash String
    type UInt8
    from_address String
    to_address Nullable(String)
    nonce UInt64
    gas_limit UInt64
    max_fee_per_gas UInt256
    max_priority_fee_per_gas UInt256
    value UInt256
    input String
    chain_id Nullable(UInt64)
    access_list Array(Tuple(address String, storage_keys Array(String)))
    y_parity UInt8
    r UInt256
    s UInt256
    gas_per_pubdata_byte_limit UInt64
    to_mint UInt256
    refund_recipient Nullable(String)
    factory_deps Array(String)`),
  derived: [BLOCK_TIME, { name: 'selector', expression: 'substring(input, 1, 10)' }],
  indexes: [
    TIME_INDEX,
    'INDEX by_hash hash TYPE bloom_filter(0.01) GRANULARITY 1',
    'INDEX by_sender from_address TYPE bloom_filter(0.01) GRANULARITY 1',
  ],
};

const receipts: AnalyticsTable = {
  bucket: ANALYTICS.receipts,
  name: 'receipts',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    transaction_index UInt32
    block_timestamp UInt64
    transaction_hash String
    type UInt8
    from_address String
    to_address Nullable(String)
    contract_address Nullable(String)
    input_bytes UInt32
    status UInt8
    gas_used UInt64
    cumulative_gas_used UInt64
    gas_refunded UInt64
    effective_gas_price UInt256
    logs_bloom String
    first_log_index UInt32
    log_count UInt32
    l2_to_l1_log_count UInt32
    native_used UInt64
    computational_native_used UInt64
    pubdata_used UInt64
    return_data String`),
  derived: [BLOCK_TIME, { name: 'fee', expression: 'effective_gas_price * gas_used' }],
  indexes: [TIME_INDEX, 'INDEX by_hash transaction_hash TYPE bloom_filter(0.01) GRANULARITY 1'],
};

const logs: AnalyticsTable = {
  bucket: ANALYTICS.logs,
  name: 'logs',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    log_index UInt32
    transaction_index UInt32
    block_timestamp UInt64
    transaction_hash String
    address String
    topic0 String
    topic1 String
    topic2 String
    topic3 String
    data String`),
  derived: [
    BLOCK_TIME,
    { name: 'topics', expression: "arrayFilter(topic -> topic != '', [topic0, topic1, topic2, topic3])" },
  ],
  indexes: [
    TIME_INDEX,
    'INDEX by_address address TYPE bloom_filter(0.01) GRANULARITY 1',
    'INDEX by_topic0 topic0 TYPE bloom_filter(0.01) GRANULARITY 1',
  ],
};

const l2ToL1Logs: AnalyticsTable = {
  bucket: ANALYTICS.l2ToL1Logs,
  name: 'l2_to_l1_logs',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    log_index UInt32
    transaction_index UInt32
    block_timestamp UInt64
    transaction_hash String
    index_in_transaction UInt32
    shard_id UInt8
    is_service Bool
    tx_number_in_block UInt32
    sender String
    key String
    value String
    message Nullable(String)`),
  derived: [BLOCK_TIME],
  indexes: [TIME_INDEX],
};

const storageWrites: AnalyticsTable = {
  bucket: ANALYTICS.storageWrites,
  name: 'storage_writes',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    write_index UInt32
    block_timestamp UInt64
    address String
    slot String
    value String
    flat_key String
    account_record String`),
  derived: [
    BLOCK_TIME,
    { name: 'account', expression: "if(account_record = '', NULL, concat('0x', substring(slot, 27)))" },
    // Big-endian numbers at fixed places of the record (spec: state 2).
    {
      name: 'account_nonce',
      expression:
        "if(account_record = '', NULL, reinterpretAsUInt64(reverse(unhex(substring(account_record, 19, 16)))))",
    },
    {
      name: 'account_balance',
      expression:
        "if(account_record = '', NULL, reinterpretAsUInt256(reverse(unhex(substring(account_record, 35, 64)))))",
    },
  ],
  indexes: [TIME_INDEX, 'INDEX by_address address TYPE bloom_filter(0.01) GRANULARITY 1'],
};

const tokenTransfers: AnalyticsTable = {
  bucket: ANALYTICS.tokenTransfers,
  name: 'token_transfers',
  keyColumns: 2,
  columns: columns(`
    block_number UInt64
    log_index UInt32
    transaction_index UInt32
    block_timestamp UInt64
    transaction_hash String
    token String
    standard LowCardinality(String)
    from_address String
    to_address String
    amount UInt256
    token_id UInt256`),
  derived: [BLOCK_TIME],
  indexes: [TIME_INDEX, 'INDEX by_token token TYPE bloom_filter(0.01) GRANULARITY 1'],
};

/** Its rows are inserted after those of the others: a block that is there has all its rows. */
export const BLOCKS_TABLE: AnalyticsTable = {
  bucket: ANALYTICS.blocks,
  name: 'blocks',
  keyColumns: 1,
  columns: columns(`
    number UInt64
    hash String
    parent_hash String
    ommers_hash String
    miner String
    state_root String
    transactions_root String
    receipts_root String
    logs_bloom String
    difficulty UInt256
    gas_limit UInt64
    gas_used UInt64
    timestamp UInt64
    extra_data String
    mix_hash String
    nonce String
    base_fee_per_gas UInt64
    previous_block_timestamp UInt64
    pubdata_price UInt256
    native_price UInt256
    pubdata_limit UInt64
    execution_version UInt32
    node_version String
    starting_l1_priority_id UInt64
    block_output_hash String
    computational_native_used UInt64
    pubdata_bytes UInt32
    transaction_count UInt32
    log_count UInt32
    l2_to_l1_log_count UInt32
    storage_write_count UInt32
    token_transfer_count UInt32`),
  derived: [{ name: 'time', expression: "toDateTime(timestamp, 'UTC')" }],
  indexes: [
    'INDEX by_time timestamp TYPE minmax GRANULARITY 1',
    'INDEX by_hash hash TYPE bloom_filter(0.01) GRANULARITY 1',
  ],
};

/** In the order of their buckets. */
export const ANALYTICS_TABLES: readonly AnalyticsTable[] = [
  transactions,
  receipts,
  logs,
  l2ToL1Logs,
  storageWrites,
  tokenTransfers,
  BLOCKS_TABLE,
];

export function storedName(table: AnalyticsTable): string {
  return `${table.name}_stored`;
}

/** Names of the columns that are inserted, in the order of a row. */
export function columnNames(table: AnalyticsTable): readonly string[] {
  return table.columns.map(({ name }) => name);
}

/** The columns that a row is known by. */
export function keyNames(table: AnalyticsTable): readonly string[] {
  return columnNames(table).slice(0, table.keyColumns);
}
