/** External nodes beside a main node on L1: with the same L1, without one, with one that is behind, with another one. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type Hex, parseEther } from 'viem';
import { DIAMOND_ABI } from '../../src/l1/l1Abi.ts';
import type { DeployedL1 } from '../../src/l1/developmentL1.ts';
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
import { type TestL1, deployTestL1, startTestL1 } from './anvilSetup.ts';
import { l1Environment, receiptOf, signedDeposit } from './l1Node.ts';

export interface SharedLog {
  readonly main: Readonly<Record<string, string>>;
  /** Of a node that follows. */
  readonly external: (mainDataPath: string) => Readonly<Record<string, string>>;
}

export function externalSuite(name: string, setUp: (context: Mocha.Context) => Promise<SharedLog>): void {
  describe(name, function () {
    this.timeout(180_000);
    let l1: TestL1;
    /** Has the same contracts at the same addresses, but only what the test sends there. */
    let otherL1: TestL1;
    let deployed: DeployedL1;
    let log: SharedLog;
    let main: NodeProcess;
    let checking: NodeProcess;
    let trusting: NodeProcess;
    let behind: NodeProcess;
    const folders: string[] = [];

    before(async function () {
      log = await setUp(this);
      [l1, otherL1] = await Promise.all([startTestL1(), startTestL1()]);
      deployed = await deployTestL1(l1);
      assert.deepEqual(await deployTestL1(otherL1), deployed);
      main = await aNode('main', { ...l1Environment(l1, deployed), ...log.main });
      main.start();
      await main.whenReady();
      checking = await anExternalNode('checking', { general_l1_rpc_url: l1.url });
      trusting = await anExternalNode('trusting', {});
      behind = await anExternalNode('behind', { general_l1_rpc_url: otherL1.url });
      for (const node of [checking, trusting, behind]) node.start();
      for (const node of [checking, trusting, behind]) await node.whenReady();
    });

    after(async () => {
      await killAllNodes();
      await l1?.anvil.stop();
      await otherL1?.anvil.stop();
      folders.forEach(removeFolder);
    });

    async function aNode(folder: string, env: Readonly<Record<string, string>>): Promise<NodeProcess> {
      const dataPath = temporaryFolder(folder);
      folders.push(dataPath);
      return new NodeProcess({ dataPath, ports: await freeNodePorts(), env });
    }

    function anExternalNode(folder: string, env: Readonly<Record<string, string>>): Promise<NodeProcess> {
      return aNode(folder, {
        node_role: 'external',
        general_main_node_rpc_url: main.rpcUrl,
        l1_watcher_poll_interval: '20ms',
        ...log.external(main.dataPath),
        ...env,
      });
    }

    async function send(to: TestL1, { raw, from }: { readonly raw: Hex; readonly from: Hex }): Promise<void> {
      await to.test.setBalance({ address: from, value: parseEther('100000') });
      const hash = await to.client.sendRawTransaction({ serializedTransaction: raw });
      const { status } = await to.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
      assert.equal(status, 'success');
    }

    const aDeposit = (value: bigint) => signedDeposit({ l1, deployed }, RICH.address, value);

    const headOf = async (node: NodeProcess): Promise<number> => Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));

    const whenAt = (node: NodeProcess, height: number) =>
      until(`block ${height}`, async () => ((await headOf(node)) >= height ? true : undefined));

    async function transferOnL2(): Promise<number> {
      const { wallet, reader } = viemClients(main.rpcUrl);
      const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
      const { blockNumber } = await reader.waitForTransactionReceipt({ hash, timeout: 10_000 });
      return Number(blockNumber);
    }

    const statusOf = async (node: NodeProcess): Promise<unknown> => (await node.status())['priorityTransactions'];

    it('execute block 1 and deposits, checked against L1 or trusted', async () => {
      const deposit = await aDeposit(parseEther('50'));
      await send(otherL1, deposit);
      await send(l1, deposit);
      await until('the deposit is included', async () => ((await headOf(main)) >= 2 ? true : undefined));
      const height = await transferOnL2();
      for (const node of [checking, trusting, behind]) await whenAt(node, height);
      assert.deepEqual(await Promise.all([main, checking, trusting, behind].map(statusOf)), [
        'checked',
        'checked',
        'not checked',
        'checked',
      ]);
      const code = await rpc(trusting.rpcUrl, 'eth_getCode', ['0x0000000000000000000000000000000000010020', 'latest']);
      assert.notEqual(code, '0x', 'what the genesis upgrade deployed, from the log alone');
    });

    it('wait, and say so, while their L1 is behind the log', async () => {
      const deposit = await aDeposit(7n);
      const held = await headOf(behind);
      await send(l1, deposit);
      await whenAt(main, held + 1);
      const height = await transferOnL2();
      await whenAt(checking, height);
      await until('it says what it waits for', async () =>
        (await statusOf(behind)) === 'waiting for request 1 on L1' ? true : undefined,
      );
      assert.equal(await headOf(behind), held);
      assert.equal((await behind.status())['logReadable'], true);
      await send(otherL1, deposit);
      await whenAt(behind, height);
      await until('it is checked again', async () => ((await statusOf(behind)) === 'checked' ? true : undefined));
    });

    it('stop with a dump on a transaction that their L1 did not emit', async () => {
      const [inLog, onOtherL1] = [await aDeposit(11n), await aDeposit(12n)];
      await send(otherL1, onOtherL1);
      const held = await headOf(behind);
      await send(l1, inLog);
      assert.deepEqual(await behind.whenEnded(), { code: 1, signal: null });
      assert.match(behind.output, /L1_PRIORITY_MISMATCH/);
      assert.match(behind.output, /priority transaction 2 of the log is 0x[0-9a-f]{64}, but L1 emitted 0x/);
      const dumps = join(behind.dataPath, 'dumps');
      assert.ok(existsSync(dumps) && readdirSync(dumps).some((file) => file.startsWith(`dump_${held + 1}_`)));
      // It does not go on after a restart either, and the others are not impressed.
      behind.start();
      assert.equal((await behind.whenEnded()).code, 1);
      const height = await transferOnL2();
      for (const node of [checking, trusting]) await whenAt(node, height);
    });

    it('go on after a restart, and reach the same bytes with and without L1', async () => {
      assert.equal(await checking.stop(), 0);
      const deposit = await aDeposit(13n);
      await send(l1, deposit);
      await receiptOf(main.rpcUrl, await newestPriorityHash());
      const height = await transferOnL2();
      checking.start();
      await checking.whenReady();
      for (const node of [checking, trusting]) await whenAt(node, height);
      const nodes = [main, checking, trusting];
      // The followers first: they need nothing of the main node to stop.
      for (const node of [...nodes].reverse()) assert.equal(await node.stop(), 0);
      const digests = await Promise.all(
        nodes.map(async ({ dataPath }) => {
          const env = { general_rocks_db_path: dataPath, development: 'true' };
          const { code, stdout, stderr } = await runCommand(['digest', '--json'], env);
          assert.equal(code, 0, stderr);
          return JSON.parse(stdout) as unknown;
        }),
      );
      assert.deepEqual([digests[1], digests[2]], [digests[0], digests[0]]);
    });

    async function newestPriorityHash(): Promise<Hex> {
      const events = await l1.client.getContractEvents({
        address: deployed.diamond,
        abi: DIAMOND_ABI,
        eventName: 'NewPriorityRequest',
        fromBlock: 0n,
        strict: true,
      });
      return events.at(-1)?.args.txHash ?? '0x';
    }
  });
}
