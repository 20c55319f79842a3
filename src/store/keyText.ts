/** Keys and values of the stores as people read them: which bucket, which block, which slot (`reprise verify`). */
import { type Bytes, asBuffer, equalBytes, readU64be, toHex } from '../common/bytes.ts';
import { errorText } from '../common/errors.ts';
import {
  ADDRESSES,
  BATCHES,
  CHAIN,
  MERKLE_TREE,
  PRIORITY_TREE,
  PROJECTION_CHECKPOINT,
  REPOSITORIES,
} from './buckets.ts';
import { decodeJournalEntry } from './journalCodec.ts';

/** Width in bytes and name of each part of a key; what is left over is shown as hex. */
type KeyPart = readonly [name: string, width: number];

const HASH = 32;
const BLOCK: KeyPart = ['block', 6];
const BATCH: KeyPart = ['batch', 6];

const KEY_PARTS: Readonly<Record<number, readonly [bucket: string, ...parts: readonly KeyPart[]]>> = {
  [CHAIN.latest]: ['latest', ['flat key', HASH]],
  [CHAIN.history]: ['history', ['flat key', HASH], ['block', 8]],
  [CHAIN.preimage]: ['preimage', ['hash', HASH]],
  [CHAIN.journal]: ['journal', ['entry', 8]],
  [CHAIN.blockHash]: ['blockHash', ['block', 8]],
  [CHAIN.journalIndex]: ['journalIndex', ['block', 8]],
  [CHAIN.settlement]: ['settlement', ['kind', 1], ['batch', 8]],
  [CHAIN.sealIndex]: ['sealIndex', ['batch', 8]],
  [REPOSITORIES.block]: ['block', BLOCK],
  [REPOSITORIES.blockHash]: ['blockHash', ['hash', HASH]],
  [REPOSITORIES.transactionHash]: ['transactionHash', ['hash', HASH]],
  [REPOSITORIES.senderNonce]: ['senderNonce', ['sender', 20], ['nonce', 8]],
  [REPOSITORIES.transactions]: ['transactions', BLOCK, ['first transaction', 4]],
  [REPOSITORIES.receipts]: ['receipts', BLOCK, ['first transaction', 4]],
  [REPOSITORIES.bloom]: ['bloom', BLOCK],
  [REPOSITORIES.bloomRow]: ['bloomRow', ['section', 4], ['row', 2]],
  [ADDRESSES.appearance]: ['appearance', ['address', 20], BLOCK, ['transaction', 4]],
  [ADDRESSES.creation]: ['creation', ['address', 20]],
  [MERKLE_TREE.version]: ['version', BLOCK],
  [MERKLE_TREE.page]: ['page', ['version', 6], ['level', 1], ['position', 6]],
  [MERKLE_TREE.indexPage]: ['indexPage', ['page', 6]],
  [MERKLE_TREE.indexSize]: ['indexSize'],
  [BATCHES.openBlock]: ['openBlock', BLOCK],
  [BATCHES.batch]: ['batch', BATCH],
  [BATCHES.lastBlock]: ['lastBlock', BLOCK],
  [BATCHES.leaves]: ['leaves', BATCH],
  [BATCHES.friProof]: ['friProof', BATCH],
  [BATCHES.snarkProof]: ['snarkProof', BATCH],
  [BATCHES.progress]: ['progress'],
  [PRIORITY_TREE.state]: ['state'],
  [PRIORITY_TREE.leaf]: ['leaf', ['id', 6]],
  [PRIORITY_TREE.blockEnd]: ['blockEnd', BLOCK],
  [PRIORITY_TREE.batch]: ['batch', BATCH],
};

const text = new TextDecoder('utf-8', { fatal: true });

/** `history, flat key 0x…, block 12 (key 0x12…)`; a key of no known shape is its hex alone. */
export function keyText(key: Bytes): string {
  const hex = `key ${toHex(key)}`;
  if (equalBytes(key, PROJECTION_CHECKPOINT)) return `the checkpoint (${hex})`;
  if (key[0] === CHAIN.meta) return `meta ${metaName(key)} (${hex})`;
  const shape = KEY_PARTS[key[0] ?? -1];
  if (shape === undefined) return hex;
  const [bucket, ...parts] = shape;
  let offset = 1;
  const named = parts.map(([name, width]) => {
    const bytes = key.subarray(offset, offset + width);
    offset += width;
    return `${name} ${width < 20 && bytes.length === width ? numberText(bytes) : toHex(bytes)}`;
  });
  return offset === key.length ? `${[bucket, ...named].join(', ')} (${hex})` : hex;
}

