/**
 * The one logger: constant text and structured context, JSON or a pretty terminal (spec: observability C.11). Every thread
 * creates its own from the same options; lines go to standard output synchronously, so that a crash loses none.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { toHex } from './bytes.ts';
import type { LogFilter } from './configTypes.ts';
import { NodeError } from './errors.ts';
import { withShownUrls } from './urls.ts';

export interface LogMethod {
  (context: object, message: string): void;
  (message: string): void;
}

export interface Logger {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** Carries the context on every line. */
  child(context: object): Logger;
  /** A child for a part of the node, with its own level if the filter names it. */
  component(name: string): Logger;
  /** For context that costs something to build. */
  isLevelEnabled(level: string): boolean;
}

interface Destination {
  write(line: string): void;
}

export interface LoggerOptions {
  readonly format: 'terminal' | 'json';
  readonly useColor: boolean;
  readonly filter: LogFilter;
  /** On every line, for instance `{ role, chain_id }`. */
  readonly context?: object;
  /** Standard output by default. */
  readonly destination?: Destination;
}

const BYTES_SHOWN_MAX = 64;
const DEPTH_MAX = 6;
const ITEMS_MAX = 50;
const STANDARD_OUTPUT = 1;

/**
 * The same value as JSON can hold it: bigint as decimal text, bytes as hex (long ones by their length only), errors with
 * kind, code, facts and cause.
 */
export function loggable(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return value.length <= BYTES_SHOWN_MAX ? toHex(value) : `<${value.length} bytes>`;
  if (depth >= DEPTH_MAX) return '<nested>';
  if (value instanceof Error) return loggableError(value, depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') return (value as { toJSON(): unknown }).toJSON();
  if (value instanceof Map) return loggable(Object.fromEntries(value), depth);
  if (value instanceof Set) return loggable([...value], depth);
  if (Array.isArray(value)) {
    const shown = value.slice(0, ITEMS_MAX).map((item) => loggable(item, depth + 1));
    return value.length > ITEMS_MAX ? [...shown, `<${value.length - ITEMS_MAX} more>`] : shown;
  }
  const copy: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) copy[key] = loggable(entry, depth + 1);
  return copy;
}

function loggableError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: withShownUrls(error.message),
    ...(error instanceof NodeError && { kind: error.kind, facts: loggable(error.facts, depth + 1) }),
    stack: error.stack === undefined ? undefined : withShownUrls(error.stack),
    ...(error.cause !== undefined && { cause: loggable(error.cause, depth + 1) }),
  };
}

function prettyDestination(options: LoggerOptions, destination: Destination): Destination {
  const prettify = prettyFactory({
    colorize: options.useColor && options.destination === undefined && isatty(STANDARD_OUTPUT),
    singleLine: true,
    timestampKey: 'ts',
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'component,role,chain_id',
    messageFormat: (log, messageKey) => {
      const component = typeof log['component'] === 'string' ? `${log['component']}: ` : '';
      return component + String(log[messageKey]);
    },
  });
  return { write: (line) => destination.write(prettify(line)) };
}

/** @param outer the same logger without a component, for components of components: the innermost name counts */
function wrap(logger: pino.Logger, filter: LogFilter, outer: pino.Logger = logger): Logger {
  const method = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'): LogMethod =>
    logger[level].bind(logger);
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (context) => {
      const bindings = loggable(context) as pino.Bindings;
      return wrap(logger.child(bindings), filter, logger === outer ? undefined : outer.child(bindings));
    },
    component: (name) => {
      const level = Object.hasOwn(filter.components, name) ? filter.components[name] : undefined;
      return wrap(outer.child({ component: name }, { level: level ?? filter.level }), filter, outer);
    },
    isLevelEnabled: (level) => logger.isLevelEnabled(level),
  };
}

export function createLogger(options: LoggerOptions): Logger {
  const { filter, format } = options;
  const destination = options.destination ?? pino.destination({ fd: STANDARD_OUTPUT, sync: true });
  const stream = format === 'terminal' ? prettyDestination(options, destination) : destination;
  const logger = pino(
    {
      level: filter.level,
      base: options.context === undefined ? null : (loggable(options.context) as Record<string, unknown>),
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (context) => loggable(context) as Record<string, unknown>,
      },
      // errors are the business of `loggable`
      serializers: { err: (error: unknown) => error },
    },
    stream,
  );
  return wrap(logger, filter);
}

const ignore: LogMethod = () => undefined;

/** Writes nothing. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
  child: () => silentLogger,
  component: () => silentLogger,
  isLevelEnabled: () => false,
};
