/** The opcodes: numbers, the first charge of each (the step included) and how much stack it needs (spec: execution 9, native 5). */
import { CREATION_GAS } from './gasCosts.ts';
import { STEP_NATIVE } from './nativeCosts.ts';
import { LIMBS } from './words.ts';

const STACK_ITEMS_MAX = 1_024;
export const STACK_LIMBS_MAX = STACK_ITEMS_MAX * LIMBS;

interface Opcode {
  readonly name: string;
  readonly gas: number;
  readonly native: number;
  readonly pops: number;
  readonly pushes: number;
}

/** By number. Gas and native are those of the first charge; for opcodes that pop before it, those of the step alone. */
export const OPCODES = new Map<number, Opcode>();

function define(number: number, name: string, gas: number, native: number, pops: number, pushes: number): void {
  OPCODES.set(number, { name, gas, native: native + STEP_NATIVE, pops, pushes });
}

define(0x00, 'STOP', 0, 0, 0, 0);
define(0x01, 'ADD', 3, 140, 2, 1);
define(0x02, 'MUL', 5, 400, 2, 1);
define(0x03, 'SUB', 3, 140, 2, 1);
define(0x04, 'DIV', 5, 1_500, 2, 1);
define(0x05, 'SDIV', 5, 1_000, 2, 1);
define(0x06, 'MOD', 5, 1_300, 2, 1);
define(0x07, 'SMOD', 5, 800, 2, 1);
define(0x08, 'ADDMOD', 8, 1_700, 3, 1);
define(0x09, 'MULMOD', 8, 2_300, 3, 1);
define(0x0a, 'EXP', 0, 0, 2, 1);
define(0x0b, 'SIGNEXTEND', 5, 400, 2, 1);
define(0x10, 'LT', 3, 190, 2, 1);
define(0x11, 'GT', 3, 190, 2, 1);
define(0x12, 'SLT', 3, 430, 2, 1);
define(0x13, 'SGT', 3, 430, 2, 1);
define(0x14, 'EQ', 3, 500, 2, 1);
define(0x15, 'ISZERO', 3, 300, 1, 1);
define(0x16, 'AND', 3, 100, 2, 1);
define(0x17, 'OR', 3, 90, 2, 1);
define(0x18, 'XOR', 3, 90, 2, 1);
define(0x19, 'NOT', 3, 60, 1, 1);
define(0x1a, 'BYTE', 3, 160, 2, 1);
define(0x1b, 'SHL', 3, 240, 2, 1);
define(0x1c, 'SHR', 3, 240, 2, 1);
define(0x1d, 'SAR', 3, 400, 2, 1);
define(0x20, 'KECCAK256', 0, 0, 2, 1);
define(0x30, 'ADDRESS', 2, 60, 0, 1);
define(0x31, 'BALANCE', 0, 60, 1, 1);
define(0x32, 'ORIGIN', 2, 60, 0, 1);
define(0x33, 'CALLER', 2, 60, 0, 1);
define(0x34, 'CALLVALUE', 2, 60, 0, 1);
define(0x35, 'CALLDATALOAD', 3, 280, 1, 1);
define(0x36, 'CALLDATASIZE', 2, 40, 0, 1);
define(0x37, 'CALLDATACOPY', 0, 0, 3, 0);
define(0x38, 'CODESIZE', 2, 40, 0, 1);
define(0x39, 'CODECOPY', 0, 0, 3, 0);
define(0x3a, 'GASPRICE', 2, 60, 0, 1);
define(0x3b, 'EXTCODESIZE', 0, 60, 1, 1);
define(0x3c, 'EXTCODECOPY', 0, 0, 4, 0);
define(0x3d, 'RETURNDATASIZE', 2, 60, 0, 1);
define(0x3e, 'RETURNDATACOPY', 0, 0, 3, 0);
define(0x3f, 'EXTCODEHASH', 0, 60, 1, 1);
define(0x40, 'BLOCKHASH', 20, 60, 1, 1);
define(0x41, 'COINBASE', 2, 60, 0, 1);
define(0x42, 'TIMESTAMP', 2, 60, 0, 1);
define(0x43, 'NUMBER', 2, 60, 0, 1);
define(0x44, 'PREVRANDAO', 2, 40, 0, 1);
define(0x45, 'GASLIMIT', 2, 60, 0, 1);
define(0x46, 'CHAINID', 2, 60, 0, 1);
define(0x47, 'SELFBALANCE', 5, 60, 0, 1);
define(0x48, 'BASEFEE', 2, 60, 0, 1);
define(0x49, 'BLOBHASH', 3, 40, 1, 1);
define(0x4a, 'BLOBBASEFEE', 2, 40, 0, 1);
define(0x50, 'POP', 2, 40, 1, 0);
define(0x51, 'MLOAD', 3, 250, 1, 1);
define(0x52, 'MSTORE', 3, 250, 2, 0);
define(0x53, 'MSTORE8', 3, 250, 2, 0);
define(0x54, 'SLOAD', 0, 100, 1, 1);
define(0x55, 'SSTORE', 0, 100, 2, 0);
define(0x56, 'JUMP', 8, 70, 1, 0);
define(0x57, 'JUMPI', 10, 300, 2, 0);
define(0x58, 'PC', 2, 40, 0, 1);
define(0x59, 'MSIZE', 2, 40, 0, 1);
define(0x5a, 'GAS', 2, 60, 0, 1);
define(0x5b, 'JUMPDEST', 1, 40, 0, 0);
define(0x5c, 'TLOAD', 0, 100, 1, 1);
define(0x5d, 'TSTORE', 0, 100, 2, 0);
define(0x5e, 'MCOPY', 0, 0, 3, 0);
define(0x5f, 'PUSH0', 2, 50, 0, 1);
const PUSH_NATIVE = [
  60, 120, 140, 140, 150, 160, 170, 180, 190, 200, 210, 210, 220, 230, 240, 240, 240, 240, 240, 240, 250, 260, 260, 260,
  260, 270, 280, 280, 290, 290, 300, 300,
];
PUSH_NATIVE.forEach((native, i) => define(0x60 + i, `PUSH${i + 1}`, 3, native, 0, 1));
for (let i = 1; i <= 16; i += 1) {
  define(0x7f + i, `DUP${i}`, 3, 60, i, i + 1);
  define(0x8f + i, `SWAP${i}`, 3, 90, i + 1, i + 1);
}
for (let i = 0; i <= 4; i += 1) define(0xa0 + i, `LOG${i}`, 0, 50, 2 + i, 0);
define(0xf0, 'CREATE', CREATION_GAS, 25_000, 3, 1);
define(0xf1, 'CALL', 0, 1_500, 7, 1);
define(0xf2, 'CALLCODE', 0, 1_500, 7, 1);
define(0xf3, 'RETURN', 0, 40, 2, 0);
define(0xf4, 'DELEGATECALL', 0, 1_500, 6, 1);
define(0xf5, 'CREATE2', CREATION_GAS, 25_000, 4, 1);
define(0xfa, 'STATICCALL', 0, 1_500, 6, 1);
define(0xfd, 'REVERT', 0, 50, 2, 0);
define(0xfe, 'INVALID', 0, 0, 0, 0);
define(0xff, 'SELFDESTRUCT', 5_000, 100, 1, 0);

