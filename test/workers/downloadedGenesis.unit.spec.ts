import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toHex } from '../../src/common/bytes.ts';
import { loadConfig } from '../../src/common/config.ts';
import { developmentGenesisEntry, loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { downloadedGenesis } from '../../src/workers/downloadedGenesis.ts';
import type { ReadL1Genesis } from '../../src/workers/newGenesis.ts';

type Answers = Readonly<Record<string, object>>;

const id = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
const OWN = { logId: id(1), nodeId: id(2), bootId: id(3) };
const OF_MAIN = developmentGenesisEntry({ logId: id(7), nodeId: id(8), bootId: id(9) }, 270n);
const NO_METHOD = { error: { code: -32601, message: 'the method does not exist' } };

describe('the genesis of a node fed over TCP', () => {
  let server: Server;
  let asked: string[];
  let answers: Answers;

  before(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { method } = JSON.parse(body) as { method: string };
        asked.push(method);
        response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...(answers[method] ?? NO_METHOD) }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => (asked = []));
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  function download(served: Answers, { chainId = 270, readL1 }: { chainId?: number; readL1?: ReadL1Genesis } = {}) {
    answers = served;
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const { config } = loadConfig({
      env: {
        sequencer_block_replay_download_address: '127.0.0.1:1',
        general_main_node_rpc_url: `http://127.0.0.1:${port}`,
        genesis_chain_id: String(chainId),
      },
    });
    return downloadedGenesis({ config, ids: OWN, readL1, signal: new AbortController().signal });
  }

  it('is that of the main node, under an identity of its own', async () => {
    const entry = await download({ reprise_getGenesisEntry: { result: toHex(encodeEntry(OF_MAIN).bytes) } });
    assert.deepEqual(entry, { ...OF_MAIN, ...OWN });
    assert.deepEqual(asked, ['reprise_getGenesisEntry']);
  });

  it('is refused when it belongs to another chain', async () => {
    const served = { reprise_getGenesisEntry: { result: toHex(encodeEntry(OF_MAIN).bytes) } };
    await assert.rejects(download(served, { chainId: 271 }), { code: 'GENESIS_OTHER_CHAIN' });
  });

  it('comes from a node without that method as its genesis input, and from L1', async () => {
    const { input } = loadDevelopmentGenesis();
    const served = {
      zks_getGenesis: {
        result: {
          initial_contracts: input.initialContracts.map(([address, code]) => [toHex(address), toHex(code)]),
          additional_storage: input.additionalStorage.map(([key, value]) => [toHex(key), toHex(value)]),
          execution_version: input.executionVersion,
          genesis_root: toHex(input.genesisRoot),
        },
      },
    };
    const { l1ChainId, bridgehub, upgradeTransaction, forceDeployPreimages } = OF_MAIN;
    const readL1: ReadL1Genesis = async (genesisRoot) => {
      assert.deepEqual(genesisRoot, input.genesisRoot);
      return { l1ChainId, bridgehub, upgradeTransaction, forceDeployPreimages };
    };
    assert.deepEqual(await download(served, { readL1 }), { ...OF_MAIN, ...OWN });
    await assert.rejects(download(served), { code: 'L1_MISSING' });
  });

  it('is asked for again until the main node has one', async () => {
    const promise = download({ reprise_getGenesisEntry: { error: { code: -32000, message: 'still starting' } } });
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    answers = { reprise_getGenesisEntry: { result: toHex(encodeEntry(OF_MAIN).bytes) } };
    assert.deepEqual(await promise, { ...OF_MAIN, ...OWN });
    assert.ok(asked.length >= 2);
  });
});
