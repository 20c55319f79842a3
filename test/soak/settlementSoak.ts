/**
 * A main node under load and an external node that has nothing but the log; both are killed and their projections thrown
 * away and rebuilt at random. In the end tree, batches and priority tree of both equal a naive fold of the log.
 */
import assert from 'node:assert/strict';
import type { Hex } from 'viem';
import { keccak256 } from '../../src/common/hash.ts';
import { batches } from '../../src/projections/batches.ts';
import type { BatchesReader, SealedBatchDetails } from '../../src/projections/batchesReader.ts';
import { merkleTree } from '../../src/projections/merkleTree.ts';
import { priorityTree } from '../../src/projections/priorityTree.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { batchCommitment, commitInfoDifferences } from '../../src/protocol/batch.ts';
import { rootOfMiniTreePath } from '../../src/protocol/logTree.ts';
import { TrimmedTree } from '../../src/protocol/priorityTree.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { whenFunded } from '../support/clients.ts';
import { appendAsLeader, logPath, progressOnL1, readEmbeddedLog, settlementFoldOf } from '../support/embeddedLogs.ts';
import { seededRandom } from '../support/logEntries.ts';
import {
  NodeProcess,
  freeNodePorts,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';
import { whenSettled } from '../support/whenSettled.ts';
import { type NaiveBlock, type NaiveFold, foldNaively } from './naiveFold.ts';
import { type SettlementLoad, TRANSACTIONS_PER_BLOCK, createSettlementLoad } from './settlementLoad.ts';

export interface SoakOptions {
  readonly blocks: number;
  readonly seed: number;
  /** Blocks between two troubles, about. */
  readonly troubleEvery: number;
  readonly report: (line: string) => void;
}

export interface SoakResult {
  readonly blocks: number;
  readonly batches: number;
  readonly executed: number;
  readonly operations: number;
  readonly messages: number;
  readonly inserts: number;
  readonly updates: number;
  readonly writesPerBlockMin: number;
  readonly writesPerBlockMax: number;
  readonly troubles: Readonly<Record<Trouble, number>>;
}

const TROUBLES = ['mainKilled', 'externalKilled', 'mainRebuilt', 'externalRebuilt', 'progressOnL1'] as const;
type Trouble = (typeof TROUBLES)[number];

const REBUILT = ['merkleTree', 'batches', 'priorityTree', 'all'] as const;
const SUBMITTED_PER_ACCOUNT = 15;

export async function settlementSoak(options: SoakOptions): Promise<SoakResult> {
  const random = seededRandom(options.seed);
  const [dataPath, externalPath] = [temporaryFolder('soak'), temporaryFolder('soak-external')];
  const main = new NodeProcess({
    dataPath,
    ports: await freeNodePorts(),
    env: {
      sequencer_max_transactions_in_block: String(TRANSACTIONS_PER_BLOCK),
      sequencer_block_time: '20ms',
      batcher_batch_timeout: '300ms',
    },
  });
  const external = new NodeProcess({
    dataPath: externalPath,
    ports: await freeNodePorts(),
    env: { node_role: 'external', event_log_path: logPath(dataPath), general_main_node_rpc_url: main.rpcUrl },
  });
  try {
    main.start();
    await main.whenReady();
    await whenFunded(main.rpcUrl);
    external.start();
    await external.whenReady();
    const load = await createSettlementLoad({ rpcUrl: main.rpcUrl, dataPath, random });
    const troubles = await sequence({ options, main, external, load, random });
    await whenSettled(main, [external]);
    for (const node of [external, main]) assert.equal(await node.stop(), 0, node.output.slice(-2_000));
    options.report('folding the log naively');
    const naive = await foldNaively(await readEmbeddedLog(logPath(dataPath)));
    await assertEqualDigests(main, external);
    for (const node of [main, external]) await assertEqualsFold(node, naive, options.report);
    return summary(naive, troubles);
  } finally {
    for (const node of [external, main]) await node.kill();
    for (const path of [dataPath, externalPath]) removeFolder(path);
  }
}

interface Run {
  readonly options: SoakOptions;
  readonly main: NodeProcess;
  readonly external: NodeProcess;
  readonly load: SettlementLoad;
  readonly random: () => number;
}

async function sequence(run: Run): Promise<Record<Trouble, number>> {
  const { options, main, load, random } = run;
  const troubles = { mainKilled: 0, externalKilled: 0, mainRebuilt: 0, externalRebuilt: 0, progressOnL1: 0 };
  let nextTrouble = options.troubleEvery;
  for (let made = 0; ;) {
    const height = await headOf(main);
    if (height >= options.blocks && made >= TROUBLES.length) return troubles;
    await load.submit(SUBMITTED_PER_ACCOUNT);
    for (let requests = random() * 5; requests >= 1; requests--) load.request();
    if (height >= nextTrouble) {
      // Each in its turn, so that the shortest run has met them all.
      const trouble = TROUBLES[made++ % TROUBLES.length] ?? 'mainKilled';
      await makeTrouble(run, trouble);
      troubles[trouble] += 1;
      nextTrouble += Math.ceil(options.troubleEvery * (0.5 + random()));
      options.report(`block ${await headOf(main)} of ${options.blocks}: ${trouble}`);
    }
    await until(
      'most of what was submitted is included',
      async () => {
        const { pending } = await rpc<{ pending: Hex }>(main.rpcUrl, 'txpool_status');
        return Number(pending) < SUBMITTED_PER_ACCOUNT ? true : undefined;
      },
      120_000,
    );
  }
}

async function makeTrouble({ main, external, random }: Run, trouble: Trouble): Promise<void> {
  const node = trouble.startsWith('external') ? external : main;
  if (trouble.endsWith('Killed')) await node.kill();
  else assert.equal(await node.stop(60_000), 0, node.output.slice(-2_000));
  if (trouble.endsWith('Rebuilt')) {
    const name = REBUILT[Math.floor(random() * REBUILT.length)] ?? 'all';
    const { code, stderr } = await runCommand(['rebuild', name], environmentOf(node, main), 900_000);
    assert.equal(code, 0, stderr);
  }
  if (trouble === 'progressOnL1') await executeSome(main, random);
  node.start();
  await node.whenReady(120_000);
}

/** The test is L1, and the leader that tells of it: at least one batch more is executed. */
async function executeSome(main: NodeProcess, random: () => number): Promise<void> {
  const path = logPath(main.dataPath);
  const { sealed, committed, executed, l1Block } = settlementFoldOf(await readEmbeddedLog(path));
  const below = (limit: number): number => Math.floor(random() * limit);
  const newExecuted = Math.min(sealed, executed + below(sealed - executed) + 1);
  const newCommitted = Math.max(committed, newExecuted + below(sealed - newExecuted + 1));
  await appendAsLeader(path, [progressOnL1(newCommitted, newExecuted, Number(l1Block) + 1)]);
}

function environmentOf(node: NodeProcess, main: NodeProcess): Record<string, string> {
  const shared = { development: 'true', general_rocks_db_path: node.dataPath };
  return node === main ? shared : { ...shared, node_role: 'external', event_log_path: logPath(main.dataPath) };
}

async function assertEqualDigests(main: NodeProcess, external: NodeProcess): Promise<void> {
  const [ofMain, ofExternal] = await Promise.all(
    [main, external].map(async (node) => {
      const { code, stdout, stderr } = await runCommand(['digest', '--json'], environmentOf(node, main));
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as unknown;
    }),
  );
  assert.deepEqual(ofExternal, ofMain);
}

async function assertEqualsFold(node: NodeProcess, naive: NaiveFold, report: SoakOptions['report']): Promise<void> {
  report(`comparing ${node.dataPath} with it`);
  await withReader(node, merkleTree, async (tree) => {
    for (const [height, block] of naive.blocks.entries()) {
      if (block === undefined) continue;
      const found = await tree.version(height);
      assert.deepEqual([found?.root, found?.leafCount], [block.tree.root, block.tree.leafCount], `block ${height}`);
    }
  });
  await withReader(node, priorityTree, async (reader) => {
    const { executed, sealed } = naive.settlement;
    const operations = sumOf(naive.blocks, (block) => block?.priorityHashes.length ?? 0);
    assert.equal((await reader.status()).operations, operations);
    // A proof is against the tree of exactly the operations up to its batch.
    const upTo = new TrimmedTree();
    for (let batch = 1; batch <= sealed; batch++) {
      const hashes = blocksOf(naive, batch).flatMap(({ priorityHashes }) => priorityHashes);
      const firstId = upTo.leafCount;
      for (const hash of hashes) upTo.push(hash);
      const isAsked = batch <= executed + 20 || batch > sealed - 20;
      if (!isAsked) continue;
      const expected =
        batch <= executed
          ? undefined
          : { firstId, count: hashes.length, proof: upTo.rangeProof(firstId, hashes.length) };
      assert.deepEqual(await reader.batchProof(batch), expected, `batch ${batch}`);
    }
  });
  await withReader(node, batches, async (reader) => {
    assert.equal(await reader.newestBatch(), naive.settlement.sealed);
    for (const [index, seal] of naive.seals.entries()) {
      const batch = index + 1;
      const blocks = blocksOf(naive, batch);
      const last = blocks.at(-1);
      assert.ok(last !== undefined);
      const { commitInfo, storedBatchHash } = batchCommitment({
        batchNumber: seal.batch,
        blocks,
        lastBlockNumber: seal.lastBlock,
        tree: last.tree,
        blockHashes: last.blockHashes,
        chainId: seal.commitInfo.chainId,
        chainAddress: seal.commitInfo.chainAddress,
      });
      assert.deepEqual(commitInfoDifferences(commitInfo, seal.commitInfo), [], `batch ${batch}`);
      const found = await reader.batch(batch);
      assert.deepEqual(
        [found?.storedBatchHash, found?.firstBlock, found?.lastBlock, found?.transactions],
        [
          storedBatchHash,
          Number(seal.firstBlock),
          Number(seal.lastBlock),
          sumOf(blocks, (block) => block.transactions),
        ],
      );
      await assertLogProof(reader, found, blocks);
    }
  });
}

/** One log of the batch leads to the root that the batch commits to. */
async function assertLogProof(
  reader: BatchesReader,
  batch: SealedBatchDetails | undefined,
  blocks: readonly NaiveBlock[],
): Promise<void> {
  const offset = blocks.findIndex(({ encodedLogs }) => encodedLogs.length > 0);
  const log = blocks[offset]?.encodedLogs[0];
  if (batch === undefined || log === undefined) return;
  const { transactionIndex, bytes } = log;
  const proof = await reader.logProof({ block: batch.firstBlock + offset, transactionIndex, logIndex: 0 });
  assert.ok(proof !== undefined, `batch ${batch.batch} has no proof of its first log`);
  const root = rootOfMiniTreePath(keccak256(bytes), proof.id, proof.path);
  assert.deepEqual([proof.root, root], [batch.commitInfo.l2ToL1LogsRootHash, batch.commitInfo.l2ToL1LogsRootHash]);
}

function blocksOf({ blocks, seals }: NaiveFold, batch: number): NaiveBlock[] {
  const seal = seals[batch - 1];
  if (seal === undefined) return [];
  return blocks.slice(Number(seal.firstBlock), Number(seal.lastBlock) + 1).flatMap((block) => block ?? []);
}

async function withReader<Reader>(
  { dataPath }: NodeProcess,
  projection: Projection<Reader>,
  use: (reader: Reader) => Promise<void>,
): Promise<void> {
  const store = await openRocksStore(projectionDirectory(dataPath, projection));
  try {
    await use(projection.reader(store));
  } finally {
    await store.close();
  }
}

async function headOf(node: NodeProcess): Promise<number> {
  return Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
}

function sumOf<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0);
}

function summary(naive: NaiveFold, troubles: SoakResult['troubles']): SoakResult {
  const blocks = naive.blocks.flatMap((block) => block ?? []);
  const writes = blocks.slice(1).map(({ inserts, updates }) => inserts + updates);
  return {
    blocks: blocks.length,
    batches: naive.settlement.sealed,
    executed: naive.settlement.executed,
    operations: sumOf(blocks, ({ priorityHashes }) => priorityHashes.length),
    messages: sumOf(blocks, ({ encodedLogs }) => encodedLogs.length),
    inserts: sumOf(blocks, ({ inserts }) => inserts),
    updates: sumOf(blocks, ({ updates }) => updates),
    writesPerBlockMin: Math.min(...writes),
    writesPerBlockMax: Math.max(...writes),
    troubles,
  };
}
