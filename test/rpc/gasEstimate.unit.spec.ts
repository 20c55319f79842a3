import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { SimulatedCall, SimulationResult } from '../../src/rpc/backend.ts';
import { INSUFFICIENT_FUNDS_FOR_TRANSFER } from '../../src/rpc/errors.ts';
import type { EstimateFacts, RunOutcome } from '../../src/rpc/gasEstimate.ts';
import { estimateGas } from '../../src/rpc/gasEstimate.ts';

const NOTHING = new Uint8Array(0);
const REVERT: RunOutcome = { kind: 'revert', returnData: NOTHING, gasUsed: 1n, isOutOfGas: true };

function aCall(more: Partial<SimulatedCall> = {}): SimulatedCall {
  return {
    kind: 'estimate',
    blockNumber: 1,
    type: 0,
    from: new Uint8Array(20),
    to: new Uint8Array(20),
    input: NOTHING,
    value: 0n,
    gas: undefined,
    gasPrice: 0n,
    nonce: undefined,
    accessList: [],
    stateOverrides: [],
    blockOverrides: {},
    ...more,
  };
}

/** Needs `needed`, uses `used`, and is not even valid below `intrinsic`. */
function contract(needed: bigint, used = needed, intrinsic = 21_000n): (limit: bigint) => RunOutcome {
  return (limit) => {
    if (limit < intrinsic) return { kind: 'rejected', error: 'OutOfGasDuringValidation' };
    return limit < needed ? REVERT : { kind: 'success', returnData: NOTHING, gasUsed: used, gasRefunded: 0n };
  };
}

async function estimate(
  call: SimulatedCall,
  run: (limit: bigint) => RunOutcome,
  facts: Partial<EstimateFacts> = {},
): Promise<{ result: SimulationResult; limits: bigint[] }> {
  const limits: bigint[] = [];
  const { result, runs } = await estimateGas(call, {
    blockGasLimit: 100_000_000n,
    baseFee: 1_000n,
    balance: 0n,
    ...facts,
    run: async (limit) => {
      limits.push(limit);
      return run(limit);
    },
  });
  assert.equal(runs, limits.length);
  return { result, limits };
}

function gasOf(result: SimulationResult): bigint {
  assert.equal(result.kind, 'success');
  return result.kind === 'success' ? result.gas : 0n;
}

