/**
 * `kill -9` of a main node under load, again and again, each time while an entry is in the log that the node has not read
 * back: nothing that was published may be lost or changed, and nothing may happen twice. One suite for every kind of log.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { decodeCheckpoint } from '../../src/log/logIdentity.ts';
import type { EventLog } from '../../src/log/eventLog.ts';
import { projections } from '../../src/projections/index.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { genesisContext } from '../../src/protocol/genesis.ts';
import { ChainStore } from '../../src/store/chainStore.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { chainStorePath } from '../../src/workers/chainSettings.ts';
import { CHAIN_ID, RICH_KEY } from './clients.ts';
import { LogWatcher } from './logWatcher.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from './nodeProcess.ts';
import type { ClientRecord } from './recordingClient.ts';
import { RunningClient } from './runningClient.ts';

const KILLS = 20;
const PENDING_MIN = 100;
/** Long enough to see an entry in the log, ask the node, and kill it, before it reads the entry. */
const READ_DELAY = '200ms';

export interface KillableLog {
  /** Options of the node beside those of every development node. */
  readonly env: Readonly<Record<string, string>>;
  /** As another process reads it. */
  openReader(dataPath: string): Promise<EventLog>;
}

export function killMainSuite(name: string, setUp: (context: Mocha.Context) => Promise<KillableLog>): void {
  describe(`a main node on ${name}, killed ${KILLS} times under load`, () => {
    let kills = 0;
    let log: KillableLog;
    let node: NodeProcess;
    let dataPath: string;
    let client: RunningClient;
    let watcher: LogWatcher;
    let env: Record<string, string>;

    before(async function () {
      log = await setUp(this);
      this.timeout(60_000);
      dataPath = temporaryFolder('kill');
      node = new NodeProcess({
        dataPath,
        ports: await freeNodePorts(),
        // Small blocks: most of what is pending waits in the pool when the process dies.
        env: {
          event_log_read_delay: READ_DELAY,
          sequencer_max_transactions_in_block: '10',
          sequencer_block_time: '50ms',
          ...log.env,
        },
      });
      env = { ...log.env, development: 'true', general_rocks_db_path: dataPath };
      node.start();
      await node.whenReady();
      watcher = new LogWatcher(await log.openReader(dataPath));
      client = new RunningClient({
        rpcUrl: node.rpcUrl,
        recordPath: join(dataPath, 'client.jsonl'),
        chainId: CHAIN_ID,
        richKey: RICH_KEY,
        accounts: 10,
        openPerAccount: 30,
      });
    });

    after(async function () {
      this.timeout(30_000);
      client?.end();
      await watcher?.close();
      await killAllNodes();
      if (dataPath !== undefined) removeFolder(dataPath);
    });

    it('dies each time with an appended block that it has not read back, and with at least 100 transactions pending', async function () {
      this.timeout(240_000);
      for (let i = 0; i < KILLS; i++) {
        if (i > 0) {
          node.start();
          await node.whenReady();
          await checkNothingWentBack(node, client.records());
        }
        const before = watcher.height;
        // It leads again and what was lost with its memory is offered anew.
        await watcher.whenHeight(before + 2);
        await until('enough transactions pending', async () =>
          client.report.pending >= PENDING_MIN && (await poolSize(node)) >= PENDING_MIN ? true : undefined,
        );
        const { inLog, pending } = await killWithUnreadBlock(node, watcher, client);
        const readBack = await readBackHeight(dataPath);
        const published = highestPublished(client.records());
        assert.ok(
          published <= readBack,
          `kill ${i}: block ${published} was published, the node had read back ${readBack}`,
        );
        assert.ok(readBack < inLog, `kill ${i}: the log held block ${inLog}, and the node had read block ${readBack}`);
        assert.ok(pending >= PENDING_MIN, `kill ${i}: ${pending} transactions pending`);
        kills += 1;
      }
    });

    it('goes on, and every transaction that the client ever signed is mined', async function () {
      this.timeout(120_000);
      node.start();
      await node.whenReady();
      await checkNothingWentBack(node, client.records());
      client.finish();
      await client.whenDone(100_000);
      const records = client.records();
      assert.deepEqual(
        records.filter(({ kind }) => kind === 'refused'),
        [],
      );
      const mined = new Set(records.flatMap((record) => (record.kind === 'receipt' ? [record.hash] : [])));
      const signed = records.flatMap((record) => (record.kind === 'signed' ? [record.hash] : []));
      assert.ok(signed.length > KILLS * 10, `only ${signed.length} transactions`);
      assert.deepEqual(
        signed.filter((hash) => !mined.has(hash)),
        [],
      );
    });

    it('still has every published receipt and block, unchanged', async function () {
      this.timeout(60_000);
      const records = client.records();
      const receipts = records.filter((record) => record.kind === 'receipt');
      const blocks = records.filter((record) => record.kind === 'block');
      assert.ok(receipts.length > 0 && blocks.length > KILLS);
      for (const { hash, receipt } of receipts)
        assert.deepEqual(await rpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash]), receipt);
      for (const { number, block } of blocks)
        assert.deepEqual(await rpc(node.rpcUrl, 'eth_getBlockByNumber', [`0x${number.toString(16)}`, false]), block);
      const statuses = new Set(receipts.map(({ receipt }) => (receipt as { status: string }).status));
      assert.deepEqual([...statuses], ['0x1']);
    });

    it('has every height once in its log, and every transaction once in its blocks', async () => {
      assert.deepEqual(
        watcher.blocks.map(({ height }) => Number(height)),
        Array.from({ length: watcher.height }, (_, i) => i + 1),
      );
      const count = new Map<string, number>();
      for (const raw of watcher.transactions) {
        const hash = toHex(keccak256(raw));
        count.set(hash, (count.get(hash) ?? 0) + 1);
      }
      const signed = client.records().filter((record) => record.kind === 'signed');
      assert.deepEqual(
        signed.filter(({ hash }) => count.get(hash) !== 1),
        [],
      );
      // Each life of the node led in an epoch of its own.
      assert.equal(kills, KILLS);
      assert.ok(watcher.fold.epoch > BigInt(KILLS), `epoch ${watcher.fold.epoch}`);
    });

    it('rebuilds deleted projections and state to identical digests, and its blocks replay without a difference', async function () {
      this.timeout(120_000);
      assert.equal(await node.stop(), 0);
      const before = await digests(env);
      for (const projection of projections) rmSync(projectionDirectory(dataPath, projection), { recursive: true });
      const rebuilt = await runCommand(['rebuild', 'all'], env);
      assert.equal(rebuilt.code, 0, rebuilt.stderr);
      assert.deepEqual(await digests(env), before);
      const replayed = await runCommand(['replay', '1', '--json'], env);
      assert.equal(replayed.code, 0, replayed.stdout + replayed.stderr);
      assert.deepEqual(JSON.parse(replayed.stdout), {
        from: 1,
        to: watcher.height,
        replayed: watcher.height,
        equal: true,
      });
    });
  });
}

