/** `reprise replay <from> [to]`: executes stored blocks again from stored state and compares everything they gave. */
import { type Bytes, equalBytes, toHex } from '../common/bytes.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { replayBlock } from '../consumers/replayBlock.ts';
import { encodeJournalEntry } from '../store/journalCodec.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import type { ChainStore } from '../store/chainStore.ts';
import type { CanonicalBlock } from '../store/journal.ts';
import { StateCache } from '../store/stateCache.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, openChain, print, progressOf } from './offline.ts';

export async function replay(
  options: GlobalOptions & { readonly json: boolean },
  fromText: string,
  toText: string | undefined,
): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const { chain } = await openChain(config);
  try {
    const last = chain.head?.height ?? 0;
    const [from, to] = [blockNumber(fromText), toText === undefined ? last : blockNumber(toText)];
    if (from < 1 || to < from || to > last) {
      throw new NodeError('fatal', `replay needs 1 <= from <= to <= ${last}, the newest stored block`, {
        code: 'ARGUMENT_INVALID',
      });
    }
    const progress = progressOf('replaying', 'blocks', options.json);
    let replayed = 0;
    try {
      for (let height = from; height <= to && !signal.aborted; height++) {
        const difference = await replayStoredBlock(chain, height);
        if (difference !== undefined) {
          print(options.json, { block: height, difference }, `block ${height}: ${difference}`);
          return 1;
        }
        replayed += 1;
        progress.update(replayed, to - from + 1);
      }
    } finally {
      progress.stop();
    }
    if (from + replayed <= to)
      throw new NodeError(
        'retryable',
        `interrupted: ${replayed === 0 ? 'no block was' : `the blocks from ${from} to ${from + replayed - 1} are equal, the rest was not`} compared`,
        { code: 'INTERRUPTED' },
      );
    print(
      options.json,
      { from, to, replayed, equal: true },
      `${replayed} blocks from ${from} to ${from + replayed - 1} replayed: output hashes, receipts and writes are equal`,
    );
    return 0;
  } finally {
    await chain.close();
  }
}

/** The first difference, as text. */
async function replayStoredBlock(chain: ChainStore, height: number): Promise<string | undefined> {
  const block = await chain.block(height);
  if (block === undefined) return 'is not stored';
  const output = await executeStored(chain, block).catch((error: unknown) => {
    if (error instanceof NodeError && error.kind === 'invariant') return errorText(error);
    throw error;
  });
  return typeof output === 'string' ? output : firstDifference(block, output);
}

export async function executeStored(chain: ChainStore, block: CanonicalBlock): Promise<BlockOutput> {
  const before = block.height - 1;
  const parent = before === 0 ? undefined : await chain.block(before);
  const transactions = block.record.transactions.map((raw, index) => {
    const transaction = decodeTransaction(raw);
    return {
      transaction,
      sender: isL1Transaction(transaction) ? transaction.initiator : (block.senders[index] ?? new Uint8Array(20)),
    };
  });
  return replayBlock({
    record: block.record,
    blockHashes: await chain.blockHashesBefore(block.height),
    transactions,
    state: stateAfter(chain, before),
    previousBlockTimestamp: parent?.record.context.timestamp ?? 0n,
    nextL1PriorityId: block.record.startingL1PriorityId,
  });
}

/** State after a block, from the history in the store. */
export function stateAfter(chain: ChainStore, height: number) {
  return new StateCache({ readState: (keys) => chain.readStateAt(keys, height) }).view([]);
}

function firstDifference(block: CanonicalBlock, output: BlockOutput): string | undefined {
  const stored = block.output;
  const count = Math.max(stored.transactions.length, output.transactions.length);
  const encode = (outputs: BlockOutput): Bytes =>
    encodeJournalEntry({ index: 0, event: { ...block, output: outputs } });
  if (equalBytes(encode(stored), encode(output))) return undefined;
  for (let i = 0; i < count; i++) {
    const [a, b] = [stored.transactions[i], output.transactions[i]];
    const same =
      a !== undefined &&
      b !== undefined &&
      equalBytes(encode({ ...stored, transactions: [a] }), encode({ ...stored, transactions: [b] }));
    if (!same)
      return `transaction ${i} gave another result (stored gas ${a?.gasUsed}, now ${b?.gasUsed}; stored success ${a?.success}, now ${b?.success})`;
  }
  for (let i = 0; i < Math.max(stored.writes.length, output.writes.length); i++) {
    const [a, b] = [stored.writes[i], output.writes[i]];
    if (a === undefined || b === undefined || !equalBytes(a.flatKey, b.flatKey) || !equalBytes(a.value, b.value)) {
      return `storage write ${i}: stored ${a === undefined ? 'none' : `${toHex(a.flatKey)} = ${toHex(a.value)}`}, now ${b === undefined ? 'none' : `${toHex(b.flatKey)} = ${toHex(b.value)}`}`;
    }
  }
  return 'header, preimages or pubdata differ';
}

function blockNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new NodeError('fatal', `${text} is not a block number`, { code: 'ARGUMENT_INVALID' });
  return Number(text);
}
