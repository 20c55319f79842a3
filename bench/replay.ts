/**
 * `npm run bench -- replay`: how fast a chain is sequenced, over HTTP with its durable log and every projection, and, with
 * the same blocks in the same run, how fast a projection is refilled from the journal and how fast a node with an empty disk
 * catches up with the log. Half of the load are transfers, half write several slots.
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
    const seconds: Record<keyof typeof GOALS, number[]> = { repositories: [], merkleTree: [], emptyDisk: [] };
    for (let round = 1; round <= Number(values.rounds); round++) {
      seconds.repositories.push(await refill(dataPath, repositories));
      seconds.merkleTree.push(await refill(dataPath, merkleTree));
      seconds.emptyDisk.push(await replayOnEmptyDisk(dataPath, sequencing.head));
      say(
        `round ${round}: repositories ${seconds.repositories.at(-1)?.toFixed(2)} s, merkleTree ${seconds.merkleTree.at(-1)?.toFixed(2)} s, empty disk ${seconds.emptyDisk.at(-1)?.toFixed(2)} s`,
      );
    }
    print(sequencing, seconds, values.json);
  } finally {
    await main.kill();
    rmSync(dataPath, { recursive: true, force: true });
  }
}

interface Sequencing {
  readonly transactions: number;
  readonly blocks: number;
  /** Height in the end. */
  readonly head: number;
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
  if ((await node.stop(60_000)) !== 0) throw new Error(`the node did not stop:\n${node.output.slice(-2_000)}`);
  return { transactions: perAccount * ACCOUNTS, blocks: head - before, head, seconds };
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

/** Seconds from the start of the process until the newest block of the log is readable over RPC. */
async function replayOnEmptyDisk(mainPath: string, head: number): Promise<number> {
  const dataPath = temporaryFolder('bench-empty');
  const external = new NodeProcess({
    dataPath,
    ports: await freeNodePorts(),
    env: { node_role: 'external', event_log_path: logPath(mainPath) },
  });
  try {
    const startedAt = performance.now();
    external.start();
    await until(
      'the external node has every block',
      async () => (Number(await rpc<Hex>(external.rpcUrl, 'eth_blockNumber')) >= head ? true : undefined),
      600_000,
    );
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await external.kill();
    rmSync(dataPath, { recursive: true, force: true });
  }
}

function print(sequencing: Sequencing, seconds: Record<keyof typeof GOALS, number[]>, isJson: boolean): void {
  const rows = (Object.keys(GOALS) as (keyof typeof GOALS)[]).map((name) => {
    const sorted = seconds[name].toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1] ?? Number.NaN;
    return { name, seconds: median, ratio: sequencing.seconds / median, goal: GOALS[name] };
  });
  const rate = sequencing.transactions / sequencing.seconds;
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ ...sequencing, transactionsPerSecond: rate, rows })}\n`);
    return;
  }
  process.stdout.write(
    `sequencing: ${sequencing.transactions} transactions in ${sequencing.blocks} blocks, ${sequencing.seconds.toFixed(2)} s, ${rate.toFixed(0)} tx/s\n`,
  );
  for (const { name, seconds: median, ratio, goal } of rows)
    process.stdout.write(
      `${name.padEnd(13)} ${median.toFixed(2)} s, ${ratio.toFixed(1)} times the sequencing rate (goal ${goal})\n`,
    );
}
