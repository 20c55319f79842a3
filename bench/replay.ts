/**
 * `npm run bench -- replay`: how fast a chain is sequenced, over HTTP with its durable log and every projection, and, with
 * the same blocks in the same run, how fast a projection is refilled from the journal and how fast a node with an empty disk
 * catches up with the log. Half of the load are transfers, half write several slots. The rate of the empty disk is that of
 * the transactions that become readable over RPC after the first block of the load did; the time until then, from the start
 * of the process on, is printed beside it, and so is the ratio with that time included.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Hex, concatHex, pad, toHex } from 'viem';
import { systemClock } from '../src/common/clock.ts';
import { storedJournal } from '../src/commands/offline.ts';
import { merkleTree, repositories } from '../src/projections/index.ts';
import type { Projection } from '../src/projections/projection.ts';
import { ProjectionRunner } from '../src/projections/projectionRunner.ts';
import { genesisContext } from '../src/protocol/genesis.ts';
import { ChainStore } from '../src/store/chainStore.ts';
import { openRocksStore } from '../src/store/keyValueStore.rocks.ts';
import { chainStorePath } from '../src/workers/chainSettings.ts';
import { WRITER_INIT_CODE } from '../test/soak/settlementLoad.ts';
import { CHAIN_ID, anAccount, submitAll, viemClients, whenFunded } from '../test/support/clients.ts';
import { logPath } from '../test/support/embeddedLogs.ts';
import { NodeProcess, freeNodePorts, rpc, temporaryFolder, until } from '../test/support/nodeProcess.ts';

const ACCOUNTS = 40;
const SLOTS_PER_CALL = 5;
const GOALS = { repositories: 10, merkleTree: 2, emptyDisk: 1.5 };
const REFILLED = ['repositories', 'merkleTree'] as const;
type RefilledName = (typeof REFILLED)[number];

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      transactions: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const say = (text: string): void => void (values.json || process.stderr.write(`${text}\n`));
  const dataPath = temporaryFolder('bench-replay');
  const main = new NodeProcess({ dataPath, ports: await freeNodePorts() });
  try {
    say(`sequencing ${values.transactions} transactions …`);
    const sequencing = await sequence(main, Number(values.transactions));
    say(`${sequencing.blocks} blocks in ${sequencing.seconds.toFixed(1)} s`);
    const refills: Record<RefilledName, number[]> = { repositories: [], merkleTree: [] };
    const emptyDisk: EmptyDiskReplay[] = [];
    for (let round = 1; round <= Number(values.rounds); round++) {
      const repositoriesSeconds = await refill(dataPath, repositories);
      const merkleTreeSeconds = await refill(dataPath, merkleTree);
      const replay = await replayOnEmptyDisk(dataPath, sequencing);
      refills.repositories.push(repositoriesSeconds);
      refills.merkleTree.push(merkleTreeSeconds);
      emptyDisk.push(replay);
      say(
        `round ${round}: repositories ${repositoriesSeconds.toFixed(2)} s, merkleTree ${merkleTreeSeconds.toFixed(2)} s, empty disk ${replay.rate.toFixed(0)} tx/s after ${replay.startSeconds.toFixed(2)} s, ${replay.totalSeconds.toFixed(2)} s in all`,
      );
    }
    print(sequencing, { refills, emptyDisk }, values.json);
  } finally {
    await main.kill();
    rmSync(dataPath, { recursive: true, force: true });
  }
}

interface Sequencing {
  readonly transactions: number;
  readonly blocks: number;
  /** Height before the load. */
  readonly before: number;
  /** Transactions of each block of the load. */
  readonly perBlock: readonly number[];
  /** From the first submission until the last transaction is published. */
  readonly seconds: number;
}

