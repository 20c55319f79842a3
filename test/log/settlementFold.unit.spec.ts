/** The settlement scenarios of log-protocol 14 as far as the fold goes, and the fold against the reference model. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Bytes, bytesKey, keyBytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import {
  EMPTY_SETTLEMENT,
  type SettlementFold,
  checkSettlement,
  finalityOf,
  foldSettlement,
  lastBlockOf,
  sealedBatch,
} from '../../src/log/settlementFold.ts';
import { changedRows, restoreSettlement } from '../../src/log/settlementRows.ts';
import {
  type ModelSettlement,
  type ModelState,
  everyRule,
  foldSettlement as foldModel,
  noBlocks,
  noSettlement,
} from '../fixtures/log-model/fold.mjs';
import {
  LOG_ID,
  aBlock,
  aFriProof,
  aGenesis,
  aSeal,
  aSnarkProof,
  anEpochStarted,
  anL1Progress,
  filled,
  seededRandom,
} from '../support/logEntries.ts';

const SOFTWARE = { schema: 1, rules: 1 };

/** Both folds over entries, as the replay pipeline feeds them. */
class Reader {
  chain: ChainFold = EMPTY_FOLD;
  settlement: SettlementFold = EMPTY_SETTLEMENT;

  read(...entries: readonly Entry[]): string[] {
    return entries.map((entry) => {
      const onChain = foldChain(this.chain, entry, SOFTWARE);
      this.chain = onChain.state;
      if (onChain.verdict !== 'rejected') return onChain.verdict;
      const { verdict, state } = foldSettlement(this.settlement, entry, this.chain, SOFTWARE);
      this.settlement = state;
      checkSettlement(state);
      return verdict;
    });
  }
}

/** After so many blocks, the first `sealed` pairs of them in batches. */
function aReader(blocks: number, sealed = 0): Reader {
  const reader = new Reader();
  reader.read(aGenesis(), anEpochStarted(), ...Array.from({ length: blocks }, (_, i) => aBlock(i + 1)));
  assert.equal(reader.chain.height, blocks);
  for (let batch = 1; batch <= sealed; batch++)
    assert.deepEqual(reader.read(aSeal(batch, [batch * 2 - 1, batch * 2])), ['accepted']);
  return reader;
}

