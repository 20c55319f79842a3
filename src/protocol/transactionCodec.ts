/**
 * Transactions to and from bytes (spec: replay-record 3), their hashes, and the hash the VM chains into the header's
 * transactions root (spec: execution 6). Signature recovery is elsewhere: nothing here touches a curve.
 */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { ProtocolError } from './errors.ts';
import { encodeRlp, RlpCursor, rlpInteger, rlpLength, rlpPrefixLength, writeRlp, writeRlpPrefix } from './rlp.ts';
import type { RlpItem } from './rlp.ts';
import { isL1Transaction, L1_PRIORITY_TYPE, UPGRADE_TYPE } from './transaction.ts';
import type { AccessListItem, L1Transaction, L2Transaction, Transaction } from './transaction.ts';
import {
  byteLengthOf,
  dataView,
  readU256,
  U128_MAX,
  U256_MAX,
  U64_MAX,
  writeIntegerBytes,
  writeU256,
} from './words.ts';

const LIST_BASE = 0xc0;
const ZERO_SIGNATURE_ITEMS: readonly RlpItem[] = [EMPTY_BYTES, EMPTY_BYTES, EMPTY_BYTES];

function malformed(message: string, facts: Record<string, unknown> = {}, cause?: unknown): ProtocolError {
  return new ProtocolError(
    'TRANSACTION_MALFORMED',
    `malformed transaction: ${message}`,
    facts,
    cause === undefined ? {} : { cause },
  );
}

// Filled anew by every integer: memory of its own, and a view of it, would cost more than the integer.
const integer = new Uint8Array(32);
const integerView = dataView(integer);

function readInteger(cursor: RlpCursor, name: string, bytesMax: number): bigint {
  const bytes = cursor.bytes();
  const length = bytes.length;
  if (length > bytesMax) {
    throw new ProtocolError(
      'TRANSACTION_FIELD_TOO_WIDE',
      `malformed transaction: ${name} has ${length} bytes, at most ${bytesMax} are allowed`,
      {
        field: name,
      },
    );
  }
  if (length === 0) return 0n;
  if (bytes[0] === 0) throw malformed(`${name} has a leading zero`, { field: name });
  if (length <= 6) {
    let value = 0;
    for (const byte of bytes) value = value * 256 + byte;
    return BigInt(value);
  }
  integer.fill(0, 0, 32 - length);
  integer.set(bytes, 32 - length);
  return readU256(integerView, 0);
}

function readFixed(cursor: RlpCursor, name: string, length: number): Bytes {
  const bytes = cursor.bytes();
  if (bytes.length !== length) throw malformed(`${name} has ${bytes.length} bytes, not ${length}`, { field: name });
  return new Uint8Array(bytes);
}

function readTarget(cursor: RlpCursor): Bytes | undefined {
  const bytes = cursor.bytes();
  if (bytes.length === 0) return undefined;
  if (bytes.length !== 20) throw malformed(`to has ${bytes.length} bytes, not 20 or none`, { field: 'to' });
  return new Uint8Array(bytes);
}

function readAccessList(cursor: RlpCursor): readonly AccessListItem[] {
  const list = cursor.list();
  const items: AccessListItem[] = [];
  while (!list.done) {
    const entry = list.list();
    const address = readFixed(entry, 'access list address', 20);
    const slotList = entry.list();
    entry.finish();
    const slots: Bytes[] = [];
    while (!slotList.done) slots.push(readFixed(slotList, 'access list slot', 32));
    items.push({ address, slots });
  }
  return items;
}

function readParity(cursor: RlpCursor): 0 | 1 {
  const parity = readInteger(cursor, 'yParity', 8);
  if (parity !== 0n && parity !== 1n) throw malformed(`yParity is ${parity}, not 0 or 1`, { field: 'yParity' });
  return parity === 0n ? 0 : 1;
}