async function sequence(node: NodeProcess, count: number): Promise<Sequencing> {
  node.start();
  await node.whenReady();
  await whenFunded(node.rpcUrl);
  const { wallet, reader } = viemClients(node.rpcUrl);
  const deployment = await wallet.sendTransaction({ data: WRITER_INIT_CODE, gas: 5_000_000n });
  const { contractAddress: writer } = await reader.waitForTransactionReceipt({ hash: deployment });
  if (writer === null || writer === undefined) throw new Error('the contract of the load was not deployed');
  const accounts = Array.from({ length: ACCOUNTS }, anAccount);
  for (const { address } of accounts) await wallet.sendTransaction({ to: address, value: 10n ** 20n });
  await until('every account is funded', async () =>
    (await reader.getBalance({ address: accounts.at(-1)?.address ?? writer })) > 0n ? true : undefined,
  );
  const perAccount = Math.ceil(count / ACCOUNTS);
  const rounds: Hex[][] = [];
  for (let nonce = 0; nonce < perAccount; nonce++) {
    rounds.push(
      await Promise.all(
        accounts.map((account, at) => {
          const isTransfer = (nonce + at) % 2 === 0;
          const words = [nonce * ACCOUNTS + at, SLOTS_PER_CALL, 1 + nonce].map((word) => pad(toHex(word)));
          return account.signTransaction({
            type: 'eip1559',
            chainId: CHAIN_ID,
            nonce,
            gas: 500_000n,
            maxFeePerGas: 100_000n,
            maxPriorityFeePerGas: 0n,
            ...(isTransfer ? { to: account.address, value: 1n } : { to: writer, data: concatHex(words) }),
          });
        }),
      ),
    );
  }
  const before = Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
  const startedAt = performance.now();
  // Several requests at a time: the node is never idle between two of them.
  const queue = rounds.flat();
  const batches = Array.from({ length: Math.ceil(queue.length / 200) }, (_, i) => queue.slice(i * 200, i * 200 + 200));
  for (let i = 0; i < batches.length; i += 2)
    await Promise.all(batches.slice(i, i + 2).map((batch) => submitAll(node.rpcUrl, batch)));
  await until(
    'everything is published',
    async () => {
      const nonces = await Promise.all(
        accounts.map(({ address }) => rpc<Hex>(node.rpcUrl, 'eth_getTransactionCount', [address, 'latest'])),
      );
      return nonces.every((nonce) => Number(nonce) === perAccount) ? true : undefined;
    },
    600_000,
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const head = Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
  await until('every projection has followed', async () =>
    ((await node.status())['batches'] as { openBlocks: number }).openBlocks === 0 ? true : undefined,
  );
  const perBlock: number[] = [];
  for (let height = before + 1; height <= head; height++)
    perBlock.push(Number(await rpc<Hex>(node.rpcUrl, 'eth_getBlockTransactionCountByNumber', [toHex(height)])));
  if ((await node.stop(60_000)) !== 0) throw new Error(`the node did not stop:\n${node.output.slice(-2_000)}`);
  return { transactions: perAccount * ACCOUNTS, blocks: head - before, before, perBlock, seconds };
}

/** Seconds to fill the projection from the whole journal. */
async function refill(dataPath: string, projection: Projection<unknown>): Promise<number> {
  const aside = mkdtempSync(join(tmpdir(), 'reprise-bench-refill-'));
  const chain = await ChainStore.open(
    await openRocksStore(chainStorePath({ generalRocksDbPath: dataPath })),
    genesisContext,
  );
  try {
    const runner = await ProjectionRunner.open({
      projection,
      journal: storedJournal(chain),
      dataDirectory: aside,
      openStore: openRocksStore,
      clock: systemClock,
      isRebuild: true,
    });
    const startedAt = performance.now();
    await runner.run(new AbortController().signal, { untilIndex: chain.journalEnd });
    const seconds = (performance.now() - startedAt) / 1_000;
    await runner.close();
    return seconds;
  } finally {
    await chain.close();
    rmSync(aside, { recursive: true, force: true });
  }
}

interface EmptyDiskReplay {
  /** From the start of the process until a block of the load is readable over RPC. */
  readonly startSeconds: number;
  /** From the start of the process until the last one is. */
  readonly totalSeconds: number;
  /** Transactions a second that became readable between the two. */
  readonly rate: number;
}

async function replayOnEmptyDisk(mainPath: string, { before, perBlock }: Sequencing): Promise<EmptyDiskReplay> {
  const dataPath = temporaryFolder('bench-empty');
  const external = new NodeProcess({
    dataPath,
    ports: await freeNodePorts(),
    env: { node_role: 'external', event_log_path: logPath(mainPath) },
  });
  /** Blocks of the load, once there are so many. */
  const readable = (what: string, atLeast: number): Promise<number> =>
    until(
      what,
      async () => {
        const blocks = Number(await rpc<Hex>(external.rpcUrl, 'eth_blockNumber')) - before;
        return blocks >= atLeast ? blocks : undefined;
      },
      600_000,
    );
  try {
    const startedAt = performance.now();
    const secondsSinceStart = (): number => (performance.now() - startedAt) / 1_000;
    external.start();
    const firstBlocks = await readable('the external node has a block of the load', 1);
    const startSeconds = secondsSinceStart();
    await readable('the external node has every block', perBlock.length);
    const totalSeconds = secondsSinceStart();
    const replayed = perBlock.slice(firstBlocks).reduce((sum, count) => sum + count, 0);
    return { startSeconds, totalSeconds, rate: replayed / (totalSeconds - startSeconds) };
  } finally {
    await external.kill();
    rmSync(dataPath, { recursive: true, force: true });
  }
}

interface Measured {
  readonly refills: Readonly<Record<RefilledName, readonly number[]>>;
  readonly emptyDisk: readonly EmptyDiskReplay[];
}

function print({ transactions, blocks, seconds }: Sequencing, measured: Measured, isJson: boolean): void {
  const rate = transactions / seconds;
  const refills = REFILLED.map((name) => {
    const refillSeconds = median(measured.refills[name]);
    return { name, seconds: refillSeconds, ratio: seconds / refillSeconds, goal: GOALS[name] };
  });
  const medianOf = (field: keyof EmptyDiskReplay): number => median(measured.emptyDisk.map((replay) => replay[field]));
  const emptyDisk = {
    name: 'emptyDisk',
    transactionsPerSecond: medianOf('rate'),
    ratio: medianOf('rate') / rate,
    goal: GOALS.emptyDisk,
    startSeconds: medianOf('startSeconds'),
    totalSeconds: medianOf('totalSeconds'),
    ratioWithStart: seconds / medianOf('totalSeconds'),
  };
  if (isJson) {
    const sequencing = { transactions, blocks, seconds, transactionsPerSecond: rate };
    process.stdout.write(`${JSON.stringify({ ...sequencing, rows: [...refills, emptyDisk] })}\n`);
    return;
  }
  process.stdout.write(
    `sequencing: ${transactions} transactions in ${blocks} blocks, ${seconds.toFixed(2)} s, ${rate.toFixed(0)} tx/s\n`,
  );
  for (const { name, seconds: refillSeconds, ratio, goal } of refills)
    process.stdout.write(
      `${name.padEnd(13)} ${refillSeconds.toFixed(2)} s, ${ratio.toFixed(1)} times the sequencing rate (goal ${goal})\n`,
    );
  process.stdout.write(
    `emptyDisk     ${emptyDisk.transactionsPerSecond.toFixed(0)} tx/s from the first block of the load to the head, ${emptyDisk.ratio.toFixed(1)} times the sequencing rate (goal ${emptyDisk.goal})\n` +
      `              ${emptyDisk.startSeconds.toFixed(2)} s from the start of the process to that first block; ${emptyDisk.totalSeconds.toFixed(2)} s with it, ${emptyDisk.ratioWithStart.toFixed(1)} times the sequencing rate\n`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
