/** The compression function of BLAKE2b as a precompile (EIP-152). */
import type { Bytes } from '../../src/common/bytes.ts';
import type { Precompile } from '../../src/vm/precompiles/index.ts';

const INPUT_BYTES = 213;
const STATE_AT = 4;
const MESSAGE_AT = 68;
const OFFSETS_AT = 196;
const FINAL_AT = 212;

// Halves of the eight words, low first, as in the state.
const IV = Uint32Array.of(
  0xf3bcc908,
  0x6a09e667,
  0x84caa73b,
  0xbb67ae85,
  0xfe94f82b,
  0x3c6ef372,
  0x5f1d36f1,
  0xa54ff53a,
  0xade682d1,
  0x510e527f,
  0x2b3e6c1f,
  0x9b05688c,
  0xfb41bd6b,
  0x1f83d9ab,
  0x137e2179,
  0x5be0cd19,
);

const SIGMA: readonly (readonly number[])[] = [
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

/** The four words of each of the eight mixings of a round. */
const MIXINGS: readonly (readonly [number, number, number, number])[] = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/** v[a] += w[b], 64 bits */
function add(v: Uint32Array, a: number, w: Uint32Array, b: number): void {
  const low = v[2 * a]! + w[2 * b]!;
  v[2 * a] = low;
  v[2 * a + 1] = v[2 * a + 1]! + w[2 * b + 1]! + (low > 0xffff_ffff ? 1 : 0);
}

/** v[a] = (v[a] ^ v[b]) rotated right by `bits` */
function xorRotate(v: Uint32Array, a: number, b: number, bits: number): void {
  let low = v[2 * a]! ^ v[2 * b]!;
  let high = v[2 * a + 1]! ^ v[2 * b + 1]!;
  if (bits >= 32) [low, high] = [high, low];
  const rest = bits & 31;
  v[2 * a] = rest === 0 ? low : (low >>> rest) | (high << (32 - rest));
  v[2 * a + 1] = rest === 0 ? high : (high >>> rest) | (low << (32 - rest));
}

/** The new state. Undefined: the input is malformed. */
function compress(input: Bytes): Bytes | undefined {
  const isFinal = input[FINAL_AT];
  if (isFinal !== 0 && isFinal !== 1) return undefined;
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  const rounds = view.getUint32(0);
  const h = new Uint32Array(16);
  const m = new Uint32Array(32);
  for (let i = 0; i < 16; i += 1) h[i] = view.getUint32(STATE_AT + 4 * i, true);
  for (let i = 0; i < 32; i += 1) m[i] = view.getUint32(MESSAGE_AT + 4 * i, true);
  const v = new Uint32Array(32);
  v.set(h);
  v.set(IV, 16);
  for (let i = 0; i < 4; i += 1) v[24 + i]! ^= view.getUint32(OFFSETS_AT + 4 * i, true);
  if (isFinal === 1) {
    v[28] = ~v[28]!;
    v[29] = ~v[29]!;
  }
  for (let round = 0; round < rounds; round += 1) {
    const order = SIGMA[round % 10]!;
    for (let i = 0; i < 8; i += 1) {
      const [a, b, c, d] = MIXINGS[i]!;
      add(v, a, v, b);
      add(v, a, m, order[2 * i]!);
      xorRotate(v, d, a, 32);
      add(v, c, v, d);
      xorRotate(v, b, c, 24);
      add(v, a, v, b);
      add(v, a, m, order[2 * i + 1]!);
      xorRotate(v, d, a, 16);
      add(v, c, v, d);
      xorRotate(v, b, c, 63);
    }
  }
  const output = new Uint8Array(64);
  const out = new DataView(output.buffer);
  for (let i = 0; i < 16; i += 1) out.setUint32(4 * i, h[i]! ^ v[i]! ^ v[16 + i]!, true);
  return output;
}

/** One gas per round; anything but 213 bytes fails. */
export const blake2f: Precompile = {
  run(input, ergsAvailable) {
    if (input.length !== INPUT_BYTES) return { kind: 'failure', native: 0 };
    const gas = new DataView(input.buffer, input.byteOffset, 4).getUint32(0);
    if (ergsAvailable < gas * 256) return { kind: 'failure', native: 0 };
    const output = compress(input);
    return output === undefined ? { kind: 'failure', native: 0 } : { kind: 'success', output, gas, native: 0 };
  },
};
