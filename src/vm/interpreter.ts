/**
 * The EVM interpreter: explicit frames, no recursion, resumable at every opcode (spec: execution 9, native 5). An opcode
 * that misses something in memory has no effect; the same opcode runs again after the key was loaded. The `!` behind an
 * index states that typed arrays are read inside their bounds.
 */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import type { Account } from './account.ts';
import { call } from './calls.ts';
import { create, depositCode } from './creates.ts';
import { addModWords, divSigned, divWords, modSigned, modWords, mulModWords } from './division.ts';
import type { Frame } from './frame.ts';
import {
  COPY_GAS,
  COPY_WORD_GAS,
  EXP_BYTE_GAS,
  EXP_GAS,
  MEMORY_END_MAX,
  MEMORY_TOTAL_LIMIT,
  memoryGas,
  OUTPUT_TOTAL_MAX,
  wordCount,
} from './gasCosts.ts';
import { OUT_OF_GAS, OUT_OF_NATIVE, CHARGED, Meter } from './meter.ts';
import type { Charge } from './meter.ts';
import { COPY_OPCODE_NATIVE, copyNative, EXP_BYTE_NATIVE, EXP_NATIVE, memoryGrowthNative } from './nativeCosts.ts';
import { OPCODE_GAS, OPCODE_NATIVE, STACK_LIMBS_MAX, STACK_NEEDED, STACK_ROOM } from './opcodes.ts';
import { StateAccess } from './stateAccess.ts';
import { runStateOpcode } from './stateOpcodes.ts';
import { runHook } from './systemHooks.ts';
import type { Tracer } from './tracer.ts';
import {
  addWords,
  byteOfWord,
  copyWord,
  equalWords,
  isLess,
  isLessSigned,
  isZeroWord,
  LIMBS,
  mulWords,
  powWords,
  readBigInt,
  readBytes,
  readPadded,
  setBigInt,
  setNumber,
  shiftLeft,
  shiftRight,
  shiftRightSigned,
  signExtend,
  significantBytes,
  subWords,
  toOffset,
  writeBytes,
} from './words.ts';
import type { Words } from './words.ts';
import type { WorldState } from './worldState.ts';

// What an opcode, a call or a frame answers.
export const RUNNING = 0;
/** The frame ends well; its output is in `Machine.output`. */
export const STOPPED = 1;
export const REVERTED = 2;
/** All gas of the frame is gone; `Machine.failure` says why. */
export const FAILED = 3;
/** Native is short or the output buffer is full: the transaction ends. */
export const FATAL = 4;
/** Another frame is on top. */
export const SWITCHED = 5;
export const MISSING = 6;
export type Signal = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export type RunOutcome = 'missing' | 'paused' | 'ended';

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

/** What the environment opcodes answer. */
export interface Environment {
  readonly chainId: bigint;
  readonly number: bigint;
  readonly timestamp: bigint;
  readonly gasLimit: bigint;
  readonly baseFee: bigint;
  readonly coinbase: Bytes;
  readonly prevRandao: bigint;
  /** Oldest first; the last is of the parent. */
  readonly blockHashes: readonly Bytes[];
}

// Places in `Machine.constants`.
const COINBASE = 0;
const TIMESTAMP = LIMBS;
const NUMBER = 2 * LIMBS;
const GASLIMIT = 3 * LIMBS;
const CHAINID = 4 * LIMBS;
const BASEFEE = 5 * LIMBS;
const PREVRANDAO = 6 * LIMBS;
const GASPRICE = 7 * LIMBS;
const CONSTANTS = 8 * LIMBS;

const STACK_SLACK = 4 * LIMBS;
const INITIAL_STACK = 8 * STACK_LIMBS_MAX;
const INITIAL_MEMORY = 64 * 1024;
/** Memory above this is given back after the transaction. */
const MEMORY_KEPT_MAX = 4 * 1024 * 1024;
const STACK_KEPT_MAX = 64 * STACK_LIMBS_MAX;
const TWO_64 = 1n << 64n;