describe('settlementFold', () => {
  it('takes seals of accepted blocks, in order and without gaps', () => {
    const reader = aReader(4);
    const wrong = [
      aSeal(2, [1, 2]),
      aSeal(0, [1, 2]),
      aSeal(1, [2, 3]),
      aSeal(1, [1, 0]),
      aSeal(1, [1, 5]),
      aSeal(1, [1, 2], { lastBlock: 2n ** 64n - 1n }),
      aSeal(1, [1, 2], { claim: filled(9, 16) }),
      aSeal(1, [1, 2], { logId: filled(9, 16) }),
      aSeal(1, [1, 2], { schema: 2 }),
    ];
    for (const [i, entry] of wrong.entries()) assert.deepEqual(reader.read(entry), ['rejected'], `case ${i}`);
    assert.equal(reader.settlement, EMPTY_SETTLEMENT);
    assert.deepEqual(reader.read(aSeal(1, [1, 2]), aSeal(2, [3, 4])), ['accepted', 'accepted']);
    assert.deepEqual(
      [1, 2].map((batch) => sealedBatch(reader.settlement, batch)?.lastBlock),
      [2, 4],
    );
  });

  it('never un-seals: of two seals of one batch the first stays, in either order (T18)', () => {
    const [a, b] = [aSeal(1, [1, 2]), aSeal(1, [1, 3], { storedBatchHash: filled(0xee) })];
    for (const [first, second] of [
      [a, b],
      [b, a],
    ] as const) {
      const reader = aReader(4);
      assert.deepEqual(reader.read(first, second, first), ['accepted', 'rejected', 'rejected']);
      assert.deepEqual(sealedBatch(reader.settlement, 1)?.storedBatchHash, first.storedBatchHash);
    }
    const reader = aReader(4);
    reader.read(a);
    const other = anEpochStarted({ epoch: 2n, claim: filled(0x42, 16), head: undefined });
    const late = { ...b, claim: filled(0x42, 16), epoch: 2n };
    assert.deepEqual(reader.read(other, late), ['accepted', 'rejected'], 'by the next leader');
  });

  it('takes FRI proofs in any order, once each (T21)', () => {
    const reader = aReader(6, 3);
    const [one, two, three] = [aFriProof(1), aFriProof(2), aFriProof(3)];
    assert.deepEqual(reader.read(three, one, two, three, one, two), [
      'accepted',
      'accepted',
      'accepted',
      'rejected',
      'rejected',
      'rejected',
    ]);
    assert.deepEqual(reader.read(aFriProof(4), aFriProof(0), aFriProof(2, { storedBatchHash: filled(1) })), [
      'rejected',
      'rejected',
      'rejected',
    ]);
  });

  it('replaces a proof only by name: a late copy of the replaced one is rejected (T22)', () => {
    const reader = aReader(4, 2);
    const lost = aFriProof(1);
    const again = aFriProof(1, { proof: { key: 'again', hash: filled(0x33) }, replaces: lost.proof.hash });
    assert.deepEqual(reader.read(again, lost, again, lost, again), [
      'rejected',
      'accepted',
      'accepted',
      'rejected',
      'rejected',
    ]);
    assert.deepEqual(sealedBatch(reader.settlement, 1)?.friProof, filled(0x33));
    reader.read(aFriProof(2), anL1Progress([2, 0, 0], 10));
    const refused = aSnarkProof(1, 2);
    const better = aSnarkProof(1, 1, { proof: { key: 'better', hash: filled(0x44) }, replaces: refused.proof.hash });
    assert.deepEqual(reader.read(refused, better, refused, better), ['accepted', 'accepted', 'rejected', 'rejected']);
    assert.deepEqual(reader.settlement.snarks.get(1), { toBatch: 1, proof: filled(0x44) });
  });

  it('takes ranges of committed batches with all FRI proofs, and starts one anywhere (T23)', () => {
    const reader = aReader(8, 4);
    reader.read(aFriProof(1), aFriProof(2));
    assert.deepEqual(reader.read(aSnarkProof(1, 2)), ['rejected'], 'not committed');
    reader.read(anL1Progress([3, 0, 0], 10));
    assert.deepEqual(reader.read(aSnarkProof(1, 3), aSnarkProof(2, 1), aSnarkProof(0, 1), aSnarkProof(1, 2)), [
      'rejected',
      'rejected',
      'rejected',
      'accepted',
    ]);
    // Batch 2 was proved; BlocksRevert to 1, commit again with the same bytes, a range that starts in the middle.
    assert.deepEqual(
      reader.read(anL1Progress([2, 2, 0], 11), anL1Progress([1, 1, 0], 12), anL1Progress([2, 1, 0], 13)),
      ['accepted', 'accepted', 'accepted'],
    );
    assert.deepEqual(reader.read(aSnarkProof(2, 2), anL1Progress([2, 2, 2], 14)), ['accepted', 'accepted']);
    assert.equal(reader.settlement.snarks.size, 0);
    assert.deepEqual(finalityOf(reader.settlement), {
      sealedBatch: 4,
      sealedBlock: 8,
      committedBatch: 2,
      committedBlock: 4,
      provedBatch: 2,
      provedBlock: 4,
      executedBatch: 2,
      executedBlock: 4,
    });
    assert.equal(sealedBatch(reader.settlement, 1), undefined);
    assert.deepEqual(reader.read(aFriProof(2), aSnarkProof(2, 2)), ['rejected', 'rejected'], 'executed');
  });

  it('takes progress of later L1 blocks only, in order of the stages, executed never lower (T24, A11)', () => {
    const reader = aReader(8, 4);
    const progress = anL1Progress([3, 2, 1], 10);
    assert.deepEqual(reader.read(progress, progress, anL1Progress([4, 4, 4], 10), anL1Progress([4, 4, 4], 9)), [
      'accepted',
      'rejected',
      'rejected',
      'rejected',
    ]);
    for (const counters of [
      [5, 2, 1],
      [2, 3, 1],
      [3, 1, 2],
      [1, 1, 0],
      [0, 0, 0],
    ] as const)
      assert.deepEqual(reader.read(anL1Progress(counters, 11)), ['rejected'], counters.join());
    assert.deepEqual(reader.read(anL1Progress([3, 2, 1], 2n ** 64n - 1n)), ['accepted']);
    assert.throws(
      () => checkSettlement({ ...reader.settlement, proved: 4 }),
      (error: unknown) => error instanceof NodeError && error.message.includes('A11'),
    );
  });

  it('names the class of what it rejects', () => {
    const reader = aReader(8, 3);
    reader.read(aFriProof(2), anL1Progress([2, 1, 1], 10), aSnarkProof(2, 2));
    const cases: [Entry | undefined, string][] = [
      [undefined, 'garbage'],
      [aBlock(9), 'garbage'],
      [aSeal(4, [7, 8], { claim: filled(9, 16) }), 'foreign'],
      [aSeal(3, [5, 6]), 'stale'],
      [aSeal(5, [7, 8]), 'gap'],
      [aSeal(4, [8, 8]), 'gap'],
      [aSeal(4, [7, 9]), 'gap'],
      [aFriProof(1), 'stale'],
      [aFriProof(2), 'stale'],
      [aFriProof(3, { storedBatchHash: filled(1) }), 'garbage'],
      [aFriProof(4), 'gap'],
      [aSnarkProof(1, 2), 'stale'],
      [aSnarkProof(2, 1), 'garbage'],
      [aSnarkProof(2, 2), 'stale'],
      [aSnarkProof(2, 3), 'gap'],
      [anL1Progress([2, 1, 1], 10), 'stale'],
      [anL1Progress([2, 1, 0], 11), 'stale'],
      [anL1Progress([2, 1, 2], 11), 'garbage'],
      [anL1Progress([4, 1, 1], 11), 'gap'],
    ];
    for (const [i, [entry, rejectedClass]] of cases.entries())
      assert.deepEqual(
        foldSettlement(reader.settlement, entry, reader.chain, SOFTWARE),
        { verdict: 'rejected', state: reader.settlement, rejectedClass },
        `case ${i}`,
      );
  });

  it('reads each stage of finality with its own block', () => {
    const reader = aReader(8, 4);
    assert.deepEqual(reader.read(anL1Progress([3, 2, 1], 10)), ['accepted']);
    assert.deepEqual(finalityOf(reader.settlement), {
      sealedBatch: 4,
      sealedBlock: 8,
      committedBatch: 3,
      committedBlock: 6,
      provedBatch: 2,
      provedBlock: 4,
      executedBatch: 1,
      executedBlock: 2,
    });
  });

  it('keeps no more than what waits for L1, however long the chain', () => {
    const reader = aReader(1000, 500);
    assert.deepEqual(reader.read(anL1Progress([500, 490, 480], 1)), ['accepted']);
    assert.equal(sealedBatch(reader.settlement, 479), undefined);
    assert.equal(sealedBatch(reader.settlement, 480)?.lastBlock, 960);
    assert.equal(reader.settlement.batches.chunks.length, 1);
    assert.deepEqual(reader.read(aFriProof(500, { storedBatchHash: filled(0x80 + 500) })), ['accepted']);
  });

  it('agrees with the reference model over random logs, and comes back from its rows', function () {
    this.timeout(60_000);
    const bytesOf = memoize((text) => new Uint8Array(createHash('sha256').update(text).digest()));
    const seen = { accepted: 0, rejected: 0 };
    const kinds = new Map<string, number>();
    let deepest = 0;
    for (let seed = 0; seed < 100_000; seed++) {
      const random = seededRandom(seed);
      let model = noSettlement;
      let state = EMPTY_SETTLEMENT;
      let blocks: ModelState = { ...noBlocks, logId: 'L', chain: 'A', epoch: 1, claim: 'c1', height: 3 };
      const rows = seed % 50 === 0 ? new Map<string, Bytes>() : undefined;
      for (let step = 0; step < 16; step++) {
        if (random() < 0.3) blocks = { ...blocks, height: blocks.height + 2 };
        const modelEntry = randomEntry(random, model, blocks);
        const expected = foldModel(model, blocks, modelEntry, everyRule, SOFTWARE);
        const chain: ChainFold = {
          ...EMPTY_FOLD,
          logId: LOG_ID,
          claim: filled(0x41, 16),
          epoch: 1n,
          height: blocks.height,
        };
        const actual = foldSettlement(state, toEntry(modelEntry, bytesOf), chain, SOFTWARE);
        if (actual.verdict !== expected.verdict || !isSame(actual.state, expected.state, bytesOf))
          assert.fail(
            `seed ${seed}, step ${step}: ${JSON.stringify(modelEntry)} is ${actual.verdict}, the model says ${expected.verdict}`,
          );
        seen[actual.verdict]++;
        if (actual.verdict === 'accepted') {
          kinds.set(modelEntry.kind, (kinds.get(modelEntry.kind) ?? 0) + 1);
          if (rows !== undefined)
            for (const { key, value } of changedRows(state, actual.state)) {
              if (value === undefined) rows.delete(bytesKey(key));
              else rows.set(bytesKey(key), value);
            }
        }
        state = actual.state;
        model = expected.state;
      }
      deepest = Math.max(deepest, state.executed);
      if (rows !== undefined) {
        const sorted = [...rows]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]) => [keyBytes(key), value] as const);
        const restored = restoreSettlement(state, sorted);
        assert.ok(isSame(restored, model, bytesOf), `rows of seed ${seed}`);
        for (let batch = Math.max(1, state.executed); batch <= state.sealed; batch++)
          assert.deepEqual(sealedBatch(restored, batch), sealedBatch(state, batch));
        assert.deepEqual(restored.snarks, state.snarks);
      }
    }
    assert.ok(seen.accepted > 500_000 && seen.rejected > 300_000, JSON.stringify(seen));
    for (const kind of ['BatchSealed', 'FriProved', 'SnarkProved', 'L1Progress'])
      assert.ok((kinds.get(kind) ?? 0) > 10_000, `${kind}: ${kinds.get(kind)}`);
    assert.ok(deepest >= 3, `${deepest}`);
  });

  it('refuses rows that do not fit the checkpoint', () => {
    const reader = aReader(8, 4);
    const rows = changedRows(EMPTY_SETTLEMENT, reader.settlement).map(({ key, value }) => {
      assert.ok(value !== undefined);
      return [key, value] as const;
    });
    assert.equal(restoreSettlement(reader.settlement, rows).sealed, 4);
    const isDamaged = (error: unknown): boolean =>
      error instanceof NodeError && error.code === 'SETTLEMENT_STATE_DAMAGED';
    const counters = reader.settlement;
    assert.throws(() => restoreSettlement(counters, rows.slice(1)), isDamaged);
    assert.throws(() => restoreSettlement(counters, rows.slice(0, -1)), isDamaged);
    assert.throws(() => restoreSettlement({ ...counters, sealed: 5 }, rows), isDamaged);
    assert.throws(() => restoreSettlement({ ...counters, proved: 1 }, rows), isDamaged);
    const cut = rows.map(([key, value], i) => [key, i === 0 ? value.subarray(0, 20) : value] as const);
    assert.throws(() => restoreSettlement(counters, cut), isDamaged);
  });
});

