/** settlement-*: those whose rules are part of the protocol folder (spec: batches, contracts, priority-tree). */
import {
  decodeEventLog,
  encodeFunctionData,
  toEventSelector,
  toEventSignature,
  toFunctionSelector,
  toFunctionSignature,
} from 'viem';
import { bytesToBigInt, isZero, padAddress, toHex, ZERO_32 } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { type CanonicalTransaction, priorityRequestToTransaction } from '../../src/l1/canonicalTransaction.ts';
import {
  type DepositFees,
  depositGasPrice,
  depositRefusal,
  minimalDepositGasLimit,
} from '../../src/l1/depositPrice.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { BRIDGEHUB_ABI, CHAIN_TYPE_MANAGER_ABI, DIAMOND_ABI } from '../../src/l1/l1Abi.ts';
import { aliasToL1Address, l1AddressToAlias } from '../../src/protocol/addressAlias.ts';
import {
  type CommitInfo,
  EMPTY_BATCH,
  type SealReason,
  batchOutputPreimage,
  batchPublicInput,
  sealReason,
  storedBatchInfo,
  withBlock,
} from '../../src/protocol/batch.ts';
import {
  SETTLEMENT_ABI,
  commitData,
  fakeProof,
  proveData,
  snarkPublicInput,
} from '../../src/protocol/batchCalldata.ts';
import { BLOCK_HASHES_LENGTH } from '../../src/protocol/blockHeader.ts';
import { blockHashesDigest, stateCommitment } from '../../src/protocol/genesis.ts';
import {
  EMPTY_LOG_LEAF,
  emptyMiniTreeHashes,
  l2LogRoot,
  localLogRoot,
  logLeaves,
  miniTreeRoot,
} from '../../src/protocol/logTree.ts';
import { priorityOperationsHash, rootOfRangeProof, TrimmedTree } from '../../src/protocol/priorityTree.ts';
import { daCommitment, daHeader, operatorDaInput } from '../../src/protocol/pubdata.ts';
import { encodeL2ToL1Log } from '../../src/protocol/receipts.ts';
import {
  type StoredBatchInfo,
  encodeStoredBatchInfo,
  genesisStoredBatch,
  storedBatchHash,
} from '../../src/protocol/storedBatch.ts';
import { BASE_TOKEN_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { canonicalL1Hash } from '../../src/protocol/transactionCodec.ts';
import { assetId, messageLog, withdrawalMessage } from '../../src/protocol/withdrawal.ts';
import type { VectorFamily } from './family.ts';
import { filledLeaf, provenPath } from './logTreeVectors.ts';
import { fail, same } from './suite.ts';
import { anyObject, count, fieldsOf, hex, hexList, integer, listOf, optional, text } from './vectorData.ts';
import type { VectorObject } from './vectorData.ts';

/** The address in an unsigned integer of 160 bits. */
function addressOf(value: unknown): Bytes {
  const digits = integer(value).toString(16).padStart(40, '0');
  if (digits.length > 40) fail('an address exceeds 160 bits');
  return hex(`0x${digits}`);
}

function wordOf(value: unknown): Bytes {
  return hex(`0x${integer(value).toString(16).padStart(64, '0')}`);
}

function addressAlias(input: unknown, expected: unknown): void {
  const { l1, l2 } = fieldsOf(input, 'l1', 'l2');
  if (l1 === undefined) same(aliasToL1Address(hex(l2)), hex(fieldsOf(expected, 'l1')['l1']), 'address');
  else same(l1AddressToAlias(hex(l1)), hex(fieldsOf(expected, 'l2')['l2']), 'alias');
}

function canonicalTransaction(input: unknown, expected: unknown): void {
  const fields = fieldsOf(
    input,
    'txType',
    'from',
    'to',
    'gasLimit',
    'gasPerPubdataByteLimit',
    'maxFeePerGas',
    'maxPriorityFeePerGas',
    'paymaster',
    'nonce',
    'value',
    'reserved',
    'data',
    'signature',
    'factoryDeps',
    'paymasterInput',
    'reservedDynamic',
  );
  const type = count(fields['txType']);
  const reserved = listOf(fields['reserved']);
  const unused = [integer(fields['paymaster']), integer(reserved[2]), integer(reserved[3])];
  const tails = [fields['signature'], fields['paymasterInput'], fields['reservedDynamic']];
  if (unused.some((value) => value !== 0n) || tails.some((value) => hex(value).length > 0) || reserved.length !== 4)
    fail('a field that must be empty is not');
  const hash = canonicalL1Hash({
    type: type === 0x7e || type === 0x7f ? type : fail(`type ${type}`),
    initiator: addressOf(fields['from']),
    to: addressOf(fields['to']),
    gasLimit: integer(fields['gasLimit']),
    gasPerPubdataByteLimit: integer(fields['gasPerPubdataByteLimit']),
    maxFeePerGas: integer(fields['maxFeePerGas']),
    maxPriorityFeePerGas: integer(fields['maxPriorityFeePerGas']),
    nonce: integer(fields['nonce']),
    value: integer(fields['value']),
    toMint: integer(reserved[0]),
    refundRecipient: addressOf(reserved[1]),
    input: hex(fields['data']),
    factoryDeps: listOf(fields['factoryDeps']).map(wordOf),
  });
  same(hash, hex(fieldsOf(expected, 'canonical_hash')['canonical_hash']), 'canonical hash');
}

function genesisBatch(input: unknown, expected: unknown): void {
  const fields = fieldsOf(
    input,
    'batch_number',
    'state_commitment',
    'number_of_layer1_txs',
    'priority_operations_hash',
    'dependency_roots_rolling_hash',
    'l2_to_l1_logs_root_hash',
    'commitment',
    'last_block_timestamp',
  );
  const batch = genesisStoredBatch(hex(fields['state_commitment']));
  same(
    batch,
    {
      batchNumber: integer(fields['batch_number']),
      stateCommitment: hex(fields['state_commitment']),
      numberOfLayer1Txs: integer(fields['number_of_layer1_txs']),
      priorityOperationsHash: hex(fields['priority_operations_hash']),
      dependencyRootsRollingHash: hex(fields['dependency_roots_rolling_hash']),
      l2ToL1LogsRootHash: hex(fields['l2_to_l1_logs_root_hash']),
      commitment: hex(fields['commitment']),
      lastBlockTimestamp: integer(fields['last_block_timestamp']),
    },
    'batch 0',
  );
  const { abi_encoded: encoded, hash } = fieldsOf(expected, 'abi_encoded', 'hash');
  same(encodeStoredBatchInfo(batch), hex(encoded), 'ABI form');
  same(storedBatchHash(batch), hex(hash), 'hash');
}

function stateCommitmentCase(input: unknown, expected: unknown): void {
  const fields = fieldsOf(
    input,
    'tree_root',
    'leaf_count',
    'block_number',
    'previous_255_block_hashes_oldest_first',
    'last_block_hash',
    'last_block_timestamp',
  );
  const previous = fields['previous_255_block_hashes_oldest_first'];
  const older =
    previous === 'all zero' ? Array.from({ length: BLOCK_HASHES_LENGTH - 1 }, () => ZERO_32) : hexList(previous);
  const blockHashes = [...older, hex(fields['last_block_hash'])];
  const result = fieldsOf(expected, 'last_256_block_hashes_blake', 'state_commitment');
  same(blockHashesDigest(blockHashes), hex(result['last_256_block_hashes_blake']), 'digest of the block hashes');
  same(
    stateCommitment({
      treeRoot: hex(fields['tree_root']),
      leafCount: integer(fields['leaf_count']),
      blockNumber: integer(fields['block_number']),
      blockHashes,
      timestamp: integer(fields['last_block_timestamp']),
    }),
    hex(result['state_commitment']),
    'state commitment',
  );
}

const LEAF_RULE = 'leaf i is 88 repetitions of one byte';
const GROWTH_RULE =
  'start empty; in round i (1..5) push three leaves, each 88 bytes of value i; record root; trim the 2 leftmost remaining leaves; root must not change';
const REGROWTH_RULE = 'four leaves of 88 bytes of value 1; trim 4; push one more such leaf';

function miniMerkle(input: unknown, expected: unknown): void {
  const fields = fieldsOf(
    input,
    'leaf_rule',
    'leaf_bytes_from',
    'leaf_bytes_to',
    'min_tree_size',
    'proof_index',
    'rule',
    'empty_leaf',
  );
  const rule = fields['rule'] ?? fields['leaf_rule'];
  switch (rule) {
    case undefined: {
      const hashes = hexList(fieldsOf(expected, 'hashes')['hashes']);
      if (hashes.length === 0) fail('there are no hashes');
      same(emptyMiniTreeHashes(EMPTY_LOG_LEAF, hashes.length - 1), hashes, 'hashes');
      return;
    }
    case LEAF_RULE: {
      const leaves: Bytes[] = [];
      for (let byte = count(fields['leaf_bytes_from']); byte <= count(fields['leaf_bytes_to']); byte++)
        leaves.push(filledLeaf(byte));
      const minimumSize = optional(fields['min_tree_size'], count) ?? 1;
      const { root, path } = fieldsOf(expected, 'root', 'path');
      same(miniTreeRoot(leaves, { emptyLeaf: EMPTY_LOG_LEAF, minimumSize }), hex(root), 'root');
      same(provenPath(leaves, count(fields['proof_index']), minimumSize), hexList(path), 'path');
      return;
    }
    case GROWTH_RULE: {
      const tree = new TrimmedTree(EMPTY_LOG_LEAF);
      const roots = hexList(fieldsOf(expected, 'roots')['roots']);
      same(roots.length, 5, 'number of rounds');
      roots.forEach((root, index) => {
        for (let i = 0; i < 3; i++) tree.push(filledLeaf(index + 1));
        same(tree.root, root, `root of round ${index + 1}`);
        tree.trim(2);
        same(tree.root, root, `root of round ${index + 1} after trimming`);
      });
      return;
    }
    case REGROWTH_RULE: {
      const tree = new TrimmedTree(EMPTY_LOG_LEAF);
      for (let i = 0; i < 4; i++) tree.push(filledLeaf(1));
      tree.trim(4);
      tree.push(filledLeaf(1));
      same(tree.root, hex(fieldsOf(expected, 'root')['root']), 'root');
      return;
    }
    default:
      fail(`the rule is not known: ${String(rule)}`);
  }
}

function sameRangeProof(tree: TrimmedTree, range: { start: number; count: number }, expected: unknown): void {
  const fields = fieldsOf(expected, 'leftPath', 'rightPath', 'itemHashes', 'root');
  const proof = tree.rangeProof(range.start, range.count);
  same(
    proof,
    {
      leftPath: hexList(fields['leftPath']),
      rightPath: hexList(fields['rightPath']),
      itemHashes: hexList(fields['itemHashes']),
    },
    'proof',
  );
  same(rootOfRangeProof(range.start, proof), hex(fields['root']), 'root of the proof');
  same(tree.root, hex(fields['root']), 'root of the tree');
}

function realPriorityOperations(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'upgrade_tx_hash', 'priority_op_hashes', 'start_index', 'count', 'tree_size_leaves');
  const result = fieldsOf(
    expected,
    'number_of_layer1_txs',
    'priority_operations_hash',
    'tree_root_after_each_push',
    'execute_proof',
  );
  const hashes = hexList(fields['priority_op_hashes']);
  const start = fields['start_index'] === undefined ? 0 : count(fields['start_index']);
  const length = fields['count'] === undefined ? hashes.length : count(fields['count']);
  const treeLeaves = fields['tree_size_leaves'] === undefined ? hashes.length : count(fields['tree_size_leaves']);
  const roots = optional(result['tree_root_after_each_push'] ?? null, hexList);
  const tree = new TrimmedTree();
  hashes.slice(0, treeLeaves).forEach((hash, index) => {
    tree.push(hash);
    if (roots) same(tree.root, roots[index], `root after push ${index}`);
  });
  if (roots) same(roots.length, treeLeaves, 'number of roots');
  same(
    priorityOperationsHash(hashes.slice(start, start + length)),
    hex(result['priority_operations_hash']),
    'rolling hash',
  );
  if (result['number_of_layer1_txs'] !== undefined)
    same(length, count(result['number_of_layer1_txs']), 'number of priority operations');
  sameRangeProof(tree, { start, count: length }, result['execute_proof']);
}

