/** The types of option values: how each is read from text or JSON, and how it is printed. */
import { fromHex, toHex } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { shownUrl } from './urls.ts';

/** A value that is never printed: not by JSON, string conversion, inspection or the effective configuration. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

export const REDACTED = '<redacted>';

export interface SocketAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Levels by component; `level` is for the components not named. */
export interface LogFilter {
  readonly level: LogLevel;
  readonly components: Readonly<Record<string, LogLevel>>;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The last word of the property name: style is units last. */
export type Unit = '' | 'Ms' | 'Bytes';

export interface ValueType<T, U extends Unit> {
  /** For the documentation. */
  readonly name: string;
  readonly unit: U;
  /** The value of a string or of parsed JSON. Throws a RangeError that says what is wrong without repeating secrets. */
  readonly parse: (raw: unknown) => T;
  readonly format: (value: T) => string;
  /** Undefined is a value: an empty string or `null` means none, unless the type is a string. */
  readonly isOptional: boolean;
  readonly isString: boolean;
  readonly isSecret: boolean;
}

function type<T, U extends Unit>(
  name: string,
  unit: U,
  parse: (raw: unknown) => T,
  format: (value: T) => string,
): ValueType<T, U> {
  return { name, unit, parse, format, isOptional: false, isString: false, isSecret: false };
}

function refuse(expected: string, raw: unknown): never {
  const shown = typeof raw === 'string' ? raw : JSON.stringify(raw);
  throw new RangeError(
    `expected ${expected}, got ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown || 'nothing'}`,
  );
}

function textOf(raw: unknown, expected: string): string {
  return typeof raw === 'string' ? raw.trim() : refuse(expected, raw);
}

export const string: ValueType<string, ''> = {
  ...type(
    'string',
    '',
    (raw) => (typeof raw === 'string' ? raw : refuse('a string', raw)),
    (value) => value,
  ),
  isString: true,
};

/** A string that is of no use when empty. */
export const path = type(
  'path',
  '',
  (raw) => textOf(raw, 'a path') || refuse('a path', raw),
  (value) => value,
);

export const name = type(
  'string',
  '',
  (raw) => textOf(raw, 'a name') || refuse('a name', raw),
  (value) => value,
);

export const boolean = type(
  'bool',
  '',
  (raw) => {
    if (raw === true || raw === 'true') return true;
    if (raw === false || raw === 'false') return false;
    return refuse('true or false', raw);
  },
  String,
);

export function integer({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  return type(
    'integer',
    '',
    (raw) => {
      const value = typeof raw === 'number' ? raw : /^-?\d+$/.test(textOf(raw, expected)) ? Number(raw) : NaN;
      return Number.isSafeInteger(value) && value >= min && value <= max ? value : refuse(expected, raw);
    },
    String,
  );
}

export function decimal({ min, max }: { min: number; max: number }) {
  const expected = `a number from ${min} to ${max}`;
  return type(
    'number',
    '',
    (raw) => {
      const value = typeof raw === 'number' ? raw : /^\d+(\.\d+)?$/.test(textOf(raw, expected)) ? Number(raw) : NaN;
      return value >= min && value <= max ? value : refuse(expected, raw);
    },
    String,
  );
}

export const port = integer({ max: 65_535 });

const U64_MAX = 2n ** 64n - 1n;

export const u64 = type(
  'u64',
  '',
  (raw): bigint => {
    const expected = 'an integer from 0 to 2^64 - 1';
    const digits = typeof raw === 'number' && Number.isSafeInteger(raw) ? String(raw) : textOf(raw, expected);
    if (!/^\d+$/.test(digits)) return refuse(expected, raw);
    const value = BigInt(digits);
    return value <= U64_MAX ? value : refuse(expected, raw);
  },
  String,
);

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  millis: 1,
  s: 1_000,
  sec: 1_000,
  secs: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  mins: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
};

function parseDurationMs(raw: unknown): number {
  const expected = 'a duration with a unit (100ms, 5s, 15 min)';
  if (typeof raw === 'object' && raw !== null) {
    const entries = Object.entries(raw);
    const [unit, amount] = entries[0] ?? [];
    const factor = unit === undefined ? undefined : DURATION_UNITS_MS[unit];
    if (entries.length !== 1 || typeof amount !== 'number' || amount < 0 || factor === undefined) {
      return refuse(`${expected} or {"secs": 5}`, raw);
    }
    return amount * factor;
  }
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(textOf(raw, expected));
  const factor = DURATION_UNITS_MS[match?.[2]?.toLowerCase() ?? ''];
  if (match === null || factor === undefined) return refuse(expected, raw);
  return Math.round(Number(match[1]) * factor);
}

function formatDuration(ms: number): string {
  if (ms !== 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms !== 0 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms !== 0 && ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}

/** In milliseconds. */
export function duration({ minMs = 0, maxMs = 2_147_483_647 }: { minMs?: number; maxMs?: number } = {}) {
  return type(
    'duration',
    'Ms',
    (raw) => {
      const ms = parseDurationMs(raw);
      if (ms >= minMs && ms <= maxMs) return ms;
      return refuse(`a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`, raw);
    },
    formatDuration,
  );
}

const KIB = 1024;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  kb: 1_000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: KIB,
  mib: KIB ** 2,
  gib: KIB ** 3,
};

function formatSize(bytes: number): string {
  if (bytes !== 0 && bytes % KIB ** 3 === 0) return `${bytes / KIB ** 3} GiB`;
  if (bytes !== 0 && bytes % KIB ** 2 === 0) return `${bytes / KIB ** 2} MiB`;
  return bytes !== 0 && bytes % KIB === 0 ? `${bytes / KIB} KiB` : `${bytes} B`;
}

/** In bytes. A plain number counts `plainUnit`. */
export function size({
  minBytes = 0,
  maxBytes = Number.MAX_SAFE_INTEGER,
  plainUnit = 'b',
}: { minBytes?: number; maxBytes?: number; plainUnit?: 'b' | 'mib' } = {}) {
  const expected = 'a size (a plain number, or 512KiB, 6MiB, 1GB)';
  return type(
    plainUnit === 'b' ? 'size in bytes' : 'size in MiB',
    'Bytes',
    (raw) => {
      const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(typeof raw === 'number' ? String(raw) : textOf(raw, expected));
      const factor = SIZE_UNITS[match?.[2]?.toLowerCase() || plainUnit];
      if (match === null || factor === undefined) return refuse(expected, raw);
      const bytes = Number(match[1]) * factor;
      if (!Number.isSafeInteger(bytes)) return refuse(expected, raw);
      if (bytes >= minBytes && bytes <= maxBytes) return bytes;
      return refuse(`a size from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`, raw);
    },
    formatSize,
  );
}

/** `host:port`; IPv6 hosts in brackets. */
export const socket = type(
  'host:port',
  '',
  (raw): SocketAddress => {
    const match = /^(\[[0-9a-f:.]+\]|[^:\s]+):(\d{1,5})$/i.exec(textOf(raw, 'host:port'));
    if (match === null || Number(match[2]) > 65_535) return refuse('host:port', raw);
    return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2]) };
  },
  ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
);

