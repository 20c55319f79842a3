/** Runs frames until the top-level one ends, a key is missing or the turn is over. */
import { EMPTY_BYTES } from '../common/bytes.ts';
import { runPending } from './calls.ts';
import { depositCode } from './creates.ts';
import { runFrame } from './interpreter.ts';
import { FATAL_RESULT, INVALID_OPCODE } from './machine.ts';
import type { Machine } from './machine.ts';
import { OUT_OF_GAS, OUT_OF_NATIVE } from './meter.ts';
import { opcodeName } from './opcodes.ts';
import { FAILED, FATAL, MISSING, REVERTED, RUNNING, STOPPED, SWITCHED } from './signals.ts';
import type { Signal } from './signals.ts';
import { runPendingHash } from './stateOpcodes.ts';
import { runHook } from './systemHooks.ts';

export type RunOutcome = 'missing' | 'paused' | 'ended';

/** Runs until the top-level frame ends, a key is missing or the budget is used up. */
export function runMachine(machine: Machine, budget: number): RunOutcome {
  machine.budget = budget;
  for (;;) {
    const { frame, pending } = machine;
    if (pending?.kind === 'hash') {
      runPendingHash(machine, pending);
      if (machine.budget <= 0) return 'paused';
      continue;
    }
    if (pending !== undefined) {
      const signal = runPending(machine, pending);
      if (signal === FATAL && pending.caller === undefined) machine.result = FATAL_RESULT;
      else if (signal === FATAL) abort(machine);
      if (signal !== RUNNING) return 'ended';
      if (machine.budget <= 0) return 'paused';
      continue;
    }
    const signal = frame.kind === 'hook' ? runHook(machine) : runFrame(machine, frame);
    if (signal === MISSING) return 'missing';
    if (signal === SWITCHED) continue;
    if (signal === RUNNING) {
      if (machine.budget <= 0) return 'paused';
      continue;
    }
    if ((signal === FAILED || signal === FATAL) && frame.kind !== 'hook') machine.steps?.left(frame, signal);
    if (endFrame(machine, signal) !== RUNNING) return 'ended';
    if (machine.budget <= 0) return 'paused';
  }
}

/** Ends the top frame; RUNNING when its caller goes on. */
function endFrame(machine: Machine, signal: Signal): Signal {
  const { frame, meter } = machine;
  if (signal === FATAL) {
    abort(machine);
    return FATAL;
  }
  let success = signal === STOPPED;
  let output = signal === FAILED ? EMPTY_BYTES : machine.output;
  let error = signal === REVERTED ? 'execution reverted' : signal === FAILED ? failureOf(machine) : undefined;
  if (signal === FAILED) meter.burnGas();
  if (success && frame.kind === 'create') {
    const deposit = depositCode(machine, frame, output);
    if (deposit === OUT_OF_NATIVE) return endFrame(machine, FATAL);
    if (deposit === OUT_OF_GAS) {
      success = false;
      output = EMPTY_BYTES;
      error = machine.failure;
      meter.burnGas();
    }
  }
  if (!success) machine.world.rollBack(frame.checkpoint);
  // Deployed code goes to the state, not to the output buffer.
  if (!machine.countOutput(success && frame.kind === 'create' ? 0 : output.length)) return endFrame(machine, FATAL);
  machine.tracer?.exit({ success, output, gasLeft: meter.gas, error });
  const caller = machine.callers.pop();
  if (caller === undefined) {
    machine.result = { kind: 'returned', success, output, error };
    return STOPPED;
  }
  machine.frame = caller;
  if (frame.kind === 'create') machine.finishCreation(caller, frame.self, success, output);
  else machine.finishCall(caller, success, output);
  return RUNNING;
}

function failureOf({ failure, frame }: Machine): string {
  return failure === INVALID_OPCODE ? `${failure}: ${opcodeName(frame.code.bytes[frame.pc] ?? 0)}` : failure;
}

function abort(machine: Machine): void {
  machine.result = FATAL_RESULT;
  for (let i = 0; i <= machine.callers.length; i += 1) {
    machine.tracer?.exit({ success: false, output: EMPTY_BYTES, gasLeft: 0, error: FATAL_RESULT.error });
  }
}
