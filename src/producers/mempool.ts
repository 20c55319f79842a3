/**
 * The pool of L2 transactions that wait for a block (spec: execution 3, 4; rpc 7). Single-threaded and without I/O:
 * account state is handed in and kept up to date by `applyBlock`.
 *
 * Per sender the transactions from the account nonce on, without gap and affordable as a sum, form the *run*:
 *
 *   nonce <= takenEnd <= heldEnd <= runEnd       (all nonces)
 *
 * [nonce, takenEnd) is in blocks that are built but not accepted yet, [takenEnd, heldEnd) was handed to the block being
 * built, [heldEnd, runEnd) is free to be offered, replaced or evicted. Everything beyond the run is queued.
 */
import { type Bytes, bytesKey } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { type L2Transaction, type SenderedTransaction, isL1Transaction } from '../protocol/transaction.ts';
import { IndexedHeap, NOT_IN_HEAP } from './indexedHeap.ts';
import {
  type AdmissionLimits,
  DEFAULT_FEE_CAP,
  MIN_FEE_PER_GAS,
  checkAdmission,
  effectiveTip,
  maxCost,
  outbids,
} from './poolChecks.ts';
import { PoolError, type PoolRejection, type PoolRejectionCode } from './poolErrors.ts';

/** What the pool needs to know of a sender. */
export interface AccountView {
  readonly nonce: bigint;
  /** wei */
  readonly balance: bigint;
  readonly hasCode: boolean;
}

export interface AccountChange extends AccountView {
  readonly address: Bytes;
}

export interface MempoolOptions {
  readonly chainId: bigint;
  readonly blockGasLimit: bigint;
  /** Largest encoded transaction. */
  readonly maxInputBytes: number;
  readonly maxPendingTransactions: number;
  readonly maxPendingSizeBytes: number;
  readonly maxQueuedTransactions?: number;
  readonly maxQueuedSizeBytes?: number;
  /** wei per gas */
  readonly minFeePerGas?: bigint;
  /** wei; largest maxFee x gas */
  readonly feeCap?: bigint;
}

export interface MempoolStatus {
  /** Executable, those in blocks not accepted yet included. */
  readonly pending: number;
  readonly queued: number;
  readonly pendingSizeBytes: number;
  readonly queuedSizeBytes: number;
}

export type RemovalReason = 'mined' | 'outdated' | 'replaced' | 'purged' | 'dropped';

export interface MempoolCounters {
  readonly added: { readonly new: number; readonly replacement: number };
  readonly removed: Readonly<Record<RemovalReason, number>>;
  readonly rejected: Readonly<Partial<Record<PoolRejectionCode, number>>>;
  /** By the error that made `purge` necessary. */
  readonly purged: Readonly<Record<string, number>>;
}

/** As the pool hands it out. */
export interface PooledTransaction extends SenderedTransaction {
  /** When it was taken in, by `performance`. */
  readonly arrivedMs: number;
}

/** The transactions offered to one block, best first. Valid until the pool makes the next one or takes transactions back. */
export interface BestTransactions {
  /** Undefined: nothing now; an arrival may change that. */
  next(): PooledTransaction | undefined;
  /** Hides what was last handed out of this sender, and all its later nonces, from this block. */
  skipSender(sender: Bytes): void;
  /** What was handed out and not taken may be replaced or evicted again. */
  end(): void;
}

const DEFAULT_MAX_QUEUED_TRANSACTIONS = 10_000;
const DEFAULT_MAX_QUEUED_SIZE_BYTES = 20_000_000;
/** What an entry costs in memory beyond its encoding, roughly. */
const ENTRY_OVERHEAD_BYTES = 500;
/** An account view handed to `add` may be this many applied blocks old. */
export const ACCOUNT_VIEW_MAX_AGE_BLOCKS = 32;

class PoolEntry implements PooledTransaction {
  readonly transaction: L2Transaction;
  readonly sender: Bytes;
  readonly hashKey: string;
  readonly nonce: bigint;
  readonly cost: bigint;
  readonly tip: bigint;
  readonly arrival: number;
  readonly arrivedMs: number;
  readonly sizeBytes: number;
  account: PoolAccount;
  /** Part of its account's run. */
  executable = false;
  /** It was executable before: nobody is told again. */
  isAnnounced = false;
  queuedPlace = NOT_IN_HEAP;

