/**
 * Journal entries as bytes: how they lie in the chain store and cross threads. Compact and quick rather than
 * self-describing; the first byte is the version of the layout.
 */
import { compareBytes, isZero, padAddress, type Bytes } from '../common/bytes.ts';
import { BLOOM_LENGTH } from '../protocol/bloom.ts';
import type {
  BlockHeader,
  BlockOutput,
  L1Message,
  Preimage,
  StorageWrite,
  TransactionOutput,
} from '../protocol/blockOutput.ts';
import type { BlockRecord } from '../protocol/replayRecord.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { ByteReader } from './byteReader.ts';
import { ByteWriter } from './byteWriter.ts';
import { StoreError } from './errors.ts';
import { PROOF_KINDS, type ProofKind, type ProofReference } from '../protocol/batch.ts';
import type { BatchSealed, CanonicalBlock, GenesisEvent, JournalEntry, JournalEvent, L1Progress } from './journal.ts';
import { readL2ToL1Log, readLog, writeL2ToL1Log, writeLog } from './logCodec.ts';

const VERSION = 2;
const KIND_GENESIS = 0;
const KIND_BLOCK = 1;
const KIND_BATCH_SEALED = 2;
const KIND_FRI_PROVED = 3;
const KIND_SNARK_PROVED = 4;
const KIND_L1_PROGRESS = 5;

const SUCCESS = 1;
const CREATES = 2;
const REFUNDED = 4;

const ACCOUNT_SLOT = 1;
const HAS_RECORD = 2;

const ADDRESS = 20;
const HASH = 32;
const HEADER_NONCE = 8;

const ZERO_BLOOM: Bytes = new Uint8Array(BLOOM_LENGTH);
const writer = new ByteWriter();
const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** The bytes are memory of their own. Throws a RangeError on fields of a wrong length. */
export function encodeJournalEntry(entry: JournalEntry): Bytes {
  writer.reset();
  writer.byte(VERSION);
  writer.varint(entry.index);
  writeEvent(entry.event);
  return writer.take();
}

function writeEvent(event: JournalEvent): void {
  switch (event.kind) {
    case 'Genesis':
      return writeGenesis(event);
    case 'Block':
      return writeBlock(event);
    case 'BatchSealed':
      return writeBatchSealed(event);
    case 'FriProved':
      writer.byte(KIND_FRI_PROVED);
      writer.varint(event.position);
      writer.varint(event.batch);
      return writeProof(event.proofKind, event.proof);
    case 'SnarkProved':
      writer.byte(KIND_SNARK_PROVED);
      writer.varint(event.position);
      writer.varint(event.fromBatch);
      writer.varint(event.toBatch);
      return writeProof(event.proofKind, event.proof);
    case 'L1Progress':
      return writeL1Progress(event);
  }
}

function readEvent(kind: number, bytes: Bytes, reader: ByteReader): JournalEvent | undefined {
  switch (kind) {
    case KIND_GENESIS:
      return readGenesis(reader);
    case KIND_BLOCK:
      return readBlock(bytes, reader);
    case KIND_BATCH_SEALED:
      return readBatchSealed(reader);
    case KIND_FRI_PROVED:
      return { kind: 'FriProved', position: reader.varint(), batch: reader.varint(), ...readProof(reader) };
    case KIND_SNARK_PROVED:
      return {
        kind: 'SnarkProved',
        position: reader.varint(),
        fromBatch: reader.varint(),
        toBatch: reader.varint(),
        ...readProof(reader),
      };
    case KIND_L1_PROGRESS:
      return readL1Progress(reader);
    default:
      return undefined;
  }
}

function writeBatchSealed(event: BatchSealed): void {
  const { commitInfo: info } = event;
  writer.byte(KIND_BATCH_SEALED);
  writer.varint(event.position);
  writer.varint(event.batch);
  writer.varint(event.firstBlock);
  writer.varint(event.lastBlock);
  writer.fixed(event.storedBatchHash, HASH);
  writer.bytes(text.encoder.encode(event.reason));
  writer.big(info.batchNumber);
  writer.fixed(info.newStateCommitment, HASH);
  writer.big(info.numberOfLayer1Txs);
  writer.fixed(info.priorityOperationsHash, HASH);
  writer.fixed(info.dependencyRootsRollingHash, HASH);
  writer.fixed(info.l2ToL1LogsRootHash, HASH);
  writer.fixed(info.l2DaValidator, ADDRESS);
  writer.fixed(info.daCommitment, HASH);
  writer.big(info.firstBlockTimestamp);
  writer.big(info.lastBlockTimestamp);
  writer.big(info.chainId);
  writer.fixed(info.chainAddress, ADDRESS);
  writer.byte(info.upgradeTxHash === undefined ? 0 : 1);
  if (info.upgradeTxHash !== undefined) writer.fixed(info.upgradeTxHash, HASH);
}