function withdrawal(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'l1_chain_id', 'token', 'l1_receiver', 'amount', 'tx_number_in_block');
  if (fields['token'] !== undefined) {
    same(
      assetId(integer(fields['l1_chain_id']), hex(fields['token'])),
      hex(fieldsOf(expected, 'asset_id')['asset_id']),
      'asset id',
    );
    return;
  }
  const result = fieldsOf(expected, 'message', 'log_value', 'log_88_bytes', 'log_leaf');
  const message = withdrawalMessage(hex(fields['l1_receiver']), integer(fields['amount']));
  const log = messageLog(BASE_TOKEN_ADDRESS, message, count(fields['tx_number_in_block']));
  const encoded = encodeL2ToL1Log(log);
  same(message, hex(result['message']), 'message');
  same(log.value, hex(result['log_value']), 'value of the log');
  same(log.key, padAddress(BASE_TOKEN_ADDRESS), 'key of the log');
  same(encoded, hex(result['log_88_bytes']), 'log');
  same(logLeaves([encoded])[0], hex(result['log_leaf']), 'leaf');
}

function depositFees(value: unknown): DepositFees {
  const fields = fieldsOf(
    value,
    'pubdata_pricing_mode',
    'batch_overhead_l1_gas',
    'max_pubdata_per_batch',
    'max_l2_gas_per_batch',
    'priority_tx_max_pubdata',
    'minimal_l2_gas_price',
    'priority_tx_max_gas_limit',
    'multiplier_nominator',
    'multiplier_denominator',
  );
  return {
    pubdataMode: count(fields['pubdata_pricing_mode']) === 0 ? 'rollup' : 'validium',
    batchOverheadL1Gas: integer(fields['batch_overhead_l1_gas']),
    maxPubdataPerBatch: integer(fields['max_pubdata_per_batch']),
    maxL2GasPerBatch: integer(fields['max_l2_gas_per_batch']),
    priorityTxMaxPubdata: integer(fields['priority_tx_max_pubdata']),
    minimalL2GasPrice: integer(fields['minimal_l2_gas_price']),
    priorityTxMaxGasLimit: integer(fields['priority_tx_max_gas_limit']),
    multiplierNominator: integer(fields['multiplier_nominator']),
    multiplierDenominator: integer(fields['multiplier_denominator']),
  };
}

