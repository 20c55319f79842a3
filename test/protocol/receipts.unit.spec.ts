import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import {
  decodeL2ToL1Log,
  decodeReceipt,
  decodeTransactionMeta,
  encodeL2ToL1Log,
  encodeReceipt,
  encodeTransactionMeta,
} from '../../src/protocol/receipts.ts';
import type { Receipt } from '../../src/protocol/receipts.ts';
import { decodeRlp, encodeRlp } from '../../src/protocol/rlp.ts';
import type { RlpItem } from '../../src/protocol/rlp.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const aU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const noNullPrototype = { noNullPrototype: true } as const;

const aLog = fc.record(
  { address: bytesOf(20), topics: fc.array(bytesOf(32), { maxLength: 4 }), data: fc.uint8Array({ maxLength: 80 }) },
  noNullPrototype,
);
const anL2ToL1Log = fc.record(
  {
    shardId: fc.integer({ min: 0, max: 255 }),
    isService: fc.boolean(),
    txNumberInBlock: fc.integer({ min: 0, max: 65_535 }),
    sender: bytesOf(20),
    key: bytesOf(32),
    value: bytesOf(32),
  },
  noNullPrototype,
);
const aReceipt: fc.Arbitrary<Receipt> = fc.record(
  {
    type: fc.constantFrom(0, 1, 2, 0x7e, 0x7f),
    success: fc.boolean(),
    cumulativeGasUsed: aU64,
    logsBloom: bytesOf(256),
    logs: fc.array(aLog, { maxLength: 3 }),
    l2ToL1Logs: fc.array(anL2ToL1Log, { maxLength: 3 }),
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

const RECEIPT: Receipt = {
  type: 2,
  success: true,
  cumulativeGasUsed: 21_000n,
  logsBloom: new Uint8Array(256),
  logs: [{ address: new Uint8Array(20), topics: [], data: new Uint8Array(0) }],
  l2ToL1Logs: [
    {
      shardId: 0,
      isService: true,
      txNumberInBlock: 3,
      sender: new Uint8Array(20),
      key: new Uint8Array(32),
      value: new Uint8Array(32),
    },
  ],
};

function items(bytes: Uint8Array): readonly RlpItem[] {
  const list = decodeRlp(bytes);
  assert.ok(!(list instanceof Uint8Array));
  return list;
}

describe('protocol/receipts', () => {
  it('decodes the receipts it encodes', () => {
    fc.assert(
      fc.property(aReceipt, (receipt) => {
        assert.deepEqual(decodeReceipt(encodeReceipt(receipt)), receipt);
      }),
    );
  });

  it('writes five fields behind the type byte, true as 0x01 and false as 0x80', () => {
    const encoded = encodeReceipt(RECEIPT);
    assert.equal(encoded[0], 2);
    const fields = items(encoded.subarray(1));
    assert.equal(fields.length, 5);
    assert.deepEqual(fields[0], Uint8Array.of(1));
    assert.deepEqual(items(encodeReceipt({ ...RECEIPT, type: 0, success: false }))[0], new Uint8Array(0));
  });

  it('refuses malformed receipts', () => {
    const list = items(encodeReceipt({ ...RECEIPT, type: 0 }));
    const log: RlpItem = [new Uint8Array(20), [], new Uint8Array(0)];
    const l2ToL1: RlpItem = [
      new Uint8Array(0),
      Uint8Array.of(1),
      new Uint8Array(0),
      new Uint8Array(20),
      new Uint8Array(32),
      new Uint8Array(32),
    ];
    const replaced = (index: number, item: RlpItem): readonly RlpItem[] =>
      list.map((old, i) => (i === index ? item : old));
    const cases: readonly (readonly RlpItem[])[] = [
      replaced(0, Uint8Array.of(2)),
      replaced(1, new Uint8Array(9).fill(1)),
      replaced(2, new Uint8Array(255)),
      replaced(3, [[new Uint8Array(19), [], new Uint8Array(0)]]),
      replaced(3, [[new Uint8Array(20), Array.from({ length: 5 }, () => new Uint8Array(32)), new Uint8Array(0)]]),
      replaced(4, [
        Array.isArray(l2ToL1) ? l2ToL1.map((item: RlpItem, i) => (i === 2 ? Uint8Array.of(1, 0, 0) : item)) : [],
      ]),
    ];
    cases.forEach((fields, index) => {
      assert.equal(
        code(() => decodeReceipt(encodeRlp(fields))),
        'RECEIPT_MALFORMED',
        `case ${index}`,
      );
    });
    const structural: readonly (readonly RlpItem[])[] = [
      list.slice(0, 4),
      [...list, []],
      replaced(3, [[...log.slice(0, 2)]] as RlpItem),
    ];
    structural.forEach((fields, index) => {
      assert.equal(
        code(() => decodeReceipt(encodeRlp(fields))),
        'RLP_MALFORMED',
        `case ${index}`,
      );
    });
    assert.equal(
      code(() => decodeReceipt(concatBytes(Uint8Array.of(0), encodeRlp(list)))),
      'RECEIPT_MALFORMED',
    );
    assert.equal(
      code(() => decodeReceipt(concatBytes(encodeReceipt(RECEIPT), Uint8Array.of(0)))),
      'RLP_MALFORMED',
    );
  });

  it('decodes the transaction metadata it encodes, with and without a contract', () => {
    const aMeta = fc.record(
      {
        blockHash: bytesOf(32),
        blockNumber: fc.nat(),
        blockTimestamp: aU64,
        transactionIndex: fc.nat(),
        effectiveGasPrice: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
        logsBefore: fc.nat(),
        gasUsed: aU64,
        contractAddress: fc.option(bytesOf(20), { nil: undefined }),
      },
      noNullPrototype,
    );
    fc.assert(
      fc.property(aMeta, (meta) => {
        const encoded = encodeTransactionMeta(meta);
        assert.deepEqual(decodeTransactionMeta(encoded), meta);
        assert.equal(items(encoded).length, meta.contractAddress === undefined ? 7 : 8);
      }),
    );
    assert.equal(
      code(() => decodeTransactionMeta(encodeRlp([new Uint8Array(31)]))),
      'TRANSACTION_META_MALFORMED',
    );
  });

  it('packs an L2 to L1 log into 88 bytes', () => {
    fc.assert(
      fc.property(anL2ToL1Log, (log) => {
        const encoded = encodeL2ToL1Log(log);
        assert.equal(encoded.length, 88);
        assert.deepEqual(decodeL2ToL1Log(encoded), log);
      }),
    );
    const log = {
      shardId: 0,
      isService: true,
      txNumberInBlock: 0x0102,
      sender: fromHex('aa'.repeat(20)),
      key: fromHex('bb'.repeat(32)),
      value: fromHex('cc'.repeat(32)),
    };
    assert.equal(toHex(encodeL2ToL1Log(log)), `0x00010102${'aa'.repeat(20)}${'bb'.repeat(32)}${'cc'.repeat(32)}`);
    assert.equal(
      code(() => decodeL2ToL1Log(new Uint8Array(87))),
      'L2_TO_L1_LOG_MALFORMED',
    );
    assert.equal(
      code(() => decodeL2ToL1Log(new Uint8Array(88).fill(2))),
      'L2_TO_L1_LOG_MALFORMED',
    );
  });
});