function readBatchSealed(reader: ByteReader): BatchSealed {
  return {
    kind: 'BatchSealed',
    position: reader.varint(),
    batch: reader.varint(),
    firstBlock: reader.varint(),
    lastBlock: reader.varint(),
    storedBatchHash: reader.fixed(HASH),
    reason: text.decoder.decode(reader.bytes()),
    commitInfo: {
      batchNumber: reader.big(),
      newStateCommitment: reader.fixed(HASH),
      numberOfLayer1Txs: reader.big(),
      priorityOperationsHash: reader.fixed(HASH),
      dependencyRootsRollingHash: reader.fixed(HASH),
      l2ToL1LogsRootHash: reader.fixed(HASH),
      l2DaValidator: reader.fixed(ADDRESS),
      daCommitment: reader.fixed(HASH),
      firstBlockTimestamp: reader.big(),
      lastBlockTimestamp: reader.big(),
      chainId: reader.big(),
      chainAddress: reader.fixed(ADDRESS),
      upgradeTxHash: reader.byte() === 0 ? undefined : reader.fixed(HASH),
    },
  };
}

function writeProof(kind: ProofKind, proof: ProofReference): void {
  writer.byte(PROOF_KINDS.indexOf(kind));
  writer.bytes(text.encoder.encode(proof.key));
  writer.fixed(proof.hash, HASH);
}

function readProof(reader: ByteReader): { readonly proofKind: ProofKind; readonly proof: ProofReference } {
  const proofKind = PROOF_KINDS[reader.byte()];
  if (proofKind === undefined)
    throw new StoreError(
      'fatal',
      'STORE_DAMAGED',
      'a journal entry holds a proof of no known kind. Run `reprise rebuild state`.',
    );
  return { proofKind, proof: { key: text.decoder.decode(reader.bytes()), hash: reader.fixed(HASH) } };
}

function writeL1Progress(event: L1Progress): void {
  writer.byte(KIND_L1_PROGRESS);
  writer.varint(event.position);
  writer.varint(event.committed);
  writer.varint(event.proved);
  writer.varint(event.executed);
  writer.big(event.l1BlockNumber);
  writer.fixed(event.l1BlockHash, HASH);
}

function readL1Progress(reader: ByteReader): L1Progress {
  return {
    kind: 'L1Progress',
    position: reader.varint(),
    committed: reader.varint(),
    proved: reader.varint(),
    executed: reader.varint(),
    l1BlockNumber: reader.big(),
    l1BlockHash: reader.fixed(HASH),
  };
}

/**
 * Bytes of the result are views of `bytes`: copy what is kept for long. Storage writes and preimages are decoded when
 * first looked at. Throws JOURNAL_ENTRY_VERSION or STORE_DAMAGED.
 */
export function decodeJournalEntry(bytes: Bytes): JournalEntry {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== VERSION) {
    throw new StoreError(
      'fatal',
      'JOURNAL_ENTRY_VERSION',
      `a journal entry has layout ${version}, this version reads ${VERSION}. Build the chain store again from the log: \`reprise rebuild state\`.`,
      { version },
    );
  }
  const index = reader.varint();
  const kind = reader.byte();
  const event = readEvent(kind, bytes, reader);
  if (event !== undefined) {
    // Of a block the rest is read when its state changes are looked at.
    if (event.kind !== 'Block') reader.finish();
    return { index, event };
  }
  throw new StoreError(
    'fatal',
    'STORE_DAMAGED',
    `journal entry ${index} has the unknown kind ${kind}. Build the chain store again: \`reprise rebuild state\`.`,
    {
      index,
      kind,
    },
  );
}