function depositPrice(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'fee_params', 'l1_gas_price', 'gas_per_pubdata', 'l2_gas_limit');
  const result = fieldsOf(expected, 'l2_gas_price', 'base_cost');
  const price = depositGasPrice(
    depositFees(fields['fee_params']),
    integer(fields['l1_gas_price']),
    integer(fields['gas_per_pubdata']),
  );
  same(price, integer(result['l2_gas_price']), 'price of L2 gas');
  same(price * integer(fields['l2_gas_limit']), integer(result['base_cost']), 'base cost');
}

function minimalGas(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'encoding_length', 'calldata_length', 'gas_per_pubdata', 'max_fee_per_gas');
  const minimum = minimalDepositGasLimit({
    encodingLength: count(fields['encoding_length']),
    calldataLength: count(fields['calldata_length']),
    gasPerPubdata: integer(fields['gas_per_pubdata']),
    maxFeePerGas: integer(fields['max_fee_per_gas']),
  });
  same(minimum, integer(fieldsOf(expected, 'minimal_gas_limit')['minimal_gas_limit']), 'minimal gas limit');
}

/** Head, five empty tails and the leading word; the calldata in whole words, and a word for each dependency. */
function encodingLength(calldataLength: number, factoryDeps: number): number {
  return 32 * (1 + 19 + 5 + Math.ceil(calldataLength / 32) + factoryDeps);
}

