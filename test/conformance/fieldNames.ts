/** The fields that vectors spell in more than one file. */
import type { Bytes } from '../../src/common/bytes.ts';
import type { L2ToL1Log, Log } from '../../src/protocol/blockOutput.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import type { Transaction } from '../../src/protocol/transaction.ts';
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { fieldsOf, hex, hexList, integer, listOf, optional } from './vectorData.ts';
import { same } from './suite.ts';

const L1_FIELDS = [
  'type',
  'hash',
  'initiator',
  'to',
  'gasLimit',
  'gasPerPubdataByteLimit',
  'maxFeePerGas',
  'maxPriorityFeePerGas',
  'nonce',
  'value',
  'toMint',
  'refundRecipient',
  'input',
  'factoryDeps',
  'yParity',
  'r',
  's',
] as const;

const L2_COMMON_FIELDS = [
  'type',
  'hash',
  'chainId',
  'nonce',
  'gasLimit',
  'to',
  'value',
  'input',
  'initiator',
  'yParity',
  'r',
  's',
] as const;

/** Compares a decoded transaction with its `decoded` object. */
export function sameTransaction(transaction: Transaction, decoded: unknown): void {
  if (isL1Transaction(transaction)) {
    const fields = fieldsOf(decoded, ...L1_FIELDS);
    same(
      // L1 transactions are unsigned; decoding refuses other values.
      { ...transaction, type: BigInt(transaction.type), yParity: 0n, r: 0n, s: 0n },
      {
        raw: transaction.raw,
        type: integer(fields['type']),
        hash: hex(fields['hash']),
        initiator: hex(fields['initiator']),
        to: hex(fields['to']),
        gasLimit: integer(fields['gasLimit']),
        gasPerPubdataByteLimit: integer(fields['gasPerPubdataByteLimit']),
        maxFeePerGas: integer(fields['maxFeePerGas']),
        maxPriorityFeePerGas: integer(fields['maxPriorityFeePerGas']),
        nonce: integer(fields['nonce']),
        value: integer(fields['value']),
        toMint: integer(fields['toMint']),
        refundRecipient: hex(fields['refundRecipient']),
        input: hex(fields['input']),
        factoryDeps: hexList(fields['factoryDeps']),
        yParity: integer(fields['yParity']),
        r: integer(fields['r']),
        s: integer(fields['s']),
      },
      'decoded fields',
    );
    return;
  }
  const feeFields = transaction.type === 2 ? ['maxFeePerGas', 'maxPriorityFeePerGas'] : ['gasPrice'];
  const fields = fieldsOf(
    decoded,
    ...L2_COMMON_FIELDS,
    ...feeFields,
    ...(transaction.type === 0 ? [] : ['accessList']),
  );
  const fee = integer(fields[transaction.type === 2 ? 'maxFeePerGas' : 'gasPrice']);
  const { raw, signingHash, signingLength } = transaction;
  same(
    {
      ...transaction,
      type: BigInt(transaction.type),
      yParity: BigInt(transaction.yParity),
      initiator: recoverSender(transaction),
    },
    {
      // Not part of the vectors; the recovered signer proves the hash.
      raw,
      signingHash,
      signingLength,
      hash: hex(fields['hash']),
      type: integer(fields['type']),
      chainId: optional(fields['chainId'], integer),
      nonce: integer(fields['nonce']),
      maxPriorityFeePerGas: transaction.type === 2 ? integer(fields['maxPriorityFeePerGas']) : fee,
      maxFeePerGas: fee,
      gasLimit: integer(fields['gasLimit']),
      to: optional(fields['to'], hex),
      value: integer(fields['value']),
      input: hex(fields['input']),
      accessList: transaction.type === 0 ? [] : listOf(fields['accessList']).map(accessListItem),
      yParity: integer(fields['yParity']),
      r: integer(fields['r']),
      s: integer(fields['s']),
      initiator: hex(fields['initiator']),
    },
    'decoded fields',
  );
}

function accessListItem(value: unknown): { address: Bytes; slots: readonly Bytes[] } {
  const item = fieldsOf(value, 'address', 'storageKeys');
  return { address: hex(item['address']), slots: hexList(item['storageKeys']) };
}

export function log(value: unknown): Log {
  const fields = fieldsOf(value, 'address', 'topics', 'data');
  return { address: hex(fields['address']), topics: hexList(fields['topics']), data: hex(fields['data']) };
}

export function l2ToL1Log(value: unknown): L2ToL1Log {
  const fields = fieldsOf(value, 'l2_shard_id', 'is_service', 'tx_number_in_block', 'sender', 'key', 'value');
  return {
    shardId: Number(integer(fields['l2_shard_id'])),
    isService: integer(fields['is_service']) === 1n,
    txNumberInBlock: Number(integer(fields['tx_number_in_block'])),
    sender: hex(fields['sender']),
    key: hex(fields['key']),
    value: hex(fields['value']),
  };
}
