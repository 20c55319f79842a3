/**
 * Every metric of the node, once (spec: observability A.2, A.3, A.11, C.1 to C.5). Names that the reference exports are kept as they are;
 * new counters end in `_total`.
 */

/** 100 ns doubling up to about 1 s. */
const FAST_SECONDS = Array.from({ length: 24 }, (_, i) => 1e-7 * 2 ** i);
/** The fast ones, then up to 10 s. */
const APPLY_SECONDS = [...FAST_SECONDS, 2.5, 5, 10];
const RPC_SECONDS = [...FAST_SECONDS, 2.5, 5, 10, 30, 60];
const APPEND_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const FRESHNESS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 120];
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
const SIZES_BYTES = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 2e6, 4e6, 8e6, 1e7];
const GAS = [21e3, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6, 5e6, 10e6, 25e6, 50e6, 100e6];
const NATIVE = [1e5, 1e6, 5e6, 1e7, 5e7, 1e8, 5e8, 1e9, 5e9, 1e10, 5e10];
const PUBDATA_BYTES = [0, 32, 64, 128, 256, 512, 1e3, 5e3, 1e4, 5e4, 1e5, 2e5];
const DECADES = [1, 10, 100, 1_000, 10_000, 100_000];

export interface MetricRow<L extends string> {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
  readonly buckets?: readonly number[];
}

export interface CounterRow<L extends string> extends MetricRow<L> {
  readonly kind: 'counter';
}

export interface GaugeRow<L extends string> extends MetricRow<L> {
  readonly kind: 'gauge';
}

export interface HistogramRow<L extends string> extends MetricRow<L> {
  readonly kind: 'histogram';
  readonly buckets: readonly number[];
}

function counter<const L extends string = never>(name: string, help: string, labels: readonly L[] = []): CounterRow<L> {
  return { kind: 'counter', name, help, labels };
}

function gauge<const L extends string = never>(name: string, help: string, labels: readonly L[] = []): GaugeRow<L> {
  return { kind: 'gauge', name, help, labels };
}

function histogram<const L extends string = never>(
  name: string,
  help: string,
  buckets: readonly number[],
  labels: readonly L[] = [],
): HistogramRow<L> {
  return { kind: 'histogram', name, help, labels, buckets };
}

