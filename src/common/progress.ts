/**
 * Progress of work over two seconds with rate and time left: a bar on a terminal, plain lines elsewhere, JSON lines for
 * machines.
 */
import { SingleBar } from 'cli-progress';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';

export interface ProgressSample {
  readonly done: number;
  /** Undefined: not known. */
  readonly total: number | undefined;
  readonly ratePerSecond: number;
  /** Undefined without a total or a rate. */
  readonly secondsLeft: number | undefined;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `1 h 5 min`, `12 s`: the two largest units. */
export function durationText(seconds: number): string {
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

/** Two or three significant digits. */
export function rateText(perSecond: number): string {
  if (perSecond >= 1_000_000) return `${(perSecond / 1_000_000).toFixed(1)}M`;
  if (perSecond >= 1_000) return `${(perSecond / 1_000).toFixed(1)}k`;
  return perSecond >= 100 || perSecond === 0 ? perSecond.toFixed(0) : perSecond.toFixed(1);
}

export function progressText(unit: string, sample: ProgressSample): string {
  const { done, total, ratePerSecond, secondsLeft } = sample;
  const share = total === undefined ? '' : ` of ${total} (${total === 0 ? 100 : Math.floor((done / total) * 100)} %)`;
  const left = secondsLeft === undefined ? '' : `, ${durationText(secondsLeft)} left`;
  return `${done}${share} ${unit}, ${rateText(ratePerSecond)} ${unit}/s${left}`;
}

const RATE_WINDOW_MS = 10_000;

/** Rate over the last ten seconds. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #samples: { readonly at: number; readonly value: number }[] = [];

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  add(value: number): void {
    const at = this.#clock.elapsedMs();
    const last = this.#samples.at(-1);
    // ten samples a second are plenty
    if (last !== undefined && at - last.at < 100 && this.#samples.length > 1) this.#samples.pop();
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= RATE_WINDOW_MS) this.#samples.shift();
  }

  get perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return ((last.value - first.value) * 1_000) / (last.at - first.at);
  }
}

const CORRECTION_MS = 5_000;

/**
 * Seconds left that count down by themselves and move towards each new estimate over a few seconds, so that a step of the
 * rate does not make them jump.
 */
export class TimeLeft {
  readonly #clock: Clock;
  #shown: { readonly at: number; readonly seconds: number } | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** @param estimate what the rate says now; undefined: it says nothing */
  update(estimate: number | undefined): number | undefined {
    const at = this.#clock.elapsedMs();
    const before = this.#shown;
    if (estimate === undefined || estimate === 0 || before === undefined) {
      this.#shown = estimate === undefined ? undefined : { at, seconds: estimate };
      return estimate;
    }
    const passedMs = at - before.at;
    const expected = Math.max(0, before.seconds - passedMs / 1_000);
    const seconds = expected + (estimate - expected) * (1 - Math.exp(-passedMs / CORRECTION_MS));
    this.#shown = { at, seconds };
    return seconds;
  }
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** `rebuilding repositories` */
  readonly label: string;
  /** `blocks` */
  readonly unit: string;
  readonly output: ProgressOutput;
  readonly format: 'human' | 'json';
  readonly clock?: Clock;
}

const LINE_EVERY_MS = 5_000;
/** What is over sooner shows nothing. */
const SHOWN_AFTER_MS = 2_000;

export interface Progress {
  update(done: number, total: number | undefined): void;
  /** Prints the last state. */
  stop(): void;
}

export function createProgress(options: ProgressOptions): Progress {
  const { label, unit, output, format, clock = systemClock } = options;
  const meter = new RateMeter(clock);
  const timeLeft = new TimeLeft(clock);
  let left: number | undefined;
  const startedAt = clock.elapsedMs();
  let done = 0;
  let total: number | undefined;
  let shownAt: number | undefined;
  let isStopped = false;

  const estimate = (): number | undefined => {
    if (total === undefined) return undefined;
    if (done >= total) return 0;
    const perSecond = meter.perSecond;
    return perSecond > 0 ? (total - done) / perSecond : undefined;
  };
  const sample = (): ProgressSample => ({
    done,
    total,
    ratePerSecond: Math.max(0, meter.perSecond),
    secondsLeft: left,
  });
  const bar =
    format === 'human' && output.isTTY === true
      ? new SingleBar({
          // cli-progress writes only
          stream: output as unknown as NodeJS.WritableStream,
          format: `${label} [{bar}] {text}`,
          hideCursor: true,
          fps: 10,
          barsize: 30,
        })
      : undefined;
  const print = (isLast: boolean): void => {
    shownAt = clock.elapsedMs();
    if (format === 'json') {
      const { ratePerSecond, secondsLeft } = sample();
      const line = { label, unit, done, total, ratePerSecond, secondsLeft, isLast };
      output.write(`${JSON.stringify(line)}\n`);
    } else {
      const end = isLast ? `, ${durationText((clock.elapsedMs() - startedAt) / 1_000)} in all` : '';
      output.write(`${label}: ${progressText(unit, sample())}${end}\n`);
    }
  };

  return {
    update(newDone, newTotal) {
      if (isStopped) return;
      done = newDone;
      total = newTotal;
      meter.add(done);
      left = timeLeft.update(estimate());
      if (clock.elapsedMs() - startedAt < SHOWN_AFTER_MS) return;
      if (bar !== undefined) {
        const payload = { text: progressText(unit, sample()) };
        if (!bar.isActive) bar.start(total ?? 0, done, payload);
        bar.setTotal(total ?? Math.max(done, 1));
        bar.update(done, payload);
      } else if (shownAt === undefined || clock.elapsedMs() - shownAt >= LINE_EVERY_MS) {
        print(false);
      }
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      if (bar !== undefined) bar.stop();
      else if (shownAt !== undefined) print(true);
    },
  };
}
