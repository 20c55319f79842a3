import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import type { SimulatedCall } from '../../src/rpc/backend.ts';
import { INSUFFICIENT_FUNDS_FOR_TRANSFER } from '../../src/rpc/errors.ts';
import type { TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';

const A = `0x${'aa'.repeat(20)}`;
const ZERO_ADDRESS = `0x${'00'.repeat(20)}`;
const OTHER = `0x${'dd'.repeat(20)}`;
const WORD = `0x${'11'.repeat(32)}`;
const U128 = `0x${'f'.repeat(32)}`;

describe('eth_call and eth_estimateGas', () => {
  let chain: FakeChain;
  let test: TestServer;

  before(async () => {
    chain = new FakeChain();
    chain.addBlock([]);
    test = await startTestServer(chain);
  });

  after(() => test.server.close({ timeoutMs: 500 }));

  beforeEach(() => {
    chain.calls.length = 0;
    chain.simulate = async () => ({ kind: 'success', returnData: Uint8Array.of(0xab), gasUsed: 21_000n, gas: 22_000n });
  });

  async function simulated(method: string, ...params: unknown[]): Promise<SimulatedCall> {
    const answer = await test.call(method, ...params);
    assert.equal(answer.error, undefined, JSON.stringify(answer.error));
    const call = chain.calls.pop();
    assert.ok(call);
    return call;
  }

  async function refused(
    params: unknown[],
    code: number,
    message: string | RegExp,
    method = 'eth_call',
  ): Promise<void> {
    const { error } = await test.call(method, ...params);
    assert.equal(error?.code, code, JSON.stringify(params));
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(`${error.message} ${JSON.stringify(error.data)}`, message);
    assert.equal(chain.calls.length, 0);
  }

  it('fills in the defaults (C1)', async () => {
    assert.deepEqual(await simulated('eth_call', {}, '0x0'), {
      kind: 'call',
      blockNumber: 0,
      type: 0,
      from: fromHex(ZERO_ADDRESS),
      to: undefined,
      input: new Uint8Array(0),
      value: 0n,
      gas: 10_000_000n,
      gasPrice: 0n,
      nonce: undefined,
      accessList: [],
      stateOverrides: [],
      blockOverrides: {},
    });
    assert.equal((await simulated('eth_estimateGas', {})).gas, undefined);
    assert.equal((await simulated('eth_call', {}, 'latest', null, { gasLimit: '0x100' })).gas, 256n);
    assert.equal((await test.call('eth_call', {})).result, '0xab');
    assert.equal((await test.call('eth_estimateGas', {})).result, '0x55f0');
  });

  it('takes every field', async () => {
    const call = await simulated(
      'eth_call',
      {
        from: A,
        to: A,
        gas: '0x5208',
        gasPrice: '0x7d0',
        value: '0x5',
        nonce: '0x9',
        input: '0x0102',
        data: '0x0102',
        chainId: '0x10e',
        type: '0x2',
        accessList: [{ address: A, storageKeys: [WORD] }, { address: A }],
      },
      { blockNumber: '0x1' },
    );
    assert.equal(call.type, 1);
    assert.equal(toHex(call.from), A);
    assert.equal(call.gas, 21_000n);
    assert.equal(call.gasPrice, 2_000n);
    assert.equal(call.value, 5n);
    assert.equal(call.nonce, 9n);
    assert.equal(toHex(call.input), '0x0102');
    assert.deepEqual(
      call.accessList.map(({ address, slots }) => [toHex(address), slots.map(toHex)]),
      [
        [A, [WORD]],
        [A, []],
      ],
    );
    assert.equal(toHex((await simulated('eth_call', { data: '0x03' })).input), '0x03');
  });

  it('prices by the table', async () => {
    const price = async (fields: object) => (await simulated('eth_call', fields)).gasPrice;
    assert.equal(await price({}), 0n);
    assert.equal(await price({ gasPrice: '0x1' }), 1n);
    assert.equal(await price({ maxFeePerGas: '0x3e9', maxPriorityFeePerGas: '0x0' }), 1_000n);
    assert.equal(await price({ maxFeePerGas: '0x3e9', maxPriorityFeePerGas: '0x1' }), 1_001n);
    assert.equal(await price({ maxFeePerGas: '0x3e9', maxPriorityFeePerGas: '0x3e9' }), 1_001n);
    assert.equal(await price({ maxFeePerGas: '0x0', maxPriorityFeePerGas: '0x0' }), 0n);
    assert.equal(await price({ maxFeePerGas: '0x0' }), 0n);
    assert.equal(await price({ maxPriorityFeePerGas: '0x2' }), 1_002n);
    assert.equal((await simulated('eth_call', { maxPriorityFeePerGas: '0x2' })).type, 2);
  });

  it('treats a missing tip as zero (C2i)', async () => {
    const call = await simulated('eth_call', { maxFeePerGas: '0x3e9' });
    assert.equal(call.type, 2);
    assert.equal(call.gasPrice, 1_000n);
  });

  it('refuses what cannot be, with the texts of the table (C2)', async () => {
    await refused([{ sidecar: {} }], -32602, /EIP-4844 transactions are not supported/);
    await refused(
      [{ blobVersionedHashes: [] }],
      -32602,
      /^transaction type not supported: EIP-4844 transactions are not supported/,
    );
    await refused(
      [{ authorizationList: [] }],
      -32602,
      /EIP-7702 transactions are not supported.*transaction type not valid/,
    );
    await refused([{}, '0xffffffff'], -32001, 'block not found');
    await refused([{}, WORD], -32001, 'block not found');
    await refused(
      [{ gasPrice: '0x64', maxFeePerGas: '0x64' }],
      -32602,
      'both `gasPrice` and (`maxFeePerGas` or `maxPriorityFeePerGas`) specified',
    );
    await refused(
      [{ maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x1' }],
      -32602,
      /^max fee per gas less than block base fee: `maxFeePerGas` less than `block.baseFee`/,
    );
    await refused(
      [{ maxFeePerGas: '0x3e9', maxPriorityFeePerGas: '0x3ea' }],
      -32602,
      /^max priority fee per gas higher than max fee per gas: `maxPriorityFeePerGas` higher than `maxFeePerGas`/,
    );
    await refused([{ maxPriorityFeePerGas: U128 }], -32602, /`maxPriorityFeePerGas` is too high/);
    await refused([{ type: '0x7e' }], -32602, 'upgrade transactions cannot be estimated', 'eth_estimateGas');
    await refused([{ input: '0x01', data: '0x02' }], -32602, /"data" and "input"/);
    await refused([{ chainId: '0x1' }], -32602, /^invalid chain id for signer/);
  });

  it('checks in the order of the interface', async () => {
    const conflict = { gasPrice: '0x1', maxFeePerGas: '0x1', maxPriorityFeePerGas: U128, blobs: [] };
    await refused([conflict, '0xffffffff', { bad: {} }], -32602, /argument 2 key/);
    await refused([conflict, '0xffffffff', {}], -32001, 'block not found');
    await refused([conflict, 'latest'], -32602, /^both `gasPrice`/);
    await refused([{ ...conflict, gasPrice: null }, 'latest'], -32602, /less than `block.baseFee`/);
    await refused(
      [{ maxFeePerGas: '0x3e9', maxPriorityFeePerGas: U128, blobs: [] }, 'latest'],
      -32602,
      /higher than `maxFeePerGas`/,
    );
    await refused([{ maxFeePerGas: U128, maxPriorityFeePerGas: U128, blobs: [] }, 'latest'], -32602, /too high/);
    await refused([{ maxFeePerGas: '0x3e9', blobs: [], authorizationList: [] }, 'latest'], -32602, /EIP-7702/);
  });

  it('makes L1 priority transactions of type 0x7f requests (B1)', async () => {
    const call = await simulated('eth_estimateGas', { type: '0x7f', from: A, value: '0x64' });
    assert.equal(call.type, 0x7f);
    assert.equal(call.to && toHex(call.to), ZERO_ADDRESS);
    assert.equal(call.gas, undefined);
  });

  it('takes state overrides; an empty object changes nothing (C2a)', async () => {
    assert.deepEqual((await simulated('eth_call', {}, 'latest', {})).stateOverrides, []);
    assert.deepEqual((await simulated('eth_call', {}, 'latest', {}, {})).blockOverrides, {});
    assert.deepEqual((await simulated('eth_estimateGas', {}, 'latest', null)).stateOverrides, []);
    const { stateOverrides } = await simulated('eth_call', {}, 'latest', {
      [A]: { balance: '0x1', nonce: '0x2', code: '0x60', stateDiff: { [WORD]: WORD } },
      [ZERO_ADDRESS]: { state: { '0x1': WORD }, movePrecompileToAddress: A },
    });
    assert.deepEqual(stateOverrides, [
      {
        address: fromHex(A),
        balance: 1n,
        nonce: 2n,
        code: Uint8Array.of(0x60),
        stateDiff: [[fromHex(WORD), fromHex(WORD)]],
      },
      {
        address: fromHex(ZERO_ADDRESS),
        state: [[fromHex(`0x${'00'.repeat(31)}01`), fromHex(WORD)]],
        movePrecompileTo: fromHex(A),
      },
    ]);
  });

  it('takes block overrides in both spellings', async () => {
    const overrides = {
      number: '0x9',
      time: '0x8',
      gasLimit: '0x7',
      feeRecipient: A,
      prevRandao: WORD,
      baseFeePerGas: '0x6',
      blockHash: { '3': WORD, '0x4': WORD },
    };
    const expected = {
      number: 9n,
      timestamp: 8n,
      gasLimit: 7n,
      feeRecipient: fromHex(A),
      prevRandao: BigInt(WORD),
      baseFeePerGas: 6n,
      blockHashes: [
        [3n, fromHex(WORD)],
        [4n, fromHex(WORD)],
      ],
    };
    assert.deepEqual((await simulated('eth_call', {}, 'latest', {}, overrides)).blockOverrides, expected);
    const older = { time: '0x8', coinbase: A, random: WORD, baseFee: '0x6' };
    assert.deepEqual((await simulated('eth_call', {}, 'latest', null, older)).blockOverrides, {
      timestamp: 8n,
      feeRecipient: fromHex(A),
      prevRandao: BigInt(WORD),
      baseFeePerGas: 6n,
    });
    assert.equal(
      (await simulated('eth_call', { maxFeePerGas: '0x7' }, 'latest', null, { baseFeePerGas: '0x6' })).gasPrice,
      6n,
    );
  });

  it('refuses malformed requests and overrides', async () => {
    const bad: readonly (readonly unknown[])[] = [
      [],
      [null],
      ['0x'],
      [[]],
      [{ to: '0x12' }],
      [{ from: 5 }],
      [{ gas: '0x10000000000000000' }],
      [{ gas: '21000' }],
      [{ gasPrice: `0x1${'0'.repeat(32)}` }],
      [{ value: `0x1${'0'.repeat(64)}` }],
      [{ data: '0x1' }],
      [{ data: 'ff' }],
      [{ nonce: -1 }],
      [{ accessList: {} }],
      [{ accessList: [{ address: A, storageKeys: ['0x1'] }] }],
      [{}, 'latest', []],
      [{}, 'latest', { [A]: 5 }],
      [{}, 'latest', { [A]: { balance: 'x' } }],
      [{}, 'latest', { [A]: { state: {}, stateDiff: {} } }],
      [{}, 'latest', { [A]: { stateDiff: { [WORD]: '0x1' } } }],
      [{}, 'latest', {}, { number: 'x' }],
      [{}, 'latest', {}, { blockHash: { x: WORD } }],
    ];
    for (const params of bad) await refused([...params], -32602, /./);
  });

  it('bounds the access list and the slots of all overrides together', async () => {
    const word = (i: number): string => `0x${i.toString(16).padStart(64, '0')}`;
    const words = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => word(from + i));
    const slots = (count: number) => Object.fromEntries(words(0, count).map((slot) => [slot, WORD]));
    const listed = (count: number) => [
      { address: A, storageKeys: words(0, 9_999) },
      { address: OTHER, storageKeys: words(0, count) },
    ];
    const withSlots = (count: number) => ({ [A]: { state: slots(10_000) }, [OTHER]: { stateDiff: slots(count) } });
    assert.equal((await test.call('eth_call', { accessList: listed(9_999) })).error, undefined);
    assert.equal((await test.call('eth_call', {}, 'latest', withSlots(10_000))).error, undefined);
    const long = await test.call('eth_call', { accessList: listed(10_000) });
    assert.match(String(long.error?.data), /accessList: more than 20000 addresses and storage keys/);
    const many = await test.call('eth_call', {}, 'latest', withSlots(10_001));
    assert.match(String(many.error?.data), /stateDiff: more than 20000 slots in all/);
  });

  it('shows reverts with code 3 (C4)', async () => {
    chain.simulate = async () => ({ kind: 'revert', returnData: fromHex('0xc2bb947c'), gasUsed: 1n });
    for (const method of ['eth_call', 'eth_estimateGas']) {
      assert.deepEqual((await test.call(method, {})).error, {
        code: 3,
        message: 'execution reverted',
        data: '0xc2bb947c',
      });
    }
    chain.simulate = async () => ({ kind: 'revert', returnData: new Uint8Array(0), gasUsed: 1n });
    assert.deepEqual((await test.call('eth_call', {})).error, { code: 3, message: 'execution reverted' });
  });

  it('leads with geth phrases when the transaction is invalid', async () => {
    const rows: readonly (readonly [variant: string, code: number, lead: string])[] = [
      ['LackOfFundForMaxFee', -32000, 'insufficient funds for gas * price + value'],
      [INSUFFICIENT_FUNDS_FOR_TRANSFER, -32000, 'insufficient funds for transfer'],
      ['CallerGasLimitMoreThanBlock', 803, 'exceeds block gas limit: gas limit reached'],
      ['OutOfGasDuringValidation', 800, 'intrinsic gas too low'],
      ['RejectCallerWithCode', -32602, 'sender not an eoa'],
      ['CreateInitCodeSizeLimit', -32602, 'max initcode size exceeded'],
      ['NonceOverflowInTransaction', -32603, 'nonce has max value'],
    ];
    for (const [error, code, lead] of rows) {
      chain.simulate = async () => ({ kind: 'invalid', error, message: '' });
      assert.deepEqual((await test.call('eth_call', {})).error, {
        code,
        message: `${lead}: invalid transaction: ${error}`,
      });
    }
    chain.simulate = async () => ({ kind: 'invalid', error: 'SomethingElse', message: 'what happened' });
    assert.deepEqual((await test.call('eth_call', {})).error, { code: -32000, message: 'what happened' });
  });

  it('names the gas that was not enough, the time that ran out and the queue that is full', async () => {
    chain.simulate = async () => ({ kind: 'exceedsAllowance', gas: 30_000n });
    assert.deepEqual((await test.call('eth_estimateGas', {})).error, {
      code: -32000,
      message: 'gas required exceeds allowance (30000)',
    });
    chain.simulate = () => Promise.reject(new NodeError('retryable', 'too slow', { code: 'CALL_TIMEOUT' }));
    assert.deepEqual((await test.call('eth_call', {})).error, {
      code: -32000,
      message: 'execution aborted (timeout = 10s)',
    });
    chain.simulate = () => Promise.reject(new NodeError('retryable', 'too many', { code: 'CALL_QUEUE_FULL' }));
    assert.deepEqual((await test.call('eth_call', {})).error, {
      code: -32009,
      message: 'Server is busy, try again later',
    });
  });
});
