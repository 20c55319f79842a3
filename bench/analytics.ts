/**
 * `npm run bench -- analytics`: the analytics projection filling ClickHouse from the journal, against the same client inserting
 * the same rows, made before, in the same runs. Rounds alternate, each in a database of its own; medians and their ratio are
 * printed. Then a chain at half of that rate, block by block, and how long each block takes to be there. The embedded engine,
 * or the server of CLICKHOUSE_URL.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/common/clock.ts';
import { analytics } from '../src/projections/analytics.ts';
import { dropAnalytics, openAnalyticsStore } from '../src/projections/analyticsStore.ts';
import { type ClickHouseEndpoint, type ClickHouseServer, clickHouseServerAt } from '../src/projections/clickHouse.ts';
import type { Journal, JournalEntry } from '../src/projections/projection.ts';
import { ProjectionRunner, type RunnerLimits } from '../src/projections/projectionRunner.ts';
import { decodeJournalEntry, encodeJournalEntry } from '../src/store/journalCodec.ts';
import type { KeyValueStore, StoreBatch } from '../src/store/keyValueStore.ts';
import { analyticsLimits } from '../src/workers/analyticsServer.ts';
import { EmbeddedClickHouse } from '../src/workers/embeddedClickHouse.ts';
import { anAnalyticsConfig } from '../test/projections/analyticsConfig.ts';
import { anAnalyticsJournal } from '../test/projections/analyticsJournal.ts';
import { MemoryJournal } from '../test/projections/memoryJournal.ts';

const RATIO_GOAL = 0.5;
const LAG_GOAL_SECONDS = 2;
const BLOCK_MS = 100;
const NO_SIGNAL = new AbortController().signal;

interface Round {
  readonly rows: number;
  readonly ourMs: number;
  readonly readyMadeMs: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      blocks: { type: 'string', default: '60' },
      transactions: { type: 'string', default: '250' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '20' },
    },
  });
  const say = (text: string): void => void (values.json || process.stderr.write(`${text}\n`));
  const directory = mkdtempSync(join(tmpdir(), 'reprise-bench-analytics-'));
  const server = serverOf(directory);
  try {
    const bench = new AnalyticsBench(await server.endpoint(), directory);
    const transactionsPerBlock = Number(values.transactions);
    say(`${server.name}: journal of ${values.blocks} blocks of ${transactionsPerBlock} transactions …`);
    const entries = anAnalyticsJournal({ blocks: Number(values.blocks), transactionsPerBlock });
    await bench.round(entries, 'warm_up');
    const rounds: Round[] = [];
    for (let i = 0; i < Number(values.rounds); i++) {
      const round = await bench.round(entries, String(i));
      rounds.push(round);
      say(`round ${i + 1}: ours ${round.ourMs.toFixed(0)} ms, ready-made ${round.readyMadeMs.toFixed(0)} ms`);
    }
    const result = summary(rounds, Number(values.blocks) * transactionsPerBlock);
    const halfLoad = Math.max(1, Math.floor((result.transactionsPerSecond / 2) * (BLOCK_MS / 1000)));
    say(`half load: a block of ${halfLoad} transactions every ${BLOCK_MS} ms for ${values.seconds} s …`);
    const lags = await bench.lags(halfLoad, Math.floor((Number(values.seconds) * 1000) / BLOCK_MS));
    print({ server: server.name, ...result, halfLoad: { transactionsPerBlock: halfLoad, ...lags } }, values.json);
  } finally {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function serverOf(directory: string): ClickHouseServer {
  const url = process.env['CLICKHOUSE_URL'];
  if (url === undefined || url === '') return new EmbeddedClickHouse(directory);
  const username = process.env['CLICKHOUSE_USERNAME'] ?? 'default';
  return clickHouseServerAt({ url, username, password: process.env['CLICKHOUSE_PASSWORD'] ?? '' });
}

class AnalyticsBench {
  readonly #endpoint: ClickHouseEndpoint;
  readonly #directory: string;

  constructor(endpoint: ClickHouseEndpoint, directory: string) {
    this.#endpoint = endpoint;
    this.#directory = directory;
  }

  async round(entries: readonly JournalEntry[], name: string): Promise<Round> {
    const encoded = entries.map((entry) => encodeJournalEntry(entry));
    const batches: StoreBatch[] = [];
    const ours = `bench_ours_${name}`;
    const runner = await this.#openRunner(storedJournal(encoded), ours, { gatherMs: 0 }, (store) => ({
      get: (key) => store.get(key),
      getMany: (keys) => store.getMany(keys),
      range: (options) => store.range(options),
      flush: () => store.flush(),
      close: () => store.close(),
      async write(batch) {
        batches.push(batch);
        await store.write(batch);
      },
    }));
    const start = performance.now();
    await runner.run(NO_SIGNAL, { untilIndex: entries.length });
    const ourMs = performance.now() - start;
    await runner.close();
    const readyMade = `bench_ready_made_${name}`;
    const store = await this.#openStore(readyMade);
    const from = performance.now();
    for (const batch of batches) await store.write(batch);
    const readyMadeMs = performance.now() - from;
    await store.close();
    for (const database of [ours, readyMade]) await dropAnalytics(clickHouseServerAt(this.#endpoint), database);
    return { rows: batches.reduce((sum, { size }) => sum + size, 0), ourMs, readyMadeMs };
  }

  /** Seconds from a block being in the journal to all its rows being there. */
  async lags(transactionsPerBlock: number, blocks: number) {
    const entries = anAnalyticsJournal({ blocks, transactionsPerBlock });
    const journal = new MemoryJournal();
    const appended: number[] = [];
    const lags: number[] = [];
    const runner = await this.#openRunner(
      journal,
      'bench_lag',
      {},
      (store) => store,
      ({ nextIndex }) => {
        for (let index = lags.length; index < nextIndex; index++)
          lags.push((performance.now() - (appended[index] ?? 0)) / 1000);
      },
    );
    const stop = new AbortController();
    const running = runner.run(stop.signal);
    const start = performance.now();
    for (const [index, entry] of entries.entries()) {
      const waitMs = start + index * BLOCK_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      appended.push(performance.now());
      journal.append(entry);
    }
    await runner.whenApplied(blocks, { timeoutMs: 60_000 });
    stop.abort();
    await running;
    await runner.close();
    await dropAnalytics(clickHouseServerAt(this.#endpoint), 'bench_lag');
    const sorted = lags.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { blocks, lagP50Seconds: at(0.5), lagP99Seconds: at(0.99), goal: LAG_GOAL_SECONDS };
  }

  #openStore(database: string): Promise<KeyValueStore> {
    return openAnalyticsStore({
      server: clickHouseServerAt(this.#endpoint),
      database,
      projectionVersion: analytics.version,
    });
  }

  #openRunner(
    journal: Journal,
    database: string,
    limits: Partial<RunnerLimits>,
    wrap: (store: KeyValueStore) => KeyValueStore,
    applied: (run: { readonly nextIndex: number }) => void = () => undefined,
  ): Promise<ProjectionRunner<unknown>> {
    return ProjectionRunner.open<unknown>({
      projection: analytics,
      journal,
      dataDirectory: join(this.#directory, 'runner'),
      openStore: async () => wrap(await this.#openStore(database)),
      clock: systemClock,
      limits: { ...analyticsLimits(anAnalyticsConfig(this.#directory)), ...limits },
      events: { applied },
    });
  }
}

/** As another thread reads the chain store: entries are decoded by who reads them. */
function storedJournal(encoded: readonly Uint8Array[]): Journal {
  return {
    end: encoded.length,
    logId: async () => new Uint8Array(16),
    whenBeyond: async () => undefined,
    async read(fromIndex, limit, maxBytes) {
      const entries: JournalEntry[] = [];
      let bytes = 0;
      for (const each of encoded.slice(fromIndex, fromIndex + limit)) {
        entries.push(decodeJournalEntry(each));
        bytes += each.length;
        if (bytes >= maxBytes) break;
      }
      return entries;
    },
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function summary(rounds: readonly Round[], transactions: number) {
  const ourMs = median(rounds.map((round) => round.ourMs));
  const readyMadeMs = median(rounds.map((round) => round.readyMadeMs));
  const rows = rounds[0]?.rows ?? 0;
  return {
    rounds: rounds.length,
    rows,
    transactions,
    ourMs,
    readyMadeMs,
    rowsPerSecond: (rows / ourMs) * 1000,
    transactionsPerSecond: (transactions / ourMs) * 1000,
    ratio: median(rounds.map((round) => round.readyMadeMs / round.ourMs)),
    goal: RATIO_GOAL,
  };
}

type Result = ReturnType<typeof summary> & {
  readonly server: string;
  readonly halfLoad: Awaited<ReturnType<AnalyticsBench['lags']>> & { readonly transactionsPerBlock: number };
};

function print(result: Result, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { ratio, goal, halfLoad } = result;
  process.stdout.write(
    [
      `${result.server}: ${result.transactions} transactions, ${result.rows} rows, medians of ${result.rounds} rounds`,
      `  from the journal   ${result.ourMs.toFixed(0)} ms: ${result.rowsPerSecond.toFixed(0)} rows/s, ${result.transactionsPerSecond.toFixed(0)} transactions/s`,
      `  ready-made rows    ${result.readyMadeMs.toFixed(0)} ms`,
      `  ratio of the rates ${ratio.toFixed(2)} (goal: at least ${goal})${ratio >= goal ? '' : '  MISSED'}`,
      `  at half load (${halfLoad.transactionsPerBlock} transactions every ${BLOCK_MS} ms, ${halfLoad.blocks} blocks): lag p50 ` +
        `${halfLoad.lagP50Seconds.toFixed(2)} s, p99 ${halfLoad.lagP99Seconds.toFixed(2)} s (goal: at most ${halfLoad.goal} s)` +
        (halfLoad.lagP99Seconds <= halfLoad.goal ? '' : '  MISSED'),
      '',
    ].join('\n'),
  );
}
