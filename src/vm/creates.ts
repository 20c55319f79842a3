/** CREATE, CREATE2, the creation of a transaction, and the deposit of code (spec: execution 5, 9, native 6.2). */
import { bytesKey, EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { keccak256 } from '../common/hash.ts';
import { deployedAccountFields, storedCode } from '../protocol/accountRecord.ts';
import { encodeRlp, rlpInteger } from '../protocol/rlp.ts';
import type { Account } from './account.ts';
import { codeFromBytes } from './code.ts';
import { Frame } from './frame.ts';
import {
  CALL_DEPTH_MAX,
  CODE_DEPOSIT_BYTE_GAS,
  CODE_LENGTH_MAX,
  CREATE2_WORD_GAS,
  INIT_CODE_LENGTH_MAX,
  INIT_CODE_WORD_GAS,
  wordCount,
} from './gasCosts.ts';
import type { Machine } from './machine.ts';
import { CHARGED, OUT_OF_GAS } from './meter.ts';
import type { Charge } from './meter.ts';
import {
  blakeNative,
  DEPLOY_PREIMAGE_NATIVE,
  DEPLOY_WRITE_NATIVE,
  jumpMapNative,
  keccakNative,
} from './nativeCosts.ts';
import { CREATE2 } from './opcodes.ts';
import { chargeSignal, FAILED, FATAL, MISSING, RUNNING, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { WITHOUT_GAS } from './stateAccess.ts';
import type { TracedFrame } from './tracer.ts';
import { isZeroWord, LIMBS, readBigInt, setNumber, toOffset, wordToBytes } from './words.ts';
import type { Checkpoint } from './worldState.ts';

const NONCE_MAX = 0xffff_ffff_ffff_ffffn;
const CREATE2_PREFIX = 0xff;
/** Work units of an address, an account and a frame. */
const CREATION_WORK = 512;

/** keccak(rlp([creator, nonce]))[12..] */
export function creationAddress(creator: Bytes, nonce: bigint): Bytes {
  return keccak256(encodeRlp([creator, rlpInteger(nonce)])).slice(12);
}

/** keccak(ff || creator || salt || keccak(init code))[12..] */
function saltedCreationAddress(creator: Bytes, salt: Bytes, initCode: Bytes): Bytes {
  const preimage = new Uint8Array(85);
  preimage[0] = CREATE2_PREFIX;
  preimage.set(creator, 1);
  preimage.set(salt, 21);
  preimage.set(keccak256(initCode), 53);
  return keccak256(preimage).slice(12);
}

/** CREATE and CREATE2. The first charge is done. */
export function create(machine: Machine, opcode: number): Signal {
  const { frame, meter, stack, world, access } = machine;
  const top = frame.sp;
  if (frame.isStatic) {
    machine.failure = 'write protection';
    return FAILED;
  }
  machine.budget -= CREATION_WORK;
  let charge = machine.growRange(top - 2 * LIMBS, top - 3 * LIMBS);
  if (charge !== CHARGED) return chargeSignal(charge);
  const size = toOffset(stack, top - 3 * LIMBS);
  if (size > INIT_CODE_LENGTH_MAX) {
    machine.failure = 'max initcode size exceeded';
    return FAILED;
  }
  charge = meter.charge((INIT_CODE_WORD_GAS + (opcode === CREATE2 ? CREATE2_WORD_GAS : 0)) * wordCount(size), 0);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = access.account(frame.self, WITHOUT_GAS);
  if (charge !== CHARGED) return chargeSignal(charge);
  const initCode = machine.memoryRange(top - 2 * LIMBS, top - 3 * LIMBS).slice();
  let address: Bytes;
  if (opcode === CREATE2) {
    charge = meter.charge(0, keccakNative(size));
    if (charge !== CHARGED) return chargeSignal(charge);
    address = saltedCreationAddress(frame.self.address, wordToBytes(stack, top - 4 * LIMBS), initCode);
    machine.budget -= size >> 2;
  } else {
    address = creationAddress(frame.self.address, frame.self.nonce);
  }
  const created = world.accountAt(address);
  if (created === undefined) return MISSING;
  if (world.rules.warmsRefusedCreation) {
    charge = access.account(created, WITHOUT_GAS);
    if (charge !== CHARGED) return chargeSignal(charge);
  }
  charge = access.code(created);
  if (charge !== CHARGED) return chargeSignal(charge);

  const value = isZeroWord(stack, top - LIMBS) ? 0n : readBigInt(stack, top - LIMBS);
  frame.sp = top - (opcode === CREATE2 ? 4 : 3) * LIMBS;
  frame.returnData = EMPTY_BYTES;
  const fail = (): Signal => {
    setNumber(stack, frame.sp, 0);
    frame.sp += LIMBS;
    return RUNNING;
  };
  const kind = opcode === CREATE2 ? 'CREATE2' : 'CREATE';
  const refuse = (error: string): Signal => {
    const gasKept = Math.floor(meter.gas / 64);
    const gas = meter.gas - gasKept;
    traceRefusal(machine, { kind, from: frame.self.address, to: address, value, gas, gasKept, input: initCode }, error);
    return fail();
  };
  if (machine.callers.length + 1 > CALL_DEPTH_MAX) return refuse('max call depth exceeded');
  if (value !== 0n) {
    charge = access.account(frame.self, WITHOUT_GAS);
    if (charge !== CHARGED) return chargeSignal(charge);
    if (frame.self.balance < value) return refuse('insufficient balance for transfer');
  }
  charge = access.accountWrite(frame.self, WITHOUT_GAS);
  if (charge !== CHARGED) return chargeSignal(charge);
  if (frame.self.nonce === NONCE_MAX) return refuse('nonce uint64 overflow');
  world.setNonce(frame.self, frame.self.nonce + 1n);
  // Nothing new where it is warm already.
  world.warmAccount(created);

  frame.gas = Math.floor(meter.gas / 64);
  frame.fraction = 0;
  meter.gas -= frame.gas;
  const end = beginCreation(machine, {
    kind,
    creator: frame.self,
    created,
    value,
    initCode,
    checkpoint: world.checkpoint(),
    stackBase: frame.sp,
    memoryBase: frame.memoryBase + frame.memorySize,
    isFirst: false,
  });
  if (end !== FAILED) return end;
  meter.burnGas();
  meter.give(frame.gas, frame.fraction);
  return fail();
}

/**
 * From the collision check on: moves the value, sets the nonce, puts the frame on top. FAILED: the address is taken, all
 * gas passed is burnt. The meter holds what the init code gets.
 */
export function beginCreation(
  machine: Machine,
  options: {
    kind: 'CREATE' | 'CREATE2';
    creator: Account;
    created: Account;
    value: bigint;
    initCode: Bytes;
    checkpoint: Checkpoint;
    stackBase: number;
    memoryBase: number;
    isFirst: boolean;
  },
): typeof SWITCHED | typeof FAILED | typeof FATAL {
  const { world, access, meter } = machine;
  const { creator, created, value, initCode } = options;
  const { hasStorage, isCreatedFromStart } = world.rules;
  if (created.nonce !== 0n || created.hasBytecodeHash || hasStorage?.(created.address) === true) {
    machine.failure = 'contract address collision';
    traceCreation(machine, options);
    machine.tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: 0, error: machine.failure });
    return FAILED;
  }
  if (value !== 0n && access.transfer(creator, created, value, WITHOUT_GAS) !== CHARGED) return FATAL;
  if (meter.charge(0, jumpMapNative(initCode.length)) !== CHARGED) return FATAL;
  machine.budget -= initCode.length;
  if (access.accountWrite(created, WITHOUT_GAS) !== CHARGED) return FATAL;
  world.setNonce(created, 1n);
  if (isCreatedFromStart) world.markCreated(created);
  traceCreation(machine, options);
  machine.enter(
    new Frame({
      kind: 'create',
      code: codeFromBytes(initCode),
      self: created,
      caller: creator,
      value,
      input: EMPTY_BYTES,
      isStatic: false,
      checkpoint: options.checkpoint,
      stackBase: options.stackBase,
      memoryBase: options.memoryBase,
      returnData: EMPTY_BYTES,
    }),
    options.isFirst,
  );
  return SWITCHED;
}

