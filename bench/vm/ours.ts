/** The machine of this project on a workload, state in memory. Also loaded from changed copies of the project. */
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext } from '../../test/support/factories.ts';
import { TestState } from '../../test/support/testState.ts';
import { type Workload, receiptText } from './workloads.ts';

/** Runs the block from the same state each time. */
export interface Contestant {
  /** Executes the block and forgets it. */
  run(): void | Promise<void>;
  /** What it says of each transaction. */
  receipts(): Promise<readonly string[]>;
}

export function ourMachine(workload: Workload): Contestant {
  const state = new TestState();
  for (const { address, balance, code, slots } of workload.accounts)
    state.put(address, code === undefined ? { balance, slots } : { balance, slots, code, nonce: 1n });
  // A thousand token transfers publish more than a block may by default.
  const context = aBlockContext({ pubdataLimit: 1n << 32n });
  const execute = () => {
    const execution = new BlockExecution({ context, state, turnBudget: Number.MAX_SAFE_INTEGER });
    for (const transaction of workload.transactions) {
      const step = execution.start(transaction);
      if (step.kind !== 'included') throw new Error(`${workload.name}: a transaction was ${step.kind}`);
    }
    return execution.finish();
  };
  return {
    run: () => void execute(),
    receipts: async () =>
      execute().transactions.map(({ success, gasUsed, logs }) => receiptText(success, gasUsed, logs)),
  };
}
