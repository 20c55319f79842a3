/** Random programs and transactions that meet each other: calls, creations and collisions, destructions, storage, little gas. */
import { concatBytes } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { creationAddress } from '../../src/vm/creates.ts';
import { intrinsicGas } from '../statetest/ethereumTransaction.ts';
import { anAddress, aWord, code, ETHER, initCodeOf, push } from '../support/factories.ts';
import { seededRandom } from '../support/testState.ts';
import { CASE_BASE_FEE, CASE_SENDER } from './vmCase.ts';
import type { VmCase, VmCaseAccount } from './vmCase.ts';

/** A whole number below n. */
type Random = (n: number) => number;

const CONTRACTS = [anAddress(0xc0de), anAddress(0x4e1be4), anAddress(0x7ab1e), anAddress(0xdead)] as const;
const MAIN: Bytes = CONTRACTS[0];
const FRESH_COINBASE = anAddress(0xc01bba5e);
const NOBODY = anAddress(0x9999);
/** Accounts whose code is init code, to be copied and created from. */
const INIT_CODES = [anAddress(0x1001), anAddress(0x1002), anAddress(0x1003)] as const;
const PRECOMPILES = 9;
const SLOTS = 4;
const MEMORY = 160;

const PURE = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
  0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x44, 0x45,
  0x46, 0x47, 0x48, 0x4a, 0x50, 0x58, 0x59, 0x5a, 0x5b, 0x5f, 0x80, 0x81, 0x82, 0x83, 0x87, 0x8f, 0x90, 0x91, 0x92,
  0x97, 0x9f,
];

function pick<T>(random: Random, options: readonly T[]): T {
  return options[random(options.length)]!;
}

function randomBytes(random: Random, length: number): Bytes {
  return Uint8Array.from({ length }, () => random(256));
}

/** Where CREATE2 puts a contract. */
function saltedCreationAddress(creator: Bytes, salt: Bytes, initCode: Bytes): Bytes {
  return keccak256(concatBytes(Uint8Array.of(0xff), creator, salt, keccak256(initCode))).slice(12);
}

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
      return push(anAccount(random));
    case 5:
      return push(random(64) * 32);
    default:
      return push(randomBytes(random, 1 + random(32)));
  }
}

function anAccount(random: Random): Bytes {
  switch (random(8)) {
    case 0:
      return pick(random, [NOBODY, FRESH_COINBASE, CASE_SENDER]);
    case 1:
      return anAddress(1 + random(PRECOMPILES));
    case 2:
      return creationAddress(pick(random, CONTRACTS), BigInt(1 + random(3)));
    case 3:
      return pick(random, INIT_CODES);
    default:
      return pick(random, CONTRACTS);
  }
}

const small = (random: Random): Bytes => push(random(MEMORY));
/** Rarely so far away that memory costs everything. */
const offset = (random: Random): Bytes =>
  random(150) === 0 ? push(pick(random, [1n << 20n, 1n << 32n, 1n << 64n, (1n << 256n) - 1n])) : small(random);
const slot = (random: Random): Bytes => push(random(SLOTS));
const amount = (random: Random): Bytes =>
  random(3) > 0 ? push(0) : pick(random, [push(1), push(random(200)), push(ETHER), push(1n << 255n)]);
const gas = (random: Random): Bytes =>
  pick(random, [code(0x5a), push(random(3_000)), push(random(60_000)), push((1n << 256n) - 1n), push(0)]);

function aCall(random: Random): Bytes {
  const opcode = pick(random, [0xf1, 0xf1, 0xf2, 0xf4, 0xfa]);
  const takesValue = opcode === 0xf1 || opcode === 0xf2;
  return code(
    offset(random),
    small(random),
    offset(random),
    small(random),
    takesValue ? amount(random) : new Uint8Array(0),
    push(anAccount(random)),
    gas(random),
    opcode,
  );
}

/** Copies init code from where it lies and creates from it, at times twice at one address. */
function aCreation(random: Random): Bytes {
  const from = pick(random, INIT_CODES);
  // offset of the value, salt last
  const size = random(10) === 0 ? push(random(60_000)) : code(push(from), 0x3b);
  const load = code(size, push(0), push(0), push(from), 0x3c);
  const isSalted = random(2) === 0;
  const create = code(
    isSalted ? push(random(2)) : new Uint8Array(0),
    push(from),
    0x3b,
    push(0),
    amount(random),
    isSalted ? 0xf5 : 0xf0,
  );
  return random(4) === 0 ? concatBytes(load, create, code(0x50), create) : concatBytes(load, create);
}

/** Skips the piece, or not, depending on a value. */
function aBranch(random: Random, body: Bytes): Bytes {
  // condition, PC + distance, JUMPI, body, JUMPDEST
  const jump = code(0x58, push(body.length + 5), 0x01, 0x57);
  return code(aValue(random), jump, body, 0x5b);
}

