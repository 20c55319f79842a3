import assert from 'node:assert/strict';
import { toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { creationAddress } from '../../../src/vm/creates.ts';
import type { TracerSpec } from '../../../src/vm/tracers/createTracer.ts';
import type { PrestateTracerConfig } from '../../../src/vm/tracers/prestateTracer.ts';
import { anAddress, aWord, code, ETHER, from, fromL1, push } from '../../support/factories.ts';
import type { TestState } from '../../support/testState.ts';
import { aState, CONTRACT, SENDER } from '../harness.ts';
import { traceOne } from './traceOne.ts';

const CALLEE = anAddress(0xca11ee);
const COINBASE = toHex(anAddress(0xc01bba5e));
const [sender, contract, callee] = [SENDER, CONTRACT, CALLEE].map(toHex) as [string, string, string];
const RICHES = 1_000_000n * ETHER;
const PRICE = 1_000n;

type Accounts = Readonly<Record<string, object>>;

const spec = (config: Partial<PrestateTracerConfig> = {}): TracerSpec => ({
  name: 'prestateTracer',
  config: { diffMode: false, disableCode: false, disableStorage: false, includeEmpty: false, ...config },
});

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const word = (value: number): string => toHex(aWord(value));

function run(
  state: TestState,
  config: Partial<PrestateTracerConfig> = {},
  value = 0n,
): { result: unknown; fee: bigint } {
  const sendered = from(SENDER, { to: CONTRACT, gasLimit: 1_000_000n, value });
  const { result, output } = traceOne(spec(config), state, sendered);
  return { result, fee: output.gasUsed * PRICE };
}

describe('prestateTracer', () => {
  it('shows sender, recipient, coinbase and whatever opcodes touch, as they were before', () => {
    const looked = [0x31, 0x3b, 0x3f].map((opcode, i) => code(push(anAddress(0x100 + i)), opcode, 0x50));
    const program = code(...looked, push(1), 0x54, 0x50, push(9), push(2), 0x55, push(0), push(0), push(0), push(0), push(3), push(CALLEE), push(50_000), 0xf1); // prettier-ignore
    const state = aState(program, { balance: 5n, slots: [[aWord(1), aWord(7)]] })
      .put(CALLEE, { balance: 1n, nonce: 4n })
      .put(anAddress(0x100), { balance: 2n })
      .put(anAddress(0x101), { nonce: 1n, code: code(0x00) })
      .put(anAddress(0xc01bba5e), { balance: 11n });
    assert.deepEqual(run(state).result, {
      [toHex(anAddress(0x100))]: { balance: '0x2' },
      [toHex(anAddress(0x101))]: { balance: '0x0', nonce: 1, code: '0x00' },
      [sender]: { balance: hex(RICHES) },
      [callee]: { balance: '0x1', nonce: 4 },
      [contract]: {
        balance: '0x5',
        nonce: 1,
        code: toHex(program),
        storage: { [word(1)]: word(7), [word(2)]: word(0) },
      },
      [COINBASE]: { balance: '0xb' },
    });
  });

  it('leaves out what was not there, unless asked', () => {
    const state = aState(code(push(anAddress(0x100)), 0x31));
    assert.deepEqual(Object.keys(run(state).result as Accounts), [sender, contract].sort());
    const all = run(state, { includeEmpty: true }).result as Accounts;
    assert.deepEqual(all[toHex(anAddress(0x100))], { balance: '0x0' });
    assert.deepEqual(all[COINBASE], { balance: '0x0' });
  });

  it('diffMode shows what changed, before and after', () => {
    // slot 1: 7 to 0; slot 2: 0 to 9; slot 3: 5 to 5; slot 4: read alone.
    const stores = [[0, 1], [9, 2], [5, 3]].map(([value = 0, slot = 0]) => code(push(value), push(slot), 0x55)); // prettier-ignore
    const program = code(...stores, push(4), 0x54, 0x50, push(CALLEE), 0x31);
    const slots = [[aWord(1), aWord(7)], [aWord(3), aWord(5)], [aWord(4), aWord(6)]] as const; // prettier-ignore
    const state = aState(program, { slots }).put(CALLEE, { balance: 1n });
    const { result, fee } = run(state, { diffMode: true }, 3n);
    assert.deepEqual(result, {
      post: {
        [sender]: { balance: hex(RICHES - fee - 3n), nonce: 1 },
        [contract]: { balance: '0x3', storage: { [word(2)]: word(9) } },
        [COINBASE]: { balance: hex(fee) },
      },
      pre: {
        [sender]: { balance: hex(RICHES) },
        [contract]: { balance: '0x0', nonce: 1, code: toHex(program), storage: { [word(1)]: word(7) } },
      },
    });
  });

  it('diffMode shows a deployment only behind it, code and storage included', () => {
    const deployed = code(push(2), push(0), 0x00);
    const initCode = code(
      push(6), push(1), 0x55, `7f${toHex(deployed).slice(2).padEnd(64, '0')}`, push(0), 0x52, push(deployed.length), push(0), 0xf3,
    ); // prettier-ignore
    const sendered = from(SENDER, { to: null, gasLimit: 1_000_000n, input: initCode });
    const { result } = traceOne(spec({ diffMode: true }), aState(), sendered);
    const created = toHex(creationAddress(SENDER, 0n));
    const { pre, post } = result as { pre: Accounts; post: Accounts };
    assert.deepEqual(post[created], { nonce: 1, code: toHex(deployed), storage: { [word(1)]: word(6) } });
    assert.deepEqual(Object.keys(pre), [sender]);
  });

  it('takes a reverted change back, and still shows what was touched', () => {
    const program = code(push(9), push(2), 0x55, push(0), push(0), push(0), push(0), push(3), push(CALLEE), push(50_000), 0xf1, push(0), push(0), 0xfd); // prettier-ignore
    const state = (): TestState => aState(program, { balance: 5n }).put(CALLEE, { balance: 1n });
    const before = run(state()).result as Accounts;
    assert.deepEqual(before[callee], { balance: '0x1' });
    assert.deepEqual((before[contract] as { storage: unknown }).storage, { [word(2)]: word(0) });
    const { result, fee } = run(state(), { diffMode: true });
    assert.deepEqual(result, {
      post: { [sender]: { balance: hex(RICHES - fee), nonce: 1 }, [COINBASE]: { balance: hex(fee) } },
      pre: { [sender]: { balance: hex(RICHES) } },
    });
  });

  it('keeps a contract that destroyed itself in pre alone, and one that only emptied itself in both', () => {
    // Created and destroyed in one transaction: was never there. The other one keeps its code (EIP-6780).
    const initCode = code(push(CALLEE), 0xff);
    const program = code(`7f${toHex(initCode).slice(2).padEnd(64, '0')}`, push(0), 0x52, push(initCode.length), push(0), push(2), 0xf0, 0x50, push(CALLEE), 0xff); // prettier-ignore
    const { result } = run(aState(program, { balance: 7n }), { diffMode: true, disableCode: true });
    const { pre, post } = result as { pre: Accounts; post: Accounts };
    const created = toHex(creationAddress(CONTRACT, 1n));
    assert.deepEqual([pre[created], post[created]], [undefined, undefined]);
    assert.deepEqual(
      [pre[contract], post[contract]],
      [
        { balance: '0x7', nonce: 1 },
        { balance: '0x0', nonce: 2 },
      ],
    );
    assert.deepEqual([pre[callee], post[callee]], [undefined, { balance: '0x7' }]);
  });

  it('sees the state of its own transaction, not that of the block', () => {
    // Adds one to slot 0.
    const program = code(push(0), 0x54, push(1), 0x01, push(0), 0x55);
    const state = aState(program);
    const call = (nonce: bigint) => from(SENDER, { to: CONTRACT, gasLimit: 200_000n, nonce });
    const { result } = traceOne(spec({ diffMode: true, disableCode: true }), state, call(2n), {
      earlier: [call(0n), call(1n)],
    });
    const { pre, post } = result as { pre: Accounts; post: Accounts };
    assert.deepEqual(pre[contract], { balance: '0x0', nonce: 1, storage: { [word(0)]: word(2) } });
    assert.deepEqual(post[contract], { storage: { [word(0)]: word(3) } });
    assert.equal((pre[sender] as { nonce?: number }).nonce, 2);
  });

  it('leaves code and storage out when told to', () => {
    const state = aState(code(push(1), 0x54), { slots: [[aWord(1), aWord(7)]] });
    const { [contract]: shown } = run(state, { disableCode: true, disableStorage: true }).result as Accounts;
    assert.deepEqual(shown, { balance: '0x0', nonce: 1 });
  });

  it('shows code that the transaction did not run', () => {
    const other: Bytes = code(push(1), push(2), 0x01);
    const state = aState(code(push(CALLEE), 0x31)).put(CALLEE, { nonce: 1n, code: other });
    assert.deepEqual((run(state).result as Accounts)[callee], { balance: '0x0', nonce: 1, code: toHex(other) });
  });

  it('shows what a deposit mints', () => {
    const to = anAddress(0xb0b);
    const sendered = fromL1({ to, value: 5n, gasLimit: 1_000_000n });
    const { result, output } = traceOne(spec({ diffMode: true }), aState(), sendered);
    const fee = output.gasUsed * 250_000_000n;
    const { pre, post } = result as { pre: Accounts; post: Accounts };
    assert.deepEqual(pre, {});
    assert.deepEqual(post, {
      [toHex(to)]: { balance: '0x5' },
      [toHex(anAddress(0xa11ce))]: { balance: hex(1_000_000n * 250_000_000n - fee) },
      [COINBASE]: { balance: hex(fee) },
    });
  });

  it('gives up when the result is longer than allowed', () => {
    const stores = Array.from({ length: 30 }, (_, slot) => code(push(1), push(slot), 0x55));
    const state = aState(code(...stores));
    const sendered = from(SENDER, { to: CONTRACT, gasLimit: 1_000_000n });
    assert.throws(() => traceOne(spec(), state, sendered, { maxBytes: 5_000 }), { code: 'TRACE_TOO_BIG' });
    assert.ok(traceOne(spec(), state, sendered, { maxBytes: 12_000 }).text.length > 3_000);
  });
});
