/**
 * The configuration of the node: defaults < profile < file < environment < flags, checked as a whole (spec: config B.1, B.2, B.5).
 * Every problem is reported at once; secrets are never printed.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  ALIASES,
  DEFAULT_DATA_PATH,
  FOREIGN_NAMES,
  OPTIONS,
  SECTIONS,
  SERVICE_LINK,
  SHARED_SECTIONS,
} from './configTable.ts';
import type { DefaultContext, Option, OptionName } from './configTable.ts';
import { REDACTED, Secret, logFilter } from './configTypes.ts';
import type { SocketAddress, Unit } from './configTypes.ts';
import { NodeError, errorText } from './errors.ts';

type Table = typeof OPTIONS;

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** `sequencer_block_time` is a duration: `sequencerBlockTimeMs`. */
type PropertyOf<N extends OptionName> =
  CamelCase<N> extends `${string}${Table[N]['type']['unit']}`
    ? CamelCase<N>
    : `${CamelCase<N>}${Table[N]['type']['unit']}`;

type ValueOf<N extends OptionName> = ReturnType<Table[N]['type']['parse']>;

/** All options, typed by the table. */
export type Config = { readonly [N in OptionName as PropertyOf<N>]: ValueOf<N> };

export type ConfigProperty = keyof Config;

/** A configuration that may cross to another thread: nothing but plain data. Holds the secrets in the clear. */
export type PortableConfig = Readonly<Record<string, unknown>>;

export class ConfigError extends NodeError<{ code: 'CONFIG_INVALID'; problems: readonly string[] }> {
  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    super('fatal', `the configuration has ${count}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`, {
      code: 'CONFIG_INVALID',
      problems,
    });
    this.name = 'ConfigError';
  }
}

export interface ConfigSources {
  /** Other defaults, as text: what a whole set-up starts from. Gives way to any choice that excludes it. */
  readonly profile?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** By option name; dashes and camelCase are accepted as command-line parsers give them. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** JSON: flat (`{"rpc_address": …}`) or by section (`{"rpc": {"address": …}}`). */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  /** For the files that hold secrets. */
  readonly readFile?: (path: string) => string;
}

/** A value as it was given, not read yet. */
interface Given {
  readonly raw: unknown;
  /** For messages: `environment variable RPC_ADDRESS`. */
  readonly from: string;
  /** `null` may only come from JSON. */
  readonly isJson: boolean;
}

type AnyOption = Option<unknown, Unit>;

/** The table with the types of its rows forgotten. Sound: each row's functions only ever meet values of that row. */
const ROWS = OPTIONS as unknown as Readonly<Record<OptionName, AnyOption>>;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];
const SECTION_NAMES = Object.keys(SECTIONS).sort((a, b) => b.length - a.length);
const SECRET_FILE_SUFFIX = '_file';
const JSON_SUFFIX = '__json';

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

export function sectionOf(name: string): string | undefined {
  return SECTION_NAMES.find((section) => name === section || name.startsWith(`${section}_`));
}

function propertyOf(name: OptionName): string {
  const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const { unit } = ROWS[name].type;
  return camel.endsWith(unit) ? camel : camel + unit;
}

