/**
 * Keccak-256 and BLAKE2s-256 as WebAssembly that is put together here: one call per message on memory that both sides see.
 * What a general library does around it (a view of the input, a view of each part, a call for each step) costs as much as
 * the permutation of a short message.
 */
import type { Bytes } from './bytes.ts';

// Opcodes of WebAssembly.
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const I32_LOAD = 0x28;
const I64_LOAD = 0x29;
const I32_STORE = 0x36;
const I64_STORE = 0x37;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_XOR = 0x73;
const I32_ROTR = 0x78;
const I64_AND = 0x83;
const I64_XOR = 0x85;
const I64_ROTL = 0x89;
const LOOP = 0x03;
const BR_IF = 0x0d;
const END = 0x0b;
const I32 = 0x7f;
const I64 = 0x7e;
const EMPTY_BLOCK = 0x40;

function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    out.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return out;
}

function signed(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    out.push(isLast ? byte : byte | 0x80);
    if (isLast) return out;
  }
}

const get = (local: number): number[] => [LOCAL_GET, ...unsigned(local)];
const set = (local: number): number[] => [LOCAL_SET, ...unsigned(local)];
const tee = (local: number): number[] => [LOCAL_TEE, ...unsigned(local)];
const i32 = (value: number): number[] => [I32_CONST, ...signed(BigInt(value | 0))];
const i64 = (value: bigint): number[] => [I64_CONST, ...signed(BigInt.asIntN(64, value))];
const load = (opcode: number, alignment: number, offset: number): number[] => [opcode, alignment, ...unsigned(offset)];

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const name = (text: string): number[] => vector([...Buffer.from(text)].map((byte) => [byte]));

interface Compiled {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly run: (argument: number) => void;
}

/** What is used of it; the types of Node leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** A module of one page-aligned memory and one function of one i32. */
function compile(
  pages: number,
  locals: readonly (readonly [count: number, type: number])[],
  body: readonly number[],
): Compiled {
  const code = [...vector(locals.map(([count, type]) => [...unsigned(count), type])), ...body, END];
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, 1, I32, 0]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(
      7,
      vector([
        [...name('memory'), 2, 0],
        [...name('run'), 0, 0],
      ]),
    ),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  return exports as Compiled; // as the section of exports says
}

const PAGE_BYTES = 65_536;
/** Where the input begins; the state lies before it. */
const INPUT = 1_024;

const KECCAK_RATE = 136;
const KECCAK_LANES = 25;
const KECCAK_ROUNDS = 24;
const ROUND_CONSTANTS = 512;
/** Rotations by lane, x + 5y. */
const ROTATIONS = [0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14];

function roundConstants(): bigint[] {
  let register = 1;
  return Array.from({ length: KECCAK_ROUNDS }, () => {
    let constant = 0n;
    for (let j = 0; j < 7; j += 1) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register <<= 1;
      if (register & 0x100) register ^= 0x171;
    }
    return constant;
  });
}

