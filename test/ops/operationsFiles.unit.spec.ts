/** docker-compose.yml and ops/ against the code: ports, options, versions, metrics. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getContractAddress } from 'viem';
import { parse } from 'yaml';
import { listenersOf } from '../../src/commands/doctorHost.ts';
import { toHex } from '../../src/common/bytes.ts';
import { type Config, loadConfig } from '../../src/common/config.ts';
import { OPTIONS } from '../../src/common/configTable.ts';
import { METRICS, type MetricRow } from '../../src/common/metricTable.ts';
import { L1_DEVELOPMENT_CHAIN_ID } from '../../src/l1/anvil.ts';
import { developmentWallet } from '../../src/l1/developmentL1.ts';
import { ENTRY_SIZE_LIMIT_BYTES } from '../../src/log/eventLog.ts';
import { KAFKA_VERSION, REGISTRY_PATH, REGISTRY_VERSION } from '../support/kafka.ts';
import { readPromQuery } from './promQuery.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly profiles?: readonly string[];
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const OUR_IMAGE = 'reprise';
const ours = services.filter(([, { image }]) => image === OUR_IMAGE);

function service(name: string): Service {
  const found = compose.services[name];
  assert.ok(found, `docker-compose.yml has a service ${name}`);
  return found;
}

function configOf(name: string): Config {
  const { config, warnings } = loadConfig({ env: service(name).environment ?? {} });
  assert.deepEqual(warnings, [], name);
  return config;
}

/** Of `127.0.0.1:3051:3050`. */
function portsOf(name: string): { readonly host: number; readonly container: number }[] {
  return (service(name).ports ?? []).map((text) => {
    const [address, host, container] = text.split(':');
    assert.equal(address, '127.0.0.1', `${name} ${text} is bound to this machine alone`);
    return { host: Number(host), container: Number(container) };
  });
}

