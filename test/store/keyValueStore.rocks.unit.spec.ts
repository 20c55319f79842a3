import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asBuffer, u32be } from '../../src/common/bytes.ts';
import { storeFailure } from '../../src/store/errors.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { hasCode, keyValueStoreContract, put, text } from '../contracts/keyValueStore.contract.ts';

describe('store/keyValueStore.rocks', () => {
  let root: string;
  let count = 0;

  before(() => {
    root = mkdtempSync(join(tmpdir(), 'reprise-store-'));
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  const newPath = (): string => join(root, 'deep', `store${count++}`);

  keyValueStoreContract(() => openRocksStore(newPath()));

  it('keeps what was written over closing and opening', async () => {
    const path = newPath();
    const first = await openRocksStore(path);
    await put(first, [text('a'), text('1')]);
    await first.close();
    const second = await openRocksStore(path);
    assert.deepEqual(await second.get(text('a')), text('1'));
    await second.close();
  });

  it('refuses a directory that is open already', async () => {
    const path = newPath();
    const store = await openRocksStore(path);
    await assert.rejects(openRocksStore(path), hasCode('STORE_LOCKED'));
    await put(store, [text('a'), text('1')]);
    await store.close();
  });

  it('refuses a directory of another format, says what to do and changes nothing', async () => {
    const path = newPath();
    const store = await openRocksStore(path);
    await put(store, [text('a'), text('1')]);
    await store.close();
    writeFileSync(join(path, 'REPRISE_FORMAT'), '0\n');
    const before = snapshot(path);
    await assert.rejects(openRocksStore(path), (error: Error) => {
      hasCode('STORE_FORMAT')(error);
      assert.match(error.message, /Failed to deserialize context/);
      assert.ok(error.message.includes(path));
      assert.match(error.message, /move the directory away/);
      return true;
    });
    assert.deepEqual(snapshot(path), before);
  });

  it('refuses a directory that holds something else', async () => {
    const path = newPath();
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'CURRENT'), 'MANIFEST-000005\n');
    await assert.rejects(openRocksStore(path), hasCode('STORE_FORMAT'));
    assert.deepEqual(readdirSync(path), ['CURRENT']);
  });

  it('opens a directory whose creation was interrupted', async () => {
    const path = newPath();
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'REPRISE_FORMAT.new'), '');
    await (await openRocksStore(path)).close();
  });

  it('names a directory that cannot be made', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    await assert.rejects(openRocksStore(join(file, 'store')), (error: Error) =>
      error.message.includes(join(file, 'store')),
    );
  });

  it('loses no write and tears none when the process is killed', async () => {
    const path = newPath();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'writeUntilKilled.ts'), path]);
    let written = '';
    const enough = new Promise<void>((resolve) => {
      child.stdout.on('data', (data: Buffer) => {
        written += data.toString();
        if (written.split('\n').length > 20) resolve();
      });
    });
    await enough;
    child.kill('SIGKILL');
    await once(child, 'close');
    const acknowledged = written.split('\n').length - 1;
    const store = await openRocksStore(path);
    const values = new Set<number>();
    for await (const [, value] of store.range({})) values.add(asBuffer(value).readUInt32BE(0));
    await store.close();
    assert.equal(values.size, 1, `one batch, not parts of ${[...values].join(', ')}`);
    assert.ok([...values].every((value) => value >= acknowledged));
  });

  it('reads on while there is no room, loses nothing, and writes again as soon as there is some', async () => {
    const path = newPath();
    const writer = [join(import.meta.dirname, 'writeWithinLimit.ts'), path, '150'];
    // Files may grow to 1 MB: the log of the engine gets there again and again.
    const child = spawn('sh', ['-c', 'ulimit -f 2000; exec "$@"', 'sh', process.execPath, ...writer]);
    let [printed, errors] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const [exitCode] = (await once(child, 'close')) as [number];
    assert.equal(exitCode, 0, errors);
    assert.ok(Number(printed) >= 3, `refused ${printed} times`);
    const store = await openRocksStore(path);
    for (let i = 140; i < 150; i++) assert.equal((await store.get(u32be(i % 10)))?.[0], i);
    await store.close();
  });
});

describe('store/errors', () => {
  const cases = [
    ['IO error: No space left on device: While appending to file: /x/000012.log', 'STORE_DISK_FULL', 'retryable'],
    ['IO error: While appending to file: /x/000012.log: File too large', 'STORE_DISK_FULL', 'retryable'],
    ['Corruption: block checksum mismatch', 'STORE_DAMAGED', 'fatal'],
    ['IO error: lock hold by current process', 'STORE_LOCKED', 'fatal'],
    ['RocksDB session is closed', 'STORE_CLOSED', 'fatal'],
    ['IO error: Input/output error', 'STORE_IO', 'retryable'],
  ] as const;

  for (const [message, code, kind] of cases) {
    it(`tells ${code} from how the engine says it`, () => {
      const engine = new Error(message);
      const wrapped = [
        engine,
        new Error('Batch was not applied', { cause: engine }),
        new AggregateError([undefined, engine], 'Batch was not applied'),
      ];
      for (const cause of wrapped) {
        const failure = storeFailure('/data/x', 'writing to', cause);
        assert.equal(failure.code, code, cause.message);
        assert.equal(failure.kind, kind);
        assert.ok(failure.message.includes('/data/x'));
      }
    });
  }
});

function snapshot(path: string): Record<string, string> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString('base64')]));
}
