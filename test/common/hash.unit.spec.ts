import assert from 'node:assert/strict';
import { blake2s } from '@noble/hashes/blake2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { toHex } from '../../src/common/bytes.ts';
import { blake2s256, keccak256, KeccakInParts } from '../../src/common/hash.ts';
import { seededRandom } from '../support/testState.ts';

describe('hashes', () => {
  const random = seededRandom(7);
  const message = (length: number): Uint8Array => Uint8Array.from({ length }, () => random() * 256);

  it('equal those of another library for every length up to four blocks', () => {
    for (let length = 0; length <= 4 * 136 + 1; length += 1) {
      const bytes = message(length);
      assert.equal(toHex(keccak256(bytes)), toHex(keccak_256(bytes)), `keccak of ${length} bytes`);
      assert.equal(toHex(blake2s256(bytes)), toHex(blake2s(bytes)), `BLAKE2s of ${length} bytes`);
    }
  });

  it('equal them for long messages, around the chunk that the library takes at a time', () => {
    for (const part of [16_384, 130_048]) {
      for (const length of [part - 1, part, part + 1, 2 * part, 2 * part + 1]) {
        const bytes = message(length);
        assert.equal(toHex(keccak256(bytes)), toHex(keccak_256(bytes)), `keccak of ${length} bytes`);
        assert.equal(toHex(blake2s256(bytes)), toHex(blake2s(bytes)), `BLAKE2s of ${length} bytes`);
      }
    }
  });

  it('may be worked off in parts, with other hashes in between', () => {
    for (const length of [0, 1, 136, 300_000]) {
      const bytes = message(length);
      const parts = new KeccakInParts();
      for (let start = 0; start < length;) {
        const end = Math.min(length, start + 1 + Math.floor(random() * (length / 3)));
        parts.update(bytes.subarray(start, end));
        keccak256(bytes);
        start = end;
      }
      assert.equal(toHex(parts.digest()), toHex(keccak_256(bytes)), `keccak of ${length} bytes`);
    }
  });

  it('take views, and give memory of their own', () => {
    const bytes = message(300);
    const first = keccak256(bytes.subarray(100, 200));
    const copy = toHex(first);
    assert.equal(copy, toHex(keccak_256(bytes.slice(100, 200))));
    keccak256(bytes);
    assert.equal(toHex(first), copy);
    assert.equal(first.buffer.byteLength, 32);
    assert.equal(toHex(blake2s256(Buffer.from(bytes))), toHex(blake2s(bytes)));
  });
});
