import assert from 'node:assert/strict';
import { toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import type { TracerSpec } from '../../../src/vm/tracers/createTracer.ts';
import type { StructLogConfig } from '../../../src/vm/tracers/structLogTracer.ts';
import { anAddress, aWord, code, from, push } from '../../support/factories.ts';
import { TestState } from '../../support/testState.ts';
import { aState, CONTRACT, runOne, SENDER } from '../harness.ts';
import { traceOne } from './traceOne.ts';
import type { Traced } from './traceOne.ts';

const CALLEE = anAddress(0xca11ee);
const GAS = 1_000_000;
/** Of the frame: the transaction costs 21,000. */
const START = GAS - 21_000;

interface StructLog {
  readonly pc: number;
  readonly op: string;
  readonly gas: number;
  readonly gasCost: number;
  readonly depth: number;
  readonly refund?: number;
  readonly error?: string;
  readonly stack?: readonly string[];
  readonly memory?: readonly string[];
  readonly storage?: Readonly<Record<string, string>>;
  readonly returnData?: string;
}

interface StructLogs {
  readonly gas: number;
  readonly failed: boolean;
  readonly returnValue: string;
  readonly structLogs: readonly StructLog[];
}

const spec = (config: Partial<StructLogConfig> = {}): TracerSpec => ({
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

const sendered = from(SENDER, { to: CONTRACT, gasLimit: BigInt(GAS) });
const run = (state: TestState, config: Partial<StructLogConfig> = {}): Traced =>
  traceOne(spec(config), state, sendered);
const logsOf = (traced: Traced): readonly StructLog[] => (traced.result as StructLogs).structLogs; // its JSON

const word = (value: number): string => toHex(aWord(value));

describe('struct logs', () => {
  it('show every opcode with the gas and the stack before it', () => {
    const { result, output } = run(aState(code(push(7), push(0), 0x52, push(32), push(0), 0xf3)));
    const entry = (pc: number, op: string, spent: number, gasCost: number, ...stack: string[]): StructLog => ({
      pc,
      op,
      gas: START - spent,
      gasCost,
      depth: 1,
      refund: 0,
      stack,
    });
    assert.deepEqual(result, {
      gas: Number(output.gasUsed),
      failed: false,
      returnValue: toHex(aWord(7)),
      structLogs: [
        entry(0, 'PUSH1', 0, 3),
        entry(2, 'PUSH1', 3, 3, '0x7'),
        entry(4, 'MSTORE', 6, 6, '0x7', '0x0'),
        entry(5, 'PUSH1', 12, 3),
        entry(7, 'PUSH1', 15, 3, '0x20'),
        entry(9, 'RETURN', 18, 0, '0x20', '0x0'),
      ],
    });
  });

  it('show memory and return data when asked to, and no stack when not', () => {
    const returner = code(push(5), push(0), 0x52, push(32), push(0), 0xf3);
    const program = code(
      push(0),
      push(0),
      push(0),
      push(0),
      push(CALLEE),
      push(50_000),
      0xfa,
      push(9),
      push(0),
      0x52,
      0x00,
    );
    const state = aState(program).put(CALLEE, { nonce: 1n, code: returner });
    const config = { disableStack: true, enableMemory: true, enableReturnData: true };
    const shown = logsOf(run(state, config)).map(({ op, depth, stack, memory, returnData }) => [
      depth, op, stack, memory, returnData,
    ]); // prettier-ignore
    const returned = toHex(aWord(5));
    assert.deepEqual(shown.slice(6), [
      [1, 'STATICCALL', undefined, [], '0x'],
      [2, 'PUSH1', undefined, [], '0x'],
      [2, 'PUSH1', undefined, [], '0x'],
      [2, 'MSTORE', undefined, [], '0x'],
      [2, 'PUSH1', undefined, [word(5)], '0x'],
      [2, 'PUSH1', undefined, [word(5)], '0x'],
      [2, 'RETURN', undefined, [word(5)], '0x'],
      [1, 'PUSH1', undefined, [], returned],
      [1, 'PUSH1', undefined, [], returned],
      [1, 'MSTORE', undefined, [], returned],
      [1, 'STOP', undefined, [word(9)], returned],
    ]);
  });

  it('show what SLOAD and SSTORE have met of the storage of a contract', () => {
    const program = code(push(1), 0x54, 0x50, push(6), push(2), 0x55, push(1), 0x54, 0x50);
    const state = aState(program, { slots: [[aWord(1), aWord(5)]] });
    const storageOf = (config: Partial<StructLogConfig>): unknown[] =>
      logsOf(run(state, config))
        .filter(({ op }) => op === 'SLOAD' || op === 'SSTORE')
        .map(({ storage }) => storage);
    const both = { [word(1)]: word(5), [word(2)]: word(6) };
    assert.deepEqual(storageOf({}), [{ [word(1)]: word(5) }, both, both]);
    assert.deepEqual(storageOf({ disableStorage: true }), [undefined, undefined, undefined]);
    assert.ok(
      logsOf(run(state)).every(({ op, storage }) => op === 'SLOAD' || op === 'SSTORE' || storage === undefined),
    );
  });

  it('costs of calls hold the gas passed on, costs of creations do not', () => {
    const program = code(
      push(0), push(0), push(0), push(0), push(0), push(CALLEE), push(1_000), 0xf1,
      push(0), push(0), push(0), push(0), push(0), push(anAddress(0xe0a)), push(2_000), 0xf1,
      push(0), push(0), push(0), 0xf0, push(0),
    ); // prettier-ignore
    const logs = logsOf(run(aState(program).put(CALLEE, { nonce: 1n, code: code(push(1), push(2), 0x01) })));
    const costs = logs.filter(({ op }) => op === 'CALL' || op === 'CREATE').map(({ gasCost }) => gasCost);
    // Cold accounts cost 2,600; the second call runs nothing.
    assert.deepEqual(costs, [2_600 + 1_000, 2_600 + 2_000, 32_000]);
    const after = logs.findIndex(({ op }) => op === 'CALL');
    const inner = logs.slice(after + 1, after + 5);
    assert.deepEqual(
      inner.map(({ depth, op, gas, gasCost }) => [depth, op, gas, gasCost]),
      [
        [2, 'PUSH1', 1_000, 3],
        [2, 'PUSH1', 997, 3],
        [2, 'ADD', 994, 3],
        [2, 'STOP', 991, 0],
      ],
    );
    // What the callee did not use comes back.
    assert.equal(logs[after + 5]?.gas, (logs[after]?.gas ?? 0) - 2_600 - 9);
  });

  it('show the opcode that fails with its error and its first charge', () => {
    const last = (calleeCode: Bytes, gas = 50_000): (string | number | undefined)[] => {
      const program = code(push(0), push(0), push(0), push(0), push(CALLEE), push(gas), 0xfa, 0x00);
      const logs = logsOf(run(aState(program).put(CALLEE, { nonce: 1n, code: calleeCode })));
      const entry = logs.filter(({ depth }) => depth === 2).at(-1);
      assert.equal(logs.at(-1)?.op, 'STOP');
      assert.equal(logs.at(-1)?.depth, 1);
      return [entry?.op, entry?.pc, entry?.gas, entry?.gasCost, entry?.error];
    };
    assert.deepEqual(last(code(0xfe)), ['INVALID', 0, 50_000, 0, 'invalid opcode: INVALID']);
    assert.deepEqual(last(code(0x0c)), [
      'opcode 0xc not defined',
      0,
      50_000,
      0,
      'invalid opcode: opcode 0xc not defined',
    ]);
    assert.deepEqual(last(code(push(1), 0x01)), ['ADD', 2, 49_997, 3, 'stack underflow']);
    assert.deepEqual(last(code(push(1), push(1), 0x01), 8), ['ADD', 4, 2, 3, 'out of gas']);
    assert.deepEqual(last(code(push(0), 0x54), 100), ['SLOAD', 2, 97, 0, 'out of gas']);
    assert.deepEqual(last(code(push(0), push(0), 0xfd)), ['REVERT', 4, 49_994, 0, undefined]);
    assert.deepEqual(last(code(push(anAddress(0xe0a)), 0xff)), ['SELFDESTRUCT', 21, 49_997, 5_000, 'write protection']);
  });

  it('show a selfdestruct with what it cost', () => {
    const program = code(push(0), push(0), push(0), push(0), push(0), push(CALLEE), push(50_000), 0xf1, 0x00);
    const state = aState(program).put(CALLEE, { nonce: 1n, code: code(push(CONTRACT), 0xff) });
    const logs = logsOf(run(state)).filter(({ op }) => op === 'SELFDESTRUCT' || op === 'STOP');
    assert.deepEqual(
      logs.map(({ op, depth, gasCost }) => [op, depth, gasCost]),
      [
        ['SELFDESTRUCT', 2, 5_000],
        ['STOP', 1, 0],
      ],
    );
  });

  it('answer failures: revert data, nothing of other errors', () => {
    const reverted = run(aState(code(push(2), push(0), 0xfd))).result as StructLogs;
    assert.deepEqual([reverted.failed, reverted.returnValue], [true, '0x0000']);
    const broken = run(aState(code(0xfe))).result as StructLogs;
    assert.deepEqual([broken.failed, broken.returnValue, broken.gas], [true, '0x', GAS]);
  });

  it('end at the limit', () => {
    const { structLogs, failed } = run(aState(code(push(1), push(2), push(3))), { limit: 2 }).result as StructLogs;
    assert.deepEqual([structLogs.map(({ pc }) => pc), failed], [[0, 2], false]);
  });

  it('are the same when every opcode is resumed and every turn is one unit', () => {
    const start = code(
      push(1), 0x54, push(2), 0x55, push(CALLEE), 0x31, 0x50,
      push(0), push(0), push(0), push(0), push(0), push(CALLEE), push(60_000), 0xf1, 0x50,
      push(0), push(0), push(0), 0xf0, 0x50, push(3),
    ); // prettier-ignore
    const program = code(start, 0x5b, push(1), 0x90, 0x03, 0x80, push(start.length), 0x57);
    const fill = (state: TestState): TestState =>
      state
        .put(SENDER, { balance: 10n ** 20n })
        .put(CONTRACT, { nonce: 1n, code: program, slots: [[aWord(1), aWord(5)]] })
        .put(CALLEE, { nonce: 1n, balance: 3n, code: code(push(7), 0x54, push(8), 0x55) });
    const calm = traceOne(spec(), fill(new TestState()), sendered);
    assert.ok(logsOf(calm).length > 30);
    assert.equal(calm.output.success, true);
    const forgetful = fill(new TestState({ missProbability: 0.7, seed: 5 }));
    const restless = traceOne(spec(), forgetful, sendered, { turnBudget: 1 });
    assert.ok(forgetful.misses > 5);
    assert.equal(restless.text, calm.text);
  });

  it('change nothing of what the transaction does', () => {
    const program = code(push(1), 0x54, push(2), 0x55, push(0), push(0), push(0), 0xf0, 0x50);
    const traced = run(aState(program, { slots: [[aWord(1), aWord(5)]] }));
    const { output } = runOne(aState(program, { slots: [[aWord(1), aWord(5)]] }), { gasLimit: BigInt(GAS) });
    assert.deepEqual(traced.output, output);
  });

  it('are given up when they are longer than allowed, before much memory is written', () => {
    const program = code(push(1), push(30_000), 0x53, push(1), 0x50);
    assert.throws(() => traceOne(spec({ enableMemory: true }), aState(program), sendered, { maxBytes: 60_000 }), {
      code: 'TRACE_TOO_BIG',
    });
    assert.ok(traceOne(spec(), aState(program), sendered, { maxBytes: 60_000 }).text.length < 2_000);
  });
});
