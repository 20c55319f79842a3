import assert from 'node:assert/strict';
import { Signature, Transaction as EthersTransaction } from 'ethers';
import fc from 'fast-check';
import {
  bigIntToBytes,
  bigIntToMinimalBytes,
  concatBytes,
  EMPTY_BYTES,
  fromHex,
  toHex,
} from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { decodeRlp, encodeRlp } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type { L2Transaction } from '../../src/protocol/transaction.ts';
import {
  canonicalL1Hash,
  decodeTransaction,
  encodeL1Transaction,
  encodeL1TransactionWithHash,
  l1AbiEncoding,
  vmTransactionHash,
} from '../../src/protocol/transactionCodec.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';

const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

function l2(raw: Bytes): L2Transaction {
  const transaction = decodeTransaction(raw);
  assert.ok(!isL1Transaction(transaction));
  return transaction;
}

const anAddress = fc.uint8Array({ minLength: 20, maxLength: 20 });
const aWord = fc.uint8Array({ minLength: 32, maxLength: 32 });
const aU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const aU128 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
const aU256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });

const anL2Transaction = fc.record({
  type: fc.constantFrom(0 as const, 1 as const, 2 as const),
  chainId: fc.option(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), { nil: undefined }),
  // The other implementation holds nonces as JavaScript numbers.
  nonce: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
  fees: fc.tuple(aU128, aU128),
  gasLimit: aU64,
  to: fc.option(anAddress, { nil: undefined }),
  value: aU256,
  input: fc.uint8Array({ maxLength: 200 }),
  accessList: fc.array(
    fc.record({ address: anAddress, slots: fc.array(aWord, { maxLength: 3 }) }, { noNullPrototype: true }),
    { maxLength: 3 },
  ),
  yParity: fc.constantFrom(0 as const, 1 as const),
  r: fc.bigInt({ min: 1n, max: CURVE_ORDER - 1n }),
  s: fc.bigInt({ min: 1n, max: CURVE_ORDER / 2n }),
});

const anL1Transaction: fc.Arbitrary<L1TransactionFields> = fc.record({
  type: fc.constantFrom(0x7e as const, 0x7f as const),
  initiator: anAddress,
  to: anAddress,
  gasLimit: aU64,
  gasPerPubdataByteLimit: aU64,
  maxFeePerGas: aU128,
  maxPriorityFeePerGas: aU128,
  nonce: aU64,
  value: aU256,
  toMint: aU256,
  refundRecipient: anAddress,
  input: fc.uint8Array({ maxLength: 200 }),
  factoryDeps: fc.array(aWord, { maxLength: 3 }),
});

const L1_SAMPLE: L1TransactionFields = {
  type: 0x7f,
  initiator: fromHex('11'.repeat(20)),
  to: fromHex('22'.repeat(20)),
  gasLimit: 300_000n,
  gasPerPubdataByteLimit: 800n,
  maxFeePerGas: 7n,
  maxPriorityFeePerGas: 0n,
  nonce: 5n,
  value: 6n,
  toMint: 9n,
  refundRecipient: fromHex('33'.repeat(20)),
  input: fromHex('abcdef'),
  factoryDeps: [],
};

const integer = bigIntToMinimalBytes;

function legacyItems(): RlpItem[] {
  const one = Uint8Array.of(1);
  return [EMPTY_BYTES, one, integer(21_000n), new Uint8Array(20), EMPTY_BYTES, EMPTY_BYTES, integer(27n), one, one];
}

function typedItems(type: 1 | 2): RlpItem[] {
  const one = Uint8Array.of(1);
  const fees = type === 1 ? [one] : [one, one];
  return [
    integer(270n),
    EMPTY_BYTES,
    ...fees,
    integer(21_000n),
    new Uint8Array(20),
    EMPTY_BYTES,
    EMPTY_BYTES,
    [],
    EMPTY_BYTES,
    one,
    one,
  ];
}

function typed(type: number, items: readonly RlpItem[]): Bytes {
  return concatBytes(Uint8Array.of(type), encodeRlp(items));
}

function replaced(items: readonly RlpItem[], index: number, item: RlpItem): RlpItem[] {
  return items.map((old, i) => (i === index ? item : old));
}

