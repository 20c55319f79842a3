/**
 * npm run mutate -- vm [--only <file or id>] [--quick]
 *
 * Changes every constant of spec execution and native by one, up and down (up alone with --quick), in a copy of the
 * sources, and runs the tests over it. A line for each: `killed by <test>` or SURVIVED. Exit code 1 when one survived.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Constant, constantsOf, mutated } from './constants.ts';
import { runMutant, runSpecs, type Tree } from './runMutant.ts';
import { ALL_SPECS, type Target, VM_TARGETS } from './targets.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PARALLEL = 2;

interface Mutant {
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

function mutantsOf(target: Target, steps: readonly (1 | -1)[]): Mutant[] {
  const source = readFileSync(join(ROOT, target.file), 'utf8');
  const constants = constantsOf(source, target.file);
  for (const name of [...(target.constants ?? []), ...Object.keys(target.except ?? {})]) {
    const isThere = constants.some(({ id, scope }) => id === name || scope === name || scope.endsWith(`.${name}`));
    if (!isThere) throw new Error(`test/mutation/targets.ts names ${name}, which ${target.file} does not have`);
  }
  return constants
    .filter((constant) => isChosen(target, constant))
    .flatMap((constant) => steps.map((step) => ({ target, constant, step, source: mutated(source, constant, step) })));
}

/** A copy of what the tests need. The packages are only read. */
function copyTree(folder: string): string {
  for (const name of ['src', 'test', 'contracts', 'docs', 'schemas', 'package.json', 'tsconfig.json', '.mocharc.json'])
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function nameOf({ target, constant, step }: Mutant): string {
  return `${target.file}:${constant.line} ${constant.id} ${constant.text} ${step === 1 ? '+' : '-'} 1`;
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  if (positionals.length !== 1 || positionals[0] !== 'vm') {
    console.error('usage: npm run mutate -- vm [--only <file or id>] [--quick]');
    return 1;
  }
  const { only, quick } = values;
  const mutants = VM_TARGETS.flatMap((target) => mutantsOf(target, quick ? [1] : [1, -1])).filter(
    (mutant) => only === undefined || nameOf(mutant).includes(only),
  );
  const temporary = mkdtempSync(join(tmpdir(), 'reprise-mutate-'));
  try {
    const trees: Tree[] = Array.from({ length: PARALLEL }, (_, i) => ({
      folder: copyTree(join(temporary, `tree${i}`)),
      cacheFolder: join(temporary, 'cache'),
    }));
    const unchanged = await runSpecs(trees[0]!, ALL_SPECS);
    if (unchanged !== undefined) {
      console.error(`without any change there is already ${unchanged}`);
      return 1;
    }
    let killed = 0;
    let survived = 0;
    const queue = [...mutants];
    const work = async (tree: Tree): Promise<void> => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const { target, constant, step, source } = mutant;
        const reason = target.equivalent?.[`${constant.id}${step === 1 ? '+1' : '-1'}`];
        if (reason !== undefined) {
          console.log(`equivalent ${nameOf(mutant)}: ${reason}`);
          continue;
        }
        const original = readFileSync(join(ROOT, target.file), 'utf8');
        const stages = [target.specs, ALL_SPECS];
        const killer = await runMutant(tree, { file: target.file, source, original }, stages);
        if (killer === undefined) survived += 1;
        else killed += 1;
        console.log(
          `${killer === undefined ? 'SURVIVED' : 'killed'} ${nameOf(mutant)}${killer === undefined ? '' : ` by ${killer}`}`,
        );
      }
    };
    await Promise.all(trees.map(work));
    console.log(`${killed} killed, ${survived} survived`);
    return survived === 0 ? 0 : 1;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

process.exitCode = await main();
