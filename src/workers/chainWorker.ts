/** Thread of everything that makes a block canonical (design.md 4). */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemRandom } from '../common/clock.ts';
import { isZero } from '../common/bytes.ts';
import { importConfig } from '../common/config.ts';
import { NodeError, assert, errorText } from '../common/errors.ts';
import { RisingGate } from '../common/gate.ts';
import { createLogger } from '../common/logger.ts';
import { Turns } from '../common/turns.ts';
import { writeBlockDump } from '../consumers/blockDump.ts';
import { checkGenesisFile } from '../genesis/genesisFile.ts';
import type { GenesisEntry } from '../log/entry.ts';
import { decodeEntry } from '../log/entryCodec.ts';
import { openLog, writesLog } from '../log/openLog.ts';
import { openDevelopmentL1Source } from '../producers/developmentL1Source.ts';
import { L1Queue, type L1QueueStatus } from '../producers/l1Queue.ts';
import { type L1Source, NO_L1_SOURCE } from '../producers/l1Source.ts';
import type { MerkleTreeReader } from '../projections/merkleTreeReader.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { openRocksStore } from '../store/keyValueStore.rocks.ts';
import { wouldStopVm } from '../vm/l1Transaction.ts';
import type { MissingKey } from '../vm/loadedState.ts';
import { warmUp } from '../vm/warmUp.ts';
import { Chain, type ChainDependencies, type ChainEvents } from './chain.ts';
import { chainSettings, chainStorePath } from './chainSettings.ts';
import { downloadedGenesis } from './downloadedGenesis.ts';
import { askMainNode } from './mainNode.ts';
import type { L1GenesisService, L1QueueService, L1WatchFrom } from './l1Service.ts';
import { newGenesisEntry } from './newGenesis.ts';
import { type Recovery, createRecovery } from './recovery.ts';
import type { JournalService } from './remoteJournal.ts';
import { ThreadPort } from './threadPort.ts';
import type { ChainWorkerData } from './workerData.ts';

/** What main asks of this thread. */
export interface ChainService {
  /** undefined: this node does not look at L1. */
  l1Status(): L1QueueStatus | undefined;
  submit: Chain['submit'];
  pendingNonce: Chain['pendingNonce'];
  announcePending: Chain['announcePending'];
  poolTransaction: Chain['poolTransaction'];
  status: Chain['status'];
  stop(limitMs: number): Promise<void>;
}

/** What the replay server reads. */
export interface ReplayService {
  blockContext: Chain['blockContext'];
  readFromBlock: Chain['readFromBlock'];
}

/** What calls and state queries read. */
export interface StateService {
  readStateAt(keys: readonly MissingKey[], height: number): ReturnType<Chain['readStateAt']>;
  blockContext: Chain['blockContext'];
  blockEntry: Chain['blockEntry'];
}

assert(parentPort !== null, 'chainWorker runs as a worker');
const data = workerData as ChainWorkerData;
const config = importConfig(data.config);
const main = new ThreadPort(parentPort);
const projections = data.projections.map((port) => new ThreadPort(port));
const journalReaders = [...projections, ...data.followers.map((port) => new ThreadPort(port))];
const rpc = new ThreadPort(data.rpc);
const logger = createLogger({
  format: config.logFormat,
  useColor: config.logUseColor,
  filter: config.logLevel,
  context: { role: config.nodeRole, chain_id: config.genesisChainId },
}).component('chain');

function fail(error: unknown): void {
  const dump = writeBlockDump(config.sequencerBlockDumpPath, error, data.nodeVersion, Date.now());
  if (dump !== undefined) logger.error({ dump }, 'dump of the block written: `reprise reproduce` runs it again');
  main.emitError('fatal', error);
}

/** Set once the chain is open. */
let onGenesis: ((entry: Uint8Array) => void) | undefined;

const events: ChainEvents = {
  accepted(block) {
    for (const port of journalReaders) port.emit('journalEnd', block.journalEnd);
    main.emit('accepted', block);
  },
  genesis(entry) {
    for (const port of journalReaders) port.emit('journalEnd', 1);
    main.emit('genesis', entry);
    onGenesis?.(entry);
  },
  settlement(kind, journalEnd, finality) {
    for (const port of journalReaders) port.emit('journalEnd', journalEnd);
    main.emit('settlement', { kind, finality });
  },
  pending: (transaction) => main.emit('pending', transaction),
  batchSent: (sealed) => main.emit('batchSent', sealed),
  opened: (height) => main.emit('opened', height),
  entryRead: (entry) => main.emit('entryRead', entry),
  executed: (source, seconds) => main.emit('executed', { source, seconds }),
  claim: (result) => main.emit('claim', result),
  append: (result, seconds) => main.emit('append', { result, seconds }),
  leading: (isLeading, reason) => main.emit('leading', { isLeading, reason }),
  caughtUp: () => main.emit('caughtUp', undefined),
  fatal: fail,
};

