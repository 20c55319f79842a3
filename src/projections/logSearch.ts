/** eth_getLogs over the `repositories` store (spec: rpc 8): blooms first, then receipts, block after block. */
import { bytesKey, type Bytes } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import type { Log } from '../protocol/blockOutput.ts';
import { REPOSITORIES } from '../store/buckets.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { BloomQuery, SECTION_BLOCKS } from './bloomSections.ts';
import { copiedLog, ReceiptGroup } from './receiptGroup.ts';
import { bloomRowKey, groupKey, heightKey, heightOfKey, indexOfKey } from './repositoriesKeys.ts';
import type { FoundLog, LogFilter, LogScan, LogSearch } from './repositoriesReader.ts';

/** Rows of the index read in one batch. */
const ROWS_PER_READ = 512;
const ADDRESS = 20;
const WORD = 32;

export async function searchLogs(store: KeyValueStore, filter: LogFilter): Promise<LogSearch> {
  const matches = logMatcher(filter);
  const isSingleBlock = filter.fromBlock === filter.toBlock;
  const turns = new Turns();
  const found: FoundLog[] = [];
  const { maxBytes = Infinity } = filter;
  let bytes = 0;
  let candidates = 0;
  let matching = 0;
  const scan = (lastBlock: number): LogScan => ({
    blocks: Math.max(0, lastBlock - filter.fromBlock + 1),
    candidates,
    matching,
  });
  for await (const run of candidateRuns(store, filter)) {
    let current = run.first;
    let complete = found.length;
    let lastMatch = -1;
    const candidatesBefore = candidates;
    const overflow = (): LogSearch | undefined => {
      if (isSingleBlock || found.length <= filter.maxResults) return undefined;
      candidates = candidatesBefore + current - run.first + 1;
      return {
        kind: 'tooMany',
        lastCompleteBlock: current > filter.fromBlock ? current - 1 : undefined,
        scan: scan(current),
      };
    };
    for await (const [key, value] of store.range({
      gte: groupKey(REPOSITORIES.receipts, run.first, 0),
      lt: groupKey(REPOSITORIES.receipts, run.last + 1, 0),
    })) {
      const height = heightOfKey(key);
      if (height !== current) {
        if (found.length !== complete) {
          const tooMany = overflow();
          if (tooMany !== undefined) return tooMany;
          complete = found.length;
        }
        current = height;
      }
      const before = found.length;
      const group = new ReceiptGroup(value, { blockNumber: height, firstIndex: indexOfKey(key) });
      while (group.next() && bytes <= maxBytes) {
        if (group.logCount === 0) continue;
        for (const { log, ...place } of group.logs()) {
          if (matches(log)) {
            found.push(foundLog(log, place, { blockNumber: height, transactionIndex: group.transactionIndex }));
            bytes += contentBytes(log);
            if (bytes > maxBytes) break;
          }
          const turn = turns.due();
          if (turn !== undefined) await turn;
        }
      }
      if (found.length > before && height !== lastMatch) {
        matching += 1;
        lastMatch = height;
      }
      if (bytes > maxBytes) {
        candidates = candidatesBefore + height - run.first + 1;
        return { kind: 'tooLarge', scan: scan(height) };
      }
      await turns.due();
    }
    const tooMany = overflow();
    if (tooMany !== undefined) return tooMany;
    candidates += run.last - run.first + 1;
  }
  return { kind: 'found', logs: found, scan: scan(filter.toBlock) };
}

function contentBytes({ topics, data }: Log): number {
  return ADDRESS + topics.length * WORD + data.length;
}

function foundLog(
  log: Log,
  place: Pick<FoundLog, 'blockHash' | 'blockTimestamp' | 'transactionHash' | 'logIndex'>,
  { blockNumber, transactionIndex }: Pick<FoundLog, 'blockNumber' | 'transactionIndex'>,
): FoundLog {
  return {
    ...copiedLog(log),
    blockNumber,
    blockHash: new Uint8Array(place.blockHash),
    blockTimestamp: place.blockTimestamp,
    transactionHash: new Uint8Array(place.transactionHash),
    transactionIndex,
    logIndex: place.logIndex,
  };
}

/** The rule of spec: rpc 8 for one log. */
export function logMatcher(filter: Pick<LogFilter, 'addresses' | 'topics'>): (log: Log) => boolean {
  const addresses = filter.addresses.length === 0 ? undefined : new Set(filter.addresses.map(bytesKey));
  const positions = filter.topics.map((any) => (any.length === 0 ? undefined : new Set(any.map(bytesKey))));
  return (log) => {
    if (addresses !== undefined && !addresses.has(bytesKey(log.address))) return false;
    if (log.topics.length < positions.length) return false;
    return positions.every((any, i) => any === undefined || any.has(bytesKey(log.topics[i] ?? new Uint8Array(0))));
  };
}

/** Blocks next to each other that may hold a match. */
interface Run {
  readonly first: number;
  readonly last: number;
}

async function* candidateRuns(store: KeyValueStore, filter: LogFilter): AsyncGenerator<Run> {
  let run: Run | undefined;
  for await (const height of candidates(store, filter)) {
    if (run !== undefined && run.last + 1 === height && height % SECTION_BLOCKS !== 0) {
      run = { first: run.first, last: height };
    } else {
      if (run !== undefined) yield run;
      run = { first: height, last: height };
    }
  }
  if (run !== undefined) yield run;
}

/** Heights that may hold a match, in order: complete sections through their rows, the newest one through its blooms. */
async function* candidates(store: KeyValueStore, filter: LogFilter): AsyncGenerator<number> {
  const query = new BloomQuery([filter.addresses, ...filter.topics]);
  const sectionsPerRead = Math.max(1, Math.floor(ROWS_PER_READ / query.rows.length));
  const lastSection = Math.floor(filter.toBlock / SECTION_BLOCKS);
  const isInRange = (height: number): boolean => height >= filter.fromBlock && height <= filter.toBlock;
  for (
    let section = Math.floor(filter.fromBlock / SECTION_BLOCKS);
    section <= lastSection;
    section += sectionsPerRead
  ) {
    const count = Math.min(sectionsPerRead, lastSection - section + 1);
    const keys: Bytes[] = [];
    for (let i = 0; i < count; i++) for (const row of query.rows) keys.push(bloomRowKey(section + i, row));
    const values = await store.getMany(keys);
    for (let i = 0; i < count; i++) {
      const rows = new Map(query.rows.map((row, n) => [row, values[i * query.rows.length + n]]));
      // The first row is the mark of a complete section.
      if (values[i * query.rows.length] === undefined) {
        yield* candidatesByBloom(store, query, {
          first: Math.max(filter.fromBlock, (section + i) * SECTION_BLOCKS),
          last: filter.toBlock,
        });
        return;
      }
      for (const block of query.candidates((row) => rows.get(row))) {
        const height = (section + i) * SECTION_BLOCKS + block;
        if (isInRange(height)) yield height;
      }
    }
  }
}

/** Only the newest section is incomplete, so what follows it is what there is. */
async function* candidatesByBloom(store: KeyValueStore, query: BloomQuery, run: Run): AsyncGenerator<number> {
  const range = { gte: heightKey(REPOSITORIES.bloom, run.first), lte: heightKey(REPOSITORIES.bloom, run.last) };
  for await (const [key, bloom] of store.range(range)) {
    if (query.mayMatch(bloom)) yield heightOfKey(key);
  }
}
