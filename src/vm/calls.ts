/** CALL, CALLCODE, DELEGATECALL and STATICCALL, and the first call of a transaction (spec: execution 9, 10, native 6.1). */
import { EMPTY_BYTES } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import type { Account } from './account.ts';
import { EMPTY_CODE } from './code.ts';
import type { Code } from './code.ts';
import { Frame } from './frame.ts';
import { CALL_DEPTH_MAX, CALL_STIPEND_GAS, CALL_VALUE_GAS, ERGS_PER_GAS, NEW_ACCOUNT_GAS } from './gasCosts.ts';
import { FATAL_RESULT } from './machine.ts';
import type { Machine, MachineResult, PendingPrecompile } from './machine.ts';
import { CHARGED } from './meter.ts';
import { CALL, CALLCODE, DELEGATECALL, STATICCALL } from './opcodes.ts';
import { INVALID_INPUT } from './precompiles/precompile.ts';
import { chargeSignal, FAILED, FATAL, MISSING, RUNNING, STOPPED, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { BY_OPCODE, WITHOUT_GAS } from './stateAccess.ts';
import type { TracedKind } from './tracer.ts';
import { isZeroWord, LIMBS, readBigInt } from './words.ts';
import type { Words } from './words.ts';
import type { Checkpoint } from './worldState.ts';

const ERGS_MAX = Number.MAX_SAFE_INTEGER;

/** A call that may begin: everything is charged, the value has moved, the meter holds what the callee gets. */
interface BegunCall {
  readonly kind: TracedKind;
  readonly target: Account;
  /** undefined: nothing to run, a precompile or a hook. */
  readonly code: Code | undefined;
  readonly self: Account;
  readonly caller: Account;
  readonly value: bigint;
  readonly input: Bytes;
  readonly isStatic: boolean;
  readonly frame: Pick<Frame, 'checkpoint' | 'stackBase' | 'memoryBase'>;
}

type CallEnd = { readonly success: boolean; readonly output: Bytes };

/** Code to run at an account; undefined with `missing` filled when it is not in memory. */
export function callableCode(machine: Machine, target: Account): Code | undefined {
  if (target.precompile !== undefined || target.hook !== undefined || !target.hasCode) return EMPTY_CODE;
  return machine.world.codeOf(target);
}

/**
 * Puts the frame of a call on top, or answers how a call without one ended: to an account without code, to a precompile,
 * or one that a hook refuses. FATAL when native is short.
 */
function begin(machine: Machine, call: BegunCall, isFirst: boolean): CallEnd | typeof SWITCHED | typeof FATAL {
  const { meter, tracer } = machine;
  tracer?.enter({
    kind: call.kind,
    from: call.kind === 'DELEGATECALL' ? call.self.address : call.caller.address,
    to: call.target.address,
    value: call.value,
    gas: meter.gas,
    gasKept: isFirst ? 0 : machine.frame.gas,
    input: call.input,
  });
  const { checkpoint } = call.frame;
  const { precompile, hook } = call.target;
  const isBorrowed = call.kind === 'DELEGATECALL' || call.kind === 'CALLCODE';
  let end: CallEnd | undefined;
  if (precompile !== undefined) {
    const ergs = Math.min(meter.gas * ERGS_PER_GAS + meter.fraction, ERGS_MAX);
    const result = precompile.run(call.input, ergs, meter.native);
    if (result.kind === 'outOfNative') {
      meter.native = 0;
      return fatal(machine);
    }
    meter.native -= result.native;
    if (result.kind === 'task') {
      machine.pending = {
        kind: 'precompile',
        task: result.task,
        gas: result.gas,
        checkpoint,
        caller: isFirst ? undefined : machine.frame,
      };
      return SWITCHED;
    }
    const output = result.kind === 'success' ? result.output : undefined;
    return endPrecompile(machine, checkpoint, result.kind === 'success' ? result.gas : 0, output);
  } else if (hook !== undefined && (isBorrowed || (call.value !== 0n && hook !== 'baseToken'))) {
    end = { success: false, output: EMPTY_BYTES };
  } else if (hook === undefined && call.code === undefined) {
    end = { success: true, output: EMPTY_BYTES };
  }
  if (end === undefined) {
    machine.enter(
      new Frame({
        kind: hook === undefined ? 'call' : 'hook',
        code: call.code ?? EMPTY_CODE,
        self: call.self,
        caller: call.caller,
        value: call.value,
        input: call.input,
        isStatic: call.isStatic,
        checkpoint: call.frame.checkpoint,
        stackBase: call.frame.stackBase,
        memoryBase: call.frame.memoryBase,
        returnData: EMPTY_BYTES,
      }),
      isFirst,
    );
    return SWITCHED;
  }
  return endCall(machine, checkpoint, end, 'execution reverted');
}

/** The end of a call that has no frame of its own, and of the transaction with it. */
function fatal(machine: Machine): typeof FATAL {
  machine.tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: 0, error: FATAL_RESULT.error });
  return FATAL;
}

