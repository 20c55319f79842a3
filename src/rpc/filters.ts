/**
 * Filters that clients poll (spec: rpc 8). In memory of this process, bounded, and gone when nobody has asked for a
 * while. Blocks and logs are found by height from where the last poll ended, so that none is missed or told twice.
 */
import { toHex } from '../common/bytes.ts';
import type { Clock, RandomSource } from '../common/clock.ts';
import type { FoundLog } from '../projections/repositoriesReader.ts';
import type { RpcBackend } from './backend.ts';
import type { BlockId } from './blockTags.ts';
import { tagHeight } from './blockTags.ts';
import { RPC_CODE, RpcError, invalidArgument, responseTooBig } from './errors.ts';
import type { LogLimits, LogMetrics, LogQuery } from './logQuery.ts';
import { findLogs, maxLogBytes } from './logQuery.ts';
import { logObject } from './objects.ts';
import type { PendingFeed, PendingNotice } from './pendingFeed.ts';
import { RawJson, jsonArray } from './rawJson.ts';
import { randomId } from './subscriptions.ts';

export interface FilterSettings {
  /** A filter that nobody polls so long is removed. */
  readonly filterTtlMs: number;
  readonly maxFilters: number;
}

export interface FiltersOptions extends FilterSettings {
  readonly backend: RpcBackend;
  readonly pending: PendingFeed;
  readonly limits: LogLimits;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly metrics: LogMetrics & { filters(installed: number): void; filterExpired(): void };
}

/** Block hashes of one answer; the next poll gives the rest. */
const HASHES_MAX = 1_000;
const READS_AT_ONCE = 50;
/** Transactions that wait for a poll; what comes on top is dropped, as a pool promises nothing. */
const WAITING_HASHES_MAX = 2_048;
const WAITING_FULL_MAX = 1_024;
const JANITOR_SHARE = 10;
const EMPTY_ARRAY_LENGTH = '[]'.length;

interface BlockCursor {
  /** Everything up to this height was told. */
  height: number;
}

type Content =
  | { readonly kind: 'blocks'; readonly told: BlockCursor }
  | { readonly kind: 'logs'; readonly told: BlockCursor; readonly query: LogQuery }
  | { readonly kind: 'pending'; readonly waiting: WaitingTexts; readonly stop: () => void };

/** JSON of transactions that wait for a poll, as much as one answer holds; what comes on top is dropped. */
class WaitingTexts {
  readonly #maxTexts: number;
  readonly #maxLength: number;
  #texts: string[] = [];
  #length = EMPTY_ARRAY_LENGTH;

  constructor(limits: { readonly maxTexts: number; readonly maxLength: number }) {
    this.#maxTexts = limits.maxTexts;
    this.#maxLength = limits.maxLength;
  }

