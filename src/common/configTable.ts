/**
 * Every option of the node, once: name, type, default, role and meaning. Parsing, the Config type, `--help` and
 * docs/config.md follow from this table (spec: config A.3, B.1 to B.4).
 */
import * as t from './configTypes.ts';
import type { Unit, ValueType } from './configTypes.ts';

export type NodeRole = 'main' | 'external';

/** What a default may depend on. */
export interface DefaultContext {
  readonly role: NodeRole;
  readonly isDevelopment: boolean;
  /** general_rocks_db_path */
  readonly dataPath: string;
  readonly hostname: string;
}

export interface Option<T, U extends Unit> {
  readonly type: ValueType<T, U>;
  readonly defaultOf: (context: DefaultContext) => T;
  /** How the documentation names a default that depends on others. */
  readonly defaultText: string;
  readonly role: NodeRole | 'both';
  readonly help: string;
  /**
   * later: known and accepted, nothing uses it yet; unused: an option of other nodes that means nothing here. Setting
   * either is a warning.
   */
  readonly effect: 'now' | 'later' | 'unused';
}

interface RowExtras {
  readonly role?: NodeRole;
  readonly effect?: 'later' | 'unused';
  readonly defaultText?: string;
}

function row<T, U extends Unit>(
  type: ValueType<T, U>,
  defaultOf: (context: DefaultContext) => NoInfer<T>,
  defaultText: string,
  help: string,
  { role, effect }: RowExtras,
): Option<T, U> {
  return { type, defaultOf, defaultText, help, role: role ?? 'both', effect: effect ?? 'now' };
}

function option<T, U extends Unit>(type: ValueType<T, U>, value: NoInfer<T>, help: string, extras: RowExtras = {}) {
  return row(type, () => value, extras.defaultText ?? type.format(value), help, extras);
}

function optional<T, U extends Unit>(type: ValueType<T, U>, help: string, extras: RowExtras = {}) {
  return row(t.optional(type), () => undefined, extras.defaultText ?? 'none', help, extras);
}

/** The default depends on other options; `defaultText` says how. */
function derived<T, U extends Unit>(
  type: ValueType<T, U>,
  defaultOf: (context: DefaultContext) => NoInfer<T>,
  help: string,
  extras: RowExtras & { readonly defaultText: string },
) {
  return row(type, defaultOf, extras.defaultText, help, extras);
}

const MIB = 1024 ** 2;
export const DEFAULT_DATA_PATH = './db/node1';
const positive = t.integer({ min: 1 });
const u16 = t.integer({ max: 65_535 });
const main = { role: 'main' } as const;
const external = { role: 'external' } as const;
const later = { effect: 'later' } as const;
const laterMain = { effect: 'later', role: 'main' } as const;
const unused = { effect: 'unused' } as const;
const http = t.url('http', 'https');
const rpcUrl = t.url('http', 'https', 'ws', 'wss');

const anyHost = (port: number): t.SocketAddress => ({ host: '0.0.0.0', port });

