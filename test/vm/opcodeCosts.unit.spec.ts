import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { concatBytes } from '../../src/common/bytes.ts';
import { anAddress, aWord, code, push } from '../support/factories.ts';
import { aState, CONTRACT, runOne } from './harness.ts';

const EXISTING = anAddress(0xe1);
const WITH_CODE = anAddress(0xe2);
const ABSENT = anAddress(0xe3);

interface Cost {
  readonly gas: number;
  readonly native: number;
}

/** Gas and native of one call of CONTRACT with this code, in whole. */
function measure(program: Bytes): Cost {
  const state = aState(program, { slots: [[aWord(7), aWord(5)]] })
    .put(EXISTING, { balance: 1n, nonce: 3n })
    .put(WITH_CODE, { nonce: 1n, code: code('6001600055') });
  const { output } = runOne(state, { context: { pubdataPrice: 0n }, input: new Uint8Array(4) });
  assert.ok(output.success, 'the measured code runs well');
  return { gas: Number(output.gasUsed), native: Number(output.computationalNativeUsed) };
}

/** What `body` adds to `setup`, both followed by STOP. Codes have one length, so that loading them costs the same. */
function cost(setup: Bytes, body: Bytes): Cost {
  const length = setup.length + body.length + 1;
  const padded = (program: Bytes): Bytes => {
    const out = new Uint8Array(length);
    out.set(program);
    return out;
  };
  const before = measure(padded(setup));
  const after = measure(padded(concatBytes(setup, body)));
  return { gas: after.gas - before.gas, native: after.native - before.native };
}

const STEP = 20;
/** name, opcode, operands (top first), gas, native without the step */
type Row = readonly [string, number, readonly (number | bigint)[], number, number];