/** The end of a call that had no frame. */
function endCall(machine: Machine, checkpoint: Checkpoint, end: CallEnd, error: string): CallEnd | typeof FATAL {
  const { success, output } = end;
  if (!success) machine.world.rollBack(checkpoint);
  if (!machine.countOutput(output.length)) return fatal(machine);
  machine.tracer?.exit({ success, output, gasLeft: machine.meter.gas, error: success ? undefined : error });
  return end;
}

/** `output` undefined: it failed, which takes all gas. */
function endPrecompile(
  machine: Machine,
  checkpoint: Checkpoint,
  gas: number,
  output: Bytes | undefined,
): CallEnd | typeof FATAL {
  const { meter } = machine;
  machine.budget -= output === undefined ? meter.gas : gas;
  if (output === undefined) meter.burnGas();
  else meter.gas -= gas;
  const end = { success: output !== undefined, output: output ?? EMPTY_BYTES };
  return endCall(machine, checkpoint, end, 'precompile failed');
}

/** Goes on with a precompile that needs several turns; RUNNING when its turn is over or its caller goes on. */
export function runPending(machine: Machine, pending: PendingPrecompile): Signal {
  const output = pending.task.advance(machine.budget);
  if (output === undefined) {
    machine.budget = 0;
    return RUNNING;
  }
  machine.pending = undefined;
  const { checkpoint, gas, caller } = pending;
  const end = endPrecompile(machine, checkpoint, gas, output === INVALID_INPUT ? undefined : output);
  if (end === FATAL) return FATAL;
  if (caller !== undefined) {
    machine.finishCall(caller, end.success, end.output);
    return RUNNING;
  }
  machine.result = topResult(end);
  return STOPPED;
}

function topResult({ success, output }: CallEnd): MachineResult {
  return { kind: 'returned', success, output, error: success ? undefined : 'execution reverted' };
}

/** Gas asked for; what a number does not hold exactly is more than anyone has. */
function requestedGas(stack: Words, at: number): number {
  const high = stack[at + 2]! | stack[at + 3]! | stack[at + 4]! | stack[at + 5]! | stack[at + 6]! | stack[at + 7]!;
  return high === 0 && stack[at + 1]! < 0x20_0000 ? stack[at + 1]! * 0x1_0000_0000 + stack[at]! : Infinity;
}

const KINDS: ReadonlyMap<number, TracedKind> = new Map([
  [CALL, 'CALL'],
  [CALLCODE, 'CALLCODE'],
  [DELEGATECALL, 'DELEGATECALL'],
  [STATICCALL, 'STATICCALL'],
]);