/** RLP list of already encoded items: `middle` and then `tail`, with `head` before it; `type` undefined for legacy. */
function listAround(options: { type: number | undefined; head: Bytes; middle: Bytes; tail: Bytes }): Bytes {
  const { type, head, middle, tail } = options;
  const length = head.length + middle.length + tail.length;
  const typeLength = type === undefined ? 0 : 1;
  const out = new Uint8Array(typeLength + rlpPrefixLength(length) + length);
  if (type !== undefined) out[0] = type;
  let offset = writeRlpPrefix(out, typeLength, length, LIST_BASE);
  out.set(head, offset);
  offset += head.length;
  out.set(middle, offset);
  out.set(tail, offset + middle.length);
  return out;
}

function encodeItems(items: readonly RlpItem[]): Bytes {
  let length = 0;
  for (const item of items) length += rlpLength(item);
  const out = new Uint8Array(length);
  let offset = 0;
  for (const item of items) offset = writeRlp(out, offset, item);
  return out;
}

function decodeLegacy(raw: Bytes, hash: Bytes): L2Transaction {
  const outer = new RlpCursor(raw);
  const list = outer.list();
  outer.finish();
  const unsignedStart = list.position;
  const nonce = readInteger(list, 'nonce', 8);
  const gasPrice = readInteger(list, 'gasPrice', 16);
  const gasLimit = readInteger(list, 'gasLimit', 8);
  const to = readTarget(list);
  const value = readInteger(list, 'value', 32);
  const input = list.bytes();
  const unsigned = raw.subarray(unsignedStart, list.position);
  // Wider than 35 + 2 x u64: told apart below.
  const v = readInteger(list, 'v', 16);
  const r = readInteger(list, 'r', 32);
  const s = readInteger(list, 's', 32);
  list.finish();
  const isProtected = v >= 35n;
  if (!isProtected && v !== 27n && v !== 28n) throw malformed(`v is ${v}: not 27, 28 or 35 and above`, { field: 'v' });
  const chainId = isProtected ? (v - 35n) >> 1n : undefined;
  if (chainId !== undefined && chainId > U64_MAX) {
    throw new ProtocolError(
      'TRANSACTION_FIELD_TOO_WIDE',
      `malformed transaction: the chain id ${chainId} in v exceeds 64 bits`,
      { field: 'v' },
    );
  }
  const chainItems = chainId === undefined ? EMPTY_BYTES : encodeItems([rlpInteger(chainId), EMPTY_BYTES, EMPTY_BYTES]);
  const signed = listAround({ type: undefined, head: EMPTY_BYTES, middle: unsigned, tail: chainItems });
  return {
    type: 0,
    hash,
    raw,
    signingHash: keccak256(signed),
    signingLength: signed.length,
    chainId,
    nonce,
    maxPriorityFeePerGas: gasPrice,
    maxFeePerGas: gasPrice,
    gasLimit,
    to,
    value,
    input,
    accessList: [],
    yParity: ((isProtected ? v - 35n : v - 27n) & 1n) === 0n ? 0 : 1,
    r,
    s,
  };
}

function decodeTyped(raw: Bytes, type: 1 | 2, hash: Bytes): L2Transaction {
  const outer = new RlpCursor(raw, 1);
  const list = outer.list();
  outer.finish();
  const unsignedStart = list.position;
  const chainId = readInteger(list, 'chainId', 8);
  const nonce = readInteger(list, 'nonce', 8);
  const maxPriorityFeePerGas = readInteger(list, type === 1 ? 'gasPrice' : 'maxPriorityFeePerGas', 16);
  const maxFeePerGas = type === 1 ? maxPriorityFeePerGas : readInteger(list, 'maxFeePerGas', 16);
  const gasLimit = readInteger(list, 'gasLimit', 8);
  const to = readTarget(list);
  const value = readInteger(list, 'value', 32);
  const input = list.bytes();
  const accessList = readAccessList(list);
  const unsigned = raw.subarray(unsignedStart, list.position);
  const yParity = readParity(list);
  const r = readInteger(list, 'r', 32);
  const s = readInteger(list, 's', 32);
  list.finish();
  const signed = listAround({ type, head: EMPTY_BYTES, middle: unsigned, tail: EMPTY_BYTES });
  return {
    type,
    hash,
    raw,
    signingHash: keccak256(signed),
    signingLength: signed.length,
    chainId,
    nonce,
    maxPriorityFeePerGas,
    maxFeePerGas,
    gasLimit,
    to,
    value,
    input,
    accessList,
    yParity,
    r,
    s,
  };
}

