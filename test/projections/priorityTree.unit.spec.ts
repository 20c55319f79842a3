import assert from 'node:assert/strict';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { priorityTree } from '../../src/projections/priorityTree.ts';
import type { PriorityTreeReader } from '../../src/projections/priorityTreeReader.ts';
import { ProjectionRunner } from '../../src/projections/projectionRunner.ts';
import { TrimmedTree, rootOfRangeProof } from '../../src/protocol/priorityTree.ts';
import type { JournalEntry } from '../../src/store/journal.ts';
import { projectionContract } from '../contracts/projection.contract.ts';
import { DurableStores } from './durableStore.ts';
import { MemoryJournal } from './memoryJournal.ts';
import { type SettlementJournal, aSettlementJournal } from './settlementJournal.ts';

async function open(entries: readonly JournalEntry[]) {
  const stores = new DurableStores();
  const runner = await ProjectionRunner.open({
    projection: priorityTree,
    journal: new MemoryJournal(entries),
    dataDirectory: 'memory',
    openStore: stores.openStore,
    clock: systemClock,
    limits: { runBytes: 500 },
  });
  await runner.run(new AbortController().signal, { untilIndex: entries.length });
  return runner;
}

/** Against trees that never forget a leaf. */
async function assertProofs(reader: PriorityTreeReader, journal: SettlementJournal): Promise<number> {
  const tree = new TrimmedTree();
  let proofs = 0;
  for (const [i, { firstId, priorityHashes }] of journal.batches.entries()) {
    for (const hash of priorityHashes) tree.push(hash);
    const found = await reader.batchProof(i + 1);
    if (i + 1 <= journal.executed) {
      assert.equal(found, undefined, `batch ${i + 1} is executed`);
      continue;
    }
    const count = priorityHashes.length;
    assert.deepEqual(found, { firstId, count, proof: tree.rangeProof(firstId, count) }, `batch ${i + 1}`);
    if (count === 0) continue;
    assert.deepEqual(rootOfRangeProof(firstId, found.proof), tree.root);
    proofs += 1;
  }
  return proofs;
}

describe('projections/priorityTree', () => {
  describe('as a projection', () =>
    projectionContract(priorityTree, aSettlementJournal({ seed: 2, blocks: 40, transactionsPerBlock: 20 }).entries, {
      keysMin: 20,
    }));

  it('gives the proofs of a tree that never forgets, over random journals', async () => {
    let proofs = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const journal = aSettlementJournal({ seed, blocks: 50, transactionsPerBlock: 4 });
      const runner = await open(journal.entries);
      proofs += await assertProofs(runner.reader, journal);
      const sealed = journal.batches.reduce((sum, { priorityHashes }) => sum + priorityHashes.length, 0);
      const executed = journal.batches
        .slice(0, journal.executed)
        .reduce((sum, { priorityHashes }) => sum + priorityHashes.length, 0);
      assert.deepEqual(await runner.reader.status(), { operations: journal.operations.length, sealed, executed });
      assert.equal(await runner.reader.batchProof(journal.batches.length + 1), undefined, 'not sealed');
    }
    assert.ok(proofs > 50, `${proofs} proofs`);
  });

  it('keeps no row of what L1 has executed but the left siblings', async () => {
    const journal = aSettlementJournal({ seed: 4, blocks: 200, transactionsPerBlock: 3 });
    const all = journal.batches.length;
    const lastBlock = journal.batches.at(-1)?.lastBlock ?? 0;
    const upToSeal = journal.entries.filter(({ event }) => event.kind !== 'Block' || event.height <= lastBlock);
    const l1Progress = {
      kind: 'L1Progress',
      position: 0,
      committed: all,
      proved: all,
      executed: all,
      l1BlockNumber: 10_000n,
      l1BlockHash: new Uint8Array(32),
    } as const;
    const entries = [...upToSeal.map(({ event }) => event), l1Progress].map((event, index) => ({ index, event }));
    const runner = await open(entries);
    const keys: number[] = [];
    for await (const [key] of runner.store.range({})) keys.push(key[0] ?? -1);
    assert.deepEqual(keys.sort(), [0x00, 0x60]);
    const tree = new TrimmedTree();
    for (const hash of journal.operations.slice(0, (await runner.reader.status()).executed)) tree.push(hash);
    tree.trim(tree.leafCount);
    assert.ok(tree.leafCount > 30, `${tree.leafCount} operations`);
  });

  it('refuses a block whose first id does not follow', async () => {
    const { entries } = aSettlementJournal({ seed: 6, blocks: 30 });
    const wrong = entries.map(({ index, event }) =>
      event.kind === 'Block' && event.height === 30
        ? { index, event: { ...event, record: { ...event.record, startingL1PriorityId: 999n } } }
        : { index, event },
    );
    await assert.rejects(
      open(wrong),
      (error: unknown) => error instanceof NodeError && /priority id 999/.test(error.message),
    );
  });

  it('goes on from any trimmed state as a tree that was never stored', () => {
    for (let leaves = 0; leaves <= 40; leaves++) {
      for (let trimmed = 0; trimmed <= leaves; trimmed++) {
        const whole = new TrimmedTree();
        const leaf = (i: number): Uint8Array => new Uint8Array(32).fill(i + 1);
        for (let i = 0; i < leaves; i++) whole.push(leaf(i));
        whole.trim(trimmed);
        const restored = TrimmedTree.restore(whole.state);
        for (let i = trimmed; i < leaves; i++) restored.push(leaf(i));
        assert.deepEqual(restored.root, whole.root, `${leaves} leaves, ${trimmed} trimmed`);
        for (let i = leaves; i < leaves + 5; i++) {
          whole.push(leaf(i));
          restored.push(leaf(i));
          assert.deepEqual(restored.root, whole.root, `${leaves} leaves, ${trimmed} trimmed, then ${i}`);
        }
        assert.deepEqual(restored.rangeProof(trimmed, 5), whole.rangeProof(trimmed, 5));
      }
    }
    const isCorrupt = (error: unknown): boolean => error instanceof NodeError && error.code === 'PRIORITY_TREE_CORRUPT';
    const hash = new Uint8Array(32);
    for (const cache of [[], [hash, undefined], [undefined, hash], [hash, hash, hash]])
      assert.throws(() => TrimmedTree.restore({ start: 3, cache }), isCorrupt);
    assert.throws(() => TrimmedTree.restore({ start: 4, cache: [undefined, undefined] }), isCorrupt);
  });
});
