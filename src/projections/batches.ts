/**
 * `batches`: accepted seals, which block is in which batch, and the L2 to L1 logs that a batch commits to (design.md 6,
 * spec: batches 5, 6.2). Boundaries come from the seals and are never recomputed.
 */
import { type Bytes, asBuffer } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { keccak256 } from '../common/hash.ts';
import { PROOF_KINDS } from '../protocol/batch.ts';
import { inTurns } from '../common/turns.ts';
import { l2LogLeafPathSteps } from '../protocol/logTree.ts';
import { encodeL2ToL1Log } from '../protocol/receipts.ts';
import { BATCHES } from '../store/buckets.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import type {
  AcceptedProof,
  AcceptedRange,
  BatchesReader,
  BatchProgress,
  LogProof,
  SealedBatchDetails,
} from './batchesReader.ts';
import { numberKey, numberOfKey } from './numberKey.ts';
import type { BatchSealed, CanonicalBlock, JournalEntry, Projection, StoreTx } from './projection.ts';

const HASH = 32;
const ADDRESS = 20;
const LARGEST_NUMBER = 2 ** 48 - 1;
/** Blocks of a seal that are read at once. */
const BLOCKS_AT_ONCE = 512;
const PROGRESS_KEY = Uint8Array.of(BATCHES.progress);

export const batches: Projection<BatchesReader> = {
  name: 'batches',
  version: 1,
  apply,
  reader: (store) => new StoredBatches(store),
};

const values = new ByteWriter();
const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

async function apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
  switch (event.kind) {
    case 'Genesis':
      return;
    case 'Block':
      tx.put(numberKey(BATCHES.openBlock, event.height), encodeOpenBlock(event));
      return;
    case 'BatchSealed':
      return applySeal(event, tx);
    case 'FriProved':
      values.reset();
      writeProof({ kind: event.proofKind, proof: event.proof });
      tx.put(numberKey(BATCHES.friProof, event.batch), values.take());
      return;
    case 'SnarkProved':
      values.reset();
      values.varint(event.toBatch);
      writeProof({ kind: event.proofKind, proof: event.proof });
      tx.put(numberKey(BATCHES.snarkProof, event.fromBatch), values.take());
      return;
    case 'L1Progress':
      values.reset();
      values.varint(event.committed);
      values.varint(event.proved);
      values.varint(event.executed);
      values.big(event.l1BlockNumber);
      tx.put(PROGRESS_KEY, values.take());
  }
}

/** Logs of one transaction. */
interface LogGroup {
  readonly block: number;
  readonly transactionIndex: number;
  readonly count: number;
}

/** Number of transactions; then, of each transaction with logs, index, count and leaves. */
function encodeOpenBlock({ output }: CanonicalBlock): Bytes {
  values.reset();
  values.varint(output.transactions.length);
  output.transactions.forEach(({ l2ToL1Logs }, index) => {
    if (l2ToL1Logs.length === 0) return;
    values.varint(index);
    values.varint(l2ToL1Logs.length);
    for (const log of l2ToL1Logs) values.fixed(keccak256(encodeL2ToL1Log(log)), HASH);
  });
  return values.take();
}

async function applySeal(seal: BatchSealed, tx: StoreTx): Promise<void> {
  const groups: LogGroup[] = [];
  const leaves: Bytes[] = [];
  let transactions = 0;
  for (let from = seal.firstBlock; from <= seal.lastBlock; from += BLOCKS_AT_ONCE) {
    const count = Math.min(BLOCKS_AT_ONCE, seal.lastBlock - from + 1);
    const keys = Array.from({ length: count }, (_, i) => numberKey(BATCHES.openBlock, from + i));
    const rows = await tx.getMany(keys);
    rows.forEach((row, i) => {
      if (row === undefined) throw damaged(seal.batch, `block ${from + i} of it is missing`);
      const reader = new ByteReader(row);
      transactions += reader.varint();
      while (!reader.done) {
        const group = { block: from + i, transactionIndex: reader.varint(), count: reader.varint() };
        groups.push(group);
        for (let left = group.count; left > 0; left--) leaves.push(reader.fixed(HASH));
      }
    });
    for (const key of keys) tx.delete(key);
  }
  tx.put(numberKey(BATCHES.batch, seal.batch), encodeSeal(seal, transactions));
  tx.put(numberKey(BATCHES.lastBlock, seal.lastBlock), numberKey(BATCHES.batch, seal.batch).slice(1));
  if (leaves.length > 0) tx.put(numberKey(BATCHES.leaves, seal.batch), encodeLeaves(seal, groups, leaves));
}

