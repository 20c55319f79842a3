/** Blocks, transactions, receipts and logs as JSON-RPC shows them (spec: rpc 4). Keys stand in the usual order. */
import { ZERO_32, toHex } from '../common/bytes.ts';
import { Turns } from '../common/turns.ts';
import type { FoundLog, StoredBlock, StoredReceipt, StoredTransaction } from '../projections/repositoriesReader.ts';
import type { L2ToL1Log, Log } from '../protocol/blockOutput.ts';
import type { L1Transaction, L2Transaction } from '../protocol/transaction.ts';
import { isL1Transaction } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import type { PoolTransaction } from './backend.ts';
import { hexOrNull, quantity } from './encoding.ts';
import { responseTooBig } from './errors.ts';
import { RawJson, jsonArray, jsonObject } from './rawJson.ts';

export type JsonRecord = Record<string, unknown>;

export function headerObject({ header, hash, sizeBytes }: StoredBlock): JsonRecord {
  return {
    hash: toHex(hash),
    parentHash: toHex(header.parentHash),
    sha3Uncles: toHex(header.ommersHash),
    miner: toHex(header.beneficiary),
    stateRoot: toHex(header.stateRoot),
    transactionsRoot: toHex(header.transactionsRoot),
    receiptsRoot: toHex(header.receiptsRoot),
    logsBloom: toHex(header.logsBloom),
    difficulty: quantity(header.difficulty),
    number: quantity(header.number),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    extraData: toHex(header.extraData),
    mixHash: toHex(header.mixHash),
    nonce: toHex(header.nonce),
    baseFeePerGas: quantity(header.baseFeePerGas),
    totalDifficulty: '0x0',
    size: quantity(sizeBytes),
  };
}

/** Without `transactions`, which the caller adds as hashes or objects. */
export function blockObject(block: StoredBlock): JsonRecord {
  return { ...headerObject(block), uncles: [] };
}

interface Inclusion {
  readonly blockHash: string | null;
  readonly blockNumber: string | null;
  readonly transactionIndex: string | null;
  readonly timestamp: string | null;
  /** wei; undefined while pending */
  readonly effectiveGasPrice: bigint | undefined;
}

const PENDING: Inclusion = {
  blockHash: null,
  blockNumber: null,
  transactionIndex: null,
  timestamp: null,
  effectiveGasPrice: undefined,
};

function l2TransactionObject(transaction: L2Transaction, sender: string, inclusion: Inclusion): JsonRecord {
  const { type, chainId, yParity, maxFeePerGas } = transaction;
  const legacyV = chainId === undefined ? 27n + BigInt(yParity) : 35n + 2n * chainId + BigInt(yParity);
  return {
    type: quantity(type),
    ...(chainId === undefined ? {} : { chainId: quantity(chainId) }),
    nonce: quantity(transaction.nonce),
    gas: quantity(transaction.gasLimit),
    ...(type === 2
      ? { maxFeePerGas: quantity(maxFeePerGas), maxPriorityFeePerGas: quantity(transaction.maxPriorityFeePerGas) }
      : {}),
    to: hexOrNull(transaction.to),
    value: quantity(transaction.value),
    ...(type === 0
      ? {}
      : {
          accessList: transaction.accessList.map(({ address, slots }) => ({
            address: toHex(address),
            storageKeys: slots.map(toHex),
          })),
        }),
    input: toHex(transaction.input),
    r: quantity(transaction.r),
    s: quantity(transaction.s),
    ...(type === 0 ? {} : { yParity: quantity(yParity) }),
    v: quantity(type === 0 ? legacyV : yParity),
    hash: toHex(transaction.hash),
    blockHash: inclusion.blockHash,
    blockNumber: inclusion.blockNumber,
    blockTimestamp: inclusion.timestamp,
    transactionIndex: inclusion.transactionIndex,
    from: sender,
    gasPrice: quantity(inclusion.effectiveGasPrice ?? maxFeePerGas),
  };
}

/** Priority (0x7f) and upgrade (0x7e) transactions. The signature is filler for decoders that expect one. */
function l1TransactionObject(transaction: L1Transaction, inclusion: Inclusion): JsonRecord {
  const initiator = toHex(transaction.initiator);
  return {
    type: quantity(transaction.type),
    hash: toHex(transaction.hash),
    initiator,
    to: toHex(transaction.to),
    gas: quantity(transaction.gasLimit),
    gasPerPubdataByteLimit: quantity(transaction.gasPerPubdataByteLimit),
    maxFeePerGas: quantity(transaction.maxFeePerGas),
    maxPriorityFeePerGas: quantity(transaction.maxPriorityFeePerGas),
    nonce: quantity(transaction.nonce),
    value: quantity(transaction.value),
    toMint: quantity(transaction.toMint),
    refundRecipient: toHex(transaction.refundRecipient),
    input: toHex(transaction.input),
    factoryDeps: transaction.factoryDeps.map(toHex),
    v: '0x0',
    r: toHex(ZERO_32),
    s: toHex(ZERO_32),
    yParity: '0x0',
    blockHash: inclusion.blockHash,
    blockNumber: inclusion.blockNumber,
    transactionIndex: inclusion.transactionIndex,
    from: initiator,
    gasPrice: quantity(transaction.maxFeePerGas),
  };
}

