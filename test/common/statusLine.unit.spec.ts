import assert from 'node:assert/strict';
import { silentLogger } from '../../src/common/logger.ts';
import { startStatusLine, statusLine } from '../../src/common/statusLine.ts';
import type { StatusLineSample } from '../../src/common/statusLine.ts';
import { FakeClock } from '../support/fakeClock.ts';

const sample = (changes: Partial<StatusLineSample> = {}): StatusLineSample => ({
  role: 'main',
  isLeading: true,
  logHead: 100,
  height: 100,
  transactions: 1_000,
  pendingTransactions: 0,
  sealedBatch: 0,
  executedBatch: 0,
  alarms: [],
  ...changes,
});

describe('status line', () => {
  it('says role, head and speed', () => {
    const after = sample({ logHead: 140, height: 140, transactions: 41_000, pendingTransactions: 12 });
    assert.equal(
      statusLine(sample(), after, 10_000),
      'main, leading | block 140 | 4.0 blocks/s | 4.0k tx/s | 12 tx pending',
    );
  });

  it('says which batch is sealed, which executed, and what is wrong with settlement', () => {
    const line = (changes: Partial<StatusLineSample>): string => statusLine(sample(), sample(changes), 10_000);
    assert.equal(line({ sealedBatch: 7 }), 'main, leading | block 100 | 0 blocks/s | 0 tx/s | batch 7 sealed');
    assert.match(line({ sealedBatch: 7, executedBatch: 5 }), / \| batch 7 sealed, 5 executed$/);
    assert.match(line({ alarms: ['L1 ALARM: a', 'SETTLEMENT ALARM: b'] }), / \| L1 ALARM: a \| SETTLEMENT ALARM: b$/);
  });

  it('says how long catching up takes when it gains on the head', () => {
    const before = sample({ role: 'external', isLeading: undefined, logHead: 1_000, height: 0 });
    const after = sample({ role: 'external', isLeading: undefined, logHead: 1_010, height: 510, transactions: 1_000 });
    assert.equal(
      statusLine(before, after, 10_000),
      'external | block 510 | 500 behind | 51.0 blocks/s | 0 tx/s | caught up in 10 s',
    );
    const falling = statusLine(before, { ...before, logHead: 1_100, height: 5 }, 10_000);
    assert.equal(falling, 'external | block 5 | 1095 behind | 0.5 blocks/s | 0 tx/s');
    assert.match(statusLine(sample(), sample({ isLeading: false }), 0), /^main, waiting \| block 100 \| 0 blocks\/s/);
  });

  it('is logged every ten seconds until the end', () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const lines: unknown[] = [];
    let height = 0;
    startStatusLine({
      sample: () => sample({ height: height++ }),
      logger: { ...silentLogger, info: (line: unknown) => lines.push(line) },
      signal: controller.signal,
      clock,
    });
    clock.advance(9_999);
    assert.equal(lines.length, 0);
    clock.advance(20_001);
    assert.equal(lines.length, 3);
    assert.match(String(lines[2]), /block 3/);
    controller.abort();
    assert.equal(clock.untilNext, undefined);
    clock.advance(60_000);
    assert.equal(lines.length, 3);
  });
});
