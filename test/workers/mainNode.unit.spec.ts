import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeError } from '../../src/common/errors.ts';
import { askMainNode } from '../../src/workers/mainNode.ts';

describe('a question to the main node', () => {
  it('carries user and password of its URL, and its failure does not tell them', async () => {
    const server = createServer((request, response) =>
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: request.headers.authorization })),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://me:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/hunter2`;
    const answer = await askMainNode(url, 'eth_chainId', []);
    assert.deepEqual(answer, { kind: 'result', result: `Basic ${btoa('me:hunter2')}` });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const failure: unknown = await askMainNode(url, 'eth_chainId', []).catch((error: unknown) => error);
    assert.ok(failure instanceof NodeError && failure.code === 'MAIN_NODE_UNREACHABLE');
    for (let cause: unknown = failure; cause instanceof Error; cause = cause.cause)
      assert.ok(!cause.message.includes('hunter2'), cause.message);
  });
});
