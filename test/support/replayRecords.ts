/** A chain of replay records that follow each other; what is in their blocks does not matter. */
import { keccak256 } from '../../src/common/hash.ts';
import { nextBlockHashes } from '../../src/protocol/blockHeader.ts';
import { BLOCK_1_BLOCK_HASHES } from '../../src/protocol/genesis.ts';
import type { ReplayRecord } from '../../src/protocol/replayRecord.ts';
import { aBlockContext, anL1Transaction } from './factories.ts';

export interface ChainedRecord {
  readonly record: ReplayRecord;
  /** Of this block. */
  readonly blockHash: Uint8Array;
}

/** Blocks 1 to `count`; every third has an L1 transaction. `salt` makes another history of the same chain. */
export function chainOfRecords(count: number, salt = 0): ChainedRecord[] {
  const chain: ChainedRecord[] = [];
  let blockHashes = BLOCK_1_BLOCK_HASHES;
  let startingL1PriorityId = 0n;
  for (let height = 1; height <= count; height++) {
    const transactions = height % 3 === 0 ? [anL1Transaction({ nonce: startingL1PriorityId }).raw] : [Uint8Array.of(2)];
    const blockHash = keccak256(Uint8Array.of(salt, height & 0xff, height >> 8));
    chain.push({
      blockHash,
      record: {
        context: aBlockContext({ blockNumber: BigInt(height), timestamp: BigInt(1_000 + height), blockHashes }),
        startingL1PriorityId,
        transactions,
        previousBlockTimestamp: height === 1 ? 0n : BigInt(999 + height),
        nodeVersion: '0.1.0',
        blockOutputHash: keccak256(blockHash),
      },
    });
    blockHashes = nextBlockHashes(blockHashes, blockHash);
    if (height % 3 === 0) startingL1PriorityId += 1n;
  }
  return chain;
}
