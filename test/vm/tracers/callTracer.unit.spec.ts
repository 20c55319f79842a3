import assert from 'node:assert/strict';
import { toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { creationAddress } from '../../../src/vm/creates.ts';
import type { CallTracerConfig } from '../../../src/vm/tracers/callTracer.ts';
import type { TracerSpec } from '../../../src/vm/tracers/createTracer.ts';
import { anAddress, aWord, code, from, fromL1, push } from '../../support/factories.ts';
import type { TestState } from '../../support/testState.ts';
import { aState, CONTRACT, SENDER } from '../harness.ts';
import { traceOne } from './traceOne.ts';
import type { Traced } from './traceOne.ts';

const CALLEE = anAddress(0xca11ee);
const [sender, contract, callee] = [SENDER, CONTRACT, CALLEE].map(toHex);
const GAS = 1_000_000;

/** What the tests below compare of a frame; gas has a test of its own. */
type Frame = Record<string, unknown> & { readonly calls?: readonly Frame[] };

const spec = (config: Partial<CallTracerConfig> = {}): TracerSpec => ({
  name: 'callTracer',
  config: { onlyTopCall: false, withLog: false, ...config },
});

/** CALL, CALLCODE, DELEGATECALL or STATICCALL without input and output; the result is dropped. */
function call(to: Bytes, opcode = 0xf1, value = 0, gas = 50_000): Bytes {
  const takesValue = opcode === 0xf1 || opcode === 0xf2;
  return code(push(0), push(0), push(0), push(0), takesValue ? push(value) : '', push(to), push(gas), opcode, 0x50);
}

function run(state: TestState, config: Partial<CallTracerConfig> = {}, input: Bytes = new Uint8Array(0)): Traced {
  return traceOne(spec(config), state, from(SENDER, { to: CONTRACT, gasLimit: BigInt(GAS), input }));
}

/** A frame and those in it without gas. */
function withoutGas(frame: Frame): Frame {
  const { gas, gasUsed, calls, ...rest } = frame;
  assert.match(String(gas), /^0x[0-9a-f]+$/);
  assert.match(String(gasUsed), /^0x[0-9a-f]+$/);
  return calls === undefined ? rest : { ...rest, calls: calls.map(withoutGas) };
}

const shape = (traced: Traced): Frame => withoutGas(traced.result as Frame); // its JSON is an object

describe('callTracer', () => {
  it('shows a call with its gas', () => {
    // Returns the word 7: PUSH1 PUSH1 MSTORE PUSH1 PUSH1 RETURN with one word of memory is 3 + 3 + 6 + 3 + 3 + 0.
    const { result, output } = run(aState(code(push(7), push(0), 0x52, push(32), push(0), 0xf3)), {}, aWord(1));
    const gas = GAS - 21_000 - 31 * 4 - 16;
    assert.deepEqual(result, {
      type: 'CALL',
      from: sender,
      to: contract,
      value: '0x0',
      gas: `0x${gas.toString(16)}`,
      gasUsed: '0x12',
      input: toHex(aWord(1)),
      output: toHex(aWord(7)),
    });
    assert.equal(output.gasUsed, BigInt(GAS - gas + 0x12));
  });

  it('shows the four calls, the value of a borrowed context, and none of a static call', () => {
    const program = code(call(CALLEE, 0xf1, 3), call(CALLEE, 0xf2, 2), call(CALLEE, 0xf4), call(CALLEE, 0xfa));
    const state = aState(program, { balance: 9n }).put(CALLEE, { nonce: 1n, code: code(0x00) });
    const traced = traceOne(spec(), state, from(SENDER, { to: CONTRACT, gasLimit: BigInt(GAS), value: 5n }));
    const inner = { from: contract, to: callee, input: '0x' };
    assert.deepEqual(shape(traced), {
      type: 'CALL',
      from: sender,
      to: contract,
      value: '0x5',
      input: '0x',
      calls: [
        { type: 'CALL', ...inner, value: '0x3' },
        { type: 'CALLCODE', ...inner, value: '0x2' },
        { type: 'DELEGATECALL', ...inner, value: '0x5' },
        { type: 'STATICCALL', ...inner },
      ],
    });
  });

  it('shows gas of inner calls as the callee has it', () => {
    const state = aState(call(CALLEE, 0xf1, 0, 1_000)).put(CALLEE, { nonce: 1n, code: code(push(1), 0x50) });
    const [inner] = (run(state).result as Frame).calls ?? [];
    assert.deepEqual([inner?.['gas'], inner?.['gasUsed']], ['0x3e8', '0x5']);
  });

  it('names CREATE and CREATE2, with the deployed code as output', () => {
    // Init code that deploys one STOP byte: PUSH1 1, PUSH1 0, RETURN.
    const initCode = code(push(1), push(0), 0xf3);
    const store = code(`7f${toHex(initCode).slice(2).padEnd(64, '0')}`, push(0), 0x52);
    const make = code(push(initCode.length), push(0), push(0), 0xf0, 0x50);
    const make2 = code(push(9), push(initCode.length), push(0), push(0), 0xf5, 0x50);
    const traced = run(aState(code(store, make, make2)));
    const { calls = [] } = shape(traced);
    assert.deepEqual(
      calls.map(({ type, from: by, value, input, output }) => [type, by, value, input, output]),
      [
        ['CREATE', contract, '0x0', toHex(initCode), '0x00'],
        ['CREATE2', contract, '0x0', toHex(initCode), '0x00'],
      ],
    );
    assert.equal(calls[0]?.['to'], toHex(creationAddress(CONTRACT, 1n)));
    assert.match(String(calls[1]?.['to']), /^0x[0-9a-f]{40}$/);
  });

  it('shows a deployment, and hides the address of one that failed', () => {
    const deploy = (initCode: Bytes): Frame =>
      shape(traceOne(spec(), aState(), from(SENDER, { to: null, gasLimit: BigInt(GAS), input: initCode })));
    const initCode = code(push(1), push(0), 0xf3);
    assert.deepEqual(deploy(initCode), {
      type: 'CREATE',
      from: sender,
      to: toHex(creationAddress(SENDER, 0n)),
      value: '0x0',
      input: toHex(initCode),
      output: '0x00',
    });
    const reverting = code(push(2), push(0), 0xfd);
    assert.deepEqual(deploy(reverting), {
      type: 'CREATE',
      from: sender,
      value: '0x0',
      input: toHex(reverting),
      output: '0x0000',
      error: 'execution reverted',
    });
    const forbidden = code('60ef', push(0), 0x53, push(1), push(0), 0xf3);
    assert.equal(deploy(forbidden)['error'], 'invalid code: must not begin with 0xef');
  });

  it('shows a taken address, for a transaction and for CREATE', () => {
    const taken = creationAddress(SENDER, 0n);
    const state = aState().put(taken, { nonce: 1n });
    const top = traceOne(spec(), state, from(SENDER, { to: null, gasLimit: BigInt(GAS) })).result as Frame;
    assert.equal(top['error'], 'contract address collision');
    assert.equal(top['gas'], top['gasUsed']);
    const inner = aState(code(push(0), push(0), push(0), 0xf0)).put(creationAddress(CONTRACT, 1n), { nonce: 1n });
    const { calls = [], error } = run(inner).result as Frame;
    assert.equal(error, undefined);
    assert.deepEqual(
      calls.map((frame) => [frame['type'], frame['error'], frame['to'], frame['gas'] === frame['gasUsed']]),
      [['CREATE', 'contract address collision', undefined, true]],
    );
  });

  it('shows calls and creations that were refused, with all their gas left', () => {
    const tooMuch = run(aState(code(call(CALLEE, 0xf1, 1), push(0), push(0), push(1), 0xf0))).result as Frame;
    assert.deepEqual(
      (tooMuch.calls ?? []).map((frame) => [frame['type'], frame['error'], frame['gasUsed']]),
      [
        ['CALL', 'insufficient balance for transfer', '0x0'],
        ['CREATE', 'insufficient balance for transfer', '0x0'],
      ],
    );
    // Calls itself with all gas until the depth is reached: 1 + 1024 frames run, the next one is refused.
    const recursive = aState(code(push(0), push(0), push(0), push(0), push(0), 0x30, 0x5a, 0xf1));
    // 63/64 of it for each frame leave enough for the last one.
    const gasLimit = 1_000_000_000_000n;
    const { result } = traceOne(spec(), recursive, from(SENDER, { to: CONTRACT, gasLimit }), {
      context: { gasLimit },
    });
    let [depth, frame] = [0, result as Frame];
    for (let next = frame.calls?.[0]; next !== undefined; next = frame.calls?.[0]) [depth, frame] = [depth + 1, next];
    assert.deepEqual([depth, frame['error'], frame['gasUsed']], [1025, 'max call depth exceeded', '0x0']);
  });

  it('decodes what a revert says: Error, Panic, standard errors; other data is only output', () => {
    const errorText = `08c379a0${toHex(aWord(32)).slice(2)}${toHex(aWord(3)).slice(2)}${'626164'.padEnd(64, '0')}`;
    const reverting = (data: string): TestState => {
      const stores: Bytes[] = [];
      for (let at = 0; at < data.length / 2; at += 32) {
        stores.push(code(`7f${data.slice(2 * at, 2 * at + 64).padEnd(64, '0')}`, push(at), 0x52));
      }
      return aState(code(...stores, push(data.length / 2), push(0), 0xfd));
    };
    const failure = (data: string): unknown[] => {
      const { error, output, revertReason } = run(reverting(data)).result as Frame;
      return [error, output, revertReason];
    };
    const reverted = 'execution reverted';
    assert.deepEqual(failure(errorText), [reverted, `0x${errorText}`, 'bad']);
    const panic = `4e487b71${toHex(aWord(0x11)).slice(2)}`;
    assert.deepEqual(failure(panic), [reverted, `0x${panic}`, 'arithmetic underflow or overflow']);
    assert.deepEqual(failure('c2bb947c'), [reverted, '0xc2bb947c', undefined]);
    assert.deepEqual(failure(''), [reverted, undefined, undefined]);
  });

  it('names every failure', () => {
    const failure = (calleeCode: Bytes, gas = 50_000): unknown => {
      const state = aState(call(CALLEE, 0xfa, 0, gas)).put(CALLEE, { nonce: 1n, code: calleeCode });
      const { error, output } = (run(state).result as Frame).calls?.[0] ?? {};
      assert.equal(output, undefined);
      return error;
    };
    assert.equal(failure(code(0xfe)), 'invalid opcode: INVALID');
    assert.equal(failure(code(0x0c)), 'invalid opcode: opcode 0xc not defined');
    assert.equal(failure(code(0x01)), 'stack underflow');
    assert.equal(failure(code(0x5b, push(0), push(0), 0x56)), 'stack limit reached 1024 (1023)');
    assert.equal(failure(code(push(0), 0x56)), 'invalid jump destination');
    assert.equal(failure(code(push(0), push(0), 0x55)), 'write protection');
    assert.equal(failure(code(0x5b, push(0), 0x56)), 'out of gas');
    assert.equal(failure(code(push(1), push(0), push(0), 0x3e)), 'return data out of bounds');
  });

  it('shows a selfdestruct as a leaf with the balance', () => {
    const state = aState(call(CALLEE)).put(CALLEE, {
      nonce: 1n,
      balance: 8n,
      code: code(push(anAddress(0xe0a)), 0xff),
    });
    const [inner] = (run(state).result as Frame).calls ?? [];
    assert.deepEqual(inner?.calls, [
      {
        type: 'SELFDESTRUCT',
        from: callee,
        to: toHex(anAddress(0xe0a)),
        value: '0x8',
        gas: '0x0',
        gasUsed: '0x0',
        input: '0x',
      },
    ]);
  });

  describe('withLog', () => {
    const emit = (topic: number): Bytes => code(push(topic), push(0), push(0), 0xa1);
    const log = (address: string | undefined, topic: number, position: number, index: number): object => ({
      address,
      topics: [toHex(aWord(topic))],
      data: '0x',
      index: `0x${index.toString(16)}`,
      position: `0x${position.toString(16)}`,
    });

    it('gives position and index, and leaves out what was taken back', () => {
      const failing = anAddress(0xbad);
      const state = aState(code(emit(1), call(CALLEE), emit(3), call(failing), emit(4)))
        .put(CALLEE, { nonce: 1n, code: emit(2) })
        .put(failing, { nonce: 1n, code: code(emit(9), call(CALLEE), push(0), push(0), 0xfd) });
      const sendered = from(SENDER, { to: CONTRACT, gasLimit: BigInt(GAS) });
      const traced = traceOne(spec({ withLog: true }), state, sendered, { firstLogIndex: 10 });
      const { logs, calls = [] } = traced.result as Frame;
      assert.deepEqual(logs, [log(contract, 1, 0, 10), log(contract, 3, 1, 12), log(contract, 4, 2, 13)]);
      assert.deepEqual(calls[0]?.['logs'], [log(callee, 2, 0, 11)]);
      assert.equal(calls[1]?.['logs'], undefined);
      assert.equal(calls[1]?.calls?.[0]?.['logs'], undefined);
      assert.equal(traced.output.logs.length, 4);
    });

    it('is what adds them', () => {
      assert.equal((run(aState(emit(1))).result as Frame)['logs'], undefined);
    });
  });

  it('onlyTopCall shows the transaction alone: nothing of inner errors, logs and selfdestructs', () => {
    const inner = code(push(0), push(0), 0xa0, call(anAddress(0xdead)), push(1), push(0), 0xfd);
    const state = aState(code(push(0), push(0), 0xa0, call(CALLEE), call(anAddress(0xdead)))).put(CALLEE, {
      nonce: 1n,
      code: inner,
    });
    state.put(anAddress(0xdead), { nonce: 1n, code: code(push(anAddress(0xe0a)), 0xff) });
    assert.deepEqual(shape(run(state, { onlyTopCall: true, withLog: true })), {
      type: 'CALL',
      from: sender,
      to: contract,
      value: '0x0',
      input: '0x',
      logs: [{ address: contract, topics: [], data: '0x', index: '0x0', position: '0x0' }],
    });
  });

  it('onlyTopCall numbers logs within the block, past those of inner calls that stay', () => {
    const log = code(push(0), push(0), 0xa0);
    const reverting = anAddress(0xbad);
    const state = aState(code(log, call(CALLEE), log, call(reverting), log))
      .put(CALLEE, { nonce: 1n, code: code(log, call(reverting), call(anAddress(0xdead)), log) })
      .put(reverting, { nonce: 1n, code: code(log, push(0), push(0), 0xfd) })
      .put(anAddress(0xdead), { nonce: 1n, code: log });
    const logs = (config: Partial<CallTracerConfig>): unknown =>
      (shape(run(state, { ...config, withLog: true }))['logs'] as readonly Frame[]).map(({ index }) => index); // has some
    assert.deepEqual(logs({}), ['0x0', '0x4', '0x5']);
    assert.deepEqual(logs({ onlyTopCall: true }), ['0x0', '0x4', '0x5']);
  });

  it('says that native ran out: all gas used, no output, whichever frame it was', () => {
    const hog = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
    const state = aState(code(push(0), push(0), push(0), push(0), push(0), push(CALLEE), 0x5a, 0xf1)).put(CALLEE, {
      nonce: 1n,
      code: hog,
    });
    const traced = traceOne(spec(), state, fromL1({ to: CONTRACT, gasLimit: 10_000_000n, maxFeePerGas: 1_000n }));
    assert.equal(traced.output.success, false);
    const top = traced.result as Frame;
    for (const frame of [top, top.calls?.[0]]) {
      assert.equal(frame?.['error'], 'out of native resources');
      assert.equal(frame?.['gasUsed'], frame?.['gas']);
      assert.equal(frame?.['output'], undefined);
    }
  });

  it('shows a transaction that ended before its first frame, and one that ended well and cannot pay its pubdata', () => {
    // 1 gas above the intrinsic cost: not enough native for the first access.
    const early = traceOne(spec(), aState(code(0x00)), fromL1({ to: CONTRACT, gasLimit: 21_100n, maxFeePerGas: 1n }));
    assert.equal(early.output.success, false);
    const { error, gas, gasUsed } = early.result as Frame;
    assert.deepEqual([error, gasUsed], ['out of native resources', gas]);

    const store = aState(code(push(1), push(0), 0x55));
    const sendered = from(SENDER, { to: CONTRACT, gasLimit: 100_000n });
    const late = traceOne(spec(), store, sendered, { context: { pubdataPrice: 1_000_000n } });
    assert.equal(late.output.success, false);
    const top = late.result as Frame;
    assert.deepEqual([top['error'], top['gasUsed']], ['out of native resources', top['gas']]);
    const paid = traceOne(spec(), store, sendered);
    assert.equal(paid.output.success, true);
    assert.equal((paid.result as Frame)['error'], undefined);
  });

  it('gives up when the result is longer than allowed', () => {
    const many = aState(code(...Array.from({ length: 20 }, () => call(CALLEE)))).put(CALLEE, { nonce: 1n });
    const sendered = from(SENDER, { to: CONTRACT, gasLimit: BigInt(GAS) });
    assert.throws(() => traceOne(spec(), many, sendered, { maxBytes: 5_000 }), { code: 'TRACE_TOO_BIG' });
    const { text } = traceOne(spec(), many, sendered, { maxBytes: 10_000 });
    assert.ok(text.length > 2_000);
  });
});
