/**
 * The end of the process: signals, failures and crashes lead through here. Close steps run in reverse order of their
 * registration, within a limit; the exit code says whether a supervisor should try again (spec: observability B.3).
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { NodeError, errorText } from './errors.ts';
import { loggable } from './logger.ts';
import type { Logger } from './logger.ts';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
/** EX_TEMPFAIL of sysexits.h: the same start may succeed later. */
export const EXIT_TRY_AGAIN = 75;

const SIGNAL_REPEAT_MS = 1_000;
const CLOSE_LIMIT_MS = 30_000;
const DUMPS_KEPT = 20;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Why everything is aborted when nothing failed. */
const STOPPING = new Error('the node is stopping');

type EndSignal = keyof typeof SIGNAL_NUMBERS;

/** 0 without an error, 75 for one that may pass, 1 for any other. */
export function exitCodeOf(error: unknown): number {
  if (error === undefined) return EXIT_OK;
  return error instanceof NodeError && error.kind === 'retryable' ? EXIT_TRY_AGAIN : EXIT_FAILURE;
}

/** What the process offers; a fake one serves the tests. */
export interface ProcessPort {
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  exit(code: number): void;
}

export interface ShutdownOptions {
  readonly logger: Logger;
  readonly process: ProcessPort;
  /** Writes what is needed to study an error that must not happen; answers where. Must not throw. */
  readonly dump?: (error: unknown) => string | undefined;
  readonly clock?: Clock;
  readonly limitMs?: number;
}

interface CloseStep {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #steps: CloseStep[] = [];
  readonly #listeners: (readonly [event: string, listener: (value: unknown) => void])[] = [];
  /** Texts of errors: those of other threads are copies. */
  readonly #told = new Set<string>();
  readonly #done = Promise.withResolvers<number>();
  #firstSignalAt: number | undefined;
  #isEnding = false;
  #isOver = false;
  #runningStep: string | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Aborted as soon as the end begins. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** The exit code, once all is closed. */
  get done(): Promise<number> {
    return this.#done.promise;
  }

  /** Closed in reverse order of registration. A step added after the end began is closed at its turn or at once. */
  onClose(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close });
  }

  /** Listens to SIGINT, SIGTERM and errors that nobody caught. */
  install(): void {
    for (const name of ['SIGINT', 'SIGTERM'] as const) this.#listen(name, () => this.#onSignal(name));
    this.#listen('uncaughtException', (error) => this.#onUncaught('uncaught exception', error));
    this.#listen('unhandledRejection', (error) => this.#onUncaught('unhandled rejection', error));
  }

  /** Ends the process: without an error because its work is done, with one by its kind. The first call counts. */
  end(error?: unknown): void {
    const { logger } = this.#options;
    if (error instanceof NodeError && error.kind === 'invariant') {
      this.#crash(error);
      return;
    }
    if (this.#isEnding) {
      if (error !== undefined) this.further(error);
      return;
    }
    this.#isEnding = true;
    this.#told.add(errorText(error ?? STOPPING));
    if (error === undefined) logger.info('stopping');
    else logger.error({ err: error, exitCode: exitCodeOf(error) }, 'stopping because of an error');
    this.#controller.abort(error instanceof Error ? error : STOPPING);
    void this.#closeAll(exitCodeOf(error));
  }

  /** Tells what fails on the way to the end, each error once and none that the end itself made. */
  further(error: unknown, what = 'a further error while stopping'): void {
    for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined)
      if (this.#told.has(errorText(cause))) return;
    this.#told.add(errorText(error));
    this.#options.logger.warn({ err: error }, what);
  }

  async #closeAll(code: number): Promise<void> {
    const { logger, limitMs = CLOSE_LIMIT_MS } = this.#options;
    const cancelLimit = this.#clock.setTimer(limitMs, () => {
      logger.error({ step: this.#runningStep, limitMs }, 'did not stop in time: forcing the exit');
      this.#exit(EXIT_FAILURE);
    });
    let exitCode = code;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      this.#runningStep = step.name;
      try {
        await step.close();
      } catch (error) {
        logger.error({ err: error, step: step.name }, 'a part did not close cleanly');
        exitCode ||= exitCodeOf(error);
      }
      if (this.#isOver) return;
    }
    cancelLimit();
    logger.info({ exitCode }, 'stopped');
    this.#exit(exitCode);
  }

  #onSignal(name: EndSignal): void {
    const now = this.#clock.elapsedMs();
    if (this.#firstSignalAt === undefined) {
      this.#firstSignalAt = now;
      this.#options.logger.info({ signal: name }, 'signal received: draining (once more forces the exit)');
      this.end();
      return;
    }
    // npm forwards what the whole process group already got
    if (now - this.#firstSignalAt < SIGNAL_REPEAT_MS) return;
    this.#options.logger.warn({ signal: name, step: this.#runningStep }, 'second signal: forcing the exit');
    this.#exit(128 + SIGNAL_NUMBERS[name]);
  }

  #onUncaught(what: string, error: unknown): void {
    if (error instanceof NodeError && error.kind !== 'invariant') {
      this.end(error);
      return;
    }
    this.#options.logger.fatal({ err: error }, what);
    this.#crash(error);
  }

  /** Nothing is closed: what is in memory is in doubt, and what is on disk is whole after any crash. */
  #crash(error: unknown): void {
    const dump = this.#options.dump?.(error);
    this.#options.logger.fatal({ err: error, dump }, 'a condition that cannot be does not hold: the process ends here');
    this.#controller.abort(error);
    this.#exit(EXIT_FAILURE);
  }

  #exit(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isEnding = true;
    this.#done.resolve(code);
    for (const [event, listener] of this.#listeners) this.#options.process.off(event, listener);
    this.#options.process.exit(code);
  }

  #listen(event: string, listener: (value: unknown) => void): void {
    this.#listeners.push([event, listener]);
    this.#options.process.on(event, listener);
  }
}

/** A function for `dump`: one JSON file per crash in `directory`, the newest 20 are kept. */
export function crashDumper(directory: string, context: () => object, clock: Clock = systemClock) {
  return (error: unknown): string | undefined => {
    const path = join(directory, `crash_${String(clock.now()).padStart(14, '0')}.json`);
    try {
      mkdirSync(directory, { recursive: true });
      const content = { at: new Date(clock.now()).toISOString(), error: loggable(error), context: loggable(context()) };
      writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);
      const dumps = readdirSync(directory).filter((name) => /^crash_\d+\.json$/.test(name));
      for (const old of dumps.sort().slice(0, -DUMPS_KEPT)) rmSync(join(directory, old), { force: true });
      return path;
    } catch (failure) {
      return `no dump: ${errorText(failure)}`;
    }
  };
}
