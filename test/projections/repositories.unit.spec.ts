import assert from 'node:assert/strict';
import { toHex, type Bytes } from '../../src/common/bytes.ts';
import { PendingWrites } from '../../src/projections/pendingWrites.ts';
import { repositories } from '../../src/projections/repositories.ts';
import type { RepositoriesReader, StoredReceipt } from '../../src/projections/repositoriesReader.ts';
import { headerItems } from '../../src/protocol/blockHeader.ts';
import { mergeBloom } from '../../src/protocol/bloom.ts';
import { decodeRlp, encodeRlp } from '../../src/protocol/rlp.ts';
import { isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import type { CanonicalBlock, JournalEntry } from '../../src/store/journal.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { aJournal, Random } from './journalFactory.ts';
import { repositoriesOf } from './repositoriesOf.ts';

describe('projections/repositories', () => {
  describe('as every projection', () => {
    projectionContract(repositories, aJournal({ blocks: 24, transactionsPerBlock: 3, seed: 5 }));
  });

  describe('as every projection, past a complete section of the log index', () => {
    projectionContract(
      repositories,
      aJournal({ blocks: 258, transactionsPerBlock: 1, logsPerTransaction: 0.5, largeInputShare: 0, seed: 6 }),
    );
  });

  describe('answers', () => {
    const entries = aJournal({ blocks: 6, transactionsPerBlock: 70, logsPerTransaction: 1.3, seed: 8 });
    const blocks = entries.flatMap(({ event }) => (event.kind === 'Block' ? [event] : []));
    let reader: RepositoriesReader;

    before(async () => {
      reader = await repositoriesOf(entries);
    });

    it('blocks by number and by hash, genesis included', async () => {
      const [genesis] = entries;
      assert.ok(genesis?.event.kind === 'Genesis');
      const first = await reader.blockByNumber(0);
      assert.deepEqual(first?.header, genesis.event.header);
      assert.deepEqual(first?.transactionHashes, []);
      assert.equal(await reader.blockNumberByHash(genesis.event.blockHash), 0);
      assert.deepEqual(await reader.receiptsOfBlock(0), []);
      for (const { height, output } of blocks) {
        const block = await reader.blockByNumber(height);
        assert.deepEqual(block?.header, output.header);
        assert.deepEqual(block?.hash, output.blockHash);
        assert.equal(await reader.blockNumberByHash(output.blockHash), height);
      }
    });

    it('the size of a block with its full transactions', async () => {
      for (const { height, output, record } of blocks) {
        const transactions = record.transactions.map((raw) => ((raw[0] ?? 0) >= 0xc0 ? decodeRlp(raw) : raw));
        const whole = encodeRlp([headerItems(output.header, { bloom: true }), transactions, []]);
        assert.equal((await reader.blockByNumber(height))?.sizeBytes, whole.length);
      }
      const empty = aJournal({ blocks: 1, transactionsPerBlock: 0 });
      const [, emptyBlock] = empty;
      assert.ok(emptyBlock?.event.kind === 'Block');
      const whole = encodeRlp([headerItems(emptyBlock.event.output.header, { bloom: true }), [], []]);
      const emptyReader = await repositoriesOf(empty);
      assert.equal((await emptyReader.blockByNumber(1))?.sizeBytes, whole.length);
      assert.deepEqual(await emptyReader.transactionsOfBlock(1), []);
    });

    it('transactions by hash and by block', async () => {
      for (const block of blocks) {
        const hashes = (await reader.blockByNumber(block.height))?.transactionHashes ?? [];
        const ofBlock = await reader.transactionsOfBlock(block.height);
        assert.equal(ofBlock?.length, 70);
        for (const [index, raw] of block.record.transactions.entries()) {
          const { hash } = decodeTransaction(raw);
          assert.deepEqual(hashes[index], hash);
          const found = await reader.transactionByHash(hash);
          assert.deepEqual(found, ofBlock[index]);
          assert.deepEqual(found?.raw, raw);
          assert.deepEqual(found.sender, block.senders[index]);
          assert.deepEqual(found.meta, expectedMeta(block, index));
        }
      }
    });

    it('receipts by hash and by block', async () => {
      for (const block of blocks) {
        const ofBlock = await reader.receiptsOfBlock(block.height);
        assert.equal(ofBlock?.length, 70);
        const bloom = new Uint8Array(256);
        for (const [index, receipt] of ofBlock.entries()) {
          assert.deepEqual(
            { ...receipt, logsBloom: undefined },
            { ...expectedReceipt(block, index), logsBloom: undefined },
          );
          assert.deepEqual(await reader.receiptByHash(receipt.transactionHash), receipt);
          mergeBloom(bloom, receipt.logsBloom);
        }
        assert.deepEqual(bloom, block.output.header.logsBloom);
      }
    });

    it('the transaction of a sender and nonce, of L2 transactions only', async () => {
      let found = 0;
      for (const block of blocks) {
        for (const [index, raw] of block.record.transactions.entries()) {
          const transaction = decodeTransaction(raw);
          const sender = block.senders[index];
          assert.ok(sender !== undefined);
          const hash = await reader.transactionHashBySenderAndNonce(sender, transaction.nonce);
          assert.deepEqual(hash, isL1Transaction(transaction) ? undefined : transaction.hash);
          if (hash !== undefined) found += 1;
        }
      }
      assert.ok(found > 200 && found < 420);
    });

    it('transactions with their receipts by place, in whatever order', async () => {
      const random = new Random(12);
      const places = Array.from({ length: 150 }, () => ({
        blockNumber: random.below(8),
        transactionIndex: random.below(80),
      }));
      const ordered = places.toSorted(
        (a, b) => b.blockNumber - a.blockNumber || b.transactionIndex - a.transactionIndex,
      );
      for (const asked of [places, ordered, ordered.toReversed()]) {
        const found = await reader.transactionsAt(asked);
        assert.equal(found.length, asked.length);
        for (const [i, { blockNumber, transactionIndex }] of asked.entries()) {
          const transaction = (await reader.transactionsOfBlock(blockNumber))?.[transactionIndex];
          const receipt = (await reader.receiptsOfBlock(blockNumber))?.[transactionIndex];
          assert.deepEqual(found[i], transaction && receipt && { transaction, receipt });
        }
      }
      assert.ok((await reader.transactionsAt(places)).filter((each) => each === undefined).length > 10);
    });

    it('what the senders of a block paid', async () => {
      for (const { height, output } of blocks) {
        const fees = output.transactions.reduce(
          (sum, { gasUsed, effectiveGasPrice }) => sum + gasUsed * effectiveGasPrice,
          0n,
        );
        assert.equal(await reader.feesOfBlock(height), fees);
      }
      assert.equal(await reader.feesOfBlock(0), 0n);
      assert.equal(await reader.feesOfBlock(7), undefined);
    });

    it('undefined for what is not there', async () => {
      const nothing = new Random(99).bytes(32);
      assert.equal(await reader.blockByNumber(7), undefined);
      assert.equal(await reader.blockNumberByHash(nothing), undefined);
      assert.equal(await reader.transactionByHash(nothing), undefined);
      assert.equal(await reader.receiptByHash(nothing), undefined);
      assert.equal(await reader.transactionsOfBlock(7), undefined);
      assert.equal(await reader.receiptsOfBlock(7), undefined);
      assert.equal(await reader.transactionHashBySenderAndNonce(nothing.slice(0, 20), 0n), undefined);
    });

    it('with bytes of their own, so that crossing a thread copies nothing else', async () => {
      const [block] = blocks;
      assert.ok(block !== undefined);
      const hash = decodeTransaction(block.record.transactions[20] ?? new Uint8Array(0)).hash;
      const addresses = block.output.transactions.flatMap(({ logs }) => logs.map(({ address }) => address)).slice(0, 1);
      const answers = [
        await reader.blockByNumber(1),
        await reader.transactionByHash(hash),
        await reader.receiptByHash(hash),
        await reader.receiptsOfBlock(1),
        await reader.transactionsOfBlock(1),
        await reader.transactionHashBySenderAndNonce(block.senders[20] ?? hash, 10_020n),
        await reader.logs({ fromBlock: 1, toBlock: 1, addresses, topics: [], maxResults: 1 }),
      ];
      assert.ok(allBytes(answers).length > 500);
      for (const bytes of allBytes(answers)) assert.equal(bytes.buffer.byteLength, bytes.length, toHex(bytes));
    });

    it('refuses a block whose parts do not fit together', async () => {
      const [block] = blocks;
      assert.ok(block !== undefined);
      const tx = new PendingWrites(new MemoryStore());
      const entry: JournalEntry = { index: 1, event: { ...block, senders: block.senders.slice(1) } };
      await assert.rejects(repositories.apply(entry, tx), /block 1 has 70 transactions/);
    });
  });
});

function expectedMeta(block: CanonicalBlock, index: number): StoredReceipt['meta'] {
  const output = block.output.transactions[index];
  assert.ok(output !== undefined);
  const before = block.output.transactions.slice(0, index);
  return {
    blockHash: block.output.blockHash,
    blockNumber: block.height,
    blockTimestamp: block.output.header.timestamp,
    transactionIndex: index,
    effectiveGasPrice: output.effectiveGasPrice,
    logsBefore: before.reduce((sum, { logs }) => sum + logs.length, 0),
    gasUsed: output.gasUsed,
    contractAddress: output.contractAddress,
  };
}

function expectedReceipt(block: CanonicalBlock, index: number): Omit<StoredReceipt, 'logsBloom'> {
  const output = block.output.transactions[index];
  const raw = block.record.transactions[index];
  const sender = block.senders[index];
  assert.ok(output !== undefined && raw !== undefined && sender !== undefined);
  const transaction = decodeTransaction(raw);
  return {
    transactionHash: transaction.hash,
    transactionType: transaction.type,
    sender,
    to: transaction.to,
    success: output.success,
    cumulativeGasUsed: block.output.transactions.slice(0, index + 1).reduce((sum, { gasUsed }) => sum + gasUsed, 0n),
    logs: output.logs,
    l2ToL1Logs: output.l2ToL1Logs,
    meta: expectedMeta(block, index),
  };
}

function allBytes(value: unknown): Bytes[] {
  if (value instanceof Uint8Array) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(allBytes);
}
