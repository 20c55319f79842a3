import assert from 'node:assert/strict';
import { SAMPLED_TRANSACTIONS, blockTimes } from '../../src/producers/blockTimes.ts';
import { anAddress, from, fromL1 } from '../support/factories.ts';

describe('blockTimes', () => {
  it('counts from the pool to the seal, and from there to now; L1 transactions were in no pool', () => {
    const transactions = [
      fromL1(),
      { ...from(anAddress(1)), arrivedMs: 400 },
      { ...from(anAddress(2)), arrivedMs: 900 },
    ];
    const executionTimes = [{ totalMs: 4, waitingMs: 1 }];
    assert.deepEqual(blockTimes({ sealedMs: 1_000, transactions, executionTimes }, 1_250), {
      sealedToAccepted: 0.25,
      submittedToSealed: [0.6, 0.1],
      execution: [{ total: 0.004, waiting: 0.001 }],
    });
  });

  it('looks at some of many, from all over the block', () => {
    const count = 10 * SAMPLED_TRANSACTIONS;
    const executionTimes = Array.from({ length: count }, (_, i) => ({ totalMs: i * 1_000, waitingMs: 0 }));
    const { execution } = blockTimes({ sealedMs: 0, transactions: [], executionTimes }, 0);
    assert.equal(execution.length, SAMPLED_TRANSACTIONS);
    assert.deepEqual([execution[0]?.total, execution.at(-1)?.total], [0, count - 10]);
  });
});