function metaName(key: Bytes): string {
  try {
    return text.decode(key.subarray(1));
  } catch {
    return '?';
  }
}

function numberText(bytes: Bytes): string {
  return bytes.length === 8 ? readU64be(bytes).toString() : String(asBuffer(bytes).readUIntBE(0, bytes.length));
}

/**
 * What two values of a key differ in, decoded where that is possible: the field of a journal entry, the parts of a
 * value of state, else the bytes around the first that differs.
 */
export function valueDifferenceText(key: Bytes, stored: Bytes | undefined, expected: Bytes | undefined): string {
  if (expected === undefined) return `is stored and should not be: ${valueText(key, stored)}`;
  if (stored === undefined) return `is missing, it should be ${valueText(key, expected)}`;
  if (key[0] === CHAIN.journal) return journalDifferenceText(stored, expected);
  if (key[0] === CHAIN.latest || key[0] === CHAIN.history)
    return `is ${valueText(key, stored)}, it should be ${valueText(key, expected)}`;
  const at = firstDifferentByte(stored, expected);
  return `differs from byte ${at} on: it is ${excerpt(stored, at)}, it should be ${excerpt(expected, at)}`;
}

function valueText(key: Bytes, value: Bytes | undefined): string {
  if (value === undefined) return 'nothing';
  const isState = key[0] === CHAIN.latest || key[0] === CHAIN.history;
  if (isState && value.length >= 40) {
    const record = value.length === 40 ? '' : ` with account record ${toHex(value.subarray(40))}`;
    return `${toHex(value.subarray(8, 40))} written in block ${readU64be(value)}${record}`;
  }
  return excerpt(value, 0);
}

const EXCERPT_BYTES = 32;

function excerpt(bytes: Bytes, from: number): string {
  const shown = bytes.subarray(from, from + EXCERPT_BYTES);
  const rest = bytes.length - from - shown.length;
  return `${toHex(shown)}${rest > 0 ? `… (${bytes.length} bytes in all)` : ''}`;
}

function firstDifferentByte(a: Bytes, b: Bytes): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}

function journalDifferenceText(stored: Bytes, expected: Bytes): string {
  try {
    const difference = firstFieldDifference(decodeJournalEntry(stored), decodeJournalEntry(expected), 'entry');
    if (difference !== undefined)
      return `differs in ${difference.path}: it is ${difference.stored}, it should be ${difference.expected}`;
  } catch (error) {
    return `cannot be decoded (${errorText(error)}): it is ${excerpt(stored, 0)}, it should be ${excerpt(expected, 0)}`;
  }
  const at = firstDifferentByte(stored, expected);
  return `differs from byte ${at} on: it is ${excerpt(stored, at)}, it should be ${excerpt(expected, at)}`;
}

interface FieldDifference {
  readonly path: string;
  readonly stored: string;
  readonly expected: string;
}

/** The first field, in the order of the expected value, in which two decoded values differ. */
export function firstFieldDifference(stored: unknown, expected: unknown, path: string): FieldDifference | undefined {
  if (stored instanceof Uint8Array && expected instanceof Uint8Array) {
    if (equalBytes(stored, expected)) return undefined;
  } else if (isObject(stored) && isObject(expected)) {
    const names = new Set([...Object.keys(expected), ...Object.keys(stored)]);
    for (const name of names) {
      const below = Array.isArray(expected) ? `${path}[${name}]` : `${path}.${name}`;
      const difference = firstFieldDifference(stored[name], expected[name], below);
      if (difference !== undefined) return difference;
    }
    return undefined;
  } else if (Object.is(stored, expected)) {
    return undefined;
  }
  return { path, stored: fieldText(stored), expected: fieldText(expected) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

function fieldText(value: unknown): string {
  if (value instanceof Uint8Array) return excerpt(value, 0);
  if (isObject(value)) return Array.isArray(value) ? `a list of ${value.length}` : 'there';
  return value === undefined ? 'nothing' : `${value as string | number | bigint | boolean}`; // all that is left
}