function encodeLeaves(seal: BatchSealed, groups: readonly LogGroup[], leaves: readonly Bytes[]): Bytes {
  values.reset();
  values.varint(groups.length);
  for (const { block, transactionIndex, count } of groups) {
    values.varint(block - seal.firstBlock);
    values.varint(transactionIndex);
    values.varint(count);
  }
  for (const leaf of leaves) values.fixed(leaf, HASH);
  return values.take();
}

function encodeSeal(seal: BatchSealed, transactions: number): Bytes {
  const { commitInfo: info } = seal;
  values.reset();
  values.varint(seal.firstBlock);
  values.varint(seal.lastBlock);
  values.varint(transactions);
  values.fixed(seal.storedBatchHash, HASH);
  values.bytes(text.encoder.encode(seal.reason));
  values.big(info.batchNumber);
  values.fixed(info.newStateCommitment, HASH);
  values.big(info.numberOfLayer1Txs);
  values.fixed(info.priorityOperationsHash, HASH);
  values.fixed(info.dependencyRootsRollingHash, HASH);
  values.fixed(info.l2ToL1LogsRootHash, HASH);
  values.fixed(info.l2DaValidator, ADDRESS);
  values.fixed(info.daCommitment, HASH);
  values.big(info.firstBlockTimestamp);
  values.big(info.lastBlockTimestamp);
  values.big(info.chainId);
  values.fixed(info.chainAddress, ADDRESS);
  values.bytes(info.upgradeTxHash ?? new Uint8Array(0));
  return values.take();
}

function decodeSeal(batch: number, value: Bytes): Omit<SealedBatchDetails, 'friProof'> {
  const reader = new ByteReader(value);
  const firstBlock = reader.varint();
  const lastBlock = reader.varint();
  const transactions = reader.varint();
  const storedBatchHash = reader.fixedCopy(HASH);
  const reason = text.decoder.decode(reader.bytes());
  const commitInfo = {
    batchNumber: reader.big(),
    newStateCommitment: reader.fixedCopy(HASH),
    numberOfLayer1Txs: reader.big(),
    priorityOperationsHash: reader.fixedCopy(HASH),
    dependencyRootsRollingHash: reader.fixedCopy(HASH),
    l2ToL1LogsRootHash: reader.fixedCopy(HASH),
    l2DaValidator: reader.fixedCopy(ADDRESS),
    daCommitment: reader.fixedCopy(HASH),
    firstBlockTimestamp: reader.big(),
    lastBlockTimestamp: reader.big(),
    chainId: reader.big(),
    chainAddress: reader.fixedCopy(ADDRESS),
    upgradeTxHash: hashOrNone(reader.bytesCopy()),
  };
  reader.finish();
  return { batch, firstBlock, lastBlock, storedBatchHash, reason, commitInfo, transactions };
}

function hashOrNone(bytes: Bytes): Bytes | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

function writeProof({ kind, proof }: AcceptedProof): void {
  values.byte(PROOF_KINDS.indexOf(kind));
  values.bytes(text.encoder.encode(proof.key));
  values.fixed(proof.hash, HASH);
}

function readProof(reader: ByteReader, batch: number): AcceptedProof {
  const kind = PROOF_KINDS[reader.byte()];
  if (kind === undefined) throw damaged(batch, 'its proof is of no known kind');
  const proof = { key: text.decoder.decode(reader.bytes()), hash: reader.fixedCopy(HASH) };
  reader.finish();
  return { kind, proof };
}

