import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  ConfigError,
  OPTION_NAMES,
  configMarkdown,
  describeConfig,
  exportConfig,
  flagOptions,
  helpText,
  importConfig,
  loadConfig,
  sectionOf,
} from '../../src/common/config.ts';
import type { Config, ConfigSources } from '../../src/common/config.ts';
import { toHex } from '../../src/common/bytes.ts';

const load = (sources: ConfigSources = {}): Config => loadConfig(sources).config;
const env = (values: Record<string, string>): ConfigSources => ({ env: values });

function problems(sources: ConfigSources): readonly string[] {
  try {
    loadConfig(sources);
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.equal(error.kind, 'fatal');
    return error.facts.problems;
  }
  return assert.fail(`accepted ${JSON.stringify(sources)}`);
}

function refuses(values: Record<string, string>, pattern: RegExp): void {
  const found = problems(env(values));
  assert(
    found.some((problem) => pattern.test(problem)),
    `${JSON.stringify(values)}: ${found.join('; ')}`,
  );
}

const KEYS = ['11', '22', '33'].map((byte) => `0x${byte.repeat(32)}`);

describe('loadConfig', () => {
  describe('defaults', () => {
    it('is a main node with an embedded log', () => {
      const config = load();
      assert.equal(config.nodeRole, 'main');
      assert.equal(config.kafkaBrokers, undefined);
      assert.equal(config.eventLogPath, './db/node1/log');
      assert.equal(config.sequencerBlockTimeMs, 100);
      assert.equal(config.sequencerBlockSizeLimitBytes, 6 * 1024 ** 2);
      assert.equal(config.genesisChainId, 270n);
      assert.equal(toHex(config.sequencerFeeCollectorAddress), '0x36615cf349d7f6344891b1e7ca7c72883f5dc049');
      assert.deepEqual(config.rpcAddress, { host: '0.0.0.0', port: 3050 });
      assert.equal(config.mempoolMaxPendingTxs, 100_000);
      assert.equal(config.mempoolMaxPendingSizeBytes, 256 * 1024 ** 2);
      assert.equal(config.kafkaReplicationFactor, 3);
      assert.equal(config.kafkaMinInsyncReplicas, 2);
      assert.equal(config.kafkaAutoCreateTopics, false);
      assert.equal(config.l1SenderOperatorCommitPk, undefined);
    });

    it('relaxes Kafka in development', () => {
      const config = load({ flags: { development: true } });
      assert.equal(config.kafkaReplicationFactor, 1);
      assert.equal(config.kafkaMinInsyncReplicas, 1);
      assert.equal(config.kafkaAutoCreateTopics, true);
    });

    it('follows other options', () => {
      assert.equal(load(env({ general_rocks_db_path: '/data/' })).eventLogPath, '/data/log');
      const external = load(env({ node_role: 'external', kafka_brokers: 'a:9092, b:9092' }));
      assert.match(external.kafkaClientId, /^external-./);
      assert.deepEqual(external.kafkaBrokers, ['a:9092', 'b:9092']);
      assert.equal(external.generalL1RpcUrl, undefined);
      assert.equal(external.batcherEnabled, false);
      assert.equal(load().generalL1RpcUrl, 'http://localhost:8545');
    });

    it('becomes an external node by a replay server to download from', () => {
      const { config } = loadConfig(
        env({ block_replay_download_address: 'localhost:3053', general_main_node_rpc_url: 'http://localhost:3050' }),
      );
      assert.equal(config.nodeRole, 'external');
      assert.deepEqual(config.sequencerBlockReplayDownloadAddress, { host: 'localhost', port: 3053 });
    });
  });

  describe('sources', () => {
    it('takes flags over environment over file over defaults', () => {
      const file = {
        path: 'c.json',
        text: JSON.stringify({ rpc: { max_batch_entries: 1, max_connections: 1 }, rpc_max_blocks_per_filter: 1 }),
      };
      const config = load({
        file,
        env: { RPC_MAX_CONNECTIONS: '2', rpc_max_blocks_per_filter: '2' },
        flags: { 'rpc-max-blocks-per-filter': '3' },
      });
      assert.equal(config.rpcMaxBatchEntries, 1);
      assert.equal(config.rpcMaxConnections, 2);
      assert.equal(config.rpcMaxBlocksPerFilter, 3);
      assert.equal(config.rpcMaxLogsPerResponse, 20_000);
    });

    it('takes a profile under everything else, which gives way to a choice that excludes it', () => {
      const profile = { node_role: 'external', event_log_path: '/main/log', rpc_address: '127.0.0.1:3051' };
      assert.equal(load({ profile }).eventLogPath, '/main/log');
      const config = load({ profile, env: { kafka_brokers: 'a:1' } });
      assert.deepEqual(config.kafkaBrokers, ['a:1']);
      assert.deepEqual(config.rpcAddress, { host: '127.0.0.1', port: 3051 });
      assert.match(problems({ profile, env: { kafka_brokers: 'a:1', event_log_path: '/x' } }).join(), /exclude/);
      assert.match(problems({ profile: { rpc_adress: 'x' } }).join(), /profile: rpc_adress: unknown option/);
    });

    it('takes flags as any parser names them', () => {
      for (const flag of ['--rpc-max-batch-entries', 'rpc_max_batch_entries', 'rpcMaxBatchEntries']) {
        assert.equal(load({ flags: { [flag]: '7' } }).rpcMaxBatchEntries, 7, flag);
      }
    });

    it('takes values of their JSON type from the file', () => {
      const text = JSON.stringify({
        development: true,
        kafka: { brokers: ['k:1'] },
        sequencer: { block_time: { millis: 250 } },
        rpc_gas_price_scale: 2,
        log_level: 'warn',
        genesis_chain_id: 271,
      });
      const config = load({ file: { path: 'c.json', text } });
      assert.equal(config.development, true);
      assert.deepEqual(config.kafkaBrokers, ['k:1']);
      assert.equal(config.sequencerBlockTimeMs, 250);
      assert.equal(config.rpcGasPriceScale, 2);
      assert.equal(config.genesisChainId, 271n);
    });

    it('names the file that is not JSON, and goes on looking', () => {
      const found = problems({ file: { path: 'c.json', text: '{' }, env: { rpc_address: 'x' } });
      assert.equal(found.length, 2);
      assert.match(found[0] ?? '', /^file c\.json: not valid JSON/);
      assert.match(problems({ file: { path: 'c.json', text: '[]' } })[0] ?? '', /expected a JSON object/);
    });

    it('refuses both spellings, a value beside its __json form and a value beside its alias', () => {
      refuses({ RPC_ADDRESS: '0.0.0.0:1', rpc_address: '0.0.0.0:1' }, /rpc_address is set twice/);
      refuses({ rpc_max_connections: '1', rpc_max_connections__json: '1' }, /set twice/);
      refuses({ general_prometheus_port: '1', sequencer_prometheus_port: '1' }, /general_prometheus_port is set twice/);
    });

    it('parses __json, where null means none', () => {
      assert.deepEqual(load(env({ KAFKA_BROKERS__JSON: '["a:1"]' })).kafkaBrokers, ['a:1']);
      assert.equal(load(env({ sequencer_base_fee_override__json: 'null' })).sequencerBaseFeeOverride, undefined);
      refuses({ rpc_address__json: 'null' }, /null: the option always has a value/);
      refuses({ rpc_max_connections__json: '{' }, /not valid JSON/);
    });

    it('takes an empty value or null as none, except for strings', () => {
      assert.equal(load(env({ kafka_brokers: '' })).kafkaBrokers, undefined);
      assert.equal(load(env({ sequencer_base_fee_override: 'null' })).sequencerBaseFeeOverride, undefined);
      assert.equal(load(env({ prover_api_object_store_region: '' })).proverApiObjectStoreRegion, '');
      refuses({ rpc_address: '' }, /expected host:port/);
      refuses({ sequencer_block_replay_download_address: '' }, /is empty/);
    });

    it('accepts older names with a warning', () => {
      const { config, warnings } = loadConfig(
        env({ prover_api_fake_provers_enabled: 'false', sequencer_rocks_db_path: '/d' }),
      );
      assert.equal(config.proverApiFakeFriProversEnabled, false);
      assert.equal(config.proverApiFakeSnarkProversEnabled, false);
      assert.equal(config.generalRocksDbPath, '/d');
      assert.equal(config.eventLogPath, '/d/log');
      assert(
        warnings.some((warning) => /sequencer_rocks_db_path: an old name, use general_rocks_db_path/.test(warning)),
      );
    });

    it('warns about options without effect', () => {
      assert.match(
        loadConfig(env({ general_blocks_to_retain_in_memory: '7' })).warnings.join(),
        /general_blocks_to_retain_in_memory .* no effect/,
      );
      assert.deepEqual(loadConfig(env({ rpc_max_connections: '5' })).warnings, []);
    });

    it('uses RUST_LOG when log_level is unset, and never fails on it', () => {
      assert.deepEqual(load(env({ RUST_LOG: 'debug,rpc=off,sequencer=TRACE' })).logLevel, {
        level: 'debug',
        components: { rpc: 'silent', sequencer: 'trace' },
      });
      assert.deepEqual(load(env({ RUST_LOG: 'debug', log_level: 'error' })).logLevel, {
        level: 'error',
        components: {},
      });
      const { config, warnings } = loadConfig(env({ RUST_LOG: '[span]=x' }));
      assert.equal(config.logLevel.level, 'info');
      assert.match(warnings.join(), /RUST_LOG is not used/);
      refuses({ log_level: 'loud' }, /expected levels/);
    });
  });

  describe('unknown names', () => {
    it('are errors inside known sections, with a hint', () => {
      refuses(
        { RPC_ADRESS: '0.0.0.0:1' },
        /environment variable RPC_ADRESS: unknown option; did you mean rpc_address\?/,
      );
      refuses({ sequencer_blok_time: '1s' }, /did you mean sequencer_block_time/);
      assert.match(problems({ flags: { nonsense: '1' } })[0] ?? '', /flag --nonsense: unknown option/);
      assert.match(problems({ file: { path: 'f', text: '{"node":{"rolle":"main"}}' } })[0] ?? '', /node_rolle in f/);
    });

    it('are warnings without config_strict', () => {
      const { warnings } = loadConfig(env({ rpc_adress: 'x', config_strict: 'false' }));
      assert.match(warnings.join(), /unknown option/);
    });

    it('of other programs do not matter', () => {
      const { warnings } = loadConfig(
        env({
          NODE_OPTIONS: '--max-old-space-size=4096',
          NODE_ENV: 'production',
          NODE_VERSION: '26',
          npm_config_cache: '/x',
          npm_lifecycle_event: 'start',
          LOG_DIR: '/var/log',
          LOGNAME: 'me',
          OTEL_SERVICE_NAME: 'x',
          PATH: '/bin',
          HOME: '/root',
          KAFKA_OPTS: '-X',
          KAFKA_HEAP_OPTS: '-X',
          KAFKA_PORT: 'tcp://10.0.0.1:9092',
          KAFKA_PORT_9092_TCP_ADDR: '10.0.0.1',
          KAFKA_SERVICE_HOST: '10.0.0.1',
          RPC_SERVICE_PORT_HTTP: '1',
          SEQUENCER_PORT_3050_TCP: 'x',
          RPC_URL: 'http://x',
          CLICKHOUSE_USER: 'x',
          GENERALLY: 'x',
          DEVELOPMENT_TEAM: 'x',
        }),
      );
      assert.deepEqual(warnings, []);
    });

    it('of the environment this test runs in do not matter', () => {
      assert.doesNotThrow(() => loadConfig({ env: process.env }));
    });
  });

  describe('values', () => {
    it('blocks are sealed by the limits of the specification unless told otherwise', () => {
      const config = load();
      assert.deepEqual(
        [
          config.sequencerBlockTimeMs,
          config.sequencerMaxTransactionsInBlock,
          config.sequencerBlockGasLimit,
          config.sequencerBlockPubdataLimitBytes,
          config.sequencerBlockSizeLimitBytes,
        ],
        [100, 1_000, 100_000_000n, 110_000n, 6 * 1024 * 1024],
      );
    });

    it('reads durations and sizes with units and keeps the plain unit of shared options', () => {
      const durations: Record<string, number> = {
        '100ms': 100,
        '1 sec': 1_000,
        '15 min': 900_000,
        '5s': 5_000,
        '1.5s': 1_500,
        '1h': 3_600_000,
      };
      for (const [text, ms] of Object.entries(durations)) {
        assert.equal(load(env({ sequencer_block_time: text })).sequencerBlockTimeMs, ms, text);
      }
      for (const bad of ['100', '-1s', '1 fortnight', '', '0ms']) refuses({ sequencer_block_time: bad }, /a duration/);
      assert.equal(load(env({ rpc_max_request_size: '2' })).rpcMaxRequestSizeBytes, 2 * 1024 ** 2);
      assert.equal(load(env({ rpc_max_request_size: '2048KiB' })).rpcMaxRequestSizeBytes, 2 * 1024 ** 2);
      assert.equal(load(env({ tx_validator_max_input_bytes: '2000' })).txValidatorMaxInputBytes, 2_000);
      assert.equal(load(env({ sequencer_block_size_limit: '5 MB' })).sequencerBlockSizeLimitBytes, 5_000_000);
      refuses({ sequencer_block_size_limit: '9MiB' }, /a size from 128 KiB to 7 MiB/);
    });

    it('keeps 64-bit numbers whole', () => {
      assert.equal(load(env({ genesis_chain_id: '18446744073709551615' })).genesisChainId, 2n ** 64n - 1n);
      refuses({ genesis_chain_id: '18446744073709551616' }, /2\^64/);
      refuses({ genesis_chain_id: '-1' }, /an integer/);
    });

    it('reads sockets, also IPv6', () => {
      assert.deepEqual(load(env({ rpc_address: '[::1]:80' })).rpcAddress, { host: '::1', port: 80 });
      for (const bad of ['3050', ':3050', 'host:', 'host:70000', 'a b:1']) refuses({ rpc_address: bad }, /host:port/);
    });

    it('prints every default so that it reads back as the same value', () => {
      const config = load({ flags: { node_id: `0x${'ab'.repeat(16)}`, kafka_brokers: 'x:1', genesis_chain_id: '5' } });
      const values: Record<string, string> = {};
      for (const line of describeConfig(config).split('\n')) {
        const [name = '', value = ''] = line.split(' = ');
        if (value !== 'none' && name !== 'event_log_path') values[name] = value;
      }
      assert.deepEqual(load(env(values)), config);
    });

    it('never throws anything but ConfigError, whatever is given', () => {
      const anyName = fc.constantFrom(...OPTION_NAMES);
      fc.assert(
        fc.property(
          fc.dictionary(anyName, fc.oneof(fc.string(), fc.constantFrom('1', 'true', 'null', ''))),
          (values) => {
            try {
              loadConfig({ env: values });
            } catch (error) {
              assert(error instanceof ConfigError, String(error));
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  });

  describe('combinations', () => {
    it('lists all problems at once', () => {
      const found = problems(
        env({ rpc_address: 'x', rpc_adress: 'y', general_state_backend: 'Compacted', kafka_min_insync_replicas: '9' }),
      );
      assert.equal(found.length, 4, found.join('; '));
    });

    it('refuses what cannot be', () => {
      const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
        [{ node_role: 'external' }, /nothing to follow/],
        [{ kafka_brokers: 'a:1', sequencer_block_replay_download_address: 'b:1' }, /exclude each other/],
        [{ node_role: 'main', sequencer_block_replay_download_address: 'b:1' }, /cannot download/],
        [{ sequencer_block_replay_download_address: 'b:1' }, /general_main_node_rpc_url is missing/],
        [{ kafka_brokers: 'a:1', event_log_path: '/x' }, /event_log_path and kafka_brokers exclude/],
        [{ node_role: 'external', kafka_brokers: 'a:1', l1_sender_enabled: 'true' }, /only possible on a main node/],
        [{ genesis_chain_id: 'null' }, /genesis_chain_id is missing: a main node/],
        [{ node_role: 'external', kafka_brokers: 'a:1', genesis_chain_id: '' }, /part of the topic name/],
        [{ general_state_backend: 'Compacted' }, /not supported yet/],
        [{ kafka_brokers: 'a:9092,b' }, /kafka_brokers .*expected host:port, got b/],
        [{ kafka_brokers: 'kafka://a:9092' }, /expected host:port/],
        [{ kafka_min_insync_replicas: '4' }, /above kafka_replication_factor/],
        [{ kafka_sasl_username: 'u' }, /needs kafka_security_protocol sasl/],
        [{ kafka_ssl_ca_file: '/ca' }, /needs kafka_security_protocol ssl/],
        [{ kafka_security_protocol: 'sasl_ssl' }, /kafka_sasl_mechanism is missing/],
        [{ kafka_security_protocol: 'sasl_ssl', kafka_sasl_mechanism: 'plain' }, /are both needed/],
        [{ kafka_security_protocol: 'ssl', kafka_ssl_cert_file: '/c' }, /go together/],
        [{ kafka_topic_prefix: 'a b' }, /kafka_topic_prefix may hold/],
        [{ schema_registry_username: 'u' }, /go together/],
        [{ rpc_send_raw_transaction_sync_timeout: '31s' }, /sync_timeout_max/],
        [{ event_log_read_delay: '1s' }, /it needs development=true/],
        [{ sequencer_block_gas_limit: '0' }, /no transaction would fit/],
        [{ sequencer_block_gas_limit: '72057594037927936' }, /above 72057594037927935/],
        [{ tx_validator_max_input_bytes: '8MiB' }, /fits no block/],
        [{ rpc_address: '127.0.0.1:3071' }, /status_server_address and rpc_address both use port 3071/],
        [{ general_prometheus_port: '3050' }, /both use port 3050/],
        [
          { l1_sender_operator_commit_pk: KEYS[0] ?? '', l1_sender_operator_prove_pk: (KEYS[0] ?? '').slice(2) },
          /are the same key/,
        ],
      ];
      for (const [values, pattern] of cases) refuses(values, pattern);
    });

    it('accepts what can be', () => {
      const cases: Record<string, string>[] = [
        { node_role: 'external', event_log_path: '/main/log' },
        {
          node_role: 'external',
          kafka_brokers: 'a:1',
          genesis_bridgehub_address: 'null',
          genesis_genesis_input_path: '',
        },
        { rpc_address: '127.0.0.1:80', status_server_address: '127.0.0.2:80' },
        { rpc_address: '127.0.0.1:0', status_server_address: '127.0.0.1:0', general_prometheus_port: '0' },
        { rpc_address: '127.0.0.1:3071', rpc_enabled: 'false' },
        {
          kafka_security_protocol: 'sasl_ssl',
          kafka_sasl_mechanism: 'scram-sha-512',
          kafka_sasl_username: 'u',
          kafka_sasl_password: 'p',
          kafka_ssl_ca_file: '/ca',
        },
        Object.fromEntries(
          ['commit', 'prove', 'execute'].map((who, i) => [`l1_sender_operator_${who}_pk`, KEYS[i] ?? '']),
        ),
      ];
      for (const values of cases) assert.doesNotThrow(() => loadConfig({ env: values }), JSON.stringify(values));
    });
  });

  describe('secrets', () => {
    const password = 'hunter2-very-secret';
    const values = {
      kafka_security_protocol: 'sasl_ssl',
      kafka_sasl_mechanism: 'plain',
      kafka_sasl_username: 'u',
    };

    it('come from a file, without its newline', () => {
      const config = load({
        env: { ...values, KAFKA_SASL_PASSWORD_FILE: '/run/secret' },
        readFile: (path) => (path === '/run/secret' ? `${password}\n` : assert.fail(path)),
      });
      assert.equal(config.kafkaSaslPassword?.reveal(), password);
      refuses({ ...values, kafka_sasl_password_file: '/does/not/exist' }, /cannot read the file/);
      refuses({ ...values, kafka_sasl_password_file: '/dev/null', kafka_sasl_password: 'x' }, /set twice/);
    });

    it('are never printed', () => {
      const config = load(
        env({ ...values, kafka_sasl_password: password, l1_sender_operator_commit_pk: KEYS[0] ?? '' }),
      );
      for (const text of [describeConfig(config), inspect(config, { depth: 9 }), `${config.kafkaSaslPassword}`]) {
        assert(!text.includes(password) && !text.includes('1111'), text);
      }
      assert.equal(JSON.stringify({ p: config.kafkaSaslPassword }), '{"p":"<redacted>"}');
      const [problem = ''] = problems(env({ l1_sender_operator_commit_pk: password }));
      assert(!problem.includes(password), problem);
      for (const text of [
        `{"kafka_sasl_password": ${password},\n"rpc_enabled": true}`,
        `"${password}" "`,
        `x${password}`,
      ]) {
        const [fileProblem = ''] = problems({ file: { path: 'c.json', text } });
        assert.match(fileProblem, /not valid JSON: \w/);
        assert(!fileProblem.includes(password), fileProblem);
      }
      const [urlProblem = ''] = problems(env({ general_l1_rpc_url: `ftp://${password}` }));
      assert(!urlProblem.includes(password), urlProblem);
    });

    it('in URLs are not printed either', () => {
      const config = load(
        env({ schema_registry_url: `https://user:${password}@registry:8081/${password}?k=${password}` }),
      );
      assert.match(describeConfig(config), /^schema_registry_url = https:\/\/…@registry:8081\/…$/m);
    });

    it('survive the way to a worker', () => {
      const config = load(env({ ...values, kafka_sasl_password: password }));
      const arrived = importConfig(structuredClone(exportConfig(config)));
      assert.equal(arrived.kafkaSaslPassword?.reveal(), password);
      assert.deepEqual(describeConfig(arrived), describeConfig(config));
    });
  });

  describe('documentation', () => {
    it('has every option in a section', () => {
      for (const name of OPTION_NAMES) assert.notEqual(sectionOf(name), undefined, name);
      assert.equal(flagOptions().length, OPTION_NAMES.length);
    });

    it('is what docs/config.md says: run node src/common/writeConfigDocs.ts', () => {
      assert.equal(readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8'), configMarkdown());
    });

    it('helps with every flag', () => {
      const help = helpText();
      for (const name of OPTION_NAMES) assert(help.includes(`--${name.replaceAll('_', '-')} `), name);
    });
  });
});
