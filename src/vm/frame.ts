/** One call or creation in progress. What the interpreter holds in locals is written back here when it leaves the frame. */
import type { Bytes } from '../common/bytes.ts';
import type { Account } from './account.ts';
import type { Code } from './code.ts';
import type { Checkpoint } from './worldState.ts';

/** What runs in a frame: code, or a system hook. */
export type FrameKind = 'call' | 'create' | 'hook';

export class Frame {
  readonly kind: FrameKind;
  readonly code: Code;
  /** ADDRESS; of a hook the hook itself. */
  readonly self: Account;
  readonly caller: Account;
  /** CALLVALUE, wei */
  readonly value: bigint;
  readonly input: Bytes;
  readonly isStatic: boolean;
  /** State to return to when the frame fails. */
  readonly checkpoint: Checkpoint;
  readonly stackBase: number;
  readonly memoryBase: number;
  pc = 0;
  /** Limb offset behind the top of the stack. */
  sp: number;
  /** Bytes of memory, a multiple of 32. */
  memorySize = 0;
  returnData: Bytes;
  /** While a callee runs: gas that stayed here, and where its output goes. */
  gas = 0;
  fraction = 0;
  outputAt = 0;
  outputSize = 0;

  constructor(options: {
    kind: FrameKind;
    code: Code;
    self: Account;
    caller: Account;
    value: bigint;
    input: Bytes;
    isStatic: boolean;
    checkpoint: Checkpoint;
    stackBase: number;
    memoryBase: number;
    returnData: Bytes;
  }) {
    this.kind = options.kind;
    this.code = options.code;
    this.self = options.self;
    this.caller = options.caller;
    this.value = options.value;
    this.input = options.input;
    this.isStatic = options.isStatic;
    this.checkpoint = options.checkpoint;
    this.stackBase = options.stackBase;
    this.memoryBase = options.memoryBase;
    this.sp = options.stackBase;
    this.returnData = options.returnData;
  }
}
