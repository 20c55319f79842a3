import assert from 'node:assert/strict';
import { StateClock } from '../../src/common/stateClock.ts';

describe('StateClock', () => {
  it('gives each state the time from entering it to entering another, or to now', () => {
    let now = 1_000;
    const clock = new StateClock<'idle' | 'busy'>('idle', () => now);
    const seconds = (): unknown => Object.fromEntries(clock.seconds);
    assert.deepEqual(seconds(), { idle: 0 });
    now += 2_000;
    clock.enter('busy');
    now += 500;
    clock.enter('busy');
    now += 500;
    assert.deepEqual(seconds(), { idle: 2, busy: 1 });
    clock.enter('idle');
    now += 250;
    assert.deepEqual(seconds(), { idle: 2.25, busy: 1 });
  });
});
