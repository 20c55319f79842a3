import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bigIntToBytes, concatBytes, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { deployedAccountFields, EMPTY_ACCOUNT_RECORD, storedCode } from '../../src/protocol/accountRecord.ts';
import type { AccountRecord } from '../../src/protocol/accountRecord.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import {
  accountDiff,
  accountDiffLength,
  daHeader,
  decodePubdata,
  encodePubdata,
  operatorDaInput,
  valueDiff,
  valueDiffLength,
} from '../../src/protocol/pubdata.ts';
import type { DecodedValueDiff, PubdataDiff } from '../../src/protocol/pubdata.ts';
import { byteLengthOf, dataView, readU256, writeU256 } from '../../src/protocol/words.ts';

/** Values of every length, and neighbours of the powers of 256. */
const aValue = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  fc.integer({ min: 0, max: 32 }).chain((bytes) => fc.bigInt({ min: 0n, max: 2n ** BigInt(8 * bytes) - 1n })),
  fc
    .integer({ min: 0, max: 31 })
    .chain((bytes) => fc.constantFrom(2n ** BigInt(8 * bytes), 2n ** BigInt(8 * bytes) - 1n)),
);

function applied(initial: bigint, diff: DecodedValueDiff | undefined): bigint {
  if (diff === undefined) return initial;
  if (diff.kind === 'set') return diff.amount;
  return diff.kind === 'add' ? initial + diff.amount : initial - diff.amount;
}

/** The rule, candidate by candidate. */
function expectedValueDiff(initial: bigint, final: bigint): Bytes {
  const minimal = (value: bigint): Bytes => {
    const length = value === 0n ? 0 : Math.ceil(value.toString(16).length / 2);
    return length === 0 ? new Uint8Array(0) : bigIntToBytes(value, length);
  };
  const candidates: Bytes[] = [concatBytes(Uint8Array.of(0), bigIntToBytes(final, 32))];
  const add = (type: number, value: bigint): void => {
    if (value < 0n) return;
    const payload = minimal(value);
    if (payload.length < 32) candidates.push(concatBytes(Uint8Array.of((payload.length << 3) | type), payload));
  };
  add(1, final - initial);
  add(2, initial - final);
  add(3, final);
  return candidates.reduce((best, candidate) => (candidate.length < best.length ? candidate : best));
}

const blockHash = new Uint8Array(32).fill(0xab);

function slotDiff(initial: bigint, final: bigint): PubdataDiff {
  return { kind: 'slot', flatKey: new Uint8Array(32).fill(1), initial, final };
}

function accountPubdata(initial: AccountRecord, final: AccountRecord, code: Bytes | undefined): Bytes {
  const diff: PubdataDiff = { kind: 'account', flatKey: new Uint8Array(32).fill(2), initial, final, storedCode: code };
  return encodePubdata({ blockHash, diffs: [diff], l2ToL1Logs: [], messages: [] });
}

describe('protocol/words', () => {
  it('knows the length of integers', () => {
    fc.assert(
      fc.property(aValue, (value) => {
        assert.equal(byteLengthOf(value), value === 0n ? 0 : Math.ceil(value.toString(16).length / 2));
        const word = new Uint8Array(40).fill(0xff);
        writeU256(dataView(word), 5, value);
        assert.equal(toHex(word.subarray(5, 37)), toHex(bigIntToBytes(value, 32)));
        assert.equal(readU256(dataView(word), 5), value);
      }),
    );
  });
});

