/** Executes an accepted block from its record (spec: execution 1, 2, Replay): any difference from what it promises is an invariant error. */
import { toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { Turns } from '../common/turns.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import { equalBytes, type Bytes } from '../common/bytes.ts';
import { EXECUTION_VERSIONS } from '../protocol/replayRecord.ts';
import type { BlockContext, BlockRecord } from '../protocol/replayRecord.ts';
import { L1_PRIORITY_TYPE, type SenderedTransaction } from '../protocol/transaction.ts';
import { BlockExecution, keysToPrefetch } from '../vm/blockExecution.ts';
import type { LoadedState, MissingKey } from '../vm/loadedState.ts';
import { runTransaction } from '../vm/runTransaction.ts';
import { ReplayErrorCode } from './errors.ts';

/** State before the block, filled on demand. */
export interface ReplayState extends LoadedState {
  missing(keys: readonly MissingKey[]): readonly MissingKey[];
  load(keys: readonly MissingKey[]): Promise<void>;
}

export interface ReplayInput {
  readonly record: BlockRecord;
  /** 256 hashes, oldest first. */
  readonly blockHashes: readonly Bytes[];
  readonly transactions: readonly SenderedTransaction[];
  readonly state: ReplayState;
  /** What the parent says; the record must agree. */
  readonly previousBlockTimestamp: bigint;
  readonly nextL1PriorityId: bigint;
}

/** The keys every transaction of the block surely reads, for one batched read. */
async function prefetch(input: ReplayInput, context: BlockContext): Promise<void> {
  const keys = input.transactions.flatMap((transaction) => keysToPrefetch(transaction, context));
  const missing = input.state.missing(keys);
  if (missing.length > 0) await input.state.load(missing);
}

/** A record that holds such a transaction was written by a broken producer: every node stops at its block. */
export function unreadableTransaction(blockNumber: bigint, cause: Error): NodeError {
  return new NodeError(
    'invariant',
    `Block #${blockNumber}: a transaction of the record cannot be read: ${cause.message}`,
    { code: ReplayErrorCode.undecodable, blockNumber },
    { cause },
  );
}

/**
 * @throws NodeError kind invariant with the code and facts of ReplayErrorCode; the caller dumps and stops. Kind fatal: newer
 * software made the block.
 */
export async function replayBlock(input: ReplayInput): Promise<BlockOutput> {
  const { record, state } = input;
  const context: BlockContext = { ...record.context, blockHashes: input.blockHashes };
  checkExecutionVersion(record);
  checkContinuity(input);
  await prefetch(input, context);
  const execution = new BlockExecution({ context, state });
  const turns = new Turns();
  const driver = {
    load: (keys: readonly MissingKey[]) => state.load(keys),
    turn: () => turns.take(),
    goesOn: () => true,
  };
  for (const transaction of input.transactions) {
    const wait = turns.due();
    if (wait !== undefined) await wait;
    const end = await runTransaction(execution, transaction, driver);
    if (end?.kind === 'included') continue;
    const why = end === undefined ? 'given up' : end.kind === 'rejected' ? end.error : `block limit ${end.reason}`;
    const hash = toHex(transaction.transaction.hash);
    throw new NodeError(
      'invariant',
      `Block #${context.blockNumber}: transaction ${hash} of the record cannot be included: ${why}`,
      {
        code: ReplayErrorCode.transactionRefused,
        blockNumber: context.blockNumber,
        transactionHash: hash,
        reason: why,
      },
    );
  }
  const output = execution.finish();
  if (!equalBytes(output.blockOutputHash, record.blockOutputHash)) {
    const [expected, got] = [toHex(record.blockOutputHash), toHex(output.blockOutputHash)];
    throw new NodeError(
      'invariant',
      `Block #${context.blockNumber} output hash mismatch: expected ${expected}, got ${got}`,
      {
        code: ReplayErrorCode.outputHashMismatch,
        blockNumber: context.blockNumber,
        expected,
        got,
        output,
      },
    );
  }
  return output;
}

/** Other rules could come to the same output hash by chance, and differ in what it does not cover. */
function checkExecutionVersion({ context: { blockNumber, executionVersion } }: BlockRecord): void {
  if (EXECUTION_VERSIONS.includes(executionVersion)) return;
  throw new NodeError(
    'fatal',
    `Block #${blockNumber} has execution version ${executionVersion}, of which this software knows nothing: upgrade this node`,
    { code: ReplayErrorCode.executionVersionUnknown, blockNumber, executionVersion },
  );
}

function checkContinuity({ record, previousBlockTimestamp, nextL1PriorityId, transactions }: ReplayInput): void {
  const { blockNumber } = record.context;
  if (transactions.length === 0) {
    throw new NodeError('invariant', `Block #${blockNumber} has no transactions`, {
      code: ReplayErrorCode.emptyBlock,
      blockNumber,
    });
  }
  if (record.previousBlockTimestamp !== previousBlockTimestamp) {
    throw new NodeError(
      'invariant',
      `Block #${blockNumber}: inconsistent previous block timestamp: record ${record.previousBlockTimestamp}, own ${previousBlockTimestamp}`,
      {
        code: ReplayErrorCode.timestampMismatch,
        blockNumber,
      },
    );
  }
  let next = nextL1PriorityId;
  const ids = transactions
    .filter(({ transaction }) => transaction.type === L1_PRIORITY_TYPE)
    .map(({ transaction }) => transaction.nonce);
  const isContiguous = record.startingL1PriorityId === next && ids.every((id) => id === next++);
  if (!isContiguous) {
    throw new NodeError(
      'invariant',
      `Block #${blockNumber}: priority ids ${ids.join(', ') || '(none)'} with start ${record.startingL1PriorityId} do not continue at ${nextL1PriorityId}`,
      {
        code: ReplayErrorCode.priorityIdGap,
        blockNumber,
      },
    );
  }
}
