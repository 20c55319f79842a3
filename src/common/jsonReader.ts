/** Reads a JSON document by rules and says in which file and at which place it breaks one. */
import { type Bytes, fromHex } from './bytes.ts';
import { NodeError, errorText } from './errors.ts';

/** One value of a document, with its place: `$.context.gas_limit`. */
export class JsonReader {
  readonly path: string;
  readonly #file: string;
  readonly #value: unknown;

  private constructor(file: string, path: string, value: unknown) {
    this.#file = file;
    this.path = path;
    this.#value = value;
  }

  /** @throws NodeError JSON_INVALID when the text is no JSON; `file` only names it */
  static parse(text: string, file: string): JsonReader {
    try {
      return new JsonReader(file, '$', JSON.parse(text));
    } catch (error) {
      throw new NodeError(
        'fatal',
        `${file} is not JSON: ${errorText(error)}`,
        { code: 'JSON_INVALID', file, path: '$' },
        { cause: error },
      );
    }
  }

  /** @throws NodeError JSON_INVALID with file and path */
  fail(problem: string): never {
    throw new NodeError('fatal', `${this.#file}: ${this.path} ${problem}`, {
      code: 'JSON_INVALID',
      file: this.#file,
      path: this.path,
    });
  }

  #at(step: string, value: unknown): JsonReader {
    return new JsonReader(this.#file, `${this.path}${step}`, value);
  }

  #object(): Readonly<Record<string, unknown>> {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('must be an object');
    return value as Readonly<Record<string, unknown>>; // an object that is no array
  }

  /** Every key of the object must be in `known`. */
  keysOf(known: readonly string[]): this {
    const unknown = Object.keys(this.#object()).find((key) => !known.includes(key));
    if (unknown !== undefined) this.#at(`.${unknown}`, undefined).fail(`is not known; known are ${known.join(', ')}`);
    return this;
  }

  optional(key: string): JsonReader | undefined {
    const object = this.#object();
    return Object.hasOwn(object, key) ? this.#at(`.${key}`, object[key]) : undefined;
  }

  field(key: string): JsonReader {
    return this.optional(key) ?? this.#at(`.${key}`, undefined).fail('is missing');
  }

  entries(): (readonly [key: string, value: JsonReader])[] {
    return Object.entries(this.#object()).map(([key, value]) => [key, this.#at(`["${key}"]`, value)]);
  }

  items(): JsonReader[] {
    const value = this.#value;
    if (!Array.isArray(value)) this.fail('must be an array');
    return value.map((item: unknown, index) => this.#at(`[${index}]`, item));
  }

  string(): string {
    return typeof this.#value === 'string' ? this.#value : this.fail('must be a string');
  }

  /** A decimal or 0x string, or a number up to 2^53 - 1; from 0 to `max`. */
  integer(max: bigint): bigint {
    const value = this.#value;
    const isNumber = typeof value === 'number' && Number.isSafeInteger(value);
    if (!isNumber && !(typeof value === 'string' && /^(\d+|0x[0-9a-fA-F]+)$/.test(value)))
      this.fail('must be an integer: a decimal or 0x string, or a number below 2^53');
    const integer = BigInt(value);
    if (integer < 0n || integer > max) this.fail(`is ${integer}, not between 0 and ${max}`);
    return integer;
  }

  /** 0x hex, of exactly `length` bytes when that is given. */
  bytes(length?: number): Bytes {
    return this.#hex(this.string(), length);
  }

  /** The last key of the path as 0x hex of `length` bytes. */
  keyBytes(key: string, length: number): Bytes {
    return this.#hex(key, length);
  }

  #hex(text: string, length: number | undefined): Bytes {
    if (!/^0x([0-9a-fA-F]{2})*$/.test(text)) this.fail('must be 0x hex of whole bytes');
    const bytes = fromHex(text);
    if (length !== undefined && bytes.length !== length) this.fail(`has ${bytes.length} bytes, not ${length}`);
    return bytes;
  }
}
