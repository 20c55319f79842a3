/** tx/*: single transactions (spec: replay-record 3, rpc 4.3 and 4.4). */
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { transactionObject } from '../../src/rpc/objects.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type { L1Transaction, L2Transaction } from '../../src/protocol/transaction.ts';
import {
  canonicalL1Hash,
  decodeTransaction,
  encodeL1Transaction,
  l1AbiEncoding,
} from '../../src/protocol/transactionCodec.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { sameTransaction } from './fieldNames.ts';
import { fail, same } from './suite.ts';
import type { Suite } from './suite.ts';
import { fieldsOf, hex, hexList, integer, listOf, optional } from './vectorData.ts';

function l2(raw: Uint8Array): L2Transaction {
  const transaction = decodeTransaction(raw);
  return isL1Transaction(transaction) ? fail('it is an L1 transaction') : transaction;
}

function l1(raw: Uint8Array): L1Transaction {
  const transaction = decodeTransaction(raw);
  return isL1Transaction(transaction) ? transaction : fail('it is an L2 transaction');
}

function sameSigned(fields: Readonly<Record<string, unknown>>): L2Transaction {
  const transaction = l2(hex(fields['raw']));
  same(transaction.hash, hex(fields['hash']), 'hash');
  same(transaction.chainId, optional(fields['chain_id'], integer), 'chain id');
  same(recoverSender(transaction), hex(fields['sender']), 'sender');
  return transaction;
}

function runLegacy(path: string, folder: VectorFolder, suite: Suite): void {
  suite.case('transaction', () => {
    const transaction = sameSigned(fieldsOf(folder.json(path), 'raw', 'hash', 'chain_id', 'sender'));
    same(transaction.type, 0, 'type');
  });
}

function runTyped(path: string, folder: VectorFolder, suite: Suite): void {
  listOf(fieldsOf(folder.json(path), 'note', 'cases')['cases']).forEach((value, index) => {
    suite.case(`transaction ${index}`, () => {
      const fields = fieldsOf(value, 'raw', 'hash', 'chain_id', 'sender', 'decoded');
      sameTransaction(sameSigned(fields), fields['decoded']);
    });
  });
}

function runL1Types(path: string, folder: VectorFolder, suite: Suite): void {
  listOf(fieldsOf(folder.json(path), 'note', 'cases')['cases']).forEach((value, index) => {
    suite.case(`transaction ${index}`, () => {
      const fields = fieldsOf(value, 'raw', 'decoded', 'abi_encoded_canonical_transaction');
      const transaction = l1(hex(fields['raw']));
      sameTransaction(transaction, fields['decoded']);
      same(l1AbiEncoding(transaction), hex(fields['abi_encoded_canonical_transaction']), 'ABI form');
      const encoded = encodeL1Transaction(transaction);
      same(encoded.hash, transaction.hash, 'canonical hash');
      same(encoded.raw, transaction.raw, 'encoding');
    });
  });
}

const RPC_FIELDS = [
  'type',
  'hash',
  'initiator',
  'to',
  'gas',
  'gasPerPubdataByteLimit',
  'maxFeePerGas',
  'maxPriorityFeePerGas',
  'nonce',
  'value',
  'toMint',
  'refundRecipient',
  'input',
  'factoryDeps',
];

function runRpcShape(path: string, folder: VectorFolder, suite: Suite): void {
  const root = fieldsOf(folder.json(path), 'rpc_fields', 'abi_encoded_canonical_transaction', 'hash_matches');
  const fields = fieldsOf(root['rpc_fields'], ...RPC_FIELDS);
  const type = Number(integer(fields['type']));
  const transaction = encodeL1Transaction({
    type: type === 0x7e || type === 0x7f ? type : fail(`type ${type}`),
    initiator: hex(fields['initiator']),
    to: hex(fields['to']),
    gasLimit: integer(fields['gas']),
    gasPerPubdataByteLimit: integer(fields['gasPerPubdataByteLimit']),
    maxFeePerGas: integer(fields['maxFeePerGas']),
    maxPriorityFeePerGas: integer(fields['maxPriorityFeePerGas']),
    nonce: integer(fields['nonce']),
    value: integer(fields['value']),
    toMint: integer(fields['toMint']),
    refundRecipient: hex(fields['refundRecipient']),
    input: hex(fields['input']),
    factoryDeps: hexList(fields['factoryDeps']),
  });
  suite.case('ABI form and hash', () => {
    same(l1AbiEncoding(transaction), hex(root['abi_encoded_canonical_transaction']), 'ABI form');
    same(keccak256(l1AbiEncoding(transaction)), canonicalL1Hash(transaction), 'hash of the ABI form');
    const isSame = Buffer.compare(canonicalL1Hash(transaction), hex(fields['hash'])) === 0;
    same(isSame, root['hash_matches'], 'equality with the hash field');
  });
  suite.case('fields as RPC shows them', () => {
    const zero = new Uint8Array(32);
    const shown = transactionObject({
      raw: transaction.raw,
      sender: transaction.initiator,
      meta: {
        blockHash: zero,
        blockNumber: 1,
        blockTimestamp: 1n,
        transactionIndex: 0,
        effectiveGasPrice: transaction.maxFeePerGas,
        logsBefore: 0,
        gasUsed: 0n,
        contractAddress: undefined,
      },
    });
    for (const name of RPC_FIELDS) same(shown[name], fields[name], name);
    same(shown['from'], fields['initiator'], 'from');
    same(shown['gasPrice'], fields['maxFeePerGas'], 'gasPrice');
  });
}

const RUNS: Readonly<Record<string, (path: string, folder: VectorFolder, suite: Suite) => void>> = {
  'tx/legacy.json': runLegacy,
  'tx/typed.json': runTyped,
  'tx/l1_types.json': runL1Types,
  'tx/l1_priority_rpc_shape.json': runRpcShape,
};

export const transactionVectors: VectorFamily = {
  owns: (path) => path in RUNS,
  run: (path, folder, suite) => RUNS[path]?.(path, folder, suite),
};
