/** Blocks of L1 transactions worked out by hand from execution 7 and 8, native 2, 8 and 9, state 7. */
import assert from 'node:assert/strict';
import { concatBytes, toHex } from '../../src/common/bytes.ts';
import { blake2s256 } from '../../src/common/hash.ts';
import type { ExecutedBlock } from '../../src/commands/executeBlock.ts';
import { aBlockContext, anAddress, aWord } from '../support/factories.ts';
import { CONTRACT, DEPOSITOR, FORCED, FORCED_TARGET, REFUND } from '../execute/examples.ts';
import { executeExample } from '../execute/fixture.ts';
import {
  assertFigures,
  assertWrites,
  DEPOSIT_HASH,
  FIRST,
  FIRST_ABSENT,
  LOADED,
  MOVE,
  outputs,
  SHORT_CODE,
} from './worked.ts';

const COINBASE = aBlockContext().coinbase;
const PRICE = 250_000_000;
/** npg = ceil(250,000,000 / 10) */
const NATIVE_PER_GAS = 25_000_000;
/** npp = 800 x npg */
const NATIVE_PER_PUBDATA = 800 * NATIVE_PER_GAS;

/**
 * Steps 1 to 5 of native 8 for a deposit without input to a contract: I = 130,000; the hash; the mint to an absent
 * initiator (acct_write); its record; target record and code; acct(initiator) and the transfer of the value.
 */
const TO_CONTRACT = 130_000 + DEPOSIT_HASH + (FIRST_ABSENT + 1_000) + LOADED + (FIRST + SHORT_CODE) + (LOADED + MOVE);

/** PUSH1 20 + 60, PUSH0 20 + 50, SSTORE 20 + 100 + 4,000 + 242,240 + 120,800 into an absent slot, STOP 20. */
const STORE_ONE = 80 + 70 + (20 + 100 + 4_000 + 242_240 + 120_800) + 20;

/** The last transaction ends with the log of its result (execution 7.7). */
function assertResultLog(executed: ExecutedBlock, status: 0 | 1): void {
  const log = outputs(executed).at(-1)?.l2ToL1Logs.at(-1);
  assert.deepEqual([log?.sender, log?.value], [anAddress(0x8001), aWord(status)]);
}

