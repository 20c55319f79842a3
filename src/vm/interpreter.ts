/**
 * The switch of the EVM interpreter: no recursion, resumable at every opcode (spec: execution 9, native 5). An opcode that
 * misses something in memory has no effect; the same opcode runs again after the key was loaded. The `!` behind an index
 * states that typed arrays are read inside their bounds.
 */
import { EMPTY_BYTES } from '../common/bytes.ts';
import { call } from './calls.ts';
import { CodeBlocks } from './codeBlocks.ts';
import { create } from './creates.ts';
import { addModWords, divSigned, divWords, modSigned, modWords, mulModWords } from './division.ts';
import type { Frame } from './frame.ts';
import { EXP_BYTE_GAS, EXP_GAS } from './gasCosts.ts';
import {
  BASEFEE,
  BLOBBASEFEE,
  CHAINID,
  COINBASE,
  GASLIMIT,
  GASPRICE,
  INVALID_OPCODE,
  NUMBER,
  PREVRANDAO,
  TIMESTAMP,
} from './machine.ts';
import type { Machine } from './machine.ts';
import { blobHash, blockHash, copy, endWithOutput } from './memoryOpcodes.ts';
import { CHARGED } from './meter.ts';
import { EXP_BYTE_NATIVE, EXP_NATIVE } from './nativeCosts.ts';
import { OPCODE_GAS, OPCODE_NATIVE, STACK_NEEDED, STACK_RANGE } from './opcodes.ts';
import { chargeSignal, FAILED, FATAL, MISSING, REVERTED, RUNNING, STOPPED, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { runStateOpcode } from './stateOpcodes.ts';
import {
  addWords,
  andWords,
  byteOfWord,
  copyWide,
  copyWord,
  equalWords,
  isLess,
  isLessSigned,
  isZeroWord,
  LIMBS,
  mulWords,
  notWord,
  orWords,
  powWords,
  readPadded,
  readPush,
  readView,
  setBigInt,
  setNumber,
  setSmall,
  shiftLeft,
  shiftRight,
  shiftRightSigned,
  signExtend,
  significantBytes,
  subWords,
  swapWide,
  toOffset,
  writeView,
  xorWords,
} from './words.ts';

const STACK_OVERFLOW = 'stack limit reached 1024 (1023)';

/** The dense switch. Leaves with everything written back to frame and meter. */
export function runFrame(machine: Machine, frame: Frame): Signal {
  const { meter, world, constants } = machine;
  const code = frame.code.bytes;
  const codeView = frame.code.view;
  const { jumps, length: codeLength } = frame.code;
  const { stack, wideStack: wide } = machine;
  let memory = machine.memory;
  let view = machine.view;
  const base = frame.stackBase;
  const memoryBase = frame.memoryBase;
  let memorySize = frame.memorySize;
  let sp = frame.sp;
  let pc = frame.pc;
  let gas = meter.gas;
  let native = meter.native;
  /** Where the last jump went: work is counted from there. */
  let jumpedTo = pc;
  const { blocks } = frame.code;
  /** Opcodes in front of this position have been charged and checked. */
  let checkedEnd = 0;
  const { steps } = machine;
  /** Opcodes in front of this one are charged and checked one by one; all of them while a tracer wants to see each. */
  const steppedFrom = steps === undefined ? 0 : 0x3fff_ffff;
  let steppedEnd = steppedFrom;
  // Imported bindings are looked up at every use, locals are not.
  const nativeCosts = OPCODE_NATIVE;
  const gasCosts = OPCODE_GAS;
  const needed = STACK_NEEDED;
  const ranges = STACK_RANGE;
  let signal: Signal = RUNNING;

  run: for (;;) {
    const opcode = code[pc]!;
    if (pc >= checkedEnd) {
      if (pc >= steppedEnd) {
        const block = blocks.at(pc);
        const gasAfter = gas - blocks.gas[block]!;
        const nativeAfter = native - blocks.native[block]!;
        // One comparison for both ends: too few items are a large unsigned number.
        if (gasAfter >= 0 && nativeAfter >= 0 && (sp - base - blocks.needed[block]!) >>> 0 <= blocks.range[block]!) {
          gas = gasAfter;
          native = nativeAfter;
          checkedEnd = blocks.end[block]!;
        } else {
          steppedEnd = blocks.end[block]!;
        }
      }
      if (pc < steppedEnd) {
        checkedEnd = pc + 1;
        native -= nativeCosts[opcode]!;
        if (native < 0) {
          native = 0;
          signal = FATAL;
          break;
        }
        gas -= gasCosts[opcode]!;
        if (gas < 0) {
          machine.failure = 'out of gas';
          signal = FAILED;
          break;
        }
        if (steps !== undefined) {
          if (machine.budget <= 0) {
            gas += gasCosts[opcode]!;
            native += nativeCosts[opcode]!;
            break;
          }
          frame.pc = pc;
          frame.sp = sp;
          steps.before(opcode, gas + gasCosts[opcode]!);
        }
        const spare = sp - base - needed[opcode]!;
        if (spare >>> 0 > ranges[opcode]!) {
          machine.failure = spare < 0 ? 'stack underflow' : STACK_OVERFLOW;
          signal = FAILED;
          break;
        }
      }
    }
    switch (opcode) {
      case 0x00: // STOP
        machine.output = EMPTY_BYTES;
        signal = STOPPED;
        break run;
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
          break run;
        }
        if (gas < 0) {
          machine.failure = 'out of gas';
          signal = FAILED;
          break run;
        }
        sp -= LIMBS;
        powWords(stack, sp, sp - LIMBS, sp - LIMBS, sp + LIMBS);
        machine.budget -= bytes << 6;
        if (machine.budget <= 0) {
          pc += 1;
          break run;
        }
        break;
      }
      case 0x0b: // SIGNEXTEND
        sp -= LIMBS;
        signExtend(stack, sp, sp - LIMBS, sp - LIMBS);
        break;
      case 0x10: // LT
        sp -= LIMBS;
        setSmall(stack, wide, sp - LIMBS, isLess(stack, sp, sp - LIMBS) ? 1 : 0);
        break;
      case 0x11: // GT
        sp -= LIMBS;
        setSmall(stack, wide, sp - LIMBS, isLess(stack, sp - LIMBS, sp) ? 1 : 0);
        break;
      case 0x12: // SLT
        sp -= LIMBS;
        setSmall(stack, wide, sp - LIMBS, isLessSigned(stack, sp, sp - LIMBS) ? 1 : 0);
        break;
      case 0x13: // SGT
        sp -= LIMBS;
        setSmall(stack, wide, sp - LIMBS, isLessSigned(stack, sp - LIMBS, sp) ? 1 : 0);
        break;
      case 0x14: // EQ
        sp -= LIMBS;
        setSmall(stack, wide, sp - LIMBS, equalWords(stack, sp, stack, sp - LIMBS) ? 1 : 0);
        break;
      case 0x15: // ISZERO
        setSmall(stack, wide, sp - LIMBS, isZeroWord(stack, sp - LIMBS) ? 1 : 0);
        break;
      case 0x16: // AND
        sp -= LIMBS;
        andWords(stack, sp, sp - LIMBS);
        break;
      case 0x17: // OR
        sp -= LIMBS;
        orWords(stack, sp, sp - LIMBS);
        break;
      case 0x18: // XOR
        sp -= LIMBS;
        xorWords(stack, sp, sp - LIMBS);
        break;
      case 0x19: // NOT
        notWord(stack, sp - LIMBS);
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
        copyWord(world.accountIndex.keys, machine.origin.id * LIMBS, stack, sp);
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
        if (offset === Infinity) setSmall(stack, wide, sp - LIMBS, 0);
        else readPadded(frame.input, offset, stack, sp - LIMBS);
        break;
      }
      case 0x36: // CALLDATASIZE
        setSmall(stack, wide, sp, frame.input.length);
        sp += LIMBS;
        break;
      case 0x38: // CODESIZE
        setSmall(stack, wide, sp, codeLength);
        sp += LIMBS;
        break;
      case 0x3a: // GASPRICE
        copyWord(constants, GASPRICE, stack, sp);
        sp += LIMBS;
        break;
      case 0x3d: // RETURNDATASIZE
        setSmall(stack, wide, sp, frame.returnData.length);
        sp += LIMBS;
        break;
      case 0x40: // BLOCKHASH
        blockHash(machine, sp - LIMBS);
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
        blobHash(machine, sp - LIMBS);
        break;
      case 0x4a: // BLOBBASEFEE
        copyWord(constants, BLOBBASEFEE, stack, sp);
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
          if (pc + 1 < checkedEnd) {
            // Growth is paid before the opcodes behind it.
            const ahead = CodeBlocks.charges(code, pc + 1, checkedEnd);
            gas += ahead.gas;
            native += ahead.native;
            steppedEnd = checkedEnd;
            checkedEnd = pc + 1;
          }
          meter.gas = gas;
          meter.native = native;
          const growth = machine.grow(end);
          gas = meter.gas;
          native = meter.native;
          memory = machine.memory;
          view = machine.view;
          memorySize = frame.memorySize;
          if (growth !== CHARGED) {
            machine.failure = 'out of gas';
            signal = chargeSignal(growth);
            break run;
          }
        }
        if (opcode === 0x51) {
          readView(view, memoryBase + offset, stack, sp - LIMBS);
        } else {
          if (opcode === 0x52) writeView(stack, sp - 2 * LIMBS, view, memoryBase + offset);
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
          machine.failure = 'invalid jump destination';
          signal = FAILED;
          break run;
        }
        machine.budget -= pc - jumpedTo + 2;
        jumpedTo = to;
        checkedEnd = 0;
        steppedEnd = steppedFrom;
        if (machine.budget <= 0) {
          pc = to;
          break run;
        }
        pc = to - 1;
        break;
      }
      case 0x58: // PC
        setSmall(stack, wide, sp, pc);
        sp += LIMBS;
        break;
      case 0x59: // MSIZE
        setSmall(stack, wide, sp, memorySize);
        sp += LIMBS;
        break;
      case 0x5a: // GAS
        setNumber(stack, sp, gas);
        sp += LIMBS;
        break;
      case 0x5b: // JUMPDEST
        break;
      case 0x5f: // PUSH0
        setSmall(stack, wide, sp, 0);
        sp += LIMBS;
        break;
      case 0x60: // PUSH1
        setSmall(stack, wide, sp, code[pc + 1]!);
        sp += LIMBS;
        pc += 1;
        break;
      case 0x61: // PUSH2
        setSmall(stack, wide, sp, (code[pc + 1]! << 8) | code[pc + 2]!);
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
        readPush(codeView, pc + 1, opcode - 0x5f, stack, sp);
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
        copyWide(wide, sp - (opcode - 0x7f) * LIMBS, sp);
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
      case 0x9f:
        swapWide(wide, sp - LIMBS, sp - (opcode - 0x8e) * LIMBS);
        break;
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
        machine.budget -= 8;
        signal = outOfLine(machine, opcode);
        if (signal === MISSING) {
          // As if the opcode had not begun.
          gas += OPCODE_GAS[opcode]!;
          native += OPCODE_NATIVE[opcode]!;
          frame.memorySize = memorySize;
          break run;
        }
        gas = meter.gas;
        native = meter.native;
        sp = frame.sp;
        memory = machine.memory;
        view = machine.view;
        memorySize = frame.memorySize;
        if (signal === SWITCHED) {
          // The meter belongs to the callee now.
          frame.pc = pc + 1;
          return signal;
        }
        if (signal !== RUNNING) break run;
        if (machine.budget <= 0) {
          pc += 1;
          break run;
        }
        break;
      }
      default:
        machine.failure = INVALID_OPCODE;
        signal = FAILED;
        break run;
    }
    pc += 1;
  }
  frame.pc = pc;
  frame.sp = sp;
  meter.gas = gas;
  meter.native = native;
  return signal;
}

/** Opcodes whose work is not done in the switch. Only MISSING may leave frame and meter half done. */
function outOfLine(machine: Machine, opcode: number): Signal {
  machine.failure = 'out of gas';
  switch (opcode) {
    case 0x37:
    case 0x39:
    case 0x3e:
    case 0x5e:
      return copy(machine, opcode);
    case 0xf0:
    case 0xf5:
      return create(machine, opcode);
    case 0xf1:
    case 0xf2:
    case 0xf4:
    case 0xfa:
      return call(machine, opcode);
    case 0xf3:
      return endWithOutput(machine, STOPPED);
    case 0xfd:
      return endWithOutput(machine, REVERTED);
    default:
      return runStateOpcode(machine, opcode);
  }
}
