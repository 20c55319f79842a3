import assert from 'node:assert/strict';
import { delayReads } from '../../src/log/delayedReads.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { eventLogContract, someEntries, take } from '../contracts/eventLog.contract.ts';
import { FakeClock } from '../support/fakeClock.ts';

eventLogContract(
  'a log with delayed reads',
  async () => {
    const log = delayReads(new MemoryEventLog(), 2);
    return { open: async () => log, dispose: () => log.close() };
  },
  false,
);

describe('delayed reads', () => {
  it('hold every entry back for the delay, not one after the other', async () => {
    const clock = new FakeClock();
    const log = delayReads(new MemoryEventLog(), 50, clock);
    await log.append(someEntries(20));
    const start = clock.now();
    let isTaken = false;
    const taken = take(log, 0, 20).then(() => (isTaken = true));
    while (!isTaken) {
      clock.advance(clock.untilNext ?? 0);
      await new Promise(setImmediate);
    }
    await taken;
    await log.close();
    assert.equal(clock.now() - start, 50);
  });
});
