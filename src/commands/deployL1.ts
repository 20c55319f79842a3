/**
 * `reprise l1 deploy`: the development contracts and one chain on an anvil that somebody else started (docker-compose.yml).
 * The Bridgehub is the first contract of anvil's first account, so its address is known beforehand.
 */
import { getContractAddress } from 'viem';
import { fromHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { shownUrl } from '../common/urls.ts';
import { L1_DEVELOPMENT_CHAIN_ID } from '../l1/anvil.ts';
import { beginDevelopmentChain, developmentWallet } from '../l1/developmentL1.ts';
import { discoverChain } from '../l1/discovery.ts';
import { createL1Client } from '../l1/l1Client.ts';
import { configuredChainId } from '../workers/chainSettings.ts';
import { type GlobalOptions, configure } from './configuration.ts';
import { interruption } from './offline.ts';
import { print } from './print.ts';

/** Does nothing when the chain is there. @throws NodeError L1_NOT_DEVELOPMENT; as discoverChain and beginDevelopmentChain */
export async function deployL1(options: GlobalOptions & { readonly json: boolean }): Promise<number> {
  const { config } = configure(options);
  const url = config.generalL1RpcUrl;
  if (url === undefined)
    throw new NodeError('fatal', 'no L1 to deploy to: set general_l1_rpc_url', { code: 'CONFIG_INVALID' });
  const chainId = configuredChainId(config);
  const client = createL1Client({ url, signal: interruption() });
  const l1ChainId = await client.getChainId();
  if (l1ChainId !== L1_DEVELOPMENT_CHAIN_ID)
    throw new NodeError(
      'fatal',
      `${shownUrl(url)} is chain ${l1ChainId}: development contracts go to anvil (chain ${L1_DEVELOPMENT_CHAIN_ID}) alone, anybody may use their keys`,
      { code: 'L1_NOT_DEVELOPMENT', l1ChainId },
    );
  const wallet = developmentWallet(url);
  const bridgehub = getContractAddress({ from: wallet.account.address, nonce: 0n });
  const isThere = (await client.getTransactionCount({ address: wallet.account.address })) > 0;
  // A deployment that was cut short has no such chain: discovery says so.
  const { diamond } = isThere
    ? await discoverChain(client, { bridgehub: fromHex(bridgehub), chainId })
    : await beginDevelopmentChain(client, wallet, chainId);
  print(
    options.json,
    { bridgehub, diamond, chainId, deployed: !isThere },
    `chain ${chainId} ${isThere ? 'was there' : 'is there now'}: genesis_bridgehub_address=${bridgehub}`,
  );
  return 0;
}
