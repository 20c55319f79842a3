import assert from 'node:assert/strict';
import {
  BaseError,
  type Hex,
  SocketClosedError,
  createPublicClient,
  encodeFunctionData,
  hexToNumber,
  toHex,
  webSocket,
} from 'viem';
import { CHAIN_ID, anAccount, submitAll, viemClients, whenFunded } from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

const BLOCKS = 1_000;
/** Transactions sent before the server goes away for the first and the second time, and heads that were seen by then. */
const FIRST = { sent: 400, seen: 350 };
const SECOND = { sent: 700, seen: 250 };
/** Sent while nobody is connected: at most so many blocks are asked for. */
const UNSEEN = 20;
const { abi, bytecode } = testContract('EventEmitter');

interface Head {
  readonly number: Hex;
  readonly hash: Hex;
  readonly parentHash: Hex;
}

interface EventLog {
  readonly blockNumber: Hex;
  readonly logIndex: Hex;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly transactionHash: Hex;
}

type JsonRecord = Readonly<Record<string, unknown>>;

let connectionCount = 0;

const isClosedSocket = (error: unknown): boolean =>
  error instanceof BaseError && error.walk((cause) => cause instanceof SocketClosedError) !== null;

/** A viem client on one WebSocket, which is not opened again: what it was told, and whether that could be read. */
class Connection {
  readonly heads: Head[] = [];
  readonly logs: EventLog[] = [];
  readonly failures: unknown[] = [];
  isOver = false;
  #checks: Promise<void>[] = [];
  readonly #sender: Hex;
  readonly #client;

  private constructor(url: string, sender: Hex) {
    this.#sender = sender;
    // viem keeps one socket per URL, also a closed one.
    const transport = webSocket(`${url.replace('http', 'ws')}/${(connectionCount += 1)}`, {
      reconnect: false,
      retryCount: 0,
      keepAlive: false,
    });
    this.#client = createPublicClient({ transport });
  }

  static async open(url: string, { sender, contract }: { sender: Hex; contract: Hex }): Promise<Connection> {
    const connection = new Connection(url, sender);
    await connection.#subscribe<Head>(['newHeads'], (head) => connection.#head(head));
    await connection.#subscribe<EventLog>(['logs', { address: contract }], (log) => connection.logs.push(log));
    return connection;
  }

