/** `reprise reproduce <dump>`: runs the block of a dump again, from stored state: the same error, or success with a fixed build. */
import type { Bytes } from '../common/bytes.ts';
import { errorText, NodeError } from '../common/errors.ts';
import { readBlockDump } from '../consumers/blockDump.ts';
import { replayBlock, unreadableTransaction } from '../consumers/replayBlock.ts';
import { recoverSender } from '../producers/senderRecovery.ts';
import { L1_PRIORITY_TYPE, type SenderedTransaction, isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { BlockExecution } from '../vm/blockExecution.ts';
import { runTransaction } from '../vm/runTransaction.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { openChain, print } from './offline.ts';
import { stateAfter } from './replay.ts';

export async function reproduce(options: GlobalOptions & { readonly json: boolean }, path: string): Promise<number> {
  const { config } = configure(options);
  const dump = readBlockDump(path);
  const { chain } = await openChain(config);
  try {
    const height = Number(dump.context.blockNumber);
    const head = chain.head?.height ?? -1;
    if (head < height - 1) {
      throw new NodeError(
        'fatal',
        `the dump is of block ${height}, but this data folder ends at block ${head}: use the one the dump was made with`,
        { code: 'STATE_NOT_HELD' },
      );
    }
    const error = await run(dump, stateAfter(chain, height - 1));
    const isSame = error === dump.error;
    const text =
      error === undefined
        ? `block ${height} runs without an error now (the dump has: ${dump.error})`
        : isSame
          ? `block ${height} fails as in the dump: ${error}`
          : `block ${height} fails otherwise: ${error}\n  the dump has: ${dump.error}`;
    print(options.json, { block: height, error, isSame, dumped: dump.error }, text);
    return error === undefined ? 0 : 1;
  } finally {
    await chain.close();
  }
}

async function run(
  dump: ReturnType<typeof readBlockDump>,
  state: ReturnType<typeof stateAfter>,
): Promise<string | undefined> {
  try {
    const transactions = dump.transactions.map((raw) => readTransaction(raw, dump.context.blockNumber));
    const { record, context } = dump;
    if (record !== undefined) {
      const { startingL1PriorityId, previousBlockTimestamp } = record;
      await replayBlock({
        record,
        blockHashes: context.blockHashes,
        transactions,
        state,
        previousBlockTimestamp,
        nextL1PriorityId: startingL1PriorityId,
      });
      return undefined;
    }
    // The block was being built when it failed: there is no record to compare with.
    const execution = new BlockExecution({ context, state });
    const driver = {
      load: (keys: Parameters<typeof state.load>[0]) => state.load(keys),
      turn: () => Promise.resolve(),
      goesOn: () => true,
    };
    for (const transaction of transactions) {
      const end = await runTransaction(execution, transaction, driver);
      if (end?.kind === 'full' && transactions.length === 1)
        return `${L1_PRIORITY_TYPE === transaction.transaction.type ? 'L1 transaction' : 'transaction'} does not fit even alone: ${end.reason}`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof NodeError && error.kind === 'invariant') return errorText(error);
    throw error;
  }
}

function readTransaction(raw: Bytes, blockNumber: bigint): SenderedTransaction {
  try {
    const transaction = decodeTransaction(raw);
    return { transaction, sender: isL1Transaction(transaction) ? transaction.initiator : recoverSender(transaction) };
  } catch (error) {
    if (error instanceof NodeError && error.kind === 'fatal') throw unreadableTransaction(blockNumber, error);
    throw error;
  }
}
