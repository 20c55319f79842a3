/**
 * The start of docker-compose.yml without Docker: its commands with its environments, one after the other as they depend
 * on each other. Only addresses and the number of brokers differ.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { type Anvil, startAnvil } from '../../src/l1/anvil.ts';
import { anAccount, viemClients, whenFunded } from '../support/clients.ts';
import type { TestKafka } from '../support/kafka.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';
import { requireKafka } from '../support/sharedKafka.ts';

interface Service {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const text = readFileSync(fileURLToPath(new URL('../../docker-compose.yml', import.meta.url)), 'utf8');
const { services } = parse(text, { merge: true }) as { services: Readonly<Record<string, Service>> };

describe('docker-compose.yml, by hand', function () {
  this.timeout(120_000);

  let kafka: TestKafka;
  let anvil: Anvil;
  let registry: string;
  let main: NodeProcess;
  let external: NodeProcess;
  const folders: string[] = [];
  const prefix = `compose-${randomUUID()}`;

  before(async function () {
    kafka = await requireKafka(this);
    anvil = await startAnvil({ port: 0 });
    registry = (await kafka.registryUrl()) ?? '';
  });

  after(async () => {
    await killAllNodes();
    await anvil?.stop();
    folders.forEach(removeFolder);
  });

  function service(name: string): Service {
    const found = services[name];
    assert.ok(found, name);
    return found;
  }

  /** As in the file, but for where the others are. */
  function environmentOf(name: string): Record<string, string> {
    const {
      clickhouse_url: _url,
      clickhouse_username: _username,
      clickhouse_password: _password,
      ...rest
    } = service(name).environment;
    return {
      ...rest,
      kafka_brokers: kafka.brokers.join(','),
      kafka_topic_prefix: prefix,
      kafka_replication_factor: '1',
      kafka_min_insync_replicas: '1',
      general_l1_rpc_url: anvil.url,
      analytics_enabled: 'false',
      ...(rest['schema_registry_url'] !== undefined && registry !== '' && { schema_registry_url: registry }),
      ...(rest['general_main_node_rpc_url'] !== undefined && { general_main_node_rpc_url: main.rpcUrl }),
    };
  }

  async function run(name: string): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await runCommand([...service(name).command, '--json'], environmentOf(name));
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  async function start(name: string): Promise<NodeProcess> {
    const dataPath = temporaryFolder(name);
    folders.push(dataPath);
    const node = new NodeProcess({
      dataPath,
      ports: await freeNodePorts(),
      command: service(name).command,
      env: { ...environmentOf(name), development: 'false' },
    });
    node.start();
    await node.whenReady(60_000);
    return node;
  }

  it('sets L1 and topic up, once', async () => {
    const wanted = service('main-node').environment['genesis_bridgehub_address'];
    assert.deepEqual(
      [await run('l1-setup'), await run('l1-setup')].map(({ bridgehub, deployed }) => ({ bridgehub, deployed })),
      [
        { bridgehub: wanted, deployed: true },
        { bridgehub: wanted, deployed: false },
      ],
    );
    const [first, again] = [await run('topic-setup'), await run('topic-setup')];
    assert.deepEqual([first['created'], again['created'], again['logId']], [true, false, first['logId']]);
  });

  it('starts a main and an external node, and what is sent to the external one is in a block of both', async () => {
    main = await start('main-node');
    await whenFunded(main.rpcUrl);
    external = await start('external-node');
    const to = anAccount().address;
    const hash = await viemClients(external.rpcUrl).wallet.sendTransaction({ to, value: 5n });
    for (const node of [main, external]) {
      await until(
        `the receipt of ${hash}`,
        async () => (await rpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
      );
      assert.equal(await rpc(node.rpcUrl, 'eth_getBalance', [to, 'latest']), '0x5');
    }
  });

  it('is found well by doctor', async () => {
    const { rpc: rpcPort, status, metrics } = main.ports;
    const { code, stdout } = await runCommand(['doctor', '--json'], {
      ...environmentOf('main-node'),
      general_rocks_db_path: main.dataPath,
      rpc_address: `127.0.0.1:${rpcPort}`,
      status_server_address: `127.0.0.1:${status}`,
      general_prometheus_port: String(metrics),
      sequencer_block_replay_server_address: '127.0.0.1:0',
    });
    const { findings } = JSON.parse(stdout) as { findings: { level: string; check: string; text: string }[] };
    assert.deepEqual(
      findings.filter(({ level }) => level === 'fail'),
      [],
    );
    assert.equal(code, 0);
    for (const check of ['log', 'topic', 'L1', 'clock', ...(registry === '' ? [] : ['registry'])])
      assert.ok(
        findings.some((finding) => finding.check === check && finding.level === 'ok'),
        check,
      );
    assert.deepEqual([await external.stop(), await main.stop()], [0, 0]);
  });
});
