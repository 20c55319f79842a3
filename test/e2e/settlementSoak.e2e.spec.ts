import assert from 'node:assert/strict';
import { settlementSoak } from '../soak/settlementSoak.ts';

describe('settlement projections of a main and an external node, killed and rebuilt under load', function () {
  this.timeout(240_000);

  it('equal a naive fold of the log', async () => {
    const { blocks, batches, executed, operations, messages, inserts, updates, writesPerBlockMax, troubles } =
      await settlementSoak({ blocks: 200, seed: 1, troubleEvery: 30, report: () => undefined });
    assert.ok(
      blocks >= 200 && batches > 10 && executed > 0,
      `${blocks} blocks, ${batches} batches, ${executed} executed`,
    );
    assert.ok(operations > 8 && messages > 10, `${operations} operations, ${messages} logs`);
    assert.ok(inserts > 1_000 && updates > 1_000, `${inserts} inserts, ${updates} updates`);
    assert.ok(writesPerBlockMax > 100 && writesPerBlockMax <= 200, `${writesPerBlockMax} writes`);
    for (const [trouble, count] of Object.entries(troubles)) assert.ok(count > 0, `${trouble} never happened`);
  });
});
