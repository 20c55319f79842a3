import assert from 'node:assert/strict';
import { WaitForTransactionReceiptTimeoutError } from 'viem';
import { NodeError } from '../../src/common/errors.ts';
import { type L1Wallet, deposit } from '../../src/l1/deposit.ts';
import type { L1Client } from '../../src/l1/l1Client.ts';

const HASH = `0x${'ab'.repeat(32)}` as const;
const ADDRESS = `0x${'11'.repeat(20)}` as const;

describe('deposit', () => {
  it('names the transaction that was sent when L1 does not say what became of it', async () => {
    const client = {
      estimateFeesPerGas: () => Promise.resolve({ maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 1n }),
      readContract: () => Promise.resolve(500_000n * 250_000_000n),
      simulateContract: () => Promise.resolve({}),
      waitForTransactionReceipt: () => Promise.reject(new WaitForTransactionReceiptTimeoutError({ hash: HASH })),
    } as unknown as L1Client;
    const wallet = { writeContract: () => Promise.resolve(HASH) } as unknown as L1Wallet;
    await assert.rejects(
      deposit(client, wallet, { bridgehub: ADDRESS, chainId: 270n, to: ADDRESS, value: 1n }),
      (error) =>
        error instanceof NodeError &&
        error.code === 'L1_DEPOSIT_UNCONFIRMED' &&
        error.kind === 'fatal' &&
        error.message.startsWith(`the deposit was sent as ${HASH}`),
    );
  });
});
