/** Keys of the `repositories` store; the layout is in store/buckets.ts. */
import { asBuffer, type Bytes } from '../common/bytes.ts';
import { REPOSITORIES } from '../store/buckets.ts';

const HEIGHT_BYTES = 6;

export function heightKey(bucket: number, height: number): Bytes {
  const key = new Uint8Array(1 + HEIGHT_BYTES);
  key[0] = bucket;
  asBuffer(key).writeUIntBE(height, 1, HEIGHT_BYTES);
  return key;
}

export function heightOfKey(key: Bytes): number {
  return asBuffer(key).readUIntBE(1, HEIGHT_BYTES);
}

/** Of a group of transactions or receipts. */
export function groupKey(bucket: number, height: number, firstIndex: number): Bytes {
  const key = new Uint8Array(1 + HEIGHT_BYTES + 4);
  key[0] = bucket;
  const view = asBuffer(key);
  view.writeUIntBE(height, 1, HEIGHT_BYTES);
  view.writeUInt32BE(firstIndex, 1 + HEIGHT_BYTES);
  return key;
}

export function indexOfKey(key: Bytes): number {
  return asBuffer(key).readUInt32BE(1 + HEIGHT_BYTES);
}

export function hashKey(bucket: number, hash: Bytes): Bytes {
  const key = new Uint8Array(1 + hash.length);
  key[0] = bucket;
  key.set(hash, 1);
  return key;
}

export function senderNonceKey(sender: Bytes, nonce: bigint): Bytes {
  const key = new Uint8Array(1 + 20 + 8);
  key[0] = REPOSITORIES.senderNonce;
  key.set(sender, 1);
  asBuffer(key).writeBigUInt64BE(nonce, 21);
  return key;
}

export function bloomRowKey(section: number, row: number): Bytes {
  const key = new Uint8Array(7);
  key[0] = REPOSITORIES.bloomRow;
  const view = asBuffer(key);
  view.writeUInt32BE(section, 1);
  view.writeUInt16BE(row, 5);
  return key;
}

/** Where a transaction is: the value behind its hash. */
export interface TransactionLocation {
  readonly height: number;
  readonly index: number;
  readonly groupStart: number;
}

export function encodeLocation({ height, index, groupStart }: TransactionLocation): Bytes {
  const value = new Uint8Array(HEIGHT_BYTES + 8);
  const view = asBuffer(value);
  view.writeUIntBE(height, 0, HEIGHT_BYTES);
  view.writeUInt32BE(index, HEIGHT_BYTES);
  view.writeUInt32BE(groupStart, HEIGHT_BYTES + 4);
  return value;
}

export function decodeLocation(value: Bytes): TransactionLocation {
  const view = asBuffer(value);
  return {
    height: view.readUIntBE(0, HEIGHT_BYTES),
    index: view.readUInt32BE(HEIGHT_BYTES),
    groupStart: view.readUInt32BE(HEIGHT_BYTES + 4),
  };
}

export function encodeHeight(height: number): Bytes {
  const value = new Uint8Array(HEIGHT_BYTES);
  asBuffer(value).writeUIntBE(height, 0, HEIGHT_BYTES);
  return value;
}

export function decodeHeight(value: Bytes): number {
  return asBuffer(value).readUIntBE(0, HEIGHT_BYTES);
}
