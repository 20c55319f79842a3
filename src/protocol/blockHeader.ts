/** The 16-field header, its hash, and what chains blocks (spec: execution 6, replay-record 4). */
import { bytesToBigInt } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import type { BlockHeader } from './blockOutput.ts';
import { BLOOM_LENGTH } from './bloom.ts';
import { ProtocolError } from './errors.ts';
import { decodeRlp, encodeRlp, RLP_EMPTY_LIST, rlpInteger } from './rlp.ts';
import type { RlpItem } from './rlp.ts';

/** keccak256 of the empty RLP list: blocks have no ommers. */
export const EMPTY_OMMERS_HASH: Bytes = keccak256(RLP_EMPTY_LIST);
export const BLOCK_HASHES_LENGTH = 256;

const ZERO_BLOOM: Bytes = new Uint8Array(BLOOM_LENGTH);
const HEADER_FIELDS = 16;

/** The header's RLP, with its real bloom (as stored and served) or with a zero one (as hashed). */
export function encodeHeader(header: BlockHeader, options: { readonly bloom: boolean }): Bytes {
  return encodeRlp(headerItems(header, options));
}

/** The fields as an RLP list, for what contains a header. */
export function headerItems(header: BlockHeader, options: { readonly bloom: boolean }): readonly RlpItem[] {
  return [
    header.parentHash,
    header.ommersHash,
    header.beneficiary,
    header.stateRoot,
    header.transactionsRoot,
    header.receiptsRoot,
    options.bloom ? header.logsBloom : ZERO_BLOOM,
    rlpInteger(header.difficulty),
    rlpInteger(header.number),
    rlpInteger(header.gasLimit),
    rlpInteger(header.gasUsed),
    rlpInteger(header.timestamp),
    header.extraData,
    header.mixHash,
    header.nonce,
    rlpInteger(header.baseFeePerGas),
  ];
}

/** The block hash: keccak256 of the header with a zero bloom (spec: execution 6). */
export function headerHash(header: BlockHeader): Bytes {
  return keccak256(encodeHeader(header, { bloom: false }));
}

/** Decodes the 16 fields; throws HEADER_MALFORMED or RLP_MALFORMED. The result shares no memory with `bytes`. */
export function decodeHeader(bytes: Bytes): BlockHeader {
  return headerFromItems(decodeRlp(bytes));
}

/** A decoded RLP list as a header; throws HEADER_MALFORMED. */
export function headerFromItems(items: RlpItem): BlockHeader {
  if (items instanceof Uint8Array || items.length !== HEADER_FIELDS) {
    throw new ProtocolError('HEADER_MALFORMED', `a block header is a list of ${HEADER_FIELDS} items`);
  }
  const fixed = (index: number, length: number): Bytes => {
    const item = items[index];
    if (!(item instanceof Uint8Array) || item.length !== length) {
      throw new ProtocolError('HEADER_MALFORMED', `item ${index} of the block header is not ${length} bytes`, {
        index,
      });
    }
    return new Uint8Array(item);
  };
  const integer = (index: number, bytesMax: number): bigint => {
    const item = items[index];
    if (!(item instanceof Uint8Array) || item.length > bytesMax || item[0] === 0) {
      throw new ProtocolError(
        'HEADER_MALFORMED',
        `item ${index} of the block header is not an integer of at most ${bytesMax} bytes`,
        { index },
      );
    }
    return bytesToBigInt(item);
  };
  const extraData = items[12];
  if (!(extraData instanceof Uint8Array))
    throw new ProtocolError('HEADER_MALFORMED', 'item 12 of the block header is a list', { index: 12 });
  return {
    parentHash: fixed(0, 32),
    ommersHash: fixed(1, 32),
    beneficiary: fixed(2, 20),
    stateRoot: fixed(3, 32),
    transactionsRoot: fixed(4, 32),
    receiptsRoot: fixed(5, 32),
    logsBloom: fixed(6, BLOOM_LENGTH),
    difficulty: integer(7, 32),
    number: integer(8, 8),
    gasLimit: integer(9, 8),
    gasUsed: integer(10, 8),
    timestamp: integer(11, 8),
    extraData: new Uint8Array(extraData),
    mixHash: fixed(13, 32),
    nonce: fixed(14, 8),
    baseFeePerGas: integer(15, 8),
  };
}

// Filled anew by every call; hashing copies it out at once.
const rootPreimage = new Uint8Array(64);

/** keccak256(root || vmHash): the rolling transactions root, from 32 zero bytes on (spec: execution 6). */
export function nextTransactionsRoot(root: Bytes, vmHash: Bytes): Bytes {
  rootPreimage.set(root);
  rootPreimage.set(vmHash, 32);
  return keccak256(rootPreimage);
}

/** The ring for the block after the one with this hash: the oldest entry goes, `hash` becomes entry 255 (spec: replay-record 4). */
export function nextBlockHashes(ring: readonly Bytes[], hash: Bytes): readonly Bytes[] {
  const next = ring.slice(1);
  next.push(hash);
  return next;
}
