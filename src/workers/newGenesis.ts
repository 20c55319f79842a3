/** The Genesis entry that a main node appends to an empty log: from the genesis input and L1, or built in. */
import type { Bytes } from '../common/bytes.ts';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { developmentGenesisEntry } from '../genesis/developmentGenesis.ts';
import { genesisEntry } from '../genesis/genesisEntry.ts';
import { loadGenesisInput } from '../genesis/genesisFile.ts';
import type { L1Genesis } from '../l1/l1Genesis.ts';
import type { Envelope, GenesisEntry } from '../log/entry.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { configuredChainId } from './chainSettings.ts';

/** Reads the upgrade from L1, which must have been given this genesis root. */
export type ReadL1Genesis = (genesisRoot: Bytes) => Promise<L1Genesis>;

/** @throws NodeError CONFIG_INVALID, GENESIS_UPGRADE_INVALID; as `loadGenesisInput` and the reader */
export async function newGenesisEntry(
  config: Config,
  ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>,
  readL1: ReadL1Genesis | undefined,
): Promise<GenesisEntry> {
  const chainId = configuredChainId(config);
  if (readL1 === undefined) {
    if (config.genesisGenesisInputPath !== undefined)
      throw new NodeError(
        'fatal',
        'a genesis input of your own needs L1, which holds the genesis upgrade: set general_l1_rpc_url, or unset genesis_genesis_input_path',
        { code: 'CONFIG_INVALID' },
      );
    return developmentGenesisEntry(ids, chainId);
  }
  const input = loadGenesisInput(config.genesisGenesisInputPath);
  const { l1ChainId, bridgehub, upgradeTransaction, forceDeployPreimages } = await readL1(input.genesisRoot);
  const transaction = decodeTransaction(upgradeTransaction);
  if (!isL1Transaction(transaction))
    throw new NodeError('fatal', 'L1 holds no upgrade transaction of type 0x7e', { code: 'GENESIS_UPGRADE_INVALID' });
  return genesisEntry(ids, {
    chainId,
    l1ChainId,
    bridgehub,
    input,
    upgradeTransaction: transaction,
    forceDeployPreimages,
  });
}