describe('worked blocks: L1 transactions', () => {
  it('a deposit', async () => {
    const executed = await executeExample('02-deposit');
    // native 12.2: I, hash, mint to the absent initiator, its record as initiator and as target, acct and transfer.
    const computational = 130_000 + DEPOSIT_HASH + (FIRST_ABSENT + 1_000) + LOADED + LOADED + (LOADED + MOVE);
    assert.equal(computational, 510_740);
    // The initiator's balance, 0 to 2^64: key, format byte, metadata byte and nine bytes. Fee and refund never count.
    const counted = 32 + 1 + 1 + 9;
    // left = N0 - computation - npp x counted, and N0 = T - npp x 88, so native_used = npp x (88 + counted) + computation.
    const native = NATIVE_PER_PUBDATA * (88 + counted) + computational;
    // floor(native / npg) = 800 x 131 + floor(510,740 / 25,000,000); the EVM used 21,000.
    const gas = 800 * 131;
    assert.equal(gas, 104_800);
    assertFigures(executed, [{ success: true, gas, native, computational, pubdata: 88 + counted }]);
    // The fee of 104,800 gas and the refund of the other 195,200, at 250,000,000 wei. 0x31: an addition of six bytes;
    // 0x49: one of nine.
    assertWrites(executed, [
      { address: REFUND, value: 48_800_000_000_000n, diff: '14 31 2c6222aa4000' },
      { address: DEPOSITOR, value: 1n << 64n, diff: '14 49 010000000000000000' },
      { address: COINBASE, value: 26_200_000_000_000n, diff: '14 31 17d429b17000' },
    ]);
    assertResultLog(executed, 1);
  });

  it('a deposit that reverts', async () => {
    const executed = await executeExample('03-deposit-reverts');
    // PUSH0 20 + 50 twice; REVERT 20 + 50 of no bytes, so no memory grows.
    const computational = TO_CONTRACT + 2 * (20 + 50) + (20 + 50);
    // The coinbase has no diff yet, everything else is rolled back: 88 bytes, 70,400 gas against 21,000 + 4 of the EVM.
    const gas = 800 * 88;
    assertFigures(executed, [
      { success: false, gas, native: NATIVE_PER_PUBDATA * 88 + computational, computational, pubdata: 88 },
    ]);
    // The fee is 70,400 gas. D = 9 + 300,000 gas and nothing of it was minted: D - F goes back, value included.
    assertWrites(executed, [
      { address: REFUND, value: 229_600n * BigInt(PRICE) + 9n, diff: '14 31 34347a9c3009' },
      { address: COINBASE, value: 70_400n * BigInt(PRICE), diff: '14 31 1001d1bf8000' },
    ]);
    assertResultLog(executed, 0);
  });

  it('a deposit that pays by its pubdata', async () => {
    const executed = await executeExample('04-deposit-pays-by-pubdata');
    const computational = TO_CONTRACT + STORE_ONE;
    // The contract's balance, 0 to 9, and its slot, 0 to 1. The initiator ends as it began.
    const counted = 32 + 1 + 2 + (32 + 2);
    const gas = 800 * (88 + counted);
    assert.ok(gas > 21_000 + 3 + 2 + 22_100, 'the EVM used less');
    assertFigures(executed, [
      {
        success: true,
        gas,
        native: NATIVE_PER_PUBDATA * (88 + counted) + computational,
        computational,
        pubdata: 88 + counted,
      },
    ]);
    // 125,600 gas are paid, 174,400 refunded.
    assertWrites(executed, [
      { address: REFUND, value: 174_400n * BigInt(PRICE), diff: '14 31 27a76a832000' },
      { address: CONTRACT, value: 9n, nonce: 1n, diff: '14 09 09' },
      { address: COINBASE, value: 125_600n * BigInt(PRICE), diff: '14 31 1c8ee1d89000' },
      { address: CONTRACT, slot: aWord(0), value: 1n, diff: '09 01' },
    ]);
    assertResultLog(executed, 1);
  });

  it('a deposit that cannot pay for its pubdata', async () => {
    const executed = await executeExample('05-deposit-cannot-pay-pubdata');
    // It would need 125,600 gas and has 110,000: rolled back, the native and the EVM gas of the run stay used.
    const computational = TO_CONTRACT + STORE_ONE;
    const gas = Math.max(21_000 + 3 + 2 + 22_100, 800 * 88);
    assert.equal(gas, 70_400);
    assertFigures(executed, [
      { success: false, gas, native: NATIVE_PER_PUBDATA * 88 + computational, computational, pubdata: 88 },
    ]);
    // D - F = 9 + (110,000 - 70,400) gas.
    assertWrites(executed, [
      { address: REFUND, value: 39_600n * BigInt(PRICE) + 9n, diff: '14 31 090105fbb809' },
      { address: COINBASE, value: 70_400n * BigInt(PRICE), diff: '14 31 1001d1bf8000' },
    ]);
    assertResultLog(executed, 0);
  });

  it('a deposit behind a transfer: the diff of the coinbase counts', async () => {
    const executed = await executeExample('21-coinbase-counts-again');
    const computational = 130_000 + DEPOSIT_HASH + (FIRST_ABSENT + 1_000) + LOADED + LOADED + (LOADED + MOVE);
    // As '02-deposit', and the coinbase which the transfer gave 21,000,000 wei = 0x1406f40: key, format, five bytes.
    const counted = 32 + 1 + 10 + (32 + 1 + 5);
    const gas = 800 * (88 + counted);
    const [, second] = outputs(executed);
    assert.deepEqual(
      [second?.gasUsed, second?.nativeUsed, second?.computationalNativeUsed, second?.pubdataUsed].map(Number),
      [gas, NATIVE_PER_PUBDATA * (88 + counted) + computational, computational, 88 + counted],
    );
    assert.equal(second?.l2ToL1Logs[0]?.txNumberInBlock, 1);
  });

  it('an upgrade that force-deploys', async () => {
    const executed = await executeExample('20-upgrade');
    // 132 bytes of input. The hashed form: offset, 19 head words, 5 length words, 5 words of input = 960 bytes, 8 rounds.
    const hash = 2_500 + 17_500 * 8;
    // 0x8006: record of the target; the raw code of 5 bytes; its map; the stored form of 8 + 8 bytes; preimage; record.
    const hook = FIRST + (500 + 800 + 340) + 6 * 5 + (800 + 340) + 500 + 1_000;
    // No value, so no mint. 0x800f as initiator and 0x8006 as target are absent in this state.
    const computational = 130_000 + 132 + hash + FIRST_ABSENT + FIRST_ABSENT + hook;
    // Format 4: key, metadata, versioning, two unchanged diffs, code hash, map length, observable length.
    const counted = 32 + 1 + 8 + 1 + 1 + 32 + 4 + 4;
    // npg = 10,000: computation counts at a ten-thousandth.
    const gas = 800 * (88 + counted) + Math.floor(computational / 10_000);
    assertFigures(executed, [
      {
        success: true,
        gas,
        native: 800 * 10_000 * (88 + counted) + computational,
        computational,
        pubdata: 88 + counted,
      },
    ]);
    // Stored: five bytes, three of padding, and the map of 64 bits whose bit 3 is the JUMPDEST at position 3.
    const stored = concatBytes(FORCED, new Uint8Array(3), Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0));
    assertWrites(executed, [
      {
        address: FORCED_TARGET,
        value: 7n,
        nonce: 2n,
        diff: `24 0101010000000000 01 01 ${toHex(blake2s256(stored)).slice(2)} 00000008 00000005`,
      },
    ]);
    assertResultLog(executed, 1);
  });
});
