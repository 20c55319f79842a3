/** Modular exponentiation, EIP-2565 gas with the native rules of ZKsync OS (spec: execution 9, native 6.3). */
import { EMPTY_BYTES, bytesToBigInt, bigIntToBytes } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import { ERGS_PER_GAS, FREE_FAILURE, OUT_OF_NATIVE, UNITS_AT_ONCE_MAX } from './precompile.ts';
import type { Precompile, PrecompileResult } from './precompile.ts';
import { ModularPower } from './modularPower.ts';

const HEADER_BYTES = 96;
const MIN_GAS = 200;
const NATIVE_PER_GAS = 300;
const U64_END = 1n << 64n;

/** `length` bytes from `offset`, with zeros behind the end of the input. */
function paddedSlice(input: Bytes, offset: number, length: number): Bytes {
  const out = new Uint8Array(length);
  if (offset < input.length) out.set(input.subarray(offset, Math.min(input.length, offset + length)));
  return out;
}

interface Lengths {
  readonly base: bigint;
  readonly exponent: bigint;
  readonly modulus: bigint;
}

/** EIP-2565 gas; undefined when a step of it, or the ergs, leave 64 bits. `head`: the first 32 bytes of the exponent. */
function gasOf(lengths: Lengths, head: bigint): bigint | undefined {
  const longest = lengths.base > lengths.modulus ? lengths.base : lengths.modulus;
  const words = (longest + 7n) / 8n;
  const complexity = words * words;
  const headBits = head === 0n ? 0 : head.toString(2).length;
  let iterations = BigInt(Math.max(headBits - 1, 0));
  if (lengths.exponent > 32n) iterations += 8n * (lengths.exponent - 32n);
  if (iterations === 0n) iterations = 1n;
  const product = complexity * iterations;
  if (iterations >= U64_END || complexity >= U64_END || product >= U64_END) return undefined;
  const gas = product / 3n > BigInt(MIN_GAS) ? product / 3n : BigInt(MIN_GAS);
  return gas * BigInt(ERGS_PER_GAS) >= U64_END ? undefined : gas;
}

function run(input: Bytes, ergsAvailable: number, nativeAvailable: number): PrecompileResult {
  if (ergsAvailable < MIN_GAS * ERGS_PER_GAS || nativeAvailable < MIN_GAS * NATIVE_PER_GAS) return FREE_FAILURE;
  const lengths: Lengths = {
    base: bytesToBigInt(paddedSlice(input, 0, 32)),
    exponent: bytesToBigInt(paddedSlice(input, 32, 32)),
    modulus: bytesToBigInt(paddedSlice(input, 64, 32)),
  };
  if (lengths.base >= U64_END || lengths.modulus >= U64_END) return FREE_FAILURE;
  if (lengths.base === 0n && lengths.modulus === 0n) {
    return { kind: 'success', output: EMPTY_BYTES, gas: MIN_GAS, native: MIN_GAS * NATIVE_PER_GAS };
  }
  if (lengths.exponent >= U64_END) return FREE_FAILURE;

  // Offsets above 2^53 are rounded, which is harmless: nothing of the input lies there.
  const exponentOffset = HEADER_BYTES + Number(lengths.base);
  const headLength = lengths.exponent < 32n ? Number(lengths.exponent) : 32;
  const gas = gasOf(lengths, bytesToBigInt(paddedSlice(input, exponentOffset, headLength)));
  const roundedModulus = ((lengths.modulus + 31n) / 32n) * 32n;
  const nativeGas = gasOf(
    { base: lengths.base, exponent: lengths.exponent, modulus: roundedModulus },
    bytesToBigInt(paddedSlice(input, exponentOffset, headLength)),
  );
  if (gas === undefined || nativeGas === undefined) return FREE_FAILURE;
  if (BigInt(nativeAvailable) < nativeGas * BigInt(NATIVE_PER_GAS)) return OUT_OF_NATIVE;
  const native = Number(nativeGas) * NATIVE_PER_GAS;
  if (BigInt(ergsAvailable) < gas * BigInt(ERGS_PER_GAS)) return { kind: 'failure', native };

  // Paid for, so the lengths are bounded by the gas: ordinary numbers from here on.
  const baseLength = Number(lengths.base);
  const exponentLength = Number(lengths.exponent);
  const modulusLength = Number(lengths.modulus);
  const modulus = bytesToBigInt(paddedSlice(input, exponentOffset + exponentLength, modulusLength));
  const rest = { gas: Number(gas), native };
  if (modulus <= 1n) return { kind: 'success', output: new Uint8Array(modulusLength), ...rest };
  const power = new ModularPower({
    base: bytesToBigInt(paddedSlice(input, HEADER_BYTES, baseLength)),
    // whole: the modulus behind it is not zero, so it lies within the input
    exponent: input.subarray(exponentOffset, exponentOffset + exponentLength),
    modulus,
  });
  const unitsEach = multiplicationUnits(modulusLength);
  if (power.multiplicationsLeft * unitsEach > UNITS_AT_ONCE_MAX) {
    const advance = (units: number): Bytes | undefined => {
      const value = power.advance(units / unitsEach);
      return value === undefined ? undefined : bigIntToBytes(value, modulusLength);
    };
    return { kind: 'task', task: { advance }, ...rest };
  }
  // Ends: it was asked for everything.
  return { kind: 'success', output: bigIntToBytes(power.advance(Infinity)!, modulusLength), ...rest };
}

/** Work units of a product and its remainder. */
function multiplicationUnits(modulusLength: number): number {
  const words = Math.ceil(modulusLength / 8);
  return 8 + (words * words) / 8;
}

export const modexp: Precompile = { run };
