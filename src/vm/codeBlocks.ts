/**
 * Straight runs of opcodes with what they charge and need in sum, so that the interpreter checks gas, native and the stack
 * once per run instead of once per opcode. A run is looked at when it is first entered, so what is looked at was paid for: a
 * run has a greatest length, and code that jumps into the middle of one begins another. The `!` behind an index states that
 * typed arrays are read inside their bounds.
 */
import type { Bytes } from '../common/bytes.ts';
import {
  ENDS_BLOCK,
  OPCODE_GAS,
  OPCODE_NATIVE,
  PUSH1,
  PUSH32,
  STACK_CHANGE,
  STACK_LIMBS_MAX,
  STACK_NEEDED,
  STACK_RANGE,
} from './opcodes.ts';

const INITIAL_CAPACITY = 16;
const BLOCK_OPCODES_MAX = 64;
/** As many as the index can name. Code longer than any deployed has more: they share a place, filled at each entry. */
const BLOCKS_KEPT_MAX = 0xffff;

export class CodeBlocks {
  readonly #code: Bytes;
  /** By position in the code: number of the run that begins there, plus 1. */
  readonly index: Uint16Array;
  /** Columns of the runs. Sums of first charges: */
  gas = new Int32Array(INITIAL_CAPACITY);
  native = new Int32Array(INITIAL_CAPACITY);
  /** Limbs that must be on the stack, and that may be there beyond those; negative: no stack is right. */
  needed = new Int32Array(INITIAL_CAPACITY);
  range = new Int32Array(INITIAL_CAPACITY);
  /** Position behind the run. */
  end = new Int32Array(INITIAL_CAPACITY);
  #size = 0;

  /** @param code with the zero bytes behind it */
  constructor(code: Bytes) {
    this.#code = code;
    this.index = new Uint16Array(code.length);
  }

  /** The run that begins at `start`, an opcode. */
  at(start: number): number {
    const known = this.index[start]!;
    return known === 0 ? this.#add(start) : known - 1;
  }

  #add(start: number): number {
    const code = this.#code;
    let gas = 0;
    let native = 0;
    let needed = 0;
    let height = 0;
    let highest = 0;
    let position = start;
    for (let length = 1; ; length += 1) {
      const opcode = code[position]!;
      gas += OPCODE_GAS[opcode]!;
      native += OPCODE_NATIVE[opcode]!;
      const pops = STACK_NEEDED[opcode]!;
      if (pops - height > needed) needed = pops - height;
      // The table of ranges says how high the stack gets beyond what the opcode takes off.
      const top = height - pops + STACK_LIMBS_MAX - STACK_RANGE[opcode]!;
      if (top > highest) highest = top;
      height += STACK_CHANGE[opcode]!;
      position += nextOffset(opcode);
      if (ENDS_BLOCK[opcode] === 1 || length === BLOCK_OPCODES_MAX) break;
    }
    if (this.#size === this.gas.length) this.#grow();
    const block = this.#size;
    if (block < BLOCKS_KEPT_MAX) {
      this.#size += 1;
      this.index[start] = block + 1;
    }
    this.gas[block] = gas;
    this.native[block] = native;
    this.needed[block] = needed;
    this.range[block] = STACK_LIMBS_MAX - needed - highest;
    this.end[block] = position;
    return block;
  }

  /** What the opcodes from `start` to `end` charge first, to be taken back: gas and native. */
  static charges(code: Bytes, start: number, end: number): { readonly gas: number; readonly native: number } {
    let gas = 0;
    let native = 0;
    for (let position = start; position < end;) {
      const opcode = code[position]!;
      gas += OPCODE_GAS[opcode]!;
      native += OPCODE_NATIVE[opcode]!;
      position += nextOffset(opcode);
    }
    return { gas, native };
  }

  #grow(): void {
    const grown = (column: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(column.length * 2);
      copy.set(column);
      return copy;
    };
    this.gas = grown(this.gas);
    this.native = grown(this.native);
    this.needed = grown(this.needed);
    this.range = grown(this.range);
    this.end = grown(this.end);
  }
}

/** Bytes from an opcode to the next one. */
function nextOffset(opcode: number): number {
  return opcode >= PUSH1 && opcode <= PUSH32 ? opcode - PUSH1 + 2 : 1;
}
