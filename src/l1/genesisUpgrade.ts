/** The one GenesisUpgrade event of the chain (spec: genesis 5): first transaction of block 1, and the code it deploys. */
import type { Address } from 'viem';
import { type Bytes, fromHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import type { L1Transaction } from '../protocol/transaction.ts';
import { searchOrScan } from './blockSearch.ts';
import { genesisUpgradeToTransaction } from './canonicalTransaction.ts';
import { L1ErrorCode } from './errors.ts';
import { DIAMOND_ABI } from './l1Abi.ts';
import { type L1Client, toL1Error } from './l1Client.ts';

export interface GenesisUpgrade {
  readonly transaction: L1Transaction;
  /** Raw code. */
  readonly forceDeployPreimages: readonly Bytes[];
}

/** @throws NodeError L1_GENESIS_UPGRADE, L1_REQUEST_MALFORMED; L1_UNREACHABLE and L1_SEARCH_FAILED may pass */
export async function readGenesisUpgrade(client: L1Client, diamond: Address): Promise<GenesisUpgrade> {
  try {
    const latest = Number(await client.getBlockNumber());
    const created = await searchOrScan('the creation of the chain', latest, async (block) => {
      const code = await client.getCode({ address: diamond, blockNumber: BigInt(block) });
      return code !== undefined;
    });
    if (created === undefined) throw upgradeError(`there is no contract at ${diamond}`);
    // Block 0 is either the answer of an L1 without history or the state that it was started with.
    const [from, to] = created === 0 ? [0, latest] : [created, created];
    const events = await client.getContractEvents({
      address: diamond,
      abi: DIAMOND_ABI,
      eventName: 'GenesisUpgrade',
      fromBlock: BigInt(from),
      toBlock: BigInt(to),
      strict: true,
    });
    const [event] = events;
    if (event === undefined || events.length !== 1)
      throw upgradeError(
        `${diamond} emitted ${events.length} GenesisUpgrade events in L1 blocks ${from} to ${to}, not one`,
      );
    const { l2Transaction, factoryDeps } = event.args;
    return {
      transaction: genesisUpgradeToTransaction(l2Transaction),
      forceDeployPreimages: factoryDeps.map((code) => fromHex(code)),
    };
  } catch (error) {
    throw toL1Error('the genesis upgrade could not be read from L1', error);
  }
}

function upgradeError(what: string): NodeError {
  return new NodeError('fatal', `no genesis upgrade on L1: ${what}; the chain was not created as a ZKsync OS chain`, {
    code: L1ErrorCode.genesisUpgrade,
  });
}
