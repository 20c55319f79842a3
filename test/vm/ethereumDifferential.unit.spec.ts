/** Random programs against an EVM of other hands: return data, success, gas before refunds, storage and logs. */
import assert from 'node:assert/strict';
import { createBlock } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import { createEVM } from '@ethereumjs/evm';
import { MerkleStateManager } from '@ethereumjs/statemanager';
import { createAccount, createAddressFromString } from '@ethereumjs/util';
import { bytesToBigInt, concatBytes, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { aBlockContext, anAddress, aWord, code, ETHER, initCodeOf, push } from '../support/factories.ts';
import { seededRandom } from '../support/testState.ts';
import { aState, CONTRACT, runOne, SENDER } from './harness.ts';

const SEEDS = 150;
const HELPER = anAddress(0x4e1be4);
const GAS = 400_000n;

type Random = (n: number) => number;

/** A value that carries, overflows, points somewhere or is small. */
function aValue(random: Random): Bytes {
  switch (random(8)) {
    case 0:
      return push(random(256));
    case 1:
      return push((1n << 256n) - 1n - BigInt(random(3)));
    case 2:
      return push(1n << BigInt(random(256)));
    case 3:
      return push((1n << BigInt(1 + random(255))) - 1n);
    case 4:
      return push(HELPER);
    case 5:
      return push(random(64) * 32);
    default: {
      const bytes = new Uint8Array(1 + random(32));
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = random(256);
      return push(bytes);
    }
  }
}

const PURE = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
  0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x38, 0x3a, 0x3d, 0x42, 0x43, 0x45, 0x46, 0x50,
  0x58, 0x59, 0x5a, 0x5b, 0x5f, 0x80, 0x81, 0x82, 0x83, 0x87, 0x8f, 0x90, 0x91, 0x92, 0x97, 0x9f,
];

/** One piece of program that finds its operands itself, or an opcode that takes what lies on the stack. */
function aPiece(random: Random, depth: number): Bytes {
  const small = (): Bytes => push(random(96));
  switch (random(22)) {
    case 0:
      return code(small(), 0x51);
    case 1:
      return code(aValue(random), small(), 0x52);
    case 2:
      return code(aValue(random), small(), 0x53);
    case 3:
      return code(small(), small(), 0x20);
    case 4:
      return code(push(random(4)), 0x54);
    case 5:
      return code(push(random(3)), push(random(4)), 0x55);
    case 6:
      return code(small(), small(), small(), [0x37, 0x39, 0x5e][random(3)]!);
    case 7:
      return code(push(random(3)), push(random(4)), 0x5d, push(random(4)), 0x5c);
    case 8:
      return code(aValue(random), aValue(random), small(), small(), 0xa0 + random(3));
    case 9:
      return code(small(), small(), small(), small(), push(random(3)), push(HELPER), push(random(60_000)), 0xf1);
    case 10:
      return code(small(), small(), small(), small(), push(HELPER), push(random(60_000)), [0xf4, 0xfa][random(2)]!);
    case 11:
      return code(small(), small(), small(), small(), push(0), push(1 + random(4)), push(random(60_000)), 0xf1);
    case 12:
      return depth > 0
        ? code(
            push(aWord(bytesToBigInt(initCodeOf(code(random(256)))) << BigInt(8 * 21))),
            push(0),
            0x52,
            push(11),
            push(0),
            push(random(2)),
            0xf0,
          )
        : code(0x5b);
    case 13:
      return code(
        push([HELPER, CONTRACT, SENDER, anAddress(1 + random(9)), anAddress(0x9999)][random(5)]!),
        [0x31, 0x3b, 0x3f][random(3)]!,
      );
    case 14:
      return code(small(), small(), small(), push(HELPER), 0x3c);
    case 15:
      return code(0x3d, push(0), push(random(64)), 0x3e);
    case 16:
      return code(push(random(300)), aValue(random), 0x0a);
    default:
      return concatBytes(
        ...Array.from({ length: 1 + random(6) }, () =>
          random(3) === 0 ? aValue(random) : code(PURE[random(PURE.length)]!),
        ),
      );
  }
}

function aProgram(seed: number): { main: Bytes; helper: Bytes; input: Bytes } {
  const next = seededRandom(seed);
  const random: Random = (n) => Math.floor(next() * n);
  const body = (pieces: number, depth: number): Bytes =>
    concatBytes(
      ...Array.from({ length: 6 }, () => aValue(random)),
      ...Array.from({ length: pieces }, () => aPiece(random, depth)),
    );
  const end = (): Bytes =>
    [
      code(push(64), push(0), 0xf3),
      code(push(32), push(0), 0xfd),
      code(0x00),
      code(0xfe),
      code(push(64), push(0), 0xf3),
    ][random(5)]!;
  const input = new Uint8Array(random(80));
  for (let i = 0; i < input.length; i += 1) input[i] = random(256);
  return { main: code(body(12, 1), push(96), push(0), 0xf3), helper: code(body(4, 0), end()), input };
}

