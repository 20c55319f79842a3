/** What the main thread knows of the others, pushed by them: what `/ready`, `/status` and JSON-RPC answer from. */
import type { Bytes } from './common/bytes.ts';
import type { Config } from './common/config.ts';
import type { GenesisEntry } from './log/entry.ts';
import type { LogAlarm } from './log/eventLog.kafka.ts';
import type { L1QueueStatus } from './producers/l1Queue.ts';
import type { Finality } from './log/settlementFold.ts';
import { ReplayServer } from './consumers/replayServer.ts';
import { RisingGate } from './common/gate.ts';
import { enabledProjections, isOptional } from './projections/index.ts';
import type { NodeStatus } from './rpc/status.ts';
import type { AcceptedBlock, ChainStatus } from './workers/chain.ts';
import type { L1ServiceStatus } from './workers/l1Service.ts';

const RPC_PROJECTIONS = ['repositories'] as const;

/** How far a projection is. */
export interface ProjectionPlace {
  readonly name: string;
  readonly height: number;
  /** Of the newest block applied, unix seconds; undefined: none since the start. */
  readonly blockTimestamp: bigint | undefined;
  /** Nothing waits for it. */
  readonly isOptional: boolean;
}

interface KnownProjection {
  readonly height: number;
  /** Of the newest block applied, unix seconds; undefined: none since the start. */
  readonly blockTimestamp: bigint | undefined;
  readonly state: NodeStatus['projections'][number]['state'];
  /** The newest. */
  readonly problem: string | undefined;
}

/** What the main thread knows of the others, pushed by them: nothing here is asked for by a request. */
export class NodeView {
  chain: ChainStatus | undefined;
  genesis: GenesisEntry | undefined;
  genesisBytes: Bytes | undefined;
  /** As of the newest accepted settlement entry. */
  finality: Finality | undefined;
  l1: (() => L1ServiceStatus) | undefined;
  l1Queue: L1QueueStatus | undefined;
  replayServer: ReplayServer | undefined;
  /** Newest accepted block. */
  readonly accepts = new RisingGate();
  readonly #config: Config;
  readonly #chainId: bigint;
  readonly #nodeVersion: string;
  readonly #projections = new Map<string, KnownProjection>();
  /** Nothing waits for these. */
  readonly #optional = new Set<string>();
  readonly #caughtUp = Promise.withResolvers<void>();
  readonly #heights = new Map<string, RisingGate>();
  readonly #latestListeners = new Set<() => void>();
  #latest = 0;
  /** Newest block of the chain store. */
  #stateHeight = -1;
  #transactions = 0;
  #isLeading = false;
  #hasCaughtUp = false;
  #problem: string | undefined;
  readonly #logAlarms = new Map<LogAlarm['code'], string>();

  constructor(config: Config, chainId: bigint, nodeVersion: string) {
    this.#config = config;
    this.#chainId = chainId;
    this.#nodeVersion = nodeVersion;
    for (const each of enabledProjections(config)) {
      if (isOptional(each)) this.#optional.add(each.name);
      this.projection(each.name, {});
    }
  }

  get whenCaughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  /** A block that a projection holds was accepted too, also while the chain store is read again from the log. */
  get logHead(): number {
    return Math.max(0, this.#stateHeight, ...this.#readHeights());
  }

  accepted(block: AcceptedBlock): void {
    this.#stateHeight = block.height;
    this.accepts.rise(block.height);
    this.#transactions += block.transactions;
    this.#moveLatest();
  }

  leading(isLeading: boolean): void {
    this.#isLeading = isLeading;
  }

  caughtUp(): void {
    this.#hasCaughtUp = true;
    this.#checkCaughtUp();
  }

  headKnown(height: number): void {
    this.#stateHeight = Math.max(this.#stateHeight, height);
    this.accepts.rise(height);
    this.#moveLatest();
  }

  sampled(status: ChainStatus): void {
    this.chain = status;
    this.#checkCaughtUp();
  }

  /** The end of the log was reached, and fed over TCP also the head of the node that feeds this one. */
  get #isCaughtUp(): boolean {
    if (!this.#hasCaughtUp) return false;
    return (
      this.#config.sequencerBlockReplayDownloadAddress === undefined || this.chain?.replay?.hasReachedServer === true
    );
  }

  logAlarm({ code, text }: LogAlarm): void {
    if (text === undefined) this.#logAlarms.delete(code);
    else this.#logAlarms.set(code, text);
  }

  projection(name: string, change: Partial<KnownProjection>): void {
    const known = this.#projections.get(name) ?? {
      height: -1,
      blockTimestamp: undefined,
      state: 'catching_up' as const,
      problem: undefined,
    };
    this.#projections.set(name, { ...known, ...change });
    if (change.height !== undefined) this.#gateOf(name).rise(change.height);
    this.#checkCaughtUp();
    this.#moveLatest();
  }

  /** -1: not even genesis. */
  projectedHeight(name: string): number {
    return this.#gateOf(name).value;
  }

  /** Resolves once the projection has applied the block, or the time is over. */
  async whenProjected(name: string, height: number, timeoutMs: number): Promise<void> {
    // Whoever waited sees by the height that the time is over.
    await this.#gateOf(name)
      .whenReached(height, AbortSignal.timeout(timeoutMs))
      .catch(() => undefined);
  }