describe('docker-compose.yml', () => {
  it('has the whole network, and what is optional in profiles', () => {
    const names = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    assert.deepEqual(names, [
      'kafka-1',
      'kafka-2',
      'kafka-3',
      'schema-registry',
      'clickhouse',
      'anvil',
      'l1-setup',
      'topic-setup',
      'main-node',
      'external-node',
    ]);
    assert.deepEqual(
      services.flatMap(([name, { profiles = [] }]) => profiles.map((profile) => [name, profile])),
      [
        ['prometheus', 'monitoring'],
        ['grafana', 'monitoring'],
        ['otterscan', 'explorer'],
      ],
    );
  });

  it('names services and volumes that it has, and every port of this machine once', () => {
    const hosts: number[] = [];
    for (const [name, { depends_on: wanted = {}, volumes = [] }] of services) {
      for (const other of Array.isArray(wanted) ? (wanted as string[]) : Object.keys(wanted)) service(other);
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        const isThere = source.startsWith('./') ? existsSync(join(root, source)) : source in compose.volumes;
        assert.ok(isThere, `${name} has ${source}`);
      }
      hosts.push(...portsOf(name).map(({ host }) => host));
    }
    assert.equal(new Set(hosts).size, hosts.length);
  });

  it('runs the versions that are tested, and no image without a version', () => {
    const packages = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    for (const name of ['kafka-1', 'kafka-2', 'kafka-3'])
      assert.equal(service(name).image, `apache/kafka:${KAFKA_VERSION}`);
    assert.equal(service('schema-registry').image, `apicurio/apicurio-registry-mem:${REGISTRY_VERSION}`);
    assert.equal(
      service('anvil').image,
      `ghcr.io/foundry-rs/foundry:v${packages.devDependencies['@foundry-rs/anvil']}`,
    );
    for (const [name, { image }] of services)
      assert.ok(image === OUR_IMAGE || /:v?\d+\.\d+(\.\d+)?(\.Final)?$/.test(image), `${name}: ${image}`);
  });

  it('configures our processes with options that exist and have an effect, without a warning', () => {
    for (const [name, { environment = {} }] of ours) {
      for (const option of Object.keys(environment)) {
        assert.ok(option in OPTIONS, `${name}: ${option}`);
        assert.equal(OPTIONS[option as keyof typeof OPTIONS].effect, 'now', `${name}: ${option}`); // compared above
      }
      configOf(name);
    }
    assert.deepEqual(
      ['main-node', 'external-node'].map((name) => configOf(name).nodeRole),
      ['main', 'external'],
    );
  });

  it('publishes the ports that the nodes listen on, and points the nodes at each other', () => {
    for (const name of ['main-node', 'external-node']) {
      const listening = listenersOf(configOf(name)).map(({ port }) => port);
      const published = portsOf(name).map(({ container }) => container);
      assert.deepEqual([...published].sort(), [...listening].sort(), name);
    }
    const [main, external] = [configOf('main-node'), configOf('external-node')];
    assert.equal(external.generalMainNodeRpcUrl, `http://main-node:${main.rpcAddress.port}`);
    assert.equal(external.clickhouseUrl, `http://clickhouse:${portsOf('clickhouse')[0]?.container}`);
    const { environment = {} } = service('clickhouse');
    assert.equal(external.clickhouseUsername, environment['CLICKHOUSE_USER']);
    assert.equal(external.clickhousePassword?.reveal(), environment['CLICKHOUSE_PASSWORD']);
    assert.equal(
      main.schemaRegistryUrl,
      `http://schema-registry:${portsOf('schema-registry')[0]?.container}${REGISTRY_PATH}`,
    );
    const rpc = portsOf('external-node').find(({ container }) => container === external.rpcAddress.port);
    assert.equal(service('otterscan').environment?.['ERIGON_URL'], `http://127.0.0.1:${rpc?.host}`);
  });

  it('has brokers that keep what the topic of the log is verified for', () => {
    const config = configOf('main-node');
    const names = ['kafka-1', 'kafka-2', 'kafka-3'];
    assert.deepEqual(
      config.kafkaBrokers,
      names.map((name) => `${name}:9092`),
    );
    assert.ok(config.kafkaReplicationFactor <= names.length);
    for (const [index, name] of names.entries()) {
      const { environment = {} } = service(name);
      assert.equal(environment['KAFKA_NODE_ID'], String(index + 1));
      assert.ok(environment['KAFKA_ADVERTISED_LISTENERS']?.includes(`INTERNAL://${name}:9092`));
      assert.ok(environment['KAFKA_ADVERTISED_LISTENERS']?.endsWith(`HOST://localhost:${portsOf(name)[0]?.host}`));
      assert.ok(environment['KAFKA_CONTROLLER_QUORUM_VOTERS']?.includes(`${index + 1}@${name}:9093`));
      assert.equal(environment['KAFKA_AUTO_CREATE_TOPICS_ENABLE'], 'false');
      assert.ok(Number(environment['KAFKA_MESSAGE_MAX_BYTES']) >= ENTRY_SIZE_LIMIT_BYTES);
      assert.equal(environment['KAFKA_MIN_INSYNC_REPLICAS'], String(config.kafkaMinInsyncReplicas));
    }
  });

  it('has an L1 that the development contracts fit, at the address that the nodes are told', () => {
    const { command = [] } = service('anvil');
    assert.equal(command[command.indexOf('--chain-id') + 1], String(L1_DEVELOPMENT_CHAIN_ID));
    const { account } = developmentWallet('http://unused');
    const bridgehub = getContractAddress({ from: account.address, nonce: 0n });
    for (const name of ['l1-setup', 'topic-setup', 'main-node']) {
      const { genesisBridgehubAddress, generalL1RpcUrl } = configOf(name);
      assert.equal(genesisBridgehubAddress && toHex(genesisBridgehubAddress), bridgehub.toLowerCase());
      assert.equal(generalL1RpcUrl, `http://anvil:${command[command.indexOf('--port') + 1]}`);
    }
  });
});

