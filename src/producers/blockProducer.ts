/** What appends blocks to the log of this node: the sequencer, or on a node fed over TCP the replay client. */
import type { Leadership } from '../log/leadership.ts';
import type { BuiltBlock, TimeInState } from './sequencer.ts';

/** What this process knows of a block that it sent; undefined: it only passes a record on, and executes it when it is read back. */
export type SentBlock = BuiltBlock | undefined;

export interface BlockProducer {
  readonly unacceptedBlocks: number;
  /** Where its time went since the start; undefined: it does not measure that. */
  readonly timeInStates?: readonly TimeInState[];
  /** Our claim was accepted: appends until this leadership ends. */
  lead(leadership: Leadership<SentBlock>): void;
  /** The leadership is gone. */
  doubt(unaccepted: readonly { readonly height: number }[]): void;
  /** A block that this process built was read back as accepted. */
  accepted(built: BuiltBlock): void;
  /** Something changed: a transaction, an L1 request, an accepted block. */
  workArrived(): void;
  hasWork(): boolean;
  /** Finishes what it has begun, and appends no more. */
  stop(): Promise<void>;
}
