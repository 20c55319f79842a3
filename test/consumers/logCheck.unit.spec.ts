import assert from 'node:assert/strict';
import { checkLog, type LogCheckResult, type StoredProgress } from '../../src/consumers/logCheck.ts';
import { EMPTY_FOLD } from '../../src/log/chainFold.ts';
import {
  type EncodedEntry,
  NEWEST_RULES,
  NEWEST_SCHEMA,
  decodeEntry,
  encodeEntry,
  entryHash,
} from '../../src/log/entryCodec.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { foldEntry } from '../../src/log/foldEntry.ts';
import { EMPTY_SETTLEMENT } from '../../src/log/settlementFold.ts';
import { LOG_ID, aBlock, aBlockRecord, aGenesis, aSeal, anEpochStarted, filled } from '../support/logEntries.ts';

const SOFTWARE = { schema: NEWEST_SCHEMA, rules: NEWEST_RULES };
const garbage: EncodedEntry = { schema: 1, key: 'garbage', bytes: filled(0xff, 40) };
const block = (height: number) => encodeEntry(aBlock(height));
/** Position 1 and 4 are rejected by every reader. */
const ENTRIES = [
  encodeEntry(aGenesis()),
  garbage,
  encodeEntry(anEpochStarted()),
  block(1),
  block(1),
  block(2),
  encodeEntry(aSeal(1, [1, 2])),
  block(3),
];
const JOURNALED = [0, 3, 5, 6, 7];

function logOf(entries: readonly EncodedEntry[]): MemoryEventLog {
  const log = new MemoryEventLog();
  for (const entry of entries) log.write(entry);
  return log;
}

/** What a chain store says that has read these entries up to a position. */
function storedAt(position: number, journaled: readonly number[] = JOURNALED): StoredProgress {
  let folds = { chain: EMPTY_FOLD, settlement: EMPTY_SETTLEMENT };
  for (const { schema, bytes } of ENTRIES.slice(0, position + 1)) {
    const { result, settled } = foldEntry(folds, decodeEntry(schema, bytes), SOFTWARE);
    folds = { chain: result.state, settlement: settled?.state ?? folds.settlement };
  }
  const entry = ENTRIES[position];
  assert.ok(entry);
  return {
    checkpoint: {
      logId: LOG_ID,
      position,
      entryHash: entryHash(entry.schema, entry.bytes),
      fold: folds.chain,
      settlement: folds.settlement,
    },
    positions: (async function* () {
      yield* journaled.filter((at) => at <= position);
    })(),
  };
}

function check(
  entries: readonly EncodedEntry[],
  stored?: StoredProgress,
  changes: Partial<Parameters<typeof checkLog>[0]> = {},
): Promise<LogCheckResult> {
  const signal = new AbortController().signal;
  const options = {
    software: SOFTWARE,
    chainId: 270n,
    stored,
    mayHaveGaps: false,
    signal,
    progress: () => undefined,
    ...changes,
  };
  return checkLog({ log: logOf(entries), ...options });
}

