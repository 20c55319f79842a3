import assert from 'node:assert/strict';
import { RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { decodeRlp, encodeRlp, RLP_DEPTH_MAX, RlpCursor, rlpInteger } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';

const { item: anItem } = fc.letrec<{ item: RlpItem; list: readonly RlpItem[] }>((tie) => ({
  item: fc.oneof({ maxDepth: 5, withCrossShrink: true }, fc.uint8Array({ maxLength: 90 }), tie('list')),
  list: fc.array(tie('item'), { maxLength: 6 }),
}));

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

/** RLP items in the types of the other implementation. */
function mutable(item: RlpItem): Uint8Array | unknown[] {
  return item instanceof Uint8Array ? item : item.map(mutable);
}

describe('protocol/rlp', () => {
  it('encodes as another implementation does, and decodes what it encoded', () => {
    fc.assert(
      fc.property(anItem, (item) => {
        const encoded = encodeRlp(item);
        assert.equal(toHex(encoded), toHex(RLP.encode(mutable(item) as Parameters<typeof RLP.encode>[0])));
        assert.deepEqual(decodeRlp(encoded), item);
      }),
    );
  });

  it('has one encoding per item: what it decodes it encodes to the same bytes', () => {
    let decoded = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        let item: RlpItem;
        try {
          item = decodeRlp(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError && error.code === 'RLP_MALFORMED');
          return;
        }
        decoded += 1;
        assert.equal(toHex(encodeRlp(item)), toHex(bytes));
      }),
      { examples: [[fromHex('c0')], [fromHex('7f')], [fromHex('c3010203')]] },
    );
    assert.ok(decoded >= 3);
  });

  it('prefixes lengths of one to three bytes minimally', () => {
    for (const length of [0, 1, 55, 56, 255, 256, 65_535, 65_536]) {
      const bytes = new Uint8Array(length).fill(0x99);
      const encoded = encodeRlp(bytes);
      assert.equal(toHex(encoded), toHex(RLP.encode(bytes)), `${length} bytes`);
      assert.deepEqual(decodeRlp(encoded), bytes);
    }
  });

  const MALFORMED: readonly (readonly [name: string, hex: string])[] = [
    ['nothing', ''],
    ['a byte below 0x80 with a prefix', '8100'],
    ['a byte below 0x80 with a prefix', '817f'],
    ['a long length for a short string', 'b801ff'],
    ['a long length for a short list', 'f801c0'],
    ['a length with a leading zero', 'b90038' + 'aa'.repeat(56)],
    ['a list length with a leading zero', 'f90038' + '01'.repeat(56)],
    ['a string that is cut off', '83aabb'],
    ['a length that is cut off', 'b9ff'],
    ['a list that is cut off', 'c20102'.slice(0, 4)],
    ['an item that is longer than its list', 'c283aabb'],
    ['a length of eight bytes', 'bfffffffffffffffff'],
    ['bytes behind the item', '0000'],
    ['bytes behind the list', 'c000'],
  ];
  for (const [name, hex] of MALFORMED) {
    it(`refuses ${name}: 0x${hex.slice(0, 16)}`, () => {
      assert.equal(
        code(() => decodeRlp(fromHex(hex))),
        'RLP_MALFORMED',
      );
    });
  }

  it('refuses lists that are nested too deep, and only those', () => {
    const nested = (depth: number): Uint8Array => {
      let bytes: Uint8Array = Uint8Array.of(0xc0);
      for (let i = 1; i < depth; i++) {
        const item = decodeRlp(bytes);
        bytes = encodeRlp([item]);
      }
      return bytes;
    };
    const deepest = nested(RLP_DEPTH_MAX);
    assert.equal(toHex(encodeRlp(decodeRlp(deepest))), toHex(deepest));
    assert.equal(
      code(() => decodeRlp(encodeRlp([decodeRlp(deepest)]))),
      'RLP_MALFORMED',
    );
  });

  it('steps over items with a cursor', () => {
    const cursor = new RlpCursor(encodeRlp([Uint8Array.of(1), [Uint8Array.of(2)], Uint8Array.of(3, 4)])).list();
    assert.deepEqual(cursor.bytes(), Uint8Array.of(1));
    assert.equal(cursor.nextIsList(), true);
    cursor.skip();
    assert.deepEqual(cursor.bytes(), Uint8Array.of(3, 4));
    cursor.finish();
    assert.equal(
      code(() => cursor.bytes()),
      'RLP_MALFORMED',
    );
  });

  it('writes integers without leading zeros', () => {
    for (const [value, hex] of [
      [0n, '0x80'],
      [1n, '0x01'],
      [127n, '0x7f'],
      [128n, '0x8180'],
      [256n, '0x820100'],
      [2n ** 64n - 1n, '0x88ffffffffffffffff'],
    ] as const) {
      assert.equal(toHex(encodeRlp(rlpInteger(value))), hex);
    }
  });
});