  constructor(
    transaction: L2Transaction,
    sender: Bytes,
    account: PoolAccount,
    arrival: { readonly order: number; readonly ms: number },
  ) {
    this.transaction = transaction;
    this.sender = sender;
    this.account = account;
    this.arrival = arrival.order;
    this.arrivedMs = arrival.ms;
    this.hashKey = bytesKey(transaction.hash);
    this.nonce = transaction.nonce;
    this.cost = maxCost(transaction);
    this.tip = effectiveTip(transaction);
    this.sizeBytes = transaction.raw.length + ENTRY_OVERHEAD_BYTES;
  }
}

class PoolAccount {
  readonly key: string;
  readonly entries = new Map<bigint, PoolEntry>();
  nonce: bigint;
  balance: bigint;
  hasCode: boolean;
  /** Number of the applied block that last changed this account; -Infinity: none while the pool knew it. */
  changedInBlock: number;
  takenEnd: bigint;
  heldEnd: bigint;
  runEnd: bigint;
  /** Sum of the run's costs, wei. */
  runCost = 0n;
  /** Nonce to offer next to the block being built. */
  cursor: bigint;
  /** Offers nothing more to the block being built. */
  skipped = false;
  /** What is offered next, when anything. */
  candidate: PoolEntry | undefined;
  candidatePlace = NOT_IN_HEAP;
  /** Last of the run, when it may be evicted. */
  tail: PoolEntry | undefined;
  tailPlace = NOT_IN_HEAP;
  /** Executable and not taken: what this account adds to the pool's count. */
  executableCount = 0;

  constructor(key: string, view: AccountView, changedInBlock: number) {
    this.key = key;
    this.nonce = view.nonce;
    this.balance = view.balance;
    this.hasCode = view.hasCode;
    this.changedInBlock = changedInBlock;
    this.takenEnd = view.nonce;
    this.heldEnd = view.nonce;
    this.runEnd = view.nonce;
    this.cursor = view.nonce;
  }
}

/** Higher tip first, then earlier arrival. */
function comesBefore(a: PoolEntry, b: PoolEntry): boolean {
  return a.tip === b.tip ? a.arrival < b.arrival : a.tip > b.tip;
}

export class Mempool {
  /** Called after a change that made something executable. */
  onExecutable: (() => void) | undefined;
  /** Called once for each transaction that becomes executable from now on. */
  onPending: ((transaction: SenderedTransaction) => void) | undefined;

  readonly #limits: AdmissionLimits;
  readonly #maxPendingTransactions: number;
  readonly #maxPendingSizeBytes: number;
  readonly #maxQueuedTransactions: number;
  readonly #maxQueuedSizeBytes: number;

