/** A main and an external node on one topic, both behind a proxy that can misbehave, with a client that never stops. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Hex } from 'viem';
import { toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { openKafkaLog } from '../../src/log/eventLog.kafka.ts';
import { type KafkaConnection, createKafka } from '../../src/log/kafkaClient.ts';
import { topicName } from '../../src/log/topic.ts';
import { CHAIN_ID, RICH_KEY } from '../support/clients.ts';
import { FaultProxy } from '../support/faultProxy.ts';
import type { TestKafka } from '../support/kafka.ts';
import { LogWatcher } from '../support/logWatcher.ts';
import { NodeProcess, freeNodePorts, removeFolder, rpc, temporaryFolder, until } from '../support/nodeProcess.ts';
import type { ClientRecord } from '../support/recordingClient.ts';
import { RunningClient } from '../support/runningClient.ts';
import { assertSameStores, digestOf, whenAllRead } from './sameStores.ts';

export const SETTINGS = { replicationFactor: 1, minInsyncReplicas: 1 };
/** From the end of the faults until everything offered before is mined. The client's retries are part of it. */
const RECOVERY_MS = 90_000;

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;

export class KafkaArena {
  readonly kafka: TestKafka;
  readonly proxy: FaultProxy;
  readonly topic: string;
  /** Not through the proxy. */
  readonly connection: KafkaConnection;
  readonly main: NodeProcess;
  readonly external: NodeProcess;
  readonly client: RunningClient;
  readonly watcher: LogWatcher;
  readonly #env: Readonly<Record<string, string>>;
  readonly #folders: string[];
  readonly #deaths: string[] = [];
  #isClosed = false;

  static async open(kafka: TestKafka): Promise<KafkaArena> {
    const { proxied } = kafka;
    assert.ok(proxied !== undefined, 'a broker given from outside has no listener for a proxy');
    const prefix = `chaos-${randomBytes(6).toString('hex')}`;
    const topic = topicName(prefix, BigInt(CHAIN_ID));
    const env = { kafka_brokers: `127.0.0.1:${proxied.advertisedPort}`, kafka_topic_prefix: prefix };
    const folders = ['main', 'external', 'client'].map((name) => temporaryFolder(`chaos-${name}`));
    const [mainPath = '', externalPath = '', clientPath = ''] = folders;
    const proxy = await FaultProxy.listen(proxied);
    const main = new NodeProcess({ dataPath: mainPath, ports: await freeNodePorts(), env });
    main.start();
    await main.whenReady(60_000);
    const external = new NodeProcess({
      dataPath: externalPath,
      ports: await freeNodePorts(),
      env: { ...env, node_role: 'external' },
    });
    external.start();
    await external.whenReady(60_000);
    const connection = { brokers: kafka.brokers, clientId: 'chaos' };
    const watcher = new LogWatcher(await openKafkaLog({ connection, topic, settings: SETTINGS }));
    const client = new RunningClient({
      rpcUrl: main.rpcUrl,
      recordPath: join(clientPath, 'client.jsonl'),
      chainId: CHAIN_ID,
      richKey: RICH_KEY,
      accounts: 3,
      openPerAccount: 5,
    });
    const arena = new KafkaArena({ kafka, proxy, topic, connection, main, external, client, watcher, env, folders });
    await until('the client is under way', () => (client.report.published >= 10 ? true : undefined), RECOVERY_MS);
    return arena;
  }

  private constructor(parts: {
    kafka: TestKafka;
    proxy: FaultProxy;
    topic: string;
    connection: KafkaConnection;
    main: NodeProcess;
    external: NodeProcess;
    client: RunningClient;
    watcher: LogWatcher;
    env: Readonly<Record<string, string>>;
    folders: string[];
  }) {
    this.kafka = parts.kafka;
    this.proxy = parts.proxy;
    this.topic = parts.topic;
    this.connection = parts.connection;
    this.main = parts.main;
    this.external = parts.external;
    this.client = parts.client;
    this.watcher = parts.watcher;
    this.#env = parts.env;
    this.#folders = parts.folders;
    for (const [name, node] of [['main', this.main] as const, ['external', this.external] as const]) {
      void node.whenEnded(2 ** 31 - 1).then(
        ({ code, signal }) => this.#deaths.push(`${name} ended with ${code ?? signal}`),
        () => undefined,
      );
    }
  }

  /** Options of a command on a node's data. */
  commandEnv(node?: NodeProcess): Record<string, string> {
    return {
      ...this.#env,
      development: 'true',
      kafka_brokers: this.kafka.brokers.join(','),
      ...(node !== undefined && { general_rocks_db_path: node.dataPath }),
    };
  }