export const METRICS = {
  process: {
    startedAt: gauge('process_started_at', 'Start of the process, unix seconds', ['version', 'role']),
    startupSeconds: gauge(
      'startup_time',
      'Seconds from the start of the process until it serves, and until it has caught up (total)',
      ['stage'],
    ),
    chainId: gauge('chain_id', 'L2 chain id'),
    feeCollector: gauge('fee_collector_address', 'Always 1; the address is the label', ['fee_collector_address']),
    timeInState: counter('component_time_spent_in_state', 'Seconds a component spent in a state', [
      'component',
      'generic_state',
      'specific_state',
    ]),
  },
  execution: {
    blockNumber: gauge('execution_block_number', 'Last processed block', ['stage']),
    sealReason: counter('execution_seal_reason', 'Blocks by what sealed them', ['seal_reason']),
    transactionSeconds: histogram(
      'execution_tx_execution_seconds',
      'Execution of some transactions of a block that this process built; waiting: the part that waits for the store',
      FAST_SECONDS,
      ['measure'],
    ),
    transactionsPerBlock: histogram('execution_transactions_per_block', 'Transactions of a block', COUNTS),
    transactionGasUsed: histogram('execution_transaction_gas_used', 'Gas used by a transaction', GAS),
    transactionNativeUsed: histogram('execution_transaction_native_used', 'Native used by a transaction', NATIVE),
    transactionComputationNativeUsed: histogram(
      'execution_transaction_computation_native_used',
      'Computational native used by a transaction',
      NATIVE,
    ),
    transactionPubdataUsed: histogram(
      'execution_transaction_pubdata_used',
      'Pubdata bytes of a transaction',
      PUBDATA_BYTES,
    ),
    transactionStatus: counter('execution_transaction_status', 'Executed transactions by status', ['status']),
    executedTransactions: counter('execution_executed_transactions', 'Executed transactions'),
    computationalNativeUsedPerBlock: histogram(
      'execution_computational_native_used_per_block',
      'Computational native used by a block',
      NATIVE,
    ),
    gasPerBlock: histogram('execution_gas_per_block', 'Gas used by a block', GAS),
    pubdataPerBlock: histogram('execution_pubdata_per_block', 'Pubdata bytes of a block', PUBDATA_BYTES),
    storageWritesPerBlock: histogram('execution_storage_writes_per_block', 'Storage writes of a block', COUNTS),
    nextL1PriorityId: gauge('execution_next_l1_priority_id', 'Priority id the next block starts with'),
    seconds: histogram('execute_seconds', 'The executing pipeline, per block', APPLY_SECONDS, ['source']),
  },
  log: {
    headHeight: gauge('log_head_height', 'Last accepted block'),
    position: gauge('log_position', 'Last entry read, accepted or not'),
    epoch: gauge('log_epoch', 'Current epoch'),
    appendSeconds: histogram('log_append_seconds', 'From sending to reading back as accepted', APPEND_SECONDS),
    appends: counter('log_append_total', 'Appended entries by what became of them', ['result']),
    entries: counter('log_entries_total', 'Accepted entries', ['kind']),
    rejected: counter('log_rejected_total', 'Rejected entries', ['class']),
    claims: counter('log_claims_total', 'Own claims to lead by what became of them', ['result']),
    unacceptedBlocks: gauge('log_unaccepted_blocks', 'Blocks built and not read back yet'),
    alarm: gauge('log_alarm', '1 while somebody has to look at the log, by reason', ['code']),
    entrySizeBytes: histogram('log_entry_size_bytes', 'Size of accepted entries', SIZES_BYTES, ['kind']),
  },
  projection: {
    height: gauge('projection_height', 'Last block applied', ['projection']),
    lagBlocks: gauge('projection_lag_blocks', 'Blocks of the log not applied yet', ['projection']),
    lagSeconds: gauge('projection_lag_seconds', 'Age of the newest applied block when behind, else 0', ['projection']),
    applySeconds: histogram('projection_apply_seconds', 'Applying one entry', APPLY_SECONDS, ['projection', 'stage']),
    blocksApplied: counter('projection_blocks_applied_total', 'Blocks applied', ['projection']),
    transactionsApplied: counter('projection_txs_applied_total', 'Transactions applied', ['projection']),
    state: gauge('projection_state', '1 for the state the projection is in', ['projection', 'state']),
    errors: counter('projection_errors_total', 'Errors by kind', ['projection', 'kind']),
    rebuildProgress: gauge('projection_rebuild_progress', 'Share of a rebuild that is done, 0 to 1', ['projection']),
    duplicates: counter('projection_duplicates_total', 'Redelivered entries skipped', ['projection']),
  },
  clickhouse: {
    insertedRows: counter('clickhouse_inserted_rows_total', 'Rows inserted, repetitions included', ['table']),
    insertSeconds: histogram('clickhouse_insert_seconds', 'One insert', APPEND_SECONDS, ['table']),
    insertErrors: counter('clickhouse_insert_errors_total', 'Problems with ClickHouse by code', ['kind']),
    lastBlock: gauge('clickhouse_last_block', 'Last block that is there with all its rows'),
  },
  kafka: {
    fetchLatencySeconds: histogram(
      'kafka_fetch_latency_seconds',
      'One fetch; a broker without news answers after a quarter of a second',
      APPEND_SECONDS,
    ),
    records: counter('kafka_records_total', 'Records fetched'),
    bytes: counter('kafka_bytes_total', 'Bytes fetched'),
    readerRestarts: counter('kafka_reader_restarts_total', 'Consumers of the reader thrown away for another one'),
    brokerUp: gauge('kafka_broker_up', '1: the cluster has the broker, as far as it answers; asked every ten seconds', [
      'broker',
    ]),
  },
  replay: {
    clients: gauge('replay_server_clients', 'Nodes that are served over TCP'),
    sent: counter('replay_server_blocks_total', 'Blocks sent to them'),
    refused: counter('replay_server_refused_total', 'Connections above the limit'),
    connected: gauge('replay_client_connected', '1: the replay server that feeds this node is connected'),
    connections: gauge('replay_client_connections', 'Connections to it since the start'),
    received: gauge('replay_client_blocks', 'Blocks received from it since the start'),
  },
  freshness: {
    submitToBlockSeconds: histogram(
      'tx_submit_to_block_seconds',
      'From the pool taking a transaction in to the sealed block, of some transactions of each block built here',
      FRESHNESS_SECONDS,
    ),
    blockToAcceptedSeconds: histogram(
      'block_to_accepted_seconds',
      'From the sealed block to reading it back as accepted',
      FRESHNESS_SECONDS,
    ),
    acceptedToRpcSeconds: histogram(
      'accepted_to_rpc_seconds',
      'From accepted to readable as latest on this node',
      FRESHNESS_SECONDS,
    ),
    acceptedToAnalyticsSeconds: histogram(
      'accepted_to_analytics_seconds',
      'From accepted to rows in ClickHouse, per block',
      FRESHNESS_SECONDS,
    ),
    submitToReceiptSeconds: histogram(
      'tx_to_receipt_seconds',
      'From the pool taking a transaction in to the readable receipt, of some transactions of each block built here',
      FRESHNESS_SECONDS,
    ),
  },
  leader: {
    status: gauge('leader_status', '1: the current claim is one of this process'),
    transitions: counter('leader_transitions_total', 'Claims won and lost', ['reason']),
  },
  sequencer: {
    lastBlockAgeSeconds: gauge('sequencer_last_block_age_seconds', 'Age of the newest block'),
  },
  mempool: {
    transactions: gauge('mempool_transactions', 'Transactions in the pool', ['subpool']),
    sizeBytes: gauge('mempool_size_bytes', 'Their bytes', ['subpool']),
    added: counter('mempool_added_total', 'Transactions added', ['result']),
    removed: counter('mempool_removed_total', 'Transactions removed', ['reason']),
    rejected: counter('mempool_rejected_total', 'Transactions refused', ['kind']),
  },
  l1: {
    priorityQueueLag: gauge('l1_priority_queue_lag', 'Priority transactions on L1 not in a block yet'),
    priorityOldestAgeSeconds: gauge('l1_priority_oldest_age_seconds', 'Since this node read the oldest of them'),
    priorityUnchecked: gauge('l1_priority_unchecked', 'Priority transactions not compared with L1 yet'),
    headBlock: gauge('l1_head_block', 'Newest block of L1'),
    scannedBlock: gauge('most_recently_scanned_l1_block', 'L1 block up to which events were read', ['event']),
    watcherErrors: counter('l1_watcher_errors_total', 'Looks at L1 that failed after all retries', ['event']),
    reorganisations: counter('l1_reorg_detected_total', 'Reorganisations below the confirmation depth', ['event']),
    alarm: gauge('l1_alarm', '1 while no priority transactions are included, by reason', ['code']),
  },
  batcher: {
    batchNumber: gauge('batcher_batch_number', 'Newest batch of the stage', ['stage']),
    blockNumber: gauge('batcher_block_number', 'Last block of that batch', ['stage']),
    sealReason: counter('batcher_seal_reason', 'Batches that this process sealed by what sealed them', ['seal_reason']),
    transactionsPerBatch: histogram('batcher_transactions_per_batch', 'Transactions of a batch', COUNTS),
    blocksPerBatch: histogram('batcher_blocks_per_batch', 'Blocks of a batch', COUNTS),
    computationalNativeUsedPerBatch: histogram(
      'batcher_computational_native_used_per_batch',
      'Computational native used by a batch',
      NATIVE,
    ),
    pubdataPerBatch: histogram('batcher_pubdata_per_batch', 'Pubdata bytes of a batch', PUBDATA_BYTES),
    openBlocks: gauge('batcher_open_blocks', 'Accepted blocks of the batch being collected'),
    backlog: gauge('batch_backlog', 'Batches that wait for the stage', ['stage']),
  },
  settlement: {
    alarm: gauge('settlement_alarm', '1 while settlement needs somebody to look, by reason', ['code']),
  },
  finality: {
    safeBlock: gauge('finality_safe_block', 'The safe block'),
    finalizedBlock: gauge('finality_finalized_block', 'The finalized block'),
    safeLagBlocks: gauge('finality_safe_lag_blocks', 'Blocks between the head and the safe block'),
  },
  rpc: {
    servedHeight: gauge('rpc_served_height', 'latest: the lowest height over the projections that RPC reads'),
    heightSkewBlocks: gauge(
      'rpc_height_skew_blocks',
      'Highest minus lowest projection of this node, optional ones left out',
    ),
    responseSeconds: histogram('response_time_seconds', 'One call; batch: a whole batch', RPC_SECONDS, ['method']),
    requestSizeBytes: histogram('request_size_bytes', 'A call as it was written', SIZES_BYTES, ['method']),
    responseSizeBytes: histogram('response_size_bytes', 'Answer to a call', SIZES_BYTES, ['method']),
    requestsInBatch: histogram('requests_in_batch_count', 'Calls of a method inside a batch', COUNTS, ['method']),
    logsScannedBlocks: histogram('get_logs_scanned_blocks', 'Blocks of a log query by what the bloom said', DECADES, [
      'method',
    ]),
    requests: counter('rpc_requests_total', 'Calls by error code, 0 for success', ['method', 'code']),
    inFlight: gauge('rpc_in_flight', 'Requests being answered'),
    webSocketConnections: gauge('rpc_ws_connections', 'Open WebSockets'),
    subscriptions: gauge('rpc_subscriptions', 'Open subscriptions', ['kind']),
    subscriptionsLagged: counter('rpc_subscription_lagged_total', 'Subscriptions dropped for lagging'),
    filters: gauge('rpc_filters', 'Installed filters'),
    filtersExpired: counter('rpc_filter_expired_total', 'Filters removed unpolled'),
    batchSize: histogram('rpc_batch_size', 'Calls of a batch', COUNTS),
    rejected: counter('rpc_rejected_total', 'Requests refused before they were read', ['reason']),
    evmSeconds: histogram('rpc_evm_seconds', 'Simulated execution', RPC_SECONDS, ['kind']),
    traces: counter('rpc_traces_total', 'Traces by tracer and by how they ended', ['tracer', 'outcome']),
    tracesRunning: gauge('rpc_traces_running', 'Traces being executed'),
    estimateIterations: histogram('rpc_estimate_iterations', 'Executions of one estimate', COUNTS),
  },
};
