/** Whether a record that came from another node continues this chain (spec: replay-record 1, 4, 5). Pure. */
import { type Bytes, equalBytes, toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { BLOCK_HASHES_LENGTH } from '../protocol/blockHeader.ts';
import type { ReplayRecord } from '../protocol/replayRecord.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';

/** What the next record must say. */
export interface ExpectedRecord {
  readonly chainId: bigint;
  readonly height: number;
  /** The block before it is one of this node, executed; else the record before it was received a moment ago. */
  readonly isAfterOwn: boolean;
  /** Oldest first; undefined at the end: the hash of a block that is not executed here yet. */
  readonly blockHashes: readonly (Bytes | undefined)[];
  readonly previousTimestamp: bigint;
  readonly nextL1PriorityId: bigint;
}

/**
 * Throws a NodeError. fatal: REPLAY_OTHER_CHAIN, REPLAY_FORK. retryable, as the connection or the server is at fault:
 * REPLAY_OUT_OF_ORDER, REPLAY_NOT_CONTINUOUS.
 */
export function checkContinuity(record: ReplayRecord, expected: ExpectedRecord, server: string): void {
  const { context } = record;
  const { height } = expected;
  if (context.chainId !== expected.chainId)
    throw new NodeError(
      'fatal',
      `the replay server ${server} serves chain ${context.chainId}, this node is configured for chain ${expected.chainId}: check sequencer_block_replay_download_address and genesis_chain_id`,
      { code: 'REPLAY_OTHER_CHAIN', found: context.chainId, expected: expected.chainId },
    );
  if (context.blockNumber !== BigInt(height))
    throw new NodeError(
      'retryable',
      `the replay server ${server} sent block ${context.blockNumber} where block ${height} comes next`,
      { code: 'REPLAY_OUT_OF_ORDER', found: context.blockNumber, expected: height },
    );
  for (let i = 0; i < BLOCK_HASHES_LENGTH; i++) {
    const [known, found] = [expected.blockHashes[i], context.blockHashes[i]];
    if (known === undefined || (found !== undefined && equalBytes(known, found))) continue;
    if (!expected.isAfterOwn)
      throw notContinuous(
        server,
        height,
        `hash of block ${height - BLOCK_HASHES_LENGTH + i}`,
        found && toHex(found),
        toHex(known),
      );
    throw new NodeError(
      'fatal',
      `block ${height} of the replay server ${server} does not follow the blocks of this node: for block ${height - BLOCK_HASHES_LENGTH + i} it has ${found && toHex(found)}, here it is ${toHex(known)}. It serves another chain, or a history that was replaced: name the right server, or delete this node's data folder to follow that one`,
      { code: 'REPLAY_FORK', blockNumber: height },
    );
  }
  if (record.previousBlockTimestamp !== expected.previousTimestamp)
    throw notContinuous(
      server,
      height,
      'previous timestamp',
      record.previousBlockTimestamp,
      expected.previousTimestamp,
    );
  if (record.startingL1PriorityId !== expected.nextL1PriorityId)
    throw notContinuous(server, height, 'L1 priority id', record.startingL1PriorityId, expected.nextL1PriorityId);
}

function notContinuous(server: string, height: number, what: string, found: unknown, expected: unknown): NodeError {
  return new NodeError(
    'retryable',
    `block ${height} of the replay server ${server} does not follow block ${height - 1}: its ${what} is ${String(found)}, not ${String(expected)}`,
    { code: 'REPLAY_NOT_CONTINUOUS', blockNumber: height },
  );
}

/** After a record that was taken: its own block hash is not known before it is executed. */
export function expectedAfter(record: ReplayRecord, { chainId, height }: ExpectedRecord): ExpectedRecord {
  const { context, transactions, startingL1PriorityId } = record;
  return {
    chainId,
    height: height + 1,
    isAfterOwn: false,
    blockHashes: [...context.blockHashes.slice(1), undefined],
    previousTimestamp: context.timestamp,
    nextL1PriorityId: startingL1PriorityId + BigInt(transactions.filter((raw) => raw[0] === L1_PRIORITY_TYPE).length),
  };
}
