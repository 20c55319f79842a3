import assert from 'node:assert/strict';
import { toHex } from '../../src/common/bytes.ts';
import { systemRandom } from '../../src/common/clock.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { type FilterSettings, Filters } from '../../src/rpc/filters.ts';
import { parseLogQuery } from '../../src/rpc/logQuery.ts';
import { PendingFeed } from '../../src/rpc/pendingFeed.ts';
import { FakeClock } from '../support/fakeClock.ts';
import type { TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { l2Transaction } from './samples.ts';

const ADDRESS = new Uint8Array(20).fill(0xaa);
const OTHER = new Uint8Array(20).fill(0xbb);
const TTL_MS = 60_000;

type JsonRecord = Readonly<Record<string, unknown>>;

function aLog(address = ADDRESS, data = Uint8Array.of(1)): Log {
  return { address, topics: [], data };
}

function addLogs(chain: FakeChain, ...logs: Log[]): void {
  chain.addBlock([l2Transaction('0x2', { logs })]);
}

const numbersOf = (logs: readonly unknown[]): number[] =>
  logs.map((log) => Number((log as { blockNumber: string }).blockNumber));

describe('rpc filters', () => {
  let chain: FakeChain;
  let test: TestServer;

  beforeEach(async () => {
    chain = new FakeChain();
    chain.addBlock([]);
    test = await startTestServer(chain);
  });

  afterEach(async () => {
    await test.server.close({ timeoutMs: 200 });
    assert.equal(chain.pendingListeners.size, 0, 'somebody still looks at the pool');
  });

  async function install(method: string, ...params: unknown[]): Promise<string> {
    const { result, error } = await test.call(method, ...params);
    assert.equal(error, undefined);
    assert.match(String(result), /^0x[1-9a-f][0-9a-f]*$/);
    return String(result);
  }

  async function changes(id: string): Promise<readonly unknown[]> {
    const { result, error } = await test.call('eth_getFilterChanges', id);
    assert.equal(error, undefined);
    return result as unknown[];
  }

  async function assertGone(id: string): Promise<void> {
    for (const method of ['eth_getFilterChanges', 'eth_getFilterLogs']) {
      const { error } = await test.call(method, id);
      assert.deepEqual([error?.code, error?.message], [-32000, 'filter not found'], method);
    }
  }

  it('blocks: nothing of before, every hash since the last poll, and they are those of the blocks (X3, X9)', async () => {
    const id = await install('eth_newBlockFilter');
    assert.deepEqual(await changes(id), []);
    addLogs(chain, aLog());
    chain.addBlock([]);
    const blocks = await Promise.all(['0x2', '0x3'].map((number) => test.call('eth_getBlockByNumber', number, false)));
    assert.deepEqual(
      await changes(id),
      blocks.map(({ result }) => (result as JsonRecord)['hash']),
    );
    assert.deepEqual(await changes(id), []);
    assert.equal((await test.call('eth_uninstallFilter', id)).result, true);
    assert.equal((await test.call('eth_uninstallFilter', id)).result, false);
    await assertGone(id);
  });

  it('blocks: a poll after very many gives them in parts, without loss', async () => {
    const id = await install('eth_newBlockFilter');
    for (let i = 0; i < 1_050; i++) chain.addBlock([]);
    const [first, second] = [await changes(id), await changes(id)];
    assert.deepEqual([first.length, second.length], [1_000, 50]);
    assert.equal(
      second.at(-1),
      ((await test.call('eth_getBlockByNumber', 'latest', false)).result as JsonRecord)['hash'],
    );
  });

  it('pending transactions: hashes at once, without a block (X4), or whole ones', async () => {
    const [hashes, full] = [
      await install('eth_newPendingTransactionFilter'),
      await install('eth_newPendingTransactionFilter', true),
    ];
    const transaction = l2Transaction('0x2');
    chain.announcePending(transaction);
    const hash = toHex(decodeTransaction(transaction.raw).hash);
    assert.deepEqual(await changes(hashes), [hash]);
    assert.deepEqual(await changes(hashes), []);
    const [whole] = (await changes(full)) as JsonRecord[];
    assert.deepEqual(
      [whole?.['hash'], whole?.['blockHash'], whole?.['gasPrice']],
      [hash, null, whole?.['maxFeePerGas']],
    );
    const { error } = await test.call('eth_getFilterLogs', hashes);
    assert.equal(error?.message, 'filter not found');
  });

  it('pending transactions: keeps so many until the poll, and no more', async () => {
    const id = await install('eth_newPendingTransactionFilter');
    const transaction = l2Transaction('0x2');
    for (let i = 0; i < 2_100; i++) chain.announcePending(transaction);
    assert.equal((await changes(id)).length, 2_048);
    chain.announcePending(transaction);
    assert.equal((await changes(id)).length, 1);
  });

  it('pending transactions: keeps no more than an answer holds', async () => {
    const narrow = await startTestServer(chain, { maxResponseBytes: 10_000 });
    try {
      const { result: id } = await narrow.call('eth_newPendingTransactionFilter', true);
      for (let i = 0; i < 100; i++) chain.announcePending(l2Transaction('0x2'));
      const { result, error } = await narrow.call('eth_getFilterChanges', id);
      assert.equal(error, undefined);
      const told = result as unknown[];
      assert.ok(told.length > 1 && told.length < 100);
      assert.deepEqual((await narrow.call('eth_getFilterChanges', id)).result, []);
      chain.announcePending(l2Transaction('0x2'));
      assert.equal(((await narrow.call('eth_getFilterChanges', id)).result as unknown[]).length, 1);
    } finally {
      await narrow.server.close({ timeoutMs: 200 });
    }
  });

  it('logs: those of every block between two polls (X2), getFilterLogs all of the range, again and again', async () => {
    addLogs(chain, aLog());
    const id = await install('eth_newFilter', { address: toHex(ADDRESS), fromBlock: '0x0', toBlock: 'latest' });
    assert.deepEqual(await changes(id), []);
    for (let i = 0; i < 3; i++) addLogs(chain, aLog(), aLog(OTHER));
    const logs = await changes(id);
    assert.deepEqual(numbersOf(logs), [3, 4, 5]);
    assert.deepEqual(
      logs,
      (await test.call('eth_getLogs', { address: toHex(ADDRESS), fromBlock: '0x3', toBlock: '0x5' })).result,
    );
    assert.deepEqual(await changes(id), []);
    for (let i = 0; i < 2; i++) {
      const { result } = await test.call('eth_getFilterLogs', id);
      assert.deepEqual(numbersOf(result as unknown[]), [2, 3, 4, 5]);
    }
  });

  it('logs: only those inside of the range, which may lie ahead', async () => {
    const id = await install('eth_newFilter', { fromBlock: '0x3', toBlock: '0x4' });
    assert.deepEqual((await test.call('eth_getFilterLogs', id)).result, []);
    addLogs(chain, aLog());
    assert.deepEqual(await changes(id), []);
    for (let i = 0; i < 3; i++) addLogs(chain, aLog());
    assert.deepEqual(numbersOf(await changes(id)), [3, 4]);
    addLogs(chain, aLog());
    assert.deepEqual(await changes(id), []);
    assert.deepEqual(numbersOf((await test.call('eth_getFilterLogs', id)).result as unknown[]), [3, 4]);
  });

  it('logs: a moving end is followed', async () => {
    const id = await install('eth_newFilter', { fromBlock: '0x0', toBlock: 'finalized' });
    for (let i = 0; i < 3; i++) addLogs(chain, aLog());
    assert.deepEqual(await changes(id), []);
    [chain.safe, chain.finalized] = [4, 3];
    assert.deepEqual(numbersOf(await changes(id)), [2, 3]);
    chain.finalized = 4;
    assert.deepEqual(numbersOf(await changes(id)), [4]);
  });

  it('logs: of one block by hash, when it comes', async () => {
    const hash = toHex(chain.addBlock([l2Transaction('0x2', { logs: [aLog()] })]).block.hash);
    const past = await install('eth_newFilter', { blockHash: hash });
    assert.deepEqual(await changes(past), []);
    assert.deepEqual(numbersOf((await test.call('eth_getFilterLogs', past)).result as unknown[]), [2]);
  });

  it('logs: what is too much for one answer comes with the next polls', async () => {
    await test.server.close({ timeoutMs: 200 });
    test = await startTestServer(chain, { maxLogsPerResponse: 5, maxBlocksPerFilter: 8 });
    const id = await install('eth_newFilter', {});
    for (let i = 0; i < 20; i++) addLogs(chain, aLog(), aLog());
    addLogs(chain, ...Array.from({ length: 9 }, () => aLog()));
    const seen: number[] = [];
    for (let poll = 0; poll < 40; poll++) seen.push(...numbersOf(await changes(id)));
    const expected = Array.from({ length: 20 }, (_, i) => [i + 2, i + 2]).flat();
    assert.deepEqual(seen, [...expected, ...Array.from({ length: 9 }, () => 22)]);
  });

  it('logs: nothing is lost when an answer is larger than the limit of answers', async () => {
    await test.server.close({ timeoutMs: 200 });
    test = await startTestServer(chain, { maxResponseBytes: 4_000 });
    const id = await install('eth_newFilter', {});
    for (let i = 0; i < 6; i++) addLogs(chain, aLog(ADDRESS, new Uint8Array(600)));
    const seen: number[] = [];
    for (let poll = 0; poll < 6; poll++) seen.push(...numbersOf(await changes(id)));
    assert.deepEqual(seen, [2, 3, 4, 5, 6, 7]);
  });

  it('refuses an impossible range and ids that are none', async () => {
    const { error } = await test.call('eth_newFilter', { fromBlock: '0x5', toBlock: '0x4' });
    assert.deepEqual([error?.code, error?.message], [-32602, 'invalid block range params']);
    assert.equal((await test.call('eth_newFilter', { fromBlock: '0x5', toBlock: '0x5' })).error, undefined);
    await assertGone('0x1234');
    assert.equal((await test.call('eth_getFilterChanges', 7)).error?.code, -32602);
  });

  it('two polls at once do not tell the same twice', async () => {
    const id = await install('eth_newBlockFilter');
    for (let i = 0; i < 10; i++) chain.addBlock([]);
    const both = await Promise.all([changes(id), changes(id)]);
    assert.deepEqual(both.map(({ length }) => length).sort(), [0, 10]);
  });
});

describe('the life of filters', () => {
  let chain: FakeChain;
  let clock: FakeClock;
  let installed: number;
  let expired: number;

  beforeEach(() => {
    [chain, clock, installed, expired] = [new FakeChain(), new FakeClock(), 0, 0];
  });

  function filters(settings: Partial<FilterSettings> = {}): Filters {
    const backend = chain.backend();
    return new Filters({
      backend,
      pending: new PendingFeed(backend.pool),
      limits: { maxBlocks: 100, maxLogs: 100 },
      maxResponseBytes: 100_000,
      clock,
      random: systemRandom,
      metrics: {
        filters: (count) => (installed = count),
        filterExpired: () => (expired += 1),
        logsScanned: () => undefined,
      },
      filterTtlMs: TTL_MS,
      maxFilters: 3,
      ...settings,
    });
  }

  it('ends when nobody polls, and is renewed by every poll (X5)', async () => {
    const all = filters();
    const [polled, left] = [all.newBlockFilter(), await all.newPendingFilter(false)];
    for (let i = 0; i < 3; i++) {
      clock.advance(TTL_MS * 0.6);
      assert.equal((await all.changes(polled)).text, '[]');
    }
    assert.deepEqual([installed, expired, chain.pendingListeners.size], [1, 1, 0]);
    assert.throws(() => all.changes(left), /filter not found/);
    clock.advance(TTL_MS);
    assert.throws(() => all.changes(polled), /filter not found/);
    assert.equal(all.uninstall(polled), false);
    assert.deepEqual([installed, expired], [0, 2]);
    clock.advance(TTL_MS);
    assert.equal(clock.untilNext, undefined, 'nothing is left to look after');
  });

  it('getFilterLogs renews it too', async () => {
    const all = filters();
    const id = all.newLogFilter(parseLogQuery({}, 'filter'));
    for (let i = 0; i < 3; i++) {
      clock.advance(TTL_MS * 0.6);
      assert.equal((await all.logs(id)).text, '[]');
    }
  });

  it('keeps a bounded number', async () => {
    const all = filters();
    const first = all.newBlockFilter();
    const pending = all.newPendingFilter(true);
    all.newBlockFilter();
    assert.throws(() => all.newBlockFilter(), /too many filters: at most 3/);
    await assert.rejects(all.newPendingFilter(false), /too many filters/);
    all.uninstall(first);
    all.newLogFilter(parseLogQuery({}, 'filter'));
    await pending;
    assert.equal(installed, 3);
    clock.advance(TTL_MS);
    assert.ok(all.newBlockFilter());
  });

  it('leaves the pool alone after the end', async () => {
    const all = filters();
    await all.newPendingFilter(false);
    assert.equal(chain.pendingListeners.size, 1);
    all.close();
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual([installed, chain.pendingListeners.size, clock.untilNext], [0, 0, undefined]);
  });
});
