/** A stack that keeps its memory when it is emptied; a list whose length is set to 0 gives it away. */
export class Pile<T> {
  /** Those below `size` count. */
  readonly items: T[] = [];
  size = 0;

  push(item: T): void {
    this.items[this.size] = item;
    this.size += 1;
  }

  /** Of a pile that is not empty. */
  pop(): T {
    this.size -= 1;
    return this.items[this.size]!;
  }

  clear(): void {
    this.size = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.size; i += 1) yield this.items[i]!;
  }
}