describe('protocol/transactionCodec: L2 transactions', () => {
  it('reads what another implementation writes', () => {
    fc.assert(
      fc.property(anL2Transaction, (fields) => {
        const { type, yParity, r, s } = fields;
        const chainId = type === 0 ? fields.chainId : (fields.chainId ?? 1n);
        // The other implementation refuses a priority fee above the fee.
        const [priority, fee] = [...fields.fees].sort((a, b) => (a < b ? -1 : 1)) as [bigint, bigint];
        const accessList = fields.accessList.map(({ address, slots }) => ({
          address: toHex(address),
          storageKeys: slots.map(toHex),
        }));
        const written = EthersTransaction.from({
          type,
          chainId: chainId ?? 0n,
          nonce: Number(fields.nonce),
          gasLimit: fields.gasLimit,
          to: fields.to === undefined ? null : toHex(fields.to),
          value: fields.value,
          data: toHex(fields.input),
          ...(type === 2 ? { maxPriorityFeePerGas: priority, maxFeePerGas: fee } : { gasPrice: fee }),
          ...(type === 0 ? {} : { accessList }),
          signature: Signature.from({
            r: toHex(bigIntToBytes(r, 32)),
            s: toHex(bigIntToBytes(s, 32)),
            v: type === 0 && chainId !== undefined ? 35n + 2n * chainId + BigInt(yParity) : 27n + BigInt(yParity),
          }),
        });
        const raw = fromHex(written.serialized);
        const read = l2(raw);
        assert.deepEqual(
          { ...read, signingHash: toHex(read.signingHash), hash: toHex(read.hash) },
          {
            type,
            hash: written.hash,
            raw,
            signingHash: written.unsignedHash,
            signingLength: fromHex(written.unsignedSerialized).length,
            chainId,
            nonce: fields.nonce,
            maxPriorityFeePerGas: type === 2 ? priority : fee,
            maxFeePerGas: fee,
            gasLimit: fields.gasLimit,
            to: fields.to,
            value: fields.value,
            input: fields.input,
            accessList: type === 0 ? [] : fields.accessList,
            yParity,
            r,
            s,
          },
        );
      }),
      { numRuns: 150 },
    );
  });

  it('chains a hash with the signature items in the order r, s, v', () => {
    fc.assert(
      fc.property(anL2Transaction, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), (fields, blockChainId) => {
        const { type, yParity, r, s } = fields;
        const chainId = type === 0 ? fields.chainId : (fields.chainId ?? 1n);
        const [priority, fee] = fields.fees;
        const middle: RlpItem[] = [
          integer(fields.gasLimit),
          fields.to ?? EMPTY_BYTES,
          integer(fields.value),
          fields.input,
        ];
        const list = fields.accessList.map(({ address, slots }) => [address, slots]);
        const head = (id: bigint): RlpItem[] =>
          type === 0
            ? [integer(fields.nonce), integer(fee), ...middle]
            : [
                integer(id),
                integer(fields.nonce),
                ...(type === 2 ? [integer(priority)] : []),
                integer(fee),
                ...middle,
                list,
              ];
        const parity = BigInt(yParity);
        const v = chainId === undefined ? 27n + parity : 35n + 2n * chainId + parity;
        const signature = type === 0 ? [integer(v), integer(r), integer(s)] : [integer(parity), integer(r), integer(s)];
        const envelope = (items: readonly RlpItem[]): Bytes => (type === 0 ? encodeRlp(items) : typed(type, items));
        const transaction = l2(envelope([...head(chainId ?? 0n), ...signature]));
        const vmV = type === 0 && chainId !== undefined ? 35n + 2n * blockChainId + parity : 27n + parity;
        const expected = keccak256(envelope([...head(blockChainId), integer(r), integer(s), integer(vmV)]));
        assert.equal(toHex(vmTransactionHash(transaction, blockChainId)), toHex(expected));
      }),
      { numRuns: 150 },
    );
  });

  it('accepts the widest values', () => {
    const widest = typed(2, [
      integer(2n ** 64n - 1n),
      integer(2n ** 64n - 1n),
      integer(2n ** 128n - 1n),
      integer(2n ** 128n - 1n),
      integer(2n ** 64n - 1n),
      EMPTY_BYTES,
      integer(2n ** 256n - 1n),
      EMPTY_BYTES,
      [],
      integer(1n),
      integer(2n ** 256n - 1n),
      integer(2n ** 256n - 1n),
    ]);
    const transaction = l2(widest);
    assert.equal(transaction.nonce, 2n ** 64n - 1n);
    assert.equal(transaction.maxFeePerGas, 2n ** 128n - 1n);
    assert.equal(transaction.s, 2n ** 256n - 1n);
    const legacy = l2(encodeRlp(replaced(legacyItems(), 6, integer(36n + 2n * (2n ** 64n - 1n)))));
    assert.equal(legacy.chainId, 2n ** 64n - 1n);
    assert.equal(legacy.yParity, 1);
  });

  const WIDE: readonly (readonly [string, Bytes])[] = [
    ['legacy nonce', encodeRlp(replaced(legacyItems(), 0, integer(2n ** 64n)))],
    ['legacy gas price', encodeRlp(replaced(legacyItems(), 1, integer(2n ** 128n)))],
    ['legacy gas', encodeRlp(replaced(legacyItems(), 2, integer(2n ** 64n)))],
    ['legacy value', encodeRlp(replaced(legacyItems(), 4, integer(2n ** 256n)))],
    ['chain id in v', encodeRlp(replaced(legacyItems(), 6, integer(35n + 2n * 2n ** 64n)))],
    ['r', encodeRlp(replaced(legacyItems(), 7, integer(2n ** 256n)))],
    ['chain id', typed(2, replaced(typedItems(2), 0, integer(2n ** 64n)))],
    ['nonce', typed(1, replaced(typedItems(1), 1, integer(2n ** 64n)))],
    ['priority fee', typed(2, replaced(typedItems(2), 2, integer(2n ** 128n)))],
    ['fee', typed(2, replaced(typedItems(2), 3, integer(2n ** 128n)))],
  ];
  for (const [name, raw] of WIDE) {
    it(`refuses a ${name} that is too wide`, () => {
      assert.equal(
        code(() => decodeTransaction(raw)),
        'TRANSACTION_FIELD_TOO_WIDE',
      );
    });
  }

  const MALFORMED: readonly (readonly [string, Bytes])[] = [
    ['nothing', EMPTY_BYTES],
    ['a type byte alone', Uint8Array.of(2)],
    ['a string in place of the list', concatBytes(Uint8Array.of(2), fromHex('83aabbcc'))],
    ['bytes behind a legacy transaction', concatBytes(encodeRlp(legacyItems()), Uint8Array.of(0))],
    ['bytes behind a typed transaction', concatBytes(typed(2, typedItems(2)), Uint8Array.of(0))],
    ['an item too few', encodeRlp(legacyItems().slice(0, 8))],
    ['an item too many', typed(1, [...typedItems(1), EMPTY_BYTES])],
    ['v = 0', encodeRlp(replaced(legacyItems(), 6, EMPTY_BYTES))],
    ['v = 26', encodeRlp(replaced(legacyItems(), 6, integer(26n)))],
    ['v = 29', encodeRlp(replaced(legacyItems(), 6, integer(29n)))],
    ['v = 34', encodeRlp(replaced(legacyItems(), 6, integer(34n)))],
    ['parity 2', typed(2, replaced(typedItems(2), 9, integer(2n)))],
    ['parity 27', typed(1, replaced(typedItems(1), 8, integer(27n)))],
    ['a target of 19 bytes', encodeRlp(replaced(legacyItems(), 3, new Uint8Array(19)))],
    ['a target of 32 bytes', encodeRlp(replaced(legacyItems(), 3, new Uint8Array(32)))],
    ['a leading zero', encodeRlp(replaced(legacyItems(), 2, fromHex('0052')))],
    ['a zero byte for zero', encodeRlp(replaced(legacyItems(), 0, Uint8Array.of(0)))],
    ['a list in place of an integer', encodeRlp(replaced(legacyItems(), 0, []))],
    ['a string in place of the access list', typed(2, replaced(typedItems(2), 8, EMPTY_BYTES))],
    ['an access list entry of three items', typed(2, replaced(typedItems(2), 8, [[new Uint8Array(20), [], []]]))],
    ['an access list address of 21 bytes', typed(2, replaced(typedItems(2), 8, [[new Uint8Array(21), []]]))],
    [
      'an access list slot of 31 bytes',
      typed(2, replaced(typedItems(2), 8, [[new Uint8Array(20), [new Uint8Array(31)]]])),
    ],
  ];
  for (const [name, raw] of MALFORMED) {
    it(`refuses ${name}`, () => {
      assert.equal(
        code(() => decodeTransaction(raw)),
        'TRANSACTION_MALFORMED',
      );
    });
  }

  it('names unsupported types', () => {
    for (const type of [0, 3, 4, 5, 0x71, 0x7d, 0x80, 0xbf]) {
      assert.equal(
        code(() => decodeTransaction(typed(type, typedItems(2)))),
        'TRANSACTION_TYPE_UNSUPPORTED',
        `type ${type}`,
      );
    }
  });

  it('throws nothing but typed errors on damaged bytes', () => {
    const samples = [
      encodeRlp(legacyItems()),
      typed(1, typedItems(1)),
      typed(2, typedItems(2)),
      encodeL1Transaction(L1_SAMPLE).raw,
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(),
        (sample, at, flip, length) => {
          const damaged = sample.slice(0, length % 3 === 0 ? length % sample.length : sample.length);
          if (damaged.length > 0) damaged[at % damaged.length] = (damaged[at % damaged.length] ?? 0) ^ flip;
          const result = code(() => decodeTransaction(damaged));
          assert.ok(
            [
              'no error',
              'TRANSACTION_MALFORMED',
              'TRANSACTION_TYPE_UNSUPPORTED',
              'TRANSACTION_FIELD_TOO_WIDE',
            ].includes(result),
            result,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keeps no larger buffer alive than the transaction', () => {
    const encoded = typed(2, typedItems(2));
    const large = new Uint8Array(100_000);
    large.set(encoded, 500);
    const fromView = l2(large.subarray(500, 500 + encoded.length));
    const fromBuffer = l2(Buffer.from(encoded));
    for (const transaction of [fromView, fromBuffer]) {
      assert.equal(transaction.raw.buffer.byteLength, encoded.length);
      assert.equal(transaction.input.buffer.byteLength, encoded.length);
      assert.equal(transaction.to?.buffer.byteLength, 20);
      assert.equal(Buffer.isBuffer(transaction.raw), false);
    }
  });
});

describe('protocol/transactionCodec: L1 transactions', () => {
  it('decodes what it encodes, with the canonical hash', () => {
    fc.assert(
      fc.property(anL1Transaction, (fields) => {
        const encoded = encodeL1Transaction(fields);
        assert.deepEqual(decodeTransaction(encoded.raw), encoded);
        assert.equal(toHex(encoded.hash), toHex(keccak256(l1AbiEncoding(fields))));
        assert.equal(toHex(vmTransactionHash(encoded, 1n)), toHex(encoded.hash));
      }),
    );
  });

  it('keeps a carried hash when decoding but chains the computed one', () => {
    const hash = new Uint8Array(32).fill(0xee);
    const carried = encodeL1TransactionWithHash(L1_SAMPLE, hash);
    const decoded = decodeTransaction(carried.raw);
    assert.equal(toHex(decoded.hash), toHex(hash));
    assert.equal(toHex(vmTransactionHash(decoded, 1n)), toHex(canonicalL1Hash(L1_SAMPLE)));
  });

  it('lays the ABI form out in 19 head words and five tails', () => {
    const word = (bytes: Bytes, index: number): bigint => BigInt(toHex(bytes.subarray(index * 32, index * 32 + 32)));
    const dependency = new Uint8Array(32).fill(0x44);
    const encoded = l1AbiEncoding({ ...L1_SAMPLE, factoryDeps: [dependency] });
    assert.equal(encoded.length, 32 * (1 + 19 + 2 + 1 + 2 + 1 + 1));
    assert.equal(word(encoded, 0), 0x20n);
    assert.equal(word(encoded, 1), 0x7fn);
    assert.deepEqual(
      [14, 15, 16, 17, 18].map((index) => word(encoded, 1 + index)),
      [0x260n, 0x2a0n, 0x2c0n, 0x300n, 0x320n],
    );
    assert.equal(word(encoded, 20), 3n);
    assert.equal(toHex(encoded.subarray(21 * 32, 21 * 32 + 4)), '0xabcdef00');
    assert.equal(toHex(encoded.subarray(24 * 32, 25 * 32)), toHex(dependency));
  });

  it('refuses fields that are too wide', () => {
    const wide: readonly Partial<L1TransactionFields>[] = [
      { gasLimit: 2n ** 64n },
      { gasPerPubdataByteLimit: 2n ** 64n },
      { maxFeePerGas: 2n ** 128n },
      { maxPriorityFeePerGas: 2n ** 128n },
      { nonce: 2n ** 64n },
      { value: 2n ** 256n },
      { toMint: -1n },
    ];
    for (const change of wide) {
      assert.equal(
        code(() => encodeL1Transaction({ ...L1_SAMPLE, ...change })),
        'TRANSACTION_FIELD_TOO_WIDE',
        Object.keys(change).join(),
      );
    }
    for (const change of [
      { to: new Uint8Array(19) },
      { factoryDeps: [new Uint8Array(31)] },
      { refundRecipient: EMPTY_BYTES },
    ]) {
      assert.equal(
        code(() => encodeL1Transaction({ ...L1_SAMPLE, ...change })),
        'TRANSACTION_MALFORMED',
        Object.keys(change).join(),
      );
    }
  });

  it('has sixteen items, of which the last three are zero', () => {
    const { raw } = encodeL1Transaction(L1_SAMPLE);
    const items = decodeRlp(raw.subarray(1));
    assert.ok(!(items instanceof Uint8Array));
    assert.equal(items.length, 16);
    const malformed: readonly (readonly RlpItem[])[] = [
      items.slice(0, 13),
      items.slice(0, 15),
      [...items, EMPTY_BYTES],
      replaced(items, 13, integer(1n)),
      replaced(items, 14, integer(1n)),
      replaced(items, 15, Uint8Array.of(0)),
      replaced(items, 0, new Uint8Array(31)),
      replaced(items, 2, EMPTY_BYTES),
      replaced(items, 12, EMPTY_BYTES),
      replaced(items, 12, [new Uint8Array(31)]),
    ];
    malformed.forEach((list, index) => {
      assert.equal(
        code(() => decodeTransaction(typed(0x7f, list))),
        'TRANSACTION_MALFORMED',
        `case ${index}`,
      );
    });
  });
});