interface ModelEntry {
  readonly kind: 'BatchSealed' | 'FriProved' | 'SnarkProved' | 'L1Progress';
  readonly schema: number;
  readonly logId: string;
  readonly claim: string;
  readonly batch: number;
  readonly first: number;
  readonly last: number;
  readonly hash: string;
  readonly proof: string;
  readonly replaces: string | undefined;
  readonly from: number;
  readonly to: number;
  readonly committed: number;
  readonly proved: number;
  readonly executed: number;
  readonly l1Block: number;
}

/** Mostly what fits, or nearly. */
function randomEntry(random: () => number, at: ModelSettlement, blocks: ModelState): ModelEntry {
  const near = (value: number): number => (random() < 0.85 ? value : Math.max(0, value + Math.floor(random() * 5) - 2));
  const below = (limit: number): number => Math.floor(random() * limit);
  const sealed = at.seals.length;
  const roll = random();
  const kind = roll < 0.35 ? 'BatchSealed' : roll < 0.65 ? 'FriProved' : roll < 0.8 ? 'SnarkProved' : 'L1Progress';
  const waiting = at.executed + 1 + below(Math.max(1, sealed - at.executed));
  const batch = near(kind === 'BatchSealed' ? sealed + 1 : waiting);
  const first = near((at.seals[sealed - 1]?.last ?? 0) + 1);
  const from = near(at.executed + 1 + below(Math.max(1, at.committed - at.executed)));
  const present = kind === 'SnarkProved' ? at.snark[from]?.proof : at.fri[batch];
  const committed = near(at.committed + below(sealed - at.committed + 1));
  const proved = near(Math.min(committed, at.proved + below(Math.max(1, committed - at.proved + 1))));
  return {
    kind,
    schema: random() < 0.97 ? 1 : 2,
    logId: random() < 0.97 ? 'L' : 'M',
    claim: random() < 0.96 ? 'c1' : 'c0',
    batch,
    first,
    last: near(Math.min(blocks.height, first + below(3))),
    hash: random() < 0.95 ? `h${batch}` : 'other',
    proof: `p${below(4)}`,
    replaces: random() < 0.8 ? present : random() < 0.5 ? undefined : `p${below(4)}`,
    from,
    to: near(Math.max(from, at.committed)),
    committed,
    proved,
    executed: near(Math.min(proved, at.executed + below(2))),
    l1Block: near(at.l1Block + 1),
  };
}

