/** Time and randomness come in as parameters, so that a simulation can own them. */
import { randomBytes as systemRandomBytes } from 'node:crypto';
import type { Bytes } from './bytes.ts';

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds since some moment. Goes on evenly when somebody sets the time: for how long something took or may take. */
  elapsedMs(): number;
  /** Calls `fn` once after `ms`; the returned function cancels it and may be called any number of times. */
  setTimer(ms: number, fn: () => void): () => void;
}

/** So many random bytes. */
export type RandomSource = (bytes: number) => Bytes;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
  setTimer: (ms, fn) => {
    const timer = setTimeout(fn, Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};

export const systemRandom: RandomSource = (bytes) => new Uint8Array(systemRandomBytes(bytes));

/** Uniform in [0, 1), with 32 bits of resolution. */
export function randomFraction(random: RandomSource): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32;
}
