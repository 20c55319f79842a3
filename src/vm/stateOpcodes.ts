/** Opcodes that read or write state, hash or log (spec: execution 9, native 5). Look-ups come before every effect. */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { KECCAK_EMPTY, keccak256, KeccakInParts } from '../common/hash.ts';
import type { Account } from './account.ts';
import { EMPTY_CODE } from './code.ts';
import {
  COPY_WORD_GAS,
  KECCAK_GAS,
  KECCAK_WORD_GAS,
  LOG_BYTE_GAS,
  LOG_GAS,
  LOG_TOPIC_GAS,
  NEW_ACCOUNT_GAS,
  SSTORE_SENTRY_GAS,
  WARM_ACCESS_GAS,
  wordCount,
} from './gasCosts.ts';
import type { Frame } from './frame.ts';
import type { Machine, PendingHash } from './machine.ts';
import { CHARGED } from './meter.ts';
import type { Charge } from './meter.ts';
import {
  COPY_OPCODE_NATIVE,
  copyNative,
  KECCAK_OPCODE_NATIVE,
  keccakNative,
  LOG_BYTE_NATIVE,
  LOG_NATIVE,
  LOG_TOPIC_NATIVE,
  TRANSIENT_NATIVE,
} from './nativeCosts.ts';
import { chargeSignal, FAILED, MISSING, RUNNING, STOPPED, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { BY_OPCODE, BY_SELFDESTRUCT } from './stateAccess.ts';
import { copyWord, LIMBS, readBytes, setBigInt, setNumber, toOffset, wordToBytes } from './words.ts';
import type { Words } from './words.ts';

/** One opcode of this file. The first charge and the stack check are done. */
export function runStateOpcode(machine: Machine, opcode: number): Signal {
  switch (opcode) {
    case 0x20:
      return keccak(machine);
    case 0x31:
    case 0x3b:
    case 0x3f:
      return accountProperty(machine, opcode);
    case 0x3c:
      return externalCodeCopy(machine);
    case 0x54:
      return loadSlot(machine);
    case 0x55:
      return storeSlot(machine);
    case 0x5c:
      return loadTransient(machine);
    case 0x5d:
      return storeTransient(machine);
    case 0xff:
      return selfDestruct(machine);
    default:
      return log(machine, opcode - 0xa0);
  }
}

/** Bytes; what is longer is hashed over several turns. */
export const HASHED_AT_ONCE_MAX = 256 * 1024;
const HASHED_BYTES_PER_UNIT = 4;

function keccak(machine: Machine): Signal {
  const { frame, meter, stack } = machine;
  const offsetAt = frame.sp - LIMBS;
  const sizeAt = frame.sp - 2 * LIMBS;
  let charge = meter.charge(0, KECCAK_OPCODE_NATIVE);
  if (charge !== CHARGED) return chargeSignal(charge);
  const size = toOffset(stack, sizeAt);
  let hash: Bytes;
  if (size === 0) {
    charge = meter.charge(KECCAK_GAS, 0);
    if (charge !== CHARGED) return chargeSignal(charge);
    hash = KECCAK_EMPTY;
  } else {
    charge = machine.growRange(offsetAt, sizeAt);
    if (charge !== CHARGED) return chargeSignal(charge);
    charge = meter.charge(KECCAK_GAS + KECCAK_WORD_GAS * wordCount(size), keccakNative(size));
    if (charge !== CHARGED) return chargeSignal(charge);
    const start = frame.memoryBase + toOffset(stack, offsetAt);
    const input = machine.memory.subarray(start, start + size);
    if (size > HASHED_AT_ONCE_MAX) {
      machine.pending = { kind: 'hash', hash: new KeccakInParts(), input, done: pushLater(machine) };
      return SWITCHED;
    }
    hash = keccak256(input);
    machine.budget -= 32 + Math.ceil(size / HASHED_BYTES_PER_UNIT);
  }
  pushHash(frame, stack, hash);
  return RUNNING;
}

/** In place of offset and size. */
function pushHash(frame: Frame, stack: Words, hash: Bytes): void {
  frame.sp -= LIMBS;
  readBytes(hash, 0, 32, stack, frame.sp - LIMBS);
}

/** On its own: a closure in `keccak` would cost every hash. */
function pushLater(machine: Machine): (hash: Bytes) => void {
  return (hash) => pushHash(machine.frame, machine.stack, hash);
}

/** Goes on with a long hash for the rest of the turn. */
export function runPendingHash(machine: Machine, pending: PendingHash): void {
  const { hash, input } = pending;
  const part = Math.min(input.length, Math.max(1, machine.budget) * HASHED_BYTES_PER_UNIT);
  hash.update(input.subarray(0, part));
  machine.budget -= Math.ceil(part / HASHED_BYTES_PER_UNIT);
  pending.input = input.subarray(part);
  if (part < input.length) return;
  machine.pending = undefined;
  pending.done(hash.digest());
}

/** BALANCE, EXTCODESIZE and EXTCODEHASH. */
function accountProperty(machine: Machine, opcode: number): Signal {
  const { stack } = machine;
  const at = machine.frame.sp - LIMBS;
  const account = machine.world.account(stack, at);
  if (account === undefined) return MISSING;
  const charge = machine.access.account(account, BY_OPCODE);
  if (charge !== CHARGED) return chargeSignal(charge);
  if (opcode === 0x31) setBigInt(stack, at, account.balance);
  else if (opcode === 0x3b) setNumber(stack, at, account.code.observableBytecodeLength);
  else if (account.isEmpty) setNumber(stack, at, 0);
  else readBytes(account.hasBytecodeHash ? account.code.observableBytecodeHash : KECCAK_EMPTY, 0, 32, stack, at);
  return RUNNING;
}

function externalCodeCopy(machine: Machine): Signal {
  const { frame, meter, stack, world, access } = machine;
  const top = frame.sp;
  const sizeAt = top - 4 * LIMBS;
  const toAt = top - 2 * LIMBS;
  let charge = machine.growRange(toAt, sizeAt);
  if (charge !== CHARGED) return chargeSignal(charge);
  const account = world.account(stack, top - LIMBS);
  if (account === undefined) return MISSING;
  const size = toOffset(stack, sizeAt);
  const code = size === 0 ? EMPTY_CODE : world.codeOf(account);
  if (code === undefined) return MISSING;
  charge = access.account(account, BY_OPCODE);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = access.code(account);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = meter.charge(COPY_WORD_GAS * wordCount(size), COPY_OPCODE_NATIVE + copyNative(size));
  if (charge !== CHARGED) return chargeSignal(charge);
  if (size > 0)
    machine.copyToMemory(code.bytes, code.length, toOffset(stack, top - 3 * LIMBS), toOffset(stack, toAt), size);
  frame.sp = sizeAt;
  return RUNNING;
}

function loadSlot(machine: Machine): Signal {
  const { frame, stack, world } = machine;
  const at = frame.sp - LIMBS;
  const slot = world.slot(frame.self, stack, at);
  if (slot < 0) return MISSING;
  const charge = machine.access.slotRead(slot);
  if (charge !== CHARGED) return chargeSignal(charge);
  copyWord(world.slots.current, slot * LIMBS, stack, at);
  return RUNNING;
}

function storeSlot(machine: Machine): Signal {
  const { frame, stack, world } = machine;
  if (frame.isStatic) return writeProtection(machine);
  if (machine.meter.gas <= SSTORE_SENTRY_GAS) return FAILED;
  const at = frame.sp - LIMBS;
  const slot = world.slot(frame.self, stack, at);
  if (slot < 0) return MISSING;
  const charge = machine.access.slotWrite(slot, stack, at - LIMBS);
  if (charge !== CHARGED) return chargeSignal(charge);
  frame.sp = at - LIMBS;
  return RUNNING;
}

function loadTransient(machine: Machine): Signal {
  const { frame, stack, world, meter } = machine;
  const charge = meter.charge(WARM_ACCESS_GAS, TRANSIENT_NATIVE);
  if (charge !== CHARGED) return chargeSignal(charge);
  world.readTransient(frame.self, stack, frame.sp - LIMBS, frame.sp - LIMBS);
  return RUNNING;
}

function storeTransient(machine: Machine): Signal {
  const { frame, stack, world, meter } = machine;
  if (frame.isStatic) return writeProtection(machine);
  const charge = meter.charge(WARM_ACCESS_GAS, TRANSIENT_NATIVE);
  if (charge !== CHARGED) return chargeSignal(charge);
  world.writeTransient(frame.self, stack, frame.sp - LIMBS, frame.sp - 2 * LIMBS);
  frame.sp -= 2 * LIMBS;
  return RUNNING;
}

function writeProtection(machine: Machine): Signal {
  machine.failure = 'write protection';
  return FAILED;
}

/** Gas and native of an event with `topicCount` topics and `size` bytes of data. */
export function chargeEvent(machine: Machine, topicCount: number, size: number, isPaidInGas: boolean): Charge {
  return machine.meter.charge(
    isPaidInGas ? LOG_GAS + LOG_TOPIC_GAS * topicCount + LOG_BYTE_GAS * size : 0,
    LOG_NATIVE + LOG_TOPIC_NATIVE * topicCount + LOG_BYTE_NATIVE * size,
  );
}

export function emitEvent(machine: Machine, address: Bytes, topics: readonly Bytes[], data: Bytes): void {
  const event = { address, topics, data };
  machine.world.logs.push(event);
  machine.tracer?.log(event);
}

function log(machine: Machine, topicCount: number): Signal {
  const { frame, stack } = machine;
  if (frame.isStatic) return writeProtection(machine);
  const offsetAt = frame.sp - LIMBS;
  const sizeAt = frame.sp - 2 * LIMBS;
  let charge = machine.growRange(offsetAt, sizeAt);
  if (charge !== CHARGED) return chargeSignal(charge);
  const size = toOffset(stack, sizeAt);
  charge = chargeEvent(machine, topicCount, size, true);
  if (charge !== CHARGED) return chargeSignal(charge);
  const topics: Bytes[] = [];
  for (let i = 1; i <= topicCount; i += 1) topics.push(wordToBytes(stack, sizeAt - i * LIMBS));
  const start = frame.memoryBase + toOffset(stack, offsetAt);
  const data = size === 0 ? EMPTY_BYTES : machine.memory.slice(start, start + size);
  emitEvent(machine, frame.self.address, topics, data);
  frame.sp = sizeAt - topicCount * LIMBS;
  machine.budget -= size >> 6;
  return RUNNING;
}

/** Moves the balance; removes the contract only in the transaction that made it (EIP-6780). */
function selfDestruct(machine: Machine): Signal {
  const { frame, stack, world, access, meter } = machine;
  if (frame.isStatic) return writeProtection(machine);
  const beneficiary = world.account(stack, frame.sp - LIMBS);
  if (beneficiary === undefined) return MISSING;
  const { self } = frame;
  let charge = access.accountWrite(self, BY_SELFDESTRUCT);
  if (charge !== CHARGED) return chargeSignal(charge);
  const amount = self.balance;
  const isRemoved = frame.kind === 'create' || self.createdIn === world.transaction;
  const paysNewAccount = amount !== 0n && beneficiary.isEmpty;
  if (beneficiary !== self) {
    charge = access.transfer(self, beneficiary, amount, BY_SELFDESTRUCT);
    if (charge !== CHARGED) return chargeSignal(charge);
  } else if (isRemoved) {
    world.setBalance(self, 0n);
  }
  if (paysNewAccount) {
    charge = meter.charge(NEW_ACCOUNT_GAS, 0);
    if (charge !== CHARGED) return chargeSignal(charge);
  }
  if (isRemoved) world.doom(self);
  traceSelfDestruct(machine, self, beneficiary, amount);
  machine.output = EMPTY_BYTES;
  return STOPPED;
}

function traceSelfDestruct(machine: Machine, self: Account, beneficiary: Account, value: bigint): void {
  const { tracer } = machine;
  if (tracer === undefined) return;
  tracer.enter({
    kind: 'SELFDESTRUCT',
    from: self.address,
    to: beneficiary.address,
    value,
    gas: 0,
    gasKept: machine.meter.gas,
    input: EMPTY_BYTES,
  });
  tracer.exit({ success: true, output: EMPTY_BYTES, gasLeft: 0, error: undefined });
}
