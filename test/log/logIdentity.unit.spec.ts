import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import { encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { type Checkpoint, checkLogIdentity, decodeCheckpoint, encodeCheckpoint } from '../../src/log/logIdentity.ts';
import { LOG_ID, NODE_ID, aBlock, aGenesis, filled } from '../support/logEntries.ts';

const isReplaced = (error: unknown): boolean =>
  error instanceof NodeError && error.code === 'LOG_REPLACED' && error.kind === 'fatal';

const fold: ChainFold = {
  logId: LOG_ID,
  chain: 270n,
  rules: 1,
  epoch: 2n ** 64n - 1n,
  claim: filled(7, 16),
  height: 2 ** 40,
  parent: filled(9),
  leaderNodeId: NODE_ID,
};
const settlement = { sealed: 9, committed: 7, proved: 5, executed: 4, l1Block: 2n ** 64n - 1n };
const garbage = { schema: 1, key: 'garbage', bytes: filled(0xff, 40) };
const entries = [garbage, encodeEntry(aGenesis()), encodeEntry(aBlock(1)), encodeEntry(aBlock(2))];

function logOf(list: typeof entries): MemoryEventLog {
  const log = new MemoryEventLog();
  for (const entry of list) log.write(entry);
  return log;
}

function checkpointAt(position: number, logId = LOG_ID): Checkpoint {
  const entry = entries[position];
  assert.ok(entry !== undefined);
  return { logId, position, entryHash: entryHash(entry.schema, entry.bytes), fold, settlement };
}

describe('logIdentity', () => {
  it('keeps a checkpoint whole', () => {
    for (const state of [fold, EMPTY_FOLD]) {
      const checkpoint = { ...checkpointAt(2), fold: state };
      assert.deepEqual(decodeCheckpoint(encodeCheckpoint(checkpoint)), checkpoint);
    }
  });

  it('refuses a damaged checkpoint', () => {
    const bytes = encodeCheckpoint(checkpointAt(1));
    const isDamaged = (error: unknown): boolean => error instanceof NodeError && error.code === 'CHECKPOINT_DAMAGED';
    assert.throws(() => decodeCheckpoint(bytes.subarray(0, 60)), isDamaged);
    assert.throws(() => decodeCheckpoint(Uint8Array.from([...bytes, 1])), isDamaged);
  });

  it('refuses the checkpoint of an older format, which has no state of settlement', () => {
    const bytes = encodeCheckpoint(checkpointAt(1));
    for (const format of [1, 9]) {
      assert.throws(
        () => decodeCheckpoint(Uint8Array.from([...bytes].with(3, format))),
        (error: unknown) => error instanceof NodeError && error.code === 'CHECKPOINT_FORMAT' && error.kind === 'fatal',
      );
    }
  });

  it('holds the claim, so that a late block of an earlier epoch does not count after a restart (T8)', () => {
    const state: ChainFold = { ...fold, epoch: 2n, height: 0, parent: new Uint8Array(32) };
    const restarted = decodeCheckpoint(encodeCheckpoint({ ...checkpointAt(1), fold: state })).fold;
    const software = { schema: 1, rules: 1 };
    const late = foldChain(restarted, aBlock(1, { epoch: 1n, claim: filled(6, 16) }), software);
    assert.deepEqual([late.verdict, late.rejectedClass], ['rejected', 'stale']);
    assert.equal(foldChain(restarted, aBlock(1, { epoch: 2n, claim: filled(7, 16) }), software).verdict, 'accepted');
  });

  it('passes the log it was taken from, also when that grew', async () => {
    await checkLogIdentity(logOf(entries), undefined);
    await checkLogIdentity(logOf([]), undefined);
    for (const position of [1, 2, 3]) await checkLogIdentity(logOf(entries), checkpointAt(position));
  });

  it('stops at an empty, truncated, regrown or other log, and at deleted history (T14)', async () => {
    const checkpoint = checkpointAt(3);
    await assert.rejects(checkLogIdentity(logOf([]), checkpoint), isReplaced);
    await assert.rejects(checkLogIdentity(logOf(entries.slice(0, 3)), checkpoint), isReplaced);
    await assert.rejects(
      checkLogIdentity(logOf(entries.with(3, encodeEntry(aBlock(2, { epoch: 9n })))), checkpoint),
      isReplaced,
    );
    await assert.rejects(checkLogIdentity(logOf(entries.with(3, { ...garbage, schema: 2 })), checkpoint), isReplaced);
    await assert.rejects(checkLogIdentity(logOf(entries), checkpointAt(3, filled(0x77, 16))), isReplaced);
    await assert.rejects(checkLogIdentity(logOf(entries.with(1, garbage)), checkpoint), isReplaced, 'no Genesis');
    const log = logOf(entries);
    const trimmed = {
      start: async () => 2,
      end: () => log.end(),
      entryAt: (position: number) => log.entryAt(position),
    };
    await assert.rejects(checkLogIdentity(trimmed, checkpoint), isReplaced);
  });
});
