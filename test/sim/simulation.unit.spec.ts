/** The deterministic simulation: 200 seeds, each twice; crash points; every subset of the stores rebuilt. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RealTimeLeak, withoutRealTime } from './realTime.ts';
import { type Task, type TaskReport, runTasks } from './seedJobs.ts';
import { scenario } from './scenario.ts';
import { simulate } from './simulate.ts';

const SEEDS = 200;
const CRASH_POINTS = 16;

async function failuresOf(tasks: readonly Task[]): Promise<{ failures: string[]; reports: TaskReport[] }> {
  const reports: TaskReport[] = [];
  await runTasks({ tasks, threads: 2, onReport: (report) => reports.push(report) > 0 });
  const failures = reports
    .filter(({ invariant }) => invariant !== undefined)
    .map(
      ({ task, detail, last }) =>
        `seed ${task.seed}, crash point ${task.crashAt}: ${detail}\n${last.slice(-40).join('\n')}`,
    );
  return { failures, reports };
}

describe('simulation', () => {
  it(`keeps every promise in ${SEEDS} seeds, and plays each the same twice`, async function () {
    this.timeout(900_000);
    const tasks = Array.from({ length: SEEDS }, (_, i) => ({ seed: i + 1, isRepeated: true }));
    const { failures, reports } = await failuresOf(tasks);
    assert.deepEqual(failures, []);
    assert.equal(reports.length, SEEDS);
    assert.equal(new Set(reports.map(({ auditHash }) => auditHash)).size, SEEDS, 'every seed is another run');
    const sum = (of: (report: TaskReport) => number): number => reports.reduce((all, report) => all + of(report), 0);
    assert.ok(sum(({ facts }) => facts.blocks) > 10 * SEEDS);
    assert.ok(sum(({ facts }) => facts.epochs) > 4 * SEEDS);
    assert.ok(sum(({ facts }) => facts.lives) > 4 * SEEDS);
  });

  it('loses nothing wherever the main node is killed', async function () {
    this.timeout(300_000);
    const { facts } = await simulate({ seed: 3, isQuiet: true });
    const tasks = Array.from({ length: CRASH_POINTS }, (_, i) => ({
      seed: 3,
      isQuiet: true,
      crashAt: 1 + Math.floor((i * facts.durableSteps) / CRASH_POINTS),
      isRepeated: false,
    }));
    assert.ok(facts.durableSteps > CRASH_POINTS);
    const { failures, reports } = await failuresOf(tasks);
    assert.deepEqual(failures, []);
    assert.ok(
      reports.every((report) => report.facts.lives > facts.lives),
      'each of them was killed',
    );
  });

  it(
    'rebuilds every subset of deleted stores to the same bytes',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const x = chain.machine('X', { role: 'external' });
      chain.boot(x);
      for (const signer of [0, 1, 2]) {
        await chain.ask(a, signer);
        await chain.run(2_500);
      }
      await chain.until('X has all', () => chain.isSettled(a) && chain.isSettled(x));
      const paths = x.disk.paths.sort();
      const expected = chain.digests(x);
      assert.equal(paths.length, 5);
      for (let subset = 1; subset < 2 ** paths.length; subset++) {
        chain.kill(x);
        const deleted = paths.filter((_, index) => (subset & (1 << index)) !== 0);
        for (const path of deleted) x.disk.delete(path);
        chain.boot(x);
        await chain.until(`${deleted.join()} are there again`, () => chain.isSettled(x));
        assert.deepEqual(chain.digests(x), expected, deleted.join());
      }
    }),
  );

  it('finds out code that uses real time', async () => {
    assert.equal(await withoutRealTime(async () => performance.now()), 0);
    for (const use of [() => Date.now(), () => Math.random(), () => setTimeout(() => undefined, 0)])
      await assert.rejects(
        withoutRealTime(async () => use(), '/test/sim/'),
        RealTimeLeak,
      );
    assert.notEqual(performance.now(), 0);
  });
});
