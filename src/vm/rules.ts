/**
 * Where flavours of the EVM differ inside the interpreter. A node runs ZKSYNC_OS_RULES; tests hold the same interpreter
 * against public suites under the rules of Ethereum, and simulations may move precompiles (spec: execution 9, rpc 14).
 */
import type { Bytes } from '../common/bytes.ts';
import { MEMORY_TOTAL_LIMIT, OUTPUT_TOTAL_MAX } from './gasCosts.ts';
import { hookAt } from './hookAddresses.ts';
import type { Hook } from './hookAddresses.ts';
import { precompileAt } from './precompiles/index.ts';
import type { Precompile } from './precompiles/index.ts';

/** What a storage write does to the value of a slot; the arguments say which words are equal or zero. */
export interface SlotChange {
  /** The new value is the present one. */
  readonly isNoop: boolean;
  /** The present value is that of the start of the transaction. */
  readonly isClean: boolean;
  /** The new value is that of the start of the transaction. */
  readonly isRestored: boolean;
  readonly wasZeroAtStart: boolean;
  readonly isZero: boolean;
  readonly becomesZero: boolean;
}

export interface EvmRules {
  /** The precompile at a 20-byte address. */
  readonly precompileAt: (address: Bytes) => Precompile | undefined;
  /** The system hook at a 20-byte address. */
  readonly hookAt: (address: Bytes) => Hook | undefined;
  /** Bytes that the memories of all active frames together stay below. */
  readonly memoryTotalLimit: number;
  /** Bytes that all finished frames of a transaction may put out. */
  readonly outputTotalMax: number;
  /** The address of a new contract becomes warm even if the depth or balance check then refuses the creation. */
  readonly warmsRefusedCreation: boolean;
  /** A contract counts as created in this transaction from its first opcode on, not only once its code is stored. */
  readonly isCreatedFromStart: boolean;
  /** Whether an address without nonce and code is taken all the same; undefined: never. */
  readonly hasStorage: ((address: Bytes) => boolean) | undefined;
  /** Gas that a storage write adds to the refund, or takes back; undefined: there are no refunds. */
  readonly slotRefund: ((change: SlotChange) => number) | undefined;
}

export const ZKSYNC_OS_RULES: EvmRules = {
  precompileAt,
  hookAt,
  memoryTotalLimit: MEMORY_TOTAL_LIMIT,
  outputTotalMax: OUTPUT_TOTAL_MAX,
  warmsRefusedCreation: true,
  isCreatedFromStart: false,
  hasStorage: undefined,
  slotRefund: undefined,
};