/** What the watcher on the main thread hands over; undefined: this node does not look at L1. */
const l1Queue =
  config.generalL1RpcUrl === undefined
    ? undefined
    : new L1Queue({
        refusal: (transaction) =>
          config.nodeRole === 'main'
            ? wouldStopVm(transaction, { gasLimit: config.sequencerBlockGasLimit })
            : undefined,
        onAlarm(alarm) {
          if (alarm === undefined) logger.info('the alarm about L1 is over');
          else logger.error({ code: alarm.code, priorityId: alarm.id, alarm: alarm.text }, 'alarm about L1');
        },
      });
let isL1Watched = false;

/** Genesis is written in schema 1 for ever (log-protocol 2). */
const GENESIS_SCHEMA = 1;

function openL1Source(): L1Source {
  if (config.nodeRole !== 'main') return l1Queue ?? NO_L1_SOURCE;
  return l1Queue ?? openDevelopmentL1Source({ path: join(config.generalRocksDbPath, 'developmentL1') });
}

/** For an empty log. */
function newGenesis(): Promise<GenesisEntry> {
  const { nodeId, bootId } = data;
  const l1 = main.remote<L1GenesisService>('l1Genesis');
  return newGenesisEntry(
    config,
    { logId: systemRandom(16), nodeId, bootId },
    l1Queue === undefined ? undefined : (genesisRoot) => l1.read(genesisRoot),
  );
}

/** For the empty log of a node that is fed over TCP. */
function genesisOfMainNode(signal: AbortSignal): Promise<GenesisEntry> {
  const { nodeId, bootId } = data;
  const l1 = main.remote<L1GenesisService>('l1Genesis');
  return downloadedGenesis({
    config,
    ids: { logId: systemRandom(16), nodeId, bootId },
    readL1: l1Queue === undefined ? undefined : (genesisRoot) => l1.read(genesisRoot),
    signal,
  });
}

/** Where a node that is fed over TCP gets its blocks. */
function replayFrom(): ChainDependencies['replayFrom'] {
  const { sequencerBlockReplayDownloadAddress: server, generalMainNodeRpcUrl: url } = config;
  if (server === undefined) return undefined;
  return {
    ...server,
    async serverHead(signal) {
      if (url === undefined) return undefined;
      const answer = await askMainNode(url, 'eth_blockNumber', [], signal);
      return answer.kind === 'result' ? Number(answer.result) : undefined;
    },
  };
}

/** Whether the chain of this log has an L1 that this node can look at. Throws before anything is built that does not fit. */
function hasL1ToWatch({ bridgehub }: GenesisEntry): boolean {
  const hasL1 = !isZero(bridgehub);
  const isMain = config.nodeRole === 'main';
  if (hasL1 && l1Queue === undefined && isMain)
    throw new NodeError(
      'fatal',
      'the chain of this log has an L1, and this node was started without: set general_l1_rpc_url',
      { code: 'L1_MISSING' },
    );
  if (!hasL1 && l1Queue !== undefined) {
    const what =
      'the chain of this log was begun without L1: unset general_l1_rpc_url, or begin a new one (development: npm run reset)';
    if (isMain) throw new NodeError('fatal', what, { code: 'L1_NOT_OF_CHAIN' });
    logger.warn(what);
  }
  return hasL1 && l1Queue !== undefined;
}

/** The log has a Genesis: it names the L1 to look at. */
async function watchL1(queue: L1Queue, entry: GenesisEntry, chain: Chain): Promise<void> {
  const newest = await chain.newestPriorityTransaction();
  const firstId = queue.begin(chain.nextL1PriorityId(), newest);
  const { chainId, l1ChainId, bridgehub, genesisRoot } = entry;
  main.emit('l1Watch', {
    chainId,
    l1ChainId,
    bridgehub,
    genesisRoot,
    firstId,
    newestIncluded: newest && { id: newest.nonce, hash: newest.hash.slice() },
  } satisfies L1WatchFrom);
}

/** The thread of the state tree. */
const treePort = config.projectionMerkleTreeEnabled ? projections[1] : undefined;
const treeHeight = new RisingGate();

function treeAfter(port: ThreadPort): NonNullable<Parameters<typeof Chain.open>[1]['treeAfter']> {
  const tree = port.remote<MerkleTreeReader>('merkleTree');
  return async (block, signal) => {
    await treeHeight.whenReached(block, signal);
    const version = await tree.version(block);
    assert(version !== undefined, `the state tree says it has block ${block} and does not`);
    return version;
  };
}

/** Started at the first block that this process did not build. */
let recovery: Recovery | undefined;

/** Errors that nobody caught: the Kafka client has some; any other one ends the node. */
let handleStrayError: ((error: unknown) => boolean) | undefined;
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => {
    if (handleStrayError?.(error) !== true) fail(error instanceof NodeError ? error : crashed(error));
  });

