import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concatBytes, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { genesisRecord } from '../../src/protocol/genesis.ts';
import type { ReplayRecord } from '../../src/protocol/replayRecord.ts';
import { decodeReplayRecord, encodeReplayRecord } from '../../src/protocol/replayWireFormat.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Around the borders of the variable-length form. */
const aU64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 250n, 251n, 252n, 0xffffn, 0x1_0000n, 0xffff_ffffn, 0x1_0000_0000n, 2n ** 64n - 1n),
);
const aU256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
const noNullPrototype = { noNullPrototype: true } as const;

const aRecord: fc.Arbitrary<ReplayRecord> = fc.record(
  {
    context: fc.record(
      {
        chainId: aU64,
        blockNumber: aU64,
        blockHashes: bytesOf(32).map((hash) =>
          Array.from({ length: 256 }, (_, index) => (index === 255 ? hash : new Uint8Array(32))),
        ),
        timestamp: aU64,
        eip1559BaseFee: aU256,
        pubdataPrice: aU256,
        nativePrice: aU256,
        coinbase: bytesOf(20),
        gasLimit: aU64,
        pubdataLimit: aU64,
        mixHash: aU256,
        executionVersion: fc.integer({ min: 0, max: 0xffff_ffff }),
      },
      noNullPrototype,
    ),
    startingL1PriorityId: aU64,
    transactions: fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 4 }),
    previousBlockTimestamp: aU64,
    nodeVersion: fc.constantFrom('0.1.0', '0.4.0-non-semver-compat', '12.0.3-rc.1+build.7'),
    blockOutputHash: bytesOf(32),
  },
  noNullPrototype,
);

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

const RECORD: ReplayRecord = { ...genesisRecord(3, '0.1.0'), transactions: [Uint8Array.of(0xc0)] };
const ENCODED = encodeReplayRecord(RECORD);
/** chain id, block number, length of the ring, the ring, then the timestamp. */
const TIMESTAMP_AT = 1 + 1 + 3 + 256 * 33;
/** Behind the timestamp: three integers of 33 bytes, the coinbase, gas and pubdata limit, the mix hash. */
const EXECUTION_VERSION_AT = TIMESTAMP_AT + 1 + 3 * 33 + 21 + 5 + 5 + 33;

function spliced(at: number, remove: number, ...insert: readonly number[]): Bytes {
  return concatBytes(ENCODED.slice(0, at), Uint8Array.from(insert), ENCODED.slice(at + remove));
}

describe('protocol/replayWireFormat', () => {
  it('decodes what it encodes; version 2 holds the same bytes', () => {
    fc.assert(
      fc.property(aRecord, (record) => {
        const encoded = encodeReplayRecord(record);
        assert.deepEqual(decodeReplayRecord(encoded, 3), record);
        assert.deepEqual(decodeReplayRecord(encoded, 2), record);
      }),
      { numRuns: 60 },
    );
  });

  it('reads version 1, which has no execution version, as version 1 of it', () => {
    const v1 = spliced(EXECUTION_VERSION_AT, 1);
    assert.equal(ENCODED[EXECUTION_VERSION_AT], 3);
    const record = decodeReplayRecord(v1, 1);
    assert.deepEqual(record, { ...RECORD, context: { ...RECORD.context, executionVersion: 1 } });
  });

  it('refuses unknown versions', () => {
    for (const version of [0, 4, 1.5, -1]) {
      assert.equal(
        code(() => decodeReplayRecord(ENCODED, version)),
        'REPLAY_VERSION_UNKNOWN',
      );
    }
  });

  it('refuses every shortened record, and one that is too long', () => {
    const step = 97;
    for (let length = 0; length < ENCODED.length; length += length > ENCODED.length - 120 ? 1 : step) {
      assert.equal(
        code(() => decodeReplayRecord(ENCODED.slice(0, length), 3)),
        'REPLAY_RECORD_MALFORMED',
        `${length} bytes`,
      );
    }
    assert.equal(
      code(() => decodeReplayRecord(concatBytes(ENCODED, Uint8Array.of(0)), 3)),
      'REPLAY_RECORD_MALFORMED',
    );
  });

  const CASES: readonly (readonly [string, Bytes])[] = [
    ['an integer of 16 bits that fits one byte', spliced(TIMESTAMP_AT, 1, 0xfb, 0xfa, 0)],
    ['an integer of 32 bits that fits 16', spliced(TIMESTAMP_AT, 1, 0xfc, 0xff, 0xff, 0, 0)],
    ['an integer of 64 bits that fits 32', spliced(TIMESTAMP_AT, 1, 0xfd, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)],
    ['an integer of 128 bits', spliced(TIMESTAMP_AT, 1, 0xfe, ...new Array<number>(16).fill(1))],
    ['the tag 0xff', spliced(TIMESTAMP_AT, 1, 0xff)],
    ['a ring of 255 hashes', spliced(2, 3, 255)],
    ['a hash of 31 bytes', spliced(5, 1, 31)],
    ['an execution version above 32 bits', spliced(EXECUTION_VERSION_AT, 1, 0xfd, 0, 0, 0, 0, 1, 0, 0, 0)],
    ['a node version that is no semantic version', spliced(ENCODED.length - 33 - 5, 5, ...Buffer.from('0.1.x'))],
    ['a node version that is not UTF-8', spliced(ENCODED.length - 33 - 5, 5, 0x30, 0x2e, 0x31, 0x2e, 0xff)],
  ];
  for (const [name, bytes] of CASES) {
    it(`refuses ${name}`, () => {
      assert.equal(
        code(() => decodeReplayRecord(bytes, 3)),
        'REPLAY_RECORD_MALFORMED',
      );
    });
  }

  it('accepts the shortest form of the same places', () => {
    assert.equal(decodeReplayRecord(spliced(TIMESTAMP_AT, 1, 0xfb, 0xfb, 0), 3).context.timestamp, 251n);
    assert.equal(decodeReplayRecord(spliced(TIMESTAMP_AT, 1, 0xfc, 0, 0, 1, 0), 3).context.timestamp, 65_536n);
    assert.equal(
      decodeReplayRecord(spliced(ENCODED.length - 33 - 5, 5, ...Buffer.from('9.1.2')), 3).nodeVersion,
      '9.1.2',
    );
  });

  it('refuses to encode fields that do not fit', () => {
    const { context } = RECORD;
    const records: readonly ReplayRecord[] = [
      { ...RECORD, context: { ...context, chainId: 2n ** 64n } },
      { ...RECORD, context: { ...context, timestamp: -1n } },
      { ...RECORD, context: { ...context, eip1559BaseFee: 2n ** 256n } },
      { ...RECORD, context: { ...context, coinbase: new Uint8Array(19) } },
      { ...RECORD, context: { ...context, blockHashes: context.blockHashes.slice(1) } },
      { ...RECORD, context: { ...context, blockHashes: [...context.blockHashes.slice(1), new Uint8Array(31)] } },
      { ...RECORD, context: { ...context, executionVersion: 1.5 } },
      { ...RECORD, blockOutputHash: new Uint8Array(31) },
      { ...RECORD, nodeVersion: 'v1' },
    ];
    records.forEach((record, index) => {
      assert.equal(
        code(() => encodeReplayRecord(record)),
        'REPLAY_RECORD_MALFORMED',
        `case ${index}`,
      );
    });
  });

  it('shares no memory with its input', () => {
    const copy = ENCODED.slice();
    const record = decodeReplayRecord(copy, 3);
    copy.fill(0xee);
    assert.equal(toHex(encodeReplayRecord(record)), toHex(ENCODED));
  });
});
