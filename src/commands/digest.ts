/** `reprise digest`: one hash per store. Two nodes of one chain hold the same exactly when they are equal. */
import { PROJECTION_CHECKPOINT } from '../store/buckets.ts';
import { type StoreDigest, digest } from '../store/digest.ts';
import { chainRanges } from '../store/chainStore.ts';
import { readCheckpoint } from '../projections/checkpoint.ts';
import { enabledProjections, isInClickHouse } from '../projections/index.ts';
import { projectionDirectory } from '../projections/projectionRunner.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { openChain, print } from './offline.ts';

export async function digestStores(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const { config } = configure(options);
  const { chain, store } = await openChain(config);
  const digests: Record<string, StoreDigest & { readonly height: number }> = {};
  try {
    const height = chain.head?.height ?? -1;
    digests['state'] = { ...(await digest(store, { ranges: chainRanges('state') })), height };
    digests['journal'] = { ...(await digest(store, { ranges: chainRanges('journal') })), height };
  } finally {
    await chain.close();
  }
  for (const projection of enabledProjections(config)) {
    if (isInClickHouse(projection)) continue; // in ClickHouse: `reprise verify` compares it
    const projected = await openRocksStore(projectionDirectory(config.generalRocksDbPath, projection));
    try {
      digests[projection.name] = {
        ...(await digest(projected, { exclude: [PROJECTION_CHECKPOINT] })),
        height: (await readCheckpoint(projected))?.height ?? -1,
      };
    } finally {
      await projected.close();
    }
  }
  const lines = Object.entries(digests).map(
    ([name, { keys, hash, height }]) => `${name.padEnd(14)} block ${height}  ${keys} keys  ${hash}`,
  );
  print(options.json, digests, lines.join('\n'));
  return 0;
}
