import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Address } from 'viem';
import { searchOrScan, smallestBlock } from '../../src/l1/blockSearch.ts';
import { waitToFinalize } from '../../src/l1/discovery.ts';
import { type L1Client, createL1Client, createL1Reader, isTransientL1Error } from '../../src/l1/l1Client.ts';
import { FakeClock } from '../support/fakeClock.ts';

const DIAMOND: Address = '0x00000000000000000000000000000000000000d1';
const HASH = `0x${'11'.repeat(32)}`;

type Answer = { readonly status: number } | { readonly result: unknown } | { readonly error: object };

describe('L1 client', () => {
  let server: Server;
  let answers: Answer[];
  let requests: number;
  let client: L1Client;

  beforeEach(async () => {
    answers = [];
    requests = 0;
    server = createServer((_request, response) => {
      requests += 1;
      const answer = answers.shift() ?? { result: { number: '0x5', hash: HASH } };
      response.statusCode = 'status' in answer ? answer.status : 200;
      response.setHeader('content-type', 'status' in answer ? 'text/plain' : 'application/json');
      response.end('status' in answer ? '' : JSON.stringify({ jsonrpc: '2.0', id: 1, ...answer }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // it listens on a port
    client = createL1Client({ url: `http://127.0.0.1:${port}`, signal: new AbortController().signal });
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const head = () => createL1Reader(client, DIAMOND).head();

  it('repeats a request twice when the endpoint is busy', async () => {
    const passing: readonly Answer[][] = [
      [{ status: 503 }, { status: 429 }],
      [{ status: 500 }, { status: 502 }],
      [{ error: { code: -32603, message: 'internal' } }],
      [{ error: { code: -32005, message: 'limit exceeded' } }],
      [{ error: { code: -32000, message: 'Too Many Requests' } }],
    ];
    for (const failures of passing) {
      requests = 0;
      answers = [...failures];
      assert.equal((await head()).number, 5);
      assert.equal(requests, failures.length + 1);
    }
  }).timeout(10_000);

  it('gives up after the third, with an error that may pass', async () => {
    answers = [{ status: 503 }, { status: 503 }, { status: 503 }];
    await assert.rejects(head(), { code: 'L1_UNREACHABLE', kind: 'retryable' });
    assert.equal(requests, 3);
  });

  it('does not repeat what will not get better', async () => {
    for (const failure of [{ status: 404 }, { error: { code: -32602, message: 'bad parameter' } }]) {
      requests = 0;
      answers = [failure];
      await assert.rejects(head(), { code: 'L1_UNREACHABLE' });
      assert.equal(requests, 1);
    }
    assert.equal(isTransientL1Error(new Error('something else')), false);
  });

  it('counts a refused connection as busy', async () => {
    server.close();
    server.closeAllConnections();
    await assert.rejects(head(), { code: 'L1_UNREACHABLE', kind: 'retryable' });
  });

  it('knows blocks that L1 does not have', async () => {
    answers = [{ result: null }];
    assert.equal(await createL1Reader(client, DIAMOND).block(9), undefined);
  });
});

describe('search for an L1 block', () => {
  it('finds the smallest one', async () => {
    for (let first = 0; first <= 17; first++)
      assert.equal(await smallestBlock(17, async (block) => block >= first), first);
    assert.equal(await smallestBlock(17, async () => false), undefined);
    assert.equal(await smallestBlock(0, async () => true), 0);
  });

  it('falls back to everything on a short L1 without history only', async () => {
    const fails = async (block: number): Promise<boolean> => {
      if (block < 90_000) throw new Error('missing trie node');
      return true;
    };
    assert.equal(await searchOrScan('it', 100_000, fails), 0);
    await assert.rejects(searchOrScan('it', 180_001, fails), { code: 'L1_SEARCH_FAILED', kind: 'retryable' });
    assert.equal(await searchOrScan('it', 100_000, async () => false), undefined);
  });
});

describe('waiting for L1 to finalize', () => {
  /** Counters by block tag, each read taking the next value. */
  function clientOf(values: { pending: bigint[]; latest: bigint[] }): L1Client {
    const read = ({ functionName, blockTag }: { functionName: string; blockTag: 'pending' | 'latest' }) => {
      if (functionName !== 'getTotalBatchesCommitted') return Promise.resolve(0n);
      const list = values[blockTag];
      return Promise.resolve(list.length > 1 ? list.shift() : list[0]);
    };
    return { readContract: read } as unknown as L1Client; // nothing else is used
  }

  async function finish(client: L1Client): Promise<void> {
    const clock = new FakeClock();
    let isOver = false;
    const waiting = waitToFinalize(client, DIAMOND, { signal: new AbortController().signal, clock });
    waiting.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    await waiting;
  }

  it('ends as soon as nothing is pending', async () => {
    await finish(clientOf({ pending: [3n], latest: [3n] }));
    await finish(clientOf({ pending: [3n], latest: [1n, 2n, 2n, 3n] }));
  });

  it('gives up after ten seconds', async () => {
    await assert.rejects(finish(clientOf({ pending: [3n], latest: [2n] })), {
      code: 'L1_NOT_FINAL',
      message: /pending state did not finalize in time; last value: 2/,
    });
  });

  it('suspects another main node when more is pending afterwards', async () => {
    await assert.rejects(finish(clientOf({ pending: [3n, 4n], latest: [2n, 3n] })), {
      code: 'L1_NOT_FINAL',
      message: /pending state changed while waiting for it to finalize; another main node could already be running/,
    });
  });
});