function flagToName(flag: string): string {
  return flag
    .replace(/^--/, '')
    .replace(/-/g, '_')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Levenshtein distance, for hints only. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(change, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}

function hintFor(name: string): string {
  let best: OptionName | undefined;
  let bestDistance = 4;
  for (const candidate of OPTION_NAMES) {
    const d = distance(name, candidate);
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best === undefined ? '' : `; did you mean ${best}?`;
}

/** Collects what one source gives, by canonical name. */
class SourceReader {
  readonly given = new Map<OptionName, Given>();
  readonly #problems: string[];
  readonly #warnings: string[];
  readonly #unknown: string[];
  readonly #readFile: (path: string) => string;
  readonly #seen = new Map<OptionName, string>();

  constructor(options: {
    problems: string[];
    warnings: string[];
    unknown: string[];
    readFile: (path: string) => string;
  }) {
    this.#problems = options.problems;
    this.#warnings = options.warnings;
    this.#unknown = options.unknown;
    this.#readFile = options.readFile;
  }

  /** `mayBeForeign`: the source is shared with other programs. */
  read(name: string, raw: unknown, source: { label: string; isJson: boolean; mayBeForeign: boolean }): void {
    const { label } = source;
    if (name.endsWith(JSON_SUFFIX) && this.#targetsOf(name.slice(0, -JSON_SUFFIX.length)) !== undefined) {
      let value: unknown;
      try {
        value = JSON.parse(String(raw));
      } catch {
        this.#problems.push(`${label}: not valid JSON`);
        return;
      }
      this.#take(name.slice(0, -JSON_SUFFIX.length), { raw: value, from: label, isJson: true });
      return;
    }
    if (this.#targetsOf(name) !== undefined) {
      this.#take(name, { raw, from: label, isJson: source.isJson });
      return;
    }
    const secretName = name.endsWith(SECRET_FILE_SUFFIX) ? name.slice(0, -SECRET_FILE_SUFFIX.length) : '';
    if (isOptionName(secretName) && ROWS[secretName].type.isSecret) {
      try {
        const text = this.#readFile(String(raw)).replace(/\r?\n$/, '');
        this.#take(secretName, { raw: text, from: `the file that ${label} names`, isJson: false });
      } catch (error) {
        this.#problems.push(`${label}: cannot read the file: ${errorText(error)}`);
      }
      return;
    }
    const section = sectionOf(name);
    if (source.mayBeForeign) {
      if (section === undefined || SHARED_SECTIONS.has(section)) return;
      if (FOREIGN_NAMES.has(name) || SERVICE_LINK.test(name)) return;
    }
    this.#unknown.push(`${label}: unknown option${hintFor(name)}`);
  }

  #targetsOf(name: string): readonly OptionName[] | undefined {
    return isOptionName(name) ? [name] : Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  }

  #take(name: string, given: Given): void {
    const targets = this.#targetsOf(name) ?? [];
    if (!isOptionName(name)) {
      this.#warnings.push(`${given.from}: an old name, use ${targets.join(' and ')}`);
    }
    for (const target of targets) {
      const earlier = this.#seen.get(target);
      if (earlier !== undefined) {
        this.#problems.push(`${target} is set twice: by ${earlier} and by ${given.from}; keep one`);
        continue;
      }
      this.#seen.set(target, given.from);
      this.given.set(target, given);
    }
  }
}

