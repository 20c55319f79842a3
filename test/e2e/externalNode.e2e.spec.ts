import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Hex } from 'viem';
import { projections } from '../../src/projections/index.ts';
import {
  CHAIN_ID,
  RICH,
  type ViemClients,
  anAccount,
  cast,
  rpcFailure,
  submitAll,
  viemClients,
  whenFunded,
} from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
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

const WITHIN_MS = 10_000;
const { abi, bytecode, runtimeBytecode } = testContract('EventEmitter');

type JsonRecord = Record<string, unknown>;

let main: NodeProcess;
let viem: ViemClients;
let folders: string[] = [];

function folder(name: string): string {
  const path = temporaryFolder(name);
  folders.push(path);
  return path;
}

/** As `npm run start:external` runs it beside the main node: its log read-only, everything else its own. */
async function anExternalNode(dataPath = folder('external')): Promise<NodeProcess> {
  return new NodeProcess({
    dataPath,
    ports: await freeNodePorts(),
    env: {
      node_role: 'external',
      event_log_path: join(main.dataPath, 'log'),
      general_main_node_rpc_url: main.rpcUrl,
    },
  });
}

async function startExternal(): Promise<NodeProcess> {
  const node = await anExternalNode();
  node.start();
  await node.whenReady();
  return node;
}

async function deploy(): Promise<Hex> {
  const hash = await viem.wallet.deployContract({ abi, bytecode });
  const { contractAddress } = await viem.reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
  assert.ok(contractAddress);
  return contractAddress;
}

/** Waits until the code is there, at most as long as the acceptance rows allow. */
async function showsCode(node: NodeProcess, address: Hex): Promise<void> {
  const code = await until(
    `the code of ${address} on the external node`,
    async () => {
      const found = await rpc<Hex>(node.rpcUrl, 'eth_getCode', [address, 'latest']);
      return found === '0x' ? undefined : found;
    },
    WITHIN_MS,
  );
  assert.equal(code, runtimeBytecode);
}

