/** The machine of this project on a workload, state in memory. Also loaded from changed copies of the project. */
import { bytesKey } from '../../src/common/bytes.ts';
import { StateCache } from '../../src/store/stateCache.ts';
import { BOOTLOADER_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { ABSENT, type MissingKey } from '../../src/vm/loadedState.ts';
import { aBlockContext } from '../../test/support/factories.ts';
import { TestState } from '../../test/support/testState.ts';
import { threadTimeMs } from './rounds.ts';
import { type Workload, receiptText } from './workloads.ts';

/** Runs the block of a workload from the same state each time. */
export interface Contestant {
  run(): Promise<BlockTime>;
  /** What it says of each transaction. */
  receipts(): Promise<readonly string[]>;
}

export interface BlockTime {
  /** All transactions, each to its receipt. */
  readonly executeMs: number;
  /** Their block, too; where there is none, nothing more. */
  readonly blockMs: number;
}

/** The state of the chain worker, with everything in its cache. */
export async function ourMachine(workload: Workload): Promise<Contestant> {
  // A thousand token transfers publish more than a block may by default.
  const context = aBlockContext({ pubdataLimit: 1n << 32n });
  const state = new TestState();
  const keys: MissingKey[] = [context.coinbase, BOOTLOADER_ADDRESS].map((address) => ({ kind: 'account', address }));
  for (const { address, balance, code, slots } of workload.accounts) {
    state.put(address, code === undefined ? { balance, slots } : { balance, slots, code, nonce: 1n });
    keys.push({ kind: 'account', address });
    for (const [slot] of slots) keys.push({ kind: 'slot', address, slot });
    if (code !== undefined) keys.push({ kind: 'preimage', hash: state.record(address).bytecodeHash });
  }
  const read = (key: MissingKey) => {
    if (key.kind === 'account') return state.records.get(bytesKey(key.address));
    return key.kind === 'slot' ? state.value(key.address, key.slot) : state.preimage(key.hash);
  };
  const cache = new StateCache({
    readState: async (missing) =>
      missing.map(read).map((value) => (value === ABSENT || value === undefined ? undefined : value)),
  });
  await cache.load(keys);
  const view = cache.view([]);

  const execute = (): BlockExecution => {
    const execution = new BlockExecution({ context, state: view, turnBudget: Number.MAX_SAFE_INTEGER });
    for (const transaction of workload.transactions) {
      const step = execution.start(transaction);
      if (step.kind !== 'included') throw new Error(`${workload.name}: a transaction was ${step.kind}`);
    }
    return execution;
  };

  return {
    async run() {
      const start = threadTimeMs();
      const execution = execute();
      const executed = threadTimeMs();
      execution.finish();
      return { executeMs: executed - start, blockMs: threadTimeMs() - start };
    },
    async receipts() {
      const { transactions } = execute().finish();
      return transactions.map(({ success, gasUsed, logs }) => receiptText(success, gasUsed, logs));
    },
  };
}