/** Kills in the moment in which the log has a block that the node, asked after the block was seen, does not have. */
async function killWithUnreadBlock(
  node: NodeProcess,
  watcher: LogWatcher,
  client: RunningClient,
): Promise<{ inLog: number; pending: number }> {
  for (let attempts = 0; attempts < 100; attempts++) {
    const inLog = await watcher.whenHeight(watcher.height + 1);
    const published = Number(await rpc<string>(node.rpcUrl, 'eth_blockNumber'));
    const { pending } = client.report;
    if (published >= inLog || pending < PENDING_MIN) continue;
    await node.kill();
    return { inLog, pending };
  }
  throw new Error('the node read every block before it could be killed');
}

function highestPublished(records: readonly ClientRecord[]): number {
  return records.reduce((highest, record) => {
    if (record.kind === 'head' || record.kind === 'block') return Math.max(highest, record.number);
    return record.kind === 'receipt' ? Math.max(highest, record.block) : highest;
  }, 0);
}

/** What the killed process had folded, from a copy: the next start must find the store as it was left. */
async function readBackHeight(dataPath: string): Promise<number> {
  const copy = temporaryFolder('killed-store');
  try {
    cpSync(chainStorePath({ generalRocksDbPath: dataPath }), copy, { recursive: true });
    const chain = await ChainStore.open(await openRocksStore(copy), genesisContext);
    try {
      assert.ok(chain.checkpoint !== undefined && chain.head !== undefined);
      assert.equal(decodeCheckpoint(chain.checkpoint).fold.height, chain.head.height);
      return chain.head.height;
    } finally {
      await chain.close();
    }
  } finally {
    removeFolder(copy);
  }
}

/** After a restart the node stands at or above everything that it ever published. */
async function checkNothingWentBack(node: NodeProcess, records: readonly ClientRecord[]): Promise<void> {
  const head = records.findLast((record) => record.kind === 'head');
  const block = records.findLast((record) => record.kind === 'block');
  const receipt = records.findLast((record) => record.kind === 'receipt');
  assert.ok(head !== undefined && block !== undefined && receipt !== undefined);
  assert.ok(Number(await rpc<string>(node.rpcUrl, 'eth_blockNumber')) >= head.number);
  assert.deepEqual(
    await rpc(node.rpcUrl, 'eth_getBlockByNumber', [`0x${block.number.toString(16)}`, false]),
    block.block,
  );
  assert.deepEqual(await rpc(node.rpcUrl, 'eth_getTransactionReceipt', [receipt.hash]), receipt.receipt);
}

async function poolSize(node: NodeProcess): Promise<number> {
  return Number((await rpc<{ pending: string }>(node.rpcUrl, 'txpool_status')).pending);
}

async function digests(env: Readonly<Record<string, string>>): Promise<unknown> {
  const { code, stdout, stderr } = await runCommand(['digest', '--json'], env);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}