export const OPTIONS = {
  // roles
  node_role: derived(t.oneOf('main', 'external'), (context) => context.role, 'leads or waits its turn, or follows', {
    defaultText: '`main`; `external` with sequencer_block_replay_download_address',
  }),
  node_id: optional(t.id16, 'names this node in the log, for people; kept in `<data>/node-id`', {
    defaultText: 'random, kept in `<data>/node-id`',
  }),
  development_l1_port: option(t.port, 8_545, 'port of the L1 that `npm start` starts; 0: any free one'),
  development: option(
    t.boolean,
    false,
    'a chain for trying out: topics are created automatically, with one replica (`npm start` sets it)',
  ),
  config_strict: option(t.boolean, true, 'unknown names are errors; `false`: warnings'),

  // general_*
  general_rocks_db_path: option(t.path, DEFAULT_DATA_PATH, 'folder of all local data, called `<data>` below'),
  general_l1_rpc_url: derived(
    t.optional(rpcUrl),
    ({ role, isDevelopment }) => (role === 'main' && !isDevelopment ? 'http://localhost:8545' : undefined),
    'L1 JSON-RPC; an external node with it compares every priority transaction with L1; a development node without it makes its own deposits (`npm start` starts an L1)',
    { defaultText: 'main: `http://localhost:8545`, external or development: none' },
  ),
  general_main_node_rpc_url: optional(
    http,
    'where an external node forwards submitted transactions and, fed over TCP, reads the genesis',
    external,
  ),
  general_prometheus_port: option(t.port, 3312, 'metrics, GET on any path, all interfaces'),
  general_state_backend: option(
    t.oneOf('FullDiffs', 'Compacted'),
    'FullDiffs',
    'FullDiffs keeps all history; Compacted is later work and refused',
  ),
  general_min_blocks_to_replay: option(t.integer(), 10, 'projections resume at their own checkpoints instead', unused),
  general_force_starting_block_number: optional(
    t.integer(),
    'projections resume at their own checkpoints instead',
    unused,
  ),
  general_blocks_to_retain_in_memory: option(positive, 512, 'window of the compacted state', later),
  general_sentry_url: optional(http, 'Sentry DSN', later),
  general_zkstack_cli_config_dir: optional(t.path, 'zkstack folder whose values win over the environment', laterMain),

  // genesis_*
  genesis_bridgehub_address: option(
    t.optional(t.address),
    Uint8Array.from(Buffer.from('8bd76a67b984e8f0b902a82220a90fc45d9738a9', 'hex')),
    'Bridgehub on L1; an external node takes it from the log',
    main,
  ),
  genesis_chain_id: option(t.optional(t.u64), 270n, 'L2 chain id; an external node uses it for the topic name'),
  genesis_genesis_input_path: optional(t.path, 'genesis input; none: the built-in development genesis', {
    ...main,
    defaultText: 'none: the built-in development genesis',
  }),

  // kafka_*
  kafka_brokers: optional(
    t.list(t.broker),
    'bootstrap servers (host:port, …); set: the log is on Kafka, unset: embedded',
  ),
  kafka_client_id: derived(
    t.name,
    ({ role, hostname }) => `${role}-${hostname}`,
    'name of this client at the brokers',
    {
      defaultText: '`<node_role>-<hostname>`',
    },
  ),
  kafka_security_protocol: option(t.oneOf('plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'), 'plaintext', 'transport'),
  kafka_sasl_mechanism: optional(
    t.oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
    'needed by the sasl protocols; oauthbearer is later work',
  ),
  kafka_sasl_username: optional(t.string, 'SASL user'),
  kafka_sasl_password: optional(t.secret, 'SASL password'),
  kafka_ssl_ca_file: optional(t.path, 'CA certificates, PEM'),
  kafka_ssl_cert_file: optional(t.path, 'client certificate, PEM'),
  kafka_ssl_key_file: optional(t.path, 'key of the client certificate, PEM'),
  kafka_topic_prefix: option(t.name, 'zkos', 'topics are `<prefix>.<chain id>.<topic>.v1`'),
  kafka_auto_create_topics: derived(
    t.boolean,
    ({ isDevelopment }) => isDevelopment,
    'create missing topics at start; otherwise a command of its own',
    { defaultText: 'false (development: true)' },
  ),
  kafka_replication_factor: derived(
    t.integer({ min: 1, max: 32 }),
    ({ isDevelopment }) => (isDevelopment ? 1 : 3),
    'replicas a topic must have',
    { defaultText: '3 (development: 1)' },
  ),
  kafka_min_insync_replicas: derived(
    t.integer({ min: 1, max: 32 }),
    ({ isDevelopment }) => (isDevelopment ? 1 : 2),
    'replicas that must hold an entry before it is acknowledged',
    { defaultText: '2 (development: 1)' },
  ),

  // schema_registry_*
  schema_registry_url: optional(http, 'writers register the released schemas there; readers never need it'),
  schema_registry_username: optional(t.string, 'user of the registry'),
  schema_registry_password: optional(t.secret, 'password of the registry'),

  // event_log_*
  event_log_path: derived(
    t.path,
    ({ dataPath }) => `${dataPath.replace(/\/+$/, '')}/log`,
    'folder of the embedded log; an external node may name the one of a main node on this machine',
    {
      defaultText: '`<data>/log`',
    },
  ),
  event_log_max_ahead_blocks: option(
    t.integer({ min: 1, max: 1_024 }),
    8,
    'blocks built ahead of acceptance; nothing of them is visible',
  ),

  event_log_read_delay: option(
    t.duration({ maxMs: 60_000 }),
    0,
    'for trying out a slow log: every entry is read so much later; needs `development`',
  ),

  // sequencer_*
  sequencer_block_replay_download_address: optional(
    t.socket,
    'replay server of another node; set: external node fed over TCP, which keeps a log of its own',
    external,
  ),
  sequencer_block_replay_server_address: option(
    t.optional(t.socket),
    anyHost(3053),
    'serves accepted blocks over TCP, without authentication; empty: not served',
  ),
  sequencer_block_replay_max_clients: option(t.integer({ min: 1, max: 10_000 }), 64, 'nodes that are served at once'),
  sequencer_block_time: option(
    t.duration({ minMs: 1, maxMs: 86_400_000 }),
    100,
    'a block is sealed this long after its first successful transaction',
    main,
  ),
  sequencer_max_transactions_in_block: option(t.integer({ min: 1, max: 100_000 }), 1_000, 'seal limit', main),
  sequencer_block_gas_limit: option(t.u64, 100_000_000n, 'seal limit and largest gas limit of a transaction', main),
  sequencer_block_pubdata_limit_bytes: option(t.u64, 110_000n, 'seal limit, also of a batch', main),
  sequencer_block_size_limit: option(
    t.size({ minBytes: 128 * 1024, maxBytes: 7 * MIB }),
    6 * MIB,
    'sum of the transaction bytes in a block; a log entry is at most 8 MiB',
    main,
  ),
  sequencer_block_dump_path: option(t.path, './db/block_dumps', 'dumps of failures; the newest 20 are kept'),
  sequencer_fee_collector_address: option(
    t.address,
    Uint8Array.from(Buffer.from('36615cf349d7f6344891b1e7ca7c72883f5dc049', 'hex')),
    'receives the fees of a block',
    main,
  ),
  sequencer_base_fee_override: optional(t.u64, 'constant base fee in wei', {
    role: 'main',
    defaultText: 'none (1000)',
  }),
  sequencer_pubdata_price_override: optional(t.u64, 'constant price of a pubdata byte in wei', {
    role: 'main',
    defaultText: 'none (1)',
  }),
  settlement_backlog_max_batches: option(
    positive,
    1_000,
    'sealed batches not executed on L1 before transaction intake closes',
    laterMain,
  ),

  // mempool_*, tx_validator_*
  mempool_max_pending_txs: option(positive, 100_000, 'transactions ready for a block', main),
  mempool_max_pending_size: option(t.size({ minBytes: 1 }), 256 * MIB, 'their bytes', main),
  tx_validator_max_input_bytes: option(t.size({ minBytes: 1 }), MIB, 'largest input of a transaction', main),

  // rpc_*
  rpc_enabled: option(t.boolean, true, 'serve JSON-RPC'),
  rpc_address: option(t.socket, anyHost(3050), 'JSON-RPC over HTTP and WebSocket'),
  rpc_eth_call_gas: option(t.u64, 10_000_000n, 'gas of an eth_call that names none'),
  rpc_max_connections: option(positive, 1_000, 'open connections'),
  rpc_max_request_size: option(
    t.size({ minBytes: 1024, maxBytes: 256 * MIB, plainUnit: 'mib' }),
    15 * MIB,
    'largest request body',
  ),
  rpc_max_response_size: option(
    t.size({ minBytes: 1024, maxBytes: 256 * MIB, plainUnit: 'mib' }),
    24 * MIB,
    'largest response',
  ),
  rpc_max_blocks_per_filter: option(positive, 100_000, 'largest `toBlock - fromBlock` of a log query'),
  rpc_max_logs_per_response: option(positive, 20_000, 'most logs of one answer; more is an error'),
  rpc_stale_filter_ttl: option(t.duration({ minMs: 1 }), 900_000, 'a filter not polled this long is removed'),
  rpc_max_filters: option(positive, 10_000, 'installed filters, all clients together'),
  rpc_namespaces: option(
    t.list(t.oneOf('eth', 'net', 'web3', 'zks', 'ots', 'debug', 'txpool', 'reprise')),
    ['eth', 'net', 'web3', 'zks', 'ots', 'debug', 'txpool', 'reprise'],
    'served; methods of others answer -32601',
  ),
  rpc_max_batch_entries: option(positive, 500, 'calls in one batch request; over it -32010'),
  rpc_call_timeout: option(t.duration({ minMs: 1 }), 10_000, 'limit of a call, an estimate, a trace'),
  rpc_max_trace_concurrency: option(positive, 8, 'traces at once; four times as many wait, more are answered -32009'),
  rpc_ws_ping_interval: option(t.duration({ minMs: 1 }), 30_000, 'two missed pongs close a WebSocket'),
  rpc_ws_max_subscriptions: option(positive, 1_024, 'of one WebSocket; over it -32006'),
  rpc_ws_max_unread: option(
    t.size({ minBytes: 64 * 1024 }),
    16 * MIB,
    'sent to a WebSocket and not read yet; announcements wait, and a client that stays behind is disconnected',
  ),
  rpc_send_raw_transaction_sync_timeout: option(
    t.duration({ minMs: 1 }),
    2_000,
    'default wait of eth_sendRawTransactionSync',
    later,
  ),
  rpc_send_raw_transaction_sync_timeout_max: option(
    t.duration({ minMs: 1 }),
    30_000,
    'longest wait a caller may ask for',
    later,
  ),
  rpc_gas_price_scale: option(t.decimal({ min: 1, max: 1_000 }), 1.5, 'eth_gasPrice = base fee x this'),

  // projection_*
  projection_max_lag_blocks: option(t.integer(), 50, 'a node further behind is not ready'),
  projection_merkle_tree_enabled: option(t.boolean, true, 'keep the Merkle tree'),
  projection_batches_enabled: option(t.boolean, true, 'keep batches'),
  projection_priority_tree_enabled: option(t.boolean, true, 'keep the priority tree'),
  projection_addresses_enabled: option(
    t.boolean,
    true,
    'keep the index of addresses, for the searches of ots_ (a block explorer)',
  ),

  // batcher_*, prover_*, l1_*
  batcher_enabled: derived(t.boolean, ({ role }) => role === 'main', 'seal batches', {
    ...main,
    defaultText: 'main: true',
  }),
  batcher_batch_timeout: option(t.duration({ minMs: 1 }), 1_000, 'from the first block of the open batch', main),
  batcher_blocks_per_batch_limit: option(positive, 10, 'seal limit', main),
  prover_input_generator_logging_enabled: option(
    t.boolean,
    false,
    'use the logging build of the proving program',
    laterMain,
  ),
  prover_input_generator_maximum_in_flight_blocks: option(positive, 16, 'parallelism', laterMain),
  prover_input_generator_force_process_old_blocks: option(
    t.boolean,
    false,
    'also blocks that are committed already',
    laterMain,
  ),
  prover_input_generator_app_bin_unpack_path: option(
    t.path,
    './db/app_bins',
    'where proving programs are unpacked',
    laterMain,
  ),
  prover_api_enabled: derived(t.boolean, ({ role }) => role === 'main', 'serve prover jobs', {
    ...laterMain,
    defaultText: 'main: true',
  }),
  prover_api_address: option(t.socket, anyHost(3124), 'prover API, without authentication', laterMain),
  prover_api_fake_fri_provers_enabled: option(t.boolean, true, 'fake FRI proofs', laterMain),
  prover_api_fake_fri_provers_workers: option(positive, 5, 'fake provers', laterMain),
  prover_api_fake_fri_provers_compute_time: option(t.duration(), 2_000, 'time of a fake proof', laterMain),
  prover_api_fake_fri_provers_min_age: option(t.duration(), 3_000, 'head start of real provers', laterMain),
  prover_api_fake_snark_provers_enabled: option(t.boolean, true, 'fake SNARK proofs', laterMain),
  prover_api_fake_snark_provers_max_batch_age: option(
    t.duration(),
    10_000,
    'age from which a batch is faked',
    laterMain,
  ),
  prover_api_job_timeout: option(t.duration({ minMs: 1 }), 300_000, 'then a job is given to another prover', laterMain),
  prover_api_max_assigned_batch_range: option(positive, 10, 'newest minus oldest assigned batch', laterMain),
  prover_api_max_fris_per_snark: option(positive, 10, 'batches of one SNARK', laterMain),
  prover_api_object_store_mode: option(
    t.oneOf('FileBacked', 'S3WithCredentialFile', 'S3AnonymousReadOnly'),
    'FileBacked',
    'proof storage',
    later,
  ),
  prover_api_object_store_file_backed_base_path: option(t.path, './db/shared', 'folder of file-backed storage', later),
  prover_api_object_store_bucket_base_url: optional(t.string, 'bucket', later),
  prover_api_object_store_endpoint: optional(t.string, 'S3 endpoint', later),
  prover_api_object_store_region: optional(t.string, 'S3 region', later),
  prover_api_object_store_s3_credential_file_path: optional(t.path, 'S3 credentials', later),
  prover_api_object_store_max_retries: option(u16, 5, 'of transient errors', later),
  prover_api_object_store_local_mirror_path: optional(t.path, 'read-through mirror', later),
  l1_sender_enabled: derived(t.boolean, ({ role }) => role === 'main', 'commit, prove and execute batches on L1', {
    ...laterMain,
    defaultText: 'main: true',
  }),
  l1_sender_operator_commit_pk: optional(t.secretKey, 'key of the commit operator', laterMain),
  l1_sender_operator_prove_pk: optional(t.secretKey, 'key of the prove operator', laterMain),
  l1_sender_operator_execute_pk: optional(t.secretKey, 'key of the execute operator', laterMain),
  l1_sender_max_fee_per_gas_gwei: option(positive, 101, 'fee cap of an L1 transaction', laterMain),
  l1_sender_max_priority_fee_per_gas_gwei: option(t.integer(), 2, 'tip of an L1 transaction', laterMain),
  l1_sender_command_limit: option(positive, 16, 'L1 transactions of one wave', laterMain),
  l1_sender_poll_interval: option(t.duration({ minMs: 1 }), 100, 'pause between looks at L1', laterMain),
  l1_watcher_max_blocks_to_process: option(positive, 100, 'L1 blocks of one log query'),
  l1_watcher_poll_interval: option(t.duration({ minMs: 1 }), 100, 'pause between looks at L1'),
  l1_watcher_confirmations: optional(t.integer(), 'depth before an L1 event is used', {
    defaultText: '0 on L1 chain id 31337, else 12',
  }),

  // analytics_*, clickhouse_*
  analytics_enabled: option(t.boolean, true, 'fill ClickHouse; nothing in the node waits for it'),
  clickhouse_url: optional(http, 'a server; none: the embedded engine (npm package chdb) in a child process'),
  clickhouse_database: optional(t.name, 'created if missing, and dropped by a rebuild: it belongs to the node', {
    defaultText: '`zkos_<chain id>`',
  }),
  clickhouse_username: option(t.string, 'default', 'user that writes'),
  clickhouse_password: optional(t.secret, 'its password'),
  clickhouse_batch_rows: option(positive, 10_000, 'a run of blocks is inserted when it holds so many rows'),
  clickhouse_flush_interval: option(t.duration({ minMs: 1 }), 1_000, 'or when its first row has waited so long'),

  // status_server_*, log_*
  status_server_address: option(t.socket, anyHost(3071), '/health, /ready and /status'),
  log_format: option(t.oneOf('terminal', 'json'), 'terminal', 'for people or for machines'),
  log_use_color: option(t.boolean, true, 'colours of the terminal format, if the output is a terminal'),
  log_level: option(
    t.logFilter,
    { level: 'info', components: {} },
    'a level, or a list such as `info,sequencer=debug`; RUST_LOG counts when it is unset',
  ),
  otel_exporter_otlp_endpoint: optional(http, 'traces', later),
};