function writeGenesis(event: GenesisEvent): void {
  writer.byte(KIND_GENESIS);
  writer.varint(event.position);
  writer.big(event.chainId);
  writeHeader(event.header);
  writer.fixed(event.blockHash, HASH);
  writer.varint(event.writes.length);
  for (const { flatKey, value } of event.writes) {
    writer.fixed(flatKey, HASH);
    writer.fixed(value, HASH);
  }
}

function readGenesis(reader: ByteReader): GenesisEvent {
  const position = reader.varint();
  const chainId = reader.big();
  const header = readHeader(reader);
  const blockHash = reader.fixed(HASH);
  const writes = readMany(reader, () => ({ flatKey: reader.fixed(HASH), value: reader.fixed(HASH) }));
  return { kind: 'Genesis', position, chainId, header, blockHash, writes };
}

function writeBlock(block: CanonicalBlock): void {
  writer.byte(KIND_BLOCK);
  writer.varint(block.position);
  writer.varint(block.height);
  writeRecord(block.record);
  writer.varint(block.senders.length);
  for (const sender of block.senders) writer.fixed(sender, ADDRESS);
  const { output } = block;
  writeHeader(output.header);
  writer.fixed(output.blockHash, HASH);
  writer.varint(output.transactions.length);
  for (const transaction of output.transactions) writeTransaction(transaction);
  writer.bytes(output.pubdata);
  writer.big(output.computationalNativeUsed);
  writer.fixed(output.blockOutputHash, HASH);
  writeState(output.writes, output.preimages);
}

function readBlock(bytes: Bytes, reader: ByteReader): CanonicalBlock {
  const position = reader.varint();
  const height = reader.varint();
  const record = readRecord(reader);
  const senders = readMany(reader, () => reader.fixed(ADDRESS));
  const header = readHeader(reader);
  const blockHash = reader.fixed(HASH);
  const transactions = readMany(reader, () => readTransaction(reader));
  const pubdata = reader.bytes();
  const computationalNativeUsed = reader.big();
  const blockOutputHash = reader.fixed(HASH);
  const stateStart = reader.offset;
  let state: StateChanges | undefined;
  const stateChanges = (): StateChanges => (state ??= readState(new ByteReader(bytes, stateStart)));
  const output: BlockOutput = {
    header,
    blockHash,
    transactions,
    get writes() {
      return stateChanges().writes;
    },
    get preimages() {
      return stateChanges().preimages;
    },
    pubdata,
    computationalNativeUsed,
    blockOutputHash,
  };
  return { kind: 'Block', position, height, record, output, senders };
}

function readMany<T>(reader: ByteReader, readOne: () => T): T[] {
  const count = reader.varint();
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(readOne());
  return items;
}

function writeHeader(header: BlockHeader): void {
  const hasBloom = !isZero(header.logsBloom);
  writer.byte(hasBloom ? 1 : 0);
  writer.fixed(header.parentHash, HASH);
  writer.fixed(header.ommersHash, HASH);
  writer.fixed(header.beneficiary, ADDRESS);
  writer.fixed(header.stateRoot, HASH);
  writer.fixed(header.transactionsRoot, HASH);
  writer.fixed(header.receiptsRoot, HASH);
  if (hasBloom) writer.fixed(header.logsBloom, BLOOM_LENGTH);
  writer.big(header.difficulty);
  writer.big(header.number);
  writer.big(header.gasLimit);
  writer.big(header.gasUsed);
  writer.big(header.timestamp);
  writer.bytes(header.extraData);
  writer.fixed(header.mixHash, HASH);
  writer.fixed(header.nonce, HEADER_NONCE);
  writer.big(header.baseFeePerGas);
}

function readHeader(reader: ByteReader): BlockHeader {
  const hasBloom = reader.byte() === 1;
  return {
    parentHash: reader.fixed(HASH),
    ommersHash: reader.fixed(HASH),
    beneficiary: reader.fixed(ADDRESS),
    stateRoot: reader.fixed(HASH),
    transactionsRoot: reader.fixed(HASH),
    receiptsRoot: reader.fixed(HASH),
    logsBloom: hasBloom ? reader.fixed(BLOOM_LENGTH) : ZERO_BLOOM.slice(),
    difficulty: reader.big(),
    number: reader.big(),
    gasLimit: reader.big(),
    gasUsed: reader.big(),
    timestamp: reader.big(),
    extraData: reader.bytes(),
    mixHash: reader.fixed(HASH),
    nonce: reader.fixed(HEADER_NONCE),
    baseFeePerGas: reader.big(),
  };
}

