/** A pure computation that pauses often, so that whoever runs it may do something else in between. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs it to its end without a pause. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
