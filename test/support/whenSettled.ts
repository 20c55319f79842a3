import assert from 'node:assert/strict';
import { type NodeProcess, rpc, until } from './nodeProcess.ts';

/** Every block is in a sealed batch, and all of these nodes have the same head and have recomputed every seal. */
export async function whenSettled(main: NodeProcess, others: readonly NodeProcess[]): Promise<void> {
  const headOf = (node: NodeProcess): Promise<string> => rpc(node.rpcUrl, 'eth_blockNumber');
  for (const node of [main, ...others]) {
    await until(
      'every block is sealed and every seal recomputed',
      async () => {
        const ours = (await main.status())['batches'] as Record<string, number>;
        const theirs = (await node.status())['batches'] as Record<string, number>;
        assert.equal(ours['alarm'] ?? theirs['alarm'], undefined);
        const { sealed, checked, openBlocks } = ours;
        const isEqual = openBlocks === 0 && sealed === checked && theirs['checked'] === sealed;
        return isEqual && (await headOf(node)) === (await headOf(main)) ? true : undefined;
      },
      120_000,
    );
  }
}
