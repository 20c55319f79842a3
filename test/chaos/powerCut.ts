/**
 * Power cuts of the embedded log (T15): copies of database and WAL as they were after each append, the WAL cut at every frame and
 * inside every frame, each copy opened and folded.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import { seededRandom } from '../support/logEntries.ts';
import { removeFolder, temporaryFolder } from '../support/nodeProcess.ts';
import type { Drill, DrillOptions } from './drill.ts';
import { entryAt, readPrefix } from './embeddedEntries.ts';

const BLOCK_BYTES_MAX = 150_000;
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

interface Wal {
  readonly bytes: Buffer;
  readonly frameBytes: number;
  /** Random for each time the WAL begins anew. */
  readonly salt: string;
  /** Of this generation; what follows is left from an earlier one. */
  readonly frames: number;
}

function parseWal(bytes: Buffer): Wal {
  if (bytes.length < HEADER_BYTES) return { bytes, frameBytes: 1, salt: '', frames: 0 };
  const frameBytes = FRAME_HEADER_BYTES + bytes.readUInt32BE(8);
  const salt = bytes.toString('hex', 16, 24);
  let frames = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= bytes.length; at += frameBytes) {
    if (bytes.toString('hex', at + 8, at + 16) !== salt) break;
    frames += 1;
  }
  return { bytes, frameBytes, salt, frames };
}

/** Frames whose pages lie in the database as well: they were flushed before, so no power cut takes them. */
function backfilled(shm: Buffer): number {
  return shm.length < 100 ? 0 : shm.readUInt32LE(96);
}

interface Commit {
  readonly end: number;
  readonly salt: string;
  readonly frames: number;
}

export const powerCut: Drill = {
  name: 'embedded: power cut with the WAL cut at every frame',
  run: async (options) => {
    const path = temporaryFolder('power');
    try {
      return await run(path, options);
    } finally {
      removeFolder(path);
    }
  },
};

async function run(path: string, { seed, isShort }: DrillOptions): Promise<string> {
  const random = seededRandom(seed);
  const [data, copy] = [join(path, 'data'), join(path, 'copy')];
  const log = openEmbeddedLog({ path: data });
  const reader = openEmbeddedLog({ path: data, readOnly: true });
  const commits: Commit[] = [];
  const counted = { cuts: 0, inside: 0, moments: 0, generations: new Set<string>(), ends: new Set<number>() };
  const appends = isShort ? 24 : 60;
  let end = 0;
  try {
    for (let append = 1; append <= appends; append++) {
      const count = 1 + Math.floor(random() * 3);
      const start = end;
      await log.append(Array.from({ length: count }, (_, i) => entryAt(start + i, seed, BLOCK_BYTES_MAX)));
      end += count;
      assert.equal(await reader.end(), end, 'a reader in another connection sees it now');
      const wal = parseWal(readFileSync(join(data, 'log.sqlite-wal')));
      commits.push({ end, salt: wal.salt, frames: wal.frames });
      counted.generations.add(wal.salt);
      if (isShort && append % 12 !== 0) continue;
      counted.moments += 1;
      mkdirSync(copy, { recursive: true });
      copyFileSync(join(data, 'log.sqlite'), join(copy, 'database'));
      const first = Math.min(backfilled(readFileSync(join(data, 'log.sqlite-shm'))), wal.frames);
      for (let frame = first; frame <= wal.frames; frame++) {
        const expected = endAfter(commits, wal, frame);
        await checkCut(copy, wal, HEADER_BYTES + frame * wal.frameBytes, { expected, seed });
        counted.cuts += 1;
        counted.ends.add(expected);
        if (frame === wal.frames) continue;
        const inside = 1 + Math.floor(random() * (wal.frameBytes - 1));
        await checkCut(copy, wal, HEADER_BYTES + frame * wal.frameBytes + inside, { expected, seed });
        counted.inside += 1;
      }
      rmSync(copy, { recursive: true });
    }
  } finally {
    await reader.close();
    await log.close();
  }
  assert.ok(counted.generations.size > 1 || isShort, 'the WAL began anew');
  return `${counted.moments} moments of ${appends} appends over ${counted.generations.size} generations of the WAL, ${counted.cuts} cuts at frames and ${counted.inside} inside: each copy is a prefix without a torn entry, and holds what was committed before the cut`;
}

/** What is committed in the database and so many frames of the WAL. */
function endAfter(commits: readonly Commit[], wal: Wal, frames: number): number {
  let end = 0;
  for (const commit of commits) {
    // The WAL begins anew only when all of it is in the database.
    if (commit.salt !== wal.salt || commit.frames <= frames) end = Math.max(end, commit.end);
  }
  return end;
}

async function checkCut(
  copy: string,
  wal: Wal,
  cutBytes: number,
  { expected, seed }: { expected: number; seed: number },
): Promise<void> {
  const survivorPath = join(copy, 'survivor');
  mkdirSync(survivorPath);
  copyFileSync(join(copy, 'database'), join(survivorPath, 'log.sqlite'));
  writeFileSync(join(survivorPath, 'log.sqlite-wal'), wal.bytes.subarray(0, cutBytes));
  const survivor = openEmbeddedLog({ path: survivorPath });
  try {
    const end = await readPrefix(survivor, seed, BLOCK_BYTES_MAX);
    assert.equal(end, expected, `cut at ${cutBytes} of ${wal.bytes.length}`);
    await survivor.append([entryAt(end, seed, BLOCK_BYTES_MAX)]);
  } finally {
    await survivor.close();
    rmSync(survivorPath, { recursive: true });
  }
}