  async #subscribe<T>(params: ['newHeads'] | ['logs', { address: Hex }], onResult: (result: T) => void): Promise<void> {
    await this.#client.transport.subscribe({
      params: params as ['newHeads'], // viem types the simplest form only
      onData: ({ result }) => onResult(result as T), // what the subscription announces
      onError: () => (this.isOver = true),
    });
  }

  #head(head: Head): void {
    this.heads.push(head);
    this.#checks.push(
      this.#readable(head).catch((error: unknown) => {
        // Asked when the socket had just closed: viem says so before it tells the subscriptions.
        if (isClosedSocket(error)) this.isOver = true;
        if (!this.isOver) this.failures.push(error);
      }),
    );
  }

  /** Asked when the head arrives: its block, receipts and state are there. */
  async #readable({ number, hash }: Head): Promise<void> {
    const ask = (method: string, params: unknown): Promise<unknown> =>
      this.#client.transport.request({ method, params });
    const [block, receipts, nonce] = await Promise.all([
      ask('eth_getBlockByHash', [hash, false]) as Promise<{ number: Hex; transactions: Hex[] } | null>,
      ask('eth_getBlockReceipts', [number]) as Promise<{ transactionHash: Hex; from: Hex }[] | null>,
      ask('eth_getTransactionCount', [this.#sender, number]) as Promise<Hex>,
    ]);
    assert.equal(block?.number, number);
    assert.deepEqual(
      receipts?.map(({ transactionHash }) => transactionHash),
      block.transactions,
    );
    const own = (await ask('eth_getTransactionByHash', [block.transactions[0]])) as { from: Hex; nonce: Hex };
    if (own.from === this.#sender) assert.equal(hexToNumber(nonce), hexToNumber(own.nonce) + 1);
  }

  get last(): number {
    return this.heads.length === 0 ? 0 : hexToNumber(this.heads.at(-1)?.number ?? '0x0');
  }

  /** Until so many heads and the log of the last of them have come. */
  async whenHeads(count: number): Promise<void> {
    await until(`${count} heads`, () => (this.heads.length >= count ? true : undefined), 120_000);
  }

  async close(): Promise<void> {
    await Promise.all(this.#checks);
    this.isOver = true;
    (await this.#client.transport.getRpcClient()).close();
  }

  async whenOver(): Promise<void> {
    await until('the connection has ended', () => (this.isOver ? true : undefined));
    await Promise.all(this.#checks);
  }
}

const placeOf = ({ blockNumber, logIndex }: EventLog): string => `${hexToNumber(blockNumber)}/${hexToNumber(logIndex)}`;

/** In one connection: every height once, one block on the other; logs in order and each once. */
function assertGapless({ heads, logs, failures }: Connection): void {
  assert.deepEqual(failures, []);
  heads.forEach((head, i) => {
    const before = heads[i - 1];
    if (before === undefined) return;
    assert.equal(hexToNumber(head.number), hexToNumber(before.number) + 1);
    assert.equal(head.parentHash, before.hash);
  });
  const places = logs.map(placeOf);
  assert.equal(new Set(places).size, places.length);
  const order = logs.map(({ blockNumber, logIndex }) => hexToNumber(blockNumber) * 10_000 + hexToNumber(logIndex));
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
}

describe('viem over WebSocket, 1,000 blocks and two disconnections', function () {
  this.timeout(240_000);
  let node: NodeProcess;

  before(async () => {
    node = new NodeProcess({
      dataPath: temporaryFolder('webSocket'),
      ports: await freeNodePorts(),
      env: { sequencer_block_time: '1ms', sequencer_max_transactions_in_block: '1', log_level: 'warn' },
    });
  });
  after(async () => {
    await killAllNodes();
    removeFolder(node.dataPath);
  });

  it('announces every block and log once, readable, and the rest can be asked for', async () => {
    node.start();
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    const account = anAccount();
    const sender = account.address.toLowerCase() as Hex;
    const { wallet, reader } = viemClients(node.rpcUrl);
    const deployed = await reader.waitForTransactionReceipt({ hash: await wallet.deployContract({ abi, bytecode }) });
    const contract = deployed.contractAddress;
    assert.ok(contract);
    const funded = await wallet.sendTransaction({ to: account.address, value: 10n ** 18n });
    await reader.waitForTransactionReceipt({ hash: funded });

    const raws = await Promise.all(
      Array.from({ length: BLOCKS }, (_, nonce) =>
        account.signTransaction({
          chainId: CHAIN_ID,
          type: 'eip1559',
          gas: 200_000n,
          maxFeePerGas: 10_000n,
          maxPriorityFeePerGas: 0n,
          nonce,
          to: contract,
          data: encodeFunctionData({ abi, functionName: 'emitEvent', args: [BigInt(nonce)] }),
        }),
      ),
    );
    /** What is not in a block yet; a pool is lost with its node. */
    const nextNonce = async (): Promise<number> =>
      hexToNumber(await rpc<Hex>(node.rpcUrl, 'eth_getTransactionCount', [sender, 'pending']));
    const submitUpTo = async (end: number): Promise<void> => {
      await submitAll(node.rpcUrl, raws.slice(await nextNonce(), end));
    };
    const connections: Connection[] = [];
    const connect = async (): Promise<Connection> => {
      const connection = await Connection.open(node.rpcUrl, { sender, contract });
      connections.push(connection);
      return connection;
    };
    const firstBlock = hexToNumber(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber')) + 1;

    const first = await connect();
    await submitUpTo(FIRST.sent);
    await first.whenHeads(FIRST.seen);
    assert.equal(await node.stop(), 0);
    await first.whenOver();
    node.start();
    await node.whenReady();
    await submitUpTo((await nextNonce()) + UNSEEN);
    const second = await connect();
    await submitUpTo(SECOND.sent);
    await second.whenHeads(SECOND.seen);
    await node.kill();
    await second.whenOver();
    node.start();
    await node.whenReady();
    await submitUpTo((await nextNonce()) + UNSEEN);
    const third = await connect();
    await submitUpTo(BLOCKS);
    const lastBlock = await until(
      'the last block',
      async () => {
        const receipts = await rpc<Hex>(node.rpcUrl, 'eth_getTransactionCount', [sender, 'latest']);
        if (hexToNumber(receipts) < BLOCKS) return undefined;
        return hexToNumber(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
      },
      120_000,
    );
    await until('the last head', () => (third.last >= lastBlock ? true : undefined), 120_000);
    await third.close();

    for (const connection of connections) assertGapless(connection);
    await assertWhole({ connections, contract, firstBlock, lastBlock });
  });

  /** Announced and asked for together: every block and every log once. */
  async function assertWhole({
    connections,
    contract,
    firstBlock,
    lastBlock,
  }: {
    connections: readonly Connection[];
    contract: Hex;
    firstBlock: number;
    lastBlock: number;
  }): Promise<void> {
    const hashes = new Map<number, Hex>();
    const logs = new Map<string, EventLog>();
    let next = firstBlock;
    const fill = async (to: number): Promise<void> => {
      for (let height = next; height <= to; height++) {
        const block = await rpc<Head>(node.rpcUrl, 'eth_getBlockByNumber', [toHex(height), false]);
        hashes.set(height, block.hash);
      }
      if (to < next) return;
      const range = { address: contract, fromBlock: toHex(next), toBlock: toHex(to) };
      for (const log of await rpc<EventLog[]>(node.rpcUrl, 'eth_getLogs', [range])) {
        // A connection may have ended between a head and the logs of its block.
        logs.set(placeOf(log), log);
      }
    };
    for (const connection of connections) {
      const begin = connection.heads[0];
      if (begin === undefined) continue;
      await fill(hexToNumber(begin.number) - 1);
      for (const { number, hash } of connection.heads) hashes.set(hexToNumber(number), hash);
      for (const log of connection.logs) {
        assert.equal(logs.has(placeOf(log)), false, `log ${placeOf(log)} was announced and asked for`);
        logs.set(placeOf(log), log);
      }
      // From its last head on: the logs of that block may not have come any more.
      next = connection.last;
      if (connection.logs.every(({ blockNumber }) => hexToNumber(blockNumber) < next)) await fill(next);
      next += 1;
    }
    await fill(lastBlock);
    assert.equal(hashes.size, lastBlock - firstBlock + 1);
    for (const [height, hash] of hashes) {
      const block = await rpc<JsonRecord>(node.rpcUrl, 'eth_getBlockByNumber', [toHex(height), false]);
      assert.equal(block['hash'], hash, `block ${height}`);
    }
    const values = [...logs.values()].map(({ topics, data }) => BigInt(data === '0x' ? (topics[1] ?? '0x0') : data));
    assert.deepEqual(
      values.sort((a, b) => Number(a - b)),
      Array.from({ length: BLOCKS }, (_, value) => BigInt(value)),
    );
    assert.ok(hashes.size >= BLOCKS);
  }
});
