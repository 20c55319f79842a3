/**
 * What the interpreter works on: frames, one stack and one memory for all of them, the meter, and how frames hand over to
 * each other. The `!` behind an index states that typed arrays are read inside their bounds.
 */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import type { KeccakInParts } from '../common/hash.ts';
import type { Account } from './account.ts';
import type { Frame } from './frame.ts';
import { MEMORY_END_MAX, memoryGas, wordCount } from './gasCosts.ts';
import { CHARGED, Meter, OUT_OF_GAS } from './meter.ts';
import type { Charge } from './meter.ts';
import { memoryGrowthNative } from './nativeCosts.ts';
import { STACK_LIMBS_MAX } from './opcodes.ts';
import type { PrecompileTask } from './precompiles/precompile.ts';
import { StateAccess } from './stateAccess.ts';
import { StepTracing } from './stepTracing.ts';
import type { Tracer } from './tracer.ts';
import { copyWord, LIMBS, readBytes, setBigInt, setNumber, toOffset } from './words.ts';
import type { WideWords, Words } from './words.ts';
import type { Checkpoint, WorldState } from './worldState.ts';

/** How a top-level frame ended. Gas and native left are in the meter. */
export interface MachineResult {
  readonly kind: 'returned' | 'fatal';
  readonly success: boolean;
  /** Return or revert data; of a creation the deployed code. */
  readonly output: Bytes;
  /** Why it failed, as tracers say it. */
  readonly error: string | undefined;
}

export const FATAL_RESULT: MachineResult = {
  kind: 'fatal',
  success: false,
  output: EMPTY_BYTES,
  error: 'out of native resources',
};

/** `Machine.failure` where a frame meets a byte that is no opcode. */
export const INVALID_OPCODE = 'invalid opcode';

/** A precompile at work over several turns. */
export interface PendingPrecompile {
  readonly kind: 'precompile';
  readonly task: PrecompileTask;
  /** To be taken when it succeeds. */
  readonly gas: number;
  /** State to return to when it fails. */
  readonly checkpoint: Checkpoint;
  /** undefined: the transaction called it. */
  readonly caller: Frame | undefined;
}

/** keccak256 of much for the running frame, over several turns; everything is charged. */
export interface PendingHash {
  readonly kind: 'hash';
  readonly hash: KeccakInParts;
  /** What is left of the input. */
  input: Bytes;
  readonly done: (hash: Bytes) => void;
}

/** What the environment opcodes answer. */
export interface Environment {
  readonly chainId: bigint;
  readonly number: bigint;
  readonly timestamp: bigint;
  readonly gasLimit: bigint;
  readonly baseFee: bigint;
  readonly coinbase: Bytes;
  readonly prevRandao: bigint;
  readonly blobBaseFee: bigint;
  /** Oldest first; the last is of the parent. */
  readonly blockHashes: readonly Bytes[];
}

// Places in `Machine.constants`.
export const COINBASE = 0;
export const TIMESTAMP = LIMBS;
export const NUMBER = 2 * LIMBS;
export const GASLIMIT = 3 * LIMBS;
export const CHAINID = 4 * LIMBS;
export const BASEFEE = 5 * LIMBS;
export const PREVRANDAO = 6 * LIMBS;
export const GASPRICE = 7 * LIMBS;
export const BLOBBASEFEE = 8 * LIMBS;
const CONSTANTS = 9 * LIMBS;

const STACK_SLACK = 4 * LIMBS;
const INITIAL_STACK = 8 * STACK_LIMBS_MAX;
const INITIAL_MEMORY = 64 * 1024;
/** Memory above this is given back after the transaction. */
const MEMORY_KEPT_MAX = 4 * 1024 * 1024;
const STACK_KEPT_MAX = 64 * STACK_LIMBS_MAX;

export class Machine {
  readonly world: WorldState;
  readonly access: StateAccess;
  readonly meter = new Meter();
  tracer: Tracer | undefined;
  /** Set while the tracer wants every opcode. */
  steps: StepTracing | undefined;
  readonly environment: Environment;
  /** Words of the environment opcodes, at the places above. */
  readonly constants: Words = new Uint32Array(CONSTANTS);