/** A socket to connect to, as its text: what clients of brokers take. */
export const broker = type(
  'host:port',
  '',
  (raw): string => {
    const address = socket.parse(raw);
    return address.port === 0 ? refuse('host:port', raw) : socket.format(address);
  },
  (value) => value,
);

/** Printed without user, password, path and query: keys of RPC providers lie there. */
export function url(...protocols: readonly string[]) {
  const expected = `a URL (${protocols.map((protocol) => `${protocol}://…`).join(', ')})`;
  return type(
    'url',
    '',
    (raw) => {
      const text = textOf(raw, expected);
      const parsed = URL.parse(text);
      // the URL may hold a key: it is not repeated
      if (parsed === null || !protocols.includes(parsed.protocol.slice(0, -1)))
        throw new RangeError(`expected ${expected}`);
      return text;
    },
    shownUrl,
  );
}

function hexBytes(typeName: string, lengthBytes: number) {
  const expected = `${lengthBytes} bytes of hex (0x…)`;
  return type(
    typeName,
    '',
    (raw): Bytes => {
      const text = textOf(raw, expected);
      return /^0x[0-9a-f]*$/i.test(text) && text.length === 2 + lengthBytes * 2 ? fromHex(text) : refuse(expected, raw);
    },
    toHex,
  );
}

