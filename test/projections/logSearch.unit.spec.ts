import assert from 'node:assert/strict';
import fc from 'fast-check';
import { equalBytes, type Bytes } from '../../src/common/bytes.ts';
import { ANY_LOG_ROW, sectionRows, BloomQuery, SECTION_BLOCKS } from '../../src/projections/bloomSections.ts';
import { repositories } from '../../src/projections/repositories.ts';
import { bloomRowKey, heightOfKey } from '../../src/projections/repositoriesKeys.ts';
import type {
  FoundLog,
  LogFilter,
  LogScan,
  LogSearch,
  RepositoriesReader,
} from '../../src/projections/repositoriesReader.ts';
import { LogsBloom, mayContain } from '../../src/protocol/bloom.ts';
import type { Log } from '../../src/protocol/blockOutput.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { REPOSITORIES } from '../../src/store/buckets.ts';
import type { JournalEntry } from '../../src/store/journal.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import type { KeyValueStore, RangeOptions } from '../../src/store/keyValueStore.ts';
import { aJournal, aJournalShape, Random } from './journalFactory.ts';
import { applyRepositories, repositoriesOf } from './repositoriesOf.ts';

describe('projections/logSearch', () => {
  const shape = aJournalShape({
    blocks: 600,
    transactionsPerBlock: 2,
    logsPerTransaction: 0.3,
    largeInputShare: 0,
    seed: 21,
  });
  const entries = aJournal(shape);
  const all = everyLog(entries);
  let reader: RepositoriesReader;

  before(async function () {
    this.timeout(10_000);
    reader = await repositoriesOf(entries);
  });

  it('finds exactly what a naive filter finds, over complete and incomplete sections', async () => {
    const unknown = new Random(5);
    const address = fc.constantFrom(...shape.addresses, unknown.bytes(20));
    const topic = fc.constantFrom(...shape.topics, unknown.bytes(32));
    const filters = fc.record({
      fromBlock: fc.nat(620),
      length: fc.oneof(fc.nat(3), fc.nat(620)),
      addresses: fc.array(address, { maxLength: 3 }),
      topics: fc.array(fc.array(topic, { maxLength: 2 }), { maxLength: 4 }),
      maxResults: fc.oneof(fc.nat(4), fc.constant(100_000)),
    });
    let found = 0;
    let falsePositives = 0;
    await fc.assert(
      fc.asyncProperty(filters, async ({ length, ...rest }) => {
        const filter = { ...rest, toBlock: rest.fromBlock + length };
        const result = await reader.logs(filter);
        const { candidates, matching, blocks } = result.scan;
        assert.ok(matching <= candidates && candidates <= blocks, JSON.stringify(result.scan));
        assert.deepEqual(result, naiveSearch(all, filter, candidates));
        if (filter.addresses.length > 0) falsePositives += candidates - matching;
        if (result.kind === 'found') found += result.logs.length;
      }),
      { numRuns: 300, seed: 4 },
    );
    assert.ok(found > 500, 'the filters match something');
    assert.ok(falsePositives > 0, 'a bloom says yes where topics and addresses are not of one log');
  });

  it('makes rows of every complete section, and none of the newest', async () => {
    const store = new MemoryStore();
    await applyRepositories(store, entries);
    const marks = await store.getMany([0, 1, 2].map((section) => bloomRowKey(section, ANY_LOG_ROW)));
    for (const [section, mark] of marks.entries()) {
      if (section === 2) assert.equal(mark, undefined, 'blocks 512 to 600');
      else
        for (let block = 0; block < SECTION_BLOCKS; block++)
          assert.equal(
            (((mark?.[block >> 3] ?? 0) >> (block & 7)) & 1) === 1,
            all.some(({ blockNumber }) => blockNumber === section * SECTION_BLOCKS + block),
            `block ${block} of section ${section}`,
          );
    }
  });

  it('finds every log of every block without a filter, indexed over the block', async () => {
    const result = await reader.logs({ fromBlock: 0, toBlock: 600, addresses: [], topics: [], maxResults: 1e6 });
    const matching = new Set(all.map(({ blockNumber }) => blockNumber)).size;
    assert.deepEqual(result, { kind: 'found', logs: all, scan: { blocks: 601, candidates: matching, matching } });
    assert.ok(all.some(({ logIndex, transactionIndex }) => logIndex > 0 && transactionIndex > 0));
  });

  it('gives all of a single block, whatever the limit', async () => {
    const [first] = all;
    assert.ok(first !== undefined);
    const height = first.blockNumber;
    const result = await reader.logs({ fromBlock: height, toBlock: height, addresses: [], topics: [], maxResults: 0 });
    assert.ok(result.kind === 'found' && result.logs.length > 0);
  });

  it('says up to which block a range held few enough results', async () => {
    const [first, second] = [...new Set(all.map(({ blockNumber }) => blockNumber))];
    assert.ok(first !== undefined && second !== undefined);
    const ofFirst = all.filter(({ blockNumber }) => blockNumber === first).length;
    const filter = { toBlock: 600, addresses: [], topics: [] };
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: 0, maxResults: ofFirst }), {
      kind: 'tooMany',
      lastCompleteBlock: second - 1,
      scan: { blocks: second + 1, candidates: 2, matching: 2 },
    });
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: first, maxResults: ofFirst - 1 }), {
      kind: 'tooMany',
      lastCompleteBlock: undefined,
      scan: { blocks: 1, candidates: 1, matching: 1 },
    });
  });

  it('stops when what it found is too large, in a single block too', async () => {
    const bytes = ({ topics, data }: Log): number => 20 + 32 * topics.length + data.length;
    const filter = { addresses: [], topics: [], maxResults: 1e6 };
    const whole = all.reduce((sum, log) => sum + bytes(log), 0);
    const search = async (maxBytes: number) => reader.logs({ ...filter, fromBlock: 0, toBlock: 600, maxBytes });
    assert.equal((await search(whole)).kind, 'found');
    assert.equal((await search(whole - 1)).kind, 'tooLarge');
    const [first] = all;
    assert.ok(first !== undefined);
    const { blockNumber } = first;
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: blockNumber, toBlock: blockNumber, maxBytes: 19 }), {
      kind: 'tooLarge',
      scan: { blocks: 1, candidates: 1, matching: 1 },
    });
  });

  it('finds nothing in an inverted range, beyond the head and in genesis', async () => {
    const filter = { addresses: [], topics: [], maxResults: 10 };
    const nothing = (blocks: number) => ({
      kind: 'found',
      logs: [],
      scan: { blocks, candidates: 0, matching: 0 },
    });
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: 300, toBlock: 200 }), nothing(0));
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: 601, toBlock: 5000 }), nothing(4400));
    assert.deepEqual(await reader.logs({ ...filter, fromBlock: 0, toBlock: 0 }), nothing(1));
  });

  it('reads receipts only of blocks whose bloom lets it', async () => {
    const store = new MemoryStore();
    await applyRepositories(store, entries);
    const ranges: number[] = [];
    const counting: KeyValueStore = Object.create(store, {
      range: {
        value: (options: RangeOptions) => {
          if (options.gte?.[0] === REPOSITORIES.receipts) ranges.push(heightOfKey(options.gte));
          return store.range(options);
        },
      },
      getMany: { value: (keys: readonly Bytes[]) => store.getMany(keys) },
    }) as KeyValueStore;
    const addresses = shape.addresses.slice(0, 1);
    const result = await repositories
      .reader(counting)
      .logs({ fromBlock: 0, toBlock: 600, addresses, topics: [], maxResults: 1e6 });
    const expected = new Set(
      all.filter(({ address }) => equalBytes(address, addresses[0] ?? address)).map(({ blockNumber }) => blockNumber),
    );
    assert.ok(result.kind === 'found' && result.logs.length >= expected.size);
    assert.ok(
      ranges.length > 0 && ranges.length <= expected.size,
      `${ranges.length} reads for ${expected.size} blocks with a match`,
    );
  });
});

