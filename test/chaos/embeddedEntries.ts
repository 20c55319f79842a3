/** What the drills write into embedded logs: the entry at a position follows from the seed, so that anybody can check it. */
import assert from 'node:assert/strict';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import { type EncodedEntry, decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import type { EventLog } from '../../src/log/eventLog.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';
import { aBlock, aBlockRecord, aGenesis, anEpochStarted, filled, seededRandom } from '../support/logEntries.ts';

/** Genesis, a claim, then blocks of up to so many bytes. */
export function entryAt(position: number, seed: number, blockBytesMax: number): EncodedEntry {
  if (position === 0) return encodeEntry(aGenesis());
  if (position === 1) return encodeEntry(anEpochStarted());
  const height = position - 1;
  const random = seededRandom(seed * 1_000_003 + position);
  const transactions = [filled(position % 256, 1 + Math.floor(random() ** 2 * blockBytesMax))];
  return encodeEntry(aBlock(height, { record: aBlockRecord(height, { transactions }) }));
}

/** Reads the log from its start: exactly the first entries, whole, and the fold accepts each. Returns how many there are. */
export async function readPrefix(log: EventLog, seed: number, blockBytesMax: number): Promise<number> {
  let fold: ChainFold = EMPTY_FOLD;
  for (let position = 0; ; position++) {
    const found = await log.entryAt(position);
    if (found === undefined) {
      assert.equal(await log.end(), position);
      assert.equal(fold.height, Math.max(0, position - 2));
      return position;
    }
    const expected = entryAt(position, seed, blockBytesMax);
    assert.ok(
      found.schema === expected.schema && Buffer.compare(found.bytes, expected.bytes) === 0,
      `the entry at position ${position} is another one, or torn`,
    );
    const { verdict, state } = foldChain(fold, decodeEntry(found.schema, found.bytes), SOFTWARE);
    assert.equal(verdict, 'accepted', `position ${position}`);
    fold = state;
  }
}