describe('protocol/pubdata: value diffs', () => {
  it('are the shortest of the four forms', () => {
    fc.assert(
      fc.property(aValue, aValue, (initial, final) => {
        const diff = valueDiff(initial, final);
        assert.equal(toHex(diff), toHex(expectedValueDiff(initial, final)));
        assert.equal(valueDiffLength(initial, final), diff.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('prefer an addition, then a subtraction, among equals', () => {
    assert.equal(toHex(valueDiff(0n, 1n)), '0x0901');
    assert.equal(toHex(valueDiff(200n, 100n)), '0x0a64');
    assert.equal(toHex(valueDiff(7n, 7n)), '0x01');
    assert.equal(toHex(valueDiff(1n, 0n)), '0x03');
  });

  it('lead from the old to the new value', () => {
    fc.assert(
      fc.property(aValue, aValue, (initial, final) => {
        const [diff] = decodePubdata(
          encodePubdata({ blockHash, diffs: [slotDiff(initial, final)], l2ToL1Logs: [], messages: [] }),
        ).diffs;
        assert.ok(diff?.kind === 'slot');
        assert.equal(applied(initial, diff.value), final);
        assert.equal(toHex(diff.encoded), toHex(valueDiff(initial, final)));
      }),
    );
  });
});

describe('protocol/pubdata: account diffs', () => {
  const before: AccountRecord = { ...EMPTY_ACCOUNT_RECORD, nonce: 5n, balance: 1000n };
  const code = Uint8Array.of(0x5b, 0x00, 0x60);
  const deployed: AccountRecord = { ...before, ...deployedAccountFields(code), nonce: 6n };

  it('take format 1, 2 or 3 when only nonce or balance changed', () => {
    assert.equal(toHex(accountDiff(before, { ...before, nonce: 6n }, undefined)), '0x0c0901');
    assert.equal(toHex(accountDiff(before, { ...before, balance: 999n }, undefined)), '0x140a01');
    assert.equal(toHex(accountDiff(before, { ...before, nonce: 6n, balance: 999n }, undefined)), '0x1c09010a01');
    // The code is not published when it did not change, even if it is at hand.
    assert.equal(toHex(accountDiff(deployed, { ...deployed, nonce: 7n }, storedCode(code))), '0x0c0901');
  });

  it('take format 0 with the stored code', () => {
    const diff = accountDiff(before, deployed, storedCode(code));
    assert.equal(
      toHex(diff),
      `0x040101010000000000` +
        '0901' +
        '01' +
        '00000003' +
        '00000008' +
        '5b00600000000000' +
        '0100000000000000' +
        '00000003',
    );
    assert.equal(accountDiffLength(before, deployed, true), diff.length);
  });

  it('take format 4 without the code', () => {
    const diff = accountDiff(before, deployed, undefined);
    assert.equal(
      toHex(diff),
      `0x240101010000000000` + '0901' + '01' + toHex(deployed.bytecodeHash).slice(2) + '00000008' + '00000003',
    );
    assert.equal(accountDiffLength(before, deployed, false), diff.length);
  });

  it('are decoded to what changed', () => {
    for (const [final, published] of [
      [{ ...before, nonce: 9n }, undefined],
      [{ ...before, balance: 2n ** 255n }, undefined],
      [deployed, storedCode(code)],
      [deployed, undefined],
    ] as const) {
      const [diff] = decodePubdata(accountPubdata(before, final, published)).diffs;
      assert.ok(diff?.kind === 'account');
      assert.equal(applied(before.nonce, diff.nonce), final.nonce);
      assert.equal(applied(before.balance, diff.balance), final.balance);
      if (final !== deployed) assert.equal(diff.code, undefined);
      else if (published === undefined) assert.equal(diff.code?.kind, 'hash');
      else assert.deepEqual(diff.code?.kind === 'published' ? diff.code.storedCode : undefined, published);
    }
  });

  it('are refused for a record that did not change, and for code that does not fit', () => {
    const isInvariant = (error: unknown): boolean => error instanceof NodeError && error.kind === 'invariant';
    assert.throws(() => accountDiff(before, { ...before }, undefined), isInvariant);
    assert.throws(() => accountDiff(before, deployed, new Uint8Array(3)), isInvariant);
  });
});

describe('protocol/pubdata: blocks', () => {
  const log = {
    shardId: 0,
    isService: true,
    txNumberInBlock: 1,
    sender: new Uint8Array(20),
    key: new Uint8Array(32),
    value: new Uint8Array(32),
  };

  it('hold hash, diffs, logs and messages in order', () => {
    const messages = [new Uint8Array(0), Uint8Array.of(1, 2, 3)];
    const pubdata = encodePubdata({
      blockHash,
      diffs: [slotDiff(0n, 1n), slotDiff(1n, 0n)],
      l2ToL1Logs: [log],
      messages,
    });
    const decoded = decodePubdata(pubdata);
    assert.deepEqual(decoded.blockHash, blockHash);
    assert.deepEqual(
      decoded.diffs.map(({ encoded }) => toHex(encoded)),
      ['0x0901', '0x03'],
    );
    assert.deepEqual(decoded.l2ToL1Logs, [log]);
    assert.deepEqual(decoded.messages, messages);
    assert.equal(pubdata.length, 32 + 4 + (32 + 2) + (32 + 1) + 4 + 88 + 4 + 4 + 4 + 3);
  });

  it('are refused when malformed', () => {
    const empty = encodePubdata({ blockHash, diffs: [], l2ToL1Logs: [], messages: [] });
    const withDiff = (diff: string): Bytes =>
      concatBytes(
        blockHash,
        Uint8Array.of(0, 0, 0, 1),
        new Uint8Array(32),
        Buffer.from(diff, 'hex'),
        new Uint8Array(8),
      );
    const cases: readonly Bytes[] = [
      new Uint8Array(0),
      empty.slice(0, -1),
      concatBytes(empty, Uint8Array.of(0)),
      withDiff('08'),
      withDiff('0a00'),
      withDiff('2c'),
      withDiff('0500'),
      withDiff('0901').slice(0, 70),
      concatBytes(blockHash, Uint8Array.of(255, 255, 255, 255)),
    ];
    cases.forEach((bytes, index) => {
      assert.throws(
        () => decodePubdata(bytes),
        (error) => error instanceof ProtocolError && error.code === 'PUBDATA_MALFORMED',
        `case ${index}`,
      );
    });
  });

  it('have a header of 97 bytes and an operator input by mode', () => {
    const pubdata = Uint8Array.of(1, 2, 3);
    assert.equal(daHeader(pubdata).length, 97);
    assert.equal(operatorDaInput(pubdata, 'rollup').length, 97 + 1 + 3 + 32);
    assert.equal(toHex(operatorDaInput(pubdata, 'validium')), `0x${'00'.repeat(32)}`);
  });
});
