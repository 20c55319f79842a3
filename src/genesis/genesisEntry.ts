/** The Genesis entry: everything that a node needs to build block 0 and execute block 1 (spec: log-protocol 2, genesis 7). */
import type { Bytes } from '../common/bytes.ts';
import type { Envelope, GenesisEntry } from '../log/entry.ts';
import { NEWEST_SCHEMA } from '../log/entryCodec.ts';
import type { GenesisInput } from '../protocol/genesis.ts';
import type { L1Transaction } from '../protocol/transaction.ts';

export interface GenesisFacts {
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  readonly input: GenesisInput;
  /** First transaction of block 1. */
  readonly upgradeTransaction: L1Transaction;
  /** Raw code that the upgrade deploys. */
  readonly forceDeployPreimages: readonly Bytes[];
}

export function genesisEntry(
  ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>,
  { chainId, l1ChainId, bridgehub, input, upgradeTransaction, forceDeployPreimages }: GenesisFacts,
): GenesisEntry {
  return {
    kind: 'Genesis',
    schema: NEWEST_SCHEMA,
    epoch: 0n,
    claim: new Uint8Array(16),
    ...ids,
    chainId,
    l1ChainId,
    bridgehub,
    genesisInput: {
      initialContracts: input.initialContracts.map(([address, code]) => ({ address, code })),
      additionalStorage: input.additionalStorage.map(([key, value]) => ({ key, value })),
      executionVersion: input.executionVersion,
      genesisRoot: input.genesisRoot,
    },
    genesisRoot: input.genesisRoot,
    upgradeTransaction: upgradeTransaction.raw,
    forceDeployPreimages,
  };
}