describe('gasEstimate', () => {
  it('follows the steps: upper bound, optimistic run, then the search', async () => {
    const { result, limits } = await estimate(aCall(), contract(50_000n, 40_000n));
    // (40 000 + 0 + 2 300) x 64 / 63 = 42 971 is too little; then min(120 000, …) and halving.
    assert.deepEqual(limits.slice(0, 3), [100_000_000n, 42_971n, 120_000n]);
    assert.deepEqual(limits.slice(3), [81_485n, 62_228n, 52_599n, 47_785n, 50_192n, 48_988n, 49_590n]);
    assert.equal(gasOf(result), 50_192n);
  });

  it('is close after the optimistic run of a plain transfer', async () => {
    const { result, limits } = await estimate(aCall(), contract(23_000n));
    assert.deepEqual(limits, [100_000_000n, 25_701n, 24_350n, 23_674n, 23_336n]);
    assert.equal(gasOf(result), 23_336n);
  });

  it('counts the refund for the optimistic run', async () => {
    const run = (limit: bigint): RunOutcome =>
      limit < 60_000n ? REVERT : { kind: 'success', returnData: NOTHING, gasUsed: 50_000n, gasRefunded: 10_000n };
    assert.equal((await estimate(aCall(), run)).limits[1], ((50_000n + 10_000n + 2_300n) * 64n) / 63n);
  });

  it('starts from the smaller of the asked and the block limit', async () => {
    assert.equal((await estimate(aCall({ gas: 60_000n }), contract(21_000n))).limits[0], 60_000n);
    assert.equal((await estimate(aCall({ gas: 10n ** 12n }), contract(21_000n))).limits[0], 100_000_000n);
    assert.equal((await estimate(aCall(), contract(21_000n), { blockGasLimit: 30_000n })).limits[0], 30_000n);
  });

  it('caps by what the sender can pay at the base fee, only with a price', async () => {
    const priced = aCall({ gasPrice: 5_000n, value: 1_000n });
    assert.equal((await estimate(priced, contract(21_000n), { balance: 50_001_000n })).limits[0], 50_000n);
    assert.equal(
      (await estimate(aCall({ value: 1_000n }), contract(21_000n), { balance: 0n })).limits[0],
      100_000_000n,
    );
    assert.equal((await estimate(priced, contract(21_000n), { balance: 1_000n, baseFee: 0n })).limits[0], 100_000_000n);
    const poor = await estimate(priced, contract(21_000n), { balance: 999n });
    assert.deepEqual(poor.limits, []);
    assert.equal(poor.result.kind === 'invalid' && poor.result.error, INSUFFICIENT_FUNDS_FOR_TRANSFER);
    const deposit = aCall({ ...priced, type: 0x7f });
    assert.equal((await estimate(deposit, contract(21_000n), { balance: 0n })).limits[0], 100_000_000n);
  });

  it('answers reverts and faults of the first run', async () => {
    const output = Uint8Array.of(1, 2);
    const reverted = await estimate(aCall(), () => ({
      kind: 'revert',
      returnData: output,
      gasUsed: 9n,
      isOutOfGas: false,
    }));
    assert.deepEqual(reverted.result, { kind: 'revert', returnData: output, gasUsed: 9n });
    assert.deepEqual((await estimate(aCall({ gas: 30_000n }), contract(90_000n))).result, {
      kind: 'exceedsAllowance',
      gas: 30_000n,
    });
    assert.deepEqual((await estimate(aCall({ gas: 500n }), contract(90_000n))).result, {
      kind: 'exceedsAllowance',
      gas: 500n,
    });
    const rejected = await estimate(aCall(), () => ({ kind: 'rejected', error: 'LackOfFundForMaxFee' }));
    assert.deepEqual(rejected.result, { kind: 'invalid', error: 'LackOfFundForMaxFee', message: '' });
  });

  it('takes an invalid optimistic run for an error', async () => {
    const { result } = await estimate(aCall(), (limit) =>
      limit < 100_000n ? { kind: 'rejected', error: 'OutOfGasDuringValidation' } : contract(21_000n)(limit),
    );
    assert.deepEqual(result, { kind: 'invalid', error: 'OutOfGasDuringValidation', message: '' });
  });

  it('moves the bounds by what a run of the search answers', async () => {
    const by = (error: string) =>
      estimate(aCall(), (limit) => {
        if (limit === 100_000_000n) return { kind: 'success', returnData: NOTHING, gasUsed: 40_000n, gasRefunded: 0n };
        if (limit === 42_971n) return REVERT;
        return limit < 60_000n || limit === 120_000n ? { kind: 'rejected', error } : contract(0n, 0n, 0n)(limit);
      });
    assert.equal((await by('CallerGasLimitMoreThanBlock')).limits[3], (120_000n + 42_971n) / 2n);
    for (const error of [
      'CallGasCostMoreThanGasLimit',
      'OutOfGasDuringValidation',
      'OutOfNativeResourcesDuringValidation',
    ]) {
      assert.equal((await by(error)).limits[3], (100_000_000n + 120_000n) / 2n, error);
    }
    assert.deepEqual((await by('NonceTooLow')).result, { kind: 'invalid', error: 'NonceTooLow', message: '' });
  });

  it('gives L1 transactions at least what L1 enforces', async () => {
    const { result, limits } = await estimate(aCall({ type: 0x7f }), contract(104_800n));
    assert.equal(gasOf(result), 200_000n);
    assert.deepEqual(limits, [100_000_000n, 108_800n]);
    assert.ok(gasOf((await estimate(aCall({ type: 0x7f }), contract(5_000_000n, 300_000n))).result) >= 5_000_000n);
  });

  it('answers enough gas, at most 1.5 % too much, in a bounded number of runs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 21_000, max: 90_000_000 }),
        fc.integer({ min: 1, max: 100 }),
        async (needed, percent) => {
          const used = BigInt(Math.max(21_000, Math.floor((needed * percent) / 100)));
          const { result, limits } = await estimate(aCall(), contract(BigInt(needed), used));
          const gas = gasOf(result);
          assert.ok(gas >= BigInt(needed));
          assert.ok(gas - BigInt(needed) <= (gas * 15n) / 1_000n + 1n);
          assert.ok(limits.length < 40);
        },
      ),
      { numRuns: 300 },
    );
  });
});
