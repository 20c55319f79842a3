import assert from 'node:assert/strict';
import { type Bytes, ZERO_32, ZERO_ADDRESS } from '../../src/common/bytes.ts';
import {
  BATCH_NATIVE_MAX,
  BATCH_PUBDATA_BYTES_MAX,
  type BatchBlock,
  type BlockResources,
  EMPTY_BATCH,
  batchBlock,
  batchCommitment,
  sealReason,
} from '../../src/protocol/batch.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { LOG_TREE_SIZE } from '../../src/protocol/logTree.ts';
import { anL1Transaction } from '../support/factories.ts';
import { filled } from '../support/logEntries.ts';
import { aJournal } from '../projections/journalFactory.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof ProtocolError && error.code === code;

function someResources(changes: Partial<BlockResources> = {}): BlockResources {
  return { native: 1n, pubdataBytes: 1, logs: 0, executionVersion: 3, ...changes };
}

/** Of a block with these transactions; the output is that of any block. */
function blockOf(...transactions: readonly Bytes[]): BatchBlock {
  const [, entry] = aJournal({ blocks: 1, seed: 1 });
  assert.ok(entry?.event.kind === 'Block');
  const { context } = entry.event.record;
  return batchBlock({ context, startingL1PriorityId: 7n, transactions }, entry.event.output);
}

function commitmentOf(...blocks: readonly BatchBlock[]) {
  return batchCommitment({
    batchNumber: 1n,
    blocks,
    lastBlockNumber: BigInt(blocks.length),
    tree: { root: filled(1), leafCount: 2 },
    blockHashes: Array.from({ length: 256 }, () => ZERO_32),
    chainId: 270n,
    chainAddress: ZERO_ADDRESS,
  }).commitInfo;
}

describe('protocol/batch', () => {
  it('takes into an empty batch any block that L1 can settle at all, whatever the limits', () => {
    const limits = { blocks: 1, native: 1n, pubdataBytes: 1, logs: 1 };
    const largest = { native: BATCH_NATIVE_MAX, pubdataBytes: BATCH_PUBDATA_BYTES_MAX, logs: LOG_TREE_SIZE };
    assert.equal(sealReason(EMPTY_BATCH, someResources(largest), limits), undefined);
    for (const change of [
      { native: BATCH_NATIVE_MAX + 1n },
      { pubdataBytes: BATCH_PUBDATA_BYTES_MAX + 1 },
      { logs: LOG_TREE_SIZE + 1 },
    ])
      assert.throws(
        () => sealReason(EMPTY_BATCH, someResources(change), limits),
        hasCode('BATCH_BLOCK_TOO_LARGE'),
        Object.keys(change).join(),
      );
  });

  it('takes the operations of a block by their kind, and tells L1 of the upgrade', () => {
    const [operation, upgrade] = [anL1Transaction(), anL1Transaction({ type: 0x7e })];
    const first = blockOf(upgrade.raw, operation.raw);
    assert.deepEqual(first.priorityHashes, [operation.hash]);
    assert.deepEqual(first.upgradeHash, upgrade.hash);
    assert.equal(first.firstPriorityId, 7n);
    const second = blockOf(operation.raw);
    assert.equal(second.upgradeHash, undefined);
    const info = commitmentOf(first, second);
    assert.deepEqual(info.upgradeTxHash, upgrade.hash);
    assert.equal(info.numberOfLayer1Txs, 2n, 'an upgrade is none of them');
    assert.equal(commitmentOf(second).upgradeTxHash, undefined);
  });

  it('commits to one upgrade only', () => {
    const [one, other] = [0n, 1n].map((nonce) => anL1Transaction({ type: 0x7e, nonce }).raw);
    assert.ok(one !== undefined && other !== undefined);
    assert.throws(() => blockOf(one, other), hasCode('BATCH_UPGRADE_TWICE'));
    assert.throws(() => commitmentOf(blockOf(one), blockOf(other)), hasCode('BATCH_UPGRADE_TWICE'));
    assert.throws(() => commitmentOf(), hasCode('BATCH_EMPTY'));
  });
});
