import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ZERO_32, type Bytes } from '../../src/common/bytes.ts';
import { AcceptedHashes, type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { type ModelState, everyRule, foldBlocks, noBlocks } from '../fixtures/log-model/fold.mjs';
import {
  aBlock,
  aBlockRecord,
  aGenesis,
  anEpochStarted,
  filled,
  LOG_ID,
  NODE_ID,
  oneOfEachKind,
  seededRandom,
} from '../support/logEntries.ts';

const SOFTWARE = { schema: 1, rules: 1 };

function foldAll(entries: readonly (Entry | undefined)[], from: ChainFold = EMPTY_FOLD): FoldResult[] {
  const results: FoldResult[] = [];
  let state = from;
  for (const entry of entries) {
    const result = foldChain(state, entry, SOFTWARE);
    results.push(result);
    state = result.state;
  }
  return results;
}

/** After Genesis, epoch 1 and blocks up to a height. */
function stateAt(height: number): ChainFold {
  const results = foldAll([aGenesis(), anEpochStarted(), ...Array.from({ length: height }, (_, i) => aBlock(i + 1))]);
  assert.ok(results.every(({ verdict }) => verdict === 'accepted'));
  return results.at(-1)?.state ?? EMPTY_FOLD;
}

describe('chainFold', () => {
  it('accepts Genesis, a claim and blocks, and keeps the leader beside the rest', () => {
    assert.deepEqual(stateAt(2), {
      logId: LOG_ID,
      chain: 270n,
      rules: 1,
      epoch: 1n,
      claim: filled(0x41, 16),
      height: 2,
      parent: filled(2),
      leaderNodeId: NODE_ID,
    });
  });

  it('takes the first Genesis whatever its chain; a reader configured otherwise stops (T12)', () => {
    const other = aGenesis({ chainId: 271n, logId: filled(0x11, 16) });
    const [first, second] = foldAll([other, aGenesis()]);
    assert.equal(first?.verdict, 'accepted');
    assert.equal(second?.verdict, 'rejected');
    assert.equal(second.rejectedClass, 'foreign');
    const configured = foldChain(EMPTY_FOLD, other, SOFTWARE, 270n);
    assert.equal(configured.verdict, 'stop');
    assert.equal(configured.stopReason, 'foreign_genesis');
    assert.equal(foldChain(EMPTY_FOLD, other, SOFTWARE, 271n).verdict, 'accepted');
  });

  it('stops only at an acceptable claim with rules above ours (T11)', () => {
    const state = stateAt(1);
    const head = { height: 1n, parent: filled(1) };
    const claim = anEpochStarted({ epoch: 2n, claim: filled(0x42, 16), head, rules: 2 });
    assert.deepEqual(foldChain(state, claim, SOFTWARE), { verdict: 'stop', state, stopReason: 'upgrade_needed' });
    assert.equal(foldChain(state, claim, { schema: 2, rules: 2 }).state.rules, 2);
    assert.equal(foldChain(state, { ...claim, epoch: 3n }, SOFTWARE).verdict, 'rejected');
    assert.equal(foldChain(state, { ...claim, schema: 2, rules: 1 }, { schema: 2, rules: 2 }).verdict, 'rejected');
    const newer = foldChain(state, claim, { schema: 2, rules: 2 }).state;
    assert.equal(
      foldChain(newer, { ...claim, epoch: 3n, rules: 1 }, { schema: 2, rules: 2 }).verdict,
      'rejected',
      'rules never fall',
    );
    const block = aBlock(2, { schema: 2 });
    assert.equal(
      foldChain(state, block, { schema: 2, rules: 2 }).verdict,
      'rejected',
      'schema 2 under rules 1, new software',
    );
    assert.equal(foldChain(state, block, SOFTWARE).verdict, 'rejected', 'schema 2 under rules 1, old software');
    assert.equal(foldChain(newer, { ...block, claim: claim.claim }, { schema: 2, rules: 2 }).verdict, 'accepted');
  });

  it('names the class of what it rejects (T1, T4, T10)', () => {
    const state = { ...stateAt(1), epoch: 5n };
    const cases: [Entry | undefined, string | undefined][] = [
      [undefined, 'garbage'],
      [aBlock(2, { schema: 2 }), 'garbage'],
      [aGenesis(), 'foreign'],
      [aBlock(2, { logId: filled(9, 16) }), 'foreign'],
      [aBlock(2, { claim: filled(9, 16), epoch: 5n }), 'foreign'],
      [aBlock(2, { claim: filled(9, 16), epoch: 4n }), 'stale'],
      [aBlock(3), 'gap'],
      [aBlock(2, { parent: filled(9) }), 'gap'],
      [aBlock(1), 'gap'],
      [aBlock(2, { record: aBlockRecord(3) }), 'garbage'],
      [anEpochStarted({ epoch: 5n, claim: filled(9, 16) }), 'foreign'],
      [anEpochStarted({ epoch: 3n }), 'stale'],
      [anEpochStarted({ epoch: 7n }), 'gap'],
      [anEpochStarted({ epoch: 6n, head: { height: 0n, parent: ZERO_32 } }), 'stale'],
      [anEpochStarted({ epoch: 6n, head: { height: 1n, parent: filled(9) } }), 'stale'],
    ];
    for (const [i, [entry, rejectedClass]] of cases.entries()) {
      const result = foldChain(state, entry, SOFTWARE);
      assert.equal(result.verdict, 'rejected', `case ${i}`);
      assert.equal(result.state, state, `case ${i}`);
      assert.equal(result.rejectedClass, rejectedClass, `case ${i}`);
      assert.equal(foldChain(state, entry, SOFTWARE, undefined, true).rejectedClass, 'duplicate');
    }
    assert.equal(foldChain(state, aBlock(2), SOFTWARE, undefined, true).verdict, 'accepted', 'the class never judges');
    assert.equal(
      foldChain(state, anEpochStarted({ epoch: 6n, head: undefined }), SOFTWARE).verdict,
      'accepted',
      'forced',
    );
  });

  it('rejects settlement entries, and leaves the judgement of the owner’s to the fold of settlement', () => {
    const state = { ...stateAt(1), claim: filled(0x42, 16) };
    const settlement = oneOfEachKind().slice(6);
    assert.deepEqual(
      settlement.map(({ kind }) => kind),
      ['BatchSealed', 'FriProved', 'SnarkProved', 'L1Progress'],
    );
    for (const entry of settlement) {
      assert.deepEqual(foldChain(state, entry, SOFTWARE), { verdict: 'rejected', state });
      assert.equal(foldChain({ ...state, claim: filled(1, 16) }, entry, SOFTWARE).rejectedClass, 'foreign');
    }
  });

  it('remembers so many accepted hashes', () => {
    const hashes = new AcceptedHashes(2);
    for (const value of [1, 2, 3]) hashes.add(filled(value));
    assert.deepEqual(
      [1, 2, 3].map((value) => hashes.has(filled(value))),
      [false, true, true],
    );
  });

  it('agrees with the reference model on random logs', () => {
    const bytesOf = memoize((text) => new Uint8Array(createHash('sha256').update(text).digest()));
    const idOf = memoize((text) => bytesOf(text).slice(0, 16));
    const readers = [
      { schema: 2, rules: 2, chain: undefined },
      { schema: 1, rules: 1, chain: undefined },
      { schema: 2, rules: 2, chain: 'A' },
    ];
    const seen = { accepted: 0, rejected: 0, stop: 0 };
    const deepest = { height: 0, epoch: 0 };
    for (let seed = 0; seed < 10_000; seed++) {
      const random = seededRandom(seed);
      const reader = readers[seed % readers.length] ?? { schema: 1, rules: 1, chain: undefined };
      const software = { schema: reader.schema, rules: reader.rules };
      const modelSoftware = reader.chain === undefined ? software : { ...software, chain: reader.chain };
      let model = noBlocks;
      let state = EMPTY_FOLD;
      for (let step = 0; step < 30; step++) {
        const modelEntry = randomEntry(random, model);
        const expected = foldBlocks(model, modelEntry, everyRule, modelSoftware);
        const actual = foldChain(
          state,
          toEntry(modelEntry, bytesOf, idOf),
          software,
          reader.chain === undefined ? undefined : chainOf(reader.chain),
        );
        const where = `seed ${seed}, step ${step}: ${JSON.stringify(modelEntry)}`;
        assert.equal(actual.verdict, expected.verdict, where);
        assertSame(actual.state, expected.state, bytesOf, idOf, where);
        seen[actual.verdict]++;
        if (actual.verdict === 'stop') break;
        ({ state } = actual);
        model = expected.state;
      }
      deepest.height = Math.max(deepest.height, model.height);
      deepest.epoch = Math.max(deepest.epoch, model.epoch);
    }
    assert.ok(seen.accepted > 50_000 && seen.rejected > 50_000 && seen.stop > 500, JSON.stringify(seen));
    assert.ok(deepest.height >= 8 && deepest.epoch >= 8, JSON.stringify(deepest));
  });
});

interface ModelEntry {
  readonly kind: 'Genesis' | 'EpochStarted' | 'Block' | 'L1Progress';
  readonly schema: number;
  readonly logId: string;
  readonly chain: string;
  readonly epoch: number;
  readonly claim: string;
  readonly rules: number;
  readonly head: { readonly height: number; readonly parent: string } | null;
  readonly height: number;
  readonly parent: string;
  readonly content: string;
}

/** Mostly what fits, or nearly. */
function randomEntry(random: () => number, at: ModelState): ModelEntry {
  const pick = <Value>(likely: Value, ...others: readonly Value[]): Value =>
    random() < 0.85 ? likely : (others[Math.floor(random() * others.length)] ?? likely);
  const kind =
    at.logId === null
      ? pick('Genesis', 'Block', 'EpochStarted')
      : pick(random() < 0.3 ? 'EpochStarted' : 'Block', 'Genesis', 'L1Progress');
  const height = pick(at.height + 1, at.height, at.height + 2, 1);
  return {
    kind,
    schema: pick(kind === 'Block' && random() < 0.2 ? at.rules : 1, 2, 3),
    logId: at.logId === null ? pick('LA', 'LB') : pick(at.logId, 'LA', 'LB'),
    chain: pick('A', 'B'),
    epoch: pick(at.epoch + 1, at.epoch, at.epoch + 2, 1),
    claim: kind === 'EpochStarted' ? `c${Math.floor(random() * 1e6)}` : pick(at.claim ?? 'nobody', 'nobody', 'c1'),
    rules: pick(at.rules, 1, 2, 3),
    head: pick<ModelEntry['head']>(
      { height: at.height, parent: at.parent },
      null,
      { height: at.height + 1, parent: at.parent },
      { height: at.height, parent: 'other' },
    ),
    height,
    parent: pick(at.parent, 'zero', 'other'),
    content: `b${height}.${Math.floor(random() * 3)}`,
  };
}

type Naming = (text: string) => Bytes;

const chainOf = (chain: string): bigint => (chain === 'A' ? 270n : 271n);
const parentOf = (parent: string, bytesOf: Naming): Bytes => (parent === 'zero' ? ZERO_32 : bytesOf(parent));

function toEntry(entry: ModelEntry, bytesOf: Naming, idOf: Naming): Entry {
  const envelope = {
    schema: entry.schema,
    logId: idOf(entry.logId),
    epoch: BigInt(entry.epoch),
    claim: idOf(entry.claim),
  };
  switch (entry.kind) {
    case 'Genesis':
      return aGenesis({ ...envelope, chainId: chainOf(entry.chain) });
    case 'EpochStarted': {
      const head =
        entry.head === null
          ? undefined
          : { height: BigInt(entry.head.height), parent: parentOf(entry.head.parent, bytesOf) };
      return anEpochStarted({ ...envelope, rules: entry.rules, head });
    }
    case 'Block': {
      const record = aBlockRecord(entry.height, { blockOutputHash: bytesOf(entry.content) });
      return aBlock(entry.height, { ...envelope, parent: parentOf(entry.parent, bytesOf), record });
    }
    case 'L1Progress':
      return {
        kind: 'L1Progress',
        ...envelope,
        nodeId: NODE_ID,
        bootId: NODE_ID,
        committed: 0n,
        proved: 0n,
        executed: 0n,
        l1BlockNumber: 1n,
        l1BlockHash: ZERO_32,
      };
  }
}

function assertSame(state: ChainFold, model: ModelState, bytesOf: Naming, idOf: Naming, where: string): void {
  const { leaderNodeId: _leaderNodeId, ...judged } = state;
  const expected: Omit<ChainFold, 'leaderNodeId'> = {
    logId: model.logId === null ? undefined : idOf(model.logId),
    chain: model.chain === null ? undefined : chainOf(model.chain),
    rules: model.rules,
    epoch: BigInt(model.epoch),
    claim: model.claim === null ? undefined : idOf(model.claim),
    height: model.height,
    parent: parentOf(model.parent, bytesOf),
  };
  // Cheap first: deepEqual on every step of every log takes seconds.
  const isSame =
    judged.height === expected.height &&
    judged.epoch === expected.epoch &&
    judged.rules === expected.rules &&
    judged.chain === expected.chain &&
    text(judged.parent) === text(expected.parent) &&
    text(judged.claim) === text(expected.claim) &&
    text(judged.logId) === text(expected.logId);
  if (!isSame) assert.deepEqual(judged, expected, where);
}

const text = (bytes: Bytes | undefined): string => (bytes === undefined ? '' : Buffer.from(bytes).toString('latin1'));

function memoize(naming: Naming): Naming {
  const known = new Map<string, Bytes>();
  return (name) => {
    const value = known.get(name) ?? naming(name);
    known.set(name, value);
    return value;
  };
}