/** Absorbs so many blocks of input, one or more, into the state at 0. */
function compileKeccak(pages: number): Compiled {
  // Locals: blocks left, round, position; then lanes a and b, columns c and d.
  const [blocks, round, position] = [0, 1, 2];
  const a = (i: number): number => 3 + i;
  const b = (i: number): number => 3 + KECCAK_LANES + i;
  const c = (x: number): number => 3 + 2 * KECCAK_LANES + x;
  const d = (x: number): number => c(5) + x;
  const body: number[] = [];
  const emit = (...parts: readonly (readonly number[])[]): void => {
    for (const part of parts) body.push(...part);
  };
  const lanes = Array.from({ length: KECCAK_LANES }, (_, i) => i);
  for (const i of lanes) emit(i32(0), load(I64_LOAD, 3, 8 * i), set(a(i)));
  emit(i32(INPUT), set(position), [LOOP, EMPTY_BLOCK]);
  for (let i = 0; i < KECCAK_RATE / 8; i += 1)
    emit(get(a(i)), get(position), load(I64_LOAD, 3, 8 * i), [I64_XOR], set(a(i)));
  emit(i32(0), set(round), [LOOP, EMPTY_BLOCK]);
  for (let x = 0; x < 5; x += 1) {
    emit(get(a(x)));
    for (let y = 1; y < 5; y += 1) emit(get(a(x + 5 * y)), [I64_XOR]);
    emit(set(c(x)));
  }
  for (let x = 0; x < 5; x += 1)
    emit(get(c((x + 4) % 5)), get(c((x + 1) % 5)), i64(1n), [I64_ROTL, I64_XOR], set(d(x)));
  for (let x = 0; x < 5; x += 1) {
    for (let y = 0; y < 5; y += 1) {
      emit(get(a(x + 5 * y)), get(d(x)), [I64_XOR]);
      const rotation = ROTATIONS[x + 5 * y] ?? 0;
      if (rotation > 0) emit(i64(BigInt(rotation)), [I64_ROTL]);
      emit(set(b(y + 5 * ((2 * x + 3 * y) % 5))));
    }
  }
  for (let y = 0; y < 5; y += 1) {
    for (let x = 0; x < 5; x += 1) {
      emit(get(b(((x + 1) % 5) + 5 * y)), i64(-1n), [I64_XOR], get(b(((x + 2) % 5) + 5 * y)), [I64_AND]);
      emit(get(b(x + 5 * y)), [I64_XOR], set(a(x + 5 * y)));
    }
  }
  emit(get(a(0)), get(round), load(I64_LOAD, 3, ROUND_CONSTANTS), [I64_XOR], set(a(0)));
  emit(get(round), i32(8), [I32_ADD], tee(round), i32(8 * KECCAK_ROUNDS), [0x47, BR_IF, 0, END]); // i32.ne
  emit(get(position), i32(KECCAK_RATE), [I32_ADD], set(position));
  emit(get(blocks), i32(1), [I32_SUB], tee(blocks), [BR_IF, 0, END]);
  for (const i of lanes) emit(i32(0), get(a(i)), load(I64_STORE, 3, 8 * i));
  return compile(
    pages,
    [
      [2, I32],
      [2 * KECCAK_LANES + 10, I64],
    ],
    body,
  );
}

const BLAKE_BLOCK = 64;
const BLAKE_IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
/** Digest of 32 bytes, no key. */
const BLAKE_PARAMETERS = 0x0101_0020;
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const MIXED = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];
/** Where the words are that change from block to block: bytes so far, and ones for the last block. */
const BLAKE_COUNT = 32;
const BLAKE_LAST = 36;

/** Compresses the block at the argument into the state at 0. */
function compileBlake(pages: number): Compiled {
  const block = 0;
  const v = (i: number): number => 1 + i;
  const body: number[] = [];
  const emit = (...parts: readonly (readonly number[])[]): void => {
    for (const part of parts) body.push(...part);
  };
  const state = (offset: number): number[] => [...i32(0), ...load(I32_LOAD, 2, offset)];
  for (let i = 0; i < 8; i += 1) emit(state(4 * i), set(v(i)), i32(BLAKE_IV[i] ?? 0), set(v(8 + i)));
  emit(get(v(12)), state(BLAKE_COUNT), [I32_XOR], set(v(12)));
  emit(get(v(14)), state(BLAKE_LAST), [I32_XOR], set(v(14)));
  const mix = (p: number, q: number, r: number, s: number, x: number, y: number): void => {
    const half = (word: number, first: number, second: number): void => {
      emit(get(v(p)), get(v(q)), [I32_ADD], get(block), load(I32_LOAD, 2, 4 * word), [I32_ADD], tee(v(p)));
      emit(get(v(s)), [I32_XOR], i32(first), [I32_ROTR], tee(v(s)));
      emit(get(v(r)), [I32_ADD], tee(v(r)), get(v(q)), [I32_XOR], i32(second), [I32_ROTR], set(v(q)));
    };
    half(x, 16, 12);
    half(y, 8, 7);
  };
  for (const sigma of SIGMA)
    MIXED.forEach(([p = 0, q = 0, r = 0, s = 0], i) => mix(p, q, r, s, sigma[2 * i] ?? 0, sigma[2 * i + 1] ?? 0));
  for (let i = 0; i < 8; i += 1)
    emit(i32(0), state(4 * i), get(v(i)), [I32_XOR], get(v(8 + i)), [I32_XOR], load(I32_STORE, 2, 4 * i));
  return compile(pages, [[16, I32]], body);
}

