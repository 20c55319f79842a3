/** Cases of the public suites that this node decides otherwise, each with the rule that makes it so. */
import { readFileSync } from 'node:fs';

export interface SuiteException {
  /** End of the case's name: file, test, indexes. */
  readonly name: string;
  readonly rule: string;
}

export const EXCEPTIONS_MAX = 16;

export function readExceptions(): readonly SuiteException[] {
  const path = new URL('exceptions.json', import.meta.url);
  // Ours, and covered by a test.
  return JSON.parse(readFileSync(path, 'utf8')) as SuiteException[];
}

/** Counts what a suite came to and words it, one line per case that is worth one. */
export class SuiteReport {
  readonly #exceptions: readonly SuiteException[];
  readonly #print: (line: string) => void;
  passed = 0;
  failed = 0;
  excepted = 0;

  constructor(print: (line: string) => void, exceptions: readonly SuiteException[] = readExceptions()) {
    this.#print = print;
    this.#exceptions = exceptions;
  }

  /** `difference` undefined: the case passed. An exception that passes counts as failed: it is none. */
  add(name: string, difference: string | undefined): void {
    const exception = this.#exceptions.find(
      (candidate) => name === candidate.name || name.endsWith(`/${candidate.name}`),
    );
    if (exception === undefined && difference === undefined) {
      this.passed += 1;
    } else if (exception === undefined) {
      this.failed += 1;
      this.#print(`FAILED ${name}: ${difference}`);
    } else if (difference === undefined) {
      this.failed += 1;
      this.#print(`FAILED ${name}: passes, but is listed as an exception`);
    } else {
      this.excepted += 1;
      this.#print(`exception ${name}: ${exception.rule}`);
    }
  }

  /** The last line. */
  summary(): string {
    return `${this.passed} passed, ${this.failed} failed`;
  }
}
