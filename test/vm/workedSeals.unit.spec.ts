/**
 * A block for each seal reason of the VM, worked out by hand (execution 2, 8.2, native 10). Timeout, TxCountLimit and the
 * size limit are the sequencer's: test/producers/sequencer.unit.spec.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { executeBlock } from '../../src/commands/executeBlock.ts';
import type { ExecutedBlock } from '../../src/commands/executeBlock.ts';
import { parseExecuteInput } from '../../src/commands/executeInput.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { exceededLimit } from '../../src/vm/blockLimits.ts';
import { executeExample, inputPath } from '../execute/fixture.ts';
import { aBlockContext, code, from, fromL1, push } from '../support/factories.ts';
import { aState, CONTRACT, drive, included, SENDER } from './harness.ts';
import {
  assertFigures,
  DEPOSIT_HASH,
  FIRST,
  FIRST_ABSENT,
  KECCAK_1,
  LOADED,
  MOVE,
  outputs,
  SIGNATURE,
  validation,
  WRITE,
} from './worked.ts';

function statuses({ attempts }: ExecutedBlock): string[] {
  return attempts.map((attempt) => (attempt.status === 'full' ? attempt.sealReason : attempt.status));
}

/** V of a first transaction from a rich sender with a prepayment of four bytes: sender 40, 0x8001 38. */
const V = 40 + 38;
/** The coinbase behind one transfer: key, format, 21,000,000 wei as five bytes. */
const COINBASE_DIFF = 32 + 1 + 5;

