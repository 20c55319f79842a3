/** Drives one transaction of a block to its end: loads what is missing, gives the event loop its turn. Builder and replayer both come through here. */
import type { SenderedTransaction } from '../protocol/transaction.ts';
import type { BlockExecution, Step } from './blockExecution.ts';
import type { MissingKey } from './loadedState.ts';

export type TransactionEnd = Exclude<Step, { kind: 'missing' } | { kind: 'paused' }>;

export interface ExecutionDriver {
  /** Brings the keys into the LoadedState of the execution. */
  load(keys: readonly MissingKey[]): Promise<void>;
  /** A turn of the event loop. */
  turn(): Promise<void>;
  /** Asked after every wait: false gives the transaction up. */
  goesOn(): boolean;
}

/** Returns undefined when the driver gave the transaction up; nothing of it is left then. */
export async function runTransaction(
  execution: BlockExecution,
  transaction: SenderedTransaction,
  driver: ExecutionDriver,
): Promise<TransactionEnd | undefined> {
  let step = execution.start(transaction);
  for (;;) {
    if (step.kind === 'missing') await driver.load(step.keys);
    else if (step.kind === 'paused') await driver.turn();
    else return step;
    if (!driver.goesOn()) {
      execution.abandon();
      return undefined;
    }
    step = execution.resume();
  }
}
