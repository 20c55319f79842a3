/** `reprise start`: runs a node until a signal or a failure. */
import { join } from 'node:path';
import { fromHex } from '../common/bytes.ts';
import { systemClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { describeConfig } from '../common/config.ts';
import { Shutdown, crashDumper } from '../common/shutdown.ts';
import type { Logger } from '../common/logger.ts';
import { type DevelopmentL1, startDevelopmentL1 } from '../l1/developmentL1.ts';
import { type RunningNode, startNode } from '../node.ts';
import { configuredChainId } from '../workers/chainSettings.ts';
import { banner } from './banner.ts';
import { type GlobalOptions, configure, loggerOf } from './configuration.ts';
import type { ProfileName } from './profiles.ts';
import { nodeVersion } from './version.ts';

export async function start(options: GlobalOptions): Promise<number> {
  const startedAt = performance.now();
  const { config: configured, warnings, profile } = configure(options);
  const logger = loggerOf(
    configured,
    configured.logFormat === 'json' ? { role: configured.nodeRole, chain_id: configured.genesisChainId } : {},
  );
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
    const l1 = await developmentL1For(configured, profile, { logger, shutdown });
    const config = l1 === undefined ? configured : withL1(configured, l1);
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

/** `npm start` without an L1 of its own brings one up, and ends it after the node. */
async function developmentL1For(
  config: Config,
  profile: ProfileName | undefined,
  { logger, shutdown }: { readonly logger: Logger; readonly shutdown: Shutdown },
): Promise<DevelopmentL1 | undefined> {
  if (profile !== 'development' || config.generalL1RpcUrl !== undefined) return undefined;
  const l1 = await startDevelopmentL1({
    path: join(config.generalRocksDbPath, 'l1'),
    port: config.developmentL1Port,
    chainId: configuredChainId(config),
    signal: shutdown.signal,
  });
  shutdown.onClose('L1', () => l1.anvil.stop());
  void l1.anvil.gone.then((output) => {
    if (!shutdown.isEnding) logger.error({ output }, 'the development L1 has ended: no deposits arrive any more');
  });
  return l1;
}

function withL1(config: Config, { url, bridgehub }: DevelopmentL1): Config {
  return { ...config, generalL1RpcUrl: url, genesisBridgehubAddress: fromHex(bridgehub) };
}

/** The banner comes when the node can answer for what the log holds. */
async function announce(node: RunningNode, config: Config, startedAt: number, isDevelopment: boolean): Promise<string> {
  await node.whenCaughtUp;
  return banner({ node, config, seconds: (performance.now() - startedAt) / 1000, isDevelopment });
}
