/** Scenarios T16 and T17 of log-protocol 14: blocks go on when faults stop, and on a slow log. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { seededRandom } from '../support/logEntries.ts';
import { scenario } from './scenario.ts';
import { simulate } from './simulate.ts';
import { plainDeposit } from './workload.ts';

const RUNS = 12;

describe('log protocol scenarios: progress', () => {
  for (const landing of ['lost', 'landed'] as const)
    it(`T16: faults stop in any state of a random run, all in flight is ${landing}: a block after at most (in flight) + 1 claims`, async function () {
      this.timeout(120_000);
      for (let seed = 1; seed <= RUNS; seed++) {
        const faultsMs = 4_000 + ((seed * 1_613) % 18_000);
        const { violation, last } = await simulate({ seed, faultsMs, landing, mainNodes: 1 });
        assert.equal(violation, undefined, `seed ${seed}: ${last.slice(-40).join('\n')}`);
      }
    });

  it(
    'T17: appends take 2 to 5 s, reads lag 1 to 3 s, two nodes, 180 s: at most 5 epochs, no gap between blocks above 30 s',
    scenario(async (chain) => {
      const [a, b] = await chain.begin(['A', 'B']);
      assert.ok(a?.node && b?.node);
      const draw = seededRandom(17);
      const between = (low: number, high: number): number => low + Math.floor(draw() * (high - low));
      chain.fateOf = () => {
        const ms = between(2_000, 5_000);
        return { copies: [ms], ack: ms };
      };
      const epochs = chain.audit.epochs;
      const endMs = chain.time.now + 180_000;
      let height = chain.audit.height;
      let blockAtMs = chain.time.now;
      let longestMs = 0;
      for (let i = 0; chain.time.now < endMs; i++) {
        chain.l1.mineThese([plainDeposit(i)]);
        for (const { view } of [a.node, b.node]) view.readLagMs = between(1_000, 3_000);
        const nextMs = chain.time.now + 1_000;
        while (await chain.runUntil(() => chain.audit.height > height, nextMs - chain.time.now)) {
          longestMs = Math.max(longestMs, chain.time.now - blockAtMs);
          height = chain.audit.height;
          blockAtMs = chain.time.now;
        }
      }
      longestMs = Math.max(longestMs, chain.time.now - blockAtMs);
      assert.ok(chain.audit.epochs - epochs <= 5, `${chain.audit.epochs - epochs} epochs`);
      assert.ok(longestMs <= 30_000, `${longestMs} ms without a block`);
      assert.ok(chain.audit.height > 10);
    }),
  );
});
