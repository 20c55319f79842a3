/** Log bloom filters of 2048 bits (spec: execution 11). */
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';

export const BLOOM_LENGTH = 256;

function setBits(bloom: Bytes, value: Bytes): void {
  const hash = keccak256(value);
  for (let i = 0; i < 6; i += 2) {
    const bit = (((hash[i] ?? 0) << 8) | (hash[i + 1] ?? 0)) & 0x7ff;
    const at = BLOOM_LENGTH - 1 - (bit >> 3);
    bloom[at] = (bloom[at] ?? 0) | (1 << (bit & 7));
  }
}

function isSame(a: Bytes, b: Bytes): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Collects logs. What the log before said, too, is not hashed again: most are of few contracts and events. */
export class LogsBloom {
  readonly bytes: Bytes = new Uint8Array(BLOOM_LENGTH);
  #address: Bytes | undefined;
  #event: Bytes | undefined;

  add({ address, topics }: { readonly address: Bytes; readonly topics: readonly Bytes[] }): void {
    if (this.#address === undefined || !isSame(address, this.#address)) setBits(this.bytes, address);
    this.#address = address;
    topics.forEach((topic, index) => {
      if (index > 0) return setBits(this.bytes, topic);
      if (this.#event === undefined || !isSame(topic, this.#event)) setBits(this.bytes, topic);
      this.#event = topic;
    });
  }

  /** Back to what `bytes` were before. */
  takeBack(bytes: Bytes): void {
    this.bytes.set(bytes);
    this.#address = undefined;
    this.#event = undefined;
  }
}

/** Adds all bits of `other`; changes `bloom`. */
export function mergeBloom(bloom: Bytes, other: Bytes): void {
  for (let i = 0; i < BLOOM_LENGTH; i++) bloom[i] = (bloom[i] ?? 0) | (other[i] ?? 0);
}

/** Three positions to test: what `mayContain` looks at, for a search over many blooms. */
export interface BloomBits {
  readonly at: readonly number[];
  readonly mask: readonly number[];
}

/** The bits of an address or topic, to be tested against many blooms with one hash. */
export function bloomBits(value: Bytes): BloomBits {
  const hash = keccak256(value);
  const at: number[] = [];
  const mask: number[] = [];
  for (let i = 0; i < 6; i += 2) {
    const bit = (((hash[i] ?? 0) << 8) | (hash[i + 1] ?? 0)) & 0x7ff;
    at.push(BLOOM_LENGTH - 1 - (bit >> 3));
    mask.push(1 << (bit & 7));
  }
  return { at, mask };
}

/** Whether all bits are set. */
export function containsBits(bloom: Bytes, bits: BloomBits): boolean {
  for (let i = 0; i < bits.at.length; i++) {
    if (((bloom[bits.at[i] ?? 0] ?? 0) & (bits.mask[i] ?? 0)) === 0) return false;
  }
  return true;
}

/** False: no log under this bloom has this address or topic. True: one may. */
export function mayContain(bloom: Bytes, value: Bytes): boolean {
  return containsBits(bloom, bloomBits(value));
}