/** V8 repeats the text around what it does not understand: a password may lie there. */
function withoutExcerpt(text: string): string {
  return text.replace(/, (\.\.\.)?".*"(\.\.\.)? is not valid JSON$/s, '');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The leaves of a file; nested names are joined by `_`. An object is a value where an option has that very name. */
function* leaves(value: Record<string, unknown>, prefix = ''): Generator<readonly [name: string, value: unknown]> {
  for (const [key, entry] of Object.entries(value)) {
    const name = prefix + key;
    if (isObject(entry) && !isOptionName(name.toLowerCase())) yield* leaves(entry, `${name}_`);
    else yield [name, entry];
  }
}

/** Reads a value of the row; undefined for "none". */
function readValue(option: AnyOption, { raw, isJson }: Given): unknown {
  const isNull = raw === null || (!isJson && raw === 'null' && option.type.isOptional && !option.type.isString);
  if (isNull) {
    if (option.type.isOptional) return undefined;
    throw new RangeError('null: the option always has a value; leave it out for the default');
  }
  if (raw === '' && option.type.isOptional && !option.type.isString && !option.type.isSecret) return undefined;
  return option.type.parse(raw);
}

/**
 * The effective configuration. Throws ConfigError with every problem found: unknown names, bad values, values set twice,
 * impossible combinations.
 */
export function loadConfig(sources: ConfigSources): { config: Config; warnings: string[] } {
  const problems: string[] = [];
  const warnings: string[] = [];
  const unknown: string[] = [];
  const given = new Map<OptionName, Given>();
  const readFile = sources.readFile ?? ((path: string) => readFileSync(path, 'utf8'));
  const readSource = (fill: (reader: SourceReader) => void): void => {
    const reader = new SourceReader({ problems, warnings, unknown, readFile });
    fill(reader);
    for (const [name, value] of reader.given) given.set(name, value);
  };

  const { profile = {}, env = {}, flags = {}, file } = sources;
  readSource((reader) => {
    for (const [name, value] of Object.entries(profile)) {
      reader.read(name, value, { label: `profile: ${name}`, isJson: false, mayBeForeign: false });
    }
  });
  const fromProfile = new Map(given);
  if (file !== undefined) {
    readSource((reader) => {
      let parsed: unknown;
      try {
        parsed = JSON.parse(file.text);
      } catch (error) {
        problems.push(`file ${file.path}: not valid JSON: ${withoutExcerpt(errorText(error))}`);
        return;
      }
      if (!isObject(parsed)) {
        problems.push(`file ${file.path}: expected a JSON object`);
        return;
      }
      for (const [name, value] of leaves(parsed)) {
        const label = `${name} in ${file.path}`;
        reader.read(name.toLowerCase(), value, { label, isJson: true, mayBeForeign: false });
      }
    });
  }
  readSource((reader) => {
    for (const [name, value] of Object.entries(env)) {
      if (value === undefined) continue;
      const label = `environment variable ${name}`;
      reader.read(name.toLowerCase(), value, { label, isJson: false, mayBeForeign: true });
    }
  });
  readSource((reader) => {
    for (const [flag, value] of Object.entries(flags)) {
      if (value === undefined) continue;
      const name = flagToName(flag);
      const label = `flag --${name.replace(/_/g, '-')}`;
      reader.read(name, value, { label, isJson: typeof value !== 'string', mayBeForeign: false });
    }
  });

  const explicit = new Map<OptionName, unknown>();
  for (const [name, value] of given) {
    const option = ROWS[name];
    try {
      explicit.set(name, readValue(option, value));
    } catch (error) {
      problems.push(`${name} (${value.from}): ${errorText(error)}`);
    }
    if (option.effect !== 'now') {
      const why = option.effect === 'later' ? 'has no effect in this version' : `has no effect: ${option.help}`;
      warnings.push(`${name} (${value.from}) ${why}`);
    }
  }
  applyRustLog(env, explicit, warnings);

  const context = defaultContext(explicit);
  const values = {} as Record<OptionName, unknown>;
  for (const name of OPTION_NAMES) {
    values[name] = explicit.has(name) ? explicit.get(name) : ROWS[name].defaultOf(context);
  }
  // Every property was filled from the row that types it.
  const config = Object.fromEntries(OPTION_NAMES.map((name) => [propertyOf(name), values[name]])) as unknown as Config;

  if (config.configStrict) problems.push(...unknown);
  else warnings.push(...unknown);
  const chosen = new Set([...given].filter(([name, value]) => fromProfile.get(name) !== value).map(([name]) => name));
  problems.push(...impossibleCombinations(config, { given: new Set(given.keys()), chosen }));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: Object.freeze(config), warnings };
}

function applyRustLog(
  env: Readonly<Record<string, string | undefined>>,
  explicit: Map<OptionName, unknown>,
  warnings: string[],
): void {
  const rustLog = env['RUST_LOG'];
  if (rustLog === undefined || rustLog === '' || explicit.has('log_level')) return;
  try {
    explicit.set('log_level', logFilter.parse(rustLog));
  } catch (error) {
    warnings.push(`RUST_LOG is not used: ${errorText(error)}`);
  }
}