interface Outcome {
  readonly success: boolean;
  readonly gas: bigint;
  readonly output: string;
  readonly logs: readonly string[];
  readonly slots: readonly string[];
}

const SLOTS = [0, 1, 2, 3];
const context = aBlockContext({ pubdataPrice: 0n, eip1559BaseFee: 10n ** 9n, blockNumber: 7n });
const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun });

async function theirs({ main, helper, input }: ReturnType<typeof aProgram>): Promise<Outcome> {
  const stateManager = new MerkleStateManager({ common });
  const evm = await createEVM({ common, stateManager });
  const at = (address: Bytes): ReturnType<typeof createAddressFromString> => createAddressFromString(toHex(address));
  await stateManager.putAccount(at(SENDER), createAccount({ balance: 1_000n * ETHER, nonce: 1n }));
  for (const [address, program] of [
    [CONTRACT, main],
    [HELPER, helper],
  ] as const) {
    await stateManager.putAccount(at(address), createAccount({ nonce: 1n, balance: 50n }));
    await stateManager.putCode(at(address), program);
    await stateManager.putStorage(at(address), aWord(1), Uint8Array.of(1));
  }
  const header = {
    number: 7n,
    timestamp: context.timestamp,
    gasLimit: context.gasLimit,
    baseFeePerGas: 10n ** 9n,
    coinbase: toHex(context.coinbase),
  };
  const block = createBlock({ header }, { common });
  await stateManager.checkpoint();
  // What a transaction has warmed before the first opcode.
  for (const address of [
    SENDER,
    CONTRACT,
    context.coinbase,
    anAddress(0x8001),
    ...Array.from({ length: 10 }, (_, i) => anAddress(i + 1)),
  ]) {
    evm.journal.addAlwaysWarmAddress(toHex(address).slice(2));
  }
  const { execResult } = await evm.runCall({
    to: at(CONTRACT),
    caller: at(SENDER),
    origin: at(SENDER),
    gasLimit: GAS,
    gasPrice: 10n ** 9n,
    data: input,
    value: 3n,
    block,
  });
  const success = execResult.exceptionError === undefined;
  const slots: string[] = [];
  for (const address of [CONTRACT, HELPER]) {
    for (const slot of SLOTS) {
      const value = await stateManager.getStorage(at(address), aWord(slot));
      slots.push(`${value.length === 0 ? 0n : bytesToBigInt(value)}`);
    }
  }
  return {
    success,
    gas: execResult.executionGasUsed,
    output: toHex(execResult.returnValue),
    logs: success
      ? (execResult.logs ?? []).map(([address, topics, data]) => [address, ...topics, data].map(toHex).join(' '))
      : [],
    slots,
  };
}

function ours({ main, helper, input }: ReturnType<typeof aProgram>): Outcome {
  const account = { nonce: 1n, balance: 50n, slots: [[aWord(1), aWord(1)]] as const };
  const state = aState(main, account)
    .put(HELPER, { ...account, code: helper })
    .put(SENDER, { balance: 1_000n * ETHER });
  const intrinsic = 21_000n + [...input].reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 0n);
  const { output, block } = runOne(state, {
    input,
    value: 3n,
    gasLimit: intrinsic + GAS,
    maxFeePerGas: 10n ** 9n,
    context,
  });
  state.apply(block);
  const slots: string[] = [];
  for (const address of [CONTRACT, HELPER]) {
    for (const slot of SLOTS) slots.push(`${bytesToBigInt(state.value(address, aWord(slot)) ?? new Uint8Array(0))}`);
  }
  return {
    success: output.success,
    gas: output.gasUsed - intrinsic,
    output: toHex(output.returnData),
    logs: output.logs.map((log) => [log.address, ...log.topics, log.data].map(toHex).join(' ')),
    slots,
  };
}

describe('differential test of the interpreter', function () {
  this.timeout(60_000);

  it(`${SEEDS} random programs agree with another EVM`, async () => {
    let successes = 0;
    let writes = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const program = aProgram(seed);
      const expected = await theirs(program);
      const actual = ours(program);
      assert.deepEqual(actual, expected, `seed ${seed}: ${toHex(program.main)} with helper ${toHex(program.helper)}`);
      if (actual.success) successes += 1;
      if (actual.slots.some((value, i) => value !== (i % SLOTS.length === 1 ? '1' : '0'))) writes += 1;
    }
    assert.ok(
      successes > SEEDS / 10 && writes > SEEDS / 20,
      `the programs do something: ${successes} succeed, ${writes} write`,
    );
  });
});
