import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hex } from 'viem';
import { CHAIN_ID, RICH, RICH_KEY, anAccount, cast, viemClients } from '../support/clients.ts';
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

const BANNER_WITHIN_MS = 20_000;
const LIMIT_MS = 30_000;
const root = fileURLToPath(new URL('../../', import.meta.url));

/** Everything that the development profile would put into the checkout goes elsewhere. */
function environment(dataPath: string, ports: NodePorts): Record<string, string> {
  return {
    general_rocks_db_path: dataPath,
    sequencer_block_dump_path: join(dataPath, 'blockDumps'),
    rpc_address: `127.0.0.1:${ports.rpc}`,
    status_server_address: `127.0.0.1:${ports.status}`,
    general_prometheus_port: String(ports.metrics),
    development_l1_port: '0',
    sequencer_block_replay_server_address: '127.0.0.1:0',
  };
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** Sends from the rich account and gives the height of the block. */
async function transferIncluded(url: string, to: Hex): Promise<number> {
  const { wallet, reader } = viemClients(url);
  const hash = await wallet.sendTransaction({ to, value: 5n });
  const { status, blockNumber } = await reader.waitForTransactionReceipt({ hash, timeout: LIMIT_MS });
  assert.equal(status, 'success');
  return Number(blockNumber);
}

describe('npm start', function () {
  this.timeout(90_000);

  const recipient = anAccount().address;
  let dataPath: string;
  let ports: NodePorts;
  let node: NodeProcess;
  let height = 0;
  let npm: ChildProcess | undefined;

  before(async () => {
    dataPath = temporaryFolder('start');
    ports = await freeNodePorts();
    node = new NodeProcess({
      dataPath,
      ports,
      command: ['start', '--profile', 'development'],
      env: { ...environment(dataPath, ports), log_format: 'terminal' },
    });
  });
  after(async () => {
    // Its own group: npm does not hand a KILL on.
    if (npm?.pid !== undefined && npm.exitCode === null && npm.signalCode === null) process.kill(-npm.pid, 'SIGKILL');
    await killAllNodes();
    removeFolder(dataPath);
  });

  /** Waits for the whole banner. */
  async function banner(): Promise<string> {
    await until('the banner', () => (node.output.includes('npm run reset') ? true : undefined), BANNER_WITHIN_MS);
    return node.output;
  }

  it('shows one banner within 20 s, with all that one needs to begin', async () => {
    node.start();
    const text = await banner();
    for (const part of [
      `http://127.0.0.1:${ports.rpc}`,
      `chain id ${CHAIN_ID}`,
      RICH.address,
      RICH_KEY,
      'cast send --rpc-url',
      "from 'viem'",
      dataPath,
      `http://127.0.0.1:${ports.status}/status`,
      `http://127.0.0.1:${ports.metrics}/metrics`,
      'npm run start:external',
      'npm run reset',
    ]) {
      assert.ok(text.includes(part), `the banner says ${part}:\n${text}`);
    }
    assert.equal(count(text, 'main node ready'), 1);
  });

  it('includes a transfer within 2 s of it, also the one that the banner shows', async () => {
    await transferIncluded(node.rpcUrl, recipient);
    const command = /npx cast (send --rpc-url [^\\]*)\\\s*(.*)/.exec(node.output);
    assert.ok(command, node.output);
    const [name = '', , , ...args] = `${command[1]} ${command[2]}`.trim().split(/\s+/);
    const { code, stderr } = await cast(node.rpcUrl, [name, ...args]);
    assert.equal(code, 0, stderr);
    height = Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
    assert.ok(height >= 3);
  });

  it('says in its status line which batch is sealed', async () => {
    const line = await until(
      'the status line',
      () => /main, leading \| block \d+ \|.*batch (\d+) sealed/.exec(node.output) ?? undefined,
      60_000,
    );
    assert.ok(Number(line[1]) >= 1);
  });

  it('gets a second node beside it that tails its log, with the other profile', async () => {
    const [path, otherPorts] = [temporaryFolder('start-external'), await freeNodePorts()];
    const external = new NodeProcess({
      dataPath: path,
      ports: otherPorts,
      command: ['start', '--profile', 'development-external'],
      env: {
        ...environment(path, otherPorts),
        event_log_path: join(dataPath, 'log'),
        general_main_node_rpc_url: node.rpcUrl,
        log_format: 'terminal',
      },
    });
    try {
      external.start();
      const isShown = () => (external.output.includes('npm run reset') ? true : undefined);
      await until('the banner of the second node', isShown, BANNER_WITHIN_MS);
      assert.match(external.output, /external node ready/);
      assert.match(external.output, /tailed read-only/);
      assert.equal(await rpc(external.rpcUrl, 'eth_getBalance', [recipient, 'latest']), '0x5');
      assert.equal(await external.stop(), 0);
    } finally {
      await external.kill();
      removeFolder(path);
    }
  });

  it('feeds a second node over TCP that is told `--tcp`', async () => {
    const [path, otherPorts] = [temporaryFolder('start-tcp'), await freeNodePorts()];
    const { replayServer } = (await node.status()) as { replayServer: { address: string } };
    const external = new NodeProcess({
      dataPath: path,
      ports: otherPorts,
      command: ['start', '--profile', 'development-external', '--tcp'],
      env: {
        ...environment(path, otherPorts),
        sequencer_block_replay_download_address: replayServer.address,
        general_main_node_rpc_url: node.rpcUrl,
        log_format: 'terminal',
      },
    });
    try {
      external.start();
      const isShown = () => (external.output.includes('npm run reset') ? true : undefined);
      await until('the banner of the node fed over TCP', isShown, BANNER_WITHIN_MS);
      assert.match(external.output, /its own, fed over TCP by 127\.0\.0\.1/);
      assert.equal(await rpc(external.rpcUrl, 'eth_getBalance', [recipient, 'latest']), '0x5');
      assert.equal(await external.stop(), 0);
    } finally {
      await external.kill();
      removeFolder(path);
    }
  });

  it('stops with Ctrl-C, and the next start goes on with the same chain', async () => {
    const block = await rpc(node.rpcUrl, 'eth_getBlockByNumber', ['0x2', true]);
    process.kill(node.pid, 'SIGINT');
    assert.deepEqual(await node.whenEnded(), { code: 0, signal: null });
    node.start();
    await banner();
    assert.deepEqual(await rpc(node.rpcUrl, 'eth_getBlockByNumber', ['0x2', true]), block);
    assert.equal(Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber')), height);
    assert.equal(await rpc(node.rpcUrl, 'eth_getBalance', [recipient, 'latest']), '0x5');
    assert.equal(await transferIncluded(node.rpcUrl, recipient), height + 1);
    assert.equal(await rpc(node.rpcUrl, 'eth_getBalance', [recipient, 'latest']), '0xa');
    height += 1;
  });

  it('refuses a second one on the same data, and a reset while it runs', async () => {
    const elsewhere = environment(dataPath, await freeNodePorts());
    const second = await runCommand(['start', '--profile', 'development'], elsewhere);
    assert.notEqual(second.code, 0);
    assert.match(second.stdout + second.stderr, /another process|is running|in use|locked/i);
    const reset = await runCommand(['reset'], elsewhere);
    assert.equal(reset.code, 1);
    assert.match(reset.stderr, /the main node is running: stop it first/);
    await transferIncluded(node.rpcUrl, recipient);
    height += 1;
    assert.equal(await node.stop(), 0);
  });

  it('works as the npm script does, and stops when Ctrl-C reaches npm and node at once', async () => {
    let output = '';
    npm = spawn('npm', ['start'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...environment(dataPath, ports) },
    });
    const exited = once(npm, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    for (const stream of [npm.stdout, npm.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    await until(
      'the banner of npm start',
      () => (output.includes('npm run reset') ? true : undefined),
      BANNER_WITHIN_MS,
    ).catch((error: unknown) => {
      throw new Error(output, { cause: error });
    });
    assert.equal(await transferIncluded(node.rpcUrl, recipient), height + 1);
    assert.ok(npm.pid);
    process.kill(-npm.pid, 'SIGINT');
    const [code, signal] = await exited;
    assert.ok(code === 0 || code === 130 || signal === 'SIGINT', `npm ended with ${code ?? signal}`);
    assert.equal(count(output, 'signal received'), 1);
    assert.match(output, /stopped/);
    await assert.rejects(fetch(`http://127.0.0.1:${ports.status}/health`));
  });

  it('begins a new chain after a reset, which leaves what is not its own', async () => {
    const foreign = join(dataPath, 'notes.txt');
    writeFileSync(foreign, 'mine');
    const { code, stdout } = await runCommand(['reset'], environment(dataPath, ports));
    assert.equal(code, 0);
    assert.ok(stdout.includes(dataPath), stdout);
    assert.deepEqual(readdirSync(dataPath), ['notes.txt']);
    assert.ok(existsSync(foreign));
    const again = await runCommand(['reset'], environment(dataPath, ports));
    assert.match(again.stdout, /nothing to delete/);
    node.start();
    await banner();
    assert.ok(Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber')) < height);
    assert.equal(await rpc(node.rpcUrl, 'eth_getBalance', [recipient, 'latest']), '0x0');
    assert.equal(await node.stop(), 0);
  });
});
