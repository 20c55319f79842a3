import assert from 'node:assert/strict';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import type { BlockHeader } from '../../src/protocol/blockOutput.ts';
import type { StoredReceipt, StoredTransaction } from '../../src/projections/repositoriesReader.ts';
import {
  blockObject,
  headerObject,
  pendingTransactionObject,
  receiptJson,
  receiptObject,
  receiptsJson,
  transactionObject,
} from '../../src/rpc/objects.ts';
import { FakeChain, vectorFile } from './fakeBackend.ts';
import { EMITTER, L1_SHAPE, TYPED_CASES, l1Transaction, l2Transaction, topic } from './samples.ts';

interface HeaderVector {
  readonly stored_header: Record<string, string>;
  readonly hash: string;
}

const quantityOf = (decimal: unknown): string => `0x${BigInt(String(decimal)).toString(16)}`;

function storedHeader(vector: Record<string, string>): BlockHeader {
  const bytes = (key: string) => fromHex(vector[key] ?? '');
  const int = (key: string) => BigInt(vector[key] ?? '');
  return {
    parentHash: bytes('parentHash'),
    ommersHash: bytes('ommersHash'),
    beneficiary: bytes('beneficiary'),
    stateRoot: bytes('stateRoot'),
    transactionsRoot: bytes('transactionsRoot'),
    receiptsRoot: bytes('receiptsRoot'),
    logsBloom: bytes('logsBloom'),
    difficulty: int('difficulty'),
    number: int('number'),
    gasLimit: int('gasLimit'),
    gasUsed: int('gasUsed'),
    timestamp: int('timestamp'),
    extraData: bytes('extraData'),
    mixHash: bytes('mixHash'),
    nonce: bytes('nonce'),
    baseFeePerGas: int('baseFeePerGas'),
  };
}

