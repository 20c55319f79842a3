import assert from 'node:assert/strict';
import { bytesKey, fromHex, toHex } from '../../src/common/bytes.ts';
import { deployedAccountFields, encodeAccountRecord } from '../../src/protocol/accountRecord.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { anAddress, code } from '../support/factories.ts';
import type { TestServer } from './fakeBackend.ts';
import { BASE_FEE, FakeChain, startTestServer } from './fakeBackend.ts';
import { EMITTER, l1Transaction, topic, TYPED_CASES } from './samples.ts';

type Json = Readonly<Record<string, unknown>>;
interface BlockPage {
  readonly fullblock: Json & { readonly transactions: readonly Json[] };
  readonly receipts: readonly Json[];
}

const UNKNOWN = `0x${'12'.repeat(32)}`;

describe('ots methods that need no index', () => {
  const chain = new FakeChain();
  const sevenCases = TYPED_CASES.slice(0, 7);
  let test: TestServer;
  let hashes: string[];

  before(async () => {
    const transactions = sevenCases.map(({ raw, sender }, i) => ({
      raw: fromHex(raw),
      sender: fromHex(sender),
      success: i !== 3,
      logs: [{ address: EMITTER, topics: [topic(1)], data: Uint8Array.of(1) }],
    }));
    chain.addBlock(transactions);
    chain.addBlock([l1Transaction()]);
    hashes = transactions.map(({ raw }) => toHex(decodeTransaction(raw).hash));
    test = await startTestServer(chain);
  });

  beforeEach(() => {
    chain.traceRequests.length = 0;
    chain.latest = undefined;
    chain.unread = 0;
  });

  after(() => test.server.close({ timeoutMs: 500 }));

  async function answer<T = Json>(method: string, ...params: unknown[]): Promise<T> {
    const { error, result } = await test.call(method, ...params);
    assert.equal(error, undefined, method);
    return result as T;
  }

  const failure = async (method: string, ...params: unknown[]) => (await test.call(method, ...params)).error;

  it('answer what Otterscan asks first', async () => {
    assert.equal(await answer('eth_blockNumber'), '0x2');
    assert.equal((await answer('erigon_getHeaderByNumber', 'latest'))['number'], '0x2');
    assert.equal(await answer('ots_getApiLevel'), 8);
    assert.equal(await answer('eth_chainId'), '0x10e');
  });

  it('are served with the namespace ots, the alias of erigon included', async () => {
    const other = await startTestServer(chain, { namespaces: ['eth'] });
    for (const method of ['ots_getApiLevel', 'erigon_getHeaderByNumber'])
      assert.equal((await other.call(method, 'latest')).error?.code, -32601);
    await other.server.close({ timeoutMs: 500 });
  });

  it('take a tag, a quantity or a plain number for a block', async () => {
    const header = await answer('eth_getHeaderByNumber', '0x1');
    for (const method of ['ots_getHeaderByNumber', 'erigon_getHeaderByNumber']) {
      for (const block of ['0x1', 1]) assert.deepEqual(await answer(method, block), header);
      assert.equal((await answer(method, 'earliest'))['number'], '0x0');
      assert.equal(await answer(method, 9), null);
    }
    assert.equal((await failure('eth_getBlockByNumber', 1))?.code, -32602);
    for (const wrong of [-1, 1.5, '1', 2 ** 53, {}])
      assert.equal((await failure('ots_getHeaderByNumber', wrong))?.code, -32602);
  });

  it('tell a block that is not readable yet from one that does not exist', async () => {
    chain.unread = 3;
    for (const method of ['ots_getBlockDetails', 'ots_getHeaderByNumber'])
      assert.equal((await failure(method, 4))?.code, -32001);
    assert.equal(await answer('ots_getBlockDetails', 99), null);
    assert.equal(await answer('ots_getBlockDetailsByHash', UNKNOWN), null);
    assert.equal(await answer('ots_getBlockTransactions', 99, 0, 5), null);
  });

  it('show the details of a block with its fees, without its transactions', async () => {
    const { transactions, ...block } = await answer('eth_getBlockByNumber', '0x1');
    assert.equal((transactions as unknown[]).length, 7);
    const details = {
      block: { ...block, transactionCount: 7 },
      issuance: { blockReward: '0x0', uncleReward: '0x0', issuance: '0x0' },
      totalFees: `0x${(7n * 21_000n * BASE_FEE).toString(16)}`,
    };
    assert.deepEqual(await answer('ots_getBlockDetails', 1), details);
    assert.deepEqual(await answer('ots_getBlockDetailsByHash', block['hash']), details);
    const genesis = await answer('ots_getBlockDetails', 0);
    assert.deepEqual([(genesis['block'] as Json)['transactionCount'], genesis['totalFees']], [0, '0x0']);
  });

  it('X10: page through a block from its end, without repeats or gaps', async () => {
    const pages: (readonly Json[])[] = [];
    for (let page = 0; page < 4; page++) {
      const { fullblock, receipts } = await answer<BlockPage>('ots_getBlockTransactions', 1, page, 3);
      assert.equal(fullblock['transactionCount'], 7);
      assert.deepEqual(
        receipts.map((receipt) => receipt['transactionHash']),
        fullblock.transactions.map(({ hash }) => hash),
      );
      pages.unshift(fullblock.transactions);
    }
    assert.deepEqual(
      pages.map(({ length }) => length),
      [0, 1, 3, 3],
    );
    assert.deepEqual(
      pages.flat().map(({ hash }) => hash),
      hashes,
    );
  });

  it('shorten the transactions and receipts of a block', async () => {
    const { fullblock, receipts } = await answer<BlockPage>('ots_getBlockTransactions', '0x1', 0, 7);
    for (const [i, hash] of hashes.entries()) {
      const whole = await answer('eth_getTransactionByHash', hash);
      const receipt = await answer('eth_getTransactionReceipt', hash);
      assert.deepEqual(fullblock.transactions[i], { ...whole, input: String(whole['input']).slice(0, 10) });
      assert.deepEqual(receipts[i], { ...receipt, logs: null, logsBloom: null, timestamp: 1_700_000_001 });
    }
  });

  it('refuse pages of no size, or too long ones', async () => {
    for (const size of [0, 501, -1, 'x'])
      assert.equal((await failure('ots_getBlockTransactions', 1, 0, size))?.code, -32602);
    assert.equal((await answer<BlockPage>('ots_getBlockTransactions', 1, 2 ** 52, 500)).receipts.length, 0);
  });

  it('say whether an account has code', async () => {
    const account = anAddress(0xacc);
    const base = { nonce: 1n, balance: 0n };
    chain.accounts.set(bytesKey(account), encodeAccountRecord({ ...base, ...deployedAccountFields(code(0x00)) }));
    assert.equal(await answer('ots_hasCode', toHex(account), 'latest'), true);
    assert.equal(await answer('ots_hasCode', toHex(account), 1), true);
    assert.equal(await answer('ots_hasCode', toHex(anAddress(1))), false);
    assert.equal((await failure('ots_hasCode', toHex(account), 99))?.code, -32001);
  });

  it('find the transaction of a sender and nonce, never one of L1', async () => {
    const [first] = sevenCases;
    assert.ok(first !== undefined);
    const { nonce } = decodeTransaction(fromHex(first.raw));
    const ask = (sender: string, number: bigint): Promise<unknown> =>
      answer('ots_getTransactionBySenderAndNonce', sender, Number(number));
    assert.equal(await ask(first.sender, nonce), hashes[0]);
    assert.equal(await ask(first.sender, 123_456n), null);
    const l1 = l1Transaction();
    assert.equal(await ask(toHex(l1.sender), decodeTransaction(l1.raw).nonce), null);
    chain.latest = 0;
    assert.equal(await ask(first.sender, nonce), null);
  });

  it('have the transaction executed again for its calls and operations', async () => {
    chain.trace = async () => '[{"type":0}]';
    for (const [method, shape] of [
      ['ots_traceTransaction', 'calls'],
      ['ots_getInternalOperations', 'operations'],
    ] as const) {
      assert.deepEqual(await answer(method, hashes[2]), [{ type: 0 }]);
      const tracer = { name: 'callList', config: { shape } };
      const asked = { kind: 'transaction', blockNumber: 1, transactionIndex: 2, tracer, timeoutMs: undefined };
      assert.deepEqual(chain.traceRequests.at(-1), asked);
      assert.equal((await failure(method, UNKNOWN))?.message, 'transaction not found');
      chain.latest = 0;
      assert.equal((await failure(method, hashes[2]))?.message, 'transaction not found');
      chain.latest = undefined;
    }
  });

  it('give the revert data of a transaction that failed, and execute no other for it', async () => {
    chain.trace = async () => '{"type":"CALL","output":"0x08c379a0","error":"execution reverted"}';
    assert.equal(await answer('ots_getTransactionError', hashes[2]), '0x');
    assert.equal(chain.traceRequests.length, 0);
    assert.equal(await answer('ots_getTransactionError', hashes[3]), '0x08c379a0');
    chain.trace = async () => '{"type":"CALL","error":"out of gas"}';
    assert.equal(await answer('ots_getTransactionError', hashes[3]), '0x');
  });
});