const PLAIN: readonly Row[] = [
  ['ADD', 0x01, [1, 2], 3, 140],
  ['MUL', 0x02, [1, 2], 5, 400],
  ['SUB', 0x03, [1, 2], 3, 140],
  ['DIV', 0x04, [1, 2], 5, 1_500],
  ['SDIV', 0x05, [1, 2], 5, 1_000],
  ['MOD', 0x06, [1, 2], 5, 1_300],
  ['SMOD', 0x07, [1, 2], 5, 800],
  ['ADDMOD', 0x08, [1, 2, 3], 8, 1_700],
  ['MULMOD', 0x09, [1, 2, 3], 8, 2_300],
  ['EXP of 0', 0x0a, [2, 0], 10, 700],
  ['EXP of one byte', 0x0a, [2, 255], 60, 5_700],
  ['EXP of three bytes', 0x0a, [2, 0x010000], 160, 15_700],
  ['SIGNEXTEND', 0x0b, [1, 2], 5, 400],
  ['LT', 0x10, [1, 2], 3, 190],
  ['GT', 0x11, [1, 2], 3, 190],
  ['SLT', 0x12, [1, 2], 3, 430],
  ['SGT', 0x13, [1, 2], 3, 430],
  ['EQ', 0x14, [1, 2], 3, 500],
  ['ISZERO', 0x15, [1], 3, 300],
  ['AND', 0x16, [1, 2], 3, 100],
  ['OR', 0x17, [1, 2], 3, 90],
  ['XOR', 0x18, [1, 2], 3, 90],
  ['NOT', 0x19, [1], 3, 60],
  ['BYTE', 0x1a, [1, 2], 3, 160],
  ['SHL', 0x1b, [1, 2], 3, 240],
  ['SHR', 0x1c, [1, 2], 3, 240],
  ['SAR', 0x1d, [1, 2], 3, 400],
  ['KECCAK256 of nothing', 0x20, [1_000_000, 0], 30, 90],
  ['KECCAK256 of 32 bytes', 0x20, [0, 32], 30 + 6 + 3, 90 + 35 + 32 + 20_000],
  ['KECCAK256 of 137 bytes', 0x20, [0, 137], 30 + 30 + 15, 90 + 35 + 160 + 2_500 + 35_000],
  ['ADDRESS', 0x30, [], 2, 60],
  ['ORIGIN', 0x32, [], 2, 60],
  ['CALLER', 0x33, [], 2, 60],
  ['CALLVALUE', 0x34, [], 2, 60],
  ['CALLDATALOAD', 0x35, [0], 3, 280],
  ['CALLDATASIZE', 0x36, [], 2, 40],
  ['CALLDATACOPY of nothing', 0x37, [1_000_000, 0, 0], 3, 100 + 80],
  ['CALLDATACOPY', 0x37, [0, 0, 33], 3 + 6 + 6, 100 + 80 + 33 + 35 + 64],
  ['CODESIZE', 0x38, [], 2, 40],
  ['CODECOPY', 0x39, [0, 0, 33], 3 + 6 + 6, 100 + 80 + 33 + 35 + 64],
  ['GASPRICE', 0x3a, [], 2, 60],
  ['RETURNDATASIZE', 0x3d, [], 2, 60],
  ['RETURNDATACOPY of nothing', 0x3e, [0, 0, 0], 3, 100 + 80],
  ['BLOCKHASH', 0x40, [0], 20, 60],
  ['COINBASE', 0x41, [], 2, 60],
  ['TIMESTAMP', 0x42, [], 2, 60],
  ['NUMBER', 0x43, [], 2, 60],
  ['PREVRANDAO', 0x44, [], 2, 40],
  ['GASLIMIT', 0x45, [], 2, 60],
  ['CHAINID', 0x46, [], 2, 60],
  ['SELFBALANCE', 0x47, [], 5, 60],
  ['BASEFEE', 0x48, [], 2, 60],
  ['BLOBHASH', 0x49, [0], 3, 40],
  ['BLOBBASEFEE', 0x4a, [], 2, 40],
  ['POP', 0x50, [1], 2, 40],
  ['MLOAD', 0x51, [0], 3 + 3, 250 + 35 + 32],
  ['MLOAD across a word', 0x51, [1], 3 + 6, 250 + 35 + 64],
  ['MSTORE', 0x52, [0, 1], 3 + 3, 250 + 35 + 32],
  ['MSTORE8', 0x53, [32, 1], 3 + 6, 250 + 35 + 64],
  ['PC', 0x58, [], 2, 40],
  ['MSIZE', 0x59, [], 2, 40],
  ['GAS', 0x5a, [], 2, 60],
  ['JUMPDEST', 0x5b, [], 1, 40],
  ['JUMPI not taken', 0x57, [0, 0], 10, 300],
  ['MCOPY of nothing', 0x5e, [0, 1_000_000, 0], 3, 80],
  ['MCOPY', 0x5e, [0, 32, 33], 3 + 6 + 9, 80 + 33 + 35 + 96],
  ['TLOAD', 0x5c, [0], 100, 100 + 4_000],
  ['TSTORE', 0x5d, [0, 1], 100, 100 + 4_000],
  ['LOG0 of nothing', 0xa0, [1_000_000, 0], 375, 50 + 6_000],
  ['LOG2', 0xa2, [0, 33, 1, 2], 375 * 3 + 8 * 33 + 6, 50 + 35 + 64 + 6_000 + 400 + 66],
  ['BALANCE of an existing account', 0x31, [BigInt(0xe1)], 2_600, 60 + 131_100],
  ['BALANCE of an absent account', 0x31, [BigInt(0xe3)], 2_600, 60 + 250_240],
  ['BALANCE of itself', 0x31, [BigInt(0xc0de)], 100, 60 + 4_000],
  ['BALANCE of a precompile', 0x31, [3], 100, 60 + 250_240],
  ['EXTCODESIZE', 0x3b, [BigInt(0xe2)], 2_600, 60 + 131_100],
  ['EXTCODEHASH', 0x3f, [BigInt(0xe2)], 2_600, 60 + 131_100],
  ['EXTCODECOPY', 0x3c, [BigInt(0xe2), 0, 0, 33], 2_600 + 6 + 6, 35 + 64 + 131_100 + 500 + 800 + 340 + 100 + 80 + 33],
  ['EXTCODECOPY of nothing', 0x3c, [BigInt(0xe1), 0, 0, 0], 2_600, 131_100 + 100 + 80],
  ['SLOAD of an existing slot', 0x54, [7], 2_100, 100 + 125_120],
  ['SLOAD of an absent slot', 0x54, [8], 2_100, 100 + 246_240],
  ['SSTORE of an absent slot', 0x55, [8, 1], 22_100, 100 + 246_240 + 120_800],
  ['SSTORE of zero into an absent slot', 0x55, [8, 0], 2_200, 100 + 246_240 + 120_800],
  ['SSTORE of another value', 0x55, [7, 6], 5_000, 100 + 125_120 + 50_560],
  ['SSTORE of the same value', 0x55, [7, 5], 2_200, 100 + 125_120 + 50_560],
];

