/**
 * Analytics of a main node (embedded engine) and of an external node (a server), under load with a kill -9 of both, a kill of
 * the engine, a restart and a rebuild in the middle: every row is what JSON-RPC and the log say.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Hex, type PrivateKeyAccount, keccak256 } from 'viem';
import type { BlockEntry } from '../../src/log/entry.ts';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import { analyticsPath } from '../../src/workers/analyticsServer.ts';
import { knownEndpoint } from '../../src/workers/embeddedClickHouse.ts';
import {
  type ExpectedTables,
  analyticsFromRpc,
  assertMessages,
  assertStorageWrites,
  checksumQuery,
  expectedChecksums,
} from '../support/analyticsFromRpc.ts';
import { sharedClickHouse } from '../support/clickHouse.ts';
import { anAccount, requestOnL1, rpcBatch, viemClients, whenFunded } from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import { LogWatcher } from '../support/logWatcher.ts';
import { type Deployed, mixedL1Requests, mixedTransactions } from '../support/mixedTransactions.ts';
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

const ACCOUNTS = 4;
const PER_ACCOUNT = 32;
const LIMIT_MS = 60_000;

interface Status {
  readonly logHead: number;
  readonly projections: Readonly<Record<string, { height: number; state: string; problem?: string }>>;
}

async function statusOf(node: NodeProcess): Promise<Status> {
  return (await node.status()) as unknown as Status; // of this version
}

async function analyticsHeight(node: NodeProcess): Promise<number> {
  return (await statusOf(node)).projections['analytics']?.height ?? -1;
}

describe('analytics of nodes that crash, restart and rebuild', function () {
  this.timeout(180_000);
  const folders: string[] = [];
  const environments = new Map<NodeProcess, Record<string, string>>();
  let main: NodeProcess;
  let external: NodeProcess;
  let mixed: { raw: Hex; hash: Hex }[];
  const fromL1: Hex[] = [];
  let deployed: Deployed;

  const folder = (name: string): string => {
    folders.push(temporaryFolder(name));
    return folders.at(-1) ?? '';
  };

  const nodeWith = async (dataPath: string, env: Readonly<Record<string, string>>): Promise<NodeProcess> => {
    const common = {
      analytics_enabled: 'true',
      clickhouse_flush_interval: '50ms',
      sequencer_block_time: '20ms',
      sequencer_max_transactions_in_block: '4',
    };
    const ports = await freeNodePorts();
    const node = new NodeProcess({ dataPath, ports, env: { ...common, ...env } });
    environments.set(node, {
      development: 'true',
      general_rocks_db_path: dataPath,
      status_server_address: `127.0.0.1:${ports.status}`,
      ...common,
      ...env,
    });
    return node;
  };

  const command = async (node: NodeProcess, ...args: string[]): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await runCommand([...args, '--json'], environments.get(node) ?? {});
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  const ask = async (node: NodeProcess, sql: string): Promise<readonly (readonly unknown[])[]> => {
    const [answer] = await command(node, 'query', sql);
    return answer?.['rows'] as readonly (readonly unknown[])[];
  };

  /** Sends those that have no receipt. */
  const submit = async (count: number): Promise<void> => {
    const part = mixed.slice(0, count);
    const answers = await rpcBatch(
      main.rpcUrl,
      part.map(({ hash }) => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
    );
    const missing = part.filter((_, i) => answers[i]?.result === null);
    if (missing.length === 0) return;
    const submitted = await rpcBatch(
      main.rpcUrl,
      missing.map(({ raw }) => ({ method: 'eth_sendRawTransaction', params: [raw] })),
    );
    // One that was under way may have been included meanwhile; whoever submits waits for the receipt of each.
    for (const { error } of submitted)
      if (error !== undefined) assert.match(error.message, /^(already known|nonce too low)/);
  };

  const whenIncluded = (hashes: readonly Hex[]): Promise<boolean> =>
    until(
      `${hashes.length} transactions are included`,
      async () => {
        const calls = hashes.map((hash) => ({ method: 'eth_getTransactionReceipt', params: [hash] }));
        return (await rpcBatch(main.rpcUrl, calls)).every(({ result }) => result !== null) || undefined;
      },
      LIMIT_MS,
    );

  const requestFromL1 = (): void => {
    const requests = mixedL1Requests(4, deployed).map(({ request }) => request);
    fromL1.push(...requestOnL1(main.dataPath, requests).map(({ hash }) => hash));
  };

  const startBoth = async (): Promise<void> => {
    for (const node of [main, external]) node.start();
    await Promise.all([main, external].map((node) => node.whenReady()));
  };

  before(async () => {
    const server = (await sharedClickHouse()).endpoint;
    const mainData = folder('analytics-main');
    main = await nodeWith(mainData, {});
    external = await nodeWith(folder('analytics-external'), {
      node_role: 'external',
      event_log_path: join(mainData, 'log'),
      general_main_node_rpc_url: main.rpcUrl,
      clickhouse_url: server.url,
      clickhouse_username: server.username,
      clickhouse_password: server.password,
      clickhouse_database: `reprise_test_${process.pid}_e2e`,
    });
    main.start();
    await main.whenReady();
    await whenFunded(main.rpcUrl);
    external.start();
    await external.whenReady();
    deployed = await deployAll(main.rpcUrl);
    const accounts = Array.from({ length: ACCOUNTS }, () => anAccount());
    await fundAll(main.rpcUrl, accounts, deployed);
    const transactions = await mixedTransactions(accounts, PER_ACCOUNT, deployed);
    mixed = transactions.map(({ raw }) => ({ raw, hash: keccak256(raw) }));
  });

  after(async () => {
    try {
      for (const node of [external, main]) assert.equal(await node.stop(), 0);
    } finally {
      await killAllNodes();
      folders.forEach(removeFolder);
    }
  });

  it('go on after a kill -9 of both nodes, and of the engine', async () => {
    requestFromL1();
    await submit(mixed.length / 2);
    const start = await analyticsHeight(main);
    await until(
      'blocks under way',
      async () => ((await analyticsHeight(main)) >= start + 5 ? true : undefined),
      LIMIT_MS,
    );
    const orphan = enginePid(main);
    await Promise.all([main.kill(), external.kill()]);
    await until('the engine ends with its node', () => (isAlive(orphan) ? undefined : true), LIMIT_MS);
    await startBoth();
    const before = await until('the engine is back', () => enginePid(main), LIMIT_MS);
    process.kill(before, 'SIGKILL');
    // More than what was sent before: there are blocks to insert after the kill.
    await submit((mixed.length * 5) / 8);
    await whenIncluded(mixed.slice(0, (mixed.length * 5) / 8).map(({ hash }) => hash));
    const { logHead } = await statusOf(main);
    await until('analytics is back', async () => (await analyticsHeight(main)) >= logHead || undefined, LIMIT_MS);
    assert.notEqual(enginePid(main), before);
  });

  it('go on after a stop and a rebuild', async () => {
    requestFromL1();
    await submit((mixed.length * 3) / 4);
    const codes = await Promise.all([external.stop(), main.stop()]);
    assert.deepEqual(codes, [0, 0]);
    const rebuilt = await Promise.all([main, external].map((node) => command(node, 'rebuild', 'analytics')));
    for (const [answer] of rebuilt) assert.equal(answer?.['rebuilt'], 'analytics');
    await startBoth();
    requestFromL1();
    await submit(mixed.length);
    await whenIncluded([...mixed.map(({ hash }) => hash), ...fromL1]);
  });

  let head: number;
  let expected: ExpectedTables;

  const areAtHead = async (): Promise<true | undefined> => {
    const { logHead } = await statusOf(main);
    const heights = await Promise.all([main, external].map(analyticsHeight));
    return heights.every((height) => height === logHead) || undefined;
  };

  it('hold as many rows as JSON-RPC has', async () => {
    await until('both are at the head', areAtHead, LIMIT_MS);
    head = (await statusOf(main)).logHead;
    assert.equal(Number(await rpc<Hex>(main.rpcUrl, 'eth_blockNumber')), head);
    const watcher = new LogWatcher(openEmbeddedLog({ path: join(main.dataPath, 'log'), readOnly: true }));
    await watcher.whenHeight(head);
    const records: readonly BlockEntry[] = watcher.blocks;
    await watcher.close();
    expected = await analyticsFromRpc(main.rpcUrl, head, records);
    const tables = Object.keys(expected);
    const counts = `SELECT ${tables.map((table) => `(SELECT count() FROM ${table})`).join(', ')}`;
    const fromRpc = tables.map((table) => String([...(expected[table]?.rows.values() ?? [])].flat().length));
    assert.ok(
      fromRpc.every((count) => Number(count) >= 10),
      fromRpc.join(),
    );
    for (const node of [main, external]) assert.deepEqual(await ask(node, counts), [fromRpc]);
  });

  it('hold in every block what JSON-RPC and the log say, column by column', async () => {
    for (const node of [main, external]) {
      const sums = await ask(node, checksumQuery(expected));
      for (const [table, rows] of Object.entries(expected)) {
        const found = new Map(sums.filter(([name]) => name === table).map(([, n, sum]) => [Number(n), String(sum)]));
        const wanted = expectedChecksums(rows);
        const different = [...wanted].filter(([height, sum]) => found.get(height) !== sum).map(([height]) => height);
        assert.deepEqual(different, [], `blocks of ${table} that differ`);
        assert.equal(found.size, wanted.size, table);
      }
    }
  });

  it('hold the storage writes that the state shows, and messages that fit their logs', async () => {
    const writes = await ask(
      main,
      `SELECT block_number, address, slot, value, account, toString(account_nonce), toString(account_balance)
      FROM storage_writes WHERE block_number > 0 ORDER BY block_number, write_index`,
    );
    assert.ok(writes.length > mixed.length);
    await assertStorageWrites(
      main.rpcUrl,
      writes.map(([block, address, slot, value, account, nonce, balance]) => ({
        block: Number(block),
        address: address as Hex,
        slot: slot as Hex,
        value: value as Hex,
        account: account as Hex | null,
        nonce: nonce as string | null,
        balance: balance as string | null,
      })),
    );
    const messages = await ask(main, 'SELECT message, value FROM l2_to_l1_logs WHERE message IS NOT NULL');
    assert.ok(messages.length >= 5);
    assertMessages(messages);
    const both = `SELECT (SELECT (count(), sum(cityHash64(*))) FROM storage_writes), (SELECT sum(cityHash64(*)) FROM l2_to_l1_logs)`;
    assert.deepEqual(await ask(external, both), await ask(main, both));
  });

  it('answer questions while the node stands still, and equal what the journal gives', async () => {
    const question = 'SELECT count(), sum(cityHash64(*)) FROM receipts';
    const live = await ask(main, question);
    const env = environments.get(main) ?? {};
    const [shown, listed, unknown, changing] = await Promise.all([
      runCommand(['query', '--named', 'row-counts'], env),
      runCommand(['query', '--list'], env),
      runCommand(['query', '--named', 'nonsense'], env),
      runCommand(['query', 'TRUNCATE TABLE blocks_stored'], env),
    ]);
    assert.match(shown.stdout, /^table +rows +announced\n-+ +-+ +-+\ntransactions +\d+ +\d+\n/);
    assert.match(listed.stdout, /^top-contracts +the 20 contracts that are called most$/m);
    assert.deepEqual(
      [shown, listed, unknown, changing].map(({ code }) => code),
      [0, 0, 1, 1],
    );
    assert.match(unknown.stderr, /there is no query named nonsense/);
    assert.match(changing.stderr, /ClickHouse refuses the question: .*readonly/);
    assert.deepEqual(await Promise.all([external.stop(), main.stop()]), [0, 0]);
    assert.deepEqual(await ask(main, question), live);
    const answers = await Promise.all([main, external].map((node) => command(node, 'verify', 'analytics')));
    for (const [verified] of answers) {
      assert.equal(verified?.['isEqual'], true);
      assert.equal(verified['height'], head);
    }
  });

  function enginePid(node: NodeProcess): number | undefined {
    return knownEndpoint(analyticsPath({ generalRocksDbPath: node.dataPath }))?.pid;
  }
});

