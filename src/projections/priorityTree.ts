/**
 * `priorityTree`: the tree of all priority operations as L1 keeps it (spec: priority-tree). Leaves stay until L1 has executed
 * their batch; then the left siblings of the first leaf that stays are all that the tree needs of them.
 */
import { type Bytes, asBuffer } from '../common/bytes.ts';
import { NodeError, assert } from '../common/errors.ts';
import { TrimmedTree, type TrimmedState } from '../protocol/priorityTree.ts';
import { L1_PRIORITY_TYPE } from '../protocol/transaction.ts';
import { decodeTransaction } from '../protocol/transactionCodec.ts';
import { PRIORITY_TREE } from '../store/buckets.ts';
import { ByteReader } from '../store/byteReader.ts';
import { ByteWriter } from '../store/byteWriter.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import { numberKey } from './numberKey.ts';
import type { BatchPriorityProof, PriorityTreeReader, PriorityTreeStatus } from './priorityTreeReader.ts';
import type { BatchSealed, CanonicalBlock, JournalEntry, L1Progress, Projection, StoreTx } from './projection.ts';

const HASH = 32;
const STATE_KEY = Uint8Array.of(PRIORITY_TREE.state);
/** Leaves that are read at once. */
const LEAVES_AT_ONCE = 1024;
/** A proof is read while leaves are trimmed: then it is read again. */
const READS_MAX = 8;

export const priorityTree: Projection<PriorityTreeReader> = {
  name: 'priorityTree',
  version: 1,
  apply,
  reader: (store) => new StoredPriorityTree(store),
};

interface TreeState {
  /** What is trimmed: leaves of executed batches. */
  readonly trimmed: TrimmedState;
  /** Leaves in accepted blocks. */
  readonly leaves: number;
  /** Leaves in sealed batches. */
  readonly sealed: number;
  readonly executedBatch: number;
}

const EMPTY: TreeState = { trimmed: { start: 0, cache: [] }, leaves: 0, sealed: 0, executedBatch: 0 };
const values = new ByteWriter();

async function apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
  switch (event.kind) {
    case 'Block':
      return applyBlock(event, tx);
    case 'BatchSealed':
      return applySeal(event, tx);
    case 'L1Progress':
      return applyProgress(event, tx);
    default:
  }
}

async function applyBlock({ height, record }: CanonicalBlock, tx: StoreTx): Promise<void> {
  const state = await readState(tx);
  assert(
    record.startingL1PriorityId === BigInt(state.leaves),
    `block ${height} starts at priority id ${record.startingL1PriorityId}, the tree has ${state.leaves} leaves`,
  );
  let { leaves } = state;
  for (const raw of record.transactions)
    if (raw[0] === L1_PRIORITY_TYPE) tx.put(numberKey(PRIORITY_TREE.leaf, leaves++), decodeTransaction(raw).hash);
  tx.put(numberKey(PRIORITY_TREE.blockEnd, height), encodeNumbers(leaves));
  if (leaves !== state.leaves) putState(tx, { ...state, leaves });
}

async function applySeal({ batch, firstBlock, lastBlock }: BatchSealed, tx: StoreTx): Promise<void> {
  const state = await readState(tx);
  const row = await tx.get(numberKey(PRIORITY_TREE.blockEnd, lastBlock));
  if (row === undefined) throw damaged(`block ${lastBlock} of batch ${batch} is missing`);
  const [sealed] = decodeNumbers(row, 1);
  assert(sealed !== undefined && sealed >= state.sealed, `batch ${batch} ends before leaf ${state.sealed}`);
  for (let height = firstBlock; height <= lastBlock; height++) tx.delete(numberKey(PRIORITY_TREE.blockEnd, height));
  tx.put(numberKey(PRIORITY_TREE.batch, batch), encodeNumbers(state.sealed, sealed - state.sealed));
  if (sealed !== state.sealed) putState(tx, { ...state, sealed });
}

async function applyProgress({ executed }: L1Progress, tx: StoreTx): Promise<void> {
  const state = await readState(tx);
  if (executed === state.executedBatch) return;
  const row = await tx.get(numberKey(PRIORITY_TREE.batch, executed));
  if (row === undefined) throw damaged(`batch ${executed} is missing`);
  const [firstId = 0, count = 0] = decodeNumbers(row, 2);
  for (let batch = state.executedBatch + 1; batch <= executed; batch++)
    tx.delete(numberKey(PRIORITY_TREE.batch, batch));
  const { start } = state.trimmed;
  const end = firstId + count;
  const tree = await treeUpTo(tx, state.trimmed, end);
  tree.trim(end - start);
  for (let id = start; id < end; id++) tx.delete(numberKey(PRIORITY_TREE.leaf, id));
  putState(tx, { ...state, trimmed: tree.state, executedBatch: executed });
}