type Naming = (text: string) => Bytes;

function toEntry(entry: ModelEntry, bytesOf: Naming): Entry {
  const envelope = {
    schema: entry.schema,
    logId: entry.logId === 'L' ? LOG_ID : OTHER_LOG,
    claim: entry.claim === 'c1' ? CLAIM : OTHER_CLAIM,
  };
  const proof = { key: entry.proof, hash: bytesOf(entry.proof) };
  const replaces = entry.replaces === undefined ? undefined : bytesOf(entry.replaces);
  switch (entry.kind) {
    case 'BatchSealed':
      return aSeal(entry.batch, [entry.first, entry.last], { ...envelope, storedBatchHash: bytesOf(entry.hash) });
    case 'FriProved':
      return aFriProof(entry.batch, { ...envelope, storedBatchHash: bytesOf(entry.hash), proof, replaces });
    case 'SnarkProved':
      return aSnarkProof(entry.from, entry.to, { ...envelope, proof, replaces });
    case 'L1Progress':
      return anL1Progress([entry.committed, entry.proved, entry.executed], entry.l1Block, envelope);
  }
}

const CLAIM = filled(0x41, 16);
const OTHER_CLAIM = filled(0x40, 16);
const OTHER_LOG = filled(0x11, 16);

function isSame(state: SettlementFold, model: ModelSettlement, bytesOf: Naming): boolean {
  if (
    state.sealed !== model.seals.length ||
    state.committed !== model.committed ||
    state.proved !== model.proved ||
    state.executed !== model.executed ||
    state.l1Block !== BigInt(model.l1Block)
  )
    return false;
  for (let batch = Math.max(1, state.executed); batch <= state.sealed; batch++) {
    const [kept, seal] = [sealedBatch(state, batch), model.seals[batch - 1]];
    if (kept === undefined || seal === undefined || lastBlockOf(state, batch) !== seal.last) return false;
    // The namings give one object per text: equal content is the same object, in whatever state it came to.
    if (!isEqual(kept.storedBatchHash, bytesOf(seal.hash))) return false;
    const fri = model.fri[batch];
    if (!isEqual(kept.friProof, fri === undefined ? undefined : bytesOf(fri))) return false;
  }
  const ranges = Object.entries(model.snark).filter(([from]) => Number(from) > state.executed);
  return (
    ranges.length === state.snarks.size &&
    ranges.every(([from, { to, proof }]) => {
      const range = state.snarks.get(Number(from));
      return range?.toBatch === to && isEqual(range.proof, bytesOf(proof));
    })
  );
}

function isEqual(a: Bytes | undefined, b: Bytes | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}

function memoize(naming: Naming): Naming {
  const known = new Map<string, Bytes>();
  return (name) => {
    const value = known.get(name) ?? naming(name);
    known.set(name, value);
    return value;
  };
}
