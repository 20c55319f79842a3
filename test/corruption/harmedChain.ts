/** A copy of a stopped node's data, and ways to harm it. Each gives a check that nothing has repaired the harm. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../../src/common/bytes.ts';
import type { Entry } from '../../src/log/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { projections } from '../../src/projections/index.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { StoreBatch } from '../../src/store/keyValueStore.ts';
import { chainStorePath } from '../../src/workers/chainSettings.ts';
import { logPath, readEmbeddedLog, rewriteEmbeddedLog } from '../support/embeddedLogs.ts';

/** Fails when what was harmed has changed since. */
export type StillHarmed = () => Promise<void> | void;

export type StoreName = 'chainStore' | (typeof projections)[number]['name'];

export class HarmedChain {
  readonly dataPath: string;
  /** Data of a stopped node of another chain. */
  readonly otherPath: string;

  constructor(dataPath: string, otherPath: string) {
    this.dataPath = dataPath;
    this.otherPath = otherPath;
  }

  get logFile(): string {
    return join(logPath(this.dataPath), 'log.sqlite');
  }

  storePath(name: StoreName, dataPath = this.dataPath): string {
    if (name === 'chainStore') return chainStorePath({ generalRocksDbPath: dataPath });
    const projection = projections.find((each) => each.name === name);
    assert.ok(projection !== undefined);
    return projectionDirectory(dataPath, projection);
  }

  entries(): Promise<LogEntry[]> {
    return readEmbeddedLog(logPath(this.dataPath));
  }

  /** Writes the log anew with other entries, as a log would keep them that was given them so. */
  async changeLog(change: (entries: LogEntry[]) => readonly Omit<LogEntry, 'position'>[]): Promise<StillHarmed> {
    const changed = change(await this.entries());
    await rewriteEmbeddedLog(logPath(this.dataPath), changed);
    const harmed = await this.entries();
    return async () => assert.deepEqual(await this.entries(), harmed);
  }

  /** Changes the entry at a position, in a field. */
  changeEntry(position: number, change: (entry: Entry) => Entry): Promise<StillHarmed> {
    return this.changeLog((entries) => {
      const found = entries[position];
      const entry = found && decodeEntry(found.schema, found.bytes);
      assert.ok(entry !== undefined);
      const changed = encodeEntry(change(entry));
      assert.notDeepEqual(changed.bytes, found?.bytes, 'the flip changes the bytes');
      return entries.with(position, { position, ...changed });
    });
  }

  changeFile(path: string, change: (bytes: Buffer) => Buffer): StillHarmed {
    const harmed = change(readFileSync(path));
    writeFileSync(path, harmed);
    return () => assert.ok(readFileSync(path).equals(harmed), `${path} was changed`);
  }

  /** The largest file of a store with such a name. */
  storeFile(store: StoreName, name: RegExp): string {
    const folder = this.storePath(store);
    const files = readdirSync(folder).filter((file) => name.test(file));
    const [largest] = files.sort((a, b) => readFileSync(join(folder, b)).length - readFileSync(join(folder, a)).length);
    assert.ok(largest !== undefined, `${folder} has no file ${name}`);
    return join(folder, largest);
  }

  /** Changes the last key of a bucket, through the store, so that its own checksums are right. */
  async changeKey(
    store: StoreName,
    bucket: number,
    change: (key: Bytes, value: Bytes) => readonly (readonly [key: Bytes, value: Bytes | undefined])[],
  ): Promise<StillHarmed> {
    const opened = await openRocksStore(this.storePath(store));
    let rows: readonly (readonly [Bytes, Bytes | undefined])[] = [];
    const range = { gte: Uint8Array.of(bucket), lt: Uint8Array.of(bucket + 1), reverse: true, limit: 1 };
    for await (const [key, value] of opened.range(range)) rows = change(key, value);
    await opened.close();
    assert.ok(rows.length > 0, `${store} has no key in bucket ${bucket}`);
    return this.#write(store, rows);
  }

  async changeValue(store: StoreName, key: Bytes, change: (value: Bytes) => Bytes): Promise<StillHarmed> {
    const opened = await openRocksStore(this.storePath(store));
    const value = await opened.get(key);
    await opened.close();
    assert.ok(value !== undefined);
    return this.#write(store, [[key, change(value)]]);
  }

  async #write(store: StoreName, rows: readonly (readonly [Bytes, Bytes | undefined])[]): Promise<StillHarmed> {
    const path = this.storePath(store);
    const opened = await openRocksStore(path);
    const batch = new StoreBatch();
    for (const [key, value] of rows) {
      if (value === undefined) batch.delete(key);
      else batch.put(key, value);
    }
    await opened.write(batch);
    await opened.close();
    return async () => {
      const again = await openRocksStore(path);
      try {
        for (const [key, value] of rows) assert.deepEqual(await again.get(key), value);
      } finally {
        await again.close();
      }
    };
  }

  swap(one: string, other: string): StillHarmed {
    const aside = `${one}.swapped`;
    renameSync(one, aside);
    renameSync(other, one);
    renameSync(aside, other);
    const [names, otherNames] = [readdirSync(one).length, readdirSync(other).length];
    return () => assert.ok(names > 0 && otherNames > 0 && readdirSync(one).length > 0);
  }

  remove(path: string): StillHarmed {
    rmSync(path);
    return () => assert.throws(() => readFileSync(path), /ENOENT/);
  }
}

export function flipped(bytes: Bytes, at: number): Bytes {
  const copy = bytes.slice();
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 0x10;
  return copy;
}
