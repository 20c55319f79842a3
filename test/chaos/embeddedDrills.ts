/** Harm to the embedded log: its process killed, its disk full, its file replaced, a second process on it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NodeError, errorText } from '../../src/common/errors.ts';
import { type EmbeddedLogOptions, openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import type { EventLog } from '../../src/log/eventLog.ts';
import { seededRandom } from '../support/logEntries.ts';
import { removeFolder, temporaryFolder, until } from '../support/nodeProcess.ts';
import type { Drill } from './drill.ts';
import { entryAt, readPrefix } from './embeddedEntries.ts';
import type { WriterMessage, WriterSettings } from './embeddedWriter.ts';

const BLOCK_BYTES_MAX = 300_000;

/** In a folder of its own, removed afterwards. */
function aDrill(name: string, run: (path: string, seed: number, isShort: boolean) => Promise<string>): Drill {
  return {
    name,
    run: async ({ seed, isShort }) => {
      const path = temporaryFolder('chaos');
      try {
        return await run(path, seed, isShort);
      } finally {
        removeFolder(path);
      }
    },
  };
}

class Writer {
  readonly messages: WriterMessage[] = [];
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  #errors = '';

  /** @param launcher a program with its arguments that starts what follows them */
  constructor(settings: WriterSettings, launcher: readonly string[] = []) {
    const program = fileURLToPath(new URL('embeddedWriter.ts', import.meta.url));
    const [command = '', ...args] = [...launcher, process.execPath, program, JSON.stringify(settings)];
    this.child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.child.on('message', (message) => this.messages.push(message as WriterMessage)); // the program sends nothing else
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }

  /** Log's end after the newest append that it knows to be on disk. */
  get acknowledged(): number {
    const last = this.messages.findLast((message) => message.kind === 'acknowledged');
    return last?.end ?? 0;
  }

  async whenAcknowledged(end: number): Promise<void> {
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    await until(`an append up to ${end}`, () => (this.acknowledged >= end || isOver ? true : undefined), 60_000);
    assert.ok(this.acknowledged >= end, `the writer ended: ${JSON.stringify(this.messages.at(-1))} ${this.#errors}`);
  }

  failure(): Extract<WriterMessage, { kind: 'failed' }> {
    const failed = this.messages.find((message) => message.kind === 'failed');
    assert.ok(failed !== undefined, `the writer did not fail: ${this.#errors}`);
    return failed;
  }
}

/** Follows read-only in this process until told to stop; remembers how far it saw. */
class Tail {
  seen = 0;
  readonly #stop = new AbortController();
  readonly #log;
  readonly #running: Promise<void>;

  constructor(path: string) {
    this.#log = openEmbeddedLog({ path, readOnly: true });
    this.#running = this.#follow();
  }

  async #follow(): Promise<void> {
    for await (const item of this.#log.follow(0, this.#stop.signal))
      if ('position' in item) this.seen = item.position + 1;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#log.close();
  }
}

async function readAll(log: EventLog): Promise<void> {
  for await (const item of log.follow(0, AbortSignal.timeout(30_000))) assert.ok(item !== undefined);
}

async function endOf(options: EmbeddedLogOptions, seed: number): Promise<number> {
  const log = openEmbeddedLog(options);
  try {
    return await readPrefix(log, seed, BLOCK_BYTES_MAX);
  } finally {
    await log.close();
  }
}

async function killed(path: string, seed: number, isShort: boolean): Promise<string> {
  const random = seededRandom(seed);
  const kills = isShort ? 5 : 200;
  let [end, unacknowledged] = [0, 0];
  for (let round = 0; round < kills; round++) {
    // A file that grows for ever would only be read for ever.
    const data = join(path, String(Math.floor(round / 20)));
    if (round % 20 === 0) end = 0;
    const writer = new Writer({ path: data, seed, blockBytesMax: BLOCK_BYTES_MAX });
    await writer.whenAcknowledged(end + 1);
    const tail = new Tail(data);
    await delay(random() * 40);
    writer.child.kill('SIGKILL');
    await writer.ended;
    const { seen } = tail;
    await tail.close();
    const [before, { acknowledged }] = [end, writer];
    end = await endOf({ path: data }, seed);
    assert.ok(end >= acknowledged, `${acknowledged} entries were acknowledged, ${end} are there`);
    assert.ok(end >= seen, `a reader saw ${seen} entries, ${end} are there`);
    assert.ok(end > before);
    if (end > acknowledged) unacknowledged += 1;
  }
  return `${kills} kills: every acknowledged and every seen entry is there, whole and in order; ${unacknowledged} times the last append was there unacknowledged`;
}

async function fullByPages(path: string, seed: number, isShort: boolean): Promise<string> {
  const random = seededRandom(seed);
  const rounds = isShort ? 10 : 100;
  let maxPages = 4;
  let end = 0;
  for (let round = 0; round < rounds; round++) {
    maxPages += 1 + Math.floor(random() * 8);
    const log = openEmbeddedLog({ path, maxPages });
    assert.equal(await readPrefix(log, seed, BLOCK_BYTES_MAX), end);
    let error: unknown;
    while (error === undefined) {
      try {
        await log.append([entryAt(end, seed, BLOCK_BYTES_MAX)]);
        end += 1;
      } catch (caught) {
        error = caught;
      }
    }
    assert.ok(error instanceof NodeError, errorText(error));
    assert.deepEqual([error.code, error.kind], ['LOG_DISK_FULL', 'retryable']);
    await assert.rejects(log.append([entryAt(end, seed, BLOCK_BYTES_MAX)]), 'never retried');
    await log.close();
  }
  const log = openEmbeddedLog({ path });
  await log.append([entryAt(end, seed, BLOCK_BYTES_MAX)]);
  await log.close();
  assert.equal(await endOf({ path }, seed), end + 1);
  return `${rounds} limits met with LOG_DISK_FULL: all ${end} acknowledged entries are there, and with room it goes on`;
}

