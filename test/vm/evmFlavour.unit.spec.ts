import assert from 'node:assert/strict';
import { bytesToBigInt, concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { KECCAK_EMPTY, keccak256 } from '../../src/common/hash.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { creationAddress } from '../../src/vm/creates.ts';
import { aBlockContext, anAddress, aWord, code, ETHER, from, initCodeOf, push } from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, runOne, SENDER } from './harness.ts';

const RETURN_TOP = code(push(0), 0x52, push(32), push(0), 0xf3);

/** What a contract with this code leaves on top of its stack. */
function top(program: Bytes, options: Parameters<typeof runOne>[1] & { state?: TestState } = {}): bigint {
  const { state = new TestState(), ...rest } = options;
  state.put(SENDER, { balance: 1_000_000n * ETHER });
  state.put(CONTRACT, { nonce: 1n, balance: 77n, code: concatBytes(program, RETURN_TOP) });
  const { output } = runOne(state, rest);
  assert.ok(output.success);
  return bytesToBigInt(output.returnData);
}

/** CALL with all gas, no value, no data; leaves success on the stack. */
function call(to: Bytes, options: { value?: bigint; gas?: Bytes; opcode?: number } = {}): Bytes {
  const { value = 0n, gas = Uint8Array.of(0x5a), opcode = 0xf1 } = options;
  const takesValue = opcode === 0xf1 || opcode === 0xf2;
  return code(push(0), push(0), push(0), push(0), takesValue ? push(value) : '', push(to), gas, opcode);
}

/** CREATE of init code up to 32 bytes; leaves the address on the stack. */
function create(initCode: Bytes, options: { value?: bigint; opcode?: number; salt?: bigint } = {}): Bytes {
  const { value = 0n, opcode = 0xf0, salt = 0n } = options;
  const word = new Uint8Array(32);
  word.set(initCode);
  return code(
    push(word),
    push(0),
    0x52,
    opcode === 0xf5 ? push(salt) : '',
    push(initCode.length),
    push(0),
    push(value),
    opcode,
  );
}

