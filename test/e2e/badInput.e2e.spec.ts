import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import { join } from 'node:path';
import { type Hex, serializeTransaction } from 'viem';
import { concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import type { BlockEntry, EpochStartedEntry } from '../../src/log/entry.ts';
import { type EncodedEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { isOptional, projections } from '../../src/projections/index.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { chainStorePath } from '../../src/workers/chainSettings.ts';
import { CHAIN_ID, RICH, anAccount, rpcFailure, viemClients, whenFunded } from '../support/clients.ts';
import { appendToEmbeddedLog, decoded, foldOf, logPath, readEmbeddedLog } from '../support/embeddedLogs.ts';
import { code, initCodeOf, push } from '../support/factories.ts';
import { aBlockRecord, aGenesis, filled, oneOfEachKind } from '../support/logEntries.ts';
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
import { rejectedByClass } from '../support/metricsOf.ts';

const TRANSFERS = 3;
const SOMEBODY = '0x00000000000000000000000000000000000000b0';

describe('bad input, from everywhere', function () {
  this.timeout(60_000);
  /** Data of a chain with a few blocks, whose node was stopped. */
  let template: string;
  let entries: LogEntry[];
  const folders: string[] = [];

  function folder(name: string): string {
    const path = temporaryFolder(name);
    folders.push(path);
    return path;
  }

  function aCopy(): string {
    const path = folder('bad-input');
    cpSync(template, path, { recursive: true });
    return path;
  }

  async function aNode(
    dataPath: string,
    env: Readonly<Record<string, string>> = {},
    launcher: readonly string[] = [],
  ): Promise<NodeProcess> {
    return new NodeProcess({ dataPath, ports: await freeNodePorts(), env, launcher });
  }

  function anExternalNode(log: string, env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
    return aNode(folder('external'), { node_role: 'external', event_log_path: log, ...env });
  }

  before(async () => {
    template = folder('chain');
    const node = await aNode(template);
    node.start();
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    for (let i = 0; i < TRANSFERS; i++) await transfer(node);
    assert.equal(await node.stop(), 0);
    entries = await readEmbeddedLog(logPath(template));
    assert.ok(foldOf(entries).height >= 1 + TRANSFERS);
  });

  afterEach(killAllNodes);
  after(() => folders.forEach(removeFolder));

  describe('over HTTP', () => {
    it('is answered with the documented error, changes nothing and stops nothing', async () => {
      const node = await aNode(aCopy());
      node.start();
      await node.whenReady();
      // Its claim is the last thing that it writes of its own accord.
      await until('it leads', async () => ((await node.status())['leading'] === true ? true : undefined));
      const before = await rpc(node.rpcUrl, 'eth_getBlockByNumber', ['latest', true]);
      const logBefore = (await readEmbeddedLog(logPath(node.dataPath))).length;

      for (const [body, status, code] of BODIES) {
        const answer = await fetch(node.rpcUrl, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        const shown = Buffer.from(body).subarray(0, 80).toString();
        assert.equal(answer.status, status, shown);
        const answered = (await answer.json()) as { error?: { code: number } };
        assert.equal(answered.error?.code, code, `${shown} gave ${JSON.stringify(answered)}`);
      }
      for (const [raw, code, text] of await badTransactions()) {
        const failure = await rpcFailure(node.rpcUrl, 'eth_sendRawTransaction', [raw]);
        assert.equal(failure.code, code, `${String(raw).slice(0, 80)} gave ${failure.message}`);
        assert.match(failure.message, text);
      }

      assert.deepEqual(await rpc(node.rpcUrl, 'eth_getBlockByNumber', ['latest', true]), before);
      assert.deepEqual(await rpc(node.rpcUrl, 'txpool_status'), { pending: '0x0', queued: '0x0' });
      assert.equal((await readEmbeddedLog(logPath(node.dataPath))).length, logBefore);
      await transfer(node);
      assert.doesNotMatch(node.output, /"level":"(error|fatal)"/);
      assert.equal(await node.stop(), 0);
    });
  });

  describe('in the log', () => {
    it('is rejected by every reader alike and counted by class; nobody stops', async () => {
      const data = aCopy();
      const fold = foldOf(entries);
      await appendToEmbeddedLog(logPath(data), unacceptable(entries));
      const main = await aNode(data);
      const external = await anExternalNode(logPath(data));
      main.start();
      external.start();
      await Promise.all([main.whenReady(), external.whenReady()]);
      const hash = await transfer(main);
      const receipt = await until(
        'the receipt on the external node',
        async () =>
          (await rpc<{ blockHash: Hex; blockNumber: Hex } | null>(external.rpcUrl, 'eth_getTransactionReceipt', [
            hash,
          ])) ?? undefined,
      );
      assert.equal(Number(receipt.blockNumber), fold.height + 1);
      assert.deepEqual(receipt, await rpc(main.rpcUrl, 'eth_getTransactionReceipt', [hash]));

      assert.deepEqual(await rejectedByClass(external), { garbage: 6, foreign: 5, stale: 3, gap: 4, duplicate: 1 });
      // The main node starts at its checkpoint: it did not read the original of the copy in this life.
      assert.deepEqual(await rejectedByClass(main), { garbage: 6, foreign: 5, stale: 3, gap: 5, duplicate: 0 });
      assert.equal(await main.stop(), 0);
      assert.equal(await external.stop(), 0);
    });

    it('as an accepted block with another transaction than was executed stops every node with a dump that reproduces', async () => {
      const tampered = folder('tampered');
      await appendToEmbeddedLog(tampered, await withTamperedBlock(entries));
      for (const role of ['external', 'main']) {
        const node =
          role === 'external'
            ? await anExternalNode(tampered)
            : await aNode(folder('main'), { event_log_path: tampered });
        node.start();
        const wasReady = watchReadiness(node);
        const { code } = await node.whenEnded();
        assert.equal(code, 1, role);
        assert.equal(await wasReady, false, `${role} was ready before it executed the block`);
        assert.match(node.output, /output hash mismatch/);
        assert.doesNotMatch(node.output, /unhandled/);

        const { error, block } = await assertReproduces(node);
        assert.match(error, /output hash mismatch/);
        assert.equal(block, foldOf(entries).height);
      }
    });

    it('as an accepted block with a transaction that does not decode, or is not signed, stops a node with a dump', async () => {
      for (const raw of [fromHex('0x02c0'), fromHex(badlySignedTransfer(TRANSFERS - 1))]) {
        const path = folder('undecodable');
        await appendToEmbeddedLog(
          path,
          withLastBlock(entries, (block) => ({ ...block, record: { ...block.record, transactions: [raw] } })),
        );
        const node = await anExternalNode(path);
        node.start();
        const wasReady = watchReadiness(node);
        assert.equal((await node.whenEnded()).code, 1, node.output.slice(-1_000));
        assert.equal(await wasReady, false);
        assert.match(node.output, /a transaction of the record cannot be read/);
        await assertReproduces(node);
      }
    });

    it('as an epoch with newer rules stops a node that follows, with the advice to upgrade', async () => {
      const data = aCopy();
      const log = openEmbeddedLog({ path: logPath(data) });
      try {
        const external = await anExternalNode(logPath(data));
        external.start();
        await external.whenReady();
        await log.append([encodeEntry(aClaim(entries, { rules: 2 }))]);
        assert.equal((await external.whenEnded()).code, 1);
        assert.match(external.output, /rules newer than this software knows: upgrade this node/);
      } finally {
        await log.close();
      }
      const main = await aNode(data);
      main.start();
      assert.equal((await main.whenEnded()).code, 1);
      assert.match(main.output, /upgrade this node/);
      assert.equal((await readEmbeddedLog(logPath(data))).length, entries.length + 1, 'nothing was appended');
    });

    it('that belongs to another chain stops a node before it takes anything in', async () => {
      const node = await anExternalNode(logPath(template), { genesis_chain_id: '271' });
      node.start();
      assert.equal((await node.whenEnded()).code, 1);
      assert.match(node.output, /the log belongs to chain 270, this node is configured for chain 271/);
    });

    const otherLogs: readonly [what: string, change: (path: string) => Promise<void>][] = [
      ['emptied', async (path) => rmSync(path, { recursive: true })],
      ['truncated', (path) => rewriteLog(path, entries.slice(0, -1))],
      ['replaced by a shorter one of the same chain', (path) => rewriteLog(path, [asEntry(aGenesis())])],
      ['truncated and grown again', (path) => rewriteLog(path, [...entries.slice(0, -1), ...entries.slice(1, 4)])],
    ];
    for (const [what, change] of otherLogs) {
      it(`that was ${what} stops a node and leaves its data and the log untouched`, async () => {
        const data = aCopy();
        const env = { development: 'true', general_rocks_db_path: data };
        const digestBefore = (await runCommand(['digest', '--json'], env)).stdout;
        await change(logPath(data));
        const node = await aNode(data);
        node.start();
        assert.equal((await node.whenEnded()).code, 1, node.output.slice(-2_000));
        assert.match(node.output, /log truncated or replaced/);
        const after = await runCommand(['digest', '--json'], env);
        assert.equal(after.code, 0, after.stderr);
        assert.equal(after.stdout, digestBefore);
        if (what === 'emptied') assert.deepEqual(await readEmbeddedLog(logPath(data)), [], 'no Genesis of a new chain');
      });
    }
  });

  describe('in the data folder', () => {
    const stores: readonly (readonly [name: string, directory: (data: string) => string])[] = [
      ['state and journal', (data) => chainStorePath({ generalRocksDbPath: data })],
      // The node goes on without an optional one.
      ...projections
        .filter((projection) => !isOptional(projection))
        .map((projection) => [projection.name, (data: string) => projectionDirectory(data, projection)] as const),
    ];
    for (const [name, directoryIn] of stores) {
      it(`as an older format of ${name} stops the start, says what to do and deletes nothing`, async () => {
        const data = aCopy();
        const directory = directoryIn(data);
        writeFileSync(join(directory, 'REPRISE_FORMAT'), '0\n');
        const before = filesOf(directory);
        const node = await aNode(data);
        node.start();
        assert.equal((await node.whenEnded()).code, 1);
        assert.match(node.output, /Failed to deserialize context/);
        assert.ok(node.output.includes(directory), 'names the directory');
        assert.match(node.output, /move the directory away/);
        assert.deepEqual(filesOf(directory), before);
      });
    }
  });

  describe('in the configuration', () => {
    it('is listed at once, all of it, and nothing starts', async () => {
      const data = folder('unused');
      const { code, stderr } = await runCommand(['start'], {
        development: 'true',
        general_rocks_db_path: join(data, 'node'),
        node_role: 'boss',
        rpc_address: 'nowhere',
        sequencer_block_time: '5',
        sequencer_colour: 'red',
        genesis_chain_id: '-1',
      });
      assert.equal(code, 1);
      for (const name of ['node_role', 'rpc_address', 'sequencer_block_time', 'sequencer_colour', 'genesis_chain_id']) {
        assert.ok(stderr.includes(name), `${name} in ${stderr}`);
      }
      assert.deepEqual(readdirSync(data), []);
    });

    for (const server of ['rpc', 'status', 'metrics'] as const) {
      it(`as a port of ${server} that is taken stops the start and names the port`, async () => {
        const node = await aNode(aCopy());
        const taken = await listening(node.ports[server]);
        try {
          node.start();
          assert.equal((await node.whenEnded()).code, 1);
          assert.match(node.output, new RegExp(`cannot listen on [^"]*:${node.ports[server]}`));
          assert.match(node.output, /EADDRINUSE/);
        } finally {
          taken.close();
        }
      });
    }
  });

  describe('too much of everything', () => {
    it('of data: a node whose disk takes no more stops with a message, and goes on with more room; nothing acknowledged is lost', async () => {
      const data = aCopy();
      // In units of 512 bytes: some blocks more, then every write fails.
      const limited = await aNode(data, {}, ['sh', '-c', 'ulimit -f 2000; exec "$@"', 'sh']);
      limited.start();
      await limited.whenReady();
      const { wallet } = viemClients(limited.rpcUrl);
      const acknowledged: { hash: Hex; receipt: unknown }[] = [];
      let hasEnded = false;
      void limited.whenEnded(50_000).then(() => (hasEnded = true));
      while (!hasEnded) {
        try {
          const hash = await wallet.sendTransaction({
            to: SOMEBODY,
            data: toHex(filled(0x11, 30_000)),
            gas: 5_000_000n,
          });
          const receipt = await until(
            'a receipt',
            async () =>
              hasEnded ? 'ended' : ((await rpc(limited.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined),
            5_000,
          );
          if (receipt !== 'ended') acknowledged.push({ hash, receipt });
        } catch (error) {
          if (!hasEnded)
            await until('the node has ended', () => (hasEnded ? true : undefined), 10_000).catch(() =>
              assert.fail(String(error)),
            );
        }
      }
      assert.equal((await limited.whenEnded()).code, 75, 'may be tried again');
      assert.ok(acknowledged.length > 0);
      assert.match(limited.output, /cannot append at position \d+ .*Look at the disk .*then start again/);

      const node = await aNode(data);
      node.start();
      await node.whenReady();
      for (const { hash, receipt } of acknowledged)
        assert.deepEqual(await rpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash]), receipt);
      await transfer(node);
      assert.equal(await node.stop(), 0);

      // The same blocks are too much for the stores of a node that only reads the log.
      const follower = folder('external');
      const env = { node_role: 'external', event_log_path: logPath(data) };
      const cramped = await aNode(follower, env, ['sh', '-c', 'ulimit -f 300; exec "$@"', 'sh']);
      cramped.start();
      assert.equal((await cramped.whenEnded()).code, 75);
      assert.match(cramped.output, /The disk is full, or files may not grow further .*Free at least 100 MB/);
      const external = await aNode(follower, env);
      external.start();
      await external.whenReady();
      for (const { hash, receipt } of acknowledged)
        assert.deepEqual(await rpc(external.rpcUrl, 'eth_getTransactionReceipt', [hash]), receipt);
      assert.equal(await external.stop(), 0);
    });

    it('of load at a SIGTERM: the node ends with 0, every block that it appended is accepted, and a restart goes on', async () => {
      const data = aCopy();
      const node = await aNode(data, {
        event_log_read_delay: '200ms',
        sequencer_max_transactions_in_block: '5',
        sequencer_block_time: '20ms',
      });
      node.start();
      await node.whenReady();
      const { account } = viemClients(node.rpcUrl);
      const first = Number(await rpc<Hex>(node.rpcUrl, 'eth_getTransactionCount', [account.address, 'pending']));
      const hashes = await Promise.all(
        Array.from({ length: 200 }, async (_, i) =>
          rpc<Hex>(node.rpcUrl, 'eth_sendRawTransaction', [await signedTransfer({ nonce: first + i })]),
        ),
      );
      const heightBefore = foldOf(entries).height;
      await until('blocks in the log that are not read back', async () => {
        const fold = foldOf(await readEmbeddedLog(logPath(data)));
        return fold.height > heightBefore && fold.height > Number(await rpc<Hex>(node.rpcUrl, 'eth_blockNumber'))
          ? true
          : undefined;
      });
      assert.equal(await node.stop(), 0);

      const log = await readEmbeddedLog(logPath(data));
      const fold = foldOf(log);
      const blocks = log.map((entry) => entry.key).filter((key) => key.startsWith('Block/'));
      assert.deepEqual(
        blocks,
        Array.from({ length: fold.height }, (_, i) => `Block/${i + 1}`),
        'every block in the log is accepted',
      );
      const { stdout } = await runCommand(['digest', '--json'], { development: 'true', general_rocks_db_path: data });
      assert.equal(
        (JSON.parse(stdout) as { state: { height: number } }).state.height,
        fold.height,
        'and was read back',
      );

      const mined = new Set(
        log
          .filter(({ key }) => key.startsWith('Block/'))
          .flatMap((entry) => decoded(entry, 'Block').record.transactions.map((raw) => toHex(keccak256(raw)))),
      );
      const left = hashes.findIndex((hash) => !mined.has(hash));
      assert.ok(left > 0, 'the signal came under load');
      node.start();
      await node.whenReady();
      for (const hash of hashes.slice(0, left))
        assert.ok((await rpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) !== null);
      await transfer(node);
      assert.equal(await node.stop(), 0);
    });

    it('of transaction bytes: blocks are sealed earlier, no entry outgrows the log, nothing is dropped', async () => {
      const data = aCopy();
      const node = await aNode(data, { sequencer_block_time: '2s', sequencer_block_size_limit: '2MiB' });
      node.start();
      await node.whenReady();
      const { wallet, account, reader } = viemClients(node.rpcUrl);
      const first = await reader.getTransactionCount({ address: account.address, blockTag: 'pending' });
      const hashes: Hex[] = [];
      for (let i = 0; i < 6; i++)
        hashes.push(
          await wallet.sendTransaction({
            to: SOMEBODY,
            nonce: first + i,
            data: toHex(new Uint8Array(700_000)),
            gas: 20_000_000n,
          }),
        );
      for (const hash of hashes)
        assert.equal((await reader.waitForTransactionReceipt({ hash, timeout: 20_000 })).status, 'success');
      assert.equal(await node.stop(), 0);
      const blocks = (await readEmbeddedLog(logPath(data)))
        .filter(({ key }) => key.startsWith('Block/'))
        .slice(foldOf(entries).height);
      assert.ok(blocks.length >= 3, `${blocks.length} blocks`);
      for (const entry of blocks) {
        const sizeBytes = decoded(entry, 'Block').record.transactions.reduce((sum, raw) => sum + raw.length, 0);
        assert.ok(sizeBytes <= 2 * 1024 * 1024, `${entry.key} has ${sizeBytes} bytes of transactions`);
        assert.ok(entry.bytes.length < 8 * 1024 * 1024);
      }
    });

    it('of a block limit by one transaction alone: it is purged, no block is made of it, and the chain goes on', async () => {
      const node = await aNode(aCopy(), { sequencer_block_pubdata_limit_bytes: '1000' });
      node.start();
      await node.whenReady();
      const { wallet, account, reader } = viemClients(node.rpcUrl);
      const nonce = await reader.getTransactionCount({ address: account.address });
      const height = await reader.getBlockNumber();
      // Its constructor writes 60 slots: far above 1000 bytes of pubdata.
      const writes = Array.from({ length: 60 }, (_, i) => code(push(i + 1), push(i + 1), 0x55));
      const hash = await wallet.sendTransaction({
        data: toHex(concatBytes(...writes, initCodeOf(code(0x00)))),
        gas: 10_000_000n,
      });
      await until('the transaction is gone from the pool', async () => {
        const { pending } = await rpc<{ pending: Hex }>(node.rpcUrl, 'txpool_status');
        return pending === '0x0' && (await rpc(node.rpcUrl, 'eth_getTransactionByHash', [hash])) === null
          ? true
          : undefined;
      });
      assert.equal(await reader.getBlockNumber(), height);
      // Above the gas limit of a block it is not even taken.
      const failure = await rpcFailure(node.rpcUrl, 'eth_sendRawTransaction', [
        await signedTransfer({ nonce, gas: 100_000_001n }),
      ]);
      assert.equal(failure.code, 803);
      const next = await rpc<Hex>(node.rpcUrl, 'eth_sendRawTransaction', [await signedTransfer({ nonce })]);
      const receipt = await reader.waitForTransactionReceipt({ hash: next, timeout: 10_000 });
      assert.equal(receipt.status, 'success');
      assert.equal(receipt.blockNumber, height + 1n);
      assert.match(node.output, /exceeds a block limit alone: removed from the pool/);
      assert.equal(await node.stop(), 0);
    });
  });
});

async function transfer(node: NodeProcess): Promise<Hex> {
  const { wallet, reader } = viemClients(node.rpcUrl);
  const hash = await wallet.sendTransaction({ to: SOMEBODY, value: 1n });
  const receipt = await reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
  assert.equal(receipt.status, 'success');
  return hash;
}

function signedTransfer(more: { nonce: number; gas?: bigint; value?: bigint; chainId?: number }): Promise<Hex> {
  return RICH.signTransaction({
    type: 'eip1559',
    chainId: CHAIN_ID,
    to: SOMEBODY,
    value: 1n,
    gas: 100_000n,
    maxFeePerGas: 100_000n,
    maxPriorityFeePerGas: 0n,
    ...more,
  });
}

function call(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

/** Body, HTTP status, JSON-RPC code (spec: rpc 2). */
const BODIES: readonly (readonly [body: string | Uint8Array<ArrayBuffer>, status: number, code: number])[] = [
  ['', 200, -32700],
  ['{', 200, -32700],
  ['{"jsonrpc":"2.0","id":1,"method":"eth_chainId"', 200, -32700],
  [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 200, -32700],
  ['['.repeat(100_000), 200, -32700],
  ['[]', 200, -32600],
  ['17', 200, -32600],
  ['null', 200, -32600],
  [JSON.stringify({ id: 1, method: 'eth_chainId' }), 200, -32600],
  [JSON.stringify({ jsonrpc: '2.0', id: {}, method: 'eth_chainId' }), 200, -32600],
  [JSON.stringify({ jsonrpc: '2.0', id: 1, method: 7 }), 200, -32600],
  [call('eth_noSuchThing', []), 200, -32601],
  [call('__proto__', []), 200, -32601],
  [call('constructor', []), 200, -32601],
  [call('eth_getBalance', { address: SOMEBODY }), 200, -32602],
  [call('eth_getBalance', ['0x12', 'latest']), 200, -32602],
  [call('eth_getBlockByNumber', ['0x1ffffffffffffffffff', false]), 200, -32602],
  [call('eth_sendRawTransaction', []), 200, -32602],
  [call('eth_sendRawTransaction', ['0x0']), 200, -32602],
  [call('eth_sendRawTransaction', ['0xzz']), 200, -32602],
  [call('eth_sendRawTransaction', [7]), 200, -32602],
  [
    JSON.stringify(Array.from({ length: 501 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'eth_chainId' }))),
    200,
    -32010,
  ],
  [`"${'x'.repeat(16 * 1024 * 1024)}"`, 413, -32007],
];

/** What is offered, the code and the words of the refusal (spec: rpc 7). */
async function badTransactions(): Promise<(readonly [raw: unknown, code: number, text: RegExp])[]> {
  const good = await signedTransfer({ nonce: TRANSFERS });
  const list = `0x02f8${'ff'.repeat(40)}` as const;
  return [
    ['0x', -32602, /failed to decode/],
    ['0x02', -32602, /failed to decode/],
    ['0xc0', -32602, /failed to decode/],
    [list, -32602, /failed to decode/],
    [toHex(new Uint8Array(randomBytes(64).fill(0x02, 0, 1))), -32602, /failed to decode/],
    [good.slice(0, -2), -32602, /failed to decode/],
    [`${good}00`, -32602, /failed to decode/],
    [badlySignedTransfer(TRANSFERS), -32602, /invalid transaction signature/],
    [`0x03${good.slice(4)}`, -32602, /transaction type not supported/],
    [`0x7f${good.slice(4)}`, -32602, /transaction type not supported|failed to decode/],
    [`0x7e${good.slice(4)}`, -32602, /transaction type not supported|failed to decode/],
    [await signedTransfer({ nonce: TRANSFERS, chainId: 1 }), -32602, /invalid chain id/],
    [await signedTransfer({ nonce: 0 }), 1, /nonce too low/],
    [await signedTransfer({ nonce: TRANSFERS, gas: 20_000n }), 800, /intrinsic gas too low/],
    [await signedTransfer({ nonce: TRANSFERS, gas: 100_000_001n }), 803, /exceeds block gas limit/],
    [await signedTransfer({ nonce: TRANSFERS, value: 2n ** 200n }), -32000, /insufficient funds/],
    [
      await anAccount().signTransaction({
        type: 'eip1559',
        chainId: CHAIN_ID,
        nonce: 0,
        to: SOMEBODY,
        gas: 100_000n,
        maxFeePerGas: 100_000n,
        maxPriorityFeePerGas: 0n,
      }),
      -32000,
      /insufficient funds/,
    ],
  ];
}

/** r is larger than the order of the group. */
function badlySignedTransfer(nonce: number): Hex {
  const transaction = {
    type: 'eip1559',
    chainId: CHAIN_ID,
    nonce,
    to: SOMEBODY,
    gas: 100_000n,
    maxFeePerGas: 100_000n,
    maxPriorityFeePerGas: 0n,
  } as const;
  return serializeTransaction(transaction, { r: toHex(filled(0xff)), s: toHex(filled(0x01)), yParity: 0 });
}

function lastBlock(entries: readonly LogEntry[]): BlockEntry {
  return decoded(
    entries.findLast(({ key }) => key.startsWith('Block/')),
    'Block',
  );
}

function asEntry(entry: Parameters<typeof encodeEntry>[0]): LogEntry {
  return { position: 0, ...encodeEntry(entry) };
}

async function rewriteLog(path: string, entries: readonly EncodedEntry[]): Promise<void> {
  rmSync(path, { recursive: true });
  await appendToEmbeddedLog(path, entries);
}

/** A claim that every reader accepts after these entries. */
function aClaim(entries: readonly LogEntry[], changes: Partial<EpochStartedEntry>): EpochStartedEntry {
  const { logId, epoch, height, parent, rules } = foldOf(entries);
  assert.ok(logId !== undefined);
  return {
    kind: 'EpochStarted',
    schema: 1,
    logId,
    epoch: epoch + 1n,
    claim: new Uint8Array(randomBytes(16)),
    nodeId: filled(1, 16),
    bootId: filled(2, 16),
    rules,
    head: { height: BigInt(height), parent },
    ...changes,
  };
}

/** After these entries, nobody accepts any of these. */
function unacceptable(entries: readonly LogEntry[]): EncodedEntry[] {
  const fold = foldOf(entries);
  const { logId, claim, height, parent, epoch } = fold;
  assert.ok(logId !== undefined && claim !== undefined);
  const newest = lastBlock(entries);
  const { context } = newest.record;
  const record = { ...newest.record, context: { ...context, blockNumber: BigInt(height + 1) } };
  const next: BlockEntry = { ...newest, claim, epoch, height: BigInt(height + 1), parent, record };
  const good = encodeEntry(next);
  const seal = oneOfEachKind().find((entry) => entry.kind === 'BatchSealed');
  assert.ok(seal !== undefined);
  const raw = (bytes: Uint8Array, schema = 1): EncodedEntry => ({ schema, key: 'anything', bytes });
  return [
    // garbage
    raw(new Uint8Array(0)),
    raw(new Uint8Array(randomBytes(40))),
    raw(concatBytes(good.bytes, new Uint8Array(1))),
    raw(good.bytes.slice(0, -1)),
    raw(good.bytes, 7),
    encodeEntry({ ...next, record: aBlockRecord(height + 5) }),
    // foreign
    encodeEntry(aGenesis({ chainId: 271n })),
    encodeEntry({ ...next, logId: filled(9, 16) }),
    encodeEntry({ ...next, claim: filled(9, 16) }),
    encodeEntry(aClaim(entries, { epoch })),
    encodeEntry(aClaim(entries, { logId: filled(9, 16) })),
    // stale
    encodeEntry({ ...next, claim: filled(9, 16), epoch: epoch - 1n }),
    encodeEntry(aClaim(entries, { epoch: epoch - 1n })),
    encodeEntry(aClaim(entries, { head: { height: BigInt(height - 1), parent } })),
    // gap
    encodeEntry({
      ...next,
      height: BigInt(height + 2),
      record: { ...record, context: { ...context, blockNumber: BigInt(height + 2) } },
    }),
    encodeEntry({ ...next, parent: filled(9) }),
    encodeEntry(aClaim(entries, { epoch: epoch + 2n })),
    encodeEntry({ ...seal, logId, claim, epoch, batch: 1_000_000n }),
    // duplicate
    encodeEntry(newest),
  ];
}

function withLastBlock(entries: readonly LogEntry[], change: (block: BlockEntry) => BlockEntry): EncodedEntry[] {
  const last = entries.findLastIndex(({ key }) => key.startsWith('Block/'));
  return [...entries.slice(0, last), asEntry(change(lastBlock(entries)))];
}

/** Another amount is moved than the block's output hash says. */
async function withTamperedBlock(entries: readonly LogEntry[]): Promise<EncodedEntry[]> {
  const [raw] = lastBlock(entries).record.transactions;
  assert.ok(raw !== undefined);
  const { nonce } = decodeTransaction(raw);
  const tampered = fromHex(await signedTransfer({ nonce: Number(nonce), value: 2n }));
  return withLastBlock(entries, (block) => ({ ...block, record: { ...block.record, transactions: [tampered] } }));
}

/** The stopped node left one dump, and it gives the same error again. */
async function assertReproduces(node: NodeProcess): Promise<{ error: string; block: number }> {
  const dumps = join(node.dataPath, 'dumps');
  const names = readdirSync(dumps);
  assert.equal(names.length, 1);
  const { code, stdout, stderr } = await runCommand(['reproduce', join(dumps, names[0] ?? ''), '--json'], {
    development: 'true',
    general_rocks_db_path: node.dataPath,
  });
  assert.equal(code, 1, stderr);
  const result = JSON.parse(stdout) as { isSame: boolean; error: string; block: number };
  assert.equal(result.isSame, true);
  return result;
}

/** Whether /ready ever answered with 200 until the node was gone. */
async function watchReadiness(node: NodeProcess): Promise<boolean> {
  let hasEnded = false;
  void node.whenEnded().then(() => (hasEnded = true));
  let wasReady = false;
  while (!hasEnded) {
    const answer = await fetch(`http://127.0.0.1:${node.ports.status}/ready`).catch(() => undefined);
    if (answer?.status === 200) wasReady = true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return wasReady;
}

function filesOf(directory: string): { name: string; sizeBytes: number; content: string }[] {
  return readdirSync(directory)
    .toSorted()
    .map((name) => {
      const path = join(directory, name);
      return { name, sizeBytes: statSync(path).size, content: toHex(keccak256(readFileSync(path))) };
    });
}

async function listening(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '0.0.0.0', resolve);
  });
  return server;
}