function depositRequest(input: unknown, expected: unknown): void {
  const fields = fieldsOf(
    input,
    'fee_params',
    'tx_gas_price',
    'tx_origin',
    'addresses_with_code',
    'block_timestamp',
    'earlier_requests',
    'request',
  );
  const request = fieldsOf(
    fields['request'],
    'sender',
    'contractL2',
    'mintValue',
    'l2Value',
    'l2Calldata',
    'l2GasLimit',
    'l2GasPerPubdataByteLimit',
    'factoryDeps',
    'refundRecipient',
  );
  const fees = depositFees(fields['fee_params']);
  const calldataLength = hex(request['l2Calldata']).length;
  const factoryDeps = listOf(request['factoryDeps']).length;
  const l1GasPrice = integer(fields['tx_gas_price']);
  const gasPerPubdata = integer(request['l2GasPerPubdataByteLimit']);
  const refusal = depositRefusal(fees, {
    mintValue: integer(request['mintValue']),
    l2Value: integer(request['l2Value']),
    gasLimit: integer(request['l2GasLimit']),
    gasPerPubdata,
    calldataLength,
    factoryDeps,
    encodingLength: encodingLength(calldataLength, factoryDeps),
    l1GasPrice,
  });
  const result = fieldsOf(
    expected,
    'error',
    'canonical_tx_hash',
    'expiration_timestamp',
    'transaction',
    'event_topics',
    'event_data',
  );
  if (result['error'] !== undefined) {
    same(refusal, text(result['error']), 'refusal');
    return;
  }
  same(refusal, undefined, 'refusal');
  const hash = toHex(hex(result['canonical_tx_hash']));
  const { args } = decodeEventLog({
    abi: DIAMOND_ABI,
    eventName: 'NewPriorityRequest',
    data: toHex(hex(result['event_data'])),
    topics: hexList(result['event_topics']).map((topic) => toHex(topic)) as [`0x${string}`],
  });
  if (args === undefined) fail('the event does not decode');
  same(args.txHash, hash, 'hash in the event');
  same(args.expirationTimestamp, integer(result['expiration_timestamp']), 'expiration');
  same(args.transaction, canonicalOf(result['transaction']), 'transaction in the event');
  const transaction = priorityRequestToTransaction(args.transaction, args.txHash);
  const [sender, refund] = [hex(request['sender']), hex(request['refundRecipient'])];
  const isOrigin = toHex(sender) === toHex(hex(fields['tx_origin']));
  const initiator = isOrigin ? sender : l1AddressToAlias(sender);
  const hasCode = hexList(fields['addresses_with_code']).some((address) => toHex(address) === toHex(refund));
  same(transaction.hash, hex(hash), 'canonical hash');
  same(transaction.initiator, initiator, 'initiator');
  same(transaction.to, hex(request['contractL2']), 'target');
  same(transaction.nonce, integer(fields['earlier_requests']), 'priority id');
  same(transaction.maxFeePerGas, depositGasPrice(fees, l1GasPrice, gasPerPubdata), 'price');
  same(transaction.toMint, integer(request['mintValue']), 'mint');
  same(transaction.value, integer(request['l2Value']), 'value');
  same(transaction.input, hex(request['l2Calldata']), 'calldata');
  same(
    transaction.refundRecipient,
    isZero(refund) ? initiator : hasCode ? l1AddressToAlias(refund) : refund,
    'refund recipient',
  );
}

