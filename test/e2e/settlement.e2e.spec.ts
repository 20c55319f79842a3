/** Batches of a whole node: sealed by the leader, recomputed by every node, settled by what the log says of L1. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Hex } from 'viem';
import { type Bytes, concatBytes, fromHex, padAddress, toHex, u64be } from '../../src/common/bytes.ts';
import { blake2s256, keccak256 } from '../../src/common/hash.ts';
import type { BatchSealedEntry, Entry } from '../../src/log/entry.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import { rootOfMiniTreePath } from '../../src/protocol/logTree.ts';
import { encodeL2ToL1Log } from '../../src/protocol/receipts.ts';
import { WITHDRAW_SELECTOR } from '../../src/protocol/selectors.ts';
import { accountFlatKey, flatKey } from '../../src/protocol/stateKey.ts';
import { type LeafProof, rootOfLeafProof, verifyAbsence, verifyExistence } from '../../src/protocol/stateTree.ts';
import { storedBatchHash } from '../../src/protocol/storedBatch.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { RICH, anAccount, viemClients, whenFunded } from '../support/clients.ts';
import { appendAsLeader, foldOf, logPath, progressOnL1, readEmbeddedLog } from '../support/embeddedLogs.ts';
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

interface Batches {
  readonly sealed: number;
  readonly checked: number;
  readonly committed: number;
  readonly executed: number;
  readonly alarm?: string;
}

async function batchesOf(node: NodeProcess): Promise<Batches> {
  return (await node.status())['batches'] as Batches;
}

/** Every accepted block is in a batch, and this node has recomputed all of them. */
async function whenAllSealed(node: NodeProcess): Promise<Batches> {
  return until('every block is sealed', async () => {
    const batches = await batchesOf(node);
    const head = Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
    if (batches.sealed === 0 || batches.checked !== batches.sealed) return undefined;
    const seals = await sealsOf(node);
    return seals.length === batches.sealed && seals.at(-1)?.lastBlock === BigInt(head) ? batches : undefined;
  });
}

async function entriesOf(node: NodeProcess): Promise<Entry[]> {
  return (await readEmbeddedLog(logPath(node.dataPath))).flatMap(
    ({ schema, bytes }) => decodeEntry(schema, bytes) ?? [],
  );
}

async function sealsOf(node: NodeProcess): Promise<BatchSealedEntry[]> {
  return (await entriesOf(node)).filter((entry) => entry.kind === 'BatchSealed');
}

async function blockOf(node: NodeProcess, tag: string): Promise<number> {
  return Number((await rpc<{ number: Hex }>(node.rpcUrl, 'eth_getBlockByNumber', [tag, false])).number);
}

interface LeafObject {
  readonly index: Hex;
  readonly leafKey: Hex;
  readonly value: Hex;
  readonly nextIndex: Hex;
  readonly siblings: readonly Hex[];
}

interface StateProof {
  readonly stateCommitmentPreimage: Record<
    'nextFreeSlot' | 'blockNumber' | 'last256BlockHashesBlake' | 'lastBlockTimestamp',
    Hex
  >;
  readonly storageProofs: readonly {
    readonly proof:
      | ({ readonly type: 'existing' } & Omit<LeafObject, 'leafKey'>)
      | { readonly type: 'nonExisting'; readonly leftNeighbor: LeafObject; readonly rightNeighbor: LeafObject };
  }[];
  readonly l1VerificationData: Record<
    | 'batchNumber'
    | 'numberOfLayer1Txs'
    | 'priorityOperationsHash'
    | 'dependencyRootsRollingHash'
    | 'l2ToL1LogsRootHash'
    | 'commitment',
    Hex
  >;
}

function leafProof({ index, leafKey, value, nextIndex, siblings }: LeafObject): LeafProof {
  return {
    index: Number(index),
    leaf: { key: fromHex(leafKey), value: fromHex(value), next: Number(nextIndex) },
    siblings: siblings.map(fromHex),
  };
}

/** As a contract on L1 would do it: root from a leaf, commitment from the root, and so what L1 stores of the batch. */
function storedHashFrom(root: Bytes, { stateCommitmentPreimage: of, l1VerificationData: l1 }: StateProof): Hex {
  const stateCommitment = blake2s256(
    concatBytes(
      root,
      u64be(BigInt(of.nextFreeSlot)),
      u64be(BigInt(of.blockNumber)),
      fromHex(of.last256BlockHashesBlake),
      u64be(BigInt(of.lastBlockTimestamp)),
    ),
  );
  return toHex(
    storedBatchHash({
      batchNumber: BigInt(l1.batchNumber),
      stateCommitment,
      numberOfLayer1Txs: BigInt(l1.numberOfLayer1Txs),
      priorityOperationsHash: fromHex(l1.priorityOperationsHash),
      dependencyRootsRollingHash: fromHex(l1.dependencyRootsRollingHash),
      l2ToL1LogsRootHash: fromHex(l1.l2ToL1LogsRootHash),
      commitment: fromHex(l1.commitment),
      lastBlockTimestamp: 0n,
    }),
  );
}

