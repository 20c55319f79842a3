/** The marker that says which format of ours a store directory has. It is read before the engine touches anything. */
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError, storeFailure } from './errors.ts';

const MARKER = 'REPRISE_FORMAT';

/** Of keys and values in general; a projection has its own version as well, in its directory's name. */
export const STORE_FORMAT = 1;

/** Marks an empty or new directory, checks any other. Throws STORE_FORMAT and deletes nothing. */
export function claimStoreDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    const found = storeFormatOf(path);
    if (found === `${STORE_FORMAT}`) return;
    if (found !== undefined || readdirSync(path).some((name) => name !== `${MARKER}.new`))
      throw otherFormat(path, found);
    writeFileSync(join(path, `${MARKER}.new`), `${STORE_FORMAT}\n`, { flush: true });
    renameSync(join(path, `${MARKER}.new`), join(path, MARKER));
  } catch (error) {
    throw error instanceof StoreError ? error : storeFailure(path, 'opening', error);
  }
}

/** What the marker of a directory says; undefined: it has none. */
export function storeFormatOf(path: string): string | undefined {
  try {
    return readFileSync(join(path, MARKER), 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function otherFormat(path: string, found: string | undefined): StoreError {
  const what = found === undefined ? 'has no format mark of ours' : `has format ${found}`;
  return new StoreError(
    'fatal',
    'STORE_FORMAT',
    `Failed to deserialize context: the directory ${path} ${what}, this version reads format ${STORE_FORMAT}. Nothing was changed in it. ` +
      'Start with the version that wrote it, or move the directory away (or delete it): the store is then built again from the log.',
    { path, found, expected: STORE_FORMAT },
  );
}
