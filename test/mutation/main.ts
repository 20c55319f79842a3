/**
 * npm run mutate -- vm [--only <part of a line>]... [--up]
 *
 * Changes every constant of spec execution and native by one, up and down (--up: up alone), in memory, and runs the tests
 * over each change. A line for each: `killed ... by <test>`, `equivalent` with the reason, or SURVIVED. Exit code 1 when one
 * survived.
 */
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf } from './mutants.ts';
import { MutationRunner } from './runner.ts';
import { ALL_SPECS, VM_TARGETS } from './targets.ts';

const PARALLEL = 2;
const USAGE = 'usage: npm run mutate -- vm [--only <part of a line>]... [--up]';

function nameOf({ target, constant, step }: Mutant): string {
  return `${target.file}:${constant.line} ${constant.id} ${constant.text} ${step === 1 ? '+' : '-'} 1`;
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true }, up: { type: 'boolean', default: false } },
  });
  if (positionals.length !== 1 || positionals[0] !== 'vm') {
    console.error(USAGE);
    return 1;
  }
  const { only } = values;
  const queue = VM_TARGETS.flatMap((target) => mutantsOf(target, values.up ? [1] : [1, -1])).filter(
    (mutant) => only === undefined || only.some((part) => nameOf(mutant).includes(part)),
  );
  const runners = Array.from({ length: PARALLEL }, () => new MutationRunner());
  const counts = { killed: 0, survived: 0, equivalent: 0 };
  const work = async (runner: MutationRunner): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { target, constant, step, source } = mutant;
      const reason = target.equivalent?.[`${constant.id}${step === 1 ? '+1' : '-1'}`];
      if (reason !== undefined) {
        counts.equivalent += 1;
        console.log(`equivalent ${nameOf(mutant)}: ${reason}`);
        continue;
      }
      const { killer, problem } = await runner.run({
        stages: [...target.specs.map((spec) => [spec]), ALL_SPECS],
        change: { file: target.file, source },
      });
      counts[killer === undefined ? 'survived' : 'killed'] += 1;
      if (killer !== undefined) console.log(`killed ${nameOf(mutant)} by ${killer}`);
      else console.log(`SURVIVED ${nameOf(mutant)}${problem === undefined ? '' : `: it does not load (${problem})`}`);
    }
  };
  try {
    const unchanged = await runners[0]?.run({ stages: [ALL_SPECS], change: undefined });
    const problem = unchanged?.killer ?? unchanged?.problem;
    if (problem !== undefined) {
      console.error(`without any change there is already: ${problem}`);
      return 1;
    }
    await Promise.all(runners.map(work));
  } finally {
    for (const runner of runners) runner.close();
  }
  console.log(`${counts.equivalent} equivalent, left out`);
  console.log(`${counts.killed} killed, ${counts.survived} survived`);
  return counts.survived === 0 ? 0 : 1;
}

process.exitCode = await main();
