/** genesis/*: input files and everything that follows from them (spec: genesis). */
import { bytesKey, equalBytes, padAddress } from '../../src/common/bytes.ts';
import { decodeAccountRecord, paddedCodeLength } from '../../src/protocol/accountRecord.ts';
import { encodeHeader, headerHash } from '../../src/protocol/blockHeader.ts';
import {
  BLOCK_1_BLOCK_HASHES,
  blockHashesDigest,
  checkGenesisRoot,
  GENESIS_HEADER,
  genesisCommitment,
  genesisState,
  parseGenesisInput,
} from '../../src/protocol/genesis.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { fail, same } from './suite.ts';
import type { Suite } from './suite.ts';
import { count, fieldsOf, hex, listOf } from './vectorData.ts';

const EXPECTED_FIELDS = [
  'contracts',
  'tree_entries_in_insertion_order',
  'tree_root',
  'leaf_count',
  'block0_header_rlp',
  'block0_hash',
  'last_256_block_hashes_blake',
  'state_commitment',
];
const CONTRACT_FIELDS = [
  'address',
  'code_len',
  'padding_len',
  'artifacts_len',
  'observable_bytecode_hash',
  'bytecode_hash',
  'account_properties',
  'account_properties_hash',
  'flat_storage_key',
];

function runInput(path: string, folder: VectorFolder, suite: Suite): void {
  suite.case('commitment equals genesis_root', () => {
    checkGenesisRoot(parseGenesisInput(folder.json(path)));
  });
}

function runExpected(path: string, folder: VectorFolder, suite: Suite): void {
  const expected = fieldsOf(folder.json(path), ...EXPECTED_FIELDS);
  const input = parseGenesisInput(folder.json(path.replace('.expected.json', '.json')));
  const state = genesisState(input);
  const preimages = new Map(state.preimages.map(({ hash, bytes }) => [bytesKey(hash), bytes]));
  const contracts = listOf(expected['contracts']);
  suite.case('number of contracts', () => {
    same(input.initialContracts.length, contracts.length, 'number');
  });
  contracts.forEach((value, index) => {
    suite.case(`contract ${index}`, () => {
      const fields = fieldsOf(value, ...CONTRACT_FIELDS);
      const address = hex(fields['address']);
      const code =
        input.initialContracts.find(([candidate]) => equalBytes(candidate, address))?.[1] ??
        fail('the input has no such contract');
      const write =
        state.writes.find((candidate) => equalBytes(candidate.flatKey, hex(fields['flat_storage_key']))) ??
        fail('no entry has its key');
      const encoded = write.accountRecord ?? fail('its entry has no account record');
      const record = decodeAccountRecord(encoded);
      same(
        { address: write.address, slot: write.slot },
        { address: ACCOUNT_PROPERTIES_ADDRESS, slot: padAddress(address) },
        'address and slot',
      );
      same(
        {
          codeLength: code.length,
          unpaddedCodeLength: record.unpaddedCodeLength,
          paddingLength: paddedCodeLength(code.length) - code.length,
          artifactsLength: record.artifactsLength,
          observableBytecodeHash: record.observableBytecodeHash,
          bytecodeHash: record.bytecodeHash,
          encoded,
          hash: write.value,
          preimage: preimages.get(bytesKey(write.value)),
          storedLength: preimages.get(bytesKey(record.bytecodeHash))?.length,
        },
        {
          codeLength: count(fields['code_len']),
          unpaddedCodeLength: count(fields['code_len']),
          paddingLength: count(fields['padding_len']),
          artifactsLength: count(fields['artifacts_len']),
          observableBytecodeHash: hex(fields['observable_bytecode_hash']),
          bytecodeHash: hex(fields['bytecode_hash']),
          encoded: hex(fields['account_properties']),
          hash: hex(fields['account_properties_hash']),
          preimage: hex(fields['account_properties']),
          storedLength: count(fields['code_len']) + count(fields['padding_len']) + count(fields['artifacts_len']),
        },
        'contract',
      );
    });
  });
  suite.case('entries in insertion order', () => {
    const entries = listOf(expected['tree_entries_in_insertion_order']).map((pair) => listOf(pair).map(hex));
    same(
      state.writes.map(({ flatKey, value }) => [flatKey, value]),
      entries,
      'entries',
    );
  });
  suite.case('tree', () => {
    const { treeRoot, leafCount } = genesisCommitment(input);
    same(
      { treeRoot, leafCount },
      { treeRoot: hex(expected['tree_root']), leafCount: count(expected['leaf_count']) },
      'tree',
    );
  });
  suite.case('block 0', () => {
    same(encodeHeader(GENESIS_HEADER, { bloom: true }), hex(expected['block0_header_rlp']), 'header');
    same(headerHash(GENESIS_HEADER), hex(expected['block0_hash']), 'hash');
  });
  suite.case('state commitment', () => {
    same(
      blockHashesDigest(BLOCK_1_BLOCK_HASHES),
      hex(expected['last_256_block_hashes_blake']),
      'digest of the block hashes',
    );
    same(checkGenesisRoot(input).stateCommitment, hex(expected['state_commitment']), 'state commitment');
  });
}

export const genesisVectors: VectorFamily = {
  owns: (path) => /^genesis\/[^/]+\.json$/.test(path),
  run: (path, folder, suite) => (path.endsWith('.expected.json') ? runExpected : runInput)(path, folder, suite),
};
