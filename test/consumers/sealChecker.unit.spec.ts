import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { SealChecker, type SettlementAlarm } from '../../src/consumers/sealChecker.ts';
import { type BatchCommitment, type CommitInfo, storedBatchInfo } from '../../src/protocol/batch.ts';
import { storedBatchHash } from '../../src/protocol/storedBatch.ts';
import type { BatchSealed } from '../../src/store/journal.ts';
import { aCommitInfo, filled } from '../support/logEntries.ts';

function commitmentTo(commitInfo: CommitInfo): BatchCommitment {
  const stored = storedBatchInfo(commitInfo);
  return { commitInfo, stored, storedBatchHash: storedBatchHash(stored) };
}

function aSealEvent(batch: number, changes: Partial<BatchSealed> = {}): BatchSealed {
  const commitInfo = aCommitInfo({ batchNumber: BigInt(batch), chainAddress: filled(3, 20) });
  return {
    kind: 'BatchSealed',
    position: batch,
    batch,
    firstBlock: batch,
    lastBlock: batch,
    storedBatchHash: commitmentTo(commitInfo).storedBatchHash,
    reason: 'timeout',
    commitInfo,
    ...changes,
  };
}

function setup(seals: readonly (BatchSealed | undefined)[]) {
  const abort = new AbortController();
  const alarms: (SettlementAlarm | undefined)[] = [];
  const asked: number[] = [];
  const checker = new SealChecker({
    assembly: {
      commitment: async ({ batch }, chainAddress) => {
        asked.push(batch);
        if (batch === 66) throw new Error('the disk is gone');
        if (batch === 8 && asked.length === 1) throw new NodeError('retryable', 'a moment', { code: 'STORE_IO' });
        if (batch === 7 && asked.length < 3) throw new NodeError('retryable', 'the disk is slow', { code: 'STORE_IO' });
        return commitmentTo(aCommitInfo({ batchNumber: BigInt(batch), chainAddress }));
      },
    },
    seal: async (batch) => seals[batch - 1],
    logger: silentLogger,
    onAlarm: (alarm) => alarms.push(alarm),
    signal: abort.signal,
  });
  return { abort, alarms, asked, checker };
}