function aLoop(random: Random, body: Bytes): Bytes {
  if (body.length > 200) return body;
  // count, JUMPDEST, body, then minus one and back while it is not zero
  const head = code(push(1 + random(4)), 0x5b);
  const down = code(push(1), 0x90, 0x03, 0x80);
  // PC is read behind `down`.
  const back = code(0x58, push(body.length + 1 + down.length), 0x90, 0x03, 0x57, 0x50);
  return code(head, body, down, back);
}

/** One piece of program that finds its operands itself, or opcodes that take what lies on the stack. */
function aPiece(random: Random, depth = 0): Bytes {
  switch (random(30)) {
    case 0:
      return code(offset(random), 0x51);
    case 1:
      return code(aValue(random), offset(random), pick(random, [0x52, 0x53]));
    case 2:
      return code(small(random), offset(random), 0x20);
    case 3:
    case 4:
      return code(slot(random), 0x54);
    case 5:
    case 6:
    case 7:
      return code(push(random(3)), slot(random), 0x55);
    case 8: {
      // What gas is left becomes part of the state; a write of what is there already.
      const at = slot(random);
      return code(...(random(2) === 0 ? [0x5a] : [at, 0x54]), at, 0x55);
    }
    case 9:
      return code(small(random), offset(random), offset(random), pick(random, [0x37, 0x39, 0x5e]));
    case 10:
      return code(push(random(3)), slot(random), 0x5d);
    case 11:
      return code(slot(random), 0x5c, slot(random), 0x55);
    case 12: {
      const topics = random(5);
      return code(
        ...Array.from({ length: topics }, () => aValue(random)),
        small(random),
        offset(random),
        0xa0 + topics,
      );
    }
    case 13:
    case 14:
    case 15:
    case 16:
      return aCall(random);
    case 17:
    case 18:
    case 19:
      return aCreation(random);
    case 20:
      return code(push(anAccount(random)), pick(random, [0x31, 0x3b, 0x3f]));
    case 21:
      return code(small(random), offset(random), offset(random), push(anAccount(random)), 0x3c);
    case 22:
      return code(0x3d, push(random(3)), small(random), 0x3e);
    case 23:
      return code(push(random(300)), aValue(random), 0x0a);
    case 24:
      return code(pick(random, [push(random(9)), aValue(random)]), pick(random, [0x40, 0x49]));
    case 25:
      return random(3) === 0 ? code(push(anAccount(random)), 0xff) : code(0x5b);
    case 26:
      return depth > 1 ? code(0x5b) : aBranch(random, aPiece(random, depth + 1));
    case 27:
      return depth > 1 ? code(0x5b) : aLoop(random, aPiece(random, depth + 1));
    default:
      return concatBytes(
        ...Array.from({ length: 1 + random(6) }, () => (random(3) === 0 ? aValue(random) : code(pick(random, PURE)))),
      );
  }
}

function anEnd(random: Random): Bytes {
  return pick(random, [
    code(small(random), push(0), 0xf3),
    code(small(random), push(0), 0xf3),
    code(small(random), push(0), 0xf3),
    code(small(random), push(0), 0xfd),
    code(0x00),
    code(0xfe),
    code(push(anAccount(random)), 0xff),
    code(0x60),
  ]);
}

function aProgram(random: Random, pieces: number): Bytes[] {
  return [
    ...Array.from({ length: random(8) === 0 ? 0 : 17 }, () => (random(3) === 0 ? aValue(random) : push(random(40)))),
    ...Array.from({ length: pieces }, () => aPiece(random)),
    anEnd(random),
  ];
}

function anInitCode(random: Random): Bytes[] {
  switch (random(8)) {
    case 0:
      return [initCodeOf(concatBytes(...aProgram(random, 2)))];
    case 1:
      return [aPiece(random), aPiece(random), code(push(0), 0x51, push(0), 0x52, small(random), push(0), 0xf3)];
    case 2:
      // Destroys itself while it is made.
      return [aPiece(random), code(push(anAccount(random)), 0xff)];
    case 3:
      return [initCodeOf(code(push(anAccount(random)), 0xff))];
    case 4:
      // Code that may not be deployed, or only just.
      return [
        pick(random, [
          code(push(0xef), push(0), 0x53, push(1), push(0), 0xf3),
          code(push(24_576 + random(2)), push(0), 0xf3),
        ]),
      ];
    case 5:
      return [aPiece(random), code(small(random), push(0), 0xfd)];
    case 6:
      // Somebody else's code destroys it.
      return [code(push(0), push(0), push(0), push(0), push(CONTRACTS[3]), 0x5a, 0xf4), anEnd(random)];
    default:
      return aProgram(random, 3);
  }
}

