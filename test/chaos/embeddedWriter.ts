/**
 * Appends to an embedded log as fast as it can, until it is killed or the log takes no more. Forked by the drills; sends the
 * log's end after each acknowledged append, and at an error its code.
 */
import { rmSync } from 'node:fs';
import { NodeError } from '../../src/common/errors.ts';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import { entryAt, readPrefix } from './embeddedEntries.ts';

export interface WriterSettings {
  readonly path: string;
  readonly seed: number;
  readonly blockBytesMax: number;
  /** A file to delete when the disk is full; then the log is opened anew, checked and appended to. */
  readonly ballast?: string;
}

export type WriterMessage =
  | { readonly kind: 'acknowledged'; readonly end: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  /** After the ballast was dropped. */
  | { readonly kind: 'continued'; readonly endFound: number; readonly end: number };

function tell(message: WriterMessage): void {
  process.send?.(message);
}

async function write(settings: WriterSettings, appends: number): Promise<{ endFound: number; end: number }> {
  const { path, seed, blockBytesMax } = settings;
  const log = openEmbeddedLog({ path });
  const endFound = await log.end();
  try {
    if (endFound > 0) await readPrefix(log, seed, blockBytesMax);
    let end = endFound;
    for (let i = 0; i < appends; i++) {
      // One to three entries per commit.
      const count = 1 + (end % 3);
      await log.append(Array.from({ length: count }, (_, next) => entryAt(end + next, seed, blockBytesMax)));
      end += count;
      tell({ kind: 'acknowledged', end });
      await new Promise(setImmediate);
    }
    return { endFound, end };
  } finally {
    await log.close().catch(() => undefined);
  }
}

const [argument] = process.argv.slice(2);
if (argument === undefined || process.send === undefined) throw new Error('forked by a drill, with settings as JSON');
const settings = JSON.parse(argument) as WriterSettings;
process.once('disconnect', () => process.exit(1));
try {
  await write(settings, Infinity);
} catch (error) {
  if (!(error instanceof NodeError)) throw error;
  tell({ kind: 'failed', code: error.code, message: error.message });
  if (settings.ballast !== undefined) {
    rmSync(settings.ballast);
    tell({ kind: 'continued', ...(await write(settings, 3)) });
  }
}
process.disconnect?.();