describe('settlement of a node', function () {
  this.timeout(120_000);

  let main: NodeProcess;
  let external: NodeProcess;
  let withdrawal: Hex;
  const folders: string[] = [];

  before(async () => {
    const [dataPath, externalPath] = [temporaryFolder('settlement'), temporaryFolder('settlement-external')];
    folders.push(dataPath, externalPath);
    main = new NodeProcess({ dataPath, ports: await freeNodePorts(), env: { batcher_blocks_per_batch_limit: '3' } });
    external = new NodeProcess({
      dataPath: externalPath,
      ports: await freeNodePorts(),
      env: {
        node_role: 'external',
        event_log_path: join(dataPath, 'log'),
        general_main_node_rpc_url: main.rpcUrl,
      },
    });
    main.start();
    await main.whenReady();
    await whenFunded(main.rpcUrl);
    external.start();
    await external.whenReady();
  });

  after(async () => {
    await killAllNodes();
    for (const path of folders) removeFolder(path);
  });

  it('seals every block by limits and timer, and every node recomputes every seal', async () => {
    const { wallet, reader } = viemClients(main.rpcUrl);
    withdrawal = await wallet.sendTransaction({
      to: '0x000000000000000000000000000000000000800a',
      value: 5n,
      data: toHex(concatBytes(WITHDRAW_SELECTOR, padAddress(new Uint8Array(20).fill(0x11)))),
    });
    await reader.waitForTransactionReceipt({ hash: withdrawal, timeout: 10_000 });
    for (let i = 0; i < 8; i++) {
      const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
      await reader.waitForTransactionReceipt({ hash, timeout: 10_000 });
    }
    const [onMain, onExternal] = [
      await whenAllSealed(main),
      await until('the external node', async () => {
        const [theirs, ours] = [await batchesOf(external), await batchesOf(main)];
        return theirs.sealed === ours.sealed && theirs.checked === ours.sealed ? theirs : undefined;
      }),
    ];
    assert.equal(onMain.alarm, undefined);
    assert.equal(onExternal.alarm, undefined);
    const seals = await sealsOf(main);
    assert.equal(seals.length, onMain.sealed);
    assert.ok(seals.length >= 2, `${seals.length} seals`);
    let next = 1n;
    for (const { firstBlock, lastBlock, reason } of seals) {
      assert.equal(firstBlock, next);
      assert.ok(lastBlock - firstBlock < 3n, `blocks ${firstBlock} to ${lastBlock}`);
      assert.ok(['timeout', 'blocks_per_batch'].includes(reason), reason);
      next = lastBlock + 1n;
    }
    assert.ok(seals[0]?.commitInfo.upgradeTxHash !== undefined, 'batch 1 holds the genesis upgrade');
  });

  it('says what a proof of a log waits for, and knows no proof of what does not exist', async () => {
    await assert.rejects(
      rpc(main.rpcUrl, 'zks_getL2ToL1LogProof', [withdrawal, 0]),
      /L1 batch containing the transaction has not been executed yet/,
    );
    await assert.rejects(
      rpc(main.rpcUrl, 'zks_getL2ToL1LogProof', [withdrawal, 1]),
      /provided L2->L1 log index \(1\) does not exist; there are only 1 L2->L1 logs in the transaction/,
    );
    assert.equal(await rpc(main.rpcUrl, 'zks_getL2ToL1LogProof', [`0x${'12'.repeat(32)}`, 0]), null);
    await assert.rejects(rpc(main.rpcUrl, 'zks_getProof', [RICH.address, [], 1]), /batch 1 has not been executed yet/);
    await assert.rejects(rpc(main.rpcUrl, 'zks_getProof', [RICH.address, [], 9_999]), /batch 9999 not found/);
    assert.equal(await blockOf(main, 'safe'), 0);
    assert.equal(await blockOf(main, 'finalized'), 0);
  });

  it('verifies every projection against a rebuilt one, and the external node holds the same', async () => {
    await Promise.all([main.stop(), external.stop()]);
    const env = (node: NodeProcess): Record<string, string> => ({
      general_rocks_db_path: node.dataPath,
      genesis_chain_id: '270',
      development: 'true',
    });
    for (const name of ['batches', 'priorityTree', 'merkleTree']) {
      const { code, stdout, stderr } = await runCommand(['verify', name], env(main));
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /keys, equal/);
    }
    const digests = await Promise.all([main, external].map((node) => runCommand(['digest', '--json'], env(node))));
    const [ofMain, ofExternal] = digests.map(({ stdout }) => JSON.parse(stdout) as Record<string, unknown>);
    for (const name of ['batches', 'priorityTree', 'merkleTree', 'state'])
      assert.deepEqual(ofMain?.[name], ofExternal?.[name], name);
  });

  it('moves safe and finalized by what the log says of L1, and gives proofs once a batch is executed', async () => {
    const seals = await sealsOf(main);
    const executed = seals.length - 1;
    await appendAsLeader(logPath(main.dataPath), [progressOnL1(seals.length, executed, 100)]);
    main.start();
    await main.whenReady();
    await until('finality', async () => ((await batchesOf(main)).executed === executed ? true : undefined));
    assert.equal(BigInt(await blockOf(main, 'safe')), seals.at(-1)?.lastBlock);
    assert.equal(BigInt(await blockOf(main, 'finalized')), seals.at(-2)?.lastBlock);

    const { batchNumber, proof, id, root } = await rpc<{
      batchNumber: number;
      proof: Hex[];
      id: number;
      root: Hex;
    }>(main.rpcUrl, 'zks_getL2ToL1LogProof', [withdrawal, 0]);
    const seal = seals[batchNumber - 1];
    assert.ok(seal !== undefined);
    assert.equal(proof[0], `0x010f0001${'00'.repeat(28)}`);
    assert.equal(root, toHex(seal.commitInfo.l2ToL1LogsRootHash));
    const receipt = await rpc<{
      l2ToL1Logs: readonly { sender: Hex; key: Hex; value: Hex; tx_number_in_block: number }[];
    }>(main.rpcUrl, 'eth_getTransactionReceipt', [withdrawal]);
    const [log] = receipt.l2ToL1Logs;
    assert.ok(log !== undefined);
    const leaf = keccak256(
      encodeL2ToL1Log({
        shardId: 0,
        isService: true,
        txNumberInBlock: log.tx_number_in_block,
        sender: fromHex(log.sender),
        key: fromHex(log.key),
        value: fromHex(log.value),
      }),
    );
    assert.equal(toHex(rootOfMiniTreePath(leaf, id, proof.slice(1).map(fromHex))), root);
  });

  it('proves slots against what L1 stores of an executed batch', async () => {
    const seals = await sealsOf(main);
    const batch = seals.length - 1;
    const slot = toHex(padAddress(fromHex(RICH.address)));
    const unused = `0x${'ab'.repeat(32)}`;
    const found = await rpc<StateProof>(main.rpcUrl, 'zks_getProof', [
      toHex(ACCOUNT_PROPERTIES_ADDRESS),
      [slot, unused],
      batch,
    ]);
    const [existing, missing] = found.storageProofs.map(({ proof }) => proof);
    assert.ok(existing?.type === 'existing' && missing?.type === 'nonExisting');
    const key = accountFlatKey(fromHex(RICH.address));
    const present = leafProof({ ...existing, leafKey: toHex(key) });
    const predecessor = leafProof(missing.leftNeighbor);
    const successor = leafProof(missing.rightNeighbor);
    const expected = toHex(seals[batch - 1]?.storedBatchHash ?? new Uint8Array(0));
    const root = rootOfLeafProof(present);
    assert.equal(storedHashFrom(root, found), expected);
    assert.ok(verifyExistence(root, key, present));
    assert.ok(verifyAbsence(root, flatKey(ACCOUNT_PROPERTIES_ADDRESS, fromHex(unused)), { predecessor, successor }));
  });

  it('raises the alarm about a wrong seal on every node, and goes on with blocks', async () => {
    await main.stop();
    const seals = await sealsOf(main);
    const last = seals.at(-1);
    assert.ok(last !== undefined);
    const { height } = foldOf(await readEmbeddedLog(logPath(main.dataPath)));
    // A block without a batch: the node appended the seals of all of them.
    main.start({ batcher_enabled: 'false' });
    await main.whenReady();
    const { wallet, reader } = viemClients(main.rpcUrl);
    const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
    const { blockNumber } = await reader.waitForTransactionReceipt({ hash, timeout: 30_000 });
    assert.ok(blockNumber > BigInt(height) - 1n);
    await main.stop();
    const batch = last.batch + 1n;
    await appendAsLeader(logPath(main.dataPath), [
      (owned) =>
        ({
          kind: 'BatchSealed',
          ...owned,
          batch,
          firstBlock: last.lastBlock + 1n,
          lastBlock: blockNumber,
          storedBatchHash: new Uint8Array(32).fill(0xbd),
          reason: 'timeout',
          commitInfo: { ...last.commitInfo, batchNumber: batch },
        }) as Entry,
    ]);
    main.start();
    external.start();
    await Promise.all([main.whenReady(), external.whenReady()]);
    for (const node of [main, external]) {
      const alarm = await until('the alarm', async () => (await batchesOf(node)).alarm);
      assert.match(alarm, new RegExp(`seal of batch ${batch} .*0x(bd){32}.*storedBatchHash`));
      const metrics = await (await fetch(`http://127.0.0.1:${node.ports.metrics}/metrics`)).text();
      assert.match(metrics, /^settlement_alarm\{code="SEAL_WRONG"\} 1$/m);
    }
    const after = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
    await reader.waitForTransactionReceipt({ hash: after, timeout: 30_000 });
    await until('later blocks are sealed too', async () =>
      (await batchesOf(main)).sealed > Number(batch) ? true : undefined,
    );
  });
});
