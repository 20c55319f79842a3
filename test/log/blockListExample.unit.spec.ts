/** The example of docs/topic.md shares no code with the node, and decides as the node does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { PREFIX_BYTES, encodeEntry } from '../../src/log/entryCodec.ts';
import {
  aBlock,
  aBlockRecord,
  aGenesis,
  anEpochStarted,
  filled,
  oneOfEachKind,
  seededRandom,
} from '../support/logEntries.ts';

interface ExampleState {
  readonly height: bigint;
  readonly parent: Uint8Array;
  readonly epoch: bigint;
}

interface Example {
  readonly START: ExampleState;
  readonly accept: (
    state: ExampleState,
    entry: unknown,
  ) => { readonly state: ExampleState; readonly block: Readonly<Record<string, unknown>> | undefined };
}

const schema = readFileSync(new URL('../../schemas/ReplayEntry.v1.avsc', import.meta.url), 'utf8');
const type = avro.Type.forSchema(JSON.parse(schema) as avro.Schema);
const EXAMPLE = new URL('../../examples/blockList/acceptance.js', import.meta.url).href;

/** Something that may follow, or nearly. */
function anEntry(state: ChainFold, random: () => number): Entry {
  const below = (limit: number): number => Math.floor(random() * limit);
  const near = (value: bigint): bigint => {
    const moved = random() < 0.8 ? value : value + BigInt(below(5)) - 2n;
    return moved < 0n ? 0n : moved;
  };
  const claim = random() < 0.8 ? (state.claim ?? filled(1, 16)) : filled(below(256), 16);
  const logId = random() < 0.9 ? {} : { logId: filled(below(256), 16) };
  const height = near(BigInt(state.height) + 1n);
  const parent = random() < 0.8 ? state.parent : filled(below(256));
  switch (below(8)) {
    case 0:
      return aGenesis(logId);
    case 1: {
      const head = random() < 0.2 ? undefined : { height: near(BigInt(state.height)), parent };
      return anEpochStarted({
        ...logId,
        epoch: near(state.epoch + 1n),
        claim: filled(below(256), 16),
        head,
        rules: below(2),
      });
    }
    case 2:
      return oneOfEachKind()[below(7)] ?? aGenesis();
    default: {
      const number = random() < 0.9 ? height : height + 1n;
      const record = aBlockRecord(number, { blockOutputHash: filled(below(256)) });
      return aBlock(height, { ...logId, claim, parent, record });
    }
  }
}

describe('the example projection', () => {
  it('accepts what the node accepts, over random logs', async () => {
    const { START, accept } = (await import(EXAMPLE)) as Example; // plain JavaScript, as others write it
    let blocks = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      let [ours, theirs]: [ChainFold, ExampleState] = [EMPTY_FOLD, START];
      for (let i = 0; i < 100; i++) {
        const entry = anEntry(ours, random);
        const decoded: unknown = type.fromBuffer(Buffer.from(encodeEntry(entry).bytes.subarray(PREFIX_BYTES)));
        const { verdict, state } = foldChain(ours, entry, { schema: 1, rules: 1 });
        const next = accept(theirs, decoded);
        assert.equal(
          next.block !== undefined,
          verdict === 'accepted' && entry.kind === 'Block',
          `seed ${seed}, entry ${i}`,
        );
        [ours, theirs] = [state, next.state];
        assert.deepEqual([theirs.height, theirs.epoch], [BigInt(ours.height), ours.epoch], `seed ${seed}, entry ${i}`);
        assert.deepEqual(new Uint8Array(theirs.parent), ours.parent);
        if (next.block !== undefined) blocks += 1;
      }
    }
    assert.ok(blocks > 200, `only ${blocks} blocks`);
  });

  it('skips what does not decode, and stops at rules that it does not know', async () => {
    const { START, accept } = (await import(EXAMPLE)) as Example;
    const decode = (entry: Entry): unknown =>
      type.fromBuffer(Buffer.from(encodeEntry(entry).bytes.subarray(PREFIX_BYTES)));
    const { state } = accept(START, decode(aGenesis()));
    assert.equal(accept(state, undefined).state, state);
    assert.throws(() => accept(state, decode(anEpochStarted({ rules: 2 }))), /upgrade it/);
  });
});
