import assert from 'node:assert/strict';
import { ZERO_32 } from '../../src/common/bytes.ts';
import { AcceptedHashes, type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import {
  aBlock,
  aBlockRecord,
  aGenesis,
  anEpochStarted,
  filled,
  LOG_ID,
  NODE_ID,
  oneOfEachKind,
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
      [anEpochStarted({ epoch: 6n, head: { height: 2n, parent: filled(2) } }), 'gap'],
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
      assert.equal(foldChain(state, entry, SOFTWARE, undefined, true).rejectedClass, 'duplicate');
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
});