async function fullByFileSize(path: string, seed: number, isShort: boolean): Promise<string> {
  const limits = isShort ? [1_500] : [600, 1_500, 3_000, 6_000, 12_000];
  let entries = 0;
  for (const blocks of limits) {
    const data = join(path, String(blocks));
    const launcher = ['sh', '-c', `ulimit -f ${blocks}; exec "$@"`, 'sh'];
    const writer = new Writer({ path: data, seed, blockBytesMax: BLOCK_BYTES_MAX }, launcher);
    await writer.ended;
    const { code, message } = writer.failure();
    assert.ok(code === 'LOG_DISK_FULL' || code === 'LOG_IO', `${code}: ${message}`);
    const end = await endOf({ path: data }, seed);
    assert.ok(
      writer.acknowledged > 0 && end >= writer.acknowledged,
      `${writer.acknowledged} acknowledged, ${end} there`,
    );
    const log = openEmbeddedLog({ path: data });
    await log.append([entryAt(end, seed, BLOCK_BYTES_MAX)]);
    await log.close();
    entries += end;
  }
  return `${limits.length} files at their limit: the ${entries} acknowledged entries are there, and without it they go on`;
}

/** A file system of 24 MB that is really full. Needs the right to mount in a namespace of its own. */
async function fullTmpfs(path: string, seed: number): Promise<string> {
  const ballast = join(path, 'ballast');
  const script = `mount -t tmpfs -o size=24m tmpfs "$0" || exit 99; dd if=/dev/zero of="$0/ballast" bs=1M count=12 2>/dev/null; exec "$@"`;
  const settings = { path: join(path, 'log'), seed, blockBytesMax: BLOCK_BYTES_MAX, ballast };
  const writer = new Writer(settings, ['unshare', '-m', 'sh', '-c', script, path]);
  const code = await writer.ended;
  if (code === 99 || writer.messages.length === 0) return 'left out: this user may not mount a tmpfs';
  const failed = writer.failure();
  assert.equal(failed.code, 'LOG_DISK_FULL', failed.message);
  const continued = writer.messages.find((message) => message.kind === 'continued');
  assert.ok(continued !== undefined, `it did not go on with more room, and ended with ${code}`);
  const before = writer.messages
    .slice(0, writer.messages.indexOf(failed))
    .findLast(({ kind }) => kind === 'acknowledged');
  assert.ok(before?.kind === 'acknowledged' && continued.endFound >= before.end);
  assert.ok(continued.end > continued.endFound);
  return `full after ${before.end} entries with ${failed.code}; all are there, and with more room it goes on`;
}

async function replacedFile(path: string, seed: number): Promise<string> {
  const codeOf = async (running: Promise<unknown>): Promise<unknown> =>
    running.then(
      () => 'no error',
      (error: unknown) => (error instanceof NodeError ? error.code : error),
    );
  for (const how of ['another file', 'a copy', 'nothing']) {
    const data = join(path, how);
    const log = openEmbeddedLog({ path: data });
    for (let i = 0; i < 10; i++) await log.append([entryAt(i, seed, BLOCK_BYTES_MAX)]);
    const tail = openEmbeddedLog({ path: data, readOnly: true });
    const reading = readAll(tail);
    const file = join(data, 'log.sqlite');
    renameSync(file, join(path, 'old.sqlite'));
    if (how === 'a copy') copyFileSync(join(path, 'old.sqlite'), file);
    if (how === 'another file') writeFileSync(file, 'something else');
    assert.equal(await codeOf(log.append([entryAt(10, seed, BLOCK_BYTES_MAX)])), 'LOG_REPLACED', how);
    assert.equal(await codeOf(reading), 'LOG_REPLACED', `${how}, read-only`);
    await log.close();
    await tail.close();
  }
  return '3 ways: the writer acknowledges nothing more and readers end, both with LOG_REPLACED';
}

async function secondProcess(path: string, seed: number, isShort: boolean): Promise<string> {
  const random = seededRandom(seed);
  const attempts = isShort ? 20 : 500;
  const writer = new Writer({ path, seed, blockBytesMax: 20_000 });
  const isLocked = (error: unknown): boolean => error instanceof NodeError && error.code === 'LOG_LOCKED';
  await writer.whenAcknowledged(1);
  for (let i = 0; i < attempts; i++) {
    assert.throws(() => openEmbeddedLog({ path }), isLocked);
    await delay(random() * 5);
  }
  // A frozen process still holds it, a dead one does not.
  writer.child.kill('SIGSTOP');
  assert.throws(() => openEmbeddedLog({ path }), isLocked);
  writer.child.kill('SIGCONT');
  const before = writer.acknowledged;
  await writer.whenAcknowledged(before + 1);
  writer.child.kill('SIGKILL');
  await writer.ended;
  const log = openEmbeddedLog({ path });
  const end = await readPrefix(log, seed, 20_000);
  assert.ok(end >= writer.acknowledged);
  await log.close();
  return `refused ${attempts + 1} times with LOG_LOCKED, also while the first was frozen; taken over after its death with all ${end} entries`;
}

export const killedWriter = aDrill('embedded: kill -9 at random moments of an append', killed);
export const diskFull: readonly Drill[] = [
  aDrill('embedded: disk full by max_page_count', fullByPages),
  aDrill('embedded: disk full by ulimit -f', fullByFileSize),
  aDrill('embedded: disk full on a tmpfs', fullTmpfs),
];
export const fileReplaced = aDrill('embedded: file replaced under its process', replacedFile);
export const secondWriter = aDrill('embedded: second process', secondProcess);
