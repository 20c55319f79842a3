/** Reorganisations of anvil under a running node: within the confirmation depth nothing happens, below it an alarm. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Hex, parseEther } from 'viem';
import { DIAMOND_ABI } from '../../src/l1/l1Abi.ts';
import { reorganise, rpcOf } from '../l1/anvilSetup.ts';
import {
  type L1Node,
  balanceOf,
  fundRich,
  priorityTransactions,
  receiptOf,
  signedDeposit,
  startL1Node,
} from '../l1/l1Node.ts';
import { anAccount, viemClients } from '../support/clients.ts';
import { killAllNodes, removeFolder, until } from '../support/nodeProcess.ts';

const CONFIRMATIONS = 8;

describe('reorganisations of L1', function () {
  this.timeout(180_000);
  let l1Node: L1Node;
  let url: string;

  before(async () => {
    l1Node = await startL1Node({ env: { l1_watcher_confirmations: String(CONFIRMATIONS) } });
    url = l1Node.node.rpcUrl;
    const funded = fundRich(l1Node);
    await until('the deposit is on L1', async () => ((await hashesOnL1()).length === 1 ? true : undefined));
    await confirm();
    await funded;
  });

  after(async () => {
    await killAllNodes();
    await l1Node?.l1.anvil.stop();
    removeFolder(l1Node.node.dataPath);
  });

  const mine = (blocks: number) => l1Node.l1.test.mine({ blocks, interval: 1 });
  const confirm = () => mine(CONFIRMATIONS);

  async function hashesOnL1(): Promise<Hex[]> {
    const events = await l1Node.l1.client.getContractEvents({
      address: l1Node.deployed.diamond,
      abi: DIAMOND_ABI,
      eventName: 'NewPriorityRequest',
      fromBlock: 0n,
      strict: true,
    });
    return events.map(({ args }) => args.txHash);
  }

  /** The transaction alone in a block of its own. */
  async function send(raw: Hex): Promise<void> {
    const hash = await l1Node.l1.client.sendRawTransaction({ serializedTransaction: raw });
    await l1Node.l1.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
  }

  const hashesOnL2 = async (): Promise<Hex[]> => (await priorityTransactions(url)).map(({ hash }) => hash);

  async function sameOnBoth(): Promise<void> {
    const expected = await hashesOnL1();
    await until('L2 has what L1 has', async () => ((await hashesOnL2()).length >= expected.length ? true : undefined));
    assert.deepEqual(await hashesOnL2(), expected);
  }

  async function transferIncluded(): Promise<void> {
    const { wallet, reader } = viemClients(url);
    const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
    const { status } = await reader.waitForTransactionReceipt({ hash, timeout: 10_000 });
    assert.equal(status, 'success');
  }

  for (let depth = 1; depth < CONFIRMATIONS; depth++) {
    it(`loses, doubles and reorders nothing at depth ${depth}`, async () => {
      const [kept, dropped, moved, fresh] = await Promise.all(
        [1n, 2n, 3n, 4n].map((value) => signedDeposit(l1Node, anAccount().address, value)),
      );
      assert.ok(kept && dropped && moved && fresh);
      await send(kept.raw);
      await mine(1);
      await send(dropped.raw);
      await send(moved.raw);
      if (depth > 2) await mine(depth - 2);
      // Depth 1 drops the last deposit alone; deeper ones drop both, and put them back in the other order.
      await reorganise(
        l1Node.l1,
        depth,
        depth === 1
          ? [[moved.raw, 0]]
          : [
              [moved.raw, 0],
              [dropped.raw, depth - 1],
            ],
      );
      await send(fresh.raw);
      assert.equal((await hashesOnL1()).length - (await hashesOnL2()).length, 4);
      await transferIncluded();
      await confirm();
      await sameOnBoth();
      const status = await l1Node.node.status();
      assert.deepEqual([status['priorityTransactions'], status['l1Problem']], ['checked', undefined]);
    });
  }

  it('raises an alarm when an included deposit changes below the depth, includes no further ones, and goes on with blocks', async () => {
    const [included, other, later] = await Promise.all(
      [parseEther('2'), parseEther('3'), 5n].map((value) => signedDeposit(l1Node, anAccount().address, value)),
    );
    assert.ok(included && other && later);
    await send(included.raw);
    await confirm();
    await sameOnBoth();
    const before = await hashesOnL2();

    await reorganise(l1Node.l1, CONFIRMATIONS + 1, [[other.raw, 0]]);
    await send(later.raw);
    await confirm();
    const alarm = await until('the alarm', async () => {
      const { l1Problem } = await l1Node.node.status();
      return typeof l1Problem === 'string' && /is now/.test(l1Problem) ? l1Problem : undefined;
    });
    assert.match(alarm, new RegExp(`priority request ${before.length - 1}, which a block includes`));
    assert.match(l1Node.node.output, /L1_REQUEST_CHANGED/);
    for (let i = 0; i < 3; i++) await transferIncluded();
    assert.deepEqual(await hashesOnL2(), before);
    const metrics = await (await fetch(`http://127.0.0.1:${l1Node.node.ports.metrics}/metrics`)).text();
    assert.match(metrics, /l1_alarm\{[^}]*L1_REQUEST_CHANGED[^}]*\} 1/);

    // The old request comes back at its place: the alarm is over, and what waited is included.
    await rpcOf(l1Node.l1.url, 'anvil_rollback', [2 * CONFIRMATIONS + 2]);
    await send(included.raw);
    await send(later.raw);
    await confirm();
    await confirm();
    await until('the alarm is over', async () => {
      const { l1Problem } = await l1Node.node.status();
      return l1Problem === undefined ? true : undefined;
    });
    await sameOnBoth();
    assert.equal((await hashesOnL2()).length, before.length + 1);
    await receiptOf(url, (await hashesOnL1()).at(-1) ?? '0x');
    assert.ok((await balanceOf(url, included.from)) > 0n, 'its refund is there');
  });
});
