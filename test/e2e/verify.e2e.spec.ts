/** `reprise verify` on the stores of a whole node: all is equal, and one changed key anywhere is found and named. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Hex } from 'viem';
import { type Bytes, toHex } from '../../src/common/bytes.ts';
import { type Config, loadConfig } from '../../src/common/config.ts';
import { replay } from '../../src/commands/replay.ts';
import { verifyNode } from '../../src/commands/verify.ts';
import type { TargetResult } from '../../src/commands/verifyTargets.ts';
import { type EncodedEntry, decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { projections } from '../../src/projections/index.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { ADDRESSES, BATCHES, CHAIN, MERKLE_TREE, PRIORITY_TREE, REPOSITORIES } from '../../src/store/buckets.ts';
import { StoreBatch } from '../../src/store/keyValueStore.ts';
import { openRocksStore } from '../../src/store/keyValueStore.rocks.ts';
import { chainStorePath } from '../../src/workers/chainSettings.ts';
import { RICH, anAccount, anL1Request, requestOnL1, viemClients, whenFunded } from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import { appendToEmbeddedLog, logPath, readEmbeddedLog } from '../support/embeddedLogs.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

const ALL_TARGETS = ['log', 'state', ...projections.map(({ name }) => name)];
const SILENT = { update: () => undefined, stop: () => undefined };

let node: NodeProcess;
let config: Config;
let env: Record<string, string>;
let head = 0;

async function verifyQuietly(...names: string[]): Promise<TargetResult[]> {
  const results: TargetResult[] = [];
  const signal = new AbortController().signal;
  await verifyNode({ config, signal, openProgress: () => SILENT }, names, (result) => void results.push(result));
  assert.equal(existsSync(join(node.dataPath, 'verify')), false, 'what was built aside is gone');
  return results;
}

function resultOf(results: readonly TargetResult[], target: string): TargetResult {
  const found = results.find((result) => result.target === target);
  assert.ok(found, `${target} is reported`);
  return found;
}

/** Changes stored keys, looks, and puts back what was there. */
async function withChange<T>(
  path: string,
  changes: readonly (readonly [key: Bytes, value: Bytes | undefined])[],
  look: () => Promise<T>,
): Promise<T> {
  const before: (readonly [Bytes, Bytes | undefined])[] = [];
  const write = async (rows: readonly (readonly [Bytes, Bytes | undefined])[]): Promise<void> => {
    const store = await openRocksStore(path);
    const batch = new StoreBatch();
    for (const [key, value] of rows) {
      if (value === undefined) batch.delete(key);
      else batch.put(key, value);
    }
    await store.write(batch);
    await store.close();
  };
  const store = await openRocksStore(path);
  for (const [key] of changes) before.push([key, await store.get(key)]);
  await store.close();
  await write(changes);
  try {
    return await look();
  } finally {
    await write(before);
  }
}

/** The last key of every bucket that the store has. */
async function lastKeys(path: string): Promise<Map<number, readonly [key: Bytes, value: Bytes]>> {
  const store = await openRocksStore(path);
  const keys = new Map<number, readonly [Bytes, Bytes]>();
  for await (const [key, value] of store.range({})) keys.set(key[0] ?? 0, [key, value]);
  await store.close();
  return keys;
}

function withLastByteChanged(value: Bytes): Bytes {
  const changed = value.slice();
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  return changed;
}

