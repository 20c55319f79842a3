/** What runs at 0x8006, 0x8008 and 0x800a instead of code (spec: execution 10, native 6.4). */
import { bytesKey, concatBytes, EMPTY_BYTES, equalBytes, isZero, padAddress, toHex } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { keccak256, KeccakInParts } from '../common/hash.ts';
import { ACCOUNT_RECORD_LENGTH, deployedAccountFields, storedCode } from '../protocol/accountRecord.ts';
import {
  FINALIZE_ETH_WITHDRAWAL_SELECTOR,
  L1_MESSAGE_SENT_TOPIC,
  SEND_TO_L1_SELECTOR,
  SET_BYTECODE_DETAILS_EVM_SELECTOR,
  WITHDRAW_SELECTOR,
  WITHDRAW_WITH_MESSAGE_SELECTOR,
} from '../protocol/selectors.ts';
import { COMPLEX_UPGRADER_ADDRESS, L1_MESSENGER_ADDRESS } from '../protocol/systemAddresses.ts';
import { storeCodeCharges } from './creates.ts';
import { CODE_LENGTH_MAX, HOOK_ERGS, KECCAK_GAS, KECCAK_WORD_GAS, wordCount } from './gasCosts.ts';
import type { Machine } from './machine.ts';
import { CHARGED } from './meter.ts';
import { keccakNative, L1_MESSAGE_BYTE_NATIVE, L1_MESSAGE_NATIVE } from './nativeCosts.ts';
import { chargeSignal, FAILED, MISSING, REVERTED, STOPPED, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { BY_OPCODE, WITHOUT_GAS } from './stateAccess.ts';
import { chargeEvent, emitEvent, HASHED_AT_ONCE_MAX } from './stateOpcodes.ts';
import { readBytes, toOffset } from './words.ts';

const SELECTOR_BYTES = 4;
const WORD_BYTES = 32;
const ADDRESS_PADDING_BYTES = 12;
/** `pc` of the frame of a hook whose message is sent. */
const SENT = 1;

// Filled anew by every read.
const word = new Uint32Array(8);

/** A 32-byte big-endian integer as an offset or length; Infinity from 2^32 on. */
function offsetWord(bytes: Bytes, at: number): number {
  readBytes(bytes, at, WORD_BYTES, word, 0);
  return toOffset(word, 0);
}

/** The hook in the top frame. A look-up that misses leaves nothing done. */
export function runHook(machine: Machine): Signal {
  const { frame, meter } = machine;
  if (frame.pc === SENT) return STOPPED;
  const { gas, fraction, native } = meter;
  machine.output = EMPTY_BYTES;
  machine.failure = 'out of gas';
  const charge = meter.chargeErgs(HOOK_ERGS);
  if (charge !== CHARGED) return FAILED;
  const signal = dispatch(machine);
  machine.budget -= 64 + (frame.input.length >> 2);
  if (signal === MISSING) {
    meter.gas = gas;
    meter.fraction = fraction;
    meter.native = native;
  }
  return signal;
}

function dispatch(machine: Machine): Signal {
  const { frame } = machine;
  // All methods write.
  if (frame.isStatic || frame.input.length < SELECTOR_BYTES) return REVERTED;
  const selector = frame.input.subarray(0, SELECTOR_BYTES);
  const args = frame.input.subarray(SELECTOR_BYTES);
  switch (frame.self.hook) {
    case 'deployer':
      return equalBytes(selector, SET_BYTECODE_DETAILS_EVM_SELECTOR) ? setBytecodeDetails(machine, args) : REVERTED;
    case 'messenger':
      return equalBytes(selector, SEND_TO_L1_SELECTOR) ? sendToL1(machine, args) : REVERTED;
    default:
      if (equalBytes(selector, WITHDRAW_SELECTOR)) return withdraw(machine, args);
      return equalBytes(selector, WITHDRAW_WITH_MESSAGE_SELECTOR) ? withdrawWithMessage(machine, args) : REVERTED;
  }
}

/** Opcodes call with gas; a transaction sent straight to a hook does so only when its sender has code. */
function callerPaysGas(machine: Machine): boolean {
  return machine.callers.length > 0 || machine.frame.caller.hasCode;
}

/** sendToL1(bytes) */
function sendToL1(machine: Machine, args: Bytes): Signal {
  if (args.length < 2 * WORD_BYTES || args.length % WORD_BYTES !== 0 || offsetWord(args, 0) !== WORD_BYTES)
    return REVERTED;
  const length = offsetWord(args, WORD_BYTES);
  if (length > args.length - 2 * WORD_BYTES) return REVERTED;
  const data = args.slice(2 * WORD_BYTES, 2 * WORD_BYTES + length);
  return sendMessage(machine, {
    sender: machine.frame.caller.address,
    data,
    eventData: args.slice(),
    answersHash: true,
  });
}

interface Message {
  readonly sender: Bytes;
  readonly data: Bytes;
  readonly eventData: Bytes;
  readonly answersHash: boolean;
}

/** Charges and sends, at the end of the hook. */
function sendMessage(machine: Machine, message: Message): Signal {
  const { meter } = machine;
  const { data, eventData } = message;
  let charge = meter.charge(0, L1_MESSAGE_NATIVE + keccakNative(data.length) + L1_MESSAGE_BYTE_NATIVE * data.length);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = meter.charge(KECCAK_GAS + KECCAK_WORD_GAS * wordCount(data.length), keccakNative(data.length));
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = chargeEvent(machine, 3, eventData.length, callerPaysGas(machine));
  if (charge !== CHARGED) return chargeSignal(charge);
  if (data.length > HASHED_AT_ONCE_MAX) {
    const done = (hash: Bytes): void => send(machine, message, hash);
    machine.pending = { kind: 'hash', hash: new KeccakInParts(), input: data, done };
    return SWITCHED;
  }
  send(machine, message, keccak256(data));
  return STOPPED;
}

function send(machine: Machine, { sender, data, eventData, answersHash }: Message, hash: Bytes): void {
  const { world } = machine;
  const key = padAddress(sender);
  world.messages.push({ sender, data });
  world.l2ToL1Logs.push({
    shardId: 0,
    isService: true,
    txNumberInBlock: world.transactionNumber,
    sender: L1_MESSENGER_ADDRESS,
    key,
    value: hash,
  });
  emitEvent(machine, L1_MESSENGER_ADDRESS, [L1_MESSAGE_SENT_TOPIC, key, hash], eventData);
  machine.output = answersHash ? hash : EMPTY_BYTES;
  machine.frame.pc = SENT;
}

/** withdraw(address) */
function withdraw(machine: Machine, args: Bytes): Signal {
  if (args.length < WORD_BYTES || !isZero(args.subarray(0, ADDRESS_PADDING_BYTES))) return REVERTED;
  return burnAndSend(machine, args.subarray(ADDRESS_PADDING_BYTES, WORD_BYTES), EMPTY_BYTES);
}

/** withdrawWithMessage(address,bytes) */
function withdrawWithMessage(machine: Machine, args: Bytes): Signal {
  if (args.length < 2 * WORD_BYTES || !isZero(args.subarray(0, ADDRESS_PADDING_BYTES))) return REVERTED;
  const offset = offsetWord(args, WORD_BYTES);
  if (offset + WORD_BYTES > args.length) return REVERTED;
  const length = offsetWord(args, offset);
  const start = offset + WORD_BYTES;
  if (length > args.length - start) return REVERTED;
  const extra = concatBytes(machine.frame.caller.address, args.subarray(start, start + length));
  return burnAndSend(machine, args.subarray(ADDRESS_PADDING_BYTES, WORD_BYTES), extra);
}

/** Burns the value of the call and sends the withdrawal message. */
function burnAndSend(machine: Machine, receiver: Bytes, extra: Bytes): Signal {
  const { frame, world, access } = machine;
  const token = frame.self;
  const charge = access.accountWrite(token, callerPaysGas(machine) ? BY_OPCODE : WITHOUT_GAS);
  if (charge !== CHARGED) return chargeSignal(charge);
  world.setBalance(token, token.balance - frame.value);
  const amount = padded(frame.value);
  const data = concatBytes(FINALIZE_ETH_WITHDRAWAL_SELECTOR, receiver, amount, extra);
  return sendMessage(machine, {
    sender: token.address,
    data,
    eventData: encodeBytesArgument(data),
    answersHash: false,
  });
}

function padded(value: bigint): Bytes {
  const hex = value.toString(16).padStart(2 * WORD_BYTES, '0');
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** ABI arguments of a method that takes one `bytes`. */
function encodeBytesArgument(data: Bytes): Bytes {
  const out = new Uint8Array(2 * WORD_BYTES + wordCount(data.length) * WORD_BYTES);
  out[WORD_BYTES - 1] = WORD_BYTES;
  new DataView(out.buffer).setUint32(2 * WORD_BYTES - 4, data.length);
  out.set(data, 2 * WORD_BYTES);
  return out;
}

/** setBytecodeDetailsEVM(address,bytes32,uint32,bytes32) */
function setBytecodeDetails(machine: Machine, args: Bytes): Signal {
  const { frame, world, access } = machine;
  if (!equalBytes(frame.caller.address, COMPLEX_UPGRADER_ADDRESS)) return REVERTED;
  if (args.length < 4 * WORD_BYTES || !isZero(args.subarray(0, ADDRESS_PADDING_BYTES))) return REVERTED;
  const length = offsetWord(args, 2 * WORD_BYTES);
  if (length > CODE_LENGTH_MAX) return REVERTED;
  const rawHash = args.slice(WORD_BYTES, 2 * WORD_BYTES);
  const account = world.accountAt(args.slice(ADDRESS_PADDING_BYTES, WORD_BYTES));
  const hasPreimage = !isZero(rawHash);
  const raw = hasPreimage ? world.storedCode(rawHash) : EMPTY_BYTES;
  if (account === undefined || raw === undefined) return MISSING;
  if (raw.length < length) {
    throw new NodeError(
      'invariant',
      `the preimage ${toHex(rawHash)} of a force deployment is shorter than its ${length} bytes of code`,
      {
        code: 'VM_FORCE_DEPLOY_MALFORMED',
        hash: toHex(rawHash),
      },
    );
  }
  let charge = access.account(account, WITHOUT_GAS);
  if (charge === CHARGED && hasPreimage)
    charge = access.preimage(bytesKey(raw.length === ACCOUNT_RECORD_LENGTH ? raw : rawHash), length);
  if (charge === CHARGED) charge = storeCodeCharges(machine, length);
  if (charge !== CHARGED) return chargeSignal(charge);
  const code = raw.slice(0, length);
  const stored = storedCode(code);
  const fields = {
    ...deployedAccountFields(code, stored),
    observableBytecodeHash: args.slice(3 * WORD_BYTES, 4 * WORD_BYTES),
  };
  world.deployedCode.set(bytesKey(fields.bytecodeHash), stored);
  world.learnPreimage(bytesKey(fields.bytecodeHash));
  world.setCode(account, fields);
  world.hideCode(account);
  return STOPPED;
}