export const address = hexBytes('address', 20);
export const id16 = hexBytes('16 bytes of hex', 16);

export function oneOf<const V extends string>(...values: readonly V[]) {
  return type(
    values.map((value) => `\`${value}\``).join(', '),
    '',
    (raw): V =>
      values.find((value) => value === textOf(raw, values.join(', '))) ?? refuse(`one of ${values.join(', ')}`, raw),
    (value) => value,
  );
}

/** Comma-separated text or a JSON array; not empty. */
export function list<T>(item: ValueType<T, ''>) {
  return type(
    `list of ${item.name}`,
    '',
    (raw): readonly T[] => {
      const items: readonly unknown[] = Array.isArray(raw) ? raw : textOf(raw, 'a comma-separated list').split(',');
      const values = items.map((part) => (typeof part === 'string' ? part.trim() : part)).filter((part) => part !== '');
      return values.length > 0 ? values.map(item.parse) : refuse('a list that is not empty', raw);
    },
    (values) => values.map(item.format).join(','),
  );
}

export const secret: ValueType<Secret, ''> = {
  ...type(
    'secret',
    '',
    (raw) => {
      if (typeof raw !== 'string') throw new RangeError('expected a string');
      return new Secret(raw);
    },
    () => REDACTED,
  ),
  isSecret: true,
};

/** A private key of 32 bytes. */
export const secretKey: ValueType<Secret, ''> = {
  ...secret,
  name: 'secret hex',
  parse: (raw) => {
    const text = typeof raw === 'string' ? raw.trim() : '';
    if (!/^(0x)?[0-9a-f]{64}$/i.test(text)) throw new RangeError('expected a private key of 32 bytes in hex');
    return new Secret(text.startsWith('0x') ? text : `0x${text}`);
  },
};

/** Words of RUST_LOG that pino says differently. */
const LEVEL_ALIASES: Readonly<Record<string, LogLevel>> = { off: 'silent', warning: 'warn' };

function parseLevel(text: string): LogLevel | undefined {
  const lower = text.toLowerCase();
  return LEVEL_ALIASES[lower] ?? LOG_LEVELS.find((level) => level === lower);
}

/** A list of directives as in RUST_LOG: `info,sequencer=debug`. */
export const logFilter = type(
  'level or list of component=level',
  '',
  (raw): LogFilter => {
    const expected = `levels (${LOG_LEVELS.join(', ')}), alone or as component=level, separated by commas`;
    let level: LogLevel = 'info';
    const components: Record<string, LogLevel> = {};
    for (const directive of textOf(raw, expected).split(',')) {
      const trimmed = directive.trim();
      if (trimmed === '') continue;
      const [left = '', right, ...rest] = trimmed.split('=').map((part) => part.trim());
      const parsed = parseLevel(right ?? left);
      if (parsed === undefined || rest.length > 0 || left === '') return refuse(expected, raw);
      if (right === undefined) level = parsed;
      else components[left] = parsed;
    }
    return { level, components };
  },
  ({ level, components }) =>
    [level, ...Object.entries(components).map(([component, value]) => `${component}=${value}`)].join(','),
);

/** No value is a value. */
export function optional<T, U extends Unit>(inner: ValueType<T, U>): ValueType<T | undefined, U> {
  return {
    ...inner,
    format: (value) => (value === undefined ? 'none' : inner.format(value)),
    isOptional: true,
  };
}
