/**
 * npm run conformance -- <folder> [--leave-out <glob>]...
 *
 * Runs every vector of the folder, prints what failed and a last line with the counts. Exit code 1 when anything failed.
 */
import { parseArgs } from 'node:util';
import { runConformance } from './runner.ts';

const USAGE = 'usage: npm run conformance -- <folder> [--leave-out <glob>]...';

function readArguments(): { readonly folder: string; readonly leaveOut: readonly string[] } | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { 'leave-out': { type: 'string', multiple: true } },
    });
    const [folder, ...rest] = positionals;
    return folder === undefined || rest.length > 0 ? undefined : { folder, leaveOut: values['leave-out'] ?? [] };
  } catch {
    return undefined;
  }
}

const options = readArguments();
if (options === undefined) {
  console.error(USAGE);
  process.exitCode = 1;
} else {
  const { passed, failed } = runConformance({ ...options, print: (line) => console.log(line) });
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