export type OptionName = keyof typeof OPTIONS;

/** Older names; each sets all of its options (spec: config B.1). */
export const ALIASES: Readonly<Record<string, readonly OptionName[]>> = {
  block_replay_download_address: ['sequencer_block_replay_download_address'],
  block_replay_server_address: ['sequencer_block_replay_server_address'],
  sequencer_rocks_db_path: ['general_rocks_db_path'],
  sequencer_prometheus_port: ['general_prometheus_port'],
  batcher_maximum_in_flight_blocks: ['prover_input_generator_maximum_in_flight_blocks'],
  prover_api_fake_provers_enabled: ['prover_api_fake_fri_provers_enabled', 'prover_api_fake_snark_provers_enabled'],
  prover_api_component_enabled: ['prover_api_enabled'],
  l1_sender_operator_private_key: ['l1_sender_operator_commit_pk'],
};

/** In the order of the documentation. A name belongs to the longest prefix that fits. */
export const SECTIONS: Readonly<Record<string, string>> = {
  node: 'Role of the node',
  development: 'Role of the node',
  config: 'Role of the node',
  general: 'General',
  genesis: 'Genesis',
  kafka: 'Log on Kafka',
  schema_registry: 'Schema registry',
  event_log: 'Embedded log',
  sequencer: 'Sequencer',
  settlement: 'Sequencer',
  mempool: 'Mempool',
  tx_validator: 'Mempool',
  rpc: 'JSON-RPC',
  projection: 'Projections',
  status_server: 'Status and logging',
  log: 'Status and logging',
  otel: 'Status and logging',
  batcher: 'Batches',
  prover_input_generator: 'Proving',
  prover_api: 'Proving',
  l1_sender: 'L1',
  l1_watcher: 'L1',
  analytics: 'Analytics',
  clickhouse: 'Analytics',
};

