import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { asBuffer, bigIntToMinimalBytes, u32be, u64be } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import type { Entry } from '../../src/log/entry.ts';
import { PREFIX_BYTES, decodeEntry, encodeEntry, entryHash } from '../../src/log/entryCodec.ts';
import { aBlock, aBlockRecord, aGenesis, anEpochStarted, filled, oneOfEachKind } from '../support/logEntries.ts';

const schemaText = readFileSync(new URL('../../schemas/ReplayEntry.v1.avsc', import.meta.url), 'utf8');
const oracle = avro.Type.forSchema(JSON.parse(schemaText) as avro.Schema);
const golden = new URL('../fixtures/records/v1/', import.meta.url);

/** What the schema's own encoder writes for an entry: the fields by name, in the types of the schema. */
function encodeByOracle(entry: Entry): Uint8Array {
  return oracle.toBuffer(plain(entry));
}

const U32_FIELDS = new Set(['rules', 'executionVersion']);
const U256_FIELDS = new Set(['eip1559BaseFee', 'pubdataPrice', 'nativePrice', 'mixHash']);

function plain(entry: Entry): unknown {
  const { schema: _schema, kind, logId, epoch, claim, nodeId, bootId, ...payload } = entry;
  return plainValue({ logId, epoch, claim, nodeId, bootId, payload: { [`reprise.log.${kind}`]: payload } }, '');
}

function plainValue(value: unknown, name: string): unknown {
  if (value instanceof Uint8Array) return asBuffer(value);
  if (typeof value === 'bigint') return asBuffer(U256_FIELDS.has(name) ? bigIntToMinimalBytes(value) : u64be(value));
  if (typeof value === 'number') return U32_FIELDS.has(name) ? asBuffer(u32be(value)) : value;
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => plainValue(item, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainValue(inner, key)]));
  }
  return value;
}

/** avsc's verdict: decodes to the last byte and encodes to the same bytes again. Only for input that cannot make it loop. */
function oracleAccepts(body: Uint8Array): boolean {
  try {
    const value: unknown = oracle.fromBuffer(asBuffer(body));
    return oracle.toBuffer(value).equals(body);
  } catch {
    return false;
  }
}

const record = <Model>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }) =>
  fc.record<Model>(model, { noNullPrototype: true });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const anyBytes = fc.uint8Array({ maxLength: 40 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((value) => value.isWellFormed());
const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });
const envelope = {
  schema: fc.constant(1),
  logId: bytesOf(16),
  epoch: u64,
  claim: bytesOf(16),
  nodeId: bytesOf(16),
  bootId: bytesOf(16),
};
const proof = {
  proofKind: fc.constantFrom('real' as const, 'fake' as const),
  proof: record({ key: text, hash: bytesOf(32) }),
  replaces: optional(bytesOf(32)),
};

const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  record({
    kind: fc.constant('Genesis' as const),
    ...envelope,
    chainId: u64,
    l1ChainId: u64,
    bridgehub: bytesOf(20),
    genesisInput: record({
      initialContracts: fc.array(record({ address: bytesOf(20), code: anyBytes }), { maxLength: 3 }),
      additionalStorage: fc.array(record({ key: bytesOf(32), value: bytesOf(32) }), { maxLength: 3 }),
      executionVersion: u32,
      genesisRoot: bytesOf(32),
    }),
    genesisRoot: bytesOf(32),
    upgradeTransaction: anyBytes,
    forceDeployPreimages: fc.array(anyBytes, { maxLength: 3 }),
  }),
  record({
    kind: fc.constant('EpochStarted' as const),
    ...envelope,
    rules: u32,
    head: optional(record({ height: u64, parent: bytesOf(32) })),
  }),
  record({
    kind: fc.constant('Block' as const),
    ...envelope,
    height: u64,
    parent: bytesOf(32),
    record: record({
      context: record({
        chainId: u64,
        blockNumber: u64,
        timestamp: u64,
        eip1559BaseFee: u256,
        pubdataPrice: u256,
        nativePrice: u256,
        coinbase: bytesOf(20),
        gasLimit: u64,
        pubdataLimit: u64,
        mixHash: u256,
        executionVersion: u32,
      }),
      startingL1PriorityId: u64,
      transactions: fc.array(anyBytes, { maxLength: 5 }),
      previousBlockTimestamp: u64,
      nodeVersion: text,
      blockOutputHash: bytesOf(32),
    }),
  }),
  record({
    kind: fc.constant('BatchSealed' as const),
    ...envelope,
    batch: u64,
    firstBlock: u64,
    lastBlock: u64,
    storedBatchHash: bytesOf(32),
    reason: text,
    commitInfo: record({
      batchNumber: u64,
      newStateCommitment: bytesOf(32),
      numberOfLayer1Txs: u64,
      priorityOperationsHash: bytesOf(32),
      dependencyRootsRollingHash: bytesOf(32),
      l2ToL1LogsRootHash: bytesOf(32),
      l2DaValidator: bytesOf(20),
      daCommitment: bytesOf(32),
      firstBlockTimestamp: u64,
      lastBlockTimestamp: u64,
      chainId: u64,
      chainAddress: bytesOf(20),
      upgradeTxHash: optional(bytesOf(32)),
    }),
  }),
  record({ kind: fc.constant('FriProved' as const), ...envelope, batch: u64, storedBatchHash: bytesOf(32), ...proof }),
  record({ kind: fc.constant('SnarkProved' as const), ...envelope, fromBatch: u64, toBatch: u64, ...proof }),
  record({
    kind: fc.constant('L1Progress' as const),
    ...envelope,
    committed: u64,
    proved: u64,
    executed: u64,
    l1BlockNumber: u64,
    l1BlockHash: bytesOf(32),
  }),
);

