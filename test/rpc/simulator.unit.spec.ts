import assert from 'node:assert/strict';
import type { Bytes } from '../../src/common/bytes.ts';
import { bytesKey, bytesToBigInt, fromHex, toHex } from '../../src/common/bytes.ts';
import type { NodeError } from '../../src/common/errors.ts';
import { asRpcError } from '../../src/rpc/errors.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import type { SimulatedCall, SimulationResult } from '../../src/rpc/backend.ts';
import type { Simulator, SimulatorOptions } from '../../src/rpc/simulator.ts';
import { createSimulator, overriddenContext } from '../../src/rpc/simulator.ts';
import { aBlockContext, aWord, anAddress } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';

const ALICE = anAddress(0xa11ce);
const TARGET = anAddress(0x7a46e7);
/** PUSH0 SLOAD, returned as a word. */
const RETURN_SLOT_0 = '5f545f5260205ff3';
const RETURN_42 = '602a60005260206000f3';
const CUSTOM_REVERT = '63c2bb947c60e01b5f5260045ffd';
const ENDLESS = '5b5f56';
const INVALID = 'fe';
/** SSTORE(0, 1) */
const STORE = '60015f5500';

/** A word-returning program around one opcode. */
const returning = (opcode: string): string => `${opcode}5f5260205ff3`;

