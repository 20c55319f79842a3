/** `reprise verify <name>`: builds a projection aside and compares every key and value. */
import { projections } from '../projections/index.ts';
import { verifyProjection } from '../projections/rebuild.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption, openChain, print, progressOf, projectionOf, runnerOptions } from './offline.ts';

export async function verify(options: GlobalOptions & { readonly json: boolean }, name: string): Promise<number> {
  const { config } = configure(options);
  const signal = interruption();
  const chosen = name === 'all' ? projections : [projectionOf(name)];
  const { chain } = await openChain(config);
  let different = 0;
  try {
    for (const projection of chosen) {
      const progress = progressOf(`verifying ${projection.name}`, 'entries', options.json);
      const result = await verifyProjection(runnerOptions(config, chain, projection, progress), signal);
      progress.stop();
      if (!result.isEqual) different += 1;
      const verdict = result.isEqual ? 'equal' : `DIFFERENT: rebuild it with \`reprise rebuild ${projection.name}\``;
      print(
        options.json,
        { projection: projection.name, ...result },
        `${projection.name} at block ${result.height}: ${result.live.keys} keys, ${verdict}`,
      );
    }
  } finally {
    await chain.close();
  }
  return different === 0 ? 0 : 1;
}
