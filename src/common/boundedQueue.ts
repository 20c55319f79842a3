/** The one queue between asynchronous parts: first in, first out, never longer than its capacity, nor larger than its limit. */
import { NodeError, assert } from './errors.ts';

interface Waiter {
  wake: () => void;
}

/** Of what waits, all together. An item that is larger by itself waits alone. */
export interface SizeLimit<T> {
  readonly maxBytes: number;
  readonly bytesOf: (item: T) => number;
}

export class BoundedQueue<T> {
  readonly capacity: number;
  readonly #sizeLimit: SizeLimit<T> | undefined;
  readonly #items: (T | undefined)[];
  #first = 0;
  #length = 0;
  #sizeBytes = 0;
  #closed = false;
  readonly #takers: Waiter[] = [];
  readonly #putters: Waiter[] = [];

  constructor(capacity: number, sizeLimit?: SizeLimit<T>) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, `a queue needs a capacity of at least 1, not ${capacity}`);
    this.capacity = capacity;
    this.#sizeLimit = sizeLimit;
    this.#items = new Array<T | undefined>(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** False when there is no room for it or the queue is closed: the item was not taken. */
  offer(item: T): boolean {
    if (this.#closed || !this.#hasRoomFor(item)) return false;
    this.#items[(this.#first + this.#length) % this.capacity] = item;
    this.#length++;
    this.#sizeBytes += this.#bytesOf(item);
    this.#takers.shift()?.wake();
    return true;
  }

  /** Waits for room. Throws NodeError QUEUE_CLOSED, or the reason of the signal. */
  async put(item: T, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.offer(item)) {
      if (this.#closed) throw new NodeError('fatal', 'the queue is closed', { code: 'QUEUE_CLOSED' });
      await this.#wait(this.#putters, signal);
    }
  }

  /** The oldest item, undefined when there is none now. */
  poll(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#first] as T; // there is one
    this.#items[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.capacity;
    this.#length--;
    this.#sizeBytes -= this.#bytesOf(item);
    this.#putters.shift()?.wake();
    return item;
  }

  /** Waits for an item; undefined when the queue is closed and empty. Throws the reason of the signal. */
  async take(signal: AbortSignal): Promise<T | undefined> {
    signal.throwIfAborted();
    while (this.#length === 0) {
      if (this.#closed) return undefined;
      await this.#wait(this.#takers, signal);
    }
    return this.poll();
  }

  /** All that is in it, oldest first. */
  drain(): T[] {
    const items: T[] = [];
    while (this.#length > 0) items.push(this.poll() as T);
    return items;
  }

  /** Takes no more; what is in it can still be taken. */
  close(): void {
    this.#closed = true;
    for (const waiter of [...this.#takers.splice(0), ...this.#putters.splice(0)]) waiter.wake();
  }

  #bytesOf(item: T): number {
    return this.#sizeLimit?.bytesOf(item) ?? 0;
  }

  #hasRoomFor(item: T): boolean {
    if (this.isFull) return false;
    if (this.#sizeLimit === undefined || this.#length === 0) return true;
    return this.#sizeBytes + this.#bytesOf(item) <= this.#sizeLimit.maxBytes;
  }

  async #wait(waiters: Waiter[], signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { wake: resolve };
    const onAbort = (): void => {
      const index = waiters.indexOf(waiter);
      if (index >= 0) waiters.splice(index, 1);
      reject(signal.reason as Error);
    };
    waiters.push(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
      // Woken and aborted in the same turn: the wake-up belongs to the next one in line.
      if (signal.aborted) {
        waiters.shift()?.wake();
        signal.throwIfAborted();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