describe('simulator', () => {
  let state: TestState;
  let context: BlockContext;
  let loads: number;

  beforeEach(() => {
    state = new TestState().put(ALICE, { balance: 10n ** 18n, nonce: 3n });
    context = aBlockContext({ blockNumber: 7n });
    loads = 0;
  });

  function aSimulator(options: Partial<SimulatorOptions> = {}): Simulator {
    return createSimulator({
      state: {
        account: async (address) => {
          loads += 1;
          return state.records.get(bytesKey(address));
        },
        slot: async (address, slot) => state.value(address, slot),
        preimage: async (hash) => state.preimages.get(bytesKey(hash)),
      },
      blockContext: async (number) => (number === 7 ? context : undefined),
      timeoutMs: 10_000,
      ...options,
    });
  }

  function aCall(more: Partial<SimulatedCall> = {}): SimulatedCall {
    return {
      kind: 'call',
      blockNumber: 7,
      type: 0,
      from: ALICE,
      to: TARGET,
      input: new Uint8Array(0),
      value: 0n,
      gas: more.kind === 'estimate' ? undefined : 10_000_000n,
      gasPrice: 0n,
      nonce: undefined,
      accessList: [],
      stateOverrides: [],
      blockOverrides: {},
      ...more,
    };
  }

  function withCode(code: string, slots: readonly (readonly [Bytes, Bytes])[] = []): void {
    state.put(TARGET, { code: fromHex(code), slots });
  }

  function returned(result: SimulationResult): string {
    assert.equal(
      result.kind,
      'success',
      JSON.stringify(result, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    );
    return result.kind === 'success' ? toHex(result.returnData) : '';
  }

  const wordOf = (value: number | bigint): string => toHex(aWord(value));

  it('calls code, loading what it misses', async () => {
    withCode(RETURN_SLOT_0, [[aWord(0), aWord(77)]]);
    assert.equal(returned(await aSimulator().simulate(aCall())), wordOf(77));
    assert.ok(loads >= 4);
  });

  it('calls nobody (C1), and deploys (C3)', async () => {
    const nothing = await aSimulator().simulate(aCall({ from: new Uint8Array(20), to: undefined }));
    assert.equal(returned(nothing), '0x');
    const init = `69${RETURN_42}600052600a6016f3`;
    assert.equal(
      returned(await aSimulator().simulate(aCall({ to: undefined, input: fromHex(init) }))),
      `0x${RETURN_42}`,
    );
  });

  it('answers reverts with their data, other failures without (C4)', async () => {
    withCode(CUSTOM_REVERT);
    const reverted = await aSimulator().simulate(aCall());
    assert.equal(reverted.kind === 'revert' && toHex(reverted.returnData), '0xc2bb947c');
    for (const code of [INVALID, ENDLESS, '56']) {
      withCode(code);
      const failed = await aSimulator().simulate(aCall({ gas: 100_000n }));
      assert.equal(failed.kind === 'revert' && failed.returnData.length, 0, code);
    }
  });

  it('names why a transaction is not valid', async () => {
    const errorOf = async (more: Partial<SimulatedCall>) => {
      const result = await aSimulator().simulate(aCall(more));
      return result.kind === 'invalid' ? result.error : result.kind;
    };
    assert.equal(await errorOf({ gas: 100_000_001n }), 'CallerGasLimitMoreThanBlock');
    assert.equal(await errorOf({ gas: 20_999n }), 'OutOfGasDuringValidation');
    assert.equal(await errorOf({ value: 2n * 10n ** 18n }), 'LackOfFundForMaxFee');
    assert.equal(await errorOf({ gasPrice: 10n ** 12n }), 'LackOfFundForMaxFee');
    assert.equal(await errorOf({ gasPrice: 10n ** 10n }), 'success');
    withCode(RETURN_42);
    assert.equal(await errorOf({ from: TARGET }), 'RejectCallerWithCode');
    assert.equal(await errorOf({ nonce: 99n }), 'success');
  });

  it('sees the block itself, with base fee 0', async () => {
    const rows: readonly (readonly [opcode: string, value: bigint])[] = [
      ['43', 7n],
      ['42', context.timestamp],
      ['41', bytesToBigInt(context.coinbase)],
      ['45', context.gasLimit],
      ['46', 270n],
      ['48', 0n],
      ['44', 1n],
    ];
    for (const [opcode, value] of rows) {
      withCode(returning(opcode));
      assert.equal(returned(await aSimulator().simulate(aCall())), wordOf(value), opcode);
    }
  });

  it('sees block overrides', async () => {
    const blockOverrides = {
      number: 9n,
      timestamp: 5n,
      gasLimit: 50_000_000n,
      feeRecipient: anAddress(0xfee),
      prevRandao: 1_234n,
      baseFeePerGas: 5n,
    };
    const rows: readonly (readonly [opcode: string, value: bigint])[] = [
      ['43', 9n],
      ['42', 5n],
      ['41', 0xfeen],
      ['45', 50_000_000n],
      ['48', 0n],
      ['44', 1_234n],
    ];
    for (const [opcode, value] of rows) {
      withCode(returning(opcode));
      assert.equal(returned(await aSimulator().simulate(aCall({ blockOverrides }))), wordOf(value), opcode);
    }
  });

  it('keeps block hashes at their numbers under overrides', async () => {
    context = aBlockContext({ blockNumber: 7n, blockHashes: Array.from({ length: 256 }, (_, index) => aWord(index)) });
    const hashOf = async (number: number, blockOverrides: SimulatedCall['blockOverrides'] = {}) => {
      withCode(returning(`60${number.toString(16).padStart(2, '0')}40`));
      return BigInt(returned(await aSimulator().simulate(aCall({ blockOverrides }))));
    };
    assert.equal(await hashOf(6), 255n);
    assert.equal(await hashOf(7), 0n);
    assert.equal(await hashOf(6, { number: 9n }), 255n);
    assert.equal(await hashOf(7, { number: 9n }), 0n);
    assert.equal(await hashOf(3, { number: 5n }), 252n);
    assert.equal(await hashOf(8, { number: 9n, blockHashes: [[8n, aWord(88)]] }), 88n);
    assert.equal(
      await hashOf(6, {
        blockHashes: [
          [6n, aWord(66)],
          [7n, aWord(1)],
          [900n, aWord(1)],
        ],
      }),
      66n,
    );
    assert.equal(overriddenContext(context, {}).blockHashes, context.blockHashes);
  });

  it('sees state overrides', async () => {
    const override = (more: object) => [{ address: TARGET, ...more }];
    const run = async (stateOverrides: SimulatedCall['stateOverrides'], more: Partial<SimulatedCall> = {}) =>
      returned(await aSimulator().simulate(aCall({ stateOverrides, ...more })));
    assert.equal(await run(override({ code: fromHex(RETURN_42) })), wordOf(42));
    withCode(RETURN_SLOT_0, [[aWord(0), aWord(77)]]);
    assert.equal(await run(override({ stateDiff: [[aWord(0), aWord(5)]] })), wordOf(5));
    assert.equal(await run(override({ stateDiff: [[aWord(1), aWord(5)]] })), wordOf(77));
    assert.equal(await run(override({ state: [[aWord(1), aWord(5)]] })), wordOf(0));
    assert.equal(await run(override({ state: [[aWord(0), aWord(6)]] })), wordOf(6));
    assert.equal(await run(override({ code: fromHex(returning('47')), balance: 123n })), wordOf(123));
    assert.equal(await run(override({ code: new Uint8Array(0) })), '0x');
    const rich = [{ address: anAddress(5_000), balance: 10n ** 20n }];
    const paid = await aSimulator().simulate(
      aCall({ from: anAddress(5_000), to: ALICE, value: 10n ** 19n, stateOverrides: rich }),
    );
    assert.equal(paid.kind, 'success');
    assert.equal(returned(await aSimulator().simulate(aCall())), wordOf(77));
  });

  it('moves precompiles, and lets code take their place', async () => {
    const IDENTITY = anAddress(4);
    const MOVED = anAddress(0x123);
    const input = fromHex('c0ffee');
    const at = async (to: Bytes, ...stateOverrides: SimulatedCall['stateOverrides']) =>
      returned(await aSimulator().simulate(aCall({ to, input, stateOverrides })));
    const move = { address: IDENTITY, movePrecompileTo: MOVED };
    assert.equal(await at(IDENTITY), '0xc0ffee');
    assert.equal(await at(MOVED, move), '0xc0ffee');
    assert.equal(await at(IDENTITY, move), '0x');
    assert.equal(await at(IDENTITY, { ...move, code: fromHex(RETURN_42) }), wordOf(42));
    assert.equal(await at(MOVED, { ...move, code: fromHex(RETURN_42) }), '0xc0ffee');
    assert.equal(await at(IDENTITY, { address: IDENTITY, code: fromHex(RETURN_42) }), wordOf(42));
    // Not a change of the code.
    assert.equal(await at(IDENTITY, { address: IDENTITY, balance: 1n }), '0xc0ffee');
    // Another precompile takes its place.
    assert.equal(
      await at(anAddress(2), { ...move, movePrecompileTo: anAddress(2) }, { address: ALICE, nonce: 1n }),
      '0xc0ffee',
    );
    // A contract finds it where it is: STATICCALL(gas, MOVED, 0, 0, 0, 0), RETURNDATASIZE.
    withCode(`${'5f'.repeat(2)}60205f6101235afa${returning('3d')}`);
    assert.equal(await at(TARGET, move), wordOf(32));
    assert.equal(await at(TARGET), wordOf(0));
  });

  it('lets code take the place of a system hook', async () => {
    for (const hook of [0x8006, 0x8008, 0x800a].map(anAddress)) {
      const at = async (...stateOverrides: SimulatedCall['stateOverrides']) =>
        aSimulator().simulate(aCall({ to: hook, input: fromHex('c0ffee00'), stateOverrides }));
      assert.equal(returned(await at({ address: hook, code: fromHex(RETURN_42) })), wordOf(42));
      assert.equal((await at({ address: hook, balance: 1n })).kind, 'revert');
    }
  });

  it('reads nothing for an access list that the gas does not pay for', async () => {
    let slotReads = 0;
    const simulator = aSimulator({
      state: {
        account: async (address) => state.records.get(bytesKey(address)),
        slot: async () => void (slotReads += 1),
        preimage: async () => undefined,
      },
    });
    const accessList = [{ address: TARGET, slots: Array.from({ length: 100 }, (_, i) => aWord(i)) }];
    const listGas = 2_400n + 1_900n * 100n;
    const refused = { kind: 'invalid', error: 'OutOfGasDuringValidation', message: '' };
    for (const gas of [20_000n, listGas - 1n]) {
      assert.deepEqual(await simulator.simulate(aCall({ type: 1, accessList, gas })), refused);
      const estimate = await simulator.simulate(aCall({ kind: 'estimate', type: 1, accessList, gas }));
      assert.deepEqual(estimate, { kind: 'exceedsAllowance', gas });
    }
    const blockOverrides = { gasLimit: listGas - 1n };
    const tooMuch = await simulator.simulate(aCall({ type: 1, accessList, gas: listGas, blockOverrides }));
    assert.deepEqual(tooMuch, { ...refused, error: 'CallerGasLimitMoreThanBlock' });
    assert.equal(slotReads, 0);
    assert.equal((await simulator.simulate(aCall({ type: 1, accessList, gas: listGas + 200_000n }))).kind, 'success');
    assert.equal(slotReads, 100);
  });

  it('refuses moves that make no sense', async () => {
    const message = async (...stateOverrides: SimulatedCall['stateOverrides']): Promise<string | undefined> => {
      const error: unknown = await aSimulator()
        .simulate(aCall({ stateOverrides }))
        .catch((thrown: unknown) => thrown);
      assert.equal(asRpcError(error)?.rpcCode, -32602);
      return asRpcError(error)?.message;
    };
    const MOVED = anAddress(0x123);
    assert.match((await message({ address: TARGET, movePrecompileTo: MOVED })) ?? '', /is not a precompile/);
    const move = { address: anAddress(1), movePrecompileTo: MOVED };
    assert.match((await message(move, { address: MOVED, balance: 1n })) ?? '', /already overridden/);
    assert.match((await message(move, { ...move, address: anAddress(2) })) ?? '', /already overridden/);
    assert.match((await message({ ...move, movePrecompileTo: anAddress(1) })) ?? '', /already overridden/);
  });

  it('estimates enough and not much more', async () => {
    withCode(STORE);
    for (const more of [{}, { to: ALICE, value: 5n }, { gasPrice: 1_000n }, { type: 2 as const, gasPrice: 1_000n }]) {
      const estimate = await aSimulator().simulate(aCall({ kind: 'estimate', ...more }));
      assert.equal(estimate.kind, 'success');
      const gas = estimate.kind === 'success' ? estimate.gas : 0n;
      const at = async (limit: bigint) => (await aSimulator().simulate(aCall({ ...more, gas: limit }))).kind;
      assert.equal(await at(gas), 'success');
      assert.notEqual(await at((gas * 95n) / 100n), 'success');
    }
  });

  it('estimates deposits at no less than 200 000, whoever sends them (B1)', async () => {
    const nobody = anAddress(0xdead);
    const deposit = await aSimulator().simulate(
      aCall({ kind: 'estimate', type: 0x7f, from: nobody, to: nobody, value: 10n ** 20n }),
    );
    assert.equal(deposit.kind === 'success' && deposit.gas >= 200_000n, true);
    const priced = await aSimulator().simulate(
      aCall({ kind: 'estimate', type: 0x7f, from: nobody, to: nobody, value: 1n, gasPrice: 250_000_000n }),
    );
    assert.equal(priced.kind === 'success' && priced.gas >= 200_000n, true);
  });

  it('tells a lack of gas from a revert', async () => {
    withCode(ENDLESS);
    const endless = await aSimulator().simulate(aCall({ kind: 'estimate', gas: 50_000n }));
    assert.deepEqual(endless, { kind: 'exceedsAllowance', gas: 50_000n });
    withCode(CUSTOM_REVERT);
    const reverted = await aSimulator().simulate(aCall({ kind: 'estimate' }));
    assert.equal(reverted.kind === 'revert' && toHex(reverted.returnData), '0xc2bb947c');
    const poor = await aSimulator().simulate(
      aCall({ kind: 'estimate', from: anAddress(404), value: 1n, gasPrice: 1n }),
    );
    assert.equal(poor.kind === 'invalid' && poor.error, 'InsufficientFundsForTransfer');
  });

  it('ends what takes too long and gives other calls their turn meanwhile', async () => {
    withCode(ENDLESS);
    const other = anAddress(0x0783);
    state.put(other, { code: fromHex(RETURN_42) });
    let nowMs = 0;
    const simulator = aSimulator({ timeoutMs: 1_000, now: () => nowMs });
    const endless = simulator.simulate(aCall({ gas: 90_000_000n }));
    const quick = simulator.simulate(aCall({ to: other }));
    assert.equal(returned(await quick), wordOf(42));
    nowMs = 1_001;
    await assert.rejects(endless, (error: NodeError) => {
      assert.equal(error.code, 'CALL_TIMEOUT');
      assert.match(error.message, /block 7/);
      return true;
    });
  });

  it('bounds how many run and how many wait', async () => {
    withCode(RETURN_42);
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const simulator = aSimulator({
      maxConcurrent: 1,
      maxWaiting: 1,
      blockContext: async () => {
        await gate;
        return context;
      },
    });
    const first = simulator.simulate(aCall());
    const second = simulator.simulate(aCall());
    await assert.rejects(simulator.simulate(aCall()), { code: 'CALL_QUEUE_FULL' });
    release();
    assert.equal(returned(await first), wordOf(42));
    assert.equal(returned(await second), wordOf(42));
    assert.equal(returned(await simulator.simulate(aCall())), wordOf(42));
  });

  it('frees its place after a failure and refuses unknown blocks', async () => {
    const simulator = aSimulator({ maxConcurrent: 1, maxWaiting: 0 });
    for (let i = 0; i < 3; i++) {
      const error: unknown = await simulator.simulate(aCall({ blockNumber: 99 })).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.equal(asRpcError(error)?.message, 'block not found');
    }
  });

  it('says what it did', async () => {
    withCode(STORE);
    const seen: { kind: string; runs: number }[] = [];
    const simulator = aSimulator({ onSimulated: ({ kind, runs }) => seen.push({ kind, runs }) });
    await simulator.simulate(aCall());
    await simulator.simulate(aCall({ kind: 'estimate' }));
    assert.deepEqual(seen[0], { kind: 'call', runs: 1 });
    assert.equal(seen[1]?.kind, 'estimate');
    assert.ok((seen[1]?.runs ?? 0) > 1);
  });
});
