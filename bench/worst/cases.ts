/** Programs that make the machine work as hard as gas lets them: each loops until its gas is gone. */
import { type Bytes, concatBytes } from '../../src/common/bytes.ts';
import { anAddress, aWord, code, push } from '../../test/support/factories.ts';

export interface WorstCase {
  readonly name: string;
  /** At CONTRACT; undefined: the transaction deploys nothing and calls `to`. */
  readonly program: Bytes;
  /** Beside it. */
  readonly others?: readonly { readonly address: Bytes; readonly program: Bytes }[];
  /** Gas limits of the two sizes; a multiple of the first is the second. */
  readonly gasLimits?: readonly [bigint, bigint];
}

export const CONTRACT = anAddress(0xc0de);
const HELPER = anAddress(0x4e19e4);
const ECRECOVER = anAddress(1);
const SHA256 = anAddress(2);
const RIPEMD160 = anAddress(3);
const IDENTITY = anAddress(4);
const MODEXP = anAddress(5);
const PAIRING = anAddress(8);

const POP = 0x50;
const MSTORE = 0x52;
const SLOAD = 0x54;
const SSTORE = 0x55;
const DUP1 = 0x80;
const GAS = 0x5a;
const CALL = 0xf1;

/** `before` once, then `body` until the gas is gone. */
function forever(body: Bytes, before: Bytes = new Uint8Array(0)): Bytes {
  return concatBytes(before, code(0x5b), body, code(push(before.length), 0x56));
}

/** Calls with memory [0, inputLength) and all gas; the result is dropped. */
function callOf(target: Bytes, inputLength: number, outputLength = 0): Bytes {
  return code(push(outputLength), push(0), push(inputLength), push(0), push(0), push(target), GAS, CALL, POP);
}

const store = (word: Bytes | number, at: number): Bytes => code(push(word), push(at), MSTORE);
/** Memory from `start` to `end` holds copies of the word: what is there is copied behind itself until it is enough. */
function filled(word: Bytes, start: number, end: number): Bytes {
  const parts = [store(word, start)];
  for (let size = 32; start + size < end; size *= 2)
    parts.push(code(push(Math.min(size, end - start - size)), push(start), push(start + size), 0x5e));
  return concatBytes(...parts);
}

const repeated = (count: number, part: Bytes): Bytes => concatBytes(...Array.from({ length: count }, () => part));

/** Counts in the word on the stack; `use` finds the new value on top and leaves nothing of it. */
const counting = (use: Bytes, step: Bytes = push(1)): Bytes => forever(code(step, 0x01, DUP1, use), push(0));

/** MODEXP over an exponent of ones: lengths in bytes. */
function modexp(modulusLength: number, exponentLength: number): Bytes {
  const lengths = concatBytes(store(modulusLength, 0), store(exponentLength, 32), store(modulusLength, 64));
  const total = 96 + 2 * modulusLength + exponentLength;
  // All ones, but for the first byte of the base, which would be zero modulo the modulus.
  const operands = concatBytes(filled(aWord(-1), 96, total), code(push(0x7f), push(96), 0x53));
  return forever(callOf(MODEXP, total), concatBytes(lengths, operands));
}

const HEAVY = aWord((1n << 255n) - 19n);

function arithmetic(name: string, body: Bytes): WorstCase {
  return { name, program: forever(repeated(64, body)) };
}

/** Generator of the first group, and of the second, imaginary parts first. */
const PAIR = concatBytes(
  ...[
    1n,
    2n,
    0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2n,
    0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6edn,
    0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975bn,
    0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daan,
  ].map(aWord),
);

const small = [400_000n, 1_600_000n] as const;

