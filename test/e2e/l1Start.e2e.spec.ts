/** Starting on L1: what does not fit is explained, what fits goes on. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'mocha';
import { type Hex, parseEther } from 'viem';
import { fromHex } from '../../src/common/bytes.ts';
import { startAnvil } from '../../src/l1/anvil.ts';
import { DEFAULT_DEPOSIT_FEES } from '../../src/l1/depositPrice.ts';
import { type DeployedL1, developmentWallet } from '../../src/l1/developmentL1.ts';
import { createL1Client } from '../../src/l1/l1Client.ts';
import { WRAPPED_BASE_TOKEN_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { type TestL1, deployTestL1, startTestL1 } from '../l1/anvilSetup.ts';
import {
  type L1TransactionJson,
  balanceOf,
  depositTo,
  fundRich,
  l1Environment,
  priorityTransactions,
  receiptOf,
  signedDeposit,
  startL1Node,
} from '../l1/l1Node.ts';
import { RICH, anAccount, viemClients } from '../support/clients.ts';
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

const GENESIS_FILE = fileURLToPath(new URL('../fixtures/vectors/genesis/genesis.json', import.meta.url));
const OTHER_GENESIS_FILE = fileURLToPath(new URL('../fixtures/vectors/genesis/genesis_v30.2.json', import.meta.url));

describe('start on L1', function () {
  this.timeout(120_000);
  let l1: TestL1;
  let deployed: DeployedL1;
  let folders: string[] = [];

  before(async () => {
    l1 = await startTestL1();
    deployed = await deployTestL1(l1);
  });

  after(async () => {
    await l1.anvil.stop();
  });

  afterEach(async () => {
    await killAllNodes();
    folders.forEach(removeFolder);
    folders = [];
  });

  function folder(name: string): string {
    const path = temporaryFolder(name);
    folders.push(path);
    return path;
  }

  async function aNode(env: Readonly<Record<string, string>>, dataPath = folder('l1-start')): Promise<NodeProcess> {
    return new NodeProcess({ dataPath, ports: await freeNodePorts(), env });
  }

  async function endsWith(node: NodeProcess, code: number, message: RegExp): Promise<void> {
    node.start();
    assert.equal((await node.whenEnded()).code, code, node.output);
    assert.match(node.output, message);
  }

  it('explains a wrong Bridgehub, a chain that is not registered, and an L1 that does not answer', async () => {
    const env = l1Environment(l1, deployed);
    await endsWith(
      await aNode({ ...env, genesis_bridgehub_address: `0x${'12'.repeat(20)}` }),
      1,
      /getAllZKChainChainIDs of 0x1212\S* on L1 returned no data/,
    );
    await endsWith(await aNode({ ...env, genesis_chain_id: '271' }), 1, /chain ID 271 is not registered on L1/);
    await endsWith(await aNode({ ...env, general_l1_rpc_url: 'http://127.0.0.1:9' }), 75, /Failed to read L1 state/);
  });

  it('does not mix a chain of L1 with development deposits, nor two L1s', async () => {
    const dataPath = folder('l1-mixed');
    const node = await aNode(l1Environment(l1, deployed), dataPath);
    node.start();
    await node.whenReady();
    assert.equal(await node.stop(), 0);
    await endsWith(await aNode({}, dataPath), 1, /the chain of this log has an L1/);

    const other = folder('l1-without');
    const without = await aNode({}, other);
    without.start();
    await without.whenReady();
    assert.equal((await without.status())['priorityTransactions'], 'not checked');
    assert.equal(await without.stop(), 0);
    await endsWith(await aNode(l1Environment(l1, deployed), other), 1, /begun without L1.*npm run reset/);

    const second = await startTestL1();
    try {
      await second.wallet.sendTransaction({ to: second.wallet.account.address });
      const elsewhere = await deployTestL1(second);
      assert.notEqual(elsewhere.bridgehub, deployed.bridgehub);
      await endsWith(
        await aNode(l1Environment(second, elsewhere), dataPath),
        1,
        /Bridgehub address mismatch: configured = 0x\S+, in the Genesis of the log = 0x/,
      );
    } finally {
      await second.anvil.stop();
    }
  });

  it('recognises an L1 that was reset under an old data folder', async () => {
    const started = await startL1Node();
    folders.push(started.node.dataPath);
    for (let i = 0; i < 2; i++) {
      const { l2Hash } = await depositTo(started, anAccount().address, 5n);
      await receiptOf(started.node.rpcUrl, l2Hash);
    }
    assert.equal(await started.node.stop(), 0);
    await started.l1.anvil.stop();
    const fresh = await startTestL1();
    try {
      const env = l1Environment(fresh, started.deployed);
      const node = await aNode(env, started.node.dataPath);
      await endsWith(node, 1, /returned no data.*reset/);
      assert.deepEqual(await deployTestL1(fresh), started.deployed);
      const request = { l1: fresh, deployed: started.deployed };
      await endsWith(
        node,
        1,
        /L1 was reset, but the chain was not: blocks include priority request 1, and L1 holds only 0/,
      );
      for (let i = 0; i < 2; i++) await depositTo(request, anAccount().address, 6n);
      await endsWith(node, 1, /L1 was reset, but the chain was not: priority request 1 is 0x\S+ on L1, and 0x/);
    } finally {
      await fresh.anvil.stop();
    }
  });

  it('takes a genesis input of its own, whose root L1 and the file must agree on', async () => {
    const { genesis_root: root } = JSON.parse(readFileSync(GENESIS_FILE, 'utf8')) as { genesis_root: Hex };
    const started = await startL1Node({
      env: { genesis_genesis_input_path: GENESIS_FILE },
      chain: {
        genesisRoot: fromHex(root),
        // A call that writes nothing: the file's own genesis upgrade needs more code than it holds.
        upgrade: { delegate: WRAPPED_BASE_TOKEN_ADDRESS, call: fromHex('0x313ce567'), forceDeployments: [] },
      },
    });
    folders.push(started.node.dataPath);
    try {
      const url = started.node.rpcUrl;
      const { genesis_root: served } = await rpc<{ genesis_root: Hex }>(url, 'zks_getGenesis');
      assert.equal(served, root);
      const to = anAccount().address;
      const { l2Hash } = await depositTo(started, to, 3n);
      await receiptOf(url, l2Hash);
      assert.equal(await balanceOf(url, to), 3n);
      assert.equal(await started.node.stop(), 0);

      const env = l1Environment(started.l1, started.deployed);
      await endsWith(
        await aNode({ ...env, genesis_genesis_input_path: OTHER_GENESIS_FILE }, started.node.dataPath),
        1,
        /the Genesis of the log has the genesis root 0xc346a158\S+, but .*genesis_v30.2.json has 0xa317d183/,
      );
      await endsWith(await aNode(env), 1, /Genesis state commitment mismatch: batch 0 on L1 has hash/);
      const changed = join(folder('genesis'), 'genesis.json');
      const text = readFileSync(GENESIS_FILE, 'utf8');
      writeFileSync(changed, text.replace(/("0x60[0-9a-f]{10})[0-9a-f]{2}/, '$1ff'));
      assert.notEqual(readFileSync(changed, 'utf8'), text);
      await endsWith(
        await aNode({ ...env, genesis_genesis_input_path: changed }),
        1,
        /state commitment .* for block 0/,
      );
      await endsWith(await aNode({ genesis_genesis_input_path: GENESIS_FILE }), 1, /needs L1/);
    } finally {
      await started.l1.anvil.stop();
    }
  });

  it('survives a kill -9 with the L1 of npm start, deposits included', async () => {
    const dataPath = folder('l1-kill');
    const ports = await freeNodePorts();
    const node = new NodeProcess({
      dataPath,
      ports,
      command: ['start', '--profile', 'development'],
      env: { development_l1_port: '0', l1_watcher_poll_interval: '20ms' },
    });
    node.start();
    await node.whenReady();
    const l1Url = (): string =>
      (JSON.parse(readFileSync(join(dataPath, 'l1', 'deployment.json'), 'utf8')) as { url: string }).url;
    const depositCommand = async (amount: string): Promise<void> => {
      const env = { rpc_address: `127.0.0.1:${ports.rpc}`, general_l1_rpc_url: l1Url() };
      const { code, stderr } = await runCommand(['deposit', '--to', RICH.address, '--amount', amount], env);
      assert.equal(code, 0, stderr);
    };
    await until('the rich account is rich', async () =>
      (await balanceOf(node.rpcUrl, RICH.address)) > parseEther('10000') ? true : undefined,
    );
    await depositCommand('1');
    const before = await priorityTransactions(node.rpcUrl);
    await node.kill();
    node.start();
    await node.whenReady();
    await depositCommand('2');
    const after = await priorityTransactions(node.rpcUrl);
    assert.deepEqual(after.slice(0, before.length), before);
    assert.deepEqual(
      after.map(({ nonce }) => Number(nonce)),
      [0, 1, 2],
    );
    assert.equal(await node.stop(), 0);
  });

  it('goes on with blocks while L1 is away, and takes what it missed', async () => {
    const state = join(folder('l1-state'), 'anvil.json');
    let anvil = await startAnvil({ port: 0, stateFile: state });
    const connect = (url: string) => ({
      ...l1,
      url,
      anvil,
      client: createL1Client({ url, signal: new AbortController().signal }),
      wallet: developmentWallet(url),
    });
    try {
      const own = connect(anvil.url);
      const contracts = await deployTestL1(own);
      const node = await aNode(l1Environment(own, contracts));
      node.start();
      await node.whenReady();
      const setUp = { l1: own, deployed: contracts };
      await receiptOf(node.rpcUrl, (await depositTo(setUp, RICH.address, parseEther('5'))).l2Hash);
      await anvil.stop();
      await until('the loss is known', async () =>
        /L1 did not answer/.test(String((await node.status())['l1Problem'])) ? true : undefined,
      );
      const { wallet, reader } = viemClients(node.rpcUrl);
      const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
      assert.equal((await reader.waitForTransactionReceipt({ hash, timeout: 10_000 })).status, 'success');
      anvil = await startAnvil({ port: anvil.port, stateFile: state });
      const { l2Hash } = await depositTo({ ...setUp, l1: connect(anvil.url) }, RICH.address, 7n);
      await receiptOf(node.rpcUrl, l2Hash);
      assert.equal((await priorityTransactions(node.rpcUrl)).length, 2);
      assert.equal(await node.stop(), 0);
    } finally {
      await anvil.stop();
    }
  });

  it('puts a request that does not fit a block first into the next one', async () => {
    const started = await startL1Node({
      env: { sequencer_block_gas_limit: '72000000', sequencer_block_time: '500ms' },
    });
    folders.push(started.node.dataPath);
    try {
      await fundRich(started);
      const { wallet } = viemClients(started.node.rpcUrl);
      const to = anAccount().address;
      const signed = await Promise.all(
        [1n, 2n, 3n].map((value) => signedDeposit(started, to, value, { gasLimit: 72_000_000n })),
      );
      await started.l1.test.setAutomine(false);
      for (const { raw } of signed) await started.l1.client.sendRawTransaction({ serializedTransaction: raw });
      await started.l1.test.mine({ blocks: 1 });
      for (let i = 0; i < 5; i++) await wallet.sendTransaction({ to, value: 1n });
      const included = await until('all are included', async () => {
        const transactions = await priorityTransactions(started.node.rpcUrl);
        return transactions.length === 4 ? transactions.slice(1) : undefined;
      });
      const found = included.map(({ blockNumber }) => Number(blockNumber));
      assert.equal(new Set(found).size, 3, 'none fits beside another');
      const [, second, third] = found;
      for (const number of [second, third]) {
        const block = await rpc<{ transactions: L1TransactionJson[] }>(started.node.rpcUrl, 'eth_getBlockByNumber', [
          `0x${(number ?? 0).toString(16)}`,
          true,
        ]);
        assert.equal(block.transactions[0]?.type, '0x7f', `first of block ${number}`);
      }
    } finally {
      await started.l1.anvil.stop();
    }
  });

  it('includes no request that would stop the VM, nor those after it, and goes on with blocks', async () => {
    const started = await startL1Node({
      env: { sequencer_block_gas_limit: '72000000' },
      chain: { fees: { ...DEFAULT_DEPOSIT_FEES, priorityTxMaxGasLimit: 80_000_000n } },
    });
    folders.push(started.node.dataPath);
    try {
      const url = started.node.rpcUrl;
      await fundRich(started);
      await depositTo(started, anAccount().address, 1n, { gasLimit: 75_000_000n });
      await depositTo(started, anAccount().address, 2n);
      await until('the alarm', async () => {
        const { l1Problem } = await started.node.status();
        return /priority request 1 .* would stop every node/.test(String(l1Problem)) ? true : undefined;
      });
      assert.match(started.node.output, /L1_REQUEST_REFUSED/);
      const { wallet, reader } = viemClients(url);
      const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
      assert.equal((await reader.waitForTransactionReceipt({ hash, timeout: 10_000 })).status, 'success');
      assert.equal((await priorityTransactions(url)).length, 1);
      assert.equal(await started.node.stop(), 0);
    } finally {
      await started.l1.anvil.stop();
    }
  });
});
