/** `reprise status`, `doctor` and `rebuild` beside and without a whole node. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { CHAIN_STORE_VERSION } from '../../src/workers/chainSettings.ts';
import { projections } from '../../src/projections/index.ts';
import { anAccount, viemClients, whenFunded } from '../support/clients.ts';
import {
  NodeProcess,
  type NodePorts,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly check: string;
  readonly text: string;
  readonly advice?: string;
}

let node: NodeProcess;
let ports: NodePorts;
let dataPath: string;
let env: Record<string, string>;
let head = 0;

function optionsOf(at: NodePorts): Record<string, string> {
  return {
    development: 'true',
    general_rocks_db_path: dataPath,
    rpc_address: `127.0.0.1:${at.rpc}`,
    status_server_address: `127.0.0.1:${at.status}`,
    general_prometheus_port: String(at.metrics),
    sequencer_block_replay_server_address: '127.0.0.1:0',
  };
}

async function doctor(changes: Record<string, string> = {}): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, stdout, stderr } = await runCommand(['doctor', '--json'], { ...env, ...changes });
  assert.equal(stderr, '');
  const { findings, failures } = JSON.parse(stdout) as { findings: Finding[]; failures: number };
  assert.equal(failures, findings.filter(({ level }) => level === 'fail').length);
  for (const { level, advice } of findings) assert.equal(advice !== undefined, level !== 'ok', 'what to do is said');
  return { code, findings };
}

const textsOf = (findings: readonly Finding[], check: string, level: Finding['level']): string[] =>
  findings.filter((finding) => finding.check === check && finding.level === level).map(({ text }) => text);

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port; // it listens on TCP
}

describe('status, doctor and rebuild', function () {
  this.timeout(60_000);

  before(async () => {
    dataPath = temporaryFolder('operations');
    ports = await freeNodePorts();
    env = optionsOf(ports);
    node = new NodeProcess({ dataPath, ports });
    node.start();
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    const { reader, wallet } = viemClients(node.rpcUrl);
    const hash = await wallet.sendTransaction({ to: anAccount().address, value: 5n });
    await reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
    await until('every projection has the last block', async () => {
      head = Number(await rpc<string>(node.rpcUrl, 'eth_blockNumber'));
      const heights = Object.values((await node.status())['projections'] as Record<string, { height: number }>);
      return heights.every(({ height }) => height === head) ? true : undefined;
    });
  });

  after(async () => {
    await killAllNodes();
    removeFolder(dataPath);
  });

  it('status shows what the running node says, as a table and as JSON', async () => {
    const human = await runCommand(['status'], env);
    assert.equal(human.code, 0, human.stderr);
    assert.match(human.stdout, /^role +main$/m);
    assert.match(human.stdout, /^ +height +lagBlocks +state +optional$/m);
    assert.match(human.stdout, new RegExp(`^  repositories +${head} +0 +live$`, 'm'));
    assert.match(human.stdout, new RegExp(`^  addresses +${head} +0 +live +true$`, 'm'));
    const machine = await runCommand(['status', '--json'], env);
    const { logHead, chainId } = JSON.parse(machine.stdout) as { logHead: number; chainId: number };
    assert.deepEqual([logHead, chainId], [head, 270]);
  });

  it('every line of the log is JSON and says whose it is', () => {
    const lines = node.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(lines.some(({ component, msg }) => component === 'chain' && msg === 'block accepted'));
    for (const line of lines) {
      assert.deepEqual([line['role'], line['chain_id']], ['main', '270'], JSON.stringify(line));
      for (const name of ['ts', 'level', 'msg']) assert.equal(typeof line[name], 'string', JSON.stringify(line));
    }
  });

  it('doctor finds the ports in use by the node, and nothing that fails', async () => {
    const { code, findings } = await doctor();
    assert.deepEqual(
      findings.filter(({ level }) => level === 'fail'),
      [],
    );
    assert.equal(code, 0);
    assert.deepEqual(textsOf(findings, 'port', 'ok').slice(0, 3), [
      `JSON-RPC on 127.0.0.1:${ports.rpc} is in use by this node`,
      `status on 127.0.0.1:${ports.status} is in use by this node`,
      `metrics on 0.0.0.0:${ports.metrics} is in use by this node`,
    ]);
    for (const name of ['chainStore', ...projections.map((each) => each.name)])
      assert.ok(
        textsOf(findings, 'store', 'ok').some((text) => text.startsWith(`${name} v`)),
        name,
      );
    assert.equal(textsOf(findings, 'disk', 'ok').length + textsOf(findings, 'disk', 'warn').length, 2);
    assert.match(textsOf(findings, 'log', 'ok').join(), /\d+ entries/);
    const isolated = new Set(findings.map(({ check }) => check));
    for (const check of [
      'configuration',
      'node',
      'addon',
      'memory',
      'open files',
      'node id',
      'keys',
      'registry',
      'clickhouse',
      'L1',
      'clock',
    ])
      assert.ok(isolated.has(check), check);
  });

  it('status of a stopped node says what its data holds, and ends with 75', async () => {
    assert.equal(await node.stop(), 0);
    const { code, stdout } = await runCommand(['status', '--json'], env);
    assert.equal(code, 75);
    const stored = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([stored['running'], stored['height']], [false, head]);
    assert.deepEqual(
      stored['projections'],
      Object.fromEntries(projections.map(({ name }) => [name, { height: head }])),
    );
    const empty = temporaryFolder('no-data');
    const nothing = await runCommand(['status'], { ...env, general_rocks_db_path: empty });
    removeFolder(empty);
    assert.equal(nothing.code, 75);
    assert.match(nothing.stderr, /no node answers at http:\/\/127\.0\.0\.1:\d+\/status/);
  });

  it('rebuild fills again what it is told to, and nothing else, in the order in which it is needed', async () => {
    const digest = async (): Promise<unknown> => JSON.parse((await runCommand(['digest', '--json'], env)).stdout);
    const before = await digest();
    const { code, stdout, stderr } = await runCommand(['rebuild', 'repositories', 'state', '--json'], env);
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      ['state', 'repositories'].map((rebuilt) => ({ rebuilt, height: head })),
    );
    assert.deepEqual(await digest(), before);
    const unknown = await runCommand(['rebuild', 'repositories', 'nonsense'], env);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no projection nonsense/);
  });

  it('rebuild of the state deletes nothing when there is no log to build from', async () => {
    const elsewhere = temporaryFolder('no-log');
    const { code, stderr } = await runCommand(['rebuild', 'state'], { ...env, event_log_path: elsewhere });
    removeFolder(elsewhere);
    assert.equal(code, 75, stderr);
    const { stdout } = await runCommand(['status', '--json'], env);
    assert.equal((JSON.parse(stdout) as { height: number }).height, head);
  });

  it('doctor finds what would keep a node from starting, all at once, and ends with 1', async () => {
    const busy = createServer((_request, response) => void response.end('{}'));
    // A registry and an L1 whose clock is an hour ahead.
    const ahead = createServer((_request, response) => {
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: '0x' }));
    });
    const [busyPort, aheadPort] = [await listening(busy), await listening(ahead)];
    const file = join(dataPath, 'a-file');
    writeFileSync(file, 'x');
    try {
      const { code, findings } = await doctor({
        rpc_address: `127.0.0.1:${busyPort}`,
        // Below a file nothing can be created, whoever one is.
        general_rocks_db_path: join(file, 'data'),
        kafka_brokers: '127.0.0.1:1',
        schema_registry_url: `http://127.0.0.1:${aheadPort}`,
        general_l1_rpc_url: `http://127.0.0.1:${aheadPort}`,
      });
      assert.equal(code, 1);
      assert.deepEqual(textsOf(findings, 'port', 'fail'), [
        `JSON-RPC on 127.0.0.1:${busyPort} is in use by another program`,
      ]);
      assert.match(textsOf(findings, 'disk', 'fail').join(), /cannot be written/);
      assert.match(textsOf(findings, 'log', 'fail').join(), /no answer from Kafka at 127\.0\.0\.1:1/);
      assert.match(textsOf(findings, 'L1', 'fail').join(), /no contract at the bridgehub address/);
      assert.match(textsOf(findings, 'clock', 'fail').join(), /3600\.\d s behind http|3599\.\d s behind http/);
      assert.match(textsOf(findings, 'registry', 'ok').join(), /answers/);
    } finally {
      busy.close();
      ahead.close();
    }
  });

  it('doctor names stores of another format or version, a damaged node id, and every problem of the configuration', async () => {
    const folder = temporaryFolder('doctor-stores');
    const version = `v${CHAIN_STORE_VERSION}`;
    for (const path of ['repositories/v999', `chainStore/${version}`])
      mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, 'chainStore', version, 'REPRISE_FORMAT'), '99\n');
    writeFileSync(join(folder, 'node-id'), 'not hex');
    const { findings } = await doctor({ general_rocks_db_path: folder });
    rmSync(folder, { recursive: true });
    assert.match(
      textsOf(findings, 'store', 'fail').join(),
      /chainStore\/v\d+ has format 99, this version reads format 1/,
    );
    assert.match(textsOf(findings, 'store', 'warn').join(), /repositories also has v999/);
    assert.match(textsOf(findings, 'node id', 'fail').join(), /does not hold a node id/);
    const wrong = await doctor({ rpc_address: 'nowhere', kafka_replication_factor: 'many' });
    assert.equal(wrong.code, 1);
    assert.equal(textsOf(wrong.findings, 'configuration', 'fail').length, 2);
  });
});
