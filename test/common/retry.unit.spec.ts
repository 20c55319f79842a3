import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import { pauseMs, retry, sleep } from '../../src/common/retry.ts';
import type { RetryOptions } from '../../src/common/retry.ts';
import { FakeClock } from '../support/fakeClock.ts';

const behind = new NodeError('retryable', 'not yet', { code: 'X_NOT_SYNCED' });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(options: Partial<RetryOptions> = {}) {
  const clock = new FakeClock();
  const controller = new AbortController();
  const pauses: number[] = [];
  const full: RetryOptions = {
    attemptsMax: 4,
    firstPauseMs: 100,
    pauseMaxMs: 250,
    signal: controller.signal,
    clock,
    random: (bytes) => new Uint8Array(bytes).fill(255),
    onRetry: (_, __, pause) => pauses.push(pause),
    ...options,
  };
  return { clock, controller, pauses, full };
}

describe('retry', () => {
  it('answers the first success, after growing pauses up to the limit', async () => {
    const { clock, pauses, full } = setUp();
    let calls = 0;
    const result = retry(async (attempt) => {
      calls++;
      assert.equal(attempt, calls);
      if (attempt < 4) throw behind;
      return 'done';
    }, full);
    for (const ms of [100, 200, 250]) {
      await turn();
      assert.notEqual(clock.untilNext, undefined);
      clock.advance(ms);
    }
    assert.equal(await result, 'done');
    assert.deepEqual(pauses, [100, 200, 250]);
  });

  it('gives up with the last error', async () => {
    const { clock, full } = setUp({ attemptsMax: 2 });
    let calls = 0;
    const result = assert.rejects(
      retry(async () => {
        calls++;
        throw behind;
      }, full),
      { code: 'X_NOT_SYNCED' },
    );
    await turn();
    clock.advance(100);
    await result;
    assert.equal(calls, 2);
  });

  it('does not repeat what cannot get better', async () => {
    const { full, pauses } = setUp();
    await assert.rejects(
      retry(() => Promise.reject(new NodeError('fatal', 'no', { code: 'NO' })), full),
      { code: 'NO' },
    );
    await assert.rejects(
      retry(() => Promise.reject(new Error('plain')), full),
      /plain/,
    );
    assert.deepEqual(pauses, []);
  });

  it('lets the caller say what is worth another try', async () => {
    const { full, clock } = setUp({ isRetryable: () => true, attemptsMax: 2 });
    const result = retry(async (attempt) => (attempt === 1 ? Promise.reject(new Error('plain')) : attempt), full);
    await turn();
    clock.advance(100);
    assert.equal(await result, 2);
  });

  it('stops in a pause when told to, and leaves no timer behind', async () => {
    const { full, controller, clock } = setUp();
    const result = assert.rejects(
      retry(() => Promise.reject(behind), full),
      /stop it/,
    );
    await turn();
    assert.notEqual(clock.untilNext, undefined);
    controller.abort(new Error('stop it'));
    await result;
    assert.equal(clock.untilNext, undefined);
  });

  it('does not start when told to stop before', async () => {
    const { full, controller } = setUp();
    controller.abort(new Error('stop it'));
    await assert.rejects(
      retry(() => assert.fail('called'), full),
      /stop it/,
    );
    await assert.rejects(sleep(1, controller.signal, full.clock), /stop it/);
  });

  it('spreads pauses between half and all', () => {
    const { full } = setUp();
    assert.equal(pauseMs(1, full, 0), 50);
    assert.equal(pauseMs(1, full, 1), 100);
    assert.equal(pauseMs(60, full, 1), 250);
  });
});