function someSlots(random: Random): (readonly [Bytes, Bytes])[] {
  const slots: (readonly [Bytes, Bytes])[] = [];
  for (let i = 0; i < SLOTS; i += 1) if (random(2) === 0) slots.push([aWord(i), aWord(1 + random(2))]);
  return slots;
}

/** What may lie where a contract wants to be created. */
function inTheWay(random: Random, address: Bytes): VmCaseAccount {
  const nothing = { address, nonce: 0n, balance: 1n, pieces: [], slots: [] };
  return pick<VmCaseAccount>(random, [
    nothing,
    { ...nothing, nonce: 1n },
    { ...nothing, pieces: [code(0x00)] },
    { ...nothing, slots: [[aWord(1), aWord(1)]] },
  ]);
}

/** Keeps what is on top of the stack, and what gas is left. */
function record(random: Random): Bytes {
  return random(2) === 0 ? code(slot(random), 0x55) : code(slot(random), 0x55, 0x5a, slot(random), 0x55);
}

/** Creates from the first init code: the value on the stack is the address or zero. */
function creation(value: Bytes, salt: number | undefined): Bytes {
  const from = INIT_CODES[0];
  const load = code(push(from), 0x3b, push(0), push(0), push(from), 0x3c);
  const salted = salt === undefined ? new Uint8Array(0) : push(salt);
  return code(load, salted, push(from), 0x3b, push(0), value, salt === undefined ? 0xf0 : 0xf5);
}

function callOf(opcode: number, to: Bytes, value: Bytes = push(0)): Bytes {
  const memory = code(push(64), push(0), push(32), push(0));
  return code(memory, opcode === 0xf1 || opcode === 0xf2 ? value : new Uint8Array(0), push(to), 0x5a, opcode);
}

function aWrite(random: Random): Bytes {
  return pick(random, [
    code(push(random(3)), slot(random), 0x55),
    code(push(random(3)), slot(random), 0x5d),
    code(push(0), push(0), 0xa0),
    creation(push(0), undefined),
    callOf(0xf1, NOBODY, push(1)),
    code(push(anAccount(random)), 0xff),
  ]);
}

/** Parts of programs that belong together, so that what is rare by chance happens often. */
interface Scenario {
  /** Early in the main contract. */
  readonly main: readonly Bytes[];
  /** Of the second and third contract. */
  readonly helpers?: readonly (readonly Bytes[] | undefined)[];
  readonly initCode?: readonly Bytes[];
  readonly accounts?: (initCode: Bytes) => VmCaseAccount[];
}

function aScenario(random: Random): Scenario {
  const firstCreated = creationAddress(MAIN, 1n);
  const revertOrNot = pick(random, [code(small(random), push(0), 0xfd), code(0xfe), code(0x00)]);
  switch (random(9)) {
    case 0: {
      // A creation meets what is there already.
      const salt = pick(random, [undefined, 0, 1]);
      return {
        main: [creation(amount(random), salt), record(random)],
        accounts: (initCode) => [
          inTheWay(random, salt === undefined ? firstCreated : saltedCreationAddress(MAIN, aWord(salt), initCode)),
        ],
      };
    }
    case 1:
      // A creation that is refused: is its address warm?
      return {
        main: [creation(push(1n << 200n), undefined), record(random), code(push(firstCreated), 0x31), record(random)],
      };
    case 2:
      // A new contract is destroyed, in a call that may be undone.
      return {
        main: [creation(push(random(2)), undefined), record(random), callOf(0xf1, CONTRACTS[1]), record(random)],
        helpers: [[callOf(pick(random, [0xf1, 0xf1, 0xfa, 0xf4]), firstCreated, push(0)), revertOrNot]],
        initCode: [initCodeOf(code(push(anAccount(random)), 0xff))],
      };
    case 3:
      // What a call did is undone, or not.
      return {
        main: [
          aWrite(random),
          callOf(pick(random, [0xf1, 0xf2, 0xf4]), CONTRACTS[1], amount(random)),
          record(random),
          ...Array.from({ length: SLOTS }, (_, i) => code(push(i), 0x5c, slot(random), 0x55)),
        ],
        helpers: [
          [aWrite(random), callOf(pick(random, [0xf1, 0xf4]), CONTRACTS[2]), aWrite(random), revertOrNot],
          [aWrite(random), aWrite(random), revertOrNot],
        ],
      };
    case 8:
      // The same of everything that a frame can leave behind.
      return {
        main: [
          callOf(pick(random, [0xf1, 0xf4]), CONTRACTS[1]),
          record(random),
          ...Array.from({ length: SLOTS }, (_, i) => code(push(i), 0x5c, push(i), 0x55)),
          code(0x00),
        ],
        helpers: [
          [
            code(push(7), slot(random), 0x5d),
            code(push(7), slot(random), 0x55),
            code(push(32), push(0), 0xa0),
            callOf(0xf4, CONTRACTS[2]),
            revertOrNot,
          ],
          [
            code(push(9), slot(random), 0x5d),
            code(push(9), slot(random), 0x55),
            code(push(0), push(0), 0xa0),
            revertOrNot,
          ],
        ],
      };
    case 4:
      // A write below a static call.
      return {
        main: [callOf(0xfa, CONTRACTS[1]), record(random)],
        helpers: [
          [callOf(pick(random, [0xf1, 0xf2, 0xf4, 0xfa]), CONTRACTS[2]), code(push(0), 0x52, push(32), push(0), 0xf3)],
          [aWrite(random), revertOrNot],
        ],
      };
    case 5:
      // What a creation leaves to be read.
      return {
        main: [
          creation(push(0), undefined),
          record(random),
          code(0x3d),
          record(random),
          code(push(0), 0x51),
          record(random),
        ],
        initCode: [
          aWrite(random),
          code(aValue(random), push(0), 0x52, small(random), push(0), pick(random, [0xf3, 0xfd])),
        ],
      };
    case 6:
      // The longest code, and one byte more.
      return {
        main: [creation(push(0), undefined), record(random)],
        initCode: [code(push(24_575 + random(3)), push(0), 0xf3)],
      };
    default:
      // Twice at one address, at times after a destruction.
      return {
        main: [creation(push(0), 0), record(random), callOf(0xf1, CONTRACTS[1]), creation(push(0), 0), record(random)],
        helpers: [[callOf(0xf1, firstCreated), revertOrNot]],
      };
  }
}