/** Not one of ours: what this thread holds is in doubt, so nothing is drained. */
function crashed(error: unknown): NodeError {
  const crash = new NodeError('invariant', `the chain thread crashed: ${errorText(error)}`, {
    code: 'THREAD_CRASHED',
    thread: 'chain',
  });
  // A cause does not cross to the main thread.
  if (error instanceof Error && error.stack !== undefined) crash.stack = error.stack;
  return crash;
}

async function start(): Promise<void> {
  try {
    const log = await openLog(config, {
      logger: logger.component('log'),
      onAlarm: (alarm) => main.emit('logAlarm', alarm),
      metrics: {
        fetched: (seconds) => main.emit('kafkaFetched', seconds),
        delivered: (records, bytes) => main.emit('kafkaDelivered', { records, bytes }),
        restarted: () => main.emit('kafkaReaderRestarted', undefined),
        brokers: (up) => main.emit('kafkaBrokers', up),
      },
    });
    handleStrayError = (error) => log.handleStrayError?.(error) ?? false;
    const store = await openRocksStore(chainStorePath(config));
    const chain = await Chain.open(chainSettings(config, data), {
      treeAfter: treePort === undefined ? undefined : treeAfter(treePort),
      log,
      store,
      l1Source: openL1Source(),
      genesis: config.nodeRole === 'main' ? newGenesis : writesLog(config) ? genesisOfMainNode : undefined,
      replayFrom: replayFrom(),
      checkBlock:
        config.nodeRole === 'main'
          ? undefined
          : async (transactions, signal) => {
              if (isL1Watched) await l1Queue?.check(transactions, signal);
            },
      async recoverSenders(raws) {
        // What waits is bounded by what is read ahead: a block is never refused for its number of transactions.
        recovery ??= createRecovery({ maxQueuedTransactions: Number.MAX_SAFE_INTEGER });
        const client = recovery;
        return (await Promise.all(raws.map((raw) => client.recover(raw)))).map(({ sender }) => sender);
      },
      logger,
      events,
    });
    const journal = {
      readJournal: (fromIndex: number, limit: number, maxBytes: number) =>
        chain.readJournal(fromIndex, limit, maxBytes),
      journalEnd: () => chain.journalEnd(),
      logId: () => chain.logId(),
    };
    const projectedHeights = projections.map((): number | undefined => undefined);
    for (const port of journalReaders) port.serve<JournalService>('journal', journal);
    projections.forEach((port, i) => {
      port.on<number>('projectedHeight', (height) => {
        projectedHeights[i] = height;
        if (port === treePort) treeHeight.rise(height);
        const known = projectedHeights.filter((each) => each !== undefined);
        if (known.length === projections.length) chain.setProjectedHeight(Math.min(...known));
      });
    });
    const state = {
      readStateAt: (keys: readonly MissingKey[], height: number) => chain.readStateAt(keys, height),
      blockContext: (height: number) => chain.blockContext(height),
      blockEntry: (height: number) => chain.blockEntry(height),
    };
    rpc.serve<StateService>('state', state);
    main.serve<ReplayService>('replay', {
      blockContext: (height) => chain.blockContext(height),
      readFromBlock: (height, maxBytes) => chain.readFromBlock(height, maxBytes),
    });
    main.serve<StateService>('state', state);
    onGenesis = (entryBytes) => {
      const entry = decodeEntry(GENESIS_SCHEMA, entryBytes);
      assert(entry?.kind === 'Genesis', 'the accepted Genesis does not decode');
      if (config.genesisGenesisInputPath !== undefined && config.nodeRole === 'main')
        checkGenesisFile(config.genesisGenesisInputPath, entry.genesisRoot);
      isL1Watched = hasL1ToWatch(entry);
      if (isL1Watched && l1Queue !== undefined) watchL1(l1Queue, entry, chain).catch(fail);
    };
    main.serve<L1QueueService>('l1Queue', {
      add(requests) {
        assert(l1Queue !== undefined, 'L1 requests for a node without L1');
        return l1Queue.add(requests.map((raw) => decodeTransaction(raw)).filter(isL1Transaction));
      },
      hasRoom: () => l1Queue?.hasRoom() ?? false,
      truncate: (fromId) => l1Queue?.truncate(fromId),
    });
    main.serve<ChainService>('chain', {
      l1Status: () => (isL1Watched ? l1Queue?.status : undefined),
      submit: (raw, sender) => chain.submit(raw, sender),
      announcePending: (isWanted) => chain.announcePending(isWanted),
      pendingNonce: (address) => chain.pendingNonce(address),
      poolTransaction: (hash) => chain.poolTransaction(hash),
      status: () => chain.status(),
      async stop(limitMs) {
        await chain.stop(limitMs);
        await recovery?.close();
      },
    });
    for (const port of journalReaders) port.emit('journalEnd', chain.journalEnd());
    if (config.nodeRole === 'main') {
      const turns = new Turns();
      await warmUp(async () => turns.due());
    }
    chain.start();
    main.emit('ready', undefined);
  } catch (error) {
    fail(error);
  }
}

// Not awaited: while a module of a worker is evaluated, an exit of the process crashes V8.
void start();
