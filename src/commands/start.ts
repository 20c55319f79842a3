/** `reprise start`: runs a node until a signal or a failure. */
import { dirname, join } from 'node:path';
import { fromHex } from '../common/bytes.ts';
import { systemClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { describeConfig } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import { Shutdown, crashDumper } from '../common/shutdown.ts';
import type { Logger } from '../common/logger.ts';
import { developmentL1Url, startDevelopmentL1 } from '../l1/developmentL1.ts';
import { type RunningNode, startNode } from '../node.ts';
import { configuredChainId } from '../workers/chainSettings.ts';
import { banner } from './banner.ts';
import { type GlobalOptions, configure, loggerOf } from './configuration.ts';
import { type ProfileName, developmentDataOf } from './profiles.ts';
import { nodeVersion } from './version.ts';

/** In the data folder of the main node. */
const L1_FOLDER = 'l1';

export interface StartOptions extends GlobalOptions {
  /** `--tcp`: the development node beside the main node is fed over TCP. */
  readonly isFedOverTcp: boolean;
}

export async function start({ isFedOverTcp, ...options }: StartOptions): Promise<number> {
  if (isFedOverTcp && options.profile !== 'development-external')
    throw new NodeError(
      'fatal',
      '--tcp belongs to `npm run start:external -- --tcp`; any other node is told with sequencer_block_replay_download_address',
      { code: 'CONFIG_INVALID' },
    );
  if (isFedOverTcp) return run({ ...options, profile: 'development-external-tcp' });
  return run(options);
}

async function run(options: GlobalOptions): Promise<number> {
  const startedAt = performance.now();
  const { config: configured, warnings, profile } = configure(options);
  const logger = loggerOf(configured, { role: configured.nodeRole, chain_id: configured.genesisChainId });
  for (const warning of warnings) logger.warn(warning);
  if (profile === undefined) logger.info({ config: describeConfig(configured) }, 'effective configuration');
  const dumps = crashDumper(
    join(configured.generalRocksDbPath, 'crashes'),
    () => ({ version: nodeVersion, config: describeConfig(configured) }),
    systemClock,
  );
  const shutdown = new Shutdown({ logger, process, dump: dumps });
  shutdown.install();
  try {
    const config = await withDevelopmentL1(configured, profile, { logger, shutdown });
    const node = await startNode({ config, nodeVersion, logger, shutdown });
    void announce(node, config, startedAt, profile !== undefined).then((text) => {
      if (shutdown.isEnding) return;
      if (profile !== undefined && config.logFormat === 'terminal') process.stdout.write(text);
      else
        logger.info(
          {
            rpcPort: node.rpcPort,
            statusPort: node.statusPort,
            metricsPort: node.metricsPort,
            seconds: (performance.now() - startedAt) / 1000,
          },
          'node started',
        );
    });
  } catch (error) {
    shutdown.end(error);
  }
  return shutdown.done;
}

/**
 * `npm start` without an L1 of its own brings one up, and ends it after the node; the node beside it uses the same one.
 */
async function withDevelopmentL1(
  config: Config,
  profile: ProfileName | undefined,
  { logger, shutdown }: { readonly logger: Logger; readonly shutdown: Shutdown },
): Promise<Config> {
  if (profile === undefined || config.generalL1RpcUrl !== undefined) return config;
  if (profile !== 'development') {
    const mainData =
      profile === 'development-external' ? dirname(config.eventLogPath) : developmentDataOf('development');
    const url = developmentL1Url(join(mainData, L1_FOLDER));
    return url === undefined ? config : { ...config, generalL1RpcUrl: url };
  }
  const l1 = await startDevelopmentL1({
    path: join(config.generalRocksDbPath, L1_FOLDER),
    port: config.developmentL1Port,
    chainId: configuredChainId(config),
    signal: shutdown.signal,
  });
  shutdown.onClose('L1', () => l1.anvil.stop());
  void l1.anvil.gone.then((output) => {
    if (!shutdown.isEnding) logger.error({ output }, 'the development L1 has ended: no deposits arrive any more');
  });
  return { ...config, generalL1RpcUrl: l1.url, genesisBridgehubAddress: fromHex(l1.bridgehub) };
}

/** The banner comes when the node can answer for what the log holds. */
async function announce(node: RunningNode, config: Config, startedAt: number, isDevelopment: boolean): Promise<string> {
  await node.whenCaughtUp;
  return banner({ node, config, seconds: (performance.now() - startedAt) / 1000, isDevelopment });
}
