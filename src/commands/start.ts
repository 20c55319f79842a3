/** `reprise start`: runs a node until a signal or a failure. */
import { join } from 'node:path';
import { systemClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { describeConfig } from '../common/config.ts';
import { Shutdown, crashDumper } from '../common/shutdown.ts';
import { type RunningNode, startNode } from '../node.ts';
import { banner } from './banner.ts';
import { type GlobalOptions, configure, loggerOf } from './configuration.ts';
import { nodeVersion } from './version.ts';

export async function start(options: GlobalOptions): Promise<number> {
  const startedAt = performance.now();
  const { config, warnings, profile } = configure(options);
  const logger = loggerOf(
    config,
    config.logFormat === 'json' ? { role: config.nodeRole, chain_id: config.genesisChainId } : {},
  );
  for (const warning of warnings) logger.warn(warning);
  if (profile === undefined) logger.info({ config: describeConfig(config) }, 'effective configuration');
  const dumps = crashDumper(
    join(config.generalRocksDbPath, 'crashes'),
    () => ({ version: nodeVersion, config: describeConfig(config) }),
    systemClock,
  );
  const shutdown = new Shutdown({ logger, process, dump: dumps });
  shutdown.install();
  try {
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

/** The banner comes when the node can answer for what the log holds. */
async function announce(node: RunningNode, config: Config, startedAt: number, isDevelopment: boolean): Promise<string> {
  await node.whenCaughtUp;
  return banner({ node, config, seconds: (performance.now() - startedAt) / 1000, isDevelopment });
}
