/** account/*, storage-order/*, block-output-hash/*: account records, code, order and digest of writes (spec: state 2 and 3, replay-record 6). */
import { compareBytes } from '../../src/common/bytes.ts';
import {
  accountRecordHash,
  decodeAccountRecord,
  deployedAccountFields,
  encodeAccountRecord,
  observableCode,
  storedCode,
  storedJumpMap,
} from '../../src/protocol/accountRecord.ts';
import { blockOutputHash } from '../../src/protocol/blockOutputHash.ts';
import { compareStorageOrder, flatKey } from '../../src/protocol/stateKey.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { realChainTree } from './merkleVectors.ts';
import { same } from './suite.ts';
import type { Suite } from './suite.ts';
import { anyObject, count, fieldsOf, hex, integer, listOf } from './vectorData.ts';

function runAccountRecords(path: string, folder: VectorFolder, suite: Suite): void {
  listOf(fieldsOf(folder.json(path), 'cases')['cases']).forEach((value, index) => {
    suite.case(`record ${index}`, () => {
      const fields = fieldsOf(
        value,
        'encoded',
        'hash',
        'versioning_data',
        'nonce',
        'balance',
        'bytecode_hash',
        'unpadded_code_len',
        'artifacts_len',
        'observable_bytecode_hash',
        'observable_bytecode_len',
      );
      const encoded = hex(fields['encoded']);
      const record = {
        versioning: hex(fields['versioning_data']),
        nonce: integer(fields['nonce']),
        balance: integer(fields['balance']),
        bytecodeHash: hex(fields['bytecode_hash']),
        unpaddedCodeLength: count(fields['unpadded_code_len']),
        artifactsLength: count(fields['artifacts_len']),
        observableBytecodeHash: hex(fields['observable_bytecode_hash']),
        observableBytecodeLength: count(fields['observable_bytecode_len']),
      };
      same(decodeAccountRecord(encoded), record, 'decoded record');
      same(encodeAccountRecord(record), encoded, 'encoded record');
      same(accountRecordHash(encoded), hex(fields['hash']), 'hash');
    });
  });
}

function runArtifacts(path: string, folder: VectorFolder, suite: Suite): void {
  listOf(fieldsOf(folder.json(path), 'cases')['cases']).forEach((value, index) => {
    suite.case(`code ${index}`, () => {
      const fields = fieldsOf(
        value,
        'observable_code',
        'stored_preimage',
        'unpadded_code_len',
        'artifacts_len',
        'bytecode_hash',
        'observable_bytecode_hash',
      );
      const code = hex(fields['observable_code']);
      const stored = hex(fields['stored_preimage']);
      same(storedCode(code), stored, 'stored code');
      const record = deployedAccountFields(code);
      same(
        {
          unpaddedCodeLength: record.unpaddedCodeLength,
          artifactsLength: record.artifactsLength,
          bytecodeHash: record.bytecodeHash,
          observableBytecodeHash: record.observableBytecodeHash,
          observableBytecodeLength: record.observableBytecodeLength,
        },
        {
          unpaddedCodeLength: count(fields['unpadded_code_len']),
          artifactsLength: count(fields['artifacts_len']),
          bytecodeHash: hex(fields['bytecode_hash']),
          observableBytecodeHash: hex(fields['observable_bytecode_hash']),
          observableBytecodeLength: code.length,
        },
        'account fields',
      );
      same(observableCode(stored, record), code, 'code read back');
      same(storedJumpMap(stored, record), stored.slice(stored.length - record.artifactsLength), 'jump map read back');
    });
  });
}

function runStorageOrder(path: string, folder: VectorFolder, suite: Suite): void {
  const tree = realChainTree(folder);
  for (const [block, entries] of Object.entries(anyObject(fieldsOf(folder.json(path), 'note', 'blocks')['blocks']))) {
    suite.case(`block ${block}`, () => {
      const slots = listOf(entries).map((value) => {
        const fields = fieldsOf(value, 'address', 'slot', 'flat_key', 'leaf_index');
        return {
          address: hex(fields['address']),
          slot: hex(fields['slot']),
          flatKey: hex(fields['flat_key']),
          leafIndex: count(fields['leaf_index']),
        };
      });
      for (const { address, slot, flatKey: key, leafIndex } of slots) {
        same(flatKey(address, slot), key, `flat key of leaf ${leafIndex}`);
        if (tree) same(tree.indexOf(key), leafIndex, 'leaf index in the tree of the chain');
      }
      const shuffled = [...slots].sort((a, b) => compareBytes(a.flatKey, b.flatKey));
      same(shuffled.sort(compareStorageOrder), slots, 'storage order');
      same(
        slots.map(({ leafIndex }) => leafIndex),
        slots.map(({ leafIndex }) => leafIndex).sort((a, b) => a - b),
        'order of the leaf indices',
      );
    });
  }
}

function runOutputHash(path: string, folder: VectorFolder, suite: Suite): void {
  for (const value of listOf(fieldsOf(folder.json(path), 'cases')['cases'])) {
    const fields = fieldsOf(value, 'block', 'block_hash', 'tx_results', 'storage_writes', 'block_output_hash');
    suite.case(`block ${String(fields['block'])}`, () => {
      const results = listOf(fields['tx_results']).map((item) => {
        const result = fieldsOf(item, 'success', 'gas_used');
        return { success: result['success'] === true, gasUsed: integer(result['gas_used']) };
      });
      const writes = listOf(fields['storage_writes']).map((pair) => {
        const [key, word] = listOf(pair);
        return { flatKey: hex(key), value: hex(word) };
      });
      same(
        blockOutputHash(hex(fields['block_hash']), results, writes),
        hex(fields['block_output_hash']),
        'block output hash',
      );
    });
  }
}

const RUNS: Readonly<Record<string, (path: string, folder: VectorFolder, suite: Suite) => void>> = {
  'account/account_properties.json': runAccountRecords,
  'account/bytecode_artifacts.json': runArtifacts,
  'storage-order/real_blocks.json': runStorageOrder,
  'block-output-hash/real_blocks.json': runOutputHash,
};

export const stateVectors: VectorFamily = {
  owns: (path) => path in RUNS,
  run: (path, folder, suite) => RUNS[path]?.(path, folder, suite),
};
