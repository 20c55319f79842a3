import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeProcess, freeNodePorts, killAllNodes, removeFolder, temporaryFolder } from '../support/nodeProcess.ts';

const PRELOADED = new URL('../support/endThread.ts', import.meta.url).href;

describe('a thread that ends by itself', function () {
  this.timeout(60_000);
  const folders: string[] = [];

  afterEach(killAllNodes);
  after(() => folders.forEach(removeFolder));

  for (const [thread, by] of [
    ['chain', 'exit'],
    ['chain', 'throw'],
    ['projections', 'throw'],
    ['tree', 'exit'],
    ['rpc', 'throw'],
    ['recovery', 'exit'],
    ['recovery', 'throw'],
  ] as const) {
    it(`ends the node: ${thread} by ${by}`, async () => {
      const dataPath = temporaryFolder('threads');
      folders.push(dataPath);
      const file = join(dataPath, 'end');
      const node = new NodeProcess({
        dataPath,
        ports: await freeNodePorts(),
        env: {
          NODE_OPTIONS: `--import ${PRELOADED}`,
          END_THREAD: thread,
          END_THREAD_BY: by,
          END_THREAD_ONCE: file,
        },
      });
      node.start();
      await node.whenReady();
      writeFileSync(file, '');
      assert.equal((await node.whenEnded(10_000)).code, 1);
      assert.match(node.output, /"level":"fatal"/);
      assert.equal(readdirSync(join(dataPath, 'crashes')).length, 1, 'what is needed to study it is kept');
    });
  }
});
