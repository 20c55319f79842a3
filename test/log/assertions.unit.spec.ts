/** Each assertion of log-protocol 13 about entries fires; A7, A8 and A12 have their tests beside their implementations. */
import assert from 'node:assert/strict';
import { ZERO_32 } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import {
  SentContents,
  checkDelivered,
  checkFront,
  checkPublished,
  checkQueue,
  checkSealed,
  checkStep,
  slotOf,
} from '../../src/log/assertions.ts';
import { type ChainFold, EMPTY_FOLD } from '../../src/log/chainFold.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { Leadership } from '../../src/log/leadership.ts';
import { EMPTY_SETTLEMENT } from '../../src/log/settlementFold.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  BOOT_ID,
  LOG_ID,
  NODE_ID,
  aBlock,
  aBlockRecord,
  aFriProof,
  aSeal,
  aSnarkProof,
  anEpochStarted,
  anL1Progress,
  filled,
} from '../support/logEntries.ts';

const CLAIM = filled(0x41, 16);

function aFold(changes: Partial<ChainFold> = {}): ChainFold {
  return { ...EMPTY_FOLD, logId: LOG_ID, chain: 270n, epoch: 1n, claim: CLAIM, ...changes };
}

const fires = (name: string) => (error: unknown) =>
  error instanceof NodeError &&
  error.kind === 'invariant' &&
  error.code === 'ASSERTION' &&
  error.message.includes(`(${name})`);

describe('assertions', () => {
  it('A1: heights, epochs and batches are consecutive', () => {
    checkStep(aFold({ height: 1 }), aBlock(2), aFold({ height: 2 }));
    for (const height of [1, 3])
      assert.throws(() => checkStep(aFold({ height: 1 }), aBlock(2), aFold({ height })), fires('A1'));
    checkStep(aFold({ epoch: 0n }), anEpochStarted(), aFold());
    for (const epoch of [1n, 3n])
      assert.throws(() => checkStep(aFold({ epoch: 1n }), anEpochStarted(), aFold({ epoch })), fires('A1'));
    const sealed = (count: number) => ({ ...EMPTY_SETTLEMENT, sealed: count });
    checkSealed(sealed(1), 'BatchSealed', sealed(2));
    checkSealed(sealed(1), 'FriProved', sealed(1));
    for (const [kind, after] of [['BatchSealed', 3] as const, ['BatchSealed', 1] as const, ['L1Progress', 2] as const])
      assert.throws(() => checkSealed(sealed(1), kind, sealed(after)), fires('A1'));
  });

  it('A2: what is accepted has the claim of the owner', () => {
    for (const claim of [filled(9, 16), undefined])
      assert.throws(() => checkStep(aFold(), aBlock(1), aFold({ claim, height: 1 })), fires('A2'));
    assert.throws(() => checkStep(undefined, aSeal(1, [1, 1]), aFold({ claim: filled(9, 16) })), fires('A2'));
  });

  it('A3: nothing is published that is not accepted', () => {
    checkPublished(3, aFold({ height: 3 }));
    assert.throws(() => checkPublished(4, aFold({ height: 3 })), fires('A3'));
  });

  it('A4: the queue is short, and its front is built on what is accepted', () => {
    checkQueue(8, 8);
    assert.throws(() => checkQueue(9, 8), fires('A4'));
    const accepted = aFold({ height: 3, parent: filled(3) });
    checkFront({ height: 4, parent: filled(3) }, accepted);
    assert.throws(() => checkFront({ height: 4, parent: filled(4) }, accepted), fires('A4'));
    assert.throws(() => checkFront({ height: 5, parent: filled(3) }, accepted), fires('A4'));
  });

  it('A5: a slot of a claim has one content, sent as often as need be', () => {
    const sent = new SentContents();
    const [block, other] = [aBlock(1), aBlock(1, { record: aBlockRecord(1, { nodeVersion: 'other' }) })];
    assert.equal(slotOf(block), slotOf(other));
    sent.check(slotOf(block), encodeEntry(block));
    sent.check(slotOf(block), encodeEntry(block));
    assert.throws(() => sent.check(slotOf(other), encodeEntry(other)), fires('A5'));
    sent.check(slotOf(aBlock(2)), encodeEntry(aBlock(2)));
    const slots = [
      ...[aBlock(1), aSeal(1, [1, 1]), aFriProof(1), aSnarkProof(1, 1), anL1Progress([1, 0, 0], 1)],
      ...[aFriProof(1, { replaces: filled(1) }), aFriProof(2), aSnarkProof(1, 1, { replaces: filled(1) })],
    ].map(slotOf);
    assert.equal(new Set(slots).size, slots.length);
    assert.equal(slotOf(aSnarkProof(1, 1)), slotOf(aSnarkProof(1, 2)), 'a range has its place by its first batch');
  });

  it('A5: remembers the newest slots, not all', () => {
    const sent = new SentContents();
    const [one, other] = [encodeEntry(aBlock(1)), encodeEntry(aBlock(2))];
    for (let i = 0; i < 1025; i++) sent.check(`slot ${i}`, one);
    sent.check('slot 0', other);
    assert.throws(() => sent.check('slot 1024', other), fires('A5'));
  });

  it('A6: there is no leadership without an accepted claim, and one that has ended sends nothing', async () => {
    const log = new MemoryEventLog({ clock: new FakeClock() });
    const aLeadership = (fold: ChainFold) =>
      new Leadership<string>(fold, EMPTY_SETTLEMENT, log.openProducer(), {
        nodeId: NODE_ID,
        bootId: BOOT_ID,
        software: { schema: 1, rules: 1 },
        maxAheadBlocks: 8,
        clock: new FakeClock(),
        deadlineMs: () => 2_000,
        onSendFailed: (error) => assert.fail(String(error)),
        onExpired: () => assert.fail('expired'),
      });
    assert.throws(() => aLeadership(EMPTY_FOLD), fires('A6'));
    const leadership = aLeadership(aFold());
    leadership.append({ record: aBlockRecord(1), payload: '' });
    await leadership.end().closed;
    assert.throws(
      () => leadership.append({ record: aBlockRecord(2), payload: '' }),
      (error: unknown) => error instanceof NodeError && error.code === 'NOT_LEADING',
    );
    assert.deepEqual(
      log.visible(0).map(({ key }) => key),
      ['Block/1'],
    );
    await log.close();
  });

  it('A9: an offset that is not the expected one is not delivered', () => {
    checkDelivered(7, 7);
    for (const offset of [6, 8]) assert.throws(() => checkDelivered(offset, 7), fires('A9'));
  });

  it('a first block is built on zero', () => {
    checkFront({ height: 1, parent: ZERO_32 }, EMPTY_FOLD);
  });
});
