/** What `npm start` shows once the chain answers: where it is, who is rich, how to send, where data lies. */
import type { Config } from '../common/config.ts';
import { shownUrl, urlOfListener } from '../common/urls.ts';
import type { RunningNode } from '../node.ts';

/** Public development key (spec: acceptance 1). Never use it for anything that has value. */
export const RICH_ACCOUNT_ADDRESS = '0x36615Cf349d7F6344891B1e7CA7C72883F5dc049';
export const RICH_ACCOUNT_KEY = '0x7726827caac94a7f9e1b160f7ea819f172f7b6f9d2a97f992c38edeab82d4110';
const SOMEBODY = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';

export interface BannerFacts {
  readonly node: RunningNode;
  readonly config: Config;
  readonly seconds: number;
  readonly isDevelopment: boolean;
}

export function banner({ node, config, seconds }: BannerFacts): string {
  const url = urlOfListener({ host: node.rpcHost, port: node.rpcPort });
  const isMain = config.nodeRole === 'main';
  const feed = config.sequencerBlockReplayDownloadAddress;
  const rows: readonly (readonly [string, string])[] = [
    ['JSON-RPC', `${url}   (chain id ${node.chainId})`],
    [
      'Status',
      `${urlOfListener({ host: config.statusServerAddress.host, port: node.statusPort })}/status   /ready   /health`,
    ],
    ['Metrics', `http://127.0.0.1:${node.metricsPort}/metrics`],
    [
      'Log',
      config.kafkaBrokers === undefined
        ? `${config.eventLogPath}${isMain ? '' : `   (${feed === undefined ? 'tailed read-only' : `its own, fed over TCP by ${feed.host}:${feed.port}`})`}`
        : `Kafka ${config.kafkaBrokers.join(', ')}`,
    ],
    ['L1', config.generalL1RpcUrl === undefined ? 'none (development deposits)' : shownUrl(config.generalL1RpcUrl)],
    ['Data', config.generalRocksDbPath],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = [
    '',
    `  Reprise: ${isMain ? 'main node' : 'external node'} ready at block ${node.status().logHead} after ${seconds.toFixed(1)} s`,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    '',
  ];
  if (isMain) {
    lines.push(
      `  Rich account ${RICH_ACCOUNT_ADDRESS}`,
      `  Private key  ${RICH_ACCOUNT_KEY}   (public: development only)`,
      '',
      '  A transfer with cast:',
      `    npx cast send --rpc-url ${url} --private-key ${RICH_ACCOUNT_KEY} \\`,
      `      ${SOMEBODY} --value 1ether`,
      '  with viem:',
      "    import { createWalletClient, http, parseEther, defineChain } from 'viem';",
      "    import { privateKeyToAccount } from 'viem/accounts';",
      `    const chain = defineChain({ id: ${node.chainId}, name: 'Reprise', rpcUrls: { default: { http: ['${url}'] } },`,
      "      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 } });",
      `    const wallet = createWalletClient({ account: privateKeyToAccount('${RICH_ACCOUNT_KEY}'), chain, transport: http() });`,
      `    await wallet.sendTransaction({ to: '${SOMEBODY}', value: parseEther('1') });`,
      '',
      ...(config.generalL1RpcUrl === undefined
        ? []
        : [`  A deposit from L1: npm run reprise -- deposit --to ${SOMEBODY} --amount 1`]),
      '  A second node beside this one: npm run start:external',
    );
  } else {
    lines.push(
      `  Transactions sent here go to ${config.generalMainNodeRpcUrl === undefined ? '(nowhere: general_main_node_rpc_url is not set)' : shownUrl(config.generalMainNodeRpcUrl)}`,
    );
  }
  lines.push(
    '  Stop with Ctrl-C; the next start goes on with the same chain. Delete everything: npm run reset',
    '',
    '',
  );
  return lines.join('\n');
}
