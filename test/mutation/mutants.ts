/** The mutants of a target: each of its constants by one, up and down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Constant, constantsOf, mutated } from './constants.ts';
import type { Target } from './targets.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Mutant {
  readonly target: Target;
  readonly constant: Constant;
  readonly step: 1 | -1;
  readonly source: string;
}

function isChosen({ constants, except = {} }: Target, { id, scope }: Constant): boolean {
  if (Object.hasOwn(except, id)) return false;
  if (constants === undefined) return true;
  const column = scope.slice(scope.lastIndexOf('.') + 1);
  return constants.includes(id) || constants.includes(scope) || constants.includes(column);
}

/** Throws when the target names what its file does not have. */
export function mutantsOf(target: Target, steps: readonly (1 | -1)[]): Mutant[] {
  const source = readFileSync(join(ROOT, target.file), 'utf8');
  const constants = constantsOf(source, target.file);
  const equivalents = Object.keys(target.equivalent ?? {}).map((key) => key.slice(0, -2));
  for (const name of [...(target.constants ?? []), ...Object.keys(target.except ?? {}), ...equivalents]) {
    const isThere = constants.some(({ id, scope }) => id === name || scope === name || scope.endsWith(`.${name}`));
    if (!isThere) throw new Error(`test/mutation/targets.ts names ${name}, which ${target.file} does not have`);
  }
  return constants
    .filter((constant) => isChosen(target, constant))
    .flatMap((constant) => steps.map((step) => ({ target, constant, step, source: mutated(source, constant, step) })));
}
