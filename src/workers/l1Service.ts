/**
 * L1 on the main thread (design.md 4): discovery, what Genesis takes from L1, and the watcher, which hands priority
 * requests to the chain worker.
 */
import { type Bytes, equalBytes, fromHex, toHex } from '../common/bytes.ts';
import { systemClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { NodeError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { sleep } from '../common/retry.ts';
import { shownUrl } from '../common/urls.ts';
import { type L1Chain, checkGenesisBatch, discoverChain, waitToFinalize } from '../l1/discovery.ts';
import { L1ErrorCode } from '../l1/errors.ts';
import { type L1Client, type L1Reader, createL1Client, createL1Reader } from '../l1/l1Client.ts';
import { type L1Genesis, readL1Genesis } from '../l1/l1Genesis.ts';
import { L1Watcher, type L1WatcherMetrics, type L1WatcherStatus } from '../producers/l1Watcher.ts';
import { configuredChainId } from './chainSettings.ts';
import type { Remote } from './threadPort.ts';

/** What the main thread answers to the chain worker. */
export interface L1GenesisService {
  read(genesisRoot: Bytes): Promise<L1Genesis>;
}

/** What the chain worker takes from the main thread. Requests travel as EIP-2718 envelopes. */
export interface L1QueueService {
  add(requests: readonly Bytes[]): boolean;
  hasRoom(): boolean;
  truncate(fromId: bigint): void;
}

/** Where the log stands, once it has a Genesis. */
export interface L1WatchFrom {
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  readonly genesisRoot: Bytes;
  /** First id to hand on. */
  readonly firstId: bigint;
  /** Newest priority transaction in a block. */
  readonly newestIncluded: { readonly id: bigint; readonly hash: Bytes } | undefined;
}

export interface L1ServiceOptions {
  readonly config: Config;
  readonly url: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly metrics: L1WatcherMetrics;
}

export interface L1ServiceStatus extends L1WatcherStatus {
  readonly confirmations: number | undefined;
}

/** Blocks that must follow before an L1 block counts: a development L1 has no others to wait for. */
const CONFIRMATIONS_DEFAULT = 12;
const DEVELOPMENT_L1_CHAIN_ID = 31_337n;
const DISCOVERY_PAUSE_MS = 1_000;

export class L1Service {
  readonly #options: L1ServiceOptions;
  readonly #client: L1Client;
  #chain: L1Chain | undefined;
  #watcher: L1Watcher | undefined;
  #confirmations: number | undefined;
  #problem: string | undefined;

  private constructor(options: L1ServiceOptions) {
    this.#options = options;
    this.#client = createL1Client({ url: options.url, signal: options.signal });
  }

  /**
   * A main node needs L1 at once, an external one not before its first priority transaction.
   * @throws NodeError as discoverChain and waitToFinalize
   */
  static async open(options: L1ServiceOptions): Promise<L1Service> {
    const service = new L1Service(options);
    const { config, signal, logger } = options;
    if (config.nodeRole === 'main') {
      const chain = await discoverChain(service.#client, {
        bridgehub: config.genesisBridgehubAddress ?? new Uint8Array(20),
        chainId: configuredChainId(config),
      });
      await waitToFinalize(service.#client, chain.diamond, { signal });
      service.#chain = chain;
      const { l1ChainId, bridgehub, diamond, validatorTimelock, pubdataMode, batches } = chain;
      logger.info({ l1ChainId, bridgehub, diamond, validatorTimelock, pubdataMode, ...batches }, 'L1 state');
    }
    return service;
  }

  /** The diamond proxy, once it was found; on a main node from the start. */
  get chainAddress(): Bytes | undefined {
    return this.#chain === undefined ? undefined : fromHex(this.#chain.diamond);
  }

  get status(): L1ServiceStatus {
    const watched = this.#watcher?.status ?? { head: undefined, scanned: undefined, problem: undefined };
    return { ...watched, problem: this.#problem ?? watched.problem, confirmations: this.#confirmations };
  }

  /** For the Genesis of an empty log. */
  async readGenesis(genesisRoot: Bytes): Promise<L1Genesis> {
    const { config } = this.#options;
    this.#chain ??= await discoverChain(this.#client, {
      bridgehub: config.genesisBridgehubAddress ?? new Uint8Array(20),
      chainId: configuredChainId(config),
    });
    return readL1Genesis(this.#client, this.#chain, genesisRoot);
  }

  /**
   * Watches until the signal.
   * @throws NodeError L1_CHAIN_ID_MISMATCH, L1_BRIDGEHUB_WRONG, L1_GENESIS_MISMATCH, L1_WAS_RESET, L1_REQUEST_MALFORMED
   */
  async watch(from: L1WatchFrom, queue: Remote<L1QueueService>): Promise<void> {
    const { config, logger, signal, metrics } = this.#options;
    const chain = await this.#discover(from);
    if (chain === undefined) return;
    this.#checkIdentity(chain, from);
    checkGenesisBatch(chain, from.genesisRoot);
    const reader = createL1Reader(this.#client, chain.diamond);
    const { newestIncluded } = from;
    if (config.development && newestIncluded !== undefined) await checkNotReset(reader, newestIncluded);
    this.#confirmations =
      config.l1WatcherConfirmations ?? (chain.l1ChainId === DEVELOPMENT_L1_CHAIN_ID ? 0 : CONFIRMATIONS_DEFAULT);
    this.#watcher = new L1Watcher({
      reader,
      sink: {
        add: (requests) => queue.add(requests.map(({ transaction }) => transaction.raw)),
        hasRoom: () => queue.hasRoom(),
        truncate: (fromId) => queue.truncate(fromId),
      },
      firstId: from.firstId,
      includedCount: newestIncluded === undefined ? 0n : newestIncluded.id + 1n,
      confirmations: this.#confirmations,
      maxBlocksPerQuery: config.l1WatcherMaxBlocksToProcess,
      pollIntervalMs: config.l1WatcherPollIntervalMs,
      clock: systemClock,
      logger,
      signal,
      metrics,
    });
    await this.#watcher.run();
  }

  /** An external node waits for its L1 as long as it takes: blocks without priority transactions need none. */
  async #discover({ bridgehub, chainId }: L1WatchFrom): Promise<L1Chain | undefined> {
    const { signal, logger } = this.#options;
    while (!signal.aborted) {
      if (this.#chain !== undefined) return this.#chain;
      try {
        this.#chain = await discoverChain(this.#client, { bridgehub, chainId });
        this.#problem = undefined;
      } catch (error) {
        if (!(error instanceof NodeError) || error.kind !== 'retryable') throw error;
        if (this.#problem === undefined) logger.warn({ err: error }, 'L1 cannot be read: trying again');
        this.#problem = error.message;
        await sleep(DISCOVERY_PAUSE_MS, signal).catch(() => undefined);
      }
    }
    return undefined;
  }

  #checkIdentity(chain: L1Chain, { l1ChainId, bridgehub }: L1WatchFrom): void {
    if (chain.l1ChainId !== l1ChainId)
      throw new NodeError(
        'fatal',
        `L1 chain id mismatch: ${shownUrl(this.#options.url)} is chain ${chain.l1ChainId}, but the Genesis of the log names ${l1ChainId}; check general_l1_rpc_url`,
        { code: L1ErrorCode.chainIdMismatch, found: chain.l1ChainId, expected: l1ChainId },
      );
    if (!equalBytes(fromHex(chain.bridgehub), bridgehub))
      throw new NodeError(
        'fatal',
        `Bridgehub address mismatch: configured = ${chain.bridgehub}, in the Genesis of the log = ${toHex(bridgehub)}; check genesis_bridgehub_address, or use another log. A chain of npm start that was begun on another L1 is deleted with npm run reset`,
        { code: L1ErrorCode.bridgehubWrong, configured: chain.bridgehub, expected: toHex(bridgehub) },
      );
  }
}

/**
 * In development the usual reason why L1 lacks what blocks include is that it was started anew under an old data folder.
 * Elsewhere it is an endpoint that lags, or a reorganisation: the watcher waits, and the queue raises an alarm.
 */
async function checkNotReset(
  reader: L1Reader,
  { id, hash }: { readonly id: bigint; readonly hash: Bytes },
): Promise<void> {
  const head = await reader.head();
  const count = (await reader.priorityRequestCount(head.number)) ?? 0n;
  const explain = (what: string): NodeError =>
    new NodeError(
      'fatal',
      `L1 was reset, but the chain was not: ${what}. Begin both anew (with npm start: npm run reset), or connect the L1 that the chain was built on`,
      { code: L1ErrorCode.wasReset, id, count },
    );
  if (count <= id) throw explain(`blocks include priority request ${id}, and L1 holds only ${count}`);
  const requests = await reader.priorityRequests({ from: 0, to: head.number });
  const onL1 = requests.find(({ transaction }) => transaction.nonce === id);
  if (onL1 !== undefined && !equalBytes(onL1.transaction.hash, hash))
    throw explain(`priority request ${id} is ${toHex(onL1.transaction.hash)} on L1, and ${toHex(hash)} in the blocks`);
}
