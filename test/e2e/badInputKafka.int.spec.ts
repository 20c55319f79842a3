import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import type { Hex, PrivateKeyAccount } from 'viem';
import { toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { type KafkaConnection, createKafka } from '../../src/log/kafkaClient.ts';
import { createTopic, topicName } from '../../src/log/topic.ts';
import { CHAIN_ID, RICH, anAccount, submitAll, viemClients, whenFunded } from '../support/clients.ts';
import { KafkaUnavailable, type TestKafka } from '../support/kafka.ts';
import { aBlock, aGenesis, anEpochStarted, filled } from '../support/logEntries.ts';
import { LogWatcher } from '../support/logWatcher.ts';
import { rejectedByClass } from '../support/metricsOf.ts';
import {
  NodeProcess,
  freeNodePorts,
  freePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';
import { requireKafka } from '../support/sharedKafka.ts';

const SETTINGS = { replicationFactor: 1, minInsyncReplicas: 1 };
/** Without one of these a node that dies and is not started again would not be noticed. */
const ALIVE_CHECK_MS = 4_000;

describe('trouble on Kafka', function () {
  this.timeout(90_000);
  const prefix = `trouble-${randomUUID()}`;
  const topic = topicName(prefix, BigInt(CHAIN_ID));
  const folders: string[] = [];
  let kafka: TestKafka;
  let connection: KafkaConnection;
  let main: NodeProcess;
  let external: NodeProcess;
  let watcher: LogWatcher;

  async function aNode(name: string, env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
    const dataPath = temporaryFolder(name);
    folders.push(dataPath);
    return new NodeProcess({
      dataPath,
      ports: await freeNodePorts(),
      env: { kafka_brokers: kafka.brokers.join(','), kafka_topic_prefix: prefix, ...env },
    });
  }

  before(async function () {
    kafka = await requireKafka(this);
    connection = { brokers: kafka.brokers, clientId: 'trouble' };
    main = await aNode('main');
    main.start();
    await main.whenReady();
    await whenFunded(main.rpcUrl);
    external = await aNode('external', { node_role: 'external' });
    external.start();
    await external.whenReady();
    watcher = new LogWatcher(await openKafkaLog({ connection, topic, settings: SETTINGS }));
    await watcher.whenHeight(1);
  });

  after(async () => {
    await watcher?.close();
    await killAllNodes();
    folders.forEach(removeFolder);
  });

  afterEach('heights are consecutive and no transaction is included twice', () => {
    assert.deepEqual(
      watcher.blocks.map(({ height }) => Number(height)),
      watcher.blocks.map((_, i) => i + 1),
    );
    const hashes = watcher.transactions.map((raw) => toHex(keccak256(raw)));
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it('as entries that nobody accepts is counted by every reader alike, and nobody stops', async () => {
    const producer = createKafka(connection).producer();
    await producer.connect();
    const { claim, logId, epoch, parent, height } = watcher.fold;
    assert.ok(claim !== undefined && logId !== undefined);
    const owned = { logId, claim, epoch, parent };
    const schema = (version: string) => ({ headers: { schema: version }, partition: 0 });
    const before = watcher.entries.length;
    const messages = [
      { value: Buffer.from('no schema at all'), partition: 0 },
      { value: null, partition: 0 },
      { value: Buffer.alloc(0), ...schema('1') },
      { value: randomBytes(500), ...schema('1') },
      { value: Buffer.from('?'), ...schema('one') },
      { value: Buffer.from(encodeEntry(aBlock(height + 1, owned)).bytes), ...schema('2') },
      { value: Buffer.from(encodeEntry(aBlock(height + 2, owned)).bytes), ...schema('1') },
      { value: Buffer.from(encodeEntry(aBlock(height + 1, { ...owned, claim: filled(9, 16) })).bytes), ...schema('1') },
      { value: Buffer.from(encodeEntry(aBlock(height + 1, { ...owned, logId: filled(9, 16) })).bytes), ...schema('1') },
      {
        value: Buffer.from(encodeEntry(anEpochStarted({ ...owned, claim: filled(8, 16), epoch })).bytes),
        ...schema('1'),
      },
      {
        value: Buffer.from(encodeEntry(anEpochStarted({ ...owned, claim: filled(8, 16), epoch: epoch + 7n })).bytes),
        ...schema('1'),
      },
      { value: Buffer.from(encodeEntry(aGenesis({ chainId: 271n })).bytes), ...schema('1') },
    ];
    await producer.send({ topic, messages });
    await producer.disconnect();
    await watcher.when('what was sent', () => (watcher.entries.length >= before + messages.length ? true : undefined));

    await transferFrom(RICH, main, 1);
    await until('the external node follows', async () =>
      (await headOf(external)) >= watcher.height ? true : undefined,
    );
    const expected: Record<string, number> = { garbage: 0, foreign: 0, stale: 0, gap: 0, duplicate: 0 };
    for (const { result } of watcher.entries)
      if (result.rejectedClass !== undefined)
        expected[result.rejectedClass] = (expected[result.rejectedClass] ?? 0) + 1;
    assert.deepEqual(expected, { garbage: 6, foreign: 4, stale: 0, gap: 2, duplicate: 0 });
    assert.deepEqual(await rejectedByClass(main), expected);
    assert.deepEqual(await rejectedByClass(external), expected);
  });

  it('as a second main node: one leads at a time, the accepted blocks stay one line, and the other takes over', async () => {
    const second = await aNode('second');
    second.start();
    await second.whenReady();
    const [one, two] = [anAccount(), anAccount()];
    await fund(main, [one, two]);
    await until('the second follows', async () => ((await headOf(second)) >= watcher.height ? true : undefined));
    const epochBefore = watcher.fold.epoch;
    const submitted = await Promise.all([submitTransfers(one, main, 25), submitTransfers(two, second, 25)]);
    for (const hash of submitted.flat()) await receiptFrom(external, hash, 40_000);
    // A duel would open one epoch after another.
    assert.ok(watcher.fold.epoch - epochBefore <= 6n, `${watcher.fold.epoch - epochBefore} epochs`);
    const head = `0x${watcher.height.toString(16)}`;
    await until('all three nodes agree', async () => {
      const blocks = await Promise.all(
        [main, second, external].map((node) =>
          rpc<{ hash: Hex } | null>(node.rpcUrl, 'eth_getBlockByNumber', [head, false]),
        ),
      );
      return blocks[0] !== null && blocks.every((block) => block?.hash === blocks[0]?.hash) ? true : undefined;
    });

    await main.kill();
    await transferFrom(two, second, 1);
    assert.equal(await second.stop(), 0);
    main.start();
    await main.whenReady();
    await transferFrom(one, main, 1);
  });

  const faults: readonly [what: string, begin: () => Promise<void>, end: () => Promise<void>][] = [
    ['killed', () => kafka.kill(), () => kafka.restart()],
    ['frozen', () => kafka.pause(), () => kafka.resume()],
  ];
  for (const [what, begin, end] of faults) {
    it(`as a broker that is ${what}: nothing is published meanwhile, no node crashes, and the chain goes on`, async function () {
      const account = anAccount();
      await fund(main, [account]);
      const head = await headOf(main);
      const pids = [main.pid, external.pid];
      let ended = 0;
      for (const node of [main, external])
        void node.whenEnded(this.timeout()).then(
          () => ended++,
          () => undefined,
        );
      const writtenBefore = main.written;
      try {
        await begin();
      } catch (error) {
        if (!(error instanceof KafkaUnavailable)) throw error;
        process.stderr.write(`\n  !! LEFT OUT, although it matters: ${error.message}\n\n`);
        return this.skip();
      }
      const hashes = await submitTransfers(account, main, 20);
      const begunAt = Date.now();
      await until(
        'the leadership is given up',
        async () => {
          assert.equal(await headOf(main), head);
          assert.equal(await headOf(external), head);
          const hasDoubted = main.outputSince(writtenBefore).includes('leadership given up');
          return hasDoubted && Date.now() - begunAt >= ALIVE_CHECK_MS ? true : undefined;
        },
        30_000,
      );
      for (const hash of hashes) assert.equal(await rpc(main.rpcUrl, 'eth_getTransactionReceipt', [hash]), null);
      await end();
      for (const hash of hashes) await receiptFrom(external, hash, 60_000);
      assert.equal(ended, 0);
      assert.deepEqual([main.pid, external.pid], pids);
      assert.doesNotMatch(main.output + external.output, /unhandled rejection|uncaught exception/);
      await watcher.when('everything in the log', () =>
        watcher.transactions.length > 0 &&
        hashes.every((hash) => watcher.transactions.some((raw) => toHex(keccak256(raw)) === hash))
          ? true
          : undefined,
      );
    });
  }

  it('as a broker that does not answer at the start ends the node with a message, to be tried again', async () => {
    const [port] = await freePorts(1);
    const node = await aNode('alone', { kafka_brokers: `127.0.0.1:${port}` });
    node.start();
    assert.equal((await node.whenEnded()).code, 75);
    assert.match(node.output, new RegExp(`no answer from Kafka at 127.0.0.1:${port}`));
  });

  it('as a topic that was deleted and made anew stops the nodes, now and at the next start; their data is untouched', async () => {
    const env = { development: 'true', general_rocks_db_path: main.dataPath };
    const replacedWith = { connection, topic, ...SETTINGS };
    await transferFrom(RICH, main, 1);
    const admin = createKafka(connection).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await until('the topic is gone', async () => ((await admin.listTopics()).includes(topic) ? undefined : true));
    // A broker may refuse the name for a moment after the deletion.
    await until('the topic is there again', () => createTopic(replacedWith));
    await admin.disconnect();
    for (const node of [main, external]) {
      assert.equal((await node.whenEnded(60_000)).code, 1);
      assert.match(node.output, /log truncated or replaced/);
    }
    const before = (await runCommand(['digest', '--json'], env)).stdout;
    assert.ok(before.includes('state'));
    main.start();
    assert.equal((await main.whenEnded()).code, 1);
    assert.match(main.output, /log truncated or replaced/);
    assert.equal((await runCommand(['digest', '--json'], env)).stdout, before);
    const log = await openKafkaLog({ connection, topic, settings: SETTINGS });
    const end = await log.end();
    const written = new LogWatcher(log);
    try {
      await written.when('all that was written since', () => (written.entries.length >= end ? true : undefined));
    } finally {
      await written.close();
    }
    // What was on its way to the old topic may land in the new one, where nobody accepts it.
    assert.deepEqual(
      written.entries.filter(({ entry, result }) => entry?.kind === 'Genesis' || result.verdict !== 'rejected'),
      [],
    );
  });
});

async function headOf(node: NodeProcess): Promise<number> {
  return Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
}

async function receiptFrom(node: NodeProcess, hash: Hex, timeoutMs = 30_000): Promise<{ status: Hex }> {
  return until(
    `the receipt of ${hash}`,
    async () => (await rpc<{ status: Hex } | null>(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
    timeoutMs,
  );
}

async function fund(node: NodeProcess, accounts: readonly PrivateKeyAccount[]): Promise<void> {
  const { wallet } = viemClients(node.rpcUrl);
  for (const { address } of accounts) {
    const hash = await wallet.sendTransaction({ to: address, value: 10n ** 18n });
    assert.equal((await receiptFrom(node, hash)).status, '0x1');
  }
}

async function submitTransfers(account: PrivateKeyAccount, node: NodeProcess, count: number): Promise<Hex[]> {
  const first = Number(await rpc<Hex>(node.rpcUrl, 'eth_getTransactionCount', [account.address, 'pending']));
  const raws = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      account.signTransaction({
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
  return submitAll(node.rpcUrl, raws);
}

async function transferFrom(account: PrivateKeyAccount, node: NodeProcess, count: number): Promise<void> {
  for (const hash of await submitTransfers(account, node, count))
    assert.equal((await receiptFrom(node, hash)).status, '0x1');
}
