/** The machine without what makes it resumable: nothing is tested for being in memory, and no turn ends. */
import type { SourcePatch } from '../../test/support/sourcePatch.ts';

const patch = (file: string, search: string, replace = ''): SourcePatch => ({
  file: `src/vm/${file}`,
  search,
  replace,
});

export const WITHOUT_MISS_CHECKS: readonly SourcePatch[] = [
  patch('interpreter.ts', 'if (signal === MISSING) {', 'if (false as boolean) {'),
  patch(
    'interpreter.ts',
    `        if (machine.budget <= 0) {
          pc = to;
          break run;
        }
`,
  ),
  patch(
    'interpreter.ts',
    `        if (signal !== RUNNING) break run;
        if (machine.budget <= 0) {
          pc += 1;
          break run;
        }
`,
    '        if (signal !== RUNNING) break run;\n',
  ),
  patch('runMachine.ts', "    if (signal === MISSING) return 'missing';\n"),
  patch(
    'runMachine.ts',
    "    if (endFrame(machine, signal) !== RUNNING) return 'ended';\n    if (machine.budget <= 0) return 'paused';\n",
    "    if (endFrame(machine, signal) !== RUNNING) return 'ended';\n",
  ),
  patch(
    'stateOpcodes.ts',
    '  if (slot < 0) return MISSING;\n  const charge = machine.access.slotRead(slot);',
    '  const charge = machine.access.slotRead(slot);',
  ),
  patch(
    'stateOpcodes.ts',
    '  if (slot < 0) return MISSING;\n  const charge = machine.access.slotWrite(slot, stack, at - LIMBS);',
    '  const charge = machine.access.slotWrite(slot, stack, at - LIMBS);',
  ),
  patch('calls.ts', '  if (target === undefined) return MISSING;\n'),
  patch('calls.ts', '  if (code === undefined) return MISSING;\n'),
];
