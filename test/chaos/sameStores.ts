/** Do two stopped nodes of one log hold the same? */
import assert from 'node:assert/strict';
import type { LogWatcher } from '../support/logWatcher.ts';
import { type NodeProcess, rpc, runCommand, until } from '../support/nodeProcess.ts';

type Env = Readonly<Record<string, string>>;

/** Waits until every block is in a batch, which is the last thing in the log, and all of these nodes have read it. */
export async function whenAllRead(
  watcher: LogWatcher,
  nodes: readonly NodeProcess[],
  timeoutMs: number,
): Promise<void> {
  await until(
    'everything is in a batch and read by all',
    async () => {
      const seal = watcher.entries.findLast(({ entry }) => entry?.kind === 'BatchSealed')?.entry;
      if (seal?.kind !== 'BatchSealed' || seal.lastBlock !== BigInt(watcher.height)) return undefined;
      for (const node of nodes) {
        const height = Number(await rpc<string>(node.rpcUrl, 'eth_blockNumber'));
        const { sealed } = (await node.status())['batches'] as { readonly sealed: number }; // of rpc/status.ts
        if (height !== watcher.height || sealed !== Number(seal.batch)) return undefined;
      }
      return true;
    },
    timeoutMs,
  );
}

/** Of all stores of a stopped node, as `reprise digest` prints it. */
export async function digestOf(env: Env): Promise<string> {
  const { code, stdout, stderr } = await runCommand(['digest', '--json'], env);
  assert.equal(code, 0, stderr);
  return stdout;
}

/**
 * State and journal are equal, key by key, and so are the projections; one whose node stopped before it had applied the newest
 * entries is what the journal gives up to there.
 */
export async function assertSameStores(one: Env, other: Env): Promise<void> {
  const [ofOne, ofOther] = [await digestOf(one), await digestOf(other)].map(
    (text) => JSON.parse(text) as Record<string, unknown>,
  );
  assert.ok(ofOne !== undefined && ofOther !== undefined);
  for (const name of ['state', 'journal']) assert.deepEqual(ofOne[name], ofOther[name], name);
  const different = Object.keys(ofOne).filter((name) => JSON.stringify(ofOne[name]) !== JSON.stringify(ofOther[name]));
  if (different.length === 0) return;
  for (const env of [one, other]) {
    const { code, stdout, stderr } = await runCommand(['verify', ...different], env);
    assert.equal(code, 0, stdout + stderr);
  }
}