function writeRecord(record: BlockRecord): void {
  const { context } = record;
  writer.big(context.chainId);
  writer.big(context.blockNumber);
  writer.big(context.timestamp);
  writer.big(context.eip1559BaseFee);
  writer.big(context.pubdataPrice);
  writer.big(context.nativePrice);
  writer.fixed(context.coinbase, ADDRESS);
  writer.big(context.gasLimit);
  writer.big(context.pubdataLimit);
  writer.big(context.mixHash);
  writer.varint(context.executionVersion);
  writer.big(record.startingL1PriorityId);
  writer.big(record.previousBlockTimestamp);
  writer.bytes(text.encoder.encode(record.nodeVersion));
  writer.fixed(record.blockOutputHash, HASH);
  writer.varint(record.transactions.length);
  for (const raw of record.transactions) writer.bytes(raw);
}

function readRecord(reader: ByteReader): BlockRecord {
  const context = {
    chainId: reader.big(),
    blockNumber: reader.big(),
    timestamp: reader.big(),
    eip1559BaseFee: reader.big(),
    pubdataPrice: reader.big(),
    nativePrice: reader.big(),
    coinbase: reader.fixed(ADDRESS),
    gasLimit: reader.big(),
    pubdataLimit: reader.big(),
    mixHash: reader.big(),
    executionVersion: reader.varint(),
  };
  const startingL1PriorityId = reader.big();
  const previousBlockTimestamp = reader.big();
  const nodeVersion = text.decoder.decode(reader.bytes());
  const blockOutputHash = reader.fixed(HASH);
  const transactions = readMany(reader, () => reader.bytes());
  return { context, startingL1PriorityId, transactions, previousBlockTimestamp, nodeVersion, blockOutputHash };
}

function writeTransaction(output: TransactionOutput): void {
  const { contractAddress, gasRefunded } = output;
  writer.byte((output.success ? SUCCESS : 0) | (contractAddress ? CREATES : 0) | (gasRefunded > 0n ? REFUNDED : 0));
  writer.big(output.gasUsed);
  if (gasRefunded > 0n) writer.big(gasRefunded);
  writer.big(output.nativeUsed);
  writer.big(output.computationalNativeUsed);
  writer.big(output.pubdataUsed);
  writer.big(output.effectiveGasPrice);
  if (contractAddress) writer.fixed(contractAddress, ADDRESS);
  writer.bytes(output.returnData);
  writer.varint(output.logs.length);
  for (const log of output.logs) writeLog(writer, log);
  writer.varint(output.l2ToL1Logs.length);
  for (const log of output.l2ToL1Logs) writeL2ToL1Log(writer, log);
  writer.varint(output.messages.length);
  for (const message of output.messages) {
    writer.fixed(message.sender, ADDRESS);
    writer.bytes(message.data);
  }
}

function readTransaction(reader: ByteReader): TransactionOutput {
  const flags = reader.byte();
  return {
    success: (flags & SUCCESS) !== 0,
    gasUsed: reader.big(),
    gasRefunded: (flags & REFUNDED) !== 0 ? reader.big() : 0n,
    nativeUsed: reader.big(),
    computationalNativeUsed: reader.big(),
    pubdataUsed: reader.big(),
    effectiveGasPrice: reader.big(),
    contractAddress: (flags & CREATES) !== 0 ? reader.fixed(ADDRESS) : undefined,
    returnData: reader.bytes(),
    logs: readMany(reader, () => readLog(reader)),
    l2ToL1Logs: readMany(reader, () => readL2ToL1Log(reader)),
    messages: readMany(reader, (): L1Message => ({ sender: reader.fixed(ADDRESS), data: reader.bytes() })),
  };
}

interface StateChanges {
  readonly writes: readonly StorageWrite[];
  readonly preimages: readonly Preimage[];
}