function isAlive(pid: number | undefined): boolean {
  assert.ok(pid !== undefined);
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a node without chdb', function () {
  this.timeout(60_000);
  const dataPath = temporaryFolder('no-chdb');
  let node: NodeProcess;

  before(async () => {
    mkdirSync(join(dataPath, 'hooks'));
    // As when the optional package was not installed: in the node and in every process that it starts.
    const hook = join(dataPath, 'hooks', 'withoutChdb.mjs');
    writeFileSync(
      hook,
      `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        if (name === 'chdb') throw Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
        return next(name, context);
      } });`,
    );
    const env = { analytics_enabled: 'true', sequencer_block_time: '20ms', NODE_OPTIONS: `--import=${hook}` };
    node = new NodeProcess({ dataPath, ports: await freeNodePorts(), env });
    node.start();
    await node.whenReady();
  });

  after(async () => {
    await killAllNodes();
    removeFolder(dataPath);
  });

  it('says so in its status and makes blocks all the same', async () => {
    await whenFunded(node.rpcUrl);
    const { reader, wallet } = viemClients(node.rpcUrl);
    const hash = await wallet.sendTransaction({ to: anAccount().address, value: 1n });
    assert.equal((await reader.waitForTransactionReceipt({ hash, timeout: 20_000 })).status, 'success');
    const { state, problem } = await until('analytics has failed', async () => {
      const row = (await statusOf(node)).projections['analytics'];
      return row?.state === 'failed' ? row : undefined;
    });
    assert.equal(state, 'failed');
    assert.match(problem ?? '', /chdb.*is not installed.*npm install.*clickhouse_url.*analytics_enabled/);
    assert.equal((await fetch(`http://127.0.0.1:${node.ports.status}/ready`)).status, 200);
    assert.equal(await node.stop(), 0);
  });
});

