import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteReader } from '../../src/store/byteReader.ts';
import { ByteWriter } from '../../src/store/byteWriter.ts';
import { hasCode } from '../contracts/keyValueStore.contract.ts';

describe('store/byteWriter and byteReader', () => {
  it('give back what was written', () => {
    const writer = new ByteWriter();
    const values = fc.record({
      byte: fc.nat(255),
      u32: fc.nat(0xffff_ffff),
      varint: fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constant(Number.MAX_SAFE_INTEGER), fc.constant(2 ** 32)),
      big: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 66n })),
      bytes: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(values), (items) => {
        for (const item of items) {
          writer.byte(item.byte);
          writer.u32(item.u32);
          writer.varint(item.varint);
          writer.big(item.big);
          writer.bytes(item.bytes);
          writer.fixed(item.bytes, item.bytes.length);
        }
        const reader = new ByteReader(writer.take());
        for (const item of items) {
          const read = {
            byte: reader.byte(),
            u32: reader.u32(),
            varint: reader.varint(),
            big: reader.big(),
            bytes: reader.bytes(),
          };
          assert.deepEqual(read, { ...item });
          assert.deepEqual(reader.fixedCopy(item.bytes.length), item.bytes);
        }
        reader.finish();
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('keep every boundary of the width of a number', () => {
    const writer = new ByteWriter();
    const boundaries = Array.from({ length: 33 }, (_, i) => 256n ** BigInt(i)).flatMap((power) => [power - 1n, power]);
    for (const value of boundaries) writer.big(value);
    const reader = new ByteReader(writer.take());
    for (const value of boundaries) assert.equal(reader.big(), value);
  });

  it('grow, shrink and overwrite', () => {
    const writer = new ByteWriter();
    writer.u32(0);
    writer.bytes(new Uint8Array(5_000_000).fill(3));
    writer.setU32(0, 0xdead_beef);
    const large = new ByteReader(writer.take());
    assert.equal(large.u32(), 0xdead_beef);
    assert.equal(large.bytes().length, 5_000_000);
    assert.equal(writer.length, 0);
    writer.byte(9);
    assert.deepEqual(writer.take(), Uint8Array.of(9));
  });

  it('give memory of its own when asked for a copy, and no Buffers', () => {
    const input = Buffer.from([1, 2, 3, 4]);
    const view = new ByteReader(input).fixed(2);
    assert.equal(Object.getPrototypeOf(view), Uint8Array.prototype);
    assert.equal(view.buffer, input.buffer);
    assert.equal(new ByteReader(input).fixedCopy(2).buffer.byteLength, 2);
  });

  it('refuse what cannot be stored or read', () => {
    const writer = new ByteWriter();
    assert.throws(() => writer.fixed(new Uint8Array(31), 32), RangeError);
    assert.throws(() => writer.big(-1n), RangeError);
    const damaged = hasCode('STORE_DAMAGED');
    assert.throws(() => new ByteReader(new Uint8Array(3)).u32(), damaged);
    assert.throws(() => new ByteReader(Uint8Array.of(200)).varint(), damaged);
    assert.throws(() => new ByteReader(new Uint8Array(9).fill(255)).varint(), damaged);
    assert.throws(() => new ByteReader(Uint8Array.of(5, 1)).bytes(), damaged);
    assert.throws(() => new ByteReader(Uint8Array.of(5, 1)).big(), damaged);
    assert.throws(() => new ByteReader(Uint8Array.of(5, 1)).finish(), damaged);
    assert.throws(() => new ByteReader(Uint8Array.of(1, 2, 3), 0, 2).skip(3), damaged);
  });
});
