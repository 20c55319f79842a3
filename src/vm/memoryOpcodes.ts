/** Opcodes that copy to memory or out of it, and BLOCKHASH (spec: execution 9, native 5). */
import type { Charge } from './meter.ts';
import { COPY_GAS, COPY_WORD_GAS, wordCount } from './gasCosts.ts';
import type { Machine } from './machine.ts';
import { CHARGED, OUT_OF_GAS } from './meter.ts';
import { COPY_OPCODE_NATIVE, copyNative } from './nativeCosts.ts';
import { chargeSignal, FAILED, RUNNING } from './signals.ts';
import type { REVERTED, Signal, STOPPED } from './signals.ts';
import { LIMBS, readBigInt, readBytes, setNumber, toOffset } from './words.ts';

const TWO_64 = 1n << 64n;

/** The charge of CALLDATACOPY and its like: base and copy in one. */
function chargeCopy(machine: Machine, sizeAt: number, opcodeNative: number): Charge {
  const size = toOffset(machine.stack, sizeAt);
  machine.budget -= 4;
  if (size !== Infinity) {
    return machine.meter.charge(COPY_GAS + COPY_WORD_GAS * wordCount(size), opcodeNative + copyNative(size));
  }
  // Beyond 2^32 bytes native may be short before gas is, as long as the cost in ergs fits 64 bits.
  const exact = readBigInt(machine.stack, sizeAt);
  const gas = 3n + 3n * ((exact + 31n) / 32n);
  if (exact >= TWO_64 - 81n || gas * 256n >= TWO_64) return OUT_OF_GAS;
  return machine.meter.charge(Number(gas), Number(exact) + opcodeNative + copyNative(0));
}

/** CALLDATACOPY, CODECOPY, RETURNDATACOPY and MCOPY: memory offset, source offset and size on the stack. */
export function copy(machine: Machine, opcode: number): Signal {
  const { frame, stack } = machine;
  const top = frame.sp;
  const charge = chargeCopy(machine, top - 3 * LIMBS, opcode === 0x5e ? 0 : COPY_OPCODE_NATIVE);
  if (charge !== CHARGED) return chargeSignal(charge);
  const size = toOffset(stack, top - 3 * LIMBS);
  const from = toOffset(stack, top - 2 * LIMBS);
  const to = toOffset(stack, top - LIMBS);
  frame.sp = top - 3 * LIMBS;
  if (opcode === 0x3e && from + size > frame.returnData.length) {
    machine.failure = 'return data out of bounds';
    return FAILED;
  }
  if (size === 0) return RUNNING;
  const growth = machine.grow(opcode === 0x5e ? Math.max(from, to) + size : to + size);
  if (growth !== CHARGED) return chargeSignal(growth);
  if (opcode === 0x37) machine.copyToMemory(frame.input, frame.input.length, from, to, size);
  else if (opcode === 0x39) machine.copyToMemory(frame.code.bytes, frame.code.length, from, to, size);
  else if (opcode === 0x3e) machine.copyToMemory(frame.returnData, frame.returnData.length, from, to, size);
  else {
    machine.memory.copyWithin(frame.memoryBase + to, frame.memoryBase + from, frame.memoryBase + from + size);
    machine.budget -= size >> 6;
  }
  return RUNNING;
}

/** RETURN and REVERT. */
export function endWithOutput(machine: Machine, signal: typeof STOPPED | typeof REVERTED): Signal {
  const top = machine.frame.sp;
  const growth = machine.growRange(top - LIMBS, top - 2 * LIMBS);
  if (growth !== CHARGED) return chargeSignal(growth);
  // A copy: the caller's memory may grow over it.
  machine.output = machine.memoryRange(top - LIMBS, top - 2 * LIMBS).slice();
  return signal;
}

/** BLOBHASH: the index on the stack becomes the hash, zero beyond the last one. */
export function blobHash(machine: Machine, at: number): void {
  const index = toOffset(machine.stack, at);
  const hash = machine.blobHashes[index];
  if (hash === undefined) setNumber(machine.stack, at, 0);
  else readBytes(hash, 0, 32, machine.stack, at);
}

/** BLOCKHASH: the number on the stack becomes the hash. */
export function blockHash(machine: Machine, at: number): void {
  const { blockHashes, number } = machine.environment;
  const wanted = readBigInt(machine.stack, at);
  const distance = number - wanted;
  const hash = distance >= 1n && distance <= 256n ? blockHashes[blockHashes.length - Number(distance)] : undefined;
  if (hash === undefined) setNumber(machine.stack, at, 0);
  else readBytes(hash, 0, 32, machine.stack, at);
}
