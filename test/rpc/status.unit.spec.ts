import assert from 'node:assert/strict';
import { silentLogger } from '../../src/common/logger.ts';
import type { RunningServer } from '../../src/common/metrics.ts';
import { readinessProblems, startStatusServer } from '../../src/rpc/status.ts';
import type { NodeStatus } from '../../src/rpc/status.ts';

const healthy: NodeStatus = {
  role: 'main',
  nodeVersion: '0.1.0',
  chainId: 270n,
  isLeading: true,
  epoch: 2n ** 60n,
  logHead: 100,
  isLogReadable: true,
  logProblem: undefined,
  logAlarms: [],
  hasCaughtUp: true,
  projections: [
    { name: 'state', height: 100, lagBlocks: 0, state: 'live' },
    { name: 'repositories', height: 60, lagBlocks: 40, state: 'live' },
  ],
  safe: 0,
  finalized: 0,
  batches: { sealed: 0, checked: 0, committed: 0, proved: 0, executed: 0, openBlocks: 0, alarm: undefined },
  l1Head: undefined,
  arePriorityTransactionsChecked: false,
};

describe('status server', () => {
  let status = healthy;
  let isTerminating = false;
  let server: RunningServer;
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.address.port}${path}`, { method });
    const text = await response.text();
    return { code: response.status, body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) };
  };

  before(async () => {
    server = await startStatusServer({
      host: '127.0.0.1',
      port: 0,
      logger: silentLogger,
      maxLagBlocks: 50,
      status: () => status,
      isTerminating: () => isTerminating,
    });
  });
  beforeEach(() => {
    status = healthy;
    isTerminating = false;
  });
  after(() => server.close());

  it('is healthy until it terminates, on both paths', async () => {
    for (const path of ['/health', '/status/health']) {
      assert.deepEqual(await get(path), { code: 200, body: { healthy: true } });
    }
    isTerminating = true;
    for (const path of ['/health', '/status/health']) {
      assert.deepEqual(await get(path), { code: 503, body: { healthy: false } });
    }
  });

  it('is ready within the lag, with heights', async () => {
    assert.deepEqual(await get('/ready'), {
      code: 200,
      body: {
        ready: true,
        projections: {
          state: { height: 100, lagBlocks: 0, state: 'live' },
          repositories: { height: 60, lagBlocks: 40, state: 'live' },
        },
      },
    });
  });

  it('says every condition that keeps it from being ready', async () => {
    status = {
      ...healthy,
      isLogReadable: false,
      logProblem: 'broker gone',
      projections: [
        { name: 'state', height: 1, lagBlocks: 51, state: 'catching_up' },
        { name: 'batches', height: 100, lagBlocks: 0, state: 'failed' },
        { name: 'repositories', height: 99, lagBlocks: 1, state: 'paused' },
      ],
    };
    isTerminating = true;
    assert.deepEqual(await get('/ready'), {
      code: 503,
      body: {
        ready: false,
        problems: [
          'the node is stopping',
          'the log is not readable: broker gone',
          'projection state is 51 blocks behind, more than 50',
          'projection batches is failed',
          'projection repositories is paused: its disk is full',
        ],
      },
    });
  });

  it('is not ready before the end of the log was reached', () => {
    const options = { isTerminating: () => false, maxLagBlocks: 50 };
    assert.deepEqual(readinessProblems({ ...healthy, hasCaughtUp: false }, options), [
      'the end of the log was not reached yet',
    ]);
    assert.deepEqual(readinessProblems(healthy, options), []);
  });

  it('is ready without what nothing waits for, and says what stops it', async () => {
    const analytics = { name: 'analytics', height: 3, lagBlocks: 97, state: 'paused', problem: 'away' } as const;
    status = { ...healthy, projections: [{ ...analytics, optional: true }] };
    assert.equal((await get('/ready')).code, 200);
    assert.deepEqual((await get('/status')).body?.['projections'], {
      analytics: { height: 3, lagBlocks: 97, state: 'paused', optional: true, problem: 'away' },
    });
    status = { ...healthy, projections: [analytics] };
    assert.equal((await get('/ready')).code, 503);
  });

  it('tells its status at all times', async () => {
    isTerminating = true;
    const { code, body } = await get('/status');
    assert.equal(code, 200);
    assert.deepEqual(body, {
      role: 'main',
      version: '0.1.0',
      chainId: 270,
      leading: true,
      // above 2^53: as text, so that no digit is lost
      epoch: '1152921504606846976',
      logHead: 100,
      logReadable: true,
      caughtUp: true,
      projections: {
        state: { height: 100, lagBlocks: 0, state: 'live' },
        repositories: { height: 60, lagBlocks: 40, state: 'live' },
      },
      safe: 0,
      finalized: 0,
      batches: { sealed: 0, checked: 0, committed: 0, proved: 0, executed: 0, openBlocks: 0 },
      priorityTransactions: 'not checked',
    });
  });

  it('tells what somebody has to look at', async () => {
    status = { ...healthy, logAlarms: ['positions 3 to 4 are missing from the topic'] };
    assert.deepEqual((await get('/status')).body?.['logAlarms'], status.logAlarms);
    assert.equal((await get('/ready')).code, 200);
  });

  it('knows no other route and no other method', async () => {
    assert.equal((await get('/')).code, 404);
    assert.equal((await get('/constructor')).code, 404);
    assert.equal((await get('/health', 'POST')).code, 405);
    assert.equal((await get('/health', 'HEAD')).code, 200);
  });
});
