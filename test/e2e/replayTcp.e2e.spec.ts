import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Hex } from 'viem';
import { readRecords } from '../../src/producers/replayStream.ts';
import type { ReplayRecord } from '../../src/protocol/replayRecord.ts';
import { replayRequest, u32Frame } from '../../src/protocol/replayTransport.ts';
import { REPLAY_VERSION_NEWEST, encodeReplayRecord } from '../../src/protocol/replayWireFormat.ts';
import { anAccount, submitAll, viemClients, whenFunded } from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import { type Deployed, mixedTransactions } from '../support/mixedTransactions.ts';
import {
  NodeProcess,
  freeNodePorts,
  freePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

const ACCOUNTS = 5;
const PER_ACCOUNT = 40;
const WITHIN_MS = 60_000;

type JsonRecord = Record<string, unknown>;

describe('an external node fed over TCP', function () {
  this.timeout(180_000);
  const folders: string[] = [];
  let [mainPort, externalPort] = [0, 0];
  let main: NodeProcess;
  let external: NodeProcess;
  /** Fed by the external node. */
  let second: NodeProcess;
  let raws: Hex[];

  const folder = (name: string): string => {
    const path = temporaryFolder(name);
    folders.push(path);
    return path;
  };
  const headOf = async ({ rpcUrl }: NodeProcess): Promise<number> => Number(await rpc<Hex>(rpcUrl, 'eth_blockNumber'));
  const whenAt = (node: NodeProcess, height: number): Promise<true> =>
    until(`block ${height}`, async () => ((await headOf(node)) >= height ? true : undefined), WITHIN_MS);
  const digestOf = async ({ dataPath }: NodeProcess): Promise<JsonRecord> => {
    const env = { general_rocks_db_path: dataPath, development: 'true' };
    const { code, stdout, stderr } = await runCommand(['digest', '--json'], env);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as JsonRecord;
  };

  /** The next of the mixed transactions; resolves when the main node has them in blocks. */
  async function include(count: number): Promise<void> {
    const hashes = await submitAll(main.rpcUrl, raws.splice(0, count));
    for (const hash of hashes)
      await until(
        `the receipt of ${hash}`,
        async () => (await rpc<JsonRecord | null>(main.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
        WITHIN_MS,
      );
  }

  async function anExternalNode(name: string, feed: number, serve: number): Promise<NodeProcess> {
    return new NodeProcess({
      dataPath: folder(name),
      ports: await freeNodePorts(),
      env: {
        sequencer_block_replay_download_address: `127.0.0.1:${feed}`,
        sequencer_block_replay_server_address: `127.0.0.1:${serve}`,
        general_main_node_rpc_url: main.rpcUrl,
      },
    });
  }

  before(async () => {
    [mainPort = 0, externalPort = 0] = await freePorts(2);
    main = new NodeProcess({
      dataPath: folder('main'),
      ports: await freeNodePorts(),
      env: {
        sequencer_block_time: '20ms',
        sequencer_max_transactions_in_block: '5',
        sequencer_block_replay_server_address: `127.0.0.1:${mainPort}`,
      },
    });
    external = await anExternalNode('external', mainPort, externalPort);
    second = await anExternalNode('second', externalPort, 0);
  });
  after(async () => {
    await killAllNodes();
    folders.forEach(removeFolder);
  });

  it('waits for a main node that is not there yet, and stops cleanly meanwhile', async () => {
    external.start();
    await until('it tries', async () =>
      (await fetch(`http://127.0.0.1:${external.ports.status}/health`)).ok ? true : undefined,
    );
    assert.equal((await fetch(`http://127.0.0.1:${external.ports.status}/ready`)).status, 503);
    assert.equal(await external.stop(), 0);
  });

  it('takes genesis and blocks of a main node with a history, and follows it', async () => {
    main.start();
    await main.whenReady();
    await whenFunded(main.rpcUrl);
    const { wallet, reader } = viemClients(main.rpcUrl);
    const deploy = async (name: Parameters<typeof testContract>[0], args: readonly unknown[] = []): Promise<Hex> => {
      const { abi, bytecode } = testContract(name);
      const hash = await wallet.deployContract({ abi, bytecode, args });
      const { contractAddress } = await reader.waitForTransactionReceipt({ hash, timeout: WITHIN_MS });
      assert.ok(contractAddress);
      return contractAddress;
    };
    const deployed: Deployed = {
      token: await deploy('TestERC20', [10n ** 24n, 'Mixed', 'MIX']),
      emitter: await deploy('EventEmitter'),
      reverting: await deploy('SimpleRevert'),
    };
    const accounts = Array.from({ length: ACCOUNTS }, () => anAccount());
    for (const { address } of accounts) {
      const hash = await wallet.sendTransaction({ to: address, value: 10n ** 18n, gas: 100_000n });
      await reader.waitForTransactionReceipt({ hash, timeout: WITHIN_MS });
    }
    raws = (await mixedTransactions(accounts, PER_ACCOUNT, deployed)).map(({ raw }) => raw);
    await include(50);
    external.start();
    second.start();
    await Promise.all([external.whenReady(60_000), second.whenReady(60_000)]);
    // Ready means that it has what the main node had.
    assert.ok((await headOf(external)) >= 10);
    await include(30);
    const head = await headOf(main);
    await Promise.all([whenAt(external, head), whenAt(second, head)]);
    for (let height = 0; height <= head; height++) {
      const number = `0x${height.toString(16)}`;
      for (const [method, params] of [
        ['eth_getBlockByNumber', [number, true]],
        ['eth_getBlockReceipts', [number]],
      ] as const) {
        const [ours, theirs, thirds] = await Promise.all(
          [main, external, second].map(({ rpcUrl }) => rpc<JsonRecord>(rpcUrl, method, params)),
        );
        assert.ok(ours);
        assert.deepEqual([theirs, thirds], [ours, ours], `${method} ${height}`);
      }
    }
  });

  it('says that no settlement comes this way, and where its blocks come from', async () => {
    const status = await external.status();
    assert.deepEqual([status['safe'], status['finalized']], [0, 0]);
    assert.equal(status['settlement'], 'not carried over TCP: no batches here, safe and finalized stay 0');
    const feed = status['replayClient'] as JsonRecord;
    assert.deepEqual([feed['server'], feed['connected']], [`127.0.0.1:${mainPort}`, true]);
    assert.equal((status['replayServer'] as JsonRecord)['clients'], 1);
    const batches = status['batches'] as JsonRecord;
    assert.deepEqual([batches['sealed'], batches['executed']], [0, 0]);
    const fromMain = await main.status();
    assert.ok(Number((fromMain['batches'] as JsonRecord)['sealed']) > 0);
    assert.equal(fromMain['settlement'], undefined);
  });

  it('hands submitted transactions to the main node', async () => {
    const hash = await viemClients(external.rpcUrl).wallet.sendTransaction({ to: anAccount().address, value: 7n });
    for (const node of [main, external, second])
      await until(
        'the receipt',
        async () => (await rpc<JsonRecord | null>(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) ?? undefined,
        WITHIN_MS,
      );
  });

  it('goes on where it was after a kill of either side, in the middle of the load', async () => {
    const whenFollowed = async (): Promise<void> => {
      const head = await headOf(main);
      await Promise.all([whenAt(external, head), whenAt(second, head)]);
    };
    const including = include(15);
    await external.kill();
    await including;
    external.start();
    await external.whenReady(60_000);
    await include(5);
    await whenFollowed();
    await main.kill();
    main.start();
    await main.whenReady();
    await include(10);
    await whenFollowed();
  });

  it('serves others while clients send nonsense, ask for the future, or read nothing', async () => {
    const nonsense = connect(mainPort, '127.0.0.1');
    nonsense.on('error', () => undefined);
    nonsense.write(Buffer.alloc(20_000, 0x41));
    await once(nonsense, 'close');
    const ahead = connect(mainPort, '127.0.0.1');
    ahead.write(replayRequest(1_000_000n));
    const stuck = connect(mainPort, '127.0.0.1');
    stuck.write(replayRequest(0n));
    stuck.pause();
    await include(5);
    await whenAt(external, await headOf(main));
    ahead.destroy();
    stuck.destroy();
  });

  it('stops for good when it is pointed at another chain', async () => {
    const stranger = await anExternalNode('stranger', mainPort, 0);
    stranger.start({ genesis_chain_id: '271' });
    assert.equal((await stranger.whenEnded()).code, 1);
    assert.match(stranger.output, /runs chain 270, this node is configured for chain 271/);
  });

  it('stops with a dump at a block whose output is not what its record says', async () => {
    const liar = createServer((socket) => {
      const honest = connect(mainPort, '127.0.0.1');
      for (const each of [socket, honest]) each.on('error', () => undefined);
      honest.write(replayRequest(1n));
      socket.write(u32Frame(REPLAY_VERSION_NEWEST));
      void (async () => {
        const { value: record } = (await readRecords(honest).next()) as { value: ReplayRecord }; // block 1 is there
        const payload = encodeReplayRecord({ ...record, blockOutputHash: new Uint8Array(32).fill(1) });
        socket.write(Buffer.concat([u32Frame(payload.length), payload]));
        honest.destroy();
      })();
    });
    liar.listen(0, '127.0.0.1');
    await once(liar, 'listening');
    try {
      const { port } = liar.address() as AddressInfo; // it listens on TCP
      const believer = await anExternalNode('believer', port, 0);
      believer.start();
      assert.equal((await believer.whenEnded(60_000)).code, 1);
      assert.match(believer.output, /dump of the block written/);
    } finally {
      liar.close();
    }
  });

  it('holds the same state and repositories as the main node in the end, key by key', async () => {
    await include(raws.length);
    const head = await headOf(main);
    await Promise.all([whenAt(external, head), whenAt(second, head)]);
    for (const node of [second, external, main]) assert.equal(await node.stop(), 0);
    const [ofMain, ...others] = await Promise.all([main, external, second].map(digestOf));
    assert.ok(ofMain);
    for (const digests of others)
      for (const name of ['state', 'repositories', 'merkleTree']) assert.deepEqual(digests[name], ofMain[name], name);
  });
});
