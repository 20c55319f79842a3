/** A precompile's answer once all of its work is done, a small part at a time. */
import { INVALID_INPUT, type PrecompileResult } from '../../../src/vm/precompiles/precompile.ts';

const UNITS = 1_000;

export function completed(result: PrecompileResult): Exclude<PrecompileResult, { kind: 'task' }> {
  if (result.kind !== 'task') return result;
  const { task, gas, native } = result;
  for (;;) {
    const output = task.advance(UNITS);
    if (output === INVALID_INPUT) return { kind: 'failure', native };
    if (output !== undefined) return { kind: 'success', output, gas, native };
  }
}