  readonly #byHash = new Map<string, PoolEntry>();
  readonly #accounts = new Map<string, PoolAccount>();
  /** Accounts by their candidate, best first. */
  readonly #candidates = new IndexedHeap<PoolAccount>({
    before: (a, b) => comesBefore(a.candidate as PoolEntry, b.candidate as PoolEntry), // who is in this heap has one
    place: (account) => account.candidatePlace,
    setPlace: (account, place) => (account.candidatePlace = place),
  });
  /** Accounts by the last transaction of their run, worst first. */
  readonly #tails = new IndexedHeap<PoolAccount>({
    before: (a, b) => comesBefore(b.tail as PoolEntry, a.tail as PoolEntry), // who is in this heap has one
    place: (account) => account.tailPlace,
    setPlace: (account, place) => (account.tailPlace = place),
  });
  /** Queued entries, worst first. */
  readonly #queued = new IndexedHeap<PoolEntry>({
    before: (a, b) => comesBefore(b, a),
    place: (entry) => entry.queuedPlace,
    setPlace: (entry, place) => (entry.queuedPlace = place),
  });
  /** Accounts that changed lately and have nothing in the pool: newer than a view that was read before the change. */
  readonly #recent = new Map<string, { readonly view: AccountView; readonly block: number }>();
  readonly #recentKeys: { readonly block: number; readonly keys: string[] }[] = [{ block: 0, keys: [] }];
  #appliedBlocks = 0;

  #arrivals = 0;
  #pending = 0;
  #pendingSizeBytes = 0;
  #queuedSizeBytes = 0;
  #executableCount = 0;
  #iteration = 0;
  /** Accounts whose cursor or skip mark belongs to the running iteration. */
  readonly #touched = new Set<PoolAccount>();
  #becameExecutable = false;
  /** To be announced, if they stay. */
  readonly #arrived: PoolEntry[] = [];

  readonly #added = { new: 0, replacement: 0 };
  readonly #removed: Record<RemovalReason, number> = { mined: 0, outdated: 0, replaced: 0, purged: 0, dropped: 0 };
  readonly #rejected: Partial<Record<PoolRejectionCode, number>> = {};
  readonly #purged: Record<string, number> = {};

  constructor(options: MempoolOptions) {
    this.#limits = {
      chainId: options.chainId,
      blockGasLimit: options.blockGasLimit,
      maxInputBytes: options.maxInputBytes,
      minFeePerGas: options.minFeePerGas ?? MIN_FEE_PER_GAS,
      feeCap: options.feeCap ?? DEFAULT_FEE_CAP,
    };
    this.#maxPendingTransactions = options.maxPendingTransactions;
    this.#maxPendingSizeBytes = options.maxPendingSizeBytes;
    this.#maxQueuedTransactions = options.maxQueuedTransactions ?? DEFAULT_MAX_QUEUED_TRANSACTIONS;
    this.#maxQueuedSizeBytes = options.maxQueuedSizeBytes ?? DEFAULT_MAX_QUEUED_SIZE_BYTES;
  }

  /** Executable and in no block yet, in transactions. */
  get executableCount(): number {
    return this.#executableCount;
  }

  get counters(): MempoolCounters {
    return {
      added: { ...this.#added },
      removed: { ...this.#removed },
      rejected: { ...this.#rejected },
      purged: { ...this.#purged },
    };
  }

  status(): MempoolStatus {
    return {
      pending: this.#pending,
      queued: this.#queued.size,
      pendingSizeBytes: this.#pendingSizeBytes,
      queuedSizeBytes: this.#queuedSizeBytes,
    };
  }

  /** Executable, queued, or in a block that is not accepted yet. */
  get(hash: Bytes): SenderedTransaction | undefined {
    return this.#byHash.get(bytesKey(hash));
  }

  /**
   * The nonce after the last consecutive one in the pool, unaccepted blocks included (spec: rpc 5).
   * @param accountNonce of the newest accepted state, for accounts that have nothing here
   */
  pendingNonce(sender: Bytes, accountNonce: bigint): bigint {
    const account = this.#accounts.get(bytesKey(sender));
    if (account === undefined) return accountNonce;
    let nonce = account.runEnd;
    while (account.entries.has(nonce)) nonce += 1n;
    return nonce > accountNonce ? nonce : accountNonce;
  }

  /**
   * The checks that need no state: types, chain id, fees, gas, init code, size (spec: execution 4).
   * @throws PoolError
   */
  checkStateless(transaction: L2Transaction): void {
    try {
      checkAdmission(transaction, this.#limits);
    } catch (error) {
      if (error instanceof PoolError) this.#countRejection(error.facts.code);
      throw error;
    }
  }

  /**
   * Takes in a transaction that passed `checkStateless`.
   * @param view the sender's account, read from an accepted state no more than ACCOUNT_VIEW_MAX_AGE_BLOCKS applied
   *   blocks ago; what the pool itself knows of the account counts more
   * @returns the hash of the transaction that it replaced, if any
   * @throws PoolError
   */
  add(transaction: L2Transaction, sender: Bytes, view: AccountView): { readonly replaced?: Bytes } {
    const hashKey = bytesKey(transaction.hash);
    if (this.#byHash.has(hashKey)) throw this.#rejection({ code: 'POOL_ALREADY_KNOWN' });
    const key = bytesKey(sender);
    const tracked = this.#accounts.get(key);
    const known = tracked ?? this.#recent.get(key)?.view ?? view;
    if (known.hasCode) throw this.#rejection({ code: 'POOL_SENDER_NOT_EOA' });
    const { nonce } = transaction;
    const nextNonce = tracked?.heldEnd ?? known.nonce;
    if (nonce < nextNonce) throw this.#rejection({ code: 'POOL_NONCE_TOO_LOW', nextNonce, nonce });
    const cost = maxCost(transaction);
    if (cost > known.balance) throw this.#rejection({ code: 'POOL_INSUFFICIENT_FUNDS', balance: known.balance, cost });
    const existing = tracked?.entries.get(nonce);
    if (existing !== undefined) this.#checkReplacement(existing, transaction);

    const account = tracked ?? this.#track(key, known);
    const entry = new PoolEntry(transaction, sender, account, this.#arrival());
    if (existing === undefined) this.#insert(entry);
    else this.#replace(existing, entry);
    this.#fit(account);
    this.#refresh(account);
    this.#enforceLimits();
    this.#notify();
    if (this.#byHash.get(hashKey) !== entry) {
      if (existing !== undefined) this.#takeBack(existing);
      throw this.#rejection({ code: 'POOL_FULL' });
    }
    this.#added[existing === undefined ? 'new' : 'replacement']++;
    return existing === undefined ? {} : { replaced: existing.transaction.hash };
  }

  /**
   * Offers the executable transactions that are in no block yet: highest tip first, equal tips by arrival, each sender
   * by nonce (spec: execution 3). Arrivals join at once. One block is built at a time: the former offer ends here.
   */
  bestTransactions(): BestTransactions {
    this.#endIteration();
    const iteration = this.#iteration;
    this.#notify();
    return {
      next: () => {
        if (iteration !== this.#iteration) return undefined;
        const account = this.#candidates.peek();
        const entry = account?.candidate;
        if (account === undefined || entry === undefined) return undefined;
        account.cursor = entry.nonce + 1n;
        account.heldEnd = account.cursor;
        this.#touched.add(account);
        this.#refresh(account);
        return entry;
      },
      skipSender: (sender) => {
        if (iteration !== this.#iteration) return;
        const account = this.#accounts.get(bytesKey(sender));
        if (account === undefined || account.skipped) return;
        account.skipped = true;
        account.heldEnd = larger(account.takenEnd, account.cursor - 1n);
        this.#touched.add(account);
        this.#refresh(account);
      },
      end: () => {
        if (iteration !== this.#iteration) return;
        this.#endIteration();
        this.#notify();
      },
    };
  }

  /**
   * A block that is not accepted yet includes these, in the order in which they were offered.
   * @throws NodeError POOL_TAKE_OUT_OF_ORDER when a sender's nonces do not follow on
   */
  take(hashes: readonly Bytes[]): void {
    for (const hash of hashes) {
      const entry = this.#byHash.get(bytesKey(hash));
      if (entry === undefined) continue; // an accepted block was faster
      const { account } = entry;
      if (entry.nonce < account.takenEnd) continue;
      if (entry.nonce > account.takenEnd || !entry.executable) {
        throw new NodeError(
          'invariant',
          `nonce ${entry.nonce} was taken before nonce ${account.takenEnd} of its sender`,
          {
            code: 'POOL_TAKE_OUT_OF_ORDER',
            hash: entry.transaction.hash,
            nonce: entry.nonce,
            takenEnd: account.takenEnd,
          },
        );
      }
      account.takenEnd = entry.nonce + 1n;
      account.heldEnd = larger(account.heldEnd, account.takenEnd);
      account.cursor = larger(account.cursor, account.takenEnd);
      this.#refresh(account);
    }
  }

  /**
   * Undoes `take` and `purge` for the transactions of blocks that were given up (spec: log-protocol 6). They keep their
   * places in the order when they are the objects that the pool handed out; who was replaced meanwhile stays out. Ends
   * the running offer.
   * @returns those that cannot come back because nothing is known of their senders: to be added again by the caller
   */
  restore(transactions: readonly SenderedTransaction[]): readonly SenderedTransaction[] {
    this.#endIteration();
    const affected = new Set<PoolAccount>();
    const unknown: SenderedTransaction[] = [];
    for (const sendered of transactions) {
      const { transaction, sender } = sendered;
      if (isL1Transaction(transaction)) continue;
      const entry = this.#byHash.get(bytesKey(transaction.hash));
      if (entry !== undefined) {
        const { account } = entry;
        account.takenEnd = smaller(account.takenEnd, entry.nonce);
        affected.add(account);
        continue;
      }
      const key = bytesKey(sender);
      const tracked = this.#accounts.get(key);
      const former = sendered instanceof PoolEntry ? sendered : undefined;
      const view = tracked ?? this.#recent.get(key)?.view ?? former?.account;
      if (view === undefined) {
        unknown.push(sendered);
        continue;
      }
      if (view.hasCode || transaction.nonce < view.nonce || tracked?.entries.has(transaction.nonce) === true) continue;
      const account = tracked ?? this.#track(key, view);
      const returning = former ?? new PoolEntry(transaction, sender, account, this.#arrival());
      returning.account = account;
      this.#insert(returning);
      affected.add(account);
    }
    for (const account of affected) {
      account.heldEnd = account.takenEnd;
      account.cursor = account.takenEnd;
      this.#fit(account);
      this.#refresh(account);
    }
    this.#enforceLimits();
    this.#notify();
    return unknown;
  }

  /**
   * An accepted block, in order: what it mined leaves, changed accounts promote or park what they have here.
   * @param changed every account whose record changed, as it is after the block
   */
  applyBlock(changed: readonly AccountChange[], minedHashes: readonly Bytes[]): void {
    this.#openBlock();
    const mined = new Set<PoolEntry>();
    for (const hash of minedHashes) {
      const entry = this.#byHash.get(bytesKey(hash));
      if (entry !== undefined) mined.add(entry);
    }
    for (const change of changed) {
      const key = bytesKey(change.address);
      const account = this.#accounts.get(key);
      if (account === undefined) this.#remember(key, change);
      else this.#updateAccount(account, change, mined);
    }
    for (const entry of mined) if (this.#byHash.get(entry.hashKey) === entry) this.#remove(entry, 'mined');
    this.#enforceLimits();
    this.#notify();
  }

  /** Removes a transaction that can never be included; later nonces of its sender wait for another one in its place. */
  purge(hash: Bytes, reason: string): void {
    const entry = this.#byHash.get(bytesKey(hash));
    if (entry === undefined) return;
    this.#purged[reason] = (this.#purged[reason] ?? 0) + 1;
    this.#remove(entry, 'purged');
    this.#enforceLimits();
    this.#notify();
  }

  #arrival(): { order: number; ms: number } {
    return { order: this.#arrivals++, ms: performance.now() };
  }

  #track(key: string, view: AccountView): PoolAccount {
    const account = new PoolAccount(key, view, this.#recent.get(key)?.block ?? Number.NEGATIVE_INFINITY);
    this.#accounts.set(key, account);
    return account;
  }

  #checkReplacement(existing: PoolEntry, transaction: L2Transaction): void {
    if (!outbids(transaction, existing.transaction)) throw this.#rejection({ code: 'POOL_REPLACEMENT_UNDERPRICED' });
    const growth = transaction.raw.length + ENTRY_OVERHEAD_BYTES - existing.sizeBytes;
    const free = existing.executable
      ? this.#maxPendingSizeBytes - this.#pendingSizeBytes
      : this.#maxQueuedSizeBytes - this.#queuedSizeBytes;
    if (growth > 0 && growth > free) throw this.#rejection({ code: 'POOL_FULL' });
  }

  #insert(entry: PoolEntry): void {
    this.#byHash.set(entry.hashKey, entry);
    entry.account.entries.set(entry.nonce, entry);
    entry.executable = false;
    this.#queued.place(entry);
    this.#queuedSizeBytes += entry.sizeBytes;
  }

  #replace(existing: PoolEntry, entry: PoolEntry): void {
    const { account } = entry;
    this.#byHash.delete(existing.hashKey);
    this.#byHash.set(entry.hashKey, entry);
    account.entries.set(entry.nonce, entry);
    if (existing.executable) {
      entry.executable = true;
      this.#arrive(entry);
      account.runCost += entry.cost - existing.cost;
      this.#pendingSizeBytes += entry.sizeBytes - existing.sizeBytes;
    } else {
      this.#queued.remove(existing);
      this.#queued.place(entry);
      this.#queuedSizeBytes += entry.sizeBytes - existing.sizeBytes;
    }
    this.#removed.replaced++;
  }

  /** What was to replace it did not stay. */
  #takeBack(replaced: PoolEntry): void {
    const { key } = replaced.account;
    const account = this.#accounts.get(key) ?? this.#track(key, replaced.account);
    replaced.account = account;
    this.#insert(replaced);
    this.#removed.replaced--;
    this.#fit(account);
    this.#refresh(account);
    this.#enforceLimits();
    this.#notify();
  }

  /** Brings the end of the run to where gaps and balance put it; what was handed out stays. */
  #fit(account: PoolAccount): void {
    while (account.runEnd > account.heldEnd && account.runCost > account.balance) this.#shorten(account);
    for (;;) {
      const entry = account.entries.get(account.runEnd);
      if (entry === undefined || account.runCost + entry.cost > account.balance) return;
      account.runEnd += 1n;
      account.runCost += entry.cost;
      entry.executable = true;
      this.#arrive(entry);
      this.#queued.remove(entry);
      this.#queuedSizeBytes -= entry.sizeBytes;
      this.#pending++;
      this.#pendingSizeBytes += entry.sizeBytes;
    }
  }

  /** The last of the run becomes queued. */
  #shorten(account: PoolAccount): void {
    account.runEnd -= 1n;
    const entry = account.entries.get(account.runEnd);
    if (entry !== undefined) this.#leaveRun(entry);
  }

  #leaveRun(entry: PoolEntry): void {
    entry.account.runCost -= entry.cost;
    entry.executable = false;
    this.#pending--;
    this.#pendingSizeBytes -= entry.sizeBytes;
    this.#queued.place(entry);
    this.#queuedSizeBytes += entry.sizeBytes;
  }

  /** Takes an entry out of every index; the run's bounds are the caller's business. */
  #forget(entry: PoolEntry, reason: RemovalReason): void {
    if (entry.executable) {
      entry.executable = false;
      entry.account.runCost -= entry.cost;
      this.#pending--;
      this.#pendingSizeBytes -= entry.sizeBytes;
    } else {
      this.#queued.remove(entry);
      this.#queuedSizeBytes -= entry.sizeBytes;
    }
    this.#byHash.delete(entry.hashKey);
    entry.account.entries.delete(entry.nonce);
    this.#removed[reason]++;
  }

  #remove(entry: PoolEntry, reason: RemovalReason): void {
    const { account, nonce } = entry;
    if (entry.executable) {
      while (account.runEnd > nonce) this.#shorten(account);
      account.takenEnd = smaller(account.takenEnd, nonce);
      account.heldEnd = smaller(account.heldEnd, nonce);
      account.cursor = smaller(account.cursor, nonce);
    }
    this.#forget(entry, reason);
    this.#refresh(account);
    this.#dropIfEmpty(account);
  }

  #updateAccount(account: PoolAccount, view: AccountView, mined: ReadonlySet<PoolEntry>): void {
    const startOver = view.hasCode || view.nonce < account.nonce;
    if (startOver) while (account.runEnd > account.nonce) this.#shorten(account);
    for (const entry of entriesBelow(account, view)) this.#forget(entry, mined.has(entry) ? 'mined' : 'outdated');
    account.nonce = view.nonce;
    account.balance = view.balance;
    account.hasCode = view.hasCode;
    account.changedInBlock = this.#appliedBlocks;
    account.runEnd = startOver ? view.nonce : larger(account.runEnd, view.nonce);
    account.takenEnd = startOver ? view.nonce : larger(account.takenEnd, view.nonce);
    account.heldEnd = startOver ? view.nonce : larger(account.heldEnd, view.nonce);
    account.cursor = startOver ? view.nonce : larger(account.cursor, view.nonce);
    this.#fit(account);
    this.#refresh(account);
    this.#dropIfEmpty(account);
  }

  #dropIfEmpty(account: PoolAccount): void {
    // The running iteration may have marks on it: dropped when that ends.
    if (account.entries.size > 0 || this.#touched.has(account)) return;
    this.#accounts.delete(account.key);
    if (this.#appliedBlocks - account.changedInBlock < ACCOUNT_VIEW_MAX_AGE_BLOCKS)
      this.#remember(account.key, account);
  }

  /** Puts the account where its candidate and tail belong. After every change of its bounds, entries or skip mark. */
  #refresh(account: PoolAccount): void {
    const { cursor, runEnd, heldEnd, entries } = account;
    const candidate = account.skipped || cursor >= runEnd ? undefined : entries.get(cursor);
    if (candidate !== account.candidate) {
      if (account.candidate === undefined) this.#becameExecutable = true;
      account.candidate = candidate;
      if (candidate === undefined) this.#candidates.remove(account);
      else this.#candidates.place(account);
    }
    const tail = runEnd > heldEnd ? entries.get(runEnd - 1n) : undefined;
    if (tail !== account.tail) {
      account.tail = tail;
      if (tail === undefined) this.#tails.remove(account);
      else this.#tails.place(account);
    }
    const executableCount = Number(runEnd - account.takenEnd);
    this.#executableCount += executableCount - account.executableCount;
    account.executableCount = executableCount;
  }

  /** The worst leave: of the executable the last nonces of their senders, of the queued any. */
  #enforceLimits(): void {
    while (this.#pending > this.#maxPendingTransactions || this.#pendingSizeBytes > this.#maxPendingSizeBytes) {
      const worst = this.#tails.peek()?.tail;
      if (worst === undefined) break;
      this.#remove(worst, 'dropped');
    }
    while (this.#queued.size > this.#maxQueuedTransactions || this.#queuedSizeBytes > this.#maxQueuedSizeBytes) {
      const worst = this.#queued.peek();
      if (worst === undefined) break;
      this.#remove(worst, 'dropped');
    }
  }

  #endIteration(): void {
    this.#iteration++;
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const account of touched) {
      account.skipped = false;
      account.heldEnd = account.takenEnd;
      account.cursor = account.takenEnd;
      this.#fit(account);
      this.#refresh(account);
      this.#dropIfEmpty(account);
    }
  }

  #openBlock(): void {
    const block = ++this.#appliedBlocks;
    this.#recentKeys.push({ block, keys: [] });
    while (this.#recentKeys.length > ACCOUNT_VIEW_MAX_AGE_BLOCKS) {
      const oldest = this.#recentKeys.shift();
      for (const key of oldest?.keys ?? [])
        if (this.#recent.get(key)?.block === oldest?.block) this.#recent.delete(key);
    }
  }

  #remember(key: string, { nonce, balance, hasCode }: AccountView): void {
    const block = this.#appliedBlocks;
    const isListed = this.#recent.get(key)?.block === block;
    this.#recent.set(key, { view: { nonce, balance, hasCode }, block });
    if (!isListed) this.#recentKeys.at(-1)?.keys.push(key);
  }

  #rejection(rejection: PoolRejection): PoolError {
    this.#countRejection(rejection.code);
    return new PoolError(rejection);
  }

  #countRejection(code: PoolRejectionCode): void {
    this.#rejected[code] = (this.#rejected[code] ?? 0) + 1;
  }

  #arrive(entry: PoolEntry): void {
    if (entry.isAnnounced) return;
    if (this.onPending === undefined) entry.isAnnounced = true;
    else this.#arrived.push(entry);
  }

  #announceArrived(): void {
    for (const entry of this.#arrived.splice(0)) {
      if (entry.isAnnounced || !entry.executable || this.#byHash.get(entry.hashKey) !== entry) continue;
      entry.isAnnounced = true;
      this.onPending?.(entry);
    }
  }

  #notify(): void {
    if (this.#arrived.length > 0) this.#announceArrived();
    if (!this.#becameExecutable) return;
    this.#becameExecutable = false;
    this.onExecutable?.();
  }
}

/** What can never be included once the account is as in `view`. */
function entriesBelow(account: PoolAccount, view: AccountView): PoolEntry[] {
  if (view.hasCode) return [...account.entries.values()];
  const found: PoolEntry[] = [];
  if (view.nonce - account.nonce > BigInt(account.entries.size)) {
    for (const entry of account.entries.values()) if (entry.nonce < view.nonce) found.push(entry);
    return found;
  }
  for (let nonce = account.nonce; nonce < view.nonce; nonce += 1n) {
    const entry = account.entries.get(nonce);
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
