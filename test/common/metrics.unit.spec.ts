import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { silentLogger } from '../../src/common/logger.ts';
import { METRICS } from '../../src/common/metricTable.ts';
import { MetricsCollector, createMetrics, renderMetrics, startMetricsServer } from '../../src/common/metrics.ts';
import type { MetricRow } from '../../src/common/metricTable.ts';

const GROUPS: readonly Readonly<Record<string, MetricRow<string>>>[] = Object.values(METRICS);
const ROWS = GROUPS.flatMap((group) => Object.values(group));

describe('metrics', () => {
  it('have unique, well-formed names, and help', () => {
    const names = ROWS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { name, help } of ROWS) {
      assert.match(name, /^[a-z][a-z0-9_]*$/);
      assert(help.length > 0, name);
    }
  });

  it('have growing buckets', () => {
    for (const { name, buckets = [] } of ROWS) {
      assert.deepEqual(
        [...buckets],
        [...new Set(buckets)].sort((a, b) => a - b),
        name,
      );
    }
  });

  it('add up over threads, through structured clone', async () => {
    const [chain, rpc] = [createMetrics(), createMetrics()];
    chain.log.headHeight.set(17);
    chain.execution.sealReason.inc({ seal_reason: 'timeout' });
    chain.execution.seconds.observe({ source: 'reused' }, 0.001);
    chain.projection.height.set({ projection: 'state' }, 17);
    rpc.rpc.requests.inc({ method: 'eth_chainId', code: '0' }, 3);
    rpc.rpc.responseSeconds.observe({ method: 'eth_chainId' }, 0.5);
    rpc.projection.height.set({ projection: 'repositories' }, 16);
    const text = await renderMetrics(structuredClone([await chain.snapshot(), await rpc.snapshot()]));
    for (const line of [
      'log_head_height 17',
      'execution_seal_reason{seal_reason="timeout"} 1',
      'execute_seconds_count{source="reused"} 1',
      'projection_height{projection="state"} 17',
      'projection_height{projection="repositories"} 16',
      'rpc_requests_total{method="eth_chainId",code="0"} 3',
      'response_time_seconds_bucket{le="2.5",method="eth_chainId"} 1',
      'leader_status 0',
    ]) {
      assert(text.split('\n').includes(line), `${line} in\n${text.slice(0, 3_000)}`);
    }
  });

  it('show every metric of the table after one observation', async () => {
    const metrics = createMetrics();
    const text = await renderMetrics([await metrics.snapshot()]);
    for (const { name, kind } of ROWS) assert(text.includes(`# TYPE ${name} ${kind}\n`), name);
  });

  it('include the process on request', async () => {
    const text = await renderMetrics([await createMetrics({ withProcess: true }).snapshot()]);
    assert.match(text, /^process_resident_memory_bytes \d/m);
  });

  describe('collector', () => {
    it('shows a thread that hangs or fails as it was last', async () => {
      const metrics = createMetrics();
      metrics.log.headHeight.set(5);
      let mode: 'good' | 'hang' | 'fail' = 'good';
      let questions = 0;
      const collector = new MetricsCollector(
        [
          {
            name: 'chain',
            snapshot: () => {
              questions++;
              if (mode === 'hang') return new Promise(() => undefined);
              return mode === 'fail' ? Promise.reject(new Error('gone')) : metrics.snapshot();
            },
          },
        ],
        { timeoutMs: 5 },
      );
      assert.match(await collector.render(), /^log_head_height 5$/m);
      mode = 'fail';
      assert.match(await collector.render(), /^log_head_height 5$/m);
      mode = 'hang';
      assert.match(await collector.render(), /^log_head_height 5$/m);
      assert.match(await collector.render(), /^log_head_height 5$/m);
      // the hanging question is not asked again
      assert.equal(questions, 3);
    });
  });

  describe('server', () => {
    it('answers GET on any path, and nothing else', async () => {
      const server = await startMetricsServer({
        host: '127.0.0.1',
        port: 0,
        render: () => Promise.resolve('x 1\n'),
        logger: silentLogger,
      });
      const url = `http://127.0.0.1:${server.address.port}`;
      for (const path of ['/', '/metrics', '/any/path?x']) {
        const response = await fetch(url + path);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
        assert.equal(await response.text(), 'x 1\n');
      }
      assert.equal((await fetch(url, { method: 'POST' })).status, 405);
      await server.close();
      await assert.rejects(fetch(url));
    });

    it('answers 500 when collecting fails', async () => {
      const options = {
        host: '127.0.0.1',
        port: 0,
        render: () => Promise.reject(new Error('no')),
        logger: silentLogger,
      };
      const server = await startMetricsServer(options);
      assert.equal((await fetch(`http://127.0.0.1:${server.address.port}`)).status, 500);
      await server.close();
    });

    it('names the port that is taken', async () => {
      const blocker = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => blocker.once('listening', resolve));
      const address = blocker.address();
      assert(typeof address === 'object' && address !== null);
      const options = {
        host: '127.0.0.1',
        port: address.port,
        render: () => Promise.resolve(''),
        logger: silentLogger,
      };
      await assert.rejects(startMetricsServer(options), {
        code: 'LISTEN_FAILED',
        message: /metrics server cannot listen/,
      });
      blocker.close();
    });
  });
});