function defaultContext(explicit: ReadonlyMap<OptionName, unknown>): DefaultContext {
  const isFedOverTcp = explicit.get('sequencer_block_replay_download_address') !== undefined;
  const role = explicit.get('node_role');
  const dataPath = explicit.get('general_rocks_db_path');
  return {
    role: role === 'external' || (role === undefined && isFedOverTcp) ? 'external' : 'main',
    isDevelopment: explicit.get('development') === true,
    dataPath: typeof dataPath === 'string' ? dataPath : DEFAULT_DATA_PATH,
    hostname: hostname(),
  };
}

/** Of a block whose transactions the VM takes (spec: execution 5). */
const BLOCK_GAS_LIMIT_MAX = (1n << 56n) - 1n;
/** Main-only switches that an external node cannot turn on. */
const MAIN_SWITCHES = ['batcher_enabled', 'prover_api_enabled', 'l1_sender_enabled'] as const satisfies OptionName[];
const OPERATOR_KEYS = [
  ['l1_sender_operator_commit_pk', 'l1SenderOperatorCommitPk'],
  ['l1_sender_operator_prove_pk', 'l1SenderOperatorProvePk'],
  ['l1_sender_operator_execute_pk', 'l1SenderOperatorExecutePk'],
] as const;

interface GivenNames {
  /** By any source. */
  readonly given: ReadonlySet<OptionName>;
  /** By any source but the profile. */
  readonly chosen: ReadonlySet<OptionName>;
}

/** spec: config B.2 and B.5, as far as the configuration alone can tell. */
function impossibleCombinations(config: Config, names: GivenNames): string[] {
  return [
    ...roleProblems(config, names),
    ...kafkaProblems(config, names.chosen),
    ...limitProblems(config),
    ...operatorKeyProblems(config),
    ...portProblems(config),
  ];
}

function roleProblems(config: Config, { given, chosen }: GivenNames): string[] {
  const problems: string[] = [];
  const isFedOverTcp = config.sequencerBlockReplayDownloadAddress !== undefined;
  if (given.has('sequencer_block_replay_download_address') && !isFedOverTcp && config.nodeRole === 'main') {
    problems.push('sequencer_block_replay_download_address is empty: unset it on a main node, or name a replay server');
  }
  if (isFedOverTcp && config.kafkaBrokers !== undefined) {
    problems.push('sequencer_block_replay_download_address and kafka_brokers exclude each other: a node has one log');
  }
  if (isFedOverTcp && config.nodeRole === 'main') {
    problems.push('node_role=main cannot download its blocks: unset sequencer_block_replay_download_address');
  }
  if (isFedOverTcp && config.generalMainNodeRpcUrl === undefined) {
    problems.push('general_main_node_rpc_url is missing: a node fed over TCP reads the genesis from there');
  }
  if (config.kafkaBrokers !== undefined && chosen.has('event_log_path')) {
    problems.push('event_log_path and kafka_brokers exclude each other: a node has one log');
  }
  if (
    config.nodeRole === 'external' &&
    config.kafkaBrokers === undefined &&
    !isFedOverTcp &&
    !given.has('event_log_path')
  ) {
    problems.push(
      'node_role=external has nothing to follow: set kafka_brokers, event_log_path of a main node on this machine, or sequencer_block_replay_download_address',
    );
  }
  if (config.nodeRole === 'external') {
    for (const name of MAIN_SWITCHES) {
      if (given.has(name) && enabled(config, name)) {
        problems.push(`${name}=true is only possible on a main node`);
      }
    }
  } else {
    if (config.generalL1RpcUrl === undefined && !config.development) {
      problems.push(
        'general_l1_rpc_url is missing: a main node needs L1 (development=true: deposits of its own instead)',
      );
    }
    const missing = [
      ['genesis_chain_id', config.genesisChainId],
      ['genesis_bridgehub_address', config.genesisBridgehubAddress],
    ] as const;
    for (const [name, value] of missing) {
      if (value === undefined) problems.push(`${name} is missing: a main node needs it`);
    }
  }
  if (config.batcherEnabled && !config.projectionMerkleTreeEnabled) {
    problems.push('batcher_enabled needs projection_merkle_tree_enabled: a batch commits to the state tree');
  }
  if (config.kafkaBrokers !== undefined && config.genesisChainId === undefined) {
    problems.push('genesis_chain_id is missing: it is part of the topic name');
  }
  if (config.generalStateBackend === 'Compacted') {
    problems.push('general_state_backend=Compacted is not supported yet: use FullDiffs, which keeps all history');
  }
  return problems;
}