describe('entryCodec', () => {
  it('writes the golden bytes and reads them back', () => {
    const entries = oneOfEachKind();
    const files = readdirSync(golden).sort();
    assert.equal(files.length, entries.length, 'one file per entry');
    for (const [i, entry] of entries.entries()) {
      const file = files[i] ?? '';
      const bytes = new Uint8Array(readFileSync(new URL(file, golden)));
      assert.deepEqual(encodeEntry(entry).bytes, bytes, file);
      assert.deepEqual(decodeEntry(1, bytes), entry, file);
    }
  });

  it('is what the schema says', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const { bytes } = encodeEntry(entry);
        assert.deepEqual(bytes.subarray(PREFIX_BYTES), new Uint8Array(encodeByOracle(entry)));
        assert.deepEqual(decodeEntry(1, bytes), entry);
      }),
      { numRuns: 500 },
    );
  });

  it('decodes exactly what encodes to the same bytes again', () => {
    const mutation = fc.tuple(
      anyEntry,
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.constantFrom('set', 'cut', 'insert', 'append'),
    );
    fc.assert(
      fc.property(mutation, ([entry, at, value, how]) => {
        const body = encodeEntry(entry).bytes.subarray(PREFIX_BYTES);
        const offset = at % body.length;
        const head = [...body.subarray(0, offset)];
        const tail = [...body.subarray(offset)];
        if (how === 'set') tail[0] = value;
        if (how === 'cut') tail.length = 0;
        if (how === 'insert') tail.unshift(value);
        if (how === 'append') tail.push(value);
        const mutated = Uint8Array.from([0, 0, 0, 0, 0, ...head, ...tail]);
        const decoded = decodeEntry(1, mutated);
        if (decoded !== undefined) assert.deepEqual(encodeEntry(decoded).bytes, mutated);
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees with the schema about what decodes', () => {
    // A flag byte: no count can grow, so avsc does not run away.
    const entry = anEpochStarted({ head: undefined });
    const { bytes } = encodeEntry(entry);
    for (let offset = PREFIX_BYTES; offset < bytes.length; offset++) {
      const mutated = new Uint8Array(bytes);
      mutated[offset] = (mutated[offset] ?? 0) ^ 0x02;
      const decoded = decodeEntry(1, mutated);
      // 256-bit fields are the only place where the reader is stricter than the schema; there are none here.
      assert.equal(decoded !== undefined, oracleAccepts(mutated.subarray(PREFIX_BYTES)), `offset ${offset}`);
    }
  });

  it('ignores the prefix, in the hash too', () => {
    const { schema, bytes } = encodeEntry(aBlock(1));
    const other = new Uint8Array(bytes);
    other.set([9, 1, 2, 3, 4]);
    assert.deepEqual(decodeEntry(schema, other), decodeEntry(schema, bytes));
    assert.deepEqual(entryHash(schema, other), entryHash(schema, bytes));
    assert.notDeepEqual(entryHash(schema + 1, bytes), entryHash(schema, bytes));
    other[PREFIX_BYTES] = 1;
    assert.notDeepEqual(entryHash(schema, other), entryHash(schema, bytes));
  });

  it('refuses unknown schemas, short and trailing bytes, long integers, leading zeros, split arrays and bad text', () => {
    const { bytes } = encodeEntry(aBlock(1));
    assert.equal(decodeEntry(2, bytes), undefined);
    assert.equal(decodeEntry(0, bytes), undefined);
    assert.equal(decodeEntry(1, new Uint8Array(0)), undefined);
    assert.equal(decodeEntry(1, bytes.subarray(0, bytes.length - 1)), undefined);
    assert.equal(decodeEntry(1, Uint8Array.from([...bytes, 0])), undefined);

    const hex = Buffer.from(bytes).toString('hex');
    const withHex = (from: string, to: string): Uint8Array => {
      assert.equal(hex.split(from).length, 2, `${from} occurs once`);
      return new Uint8Array(Buffer.from(hex.replace(from, to), 'hex'));
    };
    // Base fee 1000: two bytes 03e8; then pubdata price 1 and native price 1.
    assert.equal(decodeEntry(1, withHex('0403e802010201', '060003e802010201')), undefined, 'leading zero');
    assert.equal(decodeEntry(1, withHex('0403e802010201', '840003e802010201')), undefined, 'long varint');
    const wide = `42${'03'.repeat(33)}02010201`;
    assert.equal(decodeEntry(1, withHex('0403e802010201', wide)), undefined, 'more than 256 bits');
    // One transaction of three bytes in one block, then the end of the array.
    assert.equal(decodeEntry(1, withHex('0206aaaaaa00', '010806aaaaaa00')), undefined, 'block with its size');
    assert.equal(decodeEntry(1, withHex('0a302e312e30', '0a302e312eff')), undefined, 'text');
    assert.notEqual(decodeEntry(1, withHex('0a302e312e30', '0a302e312e31')), undefined);
    const twice = encodeEntry(
      aBlock(1, { record: aBlockRecord(1, { transactions: [filled(0xaa, 3), filled(0xaa, 3)] }) }),
    ).bytes;
    const split = Buffer.from(twice).toString('hex').replace('0406aaaaaa06aaaaaa00', '0206aaaaaa0206aaaaaa00');
    assert.equal(decodeEntry(1, new Uint8Array(Buffer.from(split, 'hex'))), undefined, 'array in two blocks');
  });

  it('is not led astray by counts larger than the entry', () => {
    const { bytes } = encodeEntry(aGenesis({ forceDeployPreimages: [] }));
    const huge = Uint8Array.from([...bytes.subarray(0, bytes.length - 1), 0xfe, 0xff, 0xff, 0xff, 0x0f]);
    assert.equal(decodeEntry(1, huge), undefined);
  });

  it('shares no memory with what it read', () => {
    const { bytes } = encodeEntry(aBlock(1));
    const decoded = decodeEntry(1, bytes);
    assert.ok(decoded?.kind === 'Block');
    for (const field of [
      decoded.logId,
      decoded.parent,
      decoded.record.context.coinbase,
      ...decoded.record.transactions,
    ]) {
      assert.equal(field.buffer.byteLength, field.length);
    }
    assert.equal(bytes.buffer.byteLength, bytes.length);
  });

  it('refuses to write what no field holds', () => {
    const isInvariant = (error: unknown): boolean => error instanceof NodeError && error.kind === 'invariant';
    assert.throws(() => encodeEntry(aBlock(2n ** 64n)), isInvariant);
    assert.throws(() => encodeEntry(aBlock(1, { parent: filled(1, 31) })), isInvariant);
    assert.throws(() => encodeEntry(anEpochStarted({ rules: -1 })), isInvariant);
    assert.throws(() => encodeEntry(anEpochStarted({ schema: 2 })), isInvariant);
    assert.throws(() => encodeEntry(aBlock(1, { record: aBlockRecord(1, { nodeVersion: '\ud800' }) })), isInvariant);
  });

  it('carries a block of 250 KB', () => {
    const entry = aBlock(1, {
      record: aBlockRecord(1, { transactions: Array.from({ length: 1500 }, (_, i) => filled(i % 256, 165)) }),
    });
    const { bytes } = encodeEntry(entry);
    assert.ok(bytes.length > 250_000);
    assert.deepEqual(decodeEntry(1, bytes), entry);
  });
});
