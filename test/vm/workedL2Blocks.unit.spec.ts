/** Blocks of L2 transactions worked out by hand from execution 5 and 8, native 3 to 9, state 7. */
import assert from 'node:assert/strict';
import { padAddress, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { storedCode } from '../../src/protocol/accountRecord.ts';
import { creationAddress } from '../../src/vm/creates.ts';
import { aBlockContext, anAddress, aWord, ETHER } from '../support/factories.ts';
import {
  ALICE,
  ANSWER,
  balanceSlot,
  BOB,
  CONTRACT,
  DESTROYER,
  MESSAGE_CALL,
  TOKEN,
  TRANSFER_TOPIC,
  WITHDRAW_CALL,
} from '../execute/examples.ts';
import { executeExample } from '../execute/fixture.ts';
import {
  assertFigures,
  assertWrites,
  FIRST,
  FIRST_ABSENT,
  KECCAK_1,
  KECCAK_2,
  LOADED,
  MOVE,
  outputs,
  SHORT_CODE,
  validation,
  WRITE,
} from './worked.ts';

const COINBASE = aBlockContext().coinbase;

/**
 * V of a first transaction: the sender (key 32, format 1, nonce diff 2, the prepayment as a subtraction) and 0x8001 (key,
 * format, the prepayment as an addition).
 */
const validationPubdata = (prepaymentBytes: number): number =>
  32 + 1 + 2 + (1 + prepaymentBytes) + (32 + 1 + 1 + prepaymentBytes);
/** 21,000 to 200,000 gas at 1,000 wei are prepayments of four bytes. */
const V = validationPubdata(4);

/** Gas and native (without its step of 20) of every opcode that runs. */
type Run = readonly (readonly [opcode: string, gas: number, native: number])[];
const gasOf = (run: Run): number => run.reduce((sum, [, gas]) => sum + gas, 0);
const nativeOf = (run: Run): number => run.reduce((sum, [, , native]) => sum + 20 + native, 0);

const SLOAD_FIRST = 100 + 4_000 + 121_120;
const SLOAD_FIRST_ABSENT = 100 + 4_000 + 242_240;
const SSTORE_WARM = 100 + 4_000 + 50_560;
const SSTORE_WARM_UNSET = 100 + 4_000 + 120_800;
/** Growth of memory by a word. */
const GROW = 35 + 32;

/** STORES_ONE without its STOP: an absent slot, cold. */
const STORE_ONE: Run = [
  ['PUSH1 1', 3, 60],
  ['PUSH0', 2, 50],
  ['SSTORE', 22_100, SLOAD_FIRST_ABSENT + 120_800],
];

function tokenRun(recipient: { readonly isFresh: boolean }): Run {
  return [
    ['CALLER', 2, 60],
    ['PUSH0', 2, 50],
    ['MSTORE, memory of one word', 3 + 3, 250 + GROW],
    ['PUSH1 64', 3, 60],
    ['PUSH0', 2, 50],
    ['KECCAK256 of two words, memory of two', 30 + 2 * 6 + 3, 90 + GROW + KECCAK_1],
    ['DUP1', 3, 60],
    ['SLOAD, cold', 2_100, SLOAD_FIRST],
    ['PUSH1 0x24', 3, 60],
    ['CALLDATALOAD', 3, 280],
    ['SWAP1', 3, 90],
    ['DUP2', 3, 60],
    ['DUP2', 3, 60],
    ['LT', 3, 190],
    ['PUSH1 fail', 3, 60],
    ['JUMPI', 10, 300],
    ['DUP2', 3, 60],
    ['SWAP1', 3, 90],
    ['SUB', 3, 140],
    ['SWAP1', 3, 90],
    ['SWAP2', 3, 90],
    ['SSTORE, warm, not zero at the start', 100 + 2_800, SSTORE_WARM],
    ['PUSH1 4', 3, 60],
    ['CALLDATALOAD', 3, 280],
    ['PUSH0', 2, 50],
    ['MSTORE', 3, 250],
    ['PUSH1 64', 3, 60],
    ['PUSH0', 2, 50],
    ['KECCAK256 of two words', 30 + 2 * 6, 90 + KECCAK_1],
    ['DUP1', 3, 60],
    ['SLOAD, cold', 2_100, recipient.isFresh ? SLOAD_FIRST_ABSENT : SLOAD_FIRST],
    ['DUP3', 3, 60],
    ['ADD', 3, 140],
    ['SWAP1', 3, 90],
    recipient.isFresh
      ? ['SSTORE, warm, zero at the start', 100 + 19_900, SSTORE_WARM_UNSET]
      : ['SSTORE, warm, not zero at the start', 100 + 2_800, SSTORE_WARM],
    ['PUSH0', 2, 50],
    ['MSTORE', 3, 250],
    ['PUSH1 4', 3, 60],
    ['CALLDATALOAD', 3, 280],
    ['CALLER', 2, 60],
    ['PUSH32', 3, 300],
    ['PUSH1 32', 3, 60],
    ['PUSH0', 2, 50],
    ['LOG3 of 32 bytes', 375 * 4 + 8 * 32, 50 + 6_000 + 3 * 200 + 2 * 32],
    ['PUSH1 1', 3, 60],
    ['PUSH0', 2, 50],
    ['MSTORE', 3, 250],
    ['PUSH1 32', 3, 60],
    ['PUSH0', 2, 50],
    ['RETURN', 0, 40],
  ];
}

/** Calldata of 68 bytes: selector 4, address 0x0b0b 2 and amount 1 are not zero, 61 are. */
const TOKEN_CALLDATA_GAS = 7 * 16 + 61 * 4;

describe('worked blocks: L2 transactions', () => {
  it('a transfer between existing accounts', async () => {
    const executed = await executeExample('01-transfer');
    // Step 12 sender, 13 target, 14 acct and transfer of the value. Encoding and signing payload: below 136 bytes.
    const withoutPubdata = validation({ calldata: 0, hashes: 2 * KECCAK_1 }) + LOADED + FIRST + (LOADED + MOVE);
    assert.equal(withoutPubdata, 1_145_440, 'native 12.1');
    // npp = 1: V counts as computational, the rest is charged in the end. B: 1 to 6.
    const rest = 32 + 1 + 2;
    const computational = withoutPubdata + V;
    assertFigures(executed, [
      { success: true, gas: 21_000, native: computational + rest, computational, pubdata: V + rest },
    ]);
    // 21,000,000 wei of fee and 5 of value. 0x22: a subtraction of four bytes, 0x21: an addition.
    assertWrites(executed, [
      { address: BOB, value: 6n, diff: '14 09 05' },
      { address: COINBASE, value: 21_000_000n, diff: '14 21 01406f40' },
      { address: ALICE, value: ETHER - 21_000_005n, nonce: 1n, diff: '1c 09 01 22 01406f45' },
    ]);
  });

  for (const [name, title, isFresh] of [
    ['06-erc20-fresh-slot', 'an ERC-20 transfer to a fresh slot', true],
    ['07-erc20-known-slot', 'an ERC-20 transfer to a known slot', false],
  ] as const) {
    it(title, async () => {
      const executed = await executeExample(name);
      const run = tokenRun({ isFresh });
      // 95 bytes of code, 96 with padding, and a map of two 64-bit words: two rounds.
      assert.equal(TOKEN.length, 95);
      const code = 500 + 800 + 340 * Math.ceil((96 + 16) / 64);
      // The encoding has 172 bytes and more, two rounds; the signing payload 107.
      const computational =
        validation({ calldata: 68, hashes: KECCAK_2 + KECCAK_1 }) + V + LOADED + (FIRST + code) + nativeOf(run);
      // Two slots with a difference of 7 each.
      const rest = 2 * (32 + 2);
      const gas = 21_000 + TOKEN_CALLDATA_GAS + gasOf(run);
      assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
      const fee = BigInt(gas) * 1_000n;
      const before = isFresh ? 0n : 300n;
      const slots = [
        { address: CONTRACT, slot: balanceSlot(ALICE), value: 993n, diff: '0a 07' },
        { address: CONTRACT, slot: balanceSlot(BOB), value: before + 7n, diff: '09 07' },
      ].sort((a, b) => Buffer.compare(a.slot, b.slot));
      assertWrites(executed, [
        { address: COINBASE, value: fee, diff: `14 21 ${isFresh ? '03016ca8' : '01fc7fc8'}` },
        { address: ALICE, value: ETHER - fee, nonce: 1n, diff: `1c 09 01 22 ${isFresh ? '03016ca8' : '01fc7fc8'}` },
        ...slots,
      ]);
      assert.deepEqual(outputs(executed)[0]?.logs, [
        { address: CONTRACT, topics: [TRANSFER_TOPIC, padAddress(ALICE), padAddress(BOB)], data: aWord(7) },
      ]);
    });
  }

  it('a deployment', async () => {
    const executed = await executeExample('08-deployment');
    const created = creationAddress(ALICE, 0n);
    // 18 bytes of init code, one of them zero.
    const run: Run = [
      ['PUSH2 8', 3, 120],
      ['DUP1', 3, 60],
      ['PUSH1 10', 3, 60],
      ['PUSH0', 2, 50],
      ['CODECOPY of a word', 3 + 3 + 3, 100 + 80 + 8 + GROW],
      ['PUSH0', 2, 50],
      ['RETURN', 0, 40],
    ];
    // 6.2 from step 3: the new account; no value; the map of 18 bytes; its nonce. Then the run and the deposit of 8 bytes:
    // record, hash, map, the stored form of 8 + 8 bytes, preimage, record. Then record and known code of the new account.
    const deposit = LOADED + KECCAK_1 + 6 * 8 + (800 + 340) + 500 + 1_000;
    const computational =
      validation({ calldata: 18, hashes: 2 * KECCAK_1 }) +
      V +
      (FIRST_ABSENT + 6 * 18 + WRITE) +
      nativeOf(run) +
      deposit +
      (LOADED + 500);
    const gas = 21_000 + (4 + 17 * 16) + (32_000 + 2) + gasOf(run) + 200 * 8;
    // Format 0: key, metadata, versioning, nonce 0 to 1, balance unchanged, two lengths, 16 stored bytes, a length.
    const rest = 32 + 1 + 8 + 2 + 1 + 4 + 4 + 16 + 4;
    assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
    const code = toHex(storedCode(ANSWER)).slice(2);
    const writes = [
      { address: COINBASE, value: 54_900_000n, diff: '14 21 0345b520' },
      { address: ALICE, value: ETHER - 54_900_000n, nonce: 1n, diff: '1c 09 01 22 0345b520' },
      {
        address: created,
        value: 0n,
        nonce: 1n,
        diff: `04 0101010000000000 09 01 01 00000008 00000008 ${code} 00000008`,
      },
    ].sort((a, b) => Buffer.compare(a.address, b.address));
    assertWrites(executed, writes);
    assert.deepEqual(outputs(executed)[0]?.contractAddress, created);
    assert.deepEqual(outputs(executed)[0]?.returnData, ANSWER);
  });

  it('a message to L1', async () => {
    const executed = await executeExample('09-message-to-l1');
    // 100 bytes of calldata, 11 of them not zero; an encoding of about 208 bytes, a signing payload of 140.
    const calldataGas = 11 * 16 + 89 * 4;
    // 0x8008 with 5 bytes and 96 of arguments.
    const hook = 86_000 + KECCAK_1 + 2 * 5 + KECCAK_1 + 6_600 + 2 * 96;
    const computational = validation({ calldata: 100, hashes: 2 * KECCAK_2 }) + V + LOADED + FIRST_ABSENT + hook;
    // The hash 30 + 6, ten ergs that round up to a gas; no LOG gas for a sender without code.
    const gas = 21_000 + calldataGas + 36 + 1;
    const rest = 4 + 5 + 88;
    assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
    const message = MESSAGE_CALL.slice(68, 73);
    assertWrites(
      executed,
      [
        { address: COINBASE, value: 21_569_000n, diff: '14 21 01491de8' },
        { address: ALICE, value: ETHER - 21_569_000n, nonce: 1n, diff: '1c 09 01 22 01491de8' },
      ],
      [message],
    );
    assert.deepEqual(outputs(executed)[0]?.returnData, keccak256(message));
  });

  it('a withdrawal', async () => {
    const executed = await executeExample('10-withdrawal');
    // 36 bytes of calldata, selector and two bytes of the address are not zero; the encoding has 148 bytes.
    const calldataGas = 6 * 16 + 30 * 4;
    // The message has 4 + 20 + 32 = 56 bytes, the event 32 + 32 + 64.
    const hook = WRITE + 86_000 + KECCAK_1 + 2 * 56 + KECCAK_1 + 6_600 + 2 * 128;
    const computational =
      validation({ calldata: 36, hashes: KECCAK_2 + KECCAK_1 }) + V + LOADED + FIRST_ABSENT + (LOADED + MOVE) + hook;
    const gas = 21_000 + calldataGas + (30 + 2 * 6) + 1;
    // The sender has lost an ether more: eight bytes instead of four. 0x800a ends as it began.
    const rest = 4 + (4 + 56 + 88);
    assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
    const fee = 21_259_000n;
    const message = Buffer.concat([Buffer.from('6c0960f9', 'hex'), WITHDRAW_CALL.subarray(16), aWord(ETHER)]);
    assertWrites(
      executed,
      [
        { address: COINBASE, value: fee, diff: '14 21 014462f8' },
        { address: ALICE, value: ETHER - fee, nonce: 1n, diff: '1c 09 01 42 0de0b6b3a8a862f8' },
      ],
      [new Uint8Array(message)],
    );
    assert.deepEqual(outputs(executed)[0]?.l2ToL1Logs[0]?.key, padAddress(anAddress(0x800a)));
  });

  it('a revert after writes', async () => {
    const executed = await executeExample('11-revert-after-writes');
    const run: Run = [
      ...STORE_ONE,
      ['PUSH1 0xaa', 3, 60],
      ['PUSH0', 2, 50],
      ['MSTORE, memory of one word', 3 + 3, 250 + GROW],
      ['PUSH1 32', 3, 60],
      ['PUSH0', 2, 50],
      ['REVERT', 0, 50],
    ];
    const computational =
      validation({ calldata: 0, hashes: 2 * KECCAK_1 }) +
      V +
      LOADED +
      (FIRST + SHORT_CODE) +
      (LOADED + MOVE) +
      nativeOf(run);
    const gas = 21_000 + gasOf(run);
    assert.equal(gas, 43_121);
    // Value and slot are undone: nothing beyond V, and only the fee is written.
    assertFigures(executed, [{ success: false, gas, native: computational, computational, pubdata: V }]);
    assertWrites(executed, [
      { address: COINBASE, value: 43_121_000n, diff: '14 21 0291f968' },
      { address: ALICE, value: ETHER - 43_121_000n, nonce: 1n, diff: '1c 09 01 22 0291f968' },
    ]);
    assert.deepEqual(outputs(executed)[0]?.returnData, aWord(0xaa));
  });

  it('native exhaustion', async () => {
    const executed = await executeExample('12-native-exhausted');
    // npg = 1,000 / 100 = 10, so there are 2,000,000; npp = floor(1 / 100) = 0.
    const validated = validation({ calldata: 0, hashes: 2 * KECCAK_1 });
    const left = 2_000_000 - validated - LOADED - (FIRST + SHORT_CODE);
    const write = nativeOf(STORE_ONE);
    assert.ok(left > 2 * write && left < 3 * write, 'the third write is one too many');
    // Native left counts as before step 12: what the execution burnt is in no figure. All gas is used.
    assertFigures(executed, [
      { success: false, gas: 200_000, native: validated, computational: validated, pubdata: V },
    ]);
    assertWrites(executed, [
      { address: COINBASE, value: 200_000_000n, diff: '14 21 0bebc200' },
      { address: ALICE, value: ETHER - 200_000_000n, nonce: 1n, diff: '1c 09 01 22 0bebc200' },
    ]);
  });

  it('native that lifts the gas used', async () => {
    const executed = await executeExample('17-native-lifts-gas');
    // npg = 50, npp = 0: floor(1,145,440 / 50). The prepayment of 100,000 gas at 50 wei has three bytes.
    const gas = 22_908;
    const pubdata = validationPubdata(3) + 32 + 1 + 2;
    assertFigures(executed, [{ success: true, gas, native: 1_145_440, computational: 1_145_440, pubdata }]);
    // 22,908 x 50 = 1,145,400 = 0x117a38, and 5 wei of value.
    assertWrites(executed, [
      { address: BOB, value: 6n, diff: '14 09 05' },
      { address: COINBASE, value: 1_145_400n, diff: '14 19 117a38' },
      { address: ALICE, value: ETHER - 1_145_405n, nonce: 1n, diff: '1c 09 01 1a 117a3d' },
    ]);
  });

  it('an access list', async () => {
    const executed = await executeExample('19-access-list');
    // The contract, an existing slot, an absent one, the first once more; then the transfer. Both hashed forms have two
    // rounds: 230 bytes and 163.
    const list = FIRST + (4_000 + 121_120) + (4_000 + 242_240) + 4_000;
    const computational =
      validation({ calldata: 0, hashes: 2 * KECCAK_2 }) + list + V + LOADED + FIRST + (LOADED + MOVE);
    const gas = 21_000 + 2_400 + 3 * 1_900;
    const rest = 32 + 1 + 2;
    assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
    // 29,100,000 wei = 0x1bc07e0.
    assertWrites(executed, [
      { address: BOB, value: 6n, diff: '14 09 05' },
      { address: COINBASE, value: 29_100_000n, diff: '14 21 01bc07e0' },
      { address: ALICE, value: ETHER - 29_100_005n, nonce: 1n, diff: '1c 09 01 22 01bc07e5' },
    ]);
  });

  it('a contract that is created and destroyed', async () => {
    const executed = await executeExample('22-created-and-destroyed');
    assert.equal(DESTROYER.length, 19, 'code of 24 + 8 stored bytes');
    const constructor: Run = [
      ...STORE_ONE,
      ['PUSH2', 3, 120],
      // acct_write(self), transfer(self, BOB) with BOB's first load; BOB is cold and exists.
      ['SELFDESTRUCT', 5_000 + 2_600, 100 + WRITE + WRITE + (FIRST + 1_000)],
    ];
    // 6.2: acct(self); the new account; acct(self) for the value; nonce; transfer; map of 8 bytes; nonce of the new one.
    const create = 25_000 + LOADED + FIRST_ABSENT + LOADED + WRITE + MOVE + 6 * 8 + WRITE;
    // No bytes are deposited, and yet they are hashed: record, keccak, blake of nothing, preimage, record.
    const deposit = LOADED + KECCAK_1 + 800 + 500 + 1_000;
    const run: Run = [
      ['PUSH8', 3, 180],
      ['PUSH0', 2, 50],
      ['MSTORE, memory of one word', 3 + 3, 250 + GROW],
      ['PUSH1 8', 3, 60],
      ['PUSH1 24', 3, 60],
      ['PUSH1 5', 3, 60],
      ['CREATE, a word of init code', 32_000 + 2, create],
      ...constructor,
      ['STOP', 0, deposit],
    ];
    const computational =
      validation({ calldata: 0, hashes: 2 * KECCAK_1 }) + V + LOADED + (FIRST + SHORT_CODE) + nativeOf(run);
    const gas = 21_000 + gasOf(run);
    // The creator: nonce and five wei. The new contract counts, as it goes only in the end: format 0 with no code, nonce 1,
    // balance 0 as before; and its slot. BOB: 1 to 6.
    const rest = 32 + 1 + 2 + 2 + (32 + 1 + 8 + 2 + 1 + 4 + 4 + 0 + 4) + (32 + 2) + (32 + 1 + 2);
    assertFigures(executed, [{ success: true, gas, native: computational + rest, computational, pubdata: V + rest }]);
    assertWrites(executed, [
      { address: BOB, value: 6n, diff: '14 09 05' },
      { address: CONTRACT, value: 3n, nonce: 2n, diff: '1c 09 01 0a 05' },
      { address: COINBASE, value: 82_730_000n, diff: '14 21 04ee5c10' },
      { address: ALICE, value: ETHER - 82_730_000n, nonce: 1n, diff: '1c 09 01 22 04ee5c10' },
    ]);
  });
});
