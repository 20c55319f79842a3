/** What every event log does. Run on memory, embedded and Kafka. */
import assert from 'node:assert/strict';
import { NodeError } from '../../src/common/errors.ts';
import type { EncodedEntry } from '../../src/log/entryCodec.ts';
import { type EventLog, type LogEntry, isBeforeSend, isCaughtUp } from '../../src/log/eventLog.ts';

/** One log, empty at first. */
export interface LogFixture {
  open(): Promise<EventLog>;
  /** Absent: the log does not outlive its closing. */
  readonly reopen?: () => Promise<EventLog>;
  /** Closes whatever is open. */
  dispose(): Promise<void>;
}

export function anEncodedEntry(index: number, sizeBytes = 64): EncodedEntry {
  const bytes = new Uint8Array(sizeBytes).fill(index % 251);
  bytes.set(Buffer.from(`entry ${index} `), 5);
  return { schema: 1, key: `Block/${index}`, bytes };
}

export function someEntries(count: number, from = 0): EncodedEntry[] {
  return Array.from({ length: count }, (_, i) => anEncodedEntry(from + i));
}

/** The next entries from a position on. */
export async function take(log: EventLog, from: number, count: number): Promise<LogEntry[]> {
  const stop = new AbortController();
  const entries: LogEntry[] = [];
  for await (const item of log.follow(from, stop.signal)) {
    if (isCaughtUp(item)) continue;
    entries.push(item);
    if (entries.length === count) stop.abort();
  }
  return entries;
}

export function assertEntries(actual: readonly LogEntry[], expected: readonly EncodedEntry[], from = 0): void {
  assert.deepEqual(
    actual.map(({ position, key }) => `${position} ${key}`),
    expected.map(({ key }, i) => `${from + i} ${key}`),
  );
  for (const [i, { schema, bytes }] of actual.entries()) {
    assert.equal(schema, expected[i]?.schema);
    assert.ok(Buffer.from(bytes).equals(expected[i]?.bytes ?? new Uint8Array(0)), `bytes of entry ${from + i}`);
  }
}

