/** receipt/*: stored receipts and transaction metadata (spec: execution 11). */
import { LogsBloom, mayContain } from '../../src/protocol/bloom.ts';
import {
  decodeReceipt,
  decodeTransactionMeta,
  encodeReceipt,
  encodeTransactionMeta,
} from '../../src/protocol/receipts.ts';
import { decodeRlp } from '../../src/protocol/rlp.ts';
import { L1_PRIORITY_TYPE } from '../../src/protocol/transaction.ts';
import type { VectorFamily } from './family.ts';
import { l2ToL1Log, log } from './fieldNames.ts';
import { fail, same } from './suite.ts';
import { count, fieldsOf, hex, integer, listOf, optional } from './vectorData.ts';

export const receiptVectors: VectorFamily = {
  owns: (path) => path === 'receipt/receipts.json',

  run(path, folder, suite) {
    for (const value of listOf(fieldsOf(folder.json(path), 'cases')['cases'])) {
      const fields = fieldsOf(value, 'tx_hash', 'receipt_2718', 'decoded', 'tx_meta_rlp', 'tx_meta');
      suite.case(`receipt of ${String(fields['tx_hash'])}`, () => {
        const raw = hex(fields['receipt_2718']);
        const decoded = fieldsOf(
          fields['decoded'],
          'type',
          'status',
          'cumulative_gas_used',
          'field_count',
          'logs',
          'l2_to_l1_logs',
        );
        const receipt = decodeReceipt(raw);
        const { logsBloom, ...rest } = receipt;
        same(
          rest,
          {
            type: count(decoded['type']),
            success: integer(decoded['status']) === 1n,
            cumulativeGasUsed: integer(decoded['cumulative_gas_used']),
            logs: listOf(decoded['logs']).map(log),
            l2ToL1Logs: listOf(decoded['l2_to_l1_logs']).map(l2ToL1Log),
          },
          'decoded receipt',
        );
        same(
          decodeRlp(raw.subarray(receipt.type === 0 ? 0 : 1)).length,
          count(decoded['field_count']),
          'number of fields',
        );
        const collected = new LogsBloom();
        for (const item of receipt.logs) collected.add(item);
        const bloom = collected.bytes;
        same(logsBloom, bloom, 'bloom');
        for (const item of receipt.logs)
          if (!mayContain(bloom, item.address)) fail('the bloom does not contain the address of a log');
        same(encodeReceipt(receipt), raw, 'encoded receipt');
        if (receipt.type === L1_PRIORITY_TYPE) {
          same(receipt.l2ToL1Logs.at(-1)?.key, hex(fields['tx_hash']), 'key of the result log');
        }
      });
      suite.case(`metadata of ${String(fields['tx_hash'])}`, () => {
        const raw = hex(fields['tx_meta_rlp']);
        const meta = fieldsOf(
          fields['tx_meta'],
          'block_hash',
          'block_number',
          'block_timestamp',
          'tx_index_in_block',
          'effective_gas_price',
          'number_of_logs_before_this_tx',
          'gas_used',
          'contract_address',
        );
        const decoded = decodeTransactionMeta(raw);
        same(
          decoded,
          {
            blockHash: hex(meta['block_hash']),
            blockNumber: count(meta['block_number']),
            blockTimestamp: integer(meta['block_timestamp']),
            transactionIndex: count(meta['tx_index_in_block']),
            effectiveGasPrice: integer(meta['effective_gas_price']),
            logsBefore: count(meta['number_of_logs_before_this_tx']),
            gasUsed: integer(meta['gas_used']),
            contractAddress: optional(meta['contract_address'], hex),
          },
          'decoded metadata',
        );
        same(encodeTransactionMeta(decoded), raw, 'encoded metadata');
      });
    }
  },
};