function decodeL1(raw: Bytes, type: 0x7e | 0x7f): L1Transaction {
  const outer = new RlpCursor(raw, 1);
  const list = outer.list();
  outer.finish();
  const hash = readFixed(list, 'hash', 32);
  const initiator = readFixed(list, 'initiator', 20);
  const to = readFixed(list, 'to', 20);
  const gasLimit = readInteger(list, 'gasLimit', 8);
  const gasPerPubdataByteLimit = readInteger(list, 'gasPerPubdataByteLimit', 8);
  const maxFeePerGas = readInteger(list, 'maxFeePerGas', 16);
  const maxPriorityFeePerGas = readInteger(list, 'maxPriorityFeePerGas', 16);
  const nonce = readInteger(list, 'nonce', 8);
  const value = readInteger(list, 'value', 32);
  const toMint = readInteger(list, 'toMint', 32);
  const refundRecipient = readFixed(list, 'refundRecipient', 20);
  const input = list.bytes();
  const dependencyList = list.list();
  const factoryDeps: Bytes[] = [];
  while (!dependencyList.done) factoryDeps.push(readFixed(dependencyList, 'factory dependency', 32));
  for (const name of ['yParity', 'r', 's']) {
    if (list.bytes().length !== 0) throw malformed(`${name} of an L1 transaction is not zero`, { field: name });
  }
  list.finish();
  return {
    type,
    hash,
    raw,
    initiator,
    to,
    gasLimit,
    gasPerPubdataByteLimit,
    maxFeePerGas,
    maxPriorityFeePerGas,
    nonce,
    value,
    toMint,
    refundRecipient,
    input,
    factoryDeps,
  };
}

function decodeByType(raw: Bytes, hash: Bytes | undefined): Transaction {
  const type = raw[0];
  if (type === undefined) throw malformed('it is empty');
  if (type >= LIST_BASE) return decodeLegacy(raw, hash ?? keccak256(raw));
  switch (type) {
    case 1:
    case 2:
      return decodeTyped(raw, type, hash ?? keccak256(raw));
    case UPGRADE_TYPE:
    case L1_PRIORITY_TYPE:
      return decodeL1(raw, type);
    default:
      throw new ProtocolError(
        'TRANSACTION_TYPE_UNSUPPORTED',
        `transaction type 0x${type.toString(16).padStart(2, '0')} is not supported`,
        { type },
      );
  }
}

/**
 * Decodes an EIP-2718 envelope: legacy, 0x01, 0x02, 0x7e, 0x7f (spec: replay-record 3). Signatures and the carried hash
 * of L1 transactions are not checked. Throws TRANSACTION_TYPE_UNSUPPORTED, TRANSACTION_FIELD_TOO_WIDE or
 * TRANSACTION_MALFORMED.
 *
 * `raw` of the result is the input, or a copy when the input is a view of a larger buffer; `input` is a view of it.
 * @param hash keccak256 of the envelope, from who has it already
 */
export function decodeTransaction(bytes: Bytes, hash?: Bytes): Transaction {
  // Node's Buffers would pull their pool along and have another `slice`.
  const raw =
    bytes.length === bytes.buffer.byteLength && bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes);
  try {
    return decodeByType(raw, hash);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'RLP_MALFORMED') throw malformed(error.message, {}, error);
    throw error;
  }
}

export type L1TransactionFields = Omit<L1Transaction, 'hash' | 'raw'>;

