/**
 * Rows of the analytics tables as lines of ClickHouse's TabSeparated format, each exactly as ClickHouse writes the same row
 * back. The order of fields is that of analyticsTables.ts.
 */
import { asBuffer, equalBytes, toHex, type Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import type { BlockHeader, L2ToL1Log, Log, StorageWrite, TransactionOutput } from '../protocol/blockOutput.ts';
import { BLOOM_LENGTH, LogsBloom } from '../protocol/bloom.ts';
import { L1_MESSENGER_ADDRESS } from '../protocol/systemAddresses.ts';
import { isL1Transaction, type AccessListItem, type Transaction } from '../protocol/transaction.ts';
import type { CanonicalBlock, GenesisEvent } from './projection.ts';
import type { TokenTransfer } from './tokenTransfers.ts';

type Field = string | number | bigint | boolean;

const NULL = '\\N';
const NO_LOGS_BLOOM = toHex(new Uint8Array(BLOOM_LENGTH));

/** What every row of a transaction says of its place. */
export interface Place {
  readonly blockNumber: number;
  readonly blockTimestamp: bigint;
  readonly transactionIndex: number;
  readonly transactionHash: string;
}

function line(fields: readonly Field[]): Bytes {
  return Buffer.from(`${fields.join('\t')}\n`, 'utf8');
}

function escaped(text: string): string {
  return text.replace(/[\\\t\n\r\0\b\f']/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  "'": "\\'",
};

function hexOrNull(bytes: Bytes | undefined): string {
  return bytes === undefined ? NULL : toHex(bytes);
}

function quotedList(items: readonly Bytes[]): string {
  return `[${items.map((item) => `'${toHex(item)}'`).join(',')}]`;
}

function accessListText(list: readonly AccessListItem[]): string {
  return `[${list.map(({ address, slots }) => `('${toHex(address)}',${quotedList(slots)})`).join(',')}]`;
}

export interface BlockCounts {
  readonly transactions: number;
  readonly logs: number;
  readonly l2ToL1Logs: number;
  readonly storageWrites: number;
  readonly tokenTransfers: number;
}

function headerFields(header: BlockHeader, hash: Bytes): Field[] {
  return [
    header.number,
    toHex(hash),
    toHex(header.parentHash),
    toHex(header.ommersHash),
    toHex(header.beneficiary),
    toHex(header.stateRoot),
    toHex(header.transactionsRoot),
    toHex(header.receiptsRoot),
    toHex(header.logsBloom),
    header.difficulty,
    header.gasLimit,
    header.gasUsed,
    header.timestamp,
    toHex(header.extraData),
    toHex(header.mixHash),
    toHex(header.nonce),
    header.baseFeePerGas,
  ];
}

function countFields(counts: BlockCounts): Field[] {
  return [counts.transactions, counts.logs, counts.l2ToL1Logs, counts.storageWrites, counts.tokenTransfers];
}

/** Block 0 has no record: what others take from it is 0 or empty. */
export function genesisRow({ header, blockHash }: GenesisEvent, counts: BlockCounts): Bytes {
  const noRecord: Field[] = [0, 0, 0, 0, 0, '', 0, ''];
  return line([...headerFields(header, blockHash), ...noRecord, 0, 0, ...countFields(counts)]);
}

export function blockRow({ record, output }: CanonicalBlock, counts: BlockCounts): Bytes {
  const { context } = record;
  return line([
    ...headerFields(output.header, output.blockHash),
    record.previousBlockTimestamp,
    context.pubdataPrice,
    context.nativePrice,
    context.pubdataLimit,
    context.executionVersion,
    escaped(record.nodeVersion),
    record.startingL1PriorityId,
    toHex(record.blockOutputHash),
    output.computationalNativeUsed,
    output.pubdata.length,
    ...countFields(counts),
  ]);
}

function placeFields({ blockNumber, transactionIndex, blockTimestamp, transactionHash }: Place): Field[] {
  return [blockNumber, transactionIndex, blockTimestamp, transactionHash];
}

export function transactionRow(transaction: Transaction, sender: Bytes, place: Place): Bytes {
  const isL1 = isL1Transaction(transaction);
  return line([
    ...placeFields(place),
    transaction.type,
    toHex(sender),
    hexOrNull(transaction.to),
    transaction.nonce,
    transaction.gasLimit,
    transaction.maxFeePerGas,
    transaction.maxPriorityFeePerGas,
    transaction.value,
    toHex(transaction.input),
    ...(isL1
      ? [NULL, '[]', 0, 0, 0]
      : [
          transaction.chainId ?? NULL,
          accessListText(transaction.accessList),
          transaction.yParity,
          transaction.r,
          transaction.s,
        ]),
    ...(isL1
      ? [
          transaction.gasPerPubdataByteLimit,
          transaction.toMint,
          toHex(transaction.refundRecipient),
          quotedList(transaction.factoryDeps),
        ]
      : [0, 0, NULL, '[]']),
  ]);
}

export function receiptRow(
  {
    transaction,
    sender,
    output,
  }: { readonly transaction: Transaction; readonly sender: Bytes; readonly output: TransactionOutput },
  before: { readonly gasUsed: bigint; readonly logs: number },
  place: Place,
): Bytes {
  return line([
    ...placeFields(place),
    transaction.type,
    toHex(sender),
    hexOrNull(transaction.to),
    hexOrNull(output.contractAddress),
    transaction.input.length,
    output.success ? 1 : 0,
    output.gasUsed,
    before.gasUsed + output.gasUsed,
    output.gasRefunded,
    output.effectiveGasPrice,
    bloomText(output.logs),
    before.logs,
    output.logs.length,
    output.l2ToL1Logs.length,
    output.nativeUsed,
    output.computationalNativeUsed,
    output.pubdataUsed,
    toHex(output.returnData),
  ]);
}

function bloomText(logs: readonly Log[]): string {
  if (logs.length === 0) return NO_LOGS_BLOOM;
  const bloom = new LogsBloom();
  for (const log of logs) bloom.add(log);
  return toHex(bloom.bytes);
}

function logPlaceFields(logIndex: number, place: Place): Field[] {
  return [place.blockNumber, logIndex, place.transactionIndex, place.blockTimestamp, place.transactionHash];
}

export function logRow({ address, topics, data }: Log, logIndex: number, place: Place): Bytes {
  const [topic0, topic1, topic2, topic3] = topics;
  return line([
    ...logPlaceFields(logIndex, place),
    toHex(address),
    hexOrEmpty(topic0),
    hexOrEmpty(topic1),
    hexOrEmpty(topic2),
    hexOrEmpty(topic3),
    toHex(data),
  ]);
}

function hexOrEmpty(bytes: Bytes | undefined): string {
  return bytes === undefined ? '' : toHex(bytes);
}

export function tokenTransferRow(transfer: TokenTransfer, logIndex: number, place: Place): Bytes {
  return line([
    ...logPlaceFields(logIndex, place),
    toHex(transfer.token),
    transfer.standard,
    toHex(transfer.from),
    toHex(transfer.to),
    transfer.amount,
    transfer.tokenId,
  ]);
}

/** Rows of one transaction's logs to L1, with the message behind each that the messenger sent (spec: execution 10). */
export function l2ToL1LogRows(
  { l2ToL1Logs, messages }: Pick<TransactionOutput, 'l2ToL1Logs' | 'messages'>,
  firstIndex: number,
  place: Place,
): Bytes[] {
  let nextMessage = 0;
  const messageOf = (log: L2ToL1Log): string => {
    if (!equalBytes(log.sender, L1_MESSENGER_ADDRESS)) return NULL;
    return hexOrNull(messages[nextMessage++]?.data);
  };
  return l2ToL1Logs.map((log, index) =>
    line([
      ...logPlaceFields(firstIndex + index, place),
      index,
      log.shardId,
      log.isService,
      log.txNumberInBlock,
      toHex(log.sender),
      toHex(log.key),
      toHex(log.value),
      messageOf(log),
    ]),
  );
}

/** Of genesis only the flat key is known. */
export function storageWriteRow(
  write: Pick<StorageWrite, 'flatKey' | 'value'> & Partial<StorageWrite>,
  at: { readonly blockNumber: number; readonly index: number; readonly blockTimestamp: bigint },
): Bytes {
  return line([
    at.blockNumber,
    at.index,
    at.blockTimestamp,
    hexOrEmpty(write.address),
    hexOrEmpty(write.slot),
    toHex(write.value),
    toHex(write.flatKey),
    hexOrEmpty(write.accountRecord),
  ]);
}

/** The numbers a line begins with: its height, and its index in the block. */
export function rowNumbers(row: Bytes, keyColumns: 1 | 2): { readonly height: number; readonly index: number } {
  const text = asBuffer(row).toString('latin1', 0, Math.min(row.length, 64));
  const [height = '', index = ''] = text.split('\t', 2);
  assert(/^\d+$/.test(height) && (keyColumns === 1 || /^\d+$/.test(index)), `an analytics row begins with ${text}`);
  return { height: Number(height), index: keyColumns === 1 ? 0 : Number(index) };
}