describe('worked blocks: seal reasons', () => {
  it('Replay: the list is exhausted', async () => {
    const executed = await executeExample('01-transfer');
    assert.equal(executed.sealReason, 'Replay');
    assert.deepEqual(statuses(executed), ['included']);
  });

  it('GasLimit: the limit of the next transaction does not fit', async () => {
    const executed = await executeExample('13-seal-gas-limit');
    // 60,000 - 2 x 21,000 = 18,000 < 21,000.
    assert.equal(executed.sealReason, 'GasLimit');
    assert.deepEqual(statuses(executed), ['included', 'included', 'GasLimit', 'notTried']);
    const first = validation({ calldata: 0, hashes: 2 * KECCAK_1 }) + V + LOADED + FIRST_ABSENT + (LOADED + MOVE);
    // In the second, sender, 0x8001 and recipient are loaded; the coinbase counts in its V.
    const secondV = COINBASE_DIFF + 40 + 38;
    const second =
      30_000 +
      LOADED +
      2 * KECCAK_1 +
      LOADED +
      SIGNATURE +
      WRITE +
      LOADED +
      (MOVE + LOADED) +
      secondV +
      LOADED +
      LOADED +
      (LOADED + MOVE);
    const recipient = 32 + 1 + 2;
    assertFigures(executed, [
      { success: true, gas: 21_000, native: first + recipient, computational: first, pubdata: V + recipient },
      { success: true, gas: 21_000, native: second + recipient, computational: second, pubdata: secondV + recipient },
    ]);
  });

  it('NativeCycles: more than 2^35', async () => {
    const executed = await executeExample('14-seal-native-cycles');
    // The pairing check of 2,290 pairs and a byte wants 15,000,000 x 2,291 = 34,365,000,000 > 2^35: fatal. The deposit is
    // rich, so it counts R + I = 2^35 in whole; one unit more does not fit.
    assert.ok(15_000_000 * 2_291 > 2 ** 35);
    assert.equal(executed.sealReason, 'NativeCycles');
    assert.deepEqual(statuses(executed), ['included', 'NativeCycles']);
    // T = 90,000,000 gas x 25,000,000. W is lost: left is R less the hash of the transaction.
    const left = 2 ** 35 - 130_000 - DEPOSIT_HASH;
    assertFigures(executed, [
      {
        success: false,
        gas: 90_000_000,
        native: 90_000_000 * 25_000_000 - left,
        computational: 2 ** 35,
        pubdata: 88,
      },
    ]);
  });

  it('Pubdata: more than the limit', async () => {
    const executed = await executeExample('15-seal-pubdata');
    assert.equal(executed.sealReason, 'Pubdata');
    assert.deepEqual(statuses(executed), ['included', 'Pubdata']);
    const recipient = 32 + 1 + 2;
    const first = V + recipient;
    assert.equal(first, 113, 'which is the limit');
    const input = parseExecuteInput(readFileSync(inputPath('15-seal-pubdata'), 'utf8'), '15-seal-pubdata');
    // The second counts the coinbase and the recipient again: the base is the start of the block.
    const second = COINBASE_DIFF + V + recipient;
    for (const [pubdataLimit, expected] of [
      [first + second - 1, 'Pubdata'],
      [first + second, 'included'],
    ] as const) {
      const other = await executeBlock({ ...input, context: { ...input.context, pubdataLimit: BigInt(pubdataLimit) } });
      assert.equal(statuses(other)[1], expected);
    }
    assert.equal(outputs(executed)[0]?.pubdataUsed, BigInt(first));
  });

  it('L2ToL1Logs: more than 16,384', () => {
    // Words 0 and 4 make the call sendToL1(""), then it is called as often as the first push says.
    const head = code(push(0x62f84b24), push(224), 0x1b, 0x5f, 0x52, push(32), push(4), 0x52, push(16_384), 0x5b);
    const call = code(0x5f, 0x5f, push(68), 0x5f, 0x5f, push(0x8008), 0x5a, 0xf1, 0x50);
    const program = code(head, call, push(1), 0x90, 0x03, 0x80, push(head.length - 1), 0x57);
    const state = aState(program);
    const context = aBlockContext({ pubdataLimit: 1n << 40n, pubdataPrice: 0n });
    const execution = new BlockExecution({ context, state });
    const output = included(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 60_000_000n })));
    assert.equal(output.l2ToL1Logs.length, 16_384);
    // Head: PUSH4, PUSH1, SHL, PUSH0, MSTORE of a word, PUSH1, PUSH1, MSTORE of another, PUSH2.
    const headGas = 3 + 3 + 3 + 2 + 6 + 3 + 3 + 6 + 3;
    const headNative = 9 * 20 + 140 + 60 + 240 + 50 + (250 + 35 + 32) + 60 + 60 + (250 + 35 + 32) + 120;
    // A turn: JUMPDEST, two PUSH0, PUSH1, two PUSH0, PUSH2, GAS, CALL, POP; PUSH1, SWAP1, SUB, DUP1, PUSH1, JUMPI.
    const turnGas = 1 + 2 * 2 + 3 + 2 * 2 + 3 + 2 + 100 + 2 + (3 + 3 + 3 + 3 + 3 + 10);
    const turnNative =
      16 * 20 + 40 + 2 * 50 + 60 + 2 * 50 + 120 + 60 + (1_500 + LOADED) + 40 + (60 + 90 + 140 + 60 + 60 + 300);
    // The message of no bytes: its hash twice, 30 gas; the event with 64 bytes of arguments; 10 ergs.
    const messageGas = 30 + 375 * 4 + 8 * 64;
    const messageNative = 86_000 + KECCAK_1 + KECCAK_1 + 6_600 + 2 * 64;
    // The first call meets a cold account; the third word of memory comes with its input of 68 bytes. STOP ends the code.
    const once = { gas: 2_500 + 3, native: FIRST_ABSENT - LOADED + (35 + 32) + 20 };
    const ergs = 10 * 16_384;
    const gas = 21_000 + headGas + 16_384 * (turnGas + messageGas) + once.gas + ergs / 256;
    assert.equal(Number(output.gasUsed), gas);
    const codeNative = 500 + 800 + 340;
    const validated = validation({ calldata: 0, hashes: 2 * KECCAK_1 });
    const native =
      validated + LOADED + (FIRST + codeNative) + headNative + 16_384 * (turnNative + messageNative) + once.native;
    assert.equal(Number(output.computationalNativeUsed), native);
    // 16,384 logs are the limit; the result log of a deposit is one more.
    assert.deepEqual(drive(execution, state, fromL1()), { kind: 'full', reason: 'L2ToL1Logs' });
  });

  it('Other: a deposit that cannot pay even for what an earlier one left', async () => {
    const executed = await executeExample('16-seal-other');
    assert.equal(executed.sealReason, 'Other');
    assert.deepEqual(statuses(executed), ['included', 'Other']);
    // The second has 110,000 - 1,000 x 88 = 22,000 gas of native; the coinbase has 17,600,000,000,000 wei, six bytes.
    assert.ok(1_000 * (32 + 1 + 7) > 110_000 - 1_000 * 88);
    // The first: I, hash, initiator and target, both absent; no value.
    const computational = 130_000 + DEPOSIT_HASH + FIRST_ABSENT + FIRST_ABSENT;
    const native = 800 * 25_000_000 * 88 + computational;
    assertFigures(executed, [{ success: true, gas: 70_400, native, computational, pubdata: 88 }]);
  });

  it('GasVm comes first of the four limits; a builder seals by GasLimit before it', () => {
    // gas_used never exceeds the gas limit of its transaction, and that was found to fit: only the rule itself can show it.
    const limits = { gasLimit: 100n, pubdataLimit: 10n };
    const at = { gasUsed: 100n, native: 2 ** 35, pubdata: 10, l2ToL1Logs: 16_384 };
    assert.equal(exceededLimit(at, limits), undefined, 'reaching a limit is no excess');
    const beyond = { gasUsed: 101n, native: 2 ** 35 + 1, pubdata: 11, l2ToL1Logs: 16_385 };
    assert.equal(exceededLimit(beyond, limits), 'GasVm');
    assert.equal(exceededLimit({ ...beyond, gasUsed: 100n }, limits), 'NativeCycles');
    assert.equal(exceededLimit({ ...beyond, gasUsed: 100n, native: 2 ** 35 }, limits), 'Pubdata');
    assert.equal(exceededLimit({ ...at, l2ToL1Logs: 16_385 }, limits), 'L2ToL1Logs');
  });
});