describe('ops/Dockerfile', () => {
  const text = read('ops/Dockerfile');
  const runtime = text.slice(text.lastIndexOf('FROM '));
  const one = (pattern: RegExp): string => {
    const found = pattern.exec(runtime)?.[1];
    assert.ok(found, String(pattern));
    return found;
  };

  it('runs as another user than root, in the folder of its data', () => {
    assert.equal(one(/^USER (.*)$/m), 'reprise');
    assert.match(runtime, /useradd .*--uid 10001/);
    assert.equal(one(/^WORKDIR (.*)$/m), '/data');
    assert.equal(one(/^VOLUME (.*)$/m), '/data');
    assert.ok(runtime.indexOf('USER reprise') > runtime.lastIndexOf('RUN '));
    const { generalRocksDbPath, sequencerBlockDumpPath } = configOf('main-node');
    for (const path of [generalRocksDbPath, sequencerBlockDumpPath])
      assert.match(path, /^\.\//, 'below the working directory');
  });

  it('exposes what a node listens on, and asks its status address whether it is well', () => {
    const config = configOf('main-node');
    const ports = listenersOf(config).map(({ port }) => port);
    assert.deepEqual(
      one(/^EXPOSE (.*)$/m)
        .split(' ')
        .map(Number)
        .sort(),
      ports.sort(),
    );
    assert.ok(runtime.includes(`http://127.0.0.1:${config.statusServerAddress.port}/health`));
    assert.match(runtime, /^STOPSIGNAL SIGTERM$/m);
  });

  it('copies what there is, gets in nothing that is not needed, and has the libraries of the addons', () => {
    const ignored = read('.dockerignore').split('\n');
    assert.equal(ignored[0], '*');
    for (const [, sources = ''] of text.matchAll(/^COPY (?!--from)(.*) \S+$/gm))
      for (const source of sources.split(' ')) {
        assert.ok(existsSync(join(root, source)), source);
        assert.ok(
          ignored.some((line) => line.startsWith('!') && source.startsWith(line.slice(1).replace('*', ''))),
          source,
        );
      }
    assert.match(text, /npm ci --omit=dev/);
    for (const library of ['libatomic1', 'libstdc++6']) assert.ok(runtime.includes(library), library);
  });
});

const rows = new Map<string, MetricRow<string>>(
  Object.values(METRICS).flatMap((group) =>
    Object.values(group as Readonly<Record<string, MetricRow<string>>>).map((row) => [row.name, row] as const),
  ),
);
/** What Prometheus adds itself (prometheus.yml). */
const SCRAPED = ['job', 'instance', 'chain_id', 'role'];

/** Fails unless the node has every metric and label of the expression. */
function assertKnown(expression: string, where: string): void {
  const { metrics, groupings } = readPromQuery(expression);
  assert.ok(metrics.length > 0, `${where} names a metric`);
  const labels = new Set(SCRAPED);
  for (const { metric, labels: selected } of metrics) {
    if (metric === 'up') continue;
    const row = rows.get(metric) ?? rows.get(metric.replace(/_(bucket|sum|count)$/, ''));
    assert.ok(row, `${where}: the node has no metric ${metric}`);
    const isPart = row.name !== metric;
    assert.equal(
      isPart,
      row.kind === 'histogram',
      `${where}: ${metric} is a part of a histogram, or none is asked for`,
    );
    const own = [...row.labels, ...SCRAPED, ...(isPart ? ['le'] : [])];
    for (const label of own) labels.add(label);
    for (const label of selected) assert.ok(own.includes(label), `${where}: ${metric} has no label ${label}`);
  }
  for (const label of groupings) assert.ok(labels.has(label), `${where}: nothing there has the label ${label}`);
}

describe('ops/prometheus', () => {
  const { groups } = parse(read('ops/prometheus/alerts.yml')) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string; runbook: string } }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules);

  it('scrapes both nodes where they serve metrics', () => {
    const { scrape_configs: jobs, rule_files: files } = parse(read('ops/prometheus/prometheus.yml')) as {
      scrape_configs: { static_configs: { targets: string[]; labels: Record<string, string> }[] }[];
      rule_files: string[];
    };
    for (const file of files) assert.ok(existsSync(join(root, 'ops/prometheus', file)));
    const targets = jobs.flatMap(({ static_configs: each }) => each);
    assert.deepEqual(
      targets.flatMap(({ targets: names }) => names),
      ['main-node', 'external-node'].map((name) => `${name}:${configOf(name).generalPrometheusPort}`),
    );
    for (const { labels } of targets) assert.equal(labels['chain_id'], String(configOf('main-node').genesisChainId));
  });

  it('asks for metrics and labels that the node has', () => {
    assert.ok(alerts.length >= 15);
    for (const { alert, expr } of alerts) assertKnown(expr, alert);
    assert.throws(() => assertKnown('rate(no_such_total[1m])', 'x'), /no metric no_such_total/);
    assert.throws(() => assertKnown('log_rejected_total{kind="x"}', 'x'), /no label kind/);
    assert.throws(() => assertKnown('sum by (table) (log_epoch)', 'x'), /label table/);
  });

  it('has a page for each alert that says what to look at and what to do, and none without an alert', () => {
    const pages = readdirSync(join(root, 'ops/runbooks')).map((name) => basename(name, '.md'));
    assert.deepEqual(pages.sort(), alerts.map(({ alert }) => alert).sort());
    for (const { alert, annotations } of alerts) {
      assert.equal(annotations.runbook, `ops/runbooks/${alert}.md`);
      assert.match(read(annotations.runbook), new RegExp(`^# ${alert}\n\n[^#]+\n\n## Look\n\n- [^#]+## Do\n\n- `));
    }
  });

  it('names on its pages only metrics and options that there are', () => {
    for (const { alert, annotations } of alerts) {
      for (const [, word = ''] of read(annotations.runbook).matchAll(
        /`([a-z][a-z0-9]*_[a-z0-9_]+)(?:\{[^`]*\})?(?:=[^`]*)?`/g,
      )) {
        assert.ok(rows.has(word) || word in OPTIONS, `${alert}: ${word} is neither a metric nor an option`);
      }
    }
  });
});