describe('rpc objects', () => {
  it('shows real headers field by field, under the stored hash', () => {
    const renamed: Record<string, string> = { ommersHash: 'sha3Uncles', beneficiary: 'miner' };
    const numbers = new Set(['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp', 'baseFeePerGas']);
    const { headers } = vectorFile<{ headers: HeaderVector[] }>('header/real_headers_0_14.json');
    assert.ok(headers.length > 10);
    for (const { stored_header: vector, hash } of headers) {
      const block = { header: storedHeader(vector), hash: fromHex(hash), transactionHashes: [], sizeBytes: 545 };
      const shown = headerObject(block);
      assert.equal(shown['hash'], hash);
      assert.equal(shown['size'], '0x221');
      for (const [key, value] of Object.entries(vector)) {
        assert.equal(shown[renamed[key] ?? key], numbers.has(key) ? quantityOf(value) : value, key);
      }
      assert.deepEqual(blockObject(block), { ...shown, uncles: [] });
    }
  });

  it('keeps the usual order of block fields and adds none', () => {
    const block = new FakeChain().addBlock([]).block;
    assert.deepEqual(
      Object.keys(headerObject(block)).join(),
      'hash,parentHash,sha3Uncles,miner,stateRoot,transactionsRoot,receiptsRoot,logsBloom,difficulty,number,gasLimit,gasUsed,timestamp,extraData,mixHash,nonce,baseFeePerGas,totalDifficulty,size',
    );
  });

  it('shows mined L2 transactions field by field', () => {
    assert.ok(TYPED_CASES.length > 5);
    for (const { raw, hash, chain_id, sender, decoded } of TYPED_CASES) {
      const { transactions, block } = new FakeChain().addBlock([{ raw: fromHex(raw), sender: fromHex(sender) }]);
      const shown = transactionObject(transactions[0] as StoredTransaction);
      const type = decoded['type'];
      const expected: Record<string, unknown> = {
        type,
        hash,
        from: sender,
        nonce: quantityOf(decoded['nonce']),
        gas: quantityOf(decoded['gasLimit']),
        to: decoded['to'] ?? null,
        value: quantityOf(decoded['value']),
        input: decoded['input'],
        r: quantityOf(decoded['r']),
        s: quantityOf(decoded['s']),
        gasPrice: '0x3e8',
        blockHash: toHex(block.hash),
        blockNumber: '0x1',
        blockTimestamp: quantityOf(block.header.timestamp),
        transactionIndex: '0x0',
      };
      const parity = BigInt(String(decoded['yParity']));
      if (decoded['chainId'] !== null && decoded['chainId'] !== undefined)
        expected['chainId'] = quantityOf(decoded['chainId']);
      if (type === '0x0') {
        const chainId = chain_id === null ? undefined : BigInt(decoded['chainId'] as string);
        expected['v'] = quantityOf(chainId === undefined ? 27n + parity : 35n + 2n * chainId + parity);
        assert.equal(chain_id === null, expected['chainId'] === undefined);
      } else {
        expected['v'] = quantityOf(parity);
        expected['yParity'] = quantityOf(parity);
        expected['accessList'] = shown['accessList'];
        assert.ok(Array.isArray(shown['accessList']));
      }
      if (type === '0x2') {
        expected['maxFeePerGas'] = quantityOf(decoded['maxFeePerGas']);
        expected['maxPriorityFeePerGas'] = quantityOf(decoded['maxPriorityFeePerGas']);
      }
      assert.deepEqual(shown, expected, hash);
    }
  });

  it('shows access lists', () => {
    for (const { raw, sender, decoded } of TYPED_CASES) {
      const listed = decoded['accessList'];
      if (!Array.isArray(listed)) continue;
      const shown = pendingTransactionObject({ raw: fromHex(raw), sender: fromHex(sender) })['accessList'] as {
        address: string;
        storageKeys: string[];
      }[];
      assert.equal(shown.length, listed.length);
      for (const entry of shown) {
        assert.match(entry.address, /^0x[0-9a-f]{40}$/);
        for (const key of entry.storageKeys) assert.match(key, /^0x[0-9a-f]{64}$/);
      }
    }
  });

  it('shows pending transactions without a place and with the fee cap as price', () => {
    const { raw, sender } = l2Transaction('0x2');
    const shown = pendingTransactionObject({ raw, sender });
    assert.equal(shown['gasPrice'], shown['maxFeePerGas']);
    for (const key of ['blockHash', 'blockNumber', 'blockTimestamp', 'transactionIndex'])
      assert.equal(shown[key], null, key);
  });

  it('shows a priority transaction as the vector does, in its order', () => {
    const { raw, sender } = l1Transaction();
    const meta = {
      blockHash: fromHex('0xb88bcbb8c3d67a79e4330b9410fb613f5d4d13747cdc80747b4c29ad32dbdfcc'),
      blockNumber: 3,
      blockTimestamp: 1n,
      transactionIndex: 0,
      effectiveGasPrice: 1n,
      logsBefore: 0,
      gasUsed: 1n,
      contractAddress: undefined,
    };
    const zeroWord = `0x${'00'.repeat(32)}`;
    const expected = {
      ...L1_SHAPE,
      v: '0x0',
      r: zeroWord,
      s: zeroWord,
      yParity: '0x0',
      blockHash: '0xb88bcbb8c3d67a79e4330b9410fb613f5d4d13747cdc80747b4c29ad32dbdfcc',
      blockNumber: '0x3',
      transactionIndex: '0x0',
      from: '0x357fe6c9f85dc429596577cf2e7a191f60b6865b',
      gasPrice: '0xee6fcf4',
    };
    assert.equal(JSON.stringify(transactionObject({ raw, sender, meta })), JSON.stringify(expected));
  });

  it('shows an upgrade transaction with the same keys', () => {
    const { transactions } = new FakeChain().addBlock([l1Transaction({ type: 0x7e }), l1Transaction()]);
    const [upgrade, priority] = transactions.map(transactionObject);
    assert.deepEqual(Object.keys(upgrade ?? {}), Object.keys(priority ?? {}));
    assert.equal(upgrade?.['type'], '0x7e');
    assert.equal(priority?.['transactionIndex'], '0x1');
  });

  it('writes receipts piece by piece as they are shown, up to a limit', async () => {
    const log = (n: number) => ({ address: EMITTER, topics: [topic(n)], data: Uint8Array.of(n) });
    const toL1 = { shardId: 0, isService: true, txNumberInBlock: 0, sender: EMITTER, key: topic(1), value: topic(2) };
    const { receipts } = new FakeChain().addBlock([
      l2Transaction('0x0', { logs: [log(1), log(2)], l2ToL1Logs: [toL1, toL1] }),
      l2Transaction('0x2', { logs: [] }),
    ]);
    const text = JSON.stringify(receipts.map(receiptObject));
    assert.equal((await receiptsJson(receipts, text.length + 1)).text, text);
    await assert.rejects(receiptsJson(receipts, text.length / 2), /Response is too big/);
    const [first] = receipts;
    assert.ok(first !== undefined);
    assert.equal((await receiptJson(first, text.length)).text, JSON.stringify(receiptObject(first)));
    await assert.rejects(receiptJson(first, 500), /Response is too big/);
  });

  it('shows receipts with block-wide log indexes', () => {
    const log = (n: number) => ({ address: EMITTER, topics: [topic(n)], data: Uint8Array.of(n) });
    const { receipts, block } = new FakeChain().addBlock([
      l2Transaction('0x0', { logs: [log(1), log(2)] }),
      l2Transaction('0x2', { logs: [log(3)], success: false, contractAddress: EMITTER }),
    ]);
    const [first, second] = receipts.map(receiptObject);
    assert.equal(
      Object.keys(first ?? {}).join(),
      'transactionHash,transactionIndex,blockHash,blockNumber,gasUsed,effectiveGasPrice,from,to,contractAddress,type,status,cumulativeGasUsed,logs,logsBloom,l2ToL1Logs',
    );
    assert.equal(first?.['status'], '0x1');
    assert.equal(first['contractAddress'], null);
    assert.equal(second?.['status'], '0x0');
    assert.equal(second['contractAddress'], toHex(EMITTER));
    assert.equal(second['cumulativeGasUsed'], quantityOf(42_000));
    assert.deepEqual(second['logs'], [
      {
        address: toHex(EMITTER),
        topics: [toHex(topic(3))],
        data: '0x03',
        blockHash: toHex(block.hash),
        blockNumber: '0x1',
        blockTimestamp: quantityOf(block.header.timestamp),
        transactionHash: second['transactionHash'],
        transactionIndex: '0x1',
        logIndex: '0x2',
        removed: false,
      },
    ]);
  });

  it('shows L2 to L1 logs in both spellings, from the receipts of the vectors', () => {
    interface ReceiptVector {
      readonly tx_hash: string;
      readonly decoded: {
        readonly type: number;
        readonly status: string;
        readonly cumulative_gas_used: string;
        readonly l2_to_l1_logs: Record<string, string>[];
      };
      readonly tx_meta: Record<string, string | null>;
    }
    const { cases } = vectorFile<{ cases: ReceiptVector[] }>('receipt/receipts.json');
    assert.ok(cases.some(({ decoded }) => decoded.l2_to_l1_logs.length > 0));
    for (const { tx_hash, decoded, tx_meta } of cases) {
      const text = (key: string) => tx_meta[key] ?? '0';
      const stored: StoredReceipt = {
        transactionHash: fromHex(tx_hash),
        transactionType: decoded.type,
        sender: EMITTER,
        to: EMITTER,
        success: decoded.status === '1',
        cumulativeGasUsed: BigInt(decoded.cumulative_gas_used),
        logsBloom: new Uint8Array(256),
        logs: [],
        l2ToL1Logs: decoded.l2_to_l1_logs.map((log) => ({
          shardId: Number(log['l2_shard_id']),
          isService: log['is_service'] === '1',
          txNumberInBlock: Number(log['tx_number_in_block']),
          sender: fromHex(log['sender'] ?? ''),
          key: fromHex(log['key'] ?? ''),
          value: fromHex(log['value'] ?? ''),
        })),
        meta: {
          blockHash: fromHex(text('block_hash')),
          blockNumber: Number(text('block_number')),
          blockTimestamp: BigInt(text('block_timestamp')),
          transactionIndex: Number(text('tx_index_in_block')),
          effectiveGasPrice: BigInt(text('effective_gas_price')),
          logsBefore: Number(text('number_of_logs_before_this_tx')),
          gasUsed: BigInt(text('gas_used')),
          contractAddress: undefined,
        },
      };
      const shown = receiptObject(stored);
      assert.equal(shown['type'], quantityOf(decoded.type));
      assert.equal(shown['gasUsed'], quantityOf(text('gas_used')));
      assert.equal(shown['effectiveGasPrice'], quantityOf(text('effective_gas_price')));
      assert.deepEqual(
        shown['l2ToL1Logs'],
        decoded.l2_to_l1_logs.map((log, index) => ({
          l2_shard_id: Number(log['l2_shard_id']),
          is_service: log['is_service'] === '1',
          tx_number_in_block: Number(log['tx_number_in_block']),
          sender: log['sender'],
          key: log['key'],
          value: log['value'],
          logIndex: quantityOf(index),
          blockHash: text('block_hash'),
          blockNumber: quantityOf(text('block_number')),
          l1BatchNumber: null,
          transactionHash: tx_hash,
          transactionIndex: quantityOf(text('tx_index_in_block')),
          shardId: quantityOf(log['l2_shard_id']),
          isService: log['is_service'] === '1',
        })),
      );
    }
  });
});