export class Machine {
  readonly world: WorldState;
  readonly access: StateAccess;
  readonly meter = new Meter();
  readonly tracer: Tracer | undefined;
  readonly environment: Environment;
  readonly #constants: Words = new Uint32Array(CONSTANTS);

  origin!: Account;
  stack: Words = new Uint32Array(INITIAL_STACK + STACK_SLACK);
  /** Memories of all active frames, one behind the other. */
  memory: Uint8Array = new Uint8Array(INITIAL_MEMORY);
  /** Below the top one. */
  readonly callers: Frame[] = [];
  frame!: Frame;
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
    this.tracer = options.tracer;
    this.access = new StateAccess(this.world, this.meter);
    const { coinbase, timestamp, number, gasLimit, chainId, baseFee, prevRandao } = options.environment;
    readBytes(coinbase, 0, 20, this.#constants, COINBASE);
    setBigInt(this.#constants, TIMESTAMP, timestamp);
    setBigInt(this.#constants, NUMBER, number);
    setBigInt(this.#constants, GASLIMIT, gasLimit);
    setBigInt(this.#constants, CHAINID, chainId);
    setBigInt(this.#constants, BASEFEE, baseFee);
    setBigInt(this.#constants, PREVRANDAO, prevRandao);
  }

  /** Before the first frame of a transaction. */
  beginTransaction(origin: Account, gasPrice: bigint): void {
    this.origin = origin;
    setBigInt(this.#constants, GASPRICE, gasPrice);
    this.callers.length = 0;
    this.outputTotal = 0;
    this.result = undefined;
    if (this.memory.length > MEMORY_KEPT_MAX) this.memory = new Uint8Array(INITIAL_MEMORY);
    if (this.stack.length > STACK_KEPT_MAX) this.stack = new Uint32Array(INITIAL_STACK + STACK_SLACK);
  }

  /** Puts a frame on top, the first of a transaction included. */
  enter(frame: Frame, isFirst: boolean): void {
    if (!isFirst) this.callers.push(this.frame);
    this.frame = frame;
    const needed = frame.stackBase + STACK_LIMBS_MAX + STACK_SLACK;
    if (needed > this.stack.length) {
      const grown = new Uint32Array(Math.max(needed, this.stack.length * 2));
      grown.set(this.stack);
      this.stack = grown;
    }
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
    if (top >= MEMORY_TOTAL_LIMIT) return OUT_OF_GAS;
    if (top > this.memory.length) {
      const grown = new Uint8Array(Math.max(top, this.memory.length * 2));
      grown.set(this.memory.subarray(0, frame.memoryBase + frame.memorySize));
      this.memory = grown;
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

  /** The charge of CALLDATACOPY and its like: base and copy in one. */
  #chargeCopy(sizeAt: number, opcodeNative: number): Charge {
    const size = toOffset(this.stack, sizeAt);
    this.budget -= 4;
    if (size !== Infinity) {
      return this.meter.charge(COPY_GAS + COPY_WORD_GAS * wordCount(size), opcodeNative + copyNative(size));
    }
    // Beyond 2^32 bytes native may be short before gas is, as long as the cost in ergs fits 64 bits.
    const exact = readBigInt(this.stack, sizeAt);
    const gas = 3n + 3n * ((exact + 31n) / 32n);
    if (exact >= TWO_64 - 81n || gas * 256n >= TWO_64) return OUT_OF_GAS;
    return this.meter.charge(Number(gas), Number(exact) + opcodeNative + copyNative(0));
  }

  /** Copies into memory that has grown, zeros behind the end of the source. */
  copyToMemory(source: Bytes, sourceLength: number, sourceOffset: number, at: number, size: number): void {
    const start = this.frame.memoryBase + at;
    const copied = sourceOffset < sourceLength ? Math.min(size, sourceLength - sourceOffset) : 0;
    if (copied > 0) this.memory.set(source.subarray(sourceOffset, sourceOffset + copied), start);
    if (copied < size) this.memory.fill(0, start + copied, start + size);
    this.budget -= size >> 6;
  }

  /** CALLDATACOPY, CODECOPY, RETURNDATACOPY and MCOPY: memory offset, source offset and size on the stack. */
  #copy(opcode: number): Signal {
    const { frame, stack } = this;
    const top = frame.sp;
    const charge = this.#chargeCopy(top - 3 * LIMBS, opcode === 0x5e ? 0 : COPY_OPCODE_NATIVE);
    if (charge !== CHARGED) return chargeSignal(charge);
    const size = toOffset(stack, top - 3 * LIMBS);
    const from = toOffset(stack, top - 2 * LIMBS);
    const to = toOffset(stack, top - LIMBS);
    frame.sp = top - 3 * LIMBS;
    if (opcode === 0x3e && from + size > frame.returnData.length) {
      this.failure = 'return data out of bounds';
      return FAILED;
    }
    if (size === 0) return RUNNING;
    const growth = this.grow(opcode === 0x5e ? Math.max(from, to) + size : to + size);
    if (growth !== CHARGED) return chargeSignal(growth);
    if (opcode === 0x37) this.copyToMemory(frame.input, frame.input.length, from, to, size);
    else if (opcode === 0x39) this.copyToMemory(frame.code.bytes, frame.code.length, from, to, size);
    else if (opcode === 0x3e) this.copyToMemory(frame.returnData, frame.returnData.length, from, to, size);
    else {
      this.memory.copyWithin(frame.memoryBase + to, frame.memoryBase + from, frame.memoryBase + from + size);
      this.budget -= size >> 6;
    }
    return RUNNING;
  }

  /** RETURN and REVERT. */
  #return(signal: Signal): Signal {
    const top = this.frame.sp;
    const growth = this.growRange(top - LIMBS, top - 2 * LIMBS);
    if (growth !== CHARGED) return chargeSignal(growth);
    // A copy: the caller's memory may grow over it.
    this.output = this.memoryRange(top - LIMBS, top - 2 * LIMBS).slice();
    return signal;
  }

  #blockHash(at: number): void {
    const { blockHashes, number } = this.environment;
    const wanted = readBigInt(this.stack, at);
    const distance = number - wanted;
    const hash = distance >= 1n && distance <= 256n ? blockHashes[blockHashes.length - Number(distance)] : undefined;
    if (hash === undefined) setNumber(this.stack, at, 0);
    else readBytes(hash, 0, 32, this.stack, at);
  }

  /** Runs until the top-level frame ends, a key is missing or the budget is used up. */
  run(budget: number): RunOutcome {
    this.budget = budget;
    for (;;) {
      const { frame } = this;
      const signal = frame.kind === 'hook' ? runHook(this) : this.#runFrame(frame);
      if (signal === MISSING) return 'missing';
      if (signal === SWITCHED) continue;
      if (signal === RUNNING) {
        if (this.budget <= 0) return 'paused';
        continue;
      }
      if (this.#end(signal) !== RUNNING) return 'ended';
      if (this.budget <= 0) return 'paused';
    }
  }

  /** Ends the top frame; RUNNING when its caller goes on. */
  #end(signal: Signal): Signal {
    const { frame, meter } = this;
    if (signal === FATAL) {
      this.result = FATAL_RESULT;
      this.#traceAbort();
      return FATAL;
    }
    let success = signal === STOPPED;
    let output = signal === FAILED ? EMPTY_BYTES : this.output;
    let error = signal === REVERTED ? 'execution reverted' : signal === FAILED ? this.failure : undefined;
    if (signal === FAILED) meter.burnGas();
    if (success && frame.kind === 'create') {
      const deposit = depositCode(this, frame, output);
      if (deposit === OUT_OF_NATIVE) return this.#end(FATAL);
      if (deposit === OUT_OF_GAS) {
        success = false;
        output = EMPTY_BYTES;
        error = this.failure;
        meter.burnGas();
      }
    }
    if (!success) this.world.rollBack(frame.checkpoint);
    // Deployed code goes to the state, not to the output buffer.
    if (!this.countOutput(success && frame.kind === 'create' ? 0 : output.length)) return this.#end(FATAL);
    this.tracer?.exit({ success, output, gasLeft: meter.gas, error });
    const caller = this.callers.pop();
    if (caller === undefined) {
      this.result = { kind: 'returned', success, output, error };
      return STOPPED;
    }
    this.frame = caller;
    if (frame.kind === 'create') this.#resumeAfterCreation(caller, frame.self, success, output);
    else this.finishCall(caller, success, output);
    return RUNNING;
  }

  /** Adds to the output of the transaction; false when its buffer is full. */
  countOutput(sizeBytes: number): boolean {
    this.outputTotal += sizeBytes;
    return this.outputTotal <= OUTPUT_TOTAL_MAX;
  }

  #traceAbort(): void {
    for (let i = 0; i <= this.callers.length; i += 1) {
      this.tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: 0, error: 'out of native resources' });
    }
  }

  /** The caller goes on behind its call: gas, output and the result on the stack. */
  finishCall(caller: Frame, success: boolean, output: Bytes): void {
    this.#takeGasBack(caller);
    caller.returnData = output;
    const size = Math.min(output.length, caller.outputSize);
    if (size > 0) this.memory.set(size === output.length ? output : output.subarray(0, size), caller.memoryBase + caller.outputAt);
    setNumber(this.stack, caller.sp, success ? 1 : 0);
    caller.sp += LIMBS;
  }

  #resumeAfterCreation(caller: Frame, created: Account, success: boolean, output: Bytes): void {
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

  /** The dense switch. Leaves with everything written back to frame and meter. */
  #runFrame(frame: Frame): Signal {
    const { meter, world } = this;
    const constants = this.#constants;
    const code = frame.code.bytes;
    const { jumps, length: codeLength } = frame.code;
    const stack = this.stack;
    let memory = this.memory;
    const base = frame.stackBase;
    const memoryBase = frame.memoryBase;
    let memorySize = frame.memorySize;
    let sp = frame.sp;
    let pc = frame.pc;
    let gas = meter.gas;
    let native = meter.native;
    let blockStart = pc;
    let signal: Signal = RUNNING;

    for (;;) {
      const opcode = code[pc]!;
      native -= OPCODE_NATIVE[opcode]!;
      if (native < 0) {
        native = 0;
        signal = FATAL;
        break;
      }
      gas -= OPCODE_GAS[opcode]!;
      if (gas < 0) {
        this.failure = 'out of gas';
        signal = FAILED;
        break;
      }
      const depth = sp - base;
      if (depth < STACK_NEEDED[opcode]! || depth > STACK_ROOM[opcode]!) {
        this.failure = depth < STACK_NEEDED[opcode]! ? 'stack underflow' : 'stack overflow';
        signal = FAILED;
        break;
      }
      switch (opcode) {
        case 0x00: // STOP
          this.output = EMPTY_BYTES;
          signal = STOPPED;
          break;
        case 0x01: // ADD
          sp -= LIMBS;
          addWords(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x02: // MUL
          sp -= LIMBS;
          mulWords(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x03: // SUB
          sp -= LIMBS;
          subWords(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x04: // DIV
          sp -= LIMBS;
          divWords(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x05: // SDIV
          sp -= LIMBS;
          divSigned(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x06: // MOD
          sp -= LIMBS;
          modWords(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x07: // SMOD
          sp -= LIMBS;
          modSigned(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x08: // ADDMOD
          sp -= 2 * LIMBS;
          addModWords(stack, sp + LIMBS, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x09: // MULMOD
          sp -= 2 * LIMBS;
          mulModWords(stack, sp + LIMBS, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x0a: {
          // EXP
          const bytes = significantBytes(stack, sp - 2 * LIMBS);
          native -= EXP_NATIVE + EXP_BYTE_NATIVE * bytes;
          gas -= EXP_GAS + EXP_BYTE_GAS * bytes;
          if (native < 0) {
            native = 0;
            signal = FATAL;
            break;
          }
          if (gas < 0) {
            this.failure = 'out of gas';
            signal = FAILED;
            break;
          }
          sp -= LIMBS;
          powWords(stack, sp, sp - LIMBS, sp - LIMBS, sp + LIMBS);
          this.budget -= bytes << 6;
          break;
        }
        case 0x0b: // SIGNEXTEND
          sp -= LIMBS;
          signExtend(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x10: // LT
          sp -= LIMBS;
          setNumber(stack, sp - LIMBS, isLess(stack, sp, sp - LIMBS) ? 1 : 0);
          break;
        case 0x11: // GT
          sp -= LIMBS;
          setNumber(stack, sp - LIMBS, isLess(stack, sp - LIMBS, sp) ? 1 : 0);
          break;
        case 0x12: // SLT
          sp -= LIMBS;
          setNumber(stack, sp - LIMBS, isLessSigned(stack, sp, sp - LIMBS) ? 1 : 0);
          break;
        case 0x13: // SGT
          sp -= LIMBS;
          setNumber(stack, sp - LIMBS, isLessSigned(stack, sp - LIMBS, sp) ? 1 : 0);
          break;
        case 0x14: // EQ
          sp -= LIMBS;
          setNumber(stack, sp - LIMBS, equalWords(stack, sp, stack, sp - LIMBS) ? 1 : 0);
          break;
        case 0x15: // ISZERO
          setNumber(stack, sp - LIMBS, isZeroWord(stack, sp - LIMBS) ? 1 : 0);
          break;
        case 0x16: // AND
          sp -= LIMBS;
          for (let i = 0; i < LIMBS; i += 1) stack[sp - LIMBS + i]! &= stack[sp + i]!;
          break;
        case 0x17: // OR
          sp -= LIMBS;
          for (let i = 0; i < LIMBS; i += 1) stack[sp - LIMBS + i]! |= stack[sp + i]!;
          break;
        case 0x18: // XOR
          sp -= LIMBS;
          for (let i = 0; i < LIMBS; i += 1) stack[sp - LIMBS + i]! ^= stack[sp + i]!;
          break;
        case 0x19: // NOT
          for (let i = sp - LIMBS; i < sp; i += 1) stack[i] = ~stack[i]!;
          break;
        case 0x1a: // BYTE
          sp -= LIMBS;
          byteOfWord(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x1b: // SHL
          sp -= LIMBS;
          shiftLeft(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x1c: // SHR
          sp -= LIMBS;
          shiftRight(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x1d: // SAR
          sp -= LIMBS;
          shiftRightSigned(stack, sp, sp - LIMBS, sp - LIMBS);
          break;
        case 0x30: // ADDRESS
          copyWord(world.accountIndex.keys, frame.self.id * LIMBS, stack, sp);
          sp += LIMBS;
          break;
        case 0x32: // ORIGIN
          copyWord(world.accountIndex.keys, this.origin.id * LIMBS, stack, sp);
          sp += LIMBS;
          break;
        case 0x33: // CALLER
          copyWord(world.accountIndex.keys, frame.caller.id * LIMBS, stack, sp);
          sp += LIMBS;
          break;
        case 0x34: // CALLVALUE
          setBigInt(stack, sp, frame.value);
          sp += LIMBS;
          break;
        case 0x35: {
          // CALLDATALOAD
          const offset = toOffset(stack, sp - LIMBS);
          if (offset === Infinity) setNumber(stack, sp - LIMBS, 0);
          else readPadded(frame.input, offset, stack, sp - LIMBS);
          break;
        }
        case 0x36: // CALLDATASIZE
          setNumber(stack, sp, frame.input.length);
          sp += LIMBS;
          break;
        case 0x38: // CODESIZE
          setNumber(stack, sp, codeLength);
          sp += LIMBS;
          break;
        case 0x3a: // GASPRICE
          copyWord(constants, GASPRICE, stack, sp);
          sp += LIMBS;
          break;
        case 0x3d: // RETURNDATASIZE
          setNumber(stack, sp, frame.returnData.length);
          sp += LIMBS;
          break;
        case 0x40: // BLOCKHASH
          this.#blockHash(sp - LIMBS);
          break;
        case 0x41: // COINBASE
          copyWord(constants, COINBASE, stack, sp);
          sp += LIMBS;
          break;
        case 0x42: // TIMESTAMP
          copyWord(constants, TIMESTAMP, stack, sp);
          sp += LIMBS;
          break;
        case 0x43: // NUMBER
          copyWord(constants, NUMBER, stack, sp);
          sp += LIMBS;
          break;
        case 0x44: // PREVRANDAO
          copyWord(constants, PREVRANDAO, stack, sp);
          sp += LIMBS;
          break;
        case 0x45: // GASLIMIT
          copyWord(constants, GASLIMIT, stack, sp);
          sp += LIMBS;
          break;
        case 0x46: // CHAINID
          copyWord(constants, CHAINID, stack, sp);
          sp += LIMBS;
          break;
        case 0x47: // SELFBALANCE
          setBigInt(stack, sp, frame.self.balance);
          sp += LIMBS;
          break;
        case 0x48: // BASEFEE
          copyWord(constants, BASEFEE, stack, sp);
          sp += LIMBS;
          break;
        case 0x49: // BLOBHASH
          setNumber(stack, sp - LIMBS, 0);
          break;
        case 0x4a: // BLOBBASEFEE
          setNumber(stack, sp, 1);
          sp += LIMBS;
          break;
        case 0x50: // POP
          sp -= LIMBS;
          break;
        case 0x51: // MLOAD
        case 0x52: // MSTORE
        case 0x53: {
          // MSTORE8
          const offset = toOffset(stack, sp - LIMBS);
          const end = opcode === 0x53 ? offset + 1 : offset + 32;
          if (end > memorySize) {
            meter.gas = gas;
            meter.native = native;
            const growth = this.grow(end);
            gas = meter.gas;
            native = meter.native;
            memory = this.memory;
            memorySize = frame.memorySize;
            if (growth !== CHARGED) {
              this.failure = 'out of gas';
              signal = chargeSignal(growth);
              break;
            }
          }
          if (opcode === 0x51) {
            readBytes(memory, memoryBase + offset, 32, stack, sp - LIMBS);
          } else {
            if (opcode === 0x52) writeBytes(stack, sp - 2 * LIMBS, memory, memoryBase + offset);
            else memory[memoryBase + offset] = stack[sp - 2 * LIMBS]!;
            sp -= 2 * LIMBS;
          }
          break;
        }
        case 0x56: // JUMP
        case 0x57: {
          // JUMPI
          const to = toOffset(stack, sp - LIMBS);
          sp -= LIMBS;
          if (opcode === 0x57) {
            sp -= LIMBS;
            if (isZeroWord(stack, sp)) break;
          }
          if (to >= codeLength || ((jumps[to >> 3]! >> (to & 7)) & 1) === 0) {
            this.failure = 'invalid jump destination';
            signal = FAILED;
            break;
          }
          this.budget -= pc - blockStart + 2;
          blockStart = to;
          pc = to - 1;
          break;
        }
        case 0x58: // PC
          setNumber(stack, sp, pc);
          sp += LIMBS;
          break;
        case 0x59: // MSIZE
          setNumber(stack, sp, memorySize);
          sp += LIMBS;
          break;
        case 0x5a: // GAS
          setNumber(stack, sp, gas);
          sp += LIMBS;
          break;
        case 0x5b: // JUMPDEST
          break;
        case 0x5f: // PUSH0
          setNumber(stack, sp, 0);
          sp += LIMBS;
          break;
        case 0x60: // PUSH1
          setNumber(stack, sp, code[pc + 1]!);
          sp += LIMBS;
          pc += 1;
          break;
        case 0x61: // PUSH2
          setNumber(stack, sp, (code[pc + 1]! << 8) | code[pc + 2]!);
          sp += LIMBS;
          pc += 2;
          break;
        case 0x62: // PUSH3 to PUSH32
        case 0x63:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67:
        case 0x68:
        case 0x69:
        case 0x6a:
        case 0x6b:
        case 0x6c:
        case 0x6d:
        case 0x6e:
        case 0x6f:
        case 0x70:
        case 0x71:
        case 0x72:
        case 0x73:
        case 0x74:
        case 0x75:
        case 0x76:
        case 0x77:
        case 0x78:
        case 0x79:
        case 0x7a:
        case 0x7b:
        case 0x7c:
        case 0x7d:
        case 0x7e:
        case 0x7f:
          readBytes(code, pc + 1, opcode - 0x5f, stack, sp);
          sp += LIMBS;
          pc += opcode - 0x5f;
          break;
        case 0x80: // DUP1 to DUP16
        case 0x81:
        case 0x82:
        case 0x83:
        case 0x84:
        case 0x85:
        case 0x86:
        case 0x87:
        case 0x88:
        case 0x89:
        case 0x8a:
        case 0x8b:
        case 0x8c:
        case 0x8d:
        case 0x8e:
        case 0x8f:
          copyWord(stack, sp - (opcode - 0x7f) * LIMBS, stack, sp);
          sp += LIMBS;
          break;
        case 0x90: // SWAP1 to SWAP16
        case 0x91:
        case 0x92:
        case 0x93:
        case 0x94:
        case 0x95:
        case 0x96:
        case 0x97:
        case 0x98:
        case 0x99:
        case 0x9a:
        case 0x9b:
        case 0x9c:
        case 0x9d:
        case 0x9e:
        case 0x9f: {
          const other = sp - (opcode - 0x8e) * LIMBS;
          for (let i = 0; i < LIMBS; i += 1) {
            const limb = stack[other + i]!;
            stack[other + i] = stack[sp - LIMBS + i]!;
            stack[sp - LIMBS + i] = limb;
          }
          break;
        }
        case 0x20: // KECCAK256
        case 0x31: // BALANCE
        case 0x37: // CALLDATACOPY
        case 0x39: // CODECOPY
        case 0x3b: // EXTCODESIZE
        case 0x3c: // EXTCODECOPY
        case 0x3e: // RETURNDATACOPY
        case 0x3f: // EXTCODEHASH
        case 0x54: // SLOAD
        case 0x55: // SSTORE
        case 0x5c: // TLOAD
        case 0x5d: // TSTORE
        case 0x5e: // MCOPY
        case 0xa0: // LOG0 to LOG4
        case 0xa1:
        case 0xa2:
        case 0xa3:
        case 0xa4:
        case 0xf0: // CREATE
        case 0xf1: // CALL
        case 0xf2: // CALLCODE
        case 0xf3: // RETURN
        case 0xf4: // DELEGATECALL
        case 0xf5: // CREATE2
        case 0xfa: // STATICCALL
        case 0xfd: // REVERT
        case 0xff: {
          // SELFDESTRUCT
          frame.sp = sp;
          meter.gas = gas;
          meter.native = native;
          this.budget -= 8;
          signal = this.#outOfLine(opcode);
          if (signal === MISSING) {
            // As if the opcode had not begun.
            gas += OPCODE_GAS[opcode]!;
            native += OPCODE_NATIVE[opcode]!;
            frame.memorySize = memorySize;
            break;
          }
          gas = meter.gas;
          native = meter.native;
          sp = frame.sp;
          memory = this.memory;
          memorySize = frame.memorySize;
          if (signal === SWITCHED) {
            // The meter belongs to the callee now.
            frame.pc = pc + 1;
            return signal;
          }
          break;
        }
        default:
          this.failure = 'invalid opcode';
          signal = FAILED;
          break;
      }
      if (signal !== RUNNING) break;
      pc += 1;
      if (this.budget <= 0) break;
    }
    frame.pc = pc;
    frame.sp = sp;
    meter.gas = gas;
    meter.native = native;
    return signal;
  }

  /** Opcodes whose work is not done in the switch. Only MISSING may leave frame and meter half done. */
  #outOfLine(opcode: number): Signal {
    this.failure = 'out of gas';
    switch (opcode) {
      case 0x37:
      case 0x39:
      case 0x3e:
      case 0x5e:
        return this.#copy(opcode);
      case 0xf0:
      case 0xf5:
        return create(this, opcode);
      case 0xf1:
      case 0xf2:
      case 0xf4:
      case 0xfa:
        return call(this, opcode);
      case 0xf3:
        return this.#return(STOPPED);
      case 0xfd:
        return this.#return(REVERTED);
      default:
        return runStateOpcode(this, opcode);
    }
  }
}

/** What a charge that did not succeed means for the running frame. */
export function chargeSignal(charge: Charge): Signal {
  return charge === OUT_OF_NATIVE ? FATAL : FAILED;
}