describe('ops/grafana', () => {
  const dashboard = JSON.parse(read('ops/grafana/dashboards/reprise.json')) as {
    panels: {
      id: number;
      type: string;
      title: string;
      gridPos: { h: number; w: number; x: number; y: number };
      targets?: { expr: string }[];
    }[];
    templating: { list: { query: { query: string } }[] };
  };

  it('asks for metrics and labels that the node has, in every panel', () => {
    const panels = dashboard.panels.filter(({ type }) => type !== 'row');
    assert.ok(panels.length >= 30);
    for (const { title, targets = [] } of panels) {
      assert.ok(targets.length > 0, title);
      for (const { expr } of targets) assertKnown(expr.replaceAll('$__rate_interval', '1m'), title);
    }
    for (const { query } of dashboard.templating.list) {
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? [];
      assertKnown(`sum by (${label}) (${metric})`, query.query);
    }
  });

  it('lays its panels beside each other', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(x < 24 && !taken.has(`${x},${y}`), title);
          taken.add(`${x},${y}`);
        }
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  });

  it('is provisioned from the folders that are mounted', () => {
    const mounts = (service('grafana').volumes ?? []).map((volume) => volume.split(':'));
    for (const [source = '', target = ''] of mounts.slice(0, 2)) {
      assert.ok(existsSync(join(root, source)));
      assert.ok(target.startsWith('/'));
    }
    const { providers } = parse(read('ops/grafana/provisioning/dashboards/reprise.yml')) as {
      providers: { options: { path: string } }[];
    };
    assert.ok(mounts.some(([, target]) => target === providers[0]?.options.path));
    const { datasources } = parse(read('ops/grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: { url: string }[];
    };
    assert.equal(datasources[0]?.url, `http://prometheus:${portsOf('prometheus')[0]?.container}`);
  });
});