describe('sealChecker', () => {
  it('recomputes every seal once, in order', async () => {
    const { checker, asked, alarms } = setup(Array.from({ length: 5 }, (_, i) => aSealEvent(i + 1)));
    checker.moved({ sealed: 2, executed: 0 });
    checker.moved({ sealed: 3, executed: 0 });
    await checker.closed();
    checker.moved({ sealed: 5, executed: 4 });
    await checker.closed();
    assert.deepEqual(asked, [1, 2, 3, 4, 5]);
    assert.equal(checker.checked, 5);
    assert.deepEqual(alarms, []);
  });

  it('begins behind what L1 has executed after a start', async () => {
    const { checker, asked } = setup(Array.from({ length: 5 }, (_, i) => aSealEvent(i + 1)));
    checker.restore({ sealed: 5, executed: 3 });
    await checker.closed();
    assert.deepEqual(asked, [4, 5]);
  });

  it('raises an alarm for every kind of difference, which ends when L1 has executed the batch', async () => {
    const good = aSealEvent(1);
    const wrong: readonly (readonly [BatchSealed | undefined, RegExp])[] = [
      [aSealEvent(1, { storedBatchHash: filled(1) }), /0x(01){32}.*different: storedBatchHash/],
      [
        aSealEvent(1, { commitInfo: { ...good.commitInfo, firstBlockTimestamp: 1n } }),
        /different: firstBlockTimestamp, hash of the commit info/,
      ],
      [aSealEvent(1, { commitInfo: { ...good.commitInfo, upgradeTxHash: filled(7) } }), /different: upgradeTxHash/],
      [undefined, /batch 1 is not in the chain store/],
    ];
    for (const [seal, text] of wrong) {
      const { checker, alarms } = setup([seal, aSealEvent(2)]);
      checker.moved({ sealed: 2, executed: 0 });
      await checker.closed();
      assert.equal(checker.checked, 2, 'later seals are recomputed all the same');
      assert.equal(alarms.length, 1);
      assert.match(alarms[0]?.text ?? '', text);
      assert.equal(checker.alarm?.batch, 1);
      checker.moved({ sealed: 2, executed: 1 });
      assert.equal(checker.alarm, undefined);
      assert.deepEqual(alarms.slice(1), [undefined]);
    }
  });

  it('knows no chain address of its own: that of the seal is no difference', async () => {
    const commitInfo = aCommitInfo({ chainAddress: filled(9, 20) });
    const { checker } = setup([
      aSealEvent(1, { commitInfo, storedBatchHash: commitmentTo(commitInfo).storedBatchHash }),
    ]);
    checker.moved({ sealed: 1, executed: 0 });
    await checker.closed();
    assert.equal(checker.alarm, undefined);
  });

  it('names what keeps it from comparing', async () => {
    const seals = Array.from({ length: 66 }, (_, i) => aSealEvent(i + 1));
    const { checker } = setup(seals);
    checker.restore({ sealed: 66, executed: 65 });
    await checker.closed();
    assert.equal(checker.alarm?.code, 'SEAL_NOT_CHECKED');
    assert.match(checker.alarm.text, /batch 66 .*the disk is gone/);
  });

  it('tries again what may pass, and ends the alarm then', async () => {
    const { checker, asked, alarms } = setup(Array.from({ length: 7 }, (_, i) => aSealEvent(i + 1)));
    checker.restore({ sealed: 7, executed: 6 });
    await checker.closed();
    assert.equal(checker.alarm?.code, 'SEAL_NOT_CHECKED');
    for (let i = 0; i < 2; i++) {
      checker.moved({ sealed: 7, executed: 6 });
      await checker.closed();
    }
    assert.deepEqual(asked, [7, 7, 7]);
    assert.equal(checker.alarm, undefined);
    assert.equal(alarms.length, 2);
    assert.equal(checker.checked, 7);
  });

  it('names what is wrong once it knows, though it could not compare before', async () => {
    const seals = Array.from({ length: 8 }, (_, i) => aSealEvent(i + 1, { storedBatchHash: filled(1) }));
    const { checker, alarms } = setup(seals);
    checker.restore({ sealed: 8, executed: 7 });
    await checker.closed();
    assert.equal(checker.alarm?.code, 'SEAL_NOT_CHECKED');
    checker.moved({ sealed: 8, executed: 7 });
    await checker.closed();
    assert.equal(checker.alarm.code, 'SEAL_WRONG');
    assert.equal(alarms.at(-1)?.code, 'SEAL_WRONG');
  });

  it('shows the next wrong batch when L1 has executed the first', async () => {
    const { checker, alarms } = setup([1, 2, 3].map((batch) => aSealEvent(batch, { storedBatchHash: filled(1) })));
    checker.moved({ sealed: 3, executed: 0 });
    await checker.closed();
    assert.equal(checker.alarm?.batch, 1);
    checker.moved({ sealed: 3, executed: 2 });
    assert.equal(checker.alarm.batch, 3);
    checker.moved({ sealed: 3, executed: 3 });
    assert.equal(checker.alarm, undefined);
    assert.deepEqual(
      alarms.map((alarm) => alarm?.batch),
      [1, 3, undefined],
    );
  });

  it('compares a seal that comes at the very moment when it is done with the one before', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { checker, asked } = setup([aSealEvent(1), aSealEvent(2)]);
      checker.moved({ sealed: 1, executed: 0 });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      checker.moved({ sealed: 2, executed: 0 });
      await checker.closed();
      assert.deepEqual(asked, [1, 2], `after ${turns} turns`);
    }
  });

  it('stops with the node', async () => {
    const { checker, abort, alarms } = setup([undefined]);
    abort.abort();
    checker.moved({ sealed: 1, executed: 0 });
    await checker.closed();
    assert.equal(checker.checked, 0);
    assert.deepEqual(alarms, []);
  });
});