describe('consumers/logCheck', () => {
  it('reads a log to its end, counts and tells how far it is', async () => {
    const seen: string[] = [];
    const result = await check(ENTRIES, undefined, { progress: (entries, end) => seen.push(`${entries}/${end}`) });
    assert.equal(result.problem, undefined);
    assert.deepEqual([result.entries, result.accepted, result.fold.height], [8, 6, 3]);
    assert.deepEqual(result.rejected, { garbage: 1, duplicate: 1 });
    assert.deepEqual([seen.length, seen.at(-1)], [8, '8/8']);
  });

  it('agrees with a chain store at any of its entries', async () => {
    for (const position of JOURNALED)
      assert.equal((await check(ENTRIES, storedAt(position))).problem, undefined, `position ${position}`);
  });

  it('names an entry whose bytes were changed since it was read', async () => {
    const changed = ENTRIES.with(5, garbage);
    const { problem } = await check(changed, storedAt(7));
    assert.equal(problem?.position, 5);
    assert.match(
      problem.text,
      /position 5, which does not decode, was accepted when the chain store read it, and is rejected now \(garbage\)/,
    );
    const last = await check(
      ENTRIES.with(7, encodeEntry(aBlock(3, { record: aBlockRecord(3, { nodeVersion: 'other' }) }))),
      storedAt(7),
    );
    assert.equal(last.problem?.position, 7);
    assert.match(last.problem.text, /position 7 \(Block\/3\) has hash 0x.*, the chain store read it with hash 0x/);
  });

  it('names an entry that the chain store has not applied, and a checkpoint that the log does not give', async () => {
    const skipped = await check(ENTRIES, storedAt(7, [0, 3, 6, 7]));
    assert.equal(skipped.problem?.position, 5);
    assert.match(skipped.problem.text, /is accepted, but the chain store has not applied it/);
    const { checkpoint } = storedAt(7);
    const other = await check(ENTRIES, {
      checkpoint: { ...checkpoint, settlement: { ...checkpoint.settlement, sealed: 2 } },
      positions: undefined,
    });
    assert.match(other.problem?.text ?? '', /the log gives sealed batch 1, the checkpoint of the chain store says 2/);
  });

  it('passes over positions that hold nothing, where that may be, unless the chain store has read them', async () => {
    /** Without the entries at these positions. */
    const holed = (...holes: number[]): Parameters<typeof checkLog>[0]['log'] => {
      const log = logOf(ENTRIES);
      return {
        start: () => log.start(),
        end: () => log.end(),
        entryAt: async (position) => (holes.includes(position) ? undefined : log.entryAt(position)),
        async *follow() {
          for (const [position, entry] of ENTRIES.entries())
            if (!holes.includes(position)) yield { ...entry, position };
          yield { caughtUp: true, end: ENTRIES.findLastIndex((_, position) => !holes.includes(position)) + 1 };
        },
      };
    };
    const passed = await check([], storedAt(6), { log: holed(1, 4, 7), mayHaveGaps: true });
    assert.equal(passed.problem, undefined);
    assert.deepEqual([passed.entries, passed.gaps, passed.accepted, passed.rejected], [5, 2, 5, {}]);
    for (const missing of [1, 4, 7]) {
      const { problem } = await check([], undefined, { log: holed(missing) });
      assert.equal(problem?.position, missing);
    }
    for (const missing of [0, 3, 5, 6, 7]) {
      const { problem } = await check([], storedAt(7), { log: holed(missing), mayHaveGaps: true });
      assert.equal(problem?.position, missing);
      assert.match(problem.text, /is missing: (the next one is at|none comes after it)/);
    }
  });

  it('finds what is missing at the beginning, in the middle and at the end', async () => {
    assert.match((await check([])).problem?.text ?? '', /the log is empty/);
    assert.match((await check([garbage])).problem?.text ?? '', /no Genesis/);
    assert.match(
      (await check(ENTRIES.slice(0, 7), storedAt(7))).problem?.text ?? '',
      /ends at position 6, but the chain store has read position 7/,
    );
    const log = logOf(ENTRIES);
    const begun = await check([], undefined, {
      log: {
        follow: (from, signal) => log.follow(from, signal),
        start: async () => 3,
        end: () => log.end(),
        entryAt: (position) => log.entryAt(position),
      },
    });
    assert.match(begun.problem?.text ?? '', /history below position 3 was deleted/);
    const torn = await check([], undefined, {
      log: {
        follow: (_from, signal) => logOf(ENTRIES.slice(0, 4)).follow(0, signal),
        start: async () => 0,
        end: async () => 8,
        entryAt: async () => undefined,
      },
    });
    assert.deepEqual([torn.problem?.position, torn.entries], [4, 4]);
  });

  it('says what stops every reader: another chain, rules of the future', async () => {
    assert.match((await check(ENTRIES, undefined, { chainId: 271n })).problem?.text ?? '', /foreign_genesis/);
    const future = encodeEntry(anEpochStarted({ rules: 99 }));
    const { problem } = await check([...ENTRIES.slice(0, 2), future]);
    assert.match(problem?.text ?? '', /position 2 \(EpochStarted\/1\) stops every reader: upgrade_needed/);
  });
});
