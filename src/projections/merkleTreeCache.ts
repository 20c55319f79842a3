/** Pages in memory, at most so many: two generations, of which the older one goes when the newer one is full. */
export class PageCache<Page> {
  readonly #generationPages: number;
  #young = new Map<number, Page>();
  #old = new Map<number, Page>();

  constructor(pagesMax: number) {
    this.#generationPages = Math.max(1, Math.floor(pagesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(id: number): Page | undefined {
    const page = this.#young.get(id);
    if (page !== undefined) return page;
    const older = this.#old.get(id);
    if (older !== undefined) this.set(id, older);
    return older;
  }

  set(id: number, page: Page): void {
    if (this.#young.size >= this.#generationPages && !this.#young.has(id)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, page);
  }
}
