import assert from 'node:assert/strict';
import { u64be } from '../../src/common/bytes.ts';
import { getPages } from '../../src/projections/merkleTreeReads.ts';

describe('projections/merkleTreeReads', () => {
  it('gives the value of every key in the order of the keys, few of them in one read and many in parts', async () => {
    for (const [count, reads] of [
      [0, []],
      [1, [1]],
      [1_024, [1_024]],
      [1_025, [1_024, 1]],
      [4_096, [1_024, 1_024, 1_024, 1_024]],
      [4_099, [1_024, 1_024, 1_024, 1_024, 3]],
    ] as const) {
      const keys = Array.from({ length: count }, (_, i) => u64be(BigInt(i)));
      const sizes: number[] = [];
      const values = await getPages(
        {
          getMany: async (part) => {
            sizes.push(part.length);
            return part.map((key) => (key[7] === 0 ? undefined : key));
          },
        },
        keys,
      );
      assert.deepEqual(
        values,
        keys.map((key) => (key[7] === 0 ? undefined : key)),
        `${count} keys`,
      );
      assert.deepEqual(sizes, reads, `${count} keys`);
    }
  });
});