function canonicalOf(value: unknown): CanonicalTransaction {
  const fields = fieldsOf(
    value,
    'txType',
    'from',
    'to',
    'gasLimit',
    'gasPerPubdataByteLimit',
    'maxFeePerGas',
    'maxPriorityFeePerGas',
    'paymaster',
    'nonce',
    'value',
    'reserved',
    'data',
    'signature',
    'factoryDeps',
    'paymasterInput',
    'reservedDynamic',
  );
  return {
    txType: integer(fields['txType']),
    from: integer(fields['from']),
    to: integer(fields['to']),
    gasLimit: integer(fields['gasLimit']),
    gasPerPubdataByteLimit: integer(fields['gasPerPubdataByteLimit']),
    maxFeePerGas: integer(fields['maxFeePerGas']),
    maxPriorityFeePerGas: integer(fields['maxPriorityFeePerGas']),
    paymaster: integer(fields['paymaster']),
    nonce: integer(fields['nonce']),
    value: integer(fields['value']),
    reserved: listOf(fields['reserved']).map(integer),
    data: toHex(hex(fields['data'])),
    signature: toHex(hex(fields['signature'])),
    factoryDeps: listOf(fields['factoryDeps']).map((dependency) => bytesToBigInt(wordOf(dependency))),
    paymasterInput: toHex(hex(fields['paymasterInput'])),
    reservedDynamic: toHex(hex(fields['reservedDynamic'])),
  };
}

