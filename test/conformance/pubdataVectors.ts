/** pubdata/*: value diffs, and the pubdata of a real block (spec: state 7, batches 6.5). */
import { bytesToBigInt } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { EMPTY_ACCOUNT_RECORD } from '../../src/protocol/accountRecord.ts';
import { l2LogRoot } from '../../src/protocol/logTree.ts';
import { priorityOperationsHash } from '../../src/protocol/priorityTree.ts';
import {
  daCommitment,
  decodePubdata,
  encodePubdata,
  operatorDaInput,
  valueDiff,
  valueDiffLength,
} from '../../src/protocol/pubdata.ts';
import type { DecodedValueDiff, PubdataDiff } from '../../src/protocol/pubdata.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { fail, same } from './suite.ts';
import type { Suite } from './suite.ts';
import { count, fieldsOf, hex, listOf, text } from './vectorData.ts';

function runValueDiffs(path: string, folder: VectorFolder, suite: Suite): void {
  listOf(fieldsOf(folder.json(path), 'note', 'cases')['cases']).forEach((value, index) => {
    suite.case(`value diff ${index}`, () => {
      const fields = fieldsOf(value, 'initial', 'final', 'encoded');
      const initial = bytesToBigInt(hex(fields['initial']));
      const final = bytesToBigInt(hex(fields['final']));
      const encoded = hex(fields['encoded']);
      same(valueDiff(initial, final), encoded, 'value diff');
      same(valueDiffLength(initial, final), encoded.length, 'length');
    });
  });
}

function signed(diff: DecodedValueDiff | undefined): string | undefined {
  if (diff === undefined) return undefined;
  if (diff.kind === 'set') fail('the value is set, not changed by a difference');
  return `${diff.kind === 'add' ? '+' : '-'}${diff.amount}`;
}

/** Large enough that a difference is always shorter than the plain value. */
const BALANCE_BEFORE = 10n ** 24n;
const NONCE_BEFORE = 2n ** 40n;

function runRealBlock(path: string, folder: VectorFolder, suite: Suite): void {
  const root = fieldsOf(
    folder.json(path),
    'pubdata',
    'decoded',
    'pubdata_keccak',
    'operator_da_input',
    'da_commitment',
    'l2_to_l1_logs_root_hash_when_no_logs',
    'priority_operations_hash_when_none',
  );
  const pubdata = hex(root['pubdata']);
  suite.case('decode', () => {
    const expected = fieldsOf(
      root['decoded'],
      'block_hash',
      'diff_count',
      'diffs',
      'l2_to_l1_log_count',
      'message_count',
    );
    const decoded = decodePubdata(pubdata);
    same(
      {
        blockHash: decoded.blockHash,
        diffs: decoded.diffs.length,
        logs: decoded.l2ToL1Logs.length,
        messages: decoded.messages.length,
      },
      {
        blockHash: hex(expected['block_hash']),
        diffs: count(expected['diff_count']),
        logs: count(expected['l2_to_l1_log_count']),
        messages: count(expected['message_count']),
      },
      'counts',
    );
    const diffs = listOf(expected['diffs']).map((value): PubdataDiff => {
      const fields = fieldsOf(value, 'flat_key', 'note', 'account_diff', 'encoded');
      const change = fieldsOf(fields['account_diff'], 'nonce_delta', 'balance_delta');
      const flatKey = hex(fields['flat_key']);
      const actual =
        decoded.diffs.find((diff) => Buffer.compare(diff.flatKey, flatKey) === 0) ?? fail('a diff is missing');
      if (actual.kind !== 'account') fail('a diff is not of an account');
      same(
        { encoded: actual.encoded, nonce: signed(actual.nonce), balance: signed(actual.balance), code: actual.code },
        {
          encoded: hex(fields['encoded']),
          nonce: change['nonce_delta'] === undefined ? undefined : text(change['nonce_delta']),
          balance: change['balance_delta'] === undefined ? undefined : text(change['balance_delta']),
          code: undefined,
        },
        'diff',
      );
      const nonceDelta = BigInt(text(change['nonce_delta'] ?? '0'));
      const balanceDelta = BigInt(text(change['balance_delta'] ?? '0'));
      const initial = { ...EMPTY_ACCOUNT_RECORD, nonce: NONCE_BEFORE, balance: BALANCE_BEFORE };
      return {
        kind: 'account',
        flatKey,
        initial,
        final: { ...initial, nonce: initial.nonce + nonceDelta, balance: initial.balance + balanceDelta },
        storedCode: undefined,
      };
    });
    same(
      encodePubdata({ blockHash: hex(expected['block_hash']), diffs, l2ToL1Logs: [], messages: [] }),
      pubdata,
      'encoding',
    );
  });
  suite.case('commitment data', () => {
    same(keccak256(pubdata), hex(root['pubdata_keccak']), 'hash of the pubdata');
    same(operatorDaInput(pubdata, 'rollup'), hex(root['operator_da_input']), 'operator input');
    same(daCommitment(pubdata), hex(root['da_commitment']), 'commitment');
  });
  suite.case('constants without logs and priority operations', () => {
    same(l2LogRoot([]), hex(root['l2_to_l1_logs_root_hash_when_no_logs']), 'log root');
    same(priorityOperationsHash([]), hex(root['priority_operations_hash_when_none']), 'priority operations hash');
  });
}

const RUNS: Readonly<Record<string, (path: string, folder: VectorFolder, suite: Suite) => void>> = {
  'pubdata/value_diff.json': runValueDiffs,
  'pubdata/real_block_pubdata.json': runRealBlock,
};

export const pubdataVectors: VectorFamily = {
  owns: (path) => path in RUNS,
  run: (path, folder, suite) => RUNS[path]?.(path, folder, suite),
};
