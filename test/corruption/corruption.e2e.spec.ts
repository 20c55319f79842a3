/** Harm of every kind to the data of a stopped node: each is noticed and named, and nothing is repaired in silence. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { loadConfig } from '../../src/common/config.ts';
import { verifyNode } from '../../src/commands/verify.ts';
import type { TargetResult } from '../../src/commands/verifyTargets.ts';
import { type ChainFold, EMPTY_FOLD } from '../../src/log/chainFold.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { foldEntry } from '../../src/log/foldEntry.ts';
import { EMPTY_SETTLEMENT, type SettlementFold } from '../../src/log/settlementFold.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';
import { RICH, anAccount, anL1Request, requestOnL1, viemClients, whenFunded } from '../support/clients.ts';
import { logPath, readEmbeddedLog } from '../support/embeddedLogs.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';
import { HarmedChain } from './harmedChain.ts';
import { CORRUPTION_KINDS, type CorruptionKind, type Positions } from './kinds.ts';

const SILENT = { update: () => undefined, stop: () => undefined };

/** Of everything, or of some targets. */
async function verified(dataPath: string, ...names: string[]): Promise<TargetResult[]> {
  const { config } = loadConfig({
    env: { development: 'true', analytics_enabled: 'false', general_rocks_db_path: dataPath },
  });
  const results: TargetResult[] = [];
  const signal = new AbortController().signal;
  await verifyNode({ config, signal, openProgress: () => SILENT }, names, (result) => void results.push(result));
  return results;
}

async function started(dataPath: string): Promise<NodeProcess> {
  const node = new NodeProcess({
    dataPath,
    ports: await freeNodePorts(),
    env: { sequencer_block_time: '5ms', batcher_batch_timeout: '100ms', batcher_blocks_per_batch_limit: '2' },
  });
  node.start();
  return node;
}

/** A chain with transfers, an L1 request, two epochs and two batches; its node is stopped. */
async function buildChain(dataPath: string): Promise<void> {
  for (let life = 0; life < 2; life++) {
    const node = await started(dataPath);
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    const { reader, wallet } = viemClients(node.rpcUrl);
    for (let i = 0; i < 3; i++) {
      const hash = await wallet.sendTransaction({ to: anAccount().address, value: 5n });
      await reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
    }
    const [request] = requestOnL1(dataPath, [anL1Request(RICH.address, anAccount().address, { value: 7n })]);
    assert.ok(request);
    await reader.waitForTransactionReceipt({ hash: request.hash, timeout: 20_000 });
    await until('all blocks are in batches, and everywhere', async () => {
      const { batches, projections, logHead } = (await node.status()) as {
        batches: { sealed: number; openBlocks: number };
        projections: Record<string, { height: number }>;
        logHead: number;
      };
      const isDone = Object.values(projections).every(({ height }) => height === logHead);
      return batches.sealed >= 2 && batches.openBlocks === 0 && isDone ? true : undefined;
    });
    assert.equal(await node.stop(), 0);
  }
}

/** What a reader without any history makes of the entry at a position. */
function verdictAt(entries: readonly LogEntry[], position: number): string | undefined {
  let [chain, settlement]: [ChainFold, SettlementFold] = [EMPTY_FOLD, EMPTY_SETTLEMENT];
  for (const { position: at, schema, bytes } of entries) {
    const { result, settled } = foldEntry({ chain, settlement }, decodeEntry(schema, bytes), SOFTWARE, {
      configuredChain: 270n,
      isDuplicate: false,
    });
    if (at === position) return result.verdict === 'rejected' ? (result.rejectedClass ?? 'garbage') : result.verdict;
    chain = result.state;
    settlement = settled?.state ?? settlement;
  }
  return undefined;
}

async function checkDetection(chain: HarmedChain, { detection }: CorruptionKind, positions: Positions): Promise<void> {
  const { dataPath } = chain;
  switch (detection.by) {
    case 'verify': {
      // The log is executed to see whether what it says can be.
      const isOfChain = detection.target === 'log' || detection.target === 'state';
      const results = await verified(dataPath, isOfChain ? 'state' : detection.target);
      const found = results.find(({ target }) => target === detection.target);
      assert.equal(found?.verdict, 'different', JSON.stringify(results));
      assert.match(found.problem ?? '', detection.says);
      assert.ok(found.place.includes(dataPath), found.place);
      if (detection.at !== undefined) assert.equal(found.position, positions[detection.at], JSON.stringify(found));
      return;
    }
    case 'acceptance': {
      const at = positions[detection.at];
      assert.equal(verdictAt(await chain.entries(), at), detection.as);
      const [ofLog] = await verified(dataPath, 'log');
      const named = positions[detection.named ?? detection.at];
      assert.deepEqual([ofLog?.verdict, ofLog?.position], ['different', named], JSON.stringify(ofLog));
      return;
    }
    case 'start': {
      const node = await started(dataPath);
      const { code } = await node.whenEnded();
      assert.equal(code, 1, node.output.slice(-2_000));
      assert.match(node.output, detection.says);
      return;
    }
    case 'nobody': {
      const results = await verified(dataPath, 'state');
      assert.ok(
        results.every(({ verdict }) => verdict === 'equal'),
        JSON.stringify(results),
      );
    }
  }
}

describe('corruption', function () {
  this.timeout(60_000);
  const folders: string[] = [];
  let [template, other] = ['', ''];
  let positions: Positions;

  function folder(name: string): string {
    const path = temporaryFolder(name);
    folders.push(path);
    return path;
  }

  before(async () => {
    [template, other] = [folder('whole'), folder('other')];
    await Promise.all([buildChain(template), buildChain(other)]);
    const keys = (await readEmbeddedLog(logPath(template))).map(({ key }) => key);
    positions = {
      genesis: keys.indexOf('Genesis'),
      block: keys.indexOf('Block/3'),
      epoch: keys.indexOf('EpochStarted/2'),
      afterEpoch: keys.indexOf('EpochStarted/2') + 1,
      seal: keys.indexOf('BatchSealed/1'),
    };
    assert.ok(
      Object.values(positions).every((position) => position >= 0),
      keys.join(),
    );
  });
  afterEach(killAllNodes);
  after(() => folders.forEach(removeFolder));

  it('is not found where there is none', async () => {
    // The analytics are off in this chain: there is nothing of them.
    for (const result of await verified(template))
      assert.equal(result.verdict, result.target === 'analytics' ? 'empty' : 'equal', JSON.stringify(result));
  });

  it('is tried in at least 24 kinds with names of their own', () => {
    const names = CORRUPTION_KINDS.map(({ name }) => name);
    assert.ok(names.length >= 24, `${names.length}`);
    assert.equal(new Set(names).size, names.length);
  });

  for (const kind of CORRUPTION_KINDS) {
    it(`${kind.name}: noticed by ${kind.detection.by}`, async () => {
      const [dataPath, otherPath] = [temporaryFolder('harmed'), temporaryFolder('harmed-other')];
      try {
        cpSync(template, dataPath, { recursive: true });
        cpSync(other, otherPath, { recursive: true });
        const chain = new HarmedChain(dataPath, otherPath);
        const stillHarmed = await kind.harm(chain, positions);
        await checkDetection(chain, kind, positions);
        await stillHarmed();
      } finally {
        await killAllNodes();
        removeFolder(dataPath);
        removeFolder(otherPath);
      }
    });
  }
});