/** The preimage of an account slot's value is the record that lies in the write already: it is a reference here. */
function writeState(writes: readonly StorageWrite[], preimages: readonly Preimage[]): void {
  writer.varint(writes.length);
  for (const write of writes) writeStorageWrite(write);
  writer.varint(preimages.length);
  const records = new RecordIndex(writes);
  for (const { hash, bytes } of preimages) {
    const index = records.find(hash, bytes);
    writer.varint(index + 1);
    if (index >= 0) continue;
    writer.fixed(hash, HASH);
    writer.bytes(bytes);
  }
}

function readState(reader: ByteReader): StateChanges {
  const writes = readMany(reader, () => readStorageWrite(reader));
  const preimages = readMany(reader, (): Preimage => {
    const reference = reader.varint();
    if (reference === 0) return { hash: reader.fixed(HASH), bytes: reader.bytes() };
    const write = writes[reference - 1];
    if (write?.accountRecord === undefined) {
      throw new StoreError(
        'fatal',
        'STORE_DAMAGED',
        'a journal entry refers to an account record that it does not hold. Run `reprise rebuild state`.',
      );
    }
    return { hash: write.value, bytes: write.accountRecord };
  });
  reader.finish();
  return { writes, preimages };
}

function writeStorageWrite(write: StorageWrite): void {
  const { slot, accountRecord } = write;
  const isAccountSlot = isPaddedAddress(slot) && compareBytes(write.address, ACCOUNT_PROPERTIES_ADDRESS) === 0;
  writer.byte((isAccountSlot ? ACCOUNT_SLOT : 0) | (accountRecord ? HAS_RECORD : 0));
  writer.fixed(write.flatKey, HASH);
  writer.fixed(write.value, HASH);
  if (isAccountSlot) {
    writer.fixed(slot.subarray(HASH - ADDRESS), ADDRESS);
  } else {
    writer.fixed(write.address, ADDRESS);
    writer.fixed(slot, HASH);
  }
  if (accountRecord) writer.bytes(accountRecord);
}

function readStorageWrite(reader: ByteReader): StorageWrite {
  const flags = reader.byte();
  const flatKey = reader.fixed(HASH);
  const value = reader.fixed(HASH);
  const isAccountSlot = (flags & ACCOUNT_SLOT) !== 0;
  const address = isAccountSlot ? ACCOUNT_PROPERTIES_ADDRESS : reader.fixed(ADDRESS);
  const slot = isAccountSlot ? padAddress(reader.fixed(ADDRESS)) : reader.fixed(HASH);
  const accountRecord = (flags & HAS_RECORD) !== 0 ? reader.bytes() : undefined;
  return { flatKey, value, address, slot, accountRecord };
}

function isPaddedAddress(slot: Bytes): boolean {
  for (let i = 0; i < HASH - ADDRESS; i++) if (slot[i] !== 0) return false;
  return slot.length === HASH;
}

/** Finds the first write whose value is a hash: open addressing on its first four bytes, which are uniform. */
class RecordIndex {
  readonly #writes: readonly StorageWrite[];
  readonly #table: Int32Array;
  readonly #mask: number;

  constructor(writes: readonly StorageWrite[]) {
    this.#writes = writes;
    let size = 16;
    while (size < writes.length * 2) size *= 2;
    this.#mask = size - 1;
    this.#table = new Int32Array(size).fill(-1);
    for (let index = 0; index < writes.length; index++) this.#add(index);
  }

  /** Index of the write that holds these bytes as its account record; -1: none. */
  find(hash: Bytes, bytes: Bytes): number {
    for (let at = this.#start(hash); ; at = (at + 1) & this.#mask) {
      const index = this.#table[at] ?? -1;
      if (index < 0) return -1;
      const write = this.#writes[index];
      if (write?.accountRecord !== undefined && compareBytes(write.value, hash) === 0) {
        return compareBytes(write.accountRecord, bytes) === 0 ? index : -1;
      }
    }
  }

  #add(index: number): void {
    const write = this.#writes[index];
    if (write?.accountRecord === undefined) return;
    let at = this.#start(write.value);
    while ((this.#table[at] ?? -1) >= 0) at = (at + 1) & this.#mask;
    this.#table[at] = index;
  }

  #start(hash: Bytes): number {
    return (((hash[0] ?? 0) << 24) | ((hash[1] ?? 0) << 16) | ((hash[2] ?? 0) << 8) | (hash[3] ?? 0)) & this.#mask;
  }
}
