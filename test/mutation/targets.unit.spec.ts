/** The mutation run is seldom: its list of constants is compared with the sources here. */
import assert from 'node:assert/strict';
import { mutantsOf } from './mutants.ts';
import { VM_TARGETS } from './targets.ts';

describe('mutation targets', () => {
  for (const target of VM_TARGETS) {
    it(`${target.file} has every constant that is named`, () => {
      assert.ok(mutantsOf(target, [1]).length > 0);
    });
  }
});
