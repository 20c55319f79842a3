/** How long something was in each of its states. */
export class StateClock<State extends string> {
  readonly #now: () => number;
  readonly #ms = new Map<State, number>();
  #state: State;
  #sinceMs: number;

  /** @param now milliseconds of a clock that is never set */
  constructor(state: State, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#state = state;
    this.#sinceMs = now();
  }

  enter(state: State): void {
    if (state === this.#state) return;
    this.#settle();
    this.#state = state;
  }

  /** Of every state it was in, up to now. */
  get seconds(): ReadonlyMap<State, number> {
    this.#settle();
    return new Map(Array.from(this.#ms, ([state, ms]) => [state, ms / 1000]));
  }

  #settle(): void {
    const now = this.#now();
    this.#ms.set(this.#state, (this.#ms.get(this.#state) ?? 0) + now - this.#sinceMs);
    this.#sinceMs = now;
  }
}