class StoredBatches implements BatchesReader {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async batch(batch: number): Promise<SealedBatchDetails | undefined> {
    const [seal, fri] = await this.#store.getMany([
      numberKey(BATCHES.batch, batch),
      numberKey(BATCHES.friProof, batch),
    ]);
    if (seal === undefined) return undefined;
    const friProof = fri === undefined ? undefined : readProof(new ByteReader(fri), batch);
    return { ...decodeSeal(batch, seal), friProof };
  }

  async batchOfBlock(block: number): Promise<SealedBatchDetails | undefined> {
    const range = {
      gte: numberKey(BATCHES.lastBlock, block),
      lte: numberKey(BATCHES.lastBlock, LARGEST_NUMBER),
      limit: 1,
    };
    for await (const [, value] of this.#store.range(range)) {
      const found = await this.batch(asBuffer(value).readUIntBE(0, value.length));
      return found !== undefined && found.firstBlock <= block && block <= found.lastBlock ? found : undefined;
    }
    return undefined;
  }

  async newestBatch(): Promise<number> {
    const range = {
      gte: numberKey(BATCHES.batch, 0),
      lte: numberKey(BATCHES.batch, LARGEST_NUMBER),
      reverse: true,
      limit: 1,
    };
    for await (const [key] of this.#store.range(range)) return numberOfKey(key);
    return 0;
  }

  async progress(): Promise<BatchProgress> {
    const value = await this.#store.get(PROGRESS_KEY);
    if (value === undefined) return { committed: 0, proved: 0, executed: 0, l1BlockNumber: 0n };
    const reader = new ByteReader(value);
    const progress = {
      committed: reader.varint(),
      proved: reader.varint(),
      executed: reader.varint(),
      l1BlockNumber: reader.big(),
    };
    reader.finish();
    return progress;
  }

  async snarkProof(fromBatch: number): Promise<AcceptedRange | undefined> {
    const value = await this.#store.get(numberKey(BATCHES.snarkProof, fromBatch));
    if (value === undefined) return undefined;
    const reader = new ByteReader(value);
    return { fromBatch, toBatch: reader.varint(), ...readProof(reader, fromBatch) };
  }

  async logProof(at: {
    readonly block: number;
    readonly transactionIndex: number;
    readonly logIndex: number;
  }): Promise<LogProof | undefined> {
    const sealed = await this.batchOfBlock(at.block);
    if (sealed === undefined) return undefined;
    const row = await this.#store.get(numberKey(BATCHES.leaves, sealed.batch));
    if (row === undefined) return undefined;
    const reader = new ByteReader(row);
    let id: number | undefined;
    let before = 0;
    for (let left = reader.varint(); left > 0; left--) {
      const block = sealed.firstBlock + reader.varint();
      const transactionIndex = reader.varint();
      const count = reader.varint();
      if (block === at.block && transactionIndex === at.transactionIndex && at.logIndex < count)
        id = before + at.logIndex;
      before += count;
    }
    if (id === undefined) return undefined;
    const leaves: Bytes[] = [];
    for (let left = before; left > 0; left--) leaves.push(reader.fixed(HASH));
    reader.finish();
    const leaf = leaves[id];
    if (leaf === undefined) throw damaged(sealed.batch, `leaf ${id} of it is missing`);
    const { root, path } = await inTurns(l2LogLeafPathSteps(leaves, id));
    return {
      batch: sealed.batch,
      id,
      leaf: new Uint8Array(leaf),
      root,
      path: path.map((hash) => new Uint8Array(hash)),
    };
  }
}

function damaged(batch: number, what: string): NodeError {
  return new NodeError(
    'fatal',
    `the batches store is damaged at batch ${batch}: ${what}. Build it again from the log with \`reprise rebuild batches\`.`,
    { code: 'STORE_DAMAGED', batch },
  );
}
