/** A stored block as the rpc worker executes it again: decoded from its journal entry. */
import { NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import type { SenderedTransaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import type { TraceableBlock } from '../rpc/traces.ts';
import { decodeJournalEntry } from '../store/journalCodec.ts';
import type { StateService } from './chainWorker.ts';
import type { Remote } from './threadPort.ts';

/** undefined: there is no such block. */
export async function traceableBlock(
  state: Pick<Remote<StateService>, 'blockEntry'>,
  height: number,
): Promise<TraceableBlock | undefined> {
  const stored = await state.blockEntry(height);
  if (stored === undefined) return undefined;
  const { event } = decodeJournalEntry(stored.entry);
  if (event.kind !== 'Block' || event.height !== height)
    throw new NodeError(
      'invariant',
      `the journal entry of block ${height} is another one: run \`reprise rebuild state\``,
      {
        code: 'TRACE_BLOCK_MISPLACED',
        blockNumber: height,
      },
    );
  const turns = new Turns();
  const transactions: SenderedTransaction[] = [];
  for (const [index, raw] of event.record.transactions.entries()) {
    const turn = turns.due();
    if (turn !== undefined) await turn;
    const transaction = decodeTransaction(raw);
    const sender = isL1Transaction(transaction) ? transaction.initiator : event.senders[index];
    if (sender === undefined)
      throw new NodeError('invariant', `block ${height} has no sender for its transaction ${index}`, {
        code: 'TRACE_SENDER_MISSING',
        blockNumber: height,
      });
    transactions.push({ transaction, sender });
  }
  return {
    context: { ...event.record.context, blockHashes: stored.blockHashes },
    transactions,
    outputs: event.output.transactions,
  };
}
