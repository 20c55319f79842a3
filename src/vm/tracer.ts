/** Hooks at call-frame granularity. Without a tracer nothing is paid for them. */
import type { Bytes } from '../common/bytes.ts';
import type { Log } from '../protocol/blockOutput.ts';

export type TracedKind = 'CALL' | 'CALLCODE' | 'DELEGATECALL' | 'STATICCALL' | 'CREATE' | 'CREATE2' | 'SELFDESTRUCT';

export interface TracedFrame {
  readonly kind: TracedKind;
  readonly from: Bytes;
  /** Callee, new contract or beneficiary. */
  readonly to: Bytes;
  /** wei */
  readonly value: bigint;
  /** Gas the frame starts with. */
  readonly gas: number;
  /** Valid during the call only. */
  readonly input: Bytes;
}

export interface TracedResult {
  readonly success: boolean;
  /** Valid during the call only. */
  readonly output: Bytes;
  readonly gasLeft: number;
  /** Why the frame failed: `execution reverted`, `out of gas`, … */
  readonly error: string | undefined;
}

export interface Tracer {
  enter(frame: TracedFrame): void;
  exit(result: TracedResult): void;
  log(log: Log): void;
}
