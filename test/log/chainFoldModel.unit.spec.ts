/** The fold of blocks against the reference model of the log protocol, over random logs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ZERO_32, type Bytes } from '../../src/common/bytes.ts';
import { type ChainFold, EMPTY_FOLD, type FoldResult, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { type ModelState, everyRule, foldBlocks, noBlocks } from '../fixtures/log-model/fold.mjs';
import { NODE_ID, aBlock, aBlockRecord, aGenesis, anEpochStarted, seededRandom } from '../support/logEntries.ts';

/** Of each software. `LOGS=1000000` for a long run. */
const LOGS = Number(process.env['LOGS'] ?? 100_000);
const ENTRIES_MAX = 16;

interface Seen {
  entries: number;
  accepted: number;
  rejected: number;
  stop: number;
  height: number;
  epoch: number;
}

describe('chainFold against the reference model', () => {
  for (const software of [
    { schema: 1, rules: 1 },
    { schema: 2, rules: 2 },
  ]) {
    it(`gives the same verdicts and states on ${LOGS} random logs, as software ${software.schema}, ${software.rules}`, function () {
      const seen = compareRandomLogs(software);
      const test = this.runnable();
      test.title += `: ${seen.entries} entries, ${seen.accepted} accepted, ${seen.rejected} rejected, ${seen.stop} stops`;
      assert.ok(seen.accepted > 3 * LOGS && seen.rejected > 2 * LOGS && seen.stop > LOGS / 100, JSON.stringify(seen));
      assert.ok(seen.height >= 8 && seen.epoch >= 6, JSON.stringify(seen));
    }).timeout(Math.max(60_000, LOGS));
  }
});

/** Every third reader is configured for chain A. */
function compareRandomLogs(software: { schema: number; rules: number }): Seen {
  const bytesOf = memoize((text) => new Uint8Array(createHash('sha256').update(text).digest()));
  const idOf = memoize((text) => bytesOf(text).slice(0, 16));
  const seen: Seen = { entries: 0, accepted: 0, rejected: 0, stop: 0, height: 0, epoch: 0 };
  const configured = { ...software, chain: 'A' };
  for (let seed = 0; seed < LOGS; seed++) {
    const random = seededRandom(seed);
    const isConfigured = seed % 3 === 0;
    let model = noBlocks;
    let state = EMPTY_FOLD;
    const length = 4 + Math.floor(random() * (ENTRIES_MAX - 3));
    for (let step = 0; step < length; step++) {
      const modelEntry = randomEntry(random, model);
      const expected = foldBlocks(model, modelEntry, everyRule, isConfigured ? configured : software);
      const entry = toEntry(modelEntry, bytesOf, idOf);
      const actual: FoldResult = foldChain(state, entry, software, isConfigured ? chainOf('A') : undefined);
      if (actual.verdict !== expected.verdict || !isSame(actual.state, expected.state, bytesOf, idOf)) {
        assert.fail(
          `seed ${seed}, step ${step}: ${actual.verdict}, expected ${expected.verdict}, of ${JSON.stringify(modelEntry)} at ${JSON.stringify(model)}`,
        );
      }
      seen.entries++;
      seen[actual.verdict]++;
      if (actual.verdict === 'stop') break;
      ({ state } = actual);
      model = expected.state;
    }
    seen.height = Math.max(seen.height, model.height);
    seen.epoch = Math.max(seen.epoch, model.epoch);
  }
  return seen;
}

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

/** leaderNodeId is not judged, and not in the model. */
function isSame(state: ChainFold, model: ModelState, bytesOf: Naming, idOf: Naming): boolean {
  return (
    state.height === model.height &&
    state.epoch === BigInt(model.epoch) &&
    state.rules === model.rules &&
    state.chain === (model.chain === null ? undefined : chainOf(model.chain)) &&
    isEqual(state.parent, parentOf(model.parent, bytesOf)) &&
    isEqual(state.claim, model.claim === null ? undefined : idOf(model.claim)) &&
    isEqual(state.logId, model.logId === null ? undefined : idOf(model.logId))
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
