import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BoundedQueue } from '../../src/common/boundedQueue.ts';

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('BoundedQueue', () => {
  it('behaves as a list with a limit', () => {
    const operations = fc.array(fc.oneof(fc.nat(), fc.constant('poll' as const)), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), operations, (capacity, steps) => {
        const queue = new BoundedQueue<number>(capacity);
        const model: number[] = [];
        for (const step of steps) {
          if (step === 'poll') assert.equal(queue.poll(), model.shift());
          else if (model.length < capacity) {
            assert.equal(queue.offer(step), true);
            model.push(step);
          } else assert.equal(queue.offer(step), false);
          assert.equal(queue.length, model.length);
          assert.equal(queue.isFull, model.length === capacity);
        }
        assert.deepEqual(queue.drain(), model);
        assert.equal(queue.length, 0);
      }),
    );
  });

  it('lets producers wait for room and consumers for items, in order', async () => {
    const queue = new BoundedQueue<number>(1);
    const taken = [queue.take(never), queue.take(never)];
    await queue.put(1, never);
    await queue.put(2, never);
    assert.deepEqual(await Promise.all(taken), [1, 2]);
    await queue.put(3, never);
    let isDone = false;
    const waiting = queue.put(4, never).then(() => (isDone = true));
    await turn();
    assert.equal(isDone, false);
    assert.equal(queue.poll(), 3);
    await waiting;
    assert.equal(queue.poll(), 4);
  });

  it('moves everything, in order, through a small queue', async () => {
    const queue = new BoundedQueue<number>(3);
    const received: number[] = [];
    const consumer = (async () => {
      for (let item = await queue.take(never); item !== undefined; item = await queue.take(never)) received.push(item);
    })();
    for (let i = 0; i < 500; i++) await queue.put(i, never);
    queue.close();
    await consumer;
    assert.deepEqual(
      received,
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  it('ends waiting when aborted, without losing an item or a turn', async () => {
    const queue = new BoundedQueue<number>(1);
    const controller = new AbortController();
    const aborted = assert.rejects(queue.take(controller.signal), /enough/);
    const patient = queue.take(never);
    await turn();
    // the item wakes the first in line, which is aborted in the same turn
    assert.equal(queue.offer(7), true);
    controller.abort(new Error('enough'));
    await aborted;
    assert.equal(await patient, 7);
    await assert.rejects(queue.put(1, controller.signal), /enough/);
    assert.equal(queue.length, 0);
  });

  it('gives out what is left after closing, then nothing', async () => {
    const queue = new BoundedQueue<number>(2);
    queue.offer(1);
    queue.close();
    assert.equal(queue.offer(2), false);
    await assert.rejects(queue.put(2, never), { code: 'QUEUE_CLOSED' });
    assert.equal(await queue.take(never), 1);
    assert.equal(await queue.take(never), undefined);
    const waiting = new BoundedQueue<number>(1);
    const taken = waiting.take(never);
    waiting.close();
    assert.equal(await taken, undefined);
  });

  it('has a limit for all items together; a larger one waits alone', async () => {
    const queue = new BoundedQueue<number>(10, { maxBytes: 100, bytesOf: (item) => item });
    assert.deepEqual(
      [60, 41, 40, 1, 0].map((item) => queue.offer(item)),
      [true, false, true, false, true],
    );
    let isDone = false;
    const waiting = queue.put(500, never).then(() => (isDone = true));
    assert.deepEqual([queue.poll(), queue.poll()], [60, 40]);
    await turn();
    assert.equal(isDone, false);
    assert.equal(queue.poll(), 0);
    await waiting;
    assert.equal(queue.offer(0), false);
    assert.deepEqual(queue.drain(), [500]);
    assert.equal(queue.offer(100), true);
  });

  it('refuses a capacity that is none', () => {
    for (const capacity of [0, -1, 1.5, Infinity]) {
      assert.throws(() => new BoundedQueue(capacity), { code: 'ASSERTION' });
    }
  });
});
