import assert from 'node:assert/strict';
import { loadConfig } from '../../src/common/config.ts';
import { NodeError } from '../../src/common/errors.ts';
import { BATCH_PUBDATA_BYTES_MAX } from '../../src/protocol/batch.ts';
import { chainSettings } from '../../src/workers/chainSettings.ts';

function settingsWith(env: Readonly<Record<string, string>>) {
  const base = {
    development: 'true',
    genesis_chain_id: '270',
    genesis_bridgehub_address: `0x${'11'.repeat(20)}`,
  };
  const { config } = loadConfig({ env: { ...base, ...env } });
  return chainSettings(config, { nodeId: new Uint8Array(16), bootId: new Uint8Array(16), nodeVersion: '0.1.0' });
}

describe('chainSettings', () => {
  it('refuses blocks with more pubdata than a batch on L1 may have', () => {
    const limitOf = (bytes: number): bigint =>
      settingsWith({ sequencer_block_pubdata_limit_bytes: String(bytes) }).sequencer.blockPubdataLimitBytes;
    assert.equal(limitOf(BATCH_PUBDATA_BYTES_MAX), BigInt(BATCH_PUBDATA_BYTES_MAX));
    assert.throws(
      () => limitOf(BATCH_PUBDATA_BYTES_MAX + 1),
      (error: unknown) => error instanceof NodeError && error.code === 'CONFIG_INVALID' && error.kind === 'fatal',
    );
  });

  it('lets an external node follow whoever builds such blocks', () => {
    const settings = settingsWith({
      node_role: 'external',
      general_main_node_rpc_url: 'http://127.0.0.1:1',
      event_log_path: '/nowhere/log',
      sequencer_block_pubdata_limit_bytes: '200000',
    });
    assert.equal(settings.mayLead, false);
  });
});
