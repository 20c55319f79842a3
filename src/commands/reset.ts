/** `reprise reset`: deletes the data of the development nodes, unless one of them runs. */
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { allProjections } from '../projections/index.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { chainStorePath } from '../workers/chainSettings.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { DEVELOPMENT_DATA, type ProfileName, developmentDataOf } from './profiles.ts';
import { print } from './offline.ts';

/** What nodes keep in a data folder. */
const NODE_DATA: readonly string[] = [
  ...['node-id', 'chainStore', 'log', 'developmentL1', 'l1', 'crashes', 'blockDumps'],
  ...allProjections.map(({ name }) => name),
];

type RunsIn = Pick<Config, 'nodeRole' | 'generalRocksDbPath'>;
const SHARED_SETTINGS = ['development', 'development-external'] as const satisfies ProfileName[];

export async function reset(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const nodes: RunsIn[] = SHARED_SETTINGS.map((profile) => configure({ ...options, profile }).config);
  // Its settings exclude some that the others may be given; where it lies follows from them.
  if (nodes.some(({ generalRocksDbPath }) => generalRocksDbPath === developmentDataOf('development-external')))
    nodes.push({ nodeRole: 'external', generalRocksDbPath: developmentDataOf('development-external-tcp') });
  for (const node of nodes) await assertNotRunning(node);
  const folders = [...new Set(nodes.map(({ generalRocksDbPath }) => generalRocksDbPath))];
  const deleted = folders.filter(deleteData);
  print(
    options.json,
    { deleted },
    deleted.length === 0
      ? 'nothing to delete'
      : `deleted ${deleted.join(' and ')}: the next npm start begins a new chain`,
  );
  return 0;
}

/** Returns whether there was anything. A folder that the configuration names may hold what is not ours: that stays. */
function deleteData(folder: string): boolean {
  if (!existsSync(folder)) return false;
  if (DEVELOPMENT_DATA.includes(folder)) {
    rmSync(folder, { recursive: true, force: true });
    return true;
  }
  const found = NODE_DATA.map((name) => join(folder, name)).filter((path) => existsSync(path));
  for (const path of found) rmSync(path, { recursive: true, force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  return found.length > 0;
}

/** The lock of the chain store says whether a node runs. */
async function assertNotRunning(config: RunsIn): Promise<void> {
  const path = chainStorePath(config);
  if (!existsSync(path)) return;
  try {
    await (await openRocksStore(path)).close();
  } catch (error) {
    if (error instanceof NodeError && error.code === 'STORE_LOCKED') {
      throw new NodeError(
        'fatal',
        `the ${config.nodeRole} node is running: stop it first (Ctrl-C), then reset`,
        { code: 'NODE_RUNS', path },
        { cause: error },
      );
    }
    // Damaged or of another format: all the more reason to reset.
  }
}
