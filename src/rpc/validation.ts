/**
 * Arguments of JSON-RPC methods (spec: rpc 1, 3). Parsers take the value and a name for it (`argument 0`,
 * `argument 0.to`) and throw -32602 with that name. Absent and null mean the same.
 */
import type { Bytes } from '../common/bytes.ts';
import { bigIntToBytes } from '../common/bytes.ts';
import { invalidParams } from './errors.ts';

export const U64_MAX = (1n << 64n) - 1n;
export const U128_MAX = (1n << 128n) - 1n;
export const U256_MAX = (1n << 256n) - 1n;

const HEX_DIGITS = /^[0-9a-fA-F]*$/;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** An argument that must be there. */
export function required(params: readonly unknown[], index: number): unknown {
  const value = params[index];
  if (isAbsent(value)) throw invalidParams(`missing value for required argument ${index}`);
  return value;
}

export function argumentName(index: number): string {
  return `argument ${index}`;
}

export function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return isAbsent(value) ? undefined : parse(value);
}

/** A hex quantity without leading zeros, at most `max`. */
export function parseQuantity(value: unknown, name: string, max: bigint = U256_MAX): bigint {
  const digits = hexDigits(value, name);
  if (digits === '') throw invalidParams(`invalid ${name}: hex string "0x" is no quantity`);
  if (digits.length > 1 && digits.startsWith('0')) {
    throw invalidParams(`invalid ${name}: hex number with leading zero digits`);
  }
  // 64 digits are 256 bits; longer ones are refused before the costly conversion.
  const parsed = digits.length > 64 ? undefined : BigInt(`0x${digits}`);
  if (parsed === undefined || parsed > max) throw invalidParams(`invalid ${name}: number is above ${max}`);
  return parsed;
}

/** A quantity, or a plain JSON integer, within what a JSON number holds exactly. */
export function parseIndex(value: unknown, name: string): bigint {
  if (typeof value !== 'number') return parseQuantity(value, name, U64_MAX);
  if (!Number.isSafeInteger(value) || value < 0) throw invalidParams(`invalid ${name}: not a non-negative integer`);
  return BigInt(value);
}

export function parseBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidParams(`invalid ${name}: expected a boolean, got ${kindOf(value)}`);
  return value;
}

/** `0x…` of even length. */
export function parseData(value: unknown, name: string): Bytes {
  const digits = hexDigits(value, name);
  if (digits.length % 2 !== 0) throw invalidParams(`invalid ${name}: hex string of odd length`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export function parseFixed(value: unknown, name: string, lengthBytes: number): Bytes {
  const digits = hexDigits(value, name);
  if (digits.length !== lengthBytes * 2) {
    throw invalidParams(`invalid ${name}: expected ${lengthBytes} bytes, got ${digits.length} hex digits`);
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export function parseAddress(value: unknown, name: string): Bytes {
  return parseFixed(value, name, 20);
}

export function parseHash(value: unknown, name: string): Bytes {
  return parseFixed(value, name, 32);
}

/** A 32-byte word or a shorter hex number, which is padded on the left. */
export function parseStorageKey(value: unknown, name: string): Bytes {
  const digits = hexDigits(value, name);
  if (digits.length > 64) throw invalidParams(`invalid ${name}: a storage key has at most 32 bytes`);
  return bigIntToBytes(digits === '' ? 0n : BigInt(`0x${digits}`), 32);
}

export function parseObject(value: unknown, name: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParams(`invalid ${name}: expected an object, got ${kindOf(value)}`);
  }
  // A JSON object: no array, not null.
  return value as JsonObject;
}

export function parseArray<T>(
  value: unknown,
  name: string,
  maxLength: number,
  parse: (item: unknown, name: string) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw invalidParams(`invalid ${name}: expected an array, got ${kindOf(value)}`);
  if (value.length > maxLength) throw invalidParams(`invalid ${name}: more than ${maxLength} entries`);
  return value.map((item: unknown, index) => parse(item, `${name}[${index}]`));
}

function hexDigits(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidParams(`invalid ${name}: expected a hex string, got ${kindOf(value)}`);
  if (!value.startsWith('0x') && !value.startsWith('0X')) {
    throw invalidParams(`invalid ${name}: hex string without 0x prefix`);
  }
  const digits = value.slice(2);
  if (!HEX_DIGITS.test(digits)) throw invalidParams(`invalid ${name}: invalid hex string`);
  return digits;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'an array' : typeof value;
}
