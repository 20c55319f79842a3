/** header/*: stored headers and the hash over a zero bloom (spec: execution 6). */
import { decodeHeader, encodeHeader, headerHash } from '../../src/protocol/blockHeader.ts';
import type { VectorFamily } from './family.ts';
import { same } from './suite.ts';
import { fieldsOf, hex, integer, listOf } from './vectorData.ts';

const HEADER_FIELDS = [
  'parentHash',
  'ommersHash',
  'beneficiary',
  'stateRoot',
  'transactionsRoot',
  'receiptsRoot',
  'logsBloom',
  'difficulty',
  'number',
  'gasLimit',
  'gasUsed',
  'timestamp',
  'extraData',
  'mixHash',
  'nonce',
  'baseFeePerGas',
];

export const headerVectors: VectorFamily = {
  owns: (path) => /^header\/real_headers_\d+_\d+\.json$/.test(path),

  run(path, folder, suite) {
    for (const value of listOf(fieldsOf(folder.json(path), 'headers')['headers'])) {
      const fields = fieldsOf(value, 'stored_header', 'hash_is_over_header_with_zero_bloom', 'hash');
      const stored = fieldsOf(fields['stored_header'], ...HEADER_FIELDS);
      suite.case(`block ${String(stored['number'])}`, () => {
        const header = {
          parentHash: hex(stored['parentHash']),
          ommersHash: hex(stored['ommersHash']),
          beneficiary: hex(stored['beneficiary']),
          stateRoot: hex(stored['stateRoot']),
          transactionsRoot: hex(stored['transactionsRoot']),
          receiptsRoot: hex(stored['receiptsRoot']),
          logsBloom: hex(stored['logsBloom']),
          difficulty: integer(stored['difficulty']),
          number: integer(stored['number']),
          gasLimit: integer(stored['gasLimit']),
          gasUsed: integer(stored['gasUsed']),
          timestamp: integer(stored['timestamp']),
          extraData: hex(stored['extraData']),
          mixHash: hex(stored['mixHash']),
          nonce: hex(stored['nonce']),
          baseFeePerGas: integer(stored['baseFeePerGas']),
        };
        same(fields['hash_is_over_header_with_zero_bloom'], true, 'rule of the bloom');
        same(headerHash(header), hex(fields['hash']), 'hash');
        same(decodeHeader(encodeHeader(header, { bloom: true })), header, 'header decoded again');
      });
    }
  },
};
