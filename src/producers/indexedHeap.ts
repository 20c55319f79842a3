/**
 * Binary heap whose items know their place in it, so that any of them can be moved or removed in O(log n). The place is
 * kept on the item itself, by the two accessors, and is -1 outside the heap.
 */
export interface HeapOrder<T> {
  /** Total order: `a` comes out before `b`. */
  readonly before: (a: T, b: T) => boolean;
  readonly place: (item: T) => number;
  readonly setPlace: (item: T, place: number) => void;
}

export const NOT_IN_HEAP = -1;

export class IndexedHeap<T> {
  readonly #items: T[] = [];
  readonly #order: HeapOrder<T>;

  constructor(order: HeapOrder<T>) {
    this.#order = order;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Adds the item, or moves it to where its changed key belongs. */
  place(item: T): void {
    let index = this.#order.place(item);
    if (index === NOT_IN_HEAP) {
      index = this.#items.length;
      this.#items.push(item);
    }
    this.#settle(item, index);
  }

  /** Does nothing when the item is not in the heap. */
  remove(item: T): void {
    const index = this.#order.place(item);
    if (index === NOT_IN_HEAP) return;
    this.#order.setPlace(item, NOT_IN_HEAP);
    const last = this.#items.pop();
    if (last !== undefined && last !== item) this.#settle(last, index);
  }

  #settle(item: T, start: number): void {
    const items = this.#items;
    const { before, setPlace } = this.#order;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex] as T; // inside the array
      if (!before(item, parent)) break;
      items[index] = parent;
      setPlace(parent, index);
      index = parentIndex;
    }
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= items.length) break;
      let child = items[childIndex] as T; // inside the array
      if (childIndex + 1 < items.length) {
        const right = items[childIndex + 1] as T; // inside the array
        if (before(right, child)) {
          child = right;
          childIndex += 1;
        }
      }
      if (!before(child, item)) break;
      items[index] = child;
      setPlace(child, index);
      index = childIndex;
    }
    items[index] = item;
    setPlace(item, index);
  }
}
