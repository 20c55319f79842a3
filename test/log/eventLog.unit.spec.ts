import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { NodeError } from '../../src/common/errors.ts';
import { type EmbeddedEventLog, openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import { MemoryEventLog } from '../../src/log/eventLog.memory.ts';
import { type EventLog, KeptProducer, type Producer, isCaughtUp } from '../../src/log/eventLog.ts';
import { assertEntries, anEncodedEntry, eventLogContract, someEntries, take } from '../contracts/eventLog.contract.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { filled } from '../support/logEntries.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof NodeError && error.code === code;

eventLogContract(
  'the memory log',
  async () => {
    const opened: EventLog[] = [];
    return {
      open: async () => {
        const log = new MemoryEventLog();
        opened.push(log);
        return log;
      },
      dispose: async () => {
        for (const log of opened) await log.close();
      },
    };
  },
  false,
);

eventLogContract(
  'the embedded log',
  async () => {
    const path = mkdtempSync(join(tmpdir(), 'reprise-log-'));
    const opened: EventLog[] = [];
    const open = async (): Promise<EventLog> => {
      const log = openEmbeddedLog({ path });
      opened.push(log);
      return log;
    };
    return {
      open,
      reopen: open,
      dispose: async () => {
        for (const log of opened) await log.close();
        rmSync(path, { recursive: true, force: true });
      },
    };
  },
  true,
);

/** Another thread runs `sql` on the file and lets go of it 300 ms later. */
async function hold(file: string, sql: string): Promise<{ readonly released: Promise<unknown> }> {
  const holder = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
     const { parentPort, workerData } = require('node:worker_threads');
     const database = new DatabaseSync(workerData.file);
     database.exec(workerData.sql);
     parentPort.postMessage('held');
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
     database.close();`,
    { eval: true, workerData: { file, sql } },
  );
  const released = once(holder, 'exit');
  await once(holder, 'message');
  return { released };
}

describe('eventLog.embedded', () => {
  let path: string;
  const opened: EmbeddedEventLog[] = [];
  const open = (readOnly = false): EmbeddedEventLog => {
    const log = openEmbeddedLog({ path, readOnly });
    opened.push(log);
    return log;
  };

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'reprise-log-'));
  });
  afterEach(async () => {
    for (const log of opened.splice(0)) await log.close();
    rmSync(path, { recursive: true, force: true });
  });

  it('lets one writer in; the lock goes with it', async () => {
    const log = open();
    assert.throws(() => open(), hasCode('LOG_LOCKED'));
    await log.close();
    await open().append(someEntries(1));
  });

  it('lets others tail read-only', async () => {
    assert.throws(() => open(true), hasCode('LOG_MISSING'));
    const log = open();
    const tail = open(true);
    await log.append(someEntries(2));
    assertEntries(await take(tail, 0, 2), someEntries(2));
    assert.equal(await tail.end(), 2);
    await assert.rejects(tail.append(someEntries(1)), hasCode('LOG_READ_ONLY'));
    const next = take(tail, 2, 1);
    await log.append(someEntries(1, 2));
    assertEntries(await next, someEntries(1, 2), 2);
  });

  it('has nothing to tail yet while its writer has made the file and nothing in it', async () => {
    writeFileSync(join(path, 'log.sqlite'), '');
    assert.throws(() => open(true), hasCode('LOG_MISSING'));
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(path, 'log.sqlite'));
    database.exec('PRAGMA page_size=65536; PRAGMA journal_mode=WAL');
    assert.throws(() => open(true), hasCode('LOG_MISSING'));
    database.close();
    await open().append(someEntries(1));
    assert.equal(await open(true).end(), 1);
  });

  it('is writable again when its writer was killed, and holds what was acknowledged', async () => {
    const program = join(path, 'writer.ts');
    const modules = ['eventLog.embedded.ts'].map((file) => new URL(`../../src/log/${file}`, import.meta.url).href);
    writeFileSync(
      program,
      `import { openEmbeddedLog } from ${JSON.stringify(modules[0])};
       const log = openEmbeddedLog({ path: process.argv[2] });
       for (let i = 0; ; i++) {
         const bytes = new Uint8Array(50_000).fill(i % 251);
         bytes.set(Buffer.from('entry ' + i + ' '), 5);
         await log.append([{ schema: 1, key: 'Block/' + i, bytes }]);
         process.send(i);
         await new Promise(setImmediate);
       }`,
    );
    const child = fork(program, [join(path, 'data')]);
    let acknowledged = -1;
    child.on('message', (index) => {
      acknowledged = Number(index);
      if (acknowledged >= 20) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    const log = openEmbeddedLog({ path: join(path, 'data') });
    opened.push(log);
    const end = await log.end();
    assert.ok(acknowledged >= 20 && end > acknowledged, `acknowledged ${acknowledged}, end ${end}`);
    const expected = Array.from({ length: end }, (_, i) => anEncodedEntry(i, 50_000));
    assertEntries(await take(log, 0, end), expected);
    await log.append([anEncodedEntry(end)]);
  });

  it('waits for another process that holds the file for a moment, at opening and at an append', async () => {
    await open().close();
    const file = join(path, 'log.sqlite');
    for (const readOnly of [false, true]) {
      const { released } = await hold(file, 'PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
      const log = open(readOnly);
      assert.equal(await log.end(), 0);
      await released;
      await log.close();
    }
    const log = open();
    const { released } = await hold(file, 'BEGIN IMMEDIATE');
    await log.append(someEntries(1));
    await released;
    assert.equal(await log.end(), 1);
  });

  it('says what is wrong with a file of another format', async () => {
    const log = open();
    await log.close();
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(path, 'log.sqlite'));
    database.exec('PRAGMA user_version=9');
    database.close();
    assert.throws(() => open(), hasCode('LOG_FORMAT'));
    assert.throws(() => open(true), hasCode('LOG_FORMAT'));
  });

  it('notices a flipped bit in an entry, a missing entry, and a file that is no log', async () => {
    const log = open();
    await log.append(someEntries(3));
    await log.close();
    const file = join(path, 'log.sqlite');
    const whole = readFileSync(file);
    const isDamaged = (error: unknown): boolean =>
      error instanceof NodeError && error.code === 'LOG_DAMAGED' && error.kind === 'fatal';
    const at = whole.indexOf(Buffer.from(anEncodedEntry(1).bytes));
    assert.ok(at > 0);
    for (const offset of [0, 5, anEncodedEntry(1).bytes.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at + offset] = (flipped[at + offset] ?? 0) ^ 0x10;
      writeFileSync(file, flipped);
      const damaged = open(true);
      assert.equal((await damaged.entryAt(0))?.position, 0);
      await assert.rejects(damaged.entryAt(1), isDamaged);
      await assert.rejects(take(damaged, 0, 3), isDamaged);
      await damaged.close();
      assert.deepEqual(readFileSync(file), flipped, 'nothing is repaired');
    }

    writeFileSync(file, whole);
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(file);
    database.exec('UPDATE entries SET position = 7 WHERE position = 1');
    database.close();
    for (const readOnly of [true, false]) {
      const holed = open(readOnly);
      await assert.rejects(holed.entryAt(1), isDamaged, 'missing');
      await assert.rejects(holed.entryAt(7), isDamaged, 'moved');
      await assert.rejects(take(holed, 0, 3), isDamaged);
      assert.equal(await holed.entryAt(8), undefined, 'beyond the end');
      await holed.close();
    }

    writeFileSync(file, filled(0x5a, 100_000));
    for (const readOnly of [true, false]) assert.throws(() => open(readOnly), isDamaged);
  });

  it('acknowledges nothing that goes to a file which was replaced, and its readers end', async () => {
    const log = open();
    await log.append(someEntries(1));
    const tail = open(true);
    const reading = take(tail, 0, 2);
    renameSync(join(path, 'log.sqlite'), join(path, 'old.sqlite'));
    await assert.rejects(reading, hasCode('LOG_REPLACED'));
    copyFileSync(join(path, 'old.sqlite'), join(path, 'log.sqlite'));
    await assert.rejects(log.append(someEntries(1, 1)), hasCode('LOG_REPLACED'));
    await assert.rejects(log.append(someEntries(1, 1)), hasCode('LOG_REPLACED'));
  });

  it('is of no more use after a failed commit: exit, reopen, read', async () => {
    const log = open();
    await log.append(someEntries(1));
    // Somebody who holds SQLite's own write lock makes the commit fail.
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(path, 'log.sqlite'));
    database.exec('BEGIN IMMEDIATE');
    const reading = take(log, 0, 2);
    await assert.rejects(log.append(someEntries(1, 1)), hasCode('LOG_IO'));
    database.exec('ROLLBACK');
    database.close();
    await assert.rejects(log.append(someEntries(1, 1)), hasCode('LOG_IO'), 'never retried');
    await assert.rejects(reading, hasCode('LOG_IO'), 'its readers end too');
    await log.close();
    const again = open();
    assert.equal(await again.end(), 1);
    await again.append(someEntries(1, 1));
  });

  it('names a full disk', async () => {
    const log = open();
    await log.append(someEntries(1));
    await log.close();
    const { DatabaseSync } = await import('node:sqlite');
    const probe = new DatabaseSync(join(path, 'log.sqlite'));
    const pages = Number(probe.prepare('PRAGMA page_count').get()?.['page_count']);
    probe.close();
    const full = openEmbeddedLog({ path, maxPages: pages + 1 });
    opened.push(full);
    await assert.rejects(full.append([anEncodedEntry(1, 500_000)]), (error: unknown) => {
      assert.ok(error instanceof NodeError);
      assert.equal(error.code, 'LOG_DISK_FULL');
      assert.equal(error.kind, 'retryable');
      return true;
    });
    assert.ok(existsSync(join(path, 'log.sqlite')));
  });
});

describe('eventLog.memory', () => {
  it('loses, delays, doubles and reorders appends, and lies about it', async () => {
    const clock = new FakeClock();
    const fates = [
      { copies: [], ack: 0 },
      { copies: ['held' as const], ack: 0 },
      { copies: [5, 20], ack: 'never' as const },
      { copies: [0], ack: 1, ackError: 'not enough replicas after append' },
    ];
    const log = new MemoryEventLog({ clock, fate: () => fates.shift() ?? { copies: [0], ack: 0 } });
    await log.openProducer().send([anEncodedEntry(0)]);
    await log.openProducer().send([anEncodedEntry(1)]);
    const silent = log.openProducer();
    const unanswered = assert.rejects(silent.send([anEncodedEntry(2)]), hasCode('APPEND_UNKNOWN'));
    const refused = assert.rejects(log.openProducer().send([anEncodedEntry(3)]), hasCode('APPEND_UNKNOWN'));
    const keys = (): string[] => log.visible(0).map(({ key }) => key);
    assert.deepEqual(keys(), ['Block/3']);
    clock.advance(10);
    assert.deepEqual(keys(), ['Block/3', 'Block/2']);
    log.held[0]?.release();
    clock.advance(10);
    assert.deepEqual(keys(), ['Block/3', 'Block/2', 'Block/1', 'Block/2']);
    await silent.close();
    await Promise.all([unanswered, refused]);
    await log.close();
  });

  it('lags and pauses its readers', async () => {
    const clock = new FakeClock();
    const log = new MemoryEventLog({ clock, readLagMs: () => 7 });
    await log.append(someEntries(1));
    assert.equal(await log.end(), 0);
    clock.advance(7);
    assert.equal(await log.end(), 1);
    log.pauseReaders();
    await log.append(someEntries(1, 1));
    clock.advance(7);
    assert.equal(await log.end(), 1);
    log.resumeReaders();
    assert.equal(await log.end(), 2);
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const item of log.follow(0, stop.signal)) {
      if (isCaughtUp(item)) stop.abort();
      else seen.push(item.position);
    }
    assert.deepEqual(seen, [0, 1]);
    await log.close();
  });
});

describe('KeptProducer', () => {
  it('takes a fresh producer after an error, and closes the old one (A7)', async () => {
    const events: string[] = [];
    let opened = 0;
    const kept = new KeptProducer((): Producer => {
      const id = ++opened;
      return {
        send: async () => {
          events.push(`send ${id}`);
          if (id === 1) throw new NodeError('retryable', 'no answer', { code: 'APPEND_UNKNOWN' });
        },
        close: async () => {
          events.push(`close ${id}`);
        },
      };
    });
    const first = kept.send(someEntries(1));
    const second = kept.send(someEntries(1));
    await assert.rejects(first);
    await second;
    await kept.send(someEntries(1));
    await kept.close();
    assert.deepEqual(events, ['send 1', 'close 1', 'send 2', 'send 2', 'close 2']);
  });
});