const SEAL_REASONS: Readonly<Record<string, SealReason>> = {
  blocks: 'blocks_per_batch',
  native: 'native_cycles',
  pubdata: 'pubdata',
  logs: 'l2_l1_logs',
  execution_version: 'execution_version_change',
};

function sealCriteria(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'limits', 'blocks');
  const values = fieldsOf(
    fields['limits'],
    'blocks_per_batch_limit',
    'pubdata_limit_bytes',
    'native_limit',
    'logs_limit',
  );
  const limits = {
    blocks: count(values['blocks_per_batch_limit']),
    pubdataBytes: count(values['pubdata_limit_bytes']),
    native: integer(values['native_limit']),
    logs: count(values['logs_limit']),
  };
  let open = EMPTY_BATCH;
  let [first, last] = [0, 0];
  const sealed: object[] = [];
  for (const value of listOf(fields['blocks'])) {
    const block = fieldsOf(value, 'block', 'native', 'pubdata', 'logs', 'version');
    const next = {
      native: integer(block['native']),
      pubdataBytes: count(block['pubdata']),
      logs: count(block['logs']),
      executionVersion: count(block['version']),
    };
    const reason = sealReason(open, next, limits);
    if (reason !== undefined) {
      sealed.push({ first, last, reason });
      open = EMPTY_BATCH;
      same(sealReason(open, next, limits), undefined, 'an empty batch takes the block');
    }
    last = count(block['block']);
    if (open.blocks === 0) first = last;
    open = withBlock(open, next);
  }
  const result = fieldsOf(expected, 'sealed', 'open');
  same(
    sealed,
    listOf(result['sealed']).map((value) => {
      const seal = fieldsOf(value, 'first', 'last', 'reason');
      const reason = SEAL_REASONS[text(seal['reason'])] ?? fail(`the reason ${text(seal['reason'])} is not known`);
      return { first: count(seal['first']), last: count(seal['last']), reason };
    }),
    'sealed batches',
  );
  const left = fieldsOf(result['open'], 'first', 'last');
  same({ first, last }, { first: count(left['first']), last: count(left['last']) }, 'open batch');
}

function storedBatchOf(value: unknown): StoredBatchInfo {
  const fields = fieldsOf(
    value,
    'batch_number',
    'state_commitment',
    'number_of_layer1_txs',
    'priority_operations_hash',
    'dependency_roots_rolling_hash',
    'l2_to_l1_logs_root_hash',
    'commitment',
    'last_block_timestamp',
  );
  return {
    batchNumber: integer(fields['batch_number']),
    stateCommitment: hex(fields['state_commitment']),
    numberOfLayer1Txs: integer(fields['number_of_layer1_txs']),
    priorityOperationsHash: hex(fields['priority_operations_hash']),
    dependencyRootsRollingHash: hex(fields['dependency_roots_rolling_hash']),
    l2ToL1LogsRootHash: hex(fields['l2_to_l1_logs_root_hash']),
    commitment: hex(fields['commitment']),
    lastBlockTimestamp: integer(fields['last_block_timestamp']),
  };
}

function commitInfoOf(value: unknown): CommitInfo {
  const fields = fieldsOf(
    value,
    'batch_number',
    'new_state_commitment',
    'number_of_layer1_txs',
    'priority_operations_hash',
    'dependency_roots_rolling_hash',
    'l2_to_l1_logs_root_hash',
    'l2_da_validator',
    'da_commitment',
    'first_block_timestamp',
    'last_block_timestamp',
    'chain_id',
    'chain_address',
    'operator_da_input',
    'upgrade_tx_hash',
  );
  return {
    batchNumber: integer(fields['batch_number']),
    newStateCommitment: hex(fields['new_state_commitment']),
    numberOfLayer1Txs: integer(fields['number_of_layer1_txs']),
    priorityOperationsHash: hex(fields['priority_operations_hash']),
    dependencyRootsRollingHash: hex(fields['dependency_roots_rolling_hash']),
    l2ToL1LogsRootHash: hex(fields['l2_to_l1_logs_root_hash']),
    l2DaValidator: hex(fields['l2_da_validator']),
    daCommitment: hex(fields['da_commitment']),
    firstBlockTimestamp: integer(fields['first_block_timestamp']),
    lastBlockTimestamp: integer(fields['last_block_timestamp']),
    chainId: integer(fields['chain_id']),
    chainAddress: hex(fields['chain_address']),
    upgradeTxHash: optional(fields['upgrade_tx_hash'], hex),
  };
}

