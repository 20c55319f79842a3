/** What L2 and L1 transactions have in common for whoever runs them. */
import type { Bytes } from '../common/bytes.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import type { Machine } from './machine.ts';
import type { InvalidTransaction } from './invalidTransaction.ts';
import { TransactionChanges } from './transactionChanges.ts';
import type { FeeAccounts } from './worldState.ts';

/** Prices and limits a transaction runs under. */
export interface TransactionRules {
  readonly context: BlockContext;
  /** Simulation: fixed native per gas, no nonce check (spec: native 11). */
  readonly simulation: { readonly nativePerGas: bigint } | undefined;
}

export interface ExecutedTransaction {
  readonly success: boolean;
  readonly gasUsed: bigint;
  readonly nativeUsed: bigint;
  readonly computationalNativeUsed: number;
  /** bytes, validation and intrinsic included */
  readonly pubdataUsed: number;
  readonly returnData: Bytes;
  readonly contractAddress: Bytes | undefined;
  readonly effectiveGasPrice: bigint;
}

export interface TransactionExecution {
  /** Looks for everything that is needed before the first opcode and behind the last; false: `world.missing` says what is not there. */
  probe(): boolean;
  /** Validates and enters the top-level frame; `machine.result` may be there at once. */
  start(): InvalidTransaction | undefined;
  /** After the top-level frame ended: pubdata, gas, fees. Undefined: it cannot pay for what earlier transactions of the block left it to count. */
  finish(): ExecutedTransaction | undefined;
}

/** The end of every transaction: 0x8001 gives all it has to the coinbase, destroyed contracts go. */
export function settle(machine: Machine, { coinbase, bootloader }: FeeAccounts): void {
  machine.access.accountForFree(bootloader);
  machine.access.move(bootloader, coinbase, bootloader.balance);
  machine.world.removeDoomed();
}

/** Tells the tracer, if there is one, what became of the transaction. */
export function traceEnd({ tracer, world }: Machine, { success, gasUsed, returnData }: ExecutedTransaction): void {
  tracer?.end?.({ success, gasUsed, returnData, state: new TransactionChanges(world) });
}
