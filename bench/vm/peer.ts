/** `@ethereumjs/vm` on a workload, set up as fast as it goes: maps with a journal below it, our hasher, no events, senders known. */
import { createBlock } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import { type TypedTransaction, createTx } from '@ethereumjs/tx';
import { Address, createAccount } from '@ethereumjs/util';
import { type RunTxResult, createVM, runTx } from '@ethereumjs/vm';
import { toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { type SenderedTransaction, isL1Transaction } from '../../src/protocol/transaction.ts';
import { aBlockContext } from '../../test/support/factories.ts';
import { JournalingState } from './journalingState.ts';
import type { Contestant } from './ours.ts';
import { threadTimeMs } from './rounds.ts';
import { type Workload, receiptText } from './workloads.ts';

const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun, customCrypto: { keccak256 } });

function theirTransaction({ transaction, sender }: SenderedTransaction): TypedTransaction {
  if (isL1Transaction(transaction)) throw new Error('an L1 transaction has no place in Ethereum');
  const { nonce, gasLimit, to, value, input, maxFeePerGas, maxPriorityFeePerGas } = transaction;
  const tx = createTx(
    {
      type: 2,
      nonce,
      gasLimit,
      ...(to === undefined ? {} : { to: new Address(to) }),
      value,
      data: input,
      maxFeePerGas,
      maxPriorityFeePerGas,
      chainId: 1n,
      v: 0n,
      r: 1n,
      s: 1n,
    },
    { common, freeze: false },
  );
  const address = new Address(sender);
  tx.getSenderAddress = () => address;
  return tx;
}

export async function theirMachine(workload: Workload): Promise<Contestant> {
  const stateManager = new JournalingState();
  const vm = await createVM({ common, stateManager });
  for (const { address, balance, code, slots } of workload.accounts) {
    const at = new Address(address);
    await stateManager.putAccount(at, createAccount({ balance, nonce: code === undefined ? 0n : 1n }));
    if (code !== undefined) await stateManager.putCode(at, code);
    for (const [slot, value] of slots)
      await stateManager.putStorage(at, slot, value.subarray(value.findIndex((byte) => byte !== 0)));
  }
  const { blockNumber, timestamp, coinbase, gasLimit, eip1559BaseFee } = aBlockContext();
  const block = createBlock(
    {
      header: {
        number: blockNumber,
        timestamp,
        coinbase: toHex(coinbase),
        gasLimit,
        baseFeePerGas: eip1559BaseFee,
      },
    },
    { common },
  );
  const transactions = workload.transactions.map(theirTransaction);
  const execute = async (): Promise<RunTxResult[]> => {
    await stateManager.checkpoint();
    const results: RunTxResult[] = [];
    for (const tx of transactions) results.push(await runTx(vm, { tx, block, skipHardForkValidation: true }));
    await stateManager.revert();
    return results;
  };
  return {
    async run() {
      const start = threadTimeMs();
      await execute();
      const executeMs = threadTimeMs() - start;
      return { executeMs, blockMs: executeMs };
    },
    receipts: async () =>
      (await execute()).map(({ execResult, totalGasSpent }) =>
        receiptText(
          execResult.exceptionError === undefined,
          totalGasSpent,
          (execResult.logs ?? []).map(([address, topics, data]) => ({ address, topics, data })),
        ),
      ),
  };
}