/** Of a rollup's `operatorDAInput`: behind header and source byte, before the empty blob commitment (spec: batches 6.5). */
function pubdataIn(daInput: Bytes): Bytes {
  return daInput.subarray(98, daInput.length - 32);
}

/** What a case is about shows in the fields of its input. */
function testnetBatch(input: unknown, expected: unknown): void {
  const fields = anyObject(input);
  if ('pubdata' in fields) {
    const pubdata = hex(fieldsOf(input, 'pubdata')['pubdata']);
    const result = fieldsOf(
      expected,
      'pubdata_keccak',
      'da_header',
      'da_commitment',
      'operator_da_input_rollup',
      'operator_da_input_validium',
    );
    same(keccak256(pubdata), hex(result['pubdata_keccak']), 'hash of the pubdata');
    same(daHeader(pubdata), hex(result['da_header']), 'header');
    same(daCommitment(pubdata), hex(result['da_commitment']), 'commitment');
    same(operatorDaInput(pubdata, 'rollup'), hex(result['operator_da_input_rollup']), 'input, rollup');
    same(operatorDaInput(pubdata, 'validium'), hex(result['operator_da_input_validium']), 'input, validium');
  } else if ('logs' in fields) {
    const logs = hexList(fieldsOf(input, 'logs')['logs']);
    const result = fieldsOf(expected, 'local_root', 'full_root');
    same(localLogRoot(logs), hex(result['local_root']), 'local root');
    same(l2LogRoot(logs), hex(result['full_root']), 'root');
  } else if ('state_commitment' in fields) {
    const result = fieldsOf(expected, 'abi_encoded', 'hash');
    same(encodeStoredBatchInfo(storedBatchOf(input)), hex(result['abi_encoded']), 'ABI form');
    same(storedBatchHash(storedBatchOf(input)), hex(result['hash']), 'hash');
  } else if ('new_state_commitment' in fields) {
    const info = commitInfoOf(input);
    const result = fieldsOf(expected, 'batch_output_preimage', 'batch_output_hash', 'stored_batch_info', 'stored_hash');
    same(batchOutputPreimage(info), hex(result['batch_output_preimage']), 'preimage of the output hash');
    same(storedBatchInfo(info).commitment, hex(result['batch_output_hash']), 'output hash');
    same(storedBatchInfo(info), storedBatchOf(result['stored_batch_info']), 'stored batch');
    same(storedBatchHash(storedBatchInfo(info)), hex(result['stored_hash']), 'stored hash');
  } else if ('commit' in fields) commitCalldata(input, expected);
  else proveCalldata(input, expected);
}

function commitCalldata(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'previous', 'commit', 'mode');
  const result = fieldsOf(expected, 'commit_data', 'tx_calldata');
  const mode = text(fields['mode']);
  const daInput = hex(anyObject(fields['commit'])['operator_da_input']);
  const info = commitInfoOf(fields['commit']);
  const pubdata = pubdataIn(daInput);
  same(operatorDaInput(pubdata, 'rollup'), daInput, 'DA input of the envelope');
  const data = commitData({
    previous: storedBatchOf(fields['previous']),
    info,
    pubdata,
    mode: mode === 'rollup' || mode === 'validium' ? mode : fail(`mode ${mode}`),
  });
  same(data, hex(result['commit_data']), 'data');
  const call = encodeFunctionData({
    abi: SETTLEMENT_ABI,
    functionName: 'commitBatchesSharedBridge',
    args: [toHex(info.chainAddress), info.batchNumber, info.batchNumber, toHex(data)],
  });
  same(call, text(result['tx_calldata']), 'calldata');
}