  origin!: Account;
  /** Of the running transaction; no transaction of this chain carries blobs. */
  blobHashes: readonly Bytes[] = [];
  stack: Uint32Array<ArrayBuffer> = new Uint32Array(INITIAL_STACK + STACK_SLACK);
  /** Of `stack`. */
  wideStack: WideWords = new BigUint64Array(this.stack.buffer);
  /** Memories of all active frames, one behind the other. */
  memory: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_MEMORY);
  /** Of `memory`. */
  view = new DataView(this.memory.buffer);
  /** Below the top one. */
  readonly callers: Frame[] = [];
  frame!: Frame;
  /** Runs before `frame` goes on. */
  pending: PendingPrecompile | PendingHash | undefined;
  /** Output of a frame that stops or reverts. */
  output: Bytes = EMPTY_BYTES;
  /** Why a frame failed, for tracers. */
  failure = 'out of gas';
  /** Bytes that finished frames of the transaction have put out. */
  outputTotal = 0;
  /** Work units left in this turn: about one per simple opcode. */
  budget = 0;
  result: MachineResult | undefined;

  constructor(options: { world: WorldState; environment: Environment; tracer: Tracer | undefined }) {
    this.world = options.world;
    this.environment = options.environment;
    this.trace(options.tracer);
    this.access = new StateAccess(this.world, this.meter);
    const { coinbase, timestamp, number, gasLimit, chainId, baseFee, prevRandao, blobBaseFee } = options.environment;
    readBytes(coinbase, 0, 20, this.constants, COINBASE);
    setBigInt(this.constants, TIMESTAMP, timestamp);
    setBigInt(this.constants, NUMBER, number);
    setBigInt(this.constants, GASLIMIT, gasLimit);
    setBigInt(this.constants, CHAINID, chainId);
    setBigInt(this.constants, BASEFEE, baseFee);
    setBigInt(this.constants, PREVRANDAO, prevRandao);
    setBigInt(this.constants, BLOBBASEFEE, blobBaseFee);
  }

  /** From the next transaction on. */
  trace(tracer: Tracer | undefined): void {
    this.tracer = tracer;
    this.steps = tracer?.step === undefined ? undefined : new StepTracing(this, tracer);
  }

  /** Before the first frame of a transaction. */
  beginTransaction(origin: Account, gasPrice: bigint): void {
    this.origin = origin;
    setBigInt(this.constants, GASPRICE, gasPrice);
    this.callers.length = 0;
    this.pending = undefined;
    this.outputTotal = 0;
    this.result = undefined;
    if (this.memory.length > MEMORY_KEPT_MAX) this.#useMemory(new Uint8Array(INITIAL_MEMORY));
    if (this.stack.length > STACK_KEPT_MAX) this.#useStack(new Uint32Array(INITIAL_STACK + STACK_SLACK));
  }

  /** Puts a frame on top, the first of a transaction included. */
  enter(frame: Frame, isFirst: boolean): void {
    if (!isFirst) this.callers.push(this.frame);
    this.frame = frame;
    const needed = frame.stackBase + STACK_LIMBS_MAX + STACK_SLACK;
    if (needed > this.stack.length) {
      const grown = new Uint32Array(Math.max(needed, this.stack.length * 2));
      grown.set(this.stack);
      this.#useStack(grown);
    }
  }

  #useStack(stack: Uint32Array<ArrayBuffer>): void {
    this.stack = stack;
    this.wideStack = new BigUint64Array(stack.buffer);
  }

  #useMemory(memory: Uint8Array<ArrayBuffer>): void {
    this.memory = memory;
    this.view = new DataView(memory.buffer);
  }

  /** Lets the memory of the top frame reach `end` bytes. */
  grow(end: number): Charge {
    const { frame } = this;
    if (end <= frame.memorySize) return CHARGED;
    if (end > MEMORY_END_MAX) return OUT_OF_GAS;
    const words = wordCount(end);
    const size = words * 32;
    const gas = memoryGas(words) - memoryGas(frame.memorySize / 32);
    const charge = this.meter.charge(gas, memoryGrowthNative(size - frame.memorySize));
    if (charge !== CHARGED) return charge;
    const top = frame.memoryBase + size;
    if (top >= this.world.rules.memoryTotalLimit) return OUT_OF_GAS;
    if (top > this.memory.length) {
      const grown = new Uint8Array(Math.max(top, this.memory.length * 2));
      grown.set(this.memory.subarray(0, frame.memoryBase + frame.memorySize));
      this.#useMemory(grown);
    }
    this.memory.fill(0, frame.memoryBase + frame.memorySize, top);
    this.budget -= (size - frame.memorySize) >> 6;
    frame.memorySize = size;
    return CHARGED;
  }

  /** Grows for a range given by two words of the stack; a range of no length grows nothing, wherever it lies. */
  growRange(offsetAt: number, sizeAt: number): Charge {
    const size = toOffset(this.stack, sizeAt);
    return size === 0 ? CHARGED : this.grow(toOffset(this.stack, offsetAt) + size);
  }

  /** A range of the top frame's memory that is there; a view that lives until memory grows or is written. */
  memoryRange(offsetAt: number, sizeAt: number): Bytes {
    const size = toOffset(this.stack, sizeAt);
    if (size === 0) return EMPTY_BYTES;
    const start = this.frame.memoryBase + toOffset(this.stack, offsetAt);
    return this.memory.subarray(start, start + size);
  }

  /** Copies into memory that has grown, zeros behind the end of the source. */
  copyToMemory(source: Bytes, sourceLength: number, sourceOffset: number, at: number, size: number): void {
    const start = this.frame.memoryBase + at;
    const copied = sourceOffset < sourceLength ? Math.min(size, sourceLength - sourceOffset) : 0;
    if (copied > 0) this.memory.set(source.subarray(sourceOffset, sourceOffset + copied), start);
    if (copied < size) this.memory.fill(0, start + copied, start + size);
    this.budget -= size >> 6;
  }

  /** Adds to the output of the transaction; false when its buffer is full. */
  countOutput(sizeBytes: number): boolean {
    this.outputTotal += sizeBytes;
    return this.outputTotal <= this.world.rules.outputTotalMax;
  }

  /** The caller goes on behind its call: gas, output and the result on the stack. */
  finishCall(caller: Frame, success: boolean, output: Bytes): void {
    this.#takeGasBack(caller);
    caller.returnData = output;
    const size = Math.min(output.length, caller.outputSize);
    if (size > 0)
      this.memory.set(size === output.length ? output : output.subarray(0, size), caller.memoryBase + caller.outputAt);
    setNumber(this.stack, caller.sp, success ? 1 : 0);
    caller.sp += LIMBS;
  }

  /** The creator goes on behind its creation. */
  finishCreation(caller: Frame, created: Account, success: boolean, output: Bytes): void {
    this.#takeGasBack(caller);
    caller.returnData = success ? EMPTY_BYTES : output;
    if (success) copyWord(this.world.accountIndex.keys, created.id * LIMBS, this.stack, caller.sp);
    else setNumber(this.stack, caller.sp, 0);
    caller.sp += LIMBS;
  }

  #takeGasBack(caller: Frame): void {
    const { meter } = this;
    meter.give(caller.gas, caller.fraction);
  }
}