function pushed(operands: readonly (number | bigint)[]): Bytes {
  return concatBytes(...[...operands].reverse().map((operand) => push(operand)));
}

describe('cost of opcodes (native 5, execution 9)', () => {
  for (const [name, opcode, operands, gas, native] of PLAIN) {
    it(name, () => {
      assert.deepEqual(cost(pushed(operands), Uint8Array.of(opcode)), { gas, native: native + STEP });
    });
  }

  it('PUSH0 to PUSH32', () => {
    const natives = [
      50, 60, 120, 140, 140, 150, 160, 170, 180, 190, 200, 210, 210, 220, 230, 240, 240, 240, 240, 240, 240, 250, 260,
      260, 260, 260, 270, 280, 280, 290, 290, 300, 300,
    ];
    natives.forEach((native, size) => {
      const body = concatBytes(Uint8Array.of(0x5f + size), new Uint8Array(size));
      assert.deepEqual(
        cost(new Uint8Array(0), body),
        { gas: size === 0 ? 2 : 3, native: native + STEP },
        `PUSH${size}`,
      );
    });
  });

  it('DUP1-16 and SWAP1-16', () => {
    const setup = pushed(Array.from({ length: 17 }, (_, i) => i));
    for (let i = 0; i < 16; i += 1) {
      assert.deepEqual(cost(setup, Uint8Array.of(0x80 + i)), { gas: 3, native: 60 + STEP });
      assert.deepEqual(cost(setup, Uint8Array.of(0x90 + i)), { gas: 3, native: 90 + STEP });
    }
  });

  it('JUMP and a taken JUMPI', () => {
    assert.deepEqual(cost(code(), code(push(3), 0x56, 0x5b)), { gas: 3 + 8 + 1, native: 60 + 70 + 40 + 3 * STEP });
    const jumpi = cost(code(), code(push(1), push(5), 0x57, 0x5b));
    assert.deepEqual(jumpi, { gas: 6 + 10 + 1, native: 120 + 300 + 40 + 4 * STEP });
  });

  it('STOP, the end of the code, INVALID and unknown bytes cost the step alone', () => {
    // One step less when the code ends in STOP by itself.
    const state = aState(code(0x5b));
    const one = runOne(state, { context: { pubdataPrice: 0n } }).output;
    const two = runOne(aState(code(0x00)), { context: { pubdataPrice: 0n } }).output;
    assert.equal(one.computationalNativeUsed - two.computationalNativeUsed, 60n);
    for (const opcode of [0xfe, 0x0c, 0x21, 0xef]) {
      const failed = runOne(aState(code(opcode)), { context: { pubdataPrice: 0n } }).output;
      assert.equal(failed.success, false);
      assert.equal(failed.gasUsed, 10_000_000n);
      assert.equal(failed.computationalNativeUsed, two.computationalNativeUsed);
    }
  });

  it('RETURN and REVERT', () => {
    const stop = runOne(aState(code(push(32), push(0), 0x00)), { context: { pubdataPrice: 0n } }).output;
    for (const [opcode, native] of [
      [0xf3, 40n],
      [0xfd, 50n],
    ] as const) {
      const { output } = runOne(aState(code(push(32), push(0), opcode)), { context: { pubdataPrice: 0n } });
      assert.equal(output.computationalNativeUsed - stop.computationalNativeUsed, native + 35n + 32n);
      assert.equal(output.gasUsed - stop.gasUsed, 3n);
      assert.deepEqual(output.returnData, new Uint8Array(32));
    }
  });

  it('warm slots and accounts', () => {
    const warmed = code(push(7), 0x54, 0x50, push(anAddress(0xe1)), 0x31, 0x50);
    assert.deepEqual(cost(warmed, code(push(7), 0x54)), { gas: 103, native: 60 + 100 + 4_000 + 2 * STEP });
    assert.deepEqual(cost(warmed, code(push(EXISTING), 0x31)), { gas: 103, native: 240 + 60 + 4_000 + 2 * STEP });
    // A slot that was written is not unset any more; back to its value at the start costs a warm access.
    const written = code(push(1), push(8), 0x55);
    assert.deepEqual(cost(written, code(push(2), push(8), 0x55)), {
      gas: 106,
      native: 120 + 100 + 4_000 + 50_560 + 3 * STEP,
    });
    assert.deepEqual(cost(written, code(push(0), push(8), 0x55)), {
      gas: 106,
      native: 120 + 100 + 4_000 + 50_560 + 3 * STEP,
    });
  });

  it('CALL: to code, to nothing, with value, to a new account', () => {
    const call = (to: Bytes, value: number): Bytes =>
      code(push(0), push(0), push(0), push(0), push(value), push(to), 0x5a);
    // To an existing account without code.
    assert.deepEqual(cost(call(EXISTING, 0), Uint8Array.of(0xf1)), { gas: 2_600, native: 1_500 + 131_100 + STEP });
    // To an absent one without value: no charge for a new account.
    assert.deepEqual(cost(call(ABSENT, 0), Uint8Array.of(0xf1)), { gas: 2_600, native: 1_500 + 250_240 + STEP });
    // To code: its preimage (5 bytes, padded to 8, map of 8) and what runs there.
    const inner = { gas: 6 + 22_100, native: 2 * (60 + STEP) + STEP + 100 + 246_240 + 120_800 + STEP };
    const withCode = cost(call(WITH_CODE, 0), Uint8Array.of(0xf1));
    assert.deepEqual(withCode, {
      gas: 2_600 + inner.gas,
      native: 1_500 + 131_100 + 500 + 800 + 340 + inner.native + STEP,
    });
  });

  it('CALLCODE, DELEGATECALL and STATICCALL cost what CALL does', () => {
    // Memory for a word of input, then for another of output: two charges.
    for (const [opcode, value] of [
      [0xf1, [0]],
      [0xf2, [0]],
      [0xf4, []],
      [0xfa, []],
    ] as const) {
      const setup = code(pushed([32, 32, 32, 0].reverse()), pushed(value), push(EXISTING), push(0));
      assert.deepEqual(
        cost(setup, Uint8Array.of(opcode)),
        { gas: 2_600 + 3 + 3, native: 1_500 + 2 * (35 + 32) + 131_100 + STEP },
        `${opcode}`,
      );
    }
  });

  it('value: 9,000 gas, a stipend that comes back, 25,000 for an account that is new', () => {
    const call = (to: Bytes): Bytes => code(push(0), push(0), push(0), push(0), push(1), push(to), push(0), 0xf1);
    const program = (to: Bytes): Bytes => code(call(to), 0x00);
    const gasOf = (to: Bytes): Cost => {
      const state = aState(program(to), { balance: 10n }).put(EXISTING, { balance: 1n });
      const { output } = runOne(state, { context: { pubdataPrice: 0n } });
      assert.ok(output.success);
      return { gas: Number(output.gasUsed), native: Number(output.computationalNativeUsed) };
    };
    const toExisting = gasOf(EXISTING);
    const toAbsent = gasOf(ABSENT);
    assert.equal(toExisting.gas, 21_000 + 7 * 3 + 2_600 + 9_000 - 2_300);
    assert.equal(toAbsent.gas - toExisting.gas, 25_000);
    assert.equal(toAbsent.native - toExisting.native, 119_140);
  });

  it('CREATE and CREATE2', () => {
    // Init code of 32 zero bytes: STOP at once, empty code deployed.
    const create = code(push(32), push(0), push(0));
    const common = 25_000 + 35 + 32 + 4_000 + 250_240 + 5_000 + 6 * 32 + 5_000 + STEP;
    const deposit = 4_000 + 20_000 + 0 + 800 + 500 + 1_000;
    assert.deepEqual(cost(create, Uint8Array.of(0xf0)), { gas: 32_000 + 3 + 2, native: common + STEP + deposit });
    const create2 = code(push(9), push(32), push(0), push(0));
    assert.deepEqual(cost(create2, Uint8Array.of(0xf5)), {
      gas: 32_000 + 3 + 8,
      native: common + STEP + deposit + 20_000,
    });
  });

  it('SELFDESTRUCT', () => {
    const stop = measure(code(push(EXISTING), 0x00, 0x00));
    const destroyed = measure(code(push(EXISTING), 0xff, 0x00));
    assert.deepEqual(
      { gas: destroyed.gas - stop.gas, native: destroyed.native - stop.native },
      { gas: 5_000 + 2_600, native: 100 + 5_000 + 5_000 + 131_100 + 1_000 },
    );
    const toPrecompile = measure(code(push(anAddress(4)), 0xff, 0x00));
    const toItself = measure(code(push(CONTRACT), 0xff, 0x00));
    assert.equal(toPrecompile.gas - stop.gas, 5_000 + 100);
    assert.deepEqual(
      { gas: toItself.gas - stop.gas, native: toItself.native - stop.native },
      { gas: 5_000, native: 100 + 5_000 },
    );
  });

  it('code of more parts than any chain deploys costs in every round what it costs in the first', () => {
    // GAS ends a part: 70,000 of them, twice.
    const parts = new Uint8Array(140_000).fill(0x5a);
    for (let i = 1; i < parts.length; i += 2) parts[i] = 0x50;
    const program = concatBytes(code(push(2), 0x5b), parts, code(push(1), 0x90, 0x03, 0x80, push(2), 0x57));
    // Once PUSH1; then twice JUMPDEST, the parts, PUSH1 SWAP1 SUB DUP1 PUSH1 JUMPI.
    assert.equal(measure(program).gas, 21_000 + 4 * 4 + 3 + 2 * (1 + 70_000 * 4 + 3 + 3 + 3 + 3 + 3 + 10));
  });

  it('a copy of 2^32 bytes and more runs out of native first, beyond 64 bits of ergs out of gas', () => {
    const context = { pubdataPrice: 0n };
    const copy = (size: bigint): Bytes => code(push(size), push(0), push(0), 0x37);
    // Called from outside the contract: only fatal errors reach the caller.
    const outcome = (size: bigint): bigint => {
      const callee = anAddress(0xca11ee);
      const outer = code(
        push(0),
        push(0),
        push(0),
        push(0),
        push(0),
        push(callee),
        push(100_000),
        0xf1,
        push(0),
        0x52,
        push(32),
        push(0),
        0xf3,
      );
      const { output } = runOne(aState(outer).put(callee, { nonce: 1n, code: copy(size) }), { context });
      return output.success ? output.gasUsed : 0n;
    };
    assert.equal(outcome(1n << 36n), 0n, 'native is short: fatal');
    assert.ok(outcome(1n << 60n) > 100_000n, 'ergs overflow: the frame alone fails');
    assert.ok(outcome(1n << 64n) > 100_000n);
    assert.ok(outcome(1n << 20n) > 100_000n, 'gas is short: the frame alone fails');
  });
});
