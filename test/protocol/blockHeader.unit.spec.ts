import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concatBytes, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import {
  decodeHeader,
  encodeHeader,
  headerHash,
  nextBlockHashes,
  nextTransactionsRoot,
} from '../../src/protocol/blockHeader.ts';
import { LogsBloom, BLOOM_LENGTH, bloomBits, containsBits, mayContain, mergeBloom } from '../../src/protocol/bloom.ts';
import { blockOutputHash } from '../../src/protocol/blockOutputHash.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { GENESIS_HEADER } from '../../src/protocol/genesis.ts';
import { decodeRlp, encodeRlp } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const aU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const aHeader = fc.record(
  {
    parentHash: bytesOf(32),
    ommersHash: bytesOf(32),
    beneficiary: bytesOf(20),
    stateRoot: bytesOf(32),
    transactionsRoot: bytesOf(32),
    receiptsRoot: bytesOf(32),
    logsBloom: bytesOf(BLOOM_LENGTH),
    difficulty: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
    number: aU64,
    gasLimit: aU64,
    gasUsed: aU64,
    timestamp: aU64,
    extraData: fc.uint8Array({ maxLength: 32 }),
    mixHash: bytesOf(32),
    nonce: bytesOf(8),
    baseFeePerGas: aU64,
  },
  { noNullPrototype: true },
);

function headerItems(): readonly RlpItem[] {
  const items = decodeRlp(encodeHeader(GENESIS_HEADER, { bloom: true }));
  assert.ok(!(items instanceof Uint8Array));
  return items;
}

describe('protocol/blockHeader', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(aHeader, (header) => {
        assert.deepEqual(decodeHeader(encodeHeader(header, { bloom: true })), header);
        assert.deepEqual(decodeHeader(encodeHeader(header, { bloom: false })).logsBloom, new Uint8Array(BLOOM_LENGTH));
      }),
    );
  });

  it('has a hash that does not depend on the bloom, and on everything else', () => {
    const hash = toHex(headerHash(GENESIS_HEADER));
    assert.equal(toHex(headerHash({ ...GENESIS_HEADER, logsBloom: new Uint8Array(BLOOM_LENGTH).fill(1) })), hash);
    assert.notEqual(toHex(headerHash({ ...GENESIS_HEADER, gasUsed: 1n })), hash);
    assert.notEqual(toHex(headerHash({ ...GENESIS_HEADER, mixHash: new Uint8Array(32).fill(1) })), hash);
  });

  it('refuses what is no header', () => {
    const items = headerItems();
    const malformed: readonly RlpItem[] = [
      new Uint8Array(3),
      items.slice(0, 15),
      [...items, new Uint8Array(32)],
      items.map((item, index) => (index === 0 ? new Uint8Array(31) : item)),
      items.map((item, index) => (index === 8 ? new Uint8Array(9).fill(1) : item)),
      items.map((item, index) => (index === 9 ? Uint8Array.of(0, 1) : item)),
      items.map((item, index) => (index === 12 ? [] : item)),
    ];
    malformed.forEach((item, index) => {
      assert.throws(
        () => decodeHeader(encodeRlp(item)),
        (error) => error instanceof ProtocolError && error.code === 'HEADER_MALFORMED',
        `case ${index}`,
      );
    });
  });

  it('chains transaction hashes and block hashes', () => {
    const a = new Uint8Array(32).fill(1);
    const b = new Uint8Array(32).fill(2);
    assert.equal(toHex(nextTransactionsRoot(ZERO_32, a)), toHex(keccak256(concatBytes(ZERO_32, a))));
    assert.notEqual(toHex(nextTransactionsRoot(a, b)), toHex(nextTransactionsRoot(b, a)));
    const ring = Array.from({ length: 256 }, (_, index) => Uint8Array.of(index));
    const next = nextBlockHashes(ring, b);
    assert.equal(next.length, 256);
    assert.equal(next[0], ring[1]);
    assert.equal(next[254], ring[255]);
    assert.equal(next[255], b);
    assert.equal(ring.length, 256);
  });
});

function bloomOf(log: Parameters<LogsBloom['add']>[0]): Uint8Array {
  const bloom = new LogsBloom();
  bloom.add(log);
  return bloom.bytes;
}

describe('protocol/bloom', () => {
  const aLog = fc.record({ address: bytesOf(20), topics: fc.array(bytesOf(32), { maxLength: 4 }) });

  it('contains everything that was added, three bits each', () => {
    fc.assert(
      fc.property(fc.array(aLog, { maxLength: 5 }), bytesOf(32), (logs, other) => {
        const collected = new LogsBloom();
        for (const log of logs) collected.add(log);
        const bloom = collected.bytes;
        for (const { address, topics } of logs)
          for (const value of [address, ...topics]) assert.equal(mayContain(bloom, value), true);
        const single = bloomOf({ address: other, topics: [] });
        const bits = single.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
        assert.ok(bits >= 1 && bits <= 3);
        mergeBloom(single, bloom);
        for (const { address } of logs) assert.equal(containsBits(single, bloomBits(address)), true);
      }),
    );
  });

  it('does not contain what was not added', () => {
    const bloom = new LogsBloom();
    assert.equal(mayContain(bloom.bytes, new Uint8Array(20)), false);
    bloom.add({ address: new Uint8Array(20), topics: [] });
    assert.equal(mayContain(bloom.bytes, new Uint8Array(20)), true);
    assert.equal(mayContain(bloom.bytes, new Uint8Array(20).fill(7)), false);
  });

  it('is that of each log by itself, also where logs repeat what the one before them said', () => {
    const few = fc.record({
      address: fc.constantFrom(1, 2).map((byte) => new Uint8Array(20).fill(byte)),
      topics: fc.array(
        fc.constantFrom(3, 4, 5).map((byte) => new Uint8Array(32).fill(byte)),
        { maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(fc.array(few, { maxLength: 8 }), (logs) => {
        const collected = new LogsBloom();
        const expected = new Uint8Array(BLOOM_LENGTH);
        for (const log of logs) {
          collected.add(log);
          mergeBloom(expected, bloomOf(log));
        }
        assert.deepEqual(collected.bytes, expected);
      }),
    );
  });
});

describe('protocol/blockOutputHash', () => {
  it('is the hash of block hash, results and writes in their order', () => {
    const blockHash = new Uint8Array(32).fill(9);
    const write = (byte: number): { flatKey: Uint8Array; value: Uint8Array } => ({
      flatKey: new Uint8Array(32).fill(byte),
      value: new Uint8Array(32).fill(byte + 1),
    });
    const results = [
      { success: true, gasUsed: 21_000n },
      { success: false, gasUsed: 2n ** 64n - 1n },
    ];
    const preimage = concatBytes(
      blockHash,
      Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x52, 0x08),
      Uint8Array.of(0, 255, 255, 255, 255, 255, 255, 255, 255),
      write(1).flatKey,
      write(1).value,
      write(5).flatKey,
      write(5).value,
    );
    assert.equal(toHex(blockOutputHash(blockHash, results, [write(1), write(5)])), toHex(keccak256(preimage)));
    assert.notEqual(toHex(blockOutputHash(blockHash, results, [write(5), write(1)])), toHex(keccak256(preimage)));
    assert.equal(toHex(blockOutputHash(blockHash, [], [])), toHex(keccak256(blockHash)));
  });
});
