import assert from 'node:assert/strict';
import { type BlockContextSettings, nextBlockContext } from '../../src/producers/blockContextProvider.ts';
import { filled } from '../support/logEntries.ts';

const SETTINGS: BlockContextSettings = {
  chainId: 270n,
  feeCollector: filled(0xfe, 20),
  blockGasLimit: 100n,
  blockPubdataLimitBytes: 200n,
  baseFee: 300n,
  pubdataPrice: 400n,
};
const PARENT = { height: 6, timestamp: 1_700_000_000n, blockHashes: [filled(1)] };

describe('blockContextProvider', () => {
  it('makes the context of the block behind its parent', () => {
    assert.deepEqual(nextBlockContext(SETTINGS, PARENT, 1_700_000_005_999), {
      chainId: 270n,
      blockNumber: 7n,
      blockHashes: [filled(1)],
      timestamp: 1_700_000_005n,
      eip1559BaseFee: 300n,
      pubdataPrice: 400n,
      nativePrice: 1n,
      coinbase: filled(0xfe, 20),
      gasLimit: 100n,
      pubdataLimit: 200n,
      mixHash: 0n,
      executionVersion: 3,
    });
  });

  it('never falls below the time of the parent, whatever the clock says (log-protocol 6)', () => {
    for (const nowMs of [0, 1_699_999_999_999, 1_700_000_000_000])
      assert.equal(nextBlockContext(SETTINGS, PARENT, nowMs).timestamp, PARENT.timestamp, String(nowMs));
  });
});
