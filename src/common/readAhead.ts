/** Reading a source while what was read before is still worked on. */
import type { BoundedQueue } from './boundedQueue.ts';
import { Turns } from './turns.ts';

export interface ReadAheadOptions<Item, Prepared> {
  /** Called at once for each item, in order; it may start work whose result is awaited when the item's turn comes. */
  readonly prepare: (item: Item) => Prepared;
  /** Empty, and nobody else's. Its limits bound how far ahead is read: one more item may wait for room in it. */
  readonly queue: BoundedQueue<Prepared>;
  readonly signal: AbortSignal;
}

/**
 * The items of a source, in order and prepared. An error of the source or of `prepare` comes after the items before it.
 * Ends when the source does, at once when the signal fires; the source has ended then.
 */
export async function* readAhead<Item, Prepared>(
  follow: (signal: AbortSignal) => AsyncIterable<Item>,
  { prepare, queue, signal }: ReadAheadOptions<Item, Prepared>,
): AsyncGenerator<Prepared> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const reading = fill(follow(stop), prepare, queue, stop);
  reading.catch(() => undefined); // awaited below, once everything read before the failure was given out
  try {
    for (;;) {
      const next = await takeUnlessStopped(queue, stop);
      if (next === undefined) break;
      yield next;
    }
    if (!stop.aborted) await reading;
  } finally {
    left.abort();
    await reading.catch(() => undefined);
  }
}

async function fill<Item, Prepared>(
  items: AsyncIterable<Item>,
  prepare: (item: Item) => Prepared,
  queue: BoundedQueue<Prepared>,
  stop: AbortSignal,
): Promise<void> {
  const turns = new Turns();
  try {
    for await (const item of items) {
      await queue.put(prepare(item), stop);
      await turns.due();
    }
  } finally {
    queue.close();
  }
}

async function takeUnlessStopped<T>(queue: BoundedQueue<T>, stop: AbortSignal): Promise<T | undefined> {
  try {
    return await queue.take(stop);
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  }
}