describe('EVM flavour (execution 9)', () => {
  it('environment opcodes come from the context', () => {
    const context = {
      timestamp: 1234n,
      blockNumber: 500n,
      eip1559BaseFee: 1_007n,
      gasLimit: 50_000_000n,
      mixHash: 99n,
    };
    const options: L2Options & { context: typeof context } = { context, maxFeePerGas: 1_007n };
    assert.equal(top(code(0x41), options), bytesToBigInt(aBlockContext().coinbase));
    assert.equal(top(code(0x42), options), 1234n);
    assert.equal(top(code(0x43), options), 500n);
    assert.equal(top(code(0x44), options), 1n, 'PREVRANDAO is the constant one, whatever mix_hash says');
    assert.equal(top(code(0x45), options), 50_000_000n);
    assert.equal(top(code(0x46), options), 270n);
    assert.equal(top(code(0x47), options), 77n);
    assert.equal(top(code(0x48), options), 1_007n);
    assert.equal(top(code(push(0), 0x49), options), 0n);
    assert.equal(top(code(push(5), 0x49), options), 0n);
    assert.equal(top(code(0x4a), options), 1n);
    assert.equal(top(code(0x3a), options), 1_007n);
    assert.equal(top(code(0x32), options), bytesToBigInt(SENDER));
  });

  it('BLOCKHASH reads the ring, newest last', () => {
    const blockHashes = Array.from({ length: 256 }, (_, i) => aWord(1_000 + i));
    const at = (number: number): bigint =>
      top(code(push(number), 0x40), { context: { blockNumber: 600n, blockHashes } });
    assert.equal(at(599), 1_255n);
    assert.equal(at(600), 0n);
    assert.equal(at(601), 0n);
    assert.equal(at(344), 1_000n);
    assert.equal(at(343), 0n);
  });

  it('transient storage lives for one transaction', () => {
    const program = code(push(0), 0x5c, push(1), push(0), 0x5d);
    assert.equal(top(program), 0n);
    const twice = code(push(9), push(3), 0x5d, push(3), 0x5c);
    assert.equal(top(twice), 9n);
  });

  it('SSTORE needs more than 2,300 gas', () => {
    const callee = anAddress(0xca11ee);
    // PUSH1, PUSH1, then SSTORE with what is left.
    const state = (): TestState =>
      new TestState().put(callee, { nonce: 1n, code: code(push(0), push(0), 0x55), slots: [[aWord(0), aWord(1)]] });
    assert.equal(top(call(callee, { gas: push(2_306) }), { state: state() }), 0n);
    // Enough for the sentry, and for the access list's warm slot: 2,900 more.
    assert.equal(top(call(callee, { gas: push(6 + 5_000) }), { state: state() }), 1n);
    assert.equal(top(call(callee, { gas: push(6 + 4_999) }), { state: state() }), 0n);
  });

  it('no refunds', () => {
    const state = aState(code(push(0), push(7), 0x55), { slots: [[aWord(7), aWord(5)]] });
    const { output } = runOne(state, { context: { pubdataPrice: 0n } });
    assert.equal(output.gasUsed, 21_000n + 6n + 5_000n);
    assert.equal(output.gasRefunded, 0n);
  });

  describe('SELFDESTRUCT', () => {
    const heir = anAddress(0x4e14);

    it('of an old contract moves the balance and keeps the contract', () => {
      const state = aState(code(push(heir), 0xff), { balance: 50n, slots: [[aWord(1), aWord(2)]] });
      const { block } = runOne(state);
      state.apply(block);
      assert.equal(state.record(heir).balance, 50n);
      assert.equal(state.record(CONTRACT).balance, 0n);
      assert.ok(state.record(CONTRACT).observableBytecodeLength > 0);
      assert.deepEqual(state.value(CONTRACT, aWord(1)), aWord(2));
    });

    it('to itself keeps the balance of an old contract', () => {
      const state = aState(code(0x30, 0xff), { balance: 50n });
      state.apply(runOne(state).block);
      assert.equal(state.record(CONTRACT).balance, 50n);
    });

    it('in its own init code removes account and storage, and burns what arrives later', () => {
      // Init code: SSTORE(1, 1), SELFDESTRUCT(heir of one byte).
      const init = code(push(1), push(1), 0x55, push(0x99), 0xff);
      const created = creationAddress(CONTRACT, 1n);
      // The creator sends 3 wei afterwards: they are burnt.
      const program = code(create(init, { value: 5n }), call(created, { value: 3n }));
      const state = aState(program, { balance: 8n });
      const { output, block } = runOne(state);
      assert.ok(output.success);
      state.apply(block);
      assert.equal(state.record(anAddress(0x99)).balance, 5n);
      assert.equal(state.record(CONTRACT).balance, 0n);
      assert.equal(state.records.has(Buffer.from(created).toString('latin1')), false, 'no trace of the contract');
      assert.equal(
        block.writes.some((write) => toHex(write.address) === toHex(created)),
        false,
      );
    });

    it('in the transaction of its deployment removes it at the end; to itself it burns at once', () => {
      // Runtime: SELFDESTRUCT(ADDRESS).
      const created = creationAddress(CONTRACT, 1n);
      const runtime = code(0x30, 0xff);
      const init = initCodeOf(runtime);
      const program = code(create(init, { value: 5n }), 0x50, call(created), push(created), 0x31);
      const state = new TestState();
      state
        .put(SENDER, { balance: ETHER })
        .put(CONTRACT, { nonce: 1n, balance: 5n, code: concatBytes(program, RETURN_TOP) });
      const { output, block } = runOne(state);
      assert.equal(bytesToBigInt(output.returnData), 0n, 'the balance is gone within the transaction');
      state.apply(block);
      assert.equal(state.record(created).nonce, 0n);
      assert.equal(state.record(CONTRACT).balance, 0n);
    });

    it('reached by DELEGATECALL in a constructor it does not remove', () => {
      const library = anAddress(0x11b);
      const init = code(push(0), push(0), push(0), push(0), push(0x11b), 0x5a, 0xf4, push(0), push(0), 0xf3);
      const created = creationAddress(CONTRACT, 1n);
      const state = aState(code(create(init), 0x00)).put(library, { nonce: 1n, code: code(push(heir), 0xff) });
      state.apply(runOne(state).block);
      assert.equal(state.record(created).nonce, 1n);
    });
  });

  describe('creations', () => {
    it('the new contract has nonce 1, the creator one more, and the address follows from the nonce before', () => {
      const state = aState(create(initCodeOf(code(0xfe))));
      state.apply(runOne(state).block);
      const created = state.record(creationAddress(CONTRACT, 1n));
      assert.equal(created.nonce, 1n);
      assert.equal(created.observableBytecodeLength, 1);
      assert.deepEqual(created.observableBytecodeHash, keccak256(code(0xfe)));
      assert.equal(state.record(CONTRACT).nonce, 2n);
    });

    it('empty code is a record of its own', () => {
      const state = aState(create(code(0x00)));
      state.apply(runOne(state).block);
      const address = creationAddress(CONTRACT, 1n);
      const record = state.record(address);
      assert.equal(toHex(record.bytecodeHash), '0x69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9');
      assert.deepEqual(record.observableBytecodeHash, KECCAK_EMPTY);
      assert.deepEqual(record.versioning, fromHex('0101010000000000'));
      assert.equal(state.preimages.get(Buffer.from(record.bytecodeHash).toString('latin1'))?.length, 0);
      // Code-less for EXTCODESIZE, and as a sender.
      assert.equal(top(code(push(address), 0x3b), { state }), 0n);
      assert.equal(top(code(push(address), 0x3f), { state }), bytesToBigInt(KECCAK_EMPTY));
    });

    it('rejects 0xEF and code of more than 24,576 bytes, with all gas', () => {
      const returned = (runtime: Bytes): Bytes =>
        code(push(runtime), push(0), 0x52, push(runtime.length), push(32 - runtime.length), 0xf3);
      const gas = (init: Bytes): bigint => top(code(create(init), 0x50, 0x5a), { gasLimit: 1_000_000n });
      assert.equal(top(create(returned(code(0xef)))), 0n);
      assert.ok(gas(returned(code(0xef))) < 20_000n);
      assert.ok(gas(returned(code(0x5b))) > 900_000n);
      const big = code(push(24_577), push(0), 0xf3);
      assert.equal(top(create(big), { gasLimit: 20_000_000n }), 0n);
      const largest = code(push(24_576), push(0), 0xf3);
      assert.notEqual(top(create(largest), { gasLimit: 20_000_000n }), 0n);
    });

    it('init code of more than 49,152 bytes takes all gas of the frame', () => {
      const program = code(push(49_153), push(0), push(0), 0xf0);
      const { output } = runOne(aState(program), { gasLimit: 1_000_000n });
      assert.equal(output.success, false);
      assert.equal(output.gasUsed, 1_000_000n);
      assert.notEqual(top(code(push(49_152), push(0), push(0), 0xf0)), 0n);
    });

    it('a collision burns the gas passed and keeps the raised nonce', () => {
      const taken = creationAddress(CONTRACT, 1n);
      const state = new TestState().put(taken, { nonce: 1n });
      assert.equal(top(create(code(0x00)), { state, gasLimit: 640_000n }), 0n);
      const left = top(code(create(code(0x00)), 0x50, 0x5a), {
        state: new TestState().put(taken, { nonce: 1n }),
        gasLimit: 640_000n,
      });
      assert.ok(left < 12_000n);
      const again = aState(create(code(0x00))).put(taken, { nonce: 1n });
      again.apply(runOne(again).block);
      assert.equal(again.record(CONTRACT).nonce, 2n);
    });

    it('without the balance nothing happens but warmth', () => {
      const failed = code(create(code(0x00), { value: 1_000n }), 0x50);
      const created = creationAddress(CONTRACT, 1n);
      const state = aState(failed);
      state.apply(runOne(state).block);
      assert.equal(state.record(CONTRACT).nonce, 1n);
      // BALANCE of the address costs a warm access.
      const program = code(failed, 0x5a, push(created), 0x31, 0x50, 0x5a, 0x90, 0x03);
      assert.equal(top(program, { state: new TestState() }), 2n + 3n + 100n + 2n);
    });

    it('a transaction that creates answers the code and the address', () => {
      const state = aState();
      const runtime = code(push(1), push(0), 0x52, push(32), push(0), 0xf3);
      const { output, block } = runOne(state, { to: null, input: initCodeOf(runtime), gasLimit: 500_000n });
      assert.deepEqual(output.returnData, runtime);
      assert.deepEqual(output.contractAddress, creationAddress(SENDER, 0n));
      state.apply(block);
      assert.equal(state.record(SENDER).nonce, 1n);
      const failing = runOne(state, { to: null, input: code(push(0), push(0), 0xfd), gasLimit: 500_000n }).output;
      assert.equal(failing.success, false);
      assert.equal(failing.contractAddress, undefined);
    });

    it('CREATE2 depends on salt and code', () => {
      const init = code(0x00);
      const address = top(create(init, { opcode: 0xf5, salt: 42n }));
      const expected = keccak256(concatBytes(Uint8Array.of(0xff), CONTRACT, aWord(42), keccak256(init))).slice(12);
      assert.equal(address, bytesToBigInt(expected));
    });
  });

  describe('EXTCODEHASH', () => {
    it('is zero for an empty account, keccak of nothing without code', () => {
      const state = new TestState()
        .put(anAddress(0x51), { balance: 1n })
        .put(anAddress(0x52), { nonce: 0n, code: code(0xfe) });
      const hash = (address: Bytes): bigint => top(code(push(address), 0x3f), { state });
      assert.equal(hash(anAddress(0x50)), 0n);
      assert.equal(hash(anAddress(0x51)), bytesToBigInt(KECCAK_EMPTY));
      assert.equal(hash(anAddress(0x52)), bytesToBigInt(keccak256(code(0xfe))));
      assert.equal(hash(anAddress(1)), 0n, 'precompiles are no exception');
      assert.equal(hash(anAddress(0x8008)), 0n, 'hooks are no exception');
    });
  });

  describe('calls', () => {
    it('depth 1,024 is the last: the 1,025th frame below the first is refused', () => {
      // Counts its calls in transient slot 0: TSTORE(0, TLOAD(0) + 1), CALL(self), then returns the count.
      const program = code(push(0), 0x5c, push(1), 0x01, push(0), 0x5d, call(CONTRACT), 0x50, push(0), 0x5c);
      // 63/64 of the gas go down 1,024 times.
      const count = top(program, { gasLimit: 100_000_000_000_000n, context: { gasLimit: 100_000_000_000_000n } });
      assert.equal(count, 1_025n);
    });

    it('a failed call for want of balance or depth returns the gas with the stipend', () => {
      const program = code(0x5a, call(anAddress(0x51), { value: 1_000n, gas: push(50_000) }), 0x50, 0x5a, 0x90, 0x03);
      const used = top(program, { state: new TestState().put(anAddress(0x51), { balance: 1n }) });
      assert.equal(used, 7n * 3n + 2_600n + 9_000n - 2_300n + 2n + 2n);
    });

    it('a static frame refuses every write', () => {
      const target = anAddress(0x57a71c);
      const writes: readonly Bytes[] = [
        code(push(0), push(0), 0x55),
        code(push(0), push(0), 0x5d),
        code(push(0), push(0), 0xa0),
        code(push(0), push(0), push(0), 0xf0),
        code(push(0), push(0), push(0), push(0), 0xf5),
        code(push(0), 0xff),
        call(anAddress(0x51), { value: 1n }),
      ];
      for (const program of writes) {
        const state = new TestState().put(target, { nonce: 1n, balance: 10n, code: program });
        assert.equal(top(call(target, { opcode: 0xfa }), { state }), 0n);
        assert.equal(top(call(target), { state }), 1n);
      }
      const state = new TestState().put(target, { nonce: 1n, code: call(anAddress(0x51)) });
      assert.equal(top(call(target, { opcode: 0xfa }), { state }), 1n, 'a call without value is no write');
    });

    it('CALLCODE and DELEGATECALL run foreign code on the own account', () => {
      const library = anAddress(0x11b);
      const state = (): TestState =>
        new TestState().put(library, {
          nonce: 1n,
          code: code(0x30, push(0), 0x55, 0x33, push(1), 0x55, 0x34, push(2), 0x55),
        });
      for (const opcode of [0xf2, 0xf4]) {
        const own = state();
        own
          .put(SENDER, { balance: ETHER })
          .put(CONTRACT, { nonce: 1n, balance: 9n, code: call(library, { opcode, value: 4n }) });
        own.apply(runOne(own, { value: 3n }).block);
        assert.deepEqual(own.value(CONTRACT, aWord(0)), aWord(bytesToBigInt(CONTRACT)));
        assert.deepEqual(own.value(CONTRACT, aWord(1)), aWord(bytesToBigInt(opcode === 0xf2 ? CONTRACT : SENDER)));
        assert.deepEqual(own.value(CONTRACT, aWord(2)), aWord(opcode === 0xf2 ? 4n : 3n));
        assert.equal(own.record(CONTRACT).balance, 12n);
      }
    });

    it('return data: of the last call, out of bounds is a failure', () => {
      const target = anAddress(0x4e7);
      const state = new TestState().put(target, {
        nonce: 1n,
        code: code(push(0xab), push(0), 0x52, push(33), push(0), 0xfd),
      });
      assert.equal(top(code(call(target), 0x50, 0x3d), { state }), 33n);
      assert.equal(top(code(call(target), 0x50, push(32), push(0), push(0), 0x3e, push(0), 0x51), { state }), 0xabn);
      assert.equal(top(code(call(target), 0x50, call(anAddress(0x51)), 0x50, 0x3d), { state }), 0n);
      const outside = runOne(
        aState(code(call(target), push(1), push(33), push(0), 0x3e)).put(target, {
          nonce: 1n,
          code: code(push(33), push(0), 0xf3),
        }),
      );
      assert.equal(outside.output.success, false);
    });

    it('precompiles: warm from the start, a failing one takes all gas, value stays', () => {
      assert.equal(top(code(0x5a, push(anAddress(9)), 0x31, 0x50, 0x5a, 0x90, 0x03)), 2n + 3n + 100n + 2n);
      const state = aState(code(call(anAddress(4), { value: 5n }), RETURN_TOP), { balance: 5n });
      const { output, block } = runOne(state);
      assert.equal(bytesToBigInt(output.returnData), 1n);
      state.apply(block);
      assert.equal(state.record(anAddress(4)).balance, 5n);
      // blake2f wants 213 bytes.
      const left = top(code(call(anAddress(9), { gas: push(100_000) }), 0x50, 0x5a), { gasLimit: 200_000n });
      assert.ok(left < 80_000n);
      assert.equal(top(call(anAddress(0x100))), 1n, '0x100 is an ordinary account');
    });

    it('COINBASE and 0x8001 are warm, other accounts cold', () => {
      const gas = (address: Bytes): bigint => top(code(0x5a, push(address), 0x31, 0x50, 0x5a, 0x90, 0x03)) - 7n;
      assert.equal(gas(aBlockContext().coinbase), 100n);
      assert.equal(gas(anAddress(0x8001)), 100n);
      assert.equal(gas(SENDER), 100n);
      assert.equal(gas(CONTRACT), 100n);
      assert.equal(gas(anAddress(0x8003)), 2_600n);
      assert.equal(gas(anAddress(0x100)), 2_600n);
    });

    it('0x8001 holds the prepayment during execution', () => {
      assert.equal(
        top(code(push(anAddress(0x8001)), 0x31), { gasLimit: 100_000n, maxFeePerGas: 5_000n }),
        100_000n * 1_000n,
      );
    });

    it('access lists warm accounts and slots', () => {
      const accessList = [
        { address: CONTRACT, slots: [aWord(3)] },
        { address: anAddress(0x51), slots: [] },
      ];
      assert.equal(top(code(0x5a, push(3), 0x54, 0x50, 0x5a, 0x90, 0x03), { type: 1, accessList }), 7n + 100n);
      assert.equal(top(code(0x5a, push(anAddress(0x51)), 0x31, 0x50, 0x5a, 0x90, 0x03), { accessList }), 7n + 100n);
    });

    it('warmth gained in a reverted frame is lost', () => {
      const toucher = anAddress(0x70);
      const state = new TestState().put(toucher, {
        nonce: 1n,
        code: code(push(anAddress(0x51)), 0x31, push(0), push(0), 0xfd),
      });
      const program = code(call(toucher), 0x50, 0x5a, push(anAddress(0x51)), 0x31, 0x50, 0x5a, 0x90, 0x03);
      assert.equal(top(program, { state }), 7n + 2_600n);
    });
  });

  describe('memory', () => {
    it('ends at 2^32 - 32', () => {
      for (const offset of [0xffffffc1n, 0xffffffffn, 1n << 32n, 1n << 64n, 1n << 255n]) {
        const { output } = runOne(aState(code(push(1), push(offset), 0x52)));
        assert.equal(output.success, false);
      }
    });

    it('of all active frames stays below 2^27 bytes', () => {
      // Each frame takes 2 MiB and calls itself; the 64th would reach the limit.
      const program = code(
        push(0),
        0x5c,
        push(1),
        0x01,
        push(0),
        0x5d,
        push(0),
        push(0x1fffe0),
        0x52,
        call(CONTRACT),
        0x50,
        push(0),
        0x5c,
        push(0),
        0x52,
        push(32),
        push(0),
        0xf3,
      );
      const gasLimit = 10_000_000_000_000n;
      const { output } = runOne(aState(program), { gasLimit, context: { gasLimit }, maxFeePerGas: 1_000n });
      assert.equal(output.success, true);
      assert.equal(bytesToBigInt(output.returnData), 63n);
    });
  });

  it('gas is exact up to 2^53 - 1, above no transaction runs', () => {
    const gasLimit = (1n << 53n) - 1n;
    const context = { gasLimit: (1n << 56n) - 1n, eip1559BaseFee: 1_000n };
    const callee = anAddress(0xca11ee);
    const answersGas = code(0x5a, RETURN_TOP);
    const state = (): TestState => new TestState().put(callee, { nonce: 1n, code: answersGas });
    assert.equal(top(code(0x5a), { gasLimit, context, state: state() }), gasLimit - 21_000n - 2n);
    // 6 pushes, GAS, the cold account; 63/64 of the rest are passed.
    const left = gasLimit - 21_000n - 6n * 3n - 2n - 2_600n;
    const passed = top(code(call(callee), 0x50, push(32), push(0), push(0), 0x3e, push(0), 0x51), {
      gasLimit,
      context,
      state: state(),
    });
    assert.equal(passed, left - left / 64n - 2n);
    const execution = new BlockExecution({ context: aBlockContext(context), state: aState(code(0x00)) });
    const tooMuch = drive(execution, aState(code(0x00)), from(SENDER, { to: CONTRACT, gasLimit: gasLimit + 1n }));
    assert.deepEqual(tooMuch, { kind: 'rejected', error: 'CallerGasLimitMoreThanBlock', reaction: 'purge' });
  });

  it('more than 2^28 bytes of output fail the transaction like short native', () => {
    // Calls of identity with 1 MiB, which answer as much: the 257th does not fit.
    const identity = code(push(0), push(0), push(1 << 20), push(0), push(0), push(anAddress(4)), 0x5a, 0xf1, 0x50);
    const loop = (times: number): Bytes => {
      const head = code(push(times), 0x5b);
      return code(head, identity, push(1), 0x90, 0x03, 0x80, push(head.length - 1), 0x57);
    };
    const context = { pubdataPrice: 0n };
    assert.equal(runOne(aState(loop(256)), { gasLimit: 60_000_000n, context }).output.success, true);
    const { output } = runOne(aState(loop(257)), { gasLimit: 60_000_000n, context });
    assert.equal(output.success, false);
    assert.equal(output.gasUsed, 60_000_000n);
  });

  it('stack: 1,024 items, no more, none from below', () => {
    const pushes = (count: number): Bytes => new Uint8Array(count).fill(0x5f);
    assert.equal(runOne(aState(pushes(1_024))).output.success, true);
    assert.equal(runOne(aState(pushes(1_025))).output.success, false);
    assert.equal(runOne(aState(code(pushes(1_024), 0x80))).output.success, false);
    assert.equal(runOne(aState(code(pushes(1_024), 0x90))).output.success, true);
    assert.equal(runOne(aState(code(0x5f, 0x01))).output.success, false);
  });

  it('jumps only to JUMPDEST outside push data', () => {
    assert.equal(runOne(aState(code(push(4), 0x56, 0x00, 0x5b))).output.success, true);
    assert.equal(runOne(aState(code(push(4), 0x56, 0x60, 0x5b))).output.success, false);
    assert.equal(runOne(aState(code(push(9), 0x56, 0x5b))).output.success, false);
    assert.equal(runOne(aState(code(push(1n << 40n), 0x56, 0x5b))).output.success, false);
    // A push that the end of the code cuts off is filled with zeros.
    assert.equal(runOne(aState(code(0x7f, 0x01))).output.success, true);
  });

  it('addresses below 0x10000 without a hook hold and run code', () => {
    const address = anAddress(0x8007);
    const state = new TestState().put(address, { nonce: 1n, code: code(push(7), RETURN_TOP) });
    assert.equal(top(code(call(address), 0x50, push(32), push(0), push(0), 0x3e, push(0), 0x51), { state }), 7n);
  });
});