function requireWidths(fields: L1TransactionFields): void {
  const widths: readonly (readonly [string, bigint, bigint])[] = [
    ['gasLimit', fields.gasLimit, U64_MAX],
    ['gasPerPubdataByteLimit', fields.gasPerPubdataByteLimit, U64_MAX],
    ['maxFeePerGas', fields.maxFeePerGas, U128_MAX],
    ['maxPriorityFeePerGas', fields.maxPriorityFeePerGas, U128_MAX],
    ['nonce', fields.nonce, U64_MAX],
    ['value', fields.value, U256_MAX],
    ['toMint', fields.toMint, U256_MAX],
  ];
  for (const [name, value, max] of widths) {
    if (value < 0n || value > max) {
      throw new ProtocolError(
        'TRANSACTION_FIELD_TOO_WIDE',
        `${name} of an L1 transaction is ${value}, not within 0..${max}`,
        { field: name },
      );
    }
  }
  const lengths: readonly (readonly [string, Bytes, number])[] = [
    ['initiator', fields.initiator, 20],
    ['to', fields.to, 20],
    ['refundRecipient', fields.refundRecipient, 20],
    ...fields.factoryDeps.map((dependency) => ['factory dependency', dependency, 32] as const),
  ];
  for (const [name, bytes, length] of lengths) {
    if (bytes.length !== length) throw malformed(`${name} has ${bytes.length} bytes, not ${length}`, { field: name });
  }
}

/**
 * The transaction with a hash that is given, not derived: for what must be encoded as it was received (spec:
 * replay-record 3.2). Throws TRANSACTION_FIELD_TOO_WIDE, TRANSACTION_MALFORMED.
 */
export function encodeL1TransactionWithHash(fields: L1TransactionFields, hash: Bytes): L1Transaction {
  requireWidths(fields);
  if (hash.length !== 32) throw malformed(`hash has ${hash.length} bytes, not 32`, { field: 'hash' });
  const list = encodeRlp([
    hash,
    fields.initiator,
    fields.to,
    rlpInteger(fields.gasLimit),
    rlpInteger(fields.gasPerPubdataByteLimit),
    rlpInteger(fields.maxFeePerGas),
    rlpInteger(fields.maxPriorityFeePerGas),
    rlpInteger(fields.nonce),
    rlpInteger(fields.value),
    rlpInteger(fields.toMint),
    fields.refundRecipient,
    fields.input,
    fields.factoryDeps,
    ...ZERO_SIGNATURE_ITEMS,
  ]);
  const raw = new Uint8Array(1 + list.length);
  raw[0] = fields.type;
  raw.set(list, 1);
  return { ...fields, hash, raw };
}

/** The transaction with its canonical hash and encoding (spec: replay-record 3.2). Throws TRANSACTION_FIELD_TOO_WIDE, TRANSACTION_MALFORMED. */
export function encodeL1Transaction(fields: L1TransactionFields): L1Transaction {
  requireWidths(fields);
  return encodeL1TransactionWithHash(fields, canonicalL1Hash(fields));
}

const WORD = 32;
const HEAD_WORDS = 19;

/**
 * ABI encoding of the canonical tuple as a function would return it, leading 0x20 word included (spec: replay-record
 * 3.2). Its keccak256 is the transaction's hash.
 */
export function l1AbiEncoding(fields: L1TransactionFields): Bytes {
  const inputWords = Math.ceil(fields.input.length / WORD);
  // Five tails, each with its length word; three of them are empty.
  const out = new Uint8Array(WORD * (1 + HEAD_WORDS + 5 + inputWords + fields.factoryDeps.length));
  const view = dataView(out);
  const tupleStart = WORD;
  const putWord = (index: number, value: bigint): void => {
    writeU256(view, tupleStart + index * WORD, value);
  };
  const putAddress = (index: number, address: Bytes): void => {
    out.set(address, tupleStart + index * WORD + 12);
  };
  writeU256(view, 0, BigInt(WORD));
  putWord(0, BigInt(fields.type));
  putAddress(1, fields.initiator);
  putAddress(2, fields.to);
  putWord(3, fields.gasLimit);
  putWord(4, fields.gasPerPubdataByteLimit);
  putWord(5, fields.maxFeePerGas);
  putWord(6, fields.maxPriorityFeePerGas);
  // 7: paymaster
  putWord(8, fields.nonce);
  putWord(9, fields.value);
  putWord(10, fields.toMint);
  putAddress(11, fields.refundRecipient);
  // 12, 13: reserved
  let word = HEAD_WORDS;
  const startTail = (headIndex: number, length: number): void => {
    putWord(headIndex, BigInt(word * WORD));
    putWord(word, BigInt(length));
    word += 1;
  };
  startTail(14, fields.input.length);
  out.set(fields.input, tupleStart + word * WORD);
  word += inputWords;
  startTail(15, 0);
  startTail(16, fields.factoryDeps.length);
  for (const dependency of fields.factoryDeps) {
    out.set(dependency, tupleStart + word * WORD);
    word += 1;
  }
  startTail(17, 0);
  startTail(18, 0);
  return out;
}

