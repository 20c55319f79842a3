/** Questions that are asked often, ready to run (`reprise query --list`). Table names are those of the analytics database. */

export interface NamedQuery {
  readonly description: string;
  readonly sql: string;
}

export const NAMED_QUERIES: Readonly<Record<string, NamedQuery>> = {
  'chain-summary': {
    description: 'totals of the chain: blocks, transactions, failures, senders, gas, fees in ether',
    sql: `SELECT (SELECT max(number) FROM blocks) AS head, count() AS transactions, countIf(status = 0) AS failed,
  uniqExact(from_address) AS senders, sum(gas_used) AS gas_used, round(toFloat64(sum(fee)) / 1e18, 9) AS fees_ether
FROM receipts`,
  },
  'recent-blocks': {
    description: 'the newest 20 blocks',
    sql: `SELECT number, time, hash, transaction_count, gas_used, round(100 * gas_used / gas_limit, 2) AS full_percent, pubdata_bytes
FROM blocks ORDER BY number DESC LIMIT 20`,
  },
  'recent-transactions': {
    description: 'the newest 20 transactions with what they cost',
    sql: `SELECT t.block_number, t.hash, t.type, t.from_address, t.to_address, t.value, r.status, r.gas_used, r.fee
FROM (SELECT * FROM transactions ORDER BY block_number DESC, transaction_index DESC LIMIT 20) AS t
JOIN receipts AS r ON r.block_number = t.block_number AND r.transaction_index = t.transaction_index
ORDER BY t.block_number DESC, t.transaction_index DESC`,
  },
  throughput: {
    description: 'blocks and transactions by the minute, newest first',
    sql: 'SELECT * FROM throughput_per_minute ORDER BY minute DESC LIMIT 60',
  },
  gas: {
    description: 'gas by the minute and how full blocks were, newest first',
    sql: 'SELECT * FROM gas_per_minute ORDER BY minute DESC LIMIT 60',
  },
  fees: {
    description: 'fees by the minute in wei, newest first',
    sql: 'SELECT * FROM fees_per_minute ORDER BY minute DESC LIMIT 60',
  },
  'active-senders': {
    description: 'different senders by the minute, newest first',
    sql: 'SELECT * FROM active_senders_per_minute ORDER BY minute DESC LIMIT 60',
  },
  'block-interval': {
    description: 'seconds between blocks by the minute, newest first',
    sql: 'SELECT * FROM block_interval_per_minute ORDER BY minute DESC LIMIT 60',
  },
  'top-contracts': {
    description: 'the 20 contracts that are called most',
    sql: `SELECT contract, sum(c.calls) AS calls, sum(c.failed) AS failed, sum(c.gas_used) AS gas_used, sum(c.fees) AS fees
FROM top_contracts_per_minute AS c GROUP BY contract ORDER BY calls DESC, contract LIMIT 20`,
  },
  'top-senders': {
    description: 'the 20 accounts that send most, with failures and fees',
    sql: `SELECT from_address, count() AS transactions, countIf(status = 0) AS failed, sum(fee) AS fees
FROM receipts GROUP BY from_address ORDER BY transactions DESC, from_address LIMIT 20`,
  },
  'top-methods': {
    description: 'the 20 function selectors that are called most',
    sql: `SELECT selector, count() AS calls, uniqExact(to_address) AS contracts FROM transactions
WHERE to_address IS NOT NULL AND length(input) >= 10 GROUP BY selector ORDER BY calls DESC, selector LIMIT 20`,
  },
  'failed-transactions': {
    description: 'the newest 20 transactions that failed, with what they returned',
    sql: `SELECT block_number, transaction_hash, from_address, to_address, gas_used, return_data FROM receipts
WHERE status = 0 ORDER BY block_number DESC, transaction_index DESC LIMIT 20`,
  },
  'new-contracts': {
    description: 'the newest 20 contracts and who made them',
    sql: `SELECT block_number, time, contract_address, from_address AS creator, transaction_hash FROM receipts
WHERE contract_address IS NOT NULL AND status = 1 ORDER BY block_number DESC, transaction_index DESC LIMIT 20`,
  },
  'token-transfers': {
    description: 'transfers, senders and receivers of each ERC-20 and ERC-721 token',
    sql: `SELECT token, standard, count() AS transfers, uniqExact(from_address) AS senders, uniqExact(to_address) AS receivers, sum(amount) AS amount
FROM token_transfers GROUP BY token, standard ORDER BY transfers DESC, token LIMIT 20`,
  },
  'token-holders': {
    description: 'the 20 largest balances that transfers of each ERC-20 token add up to',
    sql: `SELECT token, holder, sum(change) AS balance FROM (
  SELECT token, to_address AS holder, toInt256(amount) AS change FROM token_transfers WHERE standard = 'erc20'
  UNION ALL
  SELECT token, from_address AS holder, -toInt256(amount) AS change FROM token_transfers WHERE standard = 'erc20'
) WHERE holder != '0x0000000000000000000000000000000000000000'
GROUP BY token, holder HAVING balance != 0 ORDER BY balance DESC, token, holder LIMIT 20`,
  },
  'rich-list': {
    description: 'the 20 accounts with the largest balance of ether, in wei',
    sql: `SELECT account, argMax(account_balance, (block_number, write_index)) AS balance, argMax(account_nonce, (block_number, write_index)) AS nonce
FROM storage_writes WHERE account_record != '' AND address != '' GROUP BY account ORDER BY balance DESC, account LIMIT 20`,
  },
  'l1-deposits': {
    description: 'the newest 20 priority transactions from L1',
    sql: `SELECT block_number, time, nonce AS priority_id, hash, from_address, to_address, value, to_mint FROM transactions
WHERE type = 127 ORDER BY block_number DESC, transaction_index DESC LIMIT 20`,
  },
  withdrawals: {
    description: 'the newest 20 messages to L1',
    sql: `SELECT block_number, time, transaction_hash, concat('0x', substring(key, 27)) AS sender, message FROM l2_to_l1_logs
WHERE message IS NOT NULL ORDER BY block_number DESC, log_index DESC LIMIT 20`,
  },
  'storage-growth': {
    description: 'storage writes and pubdata by the hour, newest first',
    sql: `SELECT toStartOfHour(time) AS hour, sum(storage_write_count) AS writes, sum(b.pubdata_bytes) AS pubdata_bytes
FROM blocks AS b GROUP BY hour ORDER BY hour DESC LIMIT 48`,
  },
  'row-counts': {
    description: 'rows of every table; those that blocks announce must be those that are there',
    sql: ['transaction', 'receipt', 'log', 'l2_to_l1_log', 'storage_write', 'token_transfer']
      .map(
        (row) =>
          `SELECT '${row}s' AS table, (SELECT count() FROM ${row}s) AS rows, (SELECT sum(${row === 'receipt' ? 'transaction' : row}_count) FROM blocks) AS announced`,
      )
      .join('\nUNION ALL\n'),
  },
  'insert-history': {
    description: 'when the newest 20 checkpoints were written',
    sql: 'SELECT height, next_index, written_at FROM checkpoints ORDER BY next_index DESC LIMIT 20',
  },
};
