/** Which files a run of a public suite covers, and what they are called in its output. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';

export interface SuiteFile {
  readonly path: string;
  /** Behind the folder that was asked for. */
  readonly name: string;
}

/** The JSON files of these files and folders, each once, in the order of their names. Throws for what does not exist. */
export function suiteFiles(paths: readonly string[]): SuiteFile[] {
  const files = new Map<string, SuiteFile>();
  for (const path of paths) {
    if (!existsSync(path)) throw new Error(`there is no file or folder ${path}`);
    if (!statSync(path).isDirectory()) {
      files.set(path, { path, name: basename(path) });
      continue;
    }
    for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()) {
      if (name.endsWith('.json'))
        files.set(join(path, name), { path: join(path, name), name: name.replaceAll(sep, '/') });
    }
  }
  return [...files.values()];
}