  #gateOf(name: string): RisingGate {
    const known = this.#heights.get(name);
    if (known !== undefined) return known;
    const gate = new RisingGate();
    this.#heights.set(name, gate);
    return gate;
  }

  get projections(): readonly ProjectionPlace[] {
    return [...this.#projections].map(([name, { height, blockTimestamp }]) => ({
      name,
      height,
      blockTimestamp,
      isOptional: this.#optional.has(name),
    }));
  }

  stoppedReading(error: unknown): void {
    this.#problem = error instanceof Error ? error.message : String(error);
  }

  /** One number: the lowest height over the state and the projections that RPC reads. */
  latest(): number {
    return this.#latest;
  }

  /** Calls back each time that `latest` has moved. Returns how to stop. */
  onLatest(listener: () => void): () => void {
    const own = (): void => listener();
    this.#latestListeners.add(own);
    return () => this.#latestListeners.delete(own);
  }

  #readHeights(): number[] {
    return RPC_PROJECTIONS.map((name) => this.#projections.get(name)?.height ?? -1);
  }

  #moveLatest(): void {
    const latest = Math.max(0, Math.min(this.#stateHeight, ...this.#readHeights()));
    if (latest === this.#latest) return;
    this.#latest = latest;
    for (const listener of [...this.#latestListeners]) listener();
  }

  status(): NodeStatus {
    const l1 = this.l1Queue === undefined ? undefined : this.l1?.();
    return {
      role: this.#config.nodeRole,
      nodeVersion: this.#nodeVersion,
      chainId: this.#chainId,
      isLeading: this.#config.nodeRole === 'main' ? this.#isLeading : undefined,
      epoch: this.chain?.epoch ?? 0n,
      logHead: this.logHead,
      isLogReadable: this.#problem === undefined,
      logProblem: this.#problem,
      logAlarms: [...this.#logAlarms.values()],
      hasCaughtUp: this.#isCaughtUp && this.genesis !== undefined,
      projections: [
        {
          name: 'state',
          height: Math.max(0, this.#stateHeight),
          lagBlocks: this.logHead - Math.max(0, this.#stateHeight),
          state: this.#hasCaughtUp ? 'live' : 'catching_up',
        },
        ...[...this.#projections].map(([name, { height, state, problem }]) => ({
          name,
          height,
          state,
          lagBlocks: Math.max(0, this.logHead - height),
          ...(this.#optional.has(name) && { optional: true }),
          // What stopped it; over as soon as it goes on.
          ...((state === 'paused' || state === 'failed') && problem !== undefined && { problem }),
        })),
      ],
      safe: this.safe(),
      finalized: this.finalized(),
      batches: this.#batches(),
      l1Head: l1?.head,
      arePriorityTransactionsChecked: l1 !== undefined,
      l1ScannedBlock: l1?.scanned,
      l1Confirmations: l1?.confirmations,
      l1Problem: this.l1Queue?.alarm?.text ?? this.l1?.().problem,
      awaitedPriorityId: this.l1Queue?.awaitedId,
      replayServer: this.#replayServerStatus(),
      replayClient: this.#replayClientStatus(),
    };
  }

  statusLineSample() {
    return {
      role: this.#config.nodeRole,
      isLeading: this.#config.nodeRole === 'main' ? this.#isLeading : undefined,
      logHead: this.logHead,
      height: this.latest(),
      transactions: this.#transactions,
      pendingTransactions: this.chain?.mempool.pending ?? 0,
      sealedBatch: this.finality?.sealedBatch ?? 0,
      executedBatch: this.finality?.executedBatch ?? 0,
      alarms: this.#alarms(),
    };
  }

  /** What somebody has to look at, each with where it is. */
  #alarms(): string[] {
    const ofLog = [...this.#logAlarms.values()].map((text) => `LOG ALARM: ${text}`);
    const l1 = this.l1Queue?.alarm?.text;
    const settlement = this.chain?.settlement.alarm?.text;
    return [
      ...ofLog,
      ...(l1 === undefined ? [] : [`L1 ALARM: ${l1}`]),
      ...(settlement === undefined ? [] : [`SETTLEMENT ALARM: ${settlement}`]),
    ];
  }

  /** Last block of the newest batch that L1 holds. */
  safe(): number {
    return this.finality?.committedBlock ?? 0;
  }

  /** Last block of the newest batch that L1 has executed. */
  finalized(): number {
    return this.finality?.executedBlock ?? 0;
  }

  #replayServerStatus(): NodeStatus['replayServer'] {
    if (this.replayServer === undefined) return undefined;
    const { address, clients } = this.replayServer;
    return { address: `${address.address}:${address.port}`, clients };
  }

  #replayClientStatus(): NodeStatus['replayClient'] {
    const server = this.#config.sequencerBlockReplayDownloadAddress;
    if (server === undefined) return undefined;
    const { isConnected = false, problem, received = 0 } = this.chain?.replay ?? {};
    return { server: `${server.host}:${server.port}`, connected: isConnected, problem, received };
  }

  #batches(): NodeStatus['batches'] {
    const settlement = this.chain?.settlement;
    return {
      sealed: this.finality?.sealedBatch ?? 0,
      checked: settlement?.checkedBatch ?? 0,
      committed: this.finality?.committedBatch ?? 0,
      proved: this.finality?.provedBatch ?? 0,
      executed: this.finality?.executedBatch ?? 0,
      openBlocks: settlement?.openBlocks ?? 0,
      alarm: settlement?.alarm?.text,
    };
  }

  #checkCaughtUp(): void {
    // A new chain gets its first block, with the genesis upgrade, from its main node at once.
    const wanted = this.#config.nodeRole === 'main' ? Math.max(1, this.#stateHeight) : this.#stateHeight;
    const isCurrent = [...this.#projections].every(
      ([name, { height }]) => height >= wanted || this.#optional.has(name),
    );
    if (this.#isCaughtUp && this.#projections.size > 0 && isCurrent) this.#caughtUp.resolve();
  }
}