  add(notice: PendingNotice, isFull: boolean): void {
    if (this.#texts.length >= this.#maxTexts) return;
    const text = notice.text(isFull);
    if (this.#length + text.length + 1 > this.#maxLength) return;
    this.#texts.push(text);
    this.#length += text.length + 1;
  }

  take(): RawJson {
    const answer = new RawJson(`[${this.#texts.join(',')}]`);
    this.#texts = [];
    this.#length = EMPTY_ARRAY_LENGTH;
    return answer;
  }
}

interface Filter {
  readonly content: Content;
  expiresAtMs: number;
  /** Polls of one filter run one after the other. */
  last: Promise<unknown>;
}

export class Filters {
  readonly #options: FiltersOptions;
  readonly #filters = new Map<string, Filter>();
  #opening = 0;
  #cancelJanitor: (() => void) | undefined;
  #isClosed = false;

  constructor(options: FiltersOptions) {
    this.#options = options;
  }

  newBlockFilter(): string {
    this.#checkRoom();
    return this.#install({ kind: 'blocks', told: { height: this.#options.backend.latest() } });
  }

  newLogFilter(query: LogQuery): string {
    this.#checkRoom();
    const { range } = query;
    if (range.kind === 'range') {
      const { from, to } = range;
      if (from.kind === 'number' && to.kind === 'number' && from.number > to.number)
        throw invalidArgument('invalid block range params');
    }
    return this.#install({ kind: 'logs', told: { height: this.#options.backend.latest() }, query });
  }

  async newPendingFilter(isFull: boolean): Promise<string> {
    this.#checkRoom();
    const waiting = new WaitingTexts({
      maxTexts: isFull ? WAITING_FULL_MAX : WAITING_HASHES_MAX,
      maxLength: this.#options.maxResponseBytes,
    });
    this.#opening += 1;
    try {
      const stop = await this.#options.pending.watch((notice) => waiting.add(notice, isFull));
      return this.#install({ kind: 'pending', waiting, stop });
    } finally {
      this.#opening -= 1;
    }
  }

  /** What is new since the last poll, as a JSON array. Errors: -32000 `filter not found`. */
  changes(id: string): Promise<RawJson> {
    const filter = this.#touch(id);
    const answer = filter.last.then(() => this.#changes(filter.content));
    filter.last = answer.catch(() => undefined);
    return answer;
  }

  /** All logs of the filter's range, again with every call. */
  async logs(id: string): Promise<RawJson> {
    const { content } = this.#touch(id);
    if (content.kind !== 'logs') throw filterNotFound();
    const { backend, maxResponseBytes } = this.#options;
    const range = clamped(content.query.range, backend.latest());
    if (range === undefined) return new RawJson('[]');
    const found = await findLogs(this.#options, { ...content.query, range });
    return jsonArray(found, logObject, maxResponseBytes);
  }

  /** False: there is none. */
  uninstall(id: string): boolean {
    return this.#current(id) !== undefined && this.#remove(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelJanitor?.();
    for (const id of [...this.#filters.keys()]) this.#remove(id);
  }

  #changes(content: Content): Promise<RawJson> | RawJson {
    switch (content.kind) {
      case 'blocks':
        return this.#newBlocks(content.told);
      case 'logs':
        return this.#newLogs(content.told, content.query);
      case 'pending':
        return content.waiting.take();
    }
  }

  async #newBlocks(told: BlockCursor): Promise<RawJson> {
    const { backend } = this.#options;
    const { repositories } = backend;
    const to = Math.min(backend.latest(), told.height + HASHES_MAX);
    const hashes: string[] = [];
    for (let from = told.height + 1; from <= to; from += READS_AT_ONCE) {
      const heights = Array.from({ length: Math.min(READS_AT_ONCE, to - from + 1) }, (_, i) => from + i);
      const blocks = await Promise.all(heights.map((height) => repositories.blockByNumber(height)));
      for (const block of blocks) if (block !== undefined) hashes.push(JSON.stringify(toHex(block.hash)));
    }
    told.height = Math.max(told.height, to);
    return new RawJson(`[${hashes.join(',')}]`);
  }

  /** Of the blocks since the last poll those in the filter's range: as many as fit an answer, the rest with the next poll. */
  async #newLogs(told: BlockCursor, query: LogQuery): Promise<RawJson> {
    const { backend, limits, maxResponseBytes } = this.#options;
    const { first, last } = await this.#newRange(told, query.range);
    let to = Math.min(last, first + limits.maxBlocks);
    while (to >= first) {
      const found = await this.#searchLogs(first, to, query);
      if (found !== undefined) {
        try {
          const answer = await jsonArray(found, logObject, maxResponseBytes);
          told.height = Math.max(told.height, to);
          return answer;
        } catch (error) {
          const isTooBig = error instanceof RpcError && error.rpcCode === RPC_CODE.responseTooBig;
          if (!isTooBig || to === first) throw error;
        }
      }
      to = Math.floor((first + to) / 2);
    }
    told.height = Math.max(told.height, Math.min(last, backend.latest()));
    return new RawJson('[]');
  }

  /** Undefined: more than one answer holds. One block alone is always whole. */
  async #searchLogs(fromBlock: number, toBlock: number, query: LogQuery): Promise<readonly FoundLog[] | undefined> {
    const { addresses, topics } = query;
    const { backend, limits, maxResponseBytes, metrics } = this.#options;
    const maxResults = fromBlock === toBlock ? Number.MAX_SAFE_INTEGER : limits.maxLogs;
    const maxBytes = maxLogBytes(maxResponseBytes);
    const search = await backend.repositories.logs({ fromBlock, toBlock, addresses, topics, maxResults, maxBytes });
    metrics.logsScanned(search.scan);
    if (search.kind === 'tooLarge' && fromBlock === toBlock) throw responseTooBig(maxResponseBytes);
    return search.kind === 'found' ? search.logs : undefined;
  }

  async #newRange(told: BlockCursor, range: LogQuery['range']): Promise<{ first: number; last: number }> {
    const { backend } = this.#options;
    const latest = backend.latest();
    const next = told.height + 1;
    if (range.kind === 'block') {
      const height = await backend.repositories.blockNumberByHash(range.blockHash);
      const isNew = height !== undefined && height >= next && height <= latest;
      return isNew ? { first: height, last: height } : { first: latest + 1, last: latest };
    }
    const first = range.from.kind === 'number' ? Math.max(next, boundedHeight(range.from.number)) : next;
    return { first, last: Math.min(latest, upperEnd(backend, range.to)) };
  }

  #checkRoom(): void {
    this.#removeExpired();
    const { maxFilters } = this.#options;
    if (this.#filters.size + this.#opening < maxFilters) return;
    throw new RpcError(RPC_CODE.limitExceeded, `too many filters: at most ${maxFilters} are kept; uninstall some`);
  }

  #install(content: Content): string {
    const { clock, random, filterTtlMs, metrics } = this.#options;
    const id = randomId(random);
    if (this.#isClosed) {
      if (content.kind === 'pending') content.stop();
      return id;
    }
    this.#filters.set(id, { content, expiresAtMs: clock.elapsedMs() + filterTtlMs, last: Promise.resolve() });
    metrics.filters(this.#filters.size);
    this.#armJanitor();
    return id;
  }

  #touch(id: string): Filter {
    const filter = this.#current(id);
    if (filter === undefined) throw filterNotFound();
    filter.expiresAtMs = this.#options.clock.elapsedMs() + this.#options.filterTtlMs;
    return filter;
  }

