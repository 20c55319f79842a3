/** Thread of everything that makes a block canonical (design.md 4). */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemRandom } from '../common/clock.ts';
import { type Config, importConfig } from '../common/config.ts';
import { assert } from '../common/errors.ts';
import { createLogger } from '../common/logger.ts';
import { writeBlockDump } from '../consumers/blockDump.ts';
import { developmentGenesisEntry } from '../genesis/developmentGenesis.ts';
import type { GenesisEntry } from '../log/entry.ts';
import { openLog } from '../log/openLog.ts';
import { openDevelopmentL1Source } from '../producers/developmentL1Source.ts';
import { type L1Source, NO_L1_SOURCE } from '../producers/l1Source.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import type { MissingKey } from '../vm/loadedState.ts';
import { Chain, type ChainEvents } from './chain.ts';
import { chainSettings, chainStorePath, configuredChainId } from './chainSettings.ts';
import { type Recovery, createRecovery } from './recovery.ts';
import type { JournalService } from './remoteJournal.ts';
import { ThreadPort } from './threadPort.ts';
import type { ChainWorkerData } from './workerData.ts';

/** What main asks of this thread. */
export interface ChainService {
  submit: Chain['submit'];
  pendingNonce: Chain['pendingNonce'];
  poolTransaction: Chain['poolTransaction'];
  status: Chain['status'];
  stop(limitMs: number): Promise<void>;
}

/** What calls and state queries read. */
export interface StateService {
  readStateAt(keys: readonly MissingKey[], height: number): ReturnType<Chain['readStateAt']>;
  blockContext: Chain['blockContext'];
}

assert(parentPort !== null, 'chainWorker runs as a worker');
const data = workerData as ChainWorkerData;
const config = importConfig(data.config);
const main = new ThreadPort(parentPort);
const projections = new ThreadPort(data.projections);
const rpc = new ThreadPort(data.rpc);
const logger = createLogger({
  format: config.logFormat,
  useColor: config.logUseColor,
  filter: config.logLevel,
}).component('chain');

function fail(error: unknown): void {
  const dump = writeBlockDump(config.sequencerBlockDumpPath, error, data.nodeVersion, Date.now());
  if (dump !== undefined) logger.error({ dump }, 'dump of the block written: `reprise reproduce` runs it again');
  main.emitError('fatal', error);
}

const events: ChainEvents = {
  accepted(block) {
    projections.emit('journalEnd', block.journalEnd);
    main.emit('accepted', block);
  },
  genesis(entry) {
    projections.emit('journalEnd', 1);
    main.emit('genesis', entry);
  },
  opened: (height) => main.emit('opened', height),
  entryRead: (entry) => main.emit('entryRead', entry),
  executed: (source, seconds) => main.emit('executed', { source, seconds }),
  claim: (result) => main.emit('claim', result),
  append: (result, seconds) => main.emit('append', { result, seconds }),
  leading: (isLeading, reason) => main.emit('leading', { isLeading, reason }),
  caughtUp: () => main.emit('caughtUp', undefined),
  fatal: fail,
};

function openL1Source(settings: Config): L1Source {
  return settings.nodeRole === 'main'
    ? openDevelopmentL1Source({ path: join(settings.generalRocksDbPath, 'developmentL1') })
    : NO_L1_SOURCE;
}

/** For an empty log. The built-in genesis fits any chain id. */
function newGenesis(): GenesisEntry {
  const { nodeId, bootId } = data;
  return {
    ...developmentGenesisEntry({ logId: systemRandom(16), nodeId, bootId }),
    chainId: configuredChainId(config),
  };
}

/** Started at the first block that this process did not build. */
let recovery: Recovery | undefined;

/** Errors that nobody caught: the Kafka client has some; any other one ends the node. */
let handleStrayError: ((error: unknown) => boolean) | undefined;
process.on('uncaughtException', (error) => {
  if (handleStrayError?.(error) !== true) fail(error);
});
process.on('unhandledRejection', (error) => {
  if (handleStrayError?.(error) !== true) fail(error);
});

try {
  const log = await openLog(config, {
    logger: logger.component('log'),
    onAlarm: (code, facts) => logger.warn({ code, ...facts }, 'the log needs a look'),
  });
  handleStrayError = (error) => log.handleStrayError?.(error) ?? false;
  const store = await openRocksStore(chainStorePath(config));
  const chain = await Chain.open(chainSettings(config, data), {
    log,
    store,
    l1Source: openL1Source(config),
    genesis: config.nodeRole === 'main' ? newGenesis : undefined,
    async recoverSenders(raws) {
      recovery ??= createRecovery();
      const client = recovery;
      return (await Promise.all(raws.map((raw) => client.recover(raw)))).map(({ sender }) => sender);
    },
    logger,
    events,
  });
  const journal = {
    readJournal: (fromIndex: number, limit: number, maxBytes: number) => chain.readJournal(fromIndex, limit, maxBytes),
    journalEnd: () => chain.journalEnd(),
    logId: () => chain.logId(),
  };
  projections.serve<JournalService>('journal', journal);
  projections.on<number>('projectedHeight', (height) => chain.setProjectedHeight(height));
  const state = {
    readStateAt: (keys: readonly MissingKey[], height: number) => chain.readStateAt(keys, height),
    blockContext: (height: number) => chain.blockContext(height),
  };
  rpc.serve<StateService>('state', state);
  main.serve<StateService>('state', state);
  main.serve<ChainService>('chain', {
    submit: (raw, sender) => chain.submit(raw, sender),
    pendingNonce: (address) => chain.pendingNonce(address),
    poolTransaction: (hash) => chain.poolTransaction(hash),
    status: () => chain.status(),
    async stop(limitMs) {
      await chain.stop(limitMs);
      await recovery?.close();
    },
  });
  projections.emit('journalEnd', chain.journalEnd());
  chain.start();
  main.emit('ready', undefined);
} catch (error) {
  fail(error);
}