function proveCalldata(input: unknown, expected: unknown): void {
  const fields = fieldsOf(input, 'previous', 'batches', 'proof');
  const result = fieldsOf(expected, 'batch_public_input', 'snark_public_input', 'prove_data');
  const previous = storedBatchOf(fields['previous']);
  const batches = listOf(fields['batches']).map(storedBatchOf);
  const [batch] = batches;
  if (batch === undefined || text(fields['proof']) !== 'fake') fail('not a fake proof of a batch');
  same(
    batchPublicInput(previous.stateCommitment, batch),
    hex(result['batch_public_input']),
    'public input of the batch',
  );
  const publicInput = snarkPublicInput(previous, batches);
  same(publicInput, hex(result['snark_public_input']), 'public input');
  same(proveData(previous, batches, fakeProof(publicInput)), hex(result['prove_data']), 'data');
}

/** Those that the node's ABIs hold are taken from there. */
function selectors(input: unknown, expected: unknown): void {
  fieldsOf(input);
  const result = fieldsOf(expected, 'functions', 'events', 'roles');
  const known = new Map<string, string>();
  for (const item of [...BRIDGEHUB_ABI, ...CHAIN_TYPE_MANAGER_ABI, ...DIAMOND_ABI, ...SETTLEMENT_ABI]) {
    if (item.type === 'function') known.set(toFunctionSignature(item), toFunctionSelector(item));
    if (item.type === 'event') known.set(toEventSignature(item), toEventSelector(item));
  }
  for (const [signature, selector] of Object.entries(anyObject(result['functions'])))
    same(known.get(signature) ?? toHex(topicOf(signature).slice(0, 4)), text(selector), signature);
  for (const [signature, topic] of Object.entries(anyObject(result['events'])))
    same(known.get(signature) ?? toHex(topicOf(signature)), text(topic), signature);
  for (const [role, id] of Object.entries(anyObject(result['roles']))) same(topicOf(role), hex(id), role);
  for (const name of USED_ON_L1)
    if (![...known.keys()].some((signature) => signature.startsWith(`${name}(`) && signature in anyOf(result)))
      fail(`${name} of the node's ABIs is not among the vectors`);
}

/** What the node calls or reads of L1 while it settles: the vectors must name each with the same parameters. */
const USED_ON_L1 = [
  'validatorTimelockPostV29',
  'getZKChain',
  'chainTypeManager',
  'getTotalBatchesCommitted',
  'getTotalBatchesVerified',
  'getTotalBatchesExecuted',
  'storedBatchHash',
  'getPubdataPricingMode',
  'commitBatchesSharedBridge',
  'proveBatchesSharedBridge',
  'executeBatchesSharedBridge',
  'NewPriorityRequest',
  'GenesisUpgrade',
] as const;

function anyOf({ functions, events }: VectorObject): VectorObject {
  return { ...anyObject(functions), ...anyObject(events) };
}

function topicOf(name: string): Bytes {
  return keccak256(new TextEncoder().encode(name));
}

const RUNS: Readonly<Record<string, (input: unknown, expected: unknown) => void>> = {
  'settlement-address-alias.json': addressAlias,
  'settlement-canonical-l1-tx.json': canonicalTransaction,
  'settlement-deposit-price.json': depositPrice,
  'settlement-deposit-request.json': depositRequest,
  'settlement-genesis-stored-batch.json': genesisBatch,
  'settlement-l1-min-gas.json': minimalGas,
  'settlement-mini-merkle.json': miniMerkle,
  'settlement-real-block1-priority-ops.json': realPriorityOperations,
  'settlement-seal-criteria.json': sealCriteria,
  'settlement-selectors.json': selectors,
  'settlement-state-commitment.json': stateCommitmentCase,
  'settlement-testnet-batch10.json': testnetBatch,
  'settlement-withdrawal-message.json': withdrawal,
};

export const settlementVectors: VectorFamily = {
  owns: (path) => path in RUNS,

  run(path, folder, suite) {
    const root: VectorObject = fieldsOf(folder.json(path), 'description', 'source', 'cases');
    for (const value of listOf(root['cases'])) {
      const fields = fieldsOf(value, 'name', 'origin', 'input', 'expected');
      suite.case(text(fields['name']), () => RUNS[path]?.(fields['input'], fields['expected']));
    }
  },
};