/**
 * Sections whose prefix is an ordinary word of other programs' environments (NODE_OPTIONS, LOG_DIR, OTEL_SERVICE_NAME):
 * an unknown name of theirs in the environment is not ours. In a file or a flag it is an error as anywhere.
 */
export const SHARED_SECTIONS: ReadonlySet<string> = new Set(['node', 'log', 'otel', 'config', 'development']);

/** Names of other programs that begin with a section of ours, lower-cased. */
export const FOREIGN_NAMES: ReadonlySet<string> = new Set([
  'rpc_url',
  'kafka_home',
  'kafka_opts',
  'kafka_debug',
  'kafka_heap_opts',
  'kafka_jmx_opts',
  'kafka_jmx_port',
  'kafka_gc_log_opts',
  'kafka_log4j_opts',
  'kafka_jvm_performance_opts',
  'kafka_jars',
  'kafka_version',
  'clickhouse_db',
  'clickhouse_user',
  'clickhouse_config',
  'clickhouse_default_access_management',
  'schema_registry_opts',
  'schema_registry_heap_opts',
  'schema_registry_jmx_opts',
  'schema_registry_log4j_opts',
  'schema_registry_jvm_performance_opts',
]);

/** Service links of Kubernetes and Docker: `<NAME>_SERVICE_HOST`, `<NAME>_PORT_9092_TCP_ADDR`, … */
export const SERVICE_LINK =
  /_(service_(host|port)(_[a-z0-9_]+)?|port(_\d+_(tcp|udp)(_(proto|port|addr))?)?|env_[a-z0-9_]+)$/;
