import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { blake2s256 } from '../../src/common/hash.ts';
import { accountFlatKey, accountSlot, compareStorageOrder, flatKey } from '../../src/protocol/stateKey.ts';
import { ACCOUNT_PROPERTIES_ADDRESS, GENESIS_UPGRADE_ADDRESS } from '../../src/protocol/systemAddresses.ts';

const anAddress = fc.uint8Array({ minLength: 20, maxLength: 20 });
const aSlot = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Few values, so that words are often equal. */
const aCloseAddress = fc
  .array(fc.constantFrom(0, 1, 255), { minLength: 20, maxLength: 20 })
  .map((bytes) => Uint8Array.from(bytes));

describe('protocol/stateKey', () => {
  it('hashes the padded address and the slot', () => {
    fc.assert(
      fc.property(anAddress, aSlot, (address, slot) => {
        assert.equal(toHex(flatKey(address, slot)), toHex(blake2s256(concatBytes(new Uint8Array(12), address, slot))));
        assert.equal(toHex(accountFlatKey(address)), toHex(flatKey(ACCOUNT_PROPERTIES_ADDRESS, accountSlot(address))));
      }),
    );
  });

  it('knows the addresses of the system', () => {
    assert.equal(toHex(ACCOUNT_PROPERTIES_ADDRESS), '0x0000000000000000000000000000000000008003');
    assert.equal(toHex(GENESIS_UPGRADE_ADDRESS), '0x0000000000000000000000000000000000010001');
  });

  it('orders by the least significant word of the address first, then by slot', () => {
    const at = (address: string, slot: number): { address: Uint8Array; slot: Uint8Array } => {
      const slotBytes = new Uint8Array(32);
      slotBytes[31] = slot;
      return { address: fromHex(address), slot: slotBytes };
    };
    const ordered = [
      at('ffffffff' + 'ffffffffffffffff' + '0000000000000001', 9),
      at('00000000' + '0000000000000000' + '0000000000008003', 1),
      at('00000000' + '0000000000000000' + '0000000000008003', 2),
      at('00000001' + '0000000000000000' + '0000000000008003', 0),
      at('00000000' + '0000000000000001' + '0000000000008003', 0),
      at('00000000' + '0000000000000000' + '0100000000000000', 0),
    ];
    assert.deepEqual([...ordered].reverse().sort(compareStorageOrder), ordered);
  });

  it('compares as the reordered bytes do', () => {
    const reordered = (address: Uint8Array, slot: Uint8Array): Uint8Array =>
      concatBytes(address.slice(12), address.slice(4, 12), address.slice(0, 4), slot);
    fc.assert(
      fc.property(aCloseAddress, aCloseAddress, aSlot, aSlot, (a, b, slotA, slotB) => {
        const result = compareStorageOrder({ address: a, slot: slotA }, { address: b, slot: slotB });
        assert.equal(Math.sign(result), Buffer.compare(reordered(a, slotA), reordered(b, slotB)));
      }),
    );
  });
});
