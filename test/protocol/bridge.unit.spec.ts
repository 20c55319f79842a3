import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { aliasToL1Address, l1AddressToAlias } from '../../src/protocol/addressAlias.ts';
import { withdrawalMessage, withdrawalMessageWithData } from '../../src/protocol/withdrawal.ts';

describe('protocol/addressAlias', () => {
  it('wraps around and can be undone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (address) => {
        assert.deepEqual(aliasToL1Address(l1AddressToAlias(address)), address);
        assert.deepEqual(l1AddressToAlias(aliasToL1Address(address)), address);
      }),
    );
    assert.equal(toHex(l1AddressToAlias(new Uint8Array(20).fill(0xff))), '0x1111000000000000000000000000000000001110');
  });
});

describe('protocol/withdrawal', () => {
  it('appends caller and data to the plain message', () => {
    const receiver = fromHex('11'.repeat(20));
    const caller = fromHex('22'.repeat(20));
    const plain = withdrawalMessage(receiver, 5n);
    assert.equal(plain.length, 56);
    assert.equal(toHex(plain.subarray(0, 4)), '0x6c0960f9');
    assert.deepEqual(
      withdrawalMessageWithData(receiver, 5n, { caller, data: Uint8Array.of(7) }),
      concatBytes(plain, caller, Uint8Array.of(7)),
    );
  });
});
