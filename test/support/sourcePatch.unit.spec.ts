import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LIMBS } from '../../src/vm/words.ts';
import { patchedProject, patchText } from './sourcePatch.ts';

describe('patched sources', () => {
  it('load beside the original ones', async () => {
    const patch = { file: 'src/vm/words.ts', search: 'export const LIMBS = 8;', replace: 'export const LIMBS = 9;' };
    const project = patchedProject([patch]);
    try {
      const path = join(project.folder, 'src/vm/words.ts');
      const patched = (await import(pathToFileURL(path).href)) as { LIMBS: number };
      assert.deepEqual([LIMBS, patched.LIMBS], [8, 9]);
      const original = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
      assert.equal(readFileSync(join(project.folder, 'src/vm/frame.ts'), 'utf8'), original('src/vm/frame.ts'));
      assert.ok(existsSync(join(project.folder, 'test/fixtures/vectors')));
    } finally {
      project.remove();
    }
    assert.equal(existsSync(project.folder), false);
  });

  it('refuse a patch whose text is not there exactly once', () => {
    for (const search of ['xyz', 'a'])
      assert.throws(() => patchText('a b a', { file: 'some.ts', search, replace: '' }), /some\.ts has the text/);
    assert.equal(patchText('a b a', { file: 'some.ts', search: 'b', replace: '$&c' }), 'a $&c a');
  });
});
