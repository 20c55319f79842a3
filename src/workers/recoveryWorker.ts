/** Thread that decodes transactions and recovers their senders in batches (design.md 4). Protocol: recoveryMessages.ts. */
import { parentPort } from 'node:worker_threads';
import { type ErrorFacts, NodeError, errorText } from '../common/errors.ts';
import { recoverSender } from '../producers/senderRecovery.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import {
  ADDRESS_BYTES,
  HASH_BYTES,
  type RecoveryAnswer,
  type RecoveryFailure,
  type RecoveryRequest,
} from './recoveryMessages.ts';

const port = parentPort;
if (port === null)
  throw new NodeError('invariant', 'recoveryWorker runs only as a worker thread', { code: 'NOT_A_WORKER' });

port.on('message', ({ id, bytes, lengths, hashes }: RecoveryRequest) => {
  const senders = new Uint8Array(lengths.length * ADDRESS_BYTES);
  const failures: RecoveryFailure[] = [];
  let offset = 0;
  lengths.forEach((length, index) => {
    const raw = bytes.subarray(offset, offset + length);
    offset += length;
    try {
      const transaction = decodeTransaction(raw, hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
      const sender = isL1Transaction(transaction) ? transaction.initiator : recoverSender(transaction);
      senders.set(sender, index * ADDRESS_BYTES);
    } catch (error) {
      failures.push(toFailure(index, error));
    }
  });
  const answer: RecoveryAnswer = { id, senders, failures };
  port.postMessage(answer, [senders.buffer]);
});

function toFailure(index: number, error: unknown): RecoveryFailure {
  if (!(error instanceof NodeError)) {
    return { index, kind: 'invariant', message: errorText(error), facts: { code: 'RECOVERY_FAILED' } };
  }
  const { kind, message } = error;
  const facts: ErrorFacts = { ...(error.facts as ErrorFacts) }; // instanceof leaves the type of the facts open
  return { index, kind, message, facts };
}