function traceCreation(
  machine: Machine,
  creation: Pick<
    Parameters<typeof beginCreation>[1],
    'kind' | 'creator' | 'created' | 'value' | 'initCode' | 'isFirst'
  >,
): void {
  const { kind, creator, created, value, initCode, isFirst } = creation;
  machine.tracer?.enter({
    kind,
    from: creator.address,
    to: created.address,
    value,
    gas: machine.meter.gas,
    gasKept: isFirst ? 0 : machine.frame.gas,
    input: initCode,
  });
}

/** A creation that its creator may not make: all gas stays. */
function traceRefusal(machine: Machine, frame: TracedFrame, error: string): void {
  machine.tracer?.enter(frame);
  machine.tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: frame.gas, error });
}

/** The end of a constructor that succeeded: checks and stores the code. OUT_OF_GAS: all gas of the frame is gone. */
export function depositCode(machine: Machine, frame: Frame, code: Bytes): Charge {
  const { meter, access, world } = machine;
  if (code.length > CODE_LENGTH_MAX) {
    machine.failure = 'max code size exceeded';
    return OUT_OF_GAS;
  }
  if (code[0] === 0xef) {
    machine.failure = 'invalid code: must not begin with 0xef';
    return OUT_OF_GAS;
  }
  machine.failure = 'contract creation code storage out of gas';
  let charge = meter.charge(CODE_DEPOSIT_BYTE_GAS * code.length, 0);
  if (charge !== CHARGED) return charge;
  charge = access.account(frame.self, WITHOUT_GAS);
  if (charge !== CHARGED) return charge;
  charge = meter.charge(0, keccakNative(code.length));
  if (charge !== CHARGED) return charge;
  charge = storeCodeCharges(machine, code.length);
  if (charge !== CHARGED) return charge;
  machine.budget -= code.length;
  const stored = storedCode(code);
  const fields = deployedAccountFields(code, stored);
  world.deployedCode.set(bytesKey(fields.bytecodeHash), stored);
  world.learnPreimage(bytesKey(fields.bytecodeHash));
  world.setCode(frame.self, fields);
  world.markCreated(frame.self);
  return CHARGED;
}

/** Jump map, hash of the stored form, preimage and record of code with `length` bytes. */
export function storeCodeCharges(machine: Machine, length: number): Charge {
  const { meter } = machine;
  const storedLength = Math.ceil(length / 8) * 8 + Math.ceil(length / 64) * 8;
  let charge = meter.charge(0, jumpMapNative(length));
  if (charge === CHARGED) charge = meter.charge(0, blakeNative(storedLength));
  if (charge === CHARGED) charge = meter.charge(0, DEPLOY_PREIMAGE_NATIVE);
  if (charge === CHARGED) charge = meter.charge(0, DEPLOY_WRITE_NATIVE);
  return charge;
}
