/** What a log means, folded without a store: every block executed again, the trees held whole in memory. */
import type { Bytes } from '../../src/common/bytes.ts';
import { genesisContent } from '../../src/consumers/genesisBlock.ts';
import { replayBlock } from '../../src/consumers/replayBlock.ts';
import { EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import type { BatchSealedEntry, BlockEntry } from '../../src/log/entry.ts';
import { isSettlementEntry } from '../../src/log/entry.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { EMPTY_SETTLEMENT, type SettlementFold, foldSettlement } from '../../src/log/settlementFold.ts';
import { recoverSender } from '../../src/producers/senderRecovery.ts';
import { type BatchBlock, batchBlock } from '../../src/protocol/batch.ts';
import { nextBlockHashes } from '../../src/protocol/blockHeader.ts';
import type { BlockOutput } from '../../src/protocol/blockOutput.ts';
import { StateTree, type TreeVersion } from '../../src/protocol/stateTree.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { StateCache, stateLayer } from '../../src/store/stateCache.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';

const NO_HASHES: readonly Bytes[] = Array.from({ length: 256 }, () => new Uint8Array(32));

export interface NaiveBlock extends BatchBlock {
  readonly tree: Pick<TreeVersion, 'root' | 'leafCount'>;
  readonly inserts: number;
  readonly updates: number;
  /** The 256 newest up to and including its own, oldest first. */
  readonly blockHashes: readonly Bytes[];
}

export interface NaiveFold {
  /** By height; nothing at 0. */
  readonly blocks: readonly (NaiveBlock | undefined)[];
  readonly seals: readonly BatchSealedEntry[];
  readonly settlement: SettlementFold;
}

/** @throws when a block does not give the output hash that its record promises */
export async function foldNaively(entries: Iterable<LogEntry>): Promise<NaiveFold> {
  const blocks: (NaiveBlock | undefined)[] = [undefined];
  const seals: BatchSealedEntry[] = [];
  const tree = new StateTree();
  // Larger than any test's state: nothing is ever dropped, and what is not there does not exist.
  const state = new StateCache(
    { readState: (keys) => Promise.resolve(keys.map(() => undefined)) },
    {
      entries: 1e9,
      preimageBytes: 1e12,
    },
  );
  let [chain, settlement] = [EMPTY_FOLD, EMPTY_SETTLEMENT];
  let blockHashes: readonly Bytes[] = [];
  let [timestamp, nextL1PriorityId] = [0n, 0n];

  const applyWrites = (height: number, output: Pick<BlockOutput, 'writes' | 'preimages'>): TreeVersion => {
    state.apply(stateLayer(height, output));
    return tree.applyWrites(output.writes.map(({ flatKey: key, value }) => ({ key, value })));
  };

  const applyBlock = async ({ record }: BlockEntry): Promise<NaiveBlock> => {
    const transactions = record.transactions.map((raw) => {
      const transaction = decodeTransaction(raw);
      return {
        transaction,
        sender: isL1Transaction(transaction) ? transaction.initiator : recoverSender(transaction),
      };
    });
    const output = await replayBlock({
      record,
      blockHashes,
      transactions,
      state: state.view([]),
      previousBlockTimestamp: timestamp,
      nextL1PriorityId,
    });
    const before = tree.leafCount;
    const version = applyWrites(Number(record.context.blockNumber), output);
    const block = batchBlock(record, output);
    blockHashes = nextBlockHashes(blockHashes, output.blockHash);
    timestamp = record.context.timestamp;
    nextL1PriorityId += BigInt(block.priorityHashes.length);
    const inserts = version.leafCount - before;
    return { ...block, tree: version, inserts, updates: output.writes.length - inserts, blockHashes };
  };

  for (const logEntry of entries) {
    const entry = decodeEntry(logEntry.schema, logEntry.bytes);
    const onChain = foldChain(chain, entry, SOFTWARE);
    if (entry !== undefined && isSettlementEntry(entry)) {
      const settled = foldSettlement(settlement, entry, chain, SOFTWARE);
      settlement = settled.state;
      if (settled.verdict === 'accepted' && entry.kind === 'BatchSealed') seals.push(entry);
    }
    chain = onChain.state;
    if (onChain.verdict !== 'accepted') continue;
    if (entry?.kind === 'Genesis') {
      const content = genesisContent(entry, logEntry);
      applyWrites(0, content);
      blockHashes = nextBlockHashes(NO_HASHES, content.blockHash);
    } else if (entry?.kind === 'Block') blocks.push(await applyBlock(entry));
  }
  return { blocks, seals, settlement };
}