  async withAdmin<Result>(use: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = createKafka(this.connection).admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Blocks come again after what was done, so many of them. */
  async whenGoesOn(blocks = 2): Promise<void> {
    await this.watcher.whenHeight(this.watcher.height + blocks, RECOVERY_MS);
  }

  /**
   * What holds whatever happened: everything offered until now gets mined, once; no height is doubled; what was published
   * stays; main and external node agree; none of the two has stopped.
   */
  async check(): Promise<void> {
    const signed = hashesOf(this.client.records(), 'signed');
    const mined = await until(
      'everything that was offered is mined',
      () => {
        this.#checkAlive();
        const published = hashesOf(this.client.records(), 'receipt');
        return [...signed].every((hash) => published.has(hash)) ? published : undefined;
      },
      RECOVERY_MS,
    );
    const { height } = this.watcher;
    this.checkLog();
    const inLog = new Set(this.watcher.transactions.map((raw) => toHex(keccak256(raw))));
    const missing = [...mined].filter((hash) => !inLog.has(hash));
    assert.deepEqual(missing, [], 'published, and in no block of the log');
    const refused = this.client.records().filter(({ kind }) => kind === 'refused');
    assert.deepEqual(refused, []);
    await this.#checkPublished(height);
    this.#checkAlive();
  }

  /** Of the log alone. */
  checkLog(): void {
    const { blocks, transactions } = this.watcher;
    assert.deepEqual(
      blocks.map((block) => Number(block.height)),
      blocks.map((_, i) => i + 1),
      'heights are consecutive',
    );
    const hashes = transactions.map((raw) => toHex(keccak256(raw)));
    assert.equal(new Set(hashes).size, hashes.length, 'a transaction is included twice');
  }

  /** All that the client offers is mined, then both nodes stop and hold the same, key by key. */
  async finish(): Promise<string> {
    this.client.finish();
    await this.client.whenDone(RECOVERY_MS);
    await this.check();
    await whenAllRead(this.watcher, [this.main, this.external], RECOVERY_MS);
    for (const node of [this.main, this.external]) assert.equal(await node.stop(), 0);
    await assertSameStores(this.commandEnv(this.main), this.commandEnv(this.external));
    return `${this.watcher.height} blocks, ${this.watcher.transactions.length} transactions, digests equal`;
  }

  /** The node, started on its data, refuses with this text and exit code 1, and leaves its data as it is. */
  async assertRefuses(node: NodeProcess, message: RegExp): Promise<void> {
    const before = await digestOf(this.commandEnv(node));
    node.start();
    const { code } = await node.whenEnded(60_000);
    assert.equal(code, 1, node.output.slice(-2_000));
    assert.match(node.output, message);
    assert.equal(await digestOf(this.commandEnv(node)), before, 'its data is untouched');
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.client.end();
    await Promise.all([this.main.kill(), this.external.kill()]);
    await this.watcher.close();
    await this.proxy.close();
    this.#folders.forEach(removeFolder);
  }

  #checkAlive(): void {
    assert.deepEqual(this.#deaths, [], 'nobody stops who need not');
    for (const node of [this.main, this.external])
      assert.doesNotMatch(node.output, /unhandled rejection|uncaught exception/);
  }

  async #checkPublished(height: number): Promise<void> {
    const blockOf = (node: NodeProcess, number: number) =>
      rpc<{ hash: string } | null>(node.rpcUrl, 'eth_getBlockByNumber', [`0x${number.toString(16)}`, false]);
    const records = this.client.records();
    const block = records.findLast((record) => record.kind === 'block');
    const receipt = records.findLast((record) => record.kind === 'receipt');
    assert.ok(block !== undefined && receipt !== undefined);
    assert.deepEqual(await blockOf(this.main, block.number), block.block, 'a published block is another one now');
    assert.deepEqual(await rpc(this.main.rpcUrl, 'eth_getTransactionReceipt', [receipt.hash]), receipt.receipt);
    await until(
      `the external node has block ${height} of the main node`,
      async () => {
        const [ofMain, ofExternal] = await Promise.all([blockOf(this.main, height), blockOf(this.external, height)]);
        if (ofMain === null || ofExternal === null) return undefined;
        assert.deepEqual(ofExternal, ofMain);
        return true;
      },
      RECOVERY_MS,
    );
  }
}

function hashesOf(records: readonly ClientRecord[], kind: 'signed' | 'receipt'): Set<Hex> {
  return new Set(records.flatMap((record) => (record.kind === kind ? [record.hash] : [])));
}
