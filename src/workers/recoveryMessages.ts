/** What the recovery client and its workers say to each other: a batch travels as one buffer each way. */
import type { Bytes } from '../common/bytes.ts';
import type { ErrorFacts, ErrorKind } from '../common/errors.ts';

export const ADDRESS_BYTES = 20;
export const HASH_BYTES = 32;

export interface RecoveryRequest {
  readonly id: number;
  /** The encodings of the batch, one after the other. */
  readonly bytes: Bytes;
  readonly lengths: readonly number[];
  /** keccak256 of each, one after the other. */
  readonly hashes: Bytes;
}

export interface RecoveryFailure {
  /** Position in the batch. */
  readonly index: number;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly facts: ErrorFacts;
}

export interface RecoveryAnswer {
  readonly id: number;
  /** 20 bytes per transaction of the batch; of those that failed zero. */
  readonly senders: Bytes;
  readonly failures: readonly RecoveryFailure[];
}
