/** The machine under Ethereum's rules against another EVM: pinned seeds, gas that runs out everywhere, and cases kept by `npm run fuzz`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { concatBytes, equalBytes } from '../../src/common/bytes.ts';
import { dryCases, verdictWithSteps } from './gasSteps.ts';
import { shrinkCase } from './shrinkCase.ts';
import { CASE_SENDER, caseFromJson, caseToJson } from './vmCase.ts';
import { aVmCase } from './vmCaseGenerator.ts';
import { vmVerdict } from './vmDifference.ts';

const SEEDS = 300;
/** Programs of which every opcode is starved, and how many runs each may take. */
const STARVED_SEEDS = [10, 21, 27, 98, 144];
const STARVED_RUNS_MAX = 130;
const EDGES_MAX = 20;
const regressions = new URL('regressions/', import.meta.url);

describe('machine against another EVM', function () {
  this.timeout(120_000);

  it(`agrees on ${SEEDS} random transactions`, async () => {
    let failures = 0;
    let successes = 0;
    let refusals = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { difference, outcome } = await vmVerdict(aVmCase(seed));
      assert.equal(difference, undefined, `seed ${seed}: npm run fuzz -- vm --seed ${seed} cuts it down`);
      if (outcome.refused) refusals += 1;
      else if (outcome.success) successes += 1;
      else failures += 1;
    }
    const counts = `${successes} succeed, ${failures} fail, ${refusals} are refused`;
    assert.ok(failures >= SEEDS / 4 && successes >= SEEDS / 4 && refusals > 0, counts);
  });

  for (const seed of STARVED_SEEDS) {
    it(`agrees wherever gas runs out in seed ${seed}`, async () => {
      const vmCase = { ...aVmCase(seed), gasLimit: 3_000_000n };
      const { difference, spent } = await verdictWithSteps(vmCase);
      assert.equal(difference, undefined);
      const { edges, others } = dryCases(vmCase, spent);
      assert.ok(edges.length > 0 && others.length > STARVED_RUNS_MAX, `${edges.length} and ${others.length} limits`);
      const stride = Math.ceil(others.length / STARVED_RUNS_MAX);
      for (const candidate of [...edges.slice(0, EDGES_MAX), ...others.filter((_, i) => i % stride === 0)])
        assert.equal((await vmVerdict(candidate)).difference, undefined, `gas limit ${candidate.gasLimit}`);
    });
  }

  const kept = existsSync(regressions) ? readdirSync(regressions).filter((name) => name.endsWith('.json')) : [];
  for (const name of kept) {
    it(`agrees on ${name}`, async () => {
      const vmCase = caseFromJson(readFileSync(new URL(name, regressions), 'utf8'));
      assert.equal((await vmVerdict(vmCase)).difference, undefined);
    });
  }
});

describe('cases of the comparison', () => {
  it('come back from a file as they were', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const vmCase = aVmCase(seed);
      assert.deepEqual(caseFromJson(caseToJson(vmCase)), vmCase);
    }
  });

  it('depend on the seed alone', () => {
    assert.deepEqual(aVmCase(7), aVmCase(7));
    assert.notDeepEqual(aVmCase(7), aVmCase(8));
  });

  it('are cut down to what fails', async () => {
    const vmCase = aVmCase(3);
    const writes = (bytes: Uint8Array): boolean => bytes.includes(0x55);
    // As if every case failed in which somebody has a program with this byte.
    const smallest = await shrinkCase(vmCase, async ({ accounts }) =>
      accounts.some(({ pieces }) => writes(concatBytes(...pieces))),
    );
    const left = smallest.accounts.filter(({ address }) => !equalBytes(address, CASE_SENDER));
    assert.equal(left.length, 1);
    assert.deepEqual(
      left.map(({ pieces, slots }) => ({ bytes: [...concatBytes(...pieces)], slots })),
      [{ bytes: [0x55], slots: [] }],
    );
    assert.equal(smallest.input.length, 0);
    assert.equal(smallest.type, 0);
  });
});

describe('fuzzing as a command', function () {
  this.timeout(60_000);
  const script = fileURLToPath(new URL('main.ts', import.meta.url));
  const run = (...options: readonly string[]): { status: number | null; output: string } => {
    const { status, stdout } = spawnSync(process.execPath, [script, ...options], { encoding: 'utf8' });
    return { status, output: stdout.trim() };
  };

  it('says which seeds it tried', () => {
    const { status, output } = run('vm', '--seconds', '1', '--seed', '1000');
    assert.equal(status, 0);
    assert.match(output, /^seeds 1000 to 10\d\d: no difference$/);
  });

  it('refuses what it does not know', () => {
    for (const options of [[], ['tree'], ['vm', '--seconds', '0'], ['vm', '--seed', 'x'], ['vm', '--depth', '1']])
      assert.equal(run(...options).status, 1, options.join(' '));
  });
});
