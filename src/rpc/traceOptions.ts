/** Options of the debug_trace methods, as geth names them (spec: rpc 12). */
import type { TracerSpec } from '../vm/tracers/createTracer.ts';
import { invalidArgument, invalidParams } from './errors.ts';
import { isAbsent, optional, parseObject } from './validation.ts';
import type { JsonObject } from './validation.ts';

export interface TraceOptions {
  readonly tracer: TracerSpec;
  /** undefined: none was asked for. */
  readonly timeoutMs: number | undefined;
}

const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const MAX_DURATION_CHARACTERS = 40;
const MAX_NAME_CHARACTERS = 60;

/** Absent and `{}`: struct logs. Fields that no tracer knows are passed over, as in geth. */
export function parseTraceOptions(value: unknown, name: string): TraceOptions {
  const fields = isAbsent(value) ? {} : parseObject(value, name);
  return {
    tracer: tracerSpec(fields, name),
    timeoutMs: optional(fields['timeout'], (timeout) => parseDuration(timeout, `${name}.timeout`)),
  };
}

function tracerSpec(fields: JsonObject, name: string): TracerSpec {
  const tracer = fields['tracer'];
  if (isAbsent(tracer) || tracer === '') return { name: 'structLogs', config: structLogConfig(fields, name) };
  if (typeof tracer !== 'string') throw invalidParams(`invalid ${name}.tracer: expected a string`);
  const config = fields['tracerConfig'];
  switch (tracer) {
    case 'callTracer': {
      const flag = flagsOf(config);
      return { name: tracer, config: { onlyTopCall: flag('onlyTopCall'), withLog: flag('withLog') } };
    }
    case 'prestateTracer': {
      const flag = flagsOf(config);
      return {
        name: tracer,
        config: {
          diffMode: flag('diffMode'),
          disableCode: flag('disableCode'),
          disableStorage: flag('disableStorage'),
          includeEmpty: flag('includeEmpty'),
        },
      };
    }
    default:
      // Code of a tracer (JavaScript in geth) is not run here.
      throw invalidArgument(`tracer ${tracer.slice(0, MAX_NAME_CHARACTERS)} is not supported`);
  }
}

/** Fields of a tracerConfig, false when absent. */
function flagsOf(config: unknown): (key: string) => boolean {
  if (!isAbsent(config) && (typeof config !== 'object' || Array.isArray(config)))
    throw invalidArgument('invalid tracer config');
  const fields: JsonObject = { ...config };
  return (key) => {
    const value = fields[key];
    if (isAbsent(value)) return false;
    if (typeof value !== 'boolean') throw invalidArgument(`invalid tracer config: ${key} is a boolean`);
    return value;
  };
}

/** Struct logs have their options beside the others. */
function structLogConfig(fields: JsonObject, name: string): (TracerSpec & { name: 'structLogs' })['config'] {
  const flag = flagsOf(fields);
  const limit = fields['limit'] ?? 0;
  if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0)
    throw invalidParams(`invalid ${name}.limit: expected a number of entries`);
  return {
    disableStack: flag('disableStack'),
    disableStorage: flag('disableStorage'),
    enableMemory: flag('enableMemory'),
    enableReturnData: flag('enableReturnData'),
    limit,
  };
}

/** `300ms`, `1m30s` */
function parseDuration(value: unknown, name: string): number {
  if (typeof value !== 'string' || value.length > MAX_DURATION_CHARACTERS || !DURATION.test(value))
    throw invalidParams(`invalid ${name}: expected a duration such as 300ms or 5s`);
  let sumMs = 0;
  for (const [, number, unit] of value.matchAll(DURATION_PART)) sumMs += Number(number) * (UNIT_MS[unit ?? ''] ?? 0);
  return sumMs;
}