/** First charge of each byte value. */
export const OPCODE_GAS = new Int32Array(256);
export const OPCODE_NATIVE = new Int32Array(256).fill(STEP_NATIVE);
/** Limbs that must be on the stack. */
export const STACK_NEEDED = new Int32Array(256);
/** Limbs that may be on the stack beyond those. */
export const STACK_RANGE = new Int32Array(256).fill(STACK_LIMBS_MAX);
/** Limbs by which the stack is higher afterwards. */
export const STACK_CHANGE = new Int32Array(256);
for (const [number, opcode] of OPCODES) {
  OPCODE_GAS[number] = opcode.gas;
  OPCODE_NATIVE[number] = opcode.native;
  STACK_NEEDED[number] = opcode.pops * LIMBS;
  STACK_RANGE[number] = STACK_LIMBS_MAX - Math.max(opcode.pushes, opcode.pops) * LIMBS;
  STACK_CHANGE[number] = (opcode.pushes - opcode.pops) * LIMBS;
}

export const JUMPDEST = 0x5b;
export const PUSH1 = 0x60;
export const PUSH32 = 0x7f;
/**
 * 1: nothing behind it may be charged before it ran: it leaves the straight run, looks at what is left of gas or native, or
 * charges more than its first charge. Memory growth is the exception; the interpreter takes back what it charged ahead.
 */
export const ENDS_BLOCK = new Uint8Array(256).fill(1);
const PLAIN_RANGES = [
  [0x01, 0x09], // ADD to MULMOD
  [0x0b, 0x0b], // SIGNEXTEND
  [0x10, 0x1d], // LT to SAR
  [0x30, 0x30], // ADDRESS
  [0x32, 0x36], // ORIGIN to CALLDATASIZE
  [0x38, 0x38], // CODESIZE
  [0x3a, 0x3a], // GASPRICE
  [0x3d, 0x3d], // RETURNDATASIZE
  [0x40, 0x4a], // BLOCKHASH to BLOBBASEFEE
  [0x50, 0x53], // POP to MSTORE8
  [0x58, 0x59], // PC and MSIZE
  [JUMPDEST, JUMPDEST],
  [0x5f, 0x9f], // PUSH0 to SWAP16
] as const;
for (const [first, last] of PLAIN_RANGES) ENDS_BLOCK.fill(0, first, last + 1);

/** As tracers print it. */
export function opcodeName(opcode: number): string {
  return OPCODES.get(opcode)?.name ?? `opcode 0x${opcode.toString(16)} not defined`;
}

export const CREATE = 0xf0;
export const CALL = 0xf1;
export const CALLCODE = 0xf2;
export const DELEGATECALL = 0xf4;
export const CREATE2 = 0xf5;
export const STATICCALL = 0xfa;
