import assert from 'node:assert/strict';
import {
  RateMeter,
  TimeLeft,
  createProgress,
  durationText,
  progressText,
  rateText,
} from '../../src/common/progress.ts';
import type { ProgressOutput } from '../../src/common/progress.ts';
import { FakeClock } from '../support/fakeClock.ts';

class Output implements ProgressOutput {
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }

  get lines(): string[] {
    return this.text.trimEnd().split('\n');
  }
}

describe('progress', () => {
  it('writes durations with the two largest units', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0 s'],
      [0.4, '0 s'],
      [59.6, '1 min'],
      [61, '1 min 1 s'],
      [3_600, '1 h'],
      [3_661, '1 h 1 min'],
      [90_061, '1 d 1 h'],
      [86_460, '1 d'],
    ];
    for (const [seconds, text] of cases) assert.equal(durationText(seconds), text, `${seconds}`);
  });

  it('writes rates short', () => {
    assert.deepEqual([0, 0.25, 12.34, 150, 1_234, 2_500_000].map(rateText), [
      '0',
      '0.3',
      '12.3',
      '150',
      '1.2k',
      '2.5M',
    ]);
  });

  it('writes share, rate and time left', () => {
    assert.equal(
      progressText('blocks', { done: 50, total: 200, ratePerSecond: 10, secondsLeft: 15 }),
      '50 of 200 (25 %) blocks, 10.0 blocks/s, 15 s left',
    );
    assert.equal(
      progressText('blocks', { done: 5, total: undefined, ratePerSecond: 0, secondsLeft: undefined }),
      '5 blocks, 0 blocks/s',
    );
    assert.match(progressText('x', { done: 0, total: 0, ratePerSecond: 0, secondsLeft: 0 }), /100 %/);
  });

  it('measures the rate over the last ten seconds', () => {
    const clock = new FakeClock();
    const meter = new RateMeter(clock);
    assert.equal(meter.perSecond, 0);
    let value = 0;
    for (let i = 0; i < 300; i++) {
      meter.add(value);
      clock.advance(50);
      value += 50;
    }
    assert.equal(Math.round(meter.perSecond), 1_000);
    for (let i = 0; i < 110; i++) {
      meter.add(value);
      clock.advance(100);
      value += 1;
    }
    assert.equal(Math.round(meter.perSecond), 10);
  });

  it('prints plain lines now and then, and a last one', () => {
    const clock = new FakeClock();
    const output = new Output();
    const progress = createProgress({ label: 'rebuilding state', unit: 'blocks', output, format: 'human', clock });
    for (let done = 0; done <= 100; done += 10) {
      progress.update(done, 100);
      clock.advance(1_000);
    }
    progress.stop();
    progress.stop();
    progress.update(5, 100);
    assert.deepEqual(output.lines, [
      'rebuilding state: 20 of 100 (20 %) blocks, 10.0 blocks/s, 8 s left',
      'rebuilding state: 70 of 100 (70 %) blocks, 10.0 blocks/s, 3 s left',
      'rebuilding state: 100 of 100 (100 %) blocks, 10.0 blocks/s, 0 s left, 11 s in all',
    ]);
  });

  it('shows nothing of work that is over within two seconds', () => {
    const clock = new FakeClock();
    const output = new Output();
    for (const format of ['human', 'json'] as const) {
      const progress = createProgress({ label: 'quick', unit: 'blocks', output, format, clock });
      progress.update(1, 2);
      clock.advance(1_900);
      progress.update(2, 2);
      progress.stop();
    }
    assert.equal(output.text, '');
  });

  it('says a time left that counts down and does not jump when the rate does', () => {
    const clock = new FakeClock();
    const left = new TimeLeft(clock);
    let before = left.update(100) ?? 0;
    // The estimate says 100 s, 25 s, 100 s ... in turn.
    for (let step = 0; step < 200; step++) {
      clock.advance(250);
      const now = left.update(step % 8 < 4 ? 100 : 25);
      assert.ok(now !== undefined && Math.abs(now - before) <= 5, `from ${before} to ${now}`);
      before = now;
    }
    assert.ok(before > 25 && before < 100);
    // A steady rate is followed to the second.
    for (let second = 60; second > 0; second--) {
      clock.advance(1_000);
      before = left.update(second) ?? 0;
    }
    assert.equal(Math.round(before), 1);
    assert.equal(left.update(0), 0);
    assert.equal(left.update(undefined), undefined);
  });

  it('shows the same when somebody sets the clock back meanwhile', () => {
    const shown = (setByMs: number): string => {
      const clock = new FakeClock();
      const output = new Output();
      const progress = createProgress({ label: 'filling', unit: 'blocks', output, format: 'human', clock });
      for (let second = 0; second <= 30; second++) {
        progress.update(second * 10, 1_000);
        clock.advance(1_000);
        if (second === 10) clock.setBy(setByMs);
      }
      progress.stop();
      return output.text;
    };
    assert.equal(shown(-7_200_000), shown(0));
  });

  it('prints JSON lines for machines', () => {
    const clock = new FakeClock();
    const output = new Output(true);
    const progress = createProgress({ label: 'l', unit: 'blocks', output, format: 'json', clock });
    progress.update(0, 10);
    clock.advance(2_000);
    progress.update(10, 10);
    progress.stop();
    assert.deepEqual(
      output.lines.map((line) => JSON.parse(line) as unknown),
      [
        { label: 'l', unit: 'blocks', done: 10, total: 10, ratePerSecond: 5, secondsLeft: 0, isLast: false },
        { label: 'l', unit: 'blocks', done: 10, total: 10, ratePerSecond: 5, secondsLeft: 0, isLast: true },
      ],
    );
  });
});
