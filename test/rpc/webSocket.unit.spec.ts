import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { toHex } from '../../src/common/bytes.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { until } from '../support/nodeProcess.ts';
import type { Answer, TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { l2Transaction } from './samples.ts';

interface Notification {
  readonly subscription: string;
  readonly result: unknown;
}

type JsonRecord = Readonly<Record<string, unknown>>;

/** A client that keeps what comes, in order. */
class Client {
  readonly socket: WebSocket;
  readonly answers: unknown[] = [];
  readonly notifications: Notification[] = [];
  /** Everything, as text. */
  readonly texts: string[] = [];
  closed: number | undefined;
  #nextId = 1;

  constructor(url: string) {
    this.socket = new WebSocket(url.replace('http', 'ws'));
    this.socket.on('message', (data: Buffer) => {
      const text = data.toString();
      this.texts.push(text);
      const message = JSON.parse(text) as { method?: string; params?: Notification };
      if (message.method === 'eth_subscription' && message.params !== undefined)
        this.notifications.push(message.params);
      else this.answers.push(message);
    });
    this.socket.on('close', (code) => (this.closed = code));
    this.socket.on('error', () => undefined);
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  async send(text: string): Promise<unknown> {
    const count = this.answers.length;
    this.socket.send(text);
    return until(`an answer to ${text.slice(0, 80)}`, () => this.answers[count]);
  }

  async call(method: string, ...params: unknown[]): Promise<Answer> {
    return (await this.send(JSON.stringify({ jsonrpc: '2.0', id: this.#nextId++, method, params }))) as Answer;
  }

  async subscribe(...params: unknown[]): Promise<string> {
    const { result, error } = await this.call('eth_subscribe', ...params);
    assert.equal(error, undefined);
    assert.ok(typeof result === 'string');
    return result;
  }

  resultsOf(id: string): unknown[] {
    return this.notifications.filter(({ subscription }) => subscription === id).map(({ result }) => result);
  }

  async whenResults(id: string, count: number): Promise<unknown[]> {
    await until(`${count} results of ${id}`, () => (this.resultsOf(id).length >= count ? true : undefined));
    return this.resultsOf(id);
  }

  numbersOf(id: string): number[] {
    return this.resultsOf(id).map((head) => Number((head as { number: string }).number));
  }
}

const ADDRESS = new Uint8Array(20).fill(0xaa);
const OTHER = new Uint8Array(20).fill(0xbb);
const topic = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function aLog(address: Uint8Array, ...topics: number[]): Log {
  return { address, topics: topics.map(topic), data: Uint8Array.of(1) };
}

describe('rpc over WebSocket', () => {
  const open: TestServer[] = [];
  const clients: Client[] = [];
  let chain: FakeChain;
  let test: TestServer;

  async function start(options: Parameters<typeof startTestServer>[1] = {}): Promise<TestServer> {
    const started = await startTestServer(chain, options);
    open.push(started);
    return started;
  }

  async function client(server = test): Promise<Client> {
    const made = new Client(server.url);
    clients.push(made);
    return made.opened();
  }

  function addBlockWithLogs(...logs: Log[]): void {
    chain.addBlock([l2Transaction('0x2', { logs })]);
  }

  beforeEach(async () => {
    chain = new FakeChain();
    test = await start();
  });

  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.terminate();
    await Promise.all(open.splice(0).map(({ server }) => server.close({ timeoutMs: 200 })));
    assert.equal(chain.watchers, 0, 'somebody still looks at the head');
    assert.equal(chain.pendingListeners.size, 0, 'somebody still looks at the pool');
  });

  describe('calls', () => {
    it('answers as over HTTP: single calls, batches, notifications, errors, ids as they were written', async () => {
      const socket = await client();
      for (const text of [
        '{"jsonrpc":"2.0","id":12345678901234567890,"method":"eth_chainId"}',
        '[{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_nothing"}]',
        '[]',
        '{"jsonrpc":"2.0",',
        `${'['.repeat(100)}`,
      ]) {
        const overHttp = await fetch(test.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: text,
        });
        await socket.send(text);
        assert.equal(socket.texts.at(-1), await overHttp.text());
      }
      socket.socket.send('{"jsonrpc":"2.0","method":"eth_chainId"}');
      assert.equal((await socket.call('eth_chainId')).result, '0x10e');
      assert.equal(socket.texts.length, 6);
    });

    it('takes binary frames too', async () => {
      const socket = await client();
      socket.socket.send(Buffer.from('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'));
      await until('the answer', () => socket.answers[0]);
      assert.equal(socket.texts[0], '{"jsonrpc":"2.0","id":1,"result":"0x10e"}');
    });

    it('closes a connection whose message is too large, and answers the others', async () => {
      const small = await start({ maxRequestBytes: 1_000 });
      const [socket, other] = [await client(small), await client(small)];
      socket.socket.send('x'.repeat(1_001));
      assert.equal(await until('the close', () => socket.closed), 1009);
      assert.deepEqual(small.counted.rejected, ['size']);
      assert.equal((await other.call('eth_chainId')).result, '0x10e');
    });

    it('answers small requests while large ones that take long fill what may be held', async () => {
      chain.addBlock([]);
      chain.simulate = () => new Promise(() => {});
      const small = await start({ maxRequestBytes: 256 * 1024 });
      const [busy, other] = [await client(small), await client(small)];
      for (let id = 0; id < 20; id++)
        busy.socket.send(`{"jsonrpc":"2.0","id":${id},"method":"eth_call","params":[{}]}`.padEnd(256 * 1024));
      await until('a refusal', () => (small.counted.rejected.includes('busy') ? true : undefined));
      assert.equal((await other.call('eth_chainId')).result, '0x10e');
      assert.match(JSON.stringify(await other.send('{}'.padEnd(200 * 1024))), /-32009/);
    });

    it('answers all of many calls at once', async () => {
      const socket = await client();
      for (let id = 0; id < 500; id++)
        socket.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'eth_blockNumber' }));
      await until('all answers', () => (socket.answers.length === 500 ? true : undefined));
      const ids = socket.answers.map((answer) => (answer as { id: number }).id);
      assert.deepEqual(
        ids.sort((a, b) => a - b),
        Array.from({ length: 500 }, (_, id) => id),
      );
    });

    it('counts against the limit of connections, and says so', async () => {
      const narrow = await start({ maxConnections: 1 });
      await client(narrow);
      assert.equal(narrow.counted.webSockets, 1);
      const refused = new WebSocket(narrow.url.replace('http', 'ws'));
      const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
      assert.equal(response.statusCode, 429);
      refused.on('error', () => undefined).terminate();
      assert.deepEqual(narrow.counted.rejected, ['connections']);
    });

    it('tells clients that it stops', async () => {
      const socket = await client();
      await test.server.close({ timeoutMs: 5_000 });
      assert.equal(await until('the close', () => socket.closed), 1001);
    });
  });

  describe('newHeads', () => {
    it('announces every block after the subscription, as the block getter shows it', async () => {
      chain.addBlock([]);
      const socket = await client();
      const id = await socket.subscribe('newHeads');
      assert.match(id, /^0x[1-9a-f][0-9a-f]*$/);
      addBlockWithLogs(aLog(ADDRESS, 1));
      chain.addBlock([]);
      const heads = await socket.whenResults(id, 2);
      for (const [i, head] of heads.entries()) {
        assert.deepEqual(head, (await test.call('eth_getHeaderByNumber', `0x${(i + 2).toString(16)}`)).result);
        assert.deepEqual(head, (await test.call('eth_getHeaderByHash', (head as { hash: string }).hash)).result);
      }
      assert.equal(test.counted.subscriptions.get('newHeads'), 1);
    });

    it('leaves out nothing and repeats nothing when `latest` moves in jumps', async () => {
      const socket = await client();
      const id = await socket.subscribe('newHeads');
      chain.latest = 0;
      for (let i = 0; i < 40; i++) chain.addBlock([]);
      for (const latest of [1, 2, 2, 17, 18, 40]) {
        chain.latest = latest;
        chain.announceLatest();
        chain.announceLatest();
        await socket.whenResults(id, latest);
      }
      assert.deepEqual(
        socket.numbersOf(id),
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    });

    it('announces nothing that is not readable', async () => {
      const socket = await client();
      const id = await socket.subscribe('newHeads');
      chain.latest = 0;
      chain.addBlock([]);
      assert.equal((await socket.call('eth_blockNumber')).result, '0x0');
      assert.deepEqual(socket.resultsOf(id), []);
      chain.latest = 1;
      chain.announceLatest();
      await socket.whenResults(id, 1);
    });

    it('sends the id first, also in a batch', async () => {
      chain.simulate = async () => {
        chain.addBlock([]);
        return { kind: 'success', returnData: Uint8Array.of(1), gasUsed: 1n, gas: 1n };
      };
      const socket = await client();
      const call = { to: toHex(ADDRESS) };
      const batch = [
        { jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] },
        { jsonrpc: '2.0', id: 2, method: 'eth_call', params: [call] },
      ];
      const [subscribed] = (await socket.send(JSON.stringify(batch))) as Answer[];
      await until('the head', () => socket.notifications[0]);
      assert.equal(socket.notifications[0]?.subscription, subscribed?.result);
      assert.equal(socket.texts.length, 2);
    });

    it('gives each subscription its own beginning', async () => {
      const socket = await client();
      const first = await socket.subscribe('newHeads');
      chain.addBlock([]);
      const second = await socket.subscribe('newHeads');
      chain.addBlock([]);
      await socket.whenResults(first, 2);
      await socket.whenResults(second, 1);
      assert.deepEqual([socket.numbersOf(first), socket.numbersOf(second)], [[1, 2], [2]]);
    });

    it('stops with eth_unsubscribe, once', async () => {
      const [socket, other] = [await client(), await client()];
      const id = await socket.subscribe('newHeads');
      assert.equal((await other.call('eth_unsubscribe', id)).result, false);
      assert.equal((await socket.call('eth_unsubscribe', id)).result, true);
      assert.equal((await socket.call('eth_unsubscribe', id)).result, false);
      chain.addBlock([]);
      const later = await socket.subscribe('newHeads');
      chain.addBlock([]);
      await socket.whenResults(later, 1);
      assert.deepEqual(socket.resultsOf(id), []);
      assert.equal(test.counted.subscriptions.get('newHeads'), 1);
      socket.socket.terminate();
      await until('the end of the subscription', () =>
        test.counted.subscriptions.get('newHeads') === 0 ? true : undefined,
      );
    });
  });

  describe('logs', () => {
    it('announces those that match by address and topics, one by one and in order, as eth_getLogs shows them', async () => {
      const socket = await client();
      const all = await socket.subscribe('logs');
      const ofAddress = await socket.subscribe('logs', { address: toHex(ADDRESS), fromBlock: '0x0' });
      const second = await socket.subscribe('logs', { topics: [null, [toHex(topic(2)), toHex(topic(3))]] });
      addBlockWithLogs(aLog(ADDRESS, 1), aLog(OTHER, 1, 2));
      chain.addBlock([]);
      addBlockWithLogs(aLog(ADDRESS, 9, 3), aLog(OTHER));
      const range = { fromBlock: '0x1', toBlock: '0x3' };
      for (const [id, filter, count] of [
        [all, {}, 4],
        [ofAddress, { address: toHex(ADDRESS) }, 2],
        [second, { topics: [null, [toHex(topic(2)), toHex(topic(3))]] }, 2],
      ] as const) {
        const logs = await socket.whenResults(id, count);
        assert.deepEqual(logs, (await test.call('eth_getLogs', { ...range, ...filter })).result);
      }
    });
  });

  describe('newPendingTransactions', () => {
    it('announces hashes, or whole transactions', async () => {
      const socket = await client();
      const hashes = await socket.subscribe('newPendingTransactions');
      const full = await socket.subscribe('newPendingTransactions', true);
      assert.equal(chain.pendingListeners.size, 1);
      const transaction = l2Transaction('0x2');
      chain.announcePending(transaction);
      const hash = toHex(decodeTransaction(transaction.raw).hash);
      assert.deepEqual(await socket.whenResults(hashes, 1), [hash]);
      const [whole] = (await socket.whenResults(full, 1)) as JsonRecord[];
      assert.deepEqual(
        [whole?.['hash'], whole?.['blockNumber'], whole?.['from']],
        [hash, null, toHex(transaction.sender)],
      );
      assert.equal(whole?.['gasPrice'], whole?.['maxFeePerGas']);
      await socket.call('eth_unsubscribe', hashes);
      await socket.call('eth_unsubscribe', full);
      await until('the pool is left alone', () => (chain.pendingListeners.size === 0 ? true : undefined));
    });
  });

  describe('refusals', () => {
    it('says what is wrong, and goes on', async () => {
      const socket = await client();
      for (const [params, code, message] of [
        [['newHeads', {}], -32602, 'invalid params: specified for head subscription (expected none)'],
        [['logs', true], -32602, 'invalid params: boolean (transaction fullness) specified for log subscription'],
        [
          ['newPendingTransactions', {}],
          -32602,
          'invalid params: log filter specified for pending transaction subscription',
        ],
        [['syncing'], -32004, 'syncing subscriptions are not supported yet'],
        [['nothing'], -32601, 'no "nothing" subscription in eth namespace'],
        [[], -32602, 'Invalid params'],
        [[7], -32602, 'Invalid params'],
      ] as const) {
        const { error } = await socket.call('eth_subscribe', ...params);
        assert.deepEqual([error?.code, error?.message], [code, message]);
      }
      assert.ok(await socket.subscribe('newHeads'));
    });

    it('knows no notifications over HTTP', async () => {
      for (const [method, param] of [
        ['eth_subscribe', 'newHeads'],
        ['eth_unsubscribe', '0x1'],
      ] as const) {
        const { error } = await test.call(method, param);
        assert.deepEqual([error?.code, error?.message], [-32601, 'notifications not supported']);
      }
    });

    it('bounds the subscriptions of a connection', async () => {
      const narrow = await start({ maxSubscriptions: 2 });
      const [socket, other] = [await client(narrow), await client(narrow)];
      await socket.subscribe('newHeads');
      const second = await socket.subscribe('newPendingTransactions');
      const { error } = await socket.call('eth_subscribe', 'logs');
      assert.deepEqual([error?.code, error?.message], [-32006, 'Too many subscriptions on the connection']);
      assert.ok(await other.subscribe('logs'));
      await socket.call('eth_unsubscribe', second);
      assert.ok(await socket.subscribe('logs'));
    });
  });

  describe('slow and dead clients', () => {
    const LIMIT = 64 * 1024;

    /** A log so large that a hundred of them fill what sockets of the machine hold. */
    function addLargeBlock(): void {
      addBlockWithLogs({ address: ADDRESS, topics: [], data: new Uint8Array(100_000) });
    }

    it('lets a client that reads slowly catch up without loss', async () => {
      const narrow = await start({ maxUnreadBytes: LIMIT });
      const [slow, quick] = [await client(narrow), await client(narrow)];
      const [slowId, quickId] = [await slow.subscribe('logs'), await quick.subscribe('logs')];
      slow.socket.pause();
      for (let i = 0; i < 120; i++) addLargeBlock();
      await quick.whenResults(quickId, 120);
      assert.ok(slow.resultsOf(slowId).length < 120);
      // One that comes while it is known to have no room.
      addLargeBlock();
      await quick.whenResults(quickId, 121);
      assert.equal(narrow.counted.lagged, 0);
      slow.socket.resume();
      const logs = (await slow.whenResults(slowId, 121)) as { blockNumber: string }[];
      assert.deepEqual(
        logs.map(({ blockNumber }) => Number(blockNumber)),
        Array.from({ length: 121 }, (_, i) => i + 1),
      );
      assert.equal(narrow.counted.lagged, 0);
    });

    it('disconnects a client that stays too far behind, and serves the others', async () => {
      const narrow = await start({ maxUnreadBytes: LIMIT });
      const [stuck, quick] = [await client(narrow), await client(narrow)];
      await stuck.subscribe('logs');
      const heads = await quick.subscribe('newHeads');
      stuck.socket.pause();
      for (let i = 0; i < 120; i++) addLargeBlock();
      await quick.whenResults(heads, 120);
      for (let i = 0; i < 1_100; i++) chain.addBlock([]);
      // Blocks keep coming: the client may have been a moment from its limit when those came.
      await until('the disconnection', () => {
        chain.addBlock([]);
        return narrow.counted.lagged === 1 ? true : undefined;
      });
      await until('one connection less', () => (narrow.counted.webSockets === 1 ? true : undefined));
      await quick.whenResults(heads, chain.head);
      assert.equal(quick.closed, undefined);
    });

    it('keeps a client that ends its subscription while it has no room', async () => {
      for (let i = 0; i < 1_100; i++) chain.addBlock([]);
      const narrow = await start({ maxUnreadBytes: LIMIT });
      const [slow, quick] = [await client(narrow), await client(narrow)];
      const [slowId, quickId] = [await slow.subscribe('logs'), await quick.subscribe('logs')];
      slow.socket.pause();
      for (let i = 0; i < 120; i++) addLargeBlock();
      await quick.whenResults(quickId, 120);
      slow.socket.send(JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'eth_unsubscribe', params: [slowId] }));
      await until('one subscription less', () => (narrow.counted.subscriptions.get('logs') === 1 ? true : undefined));
      addLargeBlock();
      await quick.whenResults(quickId, 121);
      assert.equal(narrow.counted.lagged, 0);
      slow.socket.resume();
      assert.deepEqual(await until('the answer', () => slow.answers[1]), { jsonrpc: '2.0', id: 9, result: true });
    });

    it('disconnects a client without room for pending transactions', async () => {
      const narrow = await start({ maxUnreadBytes: LIMIT });
      const stuck = await client(narrow);
      await stuck.subscribe('newPendingTransactions', true);
      stuck.socket.pause();
      const transaction = l2Transaction('0x2');
      await until('the disconnection', () => {
        for (let i = 0; i < 1_000; i++) chain.announcePending(transaction);
        return narrow.counted.lagged === 1 ? true : undefined;
      });
      await until('no connection', () => (narrow.counted.webSockets === 0 ? true : undefined));
    });

    it('cuts a client that asks and does not read, and keeps one that reads slowly', async () => {
      for (let i = 0; i < 4; i++) addLargeBlock();
      const pinging = await start({ pingIntervalMs: 200, maxUnreadBytes: LIMIT });
      const [stuck, slow] = [await client(pinging), await client(pinging)];
      const pauses = setInterval(() => (slow.socket.isPaused ? slow.socket.resume() : slow.socket.pause()), 20);
      try {
        stuck.socket.pause();
        for (let id = 0; id < 100; id++) {
          const params = [{ fromBlock: '0x1', toBlock: '0x4' }];
          const request = JSON.stringify({ jsonrpc: '2.0', id, method: 'eth_getLogs', params });
          for (const { socket } of [stuck, slow]) socket.send(request);
        }
        await until('one connection less', () => (pinging.counted.webSockets === 1 ? true : undefined), 5_000);
        await until('all answers', () => (slow.answers.length === 100 ? true : undefined));
        assert.equal((await slow.call('eth_chainId')).result, '0x10e');
      } finally {
        clearInterval(pauses);
      }
    });

    it('pings, and cuts who does not answer', async () => {
      const pinging = await start({ pingIntervalMs: 200 });
      const alive = await client(pinging);
      const silent = connect(pinging.server.port, '127.0.0.1');
      clients.push(alive);
      silent.write(
        'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
      );
      silent.resume();
      let pings = 0;
      alive.socket.on('ping', () => (pings += 1));
      await once(silent, 'close');
      await until('more pings', () => (pings >= 3 ? true : undefined));
      assert.equal((await alive.call('eth_chainId')).result, '0x10e');
    });
  });

  it('closes the connection when a block cannot be read, and says why to the node', async () => {
    const socket = await client();
    await socket.subscribe('newHeads');
    chain.latest = 7;
    chain.announceLatest();
    assert.equal(await until('the close', () => socket.closed), 1011);
    assert.equal(test.counted.internalErrors.length, 1);
    chain.latest = undefined;
  });
});
