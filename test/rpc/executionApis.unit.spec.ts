import assert from 'node:assert/strict';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import type { TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { EMITTER, TYPED_CASES, l1Transaction, topic } from './samples.ts';
import { schemaProblems } from './schema.ts';

describe('answers against the execution-apis schemas', () => {
  let chain: FakeChain;
  let test: TestServer;

  before(async () => {
    chain = new FakeChain();
    const log = { address: EMITTER, topics: [topic(1), topic(2)], data: Uint8Array.of(1, 2) };
    chain.addBlock(TYPED_CASES.map(({ raw, sender }) => ({ raw: fromHex(raw), sender: fromHex(sender), logs: [log] })));
    chain.addBlock([l1Transaction()]);
    test = await startTestServer(chain);
  });

  after(() => test.server.close({ timeoutMs: 500 }));

  async function conforms(schema: string, method: string, ...params: unknown[]): Promise<unknown> {
    const { result, error } = await test.call(method, ...params);
    assert.equal(error, undefined);
    assert.deepEqual(schemaProblems(result, schema), [], `${method} ${JSON.stringify(params)}`);
    return result;
  }

  it('has a check that finds faults', () => {
    assert.notDeepEqual(schemaProblems('0x01', 'uint'), []);
    assert.notDeepEqual(schemaProblems({ hash: '0x' }, 'Block'), []);
    assert.notDeepEqual(schemaProblems({}, 'TransactionInfo'), []);
  });

  it('blocks', async () => {
    await conforms('Block', 'eth_getBlockByNumber', 'earliest', true);
    await conforms('Block', 'eth_getBlockByNumber', '0x1', false);
    await conforms('Block', 'eth_getBlockByNumber', '0x1', true);
    await conforms('Block', 'eth_getBlockByNumber', '0x2', false);
  });

  it('L2 transactions', async () => {
    for (const { hash } of TYPED_CASES) await conforms('TransactionInfo', 'eth_getTransactionByHash', hash);
  });

  it('receipts, apart from the extension of L2 to L1 logs', async () => {
    const receipts = (await test.call('eth_getBlockReceipts', '0x1')).result as Record<string, unknown>[];
    receipts.push(
      (await test.call('eth_getTransactionReceipt', toHex(decodeTransaction(l1Transaction().raw).hash)))
        .result as Record<string, unknown>,
    );
    assert.ok(receipts.length > 5);
    for (const { l2ToL1Logs, ...standard } of receipts) {
      assert.ok(Array.isArray(l2ToL1Logs));
      assert.deepEqual(schemaProblems(standard, 'ReceiptInfo'), []);
    }
  });

  it('logs', async () => {
    const logs = await conforms('FilterResults', 'eth_getLogs', { fromBlock: '0x1' });
    assert.ok(Array.isArray(logs) && logs.length > 5);
    for (const log of logs) assert.deepEqual(schemaProblems(log, 'Log'), []);
  });

  it('fees, state and the rest', async () => {
    await conforms('FeeHistory', 'eth_feeHistory', '0x3', 'latest', [10, 90]);
    await conforms('uint', 'eth_gasPrice');
    await conforms('uint', 'eth_getBalance', toHex(EMITTER));
    await conforms('bytes', 'eth_getCode', toHex(EMITTER));
    await conforms('bytes32', 'eth_getStorageAt', toHex(EMITTER), '0x0');
    await conforms('bytes', 'eth_call', {});
    await conforms('uint', 'eth_estimateGas', {});
    await conforms('SyncingStatus', 'eth_syncing');
    chain.unread = 100;
    await conforms('SyncingStatus', 'eth_syncing');
    chain.unread = 0;
  });
});
