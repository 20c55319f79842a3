/** Two main nodes on one topic; whoever leads is frozen in the middle of its work, and wakes up as another leads. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hex, PrivateKeyAccount } from 'viem';
import { toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { topicName } from '../../src/log/topic.ts';
import { CHAIN_ID, RICH, anAccount, submitAll, viemClients, whenFunded } from '../support/clients.ts';
import type { TestKafka } from '../support/kafka.ts';
import { seededRandom } from '../support/logEntries.ts';
import { LogWatcher } from '../support/logWatcher.ts';
import { NodeProcess, freeNodePorts, removeFolder, rpc, temporaryFolder, until } from '../support/nodeProcess.ts';
import type { Drill, DrillOptions } from './drill.ts';
import { SETTINGS } from './kafkaArena.ts';
import { assertSameStores, whenAllRead } from './sameStores.ts';

const TAKE_OVERS = { short: 1, long: 50 };
const RECOVERY_MS = 90_000;
/** Of each node in each round. */
const TRANSFERS = 20;

export function takeOver(kafka: () => TestKafka): Drill {
  return { name: 'kafka: two main nodes, the leader frozen', run: (options) => run(kafka(), options) };
}

interface Member {
  readonly node: NodeProcess;
  readonly account: PrivateKeyAccount;
  nonce: number;
}

async function run(kafka: TestKafka, { isShort, seed }: DrillOptions): Promise<string> {
  const rounds = isShort ? TAKE_OVERS.short : TAKE_OVERS.long;
  const random = seededRandom(seed);
  const prefix = `takeover-${randomBytes(6).toString('hex')}`;
  const env = { kafka_brokers: kafka.brokers.join(','), kafka_topic_prefix: prefix };
  const members: Member[] = [];
  let watcher: LogWatcher | undefined;
  try {
    for (const name of ['one', 'other']) {
      const node = new NodeProcess({
        dataPath: temporaryFolder(`takeover-${name}`),
        ports: await freeNodePorts(),
        env,
      });
      members.push({ node, account: anAccount(), nonce: 0 });
      node.start();
      await node.whenReady(60_000);
    }
    const [first] = members;
    assert.ok(first !== undefined);
    await whenFunded(first.node.rpcUrl);
    const { wallet, reader } = viemClients(first.node.rpcUrl);
    for (const { account } of members) {
      const hash = await wallet.sendTransaction({ to: account.address, value: 10n ** 18n });
      await reader.waitForTransactionReceipt({ hash, timeout: RECOVERY_MS });
    }
    const connection = { brokers: kafka.brokers, clientId: 'chaos' };
    watcher = new LogWatcher(
      await openKafkaLog({ connection, topic: topicName(prefix, BigInt(CHAIN_ID)), settings: SETTINGS }),
    );
    const submitted: Hex[] = [];
    for (let round = 0; round < rounds; round++) {
      const leader = await leaderOf(members);
      const heir = members.find((member) => member !== leader);
      assert.ok(heir !== undefined);
      submitted.push(...(await submit(leader)));
      await delay(random() * 150);
      process.kill(leader.node.pid, 'SIGSTOP');
      let ofHeir: readonly Hex[];
      try {
        ofHeir = await submit(heir);
        await whenMined(heir, ofHeir);
      } finally {
        process.kill(leader.node.pid, 'SIGCONT');
      }
      submitted.push(...ofHeir, ...(await submit(leader)));
      // Also what the frozen one had taken in before.
      for (const member of members) await whenMined(member, submitted);
    }
    return await checkAll({ members, watcher, submitted, rounds, env });
  } finally {
    for (const { node } of members) await node.kill();
    await watcher?.close();
    for (const { node } of members) removeFolder(node.dataPath);
  }
}

async function checkAll(all: {
  members: readonly Member[];
  watcher: LogWatcher;
  submitted: readonly Hex[];
  rounds: number;
  env: Readonly<Record<string, string>>;
}): Promise<string> {
  const { members, watcher, submitted, rounds, env } = all;
  await whenAllRead(
    watcher,
    members.map(({ node }) => node),
    RECOVERY_MS,
  );
  assert.deepEqual(
    watcher.blocks.map(({ height }) => Number(height)),
    watcher.blocks.map((_, i) => i + 1),
    'no height is split',
  );
  const count = new Map<string, number>();
  for (const raw of watcher.transactions) {
    const hash = toHex(keccak256(raw));
    count.set(hash, (count.get(hash) ?? 0) + 1);
  }
  assert.deepEqual(
    submitted.filter((hash) => count.get(hash) !== 1),
    [],
    'every transaction that was taken in is included once',
  );
  const epochs = watcher.fold.epoch;
  assert.ok(epochs > BigInt(rounds), `${epochs} epochs`);
  for (const { node } of members) assert.equal(await node.stop(), 0);
  const [one, other] = members.map(({ node }) => ({
    ...env,
    development: 'true',
    general_rocks_db_path: node.dataPath,
  }));
  assert.ok(one !== undefined && other !== undefined);
  await assertSameStores(one, other);
  return `${rounds} take-overs of a frozen leader in ${epochs} epochs: ${watcher.height} heights, none split, ${submitted.length} transactions included once each, digests equal`;
}

/** Waits until one of them leads; with two that think so for a moment, the one of the later epoch. */
async function leaderOf(members: readonly Member[]): Promise<Member> {
  return until(
    'one of them leads',
    async () => {
      const states = await Promise.all(members.map(async (member) => ({ member, status: await member.node.status() })));
      const leading = states.filter(({ status }) => status['leading'] === true);
      return leading.length === 1 ? leading[0]?.member : undefined;
    },
    RECOVERY_MS,
  );
}

async function submit(member: Member): Promise<Hex[]> {
  const first = member.nonce;
  member.nonce += TRANSFERS;
  const raws = await Promise.all(
    Array.from({ length: TRANSFERS }, (_, i) =>
      member.account.signTransaction({
        type: 'eip1559',
        chainId: CHAIN_ID,
        nonce: first + i,
        to: RICH.address,
        value: 1n,
        gas: 100_000n,
        maxFeePerGas: 100_000n,
        maxPriorityFeePerGas: 0n,
      }),
    ),
  );
  return submitAll(member.node.rpcUrl, raws);
}

async function whenMined({ node }: Member, hashes: readonly Hex[]): Promise<void> {
  // The newest of each account come last.
  for (const hash of hashes.slice(-3 * TRANSFERS))
    await until(
      `the receipt of ${hash}`,
      async () => (await rpc<object | null>(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
      RECOVERY_MS,
    );
}