async function deployAll(url: string): Promise<Deployed> {
  const { reader, wallet } = viemClients(url);
  const deploy = async (name: Parameters<typeof testContract>[0], args: readonly unknown[] = []): Promise<Hex> => {
    const { abi, bytecode } = testContract(name);
    const hash = await wallet.deployContract({ abi, bytecode, args });
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash, timeout: LIMIT_MS });
    assert.ok(contractAddress);
    return contractAddress;
  };
  return {
    token: await deploy('TestERC20', [10n ** 24n, 'Mixed', 'MIX']),
    emitter: await deploy('EventEmitter'),
    reverting: await deploy('SimpleRevert'),
  };
}

async function fundAll(url: string, accounts: readonly PrivateKeyAccount[], { token }: Deployed): Promise<void> {
  const { reader, wallet } = viemClients(url);
  const { abi } = testContract('TestERC20');
  const hashes: Hex[] = [];
  for (const { address } of accounts) {
    hashes.push(await wallet.sendTransaction({ to: address, value: 10n ** 18n, gas: 100_000n }));
    hashes.push(
      await wallet.writeContract({
        address: token,
        abi,
        functionName: 'mint',
        args: [address, 10n ** 20n],
        gas: 200_000n,
      }),
    );
  }
  for (const hash of hashes)
    assert.equal((await reader.waitForTransactionReceipt({ hash, timeout: LIMIT_MS })).status, 'success');
}
