/** Which files a run of a public suite covers, and what they are called in its output. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';

export interface SuiteFile {
  readonly path: string;
  /** Behind the folder that was asked for. */
  readonly name: string;
}

/** What the command line asks for; undefined when that is nothing or not there, which is told. */
export function askedFiles(paths: readonly string[], usage: string): SuiteFile[] | undefined {
  const absent = paths.find((path) => !existsSync(path));
  if (paths.length > 0 && absent === undefined) return suiteFiles(paths);
  console.error(absent === undefined ? usage : `there is no file or folder ${absent}\n${usage}`);
  process.exitCode = 1;
  return undefined;
}

/** The JSON files of these files and folders, each once, in the order of their names. */
export function suiteFiles(paths: readonly string[]): SuiteFile[] {
  const files = new Map<string, SuiteFile>();
  for (const path of paths) {
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