function aGasLimit(random: Random, least: bigint): bigint {
  switch (random(6)) {
    case 0:
      return least + BigInt(random(30_000));
    case 1:
    case 2:
      return least + BigInt(random(300_000));
    default:
      return least + 6_000_000n;
  }
}

/** The case of a seed. */
export function aVmCase(seed: number): VmCase {
  const next = seededRandom(seed);
  const random: Random = (n) => Math.floor(next() * n);
  const contract = (address: Bytes, pieces: readonly Bytes[]): VmCaseAccount => ({
    address,
    nonce: 1n,
    balance: pick(random, [0n, 50n, ETHER]),
    pieces,
    slots: someSlots(random),
  });
  const scenario: Scenario = random(3) > 0 ? aScenario(random) : { main: [] };
  const initCodes = INIT_CODES.map((_, i) => (i === 0 ? scenario.initCode : undefined) ?? anInitCode(random));
  const accounts: VmCaseAccount[] = [
    { address: CASE_SENDER, nonce: 3n, balance: 100n * ETHER, pieces: [], slots: [] },
    contract(MAIN, [...scenario.main, ...aProgram(random, (scenario.main.length > 0 ? 1 : 5) + random(8))]),
    contract(CONTRACTS[1], scenario.helpers?.[0] ?? aProgram(random, 4)),
    contract(CONTRACTS[2], scenario.helpers?.[1] ?? aProgram(random, 2)),
    contract(CONTRACTS[3], [code(push(anAccount(random)), 0xff)]),
    ...initCodes.map((pieces, i) => contract(INIT_CODES[i]!, pieces)),
    ...(scenario.accounts?.(concatBytes(...initCodes[0]!)) ?? []),
    ...(random(20) === 0 ? [inTheWay(random, creationAddress(CASE_SENDER, 3n))] : []),
  ];
  const to = random(6) === 0 ? undefined : random(10) === 0 ? anAccount(random) : MAIN;
  const input = to === undefined ? anInitCode(random) : [randomBytes(random, random(80))];
  const type = pick(random, [0, 1, 2] as const);
  const accessList =
    type === 0
      ? []
      : Array.from({ length: random(3) }, () => ({
          address: anAccount(random),
          slots: Array.from({ length: random(3) }, () => aWord(random(SLOTS))),
        }));
  const least = intrinsicGas({ to, input: concatBytes(...input), accessList });
  return {
    seed,
    coinbase: random(8) === 0 ? pick(random, [CASE_SENDER, MAIN, CONTRACTS[1]]) : FRESH_COINBASE,
    accounts,
    nonce: random(60) === 0 ? BigInt(random(8)) : 3n,
    type,
    to,
    value: random(3) === 0 ? pick(random, [1n, 1_000n, ETHER, random(6) === 0 ? 200n * ETHER : 7n]) : 0n,
    gasLimit: random(40) === 0 ? least - BigInt(random(2_000)) : aGasLimit(random, least),
    maxFeePerGas: CASE_BASE_FEE + BigInt(random(30)) - (random(60) === 0 ? 10n : 0n),
    maxPriorityFeePerGas: BigInt(random(12)),
    input,
    accessList,
  };
}