describe('verify', function () {
  this.timeout(60_000);

  before(async () => {
    const dataPath = temporaryFolder('verify');
    env = { development: 'true', analytics_enabled: 'false', general_rocks_db_path: dataPath, log_format: 'json' };
    node = new NodeProcess({
      dataPath,
      ports: await freeNodePorts(),
      env: { sequencer_block_time: '5ms', batcher_batch_timeout: '100ms', batcher_blocks_per_batch_limit: '3' },
    });
    ({ config } = loadConfig({ env }));
    node.start();
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    const { reader, wallet } = viemClients(node.rpcUrl);
    const mined = (hash: Hex) => reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
    const { abi, bytecode } = testContract('EventEmitter');
    const { contractAddress } = await mined(await wallet.deployContract({ abi, bytecode }));
    assert.ok(contractAddress);
    await mined(await wallet.writeContract({ address: contractAddress, abi, functionName: 'emitEvent', args: [7n] }));
    for (let i = 0; i < 5; i++) await mined(await wallet.sendTransaction({ to: anAccount().address, value: 5n }));
    const [request] = requestOnL1(dataPath, [anL1Request(RICH.address, anAccount().address, { value: 7n })]);
    assert.ok(request);
    await mined(request.hash);
    await until('two batches are sealed and the last block waits for none', async () => {
      head = Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'));
      const { batches, projections: heights } = (await node.status()) as {
        batches: { sealed: number; openBlocks: number };
        projections: Record<string, { height: number }>;
      };
      const isDone = Object.values(heights).every(({ height }) => height === head);
      return batches.sealed >= 2 && batches.openBlocks === 0 && isDone ? true : undefined;
    });
  });

  after(async () => {
    await killAllNodes();
    removeFolder(node.dataPath);
  });

  it('ends with 75 while the node runs', async () => {
    const { code, stderr } = await runCommand(['verify'], env);
    assert.equal(code, 75, stderr);
    assert.match(stderr, /is running: stop it first/);
    assert.equal(await node.stop(), 0);
  });

  it('finds everything equal, for people and for machines, and leaves nothing behind', async () => {
    const human = await runCommand(['verify'], env);
    assert.equal(human.code, 0, human.stdout + human.stderr);
    const lines = human.stdout.trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      ALL_TARGETS,
    );
    assert.match(lines[0] ?? '', new RegExp(`^log at block ${head}: \\d+ entries, \\d+ accepted, in order$`));
    for (const line of lines.slice(1)) assert.match(line, new RegExp(` at block ${head}: \\d+ keys, equal$`));
    const { code, stdout } = await runCommand(['verify', 'state', 'batches', '--json'], env);
    assert.equal(code, 0);
    const machine = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TargetResult);
    assert.deepEqual(
      machine.map(({ target, verdict, height }) => ({ target, verdict, height })),
      ['log', 'state', 'batches'].map((target) => ({ target, verdict: 'equal', height: head })),
    );
    assert.equal(existsSync(join(node.dataPath, 'verify')), false);
  });

  it('names one changed, one missing and one foreign key, and ends with 1', async () => {
    const path = chainStorePath(config);
    const [key, value] = (await lastKeys(path)).get(CHAIN.history) ?? [];
    assert.ok(key && value);
    const changed = withLastByteChanged(value.slice(0, 40));
    await withChange(path, [[key, changed]], async () => {
      const { code, stdout } = await runCommand(['verify', 'state'], env);
      assert.equal(code, 1);
      assert.ok(stdout.includes(`${path}: history, flat key ${toHex(key.slice(1, 33))}, block `), stdout);
      assert.ok(stdout.includes(`is ${toHex(changed.slice(8))} written in block `), stdout);
      assert.match(stdout, /it should be 0x/);
      assert.match(stdout, /`reprise rebuild state`/);
    });
    const foreign = Uint8Array.of(CHAIN.preimage, ...new Uint8Array(32).fill(0xfe));
    const missing = await withChange(path, [[key, undefined]], () => verifyQuietly('state'));
    const added = await withChange(path, [[foreign, value]], () => verifyQuietly('state'));
    assert.match(resultOf(missing, 'state').problem ?? '', /^history, .* is missing, it should be 0x/);
    assert.match(resultOf(added, 'state').problem ?? '', /^preimage, .* is stored and should not be/);
    assert.equal(resultOf(added, 'state').differences, 1);
    assert.equal(resultOf(added, 'log').verdict, 'equal');
  });

  it('finds a change in every bucket of the chain store, and still builds the projections from the log', async () => {
    const path = chainStorePath(config);
    const last = await lastKeys(path);
    assert.deepEqual([...last.keys()].sort(), Object.values(CHAIN).sort());
    const [[checkpoint, bytes] = [], ...others] = [...last.values()];
    assert.ok(checkpoint?.[0] === CHAIN.meta && bytes);
    const changes = others.map(([key, value]) => [key, withLastByteChanged(value)] as const);
    const results = await withChange(path, changes, () => verifyQuietly('state', 'batches'));
    const { verdict, differences, problem = '' } = resultOf(results, 'state');
    assert.deepEqual([verdict, differences], ['different', changes.length], problem);
    assert.ok(problem.startsWith('latest, flat key '), problem);
    assert.deepEqual(
      ['log', 'batches'].map((name) => resultOf(results, name).verdict),
      ['equal', 'equal'],
    );
    const ofMeta = await withChange(path, [[checkpoint, withLastByteChanged(bytes)]], () => verifyQuietly('state'));
    assert.match(resultOf(ofMeta, 'state').problem ?? '', /^meta /);
  });

  it('finds a change in every bucket of every projection, the checkpoint included', async () => {
    const buckets = new Set<number>();
    for (const projection of projections) {
      const path = projectionDirectory(node.dataPath, projection);
      const last = [...(await lastKeys(path))];
      for (const [bucket] of last) buckets.add(bucket);
      const changes = last.slice(1).map(([, [key, value]]) => [key, withLastByteChanged(value)] as const);
      const results = await withChange(path, changes, () => verifyQuietly(projection.name));
      const { verdict, differences, problem = '', advice } = resultOf(results, projection.name);
      assert.deepEqual([verdict, differences], ['different', changes.length], projection.name);
      assert.ok(problem.includes(toHex(changes[0]?.[0] ?? new Uint8Array(0))), problem);
      assert.ok(advice?.includes(`reprise rebuild ${projection.name}`));
      const [[, [checkpoint, bytes]] = [0, []]] = last;
      assert.ok(checkpoint && bytes);
      const [moved] = await withChange(path, [[checkpoint, withLastByteChanged(bytes)]], () =>
        verifyQuietly(projection.name),
      );
      assert.equal(moved?.verdict, 'different');
      assert.match(moved.problem ?? '', /^the checkpoint /);
    }
    // The chain of this test is short, has no proofs, and every block is in a batch.
    const { bloomRow: _bloomRow, ...repositories } = REPOSITORIES;
    const { friProof: _fri, snarkProof: _snark, progress: _progress, openBlock: _open, ...batches } = BATCHES;
    const { blockEnd: _blockEnd, ...priorities } = PRIORITY_TREE;
    const expected = [repositories, ADDRESSES, MERKLE_TREE, batches, priorities].flatMap((each) => Object.values(each));
    assert.deepEqual(
      expected.filter((bucket) => !buckets.has(bucket)),
      [],
    );
  });

  it('names the entry of a log that was changed, and builds nothing from it', async () => {
    const path = logPath(node.dataPath);
    const entries = await readEmbeddedLog(path);
    const file = join(path, 'log.sqlite');
    const files = readdirSync(path).map((name) => [join(path, name), readFileSync(join(path, name))] as const);
    const changed = async (change: () => void | Promise<void>): Promise<TargetResult[]> => {
      await change();
      try {
        return await verifyQuietly('state', 'repositories');
      } finally {
        rmSync(path, { recursive: true });
        mkdirSync(path);
        for (const [name, bytes] of files) writeFileSync(name, bytes);
      }
    };
    /** Another log, whole in itself. */
    const replaced = (by: readonly EncodedEntry[]): Promise<TargetResult[]> =>
      changed(async () => {
        rmSync(path, { recursive: true });
        await appendToEmbeddedLog(path, by);
      });
    const edited = (sql: string, ...values: (number | Uint8Array)[]): Promise<TargetResult[]> =>
      changed(() => {
        const database = new DatabaseSync(file);
        database.prepare(sql).run(...values);
        database.close();
      });
    const at = entries.findLastIndex(({ key }) => key.startsWith('Block/'));
    const found = entries[at];
    assert.ok(found);
    const entry = decodeEntry(found.schema, found.bytes);
    assert.ok(entry?.kind === 'Block');

    const flipped = await edited('UPDATE entries SET bytes = ? WHERE position = ?', found.bytes.slice(0, -1), at);
    assert.deepEqual([resultOf(flipped, 'log').verdict, resultOf(flipped, 'log').position], ['different', at]);

    const garbage = await replaced(entries.with(at, { ...found, bytes: found.bytes.slice(0, -1) }));
    assert.deepEqual([resultOf(garbage, 'log').verdict, resultOf(garbage, 'log').position], ['different', at]);
    assert.match(resultOf(garbage, 'log').problem ?? '', /its bytes were changed|has hash/);
    assert.equal(resultOf(garbage, 'state').verdict, 'notChecked');
    assert.equal(resultOf(garbage, 'repositories').verdict, 'equal');

    const { record } = entry;
    const later = { ...record, context: { ...record.context, timestamp: record.context.timestamp + 1n } };
    const { bytes } = encodeEntry({ ...entry, record: later });
    const altered = await replaced(entries.with(at, { ...found, bytes }));
    assert.deepEqual([resultOf(altered, 'log').verdict, resultOf(altered, 'log').position], ['different', at]);
    assert.match(resultOf(altered, 'log').problem ?? '', /Block #\d+ output hash mismatch|has hash/);
    assert.match(resultOf(altered, 'log').advice ?? '', /do not rebuild a store from it/);

    const cut = await replaced(entries.slice(0, at));
    assert.match(resultOf(cut, 'log').problem ?? '', new RegExp(`the log ends at position ${at - 1}, but`));
    const gap = await edited('DELETE FROM entries WHERE position = ?', 3);
    assert.equal(resultOf(gap, 'log').position, 3);
    assert.match(resultOf(gap, 'log').problem ?? '', /position 3.* is missing/);
  });

  it('tells damaged files from keys that differ, without touching them', async () => {
    const repositories = projections.find(({ name }) => name === 'repositories');
    assert.ok(repositories);
    const folder = projectionDirectory(node.dataPath, repositories);
    const tables = readdirSync(folder).filter((name) => name.endsWith('.sst'));
    assert.ok(tables.length > 0);
    for (const name of tables) {
      copyFileSync(join(folder, name), join(node.dataPath, name));
      const bytes = readFileSync(join(folder, name));
      bytes.fill(0xa5, 16, Math.min(bytes.length, 400));
      writeFileSync(join(folder, name), bytes);
    }
    const [result] = await verifyQuietly('repositories');
    for (const name of tables) copyFileSync(join(node.dataPath, name), join(folder, name));
    assert.equal(result?.verdict, 'different');
    assert.match(result.problem ?? '', /store is damaged/);
    const file = join(logPath(node.dataPath), 'log.sqlite');
    const kept = readFileSync(file);
    const damaged = Buffer.from(kept);
    damaged.fill(0xa5, 65_536);
    writeFileSync(file, damaged);
    const [ofLog] = await verifyQuietly('log');
    writeFileSync(file, kept);
    assert.equal(ofLog?.verdict, 'different');
    assert.match(ofLog.problem ?? '', /the file of the log at .* is damaged/);
    for (const result of await verifyQuietly())
      assert.ok(['equal', 'empty'].includes(result.verdict), JSON.stringify(result));
  });

  it('says of an interrupted replay how far it came, and ends with 75', async () => {
    const others = process.listeners('SIGINT');
    const flags = { generalRocksDbPath: node.dataPath, development: 'true' };
    const replaying = replay({ flags, json: true }, '1', undefined);
    const [interrupt] = process.listeners('SIGINT').filter((listener) => !others.includes(listener));
    assert.ok(interrupt);
    process.off('SIGINT', interrupt);
    interrupt('SIGINT');
    await assert.rejects(replaying, { code: 'INTERRUPTED', kind: 'retryable', message: /^interrupted: no block/ });
  });

  it('refuses unknown names, and a folder without data', async () => {
    await assert.rejects(verifyQuietly('nonsense'), /there is no projection nonsense: choose one of/);
    const empty = temporaryFolder('verify-empty');
    const nothing = await runCommand(['verify'], { ...env, general_rocks_db_path: empty });
    const left = readdirSync(empty);
    removeFolder(empty);
    assert.equal(nothing.code, 75);
    assert.match(nothing.stderr, /no log to tail/);
    assert.deepEqual(left, []);
  });

  it('says of a folder that is not there what may be meant, like every command on data', async () => {
    const absent = join(temporaryFolder('verify-absent'), 'node1');
    for (const args of [['verify'], ['rebuild', 'state'], ['digest'], ['replay', '1'], ['query', 'SELECT 1']]) {
      const { code, stderr } = await runCommand(args, { general_rocks_db_path: absent });
      assert.equal(code, 1, `${args[0]}: ${stderr}`);
      assert.match(stderr, /does not exist: no node has run .*--profile development/);
      assert.equal(existsSync(absent), false);
    }
    removeFolder(dirname(absent));
  });
});
