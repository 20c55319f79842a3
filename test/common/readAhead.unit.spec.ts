import assert from 'node:assert/strict';
import { BoundedQueue } from '../../src/common/boundedQueue.ts';
import { readAhead } from '../../src/common/readAhead.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts up to a limit, then ends or throws; `given` and `hasEnded` say how far it was read. */
class Source {
  given = 0;
  hasEnded = false;
  readonly #end: number;
  readonly #failure: Error | undefined;

  constructor(end: number, failure?: Error) {
    this.#end = end;
    this.#failure = failure;
  }

  async *follow(signal: AbortSignal): AsyncGenerator<number> {
    try {
      while (this.given < this.#end && !signal.aborted) yield this.given++;
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      await turn();
      this.hasEnded = true;
    }
  }
}

interface Setup {
  readonly source: Source;
  readonly capacity?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  readonly prepare?: (item: number) => number;
}

function ahead({ source, capacity = 3, maxBytes = Infinity, signal, prepare = (item) => item }: Setup) {
  return readAhead((stop) => source.follow(stop), {
    prepare,
    queue: new BoundedQueue<number>(capacity, { maxBytes, bytesOf: () => 10 }),
    signal: signal ?? new AbortController().signal,
  });
}

describe('readAhead', () => {
  it('gives every item once and in order', async () => {
    const items = await Array.fromAsync(ahead({ source: new Source(200), prepare: (item) => 2 * item }));
    assert.deepEqual(
      items,
      Array.from({ length: 200 }, (_, i) => 2 * i),
    );
  });

  for (const [what, limits] of [
    ['entries', { capacity: 3 }],
    ['bytes', { capacity: 100, maxBytes: 30 }],
  ] as const)
    it(`prepares what comes next while an item is worked on, as far as its limit of ${what} goes`, async () => {
      const prepared: number[] = [];
      const source = new Source(50);
      const prepare = (item: number): number => {
        prepared.push(item);
        return item;
      };
      for await (const item of ahead({ source, ...limits, prepare })) {
        await turn();
        await turn();
        // The one that is worked on, three in the queue, and one that waits for room in it.
        assert.equal(prepared.length, Math.min(item + 5, 50), `at item ${item}`);
      }
    });

  it('gives what was read before a failure of the source, then the failure', async () => {
    const failure = new Error('cannot be read on');
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const item of ahead({ source: new Source(2, failure) })) {
        await turn();
        seen.push(item);
      }
    }, failure);
    assert.deepEqual(seen, [0, 1]);
  });

  it('ends at once when the signal fires, whatever is read already, and the source ends first', async () => {
    const abort = new AbortController();
    const source = new Source(50);
    const seen: number[] = [];
    for await (const item of ahead({ source, signal: abort.signal })) {
      seen.push(item);
      await turn();
      if (item === 1) abort.abort();
    }
    assert.deepEqual(seen, [0, 1]);
    assert.equal(source.hasEnded, true);
  });

  it('ends the source when nobody wants more', async () => {
    const source = new Source(50);
    for await (const item of ahead({ source })) if (item === 1) break;
    assert.equal(source.hasEnded, true);
    assert.ok(source.given < 10);
  });
});
