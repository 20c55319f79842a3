import assert from 'node:assert/strict';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import type { TraceRequest } from '../../src/rpc/backend.ts';
import type { Answer, TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { TYPED_CASES } from './samples.ts';

const UNKNOWN = `0x${'12'.repeat(32)}`;

describe('debug_trace methods', () => {
  let chain: FakeChain;
  let test: TestServer;
  let second: string;

  before(async () => {
    chain = new FakeChain();
    const transactions = TYPED_CASES.map(({ raw, sender }) => ({ raw: fromHex(raw), sender: fromHex(sender) }));
    chain.addBlock(transactions);
    const [, raw] = TYPED_CASES.map((each) => fromHex(each.raw));
    assert.ok(raw !== undefined);
    second = toHex(decodeTransaction(raw).hash);
    test = await startTestServer(chain);
  });

  beforeEach(() => {
    chain.traceRequests.length = 0;
    chain.trace = async () => '{"type":"CALL"}';
    chain.latest = undefined;
  });

  after(() => test.server.close({ timeoutMs: 500 }));

  /** What the worker is asked for. */
  async function asked(method: string, ...params: unknown[]): Promise<TraceRequest> {
    const { error, result } = await test.call(method, ...params);
    assert.deepEqual([error, result], [undefined, { type: 'CALL' }]);
    return chain.traceRequests.at(-1) ?? assert.fail('nothing was asked for');
  }

  async function refused(method: string, ...params: unknown[]): Promise<NonNullable<Answer['error']>> {
    const { error } = await test.call(method, ...params);
    assert.equal(chain.traceRequests.length, 0);
    return error ?? assert.fail(`${method} ${JSON.stringify(params)} was answered`);
  }

  const structLogs = (config: object = {}): object => ({
    name: 'structLogs',
    config: {
      disableStack: false,
      disableStorage: false,
      enableMemory: false,
      enableReturnData: false,
      limit: 0,
      ...config,
    },
  });

  it('find the transaction, and hand the text of its trace on as it is', async () => {
    chain.trace = async () => '{"big":123456789012345678901234567890}';
    const text = await (
      await fetch(test.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'debug_traceTransaction', params: [second] }),
      })
    ).text();
    assert.equal(text, '{"jsonrpc":"2.0","id":1,"result":{"big":123456789012345678901234567890}}');
    assert.deepEqual(chain.traceRequests, [
      { kind: 'transaction', blockNumber: 1, transactionIndex: 1, tracer: structLogs(), timeoutMs: undefined },
    ]);
  });

  it('find the block by number, tag and hash; genesis has nothing to trace', async () => {
    const block = { kind: 'block', blockNumber: 1, tracer: structLogs(), timeoutMs: undefined };
    assert.deepEqual(await asked('debug_traceBlockByNumber', '0x1'), block);
    assert.deepEqual(await asked('debug_traceBlockByNumber', 'latest'), block);
    assert.deepEqual(
      await asked('debug_traceBlockByHash', toHex(chain.blocks[1]?.block.hash ?? new Uint8Array(0))),
      block,
    );
    chain.traceRequests.length = 0;
    assert.deepEqual((await test.call('debug_traceBlockByNumber', '0x0')).result, []);
    assert.deepEqual((await test.call('debug_traceBlockByNumber', 'earliest', { tracer: 'callTracer' })).result, []);
    assert.equal(chain.traceRequests.length, 0);
  });

  it('take the options of each tracer', async () => {
    const tracerOf = async (options: unknown): Promise<TraceRequest['tracer']> =>
      (await asked('debug_traceTransaction', second, options)).tracer;
    for (const nothing of [null, {}, { tracer: null }, { tracer: '' }, { reexec: 128, tracerConfig: {} }])
      assert.deepEqual(await tracerOf(nothing), structLogs());
    const all = { disableStack: true, disableStorage: true, enableMemory: true, enableReturnData: true, limit: 7 };
    assert.deepEqual(await tracerOf(all), structLogs(all));
    assert.deepEqual(await tracerOf({ tracer: 'callTracer', enableMemory: true }), {
      name: 'callTracer',
      config: { onlyTopCall: false, withLog: false },
    });
    assert.deepEqual(await tracerOf({ tracer: 'callTracer', tracerConfig: { onlyTopCall: true, withLog: true } }), {
      name: 'callTracer',
      config: { onlyTopCall: true, withLog: true },
    });
    assert.deepEqual(
      await tracerOf({ tracer: 'prestateTracer', tracerConfig: { diffMode: true, disableCode: true } }),
      {
        name: 'prestateTracer',
        config: { diffMode: true, disableCode: true, disableStorage: false, includeEmpty: false },
      },
    );
  });

  it('take durations as Go writes them', async () => {
    const timeoutOf = async (timeout: unknown): Promise<number | undefined> =>
      (await asked('debug_traceBlockByNumber', '0x1', { timeout })).timeoutMs;
    assert.equal(await timeoutOf('5s'), 5_000);
    assert.equal(await timeoutOf('300ms'), 300);
    assert.equal(await timeoutOf('1m30.5s'), 90_500);
    assert.equal(await timeoutOf('1500us'), 1.5);
    assert.equal(await timeoutOf(null), undefined);
    chain.traceRequests.length = 0;
    for (const timeout of ['', '5', 's', '5 s', '-5s', 5, '9'.repeat(50) + 's']) {
      const { code, data } = await refused('debug_traceBlockByNumber', '0x1', { timeout });
      assert.deepEqual([code, data], [-32602, 'invalid argument 1.timeout: expected a duration such as 300ms or 5s']);
    }
  });

  it('take calls like eth_call, with the overrides among the options', async () => {
    const request = await asked('debug_traceCall', { to: `0x${'ab'.repeat(20)}`, gas: '0x5208' }, '0x1', {
      tracer: 'callTracer',
      stateOverrides: { [`0x${'ab'.repeat(20)}`]: { code: '0x00' } },
      blockOverrides: { number: '0x9' },
    });
    assert.ok(request.kind === 'call');
    const { kind, blockNumber, gas, stateOverrides, blockOverrides } = request.call;
    assert.deepEqual([kind, blockNumber, gas], ['call', 1, 21_000n]);
    assert.deepEqual(stateOverrides, [{ address: fromHex('ab'.repeat(20)), code: Uint8Array.of(0) }]);
    assert.deepEqual(blockOverrides, { number: 9n });
    const plain = await asked('debug_traceCall', {});
    assert.ok(plain.kind === 'call');
    assert.deepEqual([plain.call.blockNumber, plain.call.gas, plain.tracer], [1, 10_000_000n, structLogs()]);
  });

  it('refuse what is not there and what cannot be', async () => {
    const shown = ({ code, message }: NonNullable<Answer['error']>): unknown[] => [code, message];
    assert.deepEqual(shown(await refused('debug_traceTransaction', UNKNOWN)), [-32000, 'transaction not found']);
    assert.deepEqual(shown(await refused('debug_traceBlockByHash', UNKNOWN)), [-32001, 'block not found']);
    assert.deepEqual(shown(await refused('debug_traceBlockByNumber', '0x9')), [-32001, 'block not found']);
    assert.deepEqual(shown(await refused('debug_traceCall', {}, '0x9')), [-32001, 'block not found']);
    chain.latest = 0;
    assert.deepEqual(shown(await refused('debug_traceTransaction', second)), [-32000, 'transaction not found']);
    chain.latest = undefined;
    const unsupported = [
      ['4byteTracer', '4byteTracer'],
      ['{step: function() {}, result: function() {}}', '{step: function() {}, result: function() {}}'],
      ['x'.repeat(100), 'x'.repeat(60)],
    ] as const;
    for (const [tracer, name] of unsupported) {
      assert.deepEqual(shown(await refused('debug_traceTransaction', second, { tracer })), [
        -32602,
        `tracer ${name} is not supported`,
      ]);
    }
    for (const tracerConfig of [1, [], 'x', { withLog: 1 }, { onlyTopCall: 'yes' }]) {
      const { code, message } = await refused('debug_traceTransaction', second, { tracer: 'callTracer', tracerConfig });
      assert.equal(code, -32602);
      assert.match(message, /^invalid tracer config/);
    }
    for (const options of [1, 'callTracer', { tracer: 1 }, { limit: -1 }, { limit: '0x1' }, { enableMemory: 'yes' }])
      assert.equal((await refused('debug_traceTransaction', second, options)).code, -32602);
    assert.deepEqual(shown(await refused('debug_traceCall', {}, 'latest', { txIndex: '0x0' })), [
      -32602,
      'txIndex is not supported: calls run after a whole block',
    ]);
    assert.equal((await refused('debug_traceTransaction')).code, -32602);
    assert.equal(
      (await refused('debug_traceBlockByNumber', '3')).data,
      'invalid argument 0: hex string without 0x prefix',
    );
  });

  it('show the errors of the worker with their codes, and hide a mismatch behind an internal error', async () => {
    chain.trace = () => Promise.reject(new NodeError('retryable', 'too many', { code: 'RPC_ERROR', rpcCode: -32009 }));
    assert.deepEqual((await test.call('debug_traceTransaction', second)).error, { code: -32009, message: 'too many' });
    const mismatch = new NodeError('invariant', 'another receipt', { code: 'TRACE_MISMATCH' });
    chain.trace = () => Promise.reject(mismatch);
    assert.deepEqual((await test.call('debug_traceTransaction', second)).error, {
      code: -32603,
      message: 'Internal error',
    });
    assert.deepEqual(test.counted.internalErrors, [mismatch]);
  });
});
