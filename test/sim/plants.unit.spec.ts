/** Every planted bug is found by the simulation, scanning from seed 1 (log-protocol 15). */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { OWN_PLANTS, PLANTS, type PlantResult, RULE_PLANTS, findPlants } from './plants.ts';

const RULES_OF_BLOCKS = 12;

describe('planted bugs', () => {
  it('are found by the simulation within 200 seeds', async function () {
    this.timeout(900_000);
    const results: PlantResult[] = [];
    await findPlants({ plants: PLANTS, jobs: 2, onResult: (result) => results.push(result) });
    const missed = results.filter(({ seed }) => seed === undefined).map(({ name, output }) => `${name}\n${output}`);
    assert.deepEqual(missed, []);
    assert.equal(results.length, PLANTS.length);
    assert.equal(RULE_PLANTS.length, RULES_OF_BLOCKS);
    assert.ok(OWN_PLANTS.length >= 6);
  });
});
