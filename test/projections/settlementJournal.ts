/** Journals with priority operations, seals, proofs and progress of L1, from a seed, beside what a naive fold of them gives. */
import { keccak256 } from '../../src/common/hash.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { storedBatchInfo } from '../../src/protocol/batch.ts';
import { l2LogRoot } from '../../src/protocol/logTree.ts';
import { priorityOperationsHash } from '../../src/protocol/priorityTree.ts';
import { encodeL2ToL1Log } from '../../src/protocol/receipts.ts';
import { storedBatchHash } from '../../src/protocol/storedBatch.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction, encodeL1Transaction } from '../../src/protocol/transactionCodec.ts';
import type { CanonicalBlock, JournalEntry, JournalEvent } from '../../src/store/journal.ts';
import { aCommitInfo } from '../support/logEntries.ts';
import { type JournalShape, Random, aJournal } from './journalFactory.ts';

/** What a naive fold knows of a batch. */
export interface NaiveBatch {
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly firstId: number;
  readonly priorityHashes: readonly Bytes[];
  readonly logs: readonly { block: number; transactionIndex: number; logIndex: number; encoded: Bytes }[];
  readonly transactions: number;
  readonly storedBatchHash: Bytes;
}

export interface SettlementJournal {
  readonly entries: readonly JournalEntry[];
  /** Of batch 1 on. */
  readonly batches: readonly NaiveBatch[];
  /** Every operation in a block, sealed or not. */
  readonly operations: readonly Bytes[];
  readonly executed: number;
  readonly committed: number;
}

export function aSettlementJournal(changes: Partial<JournalShape> & { readonly seed: number }): SettlementJournal {
  const random = new Random(changes.seed + 1_000_000);
  const events: JournalEvent[] = [];
  const operations: Bytes[] = [];
  const batches: NaiveBatch[] = [];
  let open: NaiveBlock[] = [];
  const counters = { committed: 0, proved: 0, executed: 0 };
  let l1Block = 0n;
  for (const { event } of aJournal(changes)) {
    if (event.kind !== 'Block') {
      events.push(event);
      continue;
    }
    const block = withPriorityIds(event, operations.length);
    const naive = naiveBlock(block, operations.length);
    operations.push(...naive.priorityHashes);
    open.push(naive);
    events.push(block);
    if (random.chance(0.4)) {
      const taken = open.slice(0, 1 + random.below(open.length));
      open = open.slice(taken.length);
      const batch = naiveBatch(batches.length + 1, taken);
      batches.push(batch.naive);
      events.push(batch.seal);
    }
    if (random.chance(0.2) && batches.length > 0)
      events.push({
        kind: 'FriProved',
        position: 0,
        batch: 1 + random.below(batches.length),
        proofKind: random.pick(['real', 'fake']),
        proof: { key: `fri/${random.below(9)}`, hash: random.bytes(32) },
      });
    if (random.chance(0.1) && counters.committed > counters.executed)
      events.push({
        kind: 'SnarkProved',
        position: 0,
        fromBatch: counters.executed + 1,
        toBatch: counters.committed,
        proofKind: 'fake',
        proof: { key: '', hash: new Uint8Array(32) },
      });
    if (random.chance(0.25) && batches.length > 0) {
      counters.committed += random.below(batches.length - counters.committed + 1);
      counters.proved += random.below(counters.committed - counters.proved + 1);
      counters.executed += random.below(counters.proved - counters.executed + 1);
      l1Block += 1n;
      const l1BlockHash = random.bytes(32);
      events.push({ kind: 'L1Progress', position: 0, ...counters, l1BlockNumber: l1Block, l1BlockHash });
    }
  }
  const { executed, committed } = counters;
  return {
    entries: events.map((event, index) => ({ index, event: { ...event, position: index } })),
    batches,
    operations,
    executed,
    committed,
  };
}

interface NaiveBlock {
  readonly height: number;
  readonly firstId: number;
  readonly priorityHashes: readonly Bytes[];
  readonly logs: NaiveBatch['logs'];
  readonly transactions: number;
}

function naiveBlock({ height, record, output }: CanonicalBlock, firstId: number): NaiveBlock {
  return {
    height,
    firstId,
    priorityHashes: record.transactions
      .map((raw) => decodeTransaction(raw))
      .filter(isL1Transaction)
      .map(({ hash }) => hash),
    logs: output.transactions.flatMap(({ l2ToL1Logs }, transactionIndex) =>
      l2ToL1Logs.map((log, logIndex) => ({ block: height, transactionIndex, logIndex, encoded: encodeL2ToL1Log(log) })),
    ),
    transactions: record.transactions.length,
  };
}

function naiveBatch(batch: number, blocks: readonly NaiveBlock[]): { naive: NaiveBatch; seal: JournalEvent } {
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('a batch has a block');
  const priorityHashes = blocks.flatMap((block) => block.priorityHashes);
  const logs = blocks.flatMap((block) => block.logs);
  const commitInfo = aCommitInfo({
    batchNumber: BigInt(batch),
    newStateCommitment: keccak256(Uint8Array.of(batch & 0xff, batch >> 8)),
    numberOfLayer1Txs: BigInt(priorityHashes.length),
    priorityOperationsHash: priorityOperationsHash(priorityHashes),
    l2ToL1LogsRootHash: l2LogRoot(logs.map(({ encoded }) => encoded)),
  });
  const naive: NaiveBatch = {
    firstBlock: first.height,
    lastBlock: last.height,
    firstId: first.firstId,
    priorityHashes,
    logs,
    transactions: blocks.reduce((sum, { transactions }) => sum + transactions, 0),
    storedBatchHash: storedBatchHash(storedBatchInfo(commitInfo)),
  };
  const { firstBlock, lastBlock } = naive;
  return {
    naive,
    seal: {
      kind: 'BatchSealed',
      position: 0,
      batch,
      firstBlock,
      lastBlock,
      storedBatchHash: naive.storedBatchHash,
      reason: 'timeout',
      commitInfo,
    },
  };
}

/** The factory's priority transactions, with ids that follow each other. */
function withPriorityIds(block: CanonicalBlock, firstId: number): CanonicalBlock {
  let id = BigInt(firstId);
  const transactions = block.record.transactions.map((raw) => {
    const transaction = decodeTransaction(raw);
    return isL1Transaction(transaction) ? encodeL1Transaction({ ...transaction, nonce: id++ }).raw : raw;
  });
  return { ...block, record: { ...block.record, startingL1PriorityId: BigInt(firstId), transactions } };
}