  /** Not one whose time is over. */
  #current(id: string): Filter | undefined {
    const filter = this.#filters.get(id);
    if (filter === undefined || filter.expiresAtMs > this.#options.clock.elapsedMs()) return filter;
    this.#expire(id);
    return undefined;
  }

  #expire(id: string): void {
    this.#remove(id);
    this.#options.metrics.filterExpired();
  }

  #remove(id: string): boolean {
    const filter = this.#filters.get(id);
    if (filter === undefined) return false;
    this.#filters.delete(id);
    if (filter.content.kind === 'pending') filter.content.stop();
    this.#options.metrics.filters(this.#filters.size);
    return true;
  }

  #removeExpired(): void {
    const now = this.#options.clock.elapsedMs();
    for (const [id, { expiresAtMs }] of this.#filters) if (expiresAtMs <= now) this.#expire(id);
  }

  #armJanitor(): void {
    if (this.#cancelJanitor !== undefined || this.#isClosed) return;
    const { clock, filterTtlMs } = this.#options;
    this.#cancelJanitor = clock.setTimer(Math.ceil(filterTtlMs / JANITOR_SHARE), () => {
      this.#cancelJanitor = undefined;
      this.#removeExpired();
      if (this.#filters.size > 0) this.#armJanitor();
    });
  }
}

function filterNotFound(): RpcError {
  return new RpcError(RPC_CODE.serverError, 'filter not found');
}

function boundedHeight(number: bigint): number {
  return number > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(number);
}

/** The highest block that the filter wants; `latest` and absent have no end. */
function upperEnd(backend: RpcBackend, to: BlockId): number {
  if (to.kind === 'number') return boundedHeight(to.number);
  return to.kind === 'tag' ? tagHeight(backend, to.tag) : backend.latest();
}

/** The part of the range that exists; undefined: it is all in the future. */
function clamped(range: LogQuery['range'], latest: number): LogQuery['range'] | undefined {
  if (range.kind === 'block') return range;
  const isAbove = (id: BlockId): boolean => id.kind === 'number' && id.number > BigInt(latest);
  if (isAbove(range.from)) return undefined;
  return isAbove(range.to) ? { ...range, to: { kind: 'number', number: BigInt(latest) } } : range;
}
