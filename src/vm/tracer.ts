/** What a tracer is told while a transaction runs. Without a tracer nothing is paid for it, and opcodes cost more only with `step`. */
import type { Bytes } from '../common/bytes.ts';
import type { AccountCodeFields } from '../protocol/accountRecord.ts';
import type { Log } from '../protocol/blockOutput.ts';

export type TracedKind = 'CALL' | 'CALLCODE' | 'DELEGATECALL' | 'STATICCALL' | 'CREATE' | 'CREATE2' | 'SELFDESTRUCT';

export interface TracedFrame {
  readonly kind: TracedKind;
  readonly from: Bytes;
  /** Callee, new contract or beneficiary. */
  readonly to: Bytes;
  /** wei */
  readonly value: bigint;
  /** Gas the frame starts with. */
  readonly gas: number;
  /** Gas that stays with the caller meanwhile; 0 for the frame of the transaction. */
  readonly gasKept: number;
  /** Valid during the call only. */
  readonly input: Bytes;
}

export interface TracedResult {
  readonly success: boolean;
  /** Valid during the call only. */
  readonly output: Bytes;
  readonly gasLeft: number;
  /** Why the frame failed: `execution reverted`, `out of gas`, … */
  readonly error: string | undefined;
}

/** An opcode about to run. One object for all steps: valid during the call only. */
export interface TracedStep {
  readonly pc: number;
  readonly opcode: number;
  /** Before any charge of the opcode. */
  readonly gas: number;
  /** 1: the frame of the transaction. */
  readonly depth: number;
  /** The account whose storage the frame works on. */
  readonly self: Bytes;
  readonly stackSize: number;
  /** An item, 0 the newest. */
  stackItem(fromTop: number): bigint;
  readonly memory: Bytes;
  /** Of the newest call that this frame made. */
  readonly returnData: Bytes;
}

export interface AccountValues {
  readonly nonce: bigint;
  /** wei */
  readonly balance: bigint;
  readonly code: AccountCodeFields;
}

/** A value before and after the transaction. */
export interface Change<T> {
  readonly before: T;
  readonly after: T;
}

/** State around a transaction that has ended; valid during `end` only. Looks at what is in memory and loads nothing. */
export interface TransactionState {
  /** Accounts of which the transaction changed anything, slots included. */
  changedAccounts(): readonly Bytes[];
  changedSlots(): readonly { readonly address: Bytes; readonly slot: Bytes }[];
  /** undefined: the transaction did not get as far as looking at it. */
  account(address: Bytes): Change<AccountValues> | undefined;
  slot(address: Bytes, slot: Bytes): Change<Bytes> | undefined;
  /** The code itself; undefined: it is not in memory, its stored form is the preimage of the bytecode hash. */
  code(fields: AccountCodeFields): Bytes | undefined;
}

/** What became of the transaction: a frame that ended well still fails when its pubdata cannot be paid. */
export interface TracedEnd {
  readonly success: boolean;
  /** As in the receipt. */
  readonly gasUsed: bigint;
  /** Return or revert data; of a successful creation the deployed code. */
  readonly returnData: Bytes;
  readonly state: TransactionState;
}

export interface Tracer {
  enter(frame: TracedFrame): void;
  exit(result: TracedResult): void;
  log(log: Log): void;
  /** Before every opcode of contracts, also of one that fails. Answers what it cost in work units of the turn. */
  step?(step: TracedStep): number;
  /** After fees and refunds, before anything of the transaction is forgotten. */
  end?(end: TracedEnd): void;
}
