import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WordIndex } from '../../src/vm/wordIndex.ts';
import { setBigInt } from '../../src/vm/words.ts';

describe('WordIndex', () => {
  it('behaves as a Map of tag and word to a dense index', () => {
    const key = fc.tuple(fc.nat(3), fc.oneof(fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), fc.nat(50).map(BigInt)));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), fc.constantFrom(4, 8_192), (keys, capacity) => {
        const index = new WordIndex(capacity);
        const model = new Map<string, number>();
        const words = new Uint32Array(16);
        for (const [tag, word] of keys) {
          setBigInt(words, 8, word);
          const expected = model.get(`${tag}:${word}`);
          assert.equal(index.find(tag, words, 8), expected ?? -1);
          if (expected === undefined) {
            assert.equal(index.add(tag, words, 8), model.size);
            model.set(`${tag}:${word}`, model.size);
          }
        }
        assert.equal(index.size, model.size);
        for (const [tag, word] of keys) {
          setBigInt(words, 8, word);
          const found = index.find(tag, words, 8);
          assert.equal(found, model.get(`${tag}:${word}`));
          assert.equal(index.tags[found], tag);
          assert.deepEqual([...index.keys.subarray(found * 8, found * 8 + 8)], [...words.subarray(8)]);
        }
        index.clear();
        assert.equal(index.size, 0);
        for (const [tag, word] of keys) {
          setBigInt(words, 8, word);
          assert.equal(index.find(tag, words, 8), -1);
        }
        for (const [name, number] of model) {
          const [tag, word] = name.split(':').map(BigInt) as [bigint, bigint]; // as the names were made
          setBigInt(words, 8, word);
          assert.equal(index.add(Number(tag), words, 8), number);
          assert.equal(index.find(Number(tag), words, 8), number);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('stays fast for keys chosen to differ in few bits', () => {
    const index = new WordIndex();
    const words = new Uint32Array(8);
    // All combinations of the top bits of the eight limbs, and of low bits. Quadratic look-ups would take minutes.
    for (let i = 0; i < 1 << 18; i += 1) {
      for (let limb = 0; limb < 8; limb += 1) words[limb] = ((i >> (2 * limb)) & 3) << 30;
      words[0] = (words[0]! | (i >> 16)) >>> 0;
      if (index.find(0, words, 0) < 0) index.add(0, words, 0);
    }
    assert.equal(index.size, 1 << 18);
  });
});