function enabled(config: Config, name: (typeof MAIN_SWITCHES)[number]): boolean {
  if (name === 'batcher_enabled') return config.batcherEnabled;
  return name === 'prover_api_enabled' ? config.proverApiEnabled : config.l1SenderEnabled;
}

function kafkaProblems(config: Config, chosen: ReadonlySet<OptionName>): string[] {
  const problems: string[] = [];
  const protocol = config.kafkaSecurityProtocol;
  const isSasl = protocol.startsWith('sasl_');
  const isSsl = protocol.endsWith('ssl');
  const saslOptions = ['kafka_sasl_mechanism', 'kafka_sasl_username', 'kafka_sasl_password'] as const;
  const sslOptions = ['kafka_ssl_ca_file', 'kafka_ssl_cert_file', 'kafka_ssl_key_file'] as const;
  if (!isSasl) {
    for (const name of saslOptions) {
      if (chosen.has(name))
        problems.push(`${name} needs kafka_security_protocol sasl_plaintext or sasl_ssl, not ${protocol}`);
    }
  } else if (config.kafkaSaslMechanism === undefined) {
    problems.push(`kafka_sasl_mechanism is missing: kafka_security_protocol=${protocol} needs it`);
  } else if (config.kafkaSaslMechanism === 'oauthbearer') {
    problems.push('kafka_sasl_mechanism=oauthbearer is not supported yet: use plain or scram-sha-256/512');
  } else if (config.kafkaSaslUsername === undefined || config.kafkaSaslPassword === undefined) {
    problems.push(`kafka_sasl_username and kafka_sasl_password are both needed by kafka_security_protocol=${protocol}`);
  }
  if (!isSsl) {
    for (const name of sslOptions) {
      if (chosen.has(name)) problems.push(`${name} needs kafka_security_protocol ssl or sasl_ssl, not ${protocol}`);
    }
  }
  if ((config.kafkaSslCertFile === undefined) !== (config.kafkaSslKeyFile === undefined)) {
    problems.push('kafka_ssl_cert_file and kafka_ssl_key_file go together: set both or none');
  }
  if (config.kafkaMinInsyncReplicas > config.kafkaReplicationFactor) {
    problems.push(
      `kafka_min_insync_replicas (${config.kafkaMinInsyncReplicas}) is above kafka_replication_factor (${config.kafkaReplicationFactor}): nothing could be written`,
    );
  }
  if (!/^[a-zA-Z0-9._-]{1,200}$/.test(config.kafkaTopicPrefix)) {
    problems.push('kafka_topic_prefix may hold letters, digits, dots, dashes and underscores, at most 200');
  }
  const hasUser = config.schemaRegistryUsername !== undefined;
  const hasPassword = config.schemaRegistryPassword !== undefined;
  if (hasUser !== hasPassword)
    problems.push('schema_registry_username and schema_registry_password go together: set both or none');
  if ((hasUser || hasPassword) && config.schemaRegistryUrl === undefined) {
    problems.push('schema_registry_username and schema_registry_password need schema_registry_url');
  }
  return problems;
}