type Readable = Pick<KeyValueStore, 'getMany'>;

/** Of exactly `end` leaves. Throws STORE_DAMAGED when one is missing. */
async function treeUpTo(store: Readable, trimmed: TrimmedState, end: number): Promise<TrimmedTree> {
  const tree = TrimmedTree.restore(trimmed);
  for (let from = trimmed.start; from < end; from += LEAVES_AT_ONCE) {
    const count = Math.min(LEAVES_AT_ONCE, end - from);
    const keys = Array.from({ length: count }, (_, i) => numberKey(PRIORITY_TREE.leaf, from + i));
    const leaves = await store.getMany(keys);
    leaves.forEach((leaf, i) => {
      if (leaf === undefined) throw damaged(`leaf ${from + i} is missing`);
      tree.push(leaf);
    });
  }
  return tree;
}

async function readState(store: Readable): Promise<TreeState> {
  const [value] = await store.getMany([STATE_KEY]);
  return value === undefined ? EMPTY : decodeState(value);
}

function putState(tx: StoreTx, { trimmed, leaves, sealed, executedBatch }: TreeState): void {
  values.reset();
  values.varint(trimmed.start);
  values.varint(trimmed.cache.length);
  for (const hash of trimmed.cache) values.bytes(hash ?? new Uint8Array(0));
  values.varint(leaves);
  values.varint(sealed);
  values.varint(executedBatch);
  tx.put(STATE_KEY, values.take());
}

function decodeState(value: Bytes): TreeState {
  const reader = new ByteReader(value);
  const start = reader.varint();
  const cache: (Bytes | undefined)[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const hash = reader.bytesCopy();
    cache.push(hash.length === HASH ? hash : undefined);
  }
  const state = {
    trimmed: { start, cache },
    leaves: reader.varint(),
    sealed: reader.varint(),
    executedBatch: reader.varint(),
  };
  reader.finish();
  return state;
}

function encodeNumbers(...numbers: readonly number[]): Bytes {
  const out = new Uint8Array(numbers.length * 6);
  numbers.forEach((number, i) => asBuffer(out).writeUIntBE(number, i * 6, 6));
  return out;
}

function decodeNumbers(value: Bytes, count: number): number[] {
  if (value.length !== count * 6) throw damaged(`a row has ${value.length} bytes`);
  return Array.from({ length: count }, (_, i) => asBuffer(value).readUIntBE(i * 6, 6));
}

class StoredPriorityTree implements PriorityTreeReader {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async batchProof(batch: number): Promise<BatchPriorityProof | undefined> {
    for (let attempt = 1; ; attempt++) {
      const state = await readState(this.#store);
      const row = await this.#store.get(numberKey(PRIORITY_TREE.batch, batch));
      if (row === undefined) return undefined;
      const [firstId = 0, count = 0] = decodeNumbers(row, 2);
      if (count === 0) return { firstId, count, proof: { leftPath: [], rightPath: [], itemHashes: [] } };
      try {
        const tree = await treeUpTo(this.#store, state.trimmed, firstId + count);
        const { leftPath, rightPath, itemHashes } = tree.rangeProof(firstId, count);
        const copy = (hashes: readonly Bytes[]): Bytes[] => hashes.map((hash) => new Uint8Array(hash));
        return {
          firstId,
          count,
          proof: { leftPath: copy(leftPath), rightPath: copy(rightPath), itemHashes: copy(itemHashes) },
        };
      } catch (error) {
        const now = await readState(this.#store);
        if (now.trimmed.start === state.trimmed.start || attempt === READS_MAX) throw error;
      }
    }
  }

  async status(): Promise<PriorityTreeStatus> {
    const { trimmed, leaves, sealed } = await readState(this.#store);
    return { operations: leaves, sealed, executed: trimmed.start };
  }
}

function damaged(what: string): NodeError {
  return new NodeError(
    'fatal',
    `the priorityTree store is damaged: ${what}. Build it again from the log with \`reprise rebuild priorityTree\`.`,
    { code: 'STORE_DAMAGED' },
  );
}
