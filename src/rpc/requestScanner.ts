/**
 * Looks at the bytes of a request while they arrive, before anything is parsed: bounds nesting, batch length and the
 * number of values, and finds where each `id` stands, so that it can be echoed as it was written (a number may exceed
 * 2^53; spec: rpc 1). It does not validate JSON: that is the parser's work, and only after it succeeded are the
 * positions meaningful.
 */
export interface ScanLimits {
  readonly maxDepth: number;
  readonly maxBatchEntries: number;
  readonly maxValues: number;
}

export type ScanFailure = 'depth' | 'batch' | 'values';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LETTER_I = 0x69;
const LETTER_D = 0x64;
const NO_KEY = -1;

export class RequestScanner {
  readonly #limits: ScanLimits;
  readonly #idStarts: (number | undefined)[] = [];
  readonly #idEnds: (number | undefined)[] = [];
  readonly #entryStarts: (number | undefined)[] = [];
  readonly #entryEnds: (number | undefined)[] = [];
  failure: ScanFailure | undefined;

  #offset = 0;
  #depth = 0;
  #values = 0;
  #inString = false;
  #escaped = false;
  /** 1 for a single request, 2 inside a batch; 0 before the first bracket. */
  #entryDepth = 0;
  #entry = 0;
  #inEntryObject = false;
  #expectKey = false;
  /** Matched letters of `id`, 3 for another key, NO_KEY outside a key. */
  #keyLetters = NO_KEY;
  #keyIsId = false;
  #idPending = false;
  #idOpen = false;
  #lastSignificantEnd = 0;

  constructor(limits: ScanLimits) {
    this.#limits = limits;
  }

  /** The next bytes. Stops at the first failure. */
  write(chunk: Uint8Array): void {
    if (this.failure !== undefined) return;
    const base = this.#offset;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (this.#inString) {
        this.#inside(byte);
        if (!this.#inString) this.#lastSignificantEnd = base + i + 1;
        continue;
      }
      // Space, tab, line feed, carriage return.
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      this.#outside(byte, base + i);
      this.#lastSignificantEnd = base + i + 1;
      if (this.failure !== undefined) return;
    }
    this.#offset = base + chunk.length;
  }

  /** The `id` of an entry as written; undefined when it was not found under that spelling. */
  idText(body: Buffer, entry: number): string | undefined {
    const start = this.#idStarts[entry];
    const end = this.#idEnds[entry];
    return start === undefined || end === undefined ? undefined : body.toString('utf8', start, end);
  }

  /** Bytes of an entry as written; undefined: it is no object. */
  entryBytes(entry: number): number | undefined {
    const start = this.#entryStarts[entry];
    const end = this.#entryEnds[entry];
    return start === undefined || end === undefined ? undefined : end - start;
  }

  #inside(byte: number): void {
    if (this.#escaped) {
      this.#escaped = false;
    } else if (byte === BACKSLASH) {
      this.#escaped = true;
    } else if (byte === QUOTE) {
      this.#inString = false;
      if (this.#keyLetters !== NO_KEY) {
        this.#keyIsId = this.#keyLetters === 2;
        this.#keyLetters = NO_KEY;
      }
      return;
    }
    if (this.#keyLetters === NO_KEY) return;
    const isNext = (this.#keyLetters === 0 && byte === LETTER_I) || (this.#keyLetters === 1 && byte === LETTER_D);
    this.#keyLetters = isNext ? this.#keyLetters + 1 : 3;
  }

  #outside(byte: number, offset: number): void {
    const atEntry = this.#inEntryObject && this.#depth === this.#entryDepth;
    switch (byte) {
      case COMMA:
        this.#countValue();
        if (atEntry) {
          this.#endId();
          this.#expectKey = true;
        } else if (this.#depth === 1 && this.#entryDepth === 2) {
          this.#entry += 1;
          if (this.#entry >= this.#limits.maxBatchEntries) this.failure = 'batch';
        }
        return;
      case COLON:
        if (atEntry && this.#expectKey) {
          this.#expectKey = false;
          this.#idPending = this.#keyIsId;
        }
        return;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (atEntry) {
          this.#endId();
          this.#inEntryObject = false;
          this.#entryEnds[this.#entry] = offset + 1;
        }
        this.#depth -= 1;
        return;
      default:
    }
    this.#startId(offset);
    if (byte === QUOTE) {
      this.#inString = true;
      if (atEntry && this.#expectKey) this.#keyLetters = 0;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#countValue();
      this.#depth += 1;
      if (this.#depth > this.#limits.maxDepth) this.failure = 'depth';
      if (this.#entryDepth === 0) this.#entryDepth = byte === OPEN_OBJECT ? 1 : 2;
      if (this.#depth === this.#entryDepth && byte === OPEN_OBJECT) {
        this.#inEntryObject = true;
        this.#entryStarts[this.#entry] = offset;
        this.#expectKey = true;
        this.#keyIsId = false;
      }
    }
  }

  #countValue(): void {
    this.#values += 1;
    if (this.#values > this.#limits.maxValues) this.failure = 'values';
  }

  #startId(offset: number): void {
    if (!this.#idPending) return;
    this.#idPending = false;
    this.#idOpen = true;
    this.#idStarts[this.#entry] = offset;
  }

  #endId(): void {
    if (!this.#idOpen) return;
    this.#idOpen = false;
    this.#idEnds[this.#entry] = this.#lastSignificantEnd;
  }
}