const INPUT_PAGES = 2;
const INPUT_BYTES = INPUT_PAGES * PAGE_BYTES - INPUT;

const keccak = compileKeccak(INPUT_PAGES);
const keccakMemory = new Uint8Array(keccak.memory.buffer);
const keccakLanes = new BigUint64Array(keccak.memory.buffer);
roundConstants().forEach((constant, i) => {
  keccakLanes[ROUND_CONSTANTS / 8 + i] = constant;
});
const KECCAK_BLOCKS_MAX = Math.floor(INPUT_BYTES / KECCAK_RATE);

const keccakDigest = keccakMemory.subarray(0, 32);
/** Up to this a loop copies faster than a view of the range can be made. */
const LOOPED_BYTES_MAX = 96;

/** Keccak-256 of `bytes`, in new memory. */
export function keccak256(bytes: Bytes): Bytes {
  return keccakOfRange(bytes, 0, bytes.length).slice();
}

/** Keccak-256 of `length` bytes from `start` on, in memory that the next hash overwrites. */
export function keccakOfRange(bytes: Bytes, start: number, length: number): Bytes {
  const memory = keccakMemory;
  keccakLanes.fill(0n, 0, KECCAK_LANES);
  let offset = start;
  let left = length;
  while (left >= KECCAK_BLOCKS_MAX * KECCAK_RATE) {
    const part = KECCAK_BLOCKS_MAX * KECCAK_RATE;
    memory.set(bytes.subarray(offset, offset + part), INPUT);
    keccak.run(KECCAK_BLOCKS_MAX);
    offset += part;
    left -= part;
  }
  if (left <= LOOPED_BYTES_MAX) for (let i = 0; i < left; i += 1) memory[INPUT + i] = bytes[offset + i]!;
  else memory.set(left === bytes.length ? bytes : bytes.subarray(offset, offset + left), INPUT);
  const blocks = Math.floor(left / KECCAK_RATE) + 1;
  const end = INPUT + blocks * KECCAK_RATE;
  memory.fill(0, INPUT + left, end);
  memory[INPUT + left] = 0x01;
  memory[end - 1]! |= 0x80;
  keccak.run(blocks);
  return keccakDigest;
}

const blake = compileBlake(INPUT_PAGES);
const blakeMemory = new Uint8Array(blake.memory.buffer);
const blakeWords = new Uint32Array(blake.memory.buffer);
const BLAKE_BYTES_MAX = Math.floor(INPUT_BYTES / BLAKE_BLOCK) * BLAKE_BLOCK;

/** BLAKE2s-256 of `bytes` without key, in new memory; fewer than 2^32 bytes. */
export function blake2s256(bytes: Bytes): Bytes {
  const memory = blakeMemory;
  const words = blakeWords;
  for (let i = 0; i < 8; i += 1) words[i] = BLAKE_IV[i]!;
  words[0]! ^= BLAKE_PARAMETERS;
  words[BLAKE_LAST / 4] = 0;
  let offset = 0;
  let left = bytes.length;
  // The last block is not full, or full and known to be the last.
  while (left > BLAKE_BYTES_MAX) {
    memory.set(bytes.subarray(offset, offset + BLAKE_BYTES_MAX), INPUT);
    for (let at = 0; at < BLAKE_BYTES_MAX; at += BLAKE_BLOCK) {
      words[BLAKE_COUNT / 4] = offset + at + BLAKE_BLOCK;
      blake.run(INPUT + at);
    }
    offset += BLAKE_BYTES_MAX;
    left -= BLAKE_BYTES_MAX;
  }
  memory.set(offset === 0 ? bytes : bytes.subarray(offset), INPUT);
  let at = 0;
  for (; left - at > BLAKE_BLOCK; at += BLAKE_BLOCK) {
    words[BLAKE_COUNT / 4] = offset + at + BLAKE_BLOCK;
    blake.run(INPUT + at);
  }
  if (left - at < BLAKE_BLOCK) memory.fill(0, INPUT + left, INPUT + at + BLAKE_BLOCK);
  words[BLAKE_COUNT / 4] = offset + left;
  words[BLAKE_LAST / 4] = 0xffff_ffff;
  blake.run(INPUT + at);
  return memory.slice(0, 32);
}
