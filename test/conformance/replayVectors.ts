/** replay/*: the binary record with its full decode beside it (spec: replay-record 1-3, 7). */
import { ZERO_32 } from '../../src/common/bytes.ts';
import { BLOCK_HASHES_LENGTH } from '../../src/protocol/blockHeader.ts';
import { decodeReplayRecord, encodeReplayRecord } from '../../src/protocol/replayWireFormat.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import {
  canonicalL1Hash,
  decodeTransaction,
  encodeL1TransactionWithHash,
} from '../../src/protocol/transactionCodec.ts';
import type { VectorFamily } from './family.ts';
import { sameTransaction } from './fieldNames.ts';
import { fail, same } from './suite.ts';
import { anyObject, count, fieldsOf, hex, integer, listOf, text } from './vectorData.ts';

const RECORD_FIELDS = [
  'wire_version',
  'byte_length',
  'block_context',
  'starting_l1_priority_id',
  'transactions',
  'previous_block_timestamp',
  'node_version',
  'block_output_hash',
  'trailing_bytes',
];
const CONTEXT_FIELDS = [
  'chain_id',
  'block_number',
  'block_hashes_nonzero',
  'timestamp',
  'eip1559_basefee',
  'pubdata_price',
  'native_price',
  'coinbase',
  'gas_limit',
  'pubdata_limit',
  'mix_hash',
  'execution_version',
];

export const replayVectors: VectorFamily = {
  owns: (path) => /^replay\/[^/]+\.(bin|expected\.json)$/.test(path),

  run(path, folder, suite) {
    const isBinary = path.endsWith('.bin');
    const expectedPath = isBinary ? path.replace(/\.bin$/, '.expected.json') : path;
    const binaryPath = path.replace(/\.expected\.json$/, '.bin');
    const bytes = folder.bytes(binaryPath);
    const expected = fieldsOf(folder.json(expectedPath), ...RECORD_FIELDS);
    const version = count(expected['wire_version']);
    if (isBinary) {
      suite.case('every byte is used and the newest form keeps the record', () => {
        const record = decodeReplayRecord(bytes, version);
        const encoded = encodeReplayRecord(record);
        same(decodeReplayRecord(encoded, 3), record, 'record after encoding it again');
        if (version !== 1) same(encoded, bytes, 'encoding');
        same(encoded.length - bytes.length, version === 1 ? 1 : 0, 'difference in length to the newest form');
      });
      return;
    }
    const record = decodeReplayRecord(bytes, version);
    suite.case('context', () => {
      const fields = fieldsOf(expected['block_context'], ...CONTEXT_FIELDS);
      const nonzero = anyObject(fields['block_hashes_nonzero']);
      const blockHashes = Array.from({ length: BLOCK_HASHES_LENGTH }, (_, index) =>
        nonzero[index] === undefined ? ZERO_32 : hex(nonzero[index]),
      );
      for (const index of Object.keys(nonzero))
        if (!(Number(index) < BLOCK_HASHES_LENGTH)) fail(`there is no block hash ${index}`);
      same(
        record.context,
        {
          chainId: integer(fields['chain_id']),
          blockNumber: integer(fields['block_number']),
          blockHashes,
          timestamp: integer(fields['timestamp']),
          eip1559BaseFee: integer(fields['eip1559_basefee']),
          pubdataPrice: integer(fields['pubdata_price']),
          nativePrice: integer(fields['native_price']),
          coinbase: hex(fields['coinbase']),
          gasLimit: integer(fields['gas_limit']),
          pubdataLimit: integer(fields['pubdata_limit']),
          mixHash: integer(fields['mix_hash']),
          executionVersion: count(fields['execution_version']),
        },
        'context',
      );
    });
    suite.case('record', () => {
      same(
        {
          byteLength: bytes.length,
          startingL1PriorityId: record.startingL1PriorityId,
          previousBlockTimestamp: record.previousBlockTimestamp,
          nodeVersion: record.nodeVersion,
          blockOutputHash: record.blockOutputHash,
          // Decoding refuses any.
          trailingBytes: 0,
        },
        {
          byteLength: count(expected['byte_length']),
          startingL1PriorityId: integer(expected['starting_l1_priority_id']),
          previousBlockTimestamp: integer(expected['previous_block_timestamp']),
          nodeVersion: text(expected['node_version']),
          blockOutputHash: hex(expected['block_output_hash']),
          trailingBytes: count(expected['trailing_bytes']),
        },
        'record',
      );
    });
    const transactions = listOf(expected['transactions']);
    suite.case('number of transactions', () => {
      same(record.transactions.length, transactions.length, 'number');
    });
    transactions.forEach((value, index) => {
      suite.case(`transaction ${index}`, () => {
        const fields = fieldsOf(value, 'raw', 'decoded');
        const raw = record.transactions[index] ?? fail('the record has fewer');
        same(raw, hex(fields['raw']), 'raw bytes');
        const transaction = decodeTransaction(raw);
        sameTransaction(transaction, fields['decoded']);
        if (!isL1Transaction(transaction)) return;
        same(canonicalL1Hash(transaction), transaction.hash, 'hash of the ABI form');
        same(encodeL1TransactionWithHash(transaction, transaction.hash).raw, raw, 'encoding');
      });
    });
  },
};
