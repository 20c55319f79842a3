/** A copy of the project in a temporary folder with changed source lines: planted bugs, and builds without a check. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SourcePatch {
  /** Path from the root of the project. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly search: string;
  readonly replace: string;
}

export interface PatchedProject {
  readonly folder: string;
  remove(): void;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Modules of these are copied, as Node resolves a link to where it points and would load the original sources. */
const COPIED = ['package.json', 'src', 'test', 'bench', 'schemas'];
const LINKED = ['node_modules', 'contracts', 'test/fixtures'];

/** The text with the patch in it. Throws unless what it replaces is there exactly once. */
export function patchText(text: string, { file, search, replace }: SourcePatch): string {
  const parts = text.split(search);
  if (parts.length !== 2)
    throw new Error(`${file} has the text of the patch ${parts.length - 1} times instead of once: ${search}`);
  return parts.join(replace);
}

/** Copies the project and patches the copy; the caller removes it. */
export function patchedProject(patches: readonly SourcePatch[]): PatchedProject {
  const folder = mkdtempSync(join(tmpdir(), 'reprise-patched-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const linked = new Set(LINKED.map((path) => join(root, path)));
    for (const path of COPIED)
      cpSync(join(root, path), join(folder, path), { recursive: true, filter: (source) => !linked.has(source) });
    for (const path of LINKED) symlinkSync(join(root, path), join(folder, path));
    for (const patch of patches) {
      const path = join(folder, patch.file);
      writeFileSync(path, patchText(readFileSync(path, 'utf8'), patch));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}
