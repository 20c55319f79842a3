/** What the Genesis entry takes from L1 (spec: genesis 5, 7). */
import { type Bytes, fromHex } from '../common/bytes.ts';
import { type L1Chain, checkGenesisBatch } from './discovery.ts';
import { readGenesisUpgrade } from './genesisUpgrade.ts';
import type { L1Client } from './l1Client.ts';

export interface L1Genesis {
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  /** EIP-2718 envelope. */
  readonly upgradeTransaction: Bytes;
  readonly forceDeployPreimages: readonly Bytes[];
}

/** @throws NodeError L1_GENESIS_MISMATCH unless the chain was created with this genesis root; as readGenesisUpgrade */
export async function readL1Genesis(client: L1Client, chain: L1Chain, genesisRoot: Bytes): Promise<L1Genesis> {
  checkGenesisBatch(chain, genesisRoot);
  const { transaction, forceDeployPreimages } = await readGenesisUpgrade(client, chain.diamond);
  return {
    l1ChainId: chain.l1ChainId,
    bridgehub: fromHex(chain.bridgehub),
    upgradeTransaction: transaction.raw,
    forceDeployPreimages,
  };
}
