import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/common/bytes.ts';
import {
  type CanonicalTransaction,
  genesisUpgradeToTransaction,
  priorityRequestToTransaction,
} from '../../src/l1/canonicalTransaction.ts';
import { canonicalToL1Transaction } from '../../src/l1/canonicalTransaction.ts';

const CANONICAL: CanonicalTransaction = {
  txType: 127n,
  from: 0xa1n,
  to: 0xb2n,
  gasLimit: 300_000n,
  gasPerPubdataByteLimit: 800n,
  maxFeePerGas: 250_000_000n,
  maxPriorityFeePerGas: 0n,
  paymaster: 0n,
  nonce: 7n,
  value: 5n,
  reserved: [10n ** 18n, 0xc3n, 0n, 0n],
  data: '0x1234',
  signature: '0x',
  factoryDeps: [3n],
  paymasterInput: '0x',
  reservedDynamic: '0x',
};

describe('canonical transactions of L1', () => {
  it('become transactions of the chain', () => {
    const transaction = canonicalToL1Transaction(CANONICAL, 0x7f);
    assert.deepEqual(
      [
        transaction.nonce,
        transaction.toMint,
        transaction.value,
        toHex(transaction.input),
        transaction.factoryDeps.length,
      ],
      [7n, 10n ** 18n, 5n, '0x1234', 1],
    );
    assert.equal(toHex(transaction.refundRecipient), `0x${'0'.repeat(38)}c3`);
    assert.deepEqual(priorityRequestToTransaction(CANONICAL, toHex(transaction.hash)), transaction);
    assert.equal(genesisUpgradeToTransaction({ ...CANONICAL, txType: 126n }).type, 0x7e);
  });

  it('are refused in any other form', () => {
    const cases: [Partial<CanonicalTransaction>, RegExp][] = [
      [{ txType: 126n }, /type is 126/],
      [{ txType: 255n }, /type is 255/],
      [{ maxPriorityFeePerGas: 1n }, /priority fee/],
      [{ paymaster: 1n }, /paymaster/],
      [{ reserved: [1n, 2n, 1n, 0n] }, /reserved/],
      [{ reserved: [1n, 2n, 0n, 1n] }, /reserved/],
      [{ signature: '0x00' }, /signature/],
      [{ paymasterInput: '0x00' }, /paymasterInput/],
      [{ reservedDynamic: '0x00' }, /reservedDynamic/],
    ];
    for (const [change, message] of cases)
      assert.throws(() => canonicalToL1Transaction({ ...CANONICAL, ...change }, 0x7f), {
        code: 'L1_REQUEST_MALFORMED',
        message,
      });
    assert.throws(() => priorityRequestToTransaction(CANONICAL, toHex(new Uint8Array(32))), /its hash is/);
  });

  it('keep to the width of their fields', () => {
    const wide = 1n << 200n;
    const transaction = canonicalToL1Transaction(
      { ...CANONICAL, from: (1n << 160n) + 5n, gasLimit: wide, maxFeePerGas: wide, gasPerPubdataByteLimit: wide },
      0x7f,
    );
    assert.deepEqual(
      [transaction.gasLimit, transaction.maxFeePerGas, transaction.gasPerPubdataByteLimit],
      [(1n << 64n) - 1n, (1n << 128n) - 1n, (1n << 64n) - 1n],
    );
    assert.equal(toHex(transaction.initiator), `0x${'0'.repeat(39)}5`);
  });
});
