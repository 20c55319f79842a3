/** The deterministic simulation from the command line: `npm run sim -- --seeds 200`. */
import { parseArgs } from 'node:util';
import { type Task, type TaskReport, runTasks } from './seedJobs.ts';
import { simulate } from './simulate.ts';

const USAGE = `usage: npm run sim -- [--seeds N] [--seed S] [--verbose] [--jobs J]
       npm run sim -- --crash-points [--points N] [--seeds N] [--seed S]

  --seeds N       so many runs, from seed S on (default 200; crash points: 25)
  --seed S        first seed (default 1)
  --verbose       every event, in one thread
  --crash-points  kills the main node at its durable steps, one run for each
  --points N      so many steps of each seed, evenly spread over all of them (default 60; 0: every one)
  --until-failure stops at the first failing seed
  --once          plays a seed once instead of twice
  --jobs J        threads (default 2)
`;
const EVENTS_SHOWN = 40;

interface Options {
  readonly seeds: number;
  readonly seed: number;
  readonly points: number | undefined;
  readonly jobs: number;
  readonly isVerbose: boolean;
  readonly isUntilFailure: boolean;
  readonly isRepeated: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      points: { type: 'string', default: '60' },
      jobs: { type: 'string', default: '2' },
      verbose: { type: 'boolean', default: false },
      'crash-points': { type: 'boolean', default: false },
      'until-failure': { type: 'boolean', default: false },
      once: { type: 'boolean', default: false },
    },
  });
  const isCrashing = values['crash-points'];
  const number = (name: string, text: string, least: number): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new RangeError(`--${name} ${text} is not a number from ${least} on`);
    return value;
  };
  return {
    seeds: number('seeds', values.seeds ?? (isCrashing ? '25' : '200'), 1),
    seed: number('seed', values.seed, 0),
    points: isCrashing ? number('points', values.points, 0) : undefined,
    jobs: number('jobs', values.jobs, 1),
    isVerbose: values.verbose,
    isUntilFailure: values['until-failure'],
    isRepeated: !values.once,
  };
}

function nameOf({ seed, crashAt }: Task): string {
  return crashAt === undefined ? `seed ${seed}` : `seed ${seed} crash point ${crashAt}`;
}

function tellFailure({ task, invariant, detail, last }: TaskReport): void {
  console.log(`FAILED ${nameOf(task)} by invariant: ${invariant}`);
  console.log(`  ${detail}`);
  for (const line of last.slice(-EVENTS_SHOWN)) console.log(`    ${line}`);
  const point = task.crashAt === undefined ? '' : ` --crash-points`;
  console.log(`  again: npm run sim -- --seed ${task.seed} --seeds 1${point}${point === '' ? ' --verbose' : ''}`);
}

/** The tasks of every seed: itself, or its crash points, for which it is first played without a crash. */
async function tasksOf({ seed, seeds, points, isRepeated }: Options): Promise<Task[]> {
  const tasks: Task[] = [];
  for (let each = seed; each < seed + seeds; each++) {
    if (points === undefined) {
      tasks.push({ seed: each, isRepeated });
      continue;
    }
    const { facts } = await simulate({ seed: each, isQuiet: true });
    const steps = facts.durableSteps;
    const count = points === 0 ? steps : Math.min(points, steps);
    for (let i = 0; i < count; i++)
      tasks.push({ seed: each, isQuiet: true, crashAt: 1 + Math.floor((i * steps) / count), isRepeated: false });
  }
  return tasks;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 1;
  }
  const { seed, seeds, jobs, isVerbose, isUntilFailure, points } = options;
  if (isVerbose) for (let each = seed; each < seed + seeds; each++) await simulate({ seed: each, print: console.log });
  const tasks = await tasksOf(options);
  const sum = { passed: 0, failed: 0, blocks: 0, epochs: 0, entries: 0, lives: 0 };
  await runTasks({
    tasks,
    threads: jobs,
    onReport: (report) => {
      const { blocks, epochs, entries, lives } = report.facts;
      sum.blocks += blocks;
      sum.epochs += epochs;
      sum.entries += entries;
      sum.lives += lives;
      if (report.invariant === undefined) sum.passed += 1;
      else {
        sum.failed += 1;
        tellFailure(report);
      }
      return !isUntilFailure || report.invariant === undefined;
    },
  });
  if (points !== undefined) console.log(`${tasks.length} crash points of ${seeds} seeds`);
  console.log(`${sum.blocks} blocks, ${sum.epochs} epochs, ${sum.entries} log entries, ${sum.lives} lives of nodes`);
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  return sum.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