function limitProblems(config: Config): string[] {
  const problems: string[] = [];
  if (config.rpcSendRawTransactionSyncTimeoutMs > config.rpcSendRawTransactionSyncTimeoutMaxMs) {
    problems.push('rpc_send_raw_transaction_sync_timeout is above rpc_send_raw_transaction_sync_timeout_max');
  }
  if (config.eventLogReadDelayMs > 0 && !config.development) {
    problems.push('event_log_read_delay is for trying out: it needs development=true');
  }
  if (config.sequencerBlockGasLimit === 0n)
    problems.push('sequencer_block_gas_limit is 0: no transaction would fit a block');
  if (config.sequencerBlockGasLimit > BLOCK_GAS_LIMIT_MAX)
    problems.push(`sequencer_block_gas_limit is above ${BLOCK_GAS_LIMIT_MAX}: the VM takes no transaction then`);
  if (config.txValidatorMaxInputBytes > config.sequencerBlockSizeLimitBytes) {
    problems.push('tx_validator_max_input_bytes is above sequencer_block_size_limit: such a transaction fits no block');
  }
  return problems;
}

function operatorKeyProblems(config: Config): string[] {
  const problems: string[] = [];
  OPERATOR_KEYS.forEach(([name, property], i) => {
    for (const [otherName, otherProperty] of OPERATOR_KEYS.slice(i + 1)) {
      const key = config[property]?.reveal().toLowerCase();
      if (key !== undefined && key === config[otherProperty]?.reveal().toLowerCase()) {
        problems.push(`${name} and ${otherName} are the same key: the three operators must differ`);
      }
    }
  });
  return problems;
}

function isAnyHost({ host }: SocketAddress): boolean {
  return host === '0.0.0.0' || host === '::';
}

function portProblems(config: Config): string[] {
  const listeners: (readonly [name: string, address: SocketAddress])[] = [
    ['general_prometheus_port', { host: '0.0.0.0', port: config.generalPrometheusPort }],
    ['status_server_address', config.statusServerAddress],
  ];
  const replay = config.sequencerBlockReplayServerAddress;
  if (replay !== undefined) listeners.push(['sequencer_block_replay_server_address', replay]);
  if (config.rpcEnabled) listeners.push(['rpc_address', config.rpcAddress]);
  if (config.proverApiEnabled) listeners.push(['prover_api_address', config.proverApiAddress]);
  const problems: string[] = [];
  listeners.forEach(([name, address], i) => {
    for (const [otherName, other] of listeners.slice(i + 1)) {
      const overlaps = isAnyHost(address) || isAnyHost(other) || address.host === other.host;
      if (address.port !== 0 && address.port === other.port && overlaps) {
        problems.push(`${name} and ${otherName} both use port ${address.port}`);
      }
    }
  });
  return problems;
}

/** Plain data with the secrets in the clear, for a worker's `workerData`. */
export function exportConfig(config: Config): PortableConfig {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, value instanceof Secret ? value.reveal() : value]),
  );
}

/** The inverse of `exportConfig`. */
export function importConfig(portable: PortableConfig): Config {
  const values: Record<string, unknown> = { ...portable };
  for (const name of OPTION_NAMES) {
    const property = propertyOf(name);
    const value = values[property];
    if (ROWS[name].type.isSecret && typeof value === 'string') values[property] = new Secret(value);
  }
  // exportConfig wrote it from a Config
  return Object.freeze(values) as unknown as Config;
}

/** Value of an option by its name. */
function valueOf(config: Config, name: OptionName): unknown {
  // `propertyOf` is the function behind the key type
  return (config as Readonly<Record<string, unknown>>)[propertyOf(name)];
}

function formatted(option: AnyOption, value: unknown): string {
  if (value === undefined) return 'none';
  return option.type.isSecret ? REDACTED : option.type.format(value);
}

/** The effective options that have an effect, one `name = value` a line, secrets and keys in URLs left out. */
export function describeConfig(config: Config): string {
  return OPTION_NAMES.filter((name) => ROWS[name].effect === 'now')
    .map((name) => `${name} = ${formatted(ROWS[name], valueOf(config, name))}`)
    .join('\n');
}

