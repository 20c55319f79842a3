import assert from 'node:assert/strict';
import { JsonRpcProvider } from 'ethers';
import type { PublicClient } from 'viem';
import {
  BaseError,
  ContractFunctionRevertedError,
  ExecutionRevertedError,
  FeeCapTooLowError,
  InsufficientFundsError,
  NonceTooLowError,
  createPublicClient,
  encodeErrorResult,
  getContractError,
  http,
  parseAbi,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { bytesKey, fromHex, toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import type { FakeTransaction, TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { EMITTER, l1Transaction, topic } from './samples.ts';

const SIGNER = privateKeyToAccount('0x7726827caac94a7f9e1b160f7ea819f172f7b6f9d2a97f992c38edeab82d4110');

/** Clients read nonces as JavaScript numbers, which those of the vectors exceed. */
async function signed(
  type: 'legacy' | 'eip2930' | 'eip1559',
  nonce: number,
): Promise<FakeTransaction & { hash: `0x${string}` }> {
  const common = { chainId: 270, nonce, gas: 21_000n, to: SIGNER.address, value: 1n };
  const raw =
    type === 'eip1559'
      ? await SIGNER.signTransaction({ ...common, type, maxFeePerGas: 2_000n, maxPriorityFeePerGas: 1n })
      : type === 'eip2930'
        ? await SIGNER.signTransaction({
            ...common,
            type,
            gasPrice: 2_000n,
            accessList: [{ address: SIGNER.address, storageKeys: [] }],
          })
        : await SIGNER.signTransaction({ ...common, type, gasPrice: 2_000n });
  const bytes = fromHex(raw);
  return { raw: bytes, sender: fromHex(SIGNER.address), hash: toHex(decodeTransaction(bytes).hash) };
}

describe('clients', () => {
  let chain: FakeChain;
  let test: TestServer;
  let viem: PublicClient;
  let ethers: JsonRpcProvider;
  let legacy: Awaited<ReturnType<typeof signed>>;
  let dynamic: Awaited<ReturnType<typeof signed>>;

  before(async () => {
    chain = new FakeChain();
    legacy = await signed('legacy', 0);
    dynamic = await signed('eip1559', 2);
    chain.addBlock([
      l1Transaction({
        l2ToL1Logs: [
          { shardId: 0, isService: true, txNumberInBlock: 0, sender: EMITTER, key: topic(1), value: topic(2) },
        ],
      }),
      legacy,
      await signed('eip2930', 1),
      { ...dynamic, logs: [{ address: EMITTER, topics: [topic(1)], data: Uint8Array.of(1) }] },
    ]);
    test = await startTestServer(chain);
    viem = createPublicClient({ transport: http(test.url, { retryCount: 0 }) });
    ethers = new JsonRpcProvider(test.url, 270, { staticNetwork: true });
  });

  after(async () => {
    ethers.destroy();
    await test.server.close({ timeoutMs: 500 });
  });

  beforeEach(() => {
    chain.simulate = async () => ({ kind: 'success', returnData: Uint8Array.of(1), gasUsed: 1n, gas: 25_000n });
  });

  it('viem reads blocks, transactions, receipts, logs and fees', async () => {
    assert.equal(await viem.getChainId(), 270);
    const block = await viem.getBlock({ blockNumber: 1n, includeTransactions: true });
    assert.equal(block.number, 1n);
    assert.equal(block.baseFeePerGas, 1_000n);
    assert.deepEqual(
      block.transactions.map(({ typeHex }) => typeHex),
      ['0x7f', '0x0', '0x1', '0x2'],
    );
    const { hash } = dynamic;
    const transaction = await viem.getTransaction({ hash });
    assert.equal(transaction.type, 'eip1559');
    assert.equal(transaction.blockNumber, 1n);
    const receipt = await viem.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success');
    assert.equal(receipt.logs[0]?.logIndex, 0);
    const deposit = await viem.getTransactionReceipt({ hash: toHex(decodeTransaction(l1Transaction().raw).hash) });
    assert.equal(deposit.effectiveGasPrice, 250_019_060n);
    const logs = await viem.getLogs({ fromBlock: 0n, toBlock: 'latest' });
    assert.equal(logs.length, 1);
    const fees = await viem.estimateFeesPerGas();
    assert.equal(fees.maxPriorityFeePerGas, 0n);
    const history = await viem.getFeeHistory({ blockCount: 2, rewardPercentiles: [20] });
    assert.equal(history.baseFeePerGas.length, 3);
    assert.equal(history.reward?.length, 2);
    assert.equal(await viem.getBlobBaseFee(), 1n);
  });

  it('viem reads pending transactions', async () => {
    const key = bytesKey(fromHex(dynamic.hash));
    chain.pooled.set(key, dynamic);
    const transaction = await viem.getTransaction({ hash: dynamic.hash });
    chain.pooled.delete(key);
    assert.equal(transaction.blockNumber, null);
  });

  it('viem classifies errors', async () => {
    const causeOf = async (run: Promise<unknown>): Promise<BaseError> => {
      const error: unknown = await run.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof BaseError);
      return error;
    };
    const account = toHex(EMITTER);
    const reason = encodeErrorResult({
      abi: parseAbi(['error Error(string)']),
      errorName: 'Error',
      args: ['my message'],
    });
    chain.simulate = async () => ({ kind: 'revert', returnData: fromHex(reason), gasUsed: 1n });
    const reverted = await causeOf(viem.call({ account, to: account }));
    assert.ok(reverted.walk((cause) => cause instanceof ExecutionRevertedError));
    const contractError = getContractError(reverted, { abi: [], address: account, functionName: 'f', args: [] });
    assert.ok(contractError.walk((cause) => cause instanceof ContractFunctionRevertedError));
    assert.match(contractError.message, /my message/);
    const feeCap = await causeOf(viem.call({ account, to: account, maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }));
    assert.ok(feeCap.walk((cause) => cause instanceof FeeCapTooLowError));
    chain.simulate = async () => ({ kind: 'invalid', error: 'LackOfFundForMaxFee', message: '' });
    const funds = await causeOf(viem.estimateGas({ account, to: account, value: 1n }));
    assert.ok(funds.walk((cause) => cause instanceof InsufficientFundsError));
    chain.simulate = async () => ({ kind: 'invalid', error: 'NonceTooLow', message: '' });
    const nonce = await causeOf(viem.call({ account, to: account }));
    assert.ok(nonce.walk((cause) => cause instanceof NonceTooLowError));
  });

  it('ethers reads blocks, transactions, receipts, logs and fees', async () => {
    assert.equal(await ethers.getBlockNumber(), 1);
    const block = await ethers.getBlock(1, true);
    assert.equal(block?.prefetchedTransactions.length, 4);
    assert.deepEqual(
      block.prefetchedTransactions.map(({ type }) => type),
      [0x7f, 0, 1, 2],
    );
    const transaction = await ethers.getTransaction(legacy.hash);
    assert.equal(transaction?.from, SIGNER.address);
    const receipt = await ethers.getTransactionReceipt(dynamic.hash);
    assert.equal(receipt?.logs.length, 1);
    assert.equal(receipt.status, 1);
    assert.equal((await ethers.getLogs({ fromBlock: 0, toBlock: 'latest' })).length, 1);
    assert.equal(await ethers.estimateGas({ to: toHex(EMITTER) }), 25_000n);
    assert.equal(await ethers.call({ to: toHex(EMITTER) }), '0x01');
    assert.equal((await ethers.getFeeData()).maxPriorityFeePerGas, 0n);
  });

  it('ethers classifies errors', async () => {
    const submitted = async (code: string, message: string): Promise<unknown> => {
      chain.submit = () => Promise.reject(new NodeError('fatal', message, { code }));
      return ethers.broadcastTransaction(toHex(dynamic.raw)).then(
        () => undefined,
        (error: unknown) => (error as { code?: unknown }).code,
      );
    };
    assert.equal(
      await submitted('POOL_INSUFFICIENT_FUNDS', 'insufficient funds for gas * price + value: …'),
      'INSUFFICIENT_FUNDS',
    );
    assert.equal(await submitted('POOL_NONCE_TOO_LOW', 'nonce too low: …'), 'NONCE_EXPIRED');
    assert.equal(
      await submitted('POOL_REPLACEMENT_UNDERPRICED', 'replacement transaction underpriced'),
      'REPLACEMENT_UNDERPRICED',
    );
    chain.simulate = async () => ({ kind: 'revert', returnData: fromHex('0xc2bb947c'), gasUsed: 1n });
    const error: unknown = await ethers.call({ to: toHex(EMITTER) }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.equal((error as { code?: unknown }).code, 'CALL_EXCEPTION');
    assert.equal((error as { data?: unknown }).data, '0xc2bb947c');
    await assert.rejects(ethers.send('eth_nope', []), { code: 'UNSUPPORTED_OPERATION' });
  });
});
