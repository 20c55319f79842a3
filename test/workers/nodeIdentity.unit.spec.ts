import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemRandom } from '../../src/common/clock.ts';
import { toHex } from '../../src/common/bytes.ts';
import { NODE_ID_FILE, readNodeId } from '../../src/workers/nodeIdentity.ts';

describe('nodeIdentity', () => {
  let path: string;
  const read = (configured?: Uint8Array): Uint8Array => readNodeId(path, configured, systemRandom);

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'reprise-node-id-'));
  });

  afterEach(() => {
    rmSync(path, { recursive: true, force: true });
  });

  it('is drawn once and kept, unless another one is configured', () => {
    const id = read();
    assert.equal(readFileSync(join(path, NODE_ID_FILE), 'utf8'), `${toHex(id)}\n`);
    assert.deepEqual(read(), id);
    assert.deepEqual(read(new Uint8Array(16)), new Uint8Array(16));
  });

  it('is drawn anew when the node ended, or the disk was full, before the first one was written', () => {
    writeFileSync(join(path, NODE_ID_FILE), '');
    assert.deepEqual(read(), read());
  });

  it('is not guessed from a file that holds something else', () => {
    writeFileSync(join(path, NODE_ID_FILE), 'deadbeef\n');
    assert.throws(() => read(), { code: 'NODE_ID_UNREADABLE' });
  });

  it('blames the folder where nothing can be read or written', () => {
    const file = join(path, 'file');
    writeFileSync(file, '');
    for (const [folder, message] of [
      [file, /ENOTDIR.*general_rocks_db_path/],
      [join(file, 'under'), /ENOTDIR/],
    ] as const)
      assert.throws(() => readNodeId(folder, undefined, systemRandom), { code: 'DATA_FOLDER_UNUSABLE', message });
  });
});
