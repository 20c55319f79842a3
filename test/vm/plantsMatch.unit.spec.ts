/** Patches of sources that are applied elsewhere, or seldom: their texts are still there. */
import { readFileSync } from 'node:fs';
import { WITHOUT_MISS_CHECKS } from '../../bench/vm/missChecks.ts';
import { patchText } from '../support/sourcePatch.ts';
import { ROLLBACK_PLANTS } from './builderReplayer/rollbackPlants.ts';

describe('patches of the virtual machine', () => {
  for (const [name, patches] of [
    ['without miss checks', WITHOUT_MISS_CHECKS],
    ['planted rollback bugs', ROLLBACK_PLANTS],
  ] as const) {
    it(`${name}: each matches once`, () => {
      for (const patch of patches)
        patchText(readFileSync(new URL(`../../${patch.file}`, import.meta.url), 'utf8'), patch);
    });
  }
});
