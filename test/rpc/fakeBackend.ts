/** A small chain in memory behind the interface that JSON-RPC needs, and a server on it. */
import { readFileSync } from 'node:fs';
import type { Bytes } from '../../src/common/bytes.ts';
import { ZERO_32, ZERO_ADDRESS, bytesKey, equalBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { BatchesReader } from '../../src/projections/batchesReader.ts';
import type { MerkleTreeReader } from '../../src/projections/merkleTreeReader.ts';
import type {
  FoundLog,
  LogFilter,
  LogScan,
  LogSearch,
  RepositoriesReader,
  StoredBlock,
  StoredReceipt,
  StoredTransaction,
  TransactionMeta,
} from '../../src/projections/repositoriesReader.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import type { RpcMetrics } from '../../src/rpc/dispatcher.ts';
import { EMPTY_OMMERS_HASH } from '../../src/protocol/blockHeader.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type {
  AddressIndex,
  PendingTransaction,
  PoolTransaction,
  RpcBackend,
  SimulatedCall,
  SimulationResult,
  TraceRequest,
} from '../../src/rpc/backend.ts';
import type { RpcServer, RpcServerOptions } from '../../src/rpc/server.ts';
import { startRpcServer } from '../../src/rpc/server.ts';

export const COLLECTOR = fromHex('0x36615cf349d7f6344891b1e7ca7c72883f5dc049');
export const BASE_FEE = 1_000n;

