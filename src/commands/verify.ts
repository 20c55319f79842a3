/** `reprise verify <name>`: builds a projection aside and compares every key and value; the state tree is walked as well. */
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { enabledProjections, merkleTree } from '../projections/index.ts';
import { checkMerkleTree } from '../projections/merkleTreeCheck.ts';
import { projectionDirectory } from '../projections/projectionRunner.ts';
import { verifyProjection } from '../projections/rebuild.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, openChain, print, progressOf, projectionOf, runnerOptions } from './offline.ts';

export async function verify(options: GlobalOptions & { readonly json: boolean }, name: string): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const chosen = name === 'all' ? enabledProjections(config) : [projectionOf(name)];
  const { chain } = await openChain(config);
  let different = 0;
  try {
    for (const projection of chosen) {
      const progress = progressOf(`verifying ${projection.name}`, 'entries', options.json);
      const result = await verifyProjection(runnerOptions(config, chain, projection, progress), signal);
      progress.stop();
      const damage =
        projection === merkleTree ? await treeDamage(config, result.height, options.json, signal) : undefined;
      const isGood = result.isEqual && damage === undefined;
      if (!isGood) different += 1;
      const verdict = isGood ? 'equal' : `DIFFERENT: rebuild it with \`reprise rebuild ${projection.name}\``;
      print(
        options.json,
        { projection: projection.name, ...result, ...(damage !== undefined && { damage }) },
        `${projection.name} at block ${result.height}: ${result.live.keys} keys, ${verdict}${damage === undefined ? '' : `\n  ${damage}`}`,
      );
    }
  } finally {
    await chain.close();
  }
  return different === 0 ? 0 : 1;
}

/** The first thing wrong with the stored state tree; undefined: it is consistent. */
async function treeDamage(
  config: Config,
  height: number,
  json: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (height < 0) return undefined;
  const store = await openRocksStore(projectionDirectory(config.generalRocksDbPath, merkleTree));
  const progress = progressOf('checking merkleTree', 'leaves', json);
  try {
    await checkMerkleTree(store, height, { signal, progress: (done, total) => progress.update(done, total) });
    return undefined;
  } catch (error) {
    if (error instanceof NodeError && error.code === 'STORE_DAMAGED') return error.message;
    throw error;
  } finally {
    progress.stop();
    await store.close();
  }
}
