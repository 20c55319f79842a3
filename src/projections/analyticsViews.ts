/**
 * What analysts look at by the minute. Materialised views fold every inserted run into one row a block (or block and
 * contract) of a table that is keyed by them: a block inserted twice gives the same row twice, and one of them goes. Sums
 * per minute are taken when they are read, over one row a block, so that they stay exact after a crash or a rebuild.
 * It relies on a block's rows coming in one piece of one insert (analyticsStore.ts).
 */

interface MaterializedTable {
  readonly name: string;
  /** Stored table whose inserts feed it. */
  readonly source: string;
  readonly columns: string;
  readonly key: string;
  /** Without FROM. */
  readonly select: string;
  readonly groupBy: string;
  readonly where?: string;
}

const minuteOf = (timestamp: string): string => `toStartOfMinute(toDateTime(${timestamp}, 'UTC'))`;

const MATERIALIZED: readonly MaterializedTable[] = [
  {
    name: 'blocks_by_minute',
    source: 'blocks_stored',
    columns:
      "minute DateTime('UTC'), block_number UInt64, transactions UInt64, gas_used UInt64, gas_limit UInt64, interval_seconds Nullable(UInt64)",
    key: 'minute, block_number',
    select: `${minuteOf('timestamp')} AS minute, number AS block_number, sum(transaction_count) AS transactions,
      sum(blocks_stored.gas_used) AS gas_used, sum(blocks_stored.gas_limit) AS gas_limit,
      max(if(previous_block_timestamp = 0, NULL, timestamp - previous_block_timestamp)) AS interval_seconds`,
    groupBy: 'minute, block_number',
  },
  {
    name: 'receipts_by_minute',
    source: 'receipts_stored',
    columns:
      "minute DateTime('UTC'), block_number UInt64, transactions UInt64, failed UInt64, fees UInt256, senders AggregateFunction(uniqExact, String)",
    key: 'minute, block_number',
    select: `${minuteOf('block_timestamp')} AS minute, block_number, count() AS transactions, countIf(status = 0) AS failed,
      sum(effective_gas_price * gas_used) AS fees, uniqExactState(from_address) AS senders`,
    groupBy: 'minute, block_number',
  },
  {
    name: 'contracts_by_minute',
    source: 'receipts_stored',
    columns:
      "minute DateTime('UTC'), block_number UInt64, contract String, calls UInt64, failed UInt64, gas_used UInt64, fees UInt256",
    key: 'minute, block_number, contract',
    select: `${minuteOf('block_timestamp')} AS minute, block_number, assumeNotNull(to_address) AS contract, count() AS calls,
      countIf(status = 0) AS failed, sum(receipts_stored.gas_used) AS gas_used,
      sum(effective_gas_price * receipts_stored.gas_used) AS fees`,
    where: 'to_address IS NOT NULL AND input_bytes > 0',
    groupBy: 'minute, block_number, contract',
  },
];

/** Name -> query, over the tables above. */
const PER_MINUTE: Readonly<Record<string, (database: string) => string>> = {
  throughput_per_minute: (
    database,
  ) => `SELECT minute, count() AS blocks, sum(b.transactions) AS transactions, round(transactions / 60, 3) AS transactions_per_second
    FROM ${database}.blocks_by_minute AS b FINAL GROUP BY minute`,
  gas_per_minute: (
    database,
  ) => `SELECT minute, sum(b.gas_used) AS gas_used, round(gas_used / 60, 1) AS gas_per_second, round(avg(b.gas_used / b.gas_limit), 6) AS block_fill
    FROM ${database}.blocks_by_minute AS b FINAL GROUP BY minute`,
  block_interval_per_minute: (
    database,
  ) => `SELECT minute, count() AS blocks, avg(interval_seconds) AS average_seconds, max(interval_seconds) AS longest_seconds
    FROM ${database}.blocks_by_minute FINAL GROUP BY minute`,
  fees_per_minute: (
    database,
  ) => `SELECT minute, sum(r.fees) AS fees, sum(r.transactions) AS transactions, intDiv(fees, transactions) AS average_fee
    FROM ${database}.receipts_by_minute AS r FINAL GROUP BY minute`,
  active_senders_per_minute: (
    database,
  ) => `SELECT minute, uniqExactMerge(senders) AS active_senders, sum(r.transactions) AS transactions, sum(r.failed) AS failed
    FROM ${database}.receipts_by_minute AS r FINAL GROUP BY minute`,
  top_contracts_per_minute: (
    database,
  ) => `SELECT minute, contract, sum(c.calls) AS calls, sum(c.failed) AS failed, sum(c.gas_used) AS gas_used, sum(c.fees) AS fees
    FROM ${database}.contracts_by_minute AS c FINAL GROUP BY minute, contract`,
};

export const PER_MINUTE_VIEWS: readonly string[] = Object.keys(PER_MINUTE);

function selectOf({ select, source, where, groupBy }: MaterializedTable, database: string): string {
  return `SELECT ${select} FROM ${database}.${source}${where === undefined ? '' : ` WHERE ${where}`} GROUP BY ${groupBy}`;
}

/** Creates them, and fills them from what is stored already. Each statement may run again. */
export function viewStatements(database: string, tableSettings: string): string[] {
  return [
    ...MATERIALIZED.flatMap((table) => [
      `CREATE TABLE IF NOT EXISTS ${database}.${table.name} (${table.columns}) ENGINE = ReplacingMergeTree ORDER BY (${table.key}) ${tableSettings}`,
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.${table.name}_fill TO ${database}.${table.name} AS ${selectOf(table, database)}`,
      `INSERT INTO ${database}.${table.name} ${selectOf(table, database).replace(`${table.source} `, `${table.source} FINAL `)}`,
    ]),
    ...Object.entries(PER_MINUTE).map(
      ([name, query]) => `CREATE OR REPLACE VIEW ${database}.${name} AS ${query(database)}`,
    ),
  ];
}
