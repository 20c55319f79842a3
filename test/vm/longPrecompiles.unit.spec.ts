/** Precompiles that take many turns: the same result whoever calls them, and no turn much longer than it was given. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type Bytes, bigIntToBytes, bytesToBigInt, concatBytes, equalBytes } from '../../src/common/bytes.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { modexp } from '../../src/vm/precompiles/modexp.ts';
import { bn254Pairing } from '../../src/vm/precompiles/bn254.ts';
import { ripemd160, sha256 } from '../../src/vm/precompiles/hashes.ts';
import { aBlockContext, anAddress, aWord, code, from, push } from '../support/factories.ts';
import { aState, CONTRACT, SENDER } from './harness.ts';

const MODEXP = anAddress(5);
const PAIRING = anAddress(8);
const [SHA256, RIPEMD160] = [anAddress(2), anAddress(3)];
const GENEROUS = 90_000_000n;
const MODULUS = 2n ** 255n - 19n;
/** Generator of the first group, and of the second, imaginary parts first. */
const PAIR = concatBytes(
  ...[
    1n,
    2n,
    0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2n,
    0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6edn,
    0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975bn,
    0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daan,
  ].map((value) => bigIntToBytes(value, 32)),
);

const modexpInput = (exponent: Bytes): Bytes =>
  concatBytes(aWord(32), aWord(exponent.length), aWord(32), aWord(3), exponent, aWord(MODULUS));
const LONG = new Uint8Array(256 * 1024 + 1).fill(1, 256 * 1024);
const pairs = (count: number): Bytes => concatBytes(...Array.from({ length: count }, () => PAIR));

/** Runs to the end and counts the turns. */
function run(
  to: Bytes,
  input: Bytes,
  turnBudget: number,
  program?: Bytes,
): { output: TransactionOutput; turns: number } {
  const state = aState(program);
  const execution = new BlockExecution({ context: aBlockContext(), state, turnBudget });
  let step = execution.start(from(SENDER, { to, input, gasLimit: GENEROUS }));
  let turns = 1;
  for (; step.kind === 'paused'; turns += 1) step = execution.resume();
  assert.equal(step.kind, 'included');
  return { output: step.output, turns }; // as was just asserted
}

/** Calls a precompile with the input of the call and gives what it gives, and the gas left. */
const forwarder = (target: Bytes): Bytes =>
  code(
    code(0x36, 0x5f, 0x5f, 0x37, push(32), push(0), 0x36, push(0), push(0), push(target), 0x5a, 0xf1),
    code(push(32), 0x52, 0x5a, push(64), 0x52, push(96), push(0), 0xf3),
  );

describe('long precompiles', () => {
  const cases = [
    ['MODEXP', MODEXP, modexpInput(new Uint8Array(4_096).fill(0xff))],
    ['MODEXP with a tail of squarings', MODEXP, modexpInput(Uint8Array.of(...aWord(-1), ...new Uint8Array(4_000)))],
    ['pairing', PAIRING, pairs(12)],
    ['pairing of an invalid point', PAIRING, concatBytes(pairs(11), new Uint8Array(192).fill(1))],
    ['SHA256', SHA256, LONG],
    ['RIPEMD160', RIPEMD160, LONG],
    ['pairing of half a pair', PAIRING, pairs(12).subarray(1)],
  ] as const;
  for (const [name, target, input] of cases) {
    it(`${name}: many turns, from a transaction and from a contract, as in one`, () => {
      for (const program of [undefined, forwarder(target)]) {
        const to = program === undefined ? target : CONTRACT;
        const whole = run(to, input, Number.MAX_SAFE_INTEGER, program);
        const sliced = run(to, input, 2_000, program);
        assert.deepEqual(sliced.output, whole.output);
        assert.equal(whole.turns, 1);
        if (name !== 'pairing of half a pair') assert.ok(sliced.turns > 8, `${sliced.turns} turns`);
      }
    });
  }

  it('give the right result', () => {
    const { output } = run(MODEXP, modexpInput(new Uint8Array(1_024).fill(0xff)), 5_000);
    let expected = 1n;
    for (let bit = 0; bit < 8 * 1_024; bit += 1) expected = (((expected * expected) % MODULUS) * 3n) % MODULUS;
    assert.equal(bytesToBigInt(output.returnData), expected);
    // As many times the pairing of the generators as its order would make one; twelve do not.
    assert.ok(equalBytes(run(PAIRING, pairs(12), 5_000).output.returnData, aWord(0)));
    for (const [target, name] of [
      [SHA256, 'sha256'],
      [RIPEMD160, 'ripemd160'],
    ] as const) {
      const digest = run(target, LONG, 5_000).output.returnData;
      assert.equal(bytesToBigInt(digest), BigInt(`0x${hash(name, LONG)}`));
    }
  });

  it('leave nothing behind when they are given up', () => {
    const state = aState();
    const execution = new BlockExecution({ context: aBlockContext(), state, turnBudget: 1_000 });
    const input = modexpInput(new Uint8Array(4_096).fill(0xff));
    assert.equal(execution.start(from(SENDER, { to: MODEXP, input, gasLimit: GENEROUS })).kind, 'paused');
    execution.abandon();
    assert.equal(execution.start(from(SENDER, { to: anAddress(1), gasLimit: 30_000n })).kind, 'included');
  });

  it('MODEXP: turns grow as the exponent does, and a turn makes no more multiplications than its share', () => {
    const turns = (length: number): number => run(MODEXP, modexpInput(new Uint8Array(length).fill(0xaa)), 20_000).turns;
    const [one, four] = [turns(4_096), turns(16_384)];
    assert.ok(four >= 3.5 * one && four <= 4.5 * one, `${one} and ${four} turns`);
  });

  it('short ones are done at once', () => {
    const short = modexp.run(modexpInput(aWord(MODULUS - 2n)), 1e12, 1e12);
    assert.equal(short.kind, 'success');
    assert.equal(bn254Pairing.run(pairs(4), 1e12, 1e12).kind, 'success');
    assert.equal(bn254Pairing.run(pairs(5), 1e12, 1e12).kind, 'task');
    for (const precompile of [sha256, ripemd160]) {
      assert.equal(precompile.run(LONG.subarray(1), 1e12, 1e12).kind, 'success');
      assert.equal(precompile.run(LONG, 1e12, 1e12).kind, 'task');
    }
  });
});