async function receiptFrom(node: NodeProcess, hash: Hex): Promise<JsonRecord> {
  return until(
    `the receipt of ${hash}`,
    async () => (await rpc<JsonRecord | null>(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
    WITHIN_MS,
  );
}

async function headOf(node: NodeProcess): Promise<number> {
  return Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
}

async function whenAtHead(node: NodeProcess): Promise<number> {
  const head = await headOf(main);
  await until(`block ${head}`, async () => ((await headOf(node)) >= head ? true : undefined), WITHIN_MS);
  return head;
}

/** Every answer about the past is the same on both nodes. */
async function assertSameHistory(node: NodeProcess): Promise<void> {
  const head = await whenAtHead(node);
  const hexHead = `0x${head.toString(16)}`;
  const ask = async (method: string, params: readonly unknown[]): Promise<void> => {
    const answers = await Promise.all([main, node].map(({ rpcUrl }) => rpc(rpcUrl, method, params)));
    assert.notEqual(answers[0], null, method);
    assert.deepEqual(answers[1], answers[0], method);
  };
  for (let height = 0; height <= head; height++) {
    const number = `0x${height.toString(16)}`;
    await ask('eth_getBlockByNumber', [number, true]);
    await ask('eth_getBlockReceipts', [number]);
  }
  await ask('eth_getLogs', [{ fromBlock: '0x0', toBlock: hexHead }]);
  await ask('eth_getBalance', [RICH.address, hexHead]);
  await ask('eth_getTransactionCount', [RICH.address, hexHead]);
  await ask('zks_getGenesis', []);
  await ask('zks_getBridgehubContract', []);
}

async function signedTransfer(nonce: number): Promise<Hex> {
  const fields = { chainId: CHAIN_ID, type: 'eip1559', gas: 100_000n, maxFeePerGas: 10_000n } as const;
  return RICH.signTransaction({ ...fields, maxPriorityFeePerGas: 0n, nonce, to: anAccount().address, value: 7n });
}

async function nextNonce(): Promise<number> {
  return Number(await rpc<Hex>(main.rpcUrl, 'eth_getTransactionCount', [RICH.address, 'pending']));
}

describe('an external node beside the main node', function () {
  this.timeout(60_000);
  let early: NodeProcess;
  let late: NodeProcess;

  before(async () => {
    main = new NodeProcess({
      dataPath: folder('main'),
      ports: await freeNodePorts(),
      env: { sequencer_block_time: '20ms' },
    });
  });
  after(async () => {
    try {
      for (const node of [late, early, main]) assert.equal(await node?.stop(), 0);
    } finally {
      await killAllNodes();
      folders.forEach(removeFolder);
      folders = [];
    }
  });

  it('says what to start first when there is no log to tail, and that trying again helps', async () => {
    const [node, data] = [await anExternalNode(), folder('nothing')];
    const { code, stderr, stdout } = await runCommand(['start', '--log-format', 'json'], {
      development: 'true',
      node_role: 'external',
      general_rocks_db_path: data,
      event_log_path: join(data, 'log'),
      rpc_address: `127.0.0.1:${node.ports.rpc}`,
      status_server_address: `127.0.0.1:${node.ports.status}`,
      general_prometheus_port: String(node.ports.metrics),
      sequencer_block_replay_server_address: '127.0.0.1:0',
    });
    assert.equal(code, 75);
    assert.match(stdout + stderr, /no log to tail at .*: start the process that writes it first/);
  });

  it('shows what is deployed, whether started before or after, within 10 s (E1)', async () => {
    main.start();
    await main.whenReady();
    early = await startExternal();
    await whenFunded(main.rpcUrl);
    viem = viemClients(main.rpcUrl);
    const first = await deploy();
    await showsCode(early, first);
    late = await startExternal();
    await showsCode(late, first);
    const second = await deploy();
    await Promise.all([showsCode(early, second), showsCode(late, second)]);
    const status = await early.status();
    assert.deepEqual([status['role'], status['leading']], ['external', undefined]);
  });

  it('hands submitted transactions to the main node, and shows their receipts (K11)', async () => {
    const hash = await viemClients(early.rpcUrl).wallet.sendTransaction({ to: anAccount().address, value: 7n });
    const [here, there] = [await receiptFrom(early, hash), await receiptFrom(main, hash)];
    assert.equal(there['status'], '0x1');
    assert.deepEqual(here, there);
    const raw = await signedTransfer(await nextNonce());
    const published = await cast(early.rpcUrl, ['publish', raw]);
    assert.equal(published.code, 0, published.stderr);
    assert.equal((JSON.parse(published.stdout) as JsonRecord)['status'], '0x1');
  });

  it('gives the pending nonce and the refusals of the main node', async () => {
    const nonce = await nextNonce();
    await submitAll(early.rpcUrl, [await signedTransfer(nonce)]);
    const pending = Number(await rpc<Hex>(early.rpcUrl, 'eth_getTransactionCount', [RICH.address, 'pending']));
    assert.equal(pending, nonce + 1);
    const low = await signedTransfer(0);
    const answers = await Promise.all(
      [early, main].map(({ rpcUrl }) => rpcFailure(rpcUrl, 'eth_sendRawTransaction', [low])),
    );
    assert.match(answers[1]?.message ?? '', /^nonce too low/);
    assert.deepEqual(answers[0], answers[1]);
    assert.match(
      (await rpcFailure(early.rpcUrl, 'eth_sendRawTransaction', ['0x02c0'])).message,
      /^failed to decode signed transaction/,
    );
  });

  it('calls and estimates on its own state', async () => {
    const address = await deploy();
    await showsCode(early, address);
    const reader = viemClients(early.rpcUrl).reader;
    const gas = await reader.estimateContractGas({
      address,
      abi,
      functionName: 'emitEvent',
      args: [1n],
      account: RICH,
    });
    assert.ok(gas > 21_000n);
    assert.equal((await rpcFailure(early.rpcUrl, 'eth_call', [{ to: address }])).code, 3);
  });

  it('does not get stuck over 200 deployments, each visible within 10 s (E2)', async function () {
    this.timeout(200_000);
    const account = anAccount();
    const hash = await viem.wallet.sendTransaction({ to: account.address, value: 10n ** 18n });
    await viem.reader.waitForTransactionReceipt({ hash });
    const fields = { chainId: CHAIN_ID, type: 'eip1559', gas: 1_000_000n, maxFeePerGas: 10_000n } as const;
    for (let nonce = 0; nonce < 200; nonce++) {
      const raw = await account.signTransaction({ ...fields, maxPriorityFeePerGas: 0n, nonce, data: bytecode });
      const [sent] = await submitAll(main.rpcUrl, [raw]);
      assert.ok(sent);
      const { status, contractAddress } = await receiptFrom(main, sent);
      assert.equal(status, '0x1');
      await showsCode(early, contractAddress as Hex); // a deployment has one
    }
    const contracts = await rpc<Hex>(late.rpcUrl, 'eth_getTransactionCount', [account.address, 'latest']);
    assert.ok(Number(contracts) > 0);
  });

  it('answers about the past as the main node does', async function () {
    await assertSameHistory(early);
    await assertSameHistory(late);
  });

  it('goes on where it was after a stop and after a kill', async () => {
    for (const end of [() => early.stop(), () => early.kill()]) {
      await end();
      const address = await deploy();
      early.start();
      await early.whenReady();
      await showsCode(early, address);
      await showsCode(early, await deploy());
    }
  });

  it('stays up while the main node is away, says so to who submits, and follows it when it is back', async () => {
    await whenAtHead(early);
    const before = await headOf(early);
    const raw = await signedTransfer(await nextNonce());
    for (const end of [() => main.stop(), () => main.kill()]) {
      await end();
      assert.ok((await headOf(early)) >= before);
      const refused = await rpcFailure(early.rpcUrl, 'eth_sendRawTransaction', [raw]);
      assert.match(refused.message, /^the main node does not answer/);
      main.start();
      await main.whenReady();
      await showsCode(early, await deploy());
    }
    await assertSameHistory(early);
  });

  it('holds the same state, journal and repositories as the main node, key by key', async () => {
    await whenAtHead(early);
    await whenAtHead(late);
    for (const node of [early, late, main]) assert.equal(await node.stop(), 0);
    const digests = await Promise.all(
      [main, early, late].map(async ({ dataPath }) => {
        const { code, stdout, stderr } = await runCommand(['digest', '--json'], {
          general_rocks_db_path: dataPath,
          development: 'true',
        });
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout) as JsonRecord;
      }),
    );
    assert.deepEqual(
      Object.keys(digests[0] ?? {}).sort(),
      ['journal', 'state', ...projections.map(({ name }) => name)].sort(),
    );
    assert.deepEqual([digests[1], digests[2]], [digests[0], digests[0]]);
  });
});
