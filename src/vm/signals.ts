/** What an opcode, a call or a frame answers. */
import { OUT_OF_NATIVE } from './meter.ts';
import type { Charge } from './meter.ts';

export const RUNNING = 0;
/** The frame ends well; its output is in `Machine.output`. */
export const STOPPED = 1;
export const REVERTED = 2;
/** All gas of the frame is gone; `Machine.failure` says why. */
export const FAILED = 3;
/** Native is short or the output buffer is full: the transaction ends. */
export const FATAL = 4;
/** Another frame is on top. */
export const SWITCHED = 5;
export const MISSING = 6;
export type Signal = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** What a charge that did not succeed means for the running frame. */
export function chargeSignal(charge: Charge): Signal {
  return charge === OUT_OF_NATIVE ? FATAL : FAILED;
}