/** The four call opcodes. The first charge is done. */
export function call(machine: Machine, opcode: number): Signal {
  const { frame, meter, stack, world, access } = machine;
  const takesValue = opcode === CALL || opcode === CALLCODE;
  const top = frame.sp;
  const bottom = top - (takesValue ? 7 : 6) * LIMBS;
  const hasValue = takesValue && !isZeroWord(stack, top - 3 * LIMBS);
  if (opcode === CALL && hasValue && frame.isStatic) {
    machine.failure = 'write protection';
    return FAILED;
  }
  const inputAt = bottom + 3 * LIMBS;
  let charge = machine.growRange(inputAt, inputAt - LIMBS);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = machine.growRange(inputAt - 2 * LIMBS, bottom);
  if (charge !== CHARGED) return chargeSignal(charge);

  const target = world.account(stack, top - 2 * LIMBS);
  if (target === undefined) return MISSING;
  const code = callableCode(machine, target);
  if (code === undefined) return MISSING;

  charge = access.account(target, BY_OPCODE);
  if (charge !== CHARGED) return chargeSignal(charge);
  charge = access.code(target);
  if (charge !== CHARGED) return chargeSignal(charge);
  const value = hasValue ? readBigInt(stack, top - 3 * LIMBS) : 0n;
  charge = meter.charge(
    (hasValue ? CALL_VALUE_GAS : 0) + (opcode === CALL && hasValue && target.isEmpty ? NEW_ACCOUNT_GAS : 0),
    0,
  );
  if (charge !== CHARGED) return chargeSignal(charge);

  // 63/64 of the gas may be passed; what single ergs there are go along with all of it.
  const passable = meter.gas - Math.floor(meter.gas / 64);
  const requested = requestedGas(stack, top - LIMBS);
  const passesAll = requested > passable;
  let calleeGas = passesAll ? passable : requested;
  frame.gas = meter.gas - calleeGas;
  frame.fraction = passesAll ? 0 : meter.fraction;
  if (hasValue) calleeGas += CALL_STIPEND_GAS;
  meter.gas = calleeGas;
  meter.fraction = passesAll ? meter.fraction : 0;

  const outputAt = stack[inputAt - 2 * LIMBS]!;
  const outputSize = stack[bottom]!;
  const input = machine.memoryRange(inputAt, inputAt - LIMBS);
  frame.outputAt = outputAt;
  frame.outputSize = outputSize;
  frame.sp = bottom;
  frame.returnData = EMPTY_BYTES;

  // The running frame and those below it: a frame at depth 1025 is refused.
  if (machine.callers.length + 1 > CALL_DEPTH_MAX)
    return refuse(machine, { opcode, target, value, input, error: 'max call depth exceeded' });
  if (hasValue) {
    charge = access.account(frame.self, WITHOUT_GAS);
    if (charge !== CHARGED) return chargeSignal(charge);
    if (frame.self.balance < value)
      return refuse(machine, { opcode, target, value, input, error: 'insufficient balance for transfer' });
  }
  const checkpoint = world.checkpoint();
  if (hasValue) {
    charge = access.transfer(frame.self, opcode === CALLCODE ? frame.self : target, value, WITHOUT_GAS);
    if (charge !== CHARGED) return chargeSignal(charge);
  }
  const isBorrowed = opcode === DELEGATECALL || opcode === CALLCODE;
  const end = begin(
    machine,
    {
      kind: KINDS.get(opcode)!,
      target,
      code: code === EMPTY_CODE ? undefined : code,
      self: isBorrowed ? frame.self : target,
      caller: opcode === DELEGATECALL ? frame.caller : frame.self,
      value: opcode === DELEGATECALL ? frame.value : value,
      input,
      isStatic: frame.isStatic || opcode === STATICCALL,
      frame: { checkpoint, stackBase: bottom, memoryBase: frame.memoryBase + frame.memorySize },
    },
    false,
  );
  if (end === SWITCHED || end === FATAL) return end;
  machine.finishCall(frame, end.success, end.output);
  return RUNNING;
}

/** A call that its caller may not make: 0 on the stack, all gas back. */
function refuse(
  machine: Machine,
  call: { opcode: number; target: Account; value: bigint; input: Bytes; error: string },
): Signal {
  const { frame, meter, tracer } = machine;
  const { opcode, target, input, error } = call;
  tracer?.enter({
    kind: KINDS.get(opcode)!,
    from: frame.self.address,
    to: target.address,
    value: opcode === DELEGATECALL ? frame.value : call.value,
    gas: meter.gas,
    gasKept: frame.gas,
    input,
  });
  tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: meter.gas, error });
  machine.finishCall(frame, false, EMPTY_BYTES);
  return RUNNING;
}

/**
 * Begins the call of a transaction. The caller has probed, charged and moved the value; the meter holds all gas.
 * Its result is in `machine.result` at once when there is nothing to run.
 */
export function beginTopCall(
  machine: Machine,
  options: {
    sender: Account;
    target: Account;
    code: Code;
    value: bigint;
    input: Bytes;
    checkpoint: Frame['checkpoint'];
  },
): void {
  const { sender, target, code, value, input, checkpoint } = options;
  const end = begin(
    machine,
    {
      kind: 'CALL',
      target,
      code: code === EMPTY_CODE ? undefined : code,
      self: target,
      caller: sender,
      value,
      input,
      isStatic: false,
      frame: { checkpoint, stackBase: 0, memoryBase: 0 },
    },
    true,
  );
  if (end === SWITCHED) return;
  machine.result = end === FATAL ? FATAL_RESULT : topResult(end);
}
