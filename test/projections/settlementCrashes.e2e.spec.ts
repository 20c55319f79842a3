/** Tree, batches and priority tree of a main and an external node over one long journal, with crashes and rebuilds, against a naive fold. */
import assert from 'node:assert/strict';
import { systemClock } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { batches } from '../../src/projections/batches.ts';
import { createMerkleTree } from '../../src/projections/merkleTree.ts';
import { priorityTree } from '../../src/projections/priorityTree.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { ProjectionRunner, projectionDirectory } from '../../src/projections/projectionRunner.ts';
import { TrimmedTree } from '../../src/protocol/priorityTree.ts';
import { StateTree } from '../../src/protocol/stateTree.ts';
import type { JournalEntry } from '../../src/store/journal.ts';
import { digest } from '../../src/store/digest.ts';
import { seededRandom } from '../support/logEntries.ts';
import { CrashError, DurableStores } from './durableStore.ts';
import { MemoryJournal } from './memoryJournal.ts';
import { type SettlementJournal, aSettlementJournal } from './settlementJournal.ts';

const BLOCKS = 10_000;
const DATA = 'memory';

/** One node's projection, killed again and again, once thrown away and built anew. */
async function survive<Reader>(
  projection: Projection<Reader>,
  entries: readonly JournalEntry[],
  seed: number,
): Promise<{ stores: DurableStores; reader: Reader; crashes: number }> {
  const random = seededRandom(seed);
  let stores = new DurableStores();
  const rebuildAt = Math.floor(random() * entries.length);
  let isRebuilt = false;
  let crashes = 0;
  for (;;) {
    const runner = await ProjectionRunner.open({
      projection,
      journal: new MemoryJournal(entries),
      dataDirectory: DATA,
      openStore: stores.openStore,
      clock: systemClock,
      limits: { runBytes: 1 + Math.floor(random() * 200_000), readEntries: 1 + Math.floor(random() * 300) },
    });
    if (!isRebuilt && runner.nextIndex >= rebuildAt) {
      isRebuilt = true;
      stores = new DurableStores();
      await runner.close();
      continue;
    }
    if (crashes < 40)
      stores.crash = { write: stores.writes + 1 + Math.floor(random() * 12), isWritten: random() < 0.5 };
    try {
      await runner.run(new AbortController().signal, { untilIndex: entries.length });
      return { stores, reader: runner.reader, crashes };
    } catch (error) {
      if (!(error instanceof NodeError && error.cause instanceof CrashError)) throw error;
      crashes += 1;
      stores.crash = undefined;
      await runner.close();
    }
  }
}

describe('settlement projections through crashes', function () {
  this.timeout(300_000);

  let journal: SettlementJournal;

  before(() => {
    journal = aSettlementJournal({ seed: 80, blocks: BLOCKS, transactionsPerBlock: 1, largeInputShare: 0 });
    assert.ok(journal.batches.length > 1_000 && journal.operations.length > 1_000 && journal.executed > 500);
  });

  /** Both nodes end with the same store. */
  async function onBothNodes<Reader>(make: () => Projection<Reader>): Promise<Reader> {
    const projection = make();
    const main = await survive(projection, journal.entries, 1);
    const external = await survive(make(), journal.entries, 2);
    assert.ok(main.crashes >= 20 && external.crashes >= 20, `${main.crashes} and ${external.crashes} crashes`);
    const directory = projectionDirectory(DATA, projection);
    assert.deepEqual(await digest(external.stores.contents(directory)), await digest(main.stores.contents(directory)));
    return main.reader;
  }

  it('give the batches of a naive fold', async () => {
    const reader = await onBothNodes(() => batches);
    assert.equal(await reader.newestBatch(), journal.batches.length);
    for (const [i, naive] of journal.batches.entries()) {
      const found = await reader.batch(i + 1);
      assert.deepEqual(
        [found?.firstBlock, found?.lastBlock, found?.transactions, found?.storedBatchHash],
        [naive.firstBlock, naive.lastBlock, naive.transactions, naive.storedBatchHash],
      );
      const [log] = naive.logs;
      if (log === undefined || i % 50 !== 0) continue;
      assert.deepEqual((await reader.logProof(log))?.root, found?.commitInfo.l2ToL1LogsRootHash);
    }
  });

  it('give the priority proofs of a tree that never forgets', async () => {
    const reader = await onBothNodes(() => priorityTree);
    const tree = new TrimmedTree();
    let proofs = 0;
    for (const [i, { firstId, priorityHashes }] of journal.batches.entries()) {
      for (const hash of priorityHashes) tree.push(hash);
      const isAsked = i + 1 === journal.executed || i + 1 > journal.batches.length - 30;
      if (!isAsked) continue;
      const found = await reader.batchProof(i + 1);
      if (i + 1 <= journal.executed) {
        assert.equal(found, undefined);
        continue;
      }
      const count = priorityHashes.length;
      assert.deepEqual(found, { firstId, count, proof: tree.rangeProof(firstId, count) });
      if (count > 0) proofs += 1;
    }
    assert.ok(proofs > 0, `${proofs}`);
  });

  it('give the state tree of a naive fold', async () => {
    const reader = await onBothNodes(() => createMerkleTree({ cachedPages: 500 }));
    const naive = new StateTree();
    for (const { event } of journal.entries) {
      if (event.kind !== 'Genesis' && event.kind !== 'Block') continue;
      const writes = event.kind === 'Genesis' ? event.writes : event.output.writes;
      const expected = naive.applyWrites(writes.map(({ flatKey: key, value }) => ({ key, value })));
      const height = event.kind === 'Genesis' ? 0 : event.height;
      if (height % 100 !== 0) continue;
      const found = await reader.version(height);
      assert.deepEqual([found?.root, found?.leafCount], [expected.root, expected.leafCount], `block ${height}`);
    }
  });
});
