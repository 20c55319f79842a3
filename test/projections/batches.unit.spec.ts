import assert from 'node:assert/strict';
import { equalBytes } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import { systemClock } from '../../src/common/clock.ts';
import { batches } from '../../src/projections/batches.ts';
import type { BatchesReader } from '../../src/projections/batchesReader.ts';
import { ProjectionRunner } from '../../src/projections/projectionRunner.ts';
import { rootOfMiniTreePath } from '../../src/protocol/logTree.ts';
import type { JournalEntry } from '../../src/store/journal.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { DurableStores } from './durableStore.ts';
import { MemoryJournal } from './memoryJournal.ts';
import { aSettlementJournal } from './settlementJournal.ts';

async function readerOf(entries: readonly JournalEntry[]): Promise<BatchesReader> {
  const stores = new DurableStores();
  const runner = await ProjectionRunner.open({
    projection: batches,
    journal: new MemoryJournal(entries),
    dataDirectory: 'memory',
    openStore: stores.openStore,
    clock: systemClock,
  });
  await runner.run(new AbortController().signal, { untilIndex: entries.length });
  return runner.reader;
}

describe('projections/batches', () => {
  describe('as a projection', () =>
    projectionContract(batches, aSettlementJournal({ seed: 1, blocks: 40 }).entries, { keysMin: 20 }));

  it('answers as a naive fold does, over random journals', async () => {
    let proofs = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const journal = aSettlementJournal({ seed, blocks: 60, transactionsPerBlock: 4 });
      const reader = await readerOf(journal.entries);
      assert.equal(await reader.newestBatch(), journal.batches.length);
      const { executed, committed } = await reader.progress();
      assert.deepEqual({ executed, committed }, { executed: journal.executed, committed: journal.committed });
      for (const [i, naive] of journal.batches.entries()) {
        const found = await reader.batch(i + 1);
        assert.ok(found !== undefined);
        const { firstBlock, lastBlock, transactions } = naive;
        assert.deepEqual(
          { firstBlock: found.firstBlock, lastBlock: found.lastBlock, transactions: found.transactions },
          { firstBlock, lastBlock, transactions },
        );
        assert.deepEqual(found.storedBatchHash, naive.storedBatchHash);
        for (let block = firstBlock; block <= lastBlock; block++)
          assert.equal((await reader.batchOfBlock(block))?.batch, i + 1, `block ${block}`);
        for (const [id, { block, transactionIndex, logIndex, encoded }] of naive.logs.entries()) {
          const proof = await reader.logProof({ block, transactionIndex, logIndex });
          assert.ok(proof !== undefined, `log of block ${block}`);
          assert.deepEqual({ batch: proof.batch, id: proof.id }, { batch: i + 1, id });
          assert.deepEqual(proof.root, found.commitInfo.l2ToL1LogsRootHash);
          assert.deepEqual(rootOfMiniTreePath(keccak256(encoded), id, proof.path), proof.root);
          assert.equal(proof.path.length, 15);
          proofs += 1;
        }
      }
    }
    assert.ok(proofs > 100, `${proofs} proofs`);
  });

  it('knows no batch of blocks that none holds', async () => {
    const journal = aSettlementJournal({ seed: 3, blocks: 30 });
    const isSealed = journal.entries.filter(({ event }) => event.kind !== 'BatchSealed');
    const dense = isSealed.map(({ event }, index) => ({ index, event }));
    const reader = await readerOf(dense);
    assert.equal(await reader.newestBatch(), 0);
    assert.equal(await reader.batchOfBlock(1), undefined);
    assert.equal(await reader.batch(1), undefined);
    assert.equal(await reader.logProof({ block: 1, transactionIndex: 0, logIndex: 0 }), undefined);
    const sealed = await readerOf(journal.entries);
    const last = journal.batches.at(-1)?.lastBlock ?? 0;
    assert.equal(await sealed.batchOfBlock(0), undefined);
    assert.equal(await sealed.batchOfBlock(last + 1), undefined);
  });

  it('gives no proof for logs that do not exist, and none that fits another log', async () => {
    const journal = aSettlementJournal({ seed: 5, blocks: 60, transactionsPerBlock: 6 });
    const reader = await readerOf(journal.entries);
    const [naive] = journal.batches.filter(({ logs }) => logs.length > 1);
    const [first, second] = naive?.logs ?? [];
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(await reader.logProof({ ...first, logIndex: 1 }), undefined);
    assert.equal(await reader.logProof({ ...first, transactionIndex: 999 }), undefined);
    const proof = await reader.logProof(first);
    assert.ok(proof !== undefined);
    assert.ok(!equalBytes(rootOfMiniTreePath(keccak256(second.encoded), proof.id, proof.path), proof.root));
  });

  it('names the newest accepted proofs', async () => {
    const { entries } = aSettlementJournal({ seed: 7, blocks: 80 });
    const reader = await readerOf(entries);
    const fri = entries.flatMap(({ event }) => (event.kind === 'FriProved' ? [event] : [])).at(-1);
    const snark = entries.flatMap(({ event }) => (event.kind === 'SnarkProved' ? [event] : [])).at(-1);
    assert.ok(fri !== undefined && snark !== undefined);
    assert.deepEqual((await reader.batch(fri.batch))?.friProof, { kind: fri.proofKind, proof: fri.proof });
    assert.deepEqual(await reader.snarkProof(snark.fromBatch), {
      fromBatch: snark.fromBatch,
      toBatch: snark.toBatch,
      kind: 'fake',
      proof: snark.proof,
    });
  });
});