export function eventLogContract(name: string, setUp: () => Promise<LogFixture>, isDurable: boolean): void {
  describe(`${name} as an event log`, () => {
    let fixture: LogFixture;
    let log: EventLog;

    beforeEach(async () => {
      fixture = await setUp();
      log = await fixture.open();
    });
    afterEach(() => fixture.dispose());

    it('is empty at first and says so', async () => {
      assert.equal(await log.start(), 0);
      assert.equal(await log.end(), 0);
      assert.equal(await log.entryAt(0), undefined);
      const stop = new AbortController();
      for await (const item of log.follow(0, stop.signal)) {
        assert.deepEqual(item, { caughtUp: true, end: 0 });
        stop.abort();
      }
    });

    it('keeps order and loses nothing, from any position', async () => {
      const entries = someEntries(60);
      for (let i = 0; i < entries.length; i += 7) await log.append(entries.slice(i, i + 7));
      assertEntries(await take(log, 0, 60), entries);
      assertEntries(await take(log, 23, 37), entries.slice(23), 23);
      assertEntries(await take(log, 59, 1), entries.slice(59), 59);
      assert.equal(await log.end(), 60);
      const found = await log.entryAt(31);
      assert.ok(found !== undefined);
      assertEntries([found], entries.slice(31, 32), 31);
      assert.equal(await log.entryAt(60), undefined);
      assert.equal(await log.entryAt(1000), undefined);
    });

    it('says when a reader has caught up, each time', async () => {
      await log.append(someEntries(3));
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const item of log.follow(0, stop.signal)) {
        if (!isCaughtUp(item)) {
          seen.push(`entry ${item.position}`);
          continue;
        }
        // An end may also be met between two entries, as a reader need not see all of them at once.
        if (item.end === 3 && !seen.includes('end 3')) await log.append(someEntries(1, 3));
        if (item.end === 4) stop.abort();
        seen.push(`end ${item.end}`);
      }
      const entriesAndLastEnds = seen.filter(
        (what) => what.startsWith('entry') || what === 'end 3' || what === 'end 4',
      );
      assert.deepEqual(
        [...new Set(entriesAndLastEnds)],
        ['entry 0', 'entry 1', 'entry 2', 'end 3', 'entry 3', 'end 4'],
      );
    });

    it('feeds readers while it is written, each everything once', async () => {
      const count = 120;
      const readers = [take(log, 0, count), take(log, 0, count), take(log, 40, count - 40)];
      const entries = someEntries(count);
      for (let i = 0; i < count; i += 3) await log.append(entries.slice(i, i + 3));
      const [first, second, third] = await Promise.all(readers);
      assertEntries(first ?? [], entries);
      assertEntries(second ?? [], entries);
      assertEntries(third ?? [], entries.slice(40), 40);
    });

    it('orders appends that are made at the same time', async () => {
      const entries = someEntries(20);
      await Promise.all(entries.map((entry) => log.append([entry])));
      assertEntries(await take(log, 0, 20), entries);
    });

    it('carries entries of 4 MB', async () => {
      const entries = [anEncodedEntry(0, 4 * 1024 * 1024), anEncodedEntry(1), anEncodedEntry(2, 4 * 1024 * 1024)];
      for (const entry of entries) await log.append([entry]);
      assertEntries(await take(log, 0, 3), entries);
      assertEntries(await take(log, 2, 1), entries.slice(2), 2);
    });

    it('refuses what is too large before a byte is sent, and goes on', async () => {
      const producer = log.openProducer();
      const isTooLarge = (error: unknown): boolean =>
        error instanceof NodeError && error.code === 'ENTRY_TOO_LARGE' && isBeforeSend(error);
      const tooLarge = anEncodedEntry(1, 8 * 1024 * 1024);
      await assert.rejects(log.append([anEncodedEntry(0), tooLarge]), isTooLarge);
      await assert.rejects(producer.send([tooLarge]), isTooLarge);
      assert.equal(await log.end(), 0);
      await log.append([anEncodedEntry(0)]);
      await producer.close();
      assertEntries(await take(log, 0, 1), someEntries(1));
    });

    it('gives out producers that end with their close, with nobody else’s', async () => {
      const [first, second] = [log.openProducer(), log.openProducer()];
      await first.send(someEntries(1));
      await first.close();
      await first.close();
      await assert.rejects(
        first.send(someEntries(1)),
        (error: unknown) => error instanceof NodeError && error.kind === 'invariant',
      );
      await second.send(someEntries(1, 1));
      await second.close();
      assertEntries(await take(log, 0, 2), someEntries(2));
    });

    it('ends a reader at its abort, at once and for it alone', async () => {
      await log.append(someEntries(2));
      const stop = new AbortController();
      const other = take(log, 0, 3);
      const seen: number[] = [];
      for await (const item of log.follow(0, stop.signal)) {
        if (isCaughtUp(item)) setImmediate(() => stop.abort());
        else seen.push(item.position);
      }
      assert.deepEqual(seen, [0, 1]);
      const aborted = new AbortController();
      aborted.abort();
      for await (const item of log.follow(0, aborted.signal)) assert.fail(`delivered ${JSON.stringify(item)}`);
      await log.append(someEntries(1, 2));
      assert.equal((await other).length, 3);
    });

    it('ends its readers when it is closed', async () => {
      await log.append(someEntries(1));
      let end: number | undefined;
      for await (const item of log.follow(0, new AbortController().signal)) {
        if (!isCaughtUp(item)) continue;
        ({ end } = item);
        setImmediate(() => void log.close());
      }
      assert.equal(end, 1);
      await assert.rejects(log.append(someEntries(1)), NodeError);
    });

    if (isDurable) {
      it('holds after a reopening what was appended before', async () => {
        await log.append(someEntries(5));
        await log.close();
        const again = await fixture.reopen?.();
        assert.ok(again !== undefined);
        assert.equal(await again.end(), 5);
        await again.append(someEntries(2, 5));
        assertEntries(await take(again, 0, 7), someEntries(7));
      });
    }
  });
}
