/** `reprise reset`: deletes the data of the development nodes, unless one of them runs. */
import { existsSync, rmSync } from 'node:fs';
import { NodeError } from '../common/errors.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { openEmbeddedLog } from '../log/eventLog.embedded.ts';
import { DEVELOPMENT_DATA } from './profiles.ts';
import { print } from './offline.ts';

export async function reset(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const { config } = configure({ ...options, profile: 'development' });
  const folders = DEVELOPMENT_DATA.filter((folder) => existsSync(folder));
  if (existsSync(config.eventLogPath)) await assertNotRunning(config.eventLogPath);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  print(
    options.json,
    { deleted: folders },
    folders.length === 0
      ? 'nothing to delete'
      : `deleted ${folders.join(' and ')}: the next npm start begins a new chain`,
  );
  return 0;
}

/** The writer's lock of the log says whether a main node runs. */
async function assertNotRunning(path: string): Promise<void> {
  try {
    await openEmbeddedLog({ path }).close();
  } catch (error) {
    if (error instanceof NodeError && error.code === 'LOG_LOCKED') {
      throw new NodeError(
        'fatal',
        'the main node is running: stop it first (Ctrl-C), then reset',
        { code: 'NODE_RUNS' },
        { cause: error },
      );
    }
    // Damaged or of another format: all the more reason to reset.
  }
}
