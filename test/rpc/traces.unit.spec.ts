import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { bytesKey, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import type { NodeError } from '../../src/common/errors.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import type { SimulatedCall, TraceRequest } from '../../src/rpc/backend.ts';
import { PreimageCache } from '../../src/rpc/callState.ts';
import { asRpcError } from '../../src/rpc/errors.ts';
import { SliceQueue } from '../../src/rpc/executionLimits.ts';
import { createSimulator } from '../../src/rpc/simulator.ts';
import type { TraceableBlock, Traces, TracesOptions } from '../../src/rpc/traces.ts';
import { createTraces } from '../../src/rpc/traces.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import type { TracerSpec } from '../../src/vm/tracers/createTracer.ts';
import { aBlockContext, anAddress, aWord, code, ETHER, from, fromL1, push } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { drive, included } from '../vm/harness.ts';
import { schemaProblems } from './schema.ts';

const ALICE = anAddress(0xa11ce5);
const COUNTER = anAddress(0xc0);
const ENDLESS = anAddress(0xe5d);
const HEIGHT = 7;

/** Adds one to slot 0 and emits an event. */
const COUNTER_CODE = code(push(0), 0x54, push(1), 0x01, push(0), 0x55, push(0), push(0), 0xa0);
const CALL_TRACER: TracerSpec = { name: 'callTracer', config: { onlyTopCall: false, withLog: true } };
const PRESTATE_CONFIG = { diffMode: true, disableCode: true, disableStorage: false, includeEmpty: false };
const PRESTATE_TRACER: TracerSpec = { name: 'prestateTracer', config: PRESTATE_CONFIG };
const STRUCT_LOG_CONFIG = {
  disableStack: false,
  disableStorage: false,
  enableMemory: false,
  enableReturnData: false,
  limit: 0,
};
const STRUCT_LOGS: TracerSpec = { name: 'structLogs', config: STRUCT_LOG_CONFIG };

describe('traces', () => {
  let state: TestState;
  let block: TraceableBlock;
  let facts: string[];
  let runningCounts: number[];

  const context = aBlockContext({ blockNumber: BigInt(HEIGHT) });

  /** What the block of these transactions gives on the state. */
  function executed(transactions: readonly SenderedTransaction[]): readonly TransactionOutput[] {
    const execution = new BlockExecution({ context, state });
    return transactions.map((transaction) => included(drive(execution, state, transaction)));
  }

  function aBlock(transactions: readonly SenderedTransaction[]): TraceableBlock {
    return { context, transactions, outputs: executed(transactions) };
  }

  const count = (nonce: bigint): SenderedTransaction => from(ALICE, { to: COUNTER, gasLimit: 200_000n, nonce });

  beforeEach(() => {
    state = new TestState()
      .put(ALICE, { balance: 1_000n * ETHER })
      .put(COUNTER, { nonce: 1n, code: COUNTER_CODE })
      .put(ENDLESS, { nonce: 1n, code: code(0x5b, push(0), 0x56) });
    block = aBlock([fromL1({ to: anAddress(0xb0b), value: 5n }), count(0n), count(1n)]);
    facts = [];
    runningCounts = [];
  });

  function someTraces(options: Partial<TracesOptions> = {}): Traces {
    const stateAt = {
      // The state before the block, and no other.
      account: async (address: Bytes, height: number) =>
        height === HEIGHT - 1 ? state.records.get(bytesKey(address)) : assert.fail(`state of block ${height}`),
      slot: async (address: Bytes, slot: Bytes, height: number) =>
        height === HEIGHT - 1 ? state.value(address, slot) : assert.fail(`state of block ${height}`),
      preimage: async (hash: Bytes) => state.preimages.get(bytesKey(hash)),
    };
    const { turnBudget = 60_000 } = options;
    const shared = { state: stateAt, preimages: new PreimageCache(), slices: new SliceQueue(), turnBudget };
    return createTraces({
      ...shared,
      simulator: createSimulator({
        ...shared,
        timeoutMs: 10_000,
        blockContext: async (height) => (height === HEIGHT - 1 ? { ...context, blockNumber: 6n } : undefined),
      }),
      block: async (height) => (height === HEIGHT ? block : undefined),
      timeoutMs: 60_000,
      maxConcurrent: 8,
      maxBytes: 1_000_000,
      onRunning: (running) => runningCounts.push(running),
      onTraced: ({ tracer, outcome }) => facts.push(`${tracer} ${outcome}`),
      ...options,
    });
  }

  const ofTransaction = (transactionIndex: number, tracer: TracerSpec = CALL_TRACER): TraceRequest => ({
    kind: 'transaction',
    blockNumber: HEIGHT,
    transactionIndex,
    tracer,
    timeoutMs: undefined,
  });
  const ofBlock = (tracer: TracerSpec = CALL_TRACER): TraceRequest => ({
    kind: 'block',
    blockNumber: HEIGHT,
    tracer,
    timeoutMs: undefined,
  });

  function ofCall(more: Partial<SimulatedCall> = {}, tracer: TracerSpec = CALL_TRACER): TraceRequest {
    const call: SimulatedCall = {
      kind: 'call',
      blockNumber: HEIGHT - 1,
      type: 0,
      from: ALICE,
      to: COUNTER,
      input: new Uint8Array(0),
      value: 0n,
      gas: 200_000n,
      gasPrice: 0n,
      nonce: undefined,
      accessList: [],
      stateOverrides: [],
      blockOverrides: {},
      ...more,
    };
    return { kind: 'call', call, tracer, timeoutMs: undefined };
  }

  async function failureOf(traced: Promise<string>): Promise<{ code: number | undefined; message: string }> {
    const error: unknown = await traced.then(
      () => assert.fail('it was traced'),
      (reason: unknown) => reason,
    );
    return { code: asRpcError(error)?.rpcCode, message: (error as Error).message };
  }

  it('traces one transaction on the state that those before it left', async () => {
    const traces = someTraces();
    const frame = JSON.parse(await traces.trace(ofTransaction(2))) as { logs: unknown; type: string };
    assert.equal(frame.type, 'CALL');
    assert.deepEqual(frame.logs, [{ address: toHex(COUNTER), topics: [], data: '0x', index: '0x1', position: '0x0' }]);
    const { pre, post } = JSON.parse(await traces.trace(ofTransaction(2, PRESTATE_TRACER))) as {
      pre: Record<string, { storage?: object }>;
      post: Record<string, { storage?: object }>;
    };
    const [slot, one, two] = [0, 1, 2].map((value) => toHex(aWord(value))) as [string, string, string];
    assert.deepEqual(pre[toHex(COUNTER)]?.storage, { [slot]: one });
    assert.deepEqual(post[toHex(COUNTER)]?.storage, { [slot]: two });
  });

  for (const tracer of [CALL_TRACER, PRESTATE_TRACER, STRUCT_LOGS]) {
    it(`gives for a block what it gives for each transaction: ${tracer.name}`, async () => {
      const traces = someTraces();
      const whole = JSON.parse(await traces.trace(ofBlock(tracer))) as unknown[];
      const each = await Promise.all(
        block.transactions.map(async ({ transaction }, index) => ({
          txHash: toHex(transaction.hash),
          result: JSON.parse(await traces.trace(ofTransaction(index, tracer))) as unknown,
        })),
      );
      assert.equal(whole.length, 3);
      assert.deepEqual(whole, each);
    });
  }

  it('gives struct logs as the execution-apis want them', async () => {
    const config = { ...STRUCT_LOG_CONFIG, enableMemory: true, enableReturnData: true };
    const program = code(push(COUNTER), 0x31, push(0), 0x52, push(7), 0x54, push(3), push(7), 0x55, 0xfe);
    const stateOverrides = [{ address: ENDLESS, code: program }];
    for (const request of [
      ofTransaction(0, STRUCT_LOGS),
      ofTransaction(2, { name: 'structLogs', config }),
      ofCall({ to: ENDLESS, stateOverrides }, { name: 'structLogs', config }),
    ]) {
      const result: unknown = JSON.parse(await someTraces().trace(request));
      assert.deepEqual(schemaProblems(result, 'OpcodeTransactionTrace'), []);
    }
    for (const each of JSON.parse(await someTraces().trace(ofBlock(STRUCT_LOGS))) as unknown[])
      assert.deepEqual(schemaProblems(each, 'OpcodeBlockTransactionTrace'), []);
  });

  it('traces calls, with overrides, and says why one is not valid', async () => {
    const traces = someTraces();
    const stateOverrides = [{ address: COUNTER, code: code(push(2), push(0), 0xfd) }];
    const frame = JSON.parse(await traces.trace(ofCall({ stateOverrides }))) as Record<string, unknown>;
    assert.deepEqual([frame['error'], frame['output']], ['execution reverted', '0x0000']);
    const { structLogs } = JSON.parse(await traces.trace(ofCall({}, STRUCT_LOGS))) as { structLogs: { op: string }[] };
    assert.deepEqual(structLogs.map(({ op }) => op).slice(0, 3), ['PUSH1', 'SLOAD', 'PUSH1']);
    assert.deepEqual(await failureOf(traces.trace(ofCall({ gas: 20_000n }))), {
      code: 800,
      message: 'intrinsic gas too low: invalid transaction: OutOfGasDuringValidation',
    });
  });

  it('reads code that a prestate shows and the call did not run', async () => {
    const tracer: TracerSpec = {
      name: 'prestateTracer',
      config: { ...PRESTATE_CONFIG, diffMode: false, disableCode: false },
    };
    const stateOverrides = [{ address: ENDLESS, code: code(push(COUNTER), 0x31) }];
    const accounts = JSON.parse(await someTraces().trace(ofCall({ to: ENDLESS, stateOverrides }, tracer))) as Record<
      string,
      { code?: string }
    >;
    assert.equal(accounts[toHex(COUNTER)]?.code, toHex(COUNTER_CODE));
    assert.equal(accounts[toHex(ENDLESS)]?.code, toHex(code(push(COUNTER), 0x31)));
  });

  it('knows only stored blocks', async () => {
    const notFound = { code: -32001, message: 'block not found' };
    assert.deepEqual(await failureOf(someTraces().trace({ ...ofBlock(), blockNumber: 9 } as TraceRequest)), notFound);
    assert.deepEqual(await failureOf(someTraces().trace(ofTransaction(3))), notFound);
  });

  it('refuses to show anything when the block does not give again what its receipts say', async () => {
    const [first, second, third] = block.outputs;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const wrongs: TransactionOutput[] = [
      { ...second, gasUsed: second.gasUsed + 1n },
      { ...second, success: false },
      { ...second, pubdataUsed: second.pubdataUsed + 1n },
      { ...second, nativeUsed: second.nativeUsed + 1n },
      { ...second, logs: [] },
      { ...second, logs: second.logs.map((log) => ({ ...log, address: ALICE })) },
      { ...second, contractAddress: ALICE },
    ];
    for (const wrong of wrongs) {
      block = { ...block, outputs: [first, wrong, third] };
      await assert.rejects(someTraces().trace(ofBlock()), (error: NodeError) => {
        assert.deepEqual([error.code, error.kind, error.facts['blockNumber']], ['TRACE_MISMATCH', 'invariant', HEIGHT]);
        return true;
      });
      await assert.rejects(someTraces().trace(ofTransaction(2)), { code: 'TRACE_MISMATCH' });
    }
    block = { ...block, outputs: [{ ...first, l2ToL1Logs: [] }, second, third] };
    await assert.rejects(someTraces().trace(ofTransaction(1)), { code: 'TRACE_MISMATCH' });
  });

  it('ends what takes too long, by the limit of the node or the shorter one of the request', async () => {
    let nowMs = 0;
    const traces = someTraces({ timeoutMs: 1_000, now: () => (nowMs += 10) });
    const text = (ms: number): string =>
      `execution timeout: the trace did not end within ${ms} ms, waiting included (its timeout, rpc_call_timeout)`;
    const endless = ofCall({ to: ENDLESS, gas: 90_000_000n });
    assert.deepEqual(await failureOf(traces.trace(endless)), { code: -32_000, message: text(1_000) });
    assert.deepEqual(await failureOf(traces.trace({ ...endless, timeoutMs: 20 })), {
      code: -32_000,
      message: text(20),
    });
    assert.deepEqual(await failureOf(traces.trace({ ...endless, timeoutMs: 9_000 })), {
      code: -32_000,
      message: text(1_000),
    });
    block = aBlock([from(ALICE, { to: ENDLESS, gasLimit: 30_000_000n })]);
    assert.equal((await failureOf(traces.trace({ ...ofBlock(), timeoutMs: 5 }))).message, text(5));
    assert.deepEqual(
      facts,
      Array.from({ length: 4 }, () => 'callTracer timeout'),
    );
  });

  it('runs as many as are allowed, lets four times as many wait, and refuses more', async () => {
    const opened: (() => void)[] = [];
    const traces = someTraces({
      maxConcurrent: 2,
      block: async () => {
        await new Promise<void>((resolve) => opened.push(resolve));
        return block;
      },
    });
    const accepted = Array.from({ length: 2 + 8 }, () => traces.trace(ofTransaction(1)));
    assert.deepEqual(await failureOf(traces.trace(ofTransaction(1))), {
      code: -32_009,
      message: 'Server is busy, try again later: 2 traces run and 8 wait (rpc_max_trace_concurrency)',
    });
    const begun = opened.length;
    assert.equal(begun, 2);
    let done = 0;
    for (const traced of accepted) void traced.then(() => (done += 1));
    while (done < accepted.length) {
      opened.shift()?.();
      await setImmediate();
    }
    assert.equal(Math.max(...runningCounts), 2);
    assert.equal(runningCounts.at(-1), 0);
    assert.deepEqual(facts.sort(), ['callTracer busy', ...Array.from({ length: 10 }, () => 'callTracer done')]);
    // A place that was refused or failed is free again.
    const again = traces.trace(ofTransaction(1));
    while (opened.length === 0) await setImmediate();
    opened.shift()?.();
    assert.match(await again, /^\{"type":"CALL"/);
  });

  it('gives others their turn meanwhile, also in a step trace', async () => {
    const traces = someTraces({ turnBudget: 5_000 });
    let isOver = false;
    const long = traces
      .trace(ofCall({ to: ENDLESS, gas: 300_000n }, { name: 'structLogs', config: { ...STRUCT_LOG_CONFIG, limit: 5 } }))
      .finally(() => (isOver = true));
    let turns = 0;
    while (!isOver) {
      await setImmediate();
      turns += 1;
    }
    assert.equal((JSON.parse(await long) as { structLogs: unknown[] }).structLogs.length, 5);
    assert.ok(turns > 5, `${turns} turns`);
  });

  it('refuses an answer that is too long, in a block as a whole', async () => {
    const one = (await someTraces().trace(ofTransaction(1, STRUCT_LOGS))).length;
    const traces = someTraces({ maxBytes: one + 200 });
    assert.ok((await traces.trace(ofTransaction(2, STRUCT_LOGS))).length <= one + 200);
    assert.deepEqual(await failureOf(traces.trace(ofBlock(STRUCT_LOGS))), {
      code: -32_008,
      message: 'Response is too big',
    });
    assert.deepEqual(facts.slice(-1), ['structLogs tooBig']);
  });
});
