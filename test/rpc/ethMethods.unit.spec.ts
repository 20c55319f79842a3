import assert from 'node:assert/strict';
import { bytesKey, fromHex, toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { KECCAK_EMPTY, keccak256 } from '../../src/common/hash.ts';
import { deployedAccountFields, encodeAccountRecord, storedCode } from '../../src/protocol/accountRecord.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { RpcError } from '../../src/rpc/errors.ts';
import type { Answer, TestServer } from './fakeBackend.ts';
import { COLLECTOR, FakeChain, startTestServer } from './fakeBackend.ts';
import { EMITTER, TYPED_CASES, l1Transaction, l2Case, l2Transaction, topic } from './samples.ts';

const ADDRESS = toHex(EMITTER);
const ZERO_WORD = `0x${'00'.repeat(32)}`;
const UNKNOWN_HASH = `0x${'77'.repeat(32)}`;

function recordOf(answer: Answer): Record<string, unknown> {
  assert.equal(answer.error, undefined);
  assert.ok(typeof answer.result === 'object' && answer.result !== null);
  return answer.result as Record<string, unknown>;
}

describe('eth methods', () => {
  const open: TestServer[] = [];
  let chain: FakeChain;
  let test: TestServer;

  async function start(options: Parameters<typeof startTestServer>[1] = {}): Promise<TestServer> {
    const started = await startTestServer(chain, options);
    open.push(started);
    return started;
  }

  async function fails(method: string, params: unknown[], code: number, message: string | RegExp): Promise<void> {
    const { error } = await test.call(method, ...params);
    const label = `${method} ${JSON.stringify(params)}`;
    assert.equal(error?.code, code, label);
    if (typeof message === 'string') assert.equal(error.message, message, label);
    else assert.match(`${error.message} ${JSON.stringify(error.data)}`, message, label);
  }

  beforeEach(async () => {
    chain = new FakeChain();
    chain.addBlock([l2Transaction('0x0'), l1Transaction()]);
    chain.addBlock([l2Transaction('0x1')]);
    chain.addBlock([l2Transaction('0x2')]);
    test = await start();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ server }) => server.close({ timeoutMs: 500 })));
  });

  describe('chain', () => {
    it('answers constants', async () => {
      const rows: readonly (readonly [method: string, result: unknown])[] = [
        ['eth_chainId', '0x10e'],
        ['eth_blockNumber', '0x3'],
        ['eth_protocolVersion', 'zksync_os/0.0.1'],
        ['eth_accounts', []],
        ['eth_syncing', false],
        ['eth_coinbase', toHex(COLLECTOR)],
        ['eth_gasPrice', '0x5dc'],
        ['eth_maxPriorityFeePerGas', '0x0'],
        ['eth_blobBaseFee', '0x1'],
        ['net_version', '270'],
        ['net_listening', true],
        ['net_peerCount', '0x0'],
        ['web3_clientVersion', 'zksync-os/v0.1.0'],
        ['zks_getBridgehubContract', '0x8bd76a67b984e8f0b902a82220a90fc45d9738a9'],
        ['txpool_status', { pending: '0x0', queued: '0x2' }],
      ];
      for (const [method, result] of rows) assert.deepEqual((await test.call(method)).result, result, method);
      assert.match(String((await test.call('web3_clientVersion')).result), /^zksync-os\/v\d+\.\d+\.\d+/);
    });

    it('hashes with web3_sha3', async () => {
      assert.equal((await test.call('web3_sha3', '0x68656c6c6f')).result, toHex(keccak256(Buffer.from('hello'))));
      await fails('web3_sha3', [], -32602, /missing value for required argument 0/);
    });

    it('gives the genesis in the keys of its file', async () => {
      assert.deepEqual((await test.call('zks_getGenesis')).result, {
        initial_contracts: [['0x000000000000000000000000000000000000800f', '0x6080']],
        additional_storage: [[`0x${'01'.repeat(32)}`, `0x${'02'.repeat(32)}`]],
        execution_version: 3,
        genesis_root: `0x${'c3'.repeat(32)}`,
      });
    });

    it('reports that it lags once it lags too far', async () => {
      chain.unread = 10;
      assert.equal((await test.call('eth_syncing')).result, false);
      chain.unread = 11;
      assert.deepEqual((await test.call('eth_syncing')).result, {
        startingBlock: '0x3',
        currentBlock: '0x3',
        highestBlock: '0xe',
      });
    });

    it('has no signers and no account proofs', async () => {
      for (const method of ['eth_sendTransaction', 'eth_sign', 'eth_signTransaction', 'eth_signTypedData']) {
        await fails(method, [{}], -32601, 'node has no signer accounts');
      }
      await fails(
        'eth_getProof',
        [ADDRESS, [], 'latest'],
        -32004,
        'unsupported as ZKsync OS has a different storage layout than Ethereum',
      );
    });
  });

  describe('feeHistory', () => {
    it('gives one base fee more than blocks, and rewards per percentile (X7)', async () => {
      chain.addBlock([]);
      const history = recordOf(await test.call('eth_feeHistory', '0x4', 'latest', [10, 50]));
      assert.equal(history['oldestBlock'], '0x1');
      assert.deepEqual(history['baseFeePerGas'], ['0x3e8', '0x3e8', '0x3e8', '0x3e8', '0x3e8']);
      assert.deepEqual(history['gasUsedRatio'], [0.00042, 0.00021, 0.00021, 0]);
      assert.deepEqual(
        history['reward'],
        Array.from({ length: 4 }, () => ['0x0', '0x0']),
      );
    });

    it('stops at genesis, reads the next base fee of an older range from its block, and leaves rewards out', async () => {
      const history = recordOf(await test.call('eth_feeHistory', 10, '0x1'));
      assert.equal(history['oldestBlock'], '0x0');
      assert.deepEqual(history['baseFeePerGas'], ['0x3b9aca00', '0x3e8', '0x3e8']);
      assert.deepEqual(history['gasUsedRatio'], [0, 0.00042]);
      assert.equal('reward' in history, false);
    });

    it('takes percentiles up to 100, the same one twice too', async () => {
      const history = recordOf(await test.call('eth_feeHistory', '0x1', 'latest', [0, 50, 50, 100]));
      assert.deepEqual(history['reward'], [['0x0', '0x0', '0x0', '0x0']]);
    });

    it('answers at most 1024 blocks whatever is asked', async () => {
      for (let i = 0; i < 1_100; i++) chain.addBlock([]);
      const history = recordOf(await test.call('eth_feeHistory', '0xffffffffffffffff', 'latest', []));
      assert.equal((history['baseFeePerGas'] as unknown[]).length, 1_025);
      assert.equal((history['gasUsedRatio'] as unknown[]).length, 1_024);
      assert.deepEqual(recordOf(await test.call('eth_feeHistory', '0x0', 'latest'))['gasUsedRatio'], []);
    });

    it('refuses wrong percentiles and blocks', async () => {
      await fails('eth_feeHistory', ['0x1', 'latest', [101]], -32602, /invalid reward percentile/);
      await fails('eth_feeHistory', ['0x1', 'latest', [50, 10]], -32602, /invalid reward percentile/);
      await fails('eth_feeHistory', ['0x1', 'latest', ['10']], -32602, /expected a number/);
      await fails('eth_feeHistory', ['0x1', 'latest', Array.from({ length: 101 }, () => 1)], -32602, /more than 100/);
      await fails('eth_feeHistory', ['0x1', '0x99'], -32001, 'block not found');
      await fails('eth_feeHistory', ['0x1'], -32602, /argument 1/);
    });
  });

  describe('blocks', () => {
    it('orders the tags (X1)', async () => {
      chain.safe = 2;
      chain.finalized = 1;
      const heights: Record<string, number> = {};
      for (const tag of ['earliest', 'finalized', 'safe', 'latest', 'pending']) {
        heights[tag] = Number(recordOf(await test.call('eth_getBlockByNumber', tag, false))['number']);
      }
      assert.deepEqual(heights, { earliest: 0, finalized: 1, safe: 2, latest: 3, pending: 3 });
      chain.safe = 50;
      chain.finalized = 70;
      assert.equal(recordOf(await test.call('eth_getBlockByNumber', 'finalized'))['number'], '0x3');
    });

    it('serves a block by number and by hash, alike, with hashes or objects', async () => {
      const byNumber = recordOf(await test.call('eth_getBlockByNumber', '0x1', false));
      const byHash = recordOf(await test.call('eth_getBlockByHash', byNumber['hash'], false));
      assert.deepEqual(byNumber, byHash);
      assert.deepEqual(recordOf(await test.call('eth_getBlockByNumber', '0x1')), byNumber);
      assert.deepEqual(byNumber['transactions'], [l2Case('0x0').hash, l1Hash()]);
      assert.deepEqual(byNumber['uncles'], []);
      const full = recordOf(await test.call('eth_getBlockByNumber', '0x1', true));
      const transactions = full['transactions'] as Record<string, unknown>[];
      assert.deepEqual(
        transactions.map(({ hash }) => hash),
        byNumber['transactions'],
      );
      assert.deepEqual({ ...full, transactions: byNumber['transactions'] }, byNumber);
      const header = recordOf(await test.call('eth_getHeaderByNumber', '0x1'));
      assert.deepEqual({ ...header, uncles: [], transactions: byNumber['transactions'] }, byNumber);
      assert.deepEqual(recordOf(await test.call('eth_getHeaderByHash', byNumber['hash'])), header);
    });

    it('uses the stored hash for blocks with logs (X9)', async () => {
      const { block } = chain.addBlock([
        l2Transaction('0x0', { logs: [{ address: EMITTER, topics: [], data: new Uint8Array(0) }] }),
      ]);
      assert.equal(recordOf(await test.call('eth_getBlockByNumber', 'latest'))['hash'], toHex(block.hash));
    });

    it('counts transactions and uncles', async () => {
      const hash = recordOf(await test.call('eth_getBlockByNumber', '0x1'))['hash'];
      for (const [kind, argument] of [
        ['Number', '0x1'],
        ['Hash', hash],
      ]) {
        assert.equal((await test.call(`eth_getBlockTransactionCountBy${String(kind)}`, argument)).result, '0x2');
        assert.equal((await test.call(`eth_getUncleCountByBlock${String(kind)}`, argument)).result, '0x0');
        assert.equal((await test.call(`eth_getUncleByBlock${String(kind)}AndIndex`, argument, '0x0')).result, null);
      }
    });

    it('answers null for what does not exist', async () => {
      const rows: readonly (readonly unknown[])[] = [
        ['eth_getBlockByNumber', '0x99', true],
        ['eth_getBlockByNumber', '0xffffffffffffffff', true],
        ['eth_getBlockByHash', UNKNOWN_HASH, false],
        ['eth_getHeaderByNumber', '0x4'],
        ['eth_getBlockTransactionCountByNumber', '0x4'],
        ['eth_getUncleCountByBlockHash', UNKNOWN_HASH],
        ['eth_getBlockReceipts', '0x4'],
        ['eth_getTransactionByHash', UNKNOWN_HASH],
        ['eth_getRawTransactionByHash', UNKNOWN_HASH],
        ['eth_getTransactionReceipt', UNKNOWN_HASH],
        ['eth_getTransactionByBlockNumberAndIndex', '0x1', '0x2'],
        ['eth_getTransactionByBlockNumberAndIndex', '0x9', '0x0'],
        ['eth_getTransactionBySenderAndNonce', ADDRESS, '0x0'],
      ];
      for (const [method, ...params] of rows) {
        const answer = await test.call(String(method), ...params);
        assert.equal(answer.error, undefined, String(method));
        assert.equal(answer.result, null, String(method));
      }
    });

    it('refuses blocks of the log that are not readable yet, by number and by hash', async () => {
      chain.unread = 2;
      await fails('eth_getBlockByNumber', ['0x4', false], -32001, 'block not found');
      await fails('eth_getBlockByNumber', ['0x5', false], -32001, 'block not found');
      assert.equal((await test.call('eth_getBlockByNumber', '0x6', false)).result, null);
      await fails('eth_getBalance', [ADDRESS, '0x4'], -32001, 'block not found');
      await fails('eth_getLogs', [{ fromBlock: '0x1', toBlock: '0x4' }], -32001, 'block not found');
      chain.unread = 0;
      chain.latest = 2;
      await fails(
        'eth_getBlockByHash',
        [toHex(chain.blocks[3]?.block.hash ?? new Uint8Array()), false],
        -32001,
        'block not found',
      );
      assert.equal((await test.call('eth_blockNumber')).result, '0x2');
    });

    it('serves the receipts of a block by every kind of id', async () => {
      const hash = toHex(chain.blocks[1]?.block.hash ?? new Uint8Array());
      for (const id of [
        '0x1',
        hash,
        { blockHash: hash },
        { blockHash: hash, requireCanonical: true },
        { blockNumber: '0x1' },
      ]) {
        const receipts = (await test.call('eth_getBlockReceipts', id)).result as Record<string, unknown>[];
        assert.deepEqual(
          receipts.map(({ transactionHash }) => transactionHash),
          [l2Case('0x0').hash, l1Hash()],
        );
      }
      assert.deepEqual((await test.call('eth_getBlockReceipts', 'earliest')).result, []);
    });

    it('refuses malformed block arguments', async () => {
      const bad: readonly unknown[] = ['newest', '1', '0x', '0x01', '0xg', 1, true, [], `0x1${'0'.repeat(16)}`];
      for (const id of bad)
        await fails('eth_getBlockByNumber', [id, false], -32602, /^Invalid params "invalid argument 0/);
      for (const id of [...bad, {}, { blockHash: '0x12' }, { blockHash: UNKNOWN_HASH, blockNumber: '0x1' }]) {
        await fails('eth_getBalance', [ADDRESS, id], -32602, /invalid argument 1/);
      }
      await fails('eth_getBlockByNumber', [], -32602, /missing value for required argument 0/);
      await fails('eth_getBlockByNumber', ['0x1', 'yes'], -32602, /argument 1: expected a boolean/);
      await fails('eth_getBlockByHash', ['0x1', false], -32602, /expected 32 bytes/);
    });

    it('stops writing an answer that becomes too long', async () => {
      const small = await start({ maxResponseBytes: 1_000 });
      const answer = await small.call('eth_getBlockReceipts', '0x1');
      assert.equal(answer.error?.code, -32008);
    });
  });

  describe('transactions', () => {
    it('looks in the pool, then in the blocks, then in the pool again', async () => {
      const { raw, sender } = l2Transaction('0x2');
      const hash = l2Case('0x2').hash;
      assert.equal(recordOf(await test.call('eth_getTransactionByHash', hash))['blockNumber'], '0x3');
      chain.pooled.set(bytesKey(fromHex(hash)), { raw, sender });
      assert.equal(recordOf(await test.call('eth_getTransactionByHash', hash))['blockNumber'], null);
      const other = l2CaseOther();
      const backend = chain.backend();
      let asked = 0;
      const lateServer = await start({
        backend: {
          ...backend,
          pool: {
            ...backend.pool,
            transactionByHash: async () =>
              ++asked === 2 ? { raw: fromHex(other.raw), sender: fromHex(other.sender) } : undefined,
          },
        },
      });
      assert.equal(recordOf(await lateServer.call('eth_getTransactionByHash', other.hash))['hash'], other.hash);
      assert.equal(asked, 2);
    });

    it('counts a transaction of a block that is not readable yet as pending', async () => {
      chain.latest = 2;
      const { hash } = l2Case('0x2');
      assert.equal(recordOf(await test.call('eth_getTransactionByHash', hash))['blockNumber'], null);
      assert.equal((await test.call('eth_getTransactionReceipt', hash)).result, null);
      chain.latest = 3;
      assert.equal(recordOf(await test.call('eth_getTransactionReceipt', hash))['blockNumber'], '0x3');
    });

    it('serves raw bytes and places in blocks', async () => {
      const { raw, hash } = l2Case('0x0');
      const blockHash = toHex(chain.blocks[1]?.block.hash ?? new Uint8Array());
      assert.equal((await test.call('eth_getRawTransactionByHash', hash)).result, raw);
      assert.equal((await test.call('eth_getRawTransactionByBlockNumberAndIndex', '0x1', '0x0')).result, raw);
      assert.equal((await test.call('eth_getRawTransactionByBlockHashAndIndex', blockHash, 0)).result, raw);
      assert.equal((await test.call('eth_getRawTransactionByHash', l1Hash())).result, toHex(l1Transaction().raw));
      const byNumber = recordOf(await test.call('eth_getTransactionByBlockNumberAndIndex', '0x1', '0x1'));
      assert.equal(byNumber['hash'], l1Hash());
      assert.deepEqual(recordOf(await test.call('eth_getTransactionByBlockHashAndIndex', blockHash, 1)), byNumber);
      await fails('eth_getTransactionByBlockNumberAndIndex', ['0x1', -1], -32602, /argument 1/);
      await fails('eth_getTransactionByBlockNumberAndIndex', ['0x1'], -32602, /argument 1/);
    });

    it('finds L2 transactions only by sender and nonce (X8)', async () => {
      const { sender, decoded, hash } = l2Case('0x1');
      const nonce = `0x${BigInt(String(decoded['nonce'])).toString(16)}`;
      assert.equal(recordOf(await test.call('eth_getTransactionBySenderAndNonce', sender, nonce))['hash'], hash);
      assert.equal(
        (await test.call('eth_getTransactionBySenderAndNonce', toHex(l1Transaction().sender), '0x1')).result,
        null,
      );
    });

    it('submits raw bytes and returns the hash', async () => {
      const { raw, hash } = l2Case('0x2');
      assert.equal((await test.call('eth_sendRawTransaction', raw)).result, hash);
      assert.deepEqual(chain.submitted.map(toHex), [raw]);
      await fails('eth_sendRawTransaction', [], -32602, /argument 0/);
      await fails('eth_sendRawTransaction', ['0x123'], -32602, /odd length/);
      await fails('eth_sendRawTransaction', ['02f8'], -32602, /0x prefix/);
      await fails('eth_sendRawTransaction', [5], -32602, /hex string/);
    });

    it('gives refusals their code and keeps their text', async () => {
      const rows: readonly (readonly [code: string, rpcCode: number])[] = [
        ['POOL_ALREADY_KNOWN', 1000],
        ['POOL_REPLACEMENT_UNDERPRICED', -32000],
        ['POOL_UNDERPRICED', -32000],
        ['POOL_FEE_CAP_EXCEEDED', -32000],
        ['POOL_INSUFFICIENT_FUNDS', -32000],
        ['POOL_NONCE_TOO_LOW', 1],
        ['POOL_EXCEEDS_BLOCK_GAS_LIMIT', 803],
        ['POOL_INTRINSIC_GAS_TOO_LOW', 800],
        ['POOL_TIP_ABOVE_FEE_CAP', -32602],
        ['POOL_TYPE_NOT_SUPPORTED', -32602],
        ['POOL_INVALID_CHAIN_ID', -32602],
        ['POOL_OVERSIZED_DATA', -32602],
        ['POOL_INIT_CODE_TOO_LARGE', -32602],
        ['POOL_NONCE_MAX', -32602],
        ['POOL_SENDER_NOT_EOA', -32602],
        ['POOL_FULL', -32000],
        ['INTAKE_CLOSED', -32000],
        ['CHAIN_NOT_READY', -32000],
        ['RECOVERY_QUEUE_FULL', -32009],
        ['RECOVERY_CLOSED', -32000],
      ];
      for (const [code, rpcCode] of rows) {
        chain.submit = () => Promise.reject(new NodeError('fatal', `text of ${code}`, { code }));
        await fails('eth_sendRawTransaction', ['0x01'], rpcCode, `text of ${code}`);
      }
      chain.submit = async (raw) => decodeTransaction(raw).hash;
      await fails('eth_sendRawTransaction', ['0x02c0'], -32602, /^failed to decode signed transaction/);
      await fails('eth_sendRawTransaction', ['0x'], -32602, /^failed to decode signed transaction/);
      await fails(
        'eth_sendRawTransaction',
        ['0x03c0'],
        -32602,
        /^transaction type not supported: transaction type not valid/,
      );
      chain.submit = () => Promise.reject(new NodeError('fatal', 's is above n/2', { code: 'SIGNATURE_MALLEABLE' }));
      await fails('eth_sendRawTransaction', ['0x01'], -32602, 'invalid transaction signature: s is above n/2');
      chain.submit = () => Promise.reject(new RpcError(-32123, 'as the main node says', { data: 1 }));
      await fails('eth_sendRawTransaction', ['0x01'], -32123, 'as the main node says');
      assert.deepEqual(test.counted.internalErrors, []);
      chain.submit = () => Promise.reject(new NodeError('retryable', 'worker is gone', { code: 'WORKER_GONE' }));
      await fails('eth_sendRawTransaction', ['0x01'], -32603, 'Internal error');
    });
  });

  describe('state', () => {
    const code = Uint8Array.of(0x60, 0x01, 0x5b, 0x00, 0xff);

    beforeEach(() => {
      const stored = storedCode(code);
      const fields = deployedAccountFields(code, stored);
      chain.accounts.set(bytesKey(EMITTER), encodeAccountRecord({ ...fields, nonce: 7n, balance: 1_000n }));
      chain.preimages.set(bytesKey(fields.bytecodeHash), stored);
      chain.slots.set(bytesKey(EMITTER) + bytesKey(topic(0).fill(0)), topic(9));
    });

    it('reads accounts, code and storage', async () => {
      assert.equal((await test.call('eth_getBalance', ADDRESS)).result, '0x3e8');
      assert.equal((await test.call('eth_getBalance', ADDRESS, 'latest')).result, '0x3e8');
      assert.equal((await test.call('eth_getTransactionCount', ADDRESS, '0x1')).result, '0x7');
      assert.equal((await test.call('eth_getCode', ADDRESS.toUpperCase().replace('0X', '0x'))).result, toHex(code));
      for (const key of ['0x0', '0x', '0x00', ZERO_WORD]) {
        assert.equal((await test.call('eth_getStorageAt', ADDRESS, key, 'latest')).result, toHex(topic(9)), key);
      }
      assert.equal((await test.call('eth_getStorageAt', ADDRESS, '0x1')).result, ZERO_WORD);
      assert.deepEqual(recordOf(await test.call('eth_getAccountInfo', ADDRESS, 'latest')), {
        balance: '0x3e8',
        nonce: '0x7',
        code: toHex(code),
      });
      assert.deepEqual(recordOf(await test.call('eth_getAccount', ADDRESS, 'latest')), {
        balance: '0x3e8',
        nonce: '0x7',
        codeHash: toHex(keccak256(code)),
        storageRoot: ZERO_WORD,
      });
    });

    it('reads absent accounts as empty ones', async () => {
      const nobody = `0x${'12'.repeat(20)}`;
      assert.equal((await test.call('eth_getBalance', nobody)).result, '0x0');
      assert.equal((await test.call('eth_getTransactionCount', nobody)).result, '0x0');
      assert.equal((await test.call('eth_getCode', nobody)).result, '0x');
      assert.equal(recordOf(await test.call('eth_getAccount', nobody))['codeHash'], toHex(KECCAK_EMPTY));
    });

    it('asks the pool for the pending nonce only', async () => {
      chain.pendingNonce = 12n;
      assert.equal((await test.call('eth_getTransactionCount', ADDRESS, 'pending')).result, '0xc');
      assert.equal((await test.call('eth_getTransactionCount', ADDRESS, 'latest')).result, '0x7');
      assert.equal((await test.call('eth_getTransactionCount', ADDRESS)).result, '0x7');
    });

    it('names the block whose state does not exist', async () => {
      await fails('eth_getBalance', [ADDRESS, '0x63'], -32001, 'block 99 not found');
      await fails('eth_getStorageAt', [ADDRESS, '0x0', UNKNOWN_HASH], -32001, 'block not found');
    });

    it('refuses malformed arguments', async () => {
      await fails('eth_getBalance', [], -32602, /argument 0/);
      await fails('eth_getBalance', ['0x12'], -32602, /expected 20 bytes/);
      await fails('eth_getBalance', [`${ADDRESS}00`], -32602, /expected 20 bytes/);
      await fails('eth_getStorageAt', [ADDRESS], -32602, /argument 1/);
      await fails('eth_getStorageAt', [ADDRESS, `0x1${'0'.repeat(64)}`], -32602, /at most 32 bytes/);
      await fails('eth_getStorageAt', [ADDRESS, 0], -32602, /expected a hex string/);
    });

    it('passes on that the state of a block is not there (any more)', async () => {
      const backend = chain.backend();
      const late = await start({
        backend: {
          ...backend,
          state: {
            ...backend.state,
            account: () => Promise.reject(new NodeError('fatal', 'block 3 not found', { code: 'BLOCK_NOT_FOUND' })),
          },
        },
      });
      const { error } = await late.call('eth_getBalance', ADDRESS);
      assert.deepEqual(error, { code: -32001, message: 'block 3 not found' });
    });

    it('reports a store without the code of an account', async () => {
      chain.preimages.clear();
      await fails('eth_getCode', [ADDRESS], -32603, 'Internal error');
      assert.equal((test.counted.internalErrors[0] as NodeError).code, 'CODE_PREIMAGE_MISSING');
    });
  });

  describe('getLogs', () => {
    const log = (n: number) => ({ address: EMITTER, topics: [topic(n), topic(n + 1)], data: Uint8Array.of(n) });
    const dataOf = (answer: Answer): unknown[] => {
      assert.equal(answer.error, undefined);
      return (answer.result as Record<string, unknown>[]).map(({ data }) => data);
    };

    beforeEach(() => {
      chain.addBlock([l2Transaction('0x0', { logs: [log(1), log(2)] })]);
      chain.addBlock([l2Transaction('0x0', { logs: [log(3)] })]);
      chain.addBlock([l2Transaction('0x0', { logs: [log(4), log(5), log(6)] })]);
    });

    it('finds by range, hash, address and topics', async () => {
      assert.deepEqual(dataOf(await test.call('eth_getLogs', { fromBlock: 'earliest', toBlock: 'latest' })), [
        '0x01',
        '0x02',
        '0x03',
        '0x04',
        '0x05',
        '0x06',
      ]);
      assert.deepEqual(test.counted.scans, [{ blocks: 7, candidates: 3, matching: 3 }]);
      assert.deepEqual(dataOf(await test.call('eth_getLogs', {})), ['0x04', '0x05', '0x06']);
      assert.deepEqual(dataOf(await test.call('eth_getLogs', { fromBlock: '0x4', toBlock: '0x5' })), [
        '0x01',
        '0x02',
        '0x03',
      ]);
      const blockHash = toHex(chain.blocks[5]?.block.hash ?? new Uint8Array());
      assert.deepEqual(dataOf(await test.call('eth_getLogs', { blockHash })), ['0x03']);
      const range = { fromBlock: '0x0', toBlock: 'latest' };
      const t = (n: number) => toHex(topic(n));
      const rows: readonly (readonly [filter: object, data: string[]])[] = [
        [{ topics: [t(3)] }, ['0x03']],
        [{ topics: [[t(1), t(6)]] }, ['0x01', '0x06']],
        [{ topics: [null, t(5)] }, ['0x04']],
        [{ topics: [[], t(5)] }, ['0x04']],
        [{ topics: [[t(1), null], t(5)] }, ['0x04']],
        [{ topics: [t(1), null, null] }, []],
        [{ topics: null, address: null }, ['0x01', '0x02', '0x03', '0x04', '0x05', '0x06']],
        [{ address: ADDRESS, topics: [t(2)] }, ['0x02']],
        [{ address: [], topics: [t(2)] }, ['0x02']],
        [{ address: [`0x${'01'.repeat(20)}`] }, []],
      ];
      for (const [filter, data] of rows) {
        assert.deepEqual(dataOf(await test.call('eth_getLogs', { ...range, ...filter })), data, JSON.stringify(filter));
      }
      const [found] = (await test.call('eth_getLogs', { blockHash })).result as Record<string, unknown>[];
      assert.equal(found?.['blockHash'], blockHash);
      assert.equal(found['removed'], false);
      assert.equal(found['logIndex'], '0x0');
    });

    it('refuses impossible ranges with the standard texts (X6)', async () => {
      await fails('eth_getLogs', [{ fromBlock: '0x3', toBlock: '0x2' }], -32602, 'invalid block range params');
      await fails('eth_getLogs', [{ fromBlock: '0x64', toBlock: '0x63' }], -32602, 'invalid block range params');
      await fails('eth_getLogs', [{ fromBlock: 'latest', toBlock: 'earliest' }], -32602, 'invalid block range params');
      await fails(
        'eth_getLogs',
        [{ fromBlock: '0x1', toBlock: '0x63' }],
        -32602,
        'block range extends beyond current head block',
      );
      await fails(
        'eth_getLogs',
        [{ blockHash: UNKNOWN_HASH, fromBlock: '0x1' }],
        -32602,
        'invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other',
      );
      await fails('eth_getLogs', [{ blockHash: UNKNOWN_HASH }], -32001, 'block not found');
    });

    it('never answers incompletely', async () => {
      test = await start({ maxBlocksPerFilter: 2, maxLogsPerResponse: 2 });
      await fails('eth_getLogs', [{ fromBlock: '0x3', toBlock: '0x6' }], -32005, 'query exceeds max block range 2');
      await fails(
        'eth_getLogs',
        [{ fromBlock: '0x4', toBlock: '0x6' }],
        -32005,
        'query exceeds max results 2, retry with the range 4-4',
      );
      await fails(
        'eth_getLogs',
        [{ fromBlock: '0x3', toBlock: '0x5' }],
        -32005,
        'query exceeds max results 2, retry with the range 3-4',
      );
      assert.deepEqual(dataOf(await test.call('eth_getLogs', { fromBlock: '0x3', toBlock: '0x4' })), ['0x01', '0x02']);
      assert.equal(dataOf(await test.call('eth_getLogs', { fromBlock: '0x6', toBlock: '0x6' })).length, 3);
      chain.addBlock([]);
      await fails(
        'eth_getLogs',
        [{ fromBlock: '0x6', toBlock: '0x7' }],
        -32005,
        'query exceeds max results 2, narrow the query by address or topic',
      );
    });

    it('refuses malformed filters', async () => {
      const bad: readonly unknown[] = [
        5,
        [],
        'x',
        { address: '0x12' },
        { address: 5 },
        { address: Array.from({ length: 1_001 }, () => ADDRESS) },
        { topics: '0x12' },
        { topics: ['0x12'] },
        { topics: [{}] },
        { topics: [null, null, null, null, null] },
        { fromBlock: UNKNOWN_HASH },
        { fromBlock: 5 },
        { blockHash: '0x12' },
      ];
      for (const filter of bad) await fails('eth_getLogs', [filter], -32602, /./);
      await fails('eth_getLogs', [], -32602, /missing value/);
    });
  });
});

function l1Hash(): string {
  return toHex(decodeTransaction(l1Transaction().raw).hash);
}

/** A vector that is in no block of the chain. */
function l2CaseOther(): ReturnType<typeof l2Case> {
  const used = new Set([l2Case('0x0').hash, l2Case('0x1').hash, l2Case('0x2').hash]);
  const other = TYPED_CASES.find(({ hash }) => !used.has(hash));
  if (other === undefined) throw new Error('the vectors hold too few transactions');
  return other;
}