/** A file of test/fixtures/vectors. */
export function vectorFile<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/vectors/${path}`, import.meta.url), 'utf8')) as T;
}

export interface FakeTransaction {
  readonly raw: Bytes;
  readonly sender: Bytes;
  readonly success?: boolean;
  readonly logs?: readonly Log[];
  readonly l2ToL1Logs?: StoredReceipt['l2ToL1Logs'];
  readonly contractAddress?: Bytes;
}

interface FakeBlock {
  readonly block: StoredBlock;
  readonly transactions: readonly StoredTransaction[];
  readonly receipts: readonly StoredReceipt[];
}

/** As if blooms never said yes in vain. */
function scanOf(fromBlock: number, lastBlock: number, found: readonly FoundLog[]): LogScan {
  const matching = new Set(found.map(({ blockNumber }) => blockNumber)).size;
  return { blocks: Math.max(0, lastBlock - fromBlock + 1), candidates: matching, matching };
}

function matchesLog(log: Log, filter: LogFilter): boolean {
  if (filter.addresses.length > 0 && !filter.addresses.some((address) => equalBytes(address, log.address)))
    return false;
  return filter.topics.every((choices, position) => {
    const topic = log.topics[position];
    return topic !== undefined && (choices.length === 0 || choices.some((choice) => equalBytes(choice, topic)));
  });
}

export class FakeChain {
  readonly blocks: FakeBlock[] = [];
  readonly pooled = new Map<string, PoolTransaction>();
  readonly accounts = new Map<string, Bytes>();
  readonly slots = new Map<string, Bytes>();
  readonly preimages = new Map<string, Bytes>();
  readonly submitted: Bytes[] = [];
  readonly calls: SimulatedCall[] = [];
  readonly pendingListeners = new Set<(transaction: PendingTransaction) => void>();
  readonly #latestListeners = new Set<() => void>();
  /** Blocks of the log that are not readable yet. */
  unread = 0;
  latest: number | undefined;
  safe = 0;
  finalized = 0;
  executedBatch = 0;
  addresses: AddressIndex | undefined;
  batches: BatchesReader | undefined;
  merkleTree: MerkleTreeReader | undefined;
  submit: (raw: Bytes) => Promise<Bytes> = async (raw) => keccak256(raw);
  simulate: (call: SimulatedCall) => Promise<SimulationResult> = async () => ({
    kind: 'success',
    returnData: Uint8Array.of(0xab),
    gasUsed: 21_000n,
    gas: 22_000n,
  });
  readonly traceRequests: TraceRequest[] = [];
  trace: (request: TraceRequest) => Promise<string> = async () => '{"type":"CALL"}';
  pendingNonce = 0n;

  constructor() {
    this.addBlock([]);
  }

  get head(): number {
    return this.blocks.length - 1;
  }

  addBlock(transactions: readonly FakeTransaction[]): FakeBlock {
    const number = this.blocks.length;
    const hash =
      number === 0
        ? fromHex('0xef97917ce9bd9fa7d12ad6a8d81ea26c80ac1d727acc37cbb9799ae199788dc5')
        : keccak256(fromHex(toHex(Uint8Array.of(number, 7))));
    const timestamp = BigInt(1_700_000_000 + number);
    let logsBefore = 0;
    const stored: StoredTransaction[] = [];
    const receipts: StoredReceipt[] = [];
    transactions.forEach((fake, transactionIndex) => {
      const transaction = decodeTransaction(fake.raw);
      const meta: TransactionMeta = {
        blockHash: hash,
        blockNumber: number,
        blockTimestamp: timestamp,
        transactionIndex,
        effectiveGasPrice: isL1Transaction(transaction) ? transaction.maxFeePerGas : BASE_FEE,
        logsBefore,
        gasUsed: 21_000n,
        contractAddress: fake.contractAddress,
      };
      const logs = fake.logs ?? [];
      stored.push({ raw: fake.raw, sender: fake.sender, meta });
      receipts.push({
        transactionHash: transaction.hash,
        transactionType: transaction.type,
        sender: fake.sender,
        to: transaction.to,
        success: fake.success ?? true,
        cumulativeGasUsed: BigInt(transactionIndex + 1) * 21_000n,
        logsBloom: new Uint8Array(256),
        logs,
        l2ToL1Logs: fake.l2ToL1Logs ?? [],
        meta,
      });
      logsBefore += logs.length;
    });
    const added: FakeBlock = {
      block: {
        header: {
          parentHash: this.blocks.at(-1)?.block.hash ?? ZERO_32,
          ommersHash: EMPTY_OMMERS_HASH,
          beneficiary: number === 0 ? ZERO_ADDRESS : COLLECTOR,
          stateRoot: ZERO_32,
          transactionsRoot: keccak256(hash),
          receiptsRoot: ZERO_32,
          logsBloom: new Uint8Array(256).fill(logsBefore === 0 ? 0 : 3),
          difficulty: 0n,
          number: BigInt(number),
          gasLimit: number === 0 ? 5_000n : 100_000_000n,
          gasUsed: BigInt(transactions.length) * 21_000n,
          timestamp,
          extraData: new Uint8Array(0),
          mixHash: number === 0 ? ZERO_32 : fromHex(`0x${'00'.repeat(31)}01`),
          nonce: new Uint8Array(8),
          baseFeePerGas: number === 0 ? 1_000_000_000n : BASE_FEE,
        },
        hash,
        transactionHashes: receipts.map(({ transactionHash }) => transactionHash),
        sizeBytes: 540 + stored.reduce((sum, { raw }) => sum + raw.length, 0),
      },
      transactions: stored,
      receipts,
    };
    this.blocks.push(added);
    this.announceLatest();
    return added;
  }

  /** `latest` has moved. */
  announceLatest(): void {
    for (const listener of [...this.#latestListeners]) listener();
  }

  /** How many look at the head. */
  get watchers(): number {
    return this.#latestListeners.size;
  }

  /** The pool takes a transaction in. */
  announcePending({ raw, sender }: FakeTransaction): void {
    for (const listener of [...this.pendingListeners]) listener({ hash: decodeTransaction(raw).hash, raw, sender });
  }

  context(number: number): BlockContext | undefined {
    const block = this.blocks[number];
    if (block === undefined) return undefined;
    return {
      chainId: number === 0 ? 0n : 270n,
      blockNumber: BigInt(number),
      blockHashes: Array.from({ length: 256 }, () => ZERO_32),
      timestamp: block.block.header.timestamp,
      eip1559BaseFee: block.block.header.baseFeePerGas,
      pubdataPrice: 0n,
      nativePrice: 1n,
      coinbase: COLLECTOR,
      gasLimit: 100_000_000n,
      pubdataLimit: 100_000_000n,
      mixHash: 0n,
      executionVersion: 3,
    };
  }

  private findLogs(filter: LogFilter): LogSearch {
    const found: FoundLog[] = [];
    for (let number = filter.fromBlock; number <= filter.toBlock; number++) {
      const before = number - 1;
      for (const { logs, meta, transactionHash } of this.blocks[number]?.receipts ?? []) {
        logs.forEach((log, index) => {
          if (matchesLog(log, filter))
            found.push({ ...log, ...meta, transactionHash, logIndex: meta.logsBefore + index });
        });
      }
      if (filter.toBlock > filter.fromBlock && found.length > filter.maxResults) {
        const lastCompleteBlock = before < filter.fromBlock ? undefined : before;
        return { kind: 'tooMany', lastCompleteBlock, scan: scanOf(filter.fromBlock, number, found) };
      }
    }
    return { kind: 'found', logs: found, scan: scanOf(filter.fromBlock, filter.toBlock, found) };
  }

  private repositories(): RepositoriesReader {
    const all = (): readonly StoredTransaction[] => this.blocks.flatMap(({ transactions }) => transactions);
    const receipts = (): readonly StoredReceipt[] => this.blocks.flatMap((block) => block.receipts);
    return {
      blockByNumber: async (number) => this.blocks[number]?.block,
      blockNumberByHash: async (hash) => {
        const index = this.blocks.findIndex(({ block }) => equalBytes(block.hash, hash));
        return index < 0 ? undefined : index;
      },
      transactionByHash: async (hash) => all().find(({ raw }) => equalBytes(decodeTransaction(raw).hash, hash)),
      transactionsOfBlock: async (number) => this.blocks[number]?.transactions,
      receiptByHash: async (hash) => receipts().find(({ transactionHash }) => equalBytes(transactionHash, hash)),
      receiptsOfBlock: async (number) => this.blocks[number]?.receipts,
      transactionsAt: async (places) =>
        places.map(({ blockNumber, transactionIndex }) => {
          const block = this.blocks[blockNumber];
          const transaction = block?.transactions[transactionIndex];
          const receipt = block?.receipts[transactionIndex];
          return transaction === undefined || receipt === undefined ? undefined : { transaction, receipt };
        }),
      feesOfBlock: async (number) =>
        this.blocks[number]?.receipts.reduce((sum, { meta }) => sum + meta.gasUsed * meta.effectiveGasPrice, 0n),
      transactionHashBySenderAndNonce: async (sender, nonce) => {
        for (const { raw, sender: from } of all()) {
          const transaction = decodeTransaction(raw);
          if (!isL1Transaction(transaction) && transaction.nonce === nonce && equalBytes(from, sender))
            return transaction.hash;
        }
        return undefined;
      },
      logs: async (filter) => this.findLogs(filter),
    };
  }

  backend(): RpcBackend {
    return {
      chain: {
        chainId: 270n,
        l1ChainId: 31_337n,
        genesisEntry: Uint8Array.of(1, 2, 3),
        bridgehub: fromHex('0x8bd76a67b984e8f0b902a82220a90fc45d9738a9'),
        genesis: {
          initialContracts: [[fromHex('0x000000000000000000000000000000000000800f'), Uint8Array.of(0x60, 0x80)]],
          additionalStorage: [[new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]],
          executionVersion: 3,
          genesisRoot: new Uint8Array(32).fill(0xc3),
        },
      },
      nodeVersion: '0.1.0',
      latest: () => this.latest ?? this.head,
      onLatest: (listener) => {
        this.#latestListeners.add(listener);
        return () => this.#latestListeners.delete(listener);
      },
      logHead: () => this.head + this.unread,
      safe: () => this.safe,
      finalized: () => this.finalized,
      executedBatch: () => this.executedBatch,
      addresses: this.addresses,
      batches: this.batches,
      merkleTree: this.merkleTree,
      nextBaseFee: () => BASE_FEE,
      repositories: this.repositories(),
      state: {
        account: async (address) => this.accounts.get(bytesKey(address)),
        slot: async (address, slot) => this.slots.get(bytesKey(address) + bytesKey(slot)),
        preimage: async (hash) => this.preimages.get(bytesKey(hash)),
      },
      blockContext: async (number) => this.context(number),
      pool: {
        submit: async (raw) => {
          this.submitted.push(raw);
          return this.submit(raw);
        },
        transactionByHash: async (hash) => this.pooled.get(bytesKey(hash)),
        pendingNonce: async () => this.pendingNonce,
        status: async () => ({ pending: this.pooled.size, queued: 2 }),
        watchPending: async (listener) => {
          this.pendingListeners.add(listener);
          return () => this.pendingListeners.delete(listener);
        },
      },
      simulate: async (call) => {
        this.calls.push(call);
        return this.simulate(call);
      },
      trace: async (request) => {
        this.traceRequests.push(request);
        return this.trace(request);
      },
    };
  }
}

/** What the server counted. */
export interface Counted {
  readonly calls: Pick<Parameters<RpcMetrics['call']>[0], 'method' | 'code' | 'requestBytes' | 'responseBytes'>[];
  readonly batches: number[];
  readonly batchMethods: Readonly<Record<string, number>>[];
  readonly scans: LogScan[];
  readonly rejected: string[];
  readonly internalErrors: unknown[];
  readonly subscriptions: Map<string, number>;
  webSockets: number;
  lagged: number;
  filters: number;
  expiredFilters: number;
}

export interface TestServer {
  readonly server: RpcServer;
  readonly url: string;
  readonly counted: Counted;
  /** Sends the text and parses the answer. */
  post(body: string): Promise<unknown>;
  /** The answer to one call. */
  call(method: string, ...params: unknown[]): Promise<Answer>;
}

export interface Answer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export async function startTestServer(chain: FakeChain, options: Partial<RpcServerOptions> = {}): Promise<TestServer> {
  const counted: Counted = {
    calls: [],
    batches: [],
    batchMethods: [],
    scans: [],
    rejected: [],
    internalErrors: [],
    subscriptions: new Map(),
    webSockets: 0,
    lagged: 0,
    filters: 0,
    expiredFilters: 0,
  };
  const server = await startRpcServer({
    backend: chain.backend(),
    namespaces: ['eth', 'net', 'web3', 'zks', 'ots', 'txpool', 'debug', 'reprise'],
    ethCallGas: 10_000_000n,
    maxBlocksPerFilter: 100_000,
    maxLogsPerResponse: 20_000,
    gasPriceScale: 1.5,
    maxResponseBytes: 24 * 1024 * 1024,
    syncingLagBlocks: 10,
    callTimeoutMs: 10_000,
    host: '127.0.0.1',
    port: 0,
    maxConnections: 1_000,
    maxRequestBytes: 15 * 1024 * 1024,
    maxBatchEntries: 500,
    filterTtlMs: 900_000,
    maxFilters: 10_000,
    pingIntervalMs: 30_000,
    maxSubscriptions: 1_024,
    maxUnreadBytes: 16 * 1024 * 1024,
    metrics: {
      call: ({ method, code, requestBytes, responseBytes }) =>
        counted.calls.push({ method, code, requestBytes, responseBytes }),
      batch: ({ entries, methods }) => {
        counted.batches.push(entries);
        counted.batchMethods.push(Object.fromEntries(methods));
      },
      logsScanned: (scan) => counted.scans.push(scan),
      inFlight: () => {},
      rejected: (reason) => counted.rejected.push(reason),
      webSockets: (open) => (counted.webSockets = open),
      subscriptions: (kind, open) => counted.subscriptions.set(kind, open),
      subscriptionLagged: () => (counted.lagged += 1),
      filters: (installed) => (counted.filters = installed),
      filterExpired: () => (counted.expiredFilters += 1),
    },
    onInternalError: (error) => counted.internalErrors.push(error),
    ...options,
  });
  const url = `http://127.0.0.1:${server.port}`;
  const post = async (body: string): Promise<unknown> => {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const text = await response.text();
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    server,
    url,
    counted,
    post,
    call: async (method, ...params) =>
      (await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))) as Answer,
  };
}
