import assert from 'node:assert/strict';
import { delayReads } from '../../src/log/delayedReads.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { eventLogContract, someEntries, take } from '../contracts/eventLog.contract.ts';

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
    const log = delayReads(new MemoryEventLog(), 50);
    await log.append(someEntries(20));
    const startedAt = performance.now();
    await take(log, 0, 20);
    const tookMs = performance.now() - startedAt;
    await log.close();
    assert.ok(tookMs >= 45, `${tookMs} ms`);
    assert.ok(tookMs < 500, `${tookMs} ms`);
  });
});
