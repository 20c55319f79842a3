import assert from 'node:assert/strict';
import { toHex } from '../../../src/common/bytes.ts';
import type { Bytes } from '../../../src/common/bytes.ts';
import { creationAddress } from '../../../src/vm/creates.ts';
import { anAddress, code, from, push } from '../../support/factories.ts';
import { aState, CONTRACT, SENDER } from '../harness.ts';
import { traceOne } from './traceOne.ts';

const CALLEE = anAddress(0xca11ee);
const FAILING = anAddress(0xfa11);
const BENEFICIARY = anAddress(0xbe);
const CREATED = creationAddress(CONTRACT, 1n);
const REVERT = code(push(0), push(0), 0xfd);

const call = (to: Bytes, opcode = 0xf1, value = 0): Bytes =>
  code(
    push(0),
    push(0),
    push(0),
    push(0),
    opcode === 0xf1 || opcode === 0xf2 ? push(value) : '',
    push(to),
    push(100_000),
    opcode,
    0x50,
  );
/** CREATE of a contract without code. */
const CREATE = code(push(0), push(0), push(3), 0xf0, 0x50);

/** A contract that does this, and others for it to call: one that sends 5 on and one that does so and reverts. */
function run(spec: Parameters<typeof traceOne>[0], program: Bytes): unknown {
  const state = aState(program, { balance: 100n });
  state.put(CALLEE, { nonce: 1n, balance: 10n, code: call(BENEFICIARY, 0xf1, 5) });
  state.put(FAILING, { nonce: 1n, balance: 10n, code: code(call(BENEFICIARY, 0xf1, 5), CREATE, REVERT) });
  return traceOne(spec, state, from(SENDER, { to: CONTRACT, gasLimit: 2_000_000n, value: 7n })).result;
}

const [sender, contract, callee, failing, beneficiary, created] = [
  SENDER,
  CONTRACT,
  CALLEE,
  FAILING,
  BENEFICIARY,
  CREATED,
].map(toHex);

describe('callList', () => {
  const calls = { name: 'callList', config: { shape: 'calls' } } as const;
  const operations = { name: 'callList', config: { shape: 'operations' } } as const;
  const program = code(call(CALLEE), call(CALLEE, 0xf4), call(CALLEE, 0xfa), CREATE, call(FAILING, 0xf1, 1));

  it('lists every call with its depth, also those that fail', () => {
    const entry = (type: string, depth: number, ends: readonly unknown[], value: string | null): object => {
      const [fromHex, to] = ends;
      return { type, depth, from: fromHex, to, value, input: '0x', output: '0x' };
    };
    assert.deepEqual(run(calls, program), [
      entry('CALL', 0, [sender, contract], '0x7'),
      entry('CALL', 1, [contract, callee], '0x0'),
      entry('CALL', 2, [callee, beneficiary], '0x5'),
      entry('DELEGATECALL', 1, [contract, callee], null),
      entry('CALL', 2, [contract, beneficiary], '0x5'),
      entry('STATICCALL', 1, [contract, callee], null),
      entry('CREATE', 1, [contract, created], '0x3'),
      entry('CALL', 1, [contract, failing], '0x1'),
      entry('CALL', 2, [failing, beneficiary], '0x5'),
      entry('CREATE', 2, [failing, toHex(creationAddress(FAILING, 1n))], '0x3'),
    ]);
  });

  it('lists as operations what is below the transaction itself, has a value or makes a contract, and stays', () => {
    assert.deepEqual(run(operations, program), [
      { type: 0, from: callee, to: beneficiary, value: '0x5' },
      { type: 0, from: contract, to: beneficiary, value: '0x5' },
      { type: 2, from: contract, to: created, value: '0x3' },
    ]);
    assert.deepEqual(run(operations, code(call(CALLEE), CREATE, REVERT)), []);
  });

  it('lists selfdestructs and CREATE2', () => {
    const create2 = code(push(9), push(0), push(0), push(0), 0xf5, 0x50);
    const found = run(operations, code(create2, push(BENEFICIARY), 0xff)) as {
      type: number;
      to: string;
      value: string;
    }[];
    assert.deepEqual(
      found.map(({ type }) => type),
      [3, 1],
    );
    assert.deepEqual([found[1]?.to, found[1]?.value], [beneficiary, `0x${(107).toString(16)}`]);
  });

  it('is bounded by the length of its text', () => {
    const state = aState(code(call(CALLEE), call(CALLEE)));
    const transaction = from(SENDER, { to: CONTRACT, gasLimit: 2_000_000n });
    assert.throws(() => traceOne(calls, state, transaction, { maxBytes: 700 }), {
      facts: { code: 'TRACE_TOO_BIG', maxBytes: 700 },
    });
  });
});

describe('creation', () => {
  const creation = (made: Bytes) => ({ name: 'creation', config: { contract: made } }) as const;

  it('names the creator of a contract that the transaction makes, at whatever depth', () => {
    assert.equal(run(creation(CREATED), CREATE), contract);
    assert.equal(run(creation(CREATED), call(CALLEE)), null);
    assert.equal(run(creation(CREATED), code(CREATE, REVERT)), null);
  });

  it('passes over a creation that is taken back', () => {
    assert.equal(run(creation(creationAddress(FAILING, 1n)), call(FAILING)), null);
  });
});
