import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeError } from '../../src/common/errors.ts';
import { readBlockDump, writeBlockDump } from '../../src/consumers/blockDump.ts';
import { aBlockContext, anL2Transaction, aWord } from '../support/factories.ts';

describe('block dumps', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reprise-dump-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('give back what an invariant error carries', () => {
    const context = aBlockContext({
      blockNumber: 12n,
      blockHashes: Array.from({ length: 256 }, (_, i) => aWord(i)),
      mixHash: (1n << 256n) - 1n,
      executionVersion: 2,
    });
    const transactions = [anL2Transaction().raw];
    const error = new NodeError('invariant', 'it broke', { code: 'BROKEN', context, transactions, position: 7 });
    const path = writeBlockDump(folder, error, '0.1.0', 5_000);
    assert.ok(path !== undefined && path.endsWith('dump_12_5.json'));
    assert.deepEqual(readBlockDump(path), {
      context,
      transactions,
      error: 'it broke',
      code: 'BROKEN',
      position: 7,
      nodeVersion: '0.1.0',
      record: undefined,
      output: undefined,
    });
  });

  it('are not made of other errors', () => {
    assert.equal(writeBlockDump(folder, new NodeError('fatal', 'no', { code: 'NO' }), '0.1.0', 0), undefined);
    assert.equal(writeBlockDump(folder, new NodeError('invariant', 'no', { code: 'NO' }), '0.1.0', 0), undefined);
  });

  it('name the file and what is wrong in it', () => {
    const path = join(folder, 'dump.json');
    writeFileSync(path, '{"ctx":{"chain_id":"x"}}');
    assert.throws(
      () => readBlockDump(path),
      (error) =>
        error instanceof NodeError && error.code === 'DUMP_UNREADABLE' && error.message.includes('$.ctx.chain_id'),
    );
  });
});