describe('projections/bloomSections', () => {
  it('rows answer as the blooms they came from', () => {
    const random = new Random(31);
    const values = Array.from({ length: 40 }, (_, i) => random.bytes(i % 2 === 0 ? 20 : 32));
    const blooms = Array.from({ length: SECTION_BLOCKS }, (_, block) => {
      if (block % 3 === 0) return undefined;
      const bloom = new LogsBloom();
      for (let n = 0; n < block % 7; n++) bloom.add({ address: random.pick(values), topics: [] });
      return bloom.bytes;
    });
    const rows = new Map(sectionRows(blooms));
    for (let i = 0; i < 30; i++) {
      const groups = [[random.pick(values)], [random.pick(values), random.pick(values)]].slice(0, random.below(3));
      const query = new BloomQuery(groups);
      const expected = blooms.flatMap((bloom, block) =>
        bloom !== undefined && groups.every((any) => any.some((value) => mayContain(bloom, value))) ? [block] : [],
      );
      assert.deepEqual(
        query.candidates((row) => rows.get(row)),
        expected,
      );
      for (const [block, bloom] of blooms.entries())
        if (bloom) assert.equal(query.mayMatch(bloom), expected.includes(block));
    }
  });

  it('a section without logs keeps one row, which marks it as complete', () => {
    assert.equal(sectionRows(new Array<undefined>(SECTION_BLOCKS)).length, 1);
  });
});

function everyLog(entries: readonly JournalEntry[]): FoundLog[] {
  return entries.flatMap(({ event }) => {
    if (event.kind !== 'Block') return [];
    let logIndex = 0;
    return event.output.transactions.flatMap(({ logs }, transactionIndex) =>
      logs.map((log) => ({
        ...log,
        blockNumber: event.height,
        blockHash: event.output.blockHash,
        blockTimestamp: event.output.header.timestamp,
        transactionHash: decodeTransaction(event.record.transactions[transactionIndex] ?? new Uint8Array(0)).hash,
        transactionIndex,
        logIndex: logIndex++,
      })),
    );
  });
}

function naiveSearch(all: readonly FoundLog[], filter: LogFilter, candidates: number): LogSearch {
  const contains = (list: readonly Bytes[], value: Bytes | undefined): boolean =>
    value !== undefined && (list.length === 0 || list.some((other) => equalBytes(other, value)));
  const matches = (log: Log): boolean =>
    contains(filter.addresses, log.address) && filter.topics.every((any, i) => contains(any, log.topics[i]));
  const logs: FoundLog[] = [];
  const scan = (lastBlock: number): LogScan => ({
    blocks: lastBlock - filter.fromBlock + 1,
    candidates,
    matching: new Set(logs.map(({ blockNumber }) => blockNumber)).size,
  });
  for (let block = filter.fromBlock; block <= filter.toBlock; block++) {
    logs.push(...all.filter((log) => log.blockNumber === block && matches(log)));
    if (filter.fromBlock !== filter.toBlock && logs.length > filter.maxResults) {
      const lastCompleteBlock = block > filter.fromBlock ? block - 1 : undefined;
      return { kind: 'tooMany', lastCompleteBlock, scan: scan(block) };
    }
  }
  return { kind: 'found', logs, scan: scan(filter.toBlock) };
}
