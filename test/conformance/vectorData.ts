/** Reading of vector files: every field must be known, integers of any size are exact. */
import { fromHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';

export type VectorObject = Readonly<Record<string, unknown>>;

/** The reviver of current engines gets the source text of a number, so that no digit is lost. */
type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseJson = JSON.parse as (text: string, reviver: SourceReviver) => unknown;

/** Integers beyond 2^53 come out as bigint. */
export function parseVectorJson(text: string): unknown {
  return parseJson(text, (_key, value, { source }) => {
    const isLargeInteger =
      typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source);
    return isLargeInteger ? BigInt(source) : value;
  });
}

/** The object, which has no other fields than these. */
export function fieldsOf(value: unknown, ...known: readonly string[]): VectorObject {
  const object = anyObject(value);
  for (const key of Object.keys(object)) if (!known.includes(key)) throw new Error(`unknown field ${key}`);
  return object;
}

export function anyObject(value: unknown): VectorObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`not an object: ${String(value)}`);
  // Checked: a plain object from JSON.
  return value as VectorObject;
}

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`not a list: ${String(value)}`);
  return value;
}

export function hex(value: unknown): Bytes {
  if (typeof value !== 'string' || !value.startsWith('0x')) throw new Error(`not 0x-hex: ${String(value)}`);
  return fromHex(value);
}

export function hexList(value: unknown): readonly Bytes[] {
  return listOf(value).map(hex);
}

/** A decimal string, a JSON integer, or 0x-hex. */
export function integer(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^(\d+|0x[0-9a-fA-F]+)$/.test(value)) return BigInt(value);
  throw new Error(`not an integer: ${String(value)}`);
}

export function count(value: unknown): number {
  return Number(integer(value));
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`not a string: ${String(value)}`);
  return value;
}

/** `read`, or undefined where the vector has null. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === null ? undefined : read(value);
}