export const WORST_CASES: readonly WorstCase[] = [
  {
    name: 'calls of itself to the deepest frame',
    program: forever(callOf(CONTRACT, 0)),
  },
  {
    name: 'calls of a contract that does nothing',
    program: forever(callOf(HELPER, 0)),
    others: [{ address: HELPER, program: code(0x00) }],
  },
  { name: 'memory grows word by word', program: counting(code(0x51, POP), push(32)) },
  {
    name: 'frames with 256 KiB of memory each',
    program: forever(callOf(HELPER, 0)),
    others: [{ address: HELPER, program: store(1, 262_112) }],
  },
  { name: 'MCOPY of 64 KiB', program: forever(code(push(65_536), push(32), push(0), 0x5e)) },
  {
    name: 'return data of 128 KiB, copied',
    program: forever(concatBytes(callOf(HELPER, 0), code(push(131_072), push(0), push(0), 0x3e))),
    others: [{ address: HELPER, program: code(push(131_072), push(0), 0xf3) }],
  },
  { name: 'MODEXP, 32-byte modulus, exponent of 4 KiB', program: modexp(32, 4_096), gasLimits: small },
  { name: 'MODEXP, 16-byte modulus, exponent of 16 KiB', program: modexp(16, 16_384), gasLimits: small },
  { name: 'MODEXP, 8-byte modulus, exponent of 4 KiB', program: modexp(8, 4_096), gasLimits: small },
  { name: 'MODEXP, 1 KiB modulus, short exponent', program: modexp(1_024, 2) },
  { name: 'pairing of 16 pairs', program: pairing(16) },
  {
    name: 'ecrecover',
    program: forever(callOf(ECRECOVER, 128, 32), concatBytes(store(7, 0), store(27, 32), store(7, 64), store(7, 96))),
  },
  { name: 'sha256 of 16 KiB', program: forever(callOf(SHA256, 16_384)) },
  { name: 'ripemd160 of 16 KiB', program: forever(callOf(RIPEMD160, 16_384)) },
  { name: 'identity of 64 KiB', program: forever(callOf(IDENTITY, 65_536)) },
  { name: '24 KiB of JUMPDEST', program: forever(repeated(24_000, code(0x5b))) },
  { name: 'jumps from JUMPDEST to JUMPDEST', program: jumps(4_000) },
  {
    name: 'init code of 48 KiB of JUMPDEST',
    program: forever(create(49_152), filled(new Uint8Array(32).fill(0x5b), 0, 49_152)),
  },
  {
    name: 'deployments of 2 KiB',
    // The init code gives so many bytes of its empty memory.
    program: forever(create(32), store(concatBytes(code(push(2_048), push(0), 0xf3), new Uint8Array(26)), 0)),
  },
  { name: 'cold slots, absent', program: counting(code(SLOAD, POP)) },
  {
    name: 'cold slots whose keys differ in their highest bits',
    program: counting(code(SLOAD, POP), push(aWord(1n << 230n))),
  },
  { name: 'cold slots whose keys differ by 2^32', program: counting(code(SLOAD, POP), push(1n << 32n)) },
  { name: 'writes to fresh slots', program: counting(code(push(1), 0x90, SSTORE)) },
  {
    name: 'writes to fresh slots, reverted',
    program: forever(callOf(HELPER, 0)),
    others: [
      {
        address: HELPER,
        program: concatBytes(
          ...Array.from({ length: 12 }, (_, i) => code(push(1), push(i), SSTORE)),
          code(0x5f, 0x5f, 0xfd),
        ),
      },
    ],
  },
  { name: 'one warm slot, read', program: forever(repeated(64, code(push(1), SLOAD, POP))) },
  { name: 'transient slots', program: counting(code(push(1), 0x90, 0x5d)) },
  { name: 'cold accounts, absent', program: counting(code(0x31, POP)) },
  {
    name: 'events of 8 KiB with four topics',
    program: forever(code(push(1), push(2), push(3), push(4), push(8_192), push(0), 0xa4)),
  },
  { name: 'KECCAK256 of 32 bytes', program: forever(repeated(64, code(push(32), push(0), 0x20, POP))) },
  { name: 'KECCAK256 of 256 KiB', program: forever(code(push(262_144), push(0), 0x20, POP)) },
  {
    name: 'KECCAK256 of 2 MiB',
    program: forever(code(push(2_097_152), push(0), 0x20, POP)),
    gasLimits: [50_000_000n, 100_000_000n],
  },
  {
    name: 'EXTCODECOPY of 24 KiB',
    program: forever(code(push(24_576), push(0), push(0), push(HELPER), 0x3c)),
    others: [{ address: HELPER, program: new Uint8Array(24_576).fill(0x5b) }],
  },
  arithmetic('DIV of 256 by 128 bits', code(push((1n << 127n) + 12345n), push(aWord(-1)), 0x04, POP)),
  arithmetic('MOD of 256 by 192 bits', code(push((1n << 191n) + 12345n), push(aWord(-1)), 0x06, POP)),
  arithmetic('SDIV', code(push((1n << 127n) + 12345n), push(aWord(-(1n << 200n))), 0x05, POP)),
  arithmetic('MULMOD', code(push(HEAVY), push(aWord(-1)), push(aWord(-1)), 0x09, POP)),
  arithmetic('ADDMOD', code(push(HEAVY), push(aWord(-1)), push(aWord(-1)), 0x08, POP)),
  arithmetic('MUL', code(push(HEAVY), push(aWord(-1)), 0x02, POP)),
  arithmetic('EXP with an exponent of 32 bytes', code(push(aWord(-1)), push(HEAVY), 0x0a, POP)),
  arithmetic('SIGNEXTEND', code(push(HEAVY), push(7), 0x0b, POP)),
  arithmetic('SAR', code(push(aWord(-1)), push(77), 0x1d, POP)),
  arithmetic('CALLDATALOAD', code(push(0), 0x35, POP)),
  arithmetic('BLOCKHASH', code(push(0), 0x40, POP)),
];

/** The pair lies behind the program. */
function pairing(count: number): Bytes {
  const program = (end: number): Bytes => {
    const copies = Array.from({ length: count }, (_, i) =>
      code(push(192), 0x61, end >> 8, end & 0xff, push(192 * i), 0x39),
    );
    return forever(callOf(PAIRING, count * 192), concatBytes(...copies));
  };
  return concatBytes(program(program(0).length), PAIR);
}

/** A chain of jumps, each to the next JUMPDEST. */
function jumps(count: number): Bytes {
  return concatBytes(
    ...Array.from({ length: count }, (_, i) => {
      const to = i + 1 === count ? 0 : 5 * (i + 1);
      return code(0x5b, 0x61, to >> 8, to & 0xff, 0x56);
    }),
  );
}

/** Creates from the first bytes of memory. */
function create(length: number): Bytes {
  return code(push(length), push(0), push(0), 0xf0, POP);
}
