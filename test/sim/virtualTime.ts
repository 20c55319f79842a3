/** Virtual time of a simulated world: nothing in it waits for a real clock. Events run by time, then in the order they were made. */
import type { Clock } from '../../src/common/clock.ts';

interface Event {
  readonly at: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

export const START_MS = 1_700_000_000_000;

export class VirtualTime {
  #now = START_MS;
  #order = 0;
  /** Binary heap; a cancelled event stays until its time. */
  readonly #heap: Event[] = [];

  get now(): number {
    return this.#now;
  }

  /** Returns what cancels it. */
  after(ms: number, fn: () => void): () => void {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#heap.push(event);
    this.#up(this.#heap.length - 1);
    return () => {
      event.fn = undefined;
    };
  }

  /** Runs the next event if it is due by then; false: none is. */
  step(untilMs: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.at <= untilMs; next = this.#heap[0]) {
      this.#pop();
      const { fn } = next;
      if (fn === undefined) continue;
      this.#now = Math.max(this.#now, next.at);
      fn();
      return true;
    }
    this.#now = Math.max(this.#now, untilMs);
    return false;
  }

  #up(index: number): void {
    for (let i = index; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#isBefore(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let i = 0; ;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let first = i;
      if (left < this.#heap.length && this.#isBefore(left, first)) first = left;
      if (right < this.#heap.length && this.#isBefore(right, first)) first = right;
      if (first === i) return;
      this.#swap(i, first);
      i = first;
    }
  }

  #isBefore(i: number, j: number): boolean {
    const a = this.#heap[i];
    const b = this.#heap[j];
    if (a === undefined || b === undefined) return false;
    return a.at === b.at ? a.order < b.order : a.at < b.at;
  }

  #swap(i: number, j: number): void {
    const a = this.#heap[i];
    const b = this.#heap[j];
    if (a === undefined || b === undefined) return;
    this.#heap[i] = b;
    this.#heap[j] = a;
  }
}

/** One life of a simulated process. What reaches it passes here: late while it is paused, never once it is dead. */
export class Life {
  #state: 'running' | 'paused' | 'dead' = 'running';
  #late: (() => void)[] = [];

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  run(fn: () => void): void {
    if (this.#state === 'running') fn();
    else if (this.#state === 'paused') this.#late.push(fn);
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const late = this.#late;
    this.#late = [];
    for (const fn of late) this.run(fn);
  }

  end(): void {
    this.#state = 'dead';
    this.#late = [];
  }

  /** The value, unless the process died: then nothing ever comes back to it. */
  async survives<T>(value: T): Promise<T> {
    if (this.#state === 'dead') return new Promise<T>(() => undefined);
    return value;
  }
}

/** What a process takes for the time: that of its machine, which may be wrong by `skewMs`. */
export class ProcessClock implements Clock {
  skewMs = 0;
  readonly #time: VirtualTime;
  readonly #life: Life;

  constructor(time: VirtualTime, life: Life) {
    this.#time = time;
    this.#life = life;
  }

  now(): number {
    return this.#time.now + this.skewMs;
  }

  elapsedMs(): number {
    return this.#time.now;
  }

  setTimer(ms: number, fn: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#time.after(ms, () => {
      this.#life.run(() => {
        if (!isCancelled) fn();
      });
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }
}