/** A mined transaction. */
export function transactionObject({ raw, sender, meta }: StoredTransaction): JsonRecord {
  const transaction = decodeTransaction(raw);
  const inclusion: Inclusion = {
    blockHash: toHex(meta.blockHash),
    blockNumber: quantity(meta.blockNumber),
    transactionIndex: quantity(meta.transactionIndex),
    timestamp: quantity(meta.blockTimestamp),
    effectiveGasPrice: meta.effectiveGasPrice,
  };
  return isL1Transaction(transaction)
    ? l1TransactionObject(transaction, inclusion)
    : l2TransactionObject(transaction, toHex(sender), inclusion);
}

/** A transaction that is in no readable block. Its `gasPrice` is the fee cap. */
export function pendingTransactionObject({ raw, sender }: PoolTransaction): JsonRecord {
  const transaction = decodeTransaction(raw);
  return isL1Transaction(transaction)
    ? l1TransactionObject(transaction, PENDING)
    : l2TransactionObject(transaction, toHex(sender), PENDING);
}

interface LogPlace {
  readonly blockHash: string;
  readonly blockNumber: string;
  readonly blockTimestamp: string;
  readonly transactionHash: string;
  readonly transactionIndex: string;
}

function placedLog(log: Log, place: LogPlace, logIndex: number): JsonRecord {
  return {
    address: toHex(log.address),
    topics: log.topics.map(toHex),
    data: toHex(log.data),
    blockHash: place.blockHash,
    blockNumber: place.blockNumber,
    blockTimestamp: place.blockTimestamp,
    transactionHash: place.transactionHash,
    transactionIndex: place.transactionIndex,
    logIndex: quantity(logIndex),
    removed: false,
  };
}

export function logObject(log: FoundLog): JsonRecord {
  const place: LogPlace = {
    blockHash: toHex(log.blockHash),
    blockNumber: quantity(log.blockNumber),
    blockTimestamp: quantity(log.blockTimestamp),
    transactionHash: toHex(log.transactionHash),
    transactionIndex: quantity(log.transactionIndex),
  };
  return placedLog(log, place, log.logIndex);
}

/** Both spellings in one object: the reference's snake case with plain values, and the later camel case in hex. */
function l2ToL1LogObject(log: L2ToL1Log, place: LogPlace, index: number): JsonRecord {
  const sender = toHex(log.sender);
  const key = toHex(log.key);
  const value = toHex(log.value);
  return {
    l2_shard_id: log.shardId,
    is_service: log.isService,
    tx_number_in_block: log.txNumberInBlock,
    sender,
    key,
    value,
    logIndex: quantity(index),
    blockHash: place.blockHash,
    blockNumber: place.blockNumber,
    l1BatchNumber: null,
    transactionHash: place.transactionHash,
    transactionIndex: place.transactionIndex,
    shardId: quantity(log.shardId),
    isService: log.isService,
  };
}

function placeOf({ transactionHash, meta }: StoredReceipt): LogPlace {
  return {
    blockHash: toHex(meta.blockHash),
    blockNumber: quantity(meta.blockNumber),
    blockTimestamp: quantity(meta.blockTimestamp),
    transactionHash: toHex(transactionHash),
    transactionIndex: quantity(meta.transactionIndex),
  };
}

/** Long lists of logs are written piece by piece. Throws -32008 once one of them is longer than `maxBytes`. */
export async function receiptJson(receipt: StoredReceipt, maxBytes: number): Promise<RawJson> {
  const { logs, l2ToL1Logs, meta } = receipt;
  const place = placeOf(receipt);
  const outline = receiptObject({ ...receipt, logs: [], l2ToL1Logs: [] });
  const logTexts = await jsonArray(logs, (log, index) => placedLog(log, place, meta.logsBefore + index), maxBytes);
  const l2ToL1LogTexts = await jsonArray(l2ToL1Logs, (log, index) => l2ToL1LogObject(log, place, index), maxBytes);
  return jsonObject({ ...outline, logs: logTexts, l2ToL1Logs: l2ToL1LogTexts });
}

/** An array of them. Throws -32008 once the text is longer than `maxBytes`. */
export async function receiptsJson(receipts: readonly StoredReceipt[], maxBytes: number): Promise<RawJson> {
  const turns = new Turns();
  const parts: string[] = [];
  let length = 2;
  for (const receipt of receipts) {
    const { text } = await receiptJson(receipt, maxBytes);
    length += text.length + 1;
    if (length > maxBytes) throw responseTooBig(maxBytes);
    parts.push(text);
    await turns.due();
  }
  return new RawJson(`[${parts.join(',')}]`);
}

export function receiptObject(receipt: StoredReceipt): JsonRecord {
  const { meta } = receipt;
  const place = placeOf(receipt);
  return {
    transactionHash: place.transactionHash,
    transactionIndex: place.transactionIndex,
    blockHash: place.blockHash,
    blockNumber: place.blockNumber,
    gasUsed: quantity(meta.gasUsed),
    effectiveGasPrice: quantity(meta.effectiveGasPrice),
    from: toHex(receipt.sender),
    to: hexOrNull(receipt.to),
    contractAddress: hexOrNull(meta.contractAddress),
    type: quantity(receipt.transactionType),
    status: receipt.success ? '0x1' : '0x0',
    cumulativeGasUsed: quantity(receipt.cumulativeGasUsed),
    logs: receipt.logs.map((log, index) => placedLog(log, place, meta.logsBefore + index)),
    logsBloom: toHex(receipt.logsBloom),
    l2ToL1Logs: receipt.l2ToL1Logs.map((log, index) => l2ToL1LogObject(log, place, index)),
  };
}
