/** Hands a tracer the opcodes of a machine, each once: an opcode that missed a key runs again and is not told again. */
import type { Bytes } from '../common/bytes.ts';
import type { Frame } from './frame.ts';
import type { Machine } from './machine.ts';
import { OPCODE_GAS } from './opcodes.ts';
import { FAILED } from './signals.ts';
import type { Signal } from './signals.ts';
import type { TracedStep, Tracer } from './tracer.ts';
import { LIMBS, readBigInt } from './words.ts';

export class StepTracing implements TracedStep {
  readonly #machine: Machine;
  readonly #tracer: Tracer;
  /** Of the newest step. Two steps in a row are never at one place: a jump leads to a JUMPDEST. */
  #frame: Frame | undefined;
  pc = -1;
  opcode = 0;
  gas = 0;

  constructor(machine: Machine, tracer: Tracer) {
    this.#machine = machine;
    this.#tracer = tracer;
  }

  get depth(): number {
    return this.#machine.callers.length + 1;
  }

  get self(): Bytes {
    return this.#machine.frame.self.address;
  }

  get stackSize(): number {
    const { frame } = this.#machine;
    return (frame.sp - frame.stackBase) / LIMBS;
  }

  stackItem(fromTop: number): bigint {
    return readBigInt(this.#machine.stack, this.#machine.frame.sp - (fromTop + 1) * LIMBS);
  }

  get memory(): Bytes {
    const { frame, memory } = this.#machine;
    return memory.subarray(frame.memoryBase, frame.memoryBase + frame.memorySize);
  }

  get returnData(): Bytes {
    return this.#machine.frame.returnData;
  }

  /** The opcode at the frame's pc, everything written back; `gas` is what the frame had before it. */
  before(opcode: number, gas: number): void {
    const { frame } = this.#machine;
    if (frame === this.#frame && frame.pc === this.pc) return;
    this.#frame = frame;
    this.pc = frame.pc;
    this.opcode = opcode;
    this.gas = gas;
    this.#machine.budget -= this.#tracer.step?.(this) ?? 0;
  }

  /** A frame was left: tells the opcode that could not even pay its first charge. */
  left(frame: Frame, signal: Signal): void {
    const opcode = frame.code.bytes[frame.pc];
    if (opcode === undefined) return;
    // Gas is charged after native, and was short if anything was.
    this.before(opcode, this.#machine.meter.gas + (signal === FAILED ? OPCODE_GAS[opcode]! : 0)); // one entry for each byte
  }
}
