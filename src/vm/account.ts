/** An account as the block sees it: its record before the block, its present values, and the flags of accounting. */
import { isZero, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { EMPTY_ACCOUNT_RECORD, equalAccountCode } from '../protocol/accountRecord.ts';
import type { AccountCodeFields, AccountRecord, StoredAccountRecord } from '../protocol/accountRecord.ts';
import type { Code } from './code.ts';
import type { Hook } from './hookAddresses.ts';
import type { Precompile } from './precompiles/index.ts';
import type { EvmRules } from './rules.ts';

export class Account {
  /** Dense number within the block, the index of its address in WorldState.accountIndex. */
  readonly id: number;
  readonly address: Bytes;
  /** Before the block; undefined: absent. */
  readonly stored: StoredAccountRecord | undefined;
  readonly initial: AccountRecord;
  readonly precompile: Precompile | undefined;
  readonly hook: Hook | undefined;
  nonce: bigint;
  /** wei */
  balance: bigint;
  code: AccountCodeFields;
  /** Name of the preimage of `code`, once it was needed. */
  codeKey: string | undefined;
  /** `code` ready to run, once it was needed. */
  runnable: Code | undefined;
  /** Block-wide: the slot at 0x8003 was paid for; then the whole record. */
  isSlotLoaded = false;
  isLoaded = false;
  /** Number of the transaction in which it is warm. */
  warmIn = 0;
  /** Number of the transaction that deployed it. */
  createdIn = 0;
  /** Force-deployed in this block: its pubdata leaves the code out. */
  hidesCode = false;

  constructor(id: number, address: Bytes, stored: StoredAccountRecord | undefined, rules: EvmRules) {
    this.id = id;
    this.address = address;
    this.stored = stored;
    this.initial = stored === undefined ? EMPTY_ACCOUNT_RECORD : stored.record;
    this.precompile = rules.precompileAt(address);
    this.hook = rules.hookAt(address);
    this.nonce = this.initial.nonce;
    this.balance = this.initial.balance;
    this.code = this.initial;
    this.codeKey = undefined;
    this.runnable = undefined;
  }

  /** Whether a bytecode hash is set: also after a deployment of empty code. */
  get hasBytecodeHash(): boolean {
    const hash = this.code.bytecodeHash;
    return hash !== ZERO_32 && !isZero(hash);
  }

  /** Whether there is code: EIP-3607, collisions, the hooks' LOG gas. */
  get hasCode(): boolean {
    return this.code.observableBytecodeLength !== 0;
  }

  /** EIP-161: calls with value to it pay for a new account, EXTCODEHASH is zero. */
  get isEmpty(): boolean {
    return this.nonce === 0n && this.balance === 0n && !this.hasBytecodeHash;
  }

  /** Length in bytes of the preimage of the bytecode hash. */
  get storedCodeLength(): number {
    return Math.ceil(this.code.unpaddedCodeLength / 8) * 8 + this.code.artifactsLength;
  }

  get hasChanged(): boolean {
    return (
      this.nonce !== this.initial.nonce ||
      this.balance !== this.initial.balance ||
      (this.code !== this.initial && !equalAccountCode(this.record, this.initial))
    );
  }

  get record(): AccountRecord {
    const {
      versioning,
      bytecodeHash,
      unpaddedCodeLength,
      artifactsLength,
      observableBytecodeHash,
      observableBytecodeLength,
    } = this.code;
    return {
      versioning,
      nonce: this.nonce,
      balance: this.balance,
      bytecodeHash,
      unpaddedCodeLength,
      artifactsLength,
      observableBytecodeHash,
      observableBytecodeLength,
    };
  }
}

export const NO_CODE: AccountCodeFields = EMPTY_ACCOUNT_RECORD;