/** Option names under each title, in the order of the documentation. */
function byTitle(): Map<string, OptionName[]> {
  const groups = new Map<string, OptionName[]>();
  for (const title of Object.values(SECTIONS)) groups.set(title, []);
  for (const name of OPTION_NAMES) groups.get(SECTIONS[sectionOf(name) ?? ''] ?? '')?.push(name);
  return groups;
}

export interface FlagOption {
  /** `--rpc-address <host:port>` */
  readonly flag: string;
  readonly description: string;
  readonly title: string;
}

/** One flag per option, for the command line. */
export function flagOptions(): readonly FlagOption[] {
  return [...byTitle()].flatMap(([title, names]) =>
    names.map((name) => {
      const { type, help, defaultText, effect } = ROWS[name];
      const argument = type.name === 'bool' ? '[bool]' : `<${type.name.replace(/`/g, '').replace(/, /g, '|')}>`;
      return {
        flag: `--${name.replace(/_/g, '-')} ${argument}`,
        description: `${effect === 'later' ? '(later) ' : ''}${help} [${defaultText}]`.replace(/`/g, ''),
        title,
      };
    }),
  );
}

/** The options grouped, for a terminal. */
export function helpText(): string {
  const lines = [
    'Options may be given as flags, as environment variables (lower or upper case), or in a JSON file (--config).',
  ];
  let title = '';
  for (const option of flagOptions()) {
    if (option.title !== title) lines.push('', option.title);
    title = option.title;
    lines.push(`  ${option.flag}`, `      ${option.description}`);
  }
  return `${lines.join('\n')}\n`;
}

function markdownCells(name: OptionName): readonly string[] {
  const { type, defaultText, role, help, effect } = ROWS[name];
  const isLiteral = !/[` ]|^none$|^true$|^false$|^\d/.test(defaultText);
  const shownDefault = isLiteral ? `\`${defaultText}\`` : defaultText;
  const note = effect === 'later' ? ' _(later: accepted, no effect yet)_' : effect === 'unused' ? ' _(no effect)_' : '';
  return [name, type.name, shownDefault, role, help + note];
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((cell, i) => Math.max(3, cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}

/** docs/config.md. */
export function configMarkdown(): string {
  const lines = [
    '# Configuration',
    '',
    '<!-- Generated from src/common/configTable.ts: node src/common/writeConfigDocs.ts. A test fails on a difference. -->',
    '',
    'Sources in rising precedence: defaults, a JSON file (`--config`), the environment, flags. A name is written the same way',
    'everywhere: `rpc_address` or `RPC_ADDRESS` in the environment (both at once is an error), `--rpc-address` as a flag,',
    '`{"rpc_address": …}` or `{"rpc": {"address": …}}` in the file.',
    '',
    '- Unknown names inside the sections below, bad values and impossible combinations stop the start, all listed at once.',
    '  `config_strict=false` turns unknown names into warnings. Well-known variables of other programs (`NODE_OPTIONS`, `LOG_*`,',
    '  `KAFKA_OPTS`, service links of Kubernetes, …) are ignored.',
    '- `<name>__json` in the environment is parsed as JSON; `<name>__json=null` means none.',
    '- An empty value or `null` means none for options that may be none, unless they are strings.',
    '- Durations have a unit (`100ms`, `5s`, `15 min`). Sizes take one (`512KiB`, `6MiB`); plain numbers count the unit named.',
    '- Secrets also come from files: `<name>_file=/run/secrets/x`. They are never printed.',
    '',
  ];
  for (const [title, names] of byTitle()) {
    lines.push(`## ${title}`, '');
    lines.push(...markdownTable(['Name', 'Type', 'Default', 'Role', 'Meaning'], names.map(markdownCells)), '');
  }
  lines.push('## Older names', '', 'Accepted with a warning.', '');
  const aliases = Object.entries(ALIASES).map(([alias, targets]) => [alias, targets.join(' and ')]);
  lines.push(...markdownTable(['Name', 'Sets'], aliases));
  return `${lines.join('\n')}\n`;
}
