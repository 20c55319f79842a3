/** Keys of a bucket and a number, in the number's order. */
import type { Bytes } from '../common/bytes.ts';
import { asBuffer } from '../common/bytes.ts';

const NUMBER_BYTES = 6;

/** @param number below 2^48 */
export function numberKey(bucket: number, number: number): Bytes {
  const key = new Uint8Array(1 + NUMBER_BYTES);
  key[0] = bucket;
  asBuffer(key).writeUIntBE(number, 1, NUMBER_BYTES);
  return key;
}

export function numberOfKey(key: Bytes): number {
  return asBuffer(key).readUIntBE(1, NUMBER_BYTES);
}
