import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fromHex, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import { blake2s256, KECCAK_EMPTY } from '../../src/common/hash.ts';
import {
  accountRecordHash,
  decodeAccountRecord,
  deployedAccountFields,
  EMPTY_ACCOUNT_RECORD,
  encodeAccountRecord,
  equalAccountCode,
  equalAccountRecords,
  jumpMap,
  observableCode,
  storedCode,
  storedJumpMap,
} from '../../src/protocol/accountRecord.ts';
import type { AccountRecord } from '../../src/protocol/accountRecord.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const aU32 = fc.integer({ min: 0, max: 0xffff_ffff });

const aRecord: fc.Arbitrary<AccountRecord> = fc.record(
  {
    versioning: bytesOf(8),
    nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    balance: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 130n })),
    bytecodeHash: bytesOf(32),
    unpaddedCodeLength: aU32,
    artifactsLength: aU32,
    observableBytecodeHash: bytesOf(32),
    observableBytecodeLength: aU32,
  },
  { noNullPrototype: true },
);

/** Code in which pushes and jump destinations are frequent. */
const someCode = fc
  .array(fc.oneof(fc.constantFrom(0x5b, 0x60, 0x61, 0x7f, 0x00), fc.integer({ min: 0, max: 255 })), { maxLength: 300 })
  .map((opcodes) => Uint8Array.from(opcodes));

describe('protocol/accountRecord', () => {
  it('decodes what it encodes, in 124 bytes', () => {
    fc.assert(
      fc.property(aRecord, (record) => {
        const encoded = encodeAccountRecord(record);
        assert.equal(encoded.length, 124);
        const decoded = decodeAccountRecord(encoded);
        assert.deepEqual(decoded, record);
        assert.equal(equalAccountRecords(decoded, record), true);
        for (const part of [decoded.versioning, decoded.bytecodeHash])
          assert.equal(part.buffer.byteLength, part.length);
      }),
    );
  });

  it('reads an account without code by its nonce and balance', () => {
    const plain = { ...EMPTY_ACCOUNT_RECORD, nonce: 2n ** 64n - 1n, balance: 2n ** 256n - 1n };
    assert.deepEqual(decodeAccountRecord(encodeAccountRecord(plain)), plain);
  });

  it('hashes the empty record to a value that is not zero', () => {
    const encoded = encodeAccountRecord(EMPTY_ACCOUNT_RECORD);
    assert.equal(toHex(encoded), `0x${'00'.repeat(124)}`);
    assert.equal(toHex(accountRecordHash(encoded)), toHex(blake2s256(new Uint8Array(124))));
    assert.notEqual(toHex(accountRecordHash(encoded)), toHex(ZERO_32));
  });

  it('refuses another length', () => {
    for (const length of [0, 123, 125]) {
      assert.throws(
        () => decodeAccountRecord(new Uint8Array(length)),
        (error) => error instanceof ProtocolError && error.code === 'ACCOUNT_RECORD_MALFORMED',
      );
    }
  });

  it('tells changes of code from changes of nonce and balance', () => {
    const record = { ...EMPTY_ACCOUNT_RECORD, nonce: 1n };
    assert.equal(equalAccountCode(record, EMPTY_ACCOUNT_RECORD), true);
    assert.equal(equalAccountRecords(record, EMPTY_ACCOUNT_RECORD), false);
    const fields: readonly Partial<AccountRecord>[] = [
      { versioning: Uint8Array.of(1, 1, 1, 0, 0, 0, 0, 0) },
      { bytecodeHash: new Uint8Array(32).fill(1) },
      { unpaddedCodeLength: 1 },
      { artifactsLength: 8 },
      { observableBytecodeHash: new Uint8Array(32).fill(1) },
      { observableBytecodeLength: 1 },
    ];
    for (const change of fields)
      assert.equal(equalAccountCode({ ...record, ...change }, record), false, Object.keys(change).join());
  });

  it('marks exactly the jump destinations outside of push data', () => {
    fc.assert(
      fc.property(someCode, (code) => {
        const map = jumpMap(code);
        assert.equal(map.length, Math.ceil(code.length / 64) * 8);
        // Position by position: data of the push before it, or an instruction.
        let dataUntil = -1;
        for (let i = 0; i < map.length * 8; i++) {
          const opcode = code[i];
          const isInstruction = opcode !== undefined && i > dataUntil;
          if (isInstruction && opcode >= 0x60 && opcode <= 0x7f) dataUntil = i + opcode - 0x5f;
          const isSet = (((map[Math.floor(i / 8)] ?? 0) >> (i % 8)) & 1) === 1;
          assert.equal(isSet, isInstruction && opcode === 0x5b, `position ${i}`);
        }
      }),
    );
  });

  it('stores code, padding to 8 bytes and the jump map', () => {
    const code = fromHex('5b605b5b');
    assert.equal(toHex(storedCode(code)), '0x5b605b5b00000000' + '0900000000000000');
    assert.equal(toHex(storedCode(new Uint8Array(64).fill(0x5b))), `0x${'5b'.repeat(64)}${'ff'.repeat(8)}`);
    assert.equal(storedCode(new Uint8Array(65)).length, 72 + 16);
  });

  it('gives empty code that was deployed a record of its own', () => {
    assert.equal(storedCode(new Uint8Array(0)).length, 0);
    const fields = deployedAccountFields(new Uint8Array(0));
    assert.equal(toHex(fields.versioning), '0x0101010000000000');
    assert.equal(toHex(fields.bytecodeHash), '0x69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9');
    assert.equal(toHex(fields.observableBytecodeHash), toHex(KECCAK_EMPTY));
    assert.deepEqual([fields.unpaddedCodeLength, fields.artifactsLength, fields.observableBytecodeLength], [0, 0, 0]);
  });

  it('reads code and map back, and computes a map that is not stored', () => {
    fc.assert(
      fc.property(someCode, (code) => {
        const stored = storedCode(code);
        const fields = deployedAccountFields(code, stored);
        assert.deepEqual(observableCode(stored, fields), code);
        assert.deepEqual(storedJumpMap(stored, fields), jumpMap(code));
        const withoutMap = { ...fields, versioning: Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0), artifactsLength: 0 };
        assert.deepEqual(storedJumpMap(code, withoutMap), jumpMap(code));
      }),
    );
    assert.throws(
      () => observableCode(new Uint8Array(3), deployedAccountFields(new Uint8Array(4))),
      (error) => error instanceof ProtocolError && error.code === 'CODE_PREIMAGE_MALFORMED',
    );
  });
});