/** keccak256 of `l1AbiEncoding`, computed from the fields (spec: replay-record 3.2). */
export function canonicalL1Hash(fields: L1TransactionFields): Bytes {
  return keccak256(l1AbiEncoding(fields));
}

/**
 * The hash that is chained into the header's transactions root (spec: execution 6): of L1 types the canonical hash of
 * the fields; of L2 types the standard encoding with the signature items in the order r, s, v and v = 27 + parity for
 * typed ones. `chainId` is the block's.
 */
export function vmTransactionHash(transaction: Transaction, chainId: bigint): Bytes {
  if (isL1Transaction(transaction)) return canonicalL1Hash(transaction);
  const { raw, type, yParity, r, s } = transaction;
  const isTyped = type !== 0;
  const parity = BigInt(yParity);
  const legacyV = (id: bigint | undefined): bigint => (id === undefined ? 27n : 35n + 2n * id) + parity;
  // The encoding is canonical: where the items lie follows from their values.
  const ownChainId = transaction.chainId;
  const listStart = isTyped ? 1 : 0;
  const itemsStart = listStart + 1 + Math.max(0, (raw[listStart] ?? 0) - LONG_LIST_BASE);
  const start = itemsStart + (isTyped && ownChainId !== undefined ? integerItemLength(ownChainId) : 0);
  const signatureStart = raw.length - integerItemLength(r) - integerItemLength(s);
  const end = signatureStart - (isTyped ? 1 : integerItemLength(legacyV(ownChainId)));

  const v = isTyped ? 27n + parity : legacyV(ownChainId === undefined ? undefined : chainId);
  const length =
    (isTyped ? integerItemLength(chainId) : 0) + (end - start) + (raw.length - signatureStart) + integerItemLength(v);
  const out = scratchOf(listStart + rlpPrefixLength(length) + length);
  if (isTyped) out[0] = type;
  let offset = writeRlpPrefix(out, listStart, length, LIST_BASE);
  if (isTyped) offset = writeIntegerItem(out, offset, chainId);
  out.set(raw.subarray(start, end), offset);
  offset += end - start;
  out.set(raw.subarray(signatureStart), offset);
  offset = writeIntegerItem(out, offset + raw.length - signatureStart, v);
  return keccak256(out.subarray(0, offset));
}

/** Prefixes of lists above this are followed by as many bytes of length as they exceed it. */
const LONG_LIST_BASE = 0xf7;

// Filled anew by every hash.
let scratch = new Uint8Array(512);

function scratchOf(length: number): Bytes {
  if (length > scratch.length) {
    if (length > SCRATCH_MAX) return new Uint8Array(length);
    scratch = new Uint8Array(length);
  }
  return scratch;
}

const SCRATCH_MAX = 64 * 1024;

function integerItemLength(value: bigint): number {
  return value < 0x80n ? 1 : 1 + byteLengthOf(value);
}

function writeIntegerItem(out: Bytes, offset: number, value: bigint): number {
  if (value < 0x80n) {
    out[offset] = value === 0n ? 0x80 : Number(value);
    return offset + 1;
  }
  const length = byteLengthOf(value);
  out[offset] = 0x80 + length;
  return writeIntegerBytes(out, offset + 1, value, length);
}
