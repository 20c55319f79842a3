/** What a node that works shows on /metrics. */
import assert from 'node:assert/strict';
import type { Hex } from 'viem';
import {
  CHAIN_ID,
  RICH,
  anAccount,
  rpcBatch,
  rpcFailure,
  submitAll,
  viemClients,
  whenFunded,
} from '../support/clients.ts';
import { seriesOfNode } from '../support/metricsOf.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

const TRANSFERS = 20;
const FEE_COLLECTOR = '0x00000000000000000000000000000000000fee00';

describe('metrics of a node', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  let url: string;

  before(async () => {
    node = new NodeProcess({
      dataPath: temporaryFolder('metrics'),
      ports: await freeNodePorts(),
      env: { sequencer_fee_collector_address: FEE_COLLECTOR },
    });
    node.start();
    await node.whenReady();
    url = node.rpcUrl;
    await whenFunded(url);
  });
  after(async () => {
    await killAllNodes();
    removeFolder(node.dataPath);
  });

  /** Asked again until `isTrue`: samples are taken four times a second. */
  function seriesWhen(what: string, isTrue: (value: (series: string) => number) => boolean) {
    return until(what, async () => {
      const series = await seriesOfNode(node);
      return isTrue((name) => series.get(name) ?? 0) ? series : undefined;
    });
  }

  const transfer = (nonce: number, maxFeePerGas = 1_000_000_000n): Promise<Hex> =>
    RICH.signTransaction({
      chainId: CHAIN_ID,
      type: 'eip1559',
      nonce,
      gas: 100_000n,
      maxFeePerGas,
      maxPriorityFeePerGas: maxFeePerGas / 10n,
      to: anAccount().address,
      value: 1n,
    });

  it('follow transactions from the pool to the readable receipt', async () => {
    const { reader } = viemClients(url);
    const raws = await Promise.all(Array.from({ length: TRANSFERS }, (_, nonce) => transfer(nonce)));
    const hashes = await submitAll(url, raws);
    for (const hash of hashes) await reader.waitForTransactionReceipt({ hash });
    await rpcFailure(url, 'eth_sendRawTransaction', [await transfer(0)]);
    const series = await seriesWhen(
      'the pool has told what it counted',
      (value) =>
        value('mempool_removed_total{reason="mined"}') === TRANSFERS &&
        value('mempool_rejected_total{kind="nonce_too_low"}') === 1,
    );
    const value = (name: string): number => series.get(name) ?? Number.NaN;
    assert.equal(value('mempool_added_total{result="new"}'), TRANSFERS);
    for (const name of ['tx_submit_to_block_seconds', 'tx_to_receipt_seconds'])
      assert.equal(value(`${name}_count`), TRANSFERS, name);
    assert.ok(value('tx_to_receipt_seconds_sum') > value('tx_submit_to_block_seconds_sum'));
    const blocks = value('block_to_accepted_seconds_count');
    assert.ok(blocks >= 2, `${blocks} blocks`);
    assert.equal(value('accepted_to_rpc_seconds_count'), blocks);
    for (const name of ['block_to_accepted_seconds', 'accepted_to_rpc_seconds'])
      assert.ok(value(`${name}_sum`) > 0, name);
    const measure = (label: string): string => `execution_tx_execution_seconds_count{measure="${label}"}`;
    assert.ok(value(measure('total')) >= TRANSFERS);
    assert.equal(value(measure('waiting')), value(measure('total')));
  });

  it('say where the time of the sequencer goes', async () => {
    const series = await seriesOfNode(node);
    const spent = [...series].filter(([name]) =>
      name.startsWith('component_time_spent_in_state{component="sequencer"'),
    );
    const states = spent.map(([name]) => /specific_state="(\w+)"/.exec(name)?.[1]);
    for (const state of ['waiting_for_command', 'waiting_for_tx', 'execution', 'read_storage', 'sealing'])
      assert.ok(states.includes(state), `${state} in ${states.join()}`);
    // All of its time: since shortly after the process began.
    const total = spent.reduce((sum, [, seconds]) => sum + seconds, 0);
    const age = Date.now() / 1000 - (startedAt(series) ?? 0);
    assert.ok(total > 0 && total <= age + 1, `${total} of ${age} s`);
  });

  it('measure calls, batches and searches for logs', async () => {
    const calls = [
      { method: 'eth_chainId', params: [] },
      { method: 'eth_chainId', params: [] },
      { method: 'eth_getLogs', params: [{ fromBlock: '0x0', toBlock: 'latest', address: anAccount().address }] },
    ];
    await rpcBatch(url, calls);
    const series = await seriesOfNode(node);
    assert.equal(series.get('requests_in_batch_count_sum{method="eth_chainId"}'), 2);
    const requests = 'request_size_bytes_sum{method="eth_getLogs"}';
    const [, , search] = calls.map((call, id) => JSON.stringify({ jsonrpc: '2.0', id, ...call }));
    assert.equal(series.get(requests), search?.length);
    const scanned = (label: string): number =>
      series.get(`get_logs_scanned_blocks_sum{method="${label}"}`) ?? Number.NaN;
    assert.equal(scanned('total'), Number(await rpc<Hex>(url, 'eth_blockNumber', [])) + 1);
    assert.equal(scanned('true_positive'), 0);
    assert.equal(scanned('false_positive') + scanned('negative'), scanned('total'));
  });

  it('know the node, and its heights also after a restart without a new block', async () => {
    const before = await seriesWhen('caught up', (value) => value('startup_time{stage="total"}') > 0);
    assert.equal(before.get(`fee_collector_address{fee_collector_address="${FEE_COLLECTOR}"}`), 1);
    const stages = ['serving', 'total'].map((stage) => before.get(`startup_time{stage="${stage}"}`) ?? 0);
    assert.ok(
      stages.every((seconds) => seconds > 0 && seconds < 60),
      stages.join(),
    );
    assert.equal(await node.stop(), 0);
    node.start();
    await node.whenReady();
    const head = before.get('log_head_height');
    const after = await seriesWhen('sampled', (value) => value('log_head_height') === head);
    assert.equal(after.get('execution_block_number{stage="execute"}'), head);
    assert.equal(after.get('projection_height{projection="repositories"}'), head);
    assert.equal(after.get('projection_lag_blocks{projection="repositories"}'), 0);
    assert.equal(after.get('rpc_height_skew_blocks'), 0);
  });
});

function startedAt(series: ReadonlyMap<string, number>): number | undefined {
  for (const [name, value] of series) if (name.startsWith('process_started_at{')) return value;
  return undefined;
}
