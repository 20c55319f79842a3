/** What every precompile is to the VM, and the one charge that each of them makes (spec: native 1 and 6.3). */
import { EMPTY_BYTES } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';

/** Work that may take more than one turn. Valid while its input is: the machine stands still meanwhile. */
export interface PrecompileTask {
  /** Goes on for about so many work units (as of `Machine.budget`); the output once it is there. */
  advance(units: number): Bytes | typeof INVALID_INPUT | undefined;
}

export const INVALID_INPUT: unique symbol = Symbol('invalid input');

/** Work units that are done at once; what needs more becomes a task. */
export const UNITS_AT_ONCE_MAX = 20_000;

export type PrecompileResult =
  | {
      readonly kind: 'success';
      readonly output: Bytes;
      /** in gas, not ergs */ readonly gas: number;
      readonly native: number;
    }
  /** To be worked off; then `gas` is taken, or all gas when the input turns out to be invalid. Native is charged at once. */
  | { readonly kind: 'task'; readonly task: PrecompileTask; readonly gas: number; readonly native: number }
  /** Takes all gas passed; `native` is charged all the same. */
  | { readonly kind: 'failure'; readonly native: number }
  /** Fatal for the transaction. */
  | { readonly kind: 'outOfNative' };

export interface Precompile {
  /**
   * Pure: reads only `input`. The output never shares memory with `input` or with a pool.
   * `ergsAvailable` are the ergs passed to the call (1 gas = 256 ergs), `nativeAvailable` the native left of the transaction.
   */
  run(input: Bytes, ergsAvailable: number, nativeAvailable: number): PrecompileResult;
}

export const ERGS_PER_GAS = 256;

export const OUT_OF_NATIVE: PrecompileResult = Object.freeze({ kind: 'outOfNative' });
/** A failure that charges no native. */
export const FREE_FAILURE: PrecompileResult = Object.freeze({ kind: 'failure', native: 0 });

interface PrecompileRule {
  readonly gas: (input: Bytes) => number;
  readonly native: (input: Bytes) => number;
  /** Undefined: the input is invalid. */
  readonly compute: (input: Bytes) => Bytes | PrecompileTask | undefined;
}

/** A precompile whose charge depends on the input alone: native short is fatal, then gas short or a bad input is a failure. */
export function chargedPrecompile(rule: PrecompileRule): Precompile {
  return {
    run(input, ergsAvailable, nativeAvailable) {
      const native = rule.native(input);
      if (nativeAvailable < native) return OUT_OF_NATIVE;
      const gas = rule.gas(input);
      if (ergsAvailable < gas * ERGS_PER_GAS) return { kind: 'failure', native };
      const output = rule.compute(input);
      if (output === undefined) return { kind: 'failure', native };
      return output instanceof Uint8Array
        ? { kind: 'success', output, gas, native }
        : { kind: 'task', task: output, gas, native };
    },
  };
}

/** Addresses 9 and 0x0a: an input of the right length succeeds with no output at no cost (spec: execution 9). */
export function stubPrecompile(inputLengthBytes: number): Precompile {
  const success: PrecompileResult = Object.freeze({ kind: 'success', output: EMPTY_BYTES, gas: 0, native: 0 });
  return { run: (input) => (input.length === inputLengthBytes ? success : FREE_FAILURE) };
}

/** Number of 32-byte words that hold `lengthBytes`. */
export function words(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 32);
}
