/** Counts the cases of a conformance run and compares what production code gives with what a vector says. */
import { isDeepStrictEqual, inspect } from 'node:util';
import { toHex } from '../../src/common/bytes.ts';

function shown(value: unknown): string {
  const shownText = value instanceof Uint8Array ? toHex(value) : inspect(value, { depth: 6, breakLength: Infinity });
  return shownText.length > 400 ? `${shownText.slice(0, 400)}… (${shownText.length} characters)` : shownText;
}

/** Fails the running case unless the values are deeply equal. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(plain(actual), plain(expected)))
    throw new Error(`${what}: got ${shown(actual)}, the vector says ${shown(expected)}`);
}

/** Byte strings as hex, so that Buffers and views compare by content. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

/** Fails the running case. */
export function fail(message: string): never {
  throw new Error(message);
}

export class Suite {
  passed = 0;
  failed = 0;
  readonly #print: (line: string) => void;
  #file = '';

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Cases from now on belong to this file; one line sums it up. */
  file(path: string, run: () => void): void {
    const before = { passed: this.passed, failed: this.failed };
    this.#file = path;
    try {
      run();
    } catch (error) {
      this.#fail('the file as a whole', error);
    }
    const passed = this.passed - before.passed;
    const failed = this.failed - before.failed;
    if (passed + failed === 0) this.#fail('the file as a whole', new Error('it holds no case'));
    this.#print(
      `${this.failed > before.failed ? 'FAILED' : 'ok    '} ${path}: ${passed} passed, ${this.failed - before.failed} failed`,
    );
  }

  case(name: string, run: () => void): void {
    try {
      run();
      this.passed += 1;
    } catch (error) {
      this.#fail(name, error);
    }
  }

  /** A file that the run does not know. */
  unknown(path: string, reason: string): void {
    this.#file = path;
    this.#fail('the file as a whole', new Error(reason));
  }

  #fail(name: string, error: unknown): void {
    this.failed += 1;
    this.#print(`FAILED ${this.#file}: ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
