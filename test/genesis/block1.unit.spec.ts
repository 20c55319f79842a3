/** The first block of a development chain from its Genesis entry alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/common/bytes.ts';
import { genesisContent } from '../../src/consumers/genesisBlock.ts';
import { developmentGenesisEntry, loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { CHAIN_INFO_ADDRESS } from '../../src/genesis/developmentUpgrade.ts';
import type { GenesisEntry } from '../../src/log/entry.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { storedCode } from '../../src/protocol/accountRecord.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext } from '../support/factories.ts';
import { BOOT_ID, LOG_ID, NODE_ID } from '../support/logEntries.ts';
import { TestState } from '../support/testState.ts';
import { drive, included } from '../vm/harness.ts';

/** What a node holds after this Genesis. */
function stateOf(entry: GenesisEntry): TestState {
  const { bytes, schema } = encodeEntry(entry);
  const content = genesisContent(entry, { position: 0, key: 'Genesis', schema, bytes });
  const state = new TestState();
  for (const { hash, bytes: preimage } of content.preimages) state.preimages.set(hashKey(hash), preimage);
  for (const { slot, accountRecord } of content.writes)
    if (accountRecord !== undefined) state.putRecord(slot.slice(12), accountRecord);
  return state;
}

const hashKey = (hash: Uint8Array): string => Buffer.from(hash).toString('latin1');

function runBlock1(entry: GenesisEntry, chainId = entry.chainId) {
  const state = stateOf(entry);
  const transaction = decodeTransaction(entry.upgradeTransaction);
  assert.ok(isL1Transaction(transaction));
  const execution = new BlockExecution({ context: aBlockContext({ chainId }), state });
  const output = included(drive(execution, state, { transaction, sender: transaction.initiator }));
  return { output, state, block: execution.finish() };
}

describe('block 1', () => {
  const entry = developmentGenesisEntry({ logId: LOG_ID, nodeId: NODE_ID, bootId: BOOT_ID });

  it('deploys ChainInfo through 0x8006, with its code and what it was told', () => {
    const { output, state, block } = runBlock1(entry);
    assert.equal(output.success, true);
    state.apply(block);
    const [[, code] = []] = loadDevelopmentGenesis().forceDeployments;
    assert.ok(code);
    const { bytecodeHash } = state.record(CHAIN_INFO_ADDRESS);
    assert.deepEqual(state.preimages.get(hashKey(bytecodeHash)), storedCode(code));
    assert.equal(output.l2ToL1Logs.length, 1);
    const stored = block.writes.filter(({ address }) => toHex(address) === toHex(CHAIN_INFO_ADDRESS));
    assert.equal(stored.length, 1, 'the L1 chain id; the Bridgehub of a chain without L1 is zero');
  });

  it('fails without the preimages of the Genesis entry', () => {
    assert.throws(() => runBlock1({ ...entry, forceDeployPreimages: [] }), { code: 'VM_PREIMAGE_UNKNOWN' });
  });

  it('fails on another chain than the one that the upgrade names', () => {
    assert.throws(() => runBlock1(entry, 271n), { code: 'VM_UPGRADE_FAILED' });
  });
});
